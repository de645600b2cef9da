"""What all strategies share: numbers, weights, probabilities, laws, functions, and rows of bits.

Sizes are tiny, so that exact enumeration is cheap, and never square.  Weights are multiples of 1/100, so that
a counterexample can be read; some models have only zero weights, some saturate.  All arrays are float64 of
NumPy; the runner moves them to other backends and dtypes.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

seeds: SearchStrategy[int] = st.integers(0, 2**32 - 1)
"""Seeds of random streams."""


@cache
def hundredths(low: float, high: float) -> SearchStrategy[float]:
    """Multiples of 1/100 in [low, high]: generic enough to tell formulas apart, short enough to read."""
    return st.integers(math.ceil(low * 100), math.floor(high * 100)).map(lambda k: k / 100)


@cache
def arrays(shape: tuple[int, ...], entries: SearchStrategy[float]) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Float64 arrays of this shape whose entries are drawn one by one."""
    size = math.prod(shape)
    return st.lists(entries, min_size=size, max_size=size).map(lambda x: np.array(x, float).reshape(shape))


@cache
def saturating(scale: float, saturation: float) -> SearchStrategy[float]:
    """Weights within ``scale``, and at plus or minus ``saturation``."""
    return hundredths(-scale, scale) | st.sampled_from((-saturation, saturation))


bits = st.sampled_from((0.0, 1.0))
"""Zero or one."""


@st.composite
def weights(draw: DrawFn, *shape: int, scale: float = 2.0, saturation: float = 40.0) -> np.ndarray[Any, Any]:
    """Weights within ``scale``; now and then all zero, now and then some at plus or minus ``saturation``.

    At 40 a float64 sigmoid is one to rounding; ``saturation=scale`` leaves saturated weights out.
    """
    kind = draw(st.sampled_from(("ordinary", "ordinary", "zero", "saturating")))
    if kind == "zero":
        return np.zeros(shape)
    ordinary = kind == "ordinary"
    return draw(arrays(shape, hundredths(-scale, scale) if ordinary else saturating(scale, saturation)))


def probabilities(*shape: int) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Arrays of probabilities, 0 and 1 among them."""
    return arrays(shape, st.sampled_from((0.0, 1.0, 0.5)) | hundredths(0, 1))


def laws(states: int, *, zeros: bool = True) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Laws on ``states`` states; some states get no mass unless ``zeros`` is false."""
    counts = st.lists(st.integers(0 if zeros else 1, 9), min_size=states, max_size=states)
    return counts.filter(any).map(lambda n: np.array(n, float) / sum(n))


@st.composite
def binary_rows(draw: DrawFn, units: int, *, max_rows: int = 4) -> np.ndarray[Any, Any]:
    """Zeros and ones (n, units), 1 <= n <= max_rows; now and then a row is repeated."""
    n = draw(st.integers(1, max_rows))
    rows = draw(arrays((n, units), bits))
    if n > 1 and draw(st.booleans()):
        rows[-1] = rows[0]
    return rows


def functions(*shape: int) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Real functions on a finite set, as tables."""
    return arrays(shape, hundredths(-4, 4))


def joint_laws(*shape: int, margins: bool = False) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Joint laws, one axis per variable; with ``margins`` every value of each variable has some mass."""

    def covered(joint: np.ndarray[Any, Any]) -> bool:
        return all(bool(joint.any(axis=tuple(set(range(joint.ndim)) - {i})).all()) for i in range(joint.ndim))

    joints = laws(math.prod(shape)).map(lambda p: p.reshape(shape))
    return joints.filter(covered) if margins else joints
