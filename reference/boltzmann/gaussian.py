r"""The Gaussian-Bernoulli restricted Boltzmann machine: real visible units of variance one, binary hidden.

The parameters are those of a binary machine, ``RBM(W, b, c)``: W (V, H), b visible, c hidden. [BA] 2.3 prints

    p(v | h) = N(W h + b, 1)  (eq. 11),   E(v, h) = (v - b)^2 / 2 - W v h - c h  (eq. 12).

The two agree with each other when b is the visible and c the hidden bias and W has a row per visible unit,
which is the reading taken here. It is not that of eq. 1, where c is visible, b is hidden, and W has a row per
hidden unit.

p(h | v) is that of the binary machine. The visible units integrate out in closed form,

    integral of e^{-E(v, h)} over v = (2 pi)^{V/2} e^{(c + W^T b) h + |W h|^2 / 2},

which leaves a general Boltzmann machine of the hidden units with couplings W^T W.
"""

from __future__ import annotations

import math

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, as_stream
from ..contracts import Bits, Law, Real, checked
from ..numerics import log_sum_exp, softplus
from ..states import binary_states
from .gibbs import GibbsInfo
from .rbm import (
    RBM,
    data_statistics,
    draw_hidden,
    hidden_input,
    hidden_on,
    mean_hidden,
    sample_hidden,
    visible_input,
)

__all__ = [
    "energy",
    "free_energy",
    "gibbs_step",
    "log_likelihood",
    "log_likelihood_grad",
    "log_partition",
    "marginal_hidden",
    "mean_hidden",
    "mean_visible",
    "model_statistics",
    "sample_hidden",
    "sample_visible",
]


@checked
def energy(theta: RBM, v: Real[Array, "n V"], h: Bits[Array, "n H"]) -> Real[Array, "n"]:
    r"""Return the energy of each pair (v, h), row by row.

    .. math:: E(v, h) = \tfrac12\lVert v - b\rVert^2 - v^\top W h - c^\top h      [BA] eq. 12

    Exactness: exact.
    """
    xp = array_namespace(v)
    return xp.sum((v - theta.b) ** 2, axis=1) / 2 - xp.sum((v @ theta.W) * h, axis=1) - h @ theta.c


@checked
def free_energy(theta: RBM, v: Real[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return F(v) with density :math:`p(v) = e^{-F(v)} / Z`.

    .. math:: F(v) = \tfrac12\lVert v - b\rVert^2 - \sum_j \operatorname{softplus}(c_j + (v W)_j)

    Exactness: exact.      [BA] eq. 12, h summed out
    """
    xp = array_namespace(v)
    return xp.sum((v - theta.b) ** 2, axis=1) / 2 - xp.sum(softplus(hidden_input(theta, v)), axis=1)


@checked
def mean_visible(theta: RBM, h: Real[Array, "n H"]) -> Real[Array, "n V"]:
    """Return E[v | h] = b + W h.      [BA] eq. 11

    Exactness: exact.
    """
    return visible_input(theta, h)


@checked
def sample_visible(theta: RBM, h: Real[Array, "n H"], *, rng: Rng) -> Real[Array, "n V"]:
    """Return v drawn from p(v | h), row by row.      [BA] eq. 11

    Exactness: exact draws.
    """
    mean = mean_visible(theta, h)
    return mean + as_stream(rng, like=mean).normal(tuple(mean.shape), like=mean)


@checked
def gibbs_step(theta: RBM, v: Real[Array, "n V"], *, rng: Rng) -> tuple[Real[Array, "n V"], GibbsInfo]:
    """Return v' drawn by one full step v -> h -> v', and what happened on the way.

    Exactness: exact draws; the machine's density is left invariant.
    """
    stream = as_stream(rng, like=v)
    p = hidden_on(hidden_input(theta, v))
    h = draw_hidden(p, stream)
    mean = visible_input(theta, h)
    return mean + stream.normal(tuple(mean.shape), like=mean), GibbsInfo(h, p, mean)


@checked
def log_partition(theta: RBM) -> Real[Array, ""]:
    r"""Return :math:`\log Z = \log\sum_h\int e^{-E(v, h)}\,dv`.

    Exactness: exact.   Cost: 2^H states, whatever V.
    Raises: ValueError where there are too many hidden units.
    """
    return log_sum_exp(_log_weights(theta))


@checked
def marginal_hidden(theta: RBM) -> Law[Array, "2**H"]:
    """Return p(h) of every hidden state, in the order of ``binary_states``.

    Exactness: exact.   Cost: 2^H states, whatever V.
    """
    log_weights = _log_weights(theta)
    return array_namespace(log_weights).exp(log_weights - log_sum_exp(log_weights))


@checked
def model_statistics(theta: RBM) -> RBM:
    r"""Return :math:`-\mathbb{E}_{v,h}[\partial_\theta E] = \mathbb{E}[(v h^\top, v - b, h)]`.

    Exactness: exact.   Cost: 2^H states.
    """
    xp = array_namespace(*theta)
    h, p = binary_states(theta.W.shape[1], like=theta.W), marginal_hidden(theta)
    first, second = p @ h, xp.matrix_transpose(h) @ (p[:, None] * h)
    return RBM(theta.b[:, None] * first + theta.W @ second, theta.W @ first, first)


@checked
def log_likelihood(theta: RBM, v: Real[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return the log density :math:`\log p(v) = -F(v) - \log Z` of each row, in nats.

    Exactness: exact.   Cost: 2^H states.
    """
    return -free_energy(theta, v) - log_partition(theta)


@checked
def log_likelihood_grad(theta: RBM, v: Real[Array, "n V"], *, weights: Law[Array, "n"] | None = None) -> RBM:
    """Return the gradient of the mean log-likelihood of the rows of ``v``, exactly.

    Exactness: exact.   [BA] 2.3, eq. 7
    """
    data, model = data_statistics(theta, v, weights=weights), model_statistics(theta)
    return RBM(data.W - model.W, (data.b - theta.b) - model.b, data.c - model.c)


def _log_weights(theta: RBM) -> Array:
    """Return the logarithm of the integral of e^{-E(v, h)} over v, of every hidden state."""
    xp = array_namespace(*theta)
    visible, hidden = theta.W.shape
    h = binary_states(hidden, like=theta.W)
    couplings = xp.matrix_transpose(theta.W) @ theta.W
    quadratic = xp.sum((h @ couplings) * h, axis=1) / 2
    return visible / 2 * math.log(2 * math.pi) + h @ (theta.c + theta.b @ theta.W) + quadratic
