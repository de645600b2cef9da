"""Mistakes in importance sampling and its effective sample size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference import importance
from . import mistake
from .patterns import given, instead


def _upside_down(right: Callable[..., Any], p: Array, q: Array) -> Array:
    return right(q, 0 * p + 1 / p.shape[-1])


def _normalised_by_their_sum(f: Array, log_weights: Array) -> Array:
    xp, w = array_namespace(f), array_namespace(f).exp(log_weights)
    return xp.sum(f * w, axis=-1) / (xp.sum(w, axis=-1) + 1e-30)  # zero where all weights vanish


def _one_sample(right: Callable[..., Any], p: Array, q: Array, f: Array, *, samples: int, rng: Any) -> Array:
    return right(p, q, f, samples=1, rng=rng)


mistake(
    "weights-upside-down: q stands in the numerator of the weight.",
    {importance.importance_log_weights: _upside_down},
)
mistake(
    "weights-all-one: Nothing is weighted.", {importance.importance_log_weights: lambda right, p, q: 0 * p}
)
mistake(
    "weights-normalised-by-their-sum: The weights are divided by their sum, not by their number.",
    {importance.importance_estimate: instead(_normalised_by_their_sum)},
)
mistake(
    "weighted-sum-for-mean: The samples are added up, not averaged.",
    {importance.importance_estimate: lambda right, f, log_weights: right(f, log_weights) * f.shape[-1]},
)
mistake(
    "samples-not-weighted: The samples of q are averaged as if they were of p.",
    {importance.importance_estimate: instead(lambda f, log_weights: array_namespace(f).mean(f, axis=-1))},
)
mistake("one-sample-for-all: One sample is used N times.", {importance.importance_sampling: _one_sample})
mistake(
    "ess-upside-down: The effective sample size is inverted.",
    {importance.effective_sample_size: lambda right, w: 1 / right(w)},
)
mistake(
    "ess-per-sample: The effective sample size is divided by the number of samples.",
    {importance.effective_sample_size: lambda right, w: right(w) / w.shape[-1]},
)
mistake(
    "ess-of-roots: The weights are not squared in the effective sample size.",
    {importance.effective_sample_size: given(lambda w: w / 2)},
)
mistake(
    "ess-by-the-largest: The effective sample size is the inverse of the largest share.",
    {
        importance.effective_sample_size: instead(
            lambda w: 1 / array_namespace(w).max(importance.normalised_weights(w), axis=-1)
        )
    },
)
mistake(
    "ess-counts-samples: The effective sample size is the number of samples.",
    {importance.effective_sample_size: instead(lambda w: 0 * w[..., 0] + w.shape[-1])},
)
