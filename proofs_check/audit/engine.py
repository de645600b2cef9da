"""The audit itself: run the checks of what the code offers, and name what they find wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import check as checks
from ..check import Check
from ..comparing import Disagreement, agree, comparing
from ..quantity import QUANTITIES, SLACK, Ask, Quantity, implied, load
from ..runner import conversion, describe, generate, map_arrays
from . import conduct
from .foreign import Asked, Declined, Unmeasured, reference_answer
from .naming import OVERFLOW, Trial, diagnose
from .protocol import Adapter


@dataclass(frozen=True)
class Finding:
    """One mistake, by name, with the smallest case that shows it."""

    name: str
    words: str
    quantity: str
    statements: tuple[str, ...]  # that it violates
    case: str
    entry: str
    expected: float | str
    actual: float | str
    given: dict[str, Any]
    exactness: str  # exact | statistical
    reproduce: str = ""
    alternatives: tuple[str, ...] = ()


@dataclass
class Report:
    """The verdict on a target."""

    target: str
    findings: list[Finding] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    not_covered: dict[str, str] = field(default_factory=dict)  # quantity: why
    notes: list[str] = field(default_factory=list)
    statistical: list[str] = field(default_factory=list)
    flags: str = ""  # of the command line: what was said about the target

    @property
    def verdict(self) -> str:
        """Return the verdict in one line."""
        count = len(self.findings)
        return (
            f"{count} finding{'' if count == 1 else 's'}; {len(self.right)} quantities right; "
            f"{len(self.not_covered)} not covered"
        )


def offered(adapter: Any, only: Sequence[str] = ()) -> tuple[dict[str, Quantity], set[str]]:
    """Return all quantities, those that only this adapter implies included, and the names that it offers."""
    own = [name for name in dir(type(adapter)) if not name.startswith("_") and not hasattr(Adapter, name)]
    meant = {name: q for name, q in implied([*own, *only]).items() if name in only or _meant(adapter, q)}
    quantities = {**load(), **meant}
    return quantities, {name for name in quantities if callable(getattr(adapter, name, None))}


def _meant(adapter: Any, quantity: Quantity) -> bool:
    """Return whether a method takes the arguments of the reference's function of its name: it is no other."""
    method = getattr(adapter, quantity.name, None)
    if not callable(method):
        return False
    taken = list(inspect.signature(method).parameters)
    return taken == [name for name in quantity.parameters if name in taken] and set(quantity.asked) <= set(
        taken
    )


def audit(adapter: Any, *, target: str = "", only: Sequence[str] = (), flags: str = "") -> Report:
    """Return the report on what ``adapter`` offers of the groups of quantities that it has anything of."""
    report = Report(target or type(adapter).__name__, flags=flags)
    quantities, have = offered(adapter, only)
    groups = {quantities[name].group for name in {*have, *only}}
    asked = [q for q in quantities.values() if q.group in groups and (not only or q.name in only)]
    tried = {q: _all_trials(adapter, q, report) for q in asked if q.name in have}
    for quantity in asked:
        if quantity in tried:
            conclude(adapter, quantity, report, *tried[quantity], beside=tried)
        else:
            report.not_covered[quantity.name] = "not offered"
    return report


def _all_trials(adapter: Any, quantity: Quantity, report: Report) -> tuple[list[Trial], list[str]]:
    """Return the trials of one quantity: its check, and what shows in no single call."""
    trials, unmeasured = _tried(adapter, quantity)
    if quantity.offset and any(trial.problem for trial in trials):
        moved, _ = _tried(adapter, quantity, shifted=True)
        if not any(trial.problem for trial in moved):
            trials = moved
            if adapter.declares.free_energy_offset == "no":
                words = "differs from the exact one by a constant: a convention, accepted"
                report.notes.append(f"{quantity.name} {words}")
    if trials and quantity.name in QUANTITIES and not any(trial.problem for trial in trials):
        trials += conduct.trials(adapter, quantity, trials[0].check, trials)
    return trials, unmeasured


def audit_at(adapter: Any, quantity: Quantity, ask: Ask, report: Report, *, trained_on: str) -> None:
    """Add to the report whether one call, of parameters that a table is too small for, is the reference's."""
    asked, problem = Asked(adapter, quantity), None
    try:
        actual = asked.law(**ask.given).mean()[0] if quantity.draws else asked(**ask.given)
        with comparing(dtype=adapter.declares.dtype):
            agree(actual, reference_answer(quantity, asked.calls[0]).mean, quantity.name, **SLACK)
    except Disagreement as found:
        problem = found
    check = checks.REGISTRY[quantity.checks[0]]
    trial = Trial(ask.name, check, asked.calls, problem, key=None)
    conclude(adapter, quantity, report, [trial], [], trained_on=trained_on)


def conclude(
    adapter: Any,
    quantity: Quantity,
    report: Report,
    trials: Sequence[Trial],
    unmeasured: Sequence[str],
    *,
    beside: Mapping[Quantity, tuple[Sequence[Trial], Sequence[str]]] = {},
    trained_on: str = "",
) -> None:
    """Add to the report what the trials of one quantity say."""
    name = quantity.name + (" at trained parameters" if trained_on else "")
    if not trials:
        report.not_covered[name] = unmeasured[0] if unmeasured else "asked for nothing that it declares"
        return
    if unmeasured:
        report.notes.append(f"{name}: {len(unmeasured)} cases not covered ({unmeasured[0]})")
    if any(call.answer.radius is not None for trial in trials for call in trial.calls):
        report.statistical.append(name)
    wrong = [trial for trial in trials if trial.problem]
    if not wrong:
        report.right.append(name)
        return
    again = f"exactgen audit {report.target}{report.flags} --only {quantity.name}"
    again += f" --train {trained_on}" if trained_on else ""
    overflown = [trial for trial in wrong if trial.overflows]
    others = [trial for trial in wrong if trial not in overflown]
    finite = [trial for trial in trials if trial not in overflown]

    def more() -> Iterator[tuple[Quantity, Sequence[Trial]]]:
        yield quantity, list(conduct.twice(adapter, quantity, wrong[0].check, trials))
        for other, (tried, _) in beside.items():
            if not any(trial.problem for trial in tried):
                yield other, tried[:3]

    for some in (overflown, others):
        if some:
            diagnosis = OVERFLOW if some is overflown else diagnose(adapter, quantity, finite, more)
            report.findings.append(_finding(some[0], diagnosis, name, again))


def _finding(trial: Trial, diagnosis: Any, name: str, again: str) -> Finding:
    problem = trial.problem
    assert problem is not None
    statistical = any(call.answer.radius is not None for call in trial.calls)
    return Finding(
        diagnosis.name,
        diagnosis.words,
        quantity=name,
        statements=problem.statements or trial.check.statements,
        case=trial.case,
        entry=problem.what,
        expected=_shown(problem.expected),
        actual=_shown(problem.actual),
        given=as_given(trial.calls[-1].given if trial.calls else {}),
        exactness="statistical" if statistical else "exact",
        reproduce=again,
        alternatives=diagnosis.alternatives,
    )


def _tried(adapter: Any, quantity: Quantity, *, shifted: bool = False) -> tuple[list[Trial], list[str]]:
    """Return how each case of the checks of a quantity ends, and why some cannot be measured."""
    trials: list[Trial] = []
    unmeasured: list[str] = []

    def attempt(check: Check, case: Any, key: Any = None) -> None:
        asked = Asked(adapter, quantity, shifted=shifted)
        impl = check.implementation.replace(**{quantity.name: asked})
        name = case.name if isinstance(case, Ask) else describe(case)
        try:
            problem = _problem(check, impl, asked, case)
        except Declined:
            return
        except Unmeasured as why:
            unmeasured.append(str(why))
            return
        except KeyboardInterrupt as stop:  # somebody waits: for what?
            stop.add_note(f"{quantity.name}, case {name}")
            raise
        if asked.calls:
            trials.append(Trial(name, check, asked.calls, problem, key=key))

    for check in map(checks.REGISTRY.__getitem__, quantity.checks):
        if isinstance(check.cases, Sequence):
            for number, case in enumerate(check.cases):
                attempt(check, case, (check.name, number))
        else:
            generate(_of_case(attempt, check), check, EXAMPLES, shrink=False)
    return trials, unmeasured


def _of_case(attempt: Callable[..., None], check: Check) -> Callable[[Any], None]:
    def of_case(case: Any) -> None:
        attempt(check, case)

    return of_case


EXAMPLES = 5
"""Generated cases of a check that an audit tries: naive code is spared the others."""


def _problem(check: Check, impl: Any, asked: Asked, case: Any) -> Disagreement | None:
    """Return what a check of one case finds wrong."""
    plain = (map_arrays(conversion("numpy", "float64"), case),)
    wants_plain = len(inspect.signature(check.run).parameters) > 2
    try:
        with comparing(dtype=asked.adapter.declares.dtype):
            check.run(impl, case, *(plain if wants_plain else ()))
    except Disagreement as found:
        return found
    except ValueError as refused:  # by the reference, which was given what the code returned
        return Disagreement(asked.quantity.name, "a value", str(refused))
    return None


def as_given(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as lists, those of ``theta`` by field."""
    theta = given.get("theta")
    fields = theta._asdict() if theta is not None and hasattr(theta, "_asdict") else {}
    rest = {name: x for name, x in given.items() if name != "theta"}
    return {name: _as_lists(x) for name, x in {**fields, **rest}.items()}


def _as_lists(x: Any) -> Any:
    if hasattr(x, "_asdict"):
        return {name: _as_lists(part) for name, part in x._asdict().items()}
    return [_as_lists(part) for part in x] if isinstance(x, tuple) else np.asarray(x).tolist()


def _shown(x: Any) -> float | str:
    return float(x) if isinstance(x, (int, float)) else str(x)
