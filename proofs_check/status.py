"""The status of a statement, computed from what its checks gave; nobody types it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # --help lists the statuses, and loads nothing for that
    from .check import Check
    from .ledger import Statement
    from .runner import Outcome

# From the strongest to the weakest: a statement with several checks reaches as far as the weakest of them.
_REACH = {
    "definition": "definition",
    "exactly": "holds exactly",
    "tolerance": "holds to tolerance",
    "rate": "holds at rate",
    "statistically": "holds statistically",
    "reproduced": "reproduced",
    "undecided": "undecided",  # an experiment run again: none of its claims contradicted, not all confirmed
    "not reproduced": "not reproduced",  # an experiment run again: a claim of it contradicted
}
_JUDGED = ("undecided", "not reproduced")
IN_PART = "holds in part"  # what is not covered is told
FOUND_IN_PART = "reproduced in part"
CONDITION = "holds under a condition"  # that the text omits
STATUSES = (
    *list(_REACH.values())[1:5],
    CONDITION,
    IN_PART,
    "reproduced",
    FOUND_IN_PART,
    *list(_REACH.values())[6:],
    "definition",
    "fails as printed",
    "failed",
    "skipped",
    "open",
)


class Verdict(NamedTuple):
    """What is known of a statement."""

    statement: Statement
    status: str  # one of STATUSES
    evidence: str  # in words
    checks: tuple[str, ...]


def verdict(statement: Statement, checks: Mapping[str, Check], outcomes: Mapping[str, Outcome]) -> Verdict:
    """Return the status of ``statement``: the worst of its checks' results, then the weakest evidence.

    failed: a check failed or gave no verdict.  skipped: all that ran passed, but some could not run.
    fails as printed: a counterexample to the printed form was found, and the correction passed.
    holds under a condition: that the text omits; without it a case was found in which the text fails.
    holds in part: something of it is not covered, which the evidence tells.
    open: no check.
    """
    own = [check for check in checks.values() if statement.id in check.statements]
    names = tuple(check.name for check in own)
    status, evidence = _status(statement.id, own, [outcomes.get(name) for name in names])
    return Verdict(statement, status, evidence, names)


def _status(statement: str, checks: Sequence[Check], outcomes: Sequence[Outcome | None]) -> tuple[str, str]:
    if not checks:
        return "open", "no check yet"
    ran = [outcome for outcome in outcomes if outcome is not None and outcome.result != "skipped"]
    bad = [f"{o.check}: {o.what}" for o in ran if o.result != "passed"]
    if bad:
        return "failed", "; ".join(bad)
    if len(ran) < len(checks):
        missing = [c.name for c, o in zip(checks, outcomes, strict=True) if o not in ran]
        return "skipped", f"{len(ran)} of {len(checks)} checks ran, not {', '.join(missing)}"
    refuting = [check for check in checks if check.refutes]
    if refuting:
        return "fails as printed", "; ".join(check.correction for check in refuting)
    reached = [o.found.get(statement, c.evidence) for c, o in zip(checks, ran, strict=True)]
    weakest = max(reached, key=lambda evidence: list(_REACH).index(evidence.kind))
    status, told = _REACH[weakest.kind], [str(weakest)]
    part = FOUND_IN_PART if status == "reproduced" else status if weakest.kind in _JUDGED else IN_PART
    for qualified, word, conditions in (
        (CONDITION, "assuming", [check.assuming for check in checks]),
        (part, "not covered:", [check.uncovered.get(statement, "") for check in checks]),
    ):
        if any(conditions):
            status = qualified
            told.append(f"{word} {'; '.join(dict.fromkeys(filter(None, conditions)))}")
    return status, "; ".join(told)
