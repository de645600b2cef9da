"""Mistakes in the best latent marginal, its value and the mean law of q."""

from __future__ import annotations

from typing import Any

from ...backends.arrays import array_namespace
from ...reference.layerwise import criteria, incorporation, marginal
from . import mistake

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
