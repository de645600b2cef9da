"""Mistakes in the selection of layers, the bounds of the loss, and the divergence that the top lowers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.arrays import array_namespace
from ...reference import laws
from ...reference.directed import belief
from ...reference.directed.layers import Table
from ...reference.directed.mixtures import likelihoods_of_table
from ...reference.layerwise import criteria, incorporation, marginal
from . import Wrong, mistake
from .patterns import negated, scaled


def _law(count: int, *, like: Any, last: float = 1.0) -> Any:
    """The uniform law of states, or one with most of its mass on the last."""
    xp = array_namespace(like)
    parts = xp.asarray([1.0] * (count - 1) + [last], dtype=like.dtype, device=like.device)
    return parts / xp.sum(parts)


def _selecting(choose: Callable[..., int]) -> Wrong:
    """The layer is selected by another criterion, with its own best marginal."""

    def wrong(right: Any, tables: Any, x: Any, *, weights: Any, tolerance: float) -> Any:
        _, found = right(tables, x, weights=weights, tolerance=tolerance)
        return choose(tables, weights, found), found

    return wrong


def _lowest(tables: Any, weights: Any, found: Any) -> int:
    return min(range(len(found)), key=lambda k: float(found[k].log_likelihood))


def _under_uniform(tables: Any, weights: Any, found: Any) -> int:
    def score(table: Any) -> float:
        uniform = _law(table.logits.shape[1], like=weights)
        return float(
            incorporation.log_likelihood(likelihoods_of_table(table.logits), uniform, weights=weights)
        )

    return max(range(len(tables)), key=lambda k: score(tables[k]))


def _sparse_start(right: Any, tables: Any, x: Any, *, weights: Any, tolerance: float) -> Any:
    which, found = right(tables, x, weights=weights, tolerance=tolerance)
    stopped = [
        incorporation.expectation_maximisation(
            likelihoods_of_table(table.logits),
            _law(one.Q.shape[0], like=weights, last=100.0),
            weights=weights,
            tolerance=tolerance,
            most_steps=1,
        )
        for table, one in zip(tables, found, strict=True)
    ]
    return which, tuple(stopped)


mistake(
    "lowest-bound: The layer of the lowest bound is selected.",
    {marginal.best_optimistic_layer: _selecting(_lowest)},
)
mistake(
    "best-under-uniform-law: The layer is selected that does best under a uniform law of h.",
    {marginal.best_optimistic_layer: _selecting(_under_uniform)},
)
mistake(
    "em-from-sparse-start: The best marginals are taken after one step of EM from nearly a point mass.",
    {marginal.best_optimistic_layer: _sparse_start},
)
mistake(
    "last-top: The in-model bound is that of the last top, not of the best.",
    {marginal.in_model_bound: lambda right, p, tops, *, weights: right(p, tops[-1:, :], weights=weights)},
)
mistake(
    "data-alike (of the in-model bound): All data count alike.",
    {marginal.in_model_bound: lambda right, p, tops, *, weights: right(p, tops)},
)

# --- bounds of the loss


def _bounds(change: Callable[..., dict[str, Any]]) -> Wrong:
    """Some of the bounds are others: ``change(found, top, bounds)``."""

    def wrong(right: Any, p: Any, found: Any, top: Any, *, weights: Any) -> Any:
        bounds = right(p, found, top, weights=weights)
        return bounds._replace(**change(found, top, bounds))

    return wrong


mistake(
    "loss-of-wrong-sign: The likelihood of the best marginal is subtracted from that of the top.",
    {criteria.loss_bounds: _bounds(lambda found, top, bounds: {"likelihood": -bounds.likelihood})},
)
mistake(
    "kl-reversed: The two laws of the divergence are exchanged.",
    {
        laws.kl: lambda right, p, q: right(q, p),
        criteria.loss_bounds: _bounds(lambda found, top, _: {"divergence": laws.kl(found.Q, top)}),
    },
)
mistake("kl-halved: The divergence is half of what it should be.", {laws.kl: scaled(0.5)})
mistake(
    "farthest-top: The divergence has the wrong sign: the top farthest away is chosen.", {laws.kl: negated()}
)
mistake("entropy-of-wrong-sign: The entropy has the wrong sign.", {laws.entropy: negated()})
mistake(
    "optimum-in-the-bound: The bound of the loss is that of a top that matches its target.",
    {
        criteria.loss_bounds: lambda right, p, found, top, *, weights: right(
            p, found, found.Q, weights=weights
        )
    },
)
mistake(
    "certificate-always-closed: The certificate is zero whatever the law.",
    {incorporation.certify: lambda right, *given, **options: right(*given, **options)._replace(gap=0.0)},
)

# --- the likelihood with P(h) held, and two layers as one


def _uniform_between(right: Any, net: Any) -> Any:
    xp = array_namespace(net[0].logits)
    A, B = (xp.exp(table.logits) for table in net)
    mixed = A @ (xp.ones_like(B) / B.shape[0])
    return Table(laws.log_table(mixed))


mistake(
    "uniform-law-of-h: P(h) is taken as uniform whatever it is.",
    {incorporation.log_likelihood: lambda right, p, Q, **given: right(p, 0 * Q + 1 / Q.shape[0], **given)},
)
mistake("uniform-between: h1 is uniform whatever h2.", {belief.compose: _uniform_between})
