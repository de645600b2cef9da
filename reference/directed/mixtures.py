r"""Mixtures :math:`P_Q(x) = \sum_h P(x \mid h) Q(h)` over all states of h, for given values of x.

The logit of a sigmoid layer is linear in h, so with the units of h in two halves, h = (g, g'),

    log P(x | h) = r(g, g') + s(x, g) + t(x, g'),    r = -log sum_x e^{x (b + W h)},

a sum over h is a matrix product: ``sum((e^s @ (e^r * Q)) * e^t)``.  For n values and 2^H states it costs
n 2^H multiplications and additions, and an exponential for only 2^H + 2 n 2^{H/2} numbers.

Exponents are taken relative to the largest of each row or table, so nothing overflows, and what underflows
is below the rounding of a sum unless that sum is itself tiny: rows where it is are summed in logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace, to_numpy
from ..contracts import Floats, Indices, Law, LogWeights, NotNegative, Raw, Real, checked, conform
from ..laws import log_table
from ..numerics import log_sum_exp
from ..states import check_enumerable
from .kinds import kind_of
from .layers import L, Layer, check_values, states_above

Weights: TypeAlias = Law[Array, "n"] | None
"""A law over the data rows; 1/n each where it is not given."""

Mass: TypeAlias = NotNegative[Array, "G*G_"]
"""Masses of the states h, which may sum to anything."""

_BLOCK = 2**22  # numbers per block of the sums in logarithms
_SPARE = 20.0  # exponents are cut so far below overflow that sums of them do not overflow either


class Likelihoods(NamedTuple):
    r"""log P(x | h) of n values x and all h = (g, g'), as :math:`s(x, g) + t(x, g') + r(g, g')`.

    ``likelihoods`` makes it; a table of log-likelihoods is one with a single g'.
    """

    s: Floats[Array, "n G"]
    t: Floats[Array, "n G_"]
    r: Floats[Array, "G G_"]
    exp_s: Floats[Array, "n G"]  # e^s and e^t, the largest of each row scaled to one
    exp_t: Floats[Array, "n G_"]
    top: Floats[Array, "n"]  # the logarithm of what was divided out

    @property
    def states(self) -> int:
        """Return the number of states h."""
        return int(self.r.shape[0] * self.r.shape[1])


@checked
def likelihoods(layer: Layer, x: Raw[Array, "n ..."]) -> Likelihoods:
    """Return log P(x | h) of these values and all h, factorised where the layer admits it.

    Exactness: exact to rounding.
    Cost: n 2^(H/2 + 1) + 2^H numbers for a ``Sigmoid`` of H units above, else n times the states above.
    Raises: ValueError where x does not suit the layer, or there are too many states to enumerate.
    """
    check_values(layer, x)
    check_enumerable("the layer above", (states_above(layer),))
    return _scaled(*kind_of(layer).factors(layer, x))


@checked
def likelihoods_of_table(log_p: Floats[Array, "n S"]) -> Likelihoods:
    """Return the same of a table log P(x | h); minus infinity stands for probability zero.

    Exactness: exact.   Raises: ValueError where an entry is no logarithm of a probability.
    """
    xp = array_namespace(log_p)
    if not bool(xp.all(log_p <= float(xp.finfo(log_p.dtype).eps) ** 0.5)):
        raise ValueError("log_p must hold logarithms of probabilities: none above zero, no NaN")
    one = xp.zeros_like(log_p[:, :1])
    return _scaled(log_p, one, xp.zeros_like(log_p[0, :])[:, None])


def _scaled(s: Array, t: Array, r: Array) -> Likelihoods:
    xp = array_namespace(s, t, r)
    tops = [xp.max(x, axis=1, keepdims=True) for x in (s, t)]
    tops = [xp.where(xp.isfinite(top), top, xp.zeros_like(top)) for top in tops]
    return Likelihoods(s, t, r, xp.exp(s - tops[0]), xp.exp(t - tops[1]), (tops[0] + tops[1])[:, 0])


@checked
def columns(p: Likelihoods, states: Indices[Array, "k", "G*G_"]) -> LogWeights[Array, "n k"]:
    """Return log P(x | h) of these states h.   Exactness: exact to rounding."""
    xp = array_namespace(p.s, states)
    width = p.r.shape[1]
    r = xp.take(xp.reshape(p.r, (-1,)), states)
    return xp.take(p.s, states // width, axis=1) + xp.take(p.t, states % width, axis=1) + r


@checked
def log_mixture(p: Likelihoods, Q: Mass) -> LogWeights[Array, "n"]:
    r"""Return :math:`\log\sum_h P(x \mid h) Q(h)` of each x; minus infinity where it is zero.      [AO] eq. 1

    Exactness: exact to rounding, whatever the range.   Cost: one matrix product, 2 n S operations.
    """
    return log_mixture_of_logs(p, log_table(Q))


@checked
def log_mixture_of_logs(p: Likelihoods, log_Q: LogWeights[Array, "G*G_"]) -> LogWeights[Array, "n"]:
    """Return ``log_mixture`` for log Q: masses count that are below the least number there is.

    Exactness: as ``log_mixture``.
    """
    xp = array_namespace(p.s, log_Q)
    log_rest = p.r + xp.reshape(log_Q, p.r.shape)
    height = _top(log_rest)
    total = xp.sum((p.exp_s @ xp.exp(log_rest - height)) * p.exp_t, axis=1)
    low = total < _floor(total, p.states)
    rows = where_true(low)
    log_p = xp.log(xp.where(low, xp.ones_like(total), total)) + p.top + height
    direct = [log_sum_exp(block, axis=(1, 2)) for block in _in_logarithms(p, rows, log_rest)]
    return _with_rows(log_p, rows, direct)


@checked
def half_posteriors(p: Likelihoods, Q: Mass) -> tuple[Real[Array, "n G"], Real[Array, "n G_"]]:
    """Return P(g | x) and P(g' | x) of each x; zero where P(x) is.   [AO] eq. 32, summed over the other half

    Exactness: exact to rounding.   Cost: two matrix products.
    """
    xp = array_namespace(p.s, Q)
    log_rest = p.r + xp.reshape(log_table(Q), p.r.shape)
    rest = xp.exp(log_rest - _top(log_rest))
    first = p.exp_s * (p.exp_t @ xp.matrix_transpose(rest))
    second = p.exp_t * (p.exp_s @ rest)
    total = xp.sum(first, axis=1)
    low = total < _floor(total, p.states)
    rows = where_true(low)
    total = xp.where(low, xp.ones_like(total), total)[:, None]
    firsts, seconds = [], []
    for block in _in_logarithms(p, rows, log_rest):
        log_total = log_sum_exp(block, axis=(1, 2))[:, None, None]
        block = xp.exp(block - xp.where(xp.isfinite(log_total), log_total, xp.zeros_like(log_total)))
        firsts.append(xp.sum(block, axis=2))
        seconds.append(xp.sum(block, axis=1))
    return _with_rows(first / total, rows, firsts), _with_rows(second / total, rows, seconds)


def mean_ratio(p: Likelihoods, log_p: Array, weights: Array) -> Array:
    r"""Return :math:`g(h) = \sum_n w_n P(x_n \mid h) / P(x_n)` of all h, unchecked; weight zero is left out.

    It is the gradient of :math:`\sum_n w_n \log P_Q(x_n)` by Q, and Q(h) g(h) is data incorporation.
    log_p (n,) is finite where the weight is not zero.
    Exactness: to rounding of the largest term or of 1, whichever is more; values near overflow are cut there.
    Cost: one matrix product, 2 n S operations.      [AO] eq. 32-33
    """
    xp = array_namespace(p.s, log_p, weights)
    none = xp.full_like(log_p, -math.inf)
    some = weights > 0
    log_w = xp.where(some, log_table(weights) - xp.where(some, log_p, xp.zeros_like(log_p)), none)
    scale = log_w + p.top
    high = scale + xp.max(p.r) > -math.log(_floor(scale, scale.shape[0]))
    rows, scale = where_true(high), xp.where(high, none, scale)
    height = _top(scale)
    product = xp.matrix_transpose(p.exp_s) @ (xp.exp(scale - height)[:, None] * p.exp_t)
    g = xp.exp(p.r + height) * product
    largest = math.log(float(xp.finfo(g.dtype).max)) - _SPARE
    for block in _in_logarithms(p, rows, p.r, xp.take(log_w, rows)):
        g = g + xp.sum(xp.exp(xp.minimum(block, xp.full_like(block, largest))), axis=0)
    return xp.reshape(g, (-1,))


@checked
def mixture_grad(
    layer: L, x: Raw[Array, "n ..."], Q: NotNegative[Array, "S"], *, weights: Weights = None
) -> tuple[L, Real[Array, "S"]]:
    r"""Return the gradients of :math:`\mathbb{E}_{x \sim P_D} \log\sum_h P_\theta(x \mid h) Q(h)` by both.

    By a parameter of the layer it is :math:`\mathbb{E}_{x \sim P_D} \sum_h Q(h \mid x)\, \partial_\theta \log
    P_\theta(x \mid h)`      [AO] eq. 8; by Q, entry by entry taken as free, ``mean_ratio``.
    Q is over the states above; ``weights`` are a law over the rows, 1/n each where they are not given.
    Exactness: exact to rounding.
    Raises: ValueError where a row of positive weight has probability zero.
    """
    p = likelihoods(layer, x)
    conform(("Q", Raw[Array, "S"], Q), S=p.states)
    weights = data_law(x.shape[0], weights, like=Q)
    log_p = log_mixture(p, Q)
    check_possible(log_p, weights)
    g = mean_ratio(p, log_p, weights)
    return kind_of(layer).rows_gradient(layer, x, weights, half_posteriors(p, Q), Q * g), g


def data_law(rows: int, weights: Weights, *, like: Array) -> Law[Array, "rows"]:
    """Return the law over the data rows: ``weights``, unchecked, or 1/n each.      [AO] 1.2, P_D"""
    if weights is None:
        return array_namespace(like).full((rows,), 1 / rows, dtype=like.dtype, device=like.device)
    return weights


def check_possible(log_p: Array, weights: Array | None = None) -> None:
    """Raise ValueError where a row, of positive weight if weights are given, has probability zero."""
    xp = array_namespace(log_p)
    bad = (log_p == -math.inf) if weights is None else (log_p == -math.inf) & (weights > 0)
    if bool(xp.any(bad)):
        row = int(xp.argmax(xp.astype(bad, xp.int8)))
        raise ValueError(f"x must be possible: row {row} has probability zero under the model")


def _top(x: Array) -> float:
    top = float(array_namespace(x).max(x))
    return top if math.isfinite(top) else 0.0


def _floor(x: Array, terms: int) -> float:
    """Return the least sum of ``terms`` that cannot have lost more than its rounding to underflow."""
    limits = array_namespace(x).finfo(x.dtype)
    return terms * float(limits.smallest_normal) / float(limits.eps)


def where_true(mask: Array) -> Array:
    """Return the indices at which ``mask`` (n,) is true."""
    xp = array_namespace(mask)
    rows = to_numpy(mask).nonzero()[0]
    return xp.asarray(rows.tolist(), dtype=xp.int64, device=mask.device)


def _in_logarithms(
    p: Likelihoods, rows: Array, rest: Array, log_weight: Array | None = None
) -> Iterator[Array]:
    """Yield s + t + rest of these rows, in blocks (m, G, G'), with the rows' log weights added."""
    xp = array_namespace(p.s)
    size = max(1, _BLOCK // p.states)
    for start in range(0, rows.shape[0], size):
        block = slice(start, min(start + size, rows.shape[0]))
        some = rows[block]
        s = xp.take(p.s, some, axis=0)
        if log_weight is not None:
            s = s + log_weight[block, None]
        yield s[:, :, None] + xp.take(p.t, some, axis=0)[:, None, :] + rest


def _with_rows(x: Array, rows: Array, new: Sequence[Array]) -> Array:
    """Return ``x`` with these rows replaced."""
    if not new:
        return x
    xp = array_namespace(x)
    source = list(range(x.shape[0]))
    for k, row in enumerate(to_numpy(rows).tolist()):
        source[row] = x.shape[0] + k
    return xp.take(xp.concat([x, *new]), xp.asarray(source, dtype=xp.int64, device=x.device), axis=0)
