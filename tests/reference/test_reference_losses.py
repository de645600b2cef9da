"""Losses and the ridge model against hand sums, the complex step and least squares."""

from __future__ import annotations

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference import losses

RNG = np.random.default_rng(5)
X, Y, W = RNG.normal(size=(7, 3)), RNG.normal(size=7), RNG.normal(size=3)


def test_a_sum_and_a_mean(arr):
    table = arr([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    assert to_numpy(losses.training_loss(table, arr([0.5, 1.0]))).tolist() == [9.5, 4.0]
    assert to_numpy(losses.empirical_risk(table)).tolist() == [3.0, 1.0]


def test_ridge_by_hand(arr):
    by_hand = sum((y - x @ W) ** 2 / 2 for x, y in zip(X, Y, strict=True)) + 0.7 * W @ W / 2
    assert float(losses.ridge_loss(arr(W), arr(X), arr(Y), penalty=0.7)) == pytest.approx(by_hand)
    grad = to_numpy(losses.ridge_grad(arr(W), arr(X), arr(Y), penalty=0.7))
    for k in range(3):
        moved = W.astype(complex)
        moved[k] += 1e-30j
        value = ((Y - X @ moved) ** 2).sum() / 2 + 0.7 * (moved**2).sum() / 2
        assert grad[k] == pytest.approx(value.imag / 1e-30, rel=1e-12)


def test_one_newton_step_solves_least_squares(arr):
    w, x, y = arr(W), arr(X), arr(Y)
    grad, hessian = losses.ridge_grad(w, x, y, penalty=0.7), losses.ridge_hessian(x, penalty=0.7)
    padded = np.vstack([X, np.sqrt(0.7) * np.eye(3)])  # the penalty as three more rows of data
    best = np.linalg.lstsq(padded, np.concatenate([Y, np.zeros(3)]), rcond=None)[0]
    assert np.allclose(to_numpy(losses.newton_step(w, grad, hessian)), best, rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda arr: losses.empirical_risk(arr(np.zeros((2, 0)))),
            r"losses must have shape \(2, N >= 1\), got",
        ),
        (lambda arr: losses.empirical_risk(arr([1, 2], "int64")), "real floating-point"),
        (lambda arr: losses.ridge_loss(arr(W), arr(X[:, :2]), arr(Y), penalty=1.0), "x must have shape"),
        (lambda arr: losses.ridge_grad(arr(W), arr(X), arr(Y[:3]), penalty=1.0), "y must have shape"),
        (lambda arr: losses.newton_step(arr(W), arr(W), arr(X)), "hessian must have shape"),
    ],
)
def test_bad_input_is_named(arr, call, words):
    with pytest.raises(ValueError, match=words):
        call(arr)
