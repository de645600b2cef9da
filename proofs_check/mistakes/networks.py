"""Mistakes in layers, in backpropagation, and in the errors of networks."""

from __future__ import annotations

import math
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference.boltzmann import partition
from ...reference.networks import errors, interpolant, layers, nets
from ...reference.networks.images import Correlation
from ...reference.networks.layers import Dense, FullyConnected
from ...reference.states import binary_states
from . import mistake
from .patterns import given, instead, negated, returning, scaled, without

KINDS = (layers.Logistic, layers.Tanh, layers.Rectifier, layers.Softplus)
"""The activations that change something."""

# --- layers and nets


def _bias_last(right: Any, net: Any, theta: Any, x: Array) -> tuple[Array, ...]:
    *before, last = right(net, tuple(without("b")(part) for part in theta), x)
    return (*before, last + theta[-1].b)


def _activations_reversed(right: Any, net: Any, theta: Any, x: Array) -> Any:
    return right(tuple(layer for pair in zip(net[::2], net[::-2], strict=True) for layer in pair), theta, x)


def _first_skipped(right: Any, net: Any, theta: Any, x: Array) -> tuple[Array, ...]:
    return (x, x, *right(net, theta, x)[3:])


def _first_alone(right: Any, net: Any, theta: Any, x: Array) -> Any:
    return right(net[:1], theta[:1], x)


def _flipped(right: Any, self: Correlation, theta: Any, x: Array) -> Array:
    return right(self, theta._replace(K=array_namespace(x).flip(theta.K, axis=(0, 1))), x)


def _unshared(right: Any, net: Any, theta: Any, x: Array) -> Array:
    W, xp = right(net, theta, x), array_namespace(x)
    return W * xp.arange(1, W.shape[1] + 1, dtype=W.dtype)[None, :, None]


mistake(
    "bias-forgotten: The bias is left out.",
    {FullyConnected.values: lambda right, self, theta, x: right(self, without("b")(theta), x)},
)
mistake("bias-after-activation: The bias is added after the activation.", {nets.forward: _bias_last})
mistake(
    "activations-forgotten: The layers are linear.",
    {kind.values: lambda right, self, theta, x: x for kind in KINDS},
)
mistake(
    "activations-reversed: Activations are taken from last to first.", {nets.forward: _activations_reversed}
)
mistake("first-layer-skipped: The first layer is skipped.", {nets.forward: _first_skipped})
mistake("first-layer-alone: The layers after the first are dropped.", {nets.forward: _first_alone})
mistake(
    "outputs-squared: The activation is not monotone.",
    {nets.forward: returning(lambda values: tuple(y**2 for y in values))},
)
mistake(
    "kernel-flipped: The kernel is flipped, as signal processing convolves.", {Correlation.values: _flipped}
)
mistake("weights-not-shared: Every pixel has weights of its own.", {nets.jacobian: _unshared})
mistake(
    "pixels-reversed: The pixels are in reverse order.",
    {nets.jacobian: returning(lambda W: array_namespace(W).flip(W, axis=1))},
)

# --- backpropagation

mistake(
    "rows-averaged: The gradient is averaged over rows, not summed.",
    {nets.pullback: lambda right, net, theta, values, dy: right(net, theta, values, dy / dy.shape[0])},
)
mistake(
    "slopes-forgotten: The derivatives of the activations are left out.",
    {kind.slope: lambda right, self, x, y: array_namespace(x).ones_like(x) for kind in KINDS},
)
mistake(
    "gradients-reversed: The gradients are in the order in which they were found, from last to first.",
    {nets.pullback: returning(lambda found: (found[0][::-1], found[1]))},
)

# --- errors


def _slopes_for_bends(right: Any, knots: Array, values: Array) -> tuple[Dense, Dense]:
    slopes = (values[1:] - values[:-1]) / (knots[1:] - knots[:-1])
    return right(knots, values)[0], Dense(slopes[:, None], values[:1])


def _noisy_target(right: Any, net: Any, theta: Any, x: Array, noise: Array) -> Array:
    return errors.reconstruction_error(net, theta, x + noise)


mistake(
    "softmax-not-normalised: The exponentials are not normalised.",
    {layers.softmax: instead(lambda v: array_namespace(v).exp(v))},
)
mistake("powers-of-two: The softmax is of powers of two.", {layers.softmax: given(lambda v: v * math.log(2))})
mistake(
    "cross-entropy-of-wrong-sign: The loss is the mean log-probability.",
    {errors.softmax_cross_entropy: negated()},
)
mistake("norm-for-its-square: The norm is not squared.", {errors.squared_error: returning(lambda e: e**0.5)})
mistake(
    "units-averaged: Squared errors are averaged over units.",
    {errors.squared_error: scaled(lambda y, target: 1 / y.shape[1])},
)
mistake(
    "cosine-of-the-error: The error is not convex in the output.",
    {errors.squared_error: returning(lambda e: array_namespace(e).cos(e))},
)
mistake("noisy-target: The noisy input is the target.", {errors.denoising_error: _noisy_target})
mistake(
    "noise-missing: No noise is added.",
    {errors.denoising_error: lambda right, net, theta, x, noise: right(net, theta, x, 0 * noise)},
)
mistake(
    "noise-on-the-target: The noise is added to the target, not to the input.",
    {errors.denoising_error: lambda right, net, theta, x, noise: right(net, theta, x + noise, -noise)},
)

# --- universal approximation

mistake(
    "slopes-for-bends: Units have the slopes of their intervals, not the changes of slope.",
    {interpolant.relu_interpolant: _slopes_for_bends},
)
mistake(
    "interpolant-from-zero: The interpolant starts at zero.",
    {interpolant.relu_interpolant: returning(lambda found: (found[0], without("b")(found[1])))},
)

# --- the graph of a deep model


def _coupled(table: Array, axis: int) -> Array:
    xp, units = array_namespace(table), table.shape[axis].bit_length() - 1
    x = binary_states(units, like=table)
    pairs = x[:, 0] * x[:, -1] if units > 1 else 0 * x[:, 0]
    return table + (pairs[:, None] if axis == 0 else xp.reshape(pairs, (1, -1)))


mistake(
    "visible-units-coupled: Two visible units of a machine are linked.",
    {partition.log_joint_table: returning(lambda table: _coupled(table, 0))},
)
mistake(
    "hidden-units-coupled: Two hidden units of a machine are linked.",
    {partition.log_joint_table: returning(lambda table: _coupled(table, 1))},
)
