"""Hypothesis strategies for models, rows, laws and seeds: the awkward is generated on purpose.

Sizes are tiny, so that exact enumeration is cheap, and never square.  Weights are multiples of 1/100, so that
a counterexample can be read; some models have only zero weights, some saturate.  All arrays are float64 of
NumPy; the runner moves them to other backends and dtypes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..reference.boltzmann.rbm import RBM

# --- numbers ----------------------------------------------------------------------------------------------

seeds: SearchStrategy[int] = st.integers(0, 2**32 - 1)
"""Seeds of random streams."""


def hundredths(low: float, high: float) -> SearchStrategy[float]:
    """Multiples of 1/100 in [low, high]: generic enough to tell formulas apart, short enough to read."""
    return st.integers(math.ceil(low * 100), math.floor(high * 100)).map(lambda k: k / 100)


def arrays(shape: tuple[int, ...], entries: SearchStrategy[float]) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Float64 arrays of this shape whose entries are drawn one by one."""
    size = math.prod(shape)
    return st.lists(entries, min_size=size, max_size=size).map(lambda x: np.array(x, float).reshape(shape))


@st.composite
def weights(draw: DrawFn, *shape: int, scale: float = 2.0, saturation: float = 40.0) -> np.ndarray[Any, Any]:
    """Weights within ``scale``; now and then all zero, now and then some at plus or minus ``saturation``.

    At 40 a float64 sigmoid is one to rounding; ``saturation=scale`` leaves saturated weights out.
    """
    ordinary = hundredths(-scale, scale)
    kind = draw(st.sampled_from(("ordinary", "ordinary", "zero", "saturating")))
    if kind == "zero":
        return np.zeros(shape)
    saturated = st.sampled_from((-saturation, saturation))
    return draw(arrays(shape, ordinary if kind == "ordinary" else ordinary | saturated))


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
    rows = draw(arrays((n, units), st.sampled_from((0.0, 1.0))))
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
