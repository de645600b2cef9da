"""The pseudo-likelihood of a Boltzmann machine, and the law that its conditionals make."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import to_numpy
from ...reference.boltzmann import likelihood
from ...reference.boltzmann.rbm import RBM
from ...reference.chains import kernels
from ...reference.states import binary_states
from ...reference.trees import scale
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import like
from ..oracle.derivative import derivative
from ..strategies.boltzmann import rbms
from ..strategies.common import laws


@check(
    "AL.ch5.pseudolikelihood",
    of=(likelihood, kernels),
    cases=rbms(max_visible=3, saturation=4.0).flatmap(
        lambda theta: st.tuples(st.just(theta), laws(theta.b.size, zeros=False))
    ),
    evidence=EXACTLY,
    rejects=("pseudo-likelihood-sign", "one-unit-flipped", "missing-unit-factor", "missing-hidden-bias"),
    uncovered="the estimate from finitely many data, and blocks of variables (generalised pseudo-likelihood)",
)
def pseudo_likelihood_is_best_at_the_law_of_the_data(
    impl: Implementation, case: tuple[RBM, np.ndarray], plain: tuple[RBM, np.ndarray]
) -> None:
    """Of data with the law of a machine, its mean pseudo-likelihood has a maximum at that machine.

    And the chain that draws one variable after the other from the conditionals of the maximum, picked at
    random with positive probabilities, is ergodic, with the law of the data as its stationary one.
    """
    (theta, scan), (own, _) = case, plain
    law, log_p = np.exp(oracle.log_visible(own)), oracle.log_visible(own)
    rows = binary_states(own.b.size, like=theta.W)
    found = to_numpy(impl.pseudo_log_likelihood(theta, rows)).astype(float)
    agree(found, oracle.pseudo_log_likelihood(log_p), "pseudo-likelihood")
    slope = derivative(lambda at: oracle.mean_pseudo_log_likelihood(at, law), own)
    agree(slope, scale(0.0, slope), "slope of the mean at the machine itself")
    for factor in (0.5, 2.0):
        other = scale(factor, theta)
        there = law @ to_numpy(impl.pseudo_log_likelihood(other, rows)).astype(float)
        at_most(there, law @ found, f"mean pseudo-likelihood of {factor} theta")
    table = like(law.reshape((2,) * own.b.size), theta.W)
    K = impl.random_scan_gibbs_kernel(table, scan)
    agree(impl.stationary_law(K), law, "stationary law of the conditionals")
