"""The Gibbs step against the joint law: its exact draws, its kernel, and the law after many steps."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import ReplayStream
from exactgen.reference.boltzmann.gibbs import (
    gibbs_kernel,
    gibbs_law,
    gibbs_step,
    hidden_law,
    law_of_units,
    visible_law,
)
from exactgen.reference.boltzmann.rbm import RBM

SIZES = [(3, 2), (2, 5), (1, 3), (4, 1), (1, 1), (5, 3)]


def parameters(visible, hidden, scale=1.0):
    rng = np.random.default_rng(100 * visible + hidden)
    return [scale * rng.normal(size=shape) for shape in ((visible, hidden), visible, hidden)]


def states(n):
    return list(itertools.product((0, 1), repeat=n))


def conditionals(W, b, c):
    """Return p(h | v) and p(v | h), rows summing to one, by Bayes' rule on the joint table."""
    v, h = np.array(states(len(b))), np.array(states(len(c)))
    joint = np.array([[math.exp(x @ W @ z + b @ x + c @ z) for z in h] for x in v])
    return joint / joint.sum(axis=1, keepdims=True), (joint / joint.sum(axis=0)).T


def some_law(n, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(2**n))


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_kernel_goes_up_and_down(xp, visible, hidden):
    up, down = conditionals(*parameters(visible, hidden))
    kernel = gibbs_kernel(RBM(*map(xp, parameters(visible, hidden))))
    np.testing.assert_allclose(to_numpy(kernel), up @ down, rtol=1e-11)


@pytest.mark.parametrize(("visible", "hidden"), [(3, 2), (2, 3), (1, 2), (3, 1)])
def test_step_draws_from_the_kernel(xp, visible, hidden):
    """The exact law of v' given v, and of the h in between, by enumeration of the step's own randomness."""
    p, v = parameters(visible, hidden), np.array(states(visible), dtype=float)
    up, down = conditionals(*p)
    outcome = expect(lambda v, *, rng: gibbs_step(RBM(*map(xp, p)), v, rng=rng), xp(v))
    weight = np.exp(to_numpy(outcome.log_weight))
    end, info = outcome.values
    shape = (len(v), weight.shape[1], -1)
    end, h = to_numpy(end).reshape(shape), to_numpy(info.h).reshape(shape)
    for row in range(len(v)):
        for (s, z), (t, x) in itertools.product(enumerate(states(hidden)), enumerate(states(visible))):
            mass = weight[row, (h[row] == z).all(axis=1) & (end[row] == x).all(axis=1)].sum()
            assert mass == pytest.approx(up[row, s] * down[s, t], rel=1e-11)


def test_step_reports_the_means_it_drew_from(xp):
    W, b, c = parameters(3, 2)
    v = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    end, info = gibbs_step(RBM(xp(W), xp(b), xp(c)), xp(v), rng=ReplayStream([0.0, 0.999] * 2 + [0.0] * 6))
    np.testing.assert_array_equal(to_numpy(info.h), [[1, 0], [1, 0]])
    np.testing.assert_allclose(to_numpy(info.mean_hidden), 1 / (1 + np.exp(-(c + v @ W))), rtol=1e-13)
    np.testing.assert_allclose(
        to_numpy(info.mean_visible), [1 / (1 + np.exp(-(b + W[:, 0])))] * 2, rtol=1e-13
    )
    np.testing.assert_array_equal(to_numpy(end), np.ones((2, 3)))


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_law_after_steps_is_that_of_the_kernels_power(xp, visible, hidden, steps):
    up, down = conditionals(*parameters(visible, hidden))
    law, theta = some_law(visible), RBM(*map(xp, parameters(visible, hidden)))
    expected = law @ np.linalg.matrix_power(up @ down, steps)
    np.testing.assert_allclose(to_numpy(gibbs_law(theta, xp(law), steps=steps)), expected, rtol=1e-11)


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_half_steps_push_the_law_through_one_conditional(xp, visible, hidden):
    up, down = conditionals(*parameters(visible, hidden))
    theta = RBM(*map(xp, parameters(visible, hidden)))
    law, other = some_law(visible), some_law(hidden, seed=1)
    np.testing.assert_allclose(to_numpy(hidden_law(theta, xp(law))), law @ up, rtol=1e-11)
    np.testing.assert_allclose(to_numpy(visible_law(theta, xp(other))), other @ down, rtol=1e-11)


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_the_machines_own_law_is_stationary(xp, visible, hidden):
    W, b, c = parameters(visible, hidden)
    mass = [
        sum(math.exp(np.array(x) @ W @ z + b @ x + c @ z) for z in states(hidden)) for x in states(visible)
    ]
    law = np.array(mass) / sum(mass)
    ours = gibbs_law(RBM(xp(W), xp(b), xp(c)), xp(law), steps=3)
    np.testing.assert_allclose(to_numpy(ours), law, rtol=1e-11)


def test_a_point_mass_moves_to_a_row_of_the_kernel(xp):
    theta = RBM(*map(xp, parameters(3, 2)))
    up, down = conditionals(*parameters(3, 2))
    for s in range(8):
        law = gibbs_law(theta, xp(np.eye(8)[s]), steps=1)
        np.testing.assert_allclose(to_numpy(law), (up @ down)[s], rtol=1e-11)


def test_saturated_conditionals_give_deterministic_steps(xp):
    """Couplings of +-800: every unit is on or off for certain; nothing overflows, nothing is NaN."""
    theta = RBM(xp([[800.0, -800.0], [800.0, 0.0]]), xp([-400.0, -400.0]), xp([-400.0, 400.0]))
    kernel = to_numpy(gibbs_kernel(theta))
    # (0,0) -> h = (0,1) -> (0,0);  (0,1), (1,0) and (1,1) -> h_1 = 1; h_2 = 0 only where v_1 = 1.
    np.testing.assert_allclose(kernel[0], [1, 0, 0, 0], atol=1e-15)
    np.testing.assert_allclose(kernel[1], [0, 1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(kernel[2], [0, 0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(kernel[3], [0, 0, 0, 1], atol=1e-15)
    law = gibbs_law(theta, xp([0.1, 0.2, 0.3, 0.4]), steps=2)
    np.testing.assert_allclose(to_numpy(law), [0.1, 0.2, 0.0, 0.7], atol=1e-15)


def test_small_probabilities_keep_their_digits(xp):
    """A unit on with probability sigma(-40), and off with sigma(-40): neither is one minus the other."""
    law = to_numpy(law_of_units(xp([[-40.0, 40.0], [0.0, -40.0]])))
    small = math.exp(-40) / (1 + math.exp(-40))
    np.testing.assert_allclose(law[:, 0], [small, 1, small**2, small], rtol=1e-14)
    np.testing.assert_allclose(law[:, 1], [0.5, small / 2, 0.5, small / 2], rtol=1e-14)


def test_float32_stays_float32(xp):
    up, down = conditionals(*parameters(4, 3))
    theta = RBM(*(xp(x, "float32") for x in parameters(4, 3)))
    law = gibbs_law(theta, xp(some_law(4), "float32"), steps=3)
    assert "float32" in str(law.dtype)
    np.testing.assert_allclose(to_numpy(law), some_law(4) @ np.linalg.matrix_power(up @ down, 3), rtol=1e-5)
    assert "float32" in str(gibbs_kernel(theta).dtype)
    end, info = gibbs_step(theta, xp([[1, 0, 1, 1]], "float32"), rng=0)
    assert all("float32" in str(x.dtype) for x in (end, *info))


@pytest.mark.parametrize(
    ("law", "message"),
    [
        ([0.5, 0.5], r"law must have shape \(8\), got \(2,\)"),
        ([0.25] * 8, r"law must sum to one"),
        ([1.5, -0.5] + [0.0] * 6, r"law must hold probabilities"),
        ([math.nan] + [0.0] * 7, r"law must hold probabilities"),
    ],
)
def test_a_law_must_be_one_over_all_states(xp, law, message):
    theta = RBM(*map(xp, parameters(3, 2)))
    with pytest.raises(ValueError, match=message):
        gibbs_law(theta, xp(law), steps=1)


def test_bad_steps_rows_and_sizes_are_refused(xp):
    theta = RBM(*map(xp, parameters(3, 2)))
    with pytest.raises(ValueError, match=r"steps must be an integer of at least 0, got -1"):
        gibbs_law(theta, xp(np.full(8, 1 / 8)), steps=-1)
    with pytest.raises(ValueError, match=r"v must hold zeros and ones only"):
        gibbs_step(theta, xp([[0.5, 0.0, 1.0]]), rng=0)
    with pytest.raises(TypeError, match="rng must be"):
        gibbs_step(theta, xp([[1.0, 0.0, 1.0]]), rng=None)
    large = RBM(*(xp(np.zeros(shape)) for shape in ((14, 2), (14,), (2,))))
    with pytest.raises(ValueError, match=r"the Gibbs kernel has 268,435,456 states"):
        gibbs_kernel(large)
