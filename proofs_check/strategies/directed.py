"""Deep directed nets with a law of the data, and deep belief nets with rows."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...reference.boltzmann.rbm import RBM
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid, Table
from .boltzmann import rbms
from .common import binary_rows, laws, weights


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


# --- deep belief nets -------------------------------------------------------------------------------------


class DBNCase(NamedTuple):
    """A net with nothing tied, rows of v, and a law over the first hidden layer."""

    theta: DBN
    v: Any  # (n, V)
    q: Any  # (2^H1,)


class Stacked(NamedTuple):
    """A machine, another one that fits on top of it, and rows of v."""

    machine: RBM
    top: RBM
    v: Any  # (n, V)


@st.composite
def dbns(draw: DrawFn, /, *, least: int = 2, most: int = 4, max_units: int = 7, square: bool = False) -> DBN:
    """Nets of ``least`` to ``most`` layers of 1 to 3 units, neighbours unlike; or all of two."""
    shapes = [n for layers in range(least, most + 1) for n in product((1, 2, 3), repeat=layers)]
    unlike = [n for n in shapes if sum(n) <= max_units and all(np.diff(n) != 0)]
    n = draw(st.sampled_from([n for n in shapes if set(n) == {2}] if square else unlike))
    options = {"saturation": 4.0}

    def layer(below: int, above: int) -> Sigmoid:
        return Sigmoid(draw(weights(below, above, **options)), draw(weights(below, **options)))

    pairs = list(pairwise(n[:-1]))
    top = RBM(*(draw(weights(*shape, **options)) for shape in (n[-2:], n[-2:-1], n[-1:])))
    return DBN(tuple(layer(*pair) for pair in pairs), tuple(layer(*pair[::-1]) for pair in pairs), top)


@st.composite
def dbn_cases(draw: DrawFn, /, *, zeros: bool = True, **sizes: Any) -> DBNCase:
    """A net, rows of v, and a law over h1, some states without mass unless ``zeros`` is false."""
    theta = draw(dbns(**sizes))
    visible, hidden = (theta.generative or (theta.top,))[0].W.shape
    return DBNCase(theta, draw(binary_rows(visible)), draw(laws(2**hidden, zeros=zeros)))


@st.composite
def stacked(draw: DrawFn) -> Stacked:
    """Two machines, of which the second has the hidden units of the first as visible ones."""
    machine = draw(rbms(max_visible=3, max_hidden=3, saturation=4.0))
    shape = (machine.c.size, draw(st.integers(1, 2)))
    top = RBM(*(draw(weights(*s, saturation=4.0)) for s in (shape, shape[:1], shape[1:])))
    return Stacked(machine, top, draw(binary_rows(machine.b.size)))
