"""Every check of a statement as a test: ``pytest -k AO.prop7``."""

import pytest
from exactgen.proofs_check.check import Check
from exactgen.proofs_check.checks import load_checks
from exactgen.proofs_check.runner import Options, run_check, teeth

CHECKS = load_checks().values()
each_check = pytest.mark.parametrize("check", CHECKS, ids=[check.label for check in CHECKS])


@each_check
def test_statement(check: Check) -> None:
    outcome = run_check(check, Options())
    if outcome.result == "skipped":
        pytest.skip(outcome.what)
    assert outcome.result == "passed", "\n".join(
        (outcome.what, f"expected {outcome.expected}, got {outcome.actual}", f"smallest case: {outcome.case}")
    )
    assert (outcome.counterexample is not None) == (check.printed is not None)


@each_check
def test_teeth(check: Check) -> None:
    verdicts = teeth(check, Options())
    if check.needs_data and set(verdicts.values()) == {"skipped"}:
        pytest.skip(f"needs {check.needs_data}")
    assert {mistake: verdict for mistake, verdict in verdicts.items() if verdict != "rejected"} == {}
