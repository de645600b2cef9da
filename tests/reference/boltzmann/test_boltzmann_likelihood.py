"""Likelihood, gradient and pseudo-likelihood against the joint table, automatic and finite differences."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.boltzmann import likelihood
from exactgen.reference.boltzmann.likelihood import (
    log_likelihood,
    log_likelihood_grad,
    pseudo_log_likelihood,
)
from exactgen.reference.boltzmann.rbm import RBM

SIZES = [(4, 3), (3, 5), (1, 2), (5, 1)]


def parameters(visible, hidden, scale=1.0):
    rng = np.random.default_rng(100 * visible + hidden)
    return [scale * rng.normal(size=shape) for shape in ((visible, hidden), visible, hidden)]


def states(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), dtype=float)


def rows(visible):
    """Return seven rows, so never as many as there are units, with duplicates among them."""
    v = np.random.default_rng(visible).integers(0, 2, size=(5, visible))
    return np.concatenate([v, v[:1], v[:1]]).astype(float)


def law_of_visible(W, b, c):
    """Return p(v) as a dictionary, from the joint table one pair of states at a time."""
    joint = {
        tuple(x): sum(math.exp(x @ W @ z + b @ x + c @ z) for z in states(len(c))) for x in states(len(b))
    }
    return {x: mass / sum(joint.values()) for x, mass in joint.items()}


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_log_likelihood_is_the_log_of_the_marginal(xp, visible, hidden):
    p, v = parameters(visible, hidden), rows(visible)
    law = law_of_visible(*p)
    ours = log_likelihood(RBM(*map(xp, p)), xp(v))
    np.testing.assert_allclose(to_numpy(ours), [math.log(law[tuple(x)]) for x in v], rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_gradient_is_that_of_automatic_differentiation(xp, visible, hidden, weighted):
    """PyTorch differentiates the brute-force joint table, weights of rows included."""
    torch = pytest.importorskip("torch")
    p, v = parameters(visible, hidden), rows(visible)
    weights = np.random.default_rng(1).dirichlet(np.ones(len(v))) if weighted else np.full(len(v), 1 / len(v))
    W, b, c = (torch.tensor(x, requires_grad=True) for x in p)
    h = torch.tensor(states(hidden))

    def log_mass(v):
        return torch.logsumexp(v @ W @ h.T + (v @ b)[:, None] + h @ c, dim=1)

    log_z = torch.logsumexp(log_mass(torch.tensor(states(visible))), dim=0)
    (torch.tensor(weights) @ (log_mass(torch.tensor(v)) - log_z)).backward()
    ours = log_likelihood_grad(RBM(*map(xp, p)), xp(v), weights=xp(weights) if weighted else None)
    for field, exact in zip(ours, (W, b, c), strict=True):
        np.testing.assert_allclose(to_numpy(field), exact.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_gradient_is_the_finite_difference_of_the_mean_over_rows():
    p, v, step = parameters(4, 3), rows(4), 1e-5
    ours = log_likelihood_grad(RBM(*p), v)

    def mean(p):
        law = law_of_visible(*p)
        return sum(math.log(law[tuple(x)]) for x in v) / len(v)

    for k, field in enumerate(ours):
        for index in np.ndindex(field.shape):
            up, down = ([x.copy() for x in p] for _ in range(2))
            up[k][index] += step
            down[k][index] -= step
            assert field[index] == pytest.approx((mean(up) - mean(down)) / (2 * step), abs=1e-9)


def test_gradient_vanishes_where_the_data_are_the_model(xp):
    """The law of the machine itself as weights over all states: the likelihood's maximum."""
    p = parameters(4, 3)
    law = law_of_visible(*p)
    ours = log_likelihood_grad(RBM(*map(xp, p)), xp(list(law)), weights=xp(list(law.values())))
    for field in ours:
        np.testing.assert_allclose(to_numpy(field), 0, atol=1e-14)


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_pseudo_likelihood_conditions_each_unit_on_all_others(xp, visible, hidden):
    p, v = parameters(visible, hidden), rows(visible)
    law = law_of_visible(*p)

    def log_conditional(x, i):
        flipped = (*x[:i], 1 - x[i], *x[i + 1 :])
        return math.log(law[x] / (law[x] + law[flipped]))

    expected = [sum(log_conditional(tuple(x), i) for i in range(visible)) for x in v]
    ours = pseudo_log_likelihood(RBM(*map(xp, p)), xp(v))
    np.testing.assert_allclose(to_numpy(ours), expected, rtol=1e-11)


def test_pseudo_likelihood_does_not_depend_on_its_blocks(xp, monkeypatch):
    theta, v = RBM(*map(xp, parameters(4, 3))), xp(rows(4))
    whole = to_numpy(pseudo_log_likelihood(theta, v))
    for numbers in (1, 24, 36):  # 1, 2 and 3 of the 7 rows at a time
        monkeypatch.setattr(likelihood, "_BLOCK", numbers)
        np.testing.assert_allclose(to_numpy(pseudo_log_likelihood(theta, v)), whole, rtol=1e-14)


def test_saturated_machines_have_finite_likelihoods(xp):
    """Couplings of +-800: probabilities below e^-700 keep their logarithm."""
    W, b, c = np.array([[800.0, -800.0], [-800.0, 800.0], [3.0, 0.0]]), [0.5, -0.5, 0.0], [-20.0, 1.0]
    theta, v = RBM(xp(W), xp(b), xp(c)), states(3)
    with mpmath.workdps(60):
        mass = [mpmath.fsum(mpmath.exp(mpmath.mpf(x @ W @ z) + x @ b + z @ c) for z in states(2)) for x in v]
        log_law = [float(mpmath.log(m / mpmath.fsum(mass))) for m in mass]
        index = [int(4 * x[0] + 2 * x[1] + x[2]) for x in v]
        flips = [[index[s] ^ (4 >> i) for i in range(3)] for s in range(8)]
        pseudo = [float(sum(mpmath.log(mass[s] / (mass[s] + mass[t])) for t in flips[s])) for s in range(8)]
    np.testing.assert_allclose(to_numpy(log_likelihood(theta, xp(v))), log_law, rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(to_numpy(pseudo_log_likelihood(theta, xp(v))), pseudo, rtol=1e-13, atol=1e-12)


def test_float32_stays_float32(xp):
    p, v = parameters(5, 3), rows(5)
    theta = RBM(*(xp(x, "float32") for x in p))
    law = law_of_visible(*p)
    ours = log_likelihood(theta, xp(v, "float32"))
    assert "float32" in str(ours.dtype)
    np.testing.assert_allclose(to_numpy(ours), [math.log(law[tuple(x)]) for x in v], rtol=2e-6)
    assert "float32" in str(pseudo_log_likelihood(theta, xp(v, "float32")).dtype)
    for a, b in zip(
        log_likelihood_grad(theta, xp(v, "float32")), log_likelihood_grad(RBM(*p), v), strict=True
    ):
        assert "float32" in str(a.dtype)
        np.testing.assert_allclose(to_numpy(a), b, atol=2e-6)


def test_bad_rows_and_machines_that_are_too_large_are_refused(xp):
    theta = RBM(*map(xp, parameters(3, 2)))
    for function in (log_likelihood, pseudo_log_likelihood):
        with pytest.raises(
            ValueError, match=r"v must hold zeros and ones only .* got 0\.5 at index \[0, 1\]"
        ):
            function(theta, xp([[1.0, 0.5, 0.0]]))
    with pytest.raises(ValueError, match=r"v must have shape \(n >= 1, 3\), got \(0, 3\)"):
        log_likelihood_grad(theta, xp(np.zeros((0, 3))))
    large = RBM(*(xp(np.zeros(shape)) for shape in ((29, 30), (29,), (30,))))
    for function in (log_likelihood, log_likelihood_grad):
        with pytest.raises(ValueError, match=r"the smaller layer has 536,870,912 states"):
            function(large, xp(np.zeros((1, 29))))
