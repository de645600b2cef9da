"""Contrastive divergence as descent on a divergence between Gibbs trajectories.

All trajectories (x_0, z_0, ..., x_k) of tiny machines are enumerated, and differentiated by the complex step.
"""

from __future__ import annotations

import numpy as np

from ...backends.arrays import to_numpy
from ...reference.boltzmann import gibbs, trajectories
from ...reference.boltzmann.rbm import RBM
from ...reference.trees import add, scale, tree_map
from ..check import DEFINITION, EXACTLY, Implementation, agree, check
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import Table, like, numbers
from ..oracle.boltzmann_trajectories import (
    divergence,
    kl,
    log_back,
    log_there,
    mean,
    parts_of,
    paths,
    size,
    weighted,
)
from ..oracle.derivative import derivative
from ..strategies.boltzmann import RBMLaw, path_cases

Case = tuple[RBMLaw, int]

WRONG_PARTS = (
    "score-term-missing",
    "score-term-of-wrong-sign",
    "ratio-term-missing",
    "ratio-term-of-wrong-sign",
)

# --- trajectories and their divergence --------------------------------------------------------------------


@check(
    "BP.sec5.4a",
    of=trajectories,
    cases=path_cases(),
    examples=15,
    evidence=DEFINITION,
    rejects=("decoder-runs-forward", "decoder-without-prior", "encoder-without-data"),
)
def encoder_and_decoder_run_the_same_chain_in_opposite_directions(
    impl: Implementation, case: Case, plain: Case
) -> None:
    """q(tau) starts at D(x_0) and goes forward, p(tau) at p(x_k) and goes back; both sum to one."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    t, prior = paths(own, k), np.arange(1.0, D.size + 1) / sum(range(1, D.size + 1))
    q = np.exp(to_numpy(impl.log_encoder(theta, law, k=k)).astype(float)).ravel()
    p = np.exp(to_numpy(impl.log_decoder(theta, like(prior, law), k=k)).astype(float)).ravel()
    agree(q, D[t[:, 0]] * np.exp(log_there(own, k)), "q(tau)")
    agree(p, prior[t[:, -1]] * np.exp(log_back(own, k)), "p(tau)")
    agree(np.array([q.sum(), p.sum()]), np.ones(2), "total mass")


@check(
    "BP.eq24",
    "BP.eq25",
    of=trajectories,
    cases=path_cases(),
    examples=15,
    evidence=EXACTLY,
    rejects=("path-kl-reversed", "path-kl-without-entropy"),
)
def divergence_of_trajectories_is_the_contrastive_divergence(
    impl: Implementation, case: Case, plain: Case
) -> None:
    """KL(q || p) is KL(D || pi) - KL(q(x_k) || pi) with the prior q(x_k), and KL(D || pi) with prior pi."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    pi, end = np.exp(oracle.log_visible(own)), oracle.law_after(own, D, k)
    for prior, short in ((end, kl(D, pi) - kl(end, pi)), (pi, kl(D, pi))):
        found = impl.path_kl(theta, law, like(prior, law), k=k)
        agree(found, divergence(own, D, prior, k), "KL(q || p), summed", of="BP.eq25")
        agree(found, short, "KL(q || p), in closed form", of="BP.eq24")


# --- its gradient -----------------------------------------------------------------------------------------


@check(
    "BP.eq26",
    "BP.eq27",
    "BP.eq28",
    "BP.eq29",
    of=trajectories,
    cases=path_cases(zeros=False),
    examples=10,
    evidence=EXACTLY,
    rejects=WRONG_PARTS,
)
def gradient_by_the_product_rule_and_the_log_derivative(
    impl: Implementation, case: Case, plain: Case
) -> None:
    """grad KL = sum grad q log(q/p) + q grad log(q/p) = E_q[grad log q log(q/p) + grad log(q/p)]."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    t, prior = paths(own, k), np.arange(1, D.size + 1) / np.arange(1, D.size + 1).sum()

    def log_q(at: RBM) -> Table:
        return np.log(D[t[:, 0]]) + log_there(at, k)

    def log_ratio(at: RBM) -> Table:
        return log_q(at) - np.log(prior[t[:, -1]]) - log_back(at, k)

    q, r, one = np.exp(log_q(own)), log_ratio(own), np.ones(len(t))
    grad_q = derivative(lambda at: np.exp(log_q(at)), own)
    grad_log_q, grad_ratio = derivative(log_q, own), derivative(log_ratio, own)
    found = numbers(impl.path_kl_grad(theta, law, like(prior, law), k=k))
    whole = add(found.score, found.ratio)
    agree(whole, derivative(lambda at: divergence(at, D, prior, k), own), "gradient of KL", of="BP.eq26")
    agree(whole, add(mean(r, grad_q), mean(q, grad_ratio)), "product rule", of="BP.eq26")
    agree(weighted(q, grad_log_q), grad_q, "q grad log q, of each trajectory", of="BP.eq27")
    agree(whole, add(mean(q * r, grad_log_q), mean(q, grad_ratio)), "eq. 27", of="BP.eq27")
    both = add(weighted(r, grad_log_q), grad_ratio)
    agree(whole, mean(one, weighted(q, both)), "eq. 28", of="BP.eq28")
    agree(whole, mean(q, both), "eq. 29", of="BP.eq29")


@check(
    "BP.eq30",
    "BP.eq31",
    of=trajectories,
    cases=path_cases(zeros=False),
    examples=10,
    evidence=EXACTLY,
    rejects=WRONG_PARTS,
)
def baseline_of_the_data_state_has_mean_zero(impl: Implementation, case: Case, plain: Case) -> None:
    """log D(x)/p(x) multiplies a score of mean zero for each x and drops out; the prior here moves with w."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    t = paths(own, k)

    def prior(at: RBM) -> Table:
        return oracle.law_after(at, np.eye(D.size)[0], 1)

    def log_p(at: RBM) -> Table:
        return np.log(prior(at)[t[:, -1]]) + log_back(at, k)

    q_given_x = np.exp(log_there(own, k))
    q, score = D[t[:, 0]] * q_given_x, derivative(lambda at: log_there(at, k), own)
    p_x = np.bincount(t[:, 0], weights=np.exp(log_p(own)), minlength=D.size)
    R = log_there(own, k) - (log_p(own) - np.log(p_x[t[:, 0]]))
    ratio = derivative(lambda at: log_there(at, k) - log_p(at), own)
    for x in range(D.size):
        of_x = mean(np.where(t[:, 0] == x, q_given_x, 0), score)
        agree(of_x, scale(0.0, of_x), f"mean score given x = {x}", of="BP.eq31")
    found = numbers(impl.path_kl_grad(theta, law, like(prior(own), law), k=k))
    end = oracle.law_after(own, D, k)
    moving = derivative(lambda at: -np.sum(end * np.log(prior(at))), own)  # E_q[-grad log p(x_k)]
    whole = add(add(found.score, found.ratio), moving)
    agree(whole, derivative(lambda at: divergence(at, D, prior(at), k), own), "gradient", of="BP.eq30")
    baseline = np.log(D / p_x)[t[:, 0]]
    agree(whole, add(mean(q * (R + baseline), score), mean(q, ratio)), "eq. 30", of="BP.eq30")
    agree(whole, add(mean(q * R, score), mean(q, ratio)), "eq. 31", of="BP.eq31")


@check(
    "BP.eq32",
    of=(gibbs, trajectories),
    cases=path_cases(),
    examples=15,
    evidence=DEFINITION,
    rejects=("law-of-one-step", "law-of-one-step-more", "law-of-many-steps"),
)
def aggregated_prior_is_the_law_of_the_end(impl: Implementation, case: Case, plain: Case) -> None:
    """p(x_k), the sum over truncated trajectories, is D T^k."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    t = paths(own, k)
    end = np.bincount(t[:, -1], weights=D[t[:, 0]] * np.exp(log_there(own, k)), minlength=D.size)
    agree(impl.gibbs_law(theta, law, steps=k), end, "q(x_k)")
    table = np.exp(to_numpy(impl.log_encoder(theta, law, k=k)).astype(float))
    agree(table.sum(axis=tuple(range(2 * k))), end, "marginal of the table")


@check(
    "BP.sec5.4c",
    "BP.eq33",
    "BP.eq34",
    "BP.sec5.4d",
    of=trajectories,
    cases=path_cases(zeros=False),
    examples=10,
    evidence=EXACTLY,
    rejects=("backward-runs-forward", "ratio-term-missing", "ratio-term-of-wrong-sign"),
)
def log_ratio_splits_into_ends_and_chain(impl: Implementation, case: Case, plain: Case) -> None:
    """log q/p = log D(x_0)/q(x_k) + log of the chains' ratio, path by path; grad log q(x_k) has mean zero."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    t = paths(own, k)

    def end(at: RBM) -> Table:
        return oracle.law_after(at, D, k)

    def log_ratio(at: RBM) -> Table:
        q, p = np.log(D[t[:, 0]]) + log_there(at, k), np.log(end(at)[t[:, -1]]) + log_back(at, k)
        return q - p

    there, back = (
        to_numpy(f(theta, k=k)).astype(float).ravel() for f in (impl.log_forward, impl.log_backward)
    )
    log_q, log_end = np.log(D[t[:, 0]]) + log_there(own, k), np.log(end(own)[t[:, -1]])
    given_end = log_q - log_end  # log q(x_0, ..., z_{k-1} | x_k)
    agree(log_end + given_end - (log_end + back), log_ratio(own), "given x_k", of="BP.sec5.4c")
    split = np.log(D[t[:, 0]]) - log_end + there - back
    agree(split, log_ratio(own), "log q(tau) / p(tau)", of="BP.eq33")

    q, of_end = np.exp(log_q), derivative(lambda at: np.log(end(at)), own)
    of_end = tree_map(lambda x: x[t[:, -1]], of_end)
    of_chains = derivative(lambda at: log_there(at, k) - log_back(at, k), own)
    whole = add(scale(-1.0, of_end), of_chains)
    agree(whole, derivative(log_ratio, own), "gradient of log q/p", of="BP.eq34")
    dropped = mean(q, of_end)
    agree(dropped, scale(0.0, dropped), "E_q[grad log q(x_k)]", of="BP.sec5.4d")
    found = impl.path_kl_grad(theta, law, like(end(own), law), k=k).ratio
    agree(found, mean(q, whole), "E_q[grad log q/p]", of=("BP.eq34", "BP.sec5.4d"))


@check(
    "BP.eq35",
    "BP.eq36",
    of=trajectories,
    cases=path_cases(),
    examples=15,
    evidence=EXACTLY,
    rejects=WRONG_PARTS,
)
def gradient_is_the_missing_term_plus_the_contrastive_term(
    impl: Implementation, case: Case, plain: Case
) -> None:
    """With prior q(x_k), which moves with w: grad KL = eq. 45 + eq. 36."""
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    found = numbers(impl.path_kl_grad(theta, law, like(oracle.law_after(own, D, k), law), k=k))
    whole = derivative(lambda at: divergence(at, D, oracle.law_after(at, D, k), k), own)
    agree(add(found.score, found.ratio), whole, "gradient of KL", of="BP.eq35")
    q = D[paths(own, k)[:, 0]] * np.exp(log_there(own, k))
    chains = derivative(lambda at: log_there(at, k) - log_back(at, k), own)
    agree(found.ratio, mean(q, chains), "the contrastive term", of="BP.eq36")
    agree(found.ratio, scale(-1.0, oracle.expected_cd(own, D, k)), "minus CD-k", of="BP.eq36")


@check(
    "BP.sec5.4f",
    of=trajectories,
    cases=path_cases(zeros=False),
    examples=10,
    evidence=EXACTLY,
    rejects=("score-term-of-wrong-sign", "score-without-posterior"),
)
def missing_term_is_a_policy_gradient(impl: Implementation, case: Case, plain: Case) -> None:
    """Against eq. 45, q moves away from trajectories of large log q(tau_x|x) / p(tau_x|x).

    With that log ratio R held fixed, the derivative of E_q[R] along minus the term is minus its squared norm.
    """
    ((theta, law), k), (own, D, _) = case, parts_of(plain)
    t, end = paths(own, k), oracle.law_after(own, D, k)
    score = numbers(impl.path_kl_grad(theta, law, like(end, law), k=k).score)
    log_p = np.log(end[t[:, -1]]) + log_back(own, k)
    marginal = np.bincount(t[:, 0], weights=np.exp(log_p), minlength=D.size)
    R = log_there(own, k) - (log_p - np.log(marginal[t[:, 0]]))
    slope = derivative(lambda at: np.sum(D[t[:, 0]] * np.exp(log_there(at, k)) * R), own)
    along = -sum(np.sum(s * d) for s, d in zip(slope, score, strict=True))
    agree(along, -(size(slope) ** 2), "derivative of E_q[R] along minus the term")
    agree(score, slope, "policy gradient")
