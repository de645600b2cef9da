"""[BA] 3: deep belief nets, their law, and the variational bound of log p(v)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference.directed import belief, dbn, dbn_bound
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..oracle import boltzmann
from ..oracle import directed as oracle
from ..oracle.boltzmann import like, states
from ..oracle.directed import rows_of
from ..strategies.common import arrays, hundredths, laws
from ..strategies.directed import DBNCase, Stacked, dbn_cases, dbns, stacked

UNCOVERED = "that p(v) may be hard to compute; and that the bound shows what layers add (BA.sec3.1c does)"

# --- the net ----------------------------------------------------------------------------------------------


@check(
    "BA.sec3a",
    "BA.fig4",
    of=(dbn, belief),
    cases=st.tuples(dbns(), stacked()),
    evidence=DEFINITION,
    rejects=(
        "directed-layers-undirected",
        "recognition-weights-generate",
        "recognition-biases-generate",
        "hidden-biases-added-on-top",
        "top-couplings-dropped",
        "missing-top-partition",
        "averaged-top-partition",
        "top-hidden-dropped",
        "top-hidden-maximised",
        "top-bias-counted-twice",
        "law-of-hidden-dropped",
        "law-of-hidden-uniform",
        "zeros-ignored",
        "units-averaged",
        "sigmoid-taken-twice",
        "squared-error",
    ),
)
def top_machine_is_undirected_and_lower_layers_point_down(
    impl: Implementation, case: tuple[DBN, Stacked], plain: tuple[DBN, Stacked]
) -> None:
    """p(v, h1, ...) = p(v | h1) ... p_top: a law; of one machine, that machine's own."""
    theta, pair = case
    table = oracle.log_joint(plain[0])
    grid = np.indices(table.shape).reshape(table.ndim, -1)
    widths = [n.bit_length() - 1 for n in table.shape]
    rows = [like(states(n)[at], theta.top.W) for n, at in zip(widths, grid, strict=True)]
    agree(impl.log_joint(theta, *rows), table.ravel(), "log p(v, h1, ...)", of="BA.sec3a")
    agree(
        impl.state_law(impl.net(theta)),
        np.exp(oracle.log_marginal(table, 0)),
        "p(v)",
        of=("BA.sec3a", "BA.fig4"),
    )
    one, two = impl.stack([pair.machine]), impl.stack([pair.machine, pair.top])
    machine, top, _ = plain[1]
    alone = np.exp(boltzmann.log_visible(machine))
    agree(impl.state_law(impl.net(one)), alone, "p(v) of a machine", of=("BA.sec3a", "BA.fig4"))
    same = oracle.log_joint(DBN((Sigmoid(machine.W, machine.b),), (), top))
    agree(
        impl.state_law(impl.net(two)), np.exp(oracle.log_marginal(same, 0)), "p(v) of a stack", of="BA.fig4"
    )


@check(
    "BA.sec3a",
    "BA.sec3b",
    of=(dbn, dbn_bound),
    cases=dbns(least=3, square=True),
    evidence=EXACTLY,
    rejects=("transposed-weights", "top-weights-transposed", "layers-in-reverse"),
    uncovered={"BA.sec3b": UNCOVERED},
)
def nets_of_one_width_are_told_apart(impl: Implementation, theta: DBN, plain: DBN) -> None:
    """Where all layers are of one size nothing but the numbers tells one from the other, and W from W^T."""
    v = like(states(2), theta.top.W)
    log_p = oracle.log_marginal(oracle.log_joint(plain), 0)
    agree(impl.log_marginal(theta, v), log_p, "log p(v)", of="BA.sec3a")
    bound = impl.bound_log_likelihood(theta, v)
    agree(bound, oracle.bound(plain), "bound", of="BA.sec3b")


# --- Jensen's inequality ----------------------------------------------------------------------------------


class Points(NamedTuple):
    """Positive points and the weights of their mean."""

    w: Any  # (n,)
    x: Any  # (n,)


def points(least: int, most: int) -> Any:
    """Points in [1/2, 8], equal ones among them."""
    return st.integers(least, most).flatmap(
        lambda n: st.builds(Points, laws(n, zeros=False), arrays((n,), hundredths(0.5, 8)))
    )


def jensen_gap(impl: Implementation, w: Any, x: Any) -> float:
    """Return log sum w x - sum w log x, the second from the bound."""
    bound = to_numpy(impl.elbo(w[None, :], array_namespace(x).log(w * x)[None, :])).astype(float)
    return float(np.log(to_numpy(w) @ to_numpy(x)) - bound[0])


def a_third_point_helps(impl: Implementation, case: Points, plain: Points) -> None:
    """As printed: with more than two points the bound is nearer than with the first two of them."""
    w, x = case
    two = w[:2] / (w[0] + w[1])
    at_most(jensen_gap(impl, w, x), jensen_gap(impl, two, x[:2]), "gap of all points, against that of two")


@check(
    "BA.eq14",
    of=(dbn_bound,),
    cases=points(3, 5),
    evidence=EXACTLY,
    printed=a_third_point_helps,
    correction=(
        "log sum w x >= sum w log x for any number of points; not their number matters but their spread: the "
        "gap is at most that of the two extreme points with the same mean, and a further point may widen it"
    ),
    rejects=("q-uniform", "bound-without-q", "entropy-omitted-from-ratio"),
)
def jensen_bounds_the_log_of_a_mean(impl: Implementation, case: Points, plain: Points) -> None:
    """0 <= gap <= the gap of the extreme points at the same mean; zero for equal points."""
    w, x = plain
    gap = jensen_gap(impl, *case)
    agree(gap, np.log(w @ x) - w @ np.log(x), "gap")
    at_most(0.0, gap, "the bound")
    low, high, mean = x.min(), x.max(), w @ x
    share = (mean - low) / (high - low) if high > low else 0.0
    chord = (1 - share) * np.log(low) + share * np.log(high)
    at_most(gap, np.log(mean) - chord, "gap, of the extreme points")
    agree(jensen_gap(impl, case.w, 0 * case.x + case.x[0]), 0.0, "gap of equal points")


@check(
    "BA.fig5",
    of=(dbn_bound,),
    cases=points(2, 2),
    evidence=EXACTLY,
    rejects=("bound-of-wrong-sign", "q-reversed"),
)
def chord_lies_below_the_logarithm(impl: Implementation, case: Points, plain: Points) -> None:
    """Between two points the chord is w_1 log x_1 + w_2 log x_2, and below log; it meets log at its ends."""
    x, xp = plain.x, array_namespace(case.x)
    for t in np.linspace(0.0, 1.0, 9):
        w = like([1 - t, t], case.x)
        log_wx = xp.where(w > 0, xp.log(xp.where(w > 0, w * case.x, w + 1)), w)
        height = to_numpy(impl.elbo(w[None, :], log_wx[None, :])).astype(float)[0]
        agree(height, np.log(x[0]) + t * np.log(x[1] / x[0]), f"chord at {t}")
        at_most(height, np.log((1 - t) * x[0] + t * x[1]), f"chord at {t}")


# --- the bound --------------------------------------------------------------------------------------------


@check(
    "BA.eq13",
    "BA.eq16",
    "BA.eq20",
    "BA.eq21",
    of=(dbn, dbn_bound),
    cases=dbn_cases(),
    examples=40,
    evidence=EXACTLY,
    rejects=(
        "h2-not-summed-out",
        "prior-left-out-of-the-joint",
        "missing-top-partition",
        "visible-biases-left-out",
        "hidden-means-for-sum",
        "sum-outside-the-logarithm",
        "best-state-for-sum",
        "logarithm-missing",
        "bound-for-likelihood",
        "wrong-sign",
        "bits-for-nats",
    ),
)
def joint_law_splits_into_conditional_and_prior(impl: Implementation, case: DBNCase, plain: DBNCase) -> None:
    """log p(v, h1) = log p(v | h1) + log p(h1); p(h1) sums over h2, and p(v) sums p(v, h1) over h1."""
    theta, v, _ = case
    table = oracle.log_joint(plain.theta)
    pairs, prior = oracle.log_marginal(table, 0, 1), oracle.log_marginal(table, 1)
    ours = impl.log_joint_first(theta, v)
    agree(ours, rows_of(pairs, plain.v), "log p(v, h1)", of=("BA.eq20", "BA.eq16"))
    agree(impl.log_prior(theta), prior, "log p(h1)", of="BA.eq21")
    if plain.theta.generative:
        given = oracle.log_given(plain.theta.generative[0]).T + prior
        agree(ours, rows_of(given, plain.v), "log p(v | h1) + log p(h1)", of="BA.eq20")
    summed = boltzmann.log_sum(to_numpy(ours).astype(float), 1)[:, 0]
    visible = rows_of(oracle.log_marginal(table, 0), plain.v)
    agree(summed, visible, "log sum_h1 p(v, h1)", of=("BA.eq13", "BA.eq16"))
    agree(impl.log_marginal(theta, v), visible, "log p(v)", of=("BA.eq13", "BA.eq16"))


def posteriors(plain: DBNCase) -> tuple[Any, Any, Any]:
    """Return log p(v, h1), log p(v) and p(h1 | v) of the rows."""
    pairs = rows_of(oracle.log_marginal(oracle.log_joint(plain.theta), 0, 1), plain.v)
    evidence = boltzmann.log_sum(pairs, 1)[:, 0]
    return pairs, evidence, np.exp(pairs - evidence[:, None])


@check(
    "BA.eq15",
    "BA.eq18",
    "BA.eq19",
    "BA.sec3.1a",
    of=(dbn_bound,),
    cases=dbn_cases(),
    examples=40,
    evidence=EXACTLY,
    rejects=(
        "entropy-of-wrong-sign",
        "entropy-omitted",
        "entropy-in-bits",
        "divergence-reversed",
        "bound-without-q",
        "entropy-averaged",
        "entropy-of-ones-only",
    ),
)
def bound_falls_short_by_the_divergence(impl: Implementation, case: DBNCase, plain: DBNCase) -> None:
    """For any q: log p(v) = elbo + KL(q || p(h1 | v)) in both forms of the elbo; KL >= 0, zero iff equal."""
    pairs, evidence, posterior = posteriors(plain)
    ours = impl.log_joint_first(case.theta, case.v)
    sparse = np.tile(plain.q, (len(pairs), 1))
    own = to_numpy(impl.recognise(case.theta, case.v)).astype(float)
    for q in (sparse, (sparse + posterior) / 2, own, posterior):
        q = q / q.sum(axis=1, keepdims=True)
        given, gap = like(q, case.theta.top.W), oracle.kl(q, posterior)
        bound = impl.elbo(given, ours)
        agree(bound, evidence - gap, "elbo, eq. 18", of=("BA.eq18", "BA.eq15"))
        two = impl.elbo_by_entropy(given, ours)
        agree(two, evidence - gap, "elbo, eq. 19", of="BA.eq19")
        entropy = -(q * oracle.log_or_zero(q)).sum(axis=1)
        agree(impl.entropy(given), entropy, "entropy", of="BA.sec3.1a")
        found = evidence - to_numpy(bound).astype(float)  # KL(q || p), and so are bounds of it
        at_most(np.abs(q - posterior).sum(axis=1) ** 2 / 2, found, "KL, against the distance", of="BA.eq15")
        at_most(bound, evidence, "elbo against log p(v)", of="BA.eq18")
    agree(found, 0 * found, "KL of equal laws", of="BA.eq15", atol=1e-9)


@check(
    "BA.eq17",
    of=(dbn_bound,),
    cases=dbn_cases(zeros=False),
    without=dbn_cases(),
    assuming="q(h | v) > 0 for every h; summed over the support of a smaller q, it falls short of p(v)",
    evidence=EXACTLY,
    rejects=("prior-left-out-of-the-joint", "missing-top-partition"),
)
def expectation_of_the_ratio_is_the_likelihood(impl: Implementation, case: DBNCase, plain: DBNCase) -> None:
    """log p(v) = log sum_h q(h) p(v, h) / q(h), over the h to which q gives mass."""
    _, evidence, _ = posteriors(plain)
    some = plain.q > 0
    ratio = np.exp(to_numpy(impl.log_joint_first(case.theta, case.v)).astype(float)[:, some]) / plain.q[some]
    agree(np.log(ratio @ plain.q[some]), evidence, "log sum q p / q")


@check(
    "BA.sec3b",
    of=(dbn, dbn_bound),
    cases=dbn_cases(),
    examples=60,
    evidence=EXACTLY,
    rejects=(
        "recognition-logarithm-left-out",
        "generative-weights-recognise",
        "recognition-weights-generate",
        "recognition-biases-generate",
        "likelihood-for-bound",
        "recognition-by-means",
        "entropy-omitted",
        "entropy-of-upper-layers-omitted",
        "entropy-of-first-layer-omitted",
        "entropy-of-wrong-sign",
        "entropy-of-ones-only",
        "entropy-averaged",
        "prior-at-means",
        "prior-missing",
        "hidden-means-for-sum",
        "top-hidden-maximised",
    ),
    uncovered=UNCOVERED,
)
def variational_bound_stands_in_for_the_likelihood(
    impl: Implementation, case: DBNCase, plain: DBNCase
) -> None:
    """Whatever the recognition, the bound of a net of any depth is what joint tables give, below log p(v).

    It spares the posterior, not the partition function: that of the top machine is in the bound as well.
    """
    bound = impl.bound_log_likelihood(case.theta, case.v)
    agree(bound, rows_of(oracle.bound(plain.theta), plain.v), "bound")
    visible = oracle.log_marginal(oracle.log_joint(plain.theta), 0)
    at_most(bound, rows_of(visible, plain.v), "bound against log p(v)")
