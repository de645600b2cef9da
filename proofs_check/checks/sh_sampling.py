"""[SH] 2.4: importance sampling, its effective sample size, and Gibbs sampling."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import expect
from ...reference import importance, laws
from ...reference.chains import kernels
from ...reference.states import categorical_states
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..strategies import Supported, arrays, hundredths, joint_laws, supported
from ..strategies import laws as law_tables
from .brute import like

# --- importance sampling ----------------------------------------------------------------------------------


@check(
    "SH.sec2.4b",
    of=(importance, laws),
    cases=supported(),
    evidence=EXACTLY,
    mutants={
        "weights upside down": {
            "importance_log_weights": lambda p, q: importance.importance_log_weights(
                q, 0 * p + 1 / p.shape[1]
            )
        },
        "weights all one": {"importance_log_weights": lambda p, q: 0 * p},
    },
)
def change_of_measure(impl: Implementation, case: Supported) -> None:
    """E_p[f] = E_q[f w] with w = p / q, for q positive wherever p is: the text needs w(x) for every x."""
    xp = array_namespace(case.p)
    weights = xp.exp(impl.importance_log_weights(case.p, case.q))
    there = impl.expectation(case.q[0, :], (case.f * weights)[0, :])
    agree(there, impl.expectation(case.p[0, :], case.f[0, :]), "E_q[f w]", atol=1e-10)
    agree(impl.expectation(case.q[0, :], weights[0, :]), 1.0, "E_q[w]")


def estimate_with(weigh: Any) -> Any:
    """Return an importance sampler whose estimate is ``weigh(f, log_weights)``."""

    def sampler(p: Any, q: Any, f: Any, *, samples: int, rng: Any) -> Any:
        x = laws.draw(q, samples=samples, rng=rng)
        return weigh(laws.gather(f, x), laws.gather(importance.importance_log_weights(p, q), x))

    return sampler


def self_normalised(f: Any, log_w: Any) -> Any:
    """Return the weights' share of f, zero where all weights vanish."""
    xp = array_namespace(f, log_w)
    w = xp.exp(log_w)
    return xp.sum(f * w, axis=1) / (xp.sum(w, axis=1) + 1e-30)


class Several(NamedTuple):
    """A target, a proposal, a function, and how many samples are drawn."""

    case: Supported
    samples: int


@check(
    "SH.sec2.4c",
    "SH.sec2.4d",
    of=(importance,),
    cases=st.builds(Several, supported(), st.integers(1, 3)),
    evidence=EXACTLY,
    mutants={
        "weights normalised by their sum": {"importance_sampling": estimate_with(self_normalised)},
        "a sum in place of the mean": {
            "importance_sampling": estimate_with(
                lambda f, w: importance.importance_estimate(f, w) * f.shape[1]
            )
        },
        "samples not weighted": {
            "importance_sampling": estimate_with(lambda f, w: array_namespace(f).mean(f, axis=1))
        },
        "one sample used N times": {
            "importance_sampling": lambda p, q, f, samples, rng: importance.importance_sampling(
                p, q, f, samples=1, rng=rng
            )
        },
    },
)
def importance_sampling_is_unbiased(impl: Implementation, several: Several) -> None:
    """(1/N) sum f w over N samples of q has mean E_p[f] and variance Var_q(f w) / N, over all N-tuples.

    So more samples reduce the variance.  q is positive wherever p is: where it is not, the samples never
    show it, and the estimate is biased although no denominator is ever zero.
    """
    case, N = several
    p, q, f = (to_numpy(a)[0].astype(float) for a in case)
    outcomes = expect(lambda *rows, rng: impl.importance_sampling(*rows, samples=N, rng=rng), *case)
    target = float(p @ f)
    agree(float(outcomes.mean()[0]), target, "mean of the estimate", atol=1e-10)
    spread = float(outcomes.mean(lambda estimate: (estimate - target) ** 2)[0])
    agree(spread, q @ (f * p / q - target) ** 2 / N, "variance of the estimate", atol=1e-9)


# --- effective sample size --------------------------------------------------------------------------------

log_weights = st.integers(1, 4).flatmap(lambda n: arrays((n,), hundredths(-3, 3)))


@check(
    "SH.eq2.5",
    of=(importance,),
    cases=log_weights,
    evidence=DEFINITION,
    mutants={
        "upside down": {"effective_sample_size": lambda w: 1 / importance.effective_sample_size(w)},
        "divided by N": {"effective_sample_size": lambda w: importance.effective_sample_size(w) / w.shape[0]},
        "weights not squared": {"effective_sample_size": lambda w: importance.effective_sample_size(w / 2)},
        "the inverse of the largest share": {
            "effective_sample_size": lambda w: 1 / array_namespace(w).max(importance.normalised_weights(w))
        },
    },
)
def effective_sample_size(impl: Implementation, log_w: Any) -> None:
    """ess = (sum w)^2 / sum w^2, between 1 and N, N for equal weights, and blind to their scale."""
    w, N = np.exp(to_numpy(log_w).astype(float)), log_w.shape[0]
    ess = impl.effective_sample_size(log_w)
    agree(ess, sum(w) ** 2 / sum(w**2), "ess")
    at_most(1.0, ess, "one, against ess", slack=1e-9)
    at_most(ess, N, "ess, against N", slack=1e-9)
    agree(impl.effective_sample_size(0 * log_w), float(N), "ess of equal weights")
    agree(impl.effective_sample_size(log_w + 7.5), ess, "ess of rescaled weights", rtol=1e-9)


@check(
    "SH.sec2.4e",
    of=(importance,),
    cases=log_weights,
    evidence=EXACTLY,
    mutants={
        "the number of samples": {"effective_sample_size": lambda w: 0 * w[0] + w.shape[0]},
        "the inverse of the largest share": {
            "effective_sample_size": lambda w: 1 / array_namespace(w).max(importance.normalised_weights(w))
        },
    },
)
def ess_is_the_information_in_the_samples(impl: Implementation, log_w: Any) -> None:
    """The weighted mean of independent values has variance var(f) / ess, that of ess plain ones.

    Per sample that is ess / N, so the claim holds at equal N.  Between different N it would not: the same
    weights twice over have twice the ess, and tell no more per sample.
    """
    N = log_w.shape[0]
    coin, f = like(np.array([[0.25, 0.75]]), log_w), like(np.array([[3.0, -1.0]]), log_w)

    def weighted_mean(p: Any, g: Any, rng: Any) -> Any:
        x = laws.draw(p, samples=N, rng=rng)
        xp = array_namespace(p)
        return importance.self_normalised_estimate(laws.gather(g, x), xp.broadcast_to(log_w, x.shape))

    spread = float(expect(weighted_mean, coin, f).mean(lambda mean: mean**2)[0])  # the mean of f is zero
    ess = impl.effective_sample_size(log_w)
    agree(ess, 3.0 / spread, "ess, against var(f) / var(weighted mean)", rtol=1e-9)
    twice = array_namespace(log_w).concat([log_w, log_w])
    agree(impl.effective_sample_size(twice) / (2 * N), ess / N, "ess / N of the weights twice over")


# --- Gibbs sampling ---------------------------------------------------------------------------------------


class Scanned(NamedTuple):
    """A joint law and the probabilities with which its variables are picked."""

    table: Any
    scan: Any


def scanned(*shape: int) -> st.SearchStrategy[Scanned]:
    """Joint laws in which every value of each variable has some mass; all variables are picked at times."""
    return st.builds(Scanned, joint_laws(*shape, margins=True), law_tables(len(shape), zeros=False))


def positive(case: Scanned) -> Scanned:
    """Return the case with a little mass on every state."""
    raised = case.table + 0.05
    return case._replace(table=raised / array_namespace(raised).sum(raised))


def stuck(p: Any) -> Scanned:
    """Return two variables that always are equal, of law p: neither can change alone."""
    return Scanned(np.diag(p), np.array([0.5, 0.5]))


def independent(table: Any) -> Any:
    """Return the product of the marginals: what is left where the others' state is ignored."""
    singles = [laws.marginal(table, axes=(i,)) for i in range(table.ndim)]
    return laws.product_law(*singles)


@check(
    "SH.sec2.4f",
    of=(kernels,),
    cases=scanned(2, 3) | scanned(2, 2) | scanned(2, 2, 2).map(positive),
    evidence=EXACTLY,
    mutants={
        "drawn from the marginal, not given the others": {
            "random_scan_gibbs_kernel": lambda table, scan: kernels.random_scan_gibbs_kernel(
                independent(table), scan
            )
        },
        "all variables equally often": {
            "random_scan_gibbs_kernel": lambda table, scan: kernels.random_scan_gibbs_kernel(
                table, 0 * scan + 1 / scan.shape[0]
            )
        },
        "in a fixed order": {
            "random_scan_gibbs_kernel": lambda table, scan: kernels.systematic_scan_gibbs_kernel(
                table, order=range(table.ndim)
            )
        },
        "the sampler always redraws the first variable": {
            "random_scan_gibbs_step": lambda table, x, scan, rng: kernels.random_scan_gibbs_step(
                table, x, scan=(scan + like([99.0] + [0.0] * (scan.shape[0] - 1), scan)) / 100, rng=rng
            )
        },
    },
)
def random_scan_gibbs_keeps_the_law(impl: Implementation, case: Scanned) -> None:
    """Pick i with probability q_i > 0, draw x_i from p(x_i | x_-i): p K = p, in detailed balance.

    K is built entry by entry; the sampler, enumerated, has it too.  The stopping rule, "until all the
    variables are updated", is not covered: as it says itself, it names no number of steps.
    """
    table, scan = (to_numpy(a).astype(float) for a in case)
    states = list(product(*map(range, table.shape)))
    expected = np.zeros((len(states),) * 2)
    for (a, x), (b, y), (i, q) in product(enumerate(states), enumerate(states), enumerate(scan)):
        if all(x[j] == y[j] for j in range(table.ndim) if j != i):
            expected[a, b] += (
                q * table[y] / sum(table[(*x[:i], k, *x[i + 1 :])] for k in range(table.shape[i]))
            )
    K = impl.random_scan_gibbs_kernel(*case)
    agree(K, expected, "transition probability")
    law = table.reshape(-1)
    agree(impl.law_after(K, like(law, case.table), steps=3), law, "law after three steps from p")
    agree(impl.detailed_balance_residual(K, like(law, case.table)), 0.0, "p(x) K(x, y) - p(y) K(y, x)")
    if set(table.shape) == {2} and table.min() > 0:
        corners = categorical_states(table.shape, like=case.table)
        sampler = partial(impl.random_scan_gibbs_step, case.table, scan=case.scan)
        agree(
            impl.kernel_matrix(sampler, corners), expected, "transition probability of the sampler", rtol=1e-9
        )


def gibbs_forgets_its_start(impl: Implementation, case: Scanned) -> None:
    """As printed: after many steps (4096 here) the law of the samples hardly depends on the start."""
    K = to_numpy(impl.random_scan_gibbs_kernel(*case)).astype(float)
    later = np.linalg.matrix_power(K, 4096)[to_numpy(case.table).reshape(-1) > 0]
    apart = max(np.abs(a - b).sum() / 2 for a in later for b in later)
    at_most(apart, 0.01, "total variation between two starts after 4096 steps")


@check(
    "SH.sec2.4g",
    of=(kernels,),
    cases=scanned(2, 2) | scanned(2, 3) | law_tables(2, zeros=False).map(stuck),
    evidence=EXACTLY,
    examples=80,
    mutants={
        "the rate squared": {"second_eigenvalue": lambda K: kernels.second_eigenvalue(K) ** 2},
        "the chain never moves": {"law_after": lambda K, law, steps: kernels.law_after(K, law, steps=0)},
    },
    printed=gibbs_forgets_its_start,
    correction="for a law that is positive on all states, from any start: "
    "TV(mu K^t, p) <= lambda^t / (2 sqrt(min p)) with lambda < 1 the second eigenvalue of K; "
    "zeros, which factors may have, can cut the states into classes that the sampler never leaves",
)
def gibbs_forgets_geometrically(impl: Implementation, case: Scanned) -> None:
    """TV(mu K^t, p) <= lambda^t / (2 sqrt(min p)) from every single state, for positive p."""
    case = positive(case)
    K, law = impl.random_scan_gibbs_kernel(*case), to_numpy(case.table).astype(float).reshape(-1)
    rate = float(impl.second_eigenvalue(K))
    at_most(rate, 1 - 1e-4, "second eigenvalue", slack=0.0)
    start = like(np.eye(len(law)), case.table)
    for t in (1, 4, 16, 64):
        apart = np.abs(to_numpy(impl.law_after(K, start, steps=t)) - law).sum(axis=1) / 2
        at_most(apart, rate**t / (2 * np.sqrt(law.min())), f"total variation after {t} steps", slack=1e-9)
