"""The Gaussian-Bernoulli machine: real visible units, binary hidden ones."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import expect
from ...reference.boltzmann import gaussian
from ...reference.boltzmann.rbm import RBM
from ..check import DEFINITION, EXACTLY, Implementation, agree, check
from ..oracle.boltzmann import like, log_sum, states
from ..oracle.boltzmann_gaussian import grid, log_density, minus_energy, moments
from ..oracle.derivative import derivative
from ..strategies.boltzmann import rbms
from ..strategies.common import arrays, hundredths, weights

machines = rbms(max_visible=2, max_hidden=3, saturation=2.0)
"""Means of v lie within b + W h, at most 8 from the origin: the grid reaches 8 standard deviations beyond."""

square_machines = st.tuples(weights(2, 2, saturation=2.0), *2 * [arrays((2,), hundredths(-1, 1))]).map(
    lambda fields: RBM(*fields)
)


@check(
    "BA.eq11",
    of=gaussian,
    cases=machines,
    examples=12,
    evidence=DEFINITION,
    rejects=("sigmoid-left-in", "hidden-bias-for-visible", "variance-doubled", "mean-for-normal"),
)
def visible_units_given_hidden_are_normal(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """e^-E(., h), normalised over a grid, has mean W h + b and covariance 1, and so has the sampler.

    W has a row per visible unit here, and b is the visible bias: not as in eq. 1 of the same document.
    """
    v, h = grid(plain.b.size), states(plain.c.size)
    table = minus_energy(plain, v)
    rows = like(h, theta.W)
    draws = expect(lambda given, rng: impl.sample_visible(theta, given, rng=rng), rows, nodes=3)
    mean, covariance = (np.stack(part) for part in zip(*(moments(e, v) for e in table.T), strict=True))
    second = covariance + mean[:, :, None] * mean[:, None, :]
    agree(covariance, 0 * covariance + np.eye(plain.b.size), "covariance of v given h")
    agree(impl.mean_visible(theta, rows), mean, "mean of v given h")
    agree(draws.mean(), mean, "mean of the draws")
    agree(draws.mean(lambda x: x[:, :, None] * x[:, None, :]), second, "their second moments")


@check(
    "BA.eq12",
    of=gaussian,
    cases=square_machines | machines,
    examples=40,
    evidence=EXACTLY,
    rejects=("gaussian-transposed", "quadratic-term-not-halved", "gaussian-without-hidden-bias"),
)
def energy_has_the_quadratic_term_of_the_gaussian(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """E(v, h), term by term; its normalised exponential has the mean of eq. 11.

    (v - b)^2 is read as a sum over units, and W v h as the sum of w_ij v_i h_j, with the W and the b of
    eq. 11. As a matrix product, W v would exist for V = H only, and give the mean W'h + b.
    """
    v, h = grid(plain.b.size), states(plain.c.size)
    table = minus_energy(plain, v)
    for s in range(len(h)):
        rows = array_namespace(theta.W).broadcast_to(like(h[s : s + 1], theta.W), (len(v), h.shape[1]))
        E = to_numpy(impl.energy(theta, like(v, theta.W), rows)).astype(float)
        agree(E, -table[:, s], f"E(v, {h[s].tolist()})")
        mean = plain.W @ h[s] + plain.b
        agree(moments(-E, v)[0], mean, f"mean of v given h = {h[s].tolist()}")


@check(
    "BA.sec2.3a",
    of=gaussian,
    cases=machines,
    examples=12,
    evidence=EXACTLY,
    rejects=(
        "couplings-halved",
        "statistics-not-centred",
        "gaussian-negative-phase-missing",
        "gaussian-constant-missing",
    ),
    uncovered="a variance that is learned",
)
def hidden_units_and_updates_keep_their_form(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """p(h | v) is the sigmoid of the binary machine; the gradient is that of log p(v), Z by the grid.

    A step of its Gibbs chain draws h from that law, and v' given h with the mean of eq. 11.
    """
    v = np.array([[-1.25, 0.5], [0.0, 2.0], [3.5, -0.75]])[:, : plain.b.size]
    rows, h = like(v, theta.W), states(plain.c.size)
    table = minus_energy(plain, v)
    given = np.exp(table - log_sum(table, 1))
    agree(impl.gibbs_step(theta, rows, rng=0)[1].mean_hidden, given @ h, "p(h_j = 1 | v)")
    steps = expect(lambda given, rng: impl.gibbs_step(theta, given, rng=rng)[0], rows, nodes=3)
    agree(steps.mean(), given @ h @ plain.W.T + plain.b, "mean of v' after a step")
    agree(impl.log_likelihood(theta, rows), log_density(plain, v), "log p(v)")
    exact = derivative(lambda at: np.mean(log_density(at, v)), plain)
    agree(impl.log_likelihood_grad(theta, rows), exact, "gradient")
