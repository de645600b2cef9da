"""[AL] 1.1.6: the risk, its estimate, and why its minimum over the training set is optimistic."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import expect
from ...reference import laws, losses
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..strategies import functions, hundredths
from ..strategies import laws as law_tables


class Learning(NamedTuple):
    """A law of the points (x, y), the loss of each parameter at each, and the size of the training set."""

    law: Any  # (X,)
    loss: Any  # (P, X)
    N: int


learning = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda xp: st.builds(Learning, law_tables(xp[0]), functions(xp[1], xp[0]), st.integers(1, 3))
)


def all_training_sets(impl: Implementation, case: Learning) -> Any:
    """Return every outcome of the empirical risks (P,) of all parameters on a training set of N points."""

    def risks(law: Any, rng: Any) -> Any:
        xp = array_namespace(law)
        points = laws.draw(law, samples=case.N, rng=rng)
        rows = [xp.broadcast_to(case.loss[p, :][None, :], law.shape) for p in range(case.loss.shape[0])]
        return xp.stack([impl.empirical_risk(laws.gather(row, points)) for row in rows], axis=1)

    return expect(risks, case.law[None, :])


@check(
    "AL.eq1.7",
    of=(laws,),
    cases=learning,
    evidence=DEFINITION,
    mutants={
        "every point as likely as any": {"expectation": lambda law, f: array_namespace(f).mean(f)},
        "the worst point": {"expectation": lambda law, f: array_namespace(f).max(f)},
    },
)
def risk_is_the_expected_loss(impl: Implementation, case: Learning) -> None:
    """L(theta) = E_(x,y)[loss], summed over a finite law of the points."""
    for p in range(case.loss.shape[0]):
        by_hand = sum(a * b for a, b in zip(to_numpy(case.law), to_numpy(case.loss)[p], strict=True))
        agree(impl.expectation(case.law, case.loss[p, :]), by_hand, "risk", atol=1e-10)


@check(
    "AL.eq1.8",
    of=(losses,),
    cases=st.integers(1, 4).flatmap(lambda n: functions(2, n)),
    evidence=DEFINITION,
    mutants={
        "a sum": {"empirical_risk": lambda loss: array_namespace(loss).sum(loss, axis=-1)},
        "averaged over parameters": {"empirical_risk": lambda loss: array_namespace(loss).mean(loss, axis=0)},
    },
)
def empirical_risk_is_a_mean(impl: Implementation, loss: Any) -> None:
    """L_train = (1/|D|) sum loss over the training set, row by row."""
    table = to_numpy(loss)
    agree(
        impl.empirical_risk(loss),
        np.array([sum(row) / len(row) for row in table]),
        "empirical risk",
        atol=1e-11,
    )


@check(
    "AL.eq1.9",
    of=(laws, losses),
    cases=learning,
    evidence=EXACTLY,
    mutants={
        "divided by N - 1": {
            "empirical_risk": lambda loss: (
                losses.empirical_risk(loss) * loss.shape[-1] / max(loss.shape[-1] - 1, 1)
            )
        },
        "the smallest loss": {"empirical_risk": lambda loss: array_namespace(loss).min(loss, axis=-1)},
    },
)
def empirical_risk_is_unbiased(impl: Implementation, case: Learning) -> None:
    """E_D[L_train(theta)] = L(theta) for each theta fixed before the data, over all training sets."""
    mean = to_numpy(all_training_sets(impl, case).mean())[0]
    risk = [float(impl.expectation(case.law, case.loss[p, :])) for p in range(case.loss.shape[0])]
    agree(mean, np.array(risk), "expected empirical risk", atol=1e-10)


class Mixture(NamedTuple):
    """Two functions of theta and the weight of the first."""

    f: Any  # (P,)
    g: Any  # (P,)
    alpha: float


@check(
    "AL.eq1.10",
    of=(laws,),
    cases=st.integers(1, 4).flatmap(
        lambda n: st.builds(Mixture, functions(n), functions(n), hundredths(0, 1))
    ),
    evidence=EXACTLY,
    mutants={
        "a sum without weights": {"expectation": lambda law, f: array_namespace(f).sum(f)},
        "the smaller of the two": {"expectation": lambda law, f: array_namespace(f).min(f)},
    },
)
def minimum_is_concave(impl: Implementation, case: Mixture) -> None:
    """alpha min f + (1 - alpha) min g <= min [alpha f + (1 - alpha) g]: a mean over two functions."""
    xp = array_namespace(case.f)
    law = xp.stack([0 * case.f[0] + case.alpha, 0 * case.f[0] + (1 - case.alpha)])
    pairs = xp.stack([case.f, case.g])
    right = min(float(impl.expectation(law, pairs[:, p])) for p in range(pairs.shape[1]))
    left = case.alpha * float(xp.min(case.f)) + (1 - case.alpha) * float(xp.min(case.g))
    at_most(left, right, "alpha min f + (1 - alpha) min g")


@check(
    "AL.eq1.11",
    of=(laws,),
    cases=learning,
    evidence=EXACTLY,
    mutants={
        "values averaged without their probabilities": {
            "expectation": lambda law, f: array_namespace(f).mean(f)
        },
        "the largest value": {"expectation": lambda law, f: array_namespace(f).max(f)},
    },
)
def expected_minimum_is_below_the_minimum(impl: Implementation, case: Learning) -> None:
    """E_X[min_theta f] <= min_theta E_X[f], with equality where one theta is best for every x."""
    xp = array_namespace(case.law)
    averages = [float(impl.expectation(case.law, case.loss[p, :])) for p in range(case.loss.shape[0])]
    lowest = xp.min(case.loss, axis=0)
    by_hand = float(to_numpy(case.law) @ to_numpy(lowest))
    agree(impl.expectation(case.law, lowest), by_hand, "E[min f]", atol=1e-10)
    at_most(impl.expectation(case.law, lowest), min(averages), "E[min f]")


@check(
    "AL.eq1.12",
    of=(laws, losses),
    cases=learning,
    evidence=EXACTLY,
    mutants={
        "a sum in place of the mean": {
            "empirical_risk": lambda loss: array_namespace(loss).sum(loss, axis=-1)
        },
        "the largest loss": {"empirical_risk": lambda loss: array_namespace(loss).max(loss, axis=-1)},
    },
)
def the_minimum_of_the_training_loss_is_optimistic(impl: Implementation, case: Learning) -> None:
    """E_D[min L_train] <= min E_D[L_train] = min L, over all training sets; the gap is over-fitting."""
    outcomes = all_training_sets(impl, case)
    optimistic = outcomes.mean(lambda risks: array_namespace(risks).min(risks, axis=1))
    expected = outcomes.mean()
    risk = min(float(impl.expectation(case.law, case.loss[p, :])) for p in range(case.loss.shape[0]))
    lowest = float(array_namespace(expected).min(expected))
    at_most(float(optimistic[0]), lowest, "E[min L_train]")
    agree(lowest, risk, "min E[L_train], against min L", atol=1e-10)
    p, loss = to_numpy(case.law).astype(float), to_numpy(case.loss).astype(float)
    by_hand = sum(
        np.prod(p[list(points)]) * loss[:, list(points)].mean(axis=1).min()
        for points in product(range(len(p)), repeat=case.N)
    )
    agree(float(optimistic[0]), by_hand, "E[min L_train], over all data sets", atol=1e-10)
