"""Parallel tempering: its swaps and its step leave the product of the machines' laws invariant, exactly."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.boltzmann.tempering import swap_log_ratio, tempering_step

W = np.array([[1.7], [-2.2]])
B, C, BASE = np.array([0.2, -0.4]), np.array([-0.3]), np.array([0.5, -1.0])
STATES = list(itertools.product((0, 1), repeat=2))
LADDERS = [[0.0, 1.0], [0.0, 0.6, 1.0]]


def density(beta, v):
    bias = sum(((1 - beta) * BASE[i] + beta * B[i]) * v[i] for i in range(2))
    return math.exp(bias) * (1 + math.exp(beta * (C[0] + v[0] * W[0, 0] + v[1] * W[1, 0])))


def law(beta):
    f = [density(beta, v) for v in STATES]
    return [x / sum(f) for x in f]


@pytest.fixture
def theta(xp):
    return RBM(xp(W), xp(B), xp(C))


def test_swap_ratio_is_that_of_the_four_densities(xp, theta):
    for hot, cold in itertools.product(STATES, repeat=2):
        ratio = swap_log_ratio(theta, xp(BASE), xp([hot]), xp([cold]), beta_hot=0.3, beta_cold=0.9)
        exchanged = density(0.3, cold) * density(0.9, hot)
        kept = density(0.3, hot) * density(0.9, cold)
        np.testing.assert_allclose(float(ratio[0]), math.log(exchanged / kept), atol=1e-13)


@pytest.mark.parametrize("betas", LADDERS)
def test_step_leaves_the_product_law_invariant(xp, theta, betas):
    laws = [law(beta) for beta in betas]
    before = list(itertools.product(range(4), repeat=len(betas)))
    product = np.array([math.prod(p[s] for p, s in zip(laws, joint, strict=True)) for joint in before])
    v = np.array([[STATES[s] for s in joint] for joint in before])
    outcomes = expect(lambda rows, rng: tempering_step(theta, xp(BASE), rows, betas=betas, rng=rng), xp(v))
    after, _ = outcomes.values
    after = to_numpy(after)
    mass = (product[:, None] * np.exp(to_numpy(outcomes.log_weight))).reshape(-1)
    np.testing.assert_allclose(mass.sum(), 1, rtol=1e-12)
    for joint, p in zip(before, product, strict=True):
        here = np.all(after == np.array([STATES[s] for s in joint]), axis=(1, 2))
        np.testing.assert_allclose(mass[here].sum(), p, rtol=1e-11)


def test_swaps_happen_with_the_metropolis_probability(xp, theta):
    """Given the states that met, a swap has the probability min(1, ratio), and it exchanges them."""
    outcomes = expect(
        lambda rows, rng: tempering_step(theta, xp(BASE), rows, betas=[0, 1], rng=rng), xp([[[1, 0], [0, 1]]])
    )
    after, info = outcomes.values
    after, weight = to_numpy(after), np.exp(to_numpy(outcomes.log_weight))[0]
    swapped = to_numpy(info.swapped)[:, 0] == 1
    hot, cold = (
        np.where(swapped, after[:, 1, :].T, after[:, 0, :].T).T,
        np.where(swapped, after[:, 0, :].T, after[:, 1, :].T).T,
    )
    for a, b in itertools.product(STATES, repeat=2):
        met = np.all(hot == np.array(a), axis=1) & np.all(cold == np.array(b), axis=1)
        ratio = density(0, b) * density(1, a) / (density(0, a) * density(1, b))
        probability = weight[met & swapped].sum() / weight[met].sum()
        np.testing.assert_allclose(probability, min(1.0, ratio), rtol=1e-11)
        np.testing.assert_allclose(to_numpy(info.log_ratio)[met, 0], math.log(ratio), atol=1e-12)


def test_bad_input_is_refused_by_name():
    theta, v = RBM(W, B, C), np.zeros((4, 3, 2))
    with pytest.raises(ValueError, match="betas must increase strictly"):
        tempering_step(theta, BASE, v, betas=[0, 0, 1], rng=0)
    with pytest.raises(ValueError, match=r"v must have shape \(n >= 1, 2, 2\), a state for each beta, got"):
        tempering_step(theta, BASE, v, betas=[0, 1], rng=0)
    with pytest.raises(ValueError, match="v must hold zeros and ones"):
        tempering_step(theta, BASE, v + 0.5, betas=[0, 0.5, 1], rng=0)
    with pytest.raises(ValueError, match="base must have shape"):
        tempering_step(theta, BASE[:1], v, betas=[0, 0.5, 1], rng=0)
