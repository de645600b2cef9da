"""[AO] 2.4: auto-encoders as generative models, and the bound that their criterion is."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from ...backends.arrays import Array, to_numpy
from ...reference.layerwise import criteria, marginal, passes
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from ...reference.trees import tree_map
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, ensure, tolerance
from ..oracle import layerwise_autoencoders as oracle
from ..oracle.boltzmann import like, states
from ..oracle.layerwise import dual_bound, log_lik
from ..oracle.layerwise_autoencoders import tables, units
from ..strategies.layerwise_autoencoders import Encoder, encoders
from .layerwise_marginal import GAP, explained


def every(theta: AutoEncoder) -> Array:
    """Return all x, in the backend of the parameters."""
    return like(states(units(theta)[0]), theta.generative[-1].b)


def averaged(data: Any, values: Any) -> float:
    """Return the mean over the data that occur."""
    return float(sum(p * v for p, v in zip(data, values, strict=True) if p > 0))


# --- the inference of an auto-associator, and the law it induces (eq. 21-24) ------------------------------


@check(
    "AO.eq21",
    "AO.eq22",
    "AO.eq23",
    "AO.eq24",
    of=(passes, criteria),
    cases=encoders(),
    evidence=DEFINITION,
    rejects=("hidden-biases-left-out", "inference-mirrored", "mean-unit-for-mean-law", "data-alike-in-q"),
)
def inference_is_factorised_and_induces_a_law_of_x(
    impl: Implementation, case: Encoder, plain: Encoder
) -> None:
    """q(h|x) = prod_j q(h_j|x), sigmoid units; P(x) = sum_h P(x|h) sum_y q(h|y) P_D(y), a law."""
    theta, data = plain
    (q, A), x = tables(theta), every(case.theta)
    means = impl.inference_means(case.theta, x)
    agree(means, q @ states(units(theta)[1]), "q(h_j = 1 | x)", of="AO.eq22")
    p = to_numpy(means).astype(float)[:, None, :]
    of_units = np.where(states(units(theta)[1]) == 1, p, 1 - p).prod(axis=2)
    agree(of_units, q, "prod_j q(h_j | x)", of="AO.eq21")
    logits = like(oracle.through(theta.inference, states(units(theta)[0])), x)
    q_D = impl.aggregate_logits(logits, form="bits", weights=case.data)
    agree(q_D, data @ q, "q_D", of="AO.eq23")
    found = A @ to_numpy(q_D).astype(float)
    agree(found, np.einsum("xh,yh,y->x", A, q, data), "P(x), in one go or two", of=("AO.eq23", "AO.eq24"))
    agree(found.sum(), 1.0, "mass of P(x)", of="AO.eq24")


# --- the diagonal terms (eq. 25) --------------------------------------------------------------------------


@check(
    "AO.eq25",
    "AO.sec2.4b",
    "AO.sec2.4c",
    "AO.sec0a",
    "AO.sec4a",
    of=(passes, marginal),
    cases=encoders(deep=True),
    examples=30,
    evidence=EXACTLY,
    rejects=(
        "zeros-ignored",
        "units-averaged",
        "sigmoid-taken-twice",
        "squared-error",
        "hidden-means-for-sum",
        "sum-outside-the-logarithm",
        "best-state-for-sum",
        "logarithm-missing",
        "law-of-hidden-dropped",
        "law-of-hidden-uniform",
        "inference-mirrored",
        "data-factor-missing",
        "data-factor-uniform",
        "data-factor-outside",
        "logarithm-of-the-mean",
        "logarithm-of-the-sum",
        "uniform-data-weights",
        "sum-for-mean",
        "divided-twice",
        "wrong-sign",
        "bits-for-nats",
    ),
    uncovered={"AO.sec4a": "what is said of upper layers, the loss and selection: AO.thm1 and AO.exp3-6 are"},
)
def diagonal_terms_bound_the_criterion(impl: Implementation, case: Encoder, plain: Encoder) -> None:
    """P(x) >= sum_h P(x|h) q(h|x) P_D(x) for each x; the mean of logs is <= U_{D,q} <= U_D.

    [AO] says "the sum of likelihoods"; what bounds eq. 10 is the mean of their logarithms, as meant.  The
    factor P_D(x) is a constant of the parameters, but without it nothing is bounded.
    """
    theta, data = plain
    (q, A), x = tables(theta), every(case.theta)
    diagonal = (A * q).sum(axis=1)
    passed = impl.log_sum_pass(case.theta, x)
    agree(passed, np.log(diagonal), "log sum_h P(x|h) q(h|x)", of="AO.eq25")
    terms = np.exp(to_numpy(passed).astype(float)) * data
    at_most(terms, A @ (data @ q), "diagonal terms against P(x)", of="AO.eq25")
    value = impl.criterion(case.theta, x, weights=case.data)
    bounds = ("AO.sec2.4b", "AO.sec0a", "AO.sec4a")
    exact = averaged(data, np.log(diagonal * np.where(data > 0, data, 1)))
    agree(value, exact, "criterion", of=("AO.sec2.4c", *bounds))
    at_most(value, log_lik(A, data, data @ q), "criterion against that of eq. 10 at the same q", of=bounds)
    best = impl.best_marginal(explained(like(A, x)), weights=case.data, tolerance=tolerance(GAP))
    Q = to_numpy(best.Q).astype(float)
    agree(best.log_likelihood, dual_bound(A, data, Q), "U_D", of=bounds)
    at_most(value, best.log_likelihood, "criterion against U_D", of=bounds)


@check(
    "AO.sec2.4d",
    of=passes,
    cases=encoders(),
    examples=40,
    evidence=EXACTLY,
    rejects=("data-factor-missing", "inference-mirrored", "uniform-data-weights"),
)
def diagonal_loses_the_share_of_other_data(impl: Implementation, case: Encoder, plain: Encoder) -> None:
    """eq. 10 - eq. 25 = E log(1 + rho(x)), so at most E rho: rho = other data's part of P(x) over its own.

    It vanishes as the inference inverts the generation: where h is a copy of x, both by weights +-w, rho is
    at most 2^V times max(1/P_D) e^{-w/2} here.
    """
    theta, data = plain
    some, x = data > 0, every(case.theta)

    def gap(own: AutoEncoder) -> tuple[float, Any]:
        q, A = tables(own)
        whole, diagonal = (A @ (data @ q))[some], ((A * q).sum(axis=1) * data)[some]
        at = tree_map(lambda field: like(field, x), own)
        difference = log_lik(A, data, data @ q) - float(impl.criterion(at, x, weights=case.data))
        return difference, (whole - diagonal) / diagonal

    loss, rho = gap(theta)
    agree(loss, data[some] @ np.log1p(rho), "difference of the criteria", rtol=1e-7, atol=1e-9)
    at_most(loss, data[some] @ rho, "difference against E rho")
    V = units(theta)[0]
    for w in (10.0, 30.0):
        sharp = Dense(w * np.eye(V), np.full(V, -w / 2))
        loss, rho = gap(AutoEncoder((sharp,), (sharp,)))
        least = 2**V / data[some].min() * math.exp(-w / 2)
        at_most(rho, least, f"rho of a copying code, w = {w:g}")
        at_most(loss, least, f"difference of the criteria for a copying code, w = {w:g}", slack=1e-9)


@check(
    "AO.sec2.4e",
    of=criteria,
    cases=[np.array(b, float).reshape(2, 2, 2) for b in product((0, 1), repeat=8)],
    evidence=EXACTLY,
    rejects=("first-datum-alone", "last-datum-more"),
)
def diagonal_is_exact_only_where_no_state_is_shared(impl: Implementation, case: Array, plain: Any) -> None:
    """All supports of P(x|h) and q(h|y), two data and two states: eq. 24 is its diagonal iff none is shared.

    That is, no h with q(h|y) > 0 generates another datum.  So if q holds every state that can generate a
    datum, no state generates both.
    """
    generates, infers = plain
    if infers.any(axis=1).all():
        q = infers / infers.sum(axis=1, keepdims=True)
        A = np.vstack([generates, 2 - generates.sum(axis=0)]) / 2  # a third value takes the rest
        half = like([0.5, 0.5], case)
        q_D = to_numpy(impl.aggregate(like(q, case), weights=half)).astype(float)
        agree(q_D, (q[0] + q[1]) / 2, "q_D")
        diagonal = (A[:2] * q).sum(axis=1) / 2
        shared = any(A[x, h] * q[y, h] > 0 for x, y, h in product(range(2), repeat=3) if x != y)
        exact = bool((np.abs(A[:2] @ q_D - diagonal) < 1e-12).all())
        ensure(exact != shared, "exact where nothing is shared", expected=not shared, actual=exact)
        if exact and (infers >= generates.astype(bool)).all():
            ensure(not generates.all(axis=0).any(), "a state that generates both data")
