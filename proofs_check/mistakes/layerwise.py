"""Mistakes in data incorporation, and in how the data are weighed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import logsumexp, softmax

from ...reference.directed.mixtures import Likelihoods
from ...reference.laws import log_table
from ...reference.layerwise import incorporation, passes
from ...reference.trees import scale
from . import Wrong, mistake
from .directed import Pieces
from .patterns import instead

Array = Any

# --- data incorporation -----------------------------------------------------------------------------------


def _table(p: Likelihoods) -> Array:
    return np.exp(p.s[:, :, None] + p.t[:, None, :] + p.r).reshape(len(p.s), -1)


def uniform(n: int) -> Array:
    """Return the uniform law."""
    return np.full(n, 1 / n)


def incorporated(step: Callable[[Array, Array, Array], Array]) -> Pieces:
    """Another step, of the table P(x | h) (n, S), the law of h and that of the data."""

    def wrong(right: Any, p: Likelihoods, Q: Array, *, weights: Array | None = None) -> Array:
        return step(_table(p), Q, uniform(len(p.s)) if weights is None else weights)

    return {incorporation.incorporate: wrong}


def posterior(wrong: Callable[[Array, Array], Array]) -> Pieces:
    """Another posterior of each datum, of the table P(x | h) and the law of h."""
    inferred = {incorporation.inferred: instead(lambda p, Q: wrong(_table(p), Q))}
    return {**inferred, **incorporated(lambda P, Q, w: w @ wrong(P, Q))}


def _posterior(P: Array, Q: Array) -> Array:
    total = (P * Q).sum(axis=1, keepdims=True)
    return np.divide(P * Q, total, out=np.zeros_like(P), where=total > 0)


def _normalised(joint: Array) -> Array:
    return joint / joint.sum()


mistake(
    "posterior-not-normalised: The posterior of each datum is not divided by P(x): likely data count more.",
    posterior(lambda P, Q: P * Q),
)
mistake(
    "normalised-at-the-end: "
    "The sum over the data is normalised, not each datum's posterior: likely data count more.",
    incorporated(lambda P, Q, w: _normalised(w @ (P * Q))),
)
mistake(
    "normalised-over-data: The posterior is normalised over the data instead of over the states.",
    posterior(lambda P, Q: P * Q / np.maximum((P * Q).sum(axis=0), 1e-300)),
)
mistake(
    "old-law-dropped: The old P(h) is dropped: the posterior is that under a uniform law of h.",
    posterior(lambda P, Q: _posterior(P, np.ones_like(Q))),
)
mistake(
    "old-law-counted-twice: The old P(h) is multiplied in twice.",
    posterior(lambda P, Q: _posterior(P, Q * Q)),
)
mistake(
    "law-not-updated: The old P(h) comes back unchanged.",
    incorporated(lambda P, Q, w: Q),
)
mistake(
    "hard-assignment: Each datum is given wholly to its most probable state: k-means instead of EM.",
    posterior(lambda P, Q: np.eye(len(Q))[np.argmax(P * Q, axis=1)]),
)
mistake(
    "logs-averaged: The logarithms of the posteriors are averaged instead of the posteriors.",
    incorporated(
        lambda P, Q, w: _normalised(np.exp(w @ np.log(np.maximum(_posterior(P, Q), 1e-300)))),
    ),
)

# --- the weights of the data ------------------------------------------------------------------------------

GRADIENTS = (passes.log_mean_pass_grad, passes.log_sampled_pass_grad, passes.log_sum_pass_grad)


def each_gradient(change: Callable[..., Any]) -> Pieces:
    """All gradients of auto-encoders, changed, given theta and the rows too."""

    def wrong(right: Any, theta: Any, x: Array, **options: Any) -> Any:
        return change(right(theta, x, **options), len(x))

    return dict.fromkeys(GRADIENTS, wrong)


def times(factor: Callable[[int], float]) -> Pieces:
    """Criteria and gradients times a function of the number of rows."""

    def criterion(right: Any, theta: Any, x: Array, **options: Any) -> Array:
        return factor(len(x)) * right(theta, x, **options)

    return {passes.criterion: criterion, **each_gradient(lambda grad, n: scale(factor(n), grad))}


def unweighted(right: Any, *given: Any, weights: Array | None = None) -> Any:
    """What comes of the rows when all count alike."""
    return right(*given)


def criterion(average: Callable[[Array, Array], Array]) -> Pieces:
    """Another mean over the data, of log sum_h P(x | h) q(h | x) of each row and their law."""

    def wrong(right: Any, theta: Any, x: Array, *, weights: Array | None = None) -> Array:
        return average(passes.log_sum_pass(theta, x), uniform(len(x)) if weights is None else weights)

    return {passes.criterion: wrong}


def weighed(law: Callable[[Array, Array], Array]) -> Pieces:
    """The gradient with other weights of the rows, of the same two, which need not sum to one."""

    def wrong(right: Any, theta: Any, x: Array, *, weights: Array | None = None) -> Any:
        w = law(passes.log_sum_pass(theta, x), uniform(len(x)) if weights is None else weights)
        return scale(w.sum(), right(theta, x, weights=w / w.sum()))

    return {passes.log_sum_pass_grad: wrong}


def _rows_summed(right: Wrong, p: Likelihoods, Q: Array, **options: Any) -> Array:
    return len(p.s) * right(p, Q, **options)


mistake(
    "uniform-data-weights: The data weights are ignored: every row counts 1/n.",
    dict.fromkeys((incorporation.incorporate, passes.criterion, passes.log_sum_pass_grad), unweighted),
)
mistake(
    "sum-for-mean: "
    "The rows are summed where they are to be averaged (if meant, of a criterion: declare reduction=sum).",
    {incorporation.incorporate: _rows_summed},
    times(lambda n: n),
)
mistake(
    "divided-twice: The rows are averaged twice: the value is too small by the number of rows.",
    times(lambda n: 1 / n),
)
mistake(
    "data-factor-missing: "
    "P_D(x) is missing inside the logarithm: harmless for training, but no bound of the log-likelihood.",
    criterion(lambda passed, w: w @ passed),
)
mistake(
    "data-factor-uniform: P_D(x) inside the logarithm is 1/n whatever the data weights.",
    criterion(lambda passed, w: w @ passed - np.log(len(w))),
)
mistake(
    "logarithm-of-the-mean: "
    "The logarithm is taken of the mean over the data, instead of the mean of logarithms.",
    criterion(lambda passed, w: logsumexp(passed + 2 * log_table(w))),
    weighed(lambda passed, w: softmax(passed + 2 * log_table(w))),
)
mistake(
    "logarithm-of-the-sum: "
    "The logarithm is taken of the sum over data and h, instead of the mean over data of logarithms.",
    criterion(lambda passed, w: logsumexp(passed + log_table(w))),
    weighed(lambda passed, w: softmax(passed + log_table(w))),
)
mistake(
    "data-factor-outside: "
    "P_D(x) multiplies the logarithm once more instead of standing inside it: frequent data count twice.",
    criterion(lambda passed, w: w * w @ passed),
    weighed(lambda passed, w: w * w),
)
