"""AIS for a deep model whose hidden layer cannot be enumerated: what [AO] 3 does by sums on small models."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, to_numpy
from ...backends.enumerating import expect
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import annealed
from ...reference.directed.layers import Sigmoid
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import like, states
from ..strategies.boltzmann import rbms
from ..strategies.common import arrays, hundredths

Case: TypeAlias = tuple[Sigmoid, RBM, Array, Array, list[float]]

V = 3

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
    h = states(top.b.size)
    a = h @ layer.W.T + layer.b
    return (x * a - np.logaddexp(0, a)).sum(axis=1) + oracle.log_visible(top)


@check(
    "AO.sec3.3.2a",
    of=annealed,
    cases=cases,
    evidence=EXACTLY,
    rejects=(
        "moved-before-weighed",
        "all-units-at-once",
        "moved-by-the-datum-alone",
        "log-weights-averaged",
    ),
)
def mean_weight_is_the_joint_law_summed(impl: Implementation, case: Case, plain: Case) -> None:
    """Over all outcomes of a run E[w] = P(x) Z_top whatever the path and q, and E[log w] is below."""
    layer, top, x, logits, betas = case
    log_z = float(oracle.log_partition(plain[1]))
    exact = float(np.logaddexp.reduce(log_joint(*plain[:3])))

    def run(x: Array, logits: Array, rng: Any) -> Array:
        return impl.ais(layer, top, x, logits=logits, betas=betas, chains=1, rng=rng).log_weights[:, 0]

    runs = expect(run, x, logits)
    log_w, p = to_numpy(runs.values).astype(float), np.exp(to_numpy(runs.log_weight)[0].astype(float))
    agree(np.log(np.sum(p * np.exp(log_w))) - log_z, exact, "log E[w] - log Z")
    at_most(np.sum(p * log_w) - log_z, exact, "E[log w] - log Z", slack=1e-9)
    several = impl.ais(layer, top, x, logits=logits, betas=betas, chains=3, rng=1)
    weights = to_numpy(several.log_weights).astype(float)
    wanted = np.logaddexp.reduce(weights, axis=1) - np.log(3) - log_z
    found = impl.log_likelihood_below(several, like(np.asarray(log_z), x))
    agree(found, wanted, "the estimate of a run of three chains")
