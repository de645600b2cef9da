"""Mistakes in the best latent marginal, its value and the mean law of q."""

from __future__ import annotations

from typing import Any

from ...backends.arrays import array_namespace
from ...reference.directed import belief
from ...reference.directed.mixtures import data_law, log_mixture
from ...reference.layerwise import criteria, incorporation, marginal
from . import mistake
from .patterns import negated, scaled

mistake(
    "em-stopped-early: The solver stops after two steps of EM.",
    {
        marginal.best_marginal: lambda right, p, *, weights, tolerance: right(
            p, weights=weights, tolerance=tolerance, most_steps=2
        )
    },
)


def _of_equal_data(right: Any, p: Any, *, weights: Any, tolerance: float) -> Any:
    xp = array_namespace(weights)
    equal = xp.astype(weights > 0, weights.dtype)
    Q = right(p, weights=equal / xp.sum(equal), tolerance=tolerance).Q
    return incorporation.certify(p, Q, weights=weights)


def _best_vertex(right: Any, p: Any, *, weights: Any, tolerance: float) -> Any:
    xp = array_namespace(weights)
    corner = xp.eye(p.states, dtype=weights.dtype)
    mixed = (xp.max(corner, axis=0) + p.states * corner) / (2 * p.states)
    values = [incorporation.log_likelihood(p, mixed[k, :], weights=weights) for k in range(p.states)]
    k = max(range(p.states), key=lambda i: float(values[i]))
    return incorporation.certify(p, mixed[k, :], weights=weights)


def _mean_before_logarithm(right: Any, p: Any, Q: Any, *, weights: Any) -> Any:
    xp = array_namespace(Q)
    return xp.log(weights @ xp.exp(log_mixture(p, Q)))


mistake(
    "data-alike (of the best marginal): All data that occur count alike where Q is solved for.",
    {marginal.best_marginal: _of_equal_data},
)
mistake(
    "best-state-for-law: One state gets most of the mass, where laws should mix.",
    {marginal.best_marginal: _best_vertex},
)
mistake(
    "data-alike (of the log-likelihood): All data count alike.",
    {incorporation.log_likelihood: lambda right, p, Q, *, weights: right(p, Q)},
)
mistake(
    "rows-of-q-alike: The rows of q are averaged, whatever the shares of their data.",
    {criteria.aggregate: lambda right, q, *, weights: right(q)},
)
mistake(
    "negative-log-likelihood: The sign of the log-likelihood is that of a cost.",
    {incorporation.log_likelihood: negated()},
)
mistake(
    "mean-before-logarithm: The logarithm is taken of the mean over the data, not the mean of logarithms.",
    {incorporation.log_likelihood: _mean_before_logarithm},
)
mistake("top-counted-twice: log P(x) is counted twice.", {belief.log_likelihood: scaled(2.0)})

# --- the bound within a family of tops

mistake(
    "bound-of-all-laws: The in-model bound is taken over all laws on h.",
    {
        marginal.in_model_bound: lambda right, p, tops, *, weights: (
            marginal.best_marginal(p, weights=weights, tolerance=1e-12).log_likelihood,
            0,
        )
    },
)
mistake(
    "first-top: The in-model bound is that of the first top, not of the best.",
    {marginal.in_model_bound: lambda right, p, tops, *, weights: right(p, tops[:1, :], weights=weights)},
)

# --- q_D, and the gradient of the criterion

mistake(
    "data-summed-in-q: q_D is the sum over the data, not the mean.",
    {criteria.aggregate: scaled(lambda q, **given: q.shape[0])},
)
mistake(
    "logits-averaged: q_D is taken of the mean logits, not as the mean of the laws.",
    {
        criteria.aggregate_logits: lambda right, logits, *, form, weights=None: right(
            (data_law(logits.shape[0], weights, like=logits) @ logits)[None, :], form=form
        )
    },
)
mistake(
    "data-alike (of the criterion's gradient): All data count alike in the gradient of the criterion.",
    {
        criteria.criterion_grad: lambda right, layer, x, logits, *, form, weights: right(
            layer, x, logits, form=form
        )
    },
)
mistake(
    "q-held-in-its-law: q is held constant inside q_D.",
    {
        criteria.criterion_grad: lambda right, layer, x, logits, **given: (
            right(layer, x, logits, **given)[0],
            0 * logits,
        )
    },
)

# --- data incorporation, its fixed points, and the certificate


def _alike(weights: Any) -> Any:
    xp = array_namespace(weights)
    some = xp.astype(weights > 0, weights.dtype)
    return some / xp.sum(some)


def _overrelaxed(right: Any, p: Any, Q: Any, *, weights: Any) -> Any:
    moved = Q * incorporation.certify(p, Q, weights=weights).g ** 12
    return moved / array_namespace(Q).sum(moved)


def _half_way(right: Any, p: Any, start: Any, *, weights: Any, **limits: Any) -> Any:
    end = right(p, start, weights=weights, **limits)
    return incorporation.certify(p, (end.Q + start) / 2, weights=weights)


def _on_support(right: Any, p: Any, Q: Any, **given: Any) -> Any:
    found = right(p, Q, **given)
    return found._replace(g=array_namespace(Q).where(Q > 0, found.g, 0 * Q), gap=0.0)


def _times_law(right: Any, p: Any, Q: Any, **given: Any) -> Any:
    found = right(p, Q, **given)
    return found._replace(g=Q * found.g)


mistake(
    "data-alike (of the mean posterior): All data that occur count alike in the mean posterior.",
    {incorporation.incorporate: lambda right, p, Q, *, weights: right(p, Q, weights=_alike(weights))},
)
mistake(
    "data-alike (of the certificate): All data that occur count alike in the gradient.",
    {
        incorporation.certify: lambda right, p, Q, *, weights, **given: right(
            p, Q, weights=_alike(weights), **given
        )
    },
)
mistake(
    "overrelaxed: Twelve steps of EM's length are taken at once.", {incorporation.incorporate: _overrelaxed}
)
mistake(
    "half-way: The iterates of EM are averaged with the start.",
    {incorporation.expectation_maximisation: _half_way},
)
mistake(
    "support-only: The gradient is zero where Q is, and the certificate with it.",
    {incorporation.certify: _on_support},
)
mistake("not-divided-by-law: The gradient is not divided by Q.", {incorporation.certify: _times_law})
mistake(
    "prior-for-posterior: The law of h stands for its posterior.",
    {incorporation.inferred: lambda right, p, Q: 0 * right(p, Q) + Q},
)
