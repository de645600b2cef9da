"""The oracle of networks: row by row and unit by unit; parameters may be complex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...reference.networks.layers import Dense

ACTIVATIONS: dict[str, Any] = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: z if np.real(z) > 0 else 0 * z,
    "softplus": lambda z: np.log(1 + np.exp(z)),
}
"""Of one number."""


def layer(theta: Dense, activation: str, row: Sequence[Any]) -> list[Any]:
    """Return g(W u + b) of one row, unit by unit."""
    g, (W, b) = ACTIVATIONS[activation], theta
    return [g(sum(u * W[i, j] for i, u in enumerate(row)) + b[j]) for j in range(len(b))]


def values(layers: Sequence[Dense], activations: Sequence[str], x: Any) -> list[Any]:
    """Return the rows x, and the output of each layer, an array each."""
    found = [[list(row) for row in x]]
    for theta, activation in zip(layers, activations, strict=True):
        found.append([layer(theta, activation, row) for row in found[-1]])
    return [np.array(rows) for rows in found]


def output(layers: Sequence[Dense], activations: Sequence[str], x: Any) -> Any:
    """Return f_L(... f_1(x)) of rows."""
    return values(layers, activations, x)[-1]
