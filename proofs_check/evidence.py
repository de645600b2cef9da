"""How far a passed check reaches, and with it how closely numbers must agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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
