"""Finite laws: pairs of them, targets with proposals, priors with likelihoods, observed values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .common import arrays, functions, hundredths, laws


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
    """Priors with zeros, log-likelihoods with minus infinities; p(D) > 0, for the data are observed."""

    def observed(case: Inference) -> bool:
        return bool(((case.prior > 0) & (case.log_likelihood > -np.inf)).any())

    entries = hundredths(-5, 0) | st.just(-np.inf)
    return (
        st.integers(1, most)
        .flatmap(lambda n: st.builds(Inference, laws(n), arrays((n,), entries)))
        .filter(observed)
    )


def values(states: int, *, most: int = 5) -> SearchStrategy[np.ndarray[Any, Any]]:
    """Between one and ``most`` observed values in 0..states-1."""
    return st.lists(st.integers(0, states - 1), min_size=1, max_size=most).map(np.array)


def data_sets(*, zeros: bool = False) -> SearchStrategy[Data]:
    """A law, positive unless ``zeros``, and data on its alphabet."""
    return st.integers(1, 3).flatmap(lambda n: st.builds(Data, laws(n, zeros=zeros), values(n)))
