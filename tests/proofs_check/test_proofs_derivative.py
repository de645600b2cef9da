"""The derivative by the complex step, beside derivatives written down by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from exactgen.proofs_check.oracle.derivative import derivative


class Pair(NamedTuple):
    x: np.ndarray
    parts: tuple[np.ndarray, ...]


def test_every_entry_of_a_tree():
    theta = Pair(np.array([0.3, -1.2]), (np.array(0.5), np.array([[2.0], [1.0]])))
    slope = derivative(lambda t: np.exp(t.x) * t.parts[0] + t.parts[1].sum(), theta)
    assert type(slope) is Pair
    np.testing.assert_allclose(slope.x, np.diag(np.exp(theta.x) * 0.5), rtol=1e-15)
    np.testing.assert_allclose(slope.parts[0], np.exp(theta.x), rtol=1e-15)
    np.testing.assert_allclose(slope.parts[1], np.ones((2, 2, 1)), rtol=1e-15)


def test_no_entry_at_all():
    assert derivative(lambda x: np.array([x.sum(), 1.0]), np.zeros((3, 0))).shape == (2, 3, 0)
