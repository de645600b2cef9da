"""Bottom layers with data, laws of their hidden states, and families of models."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from .common import laws


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
