"""[BA] 2.3: the Gaussian-Bernoulli machine.  Densities are integrated on a grid, by the trapezoidal rule.

On a Gaussian that rule converges faster than any power of the step: at step 1/2 its error is below 1e-30.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import expect
from ...reference.boltzmann import gaussian
from ...reference.boltzmann.rbm import RBM
from ...reference.numerics import sigmoid
from ..check import DEFINITION, EXACTLY, Implementation, agree, check
from ..strategies import arrays, hundredths, rbms, weights
from . import brute
from .brute import Table, like

machines = rbms(max_visible=2, max_hidden=3, saturation=2.0)
"""Means of v lie within b + W h, at most 8 from the origin: the grid reaches 8 standard deviations beyond."""

square_machines = st.tuples(weights(2, 2, saturation=2.0), *2 * [arrays((2,), hundredths(-1, 1))]).map(
    lambda fields: RBM(*fields)
)


def grid(V: int) -> Table:
    """Return the points (N, V) of the grid, 1/2 apart."""
    return np.array(list(product(np.arange(-16.0, 16.5, 0.5), repeat=V)))


def minus_energy(theta: RBM, v: Table) -> Table:
    """Return -E(v, h) = -|v - b|^2 / 2 + sum_ij v_i w_ij h_j + sum_j c_j h_j, (N, 2^H); may be complex."""
    h = brute.states(theta.c.size)
    table = np.zeros((len(v), len(h)), dtype=theta.W.dtype)
    for i in range(theta.b.size):
        table = table - (v[:, i, None] - theta.b[i]) ** 2 / 2
        for j in range(theta.c.size):
            table = table + theta.W[i, j] * v[:, i, None] * h[None, :, j]
    for j in range(theta.c.size):
        table = table + theta.c[j] * h[None, :, j]
    return table


def log_density(theta: RBM, v: Table) -> Table:
    """Return log p(v), normalised by the sum over the grid."""
    V = theta.b.size
    log_z = brute.log_sum(minus_energy(theta, grid(V)), (0, 1))[0, 0] + V * np.log(0.5)
    return brute.log_sum(minus_energy(theta, v), 1)[:, 0] - log_z


def moments(minus_e: Table, v: Table) -> tuple[Table, Table]:
    """Return mean and covariance of v under exp(minus_e), normalised over the grid."""
    p = np.exp(minus_e - minus_e.max())
    p = p / p.sum()
    return p @ v, (v * p[:, None]).T @ v - np.outer(p @ v, p @ v)


def energy_with(change: Any) -> dict[str, Any]:
    """Return an energy of a changed machine."""
    return {"energy": lambda theta, v, h: gaussian.energy(change(theta), v, h)}


@check(
    "BA.eq11",
    of=(gaussian,),
    cases=machines,
    examples=12,
    evidence=DEFINITION,
    mutants={
        "sigmoid left in": {
            "mean_visible": lambda theta, h: sigmoid(gaussian.mean_visible(theta, h)),
        },
        "hidden bias for visible bias": {
            "mean_visible": lambda theta, h: (
                gaussian.mean_visible(theta, h) - theta.b + array_namespace(h).sum(theta.c)
            )
        },
        "variance two": {
            "sample_visible": lambda theta, h, *, rng: (
                gaussian.mean_visible(theta, h)
                + 2**0.5 * (gaussian.sample_visible(theta, h, rng=rng) - gaussian.mean_visible(theta, h))
            )
        },
        "the mean for a draw": {"sample_visible": lambda theta, h, *, rng: gaussian.mean_visible(theta, h)},
    },
)
def visible_units_given_hidden_are_normal(impl: Implementation, theta: RBM) -> None:
    """e^-E(., h), normalised over a grid, has mean W h + b and covariance 1, and so has the sampler.

    W has a row per visible unit here, and b is the visible bias: not as in eq. 1 of the same document.
    """
    own = brute.numbers(theta)
    v, h = grid(own.b.size), brute.states(own.c.size)
    table = minus_energy(own, v)
    means = impl.mean_visible(theta, like(h, theta.W))
    draws = expect(lambda rows, rng: impl.sample_visible(theta, rows, rng=rng), like(h, theta.W), nodes=3)
    drawn = to_numpy(draws.mean())
    second = to_numpy(draws.mean(lambda x: x[:, :, None] * x[:, None, :]))
    for s in range(len(h)):
        mean, covariance = moments(table[:, s], v)
        agree(covariance, np.eye(len(mean)), f"covariance of v given h = {h[s]}", atol=1e-9)
        agree(means[s, :], mean, f"mean of v given h = {h[s]}", atol=1e-9)
        agree(drawn[s], mean, f"mean of the draws given h = {h[s]}", atol=1e-9)
        agree(
            second[s],
            covariance + np.outer(mean, mean),
            f"second moment of the draws given h = {h[s]}",
            atol=1e-9,
        )


def energy_as_printed_agrees_with_eq_11(impl: Implementation, theta: RBM) -> None:
    """As printed, with one W in both equations: (v - b)^2 / 2 - (W v) h - c h gives the mean W h + b."""
    own = brute.numbers(theta)
    if own.W.shape[0] != own.W.shape[1]:
        return  # W v does not exist; only square W can tell more
    v, h = grid(own.b.size), brute.states(own.c.size)
    printed = -((v - own.b) ** 2).sum(axis=1)[:, None] / 2 + (v @ own.W.T) @ h.T + h @ own.c
    means = to_numpy(impl.mean_visible(theta, like(h, theta.W)))
    for s in range(len(h)):
        agree(
            moments(printed[:, s], v)[0],
            means[s],
            f"mean of v given h = {h[s].tolist()}, W h + b",
            rtol=0,
            atol=0.99,
        )


@check(
    "BA.eq12",
    of=(gaussian,),
    cases=square_machines | machines,
    examples=40,
    evidence=EXACTLY,
    printed=energy_as_printed_agrees_with_eq_11,
    correction=(
        "E(v, h) = |v - b|^2 / 2 - v'W h - c'h: with the W of eq. 11, which multiplies h, the product W v "
        "exists only where V = H, and the mean of v that follows from it is W'h + b"
    ),
    mutants={
        "W transposed": energy_with(
            lambda theta: theta._replace(W=theta.W.T if theta.W.shape[0] == theta.W.shape[1] else -theta.W)
        ),
        "quadratic term not halved": {
            "energy": lambda theta, v, h: (
                gaussian.energy(theta, v, h) + array_namespace(v).sum((v - theta.b) ** 2, axis=1) / 2
            )
        },
        "hidden bias forgotten": energy_with(lambda theta: theta._replace(c=0 * theta.c)),
    },
)
def energy_has_the_quadratic_term_of_the_gaussian(impl: Implementation, theta: RBM) -> None:
    """E(v, h), term by term; its normalised exponential has the mean of eq. 11."""
    own = brute.numbers(theta)
    v, h = grid(own.b.size), brute.states(own.c.size)
    xp = array_namespace(theta.W)
    table = minus_energy(own, v)
    for s in range(len(h)):
        rows = xp.broadcast_to(like(h[s : s + 1], theta.W), (len(v), h.shape[1]))
        E = to_numpy(impl.energy(theta, like(v, theta.W), rows)).astype(float)
        agree(E, -table[:, s], f"E(v, {h[s].tolist()})", atol=1e-9)
        agree(moments(-E, v)[0], own.W @ h[s] + own.b, f"mean of v given h = {h[s].tolist()}", atol=1e-9)


@check(
    "BA.sec2.3a",
    of=(gaussian,),
    cases=machines,
    examples=12,
    evidence=EXACTLY,
    mutants={
        "hidden units see half of W": {
            "gibbs_step": lambda theta, v, *, rng: gaussian.gibbs_step(
                theta._replace(W=theta.W / 2), v, rng=rng
            )
        },
        "statistics of the visible bias not centred": {
            "log_likelihood_grad": lambda theta, v: (lambda g: g._replace(b=g.b + theta.b))(
                gaussian.log_likelihood_grad(theta, v)
            )
        },
        "the model's part forgotten": {
            "log_likelihood_grad": lambda theta, v: RBM(
                *(
                    g + m
                    for g, m in zip(
                        gaussian.log_likelihood_grad(theta, v), gaussian.model_statistics(theta), strict=True
                    )
                )
            )
        },
        "Z without the Gaussian's constant": {
            "log_likelihood": lambda theta, v: gaussian.log_likelihood(theta, v) + math.log(2 * np.pi) / 2
        },
    },
)
def hidden_units_and_updates_keep_their_form(impl: Implementation, theta: RBM) -> None:
    """p(h | v) is the sigmoid of the binary machine; the gradient is that of log p(v), Z by the grid."""
    own = brute.numbers(theta)
    v = np.array([[-1.25, 0.5], [0.0, 2.0], [3.5, -0.75]])[:, : own.b.size]
    rows, h = like(v, theta.W), brute.states(own.c.size)
    table = minus_energy(own, v)
    given = np.exp(table - brute.log_sum(table, 1))
    info = impl.gibbs_step(theta, rows, rng=0)[1]
    agree(info.mean_hidden, given @ h, "p(h_j = 1 | v)", rtol=1e-9)
    agree(impl.log_likelihood(theta, rows), log_density(own, v), "log p(v)", rtol=1e-9, atol=1e-9)
    exact = brute.gradient(lambda at: np.mean(log_density(at, v)), own)
    for name, a, e in zip(RBM._fields, impl.log_likelihood_grad(theta, rows), exact, strict=True):
        agree(a, e, f"gradient in {name}", rtol=1e-9, atol=1e-9)
