"""The oracle of auto-encoders: a pair of tables over all bits, q(h | x) and P(x | h), built state by state.

Parameters may be complex, so the derivative of anything is exact by the complex step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.layerwise.stacks import AutoEncoder
from .boltzmann import row, states
from .directed import Numbers, bits


def through(layers: Any, x: Numbers) -> Numbers:
    """Return the logits of the last layer, sigmoids between."""
    for k, layer in enumerate(layers):
        x = (x if k == 0 else 1 / (1 + np.exp(-x))) @ layer.W + layer.b
    return x


def units(theta: AutoEncoder) -> tuple[int, int]:
    """Return V and H."""
    return int(theta.generative[-1].b.shape[0]), int(theta.inference[-1].b.shape[0])


def tables(theta: AutoEncoder) -> tuple[Numbers, Numbers]:
    """Return q(h | x), a row for each x, and P(x | h), a column for each h; one generative layer."""
    V, H = units(theta)
    q = bits(through(theta.inference, states(V)), states(H))
    return q, bits(through(theta.generative, states(H)), states(V)).T


def log_bits(x: Numbers, logits: Numbers) -> Any:
    """Return log P(x) of bits with these logits, summed over the last axis."""
    return -(x * np.log1p(np.exp(-logits)) + (1 - x) * np.log1p(np.exp(logits))).sum(axis=-1)


def mean_pass(theta: AutoEncoder, x: Numbers) -> Any:
    """Return log P(x | h at its mean): minus the cross-entropy of the outputs."""
    return log_bits(x, through((*theta.inference, *theta.generative), x))


def sum_pass(theta: AutoEncoder, x: Numbers) -> Any:
    """Return log sum_h P(x|h) q(h|x)."""
    q, A = tables(theta)
    at = [row(t) for t in x]
    return np.log((A[at] * q[at]).sum(axis=1))
