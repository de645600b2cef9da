"""Uniform numbers that are not decided yet: the same number may serve twice, on any stream.

Of each, an interval is known in which it lies.  ``below(p)`` cuts it by a Bernoulli draw of the stream, so
that an enumerating stream hands out both parts, each with its probability.
"""

from __future__ import annotations

import weakref
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Stream


class Uniforms:
    """Independent uniform numbers, an array of them."""

    def __init__(self, shape: tuple[int, ...], *, like: Array) -> None:
        xp = array_namespace(like)
        self.low = xp.zeros(shape, dtype=like.dtype, device=like.device)
        self.high = xp.ones_like(self.low)

    def below(self, p: Array, stream: Stream) -> Array:
        """Return ones where the numbers lie below ``p``, of their shape, and zeros elsewhere."""
        xp = array_namespace(p)
        cut = xp.clip(xp.where(xp.isnan(p), xp.zeros_like(p), p), self.low, self.high)
        width = self.high - self.low
        x = stream.bernoulli((cut - self.low) / xp.where(width > 0, width, xp.ones_like(width)))
        self.low, self.high = xp.where(x == 1, self.low, cut), xp.where(x == 1, cut, self.high)
        return x

    def first(self, n: int) -> Uniforms:
        """Return the first ``n`` along the last axis, with new ones beyond those that there are."""
        xp, rest = array_namespace(self.low), tuple(self.low.shape[:-1])
        missing = Uniforms((*rest, max(0, n - self.low.shape[-1])), like=self.low)
        part = Uniforms((0,), like=self.low)
        part.low = xp.concat([self.low, missing.low], axis=-1)[..., :n]
        part.high = xp.concat([self.high, missing.high], axis=-1)[..., :n]
        return part

    def put_back(self, part: Uniforms) -> None:
        """Remember what became known of the first of the numbers."""
        xp, n = array_namespace(self.low), part.low.shape[-1]
        self.low = xp.concat([part.low, self.low[..., n:]], axis=-1)
        self.high = xp.concat([part.high, self.high[..., n:]], axis=-1)


REMEMBERED: weakref.WeakKeyDictionary[Any, Uniforms] = weakref.WeakKeyDictionary()
"""The numbers that a stream handed out last, for mistakes that use them again."""
