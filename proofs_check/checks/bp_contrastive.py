"""[BP] 5.4: contrastive divergence as descent on a divergence between Gibbs trajectories.

All trajectories (x_0, z_0, ..., x_k) of tiny machines are enumerated.  The oracle reads the probability of
each off the joint law, and differentiates by the complex step; it knows no free energy and no score function.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, to_numpy
from ...backends.enumerating import expect
from ...reference import laws
from ...reference.boltzmann import contrastive, gibbs, rbm, trajectories
from ...reference.boltzmann.contrastive import DOCUMENT
from ...reference.boltzmann.rbm import RBM
from ...reference.boltzmann.trajectories import PathGradient
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_rate, check, ensure
from ..strategies import RBMLaw, rbm_laws
from . import brute
from .brute import Table, like

Case = tuple[RBMLaw, int]

cases = st.tuples(rbm_laws(max_visible=2, max_hidden=3, saturation=2.0), st.sampled_from((1, 2)))
"""A machine, a law of the data, and k; no more than 4096 trajectories."""

positive_cases = st.tuples(
    rbm_laws(max_visible=2, max_hidden=3, saturation=2.0, zeros=False), st.sampled_from((1, 2))
)
"""The same where every state has mass: log D(x) is taken."""


# --- the oracle: one row per trajectory ---------------------------------------------------


def paths(theta: RBM, k: int) -> Table:
    """Return every trajectory as the row of its states, (R, 2k + 1)."""
    sizes = [2**theta.b.size, 2**theta.c.size] * k + [2**theta.b.size]
    return np.stack([axis.ravel() for axis in np.indices(sizes)], axis=1)


def log_there(theta: RBM, k: int) -> Table:
    """Return log q(z_0, ..., x_k | x_0) of each trajectory."""
    t, up, down = paths(theta, k), brute.log_up(theta), brute.log_down(theta)
    return sum(up[t[:, 2 * i], t[:, 2 * i + 1]] + down[t[:, 2 * i + 1], t[:, 2 * i + 2]] for i in range(k))


def log_back(theta: RBM, k: int) -> Table:
    """Return log p(x_0, ..., z_{k-1} | x_k) of each trajectory."""
    t, up, down = paths(theta, k), brute.log_up(theta), brute.log_down(theta)
    return sum(up[t[:, 2 * i + 2], t[:, 2 * i + 1]] + down[t[:, 2 * i + 1], t[:, 2 * i]] for i in range(k))


def divergence(theta: RBM, law: Table, prior: Table, k: int) -> Any:
    """Return KL(q || p), the sum over trajectories."""
    t = paths(theta, k)
    start, ratio = law[t[:, 0]], log_there(theta, k) - log_back(theta, k) - np.log(prior[t[:, -1]])
    mass = start > 0
    q = start[mass] * np.exp(log_there(theta, k)[mass])
    return np.sum(q * (np.log(start[mass]) + ratio[mass]))


def kl(a: Table, b: Table) -> Any:
    """Return KL(a || b) of two laws."""
    mass = a.real > 0
    return np.sum(a[mass] * np.log(a[mass] / b[mass]))


def plain(theta: RBM, law: Array) -> tuple[RBM, Table]:
    """Return machine and law as NumPy float64; a law rounded to float32 is made to sum to one."""
    own = to_numpy(law).astype(float)
    return brute.numbers(theta), own / own.sum()


def added(*directions: RBM) -> RBM:
    """Return the sum of directions, as NumPy."""
    return RBM(
        *(sum(to_numpy(field).astype(float) for field in fields) for fields in zip(*directions, strict=True))
    )


def same(actual: RBM, expected: RBM, what: str, atol: float = 1e-10) -> None:
    """Compare field by field."""
    for name, a, e in zip(RBM._fields, actual, expected, strict=True):
        agree(a, e, f"{what} in {name}", rtol=1e-9, atol=atol)


def size(direction: RBM) -> float:
    """Return the Euclidean norm of all fields together."""
    return float(np.sqrt(sum(float(np.sum(to_numpy(field).astype(float) ** 2)) for field in direction)))


# --- mistakes ---------------------------------------------------


def grad_with(change: Any) -> dict[str, Any]:
    """Return a path_kl_grad whose parts are changed."""
    return {
        "path_kl_grad": lambda theta, law, prior, *, k: change(
            trajectories.path_kl_grad(theta, law, prior, k=k)
        )
    }


def times(direction: RBM, factor: float) -> RBM:
    """Return a multiple of a direction."""
    return RBM(*(factor * field for field in direction))


WRONG_SCORE = {
    "score term left out": grad_with(lambda g: PathGradient(times(g.score, 0.0), g.ratio)),
    "score term with the wrong sign": grad_with(lambda g: PathGradient(times(g.score, -1.0), g.ratio)),
}
WRONG_RATIO = {
    "ratio term with the wrong sign": grad_with(lambda g: PathGradient(g.score, times(g.ratio, -1.0))),
    "ratio term left out": grad_with(lambda g: PathGradient(g.score, times(g.ratio, 0.0))),
}
STUCK = {
    "one step whatever k": {"gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(theta, law, steps=1)}
}


# --- trajectories and their divergence ---------------------------------------------------


@check(
    "BP.sec5.4a",
    of=(trajectories,),
    cases=cases,
    examples=15,
    evidence=DEFINITION,
    mutants={
        "p runs forward from x_0": {
            "log_decoder": lambda theta, prior, *, k: trajectories.log_encoder(theta, prior, k=k)
        },
        "q forgets the law of the data": {
            "log_encoder": lambda theta, law, *, k: trajectories.log_forward(theta, k=k)
        },
    },
)
def encoder_and_decoder_run_the_same_chain_in_opposite_directions(impl: Implementation, case: Case) -> None:
    """q(tau) starts at D(x_0) and goes forward, p(tau) at p(x_k) and goes back; both sum to one."""
    (theta, law), k = case
    own, D = plain(theta, law)
    t = paths(own, k)
    prior = np.full(D.size, 1 / D.size)
    q = np.exp(to_numpy(impl.log_encoder(theta, law, k=k)).astype(float)).ravel()
    p = np.exp(to_numpy(impl.log_decoder(theta, like(prior, law), k=k)).astype(float)).ravel()
    agree(q, D[t[:, 0]] * np.exp(log_there(own, k)), "q(tau)", rtol=1e-9)
    agree(p, prior[t[:, -1]] * np.exp(log_back(own, k)), "p(tau)", rtol=1e-9)
    agree(np.array([q.sum(), p.sum()]), np.ones(2), "total mass")


@check(
    "BP.eq24",
    "BP.eq25",
    of=(trajectories,),
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    mutants={
        "KL(p || q)": {
            "path_kl": lambda theta, law, prior, *, k: trajectories.path_kl(theta, prior, law, k=k)
        },
        "the entropy of D left out": {
            "path_kl": lambda theta, law, prior, *, k: (
                trajectories.path_kl(theta, law, prior, k=k) + laws.entropy(law)
            )
        },
    },
)
def divergence_of_trajectories_is_the_contrastive_divergence(impl: Implementation, case: Case) -> None:
    """KL(q || p) is KL(D || pi) - KL(q(x_k) || pi) with the prior q(x_k), and KL(D || pi) with prior pi."""
    (theta, law), k = case
    own, D = plain(theta, law)
    pi, end = np.exp(brute.log_visible(own)), brute.law_after(own, D, k)
    for prior, short in ((end, kl(D, pi) - kl(end, pi)), (pi, kl(D, pi))):
        summed = divergence(own, D, prior, k)
        agree(summed, short, "KL over trajectories against its closed form", atol=1e-10)
        agree(impl.path_kl(theta, law, like(prior, law), k=k), summed, "KL(q || p)", atol=1e-10)


# --- its gradient ---------------------------------------------------


@check(
    "BP.eq26",
    "BP.eq27",
    "BP.eq28",
    "BP.eq29",
    of=(trajectories,),
    cases=positive_cases,
    examples=10,
    evidence=EXACTLY,
    mutants={**WRONG_SCORE, **WRONG_RATIO},
)
def gradient_by_the_product_rule_and_the_log_derivative(impl: Implementation, case: Case) -> None:
    """grad KL = sum grad q log(q/p) + q grad log(q/p) = E_q[grad log q log(q/p) + grad log(q/p)]."""
    (theta, law), k = case
    own, D = plain(theta, law)
    t, prior = paths(own, k), np.arange(1, D.size + 1) / np.arange(1, D.size + 1).sum()

    def log_q(at: RBM) -> Table:
        return np.log(D[t[:, 0]]) + log_there(at, k)

    def log_ratio(at: RBM) -> Table:
        return log_q(at) - np.log(prior[t[:, -1]]) - log_back(at, k)

    whole = brute.gradient(lambda at: divergence(at, D, prior, k), own)
    grad_q = brute.gradient(lambda at: np.exp(log_q(at)), own)
    grad_log_q, grad_ratio = brute.gradient(log_q, own), brute.gradient(log_ratio, own)
    q, r = np.exp(log_q(own)), log_ratio(own)
    for name in RBM._fields:
        dq, dlog, dr = (getattr(g, name) for g in (grad_q, grad_log_q, grad_ratio))
        extra = (slice(None),) + (None,) * (dq.ndim - 1)
        agree(dq, q[extra] * dlog, f"grad q = q grad log q in {name}", rtol=1e-8)
        product_rule = np.sum(dq * r[extra] + q[extra] * dr, axis=0)
        as_mean = np.sum(q[extra] * (dlog * r[extra] + dr), axis=0)
        agree(product_rule, getattr(whole, name), f"eq. 26 in {name}", atol=1e-10)
        agree(as_mean, getattr(whole, name), f"eq. 27-29 in {name}", atol=1e-10)
    same(added(*impl.path_kl_grad(theta, law, like(prior, law), k=k)), whole, "gradient of KL")


@check(
    "BP.eq30",
    "BP.eq31",
    of=(trajectories,),
    cases=positive_cases,
    examples=10,
    evidence=EXACTLY,
    mutants={**WRONG_SCORE, **WRONG_RATIO},
)
def baseline_of_the_data_state_has_mean_zero(impl: Implementation, case: Case) -> None:
    """log D(x)/p(x) multiplies a score of mean zero for each x and drops out; the prior here moves with w."""
    (theta, law), k = case
    own, D = plain(theta, law)
    t = paths(own, k)
    score = brute.gradient(lambda at: log_there(at, k), own)
    q_given_x = np.exp(log_there(own, k))
    for name, s in zip(RBM._fields, score, strict=True):
        for x in range(D.size):
            mean = np.tensordot(q_given_x[t[:, 0] == x], s[t[:, 0] == x], axes=1)
            agree(mean, np.zeros_like(mean), f"mean score in {name} given x = {x}", atol=1e-11)

    def prior(at: RBM) -> Table:
        return brute.law_after(at, np.eye(D.size)[0], 1)

    whole = brute.gradient(lambda at: divergence(at, D, prior(at), k), own)
    parts = impl.path_kl_grad(theta, law, like(prior(own), law), k=k)
    end = brute.law_after(own, D, k)
    moving = brute.gradient(lambda at: -np.sum(end * np.log(prior(at))), own)  # E_q[-grad log p(x_k)]
    same(added(*parts, moving), whole, "gradient of KL with a prior that depends on w")


@check(
    "BP.eq32",
    of=(gibbs, trajectories),
    cases=cases,
    examples=15,
    evidence=DEFINITION,
    mutants={
        **STUCK,
        "one step too many": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(theta, law, steps=steps + 1)
        },
        "the model's marginal": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(theta, law, steps=500)
        },
    },
)
def aggregated_prior_is_the_law_of_the_end(impl: Implementation, case: Case) -> None:
    """p(x_k), the sum over truncated trajectories, is D T^k."""
    (theta, law), k = case
    own, D = plain(theta, law)
    t = paths(own, k)
    q = D[t[:, 0]] * np.exp(log_there(own, k))
    end = np.bincount(t[:, -1], weights=q, minlength=D.size)
    agree(impl.gibbs_law(theta, law, steps=k), end, "q(x_k)", rtol=1e-9)
    table = np.exp(to_numpy(impl.log_encoder(theta, law, k=k)).astype(float))
    agree(table.sum(axis=tuple(range(2 * k))), end, "marginal of the table", rtol=1e-9)


@check(
    "BP.sec5.4c",
    "BP.eq33",
    "BP.eq34",
    "BP.sec5.4d",
    of=(trajectories,),
    cases=positive_cases,
    examples=10,
    evidence=EXACTLY,
    mutants={
        "conditioned on x_0 where p conditions on x_k": {"log_backward": trajectories.log_forward},
        **WRONG_RATIO,
    },
)
def log_ratio_splits_into_ends_and_chain(impl: Implementation, case: Case) -> None:
    """log q/p = log D(x_0)/q(x_k) + log of the chains' ratio, path by path; grad log q(x_k) has mean zero."""
    (theta, law), k = case
    own, D = plain(theta, law)
    t = paths(own, k)

    def end(at: RBM) -> Table:
        return brute.law_after(at, D, k)

    def chains(at: RBM) -> Table:
        return log_there(at, k) - log_back(at, k)

    def log_ratio(at: RBM) -> Table:
        q, p = np.log(D[t[:, 0]]) + log_there(at, k), np.log(end(at)[t[:, -1]]) + log_back(at, k)
        return q - p

    there = to_numpy(impl.log_forward(theta, k=k)).ravel()
    back = to_numpy(impl.log_backward(theta, k=k)).ravel()
    split = np.log(D[t[:, 0]] / end(own)[t[:, -1]]) + there - back
    agree(split, log_ratio(own), "log q(tau) / p(tau)", atol=1e-10)

    q = D[t[:, 0]] * np.exp(log_there(own, k))
    whole = brute.gradient(log_ratio, own)
    of_end, of_chains = brute.gradient(lambda at: np.log(end(at)), own), brute.gradient(chains, own)
    for name in RBM._fields:
        de, dc = getattr(of_end, name)[t[:, -1]], getattr(of_chains, name)
        agree(dc - de, getattr(whole, name), f"gradient of log q/p in {name}", atol=1e-9)
        dropped = np.tensordot(q, de, axes=1)
        agree(dropped, np.zeros_like(dropped), f"E_q[grad log q(x_k)] in {name}", atol=1e-10)
    ratio = RBM(*(np.tensordot(q, field, axes=1) for field in of_chains))
    same(impl.path_kl_grad(theta, law, like(end(own), law), k=k).ratio, ratio, "E_q[grad log q/p]")


@check(
    "BP.eq35",
    "BP.eq36",
    of=(trajectories,),
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    mutants={**WRONG_SCORE, **WRONG_RATIO},
)
def gradient_is_the_missing_term_plus_the_contrastive_term(impl: Implementation, case: Case) -> None:
    """With prior q(x_k), which moves with w: grad KL = eq. 45 + eq. 36."""
    (theta, law), k = case
    own, D = plain(theta, law)
    whole = brute.gradient(lambda at: divergence(at, D, brute.law_after(at, D, k), k), own)
    parts = impl.path_kl_grad(theta, law, like(brute.law_after(own, D, k), law), k=k)
    same(added(*parts), whole, "gradient of KL")
    same(parts.ratio, times(brute.expected_cd(own, D, k), -1.0), "the contrastive term")


# --- energies ---------------------------------------------------


@check(
    "BP.eq38",
    "BP.eq39",
    "BP.eq42",
    of=(rbm,),
    cases=rbm_laws(),
    evidence=DEFINITION,
    mutants={
        "energy with the wrong sign": {"energy": lambda theta, x, z: -rbm.energy(theta, x, z)},
        "free energy with the wrong sign": {"free_energy": lambda theta, x: -rbm.free_energy(theta, x)},
        "free energy of one state z": {
            "free_energy": lambda theta, x: rbm.energy(theta, x, x[:, :1] * 0 + 0 * theta.c)
        },
        "partial energy halved": {"hidden_input": lambda theta, x: rbm.hidden_input(theta, x) / 2},
    },
)
def marginal_partition_function_of_a_visible_state(impl: Implementation, case: RBMLaw) -> None:
    """E = -x'wz, log Z_x = log sum_z exp(-E(x, z)) = -F(x), and z~ = x'w; binary means {0, 1}, no biases."""
    theta = case.theta._replace(b=0 * case.theta.b, c=0 * case.theta.c)
    own = brute.numbers(theta)
    x, z = brute.states(own.b.size), brute.states(own.c.size)
    table = brute.minus_energy(own)
    xs, zs = like(np.repeat(x, len(z), axis=0), theta.W), like(np.tile(z, (len(x), 1)), theta.W)
    agree(impl.energy(theta, xs, zs), -table.ravel(), "E(x, z)")
    rows = like(x, theta.W)
    agree(-to_numpy(impl.free_energy(theta, rows)), brute.log_sum(table, 1)[:, 0], "log Z_x", atol=1e-10)
    partial = [[sum(own.W[i, j] * s[i] for i in range(len(s))) for j in range(own.c.size)] for s in x]
    agree(impl.hidden_input(theta, rows), np.array(partial), "z~")


@check(
    "BP.eq37",
    "BP.sec5.4g",
    "BP.eq40",
    "BP.eq41",
    of=(trajectories, rbm),
    cases=cases,
    examples=15,
    evidence=EXACTLY,
    mutants={
        "the two ends exchanged": {"free_energy": lambda theta, x: -rbm.free_energy(theta, x)},
        "both chains forward": {"log_backward": trajectories.log_forward},
        "partial energies without the hidden bias": {
            "hidden_input": lambda theta, x: rbm.hidden_input(theta._replace(c=0 * theta.c), x)
        },
    },
)
def inner_states_cancel_from_the_ratio_of_the_chains(impl: Implementation, case: Case) -> None:
    """log q(z_0, ..., x_k | x_0) / p(x_0, ..., z_{k-1} | x_k) = log Z_{x_k} - log Z_{x_0} = F(x_0) - F(x_k).

    The sum of softplus in eq. 41 runs over the hidden units, as in eq. 43, not to k + 1.  [BP] has no biases;
    the visible ones add b'(x_k - x_0).
    """
    (theta, _), k = case
    own = brute.numbers(theta)
    t, x = paths(own, k), brute.states(own.b.size)
    log_z = brute.log_sum(brute.minus_energy(own), 1)[:, 0]
    ends = log_z[t[:, -1]] - log_z[t[:, 0]]
    agree(log_there(own, k) - log_back(own, k), ends, "ratio of the chains", atol=1e-10)
    there, back = (to_numpy(f(theta, k=k)).ravel() for f in (impl.log_forward, impl.log_backward))
    agree(there - back, ends, "ratio of the tables", atol=1e-10)
    F = to_numpy(impl.free_energy(theta, like(x, theta.W)))
    agree(F[t[:, 0]] - F[t[:, -1]], ends, "F(x_0) - F(x_k)", atol=1e-10)
    soft = np.logaddexp(0, to_numpy(impl.hidden_input(theta, like(x, theta.W)))).sum(axis=1) + x @ own.b
    agree(soft[t[:, -1]] - soft[t[:, 0]], ends, "sums of softplus", atol=1e-10)


@check(
    "BP.eq43",
    of=(rbm,),
    cases=rbm_laws(),
    evidence=EXACTLY,
    mutants={
        "a draw's product for the mean's": {
            "data_statistics": lambda theta, x: rbm.data_statistics(
                RBM(1e3 * theta.W, theta.b, 1e3 * theta.c), x
            )
        },
        "the energy's gradient": {
            "data_statistics": lambda theta, x: times(rbm.data_statistics(theta, x), -1.0)
        },
    },
)
def gradient_of_log_z_is_state_times_sigmoid(impl: Implementation, case: RBMLaw) -> None:
    """grad log Z_x = x sigma(z~)'; z~ is taken as the column w'x, though eq. 42 prints the row x'w."""
    own = brute.numbers(case.theta)
    exact = brute.gradient(lambda at: brute.log_sum(brute.minus_energy(at), 1)[:, 0], own)
    for s, x in enumerate(brute.states(own.b.size)):
        actual = impl.data_statistics(case.theta, like(x[None, :], case.theta.W))
        same(actual, RBM(*(field[s] for field in exact)), "gradient of log Z_x")


# --- contrastive divergence ---------------------------------------------------


def descending(theta: RBM, v: Array, **options: Any) -> Any:
    """CD with its sign turned."""
    step, info = contrastive.cd_step(theta, v, **options)
    return times(step, -1.0), info


def single(theta: RBM, v: Array, *, k: int, **options: Any) -> Any:
    """CD that forgets the loop over k."""
    return contrastive.cd_step(theta, v, k=1, **options)


@check(
    "BP.alg4",
    of=(contrastive, trajectories),
    cases=st.tuples(rbm_laws(max_visible=3, max_hidden=2, saturation=2.0), st.sampled_from((1, 2))).filter(
        lambda case: case[0].theta.W.size < 6 or case[1] == 1
    ),
    examples=10,
    evidence=EXACTLY,
    mutants={"descends": {"cd_step": descending}, "k ignored": {"cd_step": single}},
)
def cd_k_is_minus_the_contrastive_term(impl: Implementation, case: Case) -> None:
    """Over all its draws, the mean of CD-k from a state x is minus eq. 36 for the law that sits on x."""
    (theta, law), k = case
    x = int(np.argmax(to_numpy(law)))
    V = theta.b.shape[0]
    data = like(np.eye(2**V)[x], theta.W)
    row = like(brute.states(V)[x : x + 1], theta.W)
    steps = expect(lambda rng: impl.cd_step(theta, row, k=k, rng=rng, variant=DOCUMENT)[0])
    end = like(brute.law_after(brute.numbers(theta), np.eye(2**V)[x], k), theta.W)
    ratio = impl.path_kl_grad(theta, data, end, k=k).ratio
    for name in RBM._fields:
        mean = to_numpy(steps.mean(attrgetter(name)))[0]
        agree(mean, -to_numpy(getattr(ratio, name)).astype(float), f"mean step in {name}", rtol=1e-9)


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
    mutants={
        "score term of a prior that is not aggregated": {
            "gibbs_law": lambda theta, law, *, steps: 0 * law + 1 / law.shape[0]
        },
        "score and ratio exchanged": grad_with(lambda g: PathGradient(g.ratio, g.score)),
    },
)
def missing_term_vanishes_with_the_second_eigenvalue(impl: Implementation, case: RBMLaw) -> None:
    """The term that CD-k leaves out dies like lambda_2^k, is zero for prior pi, and leaves -grad E_D[log p].

    That the first term vanishes needs the prior q(x_k) or pi: with another prior p the limit of the score
    term is the gradient of KL(pi || p) in pi.  The rest of KL, KL(q(x_k) || pi), is of order lambda_2^2k and
    its gradient of order k lambda_2^2k.
    """
    theta, law = case
    own, D = plain(theta, law)
    pi = np.exp(brute.log_visible(own))
    exact = brute.gradient(lambda at: -brute.mean_log_likelihood(at, D), own)
    ks, missing, left = range(2, 5), [], []
    for k in ks:
        parts = impl.path_kl_grad(theta, law, impl.gibbs_law(theta, law, steps=k), k=k)
        missing.append(size(parts.score))
        left.append(size(added(*parts, times(exact, -1.0))) / k)
        at_pi = impl.path_kl_grad(theta, law, like(pi / pi.sum(), law), k=k).score
        agree(size(at_pi), 0.0, "the score term with prior pi", atol=1e-9)
    rate = brute.second_eigenvalue(own)
    agree(fitted_factor(missing, ks), rate, "decay of the missing term per step", rtol=0.1)
    agree(fitted_factor(left, ks), rate**2, "decay of grad KL + grad E_D[log p] per step", rtol=0.1)
    ensure(missing[0] > 1e-6, "the missing term is not zero at finite k", actual=missing[0])


@check(
    "BP.fn6",
    of=(gibbs,),
    cases=rate_cases,
    evidence=at_rate("lambda_2^k in k, lambda_2 the second eigenvalue of the Gibbs kernel"),
    mutants={
        **STUCK,
        "the chain of another machine": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(
                theta._replace(b=theta.b + 1), law, steps=steps
            )
        },
    },
)
def law_of_the_end_converges_to_the_marginal(impl: Implementation, case: RBMLaw) -> None:
    """Finite weights make every entry of the kernel positive, so D T^k -> pi, like lambda_2^k."""
    theta, law = case
    own, _ = plain(theta, law)
    ensure(brute.kernel(own).min() > 0, "every entry of the kernel is positive")
    pi, ks = np.exp(brute.log_visible(own)), range(3, 9)
    gaps = [float(np.abs(to_numpy(impl.gibbs_law(theta, law, steps=k)) - pi).sum()) for k in ks]
    agree(fitted_factor(gaps, ks), brute.second_eigenvalue(own), "decay of the distance to pi", rtol=0.05)


@check(
    "BP.eq44",
    of=(contrastive,),
    cases=[
        (RBMLaw(case.theta, np.array(law)), np.array(rows))
        for case, law, rows in (
            (rate_cases[0], [0.25, 0.5, 0.0, 0.25], [[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]),
            (rate_cases[1], [0.75, 0.25], [[0.0], [1.0], [0.0], [0.0]]),
        )
    ],
    evidence=at_rate("bias lambda_2^k in k, lambda_2 the second eigenvalue of the Gibbs kernel"),
    mutants={
        "k ignored": {
            "expected_cd_step": lambda theta, v, *, k, variant: contrastive.expected_cd_step(
                theta, v, k=1, variant=variant
            )
        },
        "descends": {
            "expected_cd_step": lambda theta, v, **options: times(
                contrastive.expected_cd_step(theta, v, **options), -1.0
            )
        },
    },
)
def cd_approximates_the_likelihood_gradient(impl: Implementation, case: tuple[RBMLaw, Array]) -> None:
    """<v_0 h_0'>_0 - <v_k h_k'>_k is the gradient of log p up to a bias that dies like lambda_2^k."""
    (theta, law), rows = case
    own, D = plain(theta, law)
    exact, ks = brute.gradient(lambda at: brute.mean_log_likelihood(at, D), own), range(3, 9)
    bias = [
        size(added(impl.expected_cd_step(theta, rows, k=k, variant=DOCUMENT), times(exact, -1.0))) for k in ks
    ]
    agree(fitted_factor(bias, ks), brute.second_eigenvalue(own), "decay of the bias per step", rtol=0.05)


@check(
    "BP.sec5.4f",
    of=(trajectories,),
    cases=positive_cases,
    examples=10,
    evidence=EXACTLY,
    mutants={
        "score term with the wrong sign": WRONG_SCORE["score term with the wrong sign"],
        "score term without the posterior of p": grad_with(lambda g: PathGradient(g.ratio, g.ratio)),
    },
)
def missing_term_is_a_policy_gradient(impl: Implementation, case: Case) -> None:
    """Against eq. 45, q moves away from trajectories of large log q(tau_x|x) / p(tau_x|x).

    With that log ratio R held fixed, the derivative of E_q[R] along minus the term is minus its squared norm.
    """
    (theta, law), k = case
    own, D = plain(theta, law)
    t, end = paths(own, k), brute.law_after(own, D, k)
    score = impl.path_kl_grad(theta, law, like(end, law), k=k).score
    log_p = np.log(end[t[:, -1]]) + log_back(own, k)
    marginal = np.bincount(t[:, 0], weights=np.exp(log_p), minlength=D.size)
    R = log_there(own, k) - (log_p - np.log(marginal[t[:, 0]]))
    slope = brute.gradient(lambda at: np.sum(D[t[:, 0]] * np.exp(log_there(at, k)) * R), own)
    along = -sum(np.sum(s * to_numpy(d).astype(float)) for s, d in zip(slope, score, strict=True))
    agree(along, -(size(slope) ** 2), "derivative of E_q[R] along minus the term", rtol=1e-8, atol=1e-12)
    same(score, slope, "policy gradient")
