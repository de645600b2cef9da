"""What is left of a ratio of Gibbs trajectories: free energies of its ends, and contrastive divergence."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, to_numpy
from ...reference.boltzmann import contrastive, gibbs, rbm, trajectories
from ...reference.boltzmann.contrastive import DOCUMENT
from ...reference.boltzmann.rbm import RBM
from ...reference.trees import add, scale
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, at_rate, check, ensure
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import Table, like, numbers, states
from ..oracle.boltzmann_trajectories import (
    mean,
    parts_of,
    paths,
    size,
)
from ..oracle.derivative import derivative
from ..strategies.boltzmann import RBMLaw, path_cases, rbm_laws

Case = tuple[RBMLaw, int]


# --- energies ---------------------------------------------------------------------------------------------


@check(
    "BP.eq38",
    "BP.eq39",
    "BP.eq42",
    of=rbm,
    cases=rbm_laws(),
    evidence=DEFINITION,
    rejects=("wrong-sign", "free-energy-of-one-state", "couplings-halved"),
)
def marginal_partition_function_of_a_visible_state(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """E = -x'wz, log Z_x = log sum_z exp(-E(x, z)) = -F(x), and z~ = x'w; binary means {0, 1}, no biases."""
    theta = case.theta._replace(b=0 * case.theta.b, c=0 * case.theta.c)
    own = plain.theta._replace(b=0 * plain.theta.b, c=0 * plain.theta.c)
    x, z = states(own.b.size), states(own.c.size)
    table = oracle.minus_energy(own)
    xs, zs = like(np.repeat(x, len(z), axis=0), theta.W), like(np.tile(z, (len(x), 1)), theta.W)
    agree(impl.energy(theta, xs, zs), -table.ravel(), "E(x, z)", of="BP.eq39")
    rows = like(x, theta.W)
    log_z = oracle.log_sum(table, 1)[:, 0]
    agree(-to_numpy(impl.free_energy(theta, rows)), log_z, "log Z_x", of="BP.eq38")
    partial = [[sum(own.W[i, j] * s[i] for i in range(len(s))) for j in range(own.c.size)] for s in x]
    agree(impl.hidden_input(theta, rows), np.array(partial), "z~", of="BP.eq42")


def ends_of(own: RBM, k: int) -> Table:
    """Return log Z_{x_k} - log Z_{x_0} of each trajectory."""
    t, log_z = paths(own, k), oracle.log_sum(oracle.minus_energy(own), 1)[:, 0]
    return log_z[t[:, -1]] - log_z[t[:, 0]]


@check(
    "BP.eq37",
    "BP.eq40",
    of=(trajectories, rbm),
    cases=path_cases(),
    examples=15,
    evidence=EXACTLY,
    rejects=("wrong-sign", "backward-runs-forward", "missing-hidden-bias"),
)
def ratio_of_the_chains_is_a_difference_of_free_energies(
    impl: Implementation, case: Case, plain: Case
) -> None:
    """log q(z_0, ... | x_0) / p(x_0, ... | x_k) = log Z_{x_k} - log Z_{x_0} = F(x_0) - F(x_k)."""
    ((theta, _), k), (own, _, _) = case, parts_of(plain)
    t, ends = paths(own, k), ends_of(own, k)
    there, back = (to_numpy(f(theta, k=k)).ravel() for f in (impl.log_forward, impl.log_backward))
    agree(there - back, ends, "ratio of the chains", of="BP.eq37")
    F = to_numpy(impl.free_energy(theta, like(states(own.b.size), theta.W)))
    agree(F[t[:, 0]] - F[t[:, -1]], ends, "F(x_0) - F(x_k)", of="BP.eq40")


def everything_but_the_ends_cancels(impl: Implementation, case: Case, plain: Case) -> None:
    """As printed: the whole of log q(tau) / p(tau) is log Z_{x_k} - log Z_{x_0}; p(x_k) is that of eq. 32."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    prior = like(oracle.law_after(own, D, k), law)
    ratio = impl.log_encoder(theta, law, k=k) - impl.log_decoder(theta, prior, k=k)
    agree(to_numpy(ratio).ravel(), ends_of(own, k), "log q(tau) / p(tau)", atol=1e-10)


@check(
    "BP.sec5.4g",
    of=trajectories,
    cases=path_cases(zeros=False),
    examples=15,
    evidence=EXACTLY,
    printed=everything_but_the_ends_cancels,
    correction=(
        "a slip: what is left of log q(tau) / p(tau) is log D(x_0) / p(x_k) + log Z_{x_k} - log Z_{x_0}; the "
        "laws of the two ends do not cancel, and eq. 37 is the ratio without them"
    ),
    rejects=("backward-runs-forward", "encoder-without-data", "missing-hidden-bias"),
)
def inner_states_cancel_from_the_ratio(impl: Implementation, case: Case, plain: Case) -> None:
    """Energies on edges and partition functions of inner states cancel: the ends are left, and their laws."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    t, prior = paths(own, k), oracle.law_after(own, D, k)
    ratio = impl.log_encoder(theta, law, k=k) - impl.log_decoder(theta, like(prior, law), k=k)
    left = np.log(D[t[:, 0]] / prior[t[:, -1]]) + ends_of(own, k)
    agree(to_numpy(ratio).ravel(), left, "log q(tau) / p(tau)")


def _softplus_sums(impl: Implementation, case: Case, plain: Case, first: int | None) -> None:
    ((theta, _), k), (own, _, _) = case, parts_of(plain)
    flat, own = theta._replace(b=0 * theta.b, c=0 * theta.c), own._replace(b=0 * own.b, c=0 * own.c)
    t, partial = paths(own, k), impl.hidden_input(flat, like(states(own.b.size), theta.W))
    soft = np.logaddexp(0, to_numpy(partial).astype(float))[:, :first].sum(axis=1)
    agree(soft[t[:, -1]] - soft[t[:, 0]], ends_of(own, k), "sums of softplus")


def sums_to_k_plus_one(impl: Implementation, case: Case, plain: Case) -> None:
    """As printed: j runs from 1 to k + 1, k the number of steps."""
    _softplus_sums(impl, case, plain, case[1] + 1)


@check(
    "BP.eq41",
    of=rbm,
    cases=path_cases(),
    examples=40,
    evidence=EXACTLY,
    printed=sums_to_k_plus_one,
    correction="a slip: j runs over the hidden units, as in eq. 43, not to k + 1",
    rejects=("couplings-halved",),
)
def sums_of_softplus_run_over_the_hidden_units(impl: Implementation, case: Case, plain: Case) -> None:
    """log Z_{x_k} - log Z_{x_0} = -sum_j log(1 + e^z~_0^j) + sum_j log(1 + e^z~_k^j), without biases."""
    _softplus_sums(impl, case, plain, None)


@check(
    "BP.eq43",
    of=rbm,
    cases=rbm_laws(),
    evidence=EXACTLY,
    rejects=("most-likely-hidden-units", "statistics-of-wrong-sign"),
)
def gradient_of_log_z_is_state_times_sigmoid(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """grad log Z_x = x sigma(z~)'; z~ is taken as the column w'x, though eq. 42 prints the row x'w."""
    exact = derivative(lambda at: oracle.log_sum(oracle.minus_energy(at), 1)[:, 0], plain.theta)
    for s, x in enumerate(states(plain.theta.b.size)):
        found = impl.data_statistics(case.theta, like(x[None, :], case.theta.W))
        agree(found, RBM(*(field[s] for field in exact)), "gradient of log Z_x")


# --- contrastive divergence -------------------------------------------------------------------------------


@check(
    "BP.alg4",
    of=(contrastive, trajectories),
    cases=st.tuples(rbm_laws(max_visible=3, max_hidden=2, saturation=2.0), st.sampled_from((1, 2))).filter(
        lambda case: case[0].theta.W.size < 6 or case[1] == 1
    ),
    examples=10,
    evidence=EXACTLY,
    rejects=("wrong-sign", "steps-ignored", "ratio-term-of-wrong-sign"),
)
def cd_k_is_minus_the_contrastive_term(impl: Implementation, case: Case, plain: Case) -> None:
    """Over all its draws, the mean of CD-k from a state x is minus eq. 36 for the law that sits on x."""
    ((theta, _), k), (own, D, _) = case, parts_of(plain)
    x = int(np.argmax(D))
    start, row = np.eye(D.size)[x], states(own.b.size)[x : x + 1]
    steps = impl.law("cd_step", theta, like(row, theta.W), k=k, variant=DOCUMENT)
    p = np.exp(to_numpy(steps.log_weight)[0])
    found = mean(p, numbers(steps.values[0]))
    agree(found, oracle.expected_cd(own, start, k), "mean step")
    end = like(oracle.law_after(own, start, k), theta.W)
    ratio = impl.path_kl_grad(theta, like(start, theta.W), end, k=k).ratio
    agree(numbers(ratio), scale(-1.0, found), "the contrastive term")


rate_cases = [
    RBMLaw(
        RBM(np.array([[1.2], [-1.6]]), np.array([0.3, 0.2]), np.array([0.1])), np.array([0.1, 0.6, 0.1, 0.2])
    ),
    RBMLaw(RBM(np.array([[1.5, -2.0]]), np.array([0.4]), np.array([-0.3, 0.6])), np.array([0.9, 0.1])),
]
"""Machines small enough for k = 4; the second eigenvalue is the only one that matters at k >= 2."""


def fitted_factor(sizes: list[float], ks: range) -> float:
    """Return r of the fit c r^k."""
    return float(np.exp(np.polyfit(list(ks), np.log(sizes), 1)[0]))


@check(
    "BP.eq45",
    "BP.sec5.4b",
    "BP.sec5.4e",
    of=(trajectories, gibbs),
    cases=rate_cases,
    evidence=at_rate("lambda_2^k in k, lambda_2 the second eigenvalue of the Gibbs kernel"),
    rejects=("prior-not-aggregated", "score-and-ratio-exchanged"),
)
def missing_term_vanishes_with_the_second_eigenvalue(
    impl: Implementation, case: RBMLaw, plain: RBMLaw
) -> None:
    """The term that CD-k leaves out dies like lambda_2^k, is zero for prior pi, and leaves -grad E_D[log p].

    That the first term vanishes needs the prior q(x_k) or pi: with another prior p the limit of the score
    term is the gradient of KL(pi || p) in pi.  The rest of KL, KL(q(x_k) || pi), is of order lambda_2^2k and
    its gradient of order k lambda_2^2k.  With prior pi the encoder samples from the decoder's posterior.
    """
    (theta, law), (own, D) = case, (plain.theta, plain.law / plain.law.sum())
    pi = np.exp(oracle.log_visible(own))
    prior = like(pi / pi.sum(), law)
    exact = derivative(lambda at: -oracle.mean_log_likelihood(at, D), own)
    ks, missing, left = range(2, 5), [], []
    for k in ks:
        parts = numbers(impl.path_kl_grad(theta, law, impl.gibbs_law(theta, law, steps=k), k=k))
        missing.append(size(parts.score))
        left.append(size(add(add(*parts), scale(-1.0, exact))) / k)
        at_pi = impl.path_kl_grad(theta, law, prior, k=k).score
        agree(size(numbers(at_pi)), 0.0, "the score term with prior pi", of="BP.sec5.4b")
    posterior = to_numpy(impl.log_decoder(theta, prior, k=1)).astype(float) - np.log(pi)[:, None, None]
    agree(impl.log_forward(theta, k=1), posterior, "the decoder's posterior", of="BP.sec5.4b")
    rate = oracle.second_eigenvalue(own)
    agree(fitted_factor(missing, ks), rate, "decay of the missing term per step", of="BP.eq45", rtol=0.1)
    decay = fitted_factor(left, ks)
    agree(decay, rate**2, "decay of grad KL + grad E_D[log p] per step", of="BP.sec5.4e", rtol=0.1)
    ensure(missing[0] > 1e-6, "the missing term is not zero at finite k", of="BP.eq45", actual=missing[0])


@check(
    "BP.fn6",
    of=gibbs,
    cases=rate_cases,
    evidence=at_rate("lambda_2^k in k, lambda_2 the second eigenvalue of the Gibbs kernel"),
    rejects=("law-of-one-step", "law-of-another-machine"),
)
def law_of_the_end_converges_to_the_marginal(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """Finite weights make every entry of the kernel positive, so D T^k -> pi, like lambda_2^k."""
    own = plain.theta
    ensure(oracle.kernel(own).min() > 0, "every entry of the kernel is positive")
    pi, ks = np.exp(oracle.log_visible(own)), range(3, 9)
    gaps = [float(np.abs(to_numpy(impl.gibbs_law(*case, steps=k)) - pi).sum()) for k in ks]
    agree(fitted_factor(gaps, ks), oracle.second_eigenvalue(own), "decay of the distance to pi", rtol=0.05)


@check(
    "BP.fn6",
    of=gibbs,
    cases=rbm_laws(max_visible=3, max_hidden=3, saturation=2.0),
    evidence=EXACTLY,
    rejects=("law-of-one-step", "law-of-one-step-more", "law-of-another-machine"),
)
def law_of_the_end_contracts_to_the_marginal(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """TV(D T^k, pi) <= (1 - d)^k TV(D, pi), d > 0 the mass that all rows of the kernel share."""
    own, D = plain.theta, plain.law
    pi, shared = np.exp(oracle.log_visible(own)), float(oracle.kernel(own).min(axis=0).sum())
    ensure(shared > 0, "all rows of the kernel share some mass")
    for k in (1, 2, 5, 40):
        end = to_numpy(impl.gibbs_law(*case, steps=k)).astype(float)
        agree(end, oracle.law_after(own, D, k), f"q(x_{k})")
        at_most(np.abs(end - pi).sum(), (1 - shared) ** k * np.abs(D - pi).sum(), f"distance to pi, k={k}")


@check(
    "BP.eq44",
    of=contrastive,
    cases=[
        (RBMLaw(case.theta, np.array(law)), np.array(rows))
        for case, law, rows in (
            (rate_cases[0], [0.25, 0.5, 0.0, 0.25], [[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]),
            (rate_cases[1], [0.75, 0.25], [[0.0], [1.0], [0.0], [0.0]]),
        )
    ],
    evidence=at_rate("bias lambda_2^k in k, lambda_2 the second eigenvalue of the Gibbs kernel"),
    rejects=("steps-ignored", "wrong-sign"),
)
def cd_approximates_the_likelihood_gradient(
    impl: Implementation, case: tuple[RBMLaw, Array], plain: tuple[RBMLaw, Array]
) -> None:
    """<v_0 h_0'>_0 - <v_k h_k'>_k is the gradient of log p up to a bias that dies like lambda_2^k."""
    ((theta, _), rows), ((own, D), _) = case, plain
    exact, ks = derivative(lambda at: oracle.mean_log_likelihood(at, D), own), range(3, 9)
    steps = [numbers(impl.expected_cd_step(theta, rows, k=k, variant=DOCUMENT)) for k in ks]
    bias = [size(add(step, scale(-1.0, exact))) for step in steps]
    agree(fitted_factor(bias, ks), oracle.second_eigenvalue(own), "decay of the bias per step", rtol=0.05)
