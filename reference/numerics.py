"""Stable elementary functions: everything that touches an exponential or a logarithm of a sum."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..backends.arrays import Array, array_namespace
from .contracts import Floats, checked

Axis = int | tuple[int, ...] | None


@checked
def sigmoid(x: Floats[Array, "*S"]) -> Floats[Array, "*S"]:
    r"""Return :math:`\sigma(x) = 1/(1+e^{-x})` without overflow.  [BA] eq. 5

    Exactness: exact to rounding, in relative terms also in the left tail.
    """
    xp = array_namespace(x)
    e = xp.exp(-xp.abs(x))
    # The numerator is 1 from zero on and e below it; a where in its place branches, at five times the time.
    return xp.maximum(e, xp.astype(x >= 0, e.dtype)) / (1 + e)


@checked
def softplus(x: Floats[Array, "*S"]) -> Floats[Array, "*S"]:
    r"""Return :math:`\log(1+e^x)` without overflow; its derivative is ``sigmoid``.  [BP] eq. 41

    Exactness: exact to rounding.
    """
    xp = array_namespace(x)
    return xp.maximum(x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))


@checked
def log_sigmoid(x: Floats[Array, "*S"]) -> Floats[Array, "*S"]:
    r"""Return :math:`\log\sigma(x) = -\mathrm{softplus}(-x)`.

    Exactness: exact to rounding.
    """
    return -softplus(-x)


@checked
def log_sum_exp(x: Floats[Array, "..."], *, axis: Axis = None) -> Floats[Array, "..."]:
    r"""Return :math:`\log\sum e^{x}` over ``axis``, all axes by default; minus infinity if all of x is.

    Exactness: exact to rounding.
    """
    xp = array_namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
    # log(0) is the wanted minus infinity, but NumPy warns of it; take the logarithm of a positive stand-in.
    empty = total == 0
    log_total = xp.log(xp.where(empty, xp.ones_like(total), total)) + top
    log_total = xp.where(empty, xp.full_like(total, -float("inf")), log_total)
    return xp.squeeze(log_total, axis=_axes(x, axis))


@checked
def log_mean_exp(x: Floats[Array, "..."], *, axis: Axis = None) -> Floats[Array, "..."]:
    r"""Return :math:`\log\frac1K\sum_{k=1}^K e^{x_k}` over ``axis`` (the log K is not forgotten).

    Exactness: exact to rounding.
    """
    total = log_sum_exp(x, axis=axis)
    return total - math.log(math.prod(x.shape[a] for a in _axes(x, axis)))


@checked
def x_log_y(x: Floats[Array, "*#S"], y: Floats[Array, "*#S"]) -> Floats[Array, "*#S"]:
    r"""Return :math:`x\log y` with :math:`0\log 0 := 0`; minus infinity where :math:`x>0=y`.  [SH] 2.3

    Exactness: exact to rounding.
    """
    xp = array_namespace(x, y)
    zero = y == 0
    log_y = xp.where(zero, xp.full_like(y, -float("inf")), xp.log(xp.where(zero, xp.ones_like(y), y)))
    absent = x == 0
    # inf * 0 is NaN: multiply only where x > 0.
    return xp.where(absent, xp.zeros_like(x * y), x * xp.where(absent, xp.zeros_like(log_y), log_y))


def _axes(x: Array, axis: Axis) -> Sequence[int]:
    if axis is None:
        return tuple(range(x.ndim))
    return (axis,) if isinstance(axis, int) else axis
