"""The registry refuses checks that cannot fail; the runner reports what a check found, and never more."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, NamedTuple

import numpy as np
import pytest
from exactgen.backends.arrays import load_backend
from exactgen.data.sources import MissingDataError
from exactgen.proofs_check import check as registry
from exactgen.proofs_check import runner
from exactgen.proofs_check.check import EXACTLY, JUDGED, Implementation, agree, judged, statistically
from exactgen.proofs_check.runner import Options, Outcome, run_check, teeth
from hypothesis import assume


def passes(impl, x):
    impl.softplus(x)


def wrong_above_two(impl, x):
    agree(np.minimum(impl.softplus(x), 2.0), impl.softplus(x), "softplus")


# --- what is refused at registration -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rejects": ()}, "rejects no mistake"),
        ({"printed": passes}, "belong together"),
        ({"correction": "the right form"}, "belong together"),
        ({"evidence": statistically(1e-12)}, "fixed cases"),
        ({"evidence": JUDGED}, "one fixed case"),
        ({"evidence": JUDGED, "cases": [1, 2]}, "one fixed case"),
    ],
    ids=[
        "no mistakes",
        "no correction",
        "no printed form",
        "statistics on a search",
        "evidence of a search",
        "evidence of two cases",
    ],
)
def test_a_check_that_proves_nothing_is_refused(make, changes, words):
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_a_name_is_taken_once(make):
    make()
    with pytest.raises(ValueError, match="two checks are called symmetric"):
        make()


def test_an_error_probability_above_1e_9_is_refused():
    with pytest.raises(ValueError, match="1e-9"):
        statistically(1e-6)


def test_a_check_of_an_unknown_statement_is_an_error(make):
    from exactgen.proofs_check.checks import load_checks

    make(passes, "BA.eq1", "BA.eq1000")
    with pytest.raises(KeyError, match=r"passes.*BA\.eq1000"):
        load_checks()


# --- what a run reports ------------------------------------------------------------------------------------


def test_a_true_statement_passes_with_all_its_examples(make):
    outcome = run_check(make(examples=17), Options())
    assert (outcome.result, outcome.examples, outcome.uses) == ("passed", 17, ("softplus",))


def test_a_failure_is_shrunk_and_told_with_both_numbers(make):
    outcome = run_check(make(wrong_above_two), Options())
    assert (outcome.result, outcome.what) == ("failed", "softplus [2]")
    # log(1 + e^x) exceeds 2 from log(e^2 - 1) = 1.8546 on: the smallest hundredth is 1.86.
    assert outcome.case == "[0.0, 0.0, 1.86]"
    assert float(outcome.actual) == 2.0
    assert float(outcome.expected) == pytest.approx(np.log1p(np.exp(1.86)), abs=1e-12)


def test_the_same_cases_are_generated_every_time(make):
    seen = []
    check = make(lambda impl, x: seen.append(x.tolist()))
    run_check(check, Options())
    first = list(seen)
    run_check(check, Options())
    assert seen[len(first) :] == first


def test_a_crash_is_an_error_with_its_place(make):
    def crashes(impl, x):
        raise ZeroDivisionError("by nothing")

    outcome = run_check(make(crashes), Options())
    assert outcome.result == "error"
    assert "ZeroDivisionError: by nothing (at test_proofs_runner.py:" in outcome.what


def test_a_check_that_changes_its_mind_is_an_error(make):
    calls = []

    def flaky(impl, x):
        calls.append(x)
        agree(len(calls) == 2, False, "whether this is the second call")

    assert run_check(make(flaky), Options()).result == "error"


def test_what_an_implementation_lacks_is_not_covered(make):
    offers_nothing = Implementation({})
    outcome = run_check(make(), Options(), offers_nothing)
    assert (outcome.result, outcome.what) == ("not covered", "the implementation offers no softplus")


@pytest.mark.parametrize(("needs", "result"), [("mnist", "skipped"), ("", "error")])
def test_missing_data_skip_only_a_check_that_declares_them(make, needs, result):
    def reads(impl, x):
        raise MissingDataError("mnist is missing")

    assert run_check(make(reads, needs_data=needs), Options()).result == result


def test_cases_that_are_assumed_away_do_not_count_as_failures(make):
    def positive(impl, x):
        assume(x[0] >= 0)
        agree(np.abs(x[0]), x[0], "|x|")

    assert run_check(make(positive), Options()).result == "passed"


def test_fixed_cases_all_run_in_order(make):
    seen = []
    check = make(lambda impl, x: seen.append(x), cases=[3, 1, 2])
    assert run_check(check, Options(quick=True)).examples == 3
    assert seen == [3, 1, 2]


@pytest.mark.parametrize(("options", "ran"), [(Options(quick=True), 8), (Options(examples=3, quick=True), 3)])
def test_fewer_examples_on_request(make, options, ran):
    assert run_check(make(examples=40), options).examples == ran


# --- checks that judge an experiment -----------------------------------------------------------------------

UNDECIDED = judged(["undecided"], "by 9 models\ntea  undecided  this beats that")


def judging(impl, x):
    passes(impl, x)
    return {"BA.eq1": UNDECIDED}


def test_a_check_of_an_experiment_says_how_far_it_was_found_again(make):
    outcome = run_check(make(judging, evidence=JUDGED, cases=[np.zeros(3)]), Options())
    assert (outcome.result, outcome.found) == ("passed", {"BA.eq1": UNDECIDED})
    assert Outcome.from_json(json.loads(json.dumps(outcome.as_json()))) == outcome


def test_a_check_of_an_experiment_without_a_verdict_is_an_error(make):
    check = make(judging, "BA.eq1", "BA.eq2", evidence=JUDGED, cases=[np.zeros(3)])
    outcome = run_check(check, Options())
    assert outcome.result == "error"
    assert outcome.what == "evidence of ['BA.eq1'], not of ['BA.eq1', 'BA.eq2']"
    silent = make(passes, evidence=JUDGED, cases=[np.zeros(3)])
    assert run_check(silent, Options()).result == "error"


def test_other_checks_have_the_evidence_that_they_registered(make):
    assert run_check(make(judging, evidence=EXACTLY, cases=[np.zeros(3)]), Options()).found == {}


# --- teeth and printed forms -------------------------------------------------------------------------------


def test_every_mistake_is_named_with_what_became_of_it(make):
    def crash(right, x):
        raise RuntimeError("no verdict")

    wrong = {
        "odd": lambda right, x: x / 2 + x**2,  # softplus minus x/2 is even: no mistake for this check
        "wrong": lambda right, x: np.abs(x),
        "crashing": crash,
    }
    check = make(wrong=wrong)
    verdicts = teeth(check, Options())
    assert verdicts["odd"] == "survives"
    assert verdicts["wrong"] == "rejected"
    assert verdicts["crashing"].startswith("crashes: RuntimeError: no verdict")
    assert run_check(check, Options()).result == "passed"
    outcome = run_check(check, Options(teeth=True))
    assert outcome.result == "failed"
    assert "odd (survives)" in outcome.what
    assert "crashing (crashes" in outcome.what
    assert "wrong" not in outcome.what


def test_mistakes_get_all_examples_where_the_reference_gets_few(make):
    calls = []

    def rarely_wrong(right, x):
        calls.append(1)
        return right(x)

    teeth(make(examples=30, wrong={"rare": rarely_wrong}), Options(quick=True))
    assert len(calls) == 60  # two calls a case


def test_a_false_statement_is_refuted_by_its_smallest_counterexample(make):
    def printed(impl, x):
        agree(impl.softplus(x), x, "softplus(x) = x")

    outcome = run_check(make(printed=printed, correction="softplus(x) - softplus(-x) = x"), Options())
    assert outcome.result == "passed"
    assert outcome.counterexample.case == "[0.0, 0.0, 0.0]"
    assert float(outcome.counterexample.actual) == pytest.approx(np.log(2))


def test_a_printed_form_without_counterexample_is_an_error(make):
    outcome = run_check(make(printed=passes, correction="something else"), Options())
    assert outcome.result == "error"
    assert outcome.what == "no counterexample to the printed form in 25 cases"


def test_a_printed_form_that_crashes_is_no_counterexample(make):
    def printed(impl, x):
        raise ValueError("cannot be computed")

    outcome = run_check(make(printed=printed, correction="something else"), Options())
    assert outcome.result == "error"
    assert "gives no verdict" in outcome.what


# --- backends, dtypes, tolerances --------------------------------------------------------------------------


class Pair(NamedTuple):
    x: Any
    n: int


@dataclasses.dataclass(frozen=True)
class Box:
    law: Any


def test_every_array_of_a_case_moves_and_nothing_else():
    case = (Pair(np.ones(2), 3), [np.arange(2)], {"p": np.zeros((1, 2))}, Box(np.ones(1)), "words")
    pair, (index,), table, box, words = runner.map_arrays(runner.conversion("strict", "float32"), case)
    strict = load_backend("strict")
    assert (type(pair), pair.n, words) == (Pair, 3, "words")
    assert pair.x.dtype == table["p"].dtype == box.law.dtype == strict.float32
    assert index.dtype == strict.int64


def test_a_check_cannot_reach_the_generated_arrays(make):
    def vandal(impl, x):
        agree(x, [1.0, 2.0], "x")
        x[:] = -1

    case = np.array([1.0, 2.0])
    assert run_check(make(vandal, cases=[case, case]), Options()).result == "passed"


def test_float32_passes_where_float64_tolerances_could_not(make):
    assert run_check(make(examples=50), Options(dtype="float32")).result == "passed"
    with registry.comparing(dtype="float32"):
        # 10 of float64's 15.65 digits are a share of 0.639; of float32's 6.92 digits that leaves 4.42.
        assert np.log10(registry.tolerance(1e-10)) == pytest.approx(-4.42, abs=0.005)
    assert registry.tolerance(1e-10) == 1e-10


def test_float32_does_not_hide_a_mistake_in_the_fifth_digit(make):
    wrong = {"fifth-digit": lambda right, x: right(x) * np.float32(1.0001)}
    assert teeth(make(wrong=wrong), Options(dtype="float32")) == {"fifth-digit": "rejected"}


@pytest.mark.parametrize("backend", ["strict", "torch"])
def test_checks_run_on_other_backends(make, backend):
    pytest.importorskip({"strict": "array_api_strict"}.get(backend, backend))
    seen = []

    def sees(impl, x):
        seen.append(type(x).__module__)
        passes(impl, x)

    assert run_check(make(sees), Options(backend=backend)).result == "passed"
    assert all(backend in module for module in seen)


def test_outcomes_survive_json(make):
    def printed(impl, x):
        agree(impl.softplus(x), x, "softplus(x) = x")

    outcome = run_check(make(printed=printed, correction="another"), Options(teeth=True))
    assert Outcome.from_json(json.loads(json.dumps(outcome.as_json()))) == outcome
