"""The quantities of a latent variable under a table that code may offer.

``layer`` is the reference's ``Sigmoid`` (W (V, H), b (V,)), states h are in the order of ``binary_states``,
the rows of x differ, and ``weights`` are a law over them, P_D.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from ...reference.directed import mixtures
from ...reference.directed.layers import Sigmoid
from ...reference.laws import log_table
from ...reference.layerwise import incorporation
from ..oracle import directed_quantities as oracle
from ..quantity import Ask, quantity
from .directed_quantities import law, random, rows, sizes

Array = Any


def _tables() -> list[Ask]:
    asks = []
    for n, s in ((1, 2), (2, 2), (3, 2), (2, 4)):
        P = expit(random(n, s, scale=2.0))
        for name, P_h in (("", law(s)), (", a state without mass", law(s) * (np.arange(s) > 0))):
            given = {"P_x_given_h": P, "P_h": P_h / P_h.sum(), "weights": law(n)[::-1].copy()}
            asks.append(Ask(f"{n} data, {s} states{name}", given))
    weightless = {"P_x_given_h": expit(random(3, 2, scale=2.0)), "P_h": law(2)}
    asks.append(Ask("3 data, one without weight", {**weightless, "weights": np.array([0.75, 0.25, 0.0])}))
    unlikely = {"P_x_given_h": np.array([[1e-200, 2e-200], [0.5, 0.25]])}
    half = np.array([0.5, 0.5])
    return [*asks, Ask("2 data, one of them improbable", {**unlikely, "P_h": half, "weights": half.copy()})]


@quantity(
    "AO.eq33",
    cases=_tables(),
    expected=oracle.data_incorporation,
    rejects=(
        "posterior-not-normalised",
        "normalised-at-the-end",
        "hard-assignment",
        "law-not-updated",
        "uniform-data-weights",
    ),
)
def data_incorporation(P_x_given_h: Array, P_h: Array, weights: Array) -> Array:
    """the mean posterior of the data, (S,): a step of EM"""
    p = mixtures.likelihoods_of_table(log_table(P_x_given_h))
    return incorporation.incorporate(p, P_h, weights=weights)


def _mixtures() -> list[Ask]:
    return [
        Ask(
            name,
            {
                "layer": Sigmoid(random(v, h, scale=scale), random(v, scale=scale)),
                "P_h": law(2**h),
                "x": rows(v),
            },
        )
        for name, (v, h, scale) in sizes().items()
    ]


@quantity(
    "AO.eq1",
    cases=_mixtures(),
    expected=oracle.mixture_log_likelihood,
    rejects=(
        "directed:sum-outside-the-logarithm",
        "directed:hidden-means-for-sum",
        "directed:units-in-reverse",
        "directed:best-state-for-sum",
    ),
)
def mixture_log_likelihood(layer: Sigmoid, P_h: Array, x: Array) -> Array:
    """log sum_h P(x | h) P(h) of each row"""
    return mixtures.log_mixture(mixtures.likelihoods(layer, x), P_h)
