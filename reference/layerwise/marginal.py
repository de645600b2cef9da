r"""The best latent marginal: the law on h with which a bottom layer explains the data best.      [AO] 2.2

EM settles which states matter in a few dozen steps, and may take thousands more for their masses.  So after
some steps of EM a Newton method takes over: it maximises :math:`L(Q) - \sum_h Q(h)` over :math:`Q \ge 0`,
which has the same optimum, by quadratic programs over the few states that have mass or deserve some (g > 1).
The law that EM left is one more column among them, so every datum keeps its probability.

The iteration stops on the certificate over *all* states, whatever the quadratic programs made of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...backends.arrays import Array, array_namespace, from_numpy, to_numpy
from ..contracts import Count, Law, LogWeights, Raw, checked, conform
from ..directed.layers import L, Layer
from ..directed.mixtures import (
    Likelihoods,
    Weights,
    columns,
    data_law,
    likelihoods,
    likelihoods_of_table,
    log_mixture,
    mixture_grad,
    where_true,
)
from .incorporation import Marginal, OnStates, certify, expectation_maximisation, log_likelihood

# They decide on time, never on the result.
_EM_STEPS = 32  # before Newton's method
_EM_STEPS_WARM = 4  # the same from a start that knows which states matter
_KEPT = 0.1  # states that EM has left this part of a uniform law's mass
_ADDED = 128  # states that may enter at each step, those with the largest g first
_CHOSEN = 4096  # states at most at the first step


@checked
def best_marginal(
    p: Likelihoods,
    *,
    weights: Weights = None,
    tolerance: float,
    most_steps: Count[int, 0] = 200,
    start: OnStates | None = None,
) -> Marginal:
    r"""Return :math:`\hat Q_D`, a best latent marginal, to ``tolerance`` nats.      [AO] eq. 13-14

    The bound U_D lies between the result's log-likelihood and that plus its gap.  Where the best marginal is
    not unique, one of them is returned.  A ``start`` (uniform where it is not given) decides on the time that
    it takes, and on which of them.  ``weights`` are a law over the data, 1/n each where they are not given.
    Exactness: certified; the gap says whether ``most_steps`` were enough.
    Cost: a step takes two matrix products over all data and states, and n k^2 + k^3 operations for the k
    states that have or get mass.
    Raises: ValueError where a datum of positive weight has probability zero given every h, or by ``start``.
    """
    xp = array_namespace(p.s)
    weights = data_law(p.s.shape[0], weights, like=p.s)
    em_steps = _EM_STEPS if start is None else _EM_STEPS_WARM
    if start is None:
        start = xp.full((p.states,), 1 / p.states, dtype=p.s.dtype, device=p.s.device)
    found = expectation_maximisation(
        p, start, weights=weights, tolerance=tolerance, most_steps=min(em_steps, most_steps)
    )
    em, log_em = found.Q, log_mixture(p, found.Q)[:, None]
    base, single = xp.ones_like(em[:1]), xp.zeros_like(em)  # Q is base times em, plus single
    states = _largest(em, above=_KEPT / p.states, most=_CHOSEN)
    while found.gap > tolerance and found.steps < most_steps:
        at = xp.asarray(states, dtype=xp.int64, device=em.device)
        log_columns = xp.concat([log_em, columns(p, at)], axis=1)
        # Data of weight zero do not count, and may be impossible.
        log_p = xp.where(weights > 0, log_mixture(p, found.Q), xp.full_like(p.top, math.inf))
        ratio = xp.exp(log_columns - log_p[:, None])
        mass = _newton_step(ratio, xp.concat([base, xp.take(single, at)]), weights)
        base, single = mass[:1], _spread(mass[1:], states, like=em)
        Q = base * em + single
        found = certify(p, Q / xp.sum(Q), weights=weights, steps=found.steps + 1)
        kept = xp.where(single > 0, xp.full_like(em, math.inf), found.g)
        states = _largest(kept, above=1.0, most=_ADDED + len(states))
    return found


@checked
def face_marginal(
    p: Likelihoods, states: Sequence[int], *, weights: Weights = None, tolerance: float
) -> Marginal:
    """Return the best law with mass on these states only: a fixed point of data incorporation.

    Each face of the simplex has one, where EM goes from a start in its interior; it is a best marginal where
    its gap, taken over all states, says so.      [AO] proposition 7, with what it leaves out
    Exactness: to ``tolerance`` nats of the best of the face; the gap is that from the best of all.
    Raises: ValueError where these states leave a datum of positive weight without probability.
    """
    xp = array_namespace(p.s)
    at = xp.asarray(list(states), dtype=xp.int64, device=p.s.device)
    face = best_marginal(likelihoods_of_table(columns(p, at)), weights=weights, tolerance=tolerance)
    Q = _spread(face.Q, list(states), like=xp.reshape(p.r, (-1,)))
    return certify(p, Q, weights=weights, steps=face.steps)


@checked
def upper_bound_grad(
    layer: L,
    x: Raw[Array, "n ..."],
    *,
    weights: Weights = None,
    tolerance: float,
    start: Law[Array, "S"] | None = None,
) -> tuple[Marginal, L]:
    r"""Return a bottom layer's best marginal and the gradient of :math:`U_D(\theta_I)`.      [AO] eq. 14, 16

    At the best marginal no change of Q helps, so the gradient of the bound is that by the layer with Q held
    (unique where the best marginal is).  Ascent along it trains the best optimistic lower layer.
    ``start`` is as ``best_marginal`` takes it.
    Exactness: to the tolerance.
    """
    p = likelihoods(layer, x)
    if start is not None:
        conform(("start", Raw[Array, "S"], start), S=p.states)
    best = best_marginal(p, weights=weights, tolerance=tolerance, start=start)
    return best, mixture_grad(layer, x, best.Q, weights=weights)[0]


@checked
def best_optimistic_layer(
    layers: Sequence[Layer], x: Raw[Array, "n ..."], *, weights: Weights = None, tolerance: float
) -> tuple[int, tuple[Marginal, ...]]:
    r"""Return which layer has the largest :math:`U_D`, and their best marginals.      [AO] eq. 16-17

    Exactness: certified; a layer within ``tolerance`` of the best may be better than it.
    """
    found = tuple(best_marginal(likelihoods(a, x), weights=weights, tolerance=tolerance) for a in layers)
    return max(range(len(found)), key=lambda k: float(found[k].log_likelihood)), found


@checked
def in_model_bound(
    p: Likelihoods, tops: Law[Array, "m G*G_"], *, weights: Weights = None
) -> tuple[LogWeights[Array, ""], int]:
    r"""Return :math:`U_D^{model} = \max_{\theta_J} L(P_{\theta_J})` over a finite family, and the maximiser.

    [AO] eq. 18.   Exactness: exact to rounding.
    """
    xp = array_namespace(p.s, tops)
    values = xp.stack([log_likelihood(p, tops[k, :], weights=weights) for k in range(tops.shape[0])])
    return xp.max(values), int(xp.argmax(values))


def _newton_step(ratio: Array, mass: Array, weights: Array) -> Array:
    r"""Return better masses of the columns, :math:`\mathrm{ratio}_{nk} = P_k(x_n) / P_Q(x_n)`.

    The second-order model of :math:`\sum_n w_n \log P(x_n) - \sum_k m_k` about m, maximised over y >= 0, is
    where to go: as the Hessian -M has M m = g, it is :math:`(2g - 1)^\top y - y^\top M y / 2`.
    """
    xp = array_namespace(ratio, mass, weights)
    scaled = xp.sqrt(weights)[:, None] * ratio
    M, g = xp.matrix_transpose(scaled) @ scaled, weights @ ratio
    eye = xp.eye(M.shape[0], dtype=M.dtype, device=M.device)
    # A ridge about m makes duplicated columns harmless; it does not move the optimum.
    ridge = float(xp.finfo(M.dtype).eps) ** (2 / 3) * xp.sum(M * eye, axis=1)
    y = _nonnegative_maximum(M + ridge * eye, 2 * g - 1 + ridge * mass, (mass > 0) | (g > 1))
    direction = y - mass
    slope = float(xp.sum((g - 1) * direction))
    if slope <= 0:  # rounding, or a quadratic program given up: the step of EM always ascends
        direction = mass * (g - 1)
        slope = float(xp.sum((g - 1) * direction))
    change, total = ratio @ direction, float(xp.sum(direction))
    length = 1.0
    while length > 1e-9:
        # No datum may lose all its probability, however little it weighs.
        grown = length * change
        safe = bool(xp.all(grown > -0.99))
        if safe and float(weights @ xp.log1p(grown)) - length * total >= 1e-4 * length * slope:
            break
        length /= 2
    mass = mass + length * direction
    mass = xp.where(mass > 0, mass, xp.zeros_like(mass))
    return mass / xp.sum(mass)


def _nonnegative_maximum(M: Array, c: Array, positive: Array) -> Array:
    r"""Return the maximiser of :math:`c^\top y - y^\top M y / 2` over y >= 0, y > 0 guessed.

    Block principal pivoting (Judice and Pires): all entries of the wrong sign change sides at once; while
    that does not make them fewer, the last one alone, which is finite.
    """
    xp = array_namespace(M, c)
    index = xp.arange(M.shape[0], dtype=xp.int64, device=M.device)
    slack = -(float(xp.finfo(M.dtype).eps) ** 0.75)
    fewest, chances, y = M.shape[0] + 1, 3, xp.zeros_like(c)
    for _ in range(100):
        some = where_true(positive)
        if some.shape[0] == 0:
            break
        system = xp.take(xp.take(M, some, axis=0), some, axis=1)
        solution = xp.linalg.solve(system, xp.take(c, some)[:, None])[:, 0]
        place = xp.where(positive, xp.cumulative_sum(xp.astype(positive, xp.int64)), 0 * index)
        y = xp.take(xp.concat([xp.zeros_like(c[:1]), solution]), place)
        wrong = xp.where(positive, y < 0, M @ y - c < slack)
        count = int(xp.sum(xp.astype(wrong, xp.int64)))
        if count == 0:
            break
        chances = 3 if count < fewest else chances - 1
        fewest = min(fewest, count)
        if chances < 0:
            wrong = index == xp.max(xp.where(wrong, index, 0 * index))
        positive = positive ^ wrong
    return xp.where(y > 0, y, xp.zeros_like(y))


def _largest(x: Array, *, above: float, most: int) -> list[int]:
    """Return where ``x`` is above this, the largest first, at most so many."""
    values = to_numpy(x)
    at = (values > above).nonzero()[0]
    return [int(k) for k in at[(-values[at]).argsort()[:most]]]


def _spread(values: Array, states: list[int], *, like: Array) -> Array:
    """Return a table of zeros but for these values at these states."""
    table = to_numpy(array_namespace(like).zeros_like(like))
    table[states] = to_numpy(values)
    return from_numpy(table, like=like)
