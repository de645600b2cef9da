"""Finite laws against loops in plain Python and against SciPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference import laws
from scipy import stats

JOINT = np.array(
    [[[0.1, 0.0], [0.05, 0.2], [0.0, 0.05]], [[0.3, 0.1], [0.05, 0.05], [0.0, 0.1]]]
)  # (2, 3, 2)
P = np.array([0.5, 0.0, 0.2, 0.3])
Q = np.array([0.1, 0.2, 0.4, 0.3])


def test_marginal_is_the_sum_over_the_other_variables(arr):
    table = to_numpy(laws.marginal(arr(JOINT), axes=(0, 2)))
    for a, c in itertools.product(range(2), range(2)):
        assert table[a, c] == pytest.approx(sum(JOINT[a, b, c] for b in range(3)), abs=1e-15)
    assert np.array_equal(to_numpy(laws.marginal(arr(JOINT), axes=(0, 1, 2))), JOINT)


def test_conditional_times_marginal_is_the_joint(arr):
    table = to_numpy(laws.conditional(arr(JOINT), given=(1,)))
    for a, b, c in itertools.product(range(2), range(3), range(2)):
        assert table[a, b, c] * JOINT[:, b, :].sum() == pytest.approx(JOINT[a, b, c], abs=1e-15)
    assert np.allclose(table.sum(axis=(0, 2)), 1)


def test_product_law_and_independence(arr):
    a, b, c = [0.2, 0.8], [0.5, 0.25, 0.25], [1.0]
    joint = laws.product_law(arr(a), arr(b), arr(c))
    assert joint.shape == (2, 3, 1)
    assert float(joint[1, 2, 0]) == pytest.approx(0.2)
    assert laws.is_independent(joint, tolerance=1e-15)
    exclusive_or = np.zeros((2, 2, 2))
    for x, y in itertools.product(range(2), range(2)):
        exclusive_or[x, y, x ^ y] = 0.25
    assert not laws.is_independent(arr(exclusive_or), tolerance=1e-15)
    assert laws.is_independent(laws.marginal(arr(exclusive_or), axes=(0, 2)), tolerance=1e-15)


def test_expectation_and_variance(arr):
    f = np.array([1.0, np.inf, -2.0, 4.0])  # the infinite value has no probability
    assert float(laws.expectation(arr(P), arr(f))) == pytest.approx(0.5 - 0.4 + 1.2)
    assert float(laws.variance(arr(P), arr(np.where(np.isinf(f), 0, f)))) == pytest.approx(
        0.5 * 1 + 0.2 * 4 + 0.3 * 16 - 1.3**2
    )


def test_variance_keeps_its_digits_far_from_zero(arr):
    assert float(laws.variance(arr([0.5, 0.5]), arr([1e9, 1e9 + 1]))) == pytest.approx(0.25, rel=1e-6)


def test_entropies_against_scipy(arr):
    assert float(laws.entropy(arr(P))) == pytest.approx(stats.entropy(P), rel=1e-14)
    assert float(laws.kl(arr(P), arr(Q))) == pytest.approx(stats.entropy(P, Q), rel=1e-14)
    assert float(laws.kl(arr(Q), arr(P))) == math.inf
    assert float(laws.cross_entropy(arr(P), arr(Q))) == pytest.approx(
        stats.entropy(P) + stats.entropy(P, Q), rel=1e-14
    )
    assert float(laws.cross_entropy(arr(Q), arr(P))) == math.inf


def test_bhattacharyya(arr):
    by_hand = sum(math.sqrt(p * q) for p, q in zip(P, Q, strict=True))
    assert float(laws.bhattacharyya_coefficient(arr(P), arr(Q))) == pytest.approx(by_hand, rel=1e-14)
    assert float(laws.bhattacharyya_distance(arr(P), arr(Q))) == pytest.approx(-math.log(by_hand), rel=1e-14)
    assert float(laws.bhattacharyya_distance(arr([1.0, 0.0]), arr([0.0, 1.0]))) == math.inf


def test_posterior_predictive_and_evidence(arr):
    prior, log_lik = np.array([0.2, 0.5, 0.3]), np.log([0.9, 0.1, 0.4])
    weights = np.array([0.18, 0.05, 0.12])
    assert float(laws.log_evidence(arr(prior), arr(log_lik))) == pytest.approx(math.log(0.35))
    post = laws.posterior(arr(prior), arr(log_lik))
    assert np.allclose(to_numpy(post), weights / 0.35, rtol=1e-14)
    models = np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 1.0]])
    assert np.allclose(to_numpy(laws.predictive(post, arr(models))), weights @ models / 0.35)


def test_posterior_survives_underflow(arr):
    post = to_numpy(laws.posterior(arr([0.5, 0.5]), arr([-2000.0, -2001.0])))
    assert post == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.e)])


def test_elbo_against_a_loop(arr):
    q, log_joint = np.array([0.0, 0.3, 0.7]), np.log([0.2, 0.1, 0.05])
    by_hand = sum(a * (b - math.log(a)) for a, b in zip(q, log_joint, strict=True) if a)
    assert float(laws.elbo(arr(q), arr(log_joint))) == pytest.approx(by_hand)


def test_likelihoods_against_a_loop(arr):
    x = np.array([0, 3, 3, 2])
    data = arr(x, "int64")
    assert float(laws.likelihood(arr(P), data)) == pytest.approx(0.5 * 0.3 * 0.3 * 0.2)
    assert float(laws.negative_log_likelihood(arr(P), data)) == pytest.approx(
        -math.log(0.5 * 0.3 * 0.3 * 0.2)
    )
    assert float(laws.negative_log_likelihood(arr(P), arr([0, 1], "int64"))) == math.inf
    assert np.allclose(to_numpy(laws.empirical_law(data, like=arr(P))), [0.25, 0, 0.25, 0.5])


def test_likelihood_gradient_by_the_complex_step(arr):
    x = np.array([0, 3, 3, 2])
    slopes = []
    for k in range(4):
        moved = P.astype(complex)
        moved[k] += 1e-30j
        slopes.append(-np.log(moved[x]).sum().imag / 1e-30)
    grad = laws.negative_log_likelihood_grad(arr(P), arr(x, "int64"))
    assert np.allclose(to_numpy(grad), slopes, rtol=1e-14)


def test_monte_carlo_is_exact_in_mean_and_variance(arr):
    law, f = np.stack([P, Q]), np.array([[1.0, 5.0, -2.0, 3.0], [0.5, -1.0, 2.0, 0.0]])
    outcomes = expect(lambda p, g, rng: laws.monte_carlo(p, g, samples=3, rng=rng), arr(law), arr(f))
    mean = (law * f).sum(axis=1)
    assert np.allclose(to_numpy(outcomes.mean()), mean, rtol=1e-13)
    second = to_numpy(outcomes.mean(lambda m: m * m))
    assert np.allclose(second - mean**2, ((law * f**2).sum(axis=1) - mean**2) / 3, rtol=1e-12)


def test_draws_follow_the_law(arr):
    # Hoeffding: 40,000 draws stay within 0.018 of each probability; four events, error below 2e-11.
    x = to_numpy(laws.draw(arr(P[None, :]), samples=40_000, rng=20240229))
    shares = np.bincount(x[0], minlength=4) / 40_000
    assert np.all(np.abs(shares - P) < 0.018)
    assert shares[1] == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda arr: laws.entropy(arr([0.5, 0.6])), "p must sum to one"),
        (lambda arr: laws.entropy(arr([1.5, -0.5])), "p must hold probabilities"),
        (lambda arr: laws.entropy(arr([0.5, math.nan])), "p must hold probabilities"),
        (lambda arr: laws.entropy(arr([0, 1], "int64")), "p must be a real floating-point array"),
        (lambda arr: laws.kl(arr(P), arr([0.5, 0.5])), "q must have shape"),
        (lambda arr: laws.marginal(arr(JOINT), axes=(3,)), "axes must be distinct and within"),
        (lambda arr: laws.marginal(arr(JOINT), axes=(0, 0)), "axes must be distinct and within"),
        (lambda arr: laws.conditional(arr([[0.5, 0.0], [0.5, 0.0]]), given=(1,)), "positive probability"),
        (lambda arr: laws.expectation(arr(P), arr([1.0])), "f must have shape"),
        (lambda arr: laws.product_law(), "at least one law"),
        (lambda arr: laws.posterior(arr([1.0, 0.0]), arr([-math.inf, 0.0])), "positive probability"),
        (lambda arr: laws.predictive(arr(P), arr([[1.0]])), "laws must have shape"),
        (lambda arr: laws.likelihood(arr(P), arr([0.0])), "x must hold integers"),
        (lambda arr: laws.likelihood(arr(P), arr([4], "int64")), r"x must hold indices in 0\.\.3, got 4"),
        (lambda arr: laws.draw(arr(P[None, :]), samples=0, rng=1), "samples must be an integer"),
    ],
)
def test_bad_input_is_named(arr, call, words):
    with pytest.raises(ValueError, match=words):
        call(arr)
