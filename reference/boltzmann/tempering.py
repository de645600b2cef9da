r"""Parallel tempering: machines of a path, from easy to mix to the one wanted, that exchange their states.

The machines are those of ``annealing``, theta_beta for ``betas`` from 0 (independent units) to 1 (theta).  A
step is a Gibbs step in each, then one proposal to swap per pair of neighbours, from hot to cold.  Each part
leaves the product of all their laws invariant, so the step does, and its last row is a sample of theta if it
was before.

References: Swendsen & Wang 1986, Physical Review Letters 57; Desjardins et al. 2010, AISTATS.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, as_stream
from ..contracts import Bits, Number, Real, checked
from .annealing import check_betas, log_density, move
from .rbm import RBM, hidden_input


class TemperingInfo(NamedTuple):
    """What became of the proposals, pair by pair from hot to cold."""

    log_ratio: Real[Array, "n swaps"]  # log of the ratio whose minimum with 1 is the probability of a swap
    swapped: Bits[Array, "n swaps"]  # ones and zeros


@checked
def swap_log_ratio(
    theta: RBM,
    base: Real[Array, "V"],
    hot: Bits[Array, "n V"],
    cold: Bits[Array, "n V"],
    *,
    beta_hot: Number[float, "[0, 1]"],
    beta_cold: Number[float, "[0, 1]"],
) -> Real[Array, "n"]:
    r"""Return the log of the ratio whose minimum with 1 is the probability to exchange two states.

    .. math:: \log\frac{f_{\beta_1}(v_2)\, f_{\beta_2}(v_1)}{f_{\beta_1}(v_1)\, f_{\beta_2}(v_2)}

    with f the unnormalised marginals of ``annealing``: no partition function enters.

    Exactness: exact.
    """
    x_hot, x_cold = hidden_input(theta, hot), hidden_input(theta, cold)

    def gain(v: Array, x: Array) -> Array:  # of v, going from hot to cold
        return log_density(theta, base, v, x, beta_cold) - log_density(theta, base, v, x, beta_hot)

    return gain(hot, x_hot) - gain(cold, x_cold)


@checked
def tempering_step(
    theta: RBM, base: Real[Array, "V"], v: Bits[Array, "n R V"], *, betas: Sequence[float] | Array, rng: Rng
) -> tuple[Bits[Array, "n R V"], TemperingInfo]:
    """Return all states after a Gibbs step in each machine and one sweep of swaps, and what was swapped.

    A row of v is the state of a ladder of R = len(betas) machines; rows are independent.

    Exactness: exact draws; the product of the R laws is left invariant.
    """
    xp = array_namespace(v, *theta)
    ladder = check_betas(betas)
    if v.shape[1] != len(ladder):
        wanted = f"(n >= 1, {len(ladder)}, {v.shape[2]})"
        raise ValueError(f"v must have shape {wanted}, a state for each beta, got {tuple(v.shape)}")
    stream = as_stream(rng, like=v)

    states = [
        move(theta, base, hidden_input(theta, v[:, r, :]), beta, stream) for r, beta in enumerate(ladder)
    ]
    log_ratios, swaps = [], []
    for r, (beta_hot, beta_cold) in enumerate(pairwise(ladder)):
        hot, cold = states[r : r + 2]
        log_ratio = swap_log_ratio(theta, base, hot, cold, beta_hot=beta_hot, beta_cold=beta_cold)
        swap = stream.bernoulli(xp.exp(xp.minimum(log_ratio, xp.zeros_like(log_ratio))))
        exchange = swap[:, None] == 1
        states[r : r + 2] = xp.where(exchange, cold, hot), xp.where(exchange, hot, cold)
        log_ratios.append(log_ratio)
        swaps.append(swap)
    return xp.stack(states, axis=1), TemperingInfo(xp.stack(log_ratios, axis=1), xp.stack(swaps, axis=1))
