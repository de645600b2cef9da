"""Optimizers beside torch.optim, and by hand."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.optimizers import adam, exponential, inverse_time, linear, momentum, rmsprop, sgd


class Theta(NamedTuple):
    W: object
    nested: tuple


START = (np.array([[0.3, -1.0, 2.0], [0.5, 0.0, -0.7]]), np.array([1.5, -0.5]))
SCALE = (np.array([[1.0, 3.0, 0.1], [2.0, 5.0, 0.5]]), np.array([0.2, 4.0]))


def make(xp, arrays):
    return Theta(xp(arrays[0]), (xp(arrays[1]),))


def gradient(theta, scale):
    """Return the gradient of sum scale x^2 / 2 - 1 sin x, by hand."""
    return [s * x - np.cos(x) for s, x in zip(scale, theta, strict=True)]


CASES = {
    "sgd": (lambda rate: sgd(rate), lambda torch, p, lr: torch.optim.SGD(p, lr)),
    "momentum": (
        lambda rate: momentum(rate, decay=0.8),
        lambda torch, p, lr: torch.optim.SGD(p, lr, momentum=0.8),
    ),
    "rmsprop": (
        lambda rate: rmsprop(rate, decay=0.95, epsilon=1e-3),
        lambda torch, p, lr: torch.optim.RMSprop(p, lr, alpha=0.95, eps=1e-3),
    ),
    "adam": (
        lambda rate: adam(rate, mean_decay=0.8, square_decay=0.97, epsilon=1e-3),
        lambda torch, p, lr: torch.optim.Adam(p, lr, betas=(0.8, 0.97), eps=1e-3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_descent_is_that_of_torch(xp, name):
    torch = pytest.importorskip("torch")
    ours, theirs = CASES[name]
    parameters = [torch.tensor(x, dtype=torch.float64) for x in START]
    peer, optimizer = theirs(torch, parameters, 0.05), ours(0.05)
    theta = make(xp, START)
    state = optimizer.start(theta)
    for _ in range(7):
        theta, state = optimizer.descend(
            state, theta, make(xp, gradient((to_numpy(theta.W), to_numpy(theta.nested[0])), SCALE))
        )
        for p, g in zip(parameters, gradient([p.numpy() for p in parameters], SCALE), strict=True):
            p.grad = torch.tensor(g)
        peer.step()
    np.testing.assert_allclose(to_numpy(theta.W), parameters[0].numpy(), rtol=1e-12)
    np.testing.assert_allclose(to_numpy(theta.nested[0]), parameters[1].numpy(), rtol=1e-12)
    assert isinstance(theta, Theta)
    assert state.steps == 7


@pytest.mark.parametrize("name", CASES)
def test_ascent_raises_and_descent_lowers(xp, name):
    """A linear function a x: every step of ascent raises it, and mirrors the step of descent."""
    optimizer = CASES[name][0](0.1)
    theta, slope = make(xp, START), make(xp, SCALE)
    up = down = (theta, optimizer.start(theta))
    for _ in range(3):
        higher = optimizer.ascend(up[1], up[0], slope)
        lower = optimizer.descend(down[1], down[0], slope)
        assert np.all(to_numpy(higher[0].W) > to_numpy(up[0].W))
        assert np.all(to_numpy(lower[0].W) < to_numpy(down[0].W))
        np.testing.assert_allclose(to_numpy(higher[0].W) + to_numpy(lower[0].W), 2 * START[0], atol=1e-14)
        up, down = higher, lower


def test_two_steps_of_adam_by_hand():
    optimizer = adam(0.5, mean_decay=0.5, square_decay=0.75, epsilon=0.0)
    theta = (np.array([1.0]),)
    theta, state = optimizer.descend(optimizer.start(theta), theta, (np.array([3.0]),))
    np.testing.assert_allclose(theta[0], 0.5)  # the first step has the length of the rate
    theta, state = optimizer.descend(state, theta, (np.array([-1.0]),))
    m, s = (0.5 * 1.5 - 0.5) / 0.75, (0.75 * 2.25 + 0.25) / (1 - 0.75**2)
    np.testing.assert_allclose(theta[0], 0.5 - 0.5 * m / np.sqrt(s))
    assert state.steps == 2


def test_rates_of_steps_one_two_three():
    np.testing.assert_allclose([inverse_time(0.6, delay=1)(t) for t in (1, 2, 3)], [0.6, 0.3, 0.2])
    np.testing.assert_allclose([inverse_time(0.6, delay=10)(t) for t in (1, 11, 21)], [0.6, 0.3, 0.2])
    np.testing.assert_allclose([exponential(0.8, factor=0.5)(t) for t in (1, 2, 3)], [0.8, 0.4, 0.2])
    np.testing.assert_allclose(
        [linear(0.9, steps=3)(t) for t in (1, 2, 3, 4, 9)], [0.9, 0.6, 0.3, 0, 0], atol=1e-15
    )
    theta, optimizer = (np.array([0.0]),), sgd(inverse_time(1.0, delay=1))
    state = optimizer.start(theta)
    for total in (1, 1 + 1 / 2, 1 + 1 / 2 + 1 / 3):
        theta, state = optimizer.ascend(state, theta, (np.array([1.0]),))
        np.testing.assert_allclose(theta[0], total)


def test_float32_stays_float32(xp):
    theta = (xp(START[0], "float32"),)
    for ours, _ in CASES.values():
        optimizer = ours(0.1)
        new, state = optimizer.ascend(optimizer.start(theta), theta, theta)
        assert all(array.dtype == theta[0].dtype for array in (*new, *state.averages[0]))


def test_misuse_is_refused():
    theta, optimizer = (np.zeros((2, 3)),), sgd(0.1)
    with pytest.raises(ValueError, match=r"shapes and dtypes, \(2, 3\) float64, got \(3, 2\) float64"):
        optimizer.ascend(optimizer.start(theta), theta, (np.zeros((3, 2)),))
    with pytest.raises(ValueError, match=r"got \(2, 3\) float32"):
        optimizer.ascend(optimizer.start(theta), theta, (np.zeros((2, 3), "float32"),))
    with pytest.raises(ValueError, match="state must be one that this optimizer started"):
        momentum(0.1, decay=0.5).ascend(optimizer.start(theta), theta, theta)
    with pytest.raises(ValueError, match="decay must be a number at least 0 and below 1, got 1"):
        momentum(0.1, decay=1)
    with pytest.raises(ValueError, match="square_decay must be"):
        adam(0.1, mean_decay=0.9, square_decay=1.1, epsilon=1e-8)
    with pytest.raises(ValueError, match="epsilon must be a number at least 0 and finite, got nan"):
        adam(0.1, mean_decay=0.9, square_decay=0.9, epsilon=math.nan)
    with pytest.raises(ValueError, match="delay must be a number above 0, got 0"):
        inverse_time(0.1, delay=0)
    with pytest.raises(ValueError, match="steps must be an integer of at least 1, got 0"):
        linear(0.1, steps=0)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf, lambda t: -0.1])
def test_a_rate_that_turns_the_step_round_is_refused(rate):
    theta, optimizer = (np.zeros((2, 3)),), sgd(rate)
    with pytest.raises(ValueError, match="rate must be a number at least 0 and finite"):
        optimizer.ascend(optimizer.start(theta), theta, theta)
