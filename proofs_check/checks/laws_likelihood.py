"""Finite laws: the maximum-likelihood estimate, its consistency, and the variational bound."""

from __future__ import annotations

import math
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference import laws
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..oracle import laws as oracle
from ..strategies import Data, arrays, data_sets, hundredths, values
from ..strategies import laws as law_tables

# --- the maximum-likelihood estimate ----------------------------------------------------------------------


class Coin(NamedTuple):
    """Candidates for the probability of a one, and data in {0, 1}."""

    grid: Any  # (M,) in [0, 1]
    x: Any  # (N,) integers


candidates = st.sampled_from((0.25, 0.5, 0.75, 0.1, 0.9, 0.0, 1.0))
coins = st.builds(Coin, st.lists(candidates, min_size=2, max_size=4, unique=True).map(np.array), values(2))


def _nll(impl: Implementation, case: Coin) -> Any:
    """Return -log p_theta(D) of each candidate."""
    tables = array_namespace(case.grid).stack([1 - case.grid, case.grid], axis=1)
    rows = [tables[m, :] for m in range(case.grid.shape[0])]
    return np.array([float(impl.negative_log_likelihood(row, case.x)) for row in rows])


def _by_the_product(plain: Coin) -> Any:
    """Return p_theta(D) of each candidate, as a product over the data."""
    return np.array([oracle.probability((1 - t, t), plain.x) for t in plain.grid])


def minus_the_minimiser(impl: Implementation, case: Coin, plain: Coin) -> None:
    """As printed: theta* = -argmin_theta sum log p_theta(x), the estimate of largest p_theta(D)."""
    best, log_p = _by_the_product(plain), -_nll(impl, case)
    agree(-plain.grid[int(np.argmin(log_p))], plain.grid[int(np.argmax(best))], "theta*")


@check(
    "SH.eq2.6",
    of=laws,
    cases=coins,
    evidence=EXACTLY,
    rejects=("nll-of-wrong-sign", "data-as-a-set"),
    printed=minus_the_minimiser,
    correction="a slip: the minus sign belongs inside the argmin, "
    "theta* = argmin_theta [-sum log p_theta(x)] = argmax_theta sum log p_theta(x)",
)
def the_estimate_minimises_the_nll(impl: Implementation, case: Coin, plain: Coin) -> None:
    """theta* = argmin -sum log p_theta(x) has the largest probability of the data on the grid."""
    best = _by_the_product(plain)
    agree(best[int(np.argmin(_nll(impl, case)))], best.max(), "p(D) at theta*")


@check("SH.sec2.5a", of=laws, cases=coins, evidence=EXACTLY, rejects=("nll-of-wrong-sign", "data-as-a-set"))
def nll_and_likelihood_agree_in_order(impl: Implementation, case: Coin, plain: Coin) -> None:
    """The grid ordered by -log p(D) is that ordered by p(D) reversed: the best candidate is the same."""
    nll, p = _nll(impl, case), _by_the_product(plain)
    agree(np.exp(-nll), p, "exp of minus the NLL")
    for a, b in combinations(range(len(p)), 2):
        if abs(p[a] - p[b]) > 1e-6 * max(p[a], p[b]):
            ensure((nll[a] < nll[b]) == (p[a] > p[b]), f"order of candidates {a} and {b}")


@check(
    "SH.sec2.5b",
    of=laws,
    cases=st.integers(400, 2000),
    evidence=EXACTLY,
    rejects=("log-after-the-product", "first-ten-points"),
    uncovered="that the logarithm is more convenient",
)
def products_underflow_and_sums_do_not(impl: Implementation, N: int) -> None:
    """In float64 the product of N >= 400 factors 0.1 is zero; the sum of their logarithms is -N log 10."""
    law, x = np.array([0.1, 0.9]), np.zeros(N, dtype=np.int64)
    agree(impl.likelihood(law, x), 0.0, "p(D) in float64")
    agree(impl.negative_log_likelihood(law, x), N * math.log(10), "-log p(D)")


def _slopes(impl: Implementation, case: Data) -> tuple[Any, Any]:
    """Return the derivatives of the NLL at its minimiser when mass moves from value k to value j, [k, j]."""
    best = impl.empirical_law(case.x, like=case.law)
    grad = to_numpy(impl.negative_log_likelihood_grad(best, case.x)).astype(float)
    return grad[None, :] - grad[:, None], to_numpy(best).astype(float)


def gradient_vanishes(impl: Implementation, case: Data) -> None:
    """As printed: the gradient of the NLL must be zero at its minimum point."""
    slopes, _ = _slopes(impl, case)
    agree(slopes, np.zeros(slopes.shape), "derivative at theta*")


missing_values = data_sets().filter(lambda case: len(set(case.x.tolist())) < len(case.law))


@check(
    "SH.sec2.5c",
    of=laws,
    cases=data_sets(zeros=True),
    evidence=EXACTLY,
    rejects=("nll-gradient-of-wrong-sign", "smoothed-frequencies"),
    printed=gradient_vanishes,
    assuming="the minimum lies inside the domain: here, every value occurred; on the boundary the NLL only "
    "does not decrease in any direction that stays in the domain",
    without=missing_values,
)
def gradient_at_the_minimum(impl: Implementation, case: Data, plain: Data) -> None:
    """At theta* = relative frequencies, moving mass between values that occurred has slope 0, to others N.

    The smallest counterexample to the printed form is a coin that showed one head: theta* = 1, slope -1.
    """
    slopes, best = _slopes(impl, case)
    N, share = len(plain.x), np.bincount(plain.x, minlength=len(plain.law)) / len(plain.x)
    agree(best, share, "theta*")
    for k in np.flatnonzero(best):
        expected = np.where(share > 0, 0.0, N)
        agree(slopes[k], expected, f"slopes from value {k} to the others")
    nll = float(impl.negative_log_likelihood(impl.empirical_law(case.x, like=case.law), case.x))
    short = float(impl.negative_log_likelihood(case.law, case.x)) - nll
    agree(short, N * oracle.kl(share, plain.law), "NLL of another law, above that of theta*")


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
        samples = [np.array(x) for x in product(range(2), repeat=N)]
        law = np.array([oracle.probability((1 - case.truth, case.truth), x) for x in samples])
        found = np.array([float(impl.empirical_law(x, like=np.zeros(2))[1]) for x in samples])
    else:
        # the difference of the two of a pair is normal of variance 2 sigma^2, whatever their mean
        nodes, weights = np.polynomial.hermite_e.hermegauss(3)
        law = np.array([math.prod(w) for w in product(weights / weights.sum(), repeat=N)])
        squares = [
            math.fsum(2 * case.truth * x * x for x in nodes_of) for nodes_of in product(nodes, repeat=N)
        ]
        found = np.array(squares) / (4 * N)
    return oracle.mean(law, found), oracle.variance(law, found)


def mle_is_consistent(impl: Implementation, case: Growing) -> None:
    """As printed: the estimate nears the truth, so that with twice the data variance and bias halve."""
    (few, spread), (many, narrow) = (estimate(impl, case, N) for N in (case.N, 2 * case.N))
    at_most(narrow, 0.51 * spread, "variance of the estimate from twice the data", slack=1e-12)
    at_most(abs(many - case.truth), 0.51 * abs(few - case.truth), "bias of the estimate from twice the data")


pairs = st.builds(Growing, st.just("pairs"), st.sampled_from((1.0, 0.5, 2.0)), st.integers(1, 3))


@check(
    "SH.sec2.5f",
    of=laws,
    cases=st.builds(Growing, st.just("coin"), st.sampled_from((0.5, 0.25, 0.9)), st.integers(1, 5)) | pairs,
    evidence=EXACTLY,
    rejects=("drawn-to-the-middle", "last-observation-alone"),
    printed=mle_is_consistent,
    assuming="the number of parameters is fixed and they are identifiable; with one more nuisance mean for "
    "every pair of Gaussians (Neyman and Scott) the estimate of their variance tends to half of it",
    without=pairs,
    uncovered="models other than a coin",
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

    joint: Any  # (M,), sums to p(D) > 0
    q: Any  # (M,)
    r: Any  # (M,)


def _variational(entries: Any) -> Any:
    joints = st.integers(1, 4).flatmap(
        lambda n: st.builds(
            Variational, arrays((n,), entries).map(lambda p: p / 5), law_tables(n), law_tables(n)
        )
    )
    return joints.filter(lambda case: bool(case.joint.any()))


positive, any_joint = _variational(hundredths(0.01, 1)), _variational(hundredths(0.01, 1) | st.just(0.0))
leaving = any_joint.filter(lambda case: bool((case.q[case.joint == 0] > 0).any()))


def _log_joint(case: Variational) -> tuple[Any, Any]:
    """Return log p(H, D) and the posterior."""
    xp = array_namespace(case.joint)
    some = xp.where(case.joint > 0, case.joint, xp.ones_like(case.joint))
    log_joint = xp.where(case.joint > 0, xp.log(some), xp.full_like(case.joint, -float("inf")))
    return log_joint, case.joint / xp.sum(case.joint)


def _bound(q: Any, joint: Any) -> float:
    """Return L(q), term by term."""
    pairs = [(a, b) for a, b in zip(q, joint, strict=True) if a > 0]
    return math.fsum(a * math.log(b / a) if b else -math.inf for a, b in pairs)


@check(
    "SH.sec2.5g",
    of=laws,
    cases=positive,
    evidence=EXACTLY,
    rejects=("entropy-of-q-missing", "posterior-for-joint", "kl-reversed"),
    assuming="q(H) = 0 wherever p(H, D) = 0; elsewhere the right side is minus infinity plus infinity",
    without=leaving,
)
def evidence_is_bound_plus_divergence(impl: Implementation, case: Variational, plain: Variational) -> None:
    """log p(D) = L(q) + KL(q(H) || p(H|D))."""
    log_joint, post = _log_joint(case)
    log_p = math.log(math.fsum(plain.joint))
    for q in (case.q, case.r, post):
        agree(float(impl.elbo(q, log_joint)) + float(impl.kl(q, post)), log_p, "L(q) + KL")
    agree(impl.elbo(case.q, log_joint), _bound(plain.q, plain.joint), "L(q), term by term")


@check(
    "SH.sec2.5h",
    of=laws,
    cases=any_joint,
    evidence=EXACTLY,
    rejects=("entropy-of-q-missing", "posterior-for-joint", "kl-reversed"),
)
def the_bound_is_maximised_where_the_divergence_is_least(
    impl: Implementation, case: Variational, plain: Variational
) -> None:
    """L(q) = log p(D) - KL <= log p(D), with equality at the posterior: where L is larger, KL is smaller.

    For fixed model parameters, as in the text: maximising over q.  Outside the support L is minus infinity.
    """
    log_joint, post = _log_joint(case)
    total = math.fsum(plain.joint)
    for q, hand in ((case.q, plain.q), (case.r, plain.r)):
        bound = impl.elbo(q, log_joint)
        at_most(bound, math.log(total), "L(q)")
        agree(bound, _bound(hand, plain.joint), "L(q), term by term")
        agree(bound, math.log(total) - float(impl.kl(q, post)), "L(q), against log p(D) - KL")
    agree(impl.elbo(post, log_joint), math.log(total), "L(posterior)")
