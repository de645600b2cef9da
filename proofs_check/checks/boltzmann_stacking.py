"""What a stack of Boltzmann machines trains, and one Gibbs step from the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, to_numpy
from ...reference.boltzmann import gibbs, likelihood, partition, rbm
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn
from ...reference.states import binary_states
from ...reference.trees import add, tree_map
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, at_rate, check
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import Table, law_of_outcomes, like, states
from ..oracle.derivative import derivative
from ..strategies.boltzmann import RBMCase, RBMLaw, rbm_cases, rbm_laws
from ..strategies.common import laws

# --- stacks -----------------------------------------------------------------------------------------------


@check(
    "AO.sec2.3a",
    of=(gibbs, dbn, belief),
    cases=rbm_laws(),
    evidence=EXACTLY,
    rejects=("hidden-biases-added-to-the-top", "own-hidden-law-mixed-in", "missing-visible-bias"),
)
def hidden_biases_of_lower_machines_are_never_used(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """P(x) = sum_h P(x|h) P(h), P(h) from above: the same whatever the hidden biases of the lower machine.

    P(h) is any law, or that of a machine on top, all of whose energy counts.
    """
    theta, own = case.theta, plain.theta
    top = np.arange(1.0, 2**own.c.size + 1)
    top = top / top.sum()
    x, down = binary_states(own.b.size, like=theta.W), np.exp(oracle.log_down(own))
    of_stack = np.exp(oracle.log_hidden(own)) @ down
    for shift in (0.0, 3.0, -7.5):
        shifted = theta._replace(c=theta.c + shift)
        agree(impl.visible_law(shifted, like(top, theta.W)), top @ down, f"P(x), c shifted by {shift}")
        stacked = impl.log_likelihood(impl.net(impl.stack([shifted, impl.upside_down(theta)])), x)
        agree(np.exp(to_numpy(stacked)), of_stack, f"P(x) of the stack, c shifted by {shift}")


rate_cases = [
    RBMLaw(
        RBM(np.array([[1.2], [-1.6]]), np.array([0.3, 0.2]), np.array([0.1])), np.array([0.1, 0.6, 0.1, 0.2])
    ),
    RBMLaw(RBM(np.array([[1.5, -2.0]]), np.array([0.4]), np.array([-0.3, 0.6])), np.array([1.0, 0.0])),
]


@check(
    "AO.sec2.3b",
    "AO.sec2.5f",
    of=(gibbs, partition),
    cases=rate_cases,
    evidence=at_rate(
        "lambda_2^n in the number of layers, lambda_2 the second eigenvalue of the Gibbs kernel"
    ),
    rejects=("law-of-another-machine", "model-of-halved-couplings", "missing-visible-bias"),
)
def infinite_tied_net_has_the_law_of_the_machine(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """n tied layers below any top law: the law of x tends to the machine's, like lambda_2^n."""
    both, own = ("AO.sec2.3b", "AO.sec2.5f"), plain.theta
    stationary, ns = to_numpy(impl.marginal_visible(case.theta)).astype(float), range(3, 9)
    agree(stationary, np.exp(oracle.log_visible(own)), "P_RBM(x)", of=both)
    gaps = [float(np.abs(to_numpy(impl.gibbs_law(*case, steps=n)) - stationary).sum()) for n in ns]
    decay = np.exp(np.polyfit(list(ns), np.log(gaps), 1)[0])
    agree(
        decay, oracle.second_eigenvalue(own), "decay per layer of the distance to P_RBM", of=both, rtol=0.05
    )


@check(
    "AO.sec2.3c",
    of=likelihood,
    cases=rbm_cases(max_rows=1),
    evidence=EXACTLY,
    rejects=("negative-phase-missing", "wrong-sign"),
)
def rbm_gradient_ties_the_hidden_law_to_the_same_parameters(
    impl: Implementation, case: RBMCase, plain: RBMCase
) -> None:
    """grad log P(x) = sum_h P(h|x) grad log P(x|h) + sum_h P(h|x) grad log P_RBM(h)."""
    own, s = plain.theta, oracle.row(plain.v[0])
    posterior = np.exp(oracle.log_up(own)[s])
    both = add(derivative(lambda at: oracle.log_down(at)[:, s], own), derivative(oracle.log_hidden, own))
    expected = tree_map(lambda x: np.tensordot(posterior, x, axes=1), both)
    agree(impl.log_likelihood_grad(case.theta, case.v), expected, "gradient", atol=1e-9)


@check(
    "AO.sec2.3d",
    of=(gibbs, partition),
    cases=rbm_laws(saturation=2.0, zeros=False).flatmap(
        lambda case: st.tuples(st.just(case), laws(2**case.theta.c.size, zeros=False))
    ),
    evidence=EXACTLY,
    rejects=(
        "hidden-law-of-halved-couplings",
        "model-of-halved-couplings",
        "missing-visible-bias",
        "visible-law-of-halved-couplings",
    ),
    uncovered="stacks of more than two layers, of which only a bound is said to rise",
)
def raising_the_bound_from_a_tied_start_raises_the_likelihood(
    impl: Implementation, case: tuple[RBMLaw, Array], plain: tuple[RBMLaw, Table]
) -> None:
    """With P(h) that of the machine the bound is tight; any new P(h) gains at least what the bound gains."""
    ((theta, law), new), ((own, D), second) = case, plain
    start, target = impl.marginal_hidden(theta), to_numpy(impl.hidden_law(theta, law)).astype(float)

    def log_lik(top: Array) -> float:
        return float(D @ np.log(to_numpy(impl.visible_law(theta, top)).astype(float)))

    tied, first = log_lik(start), to_numpy(start).astype(float)
    agree(tied, D @ oracle.log_visible(own), "likelihood with the tied start")
    agree(target, D @ np.exp(oracle.log_up(own)), "target of the next layer")
    agree(log_lik(new), D @ np.log(second @ np.exp(oracle.log_down(own))), "likelihood with the new top")
    gain_of_bound = target @ (np.log(second) - np.log(first))
    at_most(gain_of_bound, log_lik(new) - tied, "gain of the bound, against that of the likelihood")


# --- one Gibbs step from the data -------------------------------------------------------------------------


@check(
    "AO.eq26",
    "AO.eq27",
    "AO.eq28",
    of=gibbs,
    cases=rbm_laws(),
    evidence=DEFINITION,
    rejects=(
        "hidden-law-of-halved-couplings",
        "visible-law-of-halved-couplings",
        "missing-visible-bias",
        "law-stands-still",
    ),
)
def target_of_the_next_layer_and_what_it_generates(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """Q_D(h) = E_D P(h|x); P1(x) = E_{Q_D} P(x|h), in one go or in two."""
    (theta, law), (own, D) = case, plain
    up, down = np.exp(oracle.log_up(own)), np.exp(oracle.log_down(own))
    target = impl.hidden_law(theta, law)
    agree(target, D @ up, "Q_D(h)", of="AO.eq26")
    agree(impl.visible_law(theta, target), D @ up @ down, "P1(x), layer by layer", of="AO.eq27")
    agree(impl.gibbs_law(theta, law, steps=1), D @ up @ down, "P1(x)", of="AO.eq28")


@check(
    "AO.sec2.5d",
    "AO.sec2.5e",
    of=gibbs,
    cases=rbm_laws(max_visible=3),
    evidence=EXACTLY,
    rejects=("law-of-one-step-more", "couplings-halved"),
)
def one_step_law_is_that_of_the_sampler_and_of_the_tied_auto_encoder(
    impl: Implementation, case: RBMLaw, plain: RBMLaw
) -> None:
    """P1 is the law after one sweep x -> h -> x, and eq. 24 with encoder s(W'x + c), decoder s(W h + b)."""
    (theta, law), (own, D) = case, plain
    x, h = states(own.b.size), states(own.c.size)

    def bernoulli(units: Table, inputs: Table) -> Table:  # p(state | input) for all pairs, in the log domain
        return np.exp(-np.logaddexp(0, -inputs) @ units.T - np.logaddexp(0, inputs) @ (1 - units).T)

    auto_encoder = D @ bernoulli(h, x @ own.W + own.c) @ bernoulli(x, h @ own.W.T + own.b)
    agree(impl.gibbs_law(theta, law, steps=1), auto_encoder, "P1(x) against eq. 24", of="AO.sec2.5e")
    swept = np.zeros(D.size)
    for start, mass in zip(x, D, strict=True):
        ends = impl.law("gibbs_step", theta, like(start[None, :], theta.W))
        swept += mass * law_of_outcomes(ends.values[0], np.exp(to_numpy(ends.log_weight)[0]))
    agree(swept, auto_encoder, "law after one sweep of the sampler", of="AO.sec2.5d")


@check(
    "AO.sec2.5i",
    "AO.sec2.5k",
    of=(gibbs, partition),
    cases=rbm_laws(saturation=4.0),
    evidence=EXACTLY,
    rejects=("law-stands-still", "law-restarted", "model-of-halved-couplings"),
)
def hidden_law_from_the_data_never_lowers_the_likelihood(
    impl: Implementation, case: RBMLaw, plain: RBMLaw
) -> None:
    """KL(D || P1) <= KL(D || P_RBM); the diagonal terms, the auto-encoder's, bound E_D log P1 below.

    The first is an equality where the data are the machine's own law.
    """
    (theta, law), (own, D) = case, plain
    mass = D > 0
    one_step = to_numpy(impl.gibbs_law(theta, law, steps=1)).astype(float)
    model = to_numpy(impl.marginal_visible(theta)).astype(float)
    agree(one_step, oracle.law_after(own, D, 1), "P1(x)", of="AO.sec2.5k")
    agree(model, np.exp(oracle.log_visible(own)), "P_RBM(x)", of="AO.sec2.5k")
    joint = np.exp(oracle.log_up(own)) * np.exp(oracle.log_down(own)).T * D[:, None]  # P(x|h) P(h|x) D(x)
    of_one_step, of_rbm, of_diagonal = (
        D[mass] @ np.log(p[mass]) for p in (one_step, model, joint.sum(axis=1))
    )
    at_most(of_rbm, of_one_step, "E_D log P_RBM against E_D log P1", of="AO.sec2.5i")
    at_most(of_diagonal, of_one_step, "diagonal terms against E_D log P1", of="AO.sec2.5k")
    again = impl.gibbs_law(theta, like(model / model.sum(), law), steps=1)
    agree(again, model, "P1 of the machine's own law", of="AO.sec2.5i")


# --- judging the top layer --------------------------------------------------------------------------------


@check(
    "AO.sec3.3.2a",
    of=(rbm, gibbs),
    cases=rbm_laws(),
    evidence=EXACTLY,
    rejects=(
        "thresholded (on the way up only)",
        "means-for-hidden-samples",
        "data-not-pushed-up",
        "hidden-law-of-halved-couplings",
        "couplings-halved",
    ),
)
def data_pushed_up_by_sampling_have_the_target_law(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """x from the data, then h from q(h | x): over all draws the law of h is sum_x q(h|x) P_D(x)."""
    (theta, law), (own, D) = case, plain
    target, drawn = D @ np.exp(oracle.log_up(own)), np.zeros(2**own.c.size)
    for x, mass in zip(states(own.b.size), D, strict=True):
        draws: Any = impl.law("sample_hidden", theta, like(x[None, :], theta.W))
        drawn += mass * law_of_outcomes(draws.values, np.exp(to_numpy(draws.log_weight)[0]))
    agree(drawn, target, "law of the draws")
    agree(impl.hidden_law(theta, law), target, "target law")
