"""Checks: functions of an implementation, with the cases they run on and the mistakes they must reject.

A check serves three ends.  Run on the reference it verifies statements; while a mistake is made it must fail;
run on an adapter it audits somebody else's code.  ``check(impl, case)`` returns nothing when all is well and
raises ``Disagreement`` otherwise.  Only of an experiment it returns how far each statement was found again:
that its claims are not confirmed is no mistake of the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeAlias

from .comparing import Disagreement, agree, at_most, comparing, ensure, tolerance
from .evidence import (
    DEFINITION,
    EXACTLY,
    JUDGED,
    Evidence,
    at_rate,
    judged,
    reproduced,
    statistically,
    to_tolerance,
)
from .implementation import Implementation, NotOffered
from .mistakes import Mistake, called, family_of

__all__ = [  # what a file of checks needs
    "DEFINITION",
    "EXACTLY",
    "JUDGED",
    "Check",
    "Disagreement",
    "Evidence",
    "Implementation",
    "NotOffered",
    "agree",
    "at_most",
    "at_rate",
    "check",
    "comparing",
    "ensure",
    "judged",
    "reproduced",
    "statistically",
    "to_tolerance",
    "tolerance",
]

CheckFunction: TypeAlias = Callable[..., Mapping[str, Evidence] | None]
"""Called with an implementation and a case and, if it takes a third argument, the case in plain float64."""


@dataclass(frozen=True)
class Check:
    """One computation that can fail, and what it is good for."""

    name: str
    statements: tuple[str, ...]
    run: CheckFunction
    cases: Any  # a Hypothesis strategy, or a sequence of fixed cases
    evidence: Evidence
    implementation: Implementation
    rejects: tuple[str, ...]  # mistakes of the catalogue, by name or "family:name"
    examples: int = 25
    family: str = ""
    printed: CheckFunction | None = None  # the statement as printed, where it is false
    correction: str = ""  # what `run` verifies instead, in words and formula
    assuming: str = ""  # a condition that the text omits, and under which `run` verifies it
    without: Any = None  # the cases in which the printed form fails; None: `cases`
    uncovered: Mapping[str, str] = field(default_factory=dict)  # by statement, what of it is not checked
    needs_data: str = ""  # the data set that a data directory must hold, or empty
    doc: str = field(default="", repr=False)

    @property
    def label(self) -> str:
        """The name under which test reports list the check: ``BA.eq3-partition_function``."""
        return f"{'+'.join(self.statements)}-{self.name}"

    @property
    def refutes(self) -> bool:
        """Whether the statement fails as printed."""
        return bool(self.correction)

    def mistakes(self) -> tuple[Mistake, ...]:
        """Return the catalogue's mistakes that this check must reject."""
        return tuple(m for name in self.rejects for m in called(name, family=self.family))


REGISTRY: dict[str, Check] = {}
_PAIRS = "`printed` and `correction` belong together, and `without` and `assuming`"


def check(
    *statements: str,
    of: ModuleType | Sequence[ModuleType] | Implementation,
    cases: Any,
    evidence: Evidence,
    rejects: Sequence[str],
    examples: int = 25,
    printed: CheckFunction | None = None,
    correction: str = "",
    assuming: str = "",
    without: Any = None,
    uncovered: str | Mapping[str, str] = "",
    needs_data: str = "",
) -> Callable[[CheckFunction], CheckFunction]:
    """Register the decorated function as a check of ``statements``.

    ``of``: the reference modules whose functions it calls through ``impl``.  ``rejects``: the mistakes of the
    catalogue that it must reject.  A check of several statements says of each comparison for which of them it
    is, ``agree(..., of="BA.eq2")``.

    Where the text is not true as it stands, ``printed`` is a check of the printed form, for which a
    counterexample is searched and shrunk, among the cases ``without`` if given; it must exceed the tolerance
    tenfold.  The decorated function verifies what holds instead: a ``correction`` in words, or the statement
    itself ``assuming`` a condition that the text omits (then ``printed`` may be left out: it is the same
    function, and fails on the cases ``without`` the condition).

    ``uncovered``: what of the statement (of each, by id) is not checked; its status then says "in part".

    Raises: ValueError where no mistake is named, the name is taken, or statistics would run on searched
    cases, or evidence would be returned of more than one case, or a refutation is incomplete.
    """

    def register(run: CheckFunction) -> CheckFunction:
        name = run.__name__
        if name in REGISTRY:
            raise ValueError(f"two checks are called {name}")
        if not rejects:
            raise ValueError(f"check {name} rejects no mistake: a check that cannot fail is a defect")
        if correction and assuming:
            raise ValueError(f"check {name}: either a correction, or a condition that the text omits")
        if (printed is not None or without is not None) != bool(correction or assuming):
            raise ValueError(f"check {name}: {_PAIRS}")
        if (correction and printed is None) or (assuming and without is None):
            raise ValueError(f"check {name}: {_PAIRS}")
        if evidence.kind == "statistically" and not isinstance(cases, Sequence):
            raise ValueError(f"check {name}: a statistical check runs on a sequence of fixed cases")
        if evidence is JUDGED and not (isinstance(cases, Sequence) and len(cases) == 1):
            raise ValueError(f"check {name}: what returns evidence runs on one fixed case")
        gaps = dict.fromkeys(statements, uncovered) if isinstance(uncovered, str) else dict(uncovered)
        if set(gaps) - set(statements):
            raise ValueError(f"check {name}: `uncovered` names statements that it does not check")
        if isinstance(of, Implementation):
            right = of
        else:
            right = Implementation.of(*((of,) if isinstance(of, ModuleType) else of))
        REGISTRY[name] = Check(
            name=name,
            statements=statements,
            run=run,
            cases=cases,
            evidence=evidence,
            implementation=right,
            rejects=tuple(rejects),
            examples=examples,
            family=family_of(run.__module__),
            printed=printed or (run if assuming else None),
            correction=correction,
            assuming=assuming,
            without=without,
            uncovered={statement: words for statement, words in gaps.items() if words},
            needs_data=needs_data,
            doc=inspect.cleandoc(run.__doc__ or ""),
        )
        return run

    return register
