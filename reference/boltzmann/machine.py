"""The general Boltzmann machine on a small graph, by enumeration alone: the independent oracle of the RBM.

Every unit may be coupled to every other one; nothing here factorises, so nothing can be factorised wrongly.
"""

from __future__ import annotations

from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ..contracts import Bits, Law, Real, checked
from ..numerics import log_sum_exp
from ..states import binary_states, check_enumerable
from ..trees import difference
from .rbm import RBM


class BM(NamedTuple):
    """Parameters of a Boltzmann machine; a gradient is a BM too."""

    L: Real[Array, "n n"]  # couplings, symmetric, zero on the diagonal
    b: Real[Array, "n"]  # biases

    def relation(self, name: str) -> None:
        """Raise ValueError unless ``L`` is symmetric and zero on the diagonal."""
        xp = array_namespace(self.L)
        if not bool(xp.all(xp.matrix_transpose(self.L) == self.L)):
            raise ValueError(f"{name}.L must be symmetric, got couplings that differ from their transpose")
        if bool(xp.any(self.L * xp.eye(self.L.shape[0], dtype=self.L.dtype, device=self.L.device) != 0)):
            raise ValueError(f"{name}.L must be zero on the diagonal: a unit is not coupled to itself")


@checked
def from_rbm(theta: RBM) -> BM:
    """Return the same law as a general machine: visible units first, no couplings within a layer.

    Exactness: exact.      [BA] 2.1
    """
    xp = array_namespace(*theta)
    visible, hidden = theta.W.shape
    within = [xp.zeros((n, n), dtype=theta.W.dtype, device=theta.W.device) for n in (visible, hidden)]
    upper = xp.concat([within[0], theta.W], axis=1)
    lower = xp.concat([xp.matrix_transpose(theta.W), within[1]], axis=1)
    return BM(xp.concat([upper, lower]), xp.concat([theta.b, theta.c]))


@checked
def energy(theta: BM, x: Bits[Array, "m n"]) -> Real[Array, "m"]:
    r"""Return the energy of each state, every coupled pair counted once.

    .. math:: E(x) = -\tfrac12 x^\top L x - b^\top x      [BA] 2, [SH] 2.1 (Markov networks)

    Exactness: exact.
    """
    return _energy(theta, x)


@checked
def log_partition(theta: BM) -> Real[Array, ""]:
    r"""Return :math:`\log Z = \log\sum_x e^{-E(x)}`.      [BA] eq. 3

    Exactness: exact.   Cost: n 2^n numbers.
    Raises: ValueError where there are too many states.
    """
    return log_sum_exp(-_energy(theta, _states(theta)))


@checked
def state_law(theta: BM) -> Law[Array, "2**n"]:
    """Return p(x) of every state, in the order of ``binary_states``.      [BA] eq. 2

    Exactness: exact.   Cost: n 2^n numbers.
    Raises: ValueError where there are too many states.
    """
    xp = array_namespace(*theta)
    minus_energy = -_energy(theta, _states(theta))
    return xp.exp(minus_energy - log_sum_exp(minus_energy))


@checked
def log_likelihood(theta: BM, v: Bits[Array, "m k"]) -> Real[Array, "m"]:
    r"""Return :math:`\log p(v)` of each row, the units beyond the first ``v.shape[1]`` summed out, in nats.

    Exactness: exact.   Cost: n 2^n + m n 2^(n-k) numbers.
    """
    _, minus_energy = _completions(theta, v)
    return log_sum_exp(minus_energy, axis=1) - log_partition(theta)


@checked
def log_likelihood_grad(theta: BM, v: Bits[Array, "m k"]) -> BM:
    r"""Return the gradient of the mean log-likelihood of the rows of ``v``.

    .. math:: \partial_{L_{ij}} = \mathbb{E}_{\mathrm{data}}[x_i x_j] - \mathbb{E}_{\mathrm{model}}[x_i x_j],
              \quad \partial_{b_i} = \mathbb{E}_{\mathrm{data}}[x_i] - \mathbb{E}_{\mathrm{model}}[x_i]

    with the units beyond the first ``v.shape[1]`` drawn from their law given v. An entry of L stands for the
    one parameter that L_ij and L_ji share.      [BA] eq. 7

    Exactness: exact.   Cost: as above.
    """
    x, minus_energy = _completions(theta, v)
    xp = array_namespace(v)
    posterior = xp.exp(minus_energy - log_sum_exp(minus_energy, axis=1)[:, None])
    data = _moments(x, xp.reshape(posterior, (-1,)) / v.shape[0])
    model = _moments(_states(theta), state_law(theta))
    return difference(data, model)


def _completions(theta: BM, v: Array) -> tuple[Array, Array]:
    """Return all states (m 2^(n-k), n) that extend a row of ``v``, and minus their energies (m, 2^(n-k))."""
    n, k = theta.b.shape[0], v.shape[1]
    if not 1 <= k <= n:
        raise ValueError(f"v must give between 1 and {n} units, got shape {tuple(v.shape)}")
    xp = array_namespace(v)
    rows = v.shape[0]
    check_enumerable("the table of completed rows", (rows, *(2,) * (n - k)))
    h = binary_states(n - k, like=v)
    x = xp.concat([xp.repeat(v, h.shape[0], axis=0), xp.tile(h, (rows, 1))], axis=1)
    return x, xp.reshape(-_energy(theta, x), (rows, h.shape[0]))


def _energy(theta: BM, x: Array) -> Array:
    return -array_namespace(x).sum((x @ theta.L) * x, axis=1) / 2 - x @ theta.b


def _moments(x: Array, p: Array) -> BM:
    """Return E[x_i x_j] off the diagonal, and E[x_i], of the states ``x`` with probabilities ``p``."""
    xp = array_namespace(x)
    off_diagonal = 1 - xp.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return BM(off_diagonal * (xp.matrix_transpose(x) @ (p[:, None] * x)), p @ x)


def _states(theta: BM) -> Array:
    return binary_states(theta.b.shape[0], like=theta.b)
