"""The exact log-likelihood of an RBM, its gradient, and the pseudo-likelihood."""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..contracts import Bits, Law, Real, checked
from ..numerics import log_sigmoid, softplus
from ..trees import difference
from .partition import log_partition, model_statistics
from .rbm import RBM, data_statistics, free_energy, hidden_input

_BLOCK = 2**18  # numbers per block of the pseudo-likelihood's flips


@checked
def log_likelihood(theta: RBM, v: Bits[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return :math:`\log p(v) = -F(v) - \log Z` of each row, in nats.      [BA] eq. 2-3, 6

    Exactness: exact.   Cost: 2^min(V, H) states.
    Raises: ValueError where the smaller layer has too many units to enumerate.
    """
    return log_normalised(theta, v, log_partition(theta))


@checked
def log_normalised(theta: RBM, v: Bits[Array, "n V"], log_z: Real[Array, ""]) -> Real[Array, "n"]:
    """Return -F(v) - log Z of each row, given log Z or an estimate of it.      [BA] eq. 2

    Exactness: that of ``log_z``.
    """
    return -free_energy(theta, v) - log_z


@checked
def log_likelihood_grad(theta: RBM, v: Real[Array, "n V"], *, weights: Law[Array, "n"] | None = None) -> RBM:
    r"""Return the gradient of the mean log-likelihood of the rows of ``v``, exactly.

    .. math:: \partial_\theta \textstyle\sum_t w_t \log p(v^{(t)}) = \mathbb{E}_{v,h}[\partial_\theta E(v, h)]
              - \sum_t w_t\, \mathbb{E}_h[\partial_\theta E(v^{(t)}, h) \mid v^{(t)}]      [BA] eq. 7

    Exactness: exact; real-valued rows (grey levels) are taken as they stand.   Cost: 2^min(V, H) states.
    Raises: ValueError where the smaller layer has too many units to enumerate.
    """
    return difference(data_statistics(theta, v, weights=weights), model_statistics(theta))


@checked
def pseudo_log_likelihood(theta: RBM, v: Bits[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return :math:`\sum_i \log p(v_i \mid v_{-i})` of each row, in nats.

    Flipping unit i changes the free energy by a difference that needs no Z, and the hidden inputs by
    :math:`\pm W_i`:
    :math:`\log p(v_i \mid v_{-i}) = \log\sigma(F(v \text{ with } v_i \text{ flipped}) - F(v))`.   [AL] 5.3.7

    Exactness: exact (all V units, no sampling).   Cost: n V H softplus.
    """
    xp = array_namespace(v)
    n, rows = v.shape[0], max(1, _BLOCK // (theta.W.shape[0] * theta.W.shape[1]))
    blocks = (v[i : min(i + rows, n), :] for i in range(0, n, rows))
    return xp.concat([xp.sum(log_sigmoid(-_gains(theta, block)), axis=1) for block in blocks])


def _gains(theta: RBM, v: Array) -> Array:
    """Return F(v) - F(v with v_i flipped), (n, V): the log odds of a flip."""
    xp = array_namespace(v)
    x, change = hidden_input(theta, v), 1 - 2 * v
    flipped = softplus(x[:, None, :] + change[:, :, None] * theta.W[None, :, :])
    return change * theta.b + xp.sum(flipped, axis=2) - xp.sum(softplus(x), axis=1)[:, None]
