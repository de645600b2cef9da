"""Mistakes in the search space, the choice of layers, Pareto fronts, and bounds estimated from draws."""

from __future__ import annotations

import math
from typing import Any

from ...backends.arrays import array_namespace
from ...reference.directed import belief
from ...reference.layerwise import criteria, selection
from ...reference.layerwise.selection import Integer, LogUniform, Uniform
from ...reference.numerics import log_sum_exp
from . import mistake
from .patterns import instead

# --- the search space and the front

mistake(
    "rates-uniform: Rates are drawn uniformly, not their logarithms.",
    {LogUniform.draw: lambda right, own, stream, *, like: Uniform(*own).draw(stream, like=like)},
)
mistake(
    "largest-size-left-out: The largest size is never drawn.",
    {
        Integer.draw: lambda right, own, *given, like: right(
            own._replace(high=own.high - 1), *given, like=like
        )
    },
)
mistake(
    "epochs-for-any-data: The number of epochs does not depend on the data set.",
    {selection.epochs: lambda right, rows: 20},
)
mistake(
    "epochs-of-batches: Epochs are counted as if a batch had a hundred rows.",
    {selection.epochs: lambda right, rows: max(1, round(20 * 100 / rows))},
)
mistake(
    "more-parameters-preferred: The larger of two models is taken for the better one.",
    {selection.pareto_front: lambda right, n, v, *, dominance: right(-n, v, dominance=dominance)},
)
mistake(
    "ties-subsume: Of two models that are equal in one respect, one subsumes the other.",
    {selection.pareto_front: lambda right, n, v, *, dominance: right(n, v, dominance="standard")},
)
mistake(
    "best-only: Only the likeliest model is on the front.",
    {selection.pareto_front: lambda right, n, v, *, dominance: v >= array_namespace(v).max(v)},
)

# --- averages of logarithms


def _through_probabilities(right: Any, net: Any, x: Any) -> Any:
    log_p = right(net, x)
    return array_namespace(x).where(log_p < -745, log_p - math.inf, log_p)


mistake(
    "underflow: Probabilities are multiplied, and their logarithm is taken after they underflow.",
    {belief.log_likelihood: _through_probabilities},
)


def _rounded_up(right: Any, net: Any, x: Any) -> Any:
    return array_namespace(x).maximum(right(net, x), 0 * x[:, 0] - 700.0)


mistake(
    "rounded-up: Tiny probabilities are rounded up to e^-700.",
    {belief.log_likelihood: _rounded_up},
)

# --- the choice of layers

mistake(
    "scored-on-training-rows: Candidates are compared on the rows that they were trained on.",
    {selection.grow: lambda right, train, valid, **options: right(train, train, **options)},
)
mistake(
    "data-passed-up: Every level is given the data themselves.",
    {
        selection.grow: lambda right, *data, depth, **options: (
            (depth + 1) * right(*data, depth=depth, **options)[:1]
        )
    },
)
mistake(
    "first-candidate: The first candidate is taken, not the best one.",
    {selection._best: lambda right, scores: 0},
)
mistake(
    "always-deeper: A layer is added whatever its bound.",
    {selection.another_layer: instead(lambda *_, **__: True)},
)
mistake("never-deeper: No layer is ever added.", {selection.another_layer: instead(lambda *_, **__: False)})

# --- bounds of rows, and from draws


def _weights_ignored(right: Any, *given: Any, weights: Any = None) -> Any:
    return right(*given)


def _mean_unit(right: Any, lower: Any, x: Any, *, weights: Any) -> Any:
    return right(
        lower._replace(means=lambda rows: 0 * lower.means(rows) + weights @ lower.means(rows)),
        x,
        weights=weights,
    )


mistake(
    "data-weights-ignored: All data count alike, whatever their shares.",
    {
        selection.empirical_bound: _weights_ignored,
        criteria.sampled_bound: _weights_ignored,
        criteria.drawn_bound: _weights_ignored,
    },
)
mistake(
    "law-of-mean-units: q_D is taken as the product law of the mean units, not as the mean law.",
    {selection.empirical_bound: _mean_unit},
)
mistake(
    "missing-log-draws: The K draws are added up where they are to be averaged.",
    {
        criteria.sampled_bound: lambda right, log_p, **given: (
            right(log_p, **given) + math.log(log_p.shape[-1])
        ),
        criteria.drawn_bound: lambda right, layer, x, h, **given: (
            right(layer, x, h, **given) + math.log(h.shape[1])
        ),
    },
)
mistake(
    "logarithms-averaged: The logarithm is taken of each draw, not of their mean.",
    {
        criteria.sampled_bound: lambda right, log_p, *, weights: (
            weights @ array_namespace(log_p).mean(log_p, axis=2) @ weights
        )
    },
)
mistake(
    "alike-inside: Inside the logarithm all data count alike.",
    {
        criteria.sampled_bound: lambda right, log_p, *, weights: (
            weights @ (log_sum_exp(log_p, axis=(1, 2)) - math.log(log_p.shape[1] * log_p.shape[2]))
        )
    },
)
mistake(
    "first-draw-only: Only the first draw of each datum is used.",
    {
        criteria.sampled_bound: lambda right, log_p, **given: right(log_p[:, :, :1], **given),
        criteria.drawn_bound: lambda right, layer, x, h, **given: right(layer, x, h[:, :1, :], **given),
    },
)
mistake(
    "biases-left-out: The biases of x are left out.",
    {
        criteria.drawn_bound: lambda right, layer, *given, weights: right(
            layer._replace(b=0 * layer.b), *given, weights=weights
        )
    },
)


def _own_draws(right: Any, log_p: Any) -> Any:
    xp = array_namespace(log_p)
    return right(xp.stack([0 * log_p[i, ...] + log_p[i, i, :] for i in range(log_p.shape[0])]))


def _own_codes(right: Any, layer: Any, x: Any, h: Any, *, weights: Any) -> Any:
    return sum(weights[k] * right(layer, x[k : k + 1, :], h[k : k + 1, :, :]) for k in range(x.shape[0]))


mistake(
    "own-draws-only: A datum is explained by its own draws only.",
    {criteria.sampled_bound: _own_draws, criteria.drawn_bound: _own_codes},
)
