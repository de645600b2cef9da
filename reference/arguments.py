"""Checks of arguments: bad input gets an error that names the argument, what it was, and what is wanted."""

from __future__ import annotations

from functools import cache
from numbers import Integral
from typing import Any

import array_api_compat

from ..backends.arrays import Array, Namespace, array_namespace


def check_array(name: str, x: Array, *shape: int | None, like: Array | None = None) -> None:
    """Raise unless ``x`` has this shape, is floating as in ``check_floating``, and finite."""
    check_shape(name, x, *shape)
    check_floating(name, x, like=like)
    check_finite(name, x)


def check_shape(name: str, x: Array, *shape: int | None) -> None:
    """Raise ValueError unless ``x`` has this shape; ``None`` stands for any positive length.

    Raises: TypeError where it is no array.
    """
    if not array_api_compat.is_array_api_obj(x):
        raise TypeError(f"{name} must be an array, got {type(x).__name__}")
    fits = x.ndim == len(shape) and all(
        n > 0 if want is None else n == want for n, want in zip(x.shape, shape, strict=False)
    )
    if not fits:
        wanted = ", ".join("n >= 1" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(x.shape)}")


def check_floating(name: str, x: Array, *, like: Array | None = None) -> None:
    """Raise ValueError unless ``x`` is real floating point, and where ``like`` is given, of its kind.

    Its kind is its dtype, backend and device.
    """
    xp = array_namespace(x) if like is None else array_namespace(x, like)
    if not _is_real_floating(xp, x.dtype):
        raise ValueError(f"{name} must be a real floating-point array, got dtype {x.dtype}; convert it first")
    if like is not None and x.dtype != like.dtype:
        raise ValueError(f"{name} must have the dtype of the parameters, {like.dtype}, got {x.dtype}")


def check_finite(name: str, x: Array) -> None:
    """Raise ValueError where ``x`` holds NaN or an infinity."""
    xp = array_namespace(x)
    _require(name, x, xp.isfinite(x), "finite numbers")


def check_not_nan(name: str, x: Array) -> None:
    """Raise ValueError where ``x`` holds NaN: infinities are values here."""
    _require(name, x, x == x, "numbers")


def check_log_weights(name: str, x: Array) -> None:
    """Raise ValueError unless ``x`` is floating and below infinity: minus infinity is the log of zero."""
    check_floating(name, x)
    _require(name, x, x < float("inf"), "finite numbers or minus infinity")


def check_indices(name: str, x: Array, count: int) -> None:
    """Raise ValueError unless ``x`` holds integers in 0..count-1."""
    xp = array_namespace(x)
    if not xp.isdtype(x.dtype, "integral"):
        raise ValueError(f"{name} must hold integers, got dtype {x.dtype}")
    _require(name, x, (x >= 0) & (x < count), f"indices in 0..{count - 1}")


def check_broadcast(**arrays: Array) -> None:
    """Raise ValueError unless the shapes of the arrays broadcast."""
    shapes = [tuple(x.shape) for x in arrays.values()]
    longest = max(map(len, shapes))
    columns = zip(*((1,) * (longest - len(shape)) + shape for shape in shapes), strict=True)
    if any(len(set(lengths) - {1}) > 1 for lengths in columns):
        raise ValueError(f"{', '.join(arrays)} must have shapes that broadcast, got {shapes}")


def check_binary(name: str, x: Array) -> None:
    """Raise ValueError unless every entry of the floating array ``x`` is 0 or 1."""
    _require(name, x, (x == 0) | (x == 1), "zeros and ones only (sample or threshold grey levels first)")


def check_probability(name: str, x: Array) -> None:
    """Raise ValueError unless every entry of ``x`` lies in [0, 1]."""
    _require(name, x, (x >= 0) & (x <= 1), "probabilities in [0, 1]")


def check_not_negative(name: str, x: Array) -> None:
    """Raise ValueError unless no entry of ``x`` is negative, or NaN."""
    _require(name, x, x >= 0, "numbers that are not negative")


def check_law(name: str, x: Array, *, axis: int = -1) -> None:
    """Raise ValueError unless ``x`` is non-negative and sums to one along ``axis``, to half its digits.

    Normalised exponentials carry the rounding of exponents that may be hundreds: all digits are too many.
    """
    xp = array_namespace(x)
    check_floating(name, x)
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


def check_number(name: str, value: float, *, least: float, below: float = float("inf")) -> None:
    """Raise ValueError unless least <= value < below: NaN and infinity are no such number."""
    if not least <= value < below:
        wanted = f"at least {least}" + (f" and below {below}" if below < float("inf") else " and finite")
        raise ValueError(f"{name} must be a number {wanted}, got {value!r}")


def check_choice(name: str, value: str, *choices: str) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


@cache
def _is_real_floating(xp: Namespace, dtype: object) -> bool:
    return bool(xp.isdtype(dtype, "real floating"))  # to ask takes longer than to add a thousand numbers


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
