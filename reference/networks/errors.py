"""Errors of a net's output, row by row, with their gradients: [AL] 1.2."""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..contracts import Law, LogWeights, Real, checked
from ..distributions import log_softmax
from .layers import softmax
from .nets import Net, Parameters, forward


@checked
def softmax_cross_entropy(logits: LogWeights[Array, "n K"], target: Law[Array, "n K"]) -> Array:
    r"""Return :math:`H(t, \mathrm{softmax}(v)) = -\sum_k t_k \log \mathrm{softmax}(v)_k`, row by row: (n,).

    [AL] 1.2.2.   Exactness: exact; infinite where a logit is minus infinity and its target positive.
    """
    xp = array_namespace(logits, target)
    log_p = log_softmax(logits)
    return -xp.sum(target * xp.where(target > 0, log_p, xp.zeros_like(log_p)), axis=-1)


@checked
def softmax_cross_entropy_grad(
    logits: LogWeights[Array, "n K"], target: Law[Array, "n K"]
) -> Real[Array, "n K"]:
    """Return the gradient of each row's loss by its logits: softmax(v) - t.   Exactness: exact."""
    return softmax(logits) - target


@checked
def squared_error(y: Real[Array, "n K"], target: Real[Array, "n K"]) -> Real[Array, "n"]:
    r"""Return :math:`\|y - t\|^2`, row by row.      [AL] 1.2.2, eq. 1.14

    Exactness: exact.
    """
    return array_namespace(y, target).sum((y - target) ** 2, axis=-1)


@checked
def squared_error_grad(y: Real[Array, "n K"], target: Real[Array, "n K"]) -> Real[Array, "n K"]:
    """Return the gradient of each row's squared error with respect to its output: 2 (y - t).

    Exactness: exact.
    """
    return 2 * (y - target)


@checked
def reconstruction_error(net: Net, theta: Parameters, x: Real[Array, "n d"]) -> Real[Array, "n"]:
    r"""Return :math:`\|f(x) - x\|^2`, row by row.      [AL] eq. 1.14

    Exactness: exact.
    """
    return squared_error(forward(net, theta, x)[-1], x)


@checked
def denoising_error(
    net: Net, theta: Parameters, x: Real[Array, "n d"], noise: Real[Array, "n d"]
) -> Real[Array, "n"]:
    r"""Return :math:`\|f(x + \mathrm{noise}) - x\|^2`, row by row: the target is the clean x.   [AL] eq. 1.15

    Exactness: exact.
    """
    return squared_error(forward(net, theta, x + noise)[-1], x)
