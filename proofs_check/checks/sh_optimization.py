"""[SH] 2.5: maximum likelihood, gradient descent, consistency, and the variational bound."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import expect
from ...reference import laws, optimizers
from ...reference.networks import errors, layers
from ...reference.numerics import log_sum_exp
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..strategies import Data, arrays, data_sets, hundredths, values
from ..strategies import laws as law_tables
from .brute import like

# --- the maximum-likelihood estimate ----------------------------------------------------------------------


class Coin(NamedTuple):
    """Candidates for the probability of a one, and data in {0, 1}."""

    grid: Any  # (M,) strictly between 0 and 1
    x: Any  # (N,) integers


coins = st.builds(
    Coin,
    st.lists(st.sampled_from((0.25, 0.5, 0.75, 0.1, 0.9)), min_size=2, max_size=4, unique=True).map(np.array),
    values(2),
)


def log_likelihoods(impl: Implementation, case: Coin) -> Any:
    """Return log p_theta(D) of each candidate."""
    xp = array_namespace(case.grid)
    tables = xp.stack([1 - case.grid, case.grid], axis=1)
    return np.array(
        [-float(impl.negative_log_likelihood(tables[m, :], case.x)) for m in range(case.grid.shape[0])]
    )


def by_the_product(case: Coin) -> Any:
    """Return p_theta(D) of each candidate, as a product over the data."""
    grid, x = to_numpy(case.grid).astype(float), to_numpy(case.x)
    return np.array([math.prod(t if k else 1 - t for k in x) for t in grid])


def minus_the_minimiser(impl: Implementation, case: Coin) -> None:
    """As printed: theta* = -argmin_theta sum log p_theta(x), the estimate of largest p_theta(D)."""
    printed = -to_numpy(case.grid)[int(np.argmin(log_likelihoods(impl, case)))]
    best = by_the_product(case)
    agree(printed, to_numpy(case.grid)[int(np.argmax(best))], "theta*")


sign_lost = {
    "sign of the log-likelihood": {
        "negative_log_likelihood": lambda law, x: -laws.negative_log_likelihood(law, x)
    },
    "repeated points count once": {
        "negative_log_likelihood": lambda law, x: laws.negative_log_likelihood(
            law, array_namespace(x).unique_values(x)
        )
    },
}


@check(
    "SH.eq2.6",
    of=(laws,),
    cases=coins,
    evidence=EXACTLY,
    mutants=sign_lost,
    printed=minus_the_minimiser,
    correction="theta* = argmin_theta [-sum log p_theta(x)] = argmax_theta sum log p_theta(x): the minus "
    "sign belongs inside the argmin",
)
def the_estimate_minimises_the_nll(impl: Implementation, case: Coin) -> None:
    """theta* = argmin -sum log p_theta(x) has the largest probability of the data on the grid."""
    best = by_the_product(case)
    chosen = int(np.argmin(-log_likelihoods(impl, case)))
    agree(best[chosen], best.max(), "p(D) at theta*", rtol=1e-9)


@check("SH.sec2.5a", of=(laws,), cases=coins, evidence=EXACTLY, mutants=sign_lost)
def nll_and_likelihood_agree_in_order(impl: Implementation, case: Coin) -> None:
    """The grid ordered by -log p(D) is that ordered by p(D) reversed: the best candidate is the same."""
    log_p, p = log_likelihoods(impl, case), by_the_product(case)
    agree(np.exp(log_p), p, "exp of minus the NLL", rtol=1e-9)
    for a, b in combinations(range(len(p)), 2):
        if abs(p[a] - p[b]) > 1e-6 * p[a]:
            ensure((log_p[a] > log_p[b]) == (p[a] > p[b]), f"order of candidates {a} and {b}")


@check(
    "SH.sec2.5b",
    of=(laws,),
    cases=st.integers(400, 2000),
    evidence=EXACTLY,
    mutants={
        "the logarithm taken after the product": {
            "negative_log_likelihood": lambda law, x: -laws.log_table(laws.likelihood(law, x))
        },
        "a product that cannot underflow": {"likelihood": lambda law, x: laws.likelihood(law, x[:10])},
    },
)
def products_underflow_and_sums_do_not(impl: Implementation, N: int) -> None:
    """In float64 the product of N >= 400 factors 0.1 is zero; the sum of their logarithms is -N log 10.

    That the logarithm is more convenient besides is not covered.
    """
    law, x = np.array([0.1, 0.9]), np.zeros(N, dtype=np.int64)
    agree(impl.likelihood(law, x), 0.0, "p(D) in float64", rtol=0, atol=0)
    agree(impl.negative_log_likelihood(law, x), N * math.log(10), "-log p(D)")


def directional(impl: Implementation, case: Data) -> Any:
    """Return the derivatives of the NLL at its minimiser when mass moves from value k to value j, [k, j]."""
    best = impl.empirical_law(case.x, like=case.law)
    grad = to_numpy(impl.negative_log_likelihood_grad(best, case.x))
    return grad[None, :] - grad[:, None], to_numpy(best)


def gradient_vanishes(impl: Implementation, case: Data) -> None:
    """As printed: the gradient of the NLL must be zero at its minimum point."""
    slopes, _ = directional(impl, case)
    agree(slopes, np.zeros(slopes.shape), "derivative at theta*", atol=1e-9)


@check(
    "SH.sec2.5c",
    of=(laws,),
    cases=data_sets(),
    evidence=EXACTLY,
    mutants={
        "gradient of the mean of the wrong sign": {
            "negative_log_likelihood_grad": lambda law, x: -laws.negative_log_likelihood_grad(law, x)
        },
        "smoothed frequencies": {
            "empirical_law": lambda x, like: (
                (laws.empirical_law(x, like=like) * x.shape[0] + 1) / (x.shape[0] + like.shape[0])
            )
        },
    },
    printed=gradient_vanishes,
    correction="the gradient vanishes at a minimum inside the domain; on its boundary (a value that did not "
    "occur) the NLL only does not decrease in any direction that stays in the domain",
)
def gradient_at_the_minimum(impl: Implementation, case: Data) -> None:
    """At theta* = relative frequencies, moving mass between values that occurred has slope 0, to others >= 0.

    The smallest counterexample to the printed form is a coin that showed one head: theta* = 1, slope -1.
    """
    slopes, best = directional(impl, case)
    for k, j in np.argwhere(best[:, None] * np.ones(len(best)) > 0):
        if best[j] > 0:
            agree(slopes[k, j], 0.0, f"slope from value {k} to value {j}", atol=1e-9)
        at_most(0.0, slopes[k, j], f"zero, against the slope from value {k} to value {j}", slack=1e-9)
    nll = float(impl.negative_log_likelihood(impl.empirical_law(case.x, like=case.law), case.x))
    at_most(nll, impl.negative_log_likelihood(case.law, case.x), "NLL at theta*, against another law")


# --- gradient descent -------------------------------------------------------------------------------------


class Logits(NamedTuple):
    """A softmax law by its logits, and data on its alphabet."""

    theta: Any  # (X,)
    x: Any  # (N,) integers


logit_cases = st.integers(1, 3).flatmap(
    lambda n: st.builds(Logits, arrays((n,), hundredths(-3, 3)), values(n, most=4))
)


def one_hot(case: Logits) -> Any:
    """Return the data as one-hot rows."""
    return like(to_numpy(case.x)[:, None] == np.arange(case.theta.shape[0]), case.theta)


def softmax_nll(impl: Implementation, theta: Any, targets: Any) -> tuple[float, Any]:
    """Return the NLL of the rows and its gradient in the logits."""
    xp = array_namespace(theta)
    rows = xp.broadcast_to(theta, targets.shape)
    loss = xp.sum(impl.softmax_cross_entropy(rows, targets))
    return float(loss), xp.sum(impl.softmax_cross_entropy_grad(rows, targets), axis=0)


@check(
    "SH.sec2.5d",
    of=(errors, optimizers),
    cases=logit_cases,
    evidence=EXACTLY,
    mutants={
        "along the gradient": {"sgd": lambda rate: optimizers.Optimizer(rate, 0, lambda _, g, t: ((), -g))},
        "a rate beyond 2 / L": {"sgd": lambda rate: optimizers.sgd(9 * rate)},
        "softmax without its derivative": {
            "softmax_cross_entropy_grad": lambda logits, target: layers.softmax(logits)
        },
    },
)
def gradient_descent_lowers_the_nll(impl: Implementation, case: Logits) -> None:
    """theta - eta grad lowers a smooth NLL by at least eta/2 |grad|^2, for eta = 1/L; here L = N.

    The curvature of N softmax losses is N (diag p - p p^T), which is below N.
    """
    targets = one_hot(case)
    rate = 1 / targets.shape[0]
    method, theta = impl.sgd(rate), case.theta
    state = method.start(theta)
    for t in range(4):
        loss, grad = softmax_nll(impl, theta, targets)
        moved, state = method.descend(state, theta, grad)
        agree(moved, theta - rate * grad, f"theta after step {t + 1}", atol=1e-10)
        size = float((to_numpy(grad) ** 2).sum())
        theta = moved
        at_most(
            softmax_nll(impl, theta, targets)[0],
            loss - rate * size / 2,
            f"NLL after step {t + 1}",
            slack=1e-9,
        )


@check(
    "SH.sec2.5e",
    of=(errors,),
    cases=logit_cases,
    evidence=EXACTLY,
    mutants={
        "averaged over the minibatch, not summed": {
            "softmax_cross_entropy_grad": lambda logits, target: (
                errors.softmax_cross_entropy_grad(logits, target) / target.shape[0]
            )
        },
        "every minibatch starts with the first point": {
            "softmax_cross_entropy_grad": lambda logits, target: errors.softmax_cross_entropy_grad(
                logits,
                target + 0 * target + 0 * target[:1, :]
                if target.shape[0] == 1
                else target * 0 + target[:1, :],
            )
        },
    },
)
def minibatch_gradient_is_a_share_of_the_whole(impl: Implementation, case: Logits) -> None:
    """theta + eta grad sum_B log p: averaged over all B of b of N points, that is b/N of the full gradient.

    So the sum over a minibatch, as printed, is unbiased up to the factor b / N, which the rate absorbs.
    """
    targets = one_hot(case)
    _, full = softmax_nll(impl, case.theta, targets)
    # softmax - one-hot of each point, by hand
    p = np.exp(to_numpy(case.theta)) / np.exp(to_numpy(case.theta)).sum()
    agree(full, targets.shape[0] * p - to_numpy(targets).sum(axis=0), "full gradient", atol=1e-10)
    N = targets.shape[0]
    for b in range(1, N + 1):
        grads = [
            to_numpy(softmax_nll(impl, case.theta, like(to_numpy(targets)[list(batch)], case.theta))[1])
            for batch in combinations(range(N), b)
        ]
        agree(np.mean(grads, axis=0), b / N * to_numpy(full), f"mean gradient of {b} points", atol=1e-10)


# --- consistency ------------------------------------------------------------------------------------------


class Growing(NamedTuple):
    """A model, the true parameter, and a sample size."""

    model: str
    truth: float
    N: int


def estimate(impl: Implementation, case: Growing, N: int) -> tuple[float, float]:
    """Return the exact mean and variance of the maximum-likelihood estimate from N observations.

    "coin": the frequency of ones.  "pairs": the variance of Gaussian pairs, each about a mean of its own that
    is estimated too (Neyman and Scott).  With each mean at the middle of its pair the log-likelihood is
    -N log s - S / (4 s), S the sum of squared differences, so the estimate is S / (4 N).  Its square is a
    quartic, for which three Gauss-Hermite nodes are exact.
    """
    if case.model == "coin":

        def heads(p: Any, rng: Any) -> Any:
            return np.array([impl.empirical_law(x, like=p[0])[1] for x in laws.draw(p, samples=N, rng=rng)])

        outcomes = expect(heads, np.array([[1 - case.truth, case.truth]]))
    else:
        spread = np.array([[math.sqrt(case.truth)]])

        def variance_of_pairs(sigma: Any, rng: Any) -> Any:
            # the difference of the two of a pair is normal of variance 2 sigma^2, whatever their mean
            difference = math.sqrt(2) * sigma * rng.normal((sigma.shape[0], N), like=sigma)
            return (difference**2).sum(axis=1) / (4 * N)

        outcomes = expect(variance_of_pairs, spread, nodes=3)
    mean = float(outcomes.mean()[0])
    return mean, float(outcomes.mean(lambda e: (e - mean) ** 2)[0])


def mle_is_consistent(impl: Implementation, case: Growing) -> None:
    """As printed: the estimate nears the truth, so that with twice the data variance and bias halve."""
    (few, spread), (many, narrow) = (estimate(impl, case, N) for N in (case.N, 2 * case.N))
    at_most(narrow, 0.51 * spread, "variance of the estimate from twice the data", slack=1e-12)
    at_most(abs(many - case.truth), 0.51 * abs(few - case.truth), "bias of the estimate from twice the data")


@check(
    "SH.sec2.5f",
    of=(laws,),
    cases=st.builds(Growing, st.just("coin"), st.sampled_from((0.5, 0.25, 0.9)), st.integers(1, 5))
    | st.builds(Growing, st.just("pairs"), st.sampled_from((1.0, 0.5, 2.0)), st.integers(1, 3)),
    evidence=EXACTLY,
    mutants={
        "frequencies that remember an earlier head": {
            "empirical_law": lambda x, like: laws.empirical_law(x, like=like) * np.array([0.5, 0.5]) + 0.25
        },
        "the last observation alone": {
            "empirical_law": lambda x, like: laws.empirical_law(x[-1:], like=like)
        },
    },
    printed=mle_is_consistent,
    correction="consistent under conditions, such as a fixed number of identifiable parameters: for a coin "
    "P(|theta_N - theta| >= e) <= theta (1 - theta) / (N e^2); with one more nuisance mean for every "
    "pair of Gaussians the estimate of their variance tends to half of it",
)
def mle_of_a_fixed_model_is_consistent(impl: Implementation, case: Growing) -> None:
    """The frequency of a coin has mean theta and variance theta (1 - theta) / N: it converges to theta.

    Neyman and Scott's pairs have mean sigma^2 / 2 for every N, variance sigma^4 / (2 N): they tend to half.
    """
    mean, spread = estimate(impl, case, case.N)
    limit = case.truth if case.model == "coin" else case.truth / 2
    size = case.truth * (1 - case.truth) if case.model == "coin" else case.truth**2 / 2
    agree(mean, limit, "mean of the estimate")
    agree(spread, size / case.N, "variance of the estimate")


# --- the variational bound --------------------------------------------------------------------------------


class Variational(NamedTuple):
    """p(H, D) for the observed D, and two laws of H."""

    joint: Any  # (M,) positive, sums to p(D)
    q: Any  # (M,)
    r: Any  # (M,)


variational = st.integers(1, 4).flatmap(
    lambda n: st.builds(
        Variational, arrays((n,), hundredths(0.01, 1)).map(lambda p: p / 5), law_tables(n), law_tables(n)
    )
)
elbo_mutants = {
    "the entropy of q left out": {"elbo": laws.expectation},
    "the posterior in place of the joint": {
        "elbo": lambda q, log_joint: laws.elbo(q, log_joint - log_sum_exp(log_joint))
    },
    "KL the other way round": {"kl": lambda p, q: laws.kl(q, p)},
}


def evidence_of(case: Variational) -> tuple[Any, Any, float]:
    """Return log p(H, D), the posterior and log p(D)."""
    xp = array_namespace(case.joint)
    total = xp.sum(case.joint)
    return xp.log(case.joint), case.joint / total, math.log(float(total))


@check("SH.sec2.5g", of=(laws,), cases=variational, evidence=EXACTLY, mutants=elbo_mutants)
def evidence_is_bound_plus_divergence(impl: Implementation, case: Variational) -> None:
    """log p(D) = L(q) + KL(q(H) || p(H|D)), for q within the support of the posterior: everything, here."""
    log_joint, post, log_p = evidence_of(case)
    for q in (case.q, case.r, post):
        agree(impl.elbo(q, log_joint) + impl.kl(q, post), log_p, "L(q) + KL", atol=1e-10)
    q, joint = to_numpy(case.q).astype(float), to_numpy(case.joint).astype(float)
    bound = math.fsum(a * math.log(b / a) for a, b in zip(q, joint, strict=True) if a > 0)
    agree(impl.elbo(case.q, log_joint), bound, "L(q), term by term", atol=1e-10)


@check("SH.sec2.5h", of=(laws,), cases=variational, evidence=EXACTLY, mutants=elbo_mutants)
def the_bound_is_maximised_where_the_divergence_is_least(impl: Implementation, case: Variational) -> None:
    """L(q) <= log p(D), with equality at the posterior, and of two q the one of larger L has the smaller KL.

    For fixed model parameters, as in the text: maximising over q.
    """
    log_joint, post, log_p = evidence_of(case)
    bounds = [float(impl.elbo(q, log_joint)) for q in (case.q, case.r)]
    gaps = [float(impl.kl(q, post)) for q in (case.q, case.r)]
    at_most(np.array(bounds), log_p, "L(q)")
    agree(impl.elbo(post, log_joint), log_p, "L(posterior)", atol=1e-10)
    agree(bounds[0] - bounds[1], gaps[1] - gaps[0], "gain in L, against the loss in KL", atol=1e-10)
