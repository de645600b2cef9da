"""Importance sampling against exact enumeration and loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference import importance

P = np.array([[0.5, 0.2, 0.3], [0.0, 0.9, 0.1]])
Q = np.array([[0.3, 0.6, 0.1], [0.2, 0.3, 0.5]])
F = np.array([[1.0, -2.0, 4.0], [3.0, 0.5, -1.0]])


def test_log_weights(arr):
    table = to_numpy(importance.importance_log_weights(arr(P), arr(Q)))
    assert table[1, 0] == -math.inf
    assert np.allclose(np.exp(table), P / Q, rtol=1e-14)


def test_both_vanishing_is_a_weight_of_zero(arr):
    table = importance.importance_log_weights(arr([[1.0, 0.0]]), arr([[1.0, 0.0]]))
    assert to_numpy(table).tolist() == [[0.0, -math.inf]]


def test_the_estimator_is_unbiased_by_hand_and_by_enumeration(arr):
    outcomes = expect(
        lambda p, q, f, rng: importance.importance_sampling(p, q, f, samples=2, rng=rng),
        arr(P),
        arr(Q),
        arr(F),
    )
    assert np.allclose(to_numpy(outcomes.mean()), (P * F).sum(axis=1), rtol=1e-13)
    by_hand = [
        sum(
            Q[n, a] * Q[n, b] * ((F[n, a] * P[n, a] / Q[n, a] + F[n, b] * P[n, b] / Q[n, b]) / 2) ** 2
            for a, b in itertools.product(range(3), range(3))
        )
        for n in range(2)
    ]
    assert np.allclose(to_numpy(outcomes.mean(lambda e: e * e)), by_hand, rtol=1e-13)


def test_estimates_against_loops(arr):
    w, f = np.array([[0.5, 2.0, 0.0, 1.0]]), np.array([[3.0, -1.0, 7.0, 0.5]])
    with np.errstate(divide="ignore"):
        log_w = arr(np.log(w))
    assert float(importance.importance_estimate(arr(f), log_w)[0]) == pytest.approx(
        (1.5 - 2 + 0.5) / 4, abs=1e-15
    )
    f[0, 1] = 1.0
    assert float(importance.self_normalised_estimate(arr(f), log_w)[0]) == pytest.approx(4.0 / 3.5)
    assert float(importance.log_mean_weight(log_w)[0]) == pytest.approx(math.log(3.5 / 4))
    assert float(importance.effective_sample_size(log_w)[0]) == pytest.approx(3.5**2 / 5.25)
    assert np.allclose(to_numpy(importance.normalised_weights(log_w)), w / 3.5)


def test_effective_sample_size_does_not_overflow(arr):
    log_w = np.array([[1000.0, 1000.0, -5000.0], [-1200.0, -1200.0, -1200.0]])
    assert np.allclose(to_numpy(importance.effective_sample_size(arr(log_w))), [2, 3], rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda arr: importance.importance_log_weights(arr([[0.5, 0.5]]), arr([[1.0, 0.0]])),
            "q must be positive",
        ),
        (
            lambda arr: importance.importance_log_weights(arr([[0.5, 0.4]]), arr([[1.0, 0.0]])),
            "p must sum to one",
        ),
        (lambda arr: importance.importance_log_weights(arr(P), arr([[1.0, 0.0, 0.0]])), "q must have shape"),
        (lambda arr: importance.effective_sample_size(arr([[-math.inf, -math.inf]])), "positive weight"),
        (lambda arr: importance.effective_sample_size(arr([[0.0, math.nan]])), r"got nan at index \[0, 1\]"),
        (
            lambda arr: importance.effective_sample_size(arr(np.zeros((2, 0)))),
            r"log_weights must have shape \(2, N >= 1\), got",
        ),
        (lambda arr: importance.log_mean_weight(arr([[math.inf]])), "infinity"),
        (
            lambda arr: importance.importance_estimate(arr([1.0]), arr([0.0, 0.0])),
            "log_weights must have shape",
        ),
    ],
)
def test_bad_input_is_named(arr, call, words):
    with pytest.raises(ValueError, match=words):
        call(arr)
