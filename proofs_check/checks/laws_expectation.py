"""Finite laws: expectation, variance, Jensen's inequality and the Monte Carlo estimate."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...reference import laws
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..oracle import laws as oracle
from ..oracle.boltzmann import like
from ..strategies import arrays, functions, hundredths
from ..strategies import laws as law_tables


class Weighted(NamedTuple):
    """A law, two functions on its alphabet and a number."""

    law: Any
    f: Any
    g: Any
    c: float


@check(
    "SH.eq2.2",
    of=laws,
    cases=st.integers(1, 4).flatmap(
        lambda n: st.builds(Weighted, law_tables(n), functions(n), functions(n), hundredths(-2, 2))
    ),
    evidence=DEFINITION,
    rejects=("unweighted-mean", "averaged-over-the-values"),
)
def expectation_is_the_weighted_sum(impl: Implementation, case: Weighted, plain: Weighted) -> None:
    """E_p[f] = sum_x p(x) f(x), term by term; it is linear in f and E_p[1] = 1."""
    f, g = oracle.mean(plain.law, plain.f), oracle.mean(plain.law, plain.g)
    agree(impl.expectation(case.law, case.f), f, "E[f]")
    both = impl.expectation(case.law, case.f + case.c * case.g)
    agree(both, f + case.c * g, "E[f + c g]")
    agree(impl.expectation(case.law, 0 * case.f + 1), 1.0, "E[1]")


class Concave(NamedTuple):
    """A law over points x of R^d, and the concave function min_k (slope_k . x + offset_k)."""

    law: Any  # (n,)
    x: Any  # (d, n)
    slopes: Any  # (k, d)
    offsets: Any  # (k,)


concave = st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(1, 3)).flatmap(
    lambda ndk: st.builds(
        Concave, law_tables(ndk[0]), functions(ndk[1], ndk[0]), functions(ndk[2], ndk[1]), functions(ndk[2])
    )
)


@check(
    "SH.sec2.3f",
    of=laws,
    cases=concave,
    evidence=EXACTLY,
    rejects=("unweighted-sum", "largest-for-mean", "unweighted-mean"),
)
def jensen(impl: Implementation, case: Concave, plain: Concave) -> None:
    """E[f(x)] <= f(E[x]) for concave f on R^d, with equality for one affine f.

    On finitely many points and their mean a concave function lies below its tangent at the mean, and is the
    least of its tangents: minima of affine functions are the general case.  The logarithm and the root beside
    them are concave on the positive numbers alone.
    """
    p, n = plain.law, len(plain.law)
    centre = np.array([oracle.mean(p, row) for row in plain.x])
    for i, row in enumerate(centre):
        agree(impl.expectation(case.law, case.x[i, :]), row, f"E[x{i}]")

    def lowest(x: Any) -> Any:
        return np.min(plain.slopes @ x + plain.offsets[:, None], axis=0)

    positive = plain.x[:1] - plain.x[0].min() + 1
    for name, f, x, mean in (
        ("a minimum of planes", lowest, plain.x, centre),
        ("the logarithm", lambda x: np.log(x[0]), positive, centre[:1] - plain.x[0].min() + 1),
        ("the root", lambda x: np.sqrt(x[0]), positive, centre[:1] - plain.x[0].min() + 1),
    ):
        average = impl.expectation(case.law, like(f(x), case.law))
        agree(average, oracle.mean(p, f(x)), f"E[f(x)] for {name}")
        at_most(average, f(mean[:, None])[0], f"E[f(x)] for {name}, against f(E[x])")
        if n == 1 or (f is lowest and len(plain.offsets) == 1):
            agree(average, f(mean[:, None])[0], f"E[f(x)] where {name} is affine")


class Sampled(NamedTuple):
    """Rows of laws and functions, and how many samples are drawn."""

    law: Any  # (1, X)
    f: Any  # (1, X)
    samples: int


sampled = st.integers(1, 3).flatmap(
    lambda n: st.builds(
        lambda p, f, k: Sampled(p[None], f[None], k), law_tables(n), functions(n), st.integers(1, 4)
    )
)


@check(
    "SH.eq2.3",
    "SH.sec2.4a",
    of=laws,
    cases=sampled,
    evidence=EXACTLY,
    rejects=("sample-variance-divisor", "drawn-uniformly", "one-sample-reused"),
)
def monte_carlo_is_unbiased(impl: Implementation, case: Sampled, plain: Sampled) -> None:
    """The mean of f over N samples has expectation E_p[f] and variance var(f) / N, over all N-tuples."""
    both = ("SH.eq2.3", "SH.sec2.4a")
    outcomes = impl.law("monte_carlo", rows=(case.law, case.f), samples=case.samples)
    target = oracle.mean(plain.law, plain.f)
    agree(outcomes.mean()[0], target, "mean of the estimate", of=both)
    spread = outcomes.mean(lambda estimate: (estimate - target) ** 2)[0]
    expected = oracle.variance(plain.law, plain.f) / case.samples
    agree(spread, expected, "variance of the estimate", of=both)


@check(
    "SH.sec2.3g",
    of=laws,
    cases=st.integers(1, 4).flatmap(lambda n: st.tuples(law_tables(n), functions(n))),
    evidence=DEFINITION,
    rejects=("second-moment", "standard-deviation", "unweighted-mean"),
)
def variance_is_second_moment_minus_squared_mean(
    impl: Implementation, case: tuple[Any, Any], plain: tuple[Any, Any]
) -> None:
    """var(f) = E[f^2] - E[f]^2, with both moments summed here."""
    agree(impl.variance(*case), oracle.variance(*plain), "variance")


class Estimator(NamedTuple):
    """The law of an estimator and its values."""

    law: Any
    values: Any


Estimators = tuple[Estimator, Estimator, float]


def _near(estimator: Estimator, radius: float) -> float:
    """Return the probability that an estimator is within ``radius`` of its mean."""
    away = np.abs(estimator.values - oracle.mean(*estimator))
    return math.fsum(estimator.law[away < radius - oracle.DISTINCT])


def lower_variance_is_closer(impl: Implementation, case: Estimators, plain: Estimators) -> None:
    """As printed: the lower the variance, the higher the probability to be close to the mean."""
    one, other, radius = plain
    if oracle.variance(*one) < oracle.variance(*other) - oracle.DISTINCT:
        what = f"P(within {radius} of the mean), for the lower of two variances"
        at_most(_near(other, radius), _near(one, radius), what)


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
    of=laws,
    cases=st.tuples(estimators, estimators, st.sampled_from((1.0, 0.5, 1.5, 2.0))),
    evidence=EXACTLY,
    examples=50,
    rejects=("standard-deviation", "variance-halved", "drawn-uniformly", "sample-variance-divisor"),
    printed=lower_variance_is_closer,
    correction="variance bounds the probability of being far, it does not order it: "
    "P(|X - EX| >= r) <= var(X) / r^2 (Chebyshev), and no bound in the variance is better",
)
def chebyshev(impl: Implementation, case: Estimators, plain: Estimators) -> None:
    """E^[f] is unbiased, and P(|X - EX| >= r) <= var(X) / r^2, with equality at -r, 0 and r.

    Its equality case: mass var / (2 r^2) on each of -r and r, the rest on 0.
    """
    r = plain[2]
    for estimator, hand in zip(case[:2], plain[:2], strict=True):
        rows = tuple(field[None, :] for field in estimator)
        outcomes = impl.law("monte_carlo", rows=rows, samples=2)
        agree(outcomes.mean()[0], oracle.mean(*hand), "mean of the estimator")
        variance = impl.variance(*estimator)
        agree(variance, oracle.variance(*hand), "variance")
        at_most(1 - _near(hand, r), float(variance) / r**2, "P(far from the mean)", slack=1e-9)
        share = min(oracle.variance(*hand) / r**2, 1.0)
        extreme = like(np.array([share / 2, 1 - share, share / 2]), estimator.law)
        at_bound = impl.variance(extreme, like(np.array([-r, 0.0, r]), estimator.law)) / r**2
        agree(at_bound, share, "the bound where it is attained, P(|X| >= r)")
