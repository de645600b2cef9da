"""[AO] 2.1-2.2, 3.3: the best latent marginal, its bound U_D, and the criterion over q that equals it.

Bottom layers are tables.  An optimum is proved, case by case, by the dual bound of ``oracle.layerwise``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace
from ...reference.directed import belief
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
from ..oracle.boltzmann import like
from ..oracle.derivative import derivative
from ..oracle.layerwise import (
    codes,
    dual_bound,
    gradient,
    log_lik,
    log_lik_of_logits,
    numbers,
    range_of_optima,
    rows_of,
    shifted,
    simplex,
    twins,
)
from ..strategies import Bottom, Candidate, bottoms, candidates, functions, laws

GAP = 1e-12  # nats, the certificate asked for
SOLVERS = ("em-stopped-early", "data-alike (of the best marginal)", "best-state-for-law")
TO_THE_CERTIFICATE = to_tolerance("1e-9 nats, the certificate of the best marginal")

COPIER = [[0.8, 0.2], [0.2, 0.8]]  # h copies x with probability 0.8


def explained(A: Array) -> Likelihoods:
    """Return log P(x | h) of all x, as the functions on best marginals take it."""
    return likelihoods_of_table(log_table(A))


def best(impl: Implementation, A: Array, data: Array) -> Marginal:
    """Return a best marginal, to the certificate."""
    found: Marginal = impl.best_marginal(explained(A), weights=data, tolerance=tolerance(GAP))
    return found


# --- the best marginal and its bound (2.2) ----------------------------------------------------------------


@check(
    "AO.def2",
    "AO.eq13",
    "AO.eq14",
    "AO.eq31",
    of=(marginal, incorporation),
    cases=bottoms(),
    examples=30,
    evidence=to_tolerance("1e-9 nats, proved by a dual bound for each case"),
    rejects=SOLVERS,
)
def best_marginal_attains_its_dual_bound(impl: Implementation, case: Bottom, plain: Bottom) -> None:
    """U_D is attained: L(Q) of the best marginal meets an upper bound of all L; no law on a grid beats it.

    Eq. 31 is the problem of eq. 13 again.

    Where no h gives a datum a positive probability L is minus infinity everywhere, and every law is best.
    """
    found, (A, data) = best(impl, *case), plain
    Q, problem = numbers(found.Q), ("AO.eq13", "AO.eq31")
    agree(Q.sum(), 1.0, "mass of the best marginal", of=("AO.def2", *problem))
    at_most(-Q, 0.0, "negative mass", slack=0)
    value = log_lik(A, data, Q)
    for other in simplex(Q.size, 6):
        at_most(log_lik(A, data, other), value, "another law against the best", of=problem, slack=1e-9)
    U = dual_bound(A, data, Q)
    agree(value, U, "L(Q) against an upper bound of all laws'", of=("AO.def2", *problem), rtol=0, atol=1e-9)
    agree(found.log_likelihood, U, "U_D", of=("AO.def2", "AO.eq14"), rtol=0, atol=1e-9)
    at_most(U - float(found.log_likelihood), found.gap, "shortfall against the certificate", slack=1e-9)
    half = like([0.5, 0.5], case.A)
    for Q in simplex(2, 4):
        value = impl.log_likelihood(explained(like([[1, 1], [0, 0]], half)), like(Q, half), weights=half)
        agree(value, -math.inf, "L of any law where a datum is impossible")


@check(
    "AO.sec2.2a",
    "AO.sec3.3a",
    of=(marginal, belief),
    cases=candidates(),
    evidence=TO_THE_CERTIFICATE,
    rejects=(*SOLVERS, "top-counted-twice"),
)
def bound_is_the_least_upper_bound_of_deep_models(
    impl: Implementation, case: Candidate, plain: Candidate
) -> None:
    """No deep model with this bottom exceeds U_D, and a table on top attains it: any law of h is a top."""
    found, of = best(impl, case.A, case.data), ("AO.sec2.2a", "AO.sec3.3a")
    A, data, Q = plain
    xp = array_namespace(case.A)
    x = xp.arange(A.shape[0], dtype=xp.int64)

    def deep(top: Array) -> float:
        log_p = numbers(impl.log_likelihood((Table(log_table(case.A)), Table(log_table(top)[:, None])), x))
        return float(data[data > 0] @ log_p[data > 0])

    agree(deep(case.Q), log_lik(A, data, Q), "a deep model")
    at_most(deep(case.Q), found.log_likelihood, "a deep model against U_D", of=of, slack=1e-9)
    agree(deep(found.Q), found.log_likelihood, "the best marginal as a top", of=of)
    agree(deep(found.Q), dual_bound(A, data, numbers(found.Q)), "least upper bound", of=of, atol=1e-9)


@check(
    "AO.sec2.2b",
    of=marginal,
    cases=candidates(),
    evidence=TO_THE_CERTIFICATE,
    rejects=("bound-of-all-laws", "first-top"),
)
def bound_is_strict_where_no_top_gives_the_same_law_of_the_data(
    impl: Implementation, case: Candidate, plain: Candidate
) -> None:
    """A top P(h) loses U_D - L >= E_D[r - 1 - log r], r = P_top(x) / P_best(x): positive unless r = 1.

    So the bound is strict where no top of the family matches, and where training stopped at another one.
    It is attained again once the best marginal joins the family.
    Example: h copies x with probability 0.8, P_D = (1/2, 1/2), P(h) = (0.9, 0.1): 0.1309 nats.
    """
    A, data, Q = plain
    found, p, xp = best(impl, case.A, case.data), explained(case.A), array_namespace(case.A)
    alone, which = impl.in_model_bound(p, xp.stack([case.Q]), weights=case.data)
    agree(alone, log_lik(A, data, Q), "bound of a family of one")
    ensure(which == 0, "maximiser of a family of one", expected=0, actual=which)
    # E_D r = sum_h P_top(h) g(h) <= 1 at the best marginal, and the loss is -E_D log r.
    some = data > 0
    ratio = (A[some] @ Q) / (A[some] @ numbers(found.Q))
    loss, least = float(found.log_likelihood) - float(alone), float(data[some] @ (ratio - 1 - np.log(ratio)))
    at_most(least, loss, "least loss of a top that misses", slack=1e-9)
    joined, which = impl.in_model_bound(p, xp.stack([case.Q, found.Q]), weights=case.data)
    agree(joined, dual_bound(A, data, numbers(found.Q)), "bound with the best marginal")
    copier, half, skew = (like(t, case.A) for t in (COPIER, [0.5, 0.5], [0.9, 0.1]))
    missed, _ = impl.in_model_bound(explained(copier), xp.stack([skew]), weights=half)
    loss = float(best(impl, copier, half).log_likelihood) - float(missed)
    agree(loss, 0.5 * math.log(0.25 / (0.74 * 0.26)), "loss of the example")


@check(
    "AO.sec2.2c",
    of=incorporation,
    cases=st.tuples(
        candidates(), st.lists(st.integers(1, 9), min_size=4, max_size=4), st.sampled_from((0.25, 0.5, 0.9))
    ),
    examples=60,
    evidence=EXACTLY,
    rejects=("data-alike (of the certificate)", "not-divided-by-law", "negative-log-likelihood"),
)
def log_likelihood_is_concave_in_the_law_of_h(impl: Implementation, case: Any, plain: Any) -> None:
    """L(t Q + (1-t) R) >= t L(Q) + (1-t) L(R), and L(R) <= L(Q) + sum_h (R - Q)(h) g(h), g the gradient.

    Concave is what the arg max of eq. 13 maximises.  g is checked by the complex step.
    """
    (A, data, Q), counts, t = plain
    p, S = explained(case[0].A), Q.size
    R = np.array(counts[:S], float) / sum(counts[:S])
    three = [like(law, case[0].Q) for law in (Q, R, t * Q + (1 - t) * R)]
    of_Q, of_R, mixed = (float(impl.log_likelihood(p, law, weights=case[0].data)) for law in three)
    agree(mixed, log_lik(A, data, t * Q + (1 - t) * R), "log-likelihood of a mixture")
    at_most(t * of_Q + (1 - t) * of_R, mixed, "chord against the curve")
    some = data > 0
    g = impl.certify(p, case[0].Q, weights=case[0].data).g
    agree(g, derivative(lambda law: data[some] @ np.log(A[some] @ law), Q), "gradient")
    at_most(of_R - of_Q, (R - Q) @ numbers(g), "curve against the tangent", slack=1e-9)


@check(
    "AO.sec2.2d",
    of=(marginal, incorporation),
    cases=bottoms(),
    evidence=to_tolerance("1e-4 in the probabilities (the value is certified to 1e-12 nats)"),
    rejects=SOLVERS,
)
def best_marginal_is_unique_unless_columns_depend(impl: Implementation, case: Bottom, plain: Bottom) -> None:
    """Where the columns of the states with g = 1, at the data, are independent, two solvers find one law.

    Where two columns are equal and have mass it can be shifted between them: a segment of best marginals.
    Equal columns are not the only degenerate case: one may be the mean of two others, or they may differ
    only at values that do not occur.  The law of the *data* is unique always.
    """
    (A, data), p, found = plain, explained(case.A), best(impl, *case)
    Q, some, near = numbers(found.Q), data > 0, tolerance(1e-10)
    P, S = A[some] @ Q, Q.size
    agree(found.log_likelihood, dual_bound(A, data, Q), "value", rtol=0, atol=1e-9)
    slow = impl.expectation_maximisation(
        p, like(np.full(S, 1 / S), case.A), weights=case.data, tolerance=near, most_steps=600
    )
    # L(Q) - L(R) >= |P_Q/P_R - 1|^2 / 2 or so: what is within 1e-10 nats has P within some 1e-5.
    if slow.gap <= near:
        agree(A[some] @ numbers(slow.Q), P, "law of the data under another best marginal", rtol=1e-4)
    active = gradient(A, data, Q) > 1 - 1e-3
    singular = np.linalg.svd(A[some][:, active], compute_uv=False)
    if active.sum() <= some.sum() and singular[-1] > 0.05:
        at_most(range_of_optima(A, data, Q), 1e-4, "extent of the set of best marginals")
        if slow.gap <= near:
            agree(slow.Q, Q, "another best marginal, columns independent", rtol=0, atol=1e-3)
    for h, k in twins(A):
        other = impl.log_likelihood(p, like(shifted(Q, h, k), case.A), weights=case.data)
        agree(other, found.log_likelihood, "value with the mass of a twin shifted")


@check(
    "AO.sec2.1c",
    of=(marginal, incorporation),
    cases=st.integers(1, 5).flatmap(lambda n: st.tuples(laws(n), st.permutations(range(n)))),
    examples=15,
    evidence=TO_THE_CERTIFICATE,
    rejects=SOLVERS,
)
def copying_layer_hands_the_problem_upwards(impl: Implementation, case: Any, plain: Any) -> None:
    """P(x|h) a permutation: the best marginal is P_D, renamed, and U_D = -H(P_D), which no model exceeds.

    Such a layer is not the only one to reach it: one with P_D itself among its columns does, and leaves the
    layers above nothing to do.
    """
    data, (D, order) = case[0], plain
    found = best(impl, like(np.eye(D.size)[:, list(order)], data), data)
    agree(found.Q, D[list(order)], "best marginal of a copying layer")
    minus_entropy = sum(p * math.log(p) for p in D if p > 0)
    agree(found.log_likelihood, minus_entropy, "U_D of a copying layer")
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


@check(
    "AO.eq11",
    of=criteria,
    cases=inferring,
    evidence=DEFINITION,
    rejects=("data-summed-in-q", "rows-of-q-alike", "logits-averaged"),
)
def aggregate_is_the_marginal_of_data_and_inference(
    impl: Implementation, case: Inferring, plain: Inferring
) -> None:
    """q_D(h) = sum_x q(h|x) P_D(x): the h-marginal of P_D(x) q(h|x), a law, linear in q."""
    q = rows_of(plain.logits)
    q_D = (plain.data[:, None] * q).sum(axis=0)
    agree(impl.aggregate_logits(case.logits, form="table", weights=case.data), q_D, "q_D")
    agree(impl.aggregate(like(q, case.A), weights=case.data), q_D, "q_D of a table")
    mixed = impl.aggregate(like((q + np.roll(q, 1, axis=1)) / 2, case.A), weights=case.data)
    agree(mixed, (q_D + np.roll(q_D, 1)) / 2, "q_D of a mean of two")


@check(
    "AO.prop3",
    "AO.eq10",
    "AO.eq15",
    "AO.prop3a",
    of=(criteria, incorporation, marginal),
    cases=inferring,
    examples=50,
    evidence=TO_THE_CERTIFICATE,
    rejects=(*SOLVERS, "rows-of-q-alike", "data-alike (of the criterion's gradient)", "q-held-in-its-law"),
)
def criterion_over_q_coincides_with_the_bound(
    impl: Implementation, case: Inferring, plain: Inferring
) -> None:
    """Every law on h is some q_D (q(h|x) = Q(h)), so max over q is U_D; no q exceeds it.

    Two maximisers: the best marginal itself for every x, and its posterior.  The gradients of eq. 10 by the
    layer and by q agree with the complex step; that by q vanishes at the maximiser.
    """
    A, data, logits = plain
    (n, S), some, bound = A.shape, data > 0, ("AO.prop3", "AO.eq15")
    found, p = best(impl, case.A, case.data), explained(case.A)
    Q, q = numbers(found.Q), rows_of(logits)
    U = dual_bound(A, data, Q)
    agree(found.log_likelihood, U, "U_D", of=bound, rtol=0, atol=1e-9)
    q_D = impl.aggregate_logits(case.logits, form="table", weights=case.data)
    value = impl.log_likelihood(p, q_D, weights=case.data)
    agree(value, log_lik(A, data, data @ q), "criterion at some q", of="AO.eq10")
    at_most(value, found.log_likelihood, "criterion at some q against U_D", of=bound, slack=1e-9)
    # other values than the data may be impossible given every h, and then have no posterior
    kept, weights = like(A[some], case.A), like(data[some], case.A)
    posterior = impl.inferred(explained(kept), found.Q)
    for maximiser in (like(np.tile(Q, (some.sum(), 1)), case.A), posterior):
        law = impl.aggregate(maximiser, weights=weights)
        agree(impl.log_likelihood(p, law, weights=case.data), U, "maximum", of=bound, atol=1e-9)
    constant = impl.aggregate(like(np.tile(Q, (n, 1)), case.A), weights=case.data)
    agree(constant, Q, "q_D of the constant q", of="AO.prop3a")
    table, xp = Table(log_table(case.A)), array_namespace(case.A)
    x = xp.arange(n, dtype=xp.int64)
    by_layer, by_q = impl.criterion_grad(table, x, case.logits, form="table", weights=case.data)
    expected = derivative(lambda a: data[some] @ np.log(A[some] @ (data @ rows_of(a))), logits)
    agree(by_q, expected, "gradient of the criterion by the logits of q", of="AO.eq10")
    a = np.log(np.maximum(A, 1e-300))
    expected = derivative(lambda a: log_lik_of_logits(a, data, data @ q), a)
    agree(by_layer.logits, expected, "gradient of the criterion by the layer", of="AO.eq10")
    at_best = like(np.tile(np.log(np.maximum(Q, 1e-30)), (n, 1)), case.A)
    _, by_q = impl.criterion_grad(table, x, at_best, form="table", weights=case.data)
    agree(by_q, np.zeros((n, S)), "gradient by q at the best marginal", of=bound, atol=1e-10)


@check(
    "AO.prop3",
    of=(incorporation, marginal),
    cases=bottoms().filter(lambda case: len(twins(case.A)) > 0),
    evidence=TO_THE_CERTIFICATE,
    rejects=("em-stopped-early", "support-only", "data-alike (of the certificate)"),
)
def degenerate_best_marginals_are_certified_too(impl: Implementation, case: Bottom, plain: Bottom) -> None:
    """Where two columns are equal all their mass may be on either: the certificate is zero, g = 1 at both."""
    (A, data), p, found = plain, explained(case.A), best(impl, *case)
    Q = numbers(found.Q)
    for h, k in twins(A):
        law = shifted(Q, h, k)
        other = impl.certify(p, like(law, case.A), weights=case.data)
        agree(other.log_likelihood, dual_bound(A, data, Q), "U_D with the mass of a twin shifted", atol=1e-9)
        agree(other.gap, 0.0, "certificate of a degenerate best marginal", atol=1e-10)
        agree(other.g, gradient(A, data, law), "gradient")


@check(
    "AO.rem4",
    "AO.sec2.1d",
    of=(criteria, incorporation, marginal),
    cases=bottoms(most=3),
    examples=60,
    evidence=TO_THE_CERTIFICATE,
    rejects=(*SOLVERS, "rows-of-q-alike"),
)
def families_of_q_that_reach_every_law_are_enough(impl: Implementation, case: Bottom, plain: Bottom) -> None:
    """Over constant q(h|x) = Q(h) alone the maximum is U_D; with e of another q, U_D + log(1 - e) or more.

    Over fewer q it is less, or the same: deterministic codes, codes and their mixtures with a constant, all
    constants.  What q ranges over changes the maximum found, never the laws P(x) = sum_h P(x|h) Q(h) that
    there are: any q is as good as the constant of its q_D.
    For P_D = (0.6, 0.4) and h that copies x with probability 0.8 the best marginal is (2/3, 1/3), and codes
    reach q_D(0) in {0, 0.4, 0.6, 1} only: they stay below U_D = -H(P_D).
    """
    A, data = plain
    (n, S), p, found = A.shape, explained(case.A), best(impl, *case)
    U = dual_bound(A, data, numbers(found.Q))

    def criterion(q: Any) -> float:
        q_D = impl.aggregate(like(q, case.A), weights=case.data)
        return float(impl.log_likelihood(p, q_D, weights=case.data))

    constant = np.tile(numbers(found.Q), (n, 1))
    agree(criterion(constant), U, "constants", of="AO.rem4", rtol=0, atol=1e-9)
    poor, rich = [criterion(q) for q in codes(n, S)], []
    for e in (0.5, 1e-3):
        mixed = [criterion(e * q + (1 - e) * constant) for q in codes(n, S)]
        at_most(U + math.log1p(-e), mixed, "laws that miss a constant by a share e", of="AO.rem4", slack=1e-9)
        rich += mixed
    by_hand = [log_lik(A, data, data @ q) for q in codes(n, S)]
    agree(np.array(poor), by_hand, "codes", of="AO.sec2.1d")
    at_most(max(*poor, *rich), U, "codes and mixtures against U_D", of="AO.sec2.1d", slack=1e-9)
    same = [criterion(np.tile(data @ q, (n, 1))) for q in codes(n, S)]
    agree(same, by_hand, "constants of the same q_D", of="AO.sec2.1d")
    copier, skew = (like(t, case.A) for t in (COPIER, [0.6, 0.4]))
    laws_of_codes = [impl.aggregate(like(q, case.A), weights=skew) for q in codes(2, 2)]
    reached = [float(impl.log_likelihood(explained(copier), q, weights=skew)) for q in laws_of_codes]
    agree(max(reached), 0.6 * math.log(0.56) + 0.4 * math.log(0.44), "best code of the example")
    ideal = best(impl, copier, skew)
    agree(ideal.log_likelihood, 0.6 * math.log(0.6) + 0.4 * math.log(0.4), "U_D of the example")
    agree(ideal.Q, [2 / 3, 1 / 3], "best marginal of the example", atol=1e-9)


# --- with a q that is not optimal (3.3.1) -----------------------------------------------------------------


@check(
    "AO.def8",
    "AO.eq34",
    "AO.sec3.3.1a",
    of=(criteria, incorporation, marginal),
    cases=inferring,
    evidence=TO_THE_CERTIFICATE,
    rejects=(*SOLVERS, "data-alike (of the log-likelihood)", "mean-before-logarithm"),
)
def empirical_bound_is_a_lower_bound_of_the_bound(
    impl: Implementation, case: Inferring, plain: Inferring
) -> None:
    """U_{D,q} = E_D log sum_h P(x|h) q_D(h) <= U_D, whatever q, and by no more than its certificate says.

    Equal where q is optimal.
    """
    (A, data, logits), p = plain, explained(case.A)
    q_D = impl.aggregate_logits(case.logits, form="table", weights=case.data)
    value = impl.log_likelihood(p, q_D, weights=case.data)
    agree(value, log_lik(A, data, data @ rows_of(logits)), "U_{D,q}", of=("AO.def8", "AO.eq34"))
    found = best(impl, case.A, case.data)
    U, of = dual_bound(A, data, numbers(found.Q)), "AO.sec3.3.1a"
    agree(found.log_likelihood, U, "U_D", of=of, rtol=0, atol=1e-9)
    at_most(value, found.log_likelihood, "U_{D,q} against U_D", of=of, slack=1e-9)
    gap = impl.certify(p, q_D, weights=case.data).gap
    at_most(U - float(value), gap, "shortfall against its certificate", of=of, slack=1e-9)
    constant = impl.aggregate(like(np.tile(numbers(found.Q), (data.size, 1)), case.A), weights=case.data)
    agree(impl.log_likelihood(p, constant, weights=case.data), U, "at the optimal q", of=of, atol=1e-9)
