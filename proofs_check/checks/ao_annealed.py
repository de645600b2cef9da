"""AIS for a deep model whose hidden layer cannot be enumerated: what [AO] 3 does by sums on small models."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace, to_numpy
from ...backends.enumerating import expect
from ...backends.streams import Stream, as_stream
from ...reference.boltzmann.rbm import RBM, hidden_input
from ...reference.directed import annealed
from ...reference.directed.dbn import inputs
from ...reference.directed.layers import Sigmoid
from ...reference.numerics import log_mean_exp, sigmoid, softplus
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..strategies import arrays, hundredths, rbms
from . import brute

Case: TypeAlias = tuple[Sigmoid, RBM, Array, Array, list[float]]

V, SWEEP = 3, annealed.sweep

cases = rbms(max_visible=2, max_hidden=3, scale=3.0, saturation=3.0).flatmap(
    lambda top: st.tuples(
        st.builds(Sigmoid, arrays((V, top.b.size), hundredths(-3, 3)), arrays((V,), hundredths(-2, 2))),
        st.just(top),
        arrays((1, V), st.sampled_from([0.0, 1.0])),
        arrays((1, top.b.size), hundredths(-2, 2)),
        st.sampled_from(([0.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.1, 0.7, 1.0])),
    )
)
"""A layer, the machine on top, one datum, the logits of its q, and the path; 2^6 outcomes at most."""


def log_joint(layer: Sigmoid, top: RBM, x: Any) -> Any:
    """Return log P(x, h) of all h."""
    h = brute.states(top.b.size)
    a = h @ layer.W.T + layer.b
    return (x * a - np.logaddexp(0, a)).sum(axis=1) + brute.log_visible(top)


def wrong_order(layer: Sigmoid, top: RBM, x: Array, *, betas: Any, rng: Any, **options: Any) -> annealed.Run:
    """AIS that moves before it weighs, by one run for each step of the path."""
    xp, stream = array_namespace(x), as_stream(rng, like=x)
    run = annealed.ais(layer, top, x, betas=[0.0, 1.0], rng=stream, **options)
    q, h = options["logits"], run.h[:, 0, :]
    log_w = 0 * run.log_weights
    for here, there in pairwise(betas):
        h = SWEEP(layer, top, x, h, logits=q, beta=there, stream=stream)
        a, b = inputs(layer, h), hidden_input(top, h)
        joint = xp.sum(x * a - softplus(a), axis=1) + h @ top.b + xp.sum(softplus(b), axis=1)
        log_w = log_w + (there - here) * (joint - xp.sum(h * q - softplus(q), axis=1))[:, None]
    return run._replace(log_weights=log_w)


def all_units_at_once(
    layer: Sigmoid, top: RBM, x: Array, h: Array, *, logits: Array, beta: float, stream: Stream
) -> Array:
    """Return units drawn as if they were independent given x and the others' old values."""
    xp, drawn = array_namespace(x), []
    for j in range(h.shape[1]):
        w, u, here = layer.W[:, j], top.W[j, :], h[:, j : j + 1]
        a, b = inputs(layer, h) - here * w, hidden_input(top, h) - here * u
        gain = x @ w + top.b[j] - xp.sum(softplus(a + w) - softplus(a), axis=1)
        gain = gain + xp.sum(softplus(b + u) - softplus(b), axis=1)
        drawn.append(stream.bernoulli(sigmoid((1 - beta) * logits[:, j] + beta * gain)))
    return xp.stack(drawn, axis=1)


def with_moves(move: Any) -> dict[str, Any]:
    """Return AIS whose moves are other ones."""

    def ais(*arguments: Any, **options: Any) -> annealed.Run:
        with patch.object(annealed, "sweep", move):
            return annealed.ais(*arguments, **options)

    return {"ais": ais}


@check(
    "AO.sec3.3.2a",
    of=(annealed,),
    cases=cases,
    evidence=EXACTLY,
    mutants={
        "moved before it is weighed": {"ais": wrong_order},
        "all units of h moved at once": with_moves(all_units_at_once),
        "moved under the law of the datum alone": with_moves(
            lambda layer, top, x, h, **options: SWEEP(layer, top._replace(b=0 * top.b), x, h, **options)
        ),
        "weights averaged as logarithms, with Z left out": {
            "log_likelihood_below": lambda run, log_z: array_namespace(log_z).mean(run.log_weights, axis=1)
        },
    },
)
def mean_weight_is_the_joint_law_summed(impl: Implementation, case: Case) -> None:
    """Over all outcomes of a run E[w] = P(x) Z_top whatever the path and q, and E[log w] is below."""
    layer, top, x, logits, betas = case
    own, plain = brute.numbers(top), Sigmoid(*(to_numpy(part).astype(float) for part in layer))
    log_z = float(brute.log_partition(own))
    exact = float(np.logaddexp.reduce(log_joint(plain, own, to_numpy(x).astype(float))))

    def run(x: Array, logits: Array, rng: Any) -> Array:
        return impl.ais(layer, top, x, logits=logits, betas=betas, chains=1, rng=rng).log_weights[:, 0]

    runs = expect(run, x, logits)
    log_w, p = to_numpy(runs.values).astype(float), np.exp(to_numpy(runs.log_weight)[0].astype(float))
    agree(np.log(np.sum(p * np.exp(log_w))) - log_z, exact, "log E[w] - log Z", atol=1e-9)
    at_most(np.sum(p * log_w) - log_z, exact, "E[log w] - log Z", slack=1e-9)
    several = impl.ais(layer, top, x, logits=logits, betas=betas, chains=3, rng=1)
    wanted = to_numpy(log_mean_exp(several.log_weights, axis=1)).astype(float) - log_z
    found = impl.log_likelihood_below(several, brute.like(np.asarray(log_z), x))
    agree(found, wanted, "the estimate of a run of three chains", atol=1e-9)
