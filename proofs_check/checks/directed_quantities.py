"""The quantities of directed layers and deep belief nets that code may offer, by sums over all states.

``theta`` is the reference's ``DBN`` (``generative``, ``recognition``: a ``Sigmoid`` each for each directed
layer, from the bottom; ``top``: an RBM).  The first two ask of one directed layer only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from ...reference.directed import dbn
from ...reference.directed import dbn_bound as bounds
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid
from ..oracle import directed_quantities as oracle
from ..oracle.boltzmann_quantities import states
from ..quantity import Ask, quantity

Array = Any
SIZES = ((1, 1), (2, 1), (1, 2), (3, 2), (2, 3))


def random(*shape: int, scale: float = 1.0, seed: int = 3) -> Array:
    """Return numbers of two decimals."""
    return np.round(scale * np.random.default_rng([seed, *shape]).normal(0.2, 1.0, shape), 2)


def law(n: int) -> Array:
    """Return a law that is not uniform, whose probabilities sum to one exactly."""
    return np.arange(1.0, n + 1) / np.arange(1.0, n + 1).sum()


def rows(units: int) -> Array:
    """Return half of the states, and no row twice: whether P_D is by rows or by values is then the same."""
    return states(units)[1 :: 2 if units > 1 else 1]


def sizes() -> dict[str, tuple[int, int, float]]:
    """Return units below, units above, and the scale of the weights between them."""
    return {f"{v} x {h}": (v, h, 1.0) for v, h in SIZES} | {"3 x 2, inputs of 800": (3, 2, 500.0)}


def _net(*units: int, scale: float = 1.0) -> DBN:
    """Return a net with directed layers between these sizes, and two units above the last."""

    def layer(below: int, above: int, seed: int, scale: float) -> Sigmoid:
        return Sigmoid(random(below, above, scale=scale, seed=seed), random(below, seed=seed))

    pairs = list(enumerate(pairwise(units)))
    return DBN(
        tuple(layer(v, h, 3 + 10 * k, scale) for k, (v, h) in pairs),
        tuple(layer(h, v, 4 + 10 * k, 1.0) for k, (v, h) in pairs),
        RBM(*(random(*shape, scale=scale, seed=5) for shape in ((units[-1], 2), (units[-1],), (2,)))),
    )


def _two_layers() -> list[Ask]:
    return [
        Ask(name, {"theta": _net(v, h, scale=scale), "x": rows(v)}) for name, (v, h, scale) in sizes().items()
    ]


def _deep(*, layers: bool = False) -> list[Ask]:
    asks = []
    for units in ((1, 1), (1, 1, 1), (2, 2), (2, 2, 2), (3, 2, 2), (2, 3, 2), (2, 2, 2, 2)):
        given = {"layers": _together((*units, 2))} if layers else {"x": states(units[0])}
        asks.append(Ask(f"{' x '.join(map(str, units))}, and 2 above", {"theta": _net(*units), **given}))
    return asks


def _together(units: tuple[int, ...]) -> tuple[Array, ...]:
    """Return the states of all layers together; where they are many, some, in odd steps: no unit is idle."""
    ends = np.cumsum(units)
    some = states(int(ends[-1]))[:: 2 ** int(ends[-1]) // 64 | 1]
    return tuple(some[:, end - size : end] for size, end in zip(units, ends, strict=True))


@quantity(
    "BA.eq13",
    cases=_two_layers(),
    expected=oracle.log_likelihood,
    rejects=("missing-top-partition", "recognition-weights-generate", "top-hidden-dropped"),
)
def two_layer_log_likelihood(theta: DBN, x: Array) -> Array:
    """log p(x) of each row"""
    return dbn.log_marginal(theta, x)


@quantity(
    "BA.eq19",
    cases=_two_layers(),
    expected=oracle.bound,
    rejects=("entropy-omitted", "entropy-of-wrong-sign", "prior-at-means", "prior-missing"),
)
def dbn_bound(theta: DBN, x: Array) -> Array:
    """E_q[log p(x | h) + log p(h)] + H(q), each row"""
    return bounds.bound_log_likelihood(theta, x)


@quantity(
    "BA.eq20",
    cases=_deep(layers=True),
    expected=oracle.log_joint,
    rejects=("missing-top-partition", "averaged-top-partition", "wrong-sign"),
)
def deep_log_joint(theta: DBN, layers: tuple[Array, ...]) -> Array:
    """log p(x, h1, ..., hL) of each row"""
    return dbn.log_joint(theta, *layers)


@quantity(
    "BA.eq16",
    cases=_deep(),
    expected=oracle.log_likelihood,
    rejects=("bound-for-likelihood", "top-hidden-maximised", "missing-top-partition"),
)
def deep_log_likelihood(theta: DBN, x: Array) -> Array:
    """log p(x) of each row"""
    return dbn.log_marginal(theta, x)


@quantity(
    "BA.eq18",
    cases=_deep(),
    expected=oracle.bound,
    rejects=("recognition-by-means", "entropy-of-upper-layers-omitted", "likelihood-for-bound"),
)
def deep_bound(theta: DBN, x: Array) -> Array:
    """the bound by q(h1 | x) q(h2 | h1) ..., each row"""
    return bounds.bound_log_likelihood(theta, x)
