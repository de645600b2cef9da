"""Checks of arguments: bad input gets an error that names the argument, what it was, and what is wanted."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from ..backends.arrays import Array, array_namespace


def check_shape(name: str, x: Array, *shape: int | None) -> None:
    """Raise ValueError unless ``x`` has this shape; ``None`` stands for any positive length."""
    fits = x.ndim == len(shape) and all(
        n > 0 if want is None else n == want for n, want in zip(x.shape, shape, strict=False)
    )
    if not fits:
        wanted = ", ".join("n >= 1" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(x.shape)}")


def check_floating(name: str, x: Array, *, like: Array | None = None) -> None:
    """Raise ValueError unless ``x`` is real floating point, of the dtype of ``like`` where that is given."""
    xp = array_namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):
        raise ValueError(f"{name} must be a real floating-point array, got dtype {x.dtype}; convert it first")
    if like is not None and x.dtype != like.dtype:
        raise ValueError(f"{name} must have the dtype of the parameters, {like.dtype}, got {x.dtype}")


def check_finite(name: str, x: Array) -> None:
    """Raise ValueError where ``x`` holds NaN or an infinity."""
    xp = array_namespace(x)
    _require(name, x, xp.isfinite(x), "finite numbers")


def check_binary(name: str, x: Array) -> None:
    """Raise ValueError unless every entry of the floating array ``x`` is 0 or 1."""
    _require(name, x, (x == 0) | (x == 1), "zeros and ones only (sample or threshold grey levels first)")


def check_probability(name: str, x: Array) -> None:
    """Raise ValueError unless every entry of ``x`` lies in [0, 1]."""
    _require(name, x, (x >= 0) & (x <= 1), "probabilities in [0, 1]")


def check_law(name: str, x: Array, *, axis: int = -1) -> None:
    """Raise ValueError unless ``x`` is non-negative and sums to one along ``axis``, to half its digits.

    Normalised exponentials carry the rounding of exponents that may be hundreds: all digits are too many.
    """
    xp = array_namespace(x)
    # An entry may exceed one by rounding: the sum bounds it.
    _require(name, x, x >= 0, "probabilities, none negative")
    excess = xp.abs(xp.sum(x, axis=axis) - 1)
    if bool(xp.any(excess > float(xp.finfo(x.dtype).eps) ** 0.5)):
        raise ValueError(
            f"{name} must sum to one along axis {axis}, the largest deviation is {float(xp.max(excess)):.3g}"
        )


def check_count(name: str, n: Any, *, least: int = 1) -> None:
    """Raise ValueError unless ``n`` is an int of at least ``least``."""
    if isinstance(n, bool) or not isinstance(n, Integral) or n < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {n!r}")


def check_choice(name: str, value: str, *choices: str) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _require(name: str, x: Array, good: Array, wanted: str) -> None:
    xp = array_namespace(x)
    if bool(xp.all(good)):
        return
    first = int(xp.argmin(xp.astype(xp.reshape(good, (-1,)), xp.int8)))
    value = float(xp.reshape(x, (-1,))[first])
    index: list[int] = []
    for length in reversed(x.shape):
        first, i = divmod(first, length)
        index.insert(0, i)
    raise ValueError(f"{name} must hold {wanted}, got {value!r} at index {index}")
