"""[AO] 2.1-2.2, 3.3: the best latent marginal, its bound U_D, and the criterion over q that equals it.

Bottom layers are tables.  An optimum is proved, case by case, in plain NumPy: for any weights l > 0 of the
data with sum_x l(x) P(x|h) <= 1 for every h, U_D <= sum_x P_D(x) log(P_D(x) / l(x)) (Jensen); a law on h
that attains such a bound is a best marginal.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import scipy
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace, to_numpy
from ...reference.directed import belief, mixtures
from ...reference.directed.layers import Table
from ...reference.directed.mixtures import Likelihoods, likelihoods_of_table
from ...reference.laws import log_table
from ...reference.layerwise import criteria, incorporation, marginal
from ...reference.layerwise.incorporation import Marginal
from ..check import (
    DEFINITION,
    EXACTLY,
    Implementation,
    agree,
    at_most,
    check,
    ensure,
    to_tolerance,
    tolerance,
)
from ..strategies import Bottom, Candidate, bottoms, candidates, functions, laws
from .brute import like

Numbers = Any
"""A NumPy array of float64."""

GAP = 1e-12  # nats, the certificate asked for


def numbers(x: Array) -> Numbers:
    """Return an array as NumPy float64."""
    return to_numpy(x).astype(np.float64)


def explained(A: Array) -> Likelihoods:
    """Return log P(x | h) of all x, as the functions on best marginals take it."""
    return likelihoods_of_table(log_table(A))


def log_lik(A: Numbers, data: Numbers, Q: Numbers) -> float:
    """Return E_D log sum_h P(x|h) Q(h), by loops over what occurs."""
    total = 0.0
    for share, p in zip(data, A @ Q, strict=True):
        if share > 0:
            total += share * math.log(p) if p > 0 else -math.inf
    return total


def divergence(p: Numbers, q: Numbers) -> float:
    """Return KL(p || q); infinite where q misses a part of p."""
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in zip(p, q, strict=True) if a > 0)


def dual_bound(A: Numbers, data: Numbers, Q: Numbers) -> float:
    """Return an upper bound of U_D, whatever the law Q on h that gives every datum some probability."""
    some = data > 0
    weights = data[some] / (A[some] @ Q)
    weights = weights / (weights @ A[some]).max()
    return float(data[some] @ np.log(data[some] / weights))


def best(impl: Implementation, A: Array, data: Array) -> Marginal:
    """Return a best marginal, to the certificate."""
    found: Marginal = impl.best_marginal(explained(A), weights=data, tolerance=tolerance(GAP))
    return found


def simplex(states: int, parts: int) -> Numbers:
    """Return all laws whose probabilities are multiples of 1 / parts."""
    counts = [c for c in product(range(parts + 1), repeat=states) if sum(c) == parts]
    return np.array(counts) / parts


# --- mistakes ---------------------------------------------------------------------------------------------


def after_em(steps: int) -> Any:
    """Return a solver that stops after so many steps of EM."""

    def solve(p: Likelihoods, *, weights: Array, tolerance: float, most_steps: int = 0) -> Marginal:
        return marginal.best_marginal(p, weights=weights, tolerance=tolerance, most_steps=steps)

    return solve


def of_equal_data(p: Likelihoods, *, weights: Array, tolerance: float, most_steps: int = 200) -> Marginal:
    """Solve as if all data that occur were equally frequent, and report the value there."""
    xp = array_namespace(weights)
    equal = xp.astype(weights > 0, weights.dtype)
    Q = marginal.best_marginal(p, weights=equal / xp.sum(equal), tolerance=tolerance).Q
    return incorporation.certify(p, Q, weights=weights)


def best_vertex(p: Likelihoods, *, weights: Array, tolerance: float, most_steps: int = 0) -> Marginal:
    """Put all mass on one state: the likelihoods are averaged as they are, where their laws should mix."""
    xp = array_namespace(weights)
    corner = xp.eye(p.states, dtype=weights.dtype)
    mixed = (xp.max(corner, axis=0) + p.states * corner) / (2 * p.states)
    values = [incorporation.log_likelihood(p, mixed[k, :], weights=weights) for k in range(p.states)]
    k = max(range(p.states), key=lambda i: float(values[i]))
    return incorporation.certify(p, mixed[k, :], weights=weights)


SOLVERS = {
    "EM stopped after two steps": {"best_marginal": after_em(2)},
    "data weights ignored": {"best_marginal": of_equal_data},
    "the single best state in place of a law": {"best_marginal": best_vertex},
}


# --- the best marginal and its bound (2.2) ----------------------------------------------------------------


@check(
    "AO.def2",
    "AO.eq13",
    "AO.eq14",
    of=(marginal,),
    cases=bottoms(),
    examples=30,
    evidence=to_tolerance("1e-9 nats, proved by a dual bound for each case"),
    mutants=SOLVERS,
)
def best_marginal_attains_its_dual_bound(impl: Implementation, case: Bottom) -> None:
    """U_D is attained: L(Q) of the best marginal meets an upper bound of all L; no law on a grid beats it.

    The maximum exists where some h gives each datum a positive probability; otherwise L is minus infinity
    everywhere, and every law is a maximiser.
    """
    found = best(impl, *case)
    A, data, Q = numbers(case.A), numbers(case.data), numbers(found.Q)
    agree(Q.sum(), 1.0, "mass of the best marginal")
    at_most(-Q, 0.0, "negative mass", slack=0)
    value = log_lik(A, data, Q)
    agree(found.log_likelihood, value, "reported value", rtol=1e-9)
    agree(value, dual_bound(A, data, Q), "L(Q) against an upper bound of all laws'", rtol=0, atol=1e-9)
    for other in simplex(Q.size, 6):
        at_most(log_lik(A, data, other), value, "another law against the best", slack=1e-9)
    at_most(value - float(found.log_likelihood), found.gap, "shortfall against the certificate", slack=1e-9)


@check(
    "AO.sec2.2a",
    "AO.sec3.3a",
    of=(marginal, belief),
    cases=candidates(),
    examples=25,
    evidence=to_tolerance("1e-9 nats, the certificate of the best marginal"),
    mutants={
        **SOLVERS,
        "the top law counted twice": {"log_likelihood": lambda net, x: 2 * belief.log_likelihood(net, x)},
    },
)
def bound_is_the_least_upper_bound_of_deep_models(impl: Implementation, case: Candidate) -> None:
    """No deep model with this bottom exceeds U_D, and a table on top attains it: any law of h is a top."""
    found = best(impl, case.A, case.data)
    data = numbers(case.data)
    xp = array_namespace(case.A)
    x = xp.arange(case.A.shape[0], dtype=xp.int64)

    def deep(top: Array) -> float:
        log_p = numbers(impl.log_likelihood((Table(log_table(case.A)), Table(log_table(top)[:, None])), x))
        return float(sum(share * v for share, v in zip(data, log_p, strict=True) if share > 0))

    at_most(deep(case.Q), float(found.log_likelihood), "a deep model against U_D", slack=1e-9)
    agree(deep(found.Q), found.log_likelihood, "the best marginal as a top", rtol=1e-9)
    bound = dual_bound(numbers(case.A), data, numbers(found.Q))
    agree(deep(found.Q), bound, "least upper bound", rtol=0, atol=1e-9)


@check(
    "AO.sec2.2b",
    of=(marginal,),
    cases=candidates(),
    evidence=EXACTLY,
    examples=25,
    mutants={
        "the bound taken over all laws": {
            "in_model_bound": lambda p, tops, *, weights: (
                marginal.best_marginal(p, weights=weights, tolerance=1e-12).log_likelihood,
                0,
            )
        },
        "the first top, not the best": {
            "in_model_bound": lambda p, tops, *, weights: marginal.in_model_bound(
                p, tops[:1, :], weights=weights
            )
        },
    },
)
def bound_is_strict_where_no_top_gives_the_same_law_of_the_data(
    impl: Implementation, case: Candidate
) -> None:
    """One top P(h): U_D - U_model >= E_D[r - 1 - log r], r = P_top(x) / P_best(x): positive unless r = 1.

    So the bound is strict where no top matches; that training may stop early is not looked at.  U_D is
    attained again once the best marginal joins the family.
    """
    A, data = numbers(case.A), numbers(case.data)
    found = best(Implementation.of(marginal), case.A, case.data)
    p = explained(case.A)
    xp = array_namespace(case.A)
    alone, which = impl.in_model_bound(p, xp.stack([case.Q]), weights=case.data)
    agree(alone, log_lik(A, data, numbers(case.Q)), "bound of a family of one", rtol=1e-9)
    ensure(which == 0, "maximiser of a family of one", expected=0, actual=which)
    # E_D r = sum_h P_top(h) g(h) <= 1 at the best marginal, and the loss is -E_D log r.
    some = data > 0
    ratio = (A[some] @ numbers(case.Q)) / (A[some] @ numbers(found.Q))
    loss, least = float(found.log_likelihood) - float(alone), float(data[some] @ (ratio - 1 - np.log(ratio)))
    at_most(least, loss, "least loss of a top that misses", slack=1e-9)
    joined, which = impl.in_model_bound(p, xp.stack([case.Q, found.Q]), weights=case.data)
    agree(joined, found.log_likelihood, "bound of a family with the best marginal", atol=1e-9)


@check(
    "AO.sec2.2c",
    of=(incorporation,),
    cases=st.tuples(
        candidates(), st.lists(st.integers(1, 9), min_size=4, max_size=4), st.sampled_from((0.25, 0.5, 0.9))
    ),
    examples=60,
    evidence=EXACTLY,
    mutants={
        "all data counted alike": {"certify": lambda p, Q, *, weights: incorporation.certify(p, Q)},
        "posterior in place of the gradient": {
            "certify": lambda p, Q, *, weights: (lambda found: found._replace(g=found.g * Q))(
                incorporation.certify(p, Q, weights=weights)
            )
        },
        "the negative log-likelihood": {
            "log_likelihood": lambda p, Q, *, weights: -incorporation.log_likelihood(p, Q, weights=weights)
        },
    },
)
def log_likelihood_is_concave_in_the_law_of_h(impl: Implementation, case: Any) -> None:
    """L(t Q + (1-t) R) >= t L(Q) + (1-t) L(R), and L(R) <= L(Q) + sum_h (R - Q)(h) g(h), g the gradient.

    g is checked by the complex step, and the Hessian -A^T diag(P_D / P^2) A has no positive eigenvalue.
    """
    (A, data, Q), counts, t = case
    p, S = explained(A), Q.shape[0]
    R = np.array(counts[:S], float) / sum(counts[:S])
    of_Q, of_R = (float(impl.log_likelihood(p, law, weights=data)) for law in (Q, like(R, Q)))
    mixed = float(impl.log_likelihood(p, like(t * numbers(Q) + (1 - t) * R, Q), weights=data))
    at_most(t * of_Q + (1 - t) * of_R, mixed, "chord against the curve")
    a, d, q = numbers(A), numbers(data), numbers(Q)
    some = d > 0
    steps = q + 1e-30j * np.eye(S)
    gradient = np.array([(d[some] @ np.log(a[some] @ s)).imag / 1e-30 for s in steps])
    g = impl.certify(p, Q, weights=data).g
    agree(g, gradient, "gradient", rtol=1e-9)
    at_most(of_R - of_Q, float((R - q) @ numbers(g)), "curve against the tangent", slack=1e-9)
    curvature = np.linalg.eigvalsh((a[some].T * (d[some] / (a[some] @ q) ** 2)) @ a[some])
    at_most(0.0, curvature, "eigenvalues of minus the Hessian", slack=1e-9 * (1 + curvature.max()))


def twins(A: Numbers) -> Numbers:
    """Return the pairs of states with the same P(x | h)."""
    return np.argwhere(np.triu((A[:, :, None] == A[:, None, :]).all(axis=0), 1))


def range_of_optima(A: Numbers, data: Numbers, Q: Numbers) -> Numbers:
    """Return by how much each coordinate varies over all laws that give the data what Q gives them.

    P(x) of the data is the same under every best marginal (L is strictly concave in it), so these are all.
    """
    rows = np.vstack([A[data > 0], np.ones(Q.size)])
    target = rows @ Q
    scale = rows.max(axis=1)
    ends = []
    for sign in (1, -1):
        for h in range(Q.size):
            goal = sign * np.eye(Q.size)[h]
            found = scipy.optimize.linprog(
                goal, A_eq=rows / scale[:, None], b_eq=target / scale, method="highs"
            )
            ends.append(float(goal @ found.x) * sign if found.status == 0 else float(Q[h]))
    return np.array(ends[Q.size :]) - np.array(ends[: Q.size])


@check(
    "AO.sec2.2d",
    of=(marginal, incorporation),
    cases=bottoms(),
    examples=25,
    evidence=to_tolerance("1e-4 in the probabilities (the value is certified to 1e-12 nats)"),
    mutants={
        **SOLVERS,
    },
)
def best_marginal_is_unique_unless_columns_depend(impl: Implementation, case: Bottom) -> None:
    """Where the columns of the states with g = 1, at the data, are independent, two solvers find one law.

    Where two columns are equal and have mass it can be shifted between them: a segment of best marginals.
    Equal columns are not the only degenerate case: one may be the mean of two others, or they may differ
    only at values that do not occur.  The law of the *data* is unique always.
    """
    A, data = numbers(case.A), numbers(case.data)
    p = explained(case.A)
    found = best(impl, *case)
    Q, some = numbers(found.Q), data > 0
    P = A[some] @ Q
    agree(float(found.log_likelihood), dual_bound(A, data, Q), "value", rtol=0, atol=1e-9)
    xp = array_namespace(found.Q)
    slow = impl.expectation_maximisation(
        p,
        xp.full((Q.size,), 1 / Q.size, dtype=found.Q.dtype),
        weights=case.data,
        tolerance=tolerance(1e-10),
        most_steps=600,
    )
    # L(Q) - L(R) >= |P_Q/P_R - 1|^2 / 2 or so: what is within 1e-10 nats has P within some 1e-5.
    if slow.gap <= tolerance(1e-10):
        agree(A[some] @ numbers(slow.Q), P, "law of the data under another best marginal", rtol=1e-4)
    active = ((data[some] / P) @ A[some]) > 1 - 1e-3
    singular = np.linalg.svd(A[some][:, active], compute_uv=False)
    if active.sum() <= some.sum() and singular[-1] > 0.05:
        at_most(range_of_optima(A, data, Q), 1e-4, "extent of the set of best marginals")
        if slow.gap <= tolerance(1e-10):
            agree(slow.Q, Q, "another best marginal, columns independent", rtol=0, atol=1e-3)
    for h, k in twins(A):
        shifted = Q + Q[h] * (np.eye(Q.size)[k] - np.eye(Q.size)[h])
        agree(log_lik(A, data, shifted), log_lik(A, data, Q), "value with the mass of a twin shifted")


@check(
    "AO.sec2.1c",
    of=(marginal, incorporation),
    cases=st.integers(1, 5).flatmap(lambda n: st.tuples(laws(n), st.permutations(range(n)))),
    examples=15,
    evidence=to_tolerance("1e-9 nats"),
    mutants=SOLVERS,
)
def copying_layer_hands_the_problem_upwards(impl: Implementation, case: Any) -> None:
    """P(x|h) a permutation: the best marginal is P_D, renamed, and U_D = -H(P_D), which no model exceeds.

    Such a layer is not the only one to reach it: one with P_D itself among its columns does, and leaves the
    layers above nothing to do.
    """
    data, order = case
    D = numbers(data)
    copy = np.eye(D.size)[:, list(order)]
    found = best(impl, like(copy, data), data)
    agree(found.Q, D[list(order)], "best marginal of a copying layer", rtol=0, atol=1e-10)
    minus_entropy = sum(p * math.log(p) for p in D if p > 0)
    agree(found.log_likelihood, minus_entropy, "U_D of a copying layer", rtol=0, atol=1e-9)
    solved = best(impl, like(np.stack([np.full(D.size, 1 / D.size), D], axis=1), data), data)
    agree(solved.log_likelihood, minus_entropy, "U_D with P_D among the columns", rtol=0, atol=1e-9)


# --- laws of the form q_D (2.1, proposition 3, remark 4) --------------------------------------------------


class Inferring(NamedTuple):
    """A bottom layer, a law of the data, and logits of q(h | x) for each of them."""

    A: Any  # (X, S)
    data: Any  # (X,)
    logits: Any  # (X, S)


inferring = bottoms().flatmap(
    lambda case: st.builds(Inferring, st.just(case.A), st.just(case.data), functions(*case.A.shape))
)


def rows_of(logits: Numbers) -> Numbers:
    """Return q(h | x) of each x, complex logits welcome."""
    weights = np.exp(logits - logits.real.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@check(
    "AO.eq11",
    of=(criteria,),
    cases=inferring,
    evidence=DEFINITION,
    mutants={
        "summed, not averaged, over the data": {
            "aggregate": lambda q, *, weights: criteria.aggregate(q, weights=weights) * q.shape[0]
        },
        "all data counted alike": {"aggregate": lambda q, *, weights: criteria.aggregate(q)},
        "logits averaged": {
            "aggregate_logits": lambda logits, *, form, weights: criteria.aggregate_logits(
                (weights @ logits)[None, :], form=form
            )
        },
    },
)
def aggregate_is_the_marginal_of_data_and_inference(impl: Implementation, case: Inferring) -> None:
    """q_D(h) = sum_x q(h|x) P_D(x): the h-marginal of P_D(x) q(h|x), a law, linear in q."""
    q, data = rows_of(numbers(case.logits)), numbers(case.data)
    joint = data[:, None] * q
    agree(impl.aggregate_logits(case.logits, form="table", weights=case.data), joint.sum(axis=0), "q_D")
    found = impl.aggregate(like(q, case.A), weights=case.data)
    agree(found, joint.sum(axis=0), "q_D of a table")
    mixed = impl.aggregate(like((q + np.roll(q, 1, axis=1)) / 2, case.A), weights=case.data)
    agree(2 * numbers(mixed) - numbers(found), np.roll(joint.sum(axis=0), 1), "q_D of a mean of two")


@check(
    "AO.prop3",
    "AO.eq10",
    "AO.eq15",
    "AO.prop3a",
    of=(criteria, incorporation, marginal),
    cases=inferring,
    examples=50,
    evidence=to_tolerance("1e-9 nats, the certificate of the best marginal"),
    mutants={
        **SOLVERS,
        "all data counted alike": {"aggregate": lambda q, *, weights: criteria.aggregate(q)},
        "gradient of another weighting of the data": {
            "criterion_grad": lambda layer, x, logits, *, form, weights: criteria.criterion_grad(
                layer, x, logits, form=form
            )
        },
        "q held constant inside q_D": {
            "criterion_grad": lambda layer, x, logits, *, form, weights: (
                criteria.criterion_grad(layer, x, logits, form=form, weights=weights)[0],
                0 * logits,
            )
        },
    },
)
def criterion_over_q_coincides_with_the_bound(impl: Implementation, case: Inferring) -> None:
    """Every law on h is some q_D (q(h|x) = Q(h)), so max over q is U_D; no q exceeds it.

    Two maximisers: the best marginal itself for every x, and its posterior; the gradient by q vanishes there
    and agrees with the complex step everywhere.  Where two columns are equal all their mass may be on either:
    degenerate best marginals, of certificate zero with g = 1 at a state without mass.
    """
    A, data = numbers(case.A), numbers(case.data)
    n, S = A.shape
    found = best(impl, case.A, case.data)
    p, Q = explained(case.A), numbers(found.Q)
    q_D = impl.aggregate_logits(case.logits, form="table", weights=case.data)
    value, q = impl.log_likelihood(p, q_D, weights=case.data), rows_of(numbers(case.logits))
    at_most(value, found.log_likelihood, "criterion at some q against U_D", slack=1e-9)
    agree(value, log_lik(A, data, data @ q), "criterion at some q")
    agree(impl.aggregate(like(q, case.A), weights=case.data), data @ q, "q_D of some q")
    agree(found.log_likelihood, dual_bound(A, data, Q), "U_D", rtol=0, atol=1e-9)
    constant = impl.aggregate(like(np.tile(Q, (n, 1)), case.A), weights=case.data)
    agree(constant, Q, "q_D of the constant q", atol=1e-10)
    occurs = data > 0  # other values may be impossible given every h, and then have no posterior
    q_of_x = impl.inferred(explained(like(A[occurs], case.A)), found.Q)
    posterior = impl.aggregate(q_of_x, weights=like(data[occurs], case.data))
    agree(log_lik(A, data, numbers(posterior)), found.log_likelihood, "criterion at the posterior", atol=1e-9)
    xp = array_namespace(case.A)
    x = xp.arange(n, dtype=xp.int64)
    _, by_q = impl.criterion_grad(Table(log_table(case.A)), x, case.logits, form="table", weights=case.data)
    step = np.zeros((n, S))
    for at in np.ndindex(n, S):
        moved = numbers(case.logits).astype(complex)
        moved[at] += 1e-30j
        step[at] = (data[occurs] @ np.log(A[occurs] @ (data @ rows_of(moved)))).imag / 1e-30
    agree(by_q, step, "gradient of the criterion by the logits of q", atol=1e-10)
    logits = np.tile(np.log(np.maximum(Q, 1e-30)), (n, 1))
    table = Table(log_table(case.A))
    _, at_best = impl.criterion_grad(table, x, like(logits, case.A), form="table", weights=case.data)
    agree(at_best, np.zeros((n, S)), "gradient of the criterion at the best marginal", atol=1e-10)
    for h, k in twins(A):
        law = like(Q + Q[h] * (np.eye(S)[k] - np.eye(S)[h]), case.A)
        shifted = impl.certify(p, law, weights=case.data)
        agree(shifted.log_likelihood, found.log_likelihood, "criterion with the mass of a twin shifted")
        agree(shifted.gap, 0.0, "certificate of a degenerate best marginal", atol=1e-10)
        agree(numbers(shifted.g)[h], numbers(shifted.g)[k], "gradients of twins")
        both = Q[h] + Q[k]
        agree(both * numbers(shifted.g)[h], both, "g = 1 at a twin without mass", atol=1e-9)


def codes(n: int, S: int) -> list[Numbers]:
    """Return all deterministic codes: each datum its own state of h, as tables of zeros and ones."""
    return [np.eye(S)[list(code)] for code in product(range(S), repeat=n)]


@check(
    "AO.rem4",
    "AO.sec2.1d",
    of=(criteria, incorporation, marginal),
    cases=bottoms(most=3),
    examples=60,
    evidence=to_tolerance("1e-9 nats, the certificate of the best marginal"),
    mutants={
        **SOLVERS,
        "all data counted alike": {"aggregate": lambda q, *, weights: criteria.aggregate(q)},
    },
)
def families_of_q_that_reach_every_law_are_enough(impl: Implementation, case: Bottom) -> None:
    """Over constant q(h|x) = Q(h) alone the maximum is U_D; over fewer q it is less, or the same.

    Nested families: deterministic codes, codes and their mixtures with a constant, all constants.  What q
    ranges over changes the maximum found, never the laws P(x) = sum_h P(x|h) Q(h) that there are.
    For P_D = (0.6, 0.4) and h that copies x with probability 0.8 the best marginal is (2/3, 1/3), and codes
    reach q_D(0) in {0, 0.4, 0.6, 1} only: they stay below U_D = -H(P_D).
    """
    A, data = numbers(case.A), numbers(case.data)
    p, (n, S) = explained(case.A), A.shape
    found = best(impl, *case)

    def criterion(q: Numbers) -> float:
        q_D = impl.aggregate(like(q, case.A), weights=case.data)
        return float(impl.log_likelihood(p, q_D, weights=case.data))

    constant = np.tile(numbers(found.Q), (n, 1))
    poor = max(criterion(q) for q in codes(n, S))
    rich = max(poor, *(criterion((q + constant) / 2) for q in codes(n, S)))
    at_most(poor, rich, "codes against codes and mixtures", slack=0)
    at_most(rich, float(found.log_likelihood), "codes and mixtures against U_D", slack=1e-9)
    agree(criterion(constant), dual_bound(A, data, numbers(found.Q)), "constants", rtol=0, atol=1e-9)
    by_hand = max(log_lik(A, data, data @ q) for q in codes(n, S))
    agree(poor, by_hand, "best of all codes", rtol=1e-9)
    copier, skew = (like(t, case.A) for t in ([[0.8, 0.2], [0.2, 0.8]], [0.6, 0.4]))
    laws_of_codes = [impl.aggregate(like(q, case.A), weights=skew) for q in codes(2, 2)]
    reached = [float(impl.log_likelihood(explained(copier), q, weights=skew)) for q in laws_of_codes]
    agree(max(reached), 0.6 * math.log(0.56) + 0.4 * math.log(0.44), "best code of the example", rtol=1e-9)
    ideal = best(impl, copier, skew)
    agree(ideal.log_likelihood, 0.6 * math.log(0.6) + 0.4 * math.log(0.4), "U_D of the example", atol=1e-9)
    agree(ideal.Q, [2 / 3, 1 / 3], "best marginal of the example", atol=1e-9)


# --- with a q that is not optimal (3.3.1) -----------------------------------------------------------------


@check(
    "AO.def8",
    "AO.eq34",
    "AO.sec3.3.1a",
    of=(criteria, incorporation, marginal),
    cases=inferring,
    examples=25,
    evidence=to_tolerance("1e-9 nats, the certificate of the best marginal"),
    mutants={
        **SOLVERS,
        "all data counted alike": {
            "log_likelihood": lambda p, Q, *, weights: incorporation.log_likelihood(p, Q)
        },
        "log of the mean in place of the mean of logs": {
            "log_likelihood": lambda p, Q, *, weights: array_namespace(Q).log(
                weights @ array_namespace(Q).exp(mixtures.log_mixture(p, Q))
            )
        },
    },
)
def empirical_bound_is_a_lower_bound_of_the_bound(impl: Implementation, case: Inferring) -> None:
    """U_{D,q} = E_D log sum_h P(x|h) q_D(h) <= U_D, whatever q, and by no more than its certificate says."""
    A, data = numbers(case.A), numbers(case.data)
    p, q_D = explained(case.A), impl.aggregate_logits(case.logits, form="table", weights=case.data)
    value = impl.log_likelihood(p, q_D, weights=case.data)
    agree(value, log_lik(A, data, data @ rows_of(numbers(case.logits))), "U_{D,q}")
    found = best(impl, case.A, case.data)
    agree(found.log_likelihood, dual_bound(A, data, numbers(found.Q)), "U_D", rtol=0, atol=1e-9)
    at_most(value, found.log_likelihood, "U_{D,q} against U_D", slack=1e-9)
    gap = impl.certify(p, q_D, weights=case.data).gap
    at_most(float(found.log_likelihood) - float(value), gap, "shortfall against its certificate", slack=1e-9)
