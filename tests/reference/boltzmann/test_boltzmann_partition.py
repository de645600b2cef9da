"""log Z, marginals and mean statistics against sums over all joint states, some in high precision."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.boltzmann.partition import (
    law_of_bits,
    log_joint_table,
    log_partition,
    marginal_hidden,
    marginal_visible,
    model_statistics,
)
from exactgen.reference.boltzmann.rbm import RBM

SIZES = [(3, 2), (2, 3), (1, 4), (4, 1), (1, 1), (7, 5), (5, 8)]


def parameters(visible, hidden, scale=1.0):
    rng = np.random.default_rng(100 * visible + hidden)
    return [scale * rng.normal(size=shape) for shape in ((visible, hidden), visible, hidden)]


def states(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), dtype=float)


def joint(W, b, c):
    """Return e^{-E} of every pair of states, one pair at a time."""
    v, h = states(len(b)), states(len(c))
    return np.array([[math.exp(x @ W @ z + b @ x + c @ z) for z in h] for x in v])


def log_z_by_units(W, b, c):
    """Return log Z by one ``logaddexp`` per hidden state and visible unit: no matrix products, no runs."""
    h = states(len(c))
    return np.logaddexp.reduce(
        [z @ c + sum(np.logaddexp(0, b[i] + W[i] @ z) for i in range(len(b))) for z in h]
    )


def log_z_in_high_precision(W, b, c):
    """Return log Z with 60 digits, whatever the size of the couplings."""
    with mpmath.workdps(60):
        total = mpmath.mpf(0)
        for z in states(len(c)):
            term = mpmath.exp(mpmath.fsum(mpmath.mpf(x) * y for x, y in zip(c, z, strict=True)))
            for i in range(len(b)):
                term *= 1 + mpmath.exp(
                    mpmath.mpf(b[i]) + mpmath.fsum(mpmath.mpf(x) * y for x, y in zip(W[i], z, strict=True))
                )
            total += term
        return float(mpmath.log(total))


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_log_partition_sums_all_joint_states(xp, visible, hidden):
    p = parameters(visible, hidden)
    ours = log_partition(RBM(*map(xp, p)))
    assert ours.shape == ()
    assert float(ours) == pytest.approx(math.log(joint(*p).sum()), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("visible", [95, 96, 97, 98, 200])
def test_log_partition_over_several_runs_and_incomplete_groups(xp, visible):
    p = parameters(visible, 5)
    assert float(log_partition(RBM(*map(xp, p)))) == pytest.approx(log_z_by_units(*p), rel=1e-13)


@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0, 30.0, 300.0])
def test_log_partition_at_every_strength_of_coupling(xp, scale):
    """From runs of many units to units that each go the direct way; some of both in between."""
    W, b, c = parameters(70, 4)
    W = scale * W * np.linspace(0, 2, 70)[:, None]
    expected = log_z_by_units(W, b, c)
    assert float(log_partition(RBM(xp(W), xp(b), xp(c)))) == pytest.approx(expected, rel=1e-13)
    single = RBM(*(xp(x, "float32") for x in (W, b, c)))
    assert float(log_partition(single)) == pytest.approx(expected, rel=3e-6)


@pytest.mark.parametrize("strength", [10.0, 13.0, 14.0, 150.0, 660.0, 700.0])
def test_the_product_of_a_run_cannot_underflow(xp, strength):
    """Every unit wants one hidden unit on and the other off, and the hidden biases enforce the contrary.

    Each bracket is then about e^{-strength / 2}, its worst case, in all units at once.
    """
    W = np.tile([[strength, -strength]], (50, 1))
    b, c = np.full(50, -strength / 2), np.array([-60.0 * strength, 60.0 * strength])
    expected = log_z_in_high_precision(W, b, c)
    assert float(log_partition(RBM(xp(W), xp(b), xp(c)))) == pytest.approx(expected, rel=1e-13)
    single = RBM(*(xp(x, "float32") for x in (W, b, c)))
    assert float(log_partition(single)) == pytest.approx(expected, rel=1e-6)


def test_the_product_of_a_run_cannot_overflow(xp):
    """Zero couplings and biases: every bracket is 2, its largest value."""
    for dtype, tolerance in (("float64", 1e-14), ("float32", 1e-6)):
        theta = RBM(*(xp(np.zeros(shape), dtype) for shape in ((300, 2), (300,), (2,))))
        assert float(log_partition(theta)) == pytest.approx(302 * math.log(2), rel=tolerance)


def test_log_partition_with_couplings_of_800(xp):
    rng = np.random.default_rng(5)
    W, b, c = 800 * rng.choice([-1.0, 1.0], size=(9, 4)), rng.normal(size=9), 800 * rng.normal(size=4)
    W[:4] /= 1000
    expected = log_z_in_high_precision(W, b, c)
    assert float(log_partition(RBM(xp(W), xp(b), xp(c)))) == pytest.approx(expected, rel=1e-14)


def test_log_partition_over_more_than_one_block_of_both_halves():
    """17 hidden units: 2 blocks of 2^8 states of the first half against 2^8 of the second."""
    W, b, c = parameters(18, 17)
    h = (np.arange(2**17)[:, None] >> np.arange(16, -1, -1)) & 1
    minus_f = h @ c + np.logaddexp(0, h @ W.T + b).sum(axis=1)
    for theta in (RBM(W, b, c), RBM(W.T.copy(), c, b)):
        assert float(log_partition(theta)) == pytest.approx(np.logaddexp.reduce(minus_f), rel=1e-13)
    p = np.exp(minus_f - np.logaddexp.reduce(minus_f))
    np.testing.assert_allclose(marginal_hidden(RBM(W, b, c)), p, rtol=1e-10)


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_tables_are_those_of_the_joint_law(xp, visible, hidden):
    p, theta = parameters(visible, hidden), RBM(*map(xp, parameters(visible, hidden)))
    table = joint(*p) / joint(*p).sum()
    np.testing.assert_allclose(np.exp(to_numpy(log_joint_table(theta))), table, rtol=1e-11)
    np.testing.assert_allclose(to_numpy(marginal_visible(theta)), table.sum(axis=1), rtol=1e-11)
    np.testing.assert_allclose(to_numpy(marginal_hidden(theta)), table.sum(axis=0), rtol=1e-11)


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_model_statistics_are_expectations_over_the_joint_law(xp, visible, hidden):
    p = parameters(visible, hidden)
    table, v, h = joint(*p) / joint(*p).sum(), states(visible), states(hidden)
    ours = model_statistics(RBM(*map(xp, p)))
    pairs = sum(table[s, t] * np.outer(v[s], h[t]) for s in range(len(v)) for t in range(len(h)))
    np.testing.assert_allclose(to_numpy(ours.W), pairs, rtol=1e-11)
    np.testing.assert_allclose(to_numpy(ours.b), table.sum(axis=1) @ v, rtol=1e-11)
    np.testing.assert_allclose(to_numpy(ours.c), table.sum(axis=0) @ h, rtol=1e-11)


def test_model_statistics_over_several_blocks_are_the_slope_of_log_z():
    """Central differences of a log Z that comes from ``logaddexp`` alone."""
    W, b, c = parameters(300, 12, 0.2)

    def log_z(b, c):
        h = states(12)
        return np.logaddexp.reduce(h @ c + np.logaddexp(0, h @ W.T + b).sum(axis=1))

    ours, step = model_statistics(RBM(W, b, c)), 1e-4
    for i in (0, 150, 299):
        e = step * (np.arange(300) == i)
        assert ours.b[i] == pytest.approx((log_z(b + e, c) - log_z(b - e, c)) / (2 * step), rel=1e-6)
    for j in (0, 11):
        e = step * (np.arange(12) == j)
        assert ours.c[j] == pytest.approx((log_z(b, c + e) - log_z(b, c - e)) / (2 * step), rel=1e-6)


def test_float32_stays_float32(xp):
    p = parameters(6, 4)
    theta = RBM(*(xp(x, "float32") for x in p))
    table = joint(*p) / joint(*p).sum()
    for ours, exact in (
        (log_partition(theta), math.log(joint(*p).sum())),
        (marginal_visible(theta), table.sum(axis=1)),
        (model_statistics(theta).c, table.sum(axis=0) @ states(4)),
        (log_joint_table(theta), np.log(table)),
    ):
        assert "float32" in str(ours.dtype)
        np.testing.assert_allclose(to_numpy(ours), exact, rtol=2e-5)


def test_law_of_bits_multiplies_the_factor_of_every_bit(xp):
    off, on = np.random.default_rng(0).random((2, 2, 3, 5))
    ours = to_numpy(law_of_bits(xp(off), xp(on)))
    assert ours.shape == (2, 8, 5)
    for batch, column in itertools.product(range(2), range(5)):
        for s, x in enumerate(itertools.product((0, 1), repeat=3)):
            product = math.prod((on if bit else off)[batch, k, column] for k, bit in enumerate(x))
            assert ours[batch, s, column] == pytest.approx(product, rel=1e-14)
    assert law_of_bits(xp(np.zeros((0, 4))), xp(np.zeros((0, 4)))).shape == (1, 4)


def test_too_many_units_are_refused_with_states_and_bytes(xp):
    theta = RBM(*(xp(np.zeros(shape)) for shape in ((29, 30), (29,), (30,))))
    message = r"the smaller layer has 536,870,912 states \([\d,]+ bytes as one table\)"
    for function in (log_partition, model_statistics):
        with pytest.raises(ValueError, match=message):
            function(theta)
    with pytest.raises(ValueError, match=r"the hidden layer has 1,073,741,824 states"):
        marginal_hidden(theta)
    with pytest.raises(ValueError, match=r"the joint table has 576,460,752,303,423,488 states"):
        log_joint_table(theta)


def test_bad_parameters_are_refused(xp):
    theta = RBM(xp(np.zeros((3, 2))), xp(np.zeros(3)), xp([0.0, math.nan]))
    for function in (log_partition, log_joint_table, marginal_hidden, marginal_visible, model_statistics):
        with pytest.raises(ValueError, match=r"theta\.\w must hold finite numbers, got nan"):
            function(theta)
