"""Fully connected networks with rows of inputs, and auto-encoders."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...reference.networks.layers import ACTIVATIONS, Dense
from .common import arrays, hundredths, joint_laws


class Network(NamedTuple):
    """Layers that chain, one activation for each, and input rows."""

    layers: tuple[Dense, ...]
    activations: tuple[str, ...]
    x: Any  # (n, N1)


@st.composite
def chained(draw: DrawFn, *widths: int) -> tuple[tuple[Dense, ...], tuple[str, ...]]:
    """Layers of these widths, and an activation for each."""
    w = hundredths(-2, 2)
    layers = tuple(Dense(draw(arrays((a, b), w)), draw(arrays((b,), w))) for a, b in pairwise(widths))
    return layers, tuple(draw(st.sampled_from(tuple(ACTIVATIONS))) for _ in layers)


@st.composite
def mlps(draw: DrawFn, *, most_layers: int = 4) -> Network:
    """Networks of one to four layers, of widths that differ from layer to layer."""
    L = draw(st.integers(1, most_layers))
    widths = draw(st.lists(st.integers(1, 3), min_size=L + 1, max_size=L + 1))
    x = draw(arrays((draw(st.integers(1, 2)), widths[0]), hundredths(-2, 2)))
    return Network(*draw(chained(*widths)), x)


class AutoEncoder(NamedTuple):
    """An auto-encoder, values of X and of the noise, and their joint law."""

    layers: tuple[Dense, ...]
    activations: tuple[str, ...]
    x: Any  # (a, d)
    noise: Any  # (b, d)
    law: Any  # (a, b)


@st.composite
def auto_encoders(draw: DrawFn) -> AutoEncoder:
    """Auto-encoders of one or two layers; the noise may depend on X."""
    d, a, b = (draw(st.integers(1, 2)) for _ in range(3))
    widths = (d, *draw(st.lists(st.integers(1, 3), max_size=1)), d)
    x, noise = (draw(arrays((n, d), hundredths(-2, 2))) for n in (a, b))
    return AutoEncoder(*draw(chained(*widths)), x, noise, draw(joint_laws(a, b)))
