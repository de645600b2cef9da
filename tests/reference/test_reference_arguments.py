"""Checks of arguments: what passes, and that a refusal names the argument, what it was and what is wanted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from exactgen.reference.arguments import (
    check_array,
    check_binary,
    check_broadcast,
    check_choice,
    check_count,
    check_finite,
    check_floating,
    check_indices,
    check_law,
    check_log_weights,
    check_not_nan,
    check_number,
    check_probability,
    check_shape,
)


def test_what_is_right_passes(xp: Any) -> None:
    x = xp([[0.0, 1.0], [1.0, 0.0]])
    check_shape("x", x, None, 2)
    check_shape("x", xp(3.0))
    check_floating("x", x)
    check_floating("x", x, like=xp([0.0]))
    for check in (check_finite, check_binary, check_probability, check_law):
        check("x", x)
    check_law("x", xp([[1.0], [0.0]]), axis=0)
    check_law("x", xp([1 / 3] * 3, "float32"))
    check_array("x", x, 2, None, like=xp([0.0]))
    check_not_nan("x", xp([math.inf, -1.0]))
    check_log_weights("x", xp([-math.inf, 3.0]))
    check_indices("i", xp([0, 2], "uint8"), 3)
    check_broadcast(x=x, y=xp(0.0), z=xp([[[1.0, 2.0]]]))
    check_number("a", 0.0, least=0)
    check_count("n", 1)
    check_count("n", np.int64(0), least=0)
    check_choice("x", "b", "a", "b")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda xp: check_shape("v", xp([[1.0]]), None, 2), r"v must have shape \(n >= 1, 2\), got \(1, 1\)"),
        (lambda xp: check_shape("v", xp([[1.0]]), None), r"v must have shape \(n >= 1\), got \(1, 1\)"),
        (lambda xp: check_shape("v", xp(np.zeros((0, 2))), None, 2), r"got \(0, 2\)"),
        (
            lambda xp: check_floating("v", xp([1], "int64")),
            "v must be a real floating-point array, got dtype .*int64",
        ),
        (lambda xp: check_floating("v", xp([1], "complex128")), "v must be a real floating-point array"),
        (lambda xp: check_floating("v", xp([1.0], "float32"), like=xp([1.0])), "float64, got .*float32"),
        (
            lambda xp: check_finite("v", xp([[0.0, 1.0], [2.0, math.nan]])),
            r"v must hold finite .* nan at index \[1, 1\]",
        ),
        (lambda xp: check_finite("v", xp([math.inf, math.nan])), r"got inf at index \[0\]"),
        (lambda xp: check_finite("v", xp(-math.inf)), r"got -inf at index \[\]"),
        (
            lambda xp: check_binary("v", xp([[0.0, 1.0, 0.5]])),
            r"zeros and ones only .* got 0\.5 at index \[0, 2\]",
        ),
        (lambda xp: check_binary("v", xp([math.nan])), "got nan"),
        (lambda xp: check_probability("p", xp([0.0, 1.0, 1.25])), r"in \[0, 1\], got 1\.25 at index \[2\]"),
        (lambda xp: check_probability("p", xp([math.nan])), "got nan"),
        (
            lambda xp: check_law("p", xp([[0.5, 0.5], [0.5, 0.25]])),
            "p must sum to one along axis -1, .* 0.25",
        ),
        (lambda xp: check_law("p", xp([1.5, -0.5])), r"none negative, got -0\.5 at index \[1\]"),
        (lambda xp: check_law("p", xp([math.nan, 1.0])), "got nan"),
        (lambda xp: check_law("p", xp([0.5, 0.5 + 1e-7])), "largest deviation is 1e-07"),
        (lambda _: check_count("k", 0), "k must be an integer of at least 1, got 0"),
        (lambda _: check_count("k", 1.0), r"got 1\.0"),
        (lambda _: check_count("k", True), "got True"),
        (lambda _: check_count("k", None), "got None"),
        (
            lambda xp: check_not_nan("f", xp([math.inf, math.nan])),
            r"f must hold numbers, got nan at index \[1\]",
        ),
        (
            lambda xp: check_log_weights("w", xp([-math.inf, math.inf])),
            r"minus infinity, got inf at index \[1\]",
        ),
        (lambda xp: check_log_weights("w", xp([math.nan])), "got nan"),
        (
            lambda xp: check_indices("i", xp([0, 3], "int64"), 3),
            r"indices in 0\.\.2, got 3\.0 at index \[1\]",
        ),
        (lambda xp: check_indices("i", xp([-1], "int64"), 3), r"got -1\.0"),
        (lambda xp: check_indices("i", xp([0.0]), 3), "i must hold integers, got dtype"),
        (lambda xp: check_law("p", xp([0, 1], "int64")), "p must be a real floating-point array"),
        (
            lambda xp: check_broadcast(x=xp([[0.0, 1.0]]), y=xp([0.0, 1.0, 2.0])),
            r"x, y must have shapes that broadcast, got \[\(1, 2\), \(3,\)\]",
        ),
        (lambda _: check_number("a", math.nan, least=0), "a must be a number at least 0 and finite, got nan"),
        (lambda _: check_number("a", 1, least=0, below=1), "at least 0 and below 1, got 1"),
        (lambda _: check_choice("how", "c", "a", "b"), "how must be one of 'a', 'b', got 'c'"),
    ],
)
def test_what_is_wrong_is_refused(xp: Any, call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(xp)


@pytest.mark.parametrize("thing", [[0.0], 1.0, None, "x"])
def test_what_is_no_array_is_named(thing: Any) -> None:
    with pytest.raises(TypeError, match=f"v must be an array, got {type(thing).__name__}"):
        check_array("v", thing, None)


def test_another_backend_than_that_of_the_parameters_is_refused(xp: Any) -> None:
    if xp.name.startswith("numpy"):
        pytest.skip("the other side of the mixture")
    with pytest.raises(ValueError, match="arrays of one backend are wanted"):
        check_floating("v", np.zeros(2), like=xp([0.0]))
