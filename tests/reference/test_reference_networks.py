"""Networks against loops, against the complex step, and against PyTorch's automatic differentiation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference import networks
from exactgen.reference.networks import Dense
from scipy import signal

RNG = np.random.default_rng(11)
SHAPES = ((3, 4), (4, 2), (2, 5))  # three layers, two hidden
LAYERS = [(RNG.normal(size=shape), RNG.normal(size=shape[1])) for shape in SHAPES]
X = RNG.normal(size=(6, 3))
TARGET = RNG.dirichlet(np.ones(5), size=6)
FUNCTIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.where(z.real > 0, z, 0),
    "softplus": lambda z: np.log(1 + np.exp(z)),
}


def _by_hand(layers, x, activations):
    for (W, b), s in zip(layers, activations, strict=True):
        x = FUNCTIONS[s](x @ W + b)
    return x


@pytest.mark.parametrize("hidden", networks.ACTIVATIONS)
def test_forward_and_backward_by_the_complex_step(arr, hidden):
    activations = (hidden, hidden, "tanh")
    layers = [Dense(arr(W), arr(b)) for W, b in LAYERS]
    values = networks.mlp_forward(layers, arr(X), activations=activations)
    assert [v.shape for v in values] == [(6, 3), (6, 4), (6, 2), (6, 5)]
    assert np.allclose(to_numpy(values[-1]), _by_hand(LAYERS, X, activations), rtol=1e-12)

    dy = networks.squared_error_grad(values[-1], arr(TARGET))
    grads = networks.mlp_backward(layers, values, dy, activations=activations)
    for k, grad in enumerate(grads):
        for which, slope in enumerate(grad):
            slope = to_numpy(slope)
            for at in np.ndindex(slope.shape):
                moved = [[np.array(f, dtype=complex) for f in layer] for layer in LAYERS]
                moved[k][which][at] += 1e-30j
                loss = ((_by_hand(moved, X.astype(complex), activations) - TARGET) ** 2).sum()
                assert slope[at] == pytest.approx(loss.imag / 1e-30, rel=1e-10, abs=1e-13)


def test_input_gradient_against_pytorch():
    torch = pytest.importorskip("torch")
    (W, b), dy = LAYERS[0], RNG.normal(size=(6, 4))
    x = torch.tensor(X, requires_grad=True)
    (torch.sigmoid(x @ torch.tensor(W) + torch.tensor(b)) * torch.tensor(dy)).sum().backward()
    layer = Dense(W, b)
    y = networks.dense(layer, X, activation="sigmoid")
    _, dx = networks.dense_backward(layer, X, y, dy, activation="sigmoid")
    assert np.allclose(dx, x.grad.numpy(), rtol=1e-12)


def test_softmax_and_cross_entropy(arr):
    logits = np.array([[1.0, 2.0, 0.5], [800.0, -800.0, 799.0]])
    by_hand = np.exp(logits[0]) / np.exp(logits[0]).sum()
    p = to_numpy(networks.softmax(arr(logits)))
    assert np.allclose(p[0], by_hand, rtol=1e-14)
    assert np.allclose(p[1], [1 / (1 + math.exp(-1)), 0, 1 / (1 + math.e)], rtol=1e-13)
    target = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    loss = to_numpy(networks.softmax_cross_entropy(arr(logits), arr(target)))
    assert loss[0] == pytest.approx(-(target[0] * np.log(by_hand)).sum())
    assert loss[1] == pytest.approx(math.log1p(math.exp(-1)))
    grad = to_numpy(networks.softmax_cross_entropy_grad(arr(logits), arr(target)))
    for k in range(3):
        moved = logits[0].astype(complex)
        moved[k] += 1e-30j
        value = np.log(np.exp(moved).sum()) - (target[0] * moved).sum()
        assert grad[0, k] == pytest.approx(value.imag / 1e-30, rel=1e-12)


def test_squared_error(arr):
    assert to_numpy(networks.squared_error(arr([[1.0, 2.0]]), arr([[0.0, 4.0]]))).tolist() == [5.0]


def test_reconstruction_and_denoising(arr):
    W, b = np.array([[0.5, 0.0], [0.25, 1.0]]), np.array([0.0, 1.0])
    x, noise = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[0.5, -1.0], [0.0, 2.0]])
    layers = [Dense(arr(W), arr(b))]
    plain = networks.reconstruction_error(layers, arr(x), activations=("identity",))
    assert np.allclose(to_numpy(plain), ((x @ W + b - x) ** 2).sum(axis=1))
    noisy = networks.denoising_error(layers, arr(x), arr(noise), activations=("identity",))
    assert np.allclose(to_numpy(noisy), (((x + noise) @ W + b - x) ** 2).sum(axis=1))


def test_correlation_against_scipy_and_as_a_dense_layer(arr):
    images, kernel = RNG.normal(size=(4, 5, 3)), RNG.normal(size=(2, 3))
    y = to_numpy(networks.correlate(arr(images), arr(kernel)))
    assert y.shape == (4, 4, 1)
    for n in range(4):
        assert np.allclose(y[n], signal.correlate2d(images[n], kernel, mode="valid"), rtol=1e-12)
    W = to_numpy(networks.correlation_layer(arr(kernel), shape=(5, 3)))
    assert np.allclose(images.reshape(4, -1) @ W, y.reshape(4, -1), rtol=1e-12)
    assert np.count_nonzero(W) == 4 * kernel.size  # sparse, and each weight is shared by all places


def test_interpolant_goes_through_its_points(arr):
    knots, values = np.array([-1.0, 0.5, 0.75, 2.0]), np.array([0.0, 3.0, -1.0, -1.0])
    layers = networks.relu_interpolant(arr(knots), arr(values))
    x = np.linspace(-1, 2, 37)
    y = networks.mlp_forward(layers, arr(x[:, None]), activations=("relu", "identity"))[-1]
    assert np.allclose(to_numpy(y)[:, 0], np.interp(x, knots, values), atol=1e-12)


ONE = Dense(np.ones((2, 1)), np.zeros(1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: networks.dense(ONE, np.ones((3, 1)), activation="relu"), "x must have shape"),
        (
            lambda: networks.dense(Dense(ONE.W, np.zeros(2)), np.ones((3, 2)), activation="relu"),
            "layer.b must",
        ),
        (lambda: networks.dense(ONE, np.ones((3, 2)), activation="step"), "activation must be one of"),
        (lambda: networks.activation_grad(np.ones(2), activation="step"), "activation must be one of"),
        (lambda: networks.mlp_forward([ONE], np.ones((3, 2)), activations=()), "one activation per layer"),
        (lambda: networks.softmax_cross_entropy(np.zeros((1, 2)), np.ones((1, 2))), "target must sum to one"),
        (lambda: networks.squared_error(np.zeros((1, 2)), np.ones((2, 2))), "target must have shape"),
        (lambda: networks.correlate(np.zeros((1, 2, 2)), np.ones((3, 1))), "kernel must fit"),
        (lambda: networks.relu_interpolant(np.zeros(2), np.ones(2)), "strictly ascending"),
        (
            lambda: networks.denoising_error([ONE], np.ones((1, 2)), np.ones(2), activations=("relu",)),
            "noise must",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
