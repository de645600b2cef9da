"""Log-densities and entropies, against scipy.stats, mpmath and plain sums."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.stats
from exactgen.backends.arrays import to_numpy
from exactgen.reference.distributions import (
    bernoulli_entropy,
    bernoulli_entropy_of_probability,
    categorical_entropy,
    gaussian_entropy,
    log_bernoulli,
    log_bernoulli_of_probability,
    log_categorical,
    log_gaussian,
)

LOGITS = [-800.0, -40.0, -1.3, 0.0, 1e-12, 2.7, 45.0, 900.0]


def test_log_bernoulli(xp: Any) -> None:
    """The rare bit of a saturated unit keeps its digits: log p is minus the logit there."""
    for bit in (0.0, 1.0):
        expected = [float(-mpmath.log1p(mpmath.exp(mpmath.mpf(-a if bit else a)))) for a in LOGITS]
        actual = to_numpy(log_bernoulli(xp([bit] * len(LOGITS)), xp(LOGITS)))
        np.testing.assert_allclose(actual, expected, rtol=1e-15)
    assert log_bernoulli(xp([[0.0], [1.0]]), xp(LOGITS)).shape == (2, len(LOGITS))


def test_log_bernoulli_of_probability(xp: Any) -> None:
    p = [0.0, 1e-300, 0.3, 0.999, 1.0]
    for bit in (0, 1):
        with np.errstate(divide="ignore"):
            expected = np.log([q if bit else 1 - q for q in p])
        actual = to_numpy(log_bernoulli_of_probability(xp([float(bit)] * 5), xp(p)))
        np.testing.assert_allclose(actual, expected, rtol=1e-15)


def test_log_categorical(xp: Any) -> None:
    logits = np.array([[0.5, -1.0, 3.0], [1000.0, 998.0, -math.inf]])
    law = [[mpmath.exp(mpmath.mpf(a)) for a in row] for row in logits.tolist()]
    for k in range(3):
        expected = [float(mpmath.log(row[k] / sum(row))) if row[k] else -math.inf for row in law]
        actual = to_numpy(log_categorical(xp([k, k], "int64"), xp(logits)))
        np.testing.assert_allclose(actual, expected, rtol=1e-14)
    assert float(log_categorical(xp(2, "int64"), xp(logits[0]))) == pytest.approx(
        float(mpmath.log(law[0][2] / sum(law[0])))
    )


def test_log_gaussian(xp: Any) -> None:
    rng = np.random.default_rng(0)
    x, mean, log_std = rng.normal(scale=5, size=(3, 4)), rng.normal(size=4), np.array([-20.0, -1.0, 0.0, 3.0])
    expected = scipy.stats.norm.logpdf(x, mean, np.exp(log_std))
    np.testing.assert_allclose(to_numpy(log_gaussian(xp(x), xp(mean), xp(log_std))), expected, rtol=1e-13)


def test_bernoulli_entropy(xp: Any) -> None:
    expected = []
    for a in LOGITS:
        with mpmath.workdps(900):
            p, q = (1 / (1 + mpmath.exp(mpmath.mpf(s * a))) for s in (-1, 1))
            expected.append(float(-p * mpmath.log(p) - q * mpmath.log(q)))
    np.testing.assert_allclose(to_numpy(bernoulli_entropy(xp(LOGITS))), expected, rtol=1e-14, atol=1e-306)
    p = np.array([0.0, 1e-12, 0.25, 0.5, 1.0])
    expected = scipy.stats.bernoulli(p[1:4]).entropy()
    np.testing.assert_allclose(
        to_numpy(bernoulli_entropy_of_probability(xp(p))), [0, *expected, 0], rtol=1e-13
    )


def test_categorical_entropy(xp: Any) -> None:
    logits = np.array(
        [[0.5, -1.0, 3.0, 0.0], [1000.0, 998.0, -math.inf, 990.0], [0.0, -math.inf, -math.inf, -math.inf]]
    )
    law = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = scipy.stats.entropy(law, axis=1)
    np.testing.assert_allclose(to_numpy(categorical_entropy(xp(logits))), expected, rtol=1e-13)


def test_gaussian_entropy(xp: Any) -> None:
    log_std = np.array([-3.0, 0.0, 2.0])
    np.testing.assert_allclose(
        to_numpy(gaussian_entropy(xp(log_std))), scipy.stats.norm(0, np.exp(log_std)).entropy()
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda xp: log_bernoulli(xp([0.5]), xp([0.0])), "x must hold zeros and ones only"),
        (lambda xp: log_bernoulli(xp([1.0]), xp([math.nan])), "logits must hold finite numbers, got nan"),
        (lambda xp: log_bernoulli(xp([1], "int64"), xp([0.0])), "x must be a real floating-point array"),
        (lambda xp: log_bernoulli_of_probability(xp([1.0]), xp([1.5])), "p must hold probabilities"),
        (
            lambda xp: log_categorical(xp([3], "int64"), xp([[0.0, 1.0, 2.0]])),
            r"x must hold indices in 0\.\.2, got 3",
        ),
        (lambda xp: log_categorical(xp([1.0]), xp([[0.0, 1.0]])), "x must hold integers, got dtype"),
        (
            lambda xp: log_categorical(xp([1, 0], "int64"), xp([[0.0, 1.0]])),
            r"logits must have shape \(2, K >= 1\)",
        ),
        (
            lambda xp: log_categorical(xp([0], "int64"), xp([[-math.inf, -math.inf]])),
            "logits must give some value of each row a probability",
        ),
        (lambda xp: log_gaussian(xp([0.0]), xp([0.0]), xp([math.inf])), "log_std must hold finite numbers"),
        (lambda xp: bernoulli_entropy_of_probability(xp([-0.1])), "p must hold probabilities"),
    ],
)
def test_bad_arguments_are_refused(xp: Any, call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(xp)
