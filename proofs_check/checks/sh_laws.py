"""[SH] 2.3: finite laws, Bayes' theorem, expectation, entropy and distances between laws."""

from __future__ import annotations

import math
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import expect
from ...reference import laws
from ...reference.numerics import x_log_y
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, ensure
from ..strategies import (
    Data,
    Inference,
    arrays,
    data_sets,
    functions,
    hundredths,
    inferences,
    joint_laws,
    law_pairs,
)
from ..strategies import laws as law_tables
from .brute import like

# Tables are counts of at most a few hundred over their sum: what is not equal differs by more than this.
DISTINCT = 1e-5


def total_variation(p: Any, q: Any) -> float:
    """Return half the sum of absolute differences."""
    return float(np.abs(to_numpy(p) - to_numpy(q)).sum() / 2)


# --- sum, product and Bayes' rule -------------------------------------------------------------------------


@check(
    "SH.sec2.3a",
    of=(laws,),
    cases=joint_laws(2, 3, 2),
    evidence=EXACTLY,
    mutants={
        "the wrong variables are summed out": {
            "marginal": lambda joint, axes: laws.marginal(joint, axes=[i for i in range(3) if i not in axes])
        },
        "the largest term in place of the sum": {
            "marginal": lambda joint, axes: array_namespace(joint).max(
                joint, axis=tuple(i for i in range(3) if i not in axes)
            )
        },
    },
)
def sum_rule(impl: Implementation, joint: Any) -> None:
    """p(x) = sum_y p(x, y), for one and for two remaining variables; a marginal is a law again."""
    table = to_numpy(joint)
    for axes, summed in (((0,), "abc->a"), ((1,), "abc->b"), ((0, 2), "abc->ac")):
        marginal = impl.marginal(joint, axes=axes)
        agree(marginal, np.einsum(summed, table), f"marginal of {axes}")
        agree(to_numpy(marginal).sum(), 1.0, "mass of the marginal")


@check(
    "SH.sec2.3b",
    "AL.ch1.bayes",
    of=(laws,),
    cases=joint_laws(2, 3, margins=True),
    evidence=EXACTLY,
    mutants={
        "normalised over the given variable": {
            "conditional": lambda joint, given: laws.conditional(joint, given=[1 - i for i in given])
        },
        "not normalised": {"conditional": lambda joint, given: joint},
    },
)
def product_rule_both_ways(impl: Implementation, joint: Any) -> None:
    """P(A, B) = P(B|A) P(A) = P(A|B) P(B), hence P(B|A) = P(A|B) P(B) / P(A) where P(A) > 0."""
    a_given_b, b_given_a = impl.conditional(joint, given=(1,)), impl.conditional(joint, given=(0,))
    a, b = impl.marginal(joint, axes=(0,))[:, None], impl.marginal(joint, axes=(1,))[None, :]
    agree(a_given_b * b, joint, "P(A|B) P(B)")
    agree(b_given_a * a, joint, "P(B|A) P(A)")
    agree(a_given_b * b / a, b_given_a, "Bayes' rule")
    agree(to_numpy(b_given_a).sum(axis=1), np.ones(2), "mass of each P(.|A)")


@check(
    "SH.sec2.3c",
    of=(laws,),
    cases=joint_laws(2, 3, margins=True)
    | st.tuples(law_tables(2, zeros=False), law_tables(3, zeros=False)).map(lambda pq: np.outer(*pq))
    | st.just(np.array([[0.25, 0.25, 0.0], [0.25, 0.0, 0.25]])),
    evidence=EXACTLY,
    examples=60,
    mutants={
        "every pair of variables called independent": {"is_independent": lambda joint, tolerance: True},
        "independence read off the first value of Y alone": {
            "is_independent": lambda joint, tolerance: (
                total_variation(laws.conditional(joint, given=(1,))[:, 0], laws.marginal(joint, axes=(0,)))
                <= tolerance
            )
        },
    },
)
def independence_is_symmetric(impl: Implementation, joint: Any) -> None:
    """p(X|Y) = p(X) exactly when p(Y|X) = p(Y), and exactly when the joint is a product.

    Every value of X and Y has some mass here; otherwise the conditionals are not defined.
    """
    table = to_numpy(joint)
    x, y = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    of_y = bool(np.all(np.abs(to_numpy(impl.conditional(joint, given=(1,))) - x) <= DISTINCT))
    of_x = bool(np.all(np.abs(to_numpy(impl.conditional(joint, given=(0,))) - y) <= DISTINCT))
    ensure(of_x == of_y, "Y is independent of X where X is of Y", expected=of_y, actual=of_x)
    said = impl.is_independent(joint, tolerance=DISTINCT)
    ensure(said == of_y, "independence", expected=of_y, actual=said)


@check(
    "SH.eq2.1",
    "SH.sec2.3d",
    "AL.ch1.bayes",
    of=(laws,),
    cases=inferences(),
    evidence=EXACTLY,
    mutants={
        "the prior is forgotten": {
            "posterior": lambda prior, log_lik: laws.posterior(0 * prior + 1 / prior.shape[0], log_lik)
        },
        "the likelihood counts twice": {
            "posterior": lambda prior, log_lik: laws.posterior(prior, 2 * log_lik)
        },
        "not divided by p(D)": {
            "posterior": lambda prior, log_lik: prior * array_namespace(prior).exp(log_lik)
        },
    },
)
def posterior_is_likelihood_times_prior(impl: Implementation, case: Inference) -> None:
    """p(theta | D) p(D) = p(D | theta) p(theta) on a grid, with one p(D) for all theta: their sum."""
    joint = np.exp(to_numpy(case.log_likelihood).astype(float)) * to_numpy(case.prior)
    agree(impl.posterior(*case), joint / joint.sum(), "posterior")
    agree(impl.log_evidence(*case), math.log(joint.sum()), "log p(D)")


def uniform_prior(below: float) -> tuple[Any, Any]:
    """Return Gauss-Legendre weights and nodes on [0, below]: exact for polynomials up to degree 23."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    return weights / weights.sum(), below * (nodes + 1) / 2


@check(
    "SH.sec2.3e",
    of=(laws,),
    cases=st.integers(1, 15),
    evidence=EXACTLY,
    examples=15,
    mutants={
        "posterior that has not seen the data": {"posterior": lambda prior, log_lik: prior},
        "smoothed frequencies called maximum likelihood": {
            "empirical_law": lambda x, like: (
                (laws.empirical_law(x, like=like) * x.shape[0] + 1) / (x.shape[0] + 2)
            )
        },
        "prediction by the most probable model": {
            "predictive": lambda weights, models: models[int(np.argmax(weights))]
        },
    },
)
def maximum_likelihood_overfits(impl: Implementation, heads: int) -> None:
    """After N heads maximum likelihood finds a tail impossible; a uniform prior gives it 1 / (N + 2).

    And the price: a prior that excludes coins above one half never predicts a head with more than one half.
    The general claims (that overfitting is general, and can be avoided) are not covered, only this case.
    """
    x = np.ones(heads, dtype=np.int64)
    fitted = impl.empirical_law(x, like=np.zeros(2))
    agree(impl.negative_log_likelihood(fitted, x), 0.0, "training loss")
    agree(impl.negative_log_likelihood(fitted, np.zeros(1, dtype=np.int64)), math.inf, "loss of a tail")
    for below, tail in ((1.0, 1 / (heads + 2)), (0.5, 1 - (heads + 1) / (heads + 2) / 2)):
        prior, coins = uniform_prior(below)
        weights = impl.posterior(prior, heads * np.log(coins))
        prediction = impl.predictive(weights, np.stack([1 - coins, coins], axis=1))
        agree(prediction[0], tail, f"predictive probability of a tail, prior on [0, {below}]")


# --- expectation, variance and the Monte Carlo estimate ---------------------------------------------------


class Weighted(NamedTuple):
    """A law, two functions on its alphabet and a number."""

    law: Any
    f: Any
    g: Any
    c: float


@check(
    "SH.eq2.2",
    of=(laws,),
    cases=st.integers(1, 4).flatmap(
        lambda n: st.builds(Weighted, law_tables(n), functions(n), functions(n), hundredths(-2, 2))
    ),
    evidence=DEFINITION,
    mutants={
        "values averaged without their probabilities": {
            "expectation": lambda law, f: array_namespace(f).mean(f)
        },
        "averaged over the number of values": {
            "expectation": lambda law, f: laws.expectation(law, f) / law.shape[0]
        },
    },
)
def expectation_is_the_weighted_sum(impl: Implementation, case: Weighted) -> None:
    """E_p[f] = sum_x p(x) f(x), term by term; it is linear in f and E_p[1] = 1."""
    p, f = to_numpy(case.law).astype(float), to_numpy(case.f).astype(float)
    mean = impl.expectation(case.law, case.f)
    agree(mean, math.fsum(a * b for a, b in zip(p, f, strict=True)), "E[f]", atol=1e-11)
    both = impl.expectation(case.law, case.f + case.c * case.g)
    agree(both, mean + case.c * impl.expectation(case.law, case.g), "E[f + c g]", atol=1e-11)
    agree(impl.expectation(case.law, 0 * case.f + 1), 1.0, "E[1]")


class Concave(NamedTuple):
    """A law over numbers x, and the concave function min_k (slope_k x + offset_k)."""

    law: Any
    x: Any
    slopes: Any
    offsets: Any


@check(
    "SH.sec2.3f",
    of=(laws,),
    cases=st.tuples(st.integers(1, 4), st.integers(1, 3)).flatmap(
        lambda nk: st.builds(Concave, law_tables(nk[0]), functions(nk[0]), functions(nk[1]), functions(nk[1]))
    ),
    evidence=EXACTLY,
    mutants={
        "a sum without probabilities": {"expectation": lambda law, f: array_namespace(f).sum(f)},
        "the largest value in place of the mean": {"expectation": lambda law, f: array_namespace(f).max(f)},
    },
)
def jensen(impl: Implementation, case: Concave) -> None:
    """E[f(x)] <= f(E[x]) for concave f: a minimum of affine functions, the logarithm, the root."""

    def lowest_line(x: Any) -> Any:
        return np.min(np.multiply.outer(to_numpy(x), to_numpy(case.slopes)) + to_numpy(case.offsets), axis=-1)

    positive = case.x - array_namespace(case.x).min(case.x) + 1
    for name, x, f in (
        ("a minimum of lines", case.x, lowest_line),
        ("the logarithm", positive, lambda x: np.log(to_numpy(x))),
        ("the root", positive, lambda x: np.sqrt(to_numpy(x))),
    ):
        average = impl.expectation(case.law, like(f(x), case.x))
        at_most(average, f(impl.expectation(case.law, x)), f"E[f(x)] for {name}")


class Sampled(NamedTuple):
    """Rows of laws and functions, and how many samples are drawn."""

    law: Any  # (1, X)
    f: Any  # (1, X)
    samples: int


@check(
    "SH.eq2.3",
    "SH.sec2.4a",
    of=(laws,),
    cases=st.integers(1, 3).flatmap(
        lambda n: st.builds(
            lambda p, f, k: Sampled(p[None], f[None], k), law_tables(n), functions(n), st.integers(1, 4)
        )
    ),
    evidence=EXACTLY,
    mutants={
        "divided by N - 1": {
            "monte_carlo": lambda law, f, samples, rng: (
                laws.monte_carlo(law, f, samples=samples, rng=rng) * samples / max(samples - 1, 1)
            )
        },
        "samples drawn uniformly": {
            "monte_carlo": lambda law, f, samples, rng: laws.monte_carlo(
                0 * law + 1 / law.shape[1], f, samples=samples, rng=rng
            )
        },
        "one sample used N times": {
            "monte_carlo": lambda law, f, samples, rng: laws.monte_carlo(law, f, samples=1, rng=rng)
        },
    },
)
def monte_carlo_is_unbiased(impl: Implementation, case: Sampled) -> None:
    """The mean of f over N samples has expectation E_p[f] and variance var(f) / N, over all N-tuples."""
    p, f = to_numpy(case.law)[0].astype(float), to_numpy(case.f)[0].astype(float)
    outcomes = expect(
        lambda law, g, rng: impl.monte_carlo(law, g, samples=case.samples, rng=rng), case.law, case.f
    )
    mean = float(outcomes.mean()[0])
    target = float(p @ f)
    agree(mean, target, "mean of the estimate", atol=1e-11)
    spread = float(outcomes.mean(lambda estimate: (estimate - target) ** 2)[0])
    agree(spread, p @ (f - target) ** 2 / case.samples, "variance of the estimate", atol=1e-10)


@check(
    "SH.sec2.3g",
    of=(laws,),
    cases=st.integers(1, 4).flatmap(lambda n: st.tuples(law_tables(n), functions(n))),
    evidence=DEFINITION,
    mutants={
        "the second moment": {"variance": lambda law, f: laws.expectation(law, f * f)},
        "the standard deviation": {"variance": lambda law, f: laws.variance(law, f) ** 0.5},
        "every value as likely as any": {"variance": lambda law, f: array_namespace(f).var(f)},
    },
)
def variance_is_second_moment_minus_squared_mean(impl: Implementation, case: tuple[Any, Any]) -> None:
    """var(f) = E[f^2] - E[f]^2, with both moments summed here."""
    p, f = (to_numpy(a).astype(float) for a in case)
    agree(impl.variance(*case), p @ f**2 - (p @ f) ** 2, "variance", atol=1e-10)


class Estimator(NamedTuple):
    """The law of an estimator and its values."""

    law: Any
    values: Any


def near(impl: Implementation, estimator: Estimator, radius: float) -> float:
    """Return the probability that an estimator is within ``radius`` of its mean."""
    mean = impl.expectation(*estimator)
    away = np.abs(to_numpy(estimator.values) - float(mean))
    return float(to_numpy(estimator.law)[away < radius].sum())


def lower_variance_is_closer(impl: Implementation, case: tuple[Estimator, Estimator, float]) -> None:
    """As printed: the lower the variance, the higher the probability to be close to the mean."""
    one, other, radius = case
    if float(impl.variance(*one)) < float(impl.variance(*other)) - DISTINCT:
        what = f"P(within {radius} of the mean), for the lower of two variances"
        at_most(near(impl, other, radius), near(impl, one, radius), what)


estimators = st.integers(1, 3).flatmap(
    lambda n: st.builds(Estimator, law_tables(n), arrays((n,), st.integers(-4, 4).map(float)))
) | st.sampled_from(  # never close to its mean, and seldom far from it
    (
        Estimator(np.array([0.5, 0.5]), np.array([-2.0, 2.0])),
        Estimator(np.array([0.1, 0.8, 0.1]), np.array([-8.0, 0.0, 8.0])),
    )
)


@check(
    "SH.sec2.3h",
    of=(laws,),
    cases=st.tuples(estimators, estimators, st.sampled_from((1.0, 0.5, 1.5, 2.0))),
    evidence=EXACTLY,
    examples=100,
    mutants={
        "the standard deviation in place of the variance": {
            "variance": lambda law, f: laws.variance(law, f) ** 0.5
        },
        "the variance of the mean of two": {"variance": lambda law, f: laws.variance(law, f) / 2},
    },
    printed=lower_variance_is_closer,
    correction="variance bounds the probability of being far, it does not order it: "
    "P(|X - EX| >= r) <= var(X) / r^2 (Chebyshev)",
)
def chebyshev(impl: Implementation, case: tuple[Estimator, Estimator, float]) -> None:
    """P(|X - EX| >= r) <= var(X) / r^2.  The definition of an unbiased estimator is used in SH.eq2.3."""
    *both, radius = case
    for estimator in both:
        bound = impl.variance(*estimator) / radius**2
        at_most(1 - near(impl, estimator, radius), bound, "P(far from the mean)", slack=1e-9)


# --- entropy and distances --------------------------------------------------------------------------------


@check(
    "SH.sec2.3i",
    of=(laws,),
    cases=st.integers(1, 4).flatmap(law_tables),
    evidence=DEFINITION,
    mutants={
        "bits in place of nats": {"entropy": lambda p: laws.entropy(p) / math.log(2)},
        "sign": {"entropy": lambda p: -laws.entropy(p)},
        "zeros smoothed away": {"entropy": lambda p: laws.entropy((p + 1e-3) / (1 + 1e-3 * p.shape[0]))},
    },
)
def entropy_is_mean_surprise(impl: Implementation, p: Any) -> None:
    """H = sum p log(1/p) over the values of positive probability; 0 <= H <= log of the number of values."""
    table = to_numpy(p).astype(float)
    H = impl.entropy(p)
    agree(H, math.fsum(a * math.log(1 / a) for a in table if a > 0), "H(p)", atol=1e-11)
    at_most(0.0, H, "zero, against H(p)")
    at_most(H, math.log(len(table)), "H(p), against that of the uniform law")
    agree(impl.entropy(0 * p + 1 / len(table)), math.log(len(table)), "H(uniform)", atol=1e-11)


@check(
    "SH.sec2.3j",
    of=(laws,),
    cases=law_pairs(),
    evidence=EXACTLY,
    mutants={
        "arguments exchanged": {"kl": lambda p, q: laws.kl(q, p)},
        "terms with q = 0 dropped": {
            "kl": lambda p, q: array_namespace(p).sum(
                array_namespace(p).where(
                    q > 0, x_log_y(p, p) - x_log_y(p, array_namespace(p).where(q == 0, p, q)), 0 * p
                )
            )
        },
        "the cross-entropy": {"kl": laws.cross_entropy},
    },
)
def kl_is_positive_unless_equal(impl: Implementation, case: tuple[Any, Any]) -> None:
    """KL = sum p log(p / q) > 0 unless p = q, where it is 0; strictly, because KL >= 2 TV(p, q)^2 (Pinsker).

    The text does not discuss q(x) = 0 < p(x); the sum is infinite there, and so positive.
    """
    p, q = (to_numpy(a).astype(float) for a in case)
    terms = (math.inf if b == 0 else a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)
    divergence = impl.kl(*case)
    agree(divergence, math.fsum(terms), "KL(p||q)", atol=1e-11)
    at_most(2 * total_variation(p, q) ** 2, divergence, "2 TV^2, against KL")
    agree(impl.kl(case[0], case[0]), 0.0, "KL(p||p)")


@check(
    "SH.sec2.3k",
    of=(laws,),
    cases=law_pairs(),
    evidence=DEFINITION,
    mutants={
        "no root": {"bhattacharyya_coefficient": lambda p, q: array_namespace(p).sum(p * q)},
        "bits in place of nats": {
            "bhattacharyya_distance": lambda p, q: laws.bhattacharyya_distance(p, q) / math.log(2)
        },
        "the Hellinger distance": {
            "bhattacharyya_distance": lambda p, q: (abs(1 - laws.bhattacharyya_coefficient(p, q))) ** 0.5
        },
    },
)
def bhattacharyya(impl: Implementation, case: tuple[Any, Any]) -> None:
    """BC = sum sqrt(p q) and D_B = -ln BC >= TV^2 / 2; symmetric, infinite for disjoint supports."""
    p, q = (to_numpy(a).astype(float) for a in case)
    bc = math.fsum(math.sqrt(a * b) for a, b in zip(p, q, strict=True))
    agree(impl.bhattacharyya_coefficient(*case), bc, "BC(p, q)", atol=1e-11)
    distance = impl.bhattacharyya_distance(*case)
    agree(distance, -math.log(bc) if bc else math.inf, "D_B(p, q)", atol=1e-11)
    agree(impl.bhattacharyya_distance(case[1], case[0]), distance, "D_B(q, p)")
    at_most(total_variation(p, q) ** 2 / 2, distance, "TV^2 / 2, against D_B")


@check(
    "SH.sec2.3l",
    of=(laws,),
    cases=((np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([0.1, 0.9])),),
    evidence=EXACTLY,
    mutants={
        "KL made symmetric": {"kl": lambda p, q: (laws.kl(p, q) + laws.kl(q, p)) / 2},
        "total variation, a metric, called KL": {"kl": total_variation},
        "the Hellinger metric called D_B": {
            "bhattacharyya_distance": lambda p, q: (abs(1 - laws.bhattacharyya_coefficient(p, q))) ** 0.5
        },
    },
)
def kl_and_bhattacharyya_are_no_metrics(impl: Implementation, case: tuple[Any, Any, Any]) -> None:
    """Three laws for which KL is not symmetric, and neither KL nor D_B obeys the triangle inequality.

    That both define a topology is not covered.
    """
    p, q, r = case
    for name, d in (("KL", impl.kl), ("D_B", impl.bhattacharyya_distance)):
        detour, direct = float(d(p, q) + d(q, r)), float(d(p, r))
        ensure(
            direct > detour + 0.1,
            f"{name}(p, r) beyond the detour by q",
            expected=f"> {detour}",
            actual=direct,
        )
    there, back = float(impl.kl(p, q)), float(impl.kl(q, p))
    ensure(abs(there - back) > 0.1, "KL(q||p), other than KL(p||q)", expected=f"not {there}", actual=back)


# --- independent data -------------------------------------------------------------------------------------


def exclusive_or(bias: float) -> Any:
    """Return the joint of two fair coins and their sum modulo two, mixed with the uniform law."""
    table = np.zeros((2, 2, 2))
    for a, b in product(range(2), range(2)):
        table[a, b, a ^ b] = 0.25
    return (1 - bias) * table + bias / 8


def events_are_independent(table: Any) -> bool:
    """Return whether P(all A_i) = prod P(A_i) for all events of all variables, the definition in full."""
    masks = [np.array(mask, float) for mask in product((0, 1), repeat=2)]
    margins = [table.sum(axis=tuple(j for j in range(3) if j != i)) for i in range(3)]
    return all(
        abs(
            np.einsum("abc,a,b,c->", table, *chosen)
            - math.prod(m @ e for m, e in zip(margins, chosen, strict=True))
        )
        <= DISTINCT
        for chosen in product(masks, repeat=3)
    )


def pairwise_only(joint: Any, tolerance: float) -> bool:
    """Return whether every two of the variables are independent."""
    return all(
        laws.is_independent(laws.marginal(joint, axes=two), tolerance=tolerance)
        for two in combinations(range(3), 2)
    )


@check(
    "SH.sec2.3m",
    of=(laws,),
    cases=law_tables(2) | joint_laws(2, 2, 2) | st.sampled_from((0.0, 0.5)).map(exclusive_or),
    evidence=DEFINITION,
    examples=40,
    mutants={
        "independence in pairs only": {"is_independent": pairwise_only},
        "every copy the same draw": {
            "product_law": lambda p, *others: (
                p[:, None, None] * like(np.eye(2)[:, :, None] * np.eye(2)[None, :, :], p)
            )
        },
    },
)
def independent_and_identical(impl: Implementation, case: Any) -> None:
    """Copies of one law have equal marginals and independent events; dependent triples are told apart.

    An event of one variable is independent of any intersection of events of the others: all 4^3 choices here.
    The exclusive or of two coins is independent in pairs, but not so.
    """
    joint = impl.product_law(case, case, case) if case.ndim == 1 else case
    table = to_numpy(joint).astype(float)
    if case.ndim == 1:
        for i in range(3):
            agree(impl.marginal(joint, axes=(i,)), case, f"marginal of copy {i}")
        ensure(events_are_independent(table), "independence of all events of the copies")
    expected, said = events_are_independent(table), impl.is_independent(joint, tolerance=DISTINCT)
    ensure(said == expected, "independence", expected=expected, actual=said)


@check(
    "SH.sec2.3n",
    "SH.eq2.4",
    of=(laws,),
    cases=data_sets(zeros=True),
    evidence=EXACTLY,
    mutants={
        "a mean in place of the sum": {
            "negative_log_likelihood": lambda law, x: laws.negative_log_likelihood(law, x) / x.shape[0]
        },
        "repeated points count once": {
            "negative_log_likelihood": lambda law, x: laws.negative_log_likelihood(
                law, array_namespace(x).unique_values(x)
            )
        },
        "sign": {"negative_log_likelihood": lambda law, x: -laws.negative_log_likelihood(law, x)},
    },
)
def log_of_the_product_is_the_sum_of_logs(impl: Implementation, case: Data) -> None:
    """-log p(D) = -log prod p(x) = -sum log p(x).  D is a multiset: a repeated point counts each time."""
    probability = math.prod(float(to_numpy(case.law)[k]) for k in to_numpy(case.x))
    agree(impl.likelihood(*case), probability, "p(D)")
    expected = -math.log(probability) if probability else math.inf
    agree(impl.negative_log_likelihood(*case), expected, "-log p(D)", atol=1e-11)
