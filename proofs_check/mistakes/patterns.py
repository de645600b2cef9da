"""Ways to be wrong that many mistakes share: each returns what stands in for a piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...reference.trees import scale
from . import Wrong


def instead(wrong: Callable[..., Any]) -> Wrong:
    """Another function altogether: the right piece is not used."""
    return lambda right, *args, **kwargs: wrong(*args, **kwargs)


def returning(change: Callable[[Any], Any]) -> Wrong:
    """The right piece, and then what it returns is changed."""
    return lambda right, *args, **kwargs: change(right(*args, **kwargs))


def given(change: Callable[[Any], Any]) -> Wrong:
    """The right piece, of other parameters: its first argument is changed."""
    return lambda right, theta, *args, **kwargs: right(change(theta), *args, **kwargs)


def scaled(factor: float | Callable[..., float]) -> Wrong:
    """What the right piece returns, a number, an array or a tree of them, times a factor.

    The factor may depend on the arguments.
    """

    def wrong(right: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        by = factor(*args, **kwargs) if callable(factor) else factor
        return scale(by, right(*args, **kwargs))

    return wrong


def negated() -> Wrong:
    """The wrong sign."""
    return scaled(-1.0)


def without(*fields: str) -> Callable[[Any], Any]:
    """Parameters, or a gradient, with some fields set to zero: for ``given`` and ``returning``."""
    return lambda theta: theta._replace(**{name: 0 * getattr(theta, name) for name in fields})


def with_fields(**changes: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Parameters, or a gradient, with some fields changed: for ``given`` and ``returning``."""
    return lambda theta: theta._replace(**{n: change(getattr(theta, n)) for n, change in changes.items()})
