"""Restricted Boltzmann machines, with rows, chains and laws of data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...reference.boltzmann.rbm import RBM
from .common import binary_rows, laws, weights


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
    draw: DrawFn,
    *,
    max_visible: int = 4,
    max_hidden: int = 3,
    scale: float = 2.0,
    saturation: float = 40.0,
    square: bool = False,
) -> RBM:
    """Binary RBMs with V != H; ``square`` ones have V = H."""
    V = draw(st.integers(2 if square else 1, max_visible))
    H = V if square else draw(st.integers(1, max_hidden).filter(lambda H: H != V))
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


def path_cases(*, zeros: bool = True) -> st.SearchStrategy[tuple[RBMLaw, int]]:
    """A machine, a law of the data, and k: no more than 4096 trajectories of k Gibbs steps."""
    laws_of_data = rbm_laws(max_visible=2, max_hidden=3, saturation=2.0, zeros=zeros)
    return st.tuples(laws_of_data, st.sampled_from((1, 2)))
