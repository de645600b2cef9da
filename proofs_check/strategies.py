"""Hypothesis strategies for models, rows, laws and seeds: the awkward is generated on purpose.

Sizes are tiny, so that exact enumeration is cheap, and never square.  Weights are multiples of 1/100, so that
a counterexample can be read; some models have only zero weights, some saturate.  All arrays are float64 of
NumPy; the runner moves them to other backends and dtypes.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..reference.boltzmann.rbm import RBM
from ..reference.directed.layers import Sigmoid, Table

# --- numbers ----------------------------------------------------------------------------------------------

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


# --- rows -------------------------------------------------------------------------------------------------


@st.composite
def binary_rows(draw: DrawFn, units: int, *, max_rows: int = 4) -> np.ndarray[Any, Any]:
    """Zeros and ones (n, units), 1 <= n <= max_rows; now and then a row is repeated."""
    n = draw(st.integers(1, max_rows))
    rows = draw(arrays((n, units), bits))
    if n > 1 and draw(st.booleans()):
        rows[-1] = rows[0]
    return rows


# --- restricted Boltzmann machines ------------------------------------------------------------------------


class RBMCase(NamedTuple):
    """A model, data rows, and persistent chains that are not as many as the rows."""

    theta: RBM
    v: np.ndarray[Any, Any]  # (n, V)
    chains: np.ndarray[Any, Any]  # (m, V), m != n


class RBMLaw(NamedTuple):
    """A model and a law of the data over all visible states."""

    theta: RBM
    law: np.ndarray[Any, Any]  # (2^V,)


@st.composite
def rbms(
    draw: DrawFn, *, max_visible: int = 4, max_hidden: int = 3, scale: float = 2.0, saturation: float = 40.0
) -> RBM:
    """Binary RBMs with V != H."""
    V = draw(st.integers(1, max_visible))
    H = draw(st.integers(1, max_hidden).filter(lambda H: H != V))
    options = {"scale": scale, "saturation": saturation}
    return RBM(*(draw(weights(*shape, **options)) for shape in ((V, H), (V,), (H,))))


@st.composite
def rbm_cases(draw: DrawFn, /, *, max_rows: int = 4, **sizes: Any) -> RBMCase:
    """An RBM with data rows (single, duplicated) and chains, n != m; ``sizes`` go to ``rbms``."""
    theta = draw(rbms(**sizes))
    V = theta.b.shape[0]
    v = draw(binary_rows(V, max_rows=max_rows))
    chains = draw(binary_rows(V, max_rows=max_rows + 1).filter(lambda c: c.shape != v.shape))
    return RBMCase(theta, v, chains)


@st.composite
def rbm_laws(draw: DrawFn, /, *, zeros: bool = True, **sizes: Any) -> RBMLaw:
    """An RBM with a law of the data over its visible states; ``sizes`` go to ``rbms``."""
    theta = draw(rbms(**sizes))
    return RBMLaw(theta, draw(laws(2 ** theta.b.shape[0], zeros=zeros)))


# --- finite laws ------------------------------------------------------------------------------------------


class Supported(NamedTuple):
    """A target, a proposal that is positive wherever the target is, and a function; one row each."""

    p: np.ndarray[Any, Any]  # (1, X)
    q: np.ndarray[Any, Any]  # (1, X)
    f: np.ndarray[Any, Any]  # (1, X)


class Inference(NamedTuple):
    """A prior over a grid of models and the log-likelihood of the data under each."""

    prior: np.ndarray[Any, Any]  # (M,)
    log_likelihood: np.ndarray[Any, Any]  # (M,)


class Data(NamedTuple):
    """A law and observed values, repeated ones among them."""

    law: np.ndarray[Any, Any]  # (X,)
    x: np.ndarray[Any, Any]  # (N,) integers


def functions(*shape: int) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Real functions on a finite set, as tables."""
    return arrays(shape, hundredths(-4, 4))


def joint_laws(*shape: int, margins: bool = False) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Joint laws, one axis per variable; with ``margins`` every value of each variable has some mass."""

    def covered(joint: np.ndarray[Any, Any]) -> bool:
        return all(bool(joint.any(axis=tuple(set(range(joint.ndim)) - {i})).all()) for i in range(joint.ndim))

    joints = laws(math.prod(shape)).map(lambda p: p.reshape(shape))
    return joints.filter(covered) if margins else joints


def law_pairs(*, most: int = 4) -> SearchStrategy[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Two laws on one set: equal ones, and ones of which the second leaves out values of the first."""
    pairs = st.integers(1, most).flatmap(lambda n: st.tuples(laws(n), laws(n)))
    equal = st.integers(1, most).flatmap(laws).map(lambda p: (p, p.copy()))
    uncovered = (
        st.integers(2, most).flatmap(lambda n: laws(n, zeros=False)).map(lambda p: (p, np.eye(len(p))[0]))
    )
    return pairs | equal | uncovered


def supported() -> SearchStrategy[Supported]:
    """Targets with zeros, proposals without."""
    return st.integers(1, 3).flatmap(
        lambda n: st.builds(
            lambda p, q, f: Supported(p[None], q[None], f[None]), laws(n), laws(n, zeros=False), functions(n)
        )
    )


def inferences(*, most: int = 4) -> SearchStrategy[Inference]:
    """Priors with zeros, and log-likelihoods of which none is minus infinity."""
    return st.integers(1, most).flatmap(
        lambda n: st.builds(Inference, laws(n), arrays((n,), hundredths(-5, 0)))
    )


def values(states: int, *, most: int = 5) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Between one and ``most`` observed values in 0..states-1."""
    return st.lists(st.integers(0, states - 1), min_size=1, max_size=most).map(np.array)


def data_sets(*, zeros: bool = False) -> SearchStrategy[Data]:
    """A law, positive unless ``zeros``, and data on its alphabet."""
    return st.integers(1, 3).flatmap(lambda n: st.builds(Data, laws(n, zeros=zeros), values(n)))


# --- [AO]: bottom layers with data, families of models, deep nets -----------------------------------------


class Bottom(NamedTuple):
    """A bottom layer and a law of the data, none of which is impossible given every h."""

    A: np.ndarray[Any, Any]  # (X, S), P(x | h): each column is a law
    data: np.ndarray[Any, Any]  # (X,), P_D; zeros stand for values that do not occur


class Candidate(NamedTuple):
    """The same, with a law on h that gives every datum some probability."""

    A: np.ndarray[Any, Any]  # (X, S)
    data: np.ndarray[Any, Any]  # (X,)
    Q: np.ndarray[Any, Any]  # (S,), now and then without full support


class Family(NamedTuple):
    """A finite family of models: every bottom layer goes with every law of the top."""

    bottoms: np.ndarray[Any, Any]  # (m, X, S)
    tops: np.ndarray[Any, Any]  # (k, S)
    data: np.ndarray[Any, Any]  # (X,)


@st.composite
def bottom_tables(draw: DrawFn, values: int, states: int, *, zeros: bool = True) -> np.ndarray[Any, Any]:
    """Tables P(x | h): ordinary ones, copies of h, ones of which a column is doubled or mixes two others."""
    columns = [draw(laws(values, zeros=zeros)) for _ in range(states)]
    kind = draw(st.sampled_from(("ordinary", "ordinary", "copies", "doubled", "mixed")))
    if kind == "copies" and zeros:
        columns = [np.eye(values)[h % values] for h in range(states)]
    if kind == "doubled" and states > 1:
        columns[-1] = columns[0].copy()
    if kind == "mixed" and states > 2:
        columns[-1] = (columns[0] + columns[1]) / 2
    return np.stack(columns, axis=1)


@st.composite
def bottoms(draw: DrawFn, *, most: int = 4, zeros: bool = True) -> Bottom:
    """Bottom layers with data: one hidden state, more hidden states than data, data that do not occur.

    Now and then the data are a mixture of the columns: then the best marginal is in the interior, or, where
    a column is left out of it, on the boundary with a gradient of zero.
    """
    values, states = draw(st.integers(1, most)), draw(st.integers(1, most))
    A = draw(bottom_tables(values, states, zeros=zeros))
    if draw(st.sampled_from((False, False, True))):
        return Bottom(A, A @ draw(laws(states, zeros=zeros)))
    data = draw(laws(values, zeros=zeros)) * (A.sum(axis=1) > 0)
    return Bottom(A, data / data.sum() if data.any() else A[:, 0])


@st.composite
def candidates(draw: DrawFn, *, most: int = 4, zeros: bool = True, sparse: bool = True) -> Candidate:
    """Bottom layers with data and a law on h, uniform where the one drawn makes a datum impossible."""
    A, data = draw(bottoms(most=most, zeros=zeros))
    Q = draw(laws(A.shape[1], zeros=sparse))
    if sparse and draw(st.booleans()):
        without = Q * (np.arange(Q.size) != draw(st.integers(0, Q.size - 1)))
        Q = without / without.sum() if without.any() else Q
    possible = bool(((A @ Q > 0) | (data == 0)).all())
    return Candidate(A, data, Q if possible else np.full(A.shape[1], 1 / A.shape[1]))


@st.composite
def families(draw: DrawFn, *, most: int = 3, zeros: bool = True) -> Family:
    """Families whose bottom layers all give every datum some probability; their tops need not."""
    values, states = draw(st.integers(2, most)), draw(st.integers(2, most))
    tables = [draw(bottom_tables(values, states, zeros=zeros)) for _ in range(draw(st.integers(1, 3)))]
    some = np.all([A.sum(axis=1) > 0 for A in tables], axis=0)
    data = draw(laws(values, zeros=zeros)) * some
    if not data.any():
        tables, data = tables[:1], tables[0][:, 0]
    tops = [draw(laws(states, zeros=zeros)) for _ in range(draw(st.integers(1, 3)))]
    return Family(np.stack(tables), np.stack(tops), data / data.sum())


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
