"""Runs checks: cases are generated, the smallest failing one is reported, mistakes must be rejected."""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, NamedTuple
from zlib import crc32

import array_api_compat
import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.internal.constants_ast import Constants

from ..backends.arrays import load_backend, to_numpy
from ..data.sources import MissingDataError
from .check import JUDGED, Check, CheckFunction, Disagreement, Evidence, Implementation, NotOffered
from .checks import load_checks
from .comparing import comparing
from .workers import WorkerDied, Workers, as_they_end

# Hypothesis mixes in constants of whichever local modules are loaded: cases must not depend on what else ran.
HypothesisProvider._local_constants = Constants()  # type: ignore[assignment]

QUICK = 5  # --quick runs one in QUICK of the generated cases


@dataclass(frozen=True)
class Options:
    """How checks are run."""

    examples: int | None = None  # generated cases per check; None: what the check asks for
    quick: bool = False
    teeth: bool = False
    backend: str = "numpy"
    dtype: str = "float64"

    def cases_of(self, check: Check) -> int:
        """Return how many generated cases to run."""
        if self.examples is not None:
            return self.examples
        return max(3, check.examples // QUICK) if self.quick else check.examples


class Finding(NamedTuple):
    """What a search over cases found; ``case`` is the smallest that shows it."""

    result: str  # passed | failed | error | skipped | not covered
    what: str = ""
    expected: str = ""
    actual: str = ""
    case: str = ""
    examples: int = 0


@dataclass(frozen=True)
class Outcome:
    """What running one check gave."""

    check: str
    statements: tuple[str, ...]
    result: str  # as in Finding
    what: str = ""
    expected: str = ""
    actual: str = ""
    case: str = ""
    examples: int = 0
    seconds: float = 0.0
    uses: tuple[str, ...] = ()  # the quantities of the implementation that the check called
    counterexample: Finding | None = None  # to the statement as printed, where it is false
    mistakes: dict[str, str] = field(default_factory=dict)  # by name: rejected | survives | crashes
    found: dict[str, Evidence] = field(default_factory=dict)  # by statement, where the check judges itself

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        plain = asdict(self)
        plain["counterexample"] = self.counterexample and self.counterexample._asdict()
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Outcome:
        """Return the outcome that ``as_json`` wrote."""
        counter = plain["counterexample"]
        return cls(
            **{
                **plain,
                "statements": tuple(plain["statements"]),
                "uses": tuple(plain["uses"]),
                "counterexample": counter and Finding(**counter),
                "found": {statement: Evidence(**found) for statement, found in plain["found"].items()},
            }
        )


def run_checks(checks: Sequence[Check], options: Options, *, jobs: int = 1) -> Generator[Outcome, None, None]:
    """Yield the outcome of each check as it ends; they are begun in this order, in up to ``jobs`` processes.

    Raises: WorkerDied where a process is killed, or ends itself.
    """
    jobs = min(jobs, len(checks))
    if jobs <= 1:
        yield from (run_check(check, options) for check in checks)
        return
    with Workers(jobs) as pool:
        running: list[str] = []

        def submit(check: Check) -> Future[Outcome]:
            future = pool.submit(_run_named, check.name, check.statements, options)
            running.append(check.name)
            return future

        try:
            for check, future in as_they_end(submit, checks, waiting=jobs):
                yield future.result()
                running.remove(check.name)
        except BrokenProcessPool as problem:
            raise WorkerDied(
                f"a worker process died (killed, or out of memory), which ran one of {', '.join(running)}"
                if running
                else "the worker processes could not start"
            ) from problem
        except BaseException:
            pool.kill()
            raise


def _run_named(name: str, statements: Sequence[str], options: Options) -> Outcome:
    return run_check(load_checks(statements)[name], options)


def run_check(check: Check, options: Options, implementation: Implementation | None = None) -> Outcome:
    """Return what ``check`` says of ``implementation`` (the reference where None), and of its mistakes."""
    start = time.perf_counter()
    right = (implementation or check.implementation).recording()
    found: dict[str, Evidence] = {}

    def run(impl: Implementation, *case: Any) -> None:
        told = check.run(impl, *case)
        if check.evidence == JUDGED:
            found.update(told or {})

    run.__signature__ = inspect.signature(check.run)  # type: ignore[attr-defined]
    asserted: set[str] = set()
    main = search(check, run, right, options, examples=options.cases_of(check), asserted=asserted)
    if main.result == "passed" and check.evidence == JUDGED and set(found) != set(check.statements):
        main = Finding("error", f"evidence of {sorted(found)}, not of {sorted(check.statements)}")
    silent = [statement for statement in check.statements if statement not in asserted]
    # Some assertions are made of rare cases only: fewer cases than the check asks for prove no silence.
    whole = isinstance(check.cases, Sequence) or options.cases_of(check) >= check.examples
    if main.result == "passed" and whole and len(check.statements) > 1 and silent and not found:
        main = main._replace(result="error", what=f"nothing is asserted of {', '.join(silent)}")
    outcome = Outcome(check.name, check.statements, **main._asdict(), uses=right.used(), found=found)
    if main.result == "passed" and check.printed is not None:
        outcome = _refute(check, outcome, right, options)
    if outcome.result == "passed" and options.teeth:
        mistakes = teeth(check, options)
        alive = "; ".join(f"{mistake} ({what})" for mistake, what in mistakes.items() if what != "rejected")
        outcome = replace(outcome, mistakes=mistakes)
        if alive:
            outcome = replace(outcome, result="failed", what=f"mistakes are not rejected: {alive}")
    return replace(outcome, seconds=round(time.perf_counter() - start, 4))


MARGIN = 10.0
"""By how many tolerances a counterexample must miss."""


def _refute(check: Check, outcome: Outcome, right: Implementation, options: Options) -> Outcome:
    """Return the outcome with the smallest counterexample to the printed form; none found is an error.

    A counterexample is a fact of the mathematics: it is searched in float64, on NumPy, whatever the options.
    """
    assert check.printed is not None
    tries = max(check.examples, options.examples or 0)
    where = check if check.without is None else replace(check, cases=check.without)
    counter = search(where, check.printed, right, Options(), examples=tries, margin=MARGIN)
    if counter.result == "failed":
        return replace(outcome, counterexample=counter)
    what = f"no counterexample to the printed form in {counter.examples} cases"
    if counter.result != "passed":
        what = f"the printed form gives no verdict ({counter.result}): {counter.what}"
    return replace(outcome, result="error", what=what, case=counter.case)


def teeth(check: Check, options: Options) -> dict[str, str]:
    """Return for each mistake whether it is ``rejected``, ``survives``, or crashes the check.

    Only a Disagreement rejects.  Mistakes get as many cases as the check asks for, also where ``quick`` gives
    the reference fewer.
    """
    words = {"failed": "rejected", "passed": "survives", "skipped": "skipped"}
    tries = max(check.examples, options.examples or 0)

    verdicts = {}
    for mistake in check.mistakes():
        with mistake.made():
            found = search(check, check.run, check.implementation, options, examples=tries, shrink=False)
        verdicts[mistake.label] = words.get(found.result, f"crashes: {found.what}")
    return verdicts


def search(
    check: Check,
    run: CheckFunction,
    implementation: Implementation,
    options: Options,
    *,
    examples: int,
    shrink: bool = True,
    margin: float = 1.0,
    asserted: set[str] | None = None,
) -> Finding:
    """Return what ``run`` says of ``implementation`` over the cases of ``check``, up to the first failure.

    Tolerances are multiplied by ``margin``; the statements that something was asserted of go to ``asserted``.
    """
    last: list[Any] = []  # the last failing case and why; Hypothesis replays the smallest one at the end
    count = 0
    convert, copy = conversion(options.backend, options.dtype), conversion("numpy", "float64")
    wants_plain = len(inspect.signature(run).parameters) > 2

    def trial(case: Any) -> None:
        nonlocal count
        count += 1
        given = map_arrays(convert, case)
        plain = (map_arrays(copy, map_arrays(to_numpy, given)),) if wants_plain else ()
        try:
            with comparing(dtype=options.dtype, factor=margin) as statements:
                run(implementation, given, *plain)
            if asserted is not None:
                asserted.update(statements)
        except hypothesis.errors.UnsatisfiedAssumption:
            raise
        except Exception as problem:
            last[:] = [case, problem]
            raise

    try:
        if isinstance(check.cases, Sequence):
            for case in check.cases:
                trial(case)
        else:
            generate(trial, check, examples, shrink)
    except Exception as problem:
        flaky = isinstance(problem, hypothesis.errors.Flaky)
        case, problem = (None, problem) if flaky or not last else last
        return _finding(check, case, problem)._replace(examples=count)
    return Finding("passed", examples=count)


def generate(trial: Callable[[Any], None], check: Check, examples: int, shrink: bool) -> None:
    """Call ``trial`` with the cases of a check, always the same; where it raises, with ever smaller ones."""
    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    )
    generate: Any = hypothesis.given(check.cases)
    seed: Any = hypothesis.seed(crc32(check.name.encode()))  # else it is made of the text of `trial`
    settings(seed(generate(trial)))()


def _finding(check: Check, case: Any, problem: BaseException) -> Finding:
    shown = "" if case is None else describe(case)
    match problem:
        case Disagreement():
            return Finding(
                "failed", problem.what, describe(problem.expected), describe(problem.actual), shown
            )
        case NotOffered():
            return Finding("not covered", f"the implementation offers no {problem.args[0]}")
        case MissingDataError() if check.needs_data:
            return Finding("skipped", str(problem))
    where = traceback.extract_tb(problem.__traceback__)
    place = f" (at {where[-1].filename.rpartition('/')[2]}:{where[-1].lineno})" if where else ""
    return Finding("error", f"{type(problem).__name__}: {problem}{place}", case=shown)


# --- cases ------------------------------------------------------------------------------------------------


def conversion(backend: str, dtype: str) -> Callable[[np.ndarray[Any, Any]], Any]:
    """Return what turns a NumPy array of a case into a fresh one of ``backend``; floats become ``dtype``."""
    xp = None if backend == "numpy" else load_backend(backend)

    def convert(x: np.ndarray[Any, Any]) -> Any:
        x = x.astype(dtype if x.dtype.kind == "f" else x.dtype)  # a copy: no check sees another's array
        return x if xp is None else xp.asarray(x)

    return convert


def map_arrays(convert: Callable[[Any], Any], case: Any) -> Any:
    """Return ``case`` with ``convert`` applied to every array in its tuples, lists, dicts and dataclasses."""

    def visit(x: Any) -> Any:
        match x:
            case np.ndarray():
                return convert(x)
            case _ if array_api_compat.is_array_api_obj(x):
                return x if isinstance(x, np.generic) else convert(x)
            case tuple() if hasattr(x, "_fields"):
                return type(x)(*map(visit, x))
            case tuple() | list():
                return type(x)(map(visit, x))
            case dict():
                return {key: visit(value) for key, value in x.items()}
            case _ if is_dataclass(x) and not isinstance(x, type):
                return replace(x, **{f.name: visit(getattr(x, f.name)) for f in fields(x) if f.init})
            case _:
                return x

    return visit(case)


def describe(x: Any, *, most: int = 64) -> str:
    """Return ``x`` in words short enough for a report and exact enough to be typed in again."""
    match x:
        case np.ndarray() if x.size > most:
            return f"array of shape {x.shape}, {x.dtype}"
        case np.ndarray() | np.generic():
            return repr(x.tolist())
        case tuple() if hasattr(x, "_fields"):
            inside = ", ".join(f"{k}={describe(v)}" for k, v in zip(x._fields, x, strict=True))
            return f"{type(x).__name__}({inside})"
        case tuple() | list():
            return "(" + ", ".join(map(describe, x)) + ")"
        case dict():
            return "{" + ", ".join(f"{k!r}: {describe(v)}" for k, v in x.items()) + "}"
        case _ if is_dataclass(x) and not isinstance(x, type):
            inside = ", ".join(f"{f.name}={describe(getattr(x, f.name))}" for f in fields(x))
            return f"{type(x).__name__}({inside})"
        case str():
            return x
        case _:
            return repr(x)
