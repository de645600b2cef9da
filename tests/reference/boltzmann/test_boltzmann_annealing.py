"""Annealed importance sampling against loops over states, and against the exact law of its own draws."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference.boltzmann.annealing import (
    AIS,
    ais,
    base_rate,
    intermediate,
    log_expected_ais_weight,
    log_partition_above,
    log_partition_below,
    reverse_ais,
)
from exactgen.reference.boltzmann.rbm import RBM, free_energy

W = np.array([[1.7, -1.2], [0.4, 2.9], [-1.5, 0.3]])
B, C = np.array([0.2, -0.4, 0.6]), np.array([-0.3, 0.5])
BASE = np.array([0.5, -1.0, 0.1])
STATES = list(itertools.product((0, 1), repeat=3))
BETAS = [0.0, 0.3, 0.8, 1.0]


@pytest.fixture
def theta(xp):
    return RBM(xp(W), xp(B), xp(C))


# --- an oracle without arrays ----------------------------------------------------------------------


def density(beta, v):
    """Return f_beta(v) by summing exp(-E) over the hidden states."""
    visible = sum(((1 - beta) * BASE[i] + beta * B[i]) * v[i] for i in range(3))
    couplings = lambda h: sum(beta * v[i] * W[i, j] * h[j] for i in range(3) for j in range(2))  # noqa: E731
    biases = lambda h: sum(beta * C[j] * h[j] for j in range(2))  # noqa: E731
    return sum(math.exp(visible + couplings(h) + biases(h)) for h in itertools.product((0, 1), repeat=2))


def kernel(beta, v, after):
    """Return the probability of v -> after in one Gibbs step of theta_beta, by its joint law."""
    weight = lambda x, h: math.exp(  # noqa: E731
        sum(((1 - beta) * BASE[i] + beta * B[i]) * x[i] for i in range(3))
        + sum(beta * x[i] * W[i, j] * h[j] for i in range(3) for j in range(2))
        + sum(beta * C[j] * h[j] for j in range(2))
    )
    hidden = list(itertools.product((0, 1), repeat=2))
    total = 0.0
    for h in hidden:
        up = weight(v, h) / sum(weight(v, other) for other in hidden)
        down = weight(after, h) / sum(weight(other, h) for other in STATES)
        total += up * down
    return total


def partition(beta):
    return sum(density(beta, v) for v in STATES)


def runs(order):
    """Yield (probability, weight) of every path of a forward run, weighing and moving in this order."""
    for path in itertools.product(STATES, repeat=len(BETAS) - 1):
        p, w = density(0.0, path[0]) / partition(0.0), 1.0
        for k in range(1, len(BETAS)):
            here, there = BETAS[k - 1], BETAS[k]
            if order == "weigh, move":
                w *= density(there, path[k - 1]) / density(here, path[k - 1])
                p *= kernel(there, path[k - 1], path[k]) if k < len(path) else 1.0
            else:  # the mistake: the state moved by the next machine is weighed
                after = path[k] if k < len(path) else path[-1]
                p *= kernel(there, path[k - 1], path[k]) if k < len(path) else 1.0
                w *= density(there, after) / density(here, after)
        yield p, w


Z_RATIO = partition(1.0) / partition(0.0)


# --- the path --------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_the_path_of_machines(xp, theta, beta):
    machine = intermediate(theta, xp(BASE), beta)
    log_f = -to_numpy(free_energy(machine, xp(STATES)))
    np.testing.assert_allclose(log_f, [math.log(density(beta, v)) for v in STATES], rtol=1e-13)


def test_base_rate_is_the_log_odds_of_smoothed_means(xp):
    v = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1], [1, 0, 0]])
    expected = [math.log(4.5 / 0.5), math.log(0.5 / 4.5), 0.0]
    np.testing.assert_allclose(to_numpy(base_rate(xp(v), pseudo_count=0.5)), expected, atol=1e-14)


# --- exact mean weights ----------------------------------------------------------------------------


@pytest.mark.parametrize("betas", [[0.0, 1.0], [0.0, 0.5, 1.0], BETAS])
def test_expected_weight_is_the_ratio_of_partition_functions(xp, theta, betas):
    found = log_expected_ais_weight(theta, xp(BASE), betas=betas)
    np.testing.assert_allclose(float(found), np.log(Z_RATIO), rtol=1e-12)


@pytest.mark.parametrize("betas", [[0.0, 1.0], [0.0, 0.5, 1.0]])
def test_expected_weight_of_machines_that_exclude_each_other(xp, betas):
    # On at the base rate, off in theta: Z / Z_0 = (1 + e^-800) / (1 + e^800) is no number but its log is.
    off = RBM(xp([[0.0]]), xp([-800.0]), xp([0.0]))
    assert float(log_expected_ais_weight(off, xp([800.0]), betas=betas)) == pytest.approx(-800, rel=1e-14)


def test_the_oracle_tells_the_order_of_move_and_weight():
    right = sum(p * w for p, w in runs("weigh, move"))
    np.testing.assert_allclose(right, Z_RATIO, rtol=1e-12)
    wrong = sum(p * w for p, w in runs("move, weigh"))
    assert abs(wrong / Z_RATIO - 1) > 0.02


@pytest.mark.parametrize("betas", [[0.0, 1.0], [0.0, 0.4, 1.0]])
def test_ais_over_all_its_draws(xp, theta, betas):
    """E[w g(v)] = sum f(v) g(v) / Z_0 for every g: the last states are properly weighted too."""
    # The rows only carry the number of chains: each row is one chain.
    outcomes = expect(
        lambda rows, rng: ais(theta, xp(BASE), betas=betas, chains=rows.shape[0], rng=rng), xp([[0.0]])
    )
    log_w, log_z_base, v = outcomes.values
    weight = np.exp(to_numpy(outcomes.log_weight)[0] + to_numpy(log_w))
    v = to_numpy(v)
    np.testing.assert_allclose(np.log(partition(0.0)), float(log_z_base), rtol=1e-13)
    for state in STATES:
        mass = weight[np.all(v == np.array(state), axis=1)].sum()
        np.testing.assert_allclose(mass, density(1.0, state) / partition(0.0), rtol=1e-11)


@pytest.mark.parametrize("betas", [[0.0, 1.0], [0.0, 0.4, 1.0]])
def test_reverse_ais_over_all_its_draws(xp, theta, betas):
    """E[w g(v)] = sum f_0(v) g(v) / Z from exact samples of theta."""
    outcomes = expect(lambda rows, rng: reverse_ais(theta, xp(BASE), rows, betas=betas, rng=rng), xp(STATES))
    log_w, _, v = outcomes.values
    p = np.array([density(1.0, state) / partition(1.0) for state in STATES])
    log_weight = to_numpy(outcomes.log_weight)
    weight = (p[:, None] * np.exp(log_weight + to_numpy(log_w).reshape(log_weight.shape))).reshape(-1)
    v = to_numpy(v)
    for state in STATES:
        mass = weight[np.all(v == np.array(state), axis=1)].sum()
        np.testing.assert_allclose(mass, density(0.0, state) / partition(1.0), rtol=1e-11)


def test_one_chain_brackets_log_z_in_expectation():
    """Jensen's inequality, exactly: the mean of log w over all runs lies below, of -log w backwards above."""
    theta = RBM(W, B, C)
    forward = expect(
        lambda rows, rng: ais(theta, BASE, betas=[0, 0.5, 1], chains=len(rows), rng=rng), np.zeros((1, 1))
    )
    below = np.log(partition(0.0)) + float(forward.mean(lambda run: run.log_weights)[0])
    backward = expect(
        lambda rows, rng: reverse_ais(theta, BASE, rows, betas=[0, 0.5, 1], rng=rng), np.array(STATES) * 1.0
    )
    p = np.array([density(1.0, state) / partition(1.0) for state in STATES])
    above = np.log(partition(0.0)) - float(p @ backward.mean(lambda run: run.log_weights))
    assert below < np.log(partition(1.0)) < above


# --- estimates -------------------------------------------------------------------------------------


def test_estimates_from_given_weights(xp):
    w = np.array([1.0, 2.0, 3.0, 6.0])
    run = AIS(xp(np.log(w)), xp(5.0), xp(np.zeros((4, 3))))
    below, above = log_partition_below(run), log_partition_above(run)
    np.testing.assert_allclose(float(below.log_partition), 5 + math.log(3), rtol=1e-14)
    np.testing.assert_allclose(float(above.log_partition), 5 - math.log(3), rtol=1e-14)
    error = w.std(ddof=1) / math.sqrt(4) / w.mean()
    for estimate in (below, above):
        np.testing.assert_allclose(float(estimate.standard_error), error, rtol=1e-13)
        np.testing.assert_allclose(float(estimate.effective_sample_size), 144 / 50, rtol=1e-13)


def test_one_chain_has_no_known_error(xp):
    estimate = log_partition_below(AIS(xp([0.5]), xp(5.0), xp(np.zeros((1, 3)))))
    assert (float(estimate.log_partition), float(estimate.effective_sample_size)) == (5.5, 1.0)
    assert float(estimate.standard_error) == math.inf


def test_many_small_steps_come_close(xp, theta):
    """The 0.2 allowed are twenty standard errors or more: an error probability far below 1e-9."""
    betas = np.linspace(0, 1, 401)
    run = ais(theta, xp(BASE), betas=betas, chains=500, rng=1)
    estimate = log_partition_below(run)
    assert float(estimate.standard_error) < 0.01
    assert abs(float(estimate.log_partition) - math.log(partition(1.0))) < 0.2


def test_weights_stay_finite_where_they_overflow(xp):
    theta = RBM(xp(40 * W, "float32"), xp(40 * B, "float32"), xp(40 * C, "float32"))
    run = ais(theta, xp(BASE, "float32"), betas=xp([0, 0.5, 1], "float32"), chains=7, rng=2)
    assert run.log_weights.dtype == theta.W.dtype
    assert np.all(np.isfinite(to_numpy(run.log_weights)))
    assert np.isfinite(float(log_partition_below(run).log_partition))


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        ([0.0, 0.5, 0.5, 1.0], r"betas must increase strictly, got 0\.5 then 0\.5 at index 1"),
        ([0.0, 0.7, 0.5, 1.0], "betas must increase strictly"),
        ([0.0, float("nan"), 1.0], "betas must increase strictly"),
        ([0.1, 1.0], "betas must begin at 0 and end at 1"),
        ([0.0, 0.9], "betas must begin at 0 and end at 1"),
        ([1.0, 0.0], "betas must begin at 0 and end at 1"),
        ([0.0], "betas must begin at 0 and end at 1"),
        ([], "betas must begin at 0 and end at 1"),
    ],
)
def test_bad_betas_are_refused(betas, message):
    theta = RBM(W, B, C)
    with pytest.raises(ValueError, match=message):
        ais(theta, BASE, betas=betas, chains=2, rng=0)
    with pytest.raises(ValueError, match=message):
        reverse_ais(theta, BASE, np.zeros((2, 3)), betas=betas, rng=0)
    with pytest.raises(ValueError, match=message):
        log_expected_ais_weight(theta, BASE, betas=betas)


def test_bad_input_is_refused_by_name():
    theta = RBM(W, B, C)
    with pytest.raises(ValueError, match=r"base must have shape \(3\), got \(2,\)"):
        ais(theta, BASE[:2], betas=[0, 1], chains=2, rng=0)
    with pytest.raises(ValueError, match="base must hold finite numbers"):
        ais(theta, BASE * np.nan, betas=[0, 1], chains=2, rng=0)
    with pytest.raises(ValueError, match="chains must be an integer of at least 1, got 0"):
        ais(theta, BASE, betas=[0, 1], chains=0, rng=0)
    with pytest.raises(ValueError, match="v must hold zeros and ones"):
        reverse_ais(theta, BASE, np.full((2, 3), 0.5), betas=[0, 1], rng=0)
    with pytest.raises(ValueError, match=r"v must have shape \(m >= 1, 3\), got \(0, 3\)"):
        reverse_ais(theta, BASE, np.zeros((0, 3)), betas=[0, 1], rng=0)
    with pytest.raises(ValueError, match="pseudo_count must be a number above 0 and finite"):
        base_rate(np.zeros((2, 3)), pseudo_count=0.0)
    with pytest.raises(ValueError, match="v must hold probabilities"):
        base_rate(np.full((2, 3), np.nan), pseudo_count=1.0)
