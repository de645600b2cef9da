"""Baselines against sums over single pixels and against enumeration of the bits."""

import math
from itertools import product

import numpy as np
import pytest
from exactgen.data import (
    bernoulli_means,
    independent_bernoulli_baseline,
    shared_bernoulli_baseline,
    uniform_baseline,
)

TRAIN = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 1]], dtype=np.uint8)
VALID = np.array([[1, 1, 0], [0, 0, 1]], dtype=np.uint8)


def by_hand(p, rows):
    return sum(math.log(p[j] if bit else 1 - p[j]) for row in rows for j, bit in enumerate(row)) / len(rows)


@pytest.mark.parametrize(
    ("smoothing", "p"),
    [(0.0, (3 / 4, 1 / 4, 3 / 4)), (0.5, (3.5 / 5, 1.5 / 5, 3.5 / 5)), (1.0, (4 / 6, 2 / 6, 4 / 6))],
)
def test_own_probabilities(smoothing, p):
    assert np.allclose(bernoulli_means(TRAIN, smoothing=smoothing), p, rtol=0, atol=1e-15)
    value = independent_bernoulli_baseline(TRAIN, VALID, smoothing=smoothing)
    assert value == pytest.approx(by_hand(p, VALID), abs=1e-14)


def test_grey_levels_are_an_exact_expectation_over_bits():
    grey = np.array([[0.2, 0.9, 0.0]])
    p = bernoulli_means(TRAIN, smoothing=0.0)
    expected = 0.0
    for bits in product((0, 1), repeat=3):
        weight = math.prod(g if bit else 1 - g for g, bit in zip(grey[0], bits, strict=True))
        expected += weight * by_hand(p, [bits])
    assert independent_bernoulli_baseline(TRAIN, grey, smoothing=0.0) == pytest.approx(expected, abs=1e-14)


def test_a_constant_pixel_costs_nothing_or_everything():
    constant = np.array([[1, 0], [1, 1]], dtype=np.uint8)
    same, other = np.array([[1, 1]], dtype=np.uint8), np.array([[0, 1]], dtype=np.uint8)
    assert independent_bernoulli_baseline(constant, same, smoothing=0.0) == pytest.approx(-math.log(2))
    assert independent_bernoulli_baseline(constant, other, smoothing=0.0) == -math.inf
    clipped = independent_bernoulli_baseline(constant, other, smoothing=0.0, clip=1e-3)
    assert clipped == pytest.approx(math.log(1e-3) - math.log(2))


def test_the_fit_is_the_maximum_over_probabilities():
    best = independent_bernoulli_baseline(TRAIN, TRAIN, smoothing=0.0)
    grid = [k / 100 for k in range(1, 100)]
    assert best == pytest.approx(
        sum(max(m * math.log(p) + (1 - m) * math.log(1 - p) for p in grid) for m in (0.75, 0.25, 0.75))
    )


def test_one_probability_for_all():
    p = [7 / 12] * 3
    assert shared_bernoulli_baseline(TRAIN, VALID) == pytest.approx(by_hand(p, VALID), abs=1e-14)


def test_uniform_baseline_is_the_printed_one():
    assert round(uniform_baseline(100), 2) == -69.31


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"train": TRAIN * 255}, "train has entries outside"),
        ({"valid": np.array([[0.0, np.nan, 1.0]])}, "valid has entries outside"),
        ({"train": TRAIN[0]}, r"train has shape \(3,\)"),
        ({"valid": VALID[:0]}, r"valid has shape \(0, 3\)"),
        ({"valid": VALID[:, :2]}, "valid has 2 columns"),
        ({"smoothing": -1.0}, "smoothing is -1.0"),
        ({"smoothing": math.nan}, "smoothing is nan"),
        ({"clip": 0.5}, "clip is 0.5"),
    ],
)
def test_domain(arguments, words):
    with pytest.raises(ValueError, match=words):
        independent_bernoulli_baseline(**({"train": TRAIN, "valid": VALID, "smoothing": 0.0} | arguments))
