"""The exact log-likelihood of an RBM, its gradient, and the pseudo-likelihood."""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..numerics import log_sigmoid
from .partition import log_partition, model_statistics
from .rbm import RBM, data_statistics, free_energy


def log_likelihood(theta: RBM, v: Array) -> Array:
    r"""Return :math:`\log p(v) = -F(v) - \log Z` of each row, in nats.      [BA] eq. 2-3, 6

    Shapes: v (n, V) -> (n,).   Exactness: exact.   Cost: 2^min(V, H) states.
    Raises: ValueError where the smaller layer has too many units to enumerate.
    """
    return -free_energy(theta, v) - log_partition(theta)


def log_likelihood_grad(theta: RBM, v: Array) -> RBM:
    r"""Return the gradient of the mean log-likelihood of the rows of ``v``, exactly.

    .. math:: \partial_\theta \tfrac1n\sum_t \log p(v^{(t)}) = \mathbb{E}_{v,h}[\partial_\theta E(v, h)]
              - \tfrac1n\sum_t \mathbb{E}_h[\partial_\theta E(v^{(t)}, h) \mid v^{(t)}]      [BA] eq. 7

    Shapes: v (n, V) -> RBM.   Exactness: exact.   Cost: 2^min(V, H) states.
    Raises: ValueError where the smaller layer has too many units to enumerate.
    """
    data, model = data_statistics(theta, v), model_statistics(theta)
    return RBM(*(d - m for d, m in zip(data, model, strict=True)))


def pseudo_log_likelihood(theta: RBM, v: Array) -> Array:
    r"""Return :math:`\sum_i \log p(v_i \mid v_{-i})` of each row, in nats.

    Unit i flipped changes the free energy by a difference that needs no Z:
    :math:`\log p(v_i \mid v_{-i}) = \log\sigma(F(v^{(i\,\mathrm{flipped})}) - F(v))`.      [AL] 5 (pseudo-likelihood)

    Shapes: v (n, V) -> (n,).   Exactness: exact (all V units, no sampling).   Cost: n V H.
    """
    xp = array_namespace(v)
    f = free_energy(theta, v)
    total = xp.zeros_like(f)
    flip = xp.eye(v.shape[1], dtype=v.dtype, device=v.device)
    for i in range(v.shape[1]):
        flipped = v + flip[i, :] * (1 - 2 * v)
        total = total + log_sigmoid(free_energy(theta, flipped) - f)
    return total
