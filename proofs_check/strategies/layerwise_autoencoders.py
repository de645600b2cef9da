"""Auto-encoders with laws of the data or rows, and pairs of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from .common import binary_rows, laws, weights


class Encoder(NamedTuple):
    """An auto-encoder and a law of the data over all x."""

    theta: AutoEncoder
    data: Any  # (2^V,)


@st.composite
def encoders(draw: DrawFn, *, deep: bool = False, scale: float = 2.0, saturation: float = 40.0) -> Encoder:
    """Auto-encoders x -> h -> x of different widths, with an h' on the way up where ``deep``."""
    V = draw(st.integers(1, 3))
    H = draw(st.integers(1, 3).filter(lambda H: H != V))
    up = (V, draw(st.integers(1, 2)), H) if deep and draw(st.booleans()) else (V, H)
    options = {"scale": scale, "saturation": saturation}

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(draw(weights(inputs, outputs, **options)), draw(weights(outputs, **options)))

    inference = tuple(dense(*sizes) for sizes in pairwise(up))
    return Encoder(AutoEncoder(inference, (dense(H, V),)), draw(laws(2**V)))


@st.composite
def pairs_of_encoders(draw: DrawFn) -> tuple[AutoEncoder, AutoEncoder, Any]:
    """Two auto-encoders, the second for the code of the first, and rows of x."""
    V, H, K = draw(st.permutations((1, 2, 3)))

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(draw(weights(inputs, outputs)), draw(weights(outputs)))

    def encoder(below: int, above: int) -> AutoEncoder:
        return AutoEncoder((dense(below, above),), (dense(above, below),))

    return encoder(V, H), encoder(H, K), draw(binary_rows(V))
