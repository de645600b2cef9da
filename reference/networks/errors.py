"""Errors of a net's output, row by row, with their gradients: [AL] 1.2."""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..arguments import check_array, check_floating, check_law, check_shape
from ..distributions import log_softmax
from .layers import softmax
from .nets import Net, Parameters, forward


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


def reconstruction_error(net: Net, theta: Parameters, x: Array) -> Array:
    r"""Return :math:`\|f(x) - x\|^2`, row by row.      [AL] eq. 1.14

    Shapes: x (n, d) -> (n,).   Exactness: exact.
    """
    return squared_error(forward(net, theta, x)[-1], x)


def denoising_error(net: Net, theta: Parameters, x: Array, noise: Array) -> Array:
    r"""Return :math:`\|f(x + \mathrm{noise}) - x\|^2`, row by row: the target is the clean x.

    [AL] eq. 1.15.
    Shapes: x and noise (n, d) -> (n,).   Exactness: exact.
    """
    array_namespace(x, noise)
    check_array("noise", noise, *x.shape, like=x)
    return squared_error(forward(net, theta, x + noise)[-1], x)


def _check_errors(y: Array, target: Array) -> None:
    check_array("y", y, None, None)
    check_array("target", target, *y.shape, like=y)


def _check_targets(logits: Array, target: Array) -> None:
    check_shape("logits", logits, None, None)
    check_shape("target", target, *logits.shape)
    check_floating("target", target, like=logits)
    check_law("target", target)
