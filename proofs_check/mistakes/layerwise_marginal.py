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
