"""What every quantity of an RBM is, read off the table of all energies: sums over states, nothing else."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM

Array = Any


def logsumexp(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Return log sum exp, its largest term taken out."""
    top = x.max(axis=axis, keepdims=True)
    total = top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))
    return total if keepdims else total.squeeze(axis)


def states(units: int) -> Array:
    """Return all binary states (2^units, units), the first unit most significant."""
    return np.array(list(product((0.0, 1.0), repeat=units))).reshape(2**units, units)


def places(rows: Array) -> Array:
    """Return where binary rows stand among the states."""
    return (rows @ 2.0 ** np.arange(rows.shape[1])[::-1]).astype(int)


def minus_energies(theta: RBM) -> Array:
    """Return -E of all pairs of states, (2^V, 2^H)."""
    v, h = states(len(theta.b)), states(len(theta.c))
    return np.einsum("si,ij,tj->st", v, theta.W, h) + (v @ theta.b)[:, None] + h @ theta.c


def energy(theta: RBM, v: Array, h: Array) -> Array:
    """Return E(v, h) of each row."""
    return -minus_energies(theta)[places(v), places(h)]


def free_energy(theta: RBM, v: Array) -> Array:
    """Return F(v) = -log sum_h exp(-E(v, h)) of each row."""
    return -logsumexp(minus_energies(theta), axis=1)[places(v)]


def log_partition(theta: RBM) -> Array:
    """Return log Z."""
    return logsumexp(minus_energies(theta))


def log_likelihood(theta: RBM, v: Array) -> Array:
    """Return log p(v) of each row."""
    return -free_energy(theta, v) - log_partition(theta)


def pseudo_log_likelihood(theta: RBM, v: Array) -> Array:
    """Return sum_i log p(v_i | the others) of each row."""
    log_p, total = log_likelihood(theta, states(len(theta.b))), 0.0
    for i in range(v.shape[1]):
        flipped = np.where(np.arange(v.shape[1]) == i, 1 - v, v)
        total = total - np.logaddexp(0, log_p[places(flipped)] - log_p[places(v)])
    return total


def up(theta: RBM) -> Array:
    """Return p(h | v) of all pairs of states, (2^V, 2^H)."""
    x = minus_energies(theta)
    return np.exp(x - logsumexp(x, axis=1, keepdims=True))


def down(theta: RBM) -> Array:
    """Return p(v | h) of all pairs of states, (2^H, 2^V)."""
    x = minus_energies(theta).T
    return np.exp(x - logsumexp(x, axis=1, keepdims=True))


def mean_hidden(theta: RBM, v: Array) -> Array:
    """Return E[h | v] of each row."""
    return up(theta)[places(v)] @ states(len(theta.c))


def mean_visible(theta: RBM, h: Array) -> Array:
    """Return E[v | h] of each row."""
    return down(theta)[places(h)] @ states(len(theta.b))


# --- laws of draws, by the products of their units


def moments(x: Array) -> Array:
    """Return the product over every set of units of all rows together, and how many are neither 0 nor 1.

    Of binary units these means determine the whole law.   Shapes: x (R, n, units) -> (R, 2^(n units)).
    """
    x = np.asarray(x, dtype=float).reshape(len(x), -1)
    odd = np.sum((x != 0) & (x != 1), axis=1)[:, None]
    return np.concatenate([odd, *(x[:, s].prod(axis=1)[:, None] for s in _sets(x.shape[1]))], axis=1)


def moments_of_rows(x: Array) -> Array:
    """Return the same of each row for itself: (R, n, units) -> (R, n, 2^units)."""
    return np.stack([moments(x[:, n]) for n in range(x.shape[1])], axis=1)


def _sets(units: int) -> list[tuple[int, ...]]:
    return [s for size in range(1, units + 1) for s in combinations(range(units), size)]


def moments_of_laws(laws: Array) -> Array:
    """Return the moments of rows that are drawn from these laws over all states, independently."""
    n, units = len(laws), int(np.log2(laws.shape[1]))
    law = laws[0]
    for other in laws[1:]:
        law = np.outer(law, other).reshape(-1)
    return law @ moments(states(n * units))


# --- updates


def statistics(v: Array, laws: Array) -> RBM:
    """Return the mean over rows of E[(v h', v, h)], h from a law over its states for each row."""
    h = laws @ states(int(np.log2(laws.shape[1])))
    return RBM(v.T @ h / len(v), v.mean(axis=0), h.mean(axis=0))


def less(data: RBM, model: RBM) -> RBM:
    """Return statistics of the data minus those of the model."""
    return RBM(*(plus - minus for plus, minus in zip(data, model, strict=True)))


def of_model(theta: RBM, law: Array) -> RBM:
    """Return the statistics of v from a law over its states, h given v."""
    v, h = states(len(theta.b)), up(theta) @ states(len(theta.c))
    return RBM(v.T @ (law[:, None] * h), law @ v, law @ h)


def log_likelihood_grad(theta: RBM, v: Array) -> RBM:
    """Return the data's statistics minus the model's."""
    p = np.exp(log_likelihood(theta, states(len(theta.b))))
    return less(statistics(v, up(theta)[places(v)]), of_model(theta, p))


def cd_update(theta: RBM, v: Array, *, k: int, negative_visible: str = "sample") -> RBM:
    """Return the expected CD-k direction."""
    return pcd_update(theta, v, v, k=k, negative_visible=negative_visible)[0]


def pcd_update(
    theta: RBM,
    v: Array,
    chains: Array,
    *,
    k: int,
    negative_visible: str = "sample",
    chain: str = "visible",
) -> tuple[RBM, Array]:
    """Return the expected PCD-k direction, and the moments of each chain afterwards."""
    above = np.eye(2 ** len(theta.c))[places(chains)] if chain == "hidden" else up(theta)[places(chains)]
    for _ in range(k - 1):
        above = above @ down(theta) @ up(theta)
    below = above @ down(theta)  # the laws of the last v, and of the h that it is drawn from
    model = of_model(theta, below.mean(axis=0))
    if negative_visible == "mean":
        x, law = down(theta) @ states(len(theta.b)), above.mean(axis=0)
        h = 1 / (1 + np.exp(-np.clip(x @ theta.W + theta.c, -700, None)))  # x is no state
        model = RBM(x.T @ (law[:, None] * h), law @ x, law @ h)
    after = below @ up(theta) if chain == "hidden" else below
    direction = less(statistics(v, up(theta)[places(v)]), model)
    return direction, np.stack([moments_of_laws(law[None]) for law in after])
