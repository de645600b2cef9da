"""Finite laws: the sum, product and Bayes' rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import to_numpy
from ...reference import laws
from ..check import EXACTLY, Implementation, agree, check, ensure
from ..oracle import laws as oracle
from ..oracle.boltzmann import like
from ..strategies import inferences, joint_laws
from ..strategies import laws as law_tables
from ..strategies.finite import Inference


@check(
    "SH.sec2.3a",
    of=laws,
    cases=joint_laws(2, 3, 2),
    evidence=EXACTLY,
    rejects=("wrong-variables-summed", "largest-term-for-sum"),
)
def sum_rule(impl: Implementation, joint: Any, plain: Any) -> None:
    """p(x) = sum_y p(x, y), for one and for two remaining variables; a marginal is a law again."""
    for axes in ((0,), (1,), (0, 2)):
        marginal = impl.marginal(joint, axes=axes)
        agree(marginal, oracle.margin(plain, axes), f"marginal of {axes}")
        agree(to_numpy(marginal).sum(), 1.0, "mass of the marginal")


@check(
    "SH.sec2.3b",
    "AL.ch1.bayes",
    of=laws,
    cases=joint_laws(2, 3),
    evidence=EXACTLY,
    rejects=("given-the-other", "conditional-not-normalised"),
)
def product_rule_both_ways(impl: Implementation, joint: Any, plain: Any) -> None:
    """P(A, B) = P(B|A) P(A) = P(A|B) P(B), hence P(B|A) = P(A|B) P(B) / P(A) where P(A) > 0.

    Given are the values that have some mass: for others the text defines no conditional.
    """
    rows, columns = plain.any(axis=1), plain.any(axis=0)
    table = plain[rows][:, columns]
    some = like(table, joint)
    a, b = oracle.margin(table, (0,))[:, None], oracle.margin(table, (1,))[None, :]
    a_given_b = to_numpy(impl.conditional(some, given=(1,))).astype(float)
    b_given_a = to_numpy(impl.conditional(some, given=(0,))).astype(float)
    agree(a_given_b * b, table, "P(A|B) P(B)", of=("SH.sec2.3b", "AL.ch1.bayes"))
    agree(b_given_a * a, table, "P(B|A) P(A)", of=("SH.sec2.3b", "AL.ch1.bayes"))
    agree(a_given_b * b / a, b_given_a, "Bayes' rule", of="AL.ch1.bayes")
    agree(b_given_a.sum(axis=1), np.ones(len(table)), "mass of each P(.|A)", of="AL.ch1.bayes")


@check(
    "SH.sec2.3c",
    of=laws,
    cases=joint_laws(2, 3)
    | st.tuples(law_tables(2), law_tables(3)).map(lambda pq: np.outer(*pq))
    | st.just(np.array([[0.25, 0.25, 0.0], [0.25, 0.0, 0.25]])),
    evidence=EXACTLY,
    examples=60,
    rejects=("always-independent", "first-value-alone"),
)
def independence_is_symmetric(impl: Implementation, joint: Any, plain: Any) -> None:
    """p(X|Y) = p(X) exactly when p(Y|X) = p(Y), and exactly when the joint is a product.

    Given are the values that have some mass: for others the text defines no conditional.
    """
    x, y = oracle.margin(plain, (0,)), oracle.margin(plain, (1,))
    of_y = all(oracle.total_variation(plain[:, j] / y[j], x) <= oracle.DISTINCT for j in np.flatnonzero(y))
    of_x = all(oracle.total_variation(plain[i] / x[i], y) <= oracle.DISTINCT for i in np.flatnonzero(x))
    ensure(of_x == of_y, "Y is independent of X where X is of Y", expected=of_y, actual=of_x)
    said = impl.is_independent(joint, tolerance=oracle.DISTINCT)
    ensure(said == of_y, "independence", expected=of_y, actual=said)


@check(
    "SH.eq2.1",
    "SH.sec2.3d",
    "AL.ch1.bayes",
    of=laws,
    cases=inferences(),
    evidence=EXACTLY,
    rejects=(
        "prior-forgotten",
        "likelihood-twice",
        "evidence-missing",
        "data-forgotten",
        "evidence-is-the-largest-term",
    ),
)
def posterior_is_likelihood_times_prior(impl: Implementation, case: Inference, plain: Inference) -> None:
    """p(theta | D) p(D) = p(D | theta) p(theta) on a grid, with one p(D) for all theta: their sum."""
    joint = plain.prior * np.exp(plain.log_likelihood)
    evidence = math.fsum(joint)
    posterior = to_numpy(impl.posterior(*case)).astype(float)
    agree(posterior, joint / evidence, "posterior", of=("SH.eq2.1", "AL.ch1.bayes"))
    agree(impl.log_evidence(*case), math.log(evidence), "log p(D)", of="SH.eq2.1")
    top = int(np.argmax(joint))
    ratios = posterior / posterior[top] if posterior[top] else posterior
    agree(ratios, joint / joint[top], "posterior, in shares of its largest", of="SH.sec2.3d")


def uniform_prior(below: float) -> tuple[Any, Any]:
    """Return Gauss-Legendre weights and nodes on [0, below]: exact for polynomials up to degree 23."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    return weights / weights.sum(), below * (nodes + 1) / 2


@check(
    "SH.sec2.3e",
    of=laws,
    cases=st.integers(1, 15),
    evidence=EXACTLY,
    examples=15,
    rejects=("data-forgotten", "smoothed-frequencies", "best-model-alone"),
    uncovered="that both are so in general: one family is shown, coins",
)
def maximum_likelihood_overfits(impl: Implementation, heads: int) -> None:
    """After N heads maximum likelihood finds a tail impossible; a uniform prior gives it 1 / (N + 2).

    And the price: a prior that excludes coins above one half never predicts a head with more than one half.
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
