r"""Nets: :math:`f_L(\dots f_1(x))` of layers, differentiated by the chain rule.      [SH] 2.2, [AL] fig. 1.1

    net = (Correlation(stride=2), LeakyRectifier(0.2), Reshape((-1,)), FullyConnected(), Softmax())
    theta = (Kernel(K, b), Dense(W, c))                     of the layers that have parameters, in order
    values = forward(net, theta, x)                         x, the hidden values and the output
    gradient, dx = pullback(net, theta, values, dy)         backpropagation

``TABLE`` holds an instance or more of every kind of layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ..contracts import Choice, Real, Tree, checked
from ..trees import scale
from .images import Correlation, Kernel, MaxPool, MeanPool
from .layers import (
    ACTIVATIONS,
    Dense,
    FullyConnected,
    Layer,
    LeakyRectifier,
    Reshape,
    Same,
    Softmax,
    Tanh,
)
from .normalisation import BatchNorm, BatchNormAt, Normalisation, Scale

Net: TypeAlias = Sequence[Layer]
Activation: TypeAlias = Choice[str, "identity", "sigmoid", "tanh", "relu", "softplus"]
Parameters: TypeAlias = Tree[tuple[Any, ...], "theta"]
"""The parameters of the layers that have some, in order: a tree, and so is its gradient."""

Values: TypeAlias = Sequence[Real[Array, "n ..."]]


@checked
def mlp(*activations: Activation) -> tuple[Layer, ...]:
    """Return the net of fully connected layers with these activations, each a layer of its own.

    The values after every second layer are those of [SH] 2.2's :math:`f_i(u) = g(W_i u + b_i)`.
    """
    return tuple(layer for name in activations for layer in (FullyConnected(), ACTIVATIONS[name]))


@checked
def forward(net: Net, theta: Parameters, x: Real[Array, "n ..."]) -> tuple[Array, ...]:
    r"""Return the input, the hidden values and the output, one more than layers.      [AL] 1.2.2

    Forward propagation.   Exactness: exact.
    Raises: ValueError where a layer does not take what the one before gives, or theta is of another net.
    """
    values = [x]
    for layer, part in _pairs(net, theta):
        values.append(layer.values(part, values[-1]))
    return tuple(values)


@checked
def pullback(
    net: Net, theta: Parameters, values: Values, dy: Real[Array, "n ..."]
) -> tuple[Parameters, Array]:
    """Return the gradient of sum(dy * y) by the parameters, summed over rows, and by the input.

    Backward propagation, from the last layer to the first.      [AL] 1.2.3, eq. 1.13
    ``values`` are from ``forward``, dy is like the last of them.   Exactness: exact.
    """
    gradients = []
    for layer, part, x, y in _backward(net, theta, values):
        gradient, dy = layer.pullback(part, x, y, dy)
        if layer.has_parameters:
            gradients.append(gradient)
    return tuple(reversed(gradients)), dy


@checked
def pushforward(
    net: Net, theta: Parameters, values: Values, dtheta: Parameters, dx: Real[Array, "n ..."]
) -> Real[Array, "n ..."]:
    """Return the derivative of the output along a direction of parameters and input: forward mode.

    ``values`` are from ``forward``, dtheta and dx like theta and x.   Exactness: exact.
    """
    _check_values(net, values)
    parts = zip(_pairs(net, theta), _pairs(net, dtheta), pairwise(values), strict=True)
    for (layer, part), (_, along), (x, y) in parts:
        dx = layer.pushforward(part, x, y, along, dx)
    return dx


@checked
def squared_norms(net: Net, theta: Parameters, values: Values, dy: Real[Array, "n ..."]) -> Parameters:
    r"""Return :math:`\|\partial L_n / \partial\theta\|^2` of each row's loss, field by field of theta.

    No row's gradient is made.      [AL] 7.3.3, proposition 3, and its like for correlation
    ``values`` are from ``forward``, dy is the gradient of L_1 + ... + L_n by the output.  Each field is (n,);
    the sum of all fields is the squared norm of the whole gradient.   Exactness: exact.
    Raises: ValueError where a layer mixes rows, as batch normalisation does in training.
    """
    for k, layer in enumerate(net):
        if layer.mixes_rows():
            raise ValueError(
                f"rows interact in layer {k}, {layer}, so none has a gradient of its own: "
                "norms of per-example gradients are those of the evaluation mode"
            )
    norms = []
    for layer, part, x, y in _backward(net, theta, values):
        if layer.has_parameters:
            norms.append(layer.squared_norms(part, x, y, dy))
        _, dy = layer.pullback(part, x, y, dy)
    return tuple(reversed(norms))


@checked
def jacobian(net: Net, theta: Parameters, x: Real[Array, "n ..."]) -> Real[Array, "n inputs outputs"]:
    r"""Return :math:`\partial y_o / \partial x_i` of each row, flattened: forward mode along every input.

    That of a correlation is the weights of the dense layer that it is: shared, and mostly zero.   [AL] 1.2.2
    Exactness: exact where no layer mixes rows.
    Cost: as many forward passes as there are inputs.
    """
    xp, n, shape = array_namespace(x), x.shape[0], x.shape[1:]
    units = xp.eye(prod(shape), dtype=x.dtype, device=x.device)
    rows, directions = (
        xp.reshape(xp.broadcast_to(part, (n, prod(shape), *shape)), (-1, *shape))
        for part in (x[:, None, ...], xp.reshape(units, (1, -1, *shape)))
    )
    dy = pushforward(net, theta, forward(net, theta, rows), scale(0, theta), directions)
    return xp.reshape(dy, (n, prod(shape), -1))


@dataclass(frozen=True)
class Residual(Layer):
    """y = x + f(x) of a net f whose output has the shape of its input; theta is that of the net."""

    net: tuple[Layer, ...]
    has_parameters = True

    def mixes_rows(self) -> bool:
        return any(layer.mixes_rows() for layer in self.net)

    def values(self: Residual, theta: Parameters, x: Same) -> Same:
        change = forward(self.net, theta, x)[-1]
        if change.shape != x.shape:
            raise ValueError(f"f(x) must have the shape of x, {tuple(x.shape)}, got {tuple(change.shape)}")
        return x + change

    def pullback(self: Residual, theta: Parameters, x: Same, y: Same, dy: Same) -> tuple[Parameters, Same]:
        dtheta, dx = pullback(self.net, theta, forward(self.net, theta, x), dy)
        return dtheta, dy + dx

    def pushforward(
        self: Residual, theta: Parameters, x: Same, y: Same, dtheta: Parameters, dx: Same
    ) -> Same:
        return dx + pushforward(self.net, theta, forward(self.net, theta, x), dtheta, dx)

    def squared_norms(self: Residual, theta: Parameters, x: Same, y: Same, dy: Same) -> Parameters:
        return squared_norms(self.net, theta, forward(self.net, theta, x), dy)


class Row(NamedTuple):
    """An instance of a kind, and what it takes: the tests differentiate it there."""

    layer: Layer
    inputs: tuple[int, ...]  # the shape of a row of x
    parameters: Any  # theta, with the shape of each array in its place


TABLE: tuple[Row, ...] = (
    Row(FullyConnected(), (3,), Dense((3, 2), (2,))),
    Row(Correlation(), (4, 3, 2), Kernel((2, 3, 2, 3), (3,))),
    Row(Correlation(stride=2, padding=1), (4, 5, 2), Kernel((3, 2, 2, 3), (3,))),
    Row(Correlation(stride=3), (5, 4, 1), Kernel((1, 2, 1, 2), (2,))),
    Row(MeanPool((2, 2), stride=2), (4, 5, 2), ()),
    Row(MeanPool((3, 2), stride=1), (4, 3, 1), ()),
    Row(MaxPool((2, 2), stride=2), (4, 5, 2), ()),
    Row(MaxPool((2, 3), stride=1), (3, 4, 1), ()),
    *(Row(layer, (3,), ()) for layer in ACTIVATIONS.values()),
    Row(LeakyRectifier(0.2), (2, 3), ()),
    Row(Softmax(), (4,), ()),
    Row(Softmax(), (2, 3), ()),
    Row(Reshape((-1,)), (2, 3, 1), ()),
    Row(Reshape((3, 2)), (6,), ()),
    Row(Residual((FullyConnected(), Tanh())), (3,), (Dense((3, 3), (3,)),)),
    Row(BatchNorm(0.1), (3,), Scale((3,), (3,))),
    Row(BatchNorm(0.01), (2, 3, 2), Scale((2,), (2,))),
    Row(BatchNormAt(0.1), (3,), Normalisation((3,), (3,), (3,), (3,))),
    Row(BatchNormAt(0.01), (2, 3, 2), Normalisation((2,), (2,), (2,), (2,))),
)
"""Every kind of layer."""


# --- what the verbs share ---------------------------------------------------------------------------------


def _pairs(net: Net, theta: Parameters) -> list[tuple[Layer, Any]]:
    """Return each layer with its parameters, or with () where it has none."""
    wanted = sum(layer.has_parameters for layer in net)
    if not net or len(theta) != wanted:
        raise ValueError(
            f"theta must hold the parameters of the net's {wanted} layers that have some, of {len(net)} in "
            f"all, got {len(theta)}"
        )
    parts = iter(theta)
    return [(layer, next(parts) if layer.has_parameters else ()) for layer in net]


def _backward(
    net: Net, theta: Parameters, values: Sequence[Array]
) -> Iterator[tuple[Layer, Any, Array, Array]]:
    """Yield (layer, parameters, its input, its output), the last layer first."""
    _check_values(net, values)
    pairs = zip(_pairs(net, theta), pairwise(values), strict=True)
    return ((layer, part, x, y) for (layer, part), (x, y) in reversed(list(pairs)))


def _check_values(net: Net, values: Sequence[Array]) -> None:
    if len(values) != len(net) + 1:
        raise ValueError(f"values must be the {len(net) + 1} arrays of forward, got {len(values)}")
