"""Seeded splits into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from .sources import Provenance

Rows = NDArray[Any]


class Split(NamedTuple):
    """Disjoint rows of one array, in the order train, valid, test."""

    train: Rows
    valid: Rows
    test: Rows


class Dataset(NamedTuple):
    """A split that remembers where it comes from; ``dataset[:3]`` are the three arrays."""

    train: Rows
    valid: Rows
    test: Rows
    provenance: Provenance


def order(count: int, *, seed: int | None) -> NDArray[np.intp]:
    """Return ``0 .. count-1``, shuffled by ``seed``, or as they stand when ``seed`` is None.

    The shuffle is NumPy's ``RandomState``, whose stream is frozen: a seed means the same rows for good.
    """
    if seed is None:
        return np.arange(count)
    return RandomState(seed).permutation(count).astype(np.intp)


def split(rows: Rows, sizes: Sequence[int], seed: int | None) -> Split:
    """Return disjoint parts of ``rows`` with the three given sizes; rows beyond their sum are left out.

    Parameters
    ----------
    rows
        (n, ...), any dtype; the parts are copies.
    sizes
        Rows of train, valid and test; their sum is at most n.
    seed
        An integer shuffles first; None keeps the order, so train is the first ``sizes[0]`` rows, and so on.

    Raises
    ------
    ValueError
        ``sizes`` is not three non-negative integers, or asks for more rows than there are.
    """
    if len(sizes) != 3 or any(size < 0 for size in sizes):
        raise ValueError(
            f"sizes is {tuple(sizes)}; three counts (train, valid, test) of 0 or more are wanted"
        )
    if rows.ndim < 1 or sum(sizes) > len(rows):
        raise ValueError(
            f"sizes {tuple(sizes)} ask for {sum(sizes)} rows; rows has shape {rows.shape}, which holds fewer"
        )
    a, b, c = np.cumsum(sizes)
    at = order(len(rows), seed=seed)
    return Split(rows[at[:a]], rows[at[a:b]], rows[at[b:c]])
