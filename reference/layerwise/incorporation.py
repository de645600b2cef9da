r"""Data incorporation: a law on h replaced by its mean posterior over the data.      [AO] 2.7

With the bottom layer held, :math:`L(Q) = \mathbb{E}_{x \sim P_D} \log\sum_h P(x \mid h) Q(h)` is concave in Q
and its gradient is :math:`g(h) = \mathbb{E}_{x \sim P_D} P(x \mid h) / P_Q(x)`, of mean one under Q.
By Jensen :math:`L(Q') - L(Q) \le \log\sum_h Q'(h) g(h)` for every Q', so :math:`\log\max_h g(h)` bounds the
distance from the optimum in nats: a certificate that any Q can be given.

Data incorporation is :math:`Q(h) g(h)`.  It never leaves a face of the simplex: a state without mass gets
none, so on a sparse start its fixed point is the optimum of that face alone, and the certificate stays open.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ..contracts import Count, Floats, Law, LogWeights, checked
from ..directed.mixtures import (
    Likelihoods,
    Weights,
    check_possible,
    columns,
    data_law,
    log_mixture,
    mean_ratio,
)
from ..laws import expectation, log_table
from ..numerics import log_sum_exp
from ..states import check_enumerable

OnStates: TypeAlias = Law[Array, "G*G_"]
"""A law on the states h of ``Likelihoods``."""


class Marginal(NamedTuple):
    """A law on h with what is known of it; its log-likelihood plus ``gap`` is an upper bound of all laws'."""

    Q: Floats[Array, "S"]
    log_likelihood: Floats[Array, ""]  # L(Q) in nats
    gap: float  # the optimum exceeds L(Q) by at most this, in nats
    g: Floats[Array, "S"]  # the gradient of L
    steps: int  # of the iteration that found it


@checked
def log_likelihood(p: Likelihoods, Q: OnStates, *, weights: Weights = None) -> LogWeights[Array, ""]:
    r"""Return :math:`L(Q) = \mathbb{E}_{x \sim P_D} \log\sum_h P(x \mid h) Q(h)`; minus infinity if it is.

    [AO] eq. 10 and 34 at :math:`Q = q_D`, eq. 31; data of weight zero do not count.
    ``weights`` are a law over the data, 1/n each where they are not given.   Exactness: exact to rounding.
    """
    return expectation(data_law(p.s.shape[0], weights, like=Q), log_mixture(p, Q))


@checked
def inferred(p: Likelihoods, Q: OnStates) -> Law[Array, "n S"]:
    r"""Return :math:`Q^{cond}(h \mid x) = P(x \mid h) Q(h) / P_Q(x)`, the posterior of each datum.

    [AO] eq. 32.   Exactness: exact to rounding.
    Raises: ValueError where a datum has probability zero under Q, or the table has too many entries.
    """
    xp = array_namespace(p.s, Q)
    check_enumerable("the table of posteriors", (p.s.shape[0], p.states))
    log_joint = columns(p, xp.arange(p.states, dtype=xp.int64, device=Q.device)) + log_table(Q)
    log_p = log_sum_exp(log_joint, axis=1)
    check_possible(log_p)
    return xp.exp(log_joint - log_p[:, None])


@checked
def incorporate(p: Likelihoods, Q: OnStates, *, weights: Weights = None) -> OnStates:
    r"""Return :math:`Q^{cond}_D(h) = \mathbb{E}_{x \sim P_D} Q^{cond}(h \mid x)`: a step of EM.   [AO] eq. 33

    ``weights`` are a law over the data, 1/n each where they are not given.
    Exactness: exact to rounding.   Cost: two matrix products over all data and states.
    Raises: ValueError where a datum of positive weight has probability zero under Q.
    """
    return Q * certify(p, Q, weights=weights).g


@checked
def certify(p: Likelihoods, Q: OnStates, *, weights: Weights = None, steps: int = 0) -> Marginal:
    r"""Return Q with L(Q), its gradient, and the certificate :math:`\log\max_h g(h)`.      [AO] eq. 13-14

    ``weights`` are a law over the data, 1/n each where they are not given.
    Exactness: exact to rounding; the gap of an optimum is rounding, not zero.
    Raises: ValueError where a datum of positive weight has probability zero under Q.
    """
    xp, weights = array_namespace(p.s, Q), data_law(p.s.shape[0], weights, like=Q)
    log_p = log_mixture(p, Q)
    check_possible(log_p, weights)
    g = mean_ratio(p, log_p, weights)
    return Marginal(Q, expectation(weights, log_p), max(0.0, float(xp.log(xp.max(g)))), g, steps)


@checked
def expectation_maximisation(
    p: Likelihoods, start: OnStates, *, weights: Weights = None, tolerance: float, most_steps: Count[int, 0]
) -> Marginal:
    """Return what data incorporation makes of ``start`` when its gap is at most ``tolerance`` nats.

    The gap of the result says whether that was reached in ``most_steps``; from a start without full support
    it may never be, for mass never enters a state that has none.      [AO] proposition 7
    ``weights`` are a law over the data, 1/n each where they are not given.
    Exactness: the log-likelihood is within the gap of the optimum.   Convergence: monotone, but slow where
    states are nearly exchangeable; see ``best_marginal``.
    Raises: ValueError where a datum of positive weight has probability zero under ``start``.
    """
    found = certify(p, start, weights=weights)
    while found.gap > tolerance and found.steps < most_steps:
        Q = found.Q * found.g
        # Each step keeps the sum to rounding; over a million of them it would drift.
        Q = Q / array_namespace(Q).sum(Q)
        found = certify(p, Q, weights=weights, steps=found.steps + 1)
    return found
