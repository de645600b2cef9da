"""The derivative of any function of any parameters, by the complex step: exact to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

STEP = 1e-30
"""No difference is taken, so nothing cancels: the step may be as small as one likes."""


def derivative(f: Callable[[Any], Any], theta: Any) -> Any:
    r"""Return :math:`\partial f / \partial\theta`, built as ``theta`` is: arrays in tuples and NamedTuples.

    ``f`` must be an analytic formula that takes complex entries (no ``abs``, ``max`` or comparison of what
    depends on them) and returns a number or an array.

    Shapes: f(theta) S, an array of theta T -> S + T.   Exactness: to rounding; float64 of NumPy.
    """
    if isinstance(theta, tuple):

        def of_part(k: int) -> Any:
            return derivative(lambda part: f(_built(theta, (*theta[:k], part, *theta[k + 1 :]))), theta[k])

        return _built(theta, tuple(of_part(k) for k in range(len(theta))))
    at = np.asarray(theta, dtype=complex)
    slopes = [np.asarray(f(at + direction)).imag / STEP for direction in _directions(at)]
    if not slopes:
        return np.zeros((*np.shape(f(at)), *at.shape))
    return np.stack(slopes, axis=-1).reshape(*slopes[0].shape, *at.shape)


def _directions(at: Any) -> Any:
    for entry in np.ndindex(at.shape):
        direction = np.zeros(at.shape, dtype=complex)
        direction[entry] = STEP * 1j
        yield direction


def _built(like: tuple[Any, ...], parts: tuple[Any, ...]) -> Any:
    return type(like)(*parts) if hasattr(like, "_fields") else parts
