"""Enumeration of binary and categorical states, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..backends.arrays import Array, array_namespace
from .contracts import Count, Raw, checked

MAX_STATES = 2**26
"""Enumerations of more states than this are refused before anything is allocated."""


def check_enumerable(
    what: str, radices: Sequence[int], *, limit: int = MAX_STATES, item_bytes: int = 8
) -> int:
    """Return the number of states of units with these radices.

    Raises: ValueError, with the number of states and bytes, where it exceeds ``limit``.
    """
    states = math.prod(radices)
    if states > limit:
        size = states * len(radices) * item_bytes
        raise ValueError(
            f"{what} has {_in_words(states)} states ({_in_words(size)} bytes as one table); "
            f"at most {limit:,} are enumerated"
        )
    return states


def _in_words(n: int) -> str:
    return f"{n:,}" if n < 10**21 else f"some 10^{int(math.log10(2) * n.bit_length())}"


@checked
def binary_states(n: Count[int, 0], *, like: Raw[Array, "..."]) -> Raw[Array, "2**n n?"]:
    """Return all binary vectors of ``n`` units, the first unit most significant.

    Exactness: exact.   Cost: n 2^n numbers.
    Raises: ValueError where 2^n exceeds ``MAX_STATES``.
    """
    return categorical_states((2,) * n, like=like)


@checked
def categorical_states(
    radices: Sequence[Count[int, 1]], *, like: Raw[Array, "..."]
) -> Raw[Array, "states units?"]:
    """Return all states of units with ``radices[i]`` values each, in lexicographic order (mixed radix).

    Exactness: exact.
    Raises: ValueError where there are more than ``MAX_STATES`` states.
    """
    total = check_enumerable("the enumeration", radices)
    return next(state_blocks(radices, like=like, rows=max(total, 1)))


@checked
def state_blocks(
    radices: Sequence[Count[int, 1]], *, like: Raw[Array, "..."], rows: Count[int, 1]
) -> Iterator[Raw[Array, "block units?"]]:
    """Yield the states of ``categorical_states`` in order, at most ``rows`` at a time.

    Exactness: exact.   Cost: memory of one block.
    """
    xp, dev = array_namespace(like), like.device
    total = check_enumerable("the enumeration", radices, limit=2**62)  # int64 indices
    for start in range(0, total, rows):
        index = xp.arange(start, min(start + rows, total), dtype=xp.int64, device=dev)
        columns, period = [], total
        for r in radices:
            period //= r
            columns.append(xp.astype((index // period) % r, like.dtype))
        if columns:
            yield xp.stack(columns, axis=1)
        else:
            yield xp.zeros((1, 0), dtype=like.dtype, device=dev)


@checked
def state_index(states: Raw[Array, "n units?"], radices: Sequence[Count[int, 1]]) -> Raw[Array, "n"]:
    """Return the row of each state in ``categorical_states``: the inverse of the enumeration.

    Exactness: exact.
    """
    xp = array_namespace(states)
    if states.shape[1] != len(radices):
        raise ValueError(f"states must have shape (n >= 1, {len(radices)}), got {tuple(states.shape)}")
    if not xp.isdtype(states.dtype, ("real floating", "integral")):
        raise ValueError(f"states must hold real numbers, got dtype {states.dtype}")
    index = xp.zeros((states.shape[0],), dtype=xp.int64, device=states.device)
    for i, r in enumerate(radices):
        column = states[:, i]
        if not bool(xp.all((column >= 0) & (column < r) & (column == xp.floor(column)))):
            raise ValueError(f"states must hold whole numbers in 0..{r - 1} in column {i}")
        index = index * r + xp.astype(column, xp.int64)
    return index
