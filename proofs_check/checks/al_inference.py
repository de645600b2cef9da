"""[AL] 1.1.1-1.1.5: Bayesian prediction, point estimates, and their rewriting as losses."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference import laws, losses
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, at_rate, check
from ..strategies import arrays, hundredths, values
from ..strategies import laws as law_tables
from .brute import like


class Models(NamedTuple):
    """A grid of models of values in {0, 1, 2}, a prior over them, and data."""

    prior: Any  # (M,)
    tables: Any  # (M, 3)
    x: Any  # (N,) integers


models = st.integers(1, 3).flatmap(
    lambda m: st.builds(
        Models,
        law_tables(m),
        st.lists(law_tables(3, zeros=False), min_size=m, max_size=m).map(np.array),
        values(3, most=3),
    )
)


def log_likelihoods(impl: Implementation, case: Models) -> Any:
    """Return log P(D | M) of each model."""
    nll = [float(impl.negative_log_likelihood(case.tables[m, :], case.x)) for m in range(case.prior.shape[0])]
    return like(-np.array(nll), case.prior)


def by_hand(case: Models) -> tuple[Any, Any]:
    """Return the prior and prod_n P(x_n | M) of each model, multiplied out."""
    tables, x = to_numpy(case.tables).astype(float), to_numpy(case.x)
    return to_numpy(case.prior).astype(float), np.array([math.prod(table[k] for k in x) for table in tables])


repeated_once = {
    "negative_log_likelihood": lambda law, x: laws.negative_log_likelihood(
        law, array_namespace(x).unique_values(x)
    )
}


@check(
    "AL.eq1.1",
    of=(laws,),
    cases=models,
    evidence=EXACTLY,
    mutants={
        "averaged over the prior": {"posterior": lambda prior, log_lik: prior},
        "the best model alone": {
            "predictive": lambda weights, tables: tables[int(np.argmax(to_numpy(weights))), :]
        },
        "repeated points count once": repeated_once,
    },
)
def prediction_averages_over_models(impl: Implementation, case: Models) -> None:
    """P(X | D) = sum_M P(X | M) P(M | D), against the joint table, with X independent of D given M.

    Models are a finite grid here.  Where X depends on D given M, as in X = x_1, the formula does not hold.
    """
    weights = impl.posterior(case.prior, log_likelihoods(impl, case))
    prior, data = by_hand(case)
    joint = (prior * data)[:, None] * to_numpy(case.tables)  # P(M, D = the data, X)
    agree(impl.predictive(weights, case.tables), joint.sum(axis=0) / joint.sum(), "P(X | D)")


@check(
    "AL.eq1.2",
    of=(laws,),
    cases=models,
    evidence=EXACTLY,
    mutants={
        "repeated points count once": {
            "likelihood": lambda law, x: laws.likelihood(law, array_namespace(x).unique_values(x))
        },
        "a mean in place of the product": {
            "likelihood": lambda law, x: array_namespace(law).mean(array_namespace(law).take(law, x))
        },
    },
)
def iid_data_factorise(impl: Implementation, case: Models) -> None:
    """P(D | M) = prod_n P(x_n | M): an entry of the product law; over all data sets the sum is 1."""
    N = case.x.shape[0]
    for m in range(case.prior.shape[0]):
        table = case.tables[m, :]
        joint = to_numpy(impl.product_law(*[table] * N))
        agree(impl.likelihood(table, case.x), joint[tuple(to_numpy(case.x))], "P(D | M)")
        total = sum(float(impl.likelihood(table, like_data(x, case.x))) for x in product(range(3), repeat=N))
        agree(total, 1.0, "sum over all data sets")


def like_data(x: Any, data: Any) -> Any:
    """Return integers as data of the backend of ``data``."""
    return array_namespace(data).asarray(np.array(x, dtype=np.int64))


def coin_grid() -> tuple[Any, Any]:
    """Return a uniform prior over the bias of a coin: Gauss-Legendre weights and nodes, to degree 47."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    return weights / weights.sum(), (nodes + 1) / 2


class Tosses(NamedTuple):
    """How often a coin was tossed, and how often it showed one."""

    tosses: int
    ones: int


@check(
    "AL.eq1.3",
    of=(laws,),
    cases=st.integers(1, 40).flatmap(lambda n: st.builds(Tosses, st.just(n), st.integers(0, n))),
    evidence=at_rate("1/N in total variation"),
    examples=60,
    mutants={
        "the fit of a mirrored coin": {
            "empirical_law": lambda x, like: laws.empirical_law(x, like=like)[::-1]
        },
        "the fit of the first half of the data": {
            "empirical_law": lambda x, like: laws.empirical_law(x[: (len(x) + 1) // 2], like=like)
        },
        "averaged over the prior": {"posterior": lambda prior, log_lik: prior},
    },
)
def point_estimate_approximates_the_prediction(impl: Implementation, case: Tosses) -> None:
    """P(X | D) ~ P(X | MLE): for a coin and a uniform prior they differ by |N - 2k| / (N (N + 2)) < 1/N.

    The text claims no rate, and an approximation in general; only this family is covered.
    """
    N, k = case
    prior, coins = coin_grid()
    weights = impl.posterior(prior, k * np.log(coins) + (N - k) * np.log1p(-coins))
    exact = impl.predictive(weights, np.stack([1 - coins, coins], axis=1))
    fitted = impl.empirical_law(np.array([1] * k + [0] * (N - k)), like=np.zeros(2))
    apart = float(np.abs(exact - fitted).sum() / 2)
    agree(apart, abs(N - 2 * k) / (N * (N + 2)), "total variation", atol=1e-10)
    at_most(apart, 1 / N, "total variation, against 1/N")


@check(
    "AL.eq1.4",
    of=(laws,),
    cases=models,
    evidence=DEFINITION,
    mutants={
        "smoothed frequencies": {
            "empirical_law": lambda x, like: (
                (laws.empirical_law(x, like=like) * x.shape[0] + 1) / (x.shape[0] + like.shape[0])
            )
        },
        "repeated points count once": {
            "empirical_law": lambda x, like: laws.empirical_law(
                array_namespace(x).unique_values(x), like=like
            )
        },
    },
)
def frequencies_maximise_the_likelihood(impl: Implementation, case: Models) -> None:
    """M_MLE = argmax P(D | M): among all laws on the alphabet it is the relative frequencies."""
    fitted = impl.empirical_law(case.x, like=case.tables[0, :])
    share = np.bincount(to_numpy(case.x), minlength=3) / case.x.shape[0]
    agree(fitted, share, "relative frequencies")
    best = impl.likelihood(fitted, case.x)
    for m, p in enumerate(by_hand(case)[1]):
        at_most(p, best, "P(D | another law), against the maximum", slack=1e-9)
        agree(impl.likelihood(case.tables[m, :], case.x), p, "P(D | M)")


@check(
    "AL.eq1.5",
    of=(laws,),
    cases=models,
    evidence=DEFINITION,
    mutants={
        "the prior is forgotten": {
            "posterior": lambda prior, log_lik: laws.posterior(0 * prior + 1 / prior.shape[0], log_lik)
        },
        "the likelihood is forgotten": {"posterior": lambda prior, log_lik: prior},
    },
    examples=60,
)
def map_maximises_likelihood_times_prior(impl: Implementation, case: Models) -> None:
    """M_MAP = argmax P(D | M) P(M): where the posterior is largest, that product is."""
    prior, data = by_hand(case)
    chosen = int(np.argmax(to_numpy(impl.posterior(case.prior, log_likelihoods(impl, case)))))
    agree((prior * data)[chosen], (prior * data).max(), "P(D | M) P(M) at the MAP estimate", rtol=1e-9)


class Regression(NamedTuple):
    """Inputs, outputs, weights and a penalty."""

    x: Any  # (N, d)
    y: Any  # (N,)
    w: Any  # (d,)
    u: Any  # (d,)
    penalty: float


regressions = st.tuples(st.integers(1, 4), st.integers(1, 2)).flatmap(
    lambda nd: st.builds(
        Regression,
        arrays(nd, hundredths(-2, 2)),
        arrays((nd[0],), hundredths(-2, 2)),
        arrays((nd[1],), hundredths(-2, 2)),
        arrays((nd[1],), hundredths(-2, 2)),
        st.sampled_from((1.0, 0.5, 3.0)),
    )
)


def log_normal(x: Any, mean: Any, variance: float) -> Any:
    """Return the log-density of a normal, entry by entry."""
    return -((x - mean) ** 2) / (2 * variance) - math.log(2 * math.pi * variance) / 2


@check(
    "AL.ch1.map-loss",
    "AL.eq1.6",
    of=(losses,),
    cases=regressions,
    evidence=EXACTLY,
    mutants={
        "a mean of the losses": {
            "ridge_loss": lambda w, x, y, penalty: (
                losses.ridge_loss(w, x, y, penalty=penalty * x.shape[0]) / x.shape[0] + (w @ w)
            )
        },
        "the prior's variance for its precision": {
            "ridge_loss": lambda w, x, y, penalty: losses.ridge_loss(w, x, y, penalty=2 / penalty)
        },
        "no regulariser": {
            "training_loss": lambda terms, regulariser: losses.training_loss(terms, 0 * regulariser)
        },
    },
)
def map_is_minimising_a_regularised_loss(impl: Implementation, case: Regression) -> None:
    """sum log p(x_n | theta) + log p(theta) = -[sum loss + R] + a constant: the same argmax and argmin.

    L(theta) = sum_n loss_n + R(theta) for ridge regression, Gaussian noise and a Gaussian prior; a sum, where
    (1.8) is a mean.
    """
    x, y, w, u = (to_numpy(a).astype(float) for a in case[:4])

    def log_posterior(theta: Any) -> float:
        prior = log_normal(theta, 0.0, 1 / case.penalty).sum()
        return float(log_normal(y, x @ theta, 1.0).sum() + prior)

    lossy = [
        float(impl.ridge_loss(theta, case.x, case.y, penalty=case.penalty)) for theta in (case.w, case.u)
    ]
    agree(lossy[0] - lossy[1], log_posterior(u) - log_posterior(w), "difference of the losses", atol=1e-9)
    terms, regulariser = -log_normal(y, x @ w, 1.0), -log_normal(w, 0.0, 1 / case.penalty).sum()
    total = impl.training_loss(like(terms, case.x), like(regulariser, case.x))
    agree(total, -log_posterior(w), "sum of the losses and R", atol=1e-9)
    best = np.linalg.solve(x.T @ x + case.penalty * np.eye(len(w)), x.T @ y)
    at_most(log_posterior(w), log_posterior(best), "log posterior, against its maximum", slack=1e-9)
    lowest = impl.ridge_loss(like(best, case.x), case.x, case.y, penalty=case.penalty)
    at_most(lowest, lossy[0], "loss at the MAP estimate, against the loss elsewhere", slack=1e-9)
