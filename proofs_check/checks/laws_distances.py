"""Finite laws: entropy, the Kullback-Leibler divergence and the Bhattacharyya distance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...reference import laws
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, ensure
from ..oracle import laws as oracle
from ..strategies import law_pairs
from ..strategies import laws as law_tables

Pair = tuple[Any, Any]


@check(
    "SH.sec2.3i",
    of=laws,
    cases=st.integers(1, 4).flatmap(law_tables),
    evidence=DEFINITION,
    rejects=("bits-for-nats", "negative-entropy", "zeros-smoothed"),
)
def entropy_is_mean_surprise(impl: Implementation, p: Any, plain: Any) -> None:
    """H = sum p log(1/p) over the values of positive probability; 0 <= H <= log of the number of values."""
    surprise = [math.log(1 / a) if a > 0 else 0.0 for a in plain]
    H = impl.entropy(p)
    agree(H, oracle.mean(plain, surprise), "H(p)")
    at_most(0.0, H, "zero, against H(p)")
    at_most(H, math.log(len(plain)), "H(p), against that of the uniform law")
    agree(impl.entropy(0 * p + 1 / len(plain)), math.log(len(plain)), "H(uniform)")


@check(
    "SH.sec2.3j",
    of=laws,
    cases=law_pairs(),
    evidence=EXACTLY,
    rejects=("kl-reversed", "zeros-of-q-dropped", "cross-entropy-for-kl", "bits-for-nats"),
)
def kl_is_positive_unless_equal(impl: Implementation, case: Pair, plain: Pair) -> None:
    """KL = sum p log(p / q) > 0 unless p = q, where it is 0; strictly, because KL >= 2 TV(p, q)^2 (Pinsker).

    The text does not discuss q(x) = 0 < p(x); the sum is infinite there, and so positive.
    """
    divergence = impl.kl(*case)
    agree(divergence, oracle.kl(*plain), "KL(p||q)")
    at_most(2 * oracle.total_variation(*plain) ** 2, divergence, "2 TV^2, against KL")
    agree(impl.kl(case[0], case[0]), 0.0, "KL(p||p)")


@check(
    "SH.sec2.3k",
    of=laws,
    cases=law_pairs(),
    evidence=DEFINITION,
    rejects=("bhattacharyya-without-root", "bits-for-nats", "hellinger-for-bhattacharyya"),
)
def bhattacharyya(impl: Implementation, case: Pair, plain: Pair) -> None:
    """BC = sum sqrt(p q) and D_B = -ln BC >= TV^2 / 2; symmetric, infinite for disjoint supports."""
    bc = math.fsum(math.sqrt(a * b) for a, b in zip(*plain, strict=True))
    agree(impl.bhattacharyya_coefficient(*case), bc, "BC(p, q)")
    distance = impl.bhattacharyya_distance(*case)
    agree(distance, oracle.minus_log(bc), "D_B(p, q)")
    agree(impl.bhattacharyya_distance(case[1], case[0]), oracle.minus_log(bc), "D_B(q, p)")
    at_most(oracle.total_variation(*plain) ** 2 / 2, distance, "TV^2 / 2, against D_B")


@check(
    "SH.sec2.3l",
    of=laws,
    cases=((np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([0.1, 0.9])),),
    evidence=EXACTLY,
    rejects=("kl-symmetrised", "total-variation-for-kl", "hellinger-for-bhattacharyya"),
    uncovered="that both measures define a topology",
)
def kl_and_bhattacharyya_are_no_metrics(impl: Implementation, case: tuple[Any, Any, Any]) -> None:
    """Three laws for which KL is not symmetric, and neither KL nor D_B obeys the triangle inequality.

    KL(p, q) is 0.9 log 1.8 + 0.1 log 0.2 here, KL(q, p) = KL(q, r) is log(5/3), and KL(p, r) is 0.8 log 9.
    """
    p, q, r = case
    to_q, from_q = 0.9 * math.log(1.8) + 0.1 * math.log(0.2), math.log(5 / 3)
    agree(impl.kl(p, q), to_q, "KL(p||q)")
    agree(impl.kl(q, p), from_q, "KL(q||p)")
    ensure(abs(to_q - from_q) > 0.1, "KL(q||p), other than KL(p||q)")
    direct = impl.kl(p, r)
    agree(direct, 0.8 * math.log(9), "KL(p||r)")
    ensure(0.8 * math.log(9) > to_q + from_q + 0.1, "KL(p, r), beyond the detour by q")
    leg, whole = -math.log(math.sqrt(0.45) + math.sqrt(0.05)), -math.log(0.6)
    agree(impl.bhattacharyya_distance(p, q), leg, "D_B(p, q)")
    agree(impl.bhattacharyya_distance(q, r), leg, "D_B(q, r)")
    agree(impl.bhattacharyya_distance(p, r), whole, "D_B(p, r)")
    ensure(whole > 2 * leg + 0.1, "D_B(p, r), beyond the detour by q")
