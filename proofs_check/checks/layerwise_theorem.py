"""[AO] 2.1-2.3: theorem 1, propositions 5 and 6 with the steps of their proofs, layer-wise consistency.

Families are finite, every bottom layer with every law of the top, so the global optimum is found by trying
all pairs.  [AO] assumes it to be unique; without that the statements are about its value, and about one of
the optima.  All optimal values are proved by dual bounds (``oracle.layerwise``).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import Array, array_namespace
from ...reference import laws
from ...reference.directed import belief
from ...reference.directed.layers import Table
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
    to_tolerance,
    tolerance,
)
from ..oracle.boltzmann import like
from ..oracle.layerwise import Numbers, divergence, dual_bound, log_lik, numbers, posterior_table
from ..strategies import Candidate, Family, candidates, families
from ..strategies import laws as law_tables
from .layerwise_marginal import GAP, best, explained

TO_THE_CERTIFICATE = to_tolerance("1e-9 nats, the certificate of the best marginals")


class Selected(NamedTuple):
    """What the two stages of the procedure select in a family."""

    bottom: int  # the best optimistic lower layer
    found: Marginal  # its best marginal
    top: int  # the law of the top closest to it


def layers(case: Family) -> list[Array]:
    """Return the bottom tables."""
    return [case.bottoms[k, ...] for k in range(case.bottoms.shape[0])]


def values(case: Family) -> Numbers:
    """Return the log-likelihood of every model of the family, bottoms by tops."""
    data = numbers(case.data)
    return np.array([[log_lik(A, data, Q) for Q in numbers(case.tops)] for A in numbers(case.bottoms)])


def boll(impl: Implementation, case: Family) -> tuple[int, tuple[Marginal, ...]]:
    """Return the best optimistic lower layer, and the best marginals of all layers."""
    xp = array_namespace(case.data)
    x = xp.arange(case.data.shape[0], dtype=xp.int64)
    tables = [Table(log_table(A)) for A in layers(case)]
    found: tuple[int, tuple[Marginal, ...]] = impl.best_optimistic_layer(
        tables, x, weights=case.data, tolerance=tolerance(GAP)
    )
    return found


def select(impl: Implementation, case: Family) -> Selected:
    """Run the procedure: the best optimistic layer, then the top nearest to its best marginal."""
    which, all_found = boll(impl, case)
    found = all_found[which]
    costs = [float(impl.kl(found.Q, case.tops[j, :])) for j in range(case.tops.shape[0])]
    return Selected(which, found, int(np.argmin(costs)))


def with_top(case: Family, top: Array) -> Family:
    """Return the family with one more law of the top."""
    xp = array_namespace(top)
    return case._replace(tops=xp.concat([case.tops, top[None, :]], axis=0))


SELECTIONS = ("lowest-bound", "best-under-uniform-law", "em-from-sparse-start")
MISLED = ("lowest-bound", "em-from-sparse-start")

ELSEWHERE = {"AO.sec4a": "auto-encoders and selection by the bound, which AO.sec2.4b and AO.exp3-6 are about"}

# --- theorem 1, first part; proposition 5 -----------------------------------------------------------------


@check(
    "AO.thm1",
    "AO.thm1a",
    "AO.prop5",
    "AO.eq16",
    "AO.eq17",
    "AO.sec4a",
    of=(marginal, laws),
    cases=families(),
    examples=60,
    evidence=TO_THE_CERTIFICATE,
    uncovered=ELSEWHERE,
    rejects=SELECTIONS,
)
def realised_best_marginal_makes_the_model_optimal(impl: Implementation, case: Family) -> None:
    """Once the best marginal of the selected layer is among the tops, that pair is a global optimum.

    The layer maximises U_D among all, as proved by the dual bounds of the others.  Without the uniqueness
    that [AO] assumes it is one of several optima.
    """
    which, found = boll(impl, case)
    whole = with_top(case, found[which].Q)
    table, D = values(whole), numbers(case.data)
    reached, of = table[which, -1], ("AO.thm1", "AO.thm1a", "AO.prop5", "AO.sec4a")
    agree(reached, table.max(), "value of the selected pair against the global optimum", of=of, atol=1e-9)
    bounds = [dual_bound(A, D, numbers(f.Q)) for A, f in zip(numbers(case.bottoms), found, strict=True)]
    rule = ("AO.eq16", "AO.eq17")  # the same one, twice
    agree(max(bounds), reached, "largest upper bound of any layer's U_D", of=rule, atol=1e-9)
    p = [explained(A) for A in layers(case)]
    in_model = [float(impl.in_model_bound(q, whole.tops, weights=case.data)[0]) for q in p]
    agree(in_model[which], max(in_model), "in-model bound of the selected layer", of="AO.prop5")


@check(
    "AO.eq18",
    "AO.sec2.2e",
    of=(marginal, laws),
    cases=families(),
    examples=25,
    evidence=TO_THE_CERTIFICATE,
    rejects=("lowest-bound", "last-top", "data-alike (of the in-model bound)"),
)
def in_model_bound_is_below_the_bound_and_finds_the_optimum(impl: Implementation, case: Family) -> None:
    """U_model <= U_D <= U_D(selected), = U_model(selected) once realised; the best U_model is the optimum."""
    table = values(case)
    which, found = boll(impl, case)
    top = dual_bound(numbers(case.bottoms)[which], numbers(case.data), numbers(found[which].Q))
    for k, A in enumerate(layers(case)):
        in_model, j = impl.in_model_bound(explained(A), case.tops, weights=case.data)
        agree(in_model, table[k].max(), "in-model bound", of="AO.eq18")
        agree(table[k][j], table[k].max(), "value of the maximiser", of="AO.eq18")
        bound = dual_bound(numbers(A), numbers(case.data), numbers(found[k].Q))
        at_most(in_model, bound, "in-model bound against U_D", of="AO.sec2.2e", slack=1e-9)
        at_most(bound, top, "U_D against the selected layer's", of="AO.sec2.2e", slack=1e-9)
    whole = with_top(case, found[which].Q)
    realised, _ = impl.in_model_bound(explained(layers(case)[which]), whole.tops, weights=case.data)
    agree(realised, top, "selected layer, realised", of="AO.sec2.2e", atol=1e-9)


# --- theorem 1, second part; proposition 6 ----------------------------------------------------------------


@check(
    "AO.thm1",
    "AO.thm1b",
    "AO.prop6",
    "AO.eq19",
    "AO.eq20",
    "AO.sec4a",
    of=(marginal, criteria, laws),
    cases=families(),
    examples=60,
    evidence=TO_THE_CERTIFICATE,
    uncovered=ELSEWHERE,
    rejects=(*MISLED, "loss-of-wrong-sign", "kl-reversed"),
)
def loss_is_bounded_by_both_divergences(impl: Implementation, case: Family) -> None:
    """optimum - L(selected, top) <= KL(D||P) - KL(D||P_best) <= KL(best marginal || top), for every top.

    Infinite bounds are reached: a top that misses a state that a datum needs.
    """
    D, table = numbers(case.data), values(case)
    which, all_found = boll(impl, case)
    A, found = numbers(case.bottoms)[which], all_found[which]
    p, Q = explained(layers(case)[which]), numbers(found.Q)
    for j, top in enumerate(numbers(case.tops)):
        bounds = impl.loss_bounds(p, found, case.tops[j, :], weights=case.data)
        of_laws = divergence(D, A @ top) - divergence(D, A @ Q)
        agree(bounds.likelihood, of_laws, "eq. 19", of="AO.eq19")
        agree(bounds.divergence, divergence(Q, top), "eq. 20", of="AO.eq20")
        if math.isfinite(table.max()):
            loss, of = table.max() - table[which, j], ("AO.thm1", "AO.thm1b", "AO.sec4a")
            at_most(loss, of_laws, "loss against eq. 19", of="AO.prop6", slack=1e-9)
            at_most(loss, bounds.divergence, "loss against eq. 20", of=of, slack=1e-9)
        at_most(of_laws, bounds.divergence, "eq. 19 against eq. 20", of="AO.prop6", slack=1e-9)


@check(
    "AO.sec2.1a",
    of=(marginal, criteria, laws),
    cases=families().flatmap(
        lambda case: st.tuples(st.just(case), law_tables(case.tops.shape[1], zeros=False))
    ),
    examples=25,
    evidence=TO_THE_CERTIFICATE,
    rejects=("optimum-in-the-bound", "lowest-bound"),
)
def bound_of_the_loss_does_not_know_the_optimum(impl: Implementation, case: Any) -> None:
    """With another competitor among the tops the loss changes and the bound stays, still above it."""
    family, other = case
    rich = with_top(family, other)
    before, after = values(family), values(rich)
    which, found = boll(impl, family)
    p, top = explained(layers(family)[which]), family.tops[0, :]
    bounds = impl.loss_bounds(p, found[which], top, weights=family.data)
    agree(
        bounds.divergence,
        divergence(numbers(found[which].Q), numbers(top)),
        "the bound, by its two laws alone",
    )
    for table in (before, after):
        if math.isfinite(table.max()):
            loss = table.max() - table[which, 0]
            at_most(loss, bounds.divergence, "loss against the bound", slack=1e-9)
    at_most(before.max(), after.max(), "optimum of the smaller family", slack=0)


@check(
    "AO.sec2.1b",
    "AO.sec2.2f",
    of=(criteria, incorporation, marginal),
    cases=candidates(most=3, zeros=False, sparse=False),
    examples=25,
    evidence=EXACTLY,
    rejects=("data-alike (of the certificate)", "certificate-always-closed"),
)
def bound_needs_the_optimal_q(impl: Implementation, case: Candidate) -> None:
    """Where q is not optimal the top may match q_D, so KL = 0, and yet lose U_D - L(q_D) > 0.

    It is safe again with the certificate of q_D added to eq. 19: loss <= E log P_q/P + log max g.  With the
    optimal q it may be far above the loss: the best marginal is optimistic.
    Example: h copies x with probability 0.8, P_D = (1/2, 1/2), q_D = P_J = (0.9, 0.1): 0.1309 nats.
    """
    A, data, Q = (numbers(x) for x in case)
    p = explained(case.A)
    top = best(impl, case.A, case.data)
    loss = float(top.log_likelihood) - log_lik(A, data, Q)
    given = impl.certify(p, case.Q, weights=case.data)
    claimed = impl.loss_bounds(p, given, case.Q, weights=case.data)
    agree(claimed.divergence, 0.0, "KL of q_D from itself")
    agree(claimed.likelihood, 0.0, "eq. 19 of q_D against itself")
    at_most(
        loss,
        float(claimed.likelihood) + claimed.gap,
        "loss against eq. 19 plus the gap",
        of="AO.sec2.2f",
        slack=1e-9,
    )
    copier = like([[0.8, 0.2], [0.2, 0.8]], case.A)
    half, skew = like([0.5, 0.5], case.A), like([0.9, 0.1], case.A)
    best_there = float(best(impl, copier, half).log_likelihood)
    real = best_there - log_lik(numbers(copier), numbers(half), numbers(skew))
    agree(real, 0.5 * math.log(0.25 / (0.74 * 0.26)), "loss of the example", of="AO.sec2.1b")
    found = impl.certify(explained(copier), skew, weights=half)
    agree(found.gap, math.log(0.5 * (0.2 / 0.74 + 0.8 / 0.26)), "certificate of the example", of="AO.sec2.2f")
    # The other side: a family of one top loses nothing, and the bound by the optimal q is far above that.
    best_law = impl.loss_bounds(p, top, case.Q, weights=case.data)
    at_most(0.0, best_law.likelihood, "loss of a family of one, which is zero, against eq. 19", slack=1e-9)
    optimistic = impl.loss_bounds(explained(copier), best(impl, copier, half), skew, weights=half)
    agree(optimistic.likelihood, real, "eq. 19 where the only top loses nothing", of="AO.sec2.2f")


# --- the top layers (eq. 12) and the whole procedure ------------------------------------------------------


@check(
    "AO.eq12",
    of=(laws,),
    cases=families().flatmap(lambda case: st.tuples(law_tables(case.tops.shape[1]), st.just(case.tops))),
    examples=25,
    evidence=EXACTLY,
    rejects=("kl-reversed", "entropy-of-wrong-sign", "kl-halved"),
)
def nearest_top_is_the_likeliest(impl: Implementation, case: Any) -> None:
    """KL(q_D || P_J) = -H(q_D) - E_{q_D} log P_J: one minimiser and maximiser, as in eq. 4-5 one layer up."""
    target, tops = case
    q = numbers(target)
    gains = []
    for j in range(tops.shape[0]):
        gains.append(float(impl.expectation(target, log_table(tops[j, :]))))
        by_hand = log_lik(np.eye(q.size), q, numbers(tops)[j])
        agree(gains[-1], by_hand, "E log P_J")
        agree(impl.kl(target, tops[j, :]), -gains[-1] - float(impl.entropy(target)), "KL")
    costs = [float(impl.kl(target, tops[j, :])) for j in range(tops.shape[0])]
    agree(gains[int(np.argmin(costs))], max(gains), "E log P_J at the least KL")


@check(
    "AO.alg1",
    of=(marginal, laws),
    cases=families(),
    examples=25,
    evidence=TO_THE_CERTIFICATE,
    rejects=(*MISLED, "farthest-top"),
)
def layer_by_layer_is_as_good_as_its_top(impl: Implementation, case: Family) -> None:
    """What the two stages select loses at most the least KL(q_D || P_J); nothing where a top matches q_D."""
    chosen, table = select(impl, case), values(case)
    Q, tops = numbers(chosen.found.Q), numbers(case.tops)
    least = min(divergence(Q, top) for top in tops)
    loss = table.max() - table[chosen.bottom, chosen.top] if math.isfinite(table.max()) else 0.0
    at_most(loss, least, "loss of what is selected", slack=1e-9)
    exact = select(impl, with_top(case, chosen.found.Q))
    reached = values(with_top(case, chosen.found.Q))
    agree(reached[exact.bottom, exact.top], reached.max(), "selected, realised")


# --- steps of the proof of proposition 6 ------------------------------------------------------------------


@check(
    "AO.sec2.2g",
    of=(laws,),
    cases=families(),
    evidence=EXACTLY,
    rejects=("kl-reversed", "kl-halved"),
)
def differences_of_divergences_are_differences_of_likelihoods(impl: Implementation, case: Family) -> None:
    """The loss of p1 against p2, E log p2 - E log p1, is KL(D||p1) - KL(D||p2), one of them finite."""
    D = numbers(case.data)
    P = [A @ Q for A in numbers(case.bottoms) for Q in numbers(case.tops)]
    for p1, p2 in pairwise([*P, np.full(D.size, 1 / D.size)]):
        of_p1, of_p2 = (log_lik(np.eye(D.size), D, p) for p in (p1, p2))
        first, second = (float(impl.kl(case.data, like(p, case.data))) for p in (p1, p2))
        if max(of_p1, of_p2) > -math.inf:
            agree(first - second, of_p2 - of_p1, "difference of divergences")


@check(
    "AO.sec2.2h",
    "AO.sec2.2i",
    of=(incorporation, marginal),
    cases=candidates().flatmap(lambda case: st.tuples(st.just(case), law_tables(case.A.shape[1]))),
    examples=40,
    evidence=to_tolerance("1e-9 (the best marginal is certified to 1e-12 nats)"),
    rejects=("old-law-dropped", "prior-for-posterior"),
)
def log_sum_step_and_the_mean_posterior(impl: Implementation, case: Any) -> None:
    """E log p3/p1 <= E_D E_{p3(h|x)} log p3(h)/p1(h) for any p1, p3; the best marginal makes it KL(p3 || p1).

    So too for each x, by the log-sum inequality; it is tight at p1 = p3, and where one h alone explains x.
    All are infinite where p1 leaves out what a datum needs.
    For that the mean posterior of p3 must be p3 itself.  It is not for an arbitrary law; and that it is does
    not characterise the maxima, as [AO] says in passing: see proposition 7b.
    """
    (A, data, Q), other = case
    a, d, p1 = numbers(A), numbers(data), numbers(other)
    some = d > 0
    kept = like(a[some], A)
    found = best(impl, A, data)
    for p3, is_best in ((Q, False), (found.Q, True)):
        q = numbers(p3)
        posterior = numbers(impl.inferred(explained(kept), p3))
        agree(posterior, posterior_table(a, q)[some], "posterior p3(h | x)")
        for other_law in (p1, q):
            for A_x, p in zip(a[some], posterior, strict=True):
                likelier = log_lik(A_x[None], np.ones(1), q) - log_lik(A_x[None], np.ones(1), other_law)
                terms = zip(p, q, other_law, strict=True)
                step = sum(m * math.log(s / t) if t > 0 else math.inf for m, s, t in terms if m > 0)
                at_most(likelier, step, "log-sum inequality of one x", of="AO.sec2.2h")
                explaining = {tuple(A_x * law > 0) for law in (q, other_law)}
                if other_law is q or (len(explaining) == 1 and (p > 0).sum() == 1):
                    agree(likelier, step, "log-sum inequality, where it is tight", of="AO.sec2.2h")
        mean = d[some] @ posterior
        terms = zip(mean, q, p1, strict=True)
        ratio = sum(m * math.log(s / t) if t > 0 else math.inf for m, s, t in terms if m > 0)
        at_most(log_lik(a, d, q) - log_lik(a, d, p1), ratio, "log-sum step", of="AO.sec2.2h", slack=1e-9)
        if is_best:
            # sum_h |mean(h) - q(h)| = sum_h q(h) |g(h) - 1| is at most twice the certificate.
            agree(mean, q, "mean posterior of the best marginal", of="AO.sec2.2i", atol=1e-10, rtol=0)
            agree(ratio, divergence(q, p1), "E log p3/p1", rtol=0, atol=1e-9)
    copier, skew, weights = (like(t, A) for t in ([[0.8, 0.2], [0.2, 0.8]], [0.9, 0.1], [0.6, 0.4]))
    agree(
        impl.incorporate(explained(copier), skew, weights=weights),
        [0.6 * 0.72 / 0.74 + 0.4 * 0.18 / 0.26, 0.6 * 0.02 / 0.74 + 0.4 * 0.08 / 0.26],
        "mean posterior of a law that is not the best: (0.8607, 0.1393), not (0.9, 0.1)",
        of="AO.sec2.2i",
    )


# --- more layers below (2.3), consistency (2.5), fine-tuning (2.6) ----------------------------------------


class Stacked(NamedTuple):
    """Lower layers P(x | h1), next ones P(h1 | h2), and a law of the data."""

    lower: Any  # (m, X, S)
    next: Any  # (k, S, T)
    data: Any  # (X,)


@st.composite
def stacks_of_tables(draw: DrawFn) -> Stacked:
    """Stacks; a next layer may leave out states of h1, and what the data need of them."""
    family = draw(families())
    states, above = family.tops.shape[1], draw(st.integers(1, 3))
    columns = law_tables(states)
    nexts = [np.stack([draw(columns) for _ in range(above)], axis=1) for _ in range(draw(st.integers(1, 2)))]
    return Stacked(family.bottoms, np.stack(nexts), family.data)


def explains(A: Numbers, law: Numbers) -> bool:
    """Return whether some h gives each value that has a probability some."""
    return bool((A.sum(axis=1) > 0)[law > 0].all())


@check(
    "AO.sec2.3e",
    of=(marginal, belief),
    cases=stacks_of_tables(),
    examples=25,
    evidence=TO_THE_CERTIFICATE,
    rejects=("uniform-between", "em-stopped-early"),
)
def another_fixed_layer_never_raises_the_bound(impl: Implementation, case: Stacked, plain: Stacked) -> None:
    """U_D(A B) <= U_D(A): laws on h1 of the form B Q are some of all laws; equal where B can copy.

    It is minus infinity where B leaves out what a datum needs.
    """
    A, B, D = plain.lower[0], plain.next[0], plain.data

    def bound_with(next_layer: Any) -> float:
        net = (Table(log_table(case.lower[0, ...])), Table(log_table(like(next_layer, case.data))))
        both = array_namespace(case.data).exp(impl.compose(net).logits)
        agree(both, A @ next_layer, "the two layers as one")
        if not explains(A @ next_layer, D):
            corners = like(np.eye(next_layer.shape[1]), case.data)
            return float(impl.in_model_bound(explained(both), corners, weights=case.data)[0])
        found = best(impl, both, case.data)
        agree(found.log_likelihood, dual_bound(A @ next_layer, D, numbers(found.Q)), "bound", atol=1e-9)
        return float(found.log_likelihood)

    one = best(impl, case.lower[0, ...], case.data)
    agree(one.log_likelihood, dual_bound(A, D, numbers(one.Q)), "bound of one layer", rtol=0, atol=1e-9)
    at_most(bound_with(B), one.log_likelihood, "bound of two layers against one", slack=1e-9)
    copy = np.roll(np.eye(A.shape[1]), 1, axis=0)
    agree(bound_with(copy), one.log_likelihood, "bound with a copying layer between")


@check(
    "AO.sec2.6a",
    of=(marginal, belief),
    cases=stacks_of_tables(),
    examples=15,
    evidence=TO_THE_CERTIFICATE,
    rejects=("uniform-between", "lowest-bound"),
)
def fine_tuning_is_the_criterion_of_all_layers_as_one(
    impl: Implementation, case: Stacked, plain: Stacked
) -> None:
    """max over all layers at once of U_D(A B) is at least what layer by layer finds, and at most max U_D(A).

    Layer by layer: the best optimistic A for the data, then the best optimistic B for its best marginal,
    among those that can explain it.
    """
    xp, D, tol = array_namespace(case.data), plain.data, tolerance(GAP)
    lower = [Table(log_table(case.lower[k, ...])) for k in range(plain.lower.shape[0])]
    above = [Table(log_table(case.next[k, ...])) for k in range(plain.next.shape[0])]
    x, h = (xp.arange(n, dtype=xp.int64) for n in plain.lower.shape[1:])
    a, found = impl.best_optimistic_layer(lower, x, weights=case.data, tolerance=tol)
    bounds = np.full((len(lower), len(above)), -math.inf)
    for i, j in np.ndindex(*bounds.shape):
        merged = plain.lower[i] @ plain.next[j]
        both = xp.exp(impl.compose((lower[i], above[j])).logits)
        agree(both, merged, "the two layers as one")
        if explains(merged, D):
            whole = best(impl, both, case.data)
            bounds[i, j] = float(whole.log_likelihood)
            agree(bounds[i, j], dual_bound(merged, D, numbers(whole.Q)), "criterion of both", atol=1e-9)
    able = [j for j in range(len(above)) if explains(plain.next[j], numbers(found[a].Q))]
    if able:
        chosen = [above[j] for j in able]
        b, _ = impl.best_optimistic_layer(chosen, h, weights=found[a].Q, tolerance=tol)
        at_most(bounds[a, able[b]], bounds.max(), "layer by layer against all at once", slack=0)
    best_bound = max(dual_bound(A, D, numbers(f.Q)) for A, f in zip(plain.lower, found, strict=True))
    agree(found[a].log_likelihood, best_bound, "U_D of the best A", rtol=0, atol=1e-9)
    at_most(bounds.max(), best_bound, "all at once against U_D of the best A", slack=1e-9)


@check(
    "AO.sec2.5b",
    "AO.sec2.5j",
    of=(marginal, incorporation, laws),
    cases=families(),
    examples=25,
    evidence=TO_THE_CERTIFICATE,
    rejects=MISLED,
)
def best_optimistic_training_is_layer_wise_consistent(impl: Implementation, case: Family) -> None:
    """With the best marginal held as P(h) no layer beats the selected one; nor another P(h) with it.

    So fine-tuning the layer gains nothing under a perfect top.  Where the top misses its target it may: for
    P_D = (0.6, 0.4) a copying layer is selected, and under P(h) = (0.99, 0.01) one that ignores h is better.
    """
    which, found = boll(impl, case)
    D, Q = numbers(case.data), numbers(found[which].Q)
    held = [float(impl.log_likelihood(explained(A), found[which].Q, weights=case.data)) for A in layers(case)]
    by_hand = [log_lik(A, D, Q) for A in numbers(case.bottoms)]
    agree(held, by_hand, "likelihoods with P(h) held")
    agree(held[which], max(held), "the selected layer among all, P(h) held", of="AO.sec2.5b")
    bound = dual_bound(numbers(case.bottoms)[which], D, Q)
    agree(held[which], bound, "P(h) among all, the layer held", of="AO.sec2.5b", atol=1e-9)
    copier, deaf = np.eye(2), np.full((2, 2), 0.5)
    data, missed = (like(law, case.data) for law in ([0.6, 0.4], [0.99, 0.01]))
    example = Family(like(np.stack([deaf, copier]), data), missed[None, :], data)
    chosen, _ = boll(impl, example)
    agree(chosen, 1, "the layer selected in the example")
    of_deaf, of_copier = (
        float(impl.log_likelihood(explained(A), missed, weights=data)) for A in layers(example)
    )
    agree(of_deaf, -math.log(2), "example, the layer that ignores h", of="AO.sec2.5j")
    agree(of_copier, 0.6 * math.log(0.99) + 0.4 * math.log(0.01), "example, selected", of="AO.sec2.5j")


@check(
    "AO.sec2.5a",
    of=(incorporation,),
    cases=families(),
    examples=25,
    evidence=DEFINITION,
    rejects=("data-alike (of the log-likelihood)", "uniform-law-of-h"),
)
def consistency_is_about_the_likelihood_with_the_target_held(impl: Implementation, case: Family) -> None:
    """(theta, P(h)) is consistent where theta is in argmax E_D log sum_h P(x|h) P(h), P(h) held.

    What theta must maximise, of each pair of a family, by loops.
    """
    table = values(case)
    for j in range(case.tops.shape[0]):
        held = [
            float(impl.log_likelihood(explained(A), case.tops[j, :], weights=case.data)) for A in layers(case)
        ]
        agree(held, table[:, j], f"likelihoods with P(h) number {j} held")
