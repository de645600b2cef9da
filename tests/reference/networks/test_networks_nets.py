"""Nets of several layers against PyTorch's automatic differentiation, by the complex step, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.contracts import unchecked_values
from exactgen.reference.networks import errors, layers
from exactgen.reference.networks.images import Correlation, Kernel, MaxPool
from exactgen.reference.networks.interpolant import relu_interpolant
from exactgen.reference.networks.layers import Dense, FullyConnected, LeakyRectifier, Reshape, Tanh
from exactgen.reference.networks.nets import (
    Residual,
    forward,
    jacobian,
    mlp,
    pullback,
    pushforward,
    squared_norms,
)
from exactgen.reference.networks.normalisation import BatchNorm, Scale
from exactgen.reference.trees import leaves, tree_map
from scipy import signal

RNG = np.random.default_rng(11)


def dense(inputs, outputs):
    return Dense(RNG.normal(size=(inputs, outputs)), RNG.normal(size=outputs))


IMAGES = RNG.normal(size=(6, 5, 7, 2))
NET = (
    Correlation(stride=2, padding=1),
    LeakyRectifier(0.2),
    MaxPool((2, 2), stride=1),
    Reshape((-1,)),
    BatchNorm(0.01),
    FullyConnected(),
    Residual((FullyConnected(), Tanh())),
)
THETA = (
    Kernel(RNG.normal(size=(3, 3, 2, 4)), RNG.normal(size=4)),
    Scale(RNG.normal(size=24), RNG.normal(size=24)),
    dense(24, 5),
    (dense(5, 5),),
)


def test_a_net_of_many_kinds_against_pytorch(xp):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    theta = tree_map(lambda a: torch.tensor(a, requires_grad=True), THETA)
    x = torch.tensor(IMAGES, requires_grad=True)
    kernel, scale, whole, (inner,) = theta
    h = F.conv2d(x.permute(0, 3, 1, 2), kernel.K.permute(3, 2, 0, 1), kernel.b, stride=2, padding=1)
    h = F.max_pool2d(F.leaky_relu(h, 0.2), 2, stride=1).permute(0, 2, 3, 1).reshape(6, -1)
    h = F.batch_norm(h, None, None, scale.gain, scale.bias, training=True, eps=0.01)
    h = h @ whole.W + whole.b
    y = h + torch.tanh(h @ inner.W + inner.b)
    dy = RNG.normal(size=(6, 5))
    y.backward(torch.tensor(dy))

    ours = tree_map(xp, THETA)
    values = forward(NET, ours, xp(IMAGES))
    np.testing.assert_allclose(to_numpy(values[-1]), y.detach().numpy(), rtol=1e-11)
    gradient, dx = pullback(NET, ours, values, xp(dy))
    np.testing.assert_allclose(to_numpy(dx), x.grad.numpy(), rtol=1e-9, atol=1e-12)
    for found, wanted in zip(leaves(gradient), leaves(theta), strict=True):
        np.testing.assert_allclose(to_numpy(found), wanted.grad.numpy(), rtol=1e-9, atol=1e-11)

    along, to = tree_map(lambda a: RNG.normal(size=a.shape), THETA), RNG.normal(size=IMAGES.shape)
    moved = pushforward(NET, ours, values, tree_map(xp, along), xp(to))
    both = zip(leaves((gradient, dx)), leaves((along, to)), strict=True)
    transposed = sum(np.sum(to_numpy(g) * d) for g, d in both)
    assert np.sum(dy * to_numpy(moved)) == pytest.approx(transposed, rel=1e-11)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # PyTorch's own, in its jvp
def test_torch_func_runs_through():
    """Values unchecked, a net is traced: PyTorch's own pushforward and pullback of it are ours."""
    torch = pytest.importorskip("torch")
    theta, x = tree_map(torch.asarray, THETA), torch.asarray(IMAGES)
    dtheta, dx = tree_map(torch.ones_like, theta), torch.ones_like(x)
    values = forward(NET, theta, x)
    with unchecked_values():
        y, theirs = torch.func.jvp(lambda *at: forward(NET, *at)[-1], (theta, x), (dtheta, dx))
        _, back = torch.func.vjp(lambda *at: forward(NET, *at)[-1], theta, x)
        gradients = back(y)
    torch.testing.assert_close(pushforward(NET, theta, values, dtheta, dx), theirs)
    for ours, other in zip(leaves(pullback(NET, theta, values, y)), leaves(gradients), strict=True):
        torch.testing.assert_close(ours, other)


def test_every_activation_has_a_name():
    assert [type(layer) for layer in mlp(*layers.ACTIVATIONS)[1::2]] == [
        type(layer) for layer in layers.ACTIVATIONS.values()
    ]


def test_norms_of_a_net_are_those_of_each_row_alone(xp):
    net, theta = (*NET[:4], *NET[5:]), (THETA[0], *THETA[2:])  # without batch normalisation
    dy, ours = RNG.normal(size=(6, 5)), tree_map(xp, theta)
    values = forward(net, ours, xp(IMAGES))
    found = squared_norms(net, ours, values, xp(dy))
    for n in range(6):
        row = forward(net, ours, xp(IMAGES[n : n + 1]))
        gradient, _ = pullback(net, ours, row, xp(dy[n : n + 1]))
        for norm, g in zip(leaves(found), leaves(gradient), strict=True):
            assert float(norm[n]) == pytest.approx(np.sum(to_numpy(g) ** 2), rel=1e-11)


def test_jacobian_of_a_correlation_is_a_dense_layer_shared_and_sparse(xp):
    images, kernel = RNG.normal(size=(4, 5, 3)), RNG.normal(size=(2, 3))
    theta = (Kernel(xp(kernel[:, :, None, None]), xp(np.zeros(1))),)
    y = to_numpy(forward((Correlation(),), theta, xp(images[..., None]))[-1])[..., 0]
    for n in range(4):
        np.testing.assert_allclose(y[n], signal.correlate2d(images[n], kernel, mode="valid"), rtol=1e-12)
    W = to_numpy(jacobian((Correlation(),), theta, xp(images[:2, ..., None])))
    assert np.array_equal(W[0], W[1])
    np.testing.assert_allclose(images.reshape(4, -1) @ W[0], y.reshape(4, -1), rtol=1e-12)
    assert np.count_nonzero(W[0]) == 4 * kernel.size  # sparse, and each weight is shared by all places


def test_jacobian_of_each_row(xp):
    theta, x = (dense(3, 4), dense(4, 2)), RNG.normal(size=(5, 3))
    J = to_numpy(jacobian(mlp("tanh", "sigmoid"), tree_map(xp, theta), xp(x)))
    for n in range(5):
        h = np.tanh(x[n] @ theta[0].W + theta[0].b)
        y = 1 / (1 + np.exp(-(h @ theta[1].W + theta[1].b)))
        exact = theta[0].W @ np.diag(1 - h**2) @ theta[1].W @ np.diag(y * (1 - y))
        np.testing.assert_allclose(J[n], exact, rtol=1e-12)


# --- errors and the interpolant ---------------------------------------------------------------------------


def test_softmax_and_cross_entropy(arr):
    logits = np.array([[1.0, 2.0, 0.5], [800.0, -800.0, 799.0]])
    by_hand = np.exp(logits[0]) / np.exp(logits[0]).sum()
    p = to_numpy(layers.softmax(arr(logits)))
    assert np.allclose(p[0], by_hand, rtol=1e-14)
    assert np.allclose(p[1], [1 / (1 + math.exp(-1)), 0, 1 / (1 + math.e)], rtol=1e-13)
    target = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    loss = to_numpy(errors.softmax_cross_entropy(arr(logits), arr(target)))
    assert loss[0] == pytest.approx(-(target[0] * np.log(by_hand)).sum())
    assert loss[1] == pytest.approx(math.log1p(math.exp(-1)))
    grad = to_numpy(errors.softmax_cross_entropy_grad(arr(logits), arr(target)))
    for k in range(3):
        moved = logits[0].astype(complex)
        moved[k] += 1e-30j
        value = np.log(np.exp(moved).sum()) - (target[0] * moved).sum()
        assert grad[0, k] == pytest.approx(value.imag / 1e-30, rel=1e-12)


def test_squared_error(arr):
    assert to_numpy(errors.squared_error(arr([[1.0, 2.0]]), arr([[0.0, 4.0]]))).tolist() == [5.0]
    assert to_numpy(errors.squared_error_grad(arr([[1.0, 2.0]]), arr([[0.0, 4.0]]))).tolist() == [[2.0, -4.0]]


def test_reconstruction_and_denoising(arr):
    W, b = np.array([[0.5, 0.0], [0.25, 1.0]]), np.array([0.0, 1.0])
    x, noise = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[0.5, -1.0], [0.0, 2.0]])
    net, theta = (FullyConnected(),), (Dense(arr(W), arr(b)),)
    plain = errors.reconstruction_error(net, theta, arr(x))
    assert np.allclose(to_numpy(plain), ((x @ W + b - x) ** 2).sum(axis=1))
    noisy = errors.denoising_error(net, theta, arr(x), arr(noise))
    assert np.allclose(to_numpy(noisy), (((x + noise) @ W + b - x) ** 2).sum(axis=1))


def test_interpolant_goes_through_its_points(arr):
    knots, values = np.array([-1.0, 0.5, 0.75, 2.0]), np.array([0.0, 3.0, -1.0, -1.0])
    x = np.linspace(-1, 2, 37)
    y = forward(mlp("relu", "identity"), relu_interpolant(arr(knots), arr(values)), arr(x[:, None]))[-1]
    assert np.allclose(to_numpy(y)[:, 0], np.interp(x, knots, values), atol=1e-12)


ONE, X = Dense(np.ones((2, 1)), np.zeros(1)), np.ones((3, 2))
RELU = mlp("relu")
IMAGE, KERNEL = np.ones((1, 3, 2, 1)), Kernel(np.ones((2, 2, 1, 1)), np.zeros(1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: forward(RELU, (ONE,), np.ones((3, 1))), "x must have shape"),
        (
            lambda: forward(RELU, (ONE._replace(b=np.zeros(2)),), X),
            r"theta\[0\].b must have shape \(1\), got \(2,\)",
        ),
        (lambda: mlp("step"), r"activations\[0\] must be one of"),
        (lambda: forward(RELU, (ONE, ONE), X), "theta must hold the parameters of the net's 1 layers"),
        (lambda: forward((), (), X), "theta must hold the parameters of the net's 0 layers"),
        (lambda: forward(mlp("relu", "relu"), (ONE, ONE), X), "x must have shape"),
        (lambda: pullback(RELU, (ONE,), (X, X), X), "values must be the 3 arrays of forward, got 2"),
        (lambda: pullback(RELU, (ONE,), forward(RELU, (ONE,), X), X), "dy must have shape"),
        (lambda: pushforward(RELU, (ONE,), forward(RELU, (ONE,), X), (ONE,), X[:, :1]), "dx must have shape"),
        (
            lambda: forward((Correlation(),), (KERNEL,), IMAGE[:, :1]),
            "a window of .* must fit",
        ),
        (lambda: forward((Reshape((4,)),), (), X), "rows of 4 numbers"),
        (lambda: forward((Residual((FullyConnected(),)),), ((ONE,),), X), r"f\(x\) must have the shape of x"),
        (lambda: errors.softmax_cross_entropy(np.zeros((1, 2)), np.ones((1, 2))), "target must sum to one"),
        (lambda: errors.squared_error(np.zeros((1, 2)), np.ones((2, 2))), "target must have shape"),
        (lambda: relu_interpolant(np.zeros(2), np.ones(2)), "strictly ascending"),
        (lambda: errors.denoising_error(RELU, (ONE,), np.ones((1, 2)), np.ones(2)), "noise must"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
