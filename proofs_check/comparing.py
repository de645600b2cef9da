"""What a check says of numbers: they agree, one is at most the other, or it raises ``Disagreement``.

Tolerances are for float64.  Under ``comparing`` they stand for the same share of the digits of another dtype,
or are made larger: a counterexample has to exceed them tenfold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backends.arrays import to_numpy

ROUNDING = 1e-10
"""What arrays may differ by unless a check says otherwise, relative to their largest entry."""
FLOOR = 1e-12
"""What entries may differ by where all of them should be zero."""


class Disagreement(AssertionError):  # noqa: N818 (it is a verdict, not an error)
    """A computed quantity is not what the statement says."""

    def __init__(self, what: str, expected: Any, actual: Any, statements: Sequence[str] = ()) -> None:
        self.what, self.expected, self.actual = what, expected, actual
        self.statements = tuple(statements)  # that it is a disagreement with; none: those of the check
        super().__init__(f"{what}: expected {expected}, got {actual}")


@dataclass
class _Strictness:
    """How the comparisons of the check at hand are made, and which statements they were made for."""

    digits: float = 1.0  # a tolerance t stands for t^digits
    factor: float = 1.0
    asserted: set[str] = field(default_factory=set)


_strictness: ContextVar[_Strictness | None] = ContextVar("strictness", default=None)


def _now() -> _Strictness:
    return _strictness.get() or _Strictness()


@contextmanager
def comparing(*, dtype: str = "float64", factor: float = 1.0) -> Iterator[set[str]]:
    """Within, tolerances are those of ``dtype``, times ``factor``; yield the statements asserted so far.

    A tolerance t becomes t^(log eps / log eps64): 1e-10, 10 of 15.7 digits, becomes 3.8e-5 in float32,
    4.4 of 6.9.
    """
    digits = float(np.log(np.finfo(dtype).eps) / np.log(np.finfo("float64").eps))
    strictness = _Strictness(digits, factor)
    token = _strictness.set(strictness)
    try:
        yield strictness.asserted
    finally:
        _strictness.reset(token)


def tolerance(t: float) -> float:
    """Return what the float64 tolerance ``t`` (below one) stands for where the check runs now."""
    return t ** _now().digits if 0 < t < 1 else t


def agree(
    actual: Any,
    expected: Any,
    what: str,
    *,
    of: str | Sequence[str] = (),
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Raise Disagreement unless ``actual`` is ``expected``, tree by tree, array by array, entry by entry.

    An entry may differ by atol + rtol |expected|; where neither is given, by ``ROUNDING`` times the largest
    entry of its array, plus ``FLOOR``.  Infinities must coincide; NaN agrees with nothing.  ``of`` says for
    which of the check's statements this is asserted.
    """
    statements = _assert_for(of)
    if isinstance(expected, tuple) and not isinstance(actual, np.ndarray):
        if not isinstance(actual, tuple) or len(actual) != len(expected):
            got = f"{type(actual).__name__}" + (f" of {len(actual)}" if isinstance(actual, tuple) else "")
            raise Disagreement(f"form of {what}", f"{type(expected).__name__} of {len(expected)}", got)
        names = getattr(expected, "_fields", range(len(expected)))
        for name, a, e in zip(names, actual, expected, strict=True):
            agree(a, e, f"{what}, {name}", of=of, rtol=rtol, atol=atol)
        return
    a, e = _numbers(actual), _numbers(expected)
    if a.shape != e.shape:
        raise Disagreement(f"shape of {what}", e.shape, a.shape, statements)
    with np.errstate(invalid="ignore"):  # an estimate lies within the radius of its confidence interval
        good = (a == e) | (np.abs(a - e) <= _allowed(e, rtol, atol) + getattr(actual, "radius", 0.0))
    if not bool(np.all(good)):
        if a.ndim == 0:
            raise Disagreement(what, e.item(), a.item(), statements)
        # argmin finds the first entry that is not good
        worst = np.unravel_index(int(np.argmin(good)), a.shape)
        index = ", ".join(map(str, worst))
        raise Disagreement(f"{what} [{index}]", e[worst].item(), a[worst].item(), statements)


def _allowed(expected: Any, rtol: float | None, atol: float | None) -> Any:
    size, factor = np.abs(expected), _now().factor
    if rtol is None and atol is None:
        finite = size[np.isfinite(size)]
        size = finite.max() if finite.size else 0.0
    absolute = factor * tolerance(FLOOR if atol is None else atol)
    relative = factor * tolerance(ROUNDING if rtol is None else rtol)
    return absolute + (relative * size if relative else 0.0)


def at_most(
    smaller: Any, larger: Any, what: str, *, of: str | Sequence[str] = (), slack: float = ROUNDING
) -> None:
    """Raise Disagreement unless smaller <= larger + slack, entry by entry."""
    statements = _assert_for(of)
    a, e = np.broadcast_arrays(_numbers(smaller), _numbers(larger))
    bad = ~(a <= e + _now().factor * tolerance(slack))
    if bool(np.any(bad)):
        worst = np.unravel_index(int(np.argmax(bad)), a.shape)
        raise Disagreement(what, f"at most {float(e[worst])!r}", float(a[worst]), statements)


def ensure(
    condition: Any, what: str, *, of: str | Sequence[str] = (), expected: Any = True, actual: Any = False
) -> None:
    """Raise Disagreement unless ``condition`` holds."""
    statements = _assert_for(of)
    if not bool(condition):
        raise Disagreement(what, expected, actual, statements)


def _assert_for(of: str | Sequence[str]) -> tuple[str, ...]:
    statements = (of,) if isinstance(of, str) else tuple(of)
    _now().asserted.update(statements)
    return statements


def _numbers(x: Any) -> np.ndarray:
    if isinstance(x, (int, float, complex, np.generic, np.ndarray, list)):
        return np.asarray(x)
    return to_numpy(x)
