"""Annealed importance sampling, by which [AO] 3.3.2 judges a top layer whose Z cannot be summed."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, to_numpy
from ...backends.enumerating import expect
from ...reference.boltzmann import annealing, likelihood
from ...reference.boltzmann.rbm import RBM
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import Table, like, states
from ..strategies.boltzmann import rbms
from ..strategies.common import arrays, hundredths

Case = tuple[RBM, Array, list[float]]

cases = rbms(max_visible=2, max_hidden=1, scale=3.0, saturation=3.0).flatmap(
    lambda theta: st.tuples(
        st.just(theta),
        arrays((theta.b.size,), hundredths(-1, 1)),
        st.sampled_from(([0.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.1, 0.7, 1.0])),
    )
)
"""A machine, base-rate biases and the path of betas; at most 2^8 outcomes of a run."""


def log_partitions(plain: Case) -> tuple[float, float]:
    """Return log Z and log Z_0, that of the machine with neither couplings nor hidden biases."""
    theta, base, _ = plain
    free = RBM(0 * theta.W, base, 0 * theta.c)
    return float(oracle.log_partition(theta)), float(oracle.log_partition(free))


def forward(impl: Implementation, case: Case) -> tuple[Table, Table]:
    """Return log weight and probability of every outcome of a forward run."""
    theta, base, betas = case
    one = like(np.zeros((1, 1)), base)
    runs = expect(
        lambda rows, rng: impl.ais(theta, base, betas=betas, chains=rows.shape[0], rng=rng).log_weights, one
    )
    return to_numpy(runs.values).astype(float), np.exp(to_numpy(runs.log_weight)[0])


def backward(impl: Implementation, case: Case, plain: Case) -> tuple[Table, Table]:
    """Return log weight and probability of every outcome of a reverse run from an exact sample."""
    theta, base, betas = case
    starts = like(states(plain[0].b.size), base)
    runs = expect(
        lambda rows, rng: impl.reverse_ais(theta, base, rows, betas=betas, rng=rng).log_weights, starts
    )
    probability = np.exp(oracle.log_visible(plain[0]))[:, None] * np.exp(to_numpy(runs.log_weight))
    return to_numpy(runs.values).astype(float), probability.ravel()


@check(
    "AO.sec3.3.2a",
    of=annealing,
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    rejects=(
        "move-before-weight",
        "moved-under-the-law-it-leaves",
        "start-at-zero",
        "start-not-from-base",
        "base-without-hidden",
        "missing-base-partition",
        "inverted-weights",
        "reverse-weights-inverted",
        "last-weight-skipped",
        "first-weight-skipped",
        "beta-outside-softplus",
        "moves-at-full-temperature",
    ),
)
def mean_weight_is_the_ratio_of_partition_functions(impl: Implementation, case: Case, plain: Case) -> None:
    """Over all outcomes of a run E[w] = Z / Z_0 whatever the path, and Z_0 / Z for a run backwards."""
    log_z, log_z_base = log_partitions(plain)
    for (log_w, p), log_mean, way in (
        (forward(impl, case), log_z - log_z_base, "forwards"),
        (backward(impl, case, plain), log_z_base - log_z, "backwards"),
    ):
        agree(np.log(np.sum(p * np.exp(log_w))), log_mean, f"log E[w] {way}")
    theta, base, betas = case
    exact = impl.log_expected_ais_weight(theta, base, betas=betas)
    agree(exact, log_z - log_z_base, "log of the expected weight")
    run = impl.ais(theta, base, betas=betas, chains=2, rng=0)
    agree(run.log_partition_base, log_z_base, "log Z_0")


@check(
    "AO.sec3.3.2a",
    of=annealing,
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    rejects=("inverted-weights", "reverse-weights-inverted", "move-before-weight"),
)
def log_partition_lies_between_the_two_runs(impl: Implementation, case: Case, plain: Case) -> None:
    """E[log w] <= log Z / Z_0 <= -E[log w backwards], exactly, by Jensen's inequality.

    Both are equalities where the machine is the base-rate machine with other biases of h: then no weight
    varies.
    """
    log_z, log_z_base = log_partitions(plain)
    (low, p), (high, q) = forward(impl, case), backward(impl, case, plain)
    at_most(np.sum(p * low), log_z - log_z_base, "E[log w] against log Z / Z_0")
    at_most(log_z - log_z_base, -np.sum(q * high), "log Z / Z_0 against -E[log w] backwards")
    (theta, base, betas), (own, b, _) = case, plain
    flat, own = RBM(0 * theta.W, base, theta.c), RBM(0 * own.W, b, own.c)
    log_z, log_z_base = log_partitions((own, b, betas))
    low, _ = forward(impl, (flat, base, betas))
    agree(low, np.full(low.shape, log_z - log_z_base), "log w of a machine without couplings")


@check(
    "AO.sec3.3.2a",
    of=(annealing, likelihood),
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    rejects=(
        "missing-log-chains",
        "mean-of-log-weights",
        "missing-base-partition",
        "log-partition-added",
        "missing-log-partition",
        "start-not-from-base",
    ),
)
def estimate_of_several_chains_is_unbiased_for_z(impl: Implementation, case: Case, plain: Case) -> None:
    """Over all outcomes of two chains the mean estimate is Z, so that of 1 / p(v) by it is 1 / p(v)."""
    (theta, base, _), own = case, plain[0]
    path = [0.0, 1.0] if own.b.size * own.c.size > 1 else [0.0, 0.5, 1.0]
    runs = impl.law("ais", theta, base, betas=path, chains=2)
    weights, log_z_base, ends = runs.values
    p = np.exp(to_numpy(runs.log_weight)[0])
    v = like(states(own.b.size), base)
    log_z, inverse = [], []
    for r in range(len(p)):
        run = annealing.AIS(weights[r, ...], log_z_base[r, ...], ends[r, ...])
        estimate = impl.log_partition_below(run).log_partition
        log_z.append(float(to_numpy(estimate)))
        inverse.append(np.exp(-to_numpy(impl.log_normalised(theta, v, estimate)).astype(float)))
    agree(np.log(p @ np.exp(log_z)), oracle.log_partition(own), "log of the mean estimate")
    agree(np.log(p @ np.stack(inverse)), -oracle.log_visible(own), "log of the mean of 1 / p(v)")
