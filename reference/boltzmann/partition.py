"""The exact log partition function of an RBM, its marginals and mean statistics, by summing over a layer.

Summing v out leaves a weight per hidden state, a product over visible units. Split the hidden units into
two halves, h = (g, h'), and the input of visible unit i into a_i(g) + d_i(h'):

    sum_v e^{-E(v, h)} = e^{c h} prod_i (1 + e^{a_i + d_i}).

As it stands, that costs an exponential and a logarithm for each of the V 2^H pairs. Here it is matrix
products instead. With every x split into its positive and negative part, x = x⁺ - x⁻,

    1 + e^{a + d} = e^{a⁺ + d⁺} (e^{-a⁺} e^{-d⁺} + e^{-a⁻} e^{-d⁻}),

and the brackets of three units, multiplied out, are an inner product of two vectors of 2^3 entries, of which
one knows g only and the other h' only: one small matrix product serves all pairs (g, h') at once.

A bracket is at most 2, and at least e^{-|d|}, because one of e^{-a⁺}, e^{-a⁻} is 1. So groups are packed into
runs whose product neither overflows nor underflows whatever the states, with one logarithm per run; units
with couplings too large for that go the direct way, through ``softplus``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ...backends.arrays import Array, array_namespace, to_numpy
from ..contracts import Law, Real, checked
from ..numerics import log_sum_exp, sigmoid, softplus
from ..states import binary_states, check_enumerable, state_blocks
from ..trees import add, tree_map
from .rbm import RBM, visible_input

MAX_UNITS = 28
"""The smaller layer may have this many units: some minutes of work at 784 units in the other."""

# Tuned on one core with 1 MB of second-level cache; smaller values cost time, never digits.
_GROUP = 3  # visible units per inner product
_RUN = 32  # at most so many groups under one logarithm: a product of brackets stays below 2^96
_SECOND = 8  # at most so many hidden units in the second half; a block is 2^8 x 2^8 states


@checked
def log_joint_table(theta: RBM) -> Real[Array, "2**V 2**H"]:
    """Return log p(v, h) of every pair of states, in the order of ``binary_states``.      [BA] eq. 2

    Exactness: exact.   Cost: 2^(V + H) numbers.
    Raises: ValueError where the table has too many entries.
    """
    xp = array_namespace(*theta)
    check_enumerable("the joint table", (2,) * sum(theta.W.shape))
    v, h = (binary_states(n, like=theta.W) for n in theta.W.shape)
    log_joint = (v @ theta.W + theta.c) @ xp.matrix_transpose(h) + (v @ theta.b)[:, None]
    return log_joint - log_sum_exp(log_joint)


@checked
def log_partition(theta: RBM) -> Real[Array, ""]:
    r"""Return :math:`\log Z = \log\sum_{v,h} e^{-E(v, h)}`.      [BA] eq. 3

    Exactness: exact to rounding.
    Cost: 17/3 operations for each of the 2^min(V, H) max(V, H) pairs, nearly all in matrix products; the
    memory of one block.
    Raises: ValueError where both layers have more than ``MAX_UNITS`` units.
    """
    theta = _narrow_hidden(theta)
    blocks = [log_sum_exp(block) for block in _log_weights(theta)]
    return log_sum_exp(array_namespace(*theta).stack(blocks))


@checked
def marginal_hidden(theta: RBM) -> Law[Array, "2**H"]:
    """Return p(h) of every hidden state, in the order of ``binary_states``.

    Exactness: exact to rounding.   Cost: 2^H states, whatever V.
    Raises: ValueError where there are too many hidden units.
    """
    log_weights = log_hidden_weights(theta)
    return array_namespace(*theta).exp(log_weights - log_sum_exp(log_weights))


@checked
def log_hidden_weights(theta: RBM) -> Real[Array, "2**H"]:
    r"""Return :math:`\log\sum_v e^{-E(v, h)} = c^\top h + \sum_i \log(1 + e^{b_i + (W h)_i})` of every h.

    Exactness: exact to rounding.
    Cost: 2^H states, whatever V.
    Raises: ValueError where there are too many hidden units.
    """
    check_enumerable("the hidden layer", (2,) * theta.W.shape[1])
    xp = array_namespace(*theta)
    return xp.concat([xp.reshape(block, (-1,)) for block in _log_weights(theta)])


@checked
def marginal_visible(theta: RBM) -> Law[Array, "2**V"]:
    """Return p(v) of every visible state, in the order of ``binary_states``.

    Exactness: exact to rounding.   Cost: 2^V states, whatever H.
    Raises: ValueError where there are too many visible units.
    """
    return marginal_hidden(_transpose(theta))


@checked
def model_statistics(theta: RBM) -> RBM:
    r"""Return :math:`\mathbb{E}_{v,h}[(v h^\top, v, h)]` under the model: minus the expected energy gradient.

    Exactness: exact to rounding.      [BA] eq. 7, second term
    Cost: 2^min(V, H) max(V, H) sigmoids, in blocks of bounded memory.
    Raises: ValueError where both layers have more than ``MAX_UNITS`` units.
    """
    xp = array_namespace(*theta)
    if theta.W.shape[0] < theta.W.shape[1]:
        return _transpose(model_statistics(_transpose(theta)))
    log_z = log_partition(theta)
    total = tree_map(xp.zeros_like, theta)
    visible, hidden = theta.W.shape
    for h in state_blocks((2,) * hidden, like=theta.W, rows=max(1, 2**19 // visible)):
        inputs = visible_input(theta, h)
        p = xp.exp(h @ theta.c + xp.sum(softplus(inputs), axis=1) - log_z)
        v = sigmoid(inputs) * p[:, None]
        part = RBM(xp.matrix_transpose(v) @ h, xp.sum(v, axis=0), p @ h)
        total = add(total, part)
    return total


@checked
def law_of_bits(off: Real[Array, "... K? n"], on: Real[Array, "... K? n"]) -> Real[Array, "... 2**K n"]:
    r"""Return :math:`\prod_k \mathrm{on}_k^{x_k}\,\mathrm{off}_k^{1-x_k}` of every x in {0,1}^K.

    Both factors are given because 1 - on would lose the small ones; they need not sum to one.
    Exactness: exact to rounding.
    """
    xp = array_namespace(off, on)
    *batch, units, n = off.shape
    table = xp.ones((*batch, 1, n), dtype=off.dtype, device=off.device)
    for k in range(units - 1, -1, -1):
        table = xp.concat([table * off[..., k : k + 1, :], table * on[..., k : k + 1, :]], axis=-2)
    return table


def _log_weights(theta: RBM) -> Iterator[Array]:
    """Yield log sum_v e^{-E(v, h)} of all h in order, in blocks (g, h') of states."""
    xp = array_namespace(*theta)
    hidden = theta.W.shape[1]
    second = min(hidden // 2, _SECOND)
    left, right, runs, direct = _split(theta, hidden - second)
    h = binary_states(second, like=theta.W)
    tables = [_brackets(_inputs(right, run, h)) for run in runs]
    columns, d = sum((pulled for pulled, _ in tables), h @ right.c), _inputs(right, direct, h)
    for g in state_blocks((2,) * (hidden - second), like=theta.W, rows=2**_SECOND):
        rows, a = g @ left.c, _inputs(left, direct, g)
        total = xp.zeros((g.shape[0], h.shape[0]), dtype=h.dtype, device=h.device)
        for run, (_, factors) in zip(runs, tables, strict=True):
            pulled, own_factors = _brackets(_inputs(left, run, g))
            rows = rows + pulled
            total += xp.log(_product(own_factors, factors))
        for i in range(a.shape[0]):
            total += softplus(a[i, :, None] + d[i, None, :])
        yield total + rows[:, None] + columns[None, :]


def _inputs(half: RBM, units: slice, h: Array) -> Array:
    """Return the inputs (units, n) of some visible units from the states ``h`` (n, H) of one half."""
    return half.W[units, :] @ array_namespace(h).matrix_transpose(h) + half.b[units, None]


def _brackets(x: Array) -> tuple[Array, Array]:
    """Return the pulled out x⁺, summed, and the products of e^{-x⁺} and e^{-x⁻} of each group.

    Shapes: x (units, n) -> (n,), (groups, 2^_GROUP, n).
    """
    xp = array_namespace(x)
    x = xp.reshape(x, (-1, _GROUP, x.shape[1]))
    positive = xp.maximum(x, xp.zeros_like(x))
    return xp.sum(positive, axis=(0, 1)), law_of_bits(xp.exp(-positive), xp.exp(x - positive))


def _product(a: Array, d: Array) -> Array:
    """Return the product over groups of the inner products of all columns of ``a`` with all of ``d``."""
    a = array_namespace(a).matrix_transpose(a)
    product = a[0, ...] @ d[0, ...]
    for k in range(1, a.shape[0]):  # one group at a time: the batch would leave the cache
        product *= a[k, ...] @ d[k, ...]
    return product


def _split(theta: RBM, first: int) -> tuple[RBM, RBM, list[slice], slice]:
    """Return the machines with inputs a and d, milder units first, the runs of units, and the direct ones."""
    xp = array_namespace(*theta)
    missing = -theta.W.shape[0] % _GROUP  # filled up with units that are never on: they change nothing
    fill = xp.zeros_like(theta.W[:1, :])
    W = xp.concat([theta.W, *[fill] * missing])
    b = xp.concat([theta.b, *[fill[:, 0] - math.inf] * missing])
    # d is centred: then |d| is at most half the sum of the |couplings| of the second half.
    bound = xp.sum(xp.abs(W[:, first:]), axis=1) / 2
    order = xp.argsort(bound)
    W, b, bound = (xp.take(x, order, axis=0) for x in (W, b, bound))
    centre = xp.sum(W[:, first:], axis=1) / 2
    left = RBM(W[:, :first], b + centre, theta.c[:first])
    right = RBM(W[:, first:], -centre, theta.c[first:])
    groups = xp.sum(xp.reshape(bound, (-1, _GROUP)), axis=1)
    runs = _runs(to_numpy(groups).tolist(), xp.finfo(W.dtype))
    return left, right, runs, slice(runs[-1].stop if runs else 0, W.shape[0])


def _runs(bounds: list[float], limits: Any) -> list[slice]:
    """Return runs of units, the mildest groups first, whose product cannot leave the dtype's range.

    Terms of an inner product below the smallest normal may be lost, 2^_GROUP of them at most: the budget
    keeps them below its rounding.
    """
    budget = math.log(float(limits.eps) / float(limits.smallest_normal) / 2**_GROUP)
    runs, start, total = [], 0, 0.0
    for stop, bound in enumerate(bounds):
        if stop > start and (total + bound > budget or stop == start + _RUN):
            runs.append(slice(start * _GROUP, stop * _GROUP))
            start, total = stop, 0.0
        total += bound
        if bound > budget:
            return runs
    return [*runs, slice(start * _GROUP, len(bounds) * _GROUP)]


def _transpose(theta: RBM) -> RBM:
    """Return the machine with the two layers' names exchanged."""
    return RBM(array_namespace(*theta).matrix_transpose(theta.W), theta.c, theta.b)


def _narrow_hidden(theta: RBM) -> RBM:
    """Return the machine with the smaller layer hidden.  Raises: ValueError where that is too large."""
    visible, hidden = theta.W.shape
    check_enumerable("the smaller layer", (2,) * min(visible, hidden), limit=2**MAX_UNITS)
    return theta if hidden <= visible else _transpose(theta)
