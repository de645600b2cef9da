"""The elementary functions against mpmath at 60 digits, extreme arguments included."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.numerics import log_mean_exp, log_sigmoid, log_sum_exp, sigmoid, softplus, x_log_y

mpmath.mp.dps = 60
EXTREMES = [0.0, 1e-300, 1e-17, 3e-9, 0.3, 1.0, 17.0, 36.7, 80.0, 700.0, 1e4, 1e300]
POINTS = sorted([*EXTREMES, *(-x for x in EXTREMES if x)])
TINY = {"float64": 1e-307, "float32": 1e-37}  # smaller results are denormal, or zero


def exact(f: Any, *arguments: np.ndarray) -> np.ndarray:
    """Evaluate ``f`` on the arguments as the machine holds them, at 60 digits."""
    return np.array(
        [float(f(*map(mpmath.mpf, point))) for point in zip(*(a.tolist() for a in arguments), strict=True)]
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)) if x > -1e5 else mpmath.mpf(0)),
        (softplus, lambda x: mpmath.log1p(mpmath.exp(x)) if x < 1e5 else x),
        (log_sigmoid, lambda x: -mpmath.log1p(mpmath.exp(-x)) if x > -1e5 else x),
    ],
)
def test_elementwise_functions(xp: Any, dtype: str, function: Any, formula: Any) -> None:
    x = xp([p for p in POINTS if abs(p) < 1e38 or dtype == "float64"], dtype)
    y = function(x)
    assert y.dtype == x.dtype
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(to_numpy(y), exact(formula, to_numpy(x)), rtol=8 * eps, atol=TINY[dtype])


def test_infinite_arguments(xp: Any) -> None:
    x = xp([-math.inf, math.inf])
    assert to_numpy(sigmoid(x)).tolist() == [0, 1]
    assert to_numpy(softplus(x)).tolist() == [0, math.inf]
    assert to_numpy(log_sigmoid(x)).tolist() == [-math.inf, 0]


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4, 1e15])
def test_log_sum_exp(xp: Any, shift: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(scale=20, size=(4, 3, 5)) + shift
    x[0, 0, 0] = -math.inf
    for axis, order in ((0, (1, 2, 0)), (-1, (0, 1, 2)), ((0, 2), (1, 0, 2)), (None, (0, 1, 2))):
        kept = 0 if axis is None else 1 if isinstance(axis, tuple) else 2
        moved = np.transpose(x, order)
        rows = moved.reshape(*moved.shape[:kept], -1)
        flat = rows.reshape(-1, rows.shape[-1])
        total = [
            mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(float(v))) for v in row if v > -math.inf))
            for row in flat
        ]
        expected = np.array([float(t) for t in total]).reshape(rows.shape[:-1])
        np.testing.assert_allclose(to_numpy(log_sum_exp(xp(x), axis=axis)), expected, rtol=1e-15, atol=2e-15)
        mean = np.array([float(t - mpmath.log(rows.shape[-1])) for t in total]).reshape(rows.shape[:-1])
        np.testing.assert_allclose(to_numpy(log_mean_exp(xp(x), axis=axis)), mean, rtol=1e-15, atol=4e-15)


def test_log_sum_of_nothing_is_minus_infinity(xp: Any) -> None:
    x = xp([[-math.inf, -math.inf], [-math.inf, 2.0]])
    assert to_numpy(log_sum_exp(x, axis=1)).tolist() == [-math.inf, 2.0]
    assert to_numpy(log_mean_exp(x, axis=0)).tolist() == [-math.inf, 2.0 - math.log(2)]


def test_means_of_exponentials_keep_their_dtype(xp: Any) -> None:
    x = xp([[1.0, 2.0]], "float32")
    assert log_sum_exp(x).dtype == log_mean_exp(x).dtype == x.dtype


def test_x_log_y(xp: Any) -> None:
    x, y = xp([0.0, 0.0, 0.5, 0.25, 2.0]), xp([0.0, 0.5, 0.0, 1e-300, 1.0])
    expected = [0, 0, -math.inf, float(mpmath.mpf(0.25) * mpmath.log(mpmath.mpf(1e-300))), 0]
    np.testing.assert_allclose(to_numpy(x_log_y(x, y)), expected, rtol=1e-15)
    table = x_log_y(xp([[0.0], [1.0]]), xp([0.0, 1.0, math.e]))
    np.testing.assert_allclose(to_numpy(table), [[0, 0, 0], [-math.inf, 0, 1]], rtol=1e-15)
