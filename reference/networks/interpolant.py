"""A net through given points: universal approximation made explicit, [SH] 2.2."""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..contracts import Own, Real, checked
from .layers import Dense


@checked
def relu_interpolant(knots: Real[Array, "m"], values: Real[Array, "m"]) -> tuple[Dense, Own[Dense, "last_"]]:
    r"""Return the one-hidden-layer network through the points: one rectifier per interval, a linear output.

    [SH] 2.2, universal approximation made explicit: the sup error to an L-Lipschitz function between
    the knots is at most L h / 2, with h the widest interval.
    The parameters of ``mlp("relu", "identity")``: Dense (1, m - 1), Dense (m - 1, 1); knots ascend.
    Exactness: exact at the knots, linear between them.
    """
    xp = array_namespace(knots, values)
    if knots.shape[0] < 2 or not bool(xp.all(knots[1:] > knots[:-1])):
        raise ValueError("knots must be at least two, strictly ascending")
    slopes = (values[1:] - values[:-1]) / (knots[1:] - knots[:-1])
    bends = xp.concat([slopes[:1], slopes[1:] - slopes[:-1]])
    return Dense(xp.ones_like(slopes)[None, :], -knots[:-1]), Dense(bends[:, None], values[:1])
