"""Importance sampling and its effective sample size: [SH] 2.4.  Weights are logarithms."""

from __future__ import annotations

from ..backends.arrays import Array, array_namespace
from ..backends.streams import Rng
from .contracts import Count, Law, LogWeights, Numbers, Real, checked
from .laws import draw, gather, log_table
from .numerics import log_mean_exp, log_sum_exp


@checked
def importance_log_weights(p: Law[Array, "n X"], q: Law[Array, "n X"]) -> LogWeights[Array, "n X"]:
    r"""Return :math:`\log\omega(x) = \log p(x) - \log q(x)`; minus infinity where p is zero.      [SH] 2.4

    Exactness: exact.
    Raises: ValueError where a row is no law, the shapes differ, or q(x) = 0 < p(x): a part of
    the target is never visited then, and the estimator is biased without notice.
    """
    xp = array_namespace(p, q)
    if bool(xp.any((q == 0) & (p > 0))):
        raise ValueError("q must be positive wherever p is: importance weights are p / q")
    return log_table(p) - xp.where(q > 0, log_table(q), xp.zeros_like(q))


@checked
def importance_sampling(
    p: Law[Array, "n X"], q: Law[Array, "n X"], f: Numbers[Array, "n X"], *, samples: Count[int, 1], rng: Rng
) -> Numbers[Array, "n"]:
    r"""Return :math:`\frac1N \sum_n f(x^{(n)})\,\omega(x^{(n)})` with :math:`x^{(n)} \sim q`, row by row.

    [SH] 2.4.   Exactness: unbiased for the expectation of f under p, of variance Var_q(f w) / N.
    """
    x = draw(q, samples=samples, rng=rng)
    return importance_estimate(gather(f, x), gather(importance_log_weights(p, q), x))


@checked
def importance_estimate(
    f: Numbers[Array, "*S N"], log_weights: LogWeights[Array, "*S N"]
) -> Numbers[Array, "*S"]:
    r"""Return the unnormalised estimate :math:`\frac1N \sum_n f_n \omega_n`.      [SH] 2.4

    Exactness: unbiased for samples from the proposal.
    """
    xp = array_namespace(f, log_weights)
    # A value of zero counts for nothing, however large its weight.
    return xp.mean(f * xp.exp(xp.where(f == 0, xp.zeros_like(log_weights), log_weights)), axis=-1)


@checked
def self_normalised_estimate(
    f: Numbers[Array, "*S N"], log_weights: LogWeights[Array, "*S N"]
) -> Numbers[Array, "*S"]:
    r"""Return :math:`\sum_n \bar\omega_n f_n`, the normalised weights in place of the average.

    Exactness: consistent; biased of order 1/N.
    Raises: ValueError where all weights of a row vanish.
    """
    xp = array_namespace(f, log_weights)
    return xp.sum(f * normalised_weights(log_weights), axis=-1)


@checked
def normalised_weights(log_weights: LogWeights[Array, "*S N"]) -> Law[Array, "*S N"]:
    r"""Return :math:`\bar\omega_n = \omega_n / \sum_m \omega_m`.

    Exactness: exact, whatever the scale of the weights.
    Raises: ValueError where all weights of a row vanish.
    """
    xp = array_namespace(log_weights)
    if bool(xp.any(xp.max(log_weights, axis=-1) == -float("inf"))):
        raise ValueError("log_weights must hold a positive weight in every row, got one of zero weights only")
    return xp.exp(log_weights - log_sum_exp(log_weights, axis=-1)[..., None])


@checked
def log_mean_weight(log_weights: LogWeights[Array, "*S N"]) -> LogWeights[Array, "*S"]:
    r"""Return :math:`\log\frac1N \sum_n \omega_n`, the estimate of the log of a ratio of partition functions.

    Exactness: the mean weight is unbiased, so its logarithm is a lower bound on average.
    """
    return log_mean_exp(log_weights, axis=-1)


@checked
def effective_sample_size(log_weights: LogWeights[Array, "*S N"]) -> Real[Array, "*S"]:
    r"""Return :math:`\widehat{ess} = \bigl(\sum_n \omega_n\bigr)^2 / \sum_n \omega_n^2`.      [SH] eq. 2.5

    Exactness: exact, whatever the scale of the weights.
    Raises: ValueError where all weights of a row vanish.
    """
    xp = array_namespace(log_weights)
    return 1 / xp.sum(normalised_weights(log_weights) ** 2, axis=-1)
