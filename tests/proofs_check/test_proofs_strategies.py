"""The strategies generate what they promise, the awkward included."""

import numpy as np
import pytest
from exactgen.proofs_check import strategies
from exactgen.reference.boltzmann.rbm import free_energy
from hypothesis import Phase, find, given, settings

ci = settings(derandomize=True, database=None, deadline=None, max_examples=50)


@ci
@given(strategies.rbm_cases())
def test_cases_are_what_the_reference_accepts(case):
    free_energy(case.theta, case.v)
    free_energy(case.theta, case.chains)
    assert case.theta.W.shape[0] != case.theta.W.shape[1]
    assert case.v.shape[0] != case.chains.shape[0]


@pytest.mark.parametrize(
    "awkward",
    [
        lambda c: not np.any(c.theta.W) and np.any(c.theta.b),
        lambda c: np.any(np.abs(c.theta.W) == 40),
        lambda c: c.v.shape[0] == 1,
        lambda c: c.v.shape[0] > 1 and c.v.shape[1] > 2 and np.all(c.v[0] == c.v[-1]) and np.any(c.v[0]),
        lambda c: c.theta.b.shape[0] < c.theta.c.shape[0],
        lambda c: c.theta.b.shape[0] > c.theta.c.shape[0] > 1,
    ],
    ids=["zero couplings", "saturated", "single row", "duplicate rows", "V < H", "V > H"],
)
def test_the_awkward_is_generated(awkward):
    find(strategies.rbm_cases(), awkward, settings=settings(ci, max_examples=300, phases=[Phase.generate]))


@ci
@given(strategies.laws(5))
def test_laws_sum_to_one(law):
    assert law.shape == (5,)
    assert np.all(law >= 0)
    assert abs(law.sum() - 1) < 1e-15 * 5


@ci
@given(strategies.laws(3, zeros=False))
def test_laws_without_zeros_are_positive(law):
    assert np.all(law > 0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_probabilities_reach_both_ends(value):
    find(strategies.probabilities(2, 3), lambda p: p[1, 2] == value and 0 < p[0, 0] < 1, settings=ci)


@ci
@given(strategies.rbms(max_visible=2, max_hidden=5, scale=1.0, saturation=1.0))
def test_sizes_and_scale_are_the_callers(theta):
    assert theta.W.shape[0] <= 2
    assert theta.W.shape[1] <= 5
    assert all(np.all(np.abs(x) <= 1) for x in theta)
