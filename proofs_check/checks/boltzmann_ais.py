"""Annealed importance sampling, by which [AO] 3.3.2 judges a top layer whose Z cannot be summed."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace, to_numpy
from ...backends.enumerating import expect
from ...backends.streams import as_stream
from ...reference.boltzmann import annealing
from ...reference.boltzmann.rbm import RBM
from ...reference.numerics import sigmoid
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..strategies import arrays, hundredths, rbms
from . import brute
from .brute import Table, like

Case = tuple[RBM, Array, list[float]]

cases = rbms(max_visible=2, max_hidden=1, scale=3.0, saturation=3.0).flatmap(
    lambda theta: st.tuples(
        st.just(theta),
        arrays((theta.b.size,), hundredths(-1, 1)),
        st.sampled_from(([0.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.1, 0.7, 1.0])),
    )
)
"""A machine, base-rate biases and the path of betas; at most 2^8 outcomes of a run."""


def log_ratio(theta: RBM, base: Array) -> tuple[float, float]:
    """Return log Z and log Z_0, that of the machine with neither couplings nor hidden biases."""
    own = brute.numbers(theta)
    free = RBM(0 * own.W, to_numpy(base).astype(float), 0 * own.c)
    return float(brute.log_partition(own)), float(brute.log_partition(free))


def forward(impl: Implementation, case: Case) -> tuple[Table, Table]:
    """Return log weight and probability of every outcome of a forward run."""
    theta, base, betas = case
    one = like(np.zeros((1, 1)), base)
    runs = expect(
        lambda rows, rng: impl.ais(theta, base, betas=betas, chains=rows.shape[0], rng=rng).log_weights, one
    )
    return to_numpy(runs.values).astype(float), np.exp(to_numpy(runs.log_weight)[0])


def backward(impl: Implementation, case: Case) -> tuple[Table, Table]:
    """Return log weight and probability of every outcome of a reverse run from an exact sample."""
    theta, base, betas = case
    own = brute.numbers(theta)
    starts = like(brute.states(own.b.size), base)
    runs = expect(
        lambda rows, rng: impl.reverse_ais(theta, base, rows, betas=betas, rng=rng).log_weights, starts
    )
    probability = np.exp(brute.log_visible(own))[:, None] * np.exp(to_numpy(runs.log_weight))
    return to_numpy(runs.values).astype(float), probability.ravel()


def wrong_ais(
    *, moved_first: bool = False, old_machine: bool = False, start_at_zero: bool = False
) -> dict[str, Any]:
    """Return forward runs with one mistake."""

    def ais(theta: RBM, base: Array, *, betas: Any, chains: int, rng: Any) -> Any:
        xp, stream = array_namespace(base), as_stream(rng, like=base)
        v = stream.bernoulli(xp.broadcast_to(sigmoid(base), (chains, base.shape[0])))
        v = 0 * v if start_at_zero else v
        log_w = xp.zeros_like(v[:, 0])
        for here, there in pairwise(betas):
            x = v @ theta.W + theta.c
            if moved_first and here > 0:
                v = annealing.move(theta, base, x, there, stream)
                x = v @ theta.W + theta.c
            log_w = log_w + annealing.log_density(theta, base, v, x, there)
            log_w = log_w - annealing.log_density(theta, base, v, x, here)
            if not moved_first and there < 1:
                v = annealing.move(theta, base, x, here if old_machine else there, stream)
        exact = annealing.ais(theta, base, betas=[0.0, 1.0], chains=1, rng=0)
        return exact._replace(log_weights=log_w, v=v)

    return {"ais": ais}


def shifted_base(theta: RBM, base: Array, **options: Any) -> Any:
    """AIS that forgets the hidden units of the base-rate machine in Z_0."""
    run = annealing.ais(theta, base, **options)
    return run._replace(log_partition_base=run.log_partition_base - theta.c.shape[0] * math.log(2))


@check(
    "AO.sec3.3.2a",
    of=(annealing,),
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    mutants={
        "moved before it is weighed": wrong_ais(moved_first=True),
        "moved under the machine it leaves": wrong_ais(old_machine=True),
        "started at zero, not at the base rate": wrong_ais(start_at_zero=True),
        "hidden units forgotten in Z_0": {"ais": shifted_base},
        "reverse run with the forward sign": {
            "reverse_ais": lambda *args, **options: (lambda run: run._replace(log_weights=-run.log_weights))(
                annealing.reverse_ais(*args, **options)
            )
        },
    },
)
def mean_weight_is_the_ratio_of_partition_functions(impl: Implementation, case: Case) -> None:
    """Over all outcomes of a run E[w] = Z / Z_0 whatever the path, and Z_0 / Z for a run backwards."""
    log_z, log_z_base = log_ratio(case[0], case[1])
    log_w, p = forward(impl, case)
    agree(np.log(np.sum(p * np.exp(log_w))), log_z - log_z_base, "log E[w]", atol=1e-9)
    log_w, p = backward(impl, case)
    agree(np.log(np.sum(p * np.exp(log_w))), log_z_base - log_z, "log E[w] backwards", atol=1e-9)
    theta, base, betas = case
    exact = impl.log_expected_ais_weight(theta, base, betas=betas)
    agree(exact, log_z - log_z_base, "log of the expected weight", atol=1e-9)
    run = impl.ais(theta, base, betas=betas, chains=2, rng=0)
    agree(run.log_partition_base, log_z_base, "log Z_0", atol=1e-9)


@check(
    "AO.sec3.3.2a",
    of=(annealing,),
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    mutants={
        "reverse run with the forward sign": {
            "reverse_ais": lambda *args, **options: (lambda run: run._replace(log_weights=-run.log_weights))(
                annealing.reverse_ais(*args, **options)
            )
        },
        "weights of the reverse run used forward": {
            "ais": lambda *args, **options: (lambda run: run._replace(log_weights=-run.log_weights))(
                annealing.ais(*args, **options)
            )
        },
    },
)
def log_partition_lies_between_the_two_runs(impl: Implementation, case: Case) -> None:
    """E[log w] <= log Z / Z_0 <= -E[log w backwards], exactly, by Jensen's inequality."""
    log_z, log_z_base = log_ratio(case[0], case[1])
    below, above = (np.sum(p * log_w) for log_w, p in (forward(impl, case), backward(impl, case)))
    at_most(below, log_z - log_z_base, "E[log w] against log Z / Z_0")
    at_most(log_z - log_z_base, -above, "log Z / Z_0 against -E[log w] backwards")
