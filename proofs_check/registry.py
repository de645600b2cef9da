"""Checks: functions of an implementation, with the cases they run on and the mutants they must reject.

A check serves three ends.  Run on the reference it verifies statements; run on its mutants it must fail;
run on an adapter it audits somebody else's code.  ``check(impl, case)`` returns nothing when all is well and
raises ``Disagreement`` otherwise.  Only of an experiment it returns how far each statement was found again:
that its claims are not confirmed is no mistake of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from ..backends.arrays import to_numpy

CheckFunction: TypeAlias = "Callable[[Implementation, Any], Mapping[str, Evidence] | None]"


class Disagreement(AssertionError):  # noqa: N818 (it is a verdict, not an error)
    """A computed quantity is not what the statement says."""

    def __init__(self, what: str, expected: Any, actual: Any) -> None:
        self.what, self.expected, self.actual = what, expected, actual
        super().__init__(f"{what}: expected {expected}, got {actual}")


class NotOffered(LookupError):  # noqa: N818
    """The implementation does not offer a quantity that a check needs."""


class Implementation:
    """The quantities that a check may call, by name; the reference's by default.

    ``Implementation.of(module, ...)`` offers the public functions of modules; ``replace`` swaps some of them.
    """

    def __init__(self, quantities: Mapping[str, Any]) -> None:
        self._quantities = dict(quantities)
        self._used: set[str] = set()

    @classmethod
    def of(cls, *modules: ModuleType) -> Implementation:
        """Offer every public function that the modules define."""
        offered: dict[str, Any] = {}
        for module in modules:
            for name, thing in vars(module).items():
                if callable(thing) and not name.startswith("_") and thing.__module__ == module.__name__:
                    if offered.get(name, thing) is not thing:
                        raise ValueError(f"two modules offer {name!r}")
                    offered[name] = thing
        return cls(offered)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            quantity = self._quantities[name]
        except KeyError:
            raise NotOffered(name) from None
        self._used.add(name)
        return quantity

    def recording(self) -> Implementation:
        """Return this implementation, with nothing used yet."""
        return Implementation(self._quantities)

    def used(self) -> tuple[str, ...]:
        """Return the names of the quantities that were asked for."""
        return tuple(sorted(self._used))

    def replace(self, **quantities: Any) -> Implementation:
        """Return this implementation with some quantities swapped.

        Raises: ValueError for a quantity that is not offered: a mutant of nothing proves nothing.
        """
        unknown = set(quantities) - set(self._quantities)
        if unknown:
            raise ValueError(f"not offered, so not replaceable: {', '.join(sorted(unknown))}")
        return Implementation({**self._quantities, **quantities})

    def names(self) -> tuple[str, ...]:
        """Return the names of the quantities offered."""
        return tuple(sorted(self._quantities))


@dataclass(frozen=True)
class Evidence:
    """How far a passed check reaches."""

    # exactly | tolerance | rate | statistically | definition | reproduced; of an experiment run again
    # judged, which becomes reproduced | undecided | not reproduced
    kind: str
    detail: str = ""

    def __str__(self) -> str:
        words = {
            "exactly": "holds exactly (to rounding)",
            "tolerance": f"holds to {self.detail}",
            "rate": f"holds at rate {self.detail}",
            "statistically": f"holds statistically, error probability <= {self.detail}",
            "definition": "definition",
            "judged": "judged by what its experiment, run again, tells of its claims",
        }
        return words.get(self.kind) or f"{self.kind} {self.detail}".strip()


EXACTLY = Evidence("exactly")
DEFINITION = Evidence("definition")
JUDGED = Evidence("judged")  # by the check itself: it returns the evidence of each of its statements


def to_tolerance(detail: str) -> Evidence:
    """Holds to a stated tolerance that is more than rounding."""
    return Evidence("tolerance", detail)


def at_rate(detail: str) -> Evidence:
    """Holds as an asymptotic rate, fitted."""
    return Evidence("rate", detail)


def statistically(error: float) -> Evidence:
    """Holds statistically; ``error`` is the probability that a true statement fails here."""
    if not 0 < error <= 1e-9:
        raise ValueError(f"the error probability of a statistical check must be at most 1e-9, got {error}")
    return Evidence("statistically", f"{error:g}")


def reproduced(detail: str) -> Evidence:
    """An empirical number, table or figure found again."""
    return Evidence("reproduced", detail)


def judged(verdicts: Iterable[str], detail: str) -> Evidence:
    """An experiment run again, by the verdicts on its claims: confirmed, undecided or contradicted.

    Raises: ValueError without any claim, or for another word.
    """
    known = {"confirmed": "reproduced", "undecided": "undecided", "contradicted": "not reproduced"}
    found = set(verdicts)
    if not found or found - set(known):
        raise ValueError(f"verdicts must be some of {', '.join(known)}, got {sorted(found)}")
    return Evidence(known[max(found, key=list(known).index)], detail)


@dataclass(frozen=True)
class Check:
    """One computation that can fail, and what it is good for."""

    name: str
    statements: tuple[str, ...]
    run: CheckFunction
    cases: Any  # a Hypothesis strategy, or a sequence of fixed cases
    evidence: Evidence
    implementation: Implementation
    mutants: Mapping[str, Implementation]
    examples: int = 25
    printed: CheckFunction | None = None  # the statement as printed, where it is false
    correction: str = ""  # what `run` verifies instead, in words and formula
    needs_data: str = ""  # the data set that a data directory must hold, or empty
    doc: str = field(default="", repr=False)

    @property
    def label(self) -> str:
        """The name under which test reports list the check: ``BA.eq3-partition_function``."""
        return f"{'+'.join(self.statements)}-{self.name}"

    @property
    def refutes(self) -> bool:
        """Whether the statement fails as printed."""
        return self.printed is not None


REGISTRY: dict[str, Check] = {}


def check(
    *statements: str,
    of: Sequence[ModuleType],
    cases: Any,
    evidence: Evidence,
    mutants: Mapping[str, Mapping[str, Any]],
    examples: int = 25,
    printed: CheckFunction | None = None,
    correction: str = "",
    needs_data: str = "",
) -> Callable[[CheckFunction], CheckFunction]:
    """Register the decorated function as a check of ``statements``.

    ``of``: the reference modules whose functions it calls through ``impl``.  ``mutants``: for each deliberate
    mistake, in words, the functions that replace the right ones.  ``printed``: where the statement is false
    as printed, a check of the printed form; a counterexample to it is searched and shrunk, while the
    decorated function verifies the correction.

    Raises: ValueError where no mutant is named, the name is taken, or statistics would run on searched cases,
    or evidence would be returned of more than one case.
    """

    def register(run: CheckFunction) -> CheckFunction:
        name = run.__name__
        if name in REGISTRY:
            raise ValueError(f"two checks are called {name}")
        if not mutants:
            raise ValueError(f"check {name} names no mutant: a check that cannot fail is a defect")
        if (printed is None) != (correction == ""):
            raise ValueError(f"check {name}: `printed` and `correction` belong together")
        if evidence.kind == "statistically" and not isinstance(cases, Sequence):
            raise ValueError(f"check {name}: a statistical check runs on a sequence of fixed cases")
        if evidence is JUDGED and not (isinstance(cases, Sequence) and len(cases) == 1):
            raise ValueError(f"check {name}: what returns evidence runs on one fixed case")
        right = Implementation.of(*of)
        REGISTRY[name] = Check(
            name=name,
            statements=statements,
            run=run,
            cases=cases,
            evidence=evidence,
            implementation=right,
            mutants={words: right.replace(**wrong) for words, wrong in mutants.items()},
            examples=examples,
            printed=printed,
            correction=correction,
            needs_data=needs_data,
            doc=(run.__doc__ or "").strip(),
        )
        return run

    return register


# --- comparisons ------------------------------------------------------------------------------------------

_EPS_EXPONENT: ContextVar[float] = ContextVar("eps_exponent", default=1.0)


@contextmanager
def rounding_of(dtype: str) -> Iterator[None]:
    """Within, tolerances written for float64 stand for the same share of the digits of ``dtype``.

    A tolerance t becomes t^(log eps / log eps64): 1e-10, 10 of 15.7 digits, becomes 3.8e-5, 4.4 of 6.9.
    """
    token = _EPS_EXPONENT.set(float(np.log(np.finfo(dtype).eps) / np.log(np.finfo("float64").eps)))
    try:
        yield
    finally:
        _EPS_EXPONENT.reset(token)


def tolerance(t: float) -> float:
    """Return what the float64 tolerance ``t`` (below one) stands for in the dtype that the check runs on."""
    return t ** _EPS_EXPONENT.get() if 0 < t < 1 else t


def agree(actual: Any, expected: Any, what: str, *, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    """Raise Disagreement unless |actual - expected| <= atol + rtol |expected|, entry by entry.

    Infinities must coincide; NaN agrees with nothing.  Tolerances are for float64, see ``rounding_of``.
    """
    rtol, atol = tolerance(rtol), tolerance(atol)
    a, e = _numbers(actual), _numbers(expected)
    if a.shape != e.shape:
        raise Disagreement(f"shape of {what}", e.shape, a.shape)
    with np.errstate(invalid="ignore"):
        good = (a == e) | (np.abs(a - e) <= atol + rtol * np.abs(e))
    if not bool(np.all(good)):
        if a.ndim == 0:
            raise Disagreement(what, float(e), float(a))
        # argmin finds the first entry that is not good
        worst = np.unravel_index(int(np.argmin(good)), a.shape)
        index = ", ".join(map(str, worst))
        raise Disagreement(f"{what} [{index}]", float(e[worst]), float(a[worst]))


def at_most(smaller: Any, larger: Any, what: str, *, slack: float = 1e-10) -> None:
    """Raise Disagreement unless smaller <= larger + slack, entry by entry."""
    a, e = np.broadcast_arrays(_numbers(smaller), _numbers(larger))
    bad = ~(a <= e + tolerance(slack))
    if bool(np.any(bad)):
        worst = np.unravel_index(int(np.argmax(bad)), a.shape)
        raise Disagreement(what, f"at most {float(e[worst])!r}", float(a[worst]))


def ensure(condition: Any, what: str, *, expected: Any = True, actual: Any = False) -> None:
    """Raise Disagreement unless ``condition`` holds."""
    if not bool(condition):
        raise Disagreement(what, expected, actual)


def _numbers(x: Any) -> np.ndarray:
    if isinstance(x, (int, float, complex, np.generic, np.ndarray, list)):
        return np.asarray(x)
    return to_numpy(x)
