r"""Laws of independent bits: :math:`\prod_i p_i^{x_i} (1 - p_i)^{1 - x_i}`, many at a time, over all states.

The states of the units are products of two halves' states, so a sum over them is a matrix product of two
narrow tables, and no table of all states of many laws is made.
"""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..boltzmann.partition import law_of_bits
from ..contracts import Prob, Real, checked
from ..numerics import log_sigmoid, sigmoid
from ..states import binary_states, check_enumerable


@checked
def log_bits(x: Real[Array, "n V"], logits: Real[Array, "m V"]) -> Real[Array, "n m"]:
    r"""Return :math:`\sum_i \log P(x_i)` of each row of bits under each row of logits.

    Exactness: exact to rounding.
    """
    xp = array_namespace(x, logits)
    # log sigmoid(l) = -log(1 + e^-l), and log sigmoid(-l) = log sigmoid(l) - l.
    on = xp.minimum(logits, xp.zeros_like(logits)) - xp.log1p(xp.exp(-xp.abs(logits)))
    return x @ xp.matrix_transpose(logits) + xp.sum(on - logits, axis=1)


@checked
def log_bits_of_rows(x: Prob[Array, "n V"], logits: Real[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return :math:`\sum_i \log P(x_i)` of each row of bits under its own row of logits.

    It is linear in x: of means it is the expectation over their bits.   Exactness: exact to rounding.
    """
    return array_namespace(x, logits).sum(x * log_sigmoid(logits) + (1 - x) * log_sigmoid(-logits), axis=1)


@checked
def law_of_means(means: Prob[Array, "n H"], weights: Real[Array, "n"]) -> Real[Array, "2**H"]:
    r"""Return :math:`\sum_n w_n \prod_j m_{nj}^{h_j} (1 - m_{nj})^{1 - h_j}` of all h: a mixture of products.

    [AO] eq. 11 for a factorised inference q(h | x), eq. 26 for that of an RBM.
    Exactness: exact to rounding.
    """
    xp = array_namespace(means, weights)
    check_enumerable("the hidden layer", (2,) * means.shape[1])
    on = xp.matrix_transpose(means)
    first, second = half_laws(1 - on, on)
    return xp.reshape((first * weights) @ xp.matrix_transpose(second), (-1,))


@checked
def logit_grad(logits: Real[Array, "n H"], f: Real[Array, "2**H"]) -> Real[Array, "n H"]:
    r"""Return the gradient of :math:`\sum_h f(h) \prod_j q(h_j)` by the logits of q, row by row.

    It is :math:`\mathbb{E}_q[f(h) (h_j - q(h_j = 1))]`.
    Exactness: exact to rounding.
    """
    xp = array_namespace(logits, f)
    x = xp.matrix_transpose(logits)
    on = sigmoid(x)
    return xp.matrix_transpose(mean_errors(square(f, x.shape[0]), on, *half_laws(sigmoid(-x), on)))


def half_laws(off: Array, on: Array) -> tuple[Array, Array]:
    """Return the laws of the first and the second half of the units, unchecked.

    Shapes: off, on (units, m) -> (2^K, m), (2^K', m).   Exactness: exact to rounding.
    """
    half = halves(on.shape[0])[0]
    return law_of_bits(off[:half, :], on[:half, :]), law_of_bits(off[half:, :], on[half:, :])


def mean_errors(f: Array, on: Array, first: Array, second: Array) -> Array:
    r"""Return :math:`\sum_x f(x) P(x) (x_i - P(x_i = 1))` of m product laws, unchecked.

    Shapes: f as ``square`` gives it, on (units, m), first and second from ``half_laws`` -> (units, m).
    """
    xp = array_namespace(f, on)
    of_first, of_second = first * (f @ second), second * (xp.matrix_transpose(f) @ first)
    bits = [xp.matrix_transpose(binary_states(n, like=on)) for n in halves(on.shape[0])]
    return xp.concat([bits[0] @ of_first, bits[1] @ of_second], axis=0) - on * xp.sum(of_first, axis=0)


def halves(units: int) -> tuple[int, int]:
    """Return how many units the first and the second half have."""
    return units - units // 2, units // 2


def square(f: Array, units: int) -> Array:
    """Return f (2^units,) as a table of the states of the two halves, unchecked."""
    return array_namespace(f).reshape(f, tuple(2**n for n in halves(units)))
