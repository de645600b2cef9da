"""The verdict on scikit-learn's BernoulliRBM, confirmed without the audit's machinery."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from exactgen.proofs_check.audit.adapters import SklearnAdapter, adapt
from exactgen.proofs_check.audit.command import as_json, print_report
from exactgen.proofs_check.audit.engine import Report, audit
from exactgen.proofs_check.audit.training import by_calls, digits, examine

pytest.importorskip("sklearn")
from sklearn.neural_network import BernoulliRBM

TARGET = "sklearn.neural_network:BernoulliRBM"


@pytest.fixture(scope="module")
def report() -> Report:
    return audit(adapt(BernoulliRBM, options={}, declares={}), target=TARGET)


def test_one_finding_and_the_rest_is_right(report: Report) -> None:
    assert [(f.name, f.quantity, f.exactness) for f in report.findings] == [
        ("chains-weighted-by-rows", "pcd_update", "exact")
    ]
    assert set(report.right) == {
        "free_energy",
        "mean_hidden",
        "sample_hidden",
        "sample_visible",
        "gibbs_step",
        "pseudo_log_likelihood",
    }
    assert report.statistical == []


def test_its_numbers_by_hand(report: Report) -> None:
    """The negative phase, summed over states by plain loops, enters with weight m/n instead of one."""
    finding = report.findings[0]
    given = finding.given
    W, b, c = given["W"], given["b"], given["c"]
    v, chains = given["v"], given["chains"]
    n, m = len(v), len(chains)
    assert n != m
    assert finding.entry == "pcd_update, 0, W [0, 0]"

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    def mean_h0(row: tuple[float, ...]) -> float:
        return sigmoid(c[0] + sum(row[i] * W[i][0] for i in range(len(b))))

    positive = sum(row[0] * mean_h0(row) for row in v) / n
    negative = 0.0
    for h in chains:
        for x in itertools.product((0.0, 1.0), repeat=len(b)):
            p = 1.0
            for i, bit in enumerate(x):
                on = sigmoid(b[i] + sum(W[i][j] * h[j] for j in range(len(c))))
                p *= on if bit else 1 - on
            negative += p * x[0] * mean_h0(x) / m
    assert finding.expected == pytest.approx(positive - negative, abs=1e-12)
    assert finding.actual == pytest.approx(positive - m / n * negative, abs=1e-12)


def test_equal_numbers_of_rows_and_chains_are_right() -> None:
    adapter = SklearnAdapter(BernoulliRBM)
    adapter.declares = adapter.declares.but(rows="fixed")
    assert audit(adapter, only=["pcd_update"]).findings == []


def test_partial_fit_on_more_rows_than_chains_runs_away() -> None:
    """With 100 rows a call and the default ten chains, the negative phase counts a tenth."""
    rows, _ = digits("digits", None)
    learnt, reported = {}, by_calls(SklearnAdapter(BernoulliRBM), rows)
    for batch_size in (100, 10):
        model = BernoulliRBM(n_components=12, batch_size=batch_size, random_state=0)
        for _ in range(10):
            for start in range(0, 1400, 100):
                model.partial_fit(rows[start : start + 100])
        states = np.array(list(itertools.product((0.0, 1.0), repeat=12)))
        weights = states @ model.intercept_hidden_
        weights = weights + np.logaddexp(0, states @ model.components_ + model.intercept_visible_).sum(axis=1)
        log_z = weights.max() + math.log(np.exp(weights - weights.max()).sum())
        learnt[batch_size] = float(np.mean(-model._free_energy(rows) - log_z))
        assert reported[str(batch_size)]["10"] == pytest.approx(learnt[batch_size], rel=1e-9)
    assert -30 < learnt[100] < -20
    assert learnt[10] < -500


def test_fit_of_a_multiple_of_the_batch_size_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    train, valid = digits("digits", None)
    adapter = SklearnAdapter(BernoulliRBM)
    report = audit(adapter, only=["pcd_update"])
    training = examine(adapter, report, train[:400], valid, data="digits")
    assert training.last_batch == 10
    print_report(report, training)
    printed = capsys.readouterr().out
    assert "no short batch of these rows" in printed
    assert "last batch of" not in printed


def test_what_it_learns_in_exact_numbers(report: Report) -> None:
    train, valid = digits("digits", None)
    adapter = adapt(BernoulliRBM, options={}, declares={})
    own = Report(TARGET, findings=list(report.findings))
    training = examine(adapter, own, train, valid, data="digits")
    assert own.right == [
        f"{q} at trained parameters" for q in ("free_energy", "mean_hidden", "pseudo_log_likelihood")
    ]
    assert training.valid_log_likelihood > training.independent_units
    effect = training.short_batch
    assert (effect["rows"], effect["chains"], training.last_batch) == (7, 10, 7)
    # 2,000 runs of ten chains: what is left unexplained is noise, small beside the error itself
    assert effect["norm_unexplained"] < 0.1 * effect["norm_measured_error"]
    assert effect["norm_measured_error"] == pytest.approx(effect["norm_predicted_error"], rel=0.05)
    schema = Path(__file__).parents[2] / "data" / "schemas" / "audit.schema.json"
    jsonschema.validate(as_json(own, training), json.loads(schema.read_text("utf-8")))
