"""[BA] 2.1-2.2: contrastive divergence, persistent chains, and the updates."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace, to_numpy
from ...backends.enumerating import Outcomes, expect
from ...reference.boltzmann import contrastive, gibbs, rbm
from ...reference.boltzmann.contrastive import DOCUMENT, Variant
from ...reference.boltzmann.rbm import RBM
from ...reference.numerics import sigmoid
from ...reference.states import binary_states
from ..check import EXACTLY, Implementation, agree, at_most, at_rate, check
from ..strategies import RBMCase, RBMLaw, rbm_cases, rbm_laws, rbms
from . import brute
from .brute import like

cd_step, pcd_step, gibbs_step = contrastive.cd_step, contrastive.pcd_step, gibbs.gibbs_step


def scaled(direction: RBM, factor: float) -> RBM:
    """Return a multiple of a direction."""
    return RBM(*(factor * field for field in direction))


def mean_field(theta: RBM, v: Array, **options: Any) -> Any:
    """CD whose negative v is a mean where a draw belongs."""
    return cd_step(theta, v, **{**options, "variant": Variant("mean", "mean", "mean")})


def stale_hidden(theta: RBM, v: Array, **options: Any) -> Any:
    """CD that pairs the chain's end with the hidden means of the data."""
    step, info = cd_step(theta, v, **options)
    xp = array_namespace(v)
    W = xp.matrix_transpose(v - info.v_model) @ info.h_data / v.shape[0]
    return step._replace(W=W), info


def summed(theta: RBM, v: Array, **options: Any) -> Any:
    """CD that adds up over rows."""
    step, info = cd_step(theta, v, **options)
    return scaled(step, v.shape[0]), info


def descending(theta: RBM, v: Array, **options: Any) -> Any:
    """CD with its sign turned."""
    step, info = cd_step(theta, v, **options)
    return scaled(step, -1.0), info


def single(theta: RBM, v: Array, *, k: int, **options: Any) -> Any:
    """CD that forgets the loop over k."""
    return cd_step(theta, v, k=1, **options)


def from_zero(theta: RBM, v: Array, *, k: int, rng: Any, **options: Any) -> Any:
    """CD whose chain starts at the zero state, not at the data."""
    direction, info = pcd_step(theta, v, 0 * v, k=k, rng=rng, **options)
    return direction, contrastive.CDInfo(*info[:3])


# --- the chain --------------------------------------------------------------------------------------------


@check(
    "BA.fig2",
    of=(gibbs,),
    cases=rbms(max_visible=3),
    evidence=EXACTLY,
    mutants={
        "h drawn from v, but v' from the old means": {
            "gibbs_step": lambda theta, v, *, rng: gibbs_step(theta._replace(W=theta.W / 2), v, rng=rng)
        },
        "v' only thresholded": {
            "gibbs_step": lambda theta, v, *, rng: (
                array_namespace(v).round(gibbs_step(theta, v, rng=rng)[1].mean_visible),
                None,
            )
        },
        "law pushed without the visible bias": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(
                theta._replace(b=0 * theta.b), law, steps=steps
            )
        },
        "kernel transposed": {"gibbs_kernel": lambda theta: gibbs.gibbs_kernel(theta).T},
    },
)
def alternating_chain_leaves_the_model_invariant(impl: Implementation, theta: RBM) -> None:
    """The sampler's own kernel v -> h -> v' is that of the joint law, reversible, and p(v) T^k = p(v)."""
    own = brute.numbers(theta)
    kernel, p = brute.kernel(own), np.exp(brute.log_visible(own))
    v = binary_states(own.b.size, like=theta.W)
    ends = expect(lambda rows, rng: impl.gibbs_step(theta, rows, rng=rng)[0], v)
    sampled = ends.mean(lambda rows: like(np.eye(len(p))[[brute.row(x) for x in to_numpy(rows)]], theta.W))
    agree(sampled, kernel, "kernel of the sampler", rtol=1e-9)
    agree(impl.gibbs_kernel(theta), kernel, "kernel", rtol=1e-9)
    agree(p[:, None] * kernel, (p[:, None] * kernel).T, "detailed balance")
    agree(impl.gibbs_law(theta, like(p, theta.W), steps=3), p, "p(v) after three steps", rtol=1e-9)


@check(
    "BA.alg1",
    of=(contrastive,),
    cases=st.tuples(rbm_cases(max_visible=3, max_hidden=2, max_rows=2), st.just(1))
    | st.tuples(rbm_cases(max_visible=3, max_hidden=2, max_rows=1), st.just(2)),
    examples=12,
    evidence=EXACTLY,
    mutants={
        "descends": {"cd_step": descending},
        "a mean for the drawn v": {"cd_step": mean_field},
        "the data's hidden units at the chain's end": {"cd_step": stale_hidden},
        "sum for mean over rows": {"cd_step": summed},
        "k ignored": {"cd_step": single},
        "the chain starts at zero, not at the data": {"cd_step": from_zero},
    },
)
def cd_contrasts_the_data_with_k_gibbs_steps(impl: Implementation, case: tuple[RBMCase, int]) -> None:
    """E[CD-k], over every outcome of its draws, is the data's statistics minus those under (data law) T^k."""
    (theta, v, _), k = case
    own, law = brute.numbers(theta), brute.empirical_law(v)
    steps = expect(lambda rng: impl.cd_step(theta, v, k=k, rng=rng, variant=DOCUMENT)[0])
    expected = brute.expected_cd(own, law, k)
    for name, value in zip(expected._fields, expected, strict=True):
        mean = to_numpy(steps.mean(attrgetter(name)))[0]
        agree(mean, value, f"mean of the step in {name}", rtol=1e-9)
    for steps_more in (k, k + 4):
        direct = impl.expected_cd_step(theta, v, k=steps_more, variant=DOCUMENT)
        for name, a, e in zip(RBM._fields, direct, brute.expected_cd(own, law, steps_more), strict=True):
            agree(a, e, f"expected step in {name}, k={steps_more}", rtol=1e-9)


@check(
    "BA.sec2.2a",
    of=(gibbs,),
    cases=rbm_laws(max_visible=1, max_hidden=2, saturation=4.0) | rbm_laws(saturation=4.0),
    examples=60,
    evidence=at_rate("lambda_2^k in k, lambda_2 the second eigenvalue of the Gibbs kernel"),
    mutants={
        "the chain does not move": {"gibbs_law": lambda theta, law, *, steps: law},
        "one step whatever k": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(theta, law, steps=1)
        },
        "the chain of another machine": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(
                theta._replace(c=theta.c + 1), law, steps=steps
            )
        },
    },
)
def bias_of_k_steps_decays_with_the_second_eigenvalue(impl: Implementation, case: RBMLaw) -> None:
    """The bias obeys the spectral bound |E_k f - E f| <= lambda_2^k sqrt(chi^2(data || p) Var_p f).

    That is how far "few steps are enough" can be computed: enough at couplings for which lambda_2 is
    small, and no fixed k for all of them, since lambda_2 tends to one as they grow.  That k = 1 is enough
    in practice is not covered.
    """
    own, law = brute.numbers(case.theta), to_numpy(case.law).astype(float)
    p, v = np.exp(brute.log_visible(own)), brute.states(own.b.size)
    chi = np.sqrt(np.sum((law - p) ** 2 / p))
    spread = np.sqrt(np.maximum(p @ v**2 - (p @ v) ** 2, 0))
    for k in (1, 2, 4, 8, 64):
        after = to_numpy(impl.gibbs_law(case.theta, case.law, steps=k)).astype(float)
        bound = brute.second_eigenvalue(own) ** k * chi * spread
        at_most(np.abs(after @ v - p @ v), bound, f"bias of E[v] after {k} steps")
    agree(after.sum(), 1.0, "mass of the law")


# --- the updates ------------------------------------------------------------------------------------------


def with_field(**wrong: Any) -> Any:
    """Return a CD step of which one field is wrong."""

    def step(theta: RBM, v: Array, **options: Any) -> Any:
        direction, info = cd_step(theta, v, **options)
        return direction._replace(**{name: f(direction, info, v) for name, f in wrong.items()}), info

    return step


@check(
    "BA.eq8",
    "BA.eq9",
    "BA.eq10",
    of=(contrastive, rbm),
    cases=rbm_cases(max_rows=4),
    evidence=EXACTLY,
    mutants={
        "W: the chain's hidden units with the data": {
            "cd_step": with_field(W=lambda d, info, v: (v.T @ info.h_data - v.T @ info.h_model) / v.shape[0])
        },
        "b: the chain's end without the data": {
            "cd_step": with_field(b=lambda d, info, v: -info.v_model[0, :])
        },
        "c: update of the hidden bias forgotten": {"cd_step": with_field(c=lambda d, info, v: 0 * d.c)},
        "b and W summed over rows": {"cd_step": summed},
        "statistics with h drawn as its most likely value": {
            "data_statistics": lambda theta, v: rbm.data_statistics(
                RBM(1e3 * theta.W, theta.b, 1e3 * theta.c), v
            )
        },
    },
)
def updates_are_the_gradient_where_the_chain_has_converged(impl: Implementation, case: RBMCase) -> None:
    """Given the chain's end the step is eq. 8-10 row by row; were it drawn from p(v), its mean is eq. 7."""
    theta, v, _ = case
    own, rows = brute.numbers(theta), to_numpy(v).astype(float)
    direction, info = impl.cd_step(theta, v, k=1, rng=0, variant=DOCUMENT)
    ends = to_numpy(info.v_model).astype(float)
    W, b, c = np.zeros(own.W.shape), np.zeros(own.b.shape), np.zeros(own.c.shape)
    up = np.exp(brute.log_up(own)) @ brute.states(own.c.size)  # E[h | v] of every state
    for x, y in zip(rows, ends, strict=True):
        hx, hy = up[brute.row(x)], up[brute.row(y)]
        W, b, c = W + np.outer(x, hx) - np.outer(y, hy), b + x - y, c + hx - hy
    for name, a, e in zip(RBM._fields, direction, (W, b, c), strict=True):
        agree(a, e / len(rows), f"step in {name}", rtol=1e-9)

    v_states = brute.states(own.b.size)
    p, law = np.exp(brute.log_visible(own)), brute.empirical_law(v)
    ends_all = [impl.data_statistics(theta, like(x[None, :], theta.W)) for x in v_states]
    exact = brute.gradient(lambda t: brute.mean_log_likelihood(t, law), own)
    data = impl.data_statistics(theta, v)
    for name, e in zip(RBM._fields, exact, strict=True):
        model = sum(w * to_numpy(getattr(s, name)).astype(float) for w, s in zip(p, ends_all, strict=True))
        agree(to_numpy(getattr(data, name)) - model, e, f"mean step in {name}, chain converged", atol=1e-9)


@check(
    "BA.sec2.2b",
    of=(contrastive, gibbs),
    cases=rbm_cases(max_rows=4),
    evidence=EXACTLY,
    mutants={
        "sum for mean over the minibatch": {
            "expected_cd_step": lambda theta, v, **options: scaled(
                contrastive.expected_cd_step(theta, v, **options), v.shape[0]
            )
        },
        "the first row for all": {
            "expected_cd_step": lambda theta, v, **options: contrastive.expected_cd_step(
                theta, v[:1, :], **options
            )
        },
        "reconstruction by one step, whatever is asked": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(theta, law, steps=1)
        },
    },
)
def minibatch_step_is_the_mean_of_the_steps_of_its_rows(impl: Implementation, case: RBMCase) -> None:
    """Updates are averaged over rows; a test row is reconstructed by the chain started there."""
    theta, v, _ = case
    batch = impl.expected_cd_step(theta, v, k=1, variant=DOCUMENT)
    alone = [impl.expected_cd_step(theta, v[t : t + 1, :], k=1, variant=DOCUMENT) for t in range(v.shape[0])]
    for name in RBM._fields:
        each = np.stack([to_numpy(getattr(step, name)) for step in alone])
        agree(getattr(batch, name), each.mean(axis=0), f"step in {name}", rtol=1e-9)
    own, start = brute.numbers(theta), brute.empirical_law(v[:1, :])
    after = impl.gibbs_law(theta, like(start, theta.W), steps=5)
    agree(after, brute.law_after(own, start, 5), "law of a reconstruction after five steps", rtol=1e-9)


# --- persistent chains ------------------------------------------------------------------------------------


def restarted(theta: RBM, v: Array, chains: Array, **options: Any) -> Any:
    """PCD that starts its chains at the data."""
    rows = array_namespace(v).concat([v] * chains.shape[0])[: chains.shape[0], :]
    return pcd_step(theta, v, rows, **options)


def not_kept(theta: RBM, v: Array, chains: Array, **options: Any) -> Any:
    """PCD that does not keep where its chains have come to."""
    direction, info = pcd_step(theta, v, chains, **options)
    return direction, info._replace(chains=chains)


def over_all_rows(theta: RBM, v: Array, chains: Array, **options: Any) -> Any:
    """PCD that divides the chains' statistics by the number of data rows."""
    direction, info = pcd_step(theta, v, chains, **options)
    model = rbm.data_statistics(theta, info.v_model)
    share = chains.shape[0] / v.shape[0]
    return RBM(*(d + (1 - share) * m for d, m in zip(direction, model, strict=True))), info


@check(
    "BA.alg2",
    of=(contrastive,),
    cases=rbm_cases(max_visible=3, max_hidden=1, max_rows=1)
    | rbm_cases(max_visible=1, max_hidden=3, max_rows=1),
    examples=8,
    evidence=EXACTLY,
    mutants={
        "chains restarted at the data": {"pcd_step": restarted},
        "chains not kept": {"pcd_step": not_kept},
        "chains averaged over the data's rows": {"pcd_step": over_all_rows},
    },
)
def pcd_goes_on_with_its_chains(impl: Implementation, case: RBMCase) -> None:
    """Over every outcome of its draws, PCD contrasts data with a Gibbs step of the chains, and keeps it."""
    theta, v, chains = case
    v = array_namespace(v).concat([v, v, 1 - v])  # three data rows, two chains
    own, law, start = brute.numbers(theta), brute.empirical_law(v), brute.empirical_law(chains)
    steps = expect(lambda rng: impl.pcd_step(theta, v, chains, k=1, rng=rng, variant=DOCUMENT))
    data, model = brute.mean_statistics(own, law), brute.mean_statistics(own, brute.law_after(own, start, 1))
    for name in RBM._fields:
        mean = to_numpy(Outcomes(steps.values[0], steps.log_weight).mean(attrgetter(name)))[0]
        agree(mean, getattr(data, name) - getattr(model, name), f"mean of the step in {name}", rtol=1e-9)
    kept = to_numpy(Outcomes(steps.values[1], steps.log_weight).mean(attrgetter("chains")))[0]
    up_down = np.stack([brute.kernel(own)[brute.row(x)] for x in to_numpy(chains)])
    agree(kept, up_down @ brute.states(own.b.size), "mean of the kept chains", rtol=1e-9)


def lag_of_the_chain(impl: Implementation, theta: RBM, rows: Array, decreasing: bool) -> Any:
    """Return TV(law of the chain, model) over the updates; infinitely many chains, one data row at a time."""
    states = binary_states(theta.b.shape[0], like=theta.W)
    law = like(np.full(states.shape[0], 1 / states.shape[0]), theta.W)
    gaps = []
    for t in range(800):
        law = impl.gibbs_law(theta, law, steps=1)
        this = t % rows.shape[0]
        data = impl.data_statistics(theta, rows[this : this + 1, :])
        means = sigmoid(states @ theta.W + theta.c)
        xp = array_namespace(law)
        model = RBM(xp.matrix_transpose(states) @ (law[:, None] * means), law @ states, law @ means)
        rate = 1 / (t + 1) if decreasing else 0.1
        theta = RBM(*(f + rate * (d - m) for f, d, m in zip(theta, data, model, strict=True)))
        gap = np.abs(to_numpy(law) - np.exp(brute.log_visible(brute.numbers(theta)))).sum() / 2
        gaps.append(gap)
    return np.array(gaps)


@check(
    "BA.alg2",
    of=(gibbs, rbm),
    cases=[
        (
            RBM(np.array([[0.5], [-0.8]]), np.array([0.2, -0.4]), np.array([0.1])),
            np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]),
        )
    ],
    evidence=at_rate("TV(chain, model) = O(1/t) with alpha = 1/t; it does not vanish with constant alpha"),
    mutants={
        "chain restarted at every update": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(
                theta, 0 * law + 1 / law.shape[0], steps=steps
            )
        },
        "chain of another machine": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(
                theta._replace(b=theta.b / 2), law, steps=steps
            )
        },
    },
)
def decreasing_rates_let_the_chain_keep_up(impl: Implementation, case: tuple[RBM, Array]) -> None:
    """With alpha = 1/t the chain's lag falls like 1/t; with a constant alpha it stays."""
    t = np.arange(1, 801)
    kept_up = lag_of_the_chain(impl, *case, decreasing=True)[80:].reshape(-1, 4).mean(axis=1)
    constant = lag_of_the_chain(impl, *case, decreasing=False)[80:].reshape(-1, 4).mean(axis=1)
    times = np.log(t[80:].reshape(-1, 4).mean(axis=1))
    agree(np.polyfit(times, np.log(kept_up), 1)[0], -1.0, "exponent of the lag, alpha = 1/t", atol=0.15)
    agree(np.polyfit(times, np.log(constant), 1)[0], 0.0, "exponent of the lag, constant alpha", atol=0.15)
