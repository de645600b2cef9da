"""Feed-forward networks with hand-derived gradients: [SH] 2.2, [AL] 1.2.

Rows are samples, so a layer is :math:`s(H W + b)` with W (inputs, outputs) as in [AL]; [SH] transposes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..backends.arrays import Array, array_namespace
from .arguments import check_array, check_choice, check_floating, check_law, check_shape
from .distributions import log_softmax
from .numerics import sigmoid, softplus

ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "softplus")


class Dense(NamedTuple):
    """A fully connected layer; its gradient is a Dense too."""

    W: Array  # (inputs, outputs)
    b: Array  # (outputs,)


def activate(x: Array, *, activation: str) -> Array:
    """Return the activation of each entry.      [AL] 1.2.2

    Shapes: any, elementwise.   Exactness: exact.
    """
    xp = array_namespace(x)
    check_floating("x", x)
    check_choice("activation", activation, *ACTIVATIONS)
    if activation == "identity":
        return x
    if activation == "sigmoid":
        return sigmoid(x)
    if activation == "tanh":
        return xp.tanh(x)
    return xp.maximum(x, xp.zeros_like(x)) if activation == "relu" else softplus(x)


def activation_grad(y: Array, *, activation: str) -> Array:
    """Return s'(x) as a function of the output y = s(x); 0 at the kink of the rectifier.

    Shapes: any, elementwise.   Exactness: exact.
    """
    xp = array_namespace(y)
    check_floating("y", y)
    check_choice("activation", activation, *ACTIVATIONS)
    if activation == "identity":
        return xp.ones_like(y)
    if activation == "sigmoid":
        return y * (1 - y)
    if activation == "tanh":
        return 1 - y * y
    return xp.astype(y > 0, y.dtype) if activation == "relu" else -xp.expm1(-y)


def dense(layer: Dense, x: Array, *, activation: str) -> Array:
    r"""Return :math:`s(x W + b)`.      [AL] 1.2.2, [SH] 2.2

    Shapes: x (n, inputs) -> (n, outputs).   Exactness: exact.
    Raises: ValueError for shapes that do not chain, or an unknown activation.
    """
    _check_layer(layer, x)
    return activate(x @ layer.W + layer.b, activation=activation)


def dense_backward(layer: Dense, x: Array, y: Array, dy: Array, *, activation: str) -> tuple[Dense, Array]:
    """Return the gradient with respect to the layer, summed over rows, and with respect to its input.

    Shapes: x (n, inputs), y = dense(layer, x) and dy (n, outputs) -> Dense, (n, inputs).   Exactness: exact.
    Raises: ValueError for shapes that do not chain, or an unknown activation.
    """
    xp = array_namespace(x, y, dy)
    _check_layer(layer, x)
    for name, values in (("y", y), ("dy", dy)):
        check_array(name, values, x.shape[0], layer.W.shape[1], like=x)
    dz = dy * activation_grad(y, activation=activation)
    return Dense(xp.matrix_transpose(x) @ dz, xp.sum(dz, axis=0)), dz @ xp.matrix_transpose(layer.W)


def mlp_forward(layers: Sequence[Dense], x: Array, *, activations: Sequence[str]) -> tuple[Array, ...]:
    r"""Return the input, the hidden values and the output of :math:`f_L(\dots f_1(x))`.

    [SH] 2.2, [AL] fig. 1.1.
    Shapes: x (n, N1) -> L + 1 arrays (n, N1), ..., (n, N_{L+1}); the last one is the output.
    Exactness: exact.
    Raises: ValueError where the layers do not chain or there is not one activation per layer.
    """
    _check_activations(layers, activations)
    values = [x]
    for layer, activation in zip(layers, activations, strict=True):
        values.append(dense(layer, values[-1], activation=activation))
    return tuple(values)


def mlp_backward(
    layers: Sequence[Dense], values: Sequence[Array], dy: Array, *, activations: Sequence[str]
) -> tuple[Dense, ...]:
    """Return the gradient of every layer from that of the output, by the chain rule from last to first.

    [AL] 1.2.3, eq. 1.13.   Shapes: values from ``mlp_forward``, dy (n, N_{L+1}) -> one Dense per
    layer, summed over rows.   Exactness: exact.
    Raises: as ``mlp_forward``, and ValueError where ``values`` are not its L + 1 arrays.
    """
    _check_activations(layers, activations)
    if len(values) != len(layers) + 1:
        raise ValueError(f"values must be the {len(layers) + 1} arrays of mlp_forward, got {len(values)}")
    grads = []
    for k in reversed(range(len(layers))):
        grad, dy = dense_backward(layers[k], values[k], values[k + 1], dy, activation=activations[k])
        grads.append(grad)
    return tuple(reversed(grads))


def softmax(logits: Array) -> Array:
    r"""Return :math:`e^{v_i} / \sum_j e^{v_j}` over the last axis.      [AL] 1.2.2

    Shapes: (..., K) -> the same.   Exactness: exact, for logits of any size, minus infinity included.
    Raises: ValueError where the largest logit of a row is not finite.
    """
    return array_namespace(logits).exp(log_softmax(logits))


def softmax_cross_entropy(logits: Array, target: Array) -> Array:
    r"""Return :math:`H(t, \mathrm{softmax}(v)) = -\sum_k t_k \log \mathrm{softmax}(v)_k`, row by row.

    [AL] 1.2.2.
    Shapes: logits and target (n, K), rows of ``target`` are laws -> (n,).
    Exactness: exact; infinite where a logit is minus infinity and its target positive.
    """
    xp = array_namespace(logits, target)
    _check_targets(logits, target)
    log_p = log_softmax(logits)
    return -xp.sum(target * xp.where(target > 0, log_p, xp.zeros_like(log_p)), axis=-1)


def softmax_cross_entropy_grad(logits: Array, target: Array) -> Array:
    """Return the gradient of each row's loss with respect to its logits: softmax(v) - t.

    Shapes: logits and target (n, K) -> (n, K).   Exactness: exact.
    """
    _check_targets(logits, target)
    return softmax(logits) - target


def squared_error(y: Array, target: Array) -> Array:
    r"""Return :math:`\|y - t\|^2`, row by row.      [AL] 1.2.2, eq. 1.14

    Shapes: y and target (n, K) -> (n,).   Exactness: exact.
    """
    xp = array_namespace(y, target)
    _check_errors(y, target)
    return xp.sum((y - target) ** 2, axis=-1)


def squared_error_grad(y: Array, target: Array) -> Array:
    """Return the gradient of each row's squared error with respect to its output: 2 (y - t).

    Shapes: y and target (n, K) -> (n, K).   Exactness: exact.
    """
    _check_errors(y, target)
    return 2 * (y - target)


def reconstruction_error(layers: Sequence[Dense], x: Array, *, activations: Sequence[str]) -> Array:
    r"""Return :math:`\|f(x) - x\|^2`, row by row.      [AL] eq. 1.14

    Shapes: x (n, d) -> (n,).   Exactness: exact.
    """
    return squared_error(mlp_forward(layers, x, activations=activations)[-1], x)


def denoising_error(layers: Sequence[Dense], x: Array, noise: Array, *, activations: Sequence[str]) -> Array:
    r"""Return :math:`\|f(x + \mathrm{noise}) - x\|^2`, row by row: the target is the clean x.

    [AL] eq. 1.15.
    Shapes: x and noise (n, d) -> (n,).   Exactness: exact.
    """
    array_namespace(x, noise)
    check_array("noise", noise, *x.shape, like=x)
    return squared_error(mlp_forward(layers, x + noise, activations=activations)[-1], x)


def correlate(image: Array, kernel: Array) -> Array:
    r"""Return :math:`y_{rs} = \sum_{ij} k_{ij} x_{r+i,s+j}` where the kernel fits.

    Deep learning calls it convolution.      [AL] 1.2.2
    Shapes: image (n, R, S), kernel (h, w) -> (n, R-h+1, S-w+1).   Exactness: exact.
    """
    array_namespace(image, kernel)
    check_array("image", image, None, None, None, like=kernel)
    rows, columns = _valid(kernel, image.shape[1:])
    return sum(
        kernel[i, j] * image[:, i : i + rows, j : j + columns]
        for i in range(kernel.shape[0])
        for j in range(kernel.shape[1])
    )


def correlation_layer(kernel: Array, *, shape: tuple[int, int]) -> Array:
    """Return the weights of the dense layer that correlates flattened images: shared and sparse.

    Doubly Toeplitz.      [AL] 1.2.2
    Shapes: kernel (h, w), shape (R, S) -> (R S, (R-h+1) (S-w+1)).   Exactness: exact.
    """
    xp = array_namespace(kernel)
    rows, columns = _valid(kernel, shape)
    pixels = xp.eye(shape[0] * shape[1], dtype=kernel.dtype, device=kernel.device)
    images = xp.reshape(pixels, (-1, *shape))  # a linear map is known by what it does to the unit images
    return xp.reshape(correlate(images, kernel), (-1, rows * columns))


def relu_interpolant(knots: Array, values: Array) -> tuple[Dense, Dense]:
    r"""Return the one-hidden-layer network through the points: one rectifier per interval, a linear output.

    [SH] 2.2, universal approximation made explicit: the sup error to an L-Lipschitz function between
    the knots is at most L h / 2, with h the widest interval.
    Shapes: knots (m,) ascending, values (m,) -> Dense (1, m - 1), Dense (m - 1, 1), of
    activations relu and identity.
    Exactness: exact at the knots, linear between them.
    """
    xp = array_namespace(knots, values)
    check_array("knots", knots, None)
    check_array("values", values, *knots.shape, like=knots)
    if knots.shape[0] < 2 or not bool(xp.all(knots[1:] > knots[:-1])):
        raise ValueError("knots must be at least two, strictly ascending")
    slopes = (values[1:] - values[:-1]) / (knots[1:] - knots[:-1])
    bends = xp.concat([slopes[:1], slopes[1:] - slopes[:-1]])
    return Dense(xp.ones_like(slopes)[None, :], -knots[:-1]), Dense(bends[:, None], values[:1])


def _valid(kernel: Array, shape: tuple[int, ...]) -> tuple[int, int]:
    check_array("kernel", kernel, None, None)
    rows, columns = shape[0] - kernel.shape[0] + 1, shape[1] - kernel.shape[1] + 1
    if min(rows, columns) < 1:
        raise ValueError(f"kernel must fit into the image {tuple(shape)}, got shape {tuple(kernel.shape)}")
    return rows, columns


def _check_layer(layer: Dense, x: Array) -> None:
    array_namespace(*layer, x)
    check_array("layer.W", layer.W, None, None)
    check_array("layer.b", layer.b, layer.W.shape[1], like=layer.W)
    check_array("x", x, None, layer.W.shape[0], like=layer.W)


def _check_activations(layers: Sequence[Dense], activations: Sequence[str]) -> None:
    if len(activations) != len(layers) or not layers:
        raise ValueError(
            f"one activation per layer is wanted, got {len(activations)} for {len(layers)} layers"
        )


def _check_errors(y: Array, target: Array) -> None:
    check_array("y", y, None, None)
    check_array("target", target, *y.shape, like=y)


def _check_targets(logits: Array, target: Array) -> None:
    check_shape("logits", logits, None, None)
    check_shape("target", target, *logits.shape)
    check_floating("target", target, like=logits)
    check_law("target", target)
