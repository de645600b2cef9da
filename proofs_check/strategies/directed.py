"""Deep directed nets with a law of the data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...reference.directed.layers import Sigmoid, Table
from .common import laws, weights


class Deep(NamedTuple):
    """A net of layers from the bottom, ending in one of a single state above, and a law of the data."""

    net: tuple[Any, ...]
    data: np.ndarray[Any, Any]  # (states of x,)


@st.composite
def nets(draw: DrawFn, *, least: int = 2, most: int = 3, zeros: bool = True) -> Deep:
    """Deep directed nets of ``least`` to ``most`` layers, of tables or of sigmoid units, sizes all different.

    Tables have impossible entries unless ``zeros`` is false; sigmoid layers saturate, up to one part in e^40.
    """
    depth = draw(st.integers(least, most))
    if draw(st.booleans()):
        sizes = draw(st.permutations((2, 3, 4)))[:depth]
        columns = [laws(a, zeros=zeros) for a in sizes]
        above = (*sizes[1:], 1)
        tables = [np.stack([draw(c) for _ in range(n)], axis=1) for c, n in zip(columns, above, strict=True)]
        with np.errstate(divide="ignore"):
            net: tuple[Any, ...] = tuple(Table(np.log(A)) for A in tables)
        return Deep(net, draw(laws(sizes[0])))
    units = draw(st.permutations((1, 2, 3)))[:depth]
    above = (*units[1:], 0)
    shapes = list(zip(units, above, strict=True))
    return Deep(
        tuple(Sigmoid(draw(weights(*s)), draw(weights(s[0]))) for s in shapes), draw(laws(2 ** units[0]))
    )
