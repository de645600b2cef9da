"""[AO] 2.7: data incorporation, which is a step of EM; proposition 7 and the steps of its proof.

The second part of proposition 7 is false as printed: a law on h without full support may be a fixed point, a
point mass always is, without being the best marginal.  The proof varies Q in all directions of sum zero, and
those that leave the simplex are not allowed where Q has zeros.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array
from ...reference.layerwise import incorporation, marginal
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, to_tolerance
from ..oracle.boltzmann import like
from ..oracle.derivative import derivative
from ..oracle.layerwise import Numbers, divergence, dual_bound, gradient, log_lik, numbers, posterior_table
from ..strategies import Candidate, candidates, laws
from .layerwise_marginal import best, explained


def step(A: Numbers, data: Numbers, Q: Numbers) -> Numbers:
    """Return the mean posterior over the data."""
    return data @ posterior_table(A, Q)


STEPS = ("data-alike (of the mean posterior)", "old-law-dropped", "overrelaxed")

# --- the map (eq. 31-33) ----------------------------------------------------------------------------------


@check(
    "AO.eq31",
    "AO.eq32",
    "AO.eq33",
    of=incorporation,
    cases=candidates(),
    examples=40,
    evidence=DEFINITION,
    rejects=(
        *STEPS,
        "posterior-not-normalised",
        "normalised-over-data",
        "old-law-counted-twice",
        "logs-averaged",
        "data-alike (of the log-likelihood)",
    ),
)
def data_incorporation_is_the_mean_posterior(impl: Implementation, case: Candidate, plain: Candidate) -> None:
    """Q_cond(h|x) by Bayes' rule, averaged over the data; its mass is one, its support within that of Q.

    Only data that occur need a posterior: one that is impossible under Q and occurs leaves the map undefined.
    """
    A, data, Q = plain
    p = explained(case.A)
    agree(
        impl.log_likelihood(p, case.Q, weights=case.data), log_lik(A, data, Q), "log-likelihood", of="AO.eq31"
    )
    found = impl.incorporate(p, case.Q, weights=case.data)
    agree(found, step(A, data, Q), "mean posterior", of="AO.eq33")
    agree(numbers(found).sum(), 1.0, "mass", of="AO.eq33")
    at_most(numbers(found)[Q == 0], 0.0, "mass outside the support of Q", slack=0)
    if (A @ Q > 0).all():
        agree(impl.inferred(p, case.Q), posterior_table(A, Q), "posterior", of="AO.eq32")


# --- proposition 7 ----------------------------------------------------------------------------------------


@check(
    "AO.prop7",
    "AO.prop7a",
    of=incorporation,
    cases=candidates(),
    examples=80,
    evidence=EXACTLY,
    rejects=STEPS,
)
def data_incorporation_never_lowers_the_likelihood(
    impl: Implementation, case: Candidate, plain: Candidate
) -> None:
    """L(Q+) - L(Q) >= KL(Q+ || Q) >= 0: strictly up but where Q is a fixed point.

    The map is defined where no datum is impossible under Q, that is, where L(Q) is finite.
    """
    A, data, Q = plain
    found = numbers(impl.incorporate(explained(case.A), case.Q, weights=case.data))
    gain = log_lik(A, data, found) - log_lik(A, data, Q)
    of = ("AO.prop7", "AO.prop7a")
    at_most(divergence(found, Q), gain, "gain of one step", of=of, slack=1e-10)
    agree(found, step(A, data, Q), "mean posterior")


def face_optimum(impl: Implementation, A: Array, data: Array, face: list[int]) -> Numbers:
    """Return the best law among those on the states ``face``, as a law on all."""
    inside = best(impl, like(numbers(A)[:, face], A), data)
    Q = np.zeros(A.shape[1])
    Q[face] = numbers(inside.Q)
    return Q / Q.sum()


def faces(A: Numbers, data: Numbers) -> list[list[int]]:
    """Return the sets of states that give each datum some probability: where L is finite."""
    every = product((False, True), repeat=A.shape[1])
    sets = [[h for h, inside in enumerate(face) if inside] for face in every if any(face)]
    return [face for face in sets if (A[data > 0][:, face].sum(axis=1) > 0).all()]


def every_fixed_point_is_a_best_marginal(impl: Implementation, case: Candidate) -> None:
    """As printed: the fixed points are the critical points, which are all maxima with the same value."""
    A, data = numbers(case.A), numbers(case.data)
    p, top = explained(case.A), best(impl, case.A, case.data)
    for h, Q in enumerate(np.eye(A.shape[1])):
        value = log_lik(A, data, Q)
        if math.isfinite(value):
            after = numbers(impl.incorporate(p, like(Q, case.A), weights=case.data))
            if np.array_equal(after, Q):
                agree(value, top.log_likelihood, f"value at the fixed point Q(h = {h}) = 1", atol=1e-9)


@check(
    "AO.prop7",
    "AO.prop7b",
    of=(incorporation, marginal),
    cases=candidates(most=3),
    examples=40,
    evidence=to_tolerance("1e-9, in nats and in the fixed points, which a solver finds to 1e-12 nats"),
    printed=every_fixed_point_is_a_best_marginal,
    correction=(
        "Q is a fixed point iff g(h) = E_D[P(x|h) / P_Q(x)] is 1 wherever Q(h) > 0: iff it maximises L over "
        "its own face of the simplex; it is a best marginal iff moreover g(h) <= 1 where Q(h) = 0.  So the "
        "printed equivalence and the uniqueness hold among laws of full support, every best marginal is a "
        "fixed point, and from the uniform law on S states t steps come within log(S) / t nats of U_D"
    ),
    rejects=(
        "data-alike (of the mean posterior)",
        "old-law-dropped",
        "em-stopped-early",
        "data-alike (of the certificate)",
        "half-way",
        "support-only",
    ),
)
def fixed_points_are_the_best_laws_of_their_faces(
    impl: Implementation, case: Candidate, plain: Candidate
) -> None:
    """On every face: its best law is a fixed point, g = 1 on its support; it is a best marginal iff g <= 1.

    Conversely any law loses at most log max g over its support to the best of its face: where a step does
    not move it, g = 1 there, nothing.  Among the faces are those without one of two equal columns, whose best
    law is degenerate: g = 1 where Q = 0, and a best marginal all the same.

    From the uniform law t steps come within log(S) / t nats of U_D (Csiszar and Tusnady): mass vanishes
    from where it is not wanted, but only in the limit.
    """
    A, data, some = plain
    of = ("AO.prop7", "AO.prop7b")
    p, top = explained(case.A), best(impl, case.A, case.data)
    U = dual_bound(A, data, numbers(top.Q))
    agree(top.log_likelihood, U, "U_D", rtol=0, atol=1e-9)
    S = A.shape[1]
    for t in (1, 3, 10, 30):
        uniform = like(np.full(S, 1 / S), case.A)
        end = impl.expectation_maximisation(p, uniform, weights=case.data, tolerance=0.0, most_steps=t)
        at_most(U - log_lik(A, data, numbers(end.Q)), math.log(S) / t, f"loss after {t} steps", slack=1e-9)
    slopes = gradient(A, data, some)
    agree(impl.incorporate(p, case.Q, weights=case.data), some * slopes, "a step is Q g")
    own = face_optimum(impl, case.A, case.data, np.flatnonzero(some).tolist())
    loss = log_lik(A, data, own) - log_lik(A, data, some)
    at_most(loss, math.log(slopes[some > 0].max()), "loss in its face", slack=1e-9)
    for face in faces(A, data):
        Q = face_optimum(impl, case.A, case.data, face)
        law = like(Q, case.A)
        agree(
            impl.incorporate(p, law, weights=case.data),
            Q,
            f"a step from the best of {face}",
            of=of,
            atol=1e-9,
        )
        found = impl.certify(p, law, weights=case.data)
        g = numbers(found.g)
        agree(g, gradient(A, data, Q), "gradient")
        agree(Q * g, Q, f"g = 1 on the support of the best of {face}", atol=1e-9)
        loss = U - log_lik(A, data, Q)
        at_most(loss, found.gap, f"loss of the best of {face} against its certificate", slack=1e-9)
        if g.max() > 1 + 1e-3:  # a state outside deserves mass: the fixed point is no best marginal
            outside = (1 - 1e-6) * Q + 1e-6 * np.eye(Q.size)[g.argmax()]
            at_most(log_lik(A, data, Q) + 1e-12, log_lik(A, data, outside), "mass where g > 1", slack=0)


@check(
    "AO.prop7",
    "AO.prop7c",
    of=incorporation,
    cases=st.tuples(candidates(), st.lists(st.integers(1, 99), min_size=4, max_size=4)),
    examples=60,
    evidence=EXACTLY,
    rejects=STEPS,
)
def data_incorporation_is_a_step_of_em(impl: Implementation, case: Any, plain: Any) -> None:
    """Q+ maximises sum_x P_D(x) sum_h P_t(h|x) log[P(x|h) Q(h)], by exactly KL(Q+ || R) over any other R."""
    (A, data, Q), ((a, d, q), counts) = case[0], plain
    posterior, of = posterior_table(a, q), ("AO.prop7", "AO.prop7c")

    def surrogate(law: Numbers) -> float:
        pairs = np.argwhere((d[:, None] * posterior) > 0)
        return float(sum(d[x] * posterior[x, h] * math.log(a[x, h] * law[h]) for x, h in pairs))

    found = numbers(impl.incorporate(explained(A), Q, weights=data))
    for weights in (counts[: q.size], counts[-q.size :]):
        other = np.array(weights, float) / sum(weights)
        gain = surrogate(np.where(found > 0, found, 1.0)) - surrogate(other)
        agree(
            gain,
            divergence(found, other),
            "surrogate above that of another law",
            of=of,
        )


# --- the steps of the proof -------------------------------------------------------------------------------


def log(p: float) -> float:
    """Return log p, minus infinity of zero."""
    return math.log(p) if p > 0 else -math.inf


@check(
    "AO.sec2.7a",
    of=incorporation,
    cases=candidates(most=3).flatmap(
        lambda case: st.tuples(
            st.just(case),
            st.lists(st.sampled_from(np.flatnonzero(case.data).tolist()), min_size=1, max_size=3).map(
                np.array
            ),
            laws(case.A.shape[1]),
        )
    ),
    evidence=EXACTLY,
    rejects=("old-law-dropped", "prior-for-posterior"),
)
def surrogate_of_a_tuple_is_a_sum_over_its_members(impl: Implementation, case: Any, plain: Any) -> None:
    """sum_hh P_t(hh|xx) log P(xx, hh) over all |H|^n tuples hh = sum_i sum_h P_t(h|x_i) log P(x_i, h).

    What has no probability given x counts for nothing, 0 log 0 = 0; both are minus infinity where the law
    that varies leaves out what x may come from.
    """
    (A, _, Q), ((a, _, q), x, R) = case[0], plain
    rows = a[x.astype(int)]
    tuples, weights, logs = list(product(range(q.size), repeat=len(rows))), [], []
    for hh in tuples:
        weight = math.prod(row[h] * q[h] for row, h in zip(rows, hh, strict=True))
        if weight > 0:
            weights.append(weight)
            logs.append(sum(log(row[h] * R[h]) for row, h in zip(rows, hh, strict=True)))
    whole = np.dot(weights, logs) / sum(weights)
    posterior = numbers(impl.inferred(explained(like(rows, A)), Q))
    pairs = np.argwhere(rows * q > 0)
    agree(posterior.sum(), sum(posterior[i, h] for i, h in pairs), "mass given x")
    members = sum(posterior[i, h] * log(rows[i, h] * R[h]) for i, h in pairs)
    agree(members, whole, "sum over members against the sum over tuples")


def meets_every_state(case: Candidate) -> bool:
    """Return whether every state of h is one that some datum may come from, under Q."""
    return bool((step(*case) > 0).all())


@check(
    "AO.sec2.7b",
    of=incorporation,
    cases=candidates().filter(meets_every_state),
    evidence=EXACTLY,
    rejects=STEPS,
    assuming="every state h has some probability under the mean posterior Q+, by which the text divides",
    without=candidates().filter(lambda case: not meets_every_state(case)),
)
def surrogate_is_stationary_at_the_mean_posterior(
    impl: Implementation, case: Candidate, plain: Candidate
) -> None:
    """The variation of sum_h E P_t(h|x) log Q(h) at Q+, by the complex step, is sum_h dQ(h): zero.

    Where Q+(h) = 0 mass can only be added, which changes it by -dQ(h): a maximum, but no stationary point.
    """
    A, data, Q = plain
    some = data > 0
    posterior = numbers(impl.inferred(explained(like(A[some], case.A)), case.Q))
    agree(posterior, posterior_table(A, Q)[some], "posterior")
    mean = data[some] @ posterior
    found = numbers(impl.incorporate(explained(case.A), case.Q, weights=case.data))
    reached = found > 0
    slope = derivative(lambda law: mean[reached] @ np.log(law[reached]), found)
    for h, k in product(range(Q.size), repeat=2):
        agree(slope[h] - slope[k], 0.0, f"variation of the surrogate at Q+, from {k} to {h}")


@check(
    "AO.sec2.7c",
    of=incorporation,
    cases=candidates(sparse=False),
    examples=40,
    evidence=EXACTLY,
    rejects=("not-divided-by-law", "data-alike (of the certificate)", "old-law-dropped"),
    assuming="Q gives every state h some probability: the text divides by Q(h)",
    without=candidates().filter(lambda case: not case.Q.all()),
)
def variation_of_the_likelihood_is_by_posterior_over_law(
    impl: Implementation, case: Candidate, plain: Candidate
) -> None:
    """Along dQ of sum zero, by the complex step: sum_h dQ(h) E P(h|x) / Q(h) (with 0/0 = 0), and dQ . g.

    Where Q is zero mass may be added, at the rate g(h) = E P(x|h) / P(x), which the posterior there,
    zero, does not know: so the proof's step from stationary laws to Q = Q+ and back fails (proposition 7b).
    """
    A, data, Q = plain
    some = data > 0
    mean = data[some] @ numbers(impl.inferred(explained(like(A[some], case.A)), case.Q))
    by_posterior = np.divide(mean, Q, out=np.zeros_like(Q), where=Q > 0)
    slope = derivative(lambda law: data[some] @ np.log(A[some] @ law), Q)
    agree(impl.certify(explained(case.A), case.Q, weights=case.data).g, slope, "gradient")
    for h, k in product(range(Q.size), repeat=2):
        expected = slope[h] - slope[k]
        agree(by_posterior[h] - by_posterior[k], expected, f"variation from {k} to {h}")
