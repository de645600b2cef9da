"""Enumeration of states, against itertools."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.states import (
    MAX_STATES,
    binary_states,
    categorical_states,
    check_enumerable,
    state_blocks,
    state_index,
)

RADICES = [(), (1,), (4,), (2, 2, 2), (3, 1, 2), (2, 5, 3)]


@pytest.mark.parametrize("radices", RADICES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_states_are_the_cartesian_product(xp: Any, radices: tuple[int, ...], dtype: str) -> None:
    like = xp([0.0], dtype)
    states = categorical_states(radices, like=like)
    assert states.dtype == like.dtype
    expected = np.array(list(itertools.product(*map(range, radices)))).reshape(
        math.prod(radices), len(radices)
    )
    np.testing.assert_array_equal(to_numpy(states), expected)
    np.testing.assert_array_equal(to_numpy(state_index(states, radices)), np.arange(len(expected)))


@pytest.mark.parametrize("rows", [1, 4, 7, 30, 31])
def test_blocks_are_the_states_in_pieces(xp: Any, rows: int) -> None:
    radices, like = (2, 5, 3), xp([0.0])
    blocks = [to_numpy(block) for block in state_blocks(radices, like=like, rows=rows)]
    assert [len(b) for b in blocks] == [min(rows, 30 - start) for start in range(0, 30, rows)]
    np.testing.assert_array_equal(np.concatenate(blocks), to_numpy(categorical_states(radices, like=like)))


def test_first_unit_is_most_significant(xp: Any) -> None:
    assert to_numpy(binary_states(2, like=xp([0.0]))).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert binary_states(0, like=xp([0.0])).shape == (1, 0)


def test_too_many_states_are_refused_before_they_are_made(xp: Any) -> None:
    like = xp([0.0])
    with pytest.raises(
        ValueError, match=r"1,152,921,504,606,846,976 states \(553,402,322,211,286,548,480 bytes"
    ):
        binary_states(60, like=like)
    with pytest.raises(ValueError, match="at most"):
        next(state_blocks((2,) * 80, like=like, rows=4))
    assert next(state_blocks((2,) * 50, like=like, rows=4)).shape == (4, 50)
    assert check_enumerable("it", (2,) * 26) == MAX_STATES
    with pytest.raises(ValueError, match="it has 134,217,728 states"):
        check_enumerable("it", (2,) * 27)


def test_bad_arguments_are_refused(xp: Any) -> None:
    like = xp([0.0])
    for call in (
        lambda: binary_states(-1, like=like),
        lambda: categorical_states((2, 0), like=like),
        lambda: next(state_blocks((2,), like=like, rows=0)),
    ):
        with pytest.raises(ValueError, match="must be an integer of at least"):
            call()
