"""The exact log partition function of an RBM, its marginals and mean statistics, by summing over one layer."""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..numerics import log_sum_exp, softplus
from ..states import binary_states
from .rbm import RBM, check_rbm, free_energy, mean_visible


def log_joint_table(theta: RBM) -> Array:
    """Return log p(v, h) of every pair of states."""
    check_rbm(theta)
    xp = array_namespace(*theta)
    v, h = binary_states(theta.W.shape[0], like=theta.W), binary_states(theta.W.shape[1], like=theta.W)
    log_joint = v @ theta.W @ xp.matrix_transpose(h) + (v @ theta.b)[:, None] + (h @ theta.c)[None, :]
    return log_joint - log_sum_exp(log_joint)


def log_partition(theta: RBM) -> Array:
    """Return log Z."""
    check_rbm(theta)
    v = binary_states(theta.W.shape[0], like=theta.W)
    return log_sum_exp(-free_energy(theta, v))


def marginal_visible(theta: RBM) -> Array:
    """Return p(v) of every visible state, in the order of ``binary_states``."""
    xp = array_namespace(*theta)
    v = binary_states(theta.W.shape[0], like=theta.W)
    return xp.exp(-free_energy(theta, v) - log_partition(theta))


def marginal_hidden(theta: RBM) -> Array:
    """Return p(h) of every hidden state, in the order of ``binary_states``."""
    xp = array_namespace(*theta)
    h = binary_states(theta.W.shape[1], like=theta.W)
    minus_f = h @ theta.c + xp.sum(softplus(h @ xp.matrix_transpose(theta.W) + theta.b), axis=1)
    return xp.exp(minus_f - log_partition(theta))


def model_statistics(theta: RBM) -> RBM:
    r"""Return :math:`\mathbb{E}_{v,h}[(v h^\top, v, h)]` under the model."""
    xp = array_namespace(*theta)
    h = binary_states(theta.W.shape[1], like=theta.W)
    p, v = marginal_hidden(theta), mean_visible(theta, h)
    return RBM(xp.matrix_transpose(v) @ (p[:, None] * h), p @ v, p @ h)


def law_of_bits(off: Array, on: Array) -> Array:
    r"""Return :math:`\prod_k\mathrm{on}_k^{x_k}\,\mathrm{off}_k^{1-x_k}` of every x in {0,1}^K, row by row.

    Both factors are given because 1 - on would lose the small ones.
    Shapes: off, on (n, K) -> (n, 2^K), in the order of ``binary_states``.   Exactness: exact to rounding.
    """
    xp = array_namespace(off, on)
    table = xp.ones((off.shape[0], 1), dtype=off.dtype, device=off.device)
    for k in range(off.shape[1]):
        pair = xp.stack([off[:, k], on[:, k]], axis=1)
        table = xp.reshape(table[:, :, None] * pair[:, None, :], (off.shape[0], -1))
    return table
