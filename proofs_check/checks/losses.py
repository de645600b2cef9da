"""Losses: regularised ones as posteriors, the risk, its estimate, and why its minimum is optimistic."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference import laws, losses
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..oracle import laws as oracle
from ..oracle.boltzmann import like
from ..strategies import functions, hundredths
from ..strategies import laws as law_tables
from ..strategies.losses import Regression, regressions

# --- the loss of a training set ---------------------------------------------------------------------------


class Posterior(NamedTuple):
    """The log-likelihood of each point under each parameter, and the log-prior of each."""

    log_likelihood: Any  # (P, N)
    log_prior: Any  # (P,)


posteriors = st.tuples(st.integers(1, 4), st.integers(1, 3)).flatmap(
    lambda pn: st.builds(Posterior, functions(*pn), functions(pn[0]))
)


@check(
    "AL.ch1.map-loss",
    "AL.eq1.6",
    of=losses,
    cases=posteriors,
    evidence=EXACTLY,
    rejects=("training-loss-averaged", "regulariser-missing"),
)
def map_is_minimising_a_regularised_loss(impl: Implementation, case: Posterior, plain: Posterior) -> None:
    """L = sum loss_n + R; with loss = -log p and R = -log p(theta) its argmin is the posterior's argmax.

    On any grid of parameters, whatever the likelihoods and the prior.
    """
    L = to_numpy(impl.training_loss(-case.log_likelihood, -case.log_prior)).astype(float)
    rows = zip(plain.log_likelihood, plain.log_prior, strict=True)
    log_posterior = np.array([math.fsum([*row, prior]) for row, prior in rows])
    agree(L, -log_posterior, "sum of the losses and R", of="AL.eq1.6")
    agree(
        log_posterior[np.argmin(L)], log_posterior.max(), "log posterior at the argmin", of="AL.ch1.map-loss"
    )


@check(
    "AL.ch1.map-loss",
    "AL.eq1.6",
    of=losses,
    cases=regressions,
    evidence=EXACTLY,
    rejects=("training-loss-averaged", "regulariser-missing", "variance-for-precision"),
)
def ridge_regression_is_a_map_estimate(impl: Implementation, case: Regression, plain: Regression) -> None:
    """For Gaussian noise and a Gaussian prior it is ridge regression, a sum of losses where (1.8) is a mean.

    Its loss is minus the log posterior up to a constant; from its minimum w* it rises by
    (w - w*)^T H (w - w*) / 2 with H = X^T X + penalty I, so there is no other.
    """
    x, y, w, u, penalty = plain

    def minus_log_posterior(theta: Any) -> float:
        errors = [(b - a @ theta) ** 2 / 2 for a, b in zip(x, y, strict=True)]
        return math.fsum([*errors, penalty * theta @ theta / 2])

    at_w, at_u = (
        float(impl.ridge_loss(theta, case.x, case.y, penalty=penalty)) for theta in (case.w, case.u)
    )
    difference = minus_log_posterior(w) - minus_log_posterior(u)
    agree(at_w - at_u, difference, "difference of the losses", of="AL.eq1.6")
    H = x.T @ x + penalty * np.eye(len(w))
    best = np.linalg.solve(H, x.T @ y)
    lowest = float(impl.ridge_loss(like(best, case.x), case.x, case.y, penalty=penalty))
    rise = (w - best) @ H @ (w - best) / 2
    agree(at_w - lowest, rise, "loss above that of the MAP estimate", of="AL.ch1.map-loss")


# --- the risk ---------------------------------------------------------------------------------------------


class Learning(NamedTuple):
    """A law of the points (x, y), the loss of each parameter at each, and the size of the training set."""

    law: Any  # (X,)
    loss: Any  # (P, X)
    N: int


learning = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda xp: st.builds(Learning, law_tables(xp[0]), functions(xp[1], xp[0]), st.integers(1, 3))
)


def _risk(plain: Learning) -> Any:
    """Return the risk of each parameter, (P,)."""
    return np.array([oracle.mean(plain.law, row) for row in plain.loss])


def _training_sets(impl: Implementation, case: Learning, plain: Learning) -> tuple[Any, Any]:
    """Return the probability of each training set of N points, and its empirical risks (sets, P)."""
    sets = [list(points) for points in product(range(len(plain.law)), repeat=case.N)]
    risks = [to_numpy(impl.empirical_risk(like(plain.loss[:, points], case.law))) for points in sets]
    return np.array([oracle.probability(plain.law, points) for points in sets]), np.array(risks).astype(float)


@check(
    "AL.eq1.7",
    of=laws,
    cases=learning,
    evidence=DEFINITION,
    rejects=("laws:unweighted-mean", "laws:largest-for-mean"),
)
def risk_is_the_expected_loss(impl: Implementation, case: Learning, plain: Learning) -> None:
    """L(theta) = E_(x,y)[loss], summed over a finite law of the points."""
    for p, risk in enumerate(_risk(plain)):
        agree(impl.expectation(case.law, case.loss[p, :]), risk, "risk")


@check(
    "AL.eq1.8",
    of=losses,
    cases=st.integers(1, 4).flatmap(lambda n: functions(2, n)),
    evidence=DEFINITION,
    rejects=("risk-summed", "risk-over-parameters"),
)
def empirical_risk_is_a_mean(impl: Implementation, loss: Any, plain: Any) -> None:
    """L_train = (1/|D|) sum loss over the training set, row by row."""
    expected = np.array([math.fsum(row) / len(row) for row in plain])
    agree(impl.empirical_risk(loss), expected, "empirical risk")


@check(
    "AL.eq1.9",
    of=losses,
    cases=learning,
    evidence=EXACTLY,
    rejects=("risk-divided-by-n-minus-1", "smallest-loss"),
)
def empirical_risk_is_unbiased(impl: Implementation, case: Learning, plain: Learning) -> None:
    """E_D[L_train(theta)] = L(theta) for each theta fixed before the data, over all training sets."""
    probabilities, risks = _training_sets(impl, case, plain)
    agree(probabilities @ risks, _risk(plain), "expected empirical risk")


class Mixture(NamedTuple):
    """Two functions of theta and the weight of the first."""

    f: Any  # (P,)
    g: Any  # (P,)
    alpha: float


def mixtures(weights: Any) -> Any:
    """Two functions of up to four parameters, and a weight from ``weights``."""
    return st.integers(1, 4).flatmap(lambda n: st.builds(Mixture, functions(n), functions(n), weights))


def minimum_of_any_combination(impl: Implementation, case: Mixture, plain: Mixture) -> None:
    """As printed, of any "linear combination", in which alpha is any number."""
    f, g, alpha = plain
    left, right = alpha * f.min() + (1 - alpha) * g.min(), (alpha * f + (1 - alpha) * g).min()
    at_most(left, right, "alpha min f + (1 - alpha) min g")


@check(
    "AL.eq1.10",
    of=laws,
    cases=mixtures(hundredths(0, 1)),
    evidence=EXACTLY,
    rejects=("laws:unweighted-sum", "laws:smallest-for-mean"),
    printed=minimum_of_any_combination,
    assuming="0 <= alpha <= 1: the combination is convex, a mean over the two functions",
    without=mixtures(hundredths(-2, -0.01) | hundredths(1.01, 3)),
)
def minimum_is_concave(impl: Implementation, case: Mixture, plain: Mixture) -> None:
    """alpha min f + (1 - alpha) min g <= min [alpha f + (1 - alpha) g], with equality at a common argmin.

    The difference is the least, over theta, of the means of how far f and g are above their minima.
    """
    xp, (f, g, alpha) = array_namespace(case.f), plain
    law = xp.stack([0 * case.f[0] + alpha, 0 * case.f[0] + (1 - alpha)])
    pairs = xp.stack([case.f, case.g])
    means = np.array([float(impl.expectation(law, pairs[:, p])) for p in range(len(f))])
    left, excess = (
        alpha * f.min() + (1 - alpha) * g.min(),
        alpha * (f - f.min()) + (1 - alpha) * (g - g.min()),
    )
    at_most(left, means.min(), "alpha min f + (1 - alpha) min g")
    agree(means.min() - left, excess.min(), "difference of the two sides")


@check(
    "AL.eq1.11",
    of=laws,
    cases=learning,
    evidence=EXACTLY,
    rejects=("laws:unweighted-mean", "laws:largest-for-mean"),
)
def expected_minimum_is_below_the_minimum(impl: Implementation, case: Learning, plain: Learning) -> None:
    """E_X[min_theta f] <= min_theta E_X[f], with equality where one theta is best for every x."""
    xp = array_namespace(case.law)
    averages = [float(impl.expectation(case.law, case.loss[p, :])) for p in range(len(plain.loss))]
    agree(min(averages), _risk(plain).min(), "min E[f]")
    lowest = float(impl.expectation(case.law, xp.min(case.loss, axis=0)))
    agree(lowest, oracle.mean(plain.law, plain.loss.min(axis=0)), "E[min f]")
    at_most(lowest, min(averages), "E[min f], against min E[f]")
    if bool((plain.loss == plain.loss.min(axis=0)).all(axis=1).any()):
        agree(lowest, min(averages), "E[min f], where one theta is best for every x")


@check(
    "AL.eq1.12",
    of=losses,
    cases=learning,
    evidence=EXACTLY,
    rejects=("risk-summed", "largest-loss"),
)
def the_minimum_of_the_training_loss_is_optimistic(
    impl: Implementation, case: Learning, plain: Learning
) -> None:
    """E_D[min L_train] <= min E_D[L_train] = min L, over all training sets; the gap is over-fitting."""
    probabilities, risks = _training_sets(impl, case, plain)
    optimistic, lowest = float(probabilities @ risks.min(axis=1)), float((probabilities @ risks).min())
    at_most(optimistic, lowest, "E[min L_train]")
    agree(lowest, _risk(plain).min(), "min E[L_train], against min L")
    by_hand = math.fsum(
        oracle.probability(plain.law, points) * plain.loss[:, list(points)].mean(axis=1).min()
        for points in product(range(len(plain.law)), repeat=case.N)
    )
    agree(optimistic, by_hand, "E[min L_train], over all data sets")
