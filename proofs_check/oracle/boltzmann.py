"""The oracle of the Boltzmann checks: the table of the joint law, and what dividing and summing makes of it.

Nothing here knows a sigmoid, a free energy or a factorised conditional.  Parameters may be complex, so the
derivative of anything is exact by the complex step.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ...backends.arrays import Array, array_namespace, from_numpy, to_numpy
from ...reference.boltzmann.rbm import RBM

Table = Any
"""A NumPy array of numbers over states, real or complex."""


def numbers(theta: Any) -> Any:
    """Return parameters, or a tree of them, as NumPy float64, from whatever backend and dtype they are of."""
    if isinstance(theta, tuple):
        return type(theta)(*map(numbers, theta))
    return to_numpy(theta).astype(np.float64)


def like(values: Any, array: Array) -> Array:
    """Return ``values`` in the backend, device and dtype of ``array``."""
    return array_namespace(array).astype(from_numpy(np.asarray(values, np.float64), like=array), array.dtype)


def states(units: int) -> Table:
    """Return all binary states (2^units, units), the first unit most significant."""
    return np.array(list(product((0.0, 1.0), repeat=units)))


def row(v: Table) -> int:
    """Return the place of one binary vector in ``states``."""
    return int("".join(str(int(bit)) for bit in v), 2)


def empirical_law(v: Array) -> Table:
    """Return the share of each state among the rows of ``v``."""
    x = to_numpy(v)
    return np.bincount([row(t) for t in x], minlength=2 ** x.shape[1]) / len(x)


def log_sum(table: Table, axis: int | tuple[int, ...]) -> Table:
    """Return log sum exp over ``axis``, kept as an axis of length one; complex entries welcome."""
    top = table.real.max(axis=axis, keepdims=True)
    return top + np.log(np.exp(table - top).sum(axis=axis, keepdims=True))


def minus_energy(theta: RBM) -> Table:
    """Return -E(v, h) of every pair, (2^V, 2^H), edge by edge and unit by unit."""
    v, h = states(theta.b.size), states(theta.c.size)
    table = np.zeros((len(v), len(h)), dtype=theta.W.dtype)
    for i, j in product(range(theta.b.size), range(theta.c.size)):
        table = table + theta.W[i, j] * v[:, i, None] * h[None, :, j]
    for i in range(theta.b.size):
        table = table + theta.b[i] * v[:, i, None]
    for j in range(theta.c.size):
        table = table + theta.c[j] * h[None, :, j]
    return table


def log_partition(theta: RBM) -> Any:
    """Return log Z over all 2^(V + H) states."""
    return log_sum(minus_energy(theta), (0, 1))[0, 0]


def log_visible(theta: RBM) -> Table:
    """Return log p(v), (2^V,)."""
    return log_sum(minus_energy(theta) - log_partition(theta), 1)[:, 0]


def log_hidden(theta: RBM) -> Table:
    """Return log p(h), (2^H,)."""
    return log_sum(minus_energy(theta) - log_partition(theta), 0)[0, :]


def log_up(theta: RBM) -> Table:
    """Return log p(h | v), (2^V, 2^H)."""
    table = minus_energy(theta)
    return table - log_sum(table, 1)


def log_down(theta: RBM) -> Table:
    """Return log p(v | h), (2^H, 2^V)."""
    table = minus_energy(theta)
    return (table - log_sum(table, 0)).T


def kernel(theta: RBM) -> Table:
    """Return p(v' | v) of one sweep v -> h -> v', (2^V, 2^V)."""
    return np.exp(log_up(theta)) @ np.exp(log_down(theta))


def law_after(theta: RBM, law: Table, steps: int) -> Table:
    """Return the law of v after so many sweeps from ``law``."""
    return law @ np.linalg.matrix_power(kernel(theta), steps)


def second_eigenvalue(theta: RBM) -> float:
    """Return the second largest eigenvalue of ``kernel``.

    With the joint law P, K = D_v^-1 P D_h^-1 P^T is similar to A A^T for A = D_v^-1/2 P D_h^-1/2.
    """
    log_joint = minus_energy(theta) - log_partition(theta)
    half = np.exp(log_joint - log_visible(theta)[:, None] / 2 - log_hidden(theta)[None, :] / 2)
    return float(np.linalg.svd(half, compute_uv=False)[1]) ** 2


def mean_statistics(theta: RBM, law: Table) -> RBM:
    """Return the mean of (v h^T, v, h) with v from ``law`` and h from p(h | v)."""
    v, h = states(theta.b.size), states(theta.c.size)
    pairs = law[:, None] * np.exp(log_up(theta))
    return RBM(v.T @ pairs @ h, v.T @ pairs.sum(axis=1), h.T @ pairs.sum(axis=0))


def expected_cd(theta: RBM, law: Table, k: int) -> RBM:
    """Return data statistics minus the statistics after k sweeps, both in expectation."""
    data, chain = mean_statistics(theta, law), mean_statistics(theta, law_after(theta, law, k))
    return RBM(*(d - c for d, c in zip(data, chain, strict=True)))


def mean_log_likelihood(theta: RBM, law: Table) -> Any:
    """Return the mean of log p(v) under ``law``; states without mass count for nothing."""
    return (law * log_visible(theta)).sum()


def law_of_outcomes(bits: Array, probability: Table) -> Table:
    """Return the joint law of all entries of ``bits`` (R, ...), its outcomes with these probabilities.

    What is not binary has no place in the law: its probability is missing.
    """
    x = to_numpy(bits).reshape(len(probability), -1)
    binary = np.asarray(np.isin(x, (0, 1)).all(axis=1))
    probability, x = np.where(binary, probability, 0.0), np.where(binary[:, None], x, 0)
    return np.bincount([row(t) for t in x], weights=probability, minlength=2 ** x.shape[1])


def independent(*laws: Table) -> Table:
    """Return the joint law of independent rows."""
    joint = np.ones(1)
    for law in laws:
        joint = np.outer(joint, law).ravel()
    return joint


def mean_pseudo_log_likelihood(theta: RBM, law: Table) -> Any:
    """Return the mean of sum_i log p(v_i | v_-i) under ``law``, by dividing the table of p(v)."""
    log_p = log_visible(theta)
    return (law * pseudo_log_likelihood(log_p)).sum()


def pseudo_log_likelihood(log_p: Table) -> Table:
    """Return sum_i log p(v_i | v_-i) of each state, from the logarithm of a law of binary units."""
    table = log_p.reshape((2,) * int(np.log2(log_p.size)))
    total = sum(table - log_sum(table, axis) for axis in range(table.ndim))
    return total.reshape(-1)
