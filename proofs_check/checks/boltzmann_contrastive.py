"""Contrastive divergence: the Gibbs chain, the updates, and persistent chains."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace, to_numpy
from ...backends.enumerating import Outcomes
from ...reference.boltzmann import contrastive, gibbs, rbm
from ...reference.boltzmann.contrastive import DOCUMENT, HIDDEN_CHAIN
from ...reference.boltzmann.rbm import RBM
from ...reference.states import binary_states
from ...reference.trees import add, difference, scale, tree_map
from ..check import EXACTLY, Implementation, agree, at_most, at_rate, check
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import independent, law_of_outcomes, like, states
from ..oracle.derivative import derivative
from ..strategies.boltzmann import RBMCase, RBMLaw, rbm_cases, rbm_laws, rbms


def probabilities(outcomes: Outcomes) -> Any:
    """Return the probability of each outcome of one joint law."""
    return np.exp(to_numpy(outcomes.log_weight)[0])


def mean_update(outcomes: Outcomes, update: RBM) -> RBM:
    """Return the mean over outcomes of an update, stacked."""
    p = probabilities(outcomes)
    mean: RBM = tree_map(lambda x: np.tensordot(p, to_numpy(x).astype(float), axes=1), update)
    return mean


# --- the chain --------------------------------------------------------------------------------------------


@check(
    "BA.alg1",
    of=(rbm, gibbs),
    cases=rbms(max_visible=2, max_hidden=3),
    examples=12,
    evidence=EXACTLY,
    rejects=(
        "thresholded",
        "inverted-comparison",
        "uniform-shared-by-units",
        "uniform-shared-by-rows",
        "uniforms-shared-by-layers",
        "same-uniforms-for-layers",
        "means-for-samples",
        "means-for-hidden-samples",
        "means-for-visible-samples",
        "missing-sigmoid",
        "tanh-for-sigmoid",
        "doubled-input",
    ),
)
def units_and_rows_are_drawn_independently(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """All units of a layer are drawn at once, each row for itself: the whole joint law of the draws."""
    x = {"v": states(plain.b.size), "h": states(plain.c.size)}
    up, down = np.exp(oracle.log_up(plain)), np.exp(oracle.log_down(plain))
    for quantity, given, law in (("sample_hidden", "v", up), ("sample_visible", "h", down)):
        two = [1 % len(law), len(law) - 1]
        draws = impl.law(quantity, theta, like(x[given][two], theta.W))
        joint = law_of_outcomes(draws.values, probabilities(draws))
        agree(joint, independent(*law[two]), f"joint law of {quantity} of two rows")
    steps = impl.law("gibbs_step", theta, like(x["v"][-1:], theta.W))
    after, info = steps.values
    joint = law_of_outcomes(np.concatenate([to_numpy(info.h), to_numpy(after)], axis=2), probabilities(steps))
    agree(joint, (up[-1][:, None] * down).ravel(), "joint law of h and v' in a step")


@check(
    "BA.fig2",
    of=gibbs,
    cases=rbms(max_visible=3),
    evidence=EXACTLY,
    rejects=(
        "couplings-halved",
        "thresholded",
        "missing-visible-bias",
        "kernel-transposed",
        "law-of-another-machine",
        "uniforms-shared-by-layers",
    ),
)
def alternating_chain_leaves_the_model_invariant(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """The sampler's own kernel v -> h -> v' is that of the joint law, reversible, and p(v) T^k = p(v)."""
    kernel, p = oracle.kernel(plain), np.exp(oracle.log_visible(plain))
    ends = impl.law("gibbs_step", theta, rows=(binary_states(plain.b.size, like=theta.W),))

    def one_hot(values: Any) -> Array:
        return like(np.eye(len(p))[[oracle.row(x) for x in to_numpy(values[0])]], theta.W)

    agree(ends.mean(one_hot), kernel, "kernel of the sampler")
    agree(impl.gibbs_kernel(theta), kernel, "kernel")
    agree(p[:, None] * kernel, (p[:, None] * kernel).T, "detailed balance")
    agree(impl.gibbs_law(theta, like(p, theta.W), steps=3), p, "p(v) after three steps")


@check(
    "BA.alg1",
    of=contrastive,
    cases=st.tuples(rbm_cases(max_visible=3, max_hidden=2, max_rows=2), st.just(1))
    | st.tuples(rbm_cases(max_visible=3, max_hidden=2, max_rows=1), st.just(2)),
    examples=12,
    evidence=EXACTLY,
    rejects=(
        "wrong-sign",
        "halved-energy",
        "means-for-last-visible",
        "means-for-visible-samples",
        "means-for-samples",
        "hidden-of-the-data",
        "stale-hidden-samples",
        "stale-hidden-means",
        "moved-in-between",
        "sum-for-mean",
        "biases-summed",
        "weights-summed",
        "divided-twice",
        "swapped-bias-gradients",
        "transposed-gradient",
        "visible-bias-not-updated",
        "visible-bias-of-wrong-sign",
        "hidden-bias-of-wrong-sign",
        "weights-of-wrong-sign",
        "negative-phase-missing",
        "steps-ignored",
        "one-step-too-many",
        "one-step-too-few",
        "cd-from-zero",
    ),
)
def cd_contrasts_the_data_with_k_gibbs_steps(
    impl: Implementation, case: tuple[RBMCase, int], plain: tuple[RBMCase, int]
) -> None:
    """E[CD-k], over every outcome of its draws, is the data's statistics minus those under (data law) T^k."""
    ((theta, v, _), k), own = case, plain[0]
    law = oracle.empirical_law(own.v)
    steps = impl.law("cd_step", theta, v, k=k, variant=DOCUMENT)
    agree(mean_update(steps, steps.values[0]), oracle.expected_cd(own.theta, law, k), "mean step")
    for more in (k, k + 4):
        exact = oracle.expected_cd(own.theta, law, more)
        agree(impl.expected_cd_step(theta, v, k=more, variant=DOCUMENT), exact, f"expected step, k={more}")


@check(
    "BA.sec2.2a",
    of=gibbs,
    cases=rbm_laws(max_visible=1, max_hidden=2, saturation=4.0) | rbm_laws(saturation=4.0),
    examples=60,
    evidence=at_rate("lambda_2^k in k, lambda_2 the second eigenvalue of the Gibbs kernel"),
    rejects=("law-stands-still", "law-of-one-step", "law-of-another-machine"),
)
def bias_of_k_steps_decays_with_the_second_eigenvalue(
    impl: Implementation, case: RBMLaw, plain: RBMLaw
) -> None:
    """The bias obeys the spectral bound |E_k f - E f| <= lambda_2^k sqrt(chi^2(data || p) Var_p f).

    It is reached up to the start by the second eigenfunction g: E_k g - E g = lambda_2^k (E_0 g - E g).
    """
    own, law = plain
    p, v = np.exp(oracle.log_visible(own)), states(own.b.size)
    chi = np.sqrt(np.sum((law - p) ** 2 / p))
    spread = np.sqrt(np.maximum(p @ v**2 - (p @ v) ** 2, 0))
    root = np.sqrt(p)
    symmetric = root[:, None] * oracle.kernel(own) / root
    slow = np.linalg.eigh((symmetric + symmetric.T) / 2)[1][:, -2] / root * root.min()
    rate = oracle.second_eigenvalue(own)
    for k in (1, 2, 4, 8, 64):
        after = to_numpy(impl.gibbs_law(case.theta, case.law, steps=k)).astype(float)
        at_most(np.abs(after @ v - p @ v), rate**k * chi * spread, f"bias of E[v] after {k} steps")
        agree((after - p) @ slow, rate**k * ((law - p) @ slow), f"slowest mode after {k} steps")


@check(
    "BA.sec2.2a",
    of=gibbs,
    cases=rbm_laws(scale=0.1, saturation=0.1),
    evidence=EXACTLY,
    rejects=("law-stands-still", "law-of-another-machine"),
    assuming="the couplings are weak: lambda_2, the second eigenvalue of the Gibbs kernel, is far below one",
    without=[RBMLaw(RBM(np.array([[20.0]]), np.array([-12.0]), np.array([-10.0])), np.array([0.0, 1.0]))],
)
def one_step_is_accurate(impl: Implementation, case: RBMLaw, plain: RBMLaw) -> None:
    """One Gibbs step from the data brings every E[v_i] to within 0.02 of the model's."""
    p, v = np.exp(oracle.log_visible(plain.theta)), states(plain.theta.b.size)
    after = to_numpy(impl.gibbs_law(case.theta, case.law, steps=1)).astype(float)
    agree(after @ v, p @ v, "E[v] after one step", rtol=0, atol=0.02)


# --- the updates ------------------------------------------------------------------------------------------


@check(
    "BA.eq8",
    "BA.eq9",
    "BA.eq10",
    of=(contrastive, rbm),
    cases=rbm_cases(max_rows=4),
    evidence=EXACTLY,
    rejects=(
        "hidden-of-the-chain-with-the-data",
        "visible-bias-without-data",
        "hidden-bias-not-updated",
        "sum-for-mean",
        "most-likely-hidden-units",
    ),
)
def updates_are_the_gradient_where_the_chain_has_converged(
    impl: Implementation, case: RBMCase, plain: RBMCase
) -> None:
    """Given the chain's end the step is eq. 8-10 row by row; were it drawn from p(v), its mean is eq. 7."""
    (theta, v, _), (own, rows, _) = case, plain
    step, info = impl.cd_step(theta, v, k=1, rng=0, variant=DOCUMENT)
    W, b, c = np.zeros(own.W.shape), np.zeros(own.b.shape), np.zeros(own.c.shape)
    up = np.exp(oracle.log_up(own)) @ states(own.c.size)  # E[h | v] of every state
    for x, y in zip(rows, to_numpy(info.v_model).astype(float), strict=True):
        hx, hy = up[oracle.row(x)], up[oracle.row(y)]
        W, b, c = W + np.outer(x, hx) - np.outer(y, hy), b + x - y, c + hx - hy
    for of, actual, total in (("BA.eq8", step.W, W), ("BA.eq9", step.c, c), ("BA.eq10", step.b, b)):
        agree(actual, total / len(rows), "step", of=of)

    p, law = np.exp(oracle.log_visible(own)), oracle.empirical_law(rows)
    ends = [impl.data_statistics(theta, like(x[None, :], theta.W)) for x in states(own.b.size)]
    model = tree_map(
        lambda *xs: sum(w * to_numpy(x).astype(float) for w, x in zip(p, xs, strict=True)), *ends
    )
    data = tree_map(lambda x: to_numpy(x).astype(float), impl.data_statistics(theta, v))
    exact = derivative(lambda at: oracle.mean_log_likelihood(at, law), own)
    for of, field in (("BA.eq8", "W"), ("BA.eq9", "c"), ("BA.eq10", "b")):
        mean = getattr(data, field) - getattr(model, field)
        agree(mean, getattr(exact, field), f"mean step in {field}, chain converged", of=of)


@check(
    "BA.sec2.2b",
    of=(contrastive, gibbs),
    cases=rbm_cases(max_rows=4),
    evidence=EXACTLY,
    rejects=("sum-for-mean", "first-row-for-all", "law-of-one-step"),
    uncovered="that many epochs are common, and that what comes out is similar to the input",
)
def minibatch_step_is_the_mean_of_the_steps_of_its_rows(
    impl: Implementation, case: RBMCase, plain: RBMCase
) -> None:
    """Updates are averaged over rows; a test row is reconstructed by the chain started there."""
    (theta, v, _), (own, rows, _) = case, plain
    each = [oracle.expected_cd(own, oracle.empirical_law(x[None, :]), 1) for x in rows]
    mean = tree_map(lambda *steps: sum(steps) / len(steps), *each)
    agree(impl.expected_cd_step(theta, v, k=1, variant=DOCUMENT), mean, "step")
    start = oracle.empirical_law(rows[:1, :])
    after = impl.gibbs_law(theta, like(start, theta.W), steps=5)
    agree(after, oracle.law_after(own, start, 5), "law of a reconstruction after five steps")


# --- persistent chains ------------------------------------------------------------------------------------


@check(
    "BA.alg2",
    of=contrastive,
    cases=rbm_cases(max_visible=3, max_hidden=1, max_rows=1)
    | rbm_cases(max_visible=1, max_hidden=3, max_rows=1),
    examples=8,
    evidence=EXACTLY,
    rejects=(
        "chain-restarted-at-data",
        "chain-not-advanced",
        "chain-of-means",
        "chains-weighted-by-rows",
        "rows-weighted-by-chains",
        "means-for-last-visible",
        "uniform-shared-by-rows",
    ),
)
def pcd_goes_on_with_its_chains(impl: Implementation, case: RBMCase, plain: RBMCase) -> None:
    """Over every outcome of its draws, PCD contrasts data with a Gibbs step of the chains, and keeps it.

    What it carries on, v or h, is left open; of each, the joint law of all chains is that of a Gibbs step.
    """
    theta, v, chains = case
    v = array_namespace(v).concat([v, v, 1 - v])  # three data rows, one or two chains
    own = plain.theta
    up, down = np.exp(oracle.log_up(own)), np.exp(oracle.log_down(own))
    law, places = oracle.empirical_law(to_numpy(v)), [oracle.row(x) for x in plain.chains]
    hidden = [place % len(down) for place in places]
    of_h = like(states(own.c.size)[hidden], theta.W)
    for start, variant, ends, after in (
        (chains, DOCUMENT, (up @ down)[places], (up @ down)[places]),
        (of_h, HIDDEN_CHAIN, down[hidden], (down @ up)[hidden]),
    ):
        steps = impl.law("pcd_step", theta, v, start, k=1, variant=variant)
        update, info = steps.values
        model = oracle.mean_statistics(own, np.mean(ends, axis=0))
        exact = difference(oracle.mean_statistics(own, law), model)
        agree(mean_update(steps, update), exact, f"mean of the step, chains of {variant.chain} units")
        kept = law_of_outcomes(info.chains, probabilities(steps))
        agree(kept, independent(*after), f"law of the kept chains of {variant.chain} units")


def lag_of_the_chain(impl: Implementation, theta: RBM, rows: Array, decreasing: bool) -> Any:
    """Return TV(law of the chain, model) over the updates; infinitely many chains, one data row at a time."""
    count = 2 ** theta.b.shape[0]
    law, gaps = like(np.full(count, 1 / count), theta.W), []
    for t in range(800):
        law = impl.gibbs_law(theta, law, steps=1)
        this = t % rows.shape[0]
        data = impl.data_statistics(theta, rows[this : this + 1, :])
        chain = to_numpy(law).astype(float)
        model = oracle.mean_statistics(oracle.numbers(theta), chain)
        rate = 1 / (t + 1) if decreasing else 0.1
        step = difference(data, RBM(*(like(field, law) for field in model)))
        theta = add(theta, scale(rate, step))
        gaps.append(np.abs(chain - np.exp(oracle.log_visible(oracle.numbers(theta)))).sum() / 2)
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
    rejects=("law-restarted", "law-of-another-machine"),
    uncovered="that the chain keeps up only with a decreasing rate, beyond one machine of 2 x 1 units",
)
def decreasing_rates_let_the_chain_keep_up(impl: Implementation, case: tuple[RBM, Array]) -> None:
    """With alpha = 1/t the chain's lag falls like 1/t; with a constant alpha it stays."""
    t = np.arange(1, 801)
    kept_up = lag_of_the_chain(impl, *case, decreasing=True)[80:].reshape(-1, 4).mean(axis=1)
    constant = lag_of_the_chain(impl, *case, decreasing=False)[80:].reshape(-1, 4).mean(axis=1)
    times = np.log(t[80:].reshape(-1, 4).mean(axis=1))
    agree(np.polyfit(times, np.log(kept_up), 1)[0], -1.0, "exponent of the lag, alpha = 1/t", atol=0.15)
    agree(np.polyfit(times, np.log(constant), 1)[0], 0.0, "exponent of the lag, constant alpha", atol=0.15)
