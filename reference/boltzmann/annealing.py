r"""Annealed importance sampling: log Z of an RBM, bracketed from a machine whose Z is known.

The path leads from the base-rate machine (no couplings, visible biases ``base``) to theta through the RBMs

.. math:: \theta_\beta = (\beta W,\; (1-\beta)\,\mathrm{base} + \beta b,\; \beta c), \qquad
    f_\beta(v) = \sum_h e^{-E_\beta(v, h)}, \qquad f_0(v) = 2^H e^{\mathrm{base}\cdot v}.

All have theta's hidden units, summed out in f.  A run first weighs its state by the ratio of the next density
to this one, then moves it by a Gibbs step that leaves the *next* law invariant.  The other order is a common
mistake: its mean weight is not a ratio of partition functions.

References: Neal 2001, Statistics and Computing 11; Salakhutdinov & Murray 2008, ICML; Burda, Grosse &
Salakhutdinov 2015, AISTATS (the reverse run).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..contracts import Bits, Count, LogWeights, Number, Numbers, Prob, Raw, Real, checked
from ..importance import effective_sample_size, log_mean_weight
from ..laws import log_table
from ..numerics import log_sum_exp, sigmoid, softplus
from ..states import binary_states
from .gibbs import gibbs_law
from .rbm import (
    RBM,
    draw_hidden,
    draw_visible,
    hidden_input,
    hidden_on,
    visible_input,
    visible_on,
)


class AIS(NamedTuple):
    """The weights of a run of independent chains, and where it began and ended."""

    log_weights: LogWeights[
        Array, "m"
    ]  # log w, with E[w] = Z / Z_0 for ``ais`` and Z_0 / Z for ``reverse_ais``
    log_partition_base: Real[Array, ""]  # log Z_0 of the base-rate machine
    v: Raw[Array, "m V"]  # the last states weighed


class Estimate(NamedTuple):
    """An estimate of log Z."""

    log_partition: LogWeights[Array, ""]
    standard_error: Numbers[
        Array, ""
    ]  # by the delta method from the spread of the weights; infinite for one chain
    effective_sample_size: Real[Array, ""]  # (sum w)^2 / sum w^2, between 1 and m


@checked
def base_rate(v: Prob[Array, "n V"], *, pseudo_count: Number[float, "(0, inf)"]) -> Real[Array, "V"]:
    r"""Return the biases whose coupling-free machine has the (smoothed) means of the rows of ``v``.

    The pseudo-count a > 0 keeps the bias of a unit that is always on, or always off, finite.

    .. math:: \mathrm{base}_i = \operatorname{logit}\frac{\sum_t v_{ti} + a}{n + 2a}

    Exactness: exact.
    """
    xp = array_namespace(v)
    ones = xp.sum(v, axis=0)
    return xp.log(ones + pseudo_count) - xp.log(v.shape[0] - ones + pseudo_count)


@checked
def intermediate(theta: RBM, base: Real[Array, "V"], beta: Number[float, "[0, 1]"]) -> RBM:
    """Return the machine theta_beta of the path: the base-rate machine at 0, theta at 1.

    Exactness: exact.
    """
    return RBM(beta * theta.W, (1 - beta) * base + beta * theta.b, beta * theta.c)


@checked
def ais(
    theta: RBM, base: Real[Array, "V"], *, betas: Sequence[float] | Array, chains: Count[int, 1], rng: Rng
) -> AIS:
    r"""Return weights of ``chains`` forward runs, from exact samples of the base-rate machine towards theta.

    .. math:: w = \prod_{k=1}^K \frac{f_{\beta_k}(v_{k-1})}{f_{\beta_{k-1}}(v_{k-1})}, \quad
        v_0 \sim f_0 / Z_0, \quad v_k \sim T_{\beta_k}(v_{k-1}, \cdot)

    The betas increase from 0 to 1, K + 1 of them.
    Exactness: the mean weight is unbiased for Z / Z_0, for any betas.
    Cost: K products chains x V x H, and K - 1 products back: with K = 1 it is plain importance sampling.
    """
    stream = as_stream(rng, like=base)
    return _run(theta, base, _start(base, chains, stream), check_betas(betas), stream)


@checked
def reverse_ais(
    theta: RBM, base: Real[Array, "V"], v: Bits[Array, "m V"], *, betas: Sequence[float] | Array, rng: Rng
) -> AIS:
    r"""Return weights of backward runs, from samples ``v`` of theta towards the base-rate machine.

    It is the time reversal of ``ais``: the same machines, each Gibbs step being reversible.

    Exactness: where every row of ``v`` is an exact sample of theta, the mean weight is unbiased for Z_0 / Z;
    rows from a chain that has not converged promise nothing.
    """
    return _run(theta, base, v, check_betas(betas)[::-1], as_stream(rng, like=v))


@checked
def log_partition_below(forward: AIS) -> Estimate:
    r"""Return :math:`\log Z_0 + \log\frac1m\sum w` of an ``ais`` run: below log Z in expectation.

    Exactness: a stochastic lower bound, E[it] <= log Z by Jensen's inequality; consistent as the chains or
    the betas grow in number.
    """
    return _estimate(forward, 1.0)


@checked
def log_partition_above(reverse: AIS) -> Estimate:
    r"""Return :math:`\log Z_0 - \log\frac1m\sum w` of a ``reverse_ais`` run: above log Z in expectation.

    Exactness: a stochastic upper bound, E[it] >= log Z by Jensen's inequality, where the run began at exact
    samples of theta; consistent as the chains or the betas grow in number.
    """
    return _estimate(reverse, -1.0)


@checked
def log_expected_ais_weight(
    theta: RBM, base: Real[Array, "V"], *, betas: Sequence[float] | Array
) -> Real[Array, ""]:
    """Return the log of the exact mean weight of ``ais``: the weighted law of its state, carried through it.

    That it equals log Z - log Z_0 whatever the betas is the theorem; here it is computed, not assumed.

    Exactness: exact.   Cost: K 2^(V + H + 1) multiplications.
    Raises: as ``ais``, and ValueError where the states are too many to enumerate.
    """
    xp = array_namespace(base)
    v = binary_states(base.shape[0], like=base)
    x = hidden_input(theta, v)
    log_law = v @ base - xp.sum(softplus(base))
    log_mean = xp.zeros((), dtype=base.dtype, device=base.device)
    for here, there in pairwise(check_betas(betas)):
        weighted = log_law + log_weight(theta, base, v, x, here, there)
        mass = log_sum_exp(weighted)
        log_mean = log_mean + mass
        if there < 1:
            law = gibbs_law(intermediate(theta, base, there), xp.exp(weighted - mass), steps=1)
            log_law = log_table(law)
    return log_mean


@checked
def log_density(
    theta: RBM,
    base: Real[Array, "V"],
    v: Bits[Array, "n V"],
    x: Real[Array, "n H"],
    beta: Number[float, "[0, 1]"],
) -> Real[Array, "n"]:
    """Return log f_beta(v) with x the hidden input of theta at v, which serves every beta.

    Exactness: exact.
    """
    xp = array_namespace(v)
    return v @ ((1 - beta) * base + beta * theta.b) + xp.sum(softplus(beta * x), axis=1)


@checked
def log_weight(
    theta: RBM,
    base: Real[Array, "V"],
    v: Bits[Array, "n V"],
    x: Real[Array, "n H"],
    here: Number[float, "[0, 1]"],
    there: Number[float, "[0, 1]"],
) -> Real[Array, "n"]:
    """Return log f_there(v) - log f_here(v): what a state weighs on its way to the next law.

    Exactness: exact.
    """
    return log_density(theta, base, v, x, there) - log_density(theta, base, v, x, here)


@checked
def move(
    theta: RBM, base: Real[Array, "V"], x: Real[Array, "n H"], beta: Number[float, "[0, 1]"], stream: Stream
) -> Bits[Array, "n V"]:
    """Return v after a Gibbs step of theta_beta from the state with hidden input x.

    Exactness: exact draws; f_beta is left invariant, reversibly.
    """
    h = draw_hidden(hidden_on(beta * x), stream)
    return draw_visible(visible_on(beta * visible_input(theta, h) + (1 - beta) * base), stream)


def check_betas(betas: Iterable[float]) -> list[float]:
    """Return ``betas`` as floats; raise ValueError unless they increase strictly from 0 to 1."""
    ladder = [float(beta) for beta in betas]
    if len(ladder) < 2 or ladder[0] != 0 or ladder[-1] != 1:
        raise ValueError(
            f"betas must begin at 0 and end at 1, got {len(ladder)} from {ladder[:1]} to {ladder[-1:]}"
        )
    for position, (low, high) in enumerate(pairwise(ladder)):
        if not low < high:
            raise ValueError(f"betas must increase strictly, got {low!r} then {high!r} at index {position}")
    return ladder


def _run(theta: RBM, base: Array, v: Array, path: Sequence[float], stream: Stream) -> AIS:
    log_w = array_namespace(v).zeros_like(v[:, 0])
    for here, there in _pairs(path):
        v, weight = _anneal(theta, base, v, here, there, stream)
        log_w = log_w + weight
    return AIS(log_w, _log_partition_base(theta, base), v)


def _start(base: Array, chains: int, stream: Stream) -> Array:
    """Return exact samples of the base-rate machine."""
    xp = array_namespace(base)
    return stream.bernoulli(xp.broadcast_to(sigmoid(base), (chains, base.shape[0])))


def _pairs(path: Sequence[float]) -> list[tuple[float, float]]:
    """Return the steps of a path: each temperature with the next."""
    return list(pairwise(path))


def _anneal(
    theta: RBM, base: Array, v: Array, here: float, there: float, stream: Stream
) -> tuple[Array, Array]:
    """Return the state moved under the next law, and what it weighed before."""
    x = hidden_input(theta, v)
    weight = log_weight(theta, base, v, x, here, there)
    if 0 < there < 1:  # a move at the end of the path would weigh nothing
        v = move(theta, base, x, there, stream)
    return v, weight


def _log_partition_base(theta: RBM, base: Array) -> Array:
    """Return log Z_0 of the base-rate machine, its hidden units fair coins."""
    return theta.W.shape[1] * math.log(2) + array_namespace(base).sum(softplus(base))


def _estimate(run: AIS, sign: float) -> Estimate:
    xp = array_namespace(run.log_weights)
    m, effective = run.log_weights.shape[0], effective_sample_size(run.log_weights)
    log_mean = log_mean_weight(run.log_weights)
    relative = xp.exp(run.log_weights - log_mean)  # w over its mean
    variance = xp.sum((relative - 1) ** 2) / (m - 1) if m > 1 else xp.full_like(log_mean, float("inf"))
    log_partition = run.log_partition_base + sign * log_mean
    return Estimate(log_partition, xp.sqrt(variance / m), effective)
