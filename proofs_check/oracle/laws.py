"""The oracle of finite laws: sums term by term, with every digit (``math.fsum``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

DISTINCT = 1e-5
"""Tables of cases are counts of at most a few hundred over their sum: what is not equal differs by more."""


def mean(law: Any, f: Any) -> float:
    """Return sum p f over the values of positive probability."""
    return math.fsum(a * b for a, b in zip(np.ravel(law), np.ravel(f), strict=True) if a > 0)


def variance(law: Any, f: Any) -> float:
    """Return E[f^2] - E[f]^2."""
    return mean(law, np.asarray(f) ** 2) - mean(law, f) ** 2


def total_variation(p: Any, q: Any) -> float:
    """Return half the sum of absolute differences."""
    return math.fsum(np.abs(p - q).ravel()) / 2


def kl(p: Any, q: Any) -> float:
    """Return sum p log(p / q)."""
    return math.fsum(math.inf if b == 0 else a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def probability(law: Any, x: Any) -> float:
    """Return the product of the probabilities of the points."""
    return math.prod(float(law[k]) for k in x)


def minus_log(p: float) -> float:
    """Return -log p, infinite at zero."""
    return -math.log(p) if p else math.inf


def margin(joint: Any, axes: Sequence[int]) -> Any:
    """Return the law of the variables ``axes`` of a joint law, entry by entry."""
    table = np.zeros([joint.shape[i] for i in axes])
    for x in np.ndindex(joint.shape):
        table[tuple(x[i] for i in axes)] += joint[x]
    return table


def factorises(joint: Any, tolerance: float) -> bool:
    """Return whether P(all A_i) = prod P(A_i) for all events of all variables: independence, in full."""
    events = [[np.array(mask, float) for mask in product((0, 1), repeat=n)] for n in joint.shape]
    margins = [margin(joint, (i,)) for i in range(joint.ndim)]
    for chosen in product(*events):
        together = joint
        for event in chosen:
            together = event @ together.reshape(len(event), -1)
        apart = math.prod(float(m @ e) for m, e in zip(margins, chosen, strict=True))
        if abs(float(np.sum(together)) - apart) > tolerance:
            return False
    return True
