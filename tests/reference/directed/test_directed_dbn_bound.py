"""The variational bound of deep belief nets against sums over the joint law, made with loops."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed.dbn import DBN, log_marginal, stack, upside_down
from exactgen.reference.directed.dbn_bound import (
    bound_log_likelihood,
    elbo,
    elbo_by_entropy,
    entropy,
    log_joint_first,
    log_prior,
    mean_log,
    recognise,
)
from exactgen.reference.directed.layers import Sigmoid


def states(units):
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def model(xp, sizes, seed=0):
    """Return a DBN, nothing tied, and its numbers."""
    rng = np.random.default_rng([seed, *sizes])
    down = [(rng.normal(size=(v, h)), rng.normal(size=v)) for v, h in itertools.pairwise(sizes[:-1])]
    up = [(rng.normal(size=(h, v)), rng.normal(size=h)) for v, h in itertools.pairwise(sizes[:-1])]
    top = [rng.normal(size=s) for s in (sizes[-2:], sizes[-2], sizes[-1])]
    theta = DBN(
        tuple(Sigmoid(*map(xp, layer)) for layer in down),
        tuple(Sigmoid(*map(xp, layer)) for layer in up),
        RBM(*map(xp, top)),
    )
    return theta, down, up, top


def log_bits(x, logits):
    """Return log P(x) of independent bits, one at a time."""
    return sum(-math.log1p(math.exp(-z if bit else z)) for bit, z in zip(x, logits, strict=True))


def log_joint(down, top, *layers):
    """Return log p(v, h1, ..., hL) of one joint state."""
    W, b, c = top
    pairs = itertools.product(states(len(b)), states(len(c)))
    log_z = math.log(sum(math.exp(v @ W @ h + b @ v + c @ h) for v, h in pairs))
    v, h = layers[-2:]
    total = v @ W @ h + b @ v + c @ h - log_z
    return total + sum(log_bits(layers[k], W @ layers[k + 1] + b) for k, (W, b) in enumerate(down))


def sum_over(down, top, sizes, *known):
    """Return log of the sum of the joint law over the layers that are not given."""
    rest = itertools.product(*(states(n) for n in sizes[len(known) :]))
    return math.log(sum(math.exp(log_joint(down, top, *known, *h)) for h in rest))


@pytest.mark.parametrize("sizes", [(3, 2), (4, 2, 3), (2, 3, 1, 2)])
def test_bound_is_the_mean_log_ratio_under_the_recognition(xp, sizes):
    theta, down, up, top = model(xp, sizes)
    v = states(sizes[0])[1:4]
    ours, exact = (to_numpy(f(theta, xp(v))) for f in (bound_log_likelihood, log_marginal))
    for x, bound, log_p in zip(v, ours, exact, strict=True):
        assert log_p == pytest.approx(sum_over(down, top, sizes, x), rel=1e-11)
        total = 0.0
        for hidden in itertools.product(*(states(n) for n in sizes[1:-1])):
            layers = (x, *hidden)
            log_q = sum(log_bits(layers[k + 1], W @ layers[k] + b) for k, (W, b) in enumerate(up))
            total += math.exp(log_q) * (sum_over(down, top, sizes, *layers) - log_q)
        assert bound == pytest.approx(total, rel=1e-11)
        assert bound <= sum_over(down, top, sizes, x) + 1e-12


@pytest.mark.parametrize("sizes", [(3, 2), (4, 2, 3), (2, 3, 1, 2)])
def test_first_layer_pieces_are_sums_of_the_joint_law(xp, sizes):
    theta, down, up, top = model(xp, sizes)
    v, h = states(sizes[0])[:3], states(sizes[1])
    log_p = [[sum_over(down, top, sizes, x, z) for z in h] for x in v]
    np.testing.assert_allclose(to_numpy(log_joint_first(theta, xp(v))), log_p, rtol=1e-11)
    visible = states(sizes[0])
    prior = [sum(math.exp(sum_over(down, top, sizes, x, z)) for x in visible) for z in h]
    np.testing.assert_allclose(to_numpy(log_prior(theta)), np.log(prior), rtol=1e-11, atol=1e-14)
    W, b = up[0] if up else (top[0].T, top[2])
    q = [[math.exp(log_bits(z, W @ x + b)) for z in h] for x in v]
    np.testing.assert_allclose(to_numpy(recognise(theta, xp(v))), q, rtol=1e-11)


def test_any_q_gives_a_bound_whose_gap_is_a_divergence(xp):
    """Random laws, a law with zeros, the posterior and the net's own q."""
    sizes = (4, 2, 3)
    theta, down, _, top = model(xp, sizes)
    v = states(4)[3:8]
    log_p = np.array([[sum_over(down, top, sizes, x, z) for z in states(2)] for x in v])
    evidence = np.log(np.exp(log_p).sum(axis=1))
    posterior = np.exp(log_p - evidence[:, None])
    rng = np.random.default_rng(0)
    sparse = np.array([[0.0, 0.25, 0.75, 0.0]] * 5)
    for q in (rng.dirichlet(np.ones(4), size=5), sparse, posterior, to_numpy(recognise(theta, xp(v)))):
        gap = [
            sum(a * math.log(a / b) for a, b in zip(*r, strict=True) if a)
            for r in zip(q, posterior, strict=True)
        ]
        joint = log_joint_first(theta, xp(v))
        np.testing.assert_allclose(to_numpy(elbo(xp(q), joint)), evidence - gap, rtol=1e-11)
        np.testing.assert_allclose(to_numpy(elbo_by_entropy(xp(q), joint)), evidence - gap, rtol=1e-11)
        expected = [sum(a * math.log(a) for a in row if a) for row in q]
        np.testing.assert_allclose(-to_numpy(entropy(xp(q))), expected, rtol=1e-11, atol=1e-15)
        expected = [sum(a * b for a, b in zip(row, log_p[0], strict=True)) for row in q]
        np.testing.assert_allclose(to_numpy(mean_log(xp(q), xp(log_p[0]))), expected, rtol=1e-11)


def test_a_q_outside_the_support_is_bounded_by_minus_infinity(xp):
    q, log_joint = xp([[0.5, 0.5], [0.0, 1.0]]), xp([[-math.inf, -1.0], [-math.inf, -1.0]])
    for form in (elbo, elbo_by_entropy):
        np.testing.assert_allclose(to_numpy(form(q, log_joint)), [-math.inf, -1.0])


def test_the_upside_down_start_is_tight(xp):
    _, _, _, top = model(xp, (4, 3), seed=5)
    machine = RBM(*map(xp, top))
    theta, v = stack([machine, upside_down(machine)]), states(4)
    exact = [sum_over([], top, (4, 3), x) for x in v]
    np.testing.assert_allclose(to_numpy(bound_log_likelihood(theta, xp(v))), exact, rtol=1e-11)


def test_bad_input_is_named():
    theta, *_ = model(np.asarray, (4, 2, 3))
    with pytest.raises(ValueError, match="q must sum to one"):
        elbo(np.full((3, 4), 0.5), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="log_joint must have shape"):
        elbo(np.full((3, 4), 0.25), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="must hold zeros and ones"):
        bound_log_likelihood(theta, np.full((2, 4), 0.5))
    with pytest.raises(ValueError, match="must have shape"):
        recognise(theta, states(3))
