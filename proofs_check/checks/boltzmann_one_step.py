"""Is one Gibbs step from the data consistent?  Eq. 29 of [AO], against the machine's own likelihood, eq. 30.

The machines of one parameter: two visible units, one hidden, W = (w, w), no biases.  L(g, i) is the
likelihood with bottom parameter g when the hidden law is the one that the data have under i.  Eq. 29
maximises L(w, w).  They are the smallest in which anything happens, not a fair sample: with one hidden unit
and a bias for it the machine's own law of h is any law, so that eq. 30 trains the best marginal, and eq. 29
and 30 share consistent solutions.  With all parameters free it takes two hidden units (further down).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import scipy

from ...backends.arrays import Array, to_numpy
from ...reference.boltzmann import gibbs, likelihood, partition
from ...reference.boltzmann.rbm import RBM
from ...reference.states import binary_states
from ..check import Implementation, agree, at_most, check, ensure, to_tolerance
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import Table, like
from ..oracle.derivative import derivative
from ..strategies.common import laws

GRID = np.linspace(-8.0, 8.0, 33)


def machine(w: Any) -> RBM:
    """Return the machine of parameter w."""
    return RBM(np.array([[w], [w]]), np.zeros(2), np.zeros(1))


def value(impl: Implementation, g: float, i: float, law: Array) -> float:
    """Return L(g, i)."""
    down, up = (RBM(*(like(f, law) for f in machine(w))) for w in (g, i))
    p = to_numpy(impl.visible_law(down, impl.hidden_law(up, law))).astype(float)
    return float(to_numpy(law).astype(float) @ np.log(p))


def exact_value(g: Any, i: Any, D: Table) -> Any:
    """Return L(g, i) by the joint table; complex parameters welcome."""
    return D @ np.log(D @ np.exp(oracle.log_up(machine(i))) @ np.exp(oracle.log_down(machine(g))))


def slopes(w: float, D: Table) -> tuple[float, float]:
    """Return the derivatives of L(g, i) in g and in i at g = i = w."""
    step = 1e-30j
    return exact_value(w + step, w, D).imag / 1e-30, exact_value(w, w + step, D).imag / 1e-30


def maximiser(f: Callable[[float], float]) -> float:
    """Return the maximiser on [-8, 8], by grid and golden section."""
    top = int(np.argmax([f(w) for w in GRID]))
    low, high = GRID[max(top - 1, 0)], GRID[min(top + 1, len(GRID) - 1)]
    golden = (5**0.5 - 1) / 2
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (left, high) if f(left) < f(right) else (low, right)
    return float((low + high) / 2)


def solution_of_eq_29_is_best_given_its_own_hidden_law(impl: Implementation, law: Array) -> None:
    """As printed: where w solves eq. 29, it is the best bottom parameter for the hidden law that w makes."""
    D = to_numpy(law).astype(float)
    w = maximiser(lambda w: exact_value(w, w, D))
    g = maximiser(lambda g: exact_value(g, w, D))
    agree(value(impl, g, w, law), exact_value(g, w, D), "L(g, w)", rtol=1e-9)
    agree(g, w, "best g for Q_{D,w}, with w the solution of eq. 29", rtol=0, atol=0.05)


@check(
    "AO.sec2.5c",
    of=gibbs,
    cases=laws(4, zeros=False),
    examples=15,
    evidence=to_tolerance("1e-4 in the derivatives at the maximiser (golden section)"),
    printed=solution_of_eq_29_is_best_given_its_own_hidden_law,
    correction=(
        "eq. 29 maximises L(w, w), so at its solution dL/dg = -dL/di; w and Q_{D,w} are mutually optimal "
        "where w is in argmax_g L(g, w), which asks dL/dg = 0 alone, with Q_{D,w} held fixed; "
        "L(g, i) = E_D log sum_h P_g(x|h) E_D[P_i(h|x)].  So too for machines of two hidden units with all "
        "parameters free; with one they agree.  If eq. 29 is read with Q held, a fixed point in place of a "
        "minimum, it is consistency itself, and that it beats eq. 30 (2.5h) no longer follows"
    ),
    rejects=("hidden-law-of-halved-couplings", "visible-law-of-halved-couplings"),
)
def solution_of_eq_29_balances_two_derivatives(impl: Implementation, law: Array) -> None:
    """At an inner solution of eq. 29 the derivatives of L(g, i) in its two arguments cancel, no more."""
    D = to_numpy(law).astype(float)
    w = maximiser(lambda w: exact_value(w, w, D))
    for g, i in ((w, w), (1.5, w), (w, -0.5)):
        agree(value(impl, g, i, law), exact_value(g, i, D), "L(g, i)")
    if abs(w) < 7.9:
        of_g, of_i = slopes(w, D)
        agree(of_g + of_i, 0.0, f"dL/dg + dL/di at w = {w:.4f}", atol=1e-4)


FINE_TUNING = {
    "AO.sec2.5j": "that after consistent training it pays only if the top misses its target (2.5b shows it)"
}

EXAMPLES = [np.array([0.2, 0.1, 0.1, 0.6]), np.array([0.3, 0.1, 0.1, 0.5])]


def solutions(D: Table) -> tuple[float, float]:
    """Return the solutions of eq. 29 and of eq. 30."""
    return (
        maximiser(lambda w: exact_value(w, w, D)),
        maximiser(lambda w: D @ oracle.log_visible(machine(w))),
    )


def machine_like(w: float, law: Array) -> RBM:
    """Return the machine of parameter w in the backend of ``law``."""
    return RBM(*(like(field, law) for field in machine(w)))


@check(
    "AO.eq29",
    "AO.eq30",
    "AO.sec2.5g",
    "AO.sec2.5j",
    of=(gibbs, partition),
    cases=EXAMPLES,
    evidence=to_tolerance("1e-4 in the derivatives at the maximisers (golden section)"),
    rejects=(
        "hidden-law-of-halved-couplings",
        "visible-law-of-halved-couplings",
        "model-of-halved-couplings",
    ),
    uncovered=FINE_TUNING,
)
def one_step_and_stationary_criteria_have_different_solutions(impl: Implementation, law: Array) -> None:
    """Eq. 29 and eq. 30 differ: for D = (.2, .1, .1, .6) by w = 1.2553 and 1.1715.  [AO] leaves this open.

    At neither is w optimal for its own hidden law, so fine-tuning w pays under a perfect top (2.5j).  That it
    does not after consistent training, unless the top misses its target, is checked with the best optimistic
    layer (2.5b).
    """
    D = to_numpy(law).astype(float)
    one_step, stationary = solutions(D)
    agree(
        value(impl, one_step, one_step, law), exact_value(one_step, one_step, D), "E_D log P1", of="AO.eq29"
    )
    model = impl.marginal_visible(machine_like(stationary, law))
    agree(model, np.exp(oracle.log_visible(machine(stationary))), "P_RBM(x)", of="AO.eq30")
    both = one_step, stationary
    ensure(abs(one_step - stationary) > 0.01, "the solutions differ", of="AO.sec2.5g", actual=both)
    agree(sum(slopes(one_step, D)), 0.0, "slope of eq. 29 at its solution", of="AO.eq29", atol=1e-4)
    slope = derivative(lambda at: D @ oracle.log_visible(at), machine(stationary)).W.sum()
    agree(slope, 0.0, "slope of eq. 30 at its solution", of="AO.eq30", atol=1e-4)
    for name, w in (("29", one_step), ("30", stationary)):
        slope = abs(slopes(w, D)[0])
        ensure(slope > 1e-3, f"fine-tuning pays at the solution of eq. {name}", of="AO.sec2.5j")
    free = machine_like(0.0, law)  # one sweep of a machine without couplings is stationary
    gap = to_numpy(impl.visible_law(free, impl.hidden_law(free, law))) - to_numpy(impl.marginal_visible(free))
    agree(gap, 0 * gap, "P1 - P_RBM where Gibbs sampling converges in one step", of="AO.sec2.5g")


@check(
    "AO.sec2.5h",
    of=gibbs,
    cases=laws(4, zeros=False),
    examples=15,
    evidence=to_tolerance("1e-9 nats, on a grid and by golden section"),
    rejects=("hidden-law-of-halved-couplings", "visible-law-of-halved-couplings"),
    uncovered="machines of more than one parameter",
)
def solution_of_eq_29_does_at_least_as_well(impl: Implementation, law: Array) -> None:
    """With a perfect top KL(D || P1) at the solution of eq. 29 is at most that at the solution of eq. 30."""
    D = to_numpy(law).astype(float)
    both = solutions(D)
    of_29, of_30 = (value(impl, w, w, law) for w in both)
    for found, w in zip((of_29, of_30), both, strict=True):
        agree(found, exact_value(w, w, D), f"E_D log P1 at w = {w:.4f}")
    at_most(of_30, of_29, "E_D log P1, of eq. 30 against eq. 29", slack=1e-9)


# Five visible units, two hidden, all parameters free: data (times 228), and where the search starts.
FREE = np.array(
    [1, 5, 1, 1, 11, 67, 1, 1, 1, 1, 1, 1, 3, 11, 1, 1, 15, 17, 1, 1, 19, 41, 1, 3, 3, 3, 1, 1, 3, 9, 1, 1]
)
START = RBM(
    np.array([[3.0, -2.0], [-3.0, -2.0], [-1.0, 2.0], [-1.0, -3.0], [-1.0, 1.0]]),
    np.array([1.0, 0.0, 1.0, -2.0, 1.0]),
    np.zeros(2),
)


def ascended(f: Callable[[RBM], Any], start: RBM) -> tuple[RBM, float]:
    """Return the parameters at a maximum of f, all of them free, and the largest derivative left there."""

    def machine_of(z: Table) -> RBM:
        W, b, c = np.split(z, np.cumsum([field.size for field in start])[:2])
        return RBM(W.reshape(start.W.shape), b, c)

    def flat(theta: RBM) -> Table:
        return np.concatenate([field.ravel() for field in theta])

    def cost(z: Table) -> tuple[float, Table]:
        theta = machine_of(z)
        return -float(f(theta)), -flat(derivative(f, theta))

    found = scipy.optimize.minimize(cost, flat(start), jac=True, method="BFGS", options={"gtol": 1e-8})
    return machine_of(found.x), float(np.abs(found.jac).max())


def refined(D: Table, down: RBM, up: RBM) -> Any:
    """Return E_D log sum_h P_down(x|h) E_D[P_up(h|x)] by the joint tables; complex parameters welcome."""
    return D @ np.log(D @ np.exp(oracle.log_up(up)) @ np.exp(oracle.log_down(down)))


@cache
def free_solutions() -> dict[str, tuple[RBM, RBM]]:
    """Return the solutions of eq. 29 and 30 on ``FREE``, each with the best bottom for its own hidden law."""
    D = FREE / FREE.sum()
    found = {}
    for name, f in (
        ("29", lambda theta: refined(D, theta, theta)),
        ("30", lambda theta: D @ oracle.log_visible(theta)),
    ):
        theta, left = ascended(f, START)
        tuned, _ = ascended(partial(refined, D, up=theta), theta)
        at_most(left, 1e-7, f"derivatives at the solution of eq. {name}", slack=0)
        found[name] = theta, tuned
    return found


@check(
    "AO.sec2.5c",
    "AO.sec2.5g",
    "AO.sec2.5j",
    of=(gibbs, likelihood),
    cases=[FREE / FREE.sum()],
    evidence=to_tolerance("1e-7 in the derivatives at the maxima"),
    rejects=(
        "hidden-law-of-halved-couplings",
        "visible-law-of-halved-couplings",
        "model-of-halved-couplings",
    ),
    uncovered=FINE_TUNING,
)
def neither_criterion_is_consistent_with_all_parameters_free(impl: Implementation, law: Array) -> None:
    """5 x 2 units: at the maxima of eq. 29 and of eq. 30 another bottom does better under the same Q_D(h).

    By 1.7e-4 and 1.9e-4 nats: so fine-tuning pays under a perfect top, and the solution of eq. 29 is not
    mutually optimal with its hidden law.  The two maxima differ: that of eq. 30 is no stationary point of eq.
    29.  They are maxima from one start; of twelve random ones, seven and five, none led higher.
    """
    D = to_numpy(law).astype(float)
    v = binary_states(START.b.size, like=law)
    for name, (own, tuned) in free_solutions().items():
        theta, better = (RBM(*(like(field, law) for field in m)) for m in (own, tuned))
        target = impl.hidden_law(theta, law)
        held = [to_numpy(impl.visible_law(m, target)).astype(float) for m in (theta, better)]
        for p, m in zip(held, (own, tuned), strict=True):
            agree(D @ np.log(p), refined(D, m, own), f"E log P, hidden law of eq. {name} held")
        gain = D @ np.log(held[1]) - D @ np.log(held[0])
        tuned_better = "another bottom does better under the same hidden law"
        ensure(gain > 1e-4, tuned_better, of=("AO.sec2.5c", "AO.sec2.5j"), actual=gain)
        at_end = impl.log_likelihood_grad(theta, v, weights=law)
        slope = max(float(np.abs(to_numpy(field)).max()) for field in at_end)
        if name == "30":
            at_most(slope, 0.0, "derivatives of E log P_RBM at its maximum", slack=1e-7)
            of_one_step = derivative(lambda m: refined(D, m, m), own)
            steepest = max(float(np.abs(field).max()) for field in of_one_step)
            what = "the maximum of eq. 30 is no stationary point of eq. 29"
            ensure(steepest > 1e-4, what, of="AO.sec2.5g", actual=steepest)
