"""Mistakes in finite laws: the rules, expectations, distances, Bayes' theorem and likelihoods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference import laws
from ...reference.numerics import log_sum_exp, x_log_y
from . import mistake
from .patterns import instead, negated, returning, scaled

# --- sum, product and independence


def _others(joint: Array, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(i for i in range(joint.ndim) if i not in axes)


def _in_pairs_only(right: Callable[..., bool], joint: Array, *, tolerance: float) -> bool:
    pairs = combinations(range(joint.ndim), 2)
    return all(right(laws.marginal(joint, axes=two), tolerance=tolerance) for two in pairs)


def _of_the_first_value(joint: Array, *, tolerance: float) -> bool:
    law, first = laws.marginal(joint, axes=(0,)), laws.marginal(joint, axes=(0, joint.ndim - 1))[:, 0]
    xp = array_namespace(joint)
    return bool(xp.all(xp.abs(first - law * xp.sum(first)) <= tolerance))


def _one_draw_copied(right: Callable[..., Array], p: Array, *others: Array) -> Array:
    xp = array_namespace(p)
    same = xp.eye(p.shape[0], dtype=p.dtype)
    joint = p
    for _ in others:
        joint = joint[..., None] * same[(None,) * (joint.ndim - 1)]
    return joint


mistake(
    "wrong-variables-summed: The variables that should stay are summed out.",
    {laws.marginal: lambda right, joint, *, axes: right(joint, axes=_others(joint, axes))},
)
mistake(
    "largest-term-for-sum: The sum over the other variables is its largest term.",
    {
        laws.marginal: lambda right, joint, *, axes: array_namespace(joint).max(
            joint, axis=_others(joint, axes)
        )
    },
)
mistake(
    "given-the-other: The conditional is that of the given variables, given the others.",
    {laws.conditional: lambda right, joint, *, given: right(joint, given=_others(joint, given))},
)
mistake(
    "conditional-not-normalised: The conditional is not divided by the law of the given variables.",
    {laws.conditional: lambda right, joint, *, given: joint},
)
mistake(
    "always-independent: All variables are called independent.",
    {laws.is_independent: returning(lambda _: True)},
)
mistake(
    "first-value-alone: Independence is read off the first value of the last variable.",
    {laws.is_independent: instead(_of_the_first_value)},
)
mistake(
    "independent-in-pairs: Variables that are independent two by two are called independent.",
    {laws.is_independent: _in_pairs_only},
)
mistake("one-draw-copied: Every copy of a variable is the same draw.", {laws.product_law: _one_draw_copied})

# --- expectations and estimates


def _mean_of_values(law: Array, f: Array) -> Array:
    return array_namespace(f).mean(f)


def _uniformly(right: Callable[..., Array], law: Array, **options: Any) -> Array:
    return right(0 * law + 1 / law.shape[1], **options)


def _one_sample(right: Callable[..., Array], law: Array, *, samples: int, rng: Any) -> Array:
    x = right(law, samples=1, rng=rng)
    return array_namespace(x).broadcast_to(x, (x.shape[0], samples))


mistake(
    "unweighted-mean: Values are averaged without their probabilities.",
    {laws.expectation: instead(_mean_of_values)},
)
mistake(
    "unweighted-sum: Values are summed without their probabilities.",
    {laws.expectation: lambda right, law, f: array_namespace(f).sum(f)},
)
mistake(
    "averaged-over-the-values: An expectation is divided by the number of values.",
    {laws.expectation: scaled(lambda law, f: 1 / math.prod(law.shape))},
)
mistake(
    "largest-for-mean: The largest value stands for the mean.",
    {laws.expectation: lambda right, law, f: array_namespace(f).max(f)},
)
mistake(
    "smallest-for-mean: The smallest value stands for the mean.",
    {laws.expectation: lambda right, law, f: array_namespace(f).min(f)},
)
mistake(
    "second-moment: The mean is not subtracted from the second moment.",
    {laws.variance: lambda right, law, f: laws.expectation(law, f * f)},
)
mistake(
    "standard-deviation: The standard deviation stands for the variance.",
    {laws.variance: returning(lambda v: v**0.5)},
)
mistake("variance-halved: The variance is that of a mean of two.", {laws.variance: scaled(0.5)})
mistake(
    "sample-variance-divisor: A mean over N samples is divided by N - 1.",
    {laws.monte_carlo: scaled(lambda law, f, *, samples, rng: samples / max(samples - 1, 1))},
)
mistake("drawn-uniformly: Samples are drawn uniformly.", {laws.draw: _uniformly})
mistake("one-sample-reused: One sample is used N times.", {laws.draw: _one_sample})

# --- entropy and distances


def _without_zeros_of_q(p: Array, q: Array) -> Array:
    xp = array_namespace(p, q)
    terms = x_log_y(p, p) - x_log_y(p, xp.where(q == 0, p, q))
    return xp.sum(xp.where(q > 0, terms, xp.zeros_like(p)))


def _total_variation(p: Array, q: Array) -> Array:
    xp = array_namespace(p, q)
    return xp.sum(xp.abs(p - q)) / 2


def _hellinger(p: Array, q: Array) -> Array:
    return abs(1 - laws.bhattacharyya_coefficient(p, q)) ** 0.5


mistake(
    "bits-for-nats: The logarithm is to base two: bits where nats belong.",
    {piece: scaled(1 / math.log(2)) for piece in (laws.entropy, laws.kl, laws.bhattacharyya_distance)},
)
mistake("negative-entropy: The entropy has the wrong sign.", {laws.entropy: negated()})
mistake(
    "zeros-smoothed: Zeros are smoothed away before the logarithm.",
    {laws.entropy: lambda right, p: right((p + 1e-3) / (1 + 1e-3 * math.prod(p.shape)))},
)
mistake("kl-reversed: KL(q || p) stands for KL(p || q).", {laws.kl: lambda right, p, q: right(q, p)})
mistake(
    "zeros-of-q-dropped: Terms with q = 0 are dropped from the divergence.",
    {laws.kl: instead(_without_zeros_of_q)},
)
mistake(
    "cross-entropy-for-kl: The entropy of p is not subtracted.",
    {laws.kl: instead(lambda p, q: laws.cross_entropy(p, q))},
)
mistake(
    "kl-symmetrised: KL is averaged over both directions.",
    {laws.kl: lambda right, p, q: (right(p, q) + right(q, p)) / 2},
)
mistake(
    "total-variation-for-kl: Total variation, which is a metric, is called KL.",
    {laws.kl: instead(_total_variation)},
)
mistake(
    "bhattacharyya-without-root: The coefficient sums p q, not its root.",
    {laws.bhattacharyya_coefficient: lambda right, p, q: array_namespace(p).sum(p * q)},
)
mistake(
    "hellinger-for-bhattacharyya: The Hellinger distance, which is a metric, stands for D_B.",
    {laws.bhattacharyya_distance: instead(_hellinger)},
)

mistake(
    "cross-entropy-reversed: H(q, p) stands for H(p, q).",
    {laws.cross_entropy: lambda right, p, q: right(q, p)},
)
mistake(
    "kl-for-cross-entropy: The entropy of p is subtracted.",
    {laws.cross_entropy: instead(lambda p, q: laws.kl(p, q))},
)

# --- Bayes' theorem


def _uniform(prior: Array) -> Array:
    return 0 * prior + 1 / prior.shape[0]


def _best_alone(weights: Array, models: Array) -> Array:
    return models[int(array_namespace(weights).argmax(weights)), :]


mistake(
    "prior-forgotten: The posterior is that of a uniform prior.",
    {laws.posterior: lambda right, prior, log_likelihood: right(_uniform(prior), log_likelihood)},
)
mistake(
    "likelihood-twice: The likelihood counts twice.",
    {laws.posterior: lambda right, prior, log_likelihood: right(prior, 2 * log_likelihood)},
)
mistake(
    "evidence-missing: The posterior is not divided by p(D).",
    {laws.posterior: lambda right, prior, log_likelihood: prior * array_namespace(prior).exp(log_likelihood)},
)
mistake(
    "data-forgotten: The posterior is the prior.",
    {laws.posterior: lambda right, prior, log_likelihood: prior},
)
mistake(
    "evidence-is-the-largest-term: log p(D) is the largest of its terms.",
    {
        laws.log_evidence: lambda right, prior, log_likelihood: array_namespace(prior).max(
            laws.log_table(prior) + log_likelihood
        )
    },
)
mistake(
    "best-model-alone: The prediction is that of the most probable model.",
    {laws.predictive: instead(_best_alone)},
)

# --- data


def _as_a_set(right: Callable[..., Array], law: Array, x: Array) -> Array:
    return right(law, array_namespace(x).unique_values(x))


def _last_alone(right: Callable[..., Array], x: Array, *, like: Array) -> Array:
    return right(x[-1:], like=like)


def _first_half(right: Callable[..., Array], x: Array, *, like: Array) -> Array:
    return right(x[: (x.shape[0] + 1) // 2], like=like)


def _smoothed(right: Callable[..., Array], x: Array, *, like: Array) -> Array:
    return (right(x, like=like) * x.shape[0] + 1) / (x.shape[0] + like.shape[0])


def _mean_of_probabilities(law: Array, x: Array) -> Array:
    xp = array_namespace(law, x)
    return xp.mean(xp.take(law, x))


mistake(
    "data-as-a-set: Points that occur repeatedly count once.",
    {
        laws.negative_log_likelihood: _as_a_set,
        laws.likelihood: _as_a_set,
        laws.empirical_law: lambda right, x, *, like: right(array_namespace(x).unique_values(x), like=like),
    },
)
mistake(
    "mean-for-product: The probability of the data is a mean over the points, not a product.",
    {laws.likelihood: instead(_mean_of_probabilities)},
)
mistake(
    "nll-mean-for-sum: The log-likelihood is a mean over the points, not a sum.",
    {laws.negative_log_likelihood: scaled(lambda law, x: 1 / x.shape[0])},
)
mistake(
    "nll-of-wrong-sign: The negative log-likelihood has the sign of the log-likelihood.",
    {laws.negative_log_likelihood: negated()},
)
mistake(
    "log-after-the-product: The logarithm is taken of the product, which underflows.",
    {laws.negative_log_likelihood: lambda right, law, x: -laws.log_table(laws.likelihood(law, x))},
)
mistake(
    "first-ten-points: The probability of the data is that of the first ten points.",
    {laws.likelihood: lambda right, law, x: right(law, x[:10])},
)
mistake(
    "nll-gradient-of-wrong-sign: The gradient points downhill.",
    {laws.negative_log_likelihood_grad: negated()},
)
mistake("smoothed-frequencies: One is added to every count.", {laws.empirical_law: _smoothed})
mistake(
    "first-half-of-the-data: The frequencies are those of the first half of the data.",
    {laws.empirical_law: _first_half},
)
mistake(
    "last-observation-alone: The frequencies are those of the last point.", {laws.empirical_law: _last_alone}
)
mistake(
    "values-mirrored: The frequencies are given in the reverse order of the values.",
    {laws.empirical_law: lambda right, x, *, like: array_namespace(like).flip(right(x, like=like))},
)
mistake(
    "drawn-to-the-middle: The frequencies are averaged with the uniform law.",
    {laws.empirical_law: lambda right, x, *, like: right(x, like=like) / 2 + 1 / (2 * like.shape[0])},
)

# --- the variational bound

mistake(
    "entropy-of-q-missing: The bound is the mean of log p(H, D) alone.",
    {laws.elbo: lambda right, q, log_joint: laws.expectation(q, log_joint)},
)
mistake(
    "posterior-for-joint: The bound is taken of the posterior in place of the joint.",
    {laws.elbo: lambda right, q, log_joint: right(q, log_joint - log_sum_exp(log_joint))},
)
