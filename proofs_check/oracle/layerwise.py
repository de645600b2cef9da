"""The oracle of layer-wise training: likelihoods of tables P(x | h) by loops, best marginals by a dual bound.

An optimum is proved case by case: for any weights l > 0 of the data with sum_x l(x) P(x|h) <= 1 for every h,
U_D <= sum_x P_D(x) log(P_D(x) / l(x)) (Jensen); a law on h that attains such a bound is a best marginal.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from ...backends.arrays import Array, to_numpy

Numbers = Any
"""A NumPy array of float64, or of complex numbers where a derivative is taken."""


def numbers(x: Array) -> Numbers:
    """Return an array as NumPy float64."""
    return to_numpy(x).astype(np.float64)


# --- likelihoods ------------------------------------------------------------------------------------------


def log_lik(A: Numbers, data: Numbers, Q: Numbers) -> float:
    """Return E_D log sum_h P(x|h) Q(h), by loops over what occurs."""
    total = 0.0
    for share, p in zip(data, A @ Q, strict=True):
        if share > 0:
            total += share * math.log(p) if p > 0 else -math.inf
    return total


def divergence(p: Numbers, q: Numbers) -> float:
    """Return KL(p || q); infinite where q misses a part of p."""
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in zip(p, q, strict=True) if a > 0)


def log_lik_of_logits(logits: Numbers, data: Numbers, Q: Numbers) -> Any:
    """Return E_D log sum_h P(x|h) Q(h) of the logits of P(x|h), complex ones welcome."""
    some, weights = data > 0, np.exp(logits)
    return data[some] @ np.log((weights / weights.sum(axis=0) @ Q)[some])


def rows_of(logits: Numbers) -> Numbers:
    """Return q(h | x) of each x, complex logits welcome."""
    weights = np.exp(logits - logits.real.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def posterior_table(A: Numbers, Q: Numbers) -> Numbers:
    """Return P(h | x) of all x, (X, S), row by row; a row of zeros where x is impossible."""
    joint = A * Q
    total = joint.sum(axis=1, keepdims=True)
    return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)


def gradient(A: Numbers, data: Numbers, Q: Numbers) -> Numbers:
    """Return E_D P(x|h) / P_Q(x) of each h."""
    some = data > 0
    return (data[some] / (A[some] @ Q)) @ A[some]


# --- best marginals ---------------------------------------------------------------------------------------


def dual_bound(A: Numbers, data: Numbers, Q: Numbers) -> float:
    """Return an upper bound of U_D, whatever the law Q on h that gives every datum some probability."""
    some = data > 0
    weights = data[some] / (A[some] @ Q)
    weights = weights / (weights @ A[some]).max()
    return float(data[some] @ np.log(data[some] / weights))


def twins(A: Numbers) -> Numbers:
    """Return the pairs of states with the same P(x | h)."""
    return np.argwhere(np.triu((A[:, :, None] == A[:, None, :]).all(axis=0), 1))


def shifted(Q: Numbers, h: int, k: int) -> Numbers:
    """Return Q with the mass of h on k."""
    return Q + Q[h] * (np.eye(Q.size)[k] - np.eye(Q.size)[h])


def range_of_optima(A: Numbers, data: Numbers, Q: Numbers) -> Numbers:
    """Return by how much each coordinate varies over all laws that give the data what Q gives them.

    P(x) of the data is the same under every best marginal (L is strictly concave in it), so these are all.
    """
    from scipy.optimize import linprog

    rows = np.vstack([A[data > 0], np.ones(Q.size)])
    scale = rows.max(axis=1)
    rows, target = rows / scale[:, None], rows @ Q / scale
    ends = []
    for sign in (1, -1):
        for h in range(Q.size):
            goal = sign * np.eye(Q.size)[h]
            found = linprog(goal, A_eq=rows, b_eq=target, method="highs")
            ends.append(float(goal @ found.x) * sign if found.status == 0 else float(Q[h]))
    return np.array(ends[Q.size :]) - np.array(ends[: Q.size])


# --- laws and codes to try --------------------------------------------------------------------------------


def simplex(states: int, parts: int) -> Numbers:
    """Return all laws whose probabilities are multiples of 1 / parts."""
    counts = [c for c in product(range(parts + 1), repeat=states) if sum(c) == parts]
    return np.array(counts) / parts


def codes(n: int, S: int) -> list[Numbers]:
    """Return all deterministic codes: each datum its own state of h, as tables of zeros and ones."""
    return [np.eye(S)[list(code)] for code in product(range(S), repeat=n)]
