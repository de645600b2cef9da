"""The general Boltzmann machine against loops over states and pairs; the RBM as one of its kind."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.boltzmann import likelihood, partition
from exactgen.reference.boltzmann.machine import (
    BM,
    energy,
    from_rbm,
    log_likelihood,
    log_likelihood_grad,
    log_partition,
    state_law,
)
from exactgen.reference.boltzmann.rbm import RBM

V = np.array([[1, 0], [1, 1], [1, 1], [0, 0], [1, 0]], dtype=float)


def parameters(n, scale=1.0):
    rng = np.random.default_rng(n)
    upper = np.triu(scale * rng.normal(size=(n, n)), 1)
    return upper + upper.T, scale * rng.normal(size=n)


def states(n):
    return list(itertools.product((0, 1), repeat=n))


def loop_energy(L, b, x):
    pairs = sum(L[i, j] * x[i] * x[j] for i, j in itertools.combinations(range(len(b)), 2))
    return -pairs - sum(b[i] * x[i] for i in range(len(b)))


def loop_log_likelihood(L, b, v):
    """Return the mean log-likelihood of rows that give the first units."""
    mass = {x: math.exp(-loop_energy(L, b, x)) for x in states(len(b))}
    z = sum(mass.values())
    return [math.log(sum(m for x, m in mass.items() if x[: len(row)] == tuple(row)) / z) for row in v]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_energy_law_and_partition_count_every_pair_once(xp, n):
    L, b = parameters(n)
    theta = BM(xp(L), xp(b))
    expected = np.array([loop_energy(L, b, x) for x in states(n)])
    np.testing.assert_allclose(to_numpy(energy(theta, xp(states(n)))), expected, rtol=1e-12, atol=1e-14)
    assert float(log_partition(theta)) == pytest.approx(math.log(sum(map(math.exp, -expected))), rel=1e-13)
    np.testing.assert_allclose(
        to_numpy(state_law(theta)), np.exp(-expected) / np.exp(-expected).sum(), rtol=1e-12
    )


@pytest.mark.parametrize("n", [2, 3, 5])
def test_log_likelihood_sums_hidden_units_out(xp, n):
    L, b = parameters(n)
    ours = log_likelihood(BM(xp(L), xp(b)), xp(V))
    np.testing.assert_allclose(to_numpy(ours), loop_log_likelihood(L, b, V), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 4])
def test_gradient_is_the_finite_difference_of_each_shared_coupling(xp, n):
    L, b = parameters(n)
    ours = log_likelihood_grad(BM(xp(L), xp(b)), xp(V))
    g, step = to_numpy(ours.L), 1e-5

    def mean(L, b):
        return float(np.mean(loop_log_likelihood(L, b, V)))

    for i, j in itertools.combinations(range(n), 2):
        e = np.zeros((n, n))
        e[i, j] = e[j, i] = step
        assert g[i, j] == pytest.approx((mean(L + e, b) - mean(L - e, b)) / (2 * step), abs=1e-9)
    np.testing.assert_array_equal(g, g.T)
    np.testing.assert_array_equal(np.diag(g), 0)
    for i in range(n):
        e = step * (np.arange(n) == i)
        slope = (mean(L, b + e) - mean(L, b - e)) / (2 * step)
        assert to_numpy(ours.b)[i] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize(("visible", "hidden"), [(3, 2), (2, 4), (1, 3), (4, 1)])
def test_an_rbm_is_a_machine_without_couplings_within_its_layers(xp, visible, hidden):
    """Two implementations that share no formula: this is what makes the machine an oracle of the RBM."""
    rng = np.random.default_rng(10 * visible + hidden)
    rbm = RBM(*(xp(rng.normal(size=shape)) for shape in ((visible, hidden), visible, hidden)))
    theta, v = from_rbm(rbm), xp(rng.integers(0, 2, size=(6, visible)))
    table = np.exp(to_numpy(partition.log_joint_table(rbm)))
    np.testing.assert_allclose(to_numpy(state_law(theta)).reshape(table.shape), table, rtol=1e-11)
    assert float(partition.log_partition(rbm)) == pytest.approx(float(log_partition(theta)), rel=1e-13)
    np.testing.assert_allclose(
        to_numpy(likelihood.log_likelihood(rbm, v)), to_numpy(log_likelihood(theta, v)), rtol=1e-12
    )
    ours, oracle = likelihood.log_likelihood_grad(rbm, v), log_likelihood_grad(theta, v)
    np.testing.assert_allclose(to_numpy(ours.W), to_numpy(oracle.L)[:visible, visible:], atol=1e-13)
    np.testing.assert_allclose(to_numpy(ours.b), to_numpy(oracle.b)[:visible], atol=1e-13)
    np.testing.assert_allclose(to_numpy(ours.c), to_numpy(oracle.b)[visible:], atol=1e-13)


def test_saturated_couplings_and_float32(xp):
    L, b = parameters(4, 800.0)
    assert np.isfinite(to_numpy(log_likelihood(BM(xp(L), xp(b)), xp(V)))).all()
    lowest = min(states(4), key=lambda x: loop_energy(L, b, x))
    assert to_numpy(state_law(BM(xp(L), xp(b))))[states(4).index(lowest)] == pytest.approx(1, abs=1e-12)
    L, b = parameters(4)
    ours = log_likelihood(BM(xp(L, "float32"), xp(b, "float32")), xp(V, "float32"))
    assert "float32" in str(ours.dtype)
    np.testing.assert_allclose(to_numpy(ours), loop_log_likelihood(L, b, V), rtol=2e-6)


@pytest.mark.parametrize(
    ("L", "b", "message"),
    [
        ([[0.0, 1.0], [2.0, 0.0]], [0.0, 0.0], r"theta\.L must be symmetric"),
        ([[1.0, 0.0], [0.0, 0.0]], [0.0, 0.0], r"theta\.L must be zero on the diagonal"),
        ([[0.0, 1.0], [1.0, 0.0]], [0.0], r"theta\.b must have shape \(2\), got \(1,\)"),
        ([[0.0, math.nan], [math.nan, 0.0]], [0.0, 0.0], r"theta\.L must hold finite numbers"),
    ],
)
def test_bad_parameters_are_named(xp, L, b, message):
    with pytest.raises(ValueError, match=message):
        state_law(BM(xp(L), xp(b)))


def test_bad_rows_are_named(xp):
    theta = BM(*map(xp, parameters(2)))
    with pytest.raises(ValueError, match=r"v must give between 1 and 2 units, got shape \(1, 3\)"):
        log_likelihood(theta, xp(np.zeros((1, 3))))
    with pytest.raises(ValueError, match=r"v must hold zeros and ones only"):
        log_likelihood_grad(theta, xp([[0.5]]))
    with pytest.raises(ValueError, match=r"x must have shape \(m >= 1, 2\), got \(1, 1\)"):
        energy(theta, xp([[1.0]]))
    with pytest.raises(ValueError, match=r"states"):
        log_partition(BM(xp(np.zeros((40, 40))), xp(np.zeros(40))))
