"""A status is computed from what ran: the worst result, then the weakest evidence."""

import dataclasses

import pytest
from exactgen.proofs_check.check import (
    DEFINITION,
    EXACTLY,
    JUDGED,
    Check,
    Implementation,
    at_rate,
    judged,
    reproduced,
    statistically,
    to_tolerance,
)
from exactgen.proofs_check.ledger import Statement
from exactgen.proofs_check.runner import Outcome
from exactgen.proofs_check.status import STATUSES, verdict

S = Statement("BA.eq1", "equation", "2.1", "E = ...")


def status(*checks_and_results):
    """Return the status of a statement whose checks have this evidence and gave these results."""
    checks, outcomes = {}, {}
    for i, (evidence, result) in enumerate(checks_and_results):
        name = f"check{i}"
        check = Check(name, (S.id,), lambda impl, case: None, [0], evidence, Implementation({}), ())
        if result == "refuted":
            check = dataclasses.replace(check, printed=lambda impl, case: None, correction="+ instead of -")
            result = "passed"
        checks[name] = check
        if result in ("confirmed", "undecided", "contradicted"):
            told = judged([result], f"by 9 models: {result}")
            outcomes[name] = Outcome(name, (S.id,), "passed", found={S.id: told})
        elif result is not None:
            outcomes[name] = Outcome(name, (S.id,), result, what="so it is")
    found = verdict(S, checks, outcomes)
    assert found.checks == tuple(checks)
    assert found.status in STATUSES
    return found.status, found.evidence


TOLERANCE = to_tolerance("1e-3")


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], "open"),
        ([(EXACTLY, "passed")], "holds exactly"),
        ([(DEFINITION, "passed")], "definition"),
        ([(reproduced("the table"), "passed")], "reproduced"),
        ([(DEFINITION, "passed"), (EXACTLY, "passed")], "holds exactly"),
        ([(TOLERANCE, "passed"), (EXACTLY, "passed")], "holds to tolerance"),
        ([(TOLERANCE, "passed"), (at_rate("1/n"), "passed")], "holds at rate"),
        ([(statistically(1e-10), "passed"), (at_rate("1/n"), "passed")], "holds statistically"),
        ([(JUDGED, "confirmed")], "reproduced"),
        ([(JUDGED, "undecided")], "undecided"),
        ([(JUDGED, "contradicted")], "not reproduced"),
        ([(JUDGED, "confirmed"), (EXACTLY, "passed")], "reproduced"),
        ([(JUDGED, "undecided"), (reproduced("the table"), "passed")], "undecided"),
        ([(EXACTLY, "passed"), (JUDGED, "undecided"), (JUDGED, "contradicted")], "not reproduced"),
        ([(JUDGED, "contradicted"), (JUDGED, "undecided")], "not reproduced"),
        ([(JUDGED, "contradicted"), (EXACTLY, "failed")], "failed"),
        ([(JUDGED, "confirmed"), (EXACTLY, "skipped")], "skipped"),
        ([(JUDGED, "skipped")], "skipped"),
        ([(JUDGED, "failed")], "failed"),
        ([(EXACTLY, "failed")], "failed"),
        ([(EXACTLY, "error")], "failed"),
        ([(EXACTLY, "not covered")], "failed"),
        ([(EXACTLY, "passed"), (EXACTLY, "failed")], "failed"),
        ([(EXACTLY, "skipped"), (EXACTLY, "failed")], "failed"),
        ([(EXACTLY, "skipped")], "skipped"),
        ([(EXACTLY, "passed"), (EXACTLY, "skipped")], "skipped"),
        ([(EXACTLY, "passed"), (EXACTLY, None)], "skipped"),
        ([(EXACTLY, "refuted")], "fails as printed"),
        ([(EXACTLY, "refuted"), (EXACTLY, "passed")], "fails as printed"),
        ([(EXACTLY, "refuted"), (EXACTLY, "failed")], "failed"),
        ([(EXACTLY, "refuted"), (EXACTLY, "skipped")], "skipped"),
    ],
)
def test_status(checks, expected):
    assert status(*checks)[0] == expected


def test_the_evidence_says_how_far_the_weakest_check_reaches():
    assert status((TOLERANCE, "passed"), (EXACTLY, "passed"))[1] == "holds to 1e-3"
    assert status((EXACTLY, "refuted"))[1] == "+ instead of -"
    assert status((EXACTLY, "failed"))[1] == "check0: so it is"
    assert status((EXACTLY, "passed"), (EXACTLY, "skipped"))[1] == "1 of 2 checks ran, not check1"
    assert status((TOLERANCE, "passed"), (JUDGED, "undecided"))[1] == "undecided by 9 models: undecided"


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [
        (["confirmed"], "reproduced"),
        (["confirmed", "undecided", "confirmed"], "undecided"),
        (["undecided", "contradicted", "confirmed"], "not reproduced"),
    ],
)
def test_a_statement_is_as_good_as_its_worst_claim(verdicts, kind):
    assert judged(verdicts, "by few").kind == kind
    assert str(judged(verdicts, "by few")) == f"{kind} by few"


@pytest.mark.parametrize("verdicts", [[], ["confirmed", "refuted"]])
def test_no_claims_and_unknown_verdicts_are_refused(verdicts):
    with pytest.raises(ValueError, match="verdicts must be some of confirmed, undecided, contradicted"):
        judged(verdicts, "")
