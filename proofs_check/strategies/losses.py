"""Linear regressions: inputs, outputs, weights and a penalty."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from .common import arrays, hundredths


class Regression(NamedTuple):
    """Inputs, outputs, two vectors of weights and a penalty."""

    x: Any  # (N, d)
    y: Any  # (N,)
    w: Any  # (d,)
    u: Any  # (d,)
    penalty: float


regressions = st.tuples(st.integers(1, 4), st.integers(1, 2)).flatmap(
    lambda nd: st.builds(
        Regression,
        arrays(nd, hundredths(-2, 2)),
        arrays((nd[0],), hundredths(-2, 2)),
        arrays((nd[1],), hundredths(-2, 2)),
        arrays((nd[1],), hundredths(-2, 2)),
        st.sampled_from((1.0, 0.5, 3.0)),
    )
)
"""Up to four points of up to two inputs."""
