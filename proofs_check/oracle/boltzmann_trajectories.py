"""The oracle of Gibbs trajectories: one row per trajectory (x_0, z_0, ..., x_k), read off the joint law.

It knows no free energy and no score function; parameters may be complex.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from .boltzmann import Table, log_down, log_up


def paths(theta: RBM, k: int) -> Table:
    """Return every trajectory as the row of its states, (R, 2k + 1)."""
    sizes = [2**theta.b.size, 2**theta.c.size] * k + [2**theta.b.size]
    return np.stack([axis.ravel() for axis in np.indices(sizes)], axis=1)


def log_there(theta: RBM, k: int) -> Table:
    """Return log q(z_0, ..., x_k | x_0) of each trajectory."""
    t, up, down = paths(theta, k), log_up(theta), log_down(theta)
    return sum(up[t[:, 2 * i], t[:, 2 * i + 1]] + down[t[:, 2 * i + 1], t[:, 2 * i + 2]] for i in range(k))


def log_back(theta: RBM, k: int) -> Table:
    """Return log p(x_0, ..., z_{k-1} | x_k) of each trajectory."""
    t, up, down = paths(theta, k), log_up(theta), log_down(theta)
    return sum(up[t[:, 2 * i + 2], t[:, 2 * i + 1]] + down[t[:, 2 * i + 1], t[:, 2 * i]] for i in range(k))


def divergence(theta: RBM, law: Table, prior: Table, k: int) -> Any:
    """Return KL(q || p), the sum over trajectories."""
    t = paths(theta, k)
    start, ratio = law[t[:, 0]], log_there(theta, k) - log_back(theta, k) - np.log(prior[t[:, -1]])
    mass = start > 0
    q = start[mass] * np.exp(log_there(theta, k)[mass])
    return np.sum(q * (np.log(start[mass]) + ratio[mass]))


def kl(a: Table, b: Table) -> Any:
    """Return KL(a || b) of two laws."""
    mass = a.real > 0
    return np.sum(a[mass] * np.log(a[mass] / b[mass]))


def parts_of(case: tuple[Any, int]) -> tuple[RBM, Table, int]:
    """Return machine, law and k; a law that was rounded to float32 is made to sum to one."""
    (theta, law), k = case
    return theta, law / law.sum(), k


def mean(weight: Table, values: RBM) -> RBM:
    """Return the sum over trajectories of weight times value, field by field."""
    return RBM(*(np.tensordot(weight, x, axes=1) for x in values))


def weighted(weight: Table, values: RBM) -> RBM:
    """Return weight times value of each trajectory, field by field."""
    return RBM(*(weight.reshape(-1, *[1] * (x.ndim - 1)) * x for x in values))


def size(direction: RBM) -> float:
    """Return the Euclidean norm of all fields together."""
    return float(np.sqrt(sum(np.sum(x**2) for x in direction)))
