"""The exact log partition function of an RBM, its marginals and mean statistics, by summing over one layer.

Summing v out leaves one weight per hidden state, a product over visible units: with the inputs of unit i split over
two halves of the hidden units, h = (g, h'), into a_i(g) + d_i(h'),

    sum_v e^{-E(v, h)} = e^{c h} prod_i (1 + e^{a_i + d_i}).

Written out, that costs one exponential for each of the V 2^H pairs. Here it is a batch of matrix products instead.
With x = x⁺ - x⁻ split into positive and negative part,

    1 + e^{a + d} = e^{a⁺ + d⁺} (e^{-a⁺} e^{-d⁺} + e^{-a⁻} e^{-d⁻}),

and multiplying out the brackets of a group of three units gives an inner product of two vectors of 2^3 entries, one
that knows g only and one that knows h' only (``law_of_bits``): a matrix product for all pairs (g, h') at once.

A bracket is at most 2, and at least e^{-|d|} because one of e^{-a⁺}, e^{-a⁻} is 1. So units are packed into runs whose
product can neither overflow nor underflow, whatever the states, with one logarithm per run; a unit with couplings too
large even for a run of its own goes the direct way, through ``softplus``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from ...backends.arrays import Array, array_namespace, to_numpy
from ..numerics import log_sum_exp, sigmoid, softplus
from ..states import binary_states, check_enumerable, state_blocks
from .rbm import RBM, check_rbm, visible_input

MAX_UNITS = 28
"""The smaller layer may have this many units: some minutes of work at 784 units in the other."""

# Tuned on one core with 1 MB of second-level cache; a wrong choice costs time, never digits.
_GROUP = 3  # visible units per inner product
_RUN = 16 * _GROUP  # at most so many units under one logarithm: a product of brackets stays below 2^48
_ROWS = 128  # states of either half per block
_SECOND_HALF = 10  # hidden units in the second half, whose tables stay in memory


def log_joint_table(theta: RBM) -> Array:
    """Return log p(v, h) of every pair of states, in the order of ``binary_states``.      [BA] eq. 2

    Shapes: -> (2^V, 2^H).   Exactness: exact.   Cost: 2^(V + H) numbers.
    Raises: ValueError where the table has too many entries.
    """
    check_rbm(theta)
    xp = array_namespace(*theta)
    check_enumerable("the joint table", (2,) * sum(theta.W.shape))
    v, h = (binary_states(n, like=theta.W) for n in theta.W.shape)
    log_joint = (v @ theta.W + theta.c) @ xp.matrix_transpose(h) + (v @ theta.b)[:, None]
    return log_joint - log_sum_exp(log_joint)


def log_partition(theta: RBM) -> Array:
    r"""Return :math:`\log Z = \log\sum_{v,h} e^{-E(v, h)}`.      [BA] eq. 3

    Shapes: -> ().   Exactness: exact to rounding.
    Cost: 2^min(V, H) max(V, H) multiplications and additions, six times over, in matrix products; memory
    about 4 * 2^10 max(V, H) numbers, whatever the number of states.
    Raises: ValueError where both layers have more than ``MAX_UNITS`` units.
    """
    theta = _narrow_hidden(theta)
    blocks = [log_sum_exp(block) for block in _log_weights(theta)]
    return log_sum_exp(array_namespace(*theta).stack(blocks))


def marginal_hidden(theta: RBM) -> Array:
    """Return p(h) of every hidden state, in the order of ``binary_states``.

    Shapes: -> (2^H,).   Exactness: exact to rounding.   Cost: 2^H states, whatever V.
    Raises: ValueError where there are too many hidden units.
    """
    check_rbm(theta)
    check_enumerable("the hidden layer", (2,) * theta.W.shape[1])
    xp = array_namespace(*theta)
    log_weights = xp.concat([xp.reshape(block, (-1,)) for block in _log_weights(theta)])
    return xp.exp(log_weights - log_sum_exp(log_weights))


def marginal_visible(theta: RBM) -> Array:
    """Return p(v) of every visible state, in the order of ``binary_states``.

    Shapes: -> (2^V,).   Exactness: exact to rounding.   Cost: 2^V states, whatever H.
    Raises: ValueError where there are too many visible units.
    """
    return marginal_hidden(_transpose(theta))


def model_statistics(theta: RBM) -> RBM:
    r"""Return :math:`\mathbb{E}_{v,h}[(v h^\top, v, h)]` under the model: minus the expected energy gradient.

    Shapes: -> RBM.   Exactness: exact to rounding.      [BA] eq. 7, second term
    Cost: 2^min(V, H) max(V, H) sigmoids, in blocks of bounded memory.
    Raises: ValueError where both layers have more than ``MAX_UNITS`` units.
    """
    check_rbm(theta)
    xp = array_namespace(*theta)
    if theta.W.shape[0] < theta.W.shape[1]:
        return _transpose(model_statistics(_transpose(theta)))
    log_z = log_partition(theta)
    total = RBM(*(xp.zeros_like(field) for field in theta))
    visible, hidden = theta.W.shape
    for h in state_blocks((2,) * hidden, like=theta.W, rows=max(1, 2**19 // visible)):
        inputs = visible_input(theta, h)
        p = xp.exp(h @ theta.c + xp.sum(softplus(inputs), axis=1) - log_z)
        v = sigmoid(inputs) * p[:, None]
        part = RBM(xp.matrix_transpose(v) @ h, xp.sum(v, axis=0), p @ h)
        total = RBM(*(t + x for t, x in zip(total, part, strict=True)))
    return total


def law_of_bits(off: Array, on: Array) -> Array:
    r"""Return :math:`\prod_k \mathrm{on}_k^{x_k}\,\mathrm{off}_k^{1-x_k}` of every x in {0,1}^K, column by column.

    Both factors are given because 1 - on would lose the small ones; they need not sum to one.
    Shapes: off, on (..., K, n) -> (..., 2^K, n), x in the order of ``binary_states``.   Exactness: to rounding.
    """
    xp = array_namespace(off, on)
    *batch, units, n = off.shape
    table = xp.ones((*batch, 1, n), dtype=off.dtype, device=off.device)
    for k in range(units):
        pair = xp.stack([off[..., k, :], on[..., k, :]], axis=-2)
        table = xp.reshape(table[..., :, None, :] * pair[..., None, :, :], (*batch, 2 ** (k + 1), n))
    return table


class _Half(NamedTuple):
    """What n states of one half of the hidden units contribute to the weights."""

    log_weight: Array  # (n,) their biases, and the positive parts that were pulled out of the brackets
    runs: list[Array]  # of (groups, 2^_GROUP, n), the factors of the inner products
    direct: list[Array]  # of (n,), the inputs of units that go the direct way


def _log_weights(theta: RBM) -> Iterator[Array]:
    """Yield log sum_v e^{-E(v, h)} of all h in order, in blocks (states of the first half, of the second)."""
    xp = array_namespace(*theta)
    second = min(theta.W.shape[1] // 2, _SECOND_HALF)
    first = theta.W.shape[1] - second
    # Centred on the second half's mean input, |d| is at most half the sum of its |couplings|.
    spread = xp.sum(xp.abs(theta.W[:, first:]), axis=1) / 2
    order = xp.argsort(spread)
    W, b = xp.take(theta.W, order, axis=0), xp.take(theta.b, order)
    centre = xp.sum(W[:, first:], axis=1) / 2
    runs = _runs(to_numpy(xp.take(spread, order)).tolist(), xp.finfo(W.dtype))
    left = RBM(W[:, :first], b + centre, theta.c[:first])
    right = RBM(W[:, first:], -centre, theta.c[first:])
    columns = [_tabulate(right, h, runs) for h in state_blocks((2,) * second, like=W, rows=_ROWS)]
    for h in state_blocks((2,) * first, like=W, rows=_ROWS):
        rows = _tabulate(left, h, runs)
        yield xp.concat([_combine(rows, column) for column in columns], axis=1)


def _runs(spreads: list[float], limits: object) -> list[slice]:
    """Return the runs, from the mildest unit on, of as many units as keep their product in the dtype's range.

    Entries below the smallest normal are lost, at most 2^_GROUP of them per inner product: the budget keeps them
    below the rounding of the product.
    """
    budget = -math.log(limits.smallest_normal) + math.log(limits.eps) - _GROUP * math.log(2)  # type: ignore[attr-defined]
    runs, start = [], 0
    while start < len(spreads) and spreads[start] <= budget:
        stop = start + 1
        while stop < min(start + _RUN, len(spreads)) and sum(spreads[start : stop + 1]) <= budget:
            stop += 1
        runs.append(slice(start, stop))
        start = stop
    return runs


def _tabulate(half: RBM, h: Array, runs: list[slice]) -> _Half:
    """Return what the states ``h`` (n, units of this half) contribute."""
    xp = array_namespace(h)
    inputs = half.W @ xp.matrix_transpose(h) + half.b[:, None]
    packed = runs[-1].stop if runs else 0
    positive = xp.maximum(inputs[:packed, :], xp.zeros_like(inputs[:packed, :]))
    log_weight = h @ half.c + xp.sum(positive, axis=0)
    off, on = xp.exp(-positive), xp.exp(inputs[:packed, :] - positive)
    tables = [law_of_bits(_grouped(off[run, :], 1.0), _grouped(on[run, :], 0.0)) for run in runs]
    return _Half(log_weight, tables, [inputs[i, :] for i in range(packed, inputs.shape[0])])


def _grouped(factors: Array, filler: float) -> Array:
    """Return (units, n) as (groups, _GROUP, n), the last group filled up with units that are always off."""
    xp = array_namespace(factors)
    units, n = factors.shape
    missing = -units % _GROUP
    if missing:
        rest = xp.full((missing, n), filler, dtype=factors.dtype, device=factors.device)
        factors = xp.concat([factors, rest])
    return xp.reshape(factors, (-1, _GROUP, n))


def _combine(rows: _Half, columns: _Half) -> Array:
    """Return the log weights of all pairs of states of the two halves."""
    xp = array_namespace(rows.log_weight)
    total = rows.log_weight[:, None] + columns.log_weight[None, :]
    for a, d in zip(rows.runs, columns.runs, strict=True):
        total = total + xp.log(xp.prod(xp.matrix_transpose(a) @ d, axis=0))
    for x, y in zip(rows.direct, columns.direct, strict=True):
        total = total + softplus(x[:, None] + y[None, :])
    return total


def _transpose(theta: RBM) -> RBM:
    """Return the machine with the two layers' names exchanged."""
    return RBM(array_namespace(*theta).matrix_transpose(theta.W), theta.c, theta.b)


def _narrow_hidden(theta: RBM) -> RBM:
    """Return the machine with the smaller layer hidden.  Raises: ValueError where that is too large to sum over."""
    check_rbm(theta)
    visible, hidden = theta.W.shape
    check_enumerable("the smaller layer", (2,) * min(visible, hidden), limit=2**MAX_UNITS)
    return theta if hidden <= visible else _transpose(theta)
