"""Trees: sums, differences and multiples of parameters, leaf by leaf, on every backend; odd pairs refused."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.trees import add, difference, leaves, rebuild, scale, tree_map


class Pair(NamedTuple):
    left: Any
    right: Any


def tree(xp, factor=1.0):
    return Pair((xp(factor * np.arange(6.0).reshape(2, 3)), Pair(xp(np.array([factor])), ())), xp(factor))


@pytest.mark.parametrize(
    ("made", "factor"),
    [
        (lambda a, b: add(a, b), 4.0),
        (lambda a, b: difference(a, b), -2.0),
        (lambda a, b: scale(0.5, b), 1.5),
        (lambda a, b: tree_map(lambda x, y, z: y + z - 5 * x, a, b, b), 1.0),
    ],
)
def test_arithmetic_is_leaf_by_leaf_and_keeps_the_form(xp, made, factor):
    found, wanted = made(tree(xp), tree(xp, 3.0)), tree(xp, factor)
    assert type(found) is Pair
    assert type(found.left) is tuple
    assert found.left[1].right == ()
    for f, w in zip(leaves(found), leaves(wanted), strict=True):
        assert f.dtype == w.dtype
        np.testing.assert_allclose(to_numpy(f), to_numpy(w), rtol=1e-15)


def test_a_tree_is_rebuilt_from_its_leaves(xp):
    whole = tree(xp)
    assert [leaf.shape for leaf in leaves(whole)] == [(2, 3), (1,), ()]
    again = rebuild(whole, leaves(whole))
    assert all(a is b for a, b in zip(leaves(again), leaves(whole), strict=True))


def test_a_pair_of_other_form_or_shape_is_refused_and_the_place_named():
    a = Pair((np.ones(2), np.ones(3)), np.ones(1))
    with pytest.raises(ValueError, match=r"leaves of one shape, got \(3,\) and \(2,\) at Pair.left\[1\]"):
        add(a, Pair((np.ones(2), np.ones(2)), np.ones(1)))  # they would broadcast nowhere
    with pytest.raises(ValueError, match=r"leaves of one shape, got \(1,\) and \(\) at Pair.right"):
        add(a, Pair((np.ones(2), np.ones(3)), np.float64(1)))  # they would broadcast
    with pytest.raises(ValueError, match=r"one form, got tuple of 2 and tuple of 1 at Pair.left"):
        difference(a, Pair((np.ones(2),), np.ones(1)))
    with pytest.raises(ValueError, match=r"one form, got Pair of 2 and tuple of 2 at Pair"):
        difference(a, tuple(a))
    with pytest.raises(ValueError, match=r"one form, got ndarray and tuple of 0 at Pair.right"):
        add(a, a._replace(right=()))
