"""Finite laws: independent data and their likelihood, prediction, and inference by point estimates."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference import laws
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, at_rate, check, ensure
from ..oracle import laws as oracle
from ..oracle.boltzmann import like
from ..strategies import Data, data_sets, joint_laws, values
from ..strategies import laws as law_tables

# --- independent data -------------------------------------------------------------------------------------


def exclusive_or(bias: float) -> Any:
    """Return the joint of two fair coins and their sum modulo two, mixed with the uniform law."""
    table = np.zeros((2, 2, 2))
    for a, b in product(range(2), range(2)):
        table[a, b, a ^ b] = 0.25
    return (1 - bias) * table + bias / 8


@check(
    "SH.sec2.3m",
    of=laws,
    cases=law_tables(2) | joint_laws(2, 2, 2) | st.sampled_from((0.0, 0.5)).map(exclusive_or),
    evidence=DEFINITION,
    examples=40,
    rejects=("independent-in-pairs", "one-draw-copied"),
)
def independent_and_identical(impl: Implementation, case: Any, plain: Any) -> None:
    """Copies of one law have equal marginals and independent events; dependent triples are told apart.

    An event of one variable is independent of any intersection of events of the others: all 4^3 choices here.
    The exclusive or of two coins is independent in pairs, but not so.
    """
    joint, table = case, plain
    if case.ndim == 1:
        joint = impl.product_law(case, case, case)
        table = to_numpy(joint).astype(float)
        for i in range(3):
            agree(oracle.margin(table, (i,)), plain, f"marginal of copy {i}")
        ensure(oracle.factorises(table, oracle.DISTINCT), "independence of all events of the copies")
    expected, said = (
        oracle.factorises(table, oracle.DISTINCT),
        impl.is_independent(joint, tolerance=oracle.DISTINCT),
    )
    ensure(said == expected, "independence", expected=expected, actual=said)


@check(
    "SH.sec2.3n",
    "SH.eq2.4",
    of=laws,
    cases=data_sets(zeros=True),
    evidence=EXACTLY,
    rejects=("nll-mean-for-sum", "data-as-a-set", "nll-of-wrong-sign", "mean-for-product"),
)
def log_of_the_product_is_the_sum_of_logs(impl: Implementation, case: Data, plain: Data) -> None:
    """-log p(D) = -log prod p(x) = -sum log p(x).  D is a multiset: a repeated point counts each time."""
    probability = oracle.probability(plain.law, plain.x)
    agree(impl.likelihood(*case), probability, "p(D)", of="SH.eq2.4")
    ell = impl.negative_log_likelihood(*case)
    agree(ell, oracle.minus_log(probability), "-log p(D)", of="SH.sec2.3n")
    terms = [oracle.minus_log(plain.law[k]) for k in plain.x]
    agree(ell, math.fsum(terms), "-sum log p(x)", of="SH.eq2.4")


@check(
    "AL.eq1.2",
    of=laws,
    cases=st.tuples(law_tables(3), st.integers(1, 3))
    | st.tuples(joint_laws(2, 2, 2) | st.sampled_from((0.0, 0.5)).map(exclusive_or), st.just(3)),
    evidence=EXACTLY,
    examples=40,
    rejects=("data-as-a-set", "mean-for-product", "one-draw-copied", "always-independent"),
)
def iid_data_factorise(impl: Implementation, case: tuple[Any, int], plain: tuple[Any, int]) -> None:
    """P(D | M) = prod_n P(x_n | M) for all D where the points are IID given M, and not for all elsewhere."""
    (law, N), table = case, plain[0]
    joint = impl.product_law(*[law] * N) if law.ndim == 1 else law
    full = to_numpy(joint).astype(float)
    margins = [oracle.margin(full, (n,)) for n in range(N)]
    identical = all(oracle.total_variation(m, margins[0]) <= oracle.DISTINCT for m in margins)
    iid = identical and impl.is_independent(joint, tolerance=oracle.DISTINCT)
    one = like(table if law.ndim == 1 else margins[0], law)
    xp, apart = array_namespace(law), 0.0
    for x in product(*map(range, full.shape)):
        found = float(impl.likelihood(one, xp.asarray(np.array(x, dtype=np.int64))))
        if law.ndim == 1 or iid:
            agree(found, float(full[x]), f"P(D | M) of D = {x}")
        apart = max(apart, abs(found - float(full[x])))
    ensure(iid == (apart <= oracle.DISTINCT), "P(D | M) = prod P(x_n | M) for all D where the points are IID")


# --- prediction and point estimates -----------------------------------------------------------------------


class Models(NamedTuple):
    """A grid of models of values in {0, 1, 2}, a prior over them, and data."""

    prior: Any  # (M,)
    tables: Any  # (M, 3)
    x: Any  # (N,) integers


def _joint(case: Models) -> Any:
    """Return P(M) prod_n P(x_n | M) of each model, multiplied out."""
    return case.prior * np.array([oracle.probability(table, case.x) for table in case.tables])


models = (
    st.integers(1, 3)
    .flatmap(
        lambda m: st.builds(
            Models,
            law_tables(m),
            st.lists(law_tables(3), min_size=m, max_size=m).map(np.array),
            values(3, most=3),
        )
    )
    .filter(lambda case: _joint(case).any())  # data that are observed have a positive probability
)


def _posterior(impl: Implementation, case: Models) -> Any:
    nll = [float(impl.negative_log_likelihood(case.tables[m, :], case.x)) for m in range(case.prior.shape[0])]
    return impl.posterior(case.prior, like(-np.array(nll), case.prior))


@check(
    "AL.eq1.1",
    of=laws,
    cases=models,
    evidence=EXACTLY,
    rejects=("data-forgotten", "best-model-alone", "data-as-a-set"),
)
def prediction_averages_over_models(impl: Implementation, case: Models, plain: Models) -> None:
    """P(X | D) = sum_M P(X | M) P(M | D), against the joint table, with X independent of D given M.

    That independence, and P(D) > 0, are conditions which the text states.
    """
    joint = _joint(plain)[:, None] * plain.tables  # P(M, D = the data, X)
    expected = joint.sum(axis=0) / joint.sum()
    agree(impl.predictive(_posterior(impl, case), case.tables), expected, "P(X | D)")


class Tosses(NamedTuple):
    """How often a coin was tossed, how often it showed one, and a Beta prior of its bias."""

    tosses: int
    ones: int
    a: int
    b: int


tosses = st.integers(1, 40).flatmap(
    lambda n: st.builds(Tosses, st.just(n), st.integers(0, n), st.integers(1, 3), st.integers(1, 3))
)


@check(
    "AL.eq1.1",
    "AL.eq1.3",
    of=laws,
    cases=tosses,
    evidence=at_rate("1/N in total variation"),
    examples=60,
    rejects=("values-mirrored", "first-half-of-the-data", "data-forgotten"),
    uncovered={
        "AL.eq1.3": "families other than coins with a Beta prior, and that it is good enough in practice"
    },
)
def point_estimate_approximates_the_prediction(impl: Implementation, case: Tosses) -> None:
    """For a coin and a Beta(a, b) prior, integrated over its bias, P(X = 1 | D) is (k + a) / (N + a + b).

    From the maximum-likelihood estimate k / N it is less than (a + b) / N away.  The prior is a density on
    [0, 1]: Gauss-Legendre nodes integrate its products with likelihoods, polynomials, exactly.
    """
    N, k, a, b = case
    nodes, weights = np.polynomial.legendre.leggauss(24)
    coins = (nodes + 1) / 2
    prior = weights * coins ** (a - 1) * (1 - coins) ** (b - 1)
    posterior = impl.posterior(prior / prior.sum(), k * np.log(coins) + (N - k) * np.log1p(-coins))
    exact = to_numpy(impl.predictive(posterior, np.stack([1 - coins, coins], axis=1)))
    agree(exact[1], (k + a) / (N + a + b), "P(X = 1 | D)", of="AL.eq1.1")
    fitted = to_numpy(impl.empirical_law(np.array([1] * k + [0] * (N - k)), like=np.zeros(2)))
    apart = float(np.abs(exact - fitted).sum() / 2)
    agree(apart, abs(N * a - k * (a + b)) / (N * (N + a + b)), "distance", of="AL.eq1.3")
    at_most(apart, (a + b) / N, "total variation, against (a + b) / N", of="AL.eq1.3")


@check(
    "AL.eq1.4",
    of=laws,
    cases=models,
    evidence=DEFINITION,
    rejects=("smoothed-frequencies", "data-as-a-set", "drawn-to-the-middle", "nll-mean-for-sum"),
)
def frequencies_maximise_the_likelihood(impl: Implementation, case: Models, plain: Models) -> None:
    """M_MLE = argmax P(D | M): among all laws on the alphabet it is the relative frequencies.

    Any other law M falls short by exactly N KL(frequencies || M) in log P(D | M).
    """
    N = len(plain.x)
    fitted, share = impl.empirical_law(case.x, like=case.tables[0, :]), np.bincount(plain.x, minlength=3) / N
    agree(fitted, share, "relative frequencies")
    best = float(impl.negative_log_likelihood(fitted, case.x))
    for m, table in enumerate(plain.tables):
        short = float(impl.negative_log_likelihood(case.tables[m, :], case.x)) - best
        agree(short, N * oracle.kl(share, table), "log P(D | M_MLE) - log P(D | M)")
        at_most(0.0, short, "zero, against log P(D | M_MLE) - log P(D | M)")


@check(
    "AL.eq1.5",
    of=laws,
    cases=models,
    evidence=DEFINITION,
    rejects=("prior-forgotten", "data-forgotten"),
    examples=60,
)
def map_maximises_likelihood_times_prior(impl: Implementation, case: Models, plain: Models) -> None:
    """M_MAP = argmax P(D | M) P(M): where the posterior is largest, that product is."""
    joint, posterior = _joint(plain), to_numpy(_posterior(impl, case))
    agree(joint[int(np.argmax(posterior))], joint.max(), "P(D | M) P(M) at the MAP estimate")
