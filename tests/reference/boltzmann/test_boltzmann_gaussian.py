"""The Gaussian-Bernoulli RBM against quadrature over v, loops over h, and automatic differentiation."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import ReplayStream
from exactgen.reference.boltzmann import gaussian
from exactgen.reference.boltzmann.rbm import RBM
from scipy.special import ndtri

SIZES = [(3, 2), (2, 4), (1, 3), (4, 1)]


def parameters(visible, hidden, scale=0.7):
    rng = np.random.default_rng(100 * visible + hidden)
    return [scale * rng.normal(size=shape) for shape in ((visible, hidden), visible, hidden)]


def states(n):
    return list(itertools.product((0, 1), repeat=n))


def rows(visible):
    return np.random.default_rng(visible).normal(size=(5, visible))


def loop_energy(W, b, c, v, h):
    quadratic = sum((v[i] - b[i]) ** 2 for i in range(len(b))) / 2
    pairs = sum(v[i] * W[i, j] * h[j] for i in range(len(b)) for j in range(len(c)))
    return quadratic - pairs - sum(c[j] * h[j] for j in range(len(c)))


def grid(visible, *, half_width=12.0, points=241):
    """Return nodes (points^V, V) and the volume of a cell: trapezoids, exact to rounding for Gaussians."""
    axis = np.linspace(-half_width, half_width, points)
    nodes = np.stack(np.meshgrid(*[axis] * visible, indexing="ij"), axis=-1).reshape(-1, visible)
    return nodes, (axis[1] - axis[0]) ** visible


def densities(W, b, c):
    """Return e^{-E} on a grid over v, one column per h, and the volume of a cell."""
    nodes, cell = grid(len(b))
    columns = [np.exp(-((nodes - b) ** 2).sum(axis=1) / 2 + nodes @ (W @ h) + c @ h) for h in states(len(c))]
    return nodes, np.stack(columns, axis=1), cell


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_energy_and_free_energy(xp, visible, hidden):
    p, v = parameters(visible, hidden), rows(visible)
    theta = RBM(*map(xp, p))
    for h in states(hidden):
        ours = gaussian.energy(theta, xp(v), xp([h] * len(v)))
        np.testing.assert_allclose(to_numpy(ours), [loop_energy(*p, x, h) for x in v], rtol=1e-12, atol=1e-13)
    expected = [-math.log(sum(math.exp(-loop_energy(*p, x, h)) for h in states(hidden))) for x in v]
    np.testing.assert_allclose(to_numpy(gaussian.free_energy(theta, xp(v))), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("visible", "hidden"), [(2, 3), (1, 3), (2, 1)])
def test_partition_marginal_and_statistics_by_quadrature(xp, visible, hidden):
    W, b, c = parameters(visible, hidden)
    theta = RBM(xp(W), xp(b), xp(c))
    nodes, mass, cell = densities(W, b, c)
    z = mass.sum() * cell
    assert float(gaussian.log_partition(theta)) == pytest.approx(math.log(z), rel=1e-12)
    np.testing.assert_allclose(
        to_numpy(gaussian.marginal_hidden(theta)), mass.sum(axis=0) * cell / z, rtol=1e-11
    )
    ours, h = gaussian.model_statistics(theta), np.array(states(hidden))
    np.testing.assert_allclose(to_numpy(ours.W), nodes.T @ mass @ h * cell / z, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(
        to_numpy(ours.b), (nodes - b).T @ mass.sum(axis=1) * cell / z, rtol=1e-10, atol=1e-13
    )
    np.testing.assert_allclose(to_numpy(ours.c), mass.sum(axis=0) @ h * cell / z, rtol=1e-10)


def test_the_likelihood_is_a_density(xp):
    p = parameters(2, 3)
    nodes, cell = grid(2)
    density = np.exp(to_numpy(gaussian.log_likelihood(RBM(*map(xp, p)), xp(nodes))))
    assert density.sum() * cell == pytest.approx(1, rel=1e-12)


def test_printed_conditionals_follow_from_the_printed_energy(xp):
    """[BA] eq. 11 from eq. 12: given h, v has mean W h + b and variance one; given v, eq. 5 holds."""
    W, b, c = parameters(2, 3)
    theta = RBM(xp(W), xp(b), xp(c))
    nodes, mass, _ = densities(W, b, c)
    h = np.array(states(3), dtype=float)
    given_h = mass / mass.sum(axis=0)
    mean = given_h.T @ nodes
    np.testing.assert_allclose(to_numpy(gaussian.mean_visible(theta, xp(h))), mean, rtol=1e-11, atol=1e-13)
    for s in range(len(h)):
        centred = nodes - mean[s]
        np.testing.assert_allclose(centred.T @ (given_h[:, s, None] * centred), np.eye(2), atol=1e-11)
    some = nodes[28000:30000:97]
    posterior = mass[28000:30000:97] / mass[28000:30000:97].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(to_numpy(gaussian.mean_hidden(theta, xp(some))), posterior @ h, rtol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_gradient_is_that_of_automatic_differentiation(xp, visible, hidden, weighted):
    """PyTorch differentiates a sum over h of Gaussian integrals written with E[v | h] = b + W h."""
    torch = pytest.importorskip("torch")
    p, v = parameters(visible, hidden), rows(visible)
    weights = np.random.default_rng(1).dirichlet(np.ones(len(v))) if weighted else np.full(len(v), 1 / len(v))
    W, b, c = (torch.tensor(x, requires_grad=True) for x in p)
    h, x = torch.tensor(np.array(states(hidden), dtype=float)), torch.tensor(v)
    minus_energy = -((x[:, None, :] - b) ** 2).sum(-1) / 2 + x @ W @ h.T + h @ c
    mean = b + h @ W.T
    log_z = torch.logsumexp(h @ c + (mean**2).sum(1) / 2 - (b**2).sum() / 2, 0) + visible / 2 * math.log(
        2 * math.pi
    )
    value = torch.logsumexp(minus_energy, 1) - log_z
    (torch.tensor(weights) @ value).backward()
    theta = RBM(*map(xp, p))
    np.testing.assert_allclose(to_numpy(gaussian.log_likelihood(theta, xp(v))), value.detach(), rtol=1e-12)
    ours = gaussian.log_likelihood_grad(theta, xp(v), weights=xp(weights) if weighted else None)
    for field, exact in zip(ours, (W, b, c), strict=True):
        np.testing.assert_allclose(to_numpy(field), exact.grad.numpy(), rtol=1e-10, atol=1e-13)


def test_samplers_add_standard_normals_to_the_mean(xp):
    W, b, c = parameters(3, 2)
    theta, h = RBM(xp(W), xp(b), xp(c)), np.array([[1.0, 0.0], [1.0, 1.0]])
    u = np.random.default_rng(0).random(6)
    v = gaussian.sample_visible(theta, xp(h), rng=ReplayStream(u))
    np.testing.assert_allclose(to_numpy(v), b + h @ W.T + ndtri(u).reshape(2, 3), rtol=1e-12)
    end, info = gaussian.gibbs_step(theta, v, rng=ReplayStream([0.0, 0.999, 0.999, 0.0, *u]))
    np.testing.assert_array_equal(to_numpy(info.h), [[1, 0], [0, 1]])
    np.testing.assert_allclose(
        to_numpy(info.mean_hidden), 1 / (1 + np.exp(-(c + to_numpy(v) @ W))), rtol=1e-12
    )
    np.testing.assert_allclose(to_numpy(info.mean_visible), b + W.T, rtol=1e-12)
    np.testing.assert_allclose(to_numpy(end), b + W.T + ndtri(u).reshape(2, 3), rtol=1e-12)


def test_gibbs_steps_keep_the_machines_law(xp):
    """From h of the exact marginal, v and then h again, by Gauss-Hermite nodes: E[h] does not move."""
    theta = RBM(*map(xp, parameters(2, 3, 0.3)))
    h = np.array(states(3), dtype=float)
    again = expect(
        lambda h, *, rng: gaussian.mean_hidden(theta, gaussian.sample_visible(theta, h, rng=rng)),
        xp(h),
        nodes=24,
    )
    p = to_numpy(gaussian.marginal_hidden(theta))
    np.testing.assert_allclose(p @ to_numpy(again.mean()), p @ h, rtol=1e-9)


def test_saturated_machines_and_float32(xp):
    theta = RBM(xp([[800.0, -800.0], [0.0, 3.0]]), xp([0.0, 1.0]), xp([0.0, 5.0]))
    # |W h|^2 / 2 + (c + W^T b) h is 320000 + 4.5 + 5 + 3 for h = (0, 1), and 320000 for h = (1, 0).
    log_z = math.log(2 * math.pi) + 320012.5 + math.log1p(math.exp(-12.5))
    assert float(gaussian.log_partition(theta)) == pytest.approx(log_z, rel=1e-15)
    p, v = parameters(3, 2), rows(3)
    single = RBM(*(xp(x, "float32") for x in p))
    ours = gaussian.log_likelihood(single, xp(v, "float32"))
    assert "float32" in str(ours.dtype)
    np.testing.assert_allclose(to_numpy(ours), gaussian.log_likelihood(RBM(*p), v), rtol=2e-6)
    assert "float32" in str(gaussian.sample_visible(single, xp([[1, 0]], "float32"), rng=0).dtype)


def test_bad_input_is_named(xp):
    theta = RBM(*map(xp, parameters(3, 2)))
    with pytest.raises(ValueError, match=r"v must hold finite numbers"):
        gaussian.free_energy(theta, xp([[1.0, math.inf, 0.0]]))
    with pytest.raises(ValueError, match=r"h must hold zeros and ones only"):
        gaussian.energy(theta, xp(np.zeros((1, 3))), xp([[0.5, 0.0]]))
    with pytest.raises(ValueError, match=r"v must have shape \(n >= 1, 3\), got \(1, 2\)"):
        gaussian.gibbs_step(theta, xp(np.zeros((1, 2))), rng=0)
    with pytest.raises(ValueError, match=r"states"):
        gaussian.log_partition(RBM(*(xp(np.zeros(shape)) for shape in ((2, 40), (2,), (40,)))))
