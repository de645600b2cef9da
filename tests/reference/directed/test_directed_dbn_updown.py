"""The up-down step and its exact mean, against loops over all paths and automatic differentiation."""

import itertools

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import Outcomes, expect
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed import belief
from exactgen.reference.directed.dbn import DBN, net
from exactgen.reference.directed.dbn_bound import bound_log_likelihood
from exactgen.reference.directed.layers import Sigmoid
from exactgen.reference.directed.updown import delta_rule, expected_updown_step, updown_step
from exactgen.reference.optimizers import sgd
from exactgen.reference.training.fit import begin, fit
from exactgen.reference.trees import leaves

SIZES = [(3, 1), (3, 2, 1), (2, 1, 2, 1)]


def states(units):
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def numbers(sizes, seed=0):
    """Return (generative, recognition, top) of a net with nothing tied."""
    rng = np.random.default_rng([seed, *sizes])
    down = [(rng.normal(size=(v, h)), rng.normal(size=v)) for v, h in itertools.pairwise(sizes[:-1])]
    up = [(rng.normal(size=(h, v)), rng.normal(size=h)) for v, h in itertools.pairwise(sizes[:-1])]
    return down, up, tuple(rng.normal(size=s) for s in (sizes[-2:], sizes[-2], sizes[-1]))


def model(make, parameters):
    down, up, top = parameters
    return DBN(
        tuple(Sigmoid(*map(make, layer)) for layer in down),
        tuple(Sigmoid(*map(make, layer)) for layer in up),
        RBM(*map(make, top)),
    )


def conditional_and_slope(layer, h):
    """Return P(x | h) of all x, and the gradient of log P(x | h) by W and b, state by state."""
    W, b = layer
    p = 1 / (1 + np.exp(-(W @ h + b)))
    for x in states(len(b)):
        yield x, np.prod(np.where(x == 1, p, 1 - p)), (np.outer(x - p, h), x - p)


def gibbs(top, v, k):
    """Yield the ends of all paths v -> h -> v -> ... of k steps, with their probability."""
    if k == 0:
        yield v, 1.0
        return
    W, b, c = top
    for h, p, _ in conditional_and_slope((W.T, c), v):
        for x, q, _ in conditional_and_slope((W, b), h):
            yield from ((end, p * q * r) for end, r in gibbs(top, x, k - 1))


def by_paths(parameters, v, k):
    """Return the mean up-down direction of one row by following every path up, around and down."""
    down, up, top = parameters
    total = [np.zeros_like(x) for x in leaves((*down, *up, top))]

    def add(place, slope, weight):
        for i, g in enumerate(slope):
            total[place + i] += weight * g

    def statistics(x):
        mean = 1 / (1 + np.exp(-(x @ top[0] + top[2])))
        return np.outer(x, mean), x, mean

    def fall(level, h, weight):
        if level < 0:
            return
        W, b = up[level]
        for x, p, _ in conditional_and_slope(down[level], h):
            mean = 1 / (1 + np.exp(-(W @ x + b)))
            add(2 * len(down) + 2 * level, (np.outer(h - mean, x), h - mean), weight * p)
            fall(level - 1, x, weight * p)

    def climb(level, x, weight):
        if level == len(up):
            add(4 * len(down), statistics(x), weight)
            for end, p in gibbs(top, x, k):
                add(4 * len(down), statistics(end), -weight * p)
                fall(level - 1, end, weight * p)
            return
        W, b = down[level]
        for h, p, _ in conditional_and_slope(up[level], x):
            mean = 1 / (1 + np.exp(-(W @ h + b)))
            add(2 * level, (np.outer(x - mean, h), x - mean), weight * p)
            climb(level + 1, h, weight * p)

    climb(0, v, 1.0)
    return total


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("sizes", SIZES)
def test_expected_step_is_the_mean_over_all_paths(xp, sizes, k):
    parameters, v = numbers(sizes), states(sizes[0])[[1, 3, 3]]
    ours = list(leaves(expected_updown_step(model(xp, parameters), xp(v), k=k)))
    rows = [by_paths(parameters, x, k) for x in v]
    for field, *parts in zip(ours, *rows, strict=True):
        np.testing.assert_allclose(to_numpy(field), sum(parts) / 3, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("sizes", [(3, 1), (2, 1, 2), (2, 1, 1, 1)])
def test_step_has_its_expectation(xp, sizes):
    """Every outcome of every draw of one step."""
    theta, v = model(xp, numbers(sizes)), xp(states(sizes[0])[1:2])
    steps = expect(lambda rng: tuple(leaves(updown_step(theta, v, k=1, rng=rng)[0])))
    np.testing.assert_allclose(to_numpy(steps.total_weight), 1)
    for i, exact in enumerate(leaves(expected_updown_step(theta, v, k=1))):
        mean = Outcomes(steps.values[i], steps.log_weight).mean()[0, ...]
        np.testing.assert_allclose(to_numpy(mean), to_numpy(exact), rtol=1e-11, atol=1e-14)


def test_wake_direction_is_the_gradient_of_the_bound(xp):
    """Central differences of the mean bound over rows, in every generative parameter."""
    parameters, v = numbers((2, 3, 2, 1)), states(2)[[0, 1, 1]]
    ours = expected_updown_step(model(xp, parameters), xp(v), k=1).generative
    down, up, top = parameters

    def bound():
        return float(bound_log_likelihood(model(np.asarray, (down, up, top)), v).mean())

    for layer, grad in zip(down, ours, strict=True):
        for x, g in zip(layer, grad, strict=True):
            for at in np.ndindex(x.shape):
                x[at] += 1e-5
                high = bound()
                x[at] -= 2e-5
                low = bound()
                x[at] += 1e-5
                assert float(g[at]) == pytest.approx((high - low) / 2e-5, abs=1e-8)


def test_sleep_direction_is_that_of_automatic_differentiation():
    """PyTorch differentiates E[log q(h1 | v)] under the law of the net's own draws after k steps."""
    torch = pytest.importorskip("torch")
    parameters, k = numbers((3, 2, 1)), 2
    down, up, top = parameters
    v = states(3)[2:3]
    W, b = (torch.tensor(x, requires_grad=True) for x in up[0])
    total = 0.0
    for row in v:
        for h1, p, _ in conditional_and_slope(up[0], row):
            for end, q in gibbs(top, h1, k):
                for x, r, _ in conditional_and_slope(down[0], end):
                    logits = W @ torch.tensor(x) + b
                    signs = torch.tensor(2 * end - 1)
                    total = total + p * q * r * torch.nn.functional.logsigmoid(signs * logits).sum() / len(v)
    total.backward()
    ours = expected_updown_step(model(np.asarray, parameters), v, k=k).recognition[0]
    np.testing.assert_allclose(ours.W, W.grad.numpy(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours.b, b.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_step_is_the_delta_rule_on_the_draws_it_reports(xp):
    theta, v = model(xp, numbers((3, 2, 4))), xp(states(3))
    step, info = updown_step(theta, v, k=3, rng=0)
    for direction, layer, (below, above) in (
        (step.generative[0], theta.generative[0], info.awake),
        (step.recognition[0], theta.recognition[0], info.asleep[::-1]),
    ):
        x, h, W, b = (to_numpy(z) for z in (below, above, *layer))
        error = x - 1 / (1 + np.exp(-(h @ W.T + b)))
        np.testing.assert_allclose(
            to_numpy(direction.W), np.mean([np.outer(*p) for p in zip(error, h, strict=True)], 0)
        )
        np.testing.assert_allclose(to_numpy(direction.b), error.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(to_numpy(info.awake[0]), states(3))
    assert [x.shape for x in info.asleep] == [(8, 3), (8, 2)]


def test_delta_rule_vanishes_where_the_layer_is_right(xp):
    layer = Sigmoid(xp([[0.0], [0.0]]), xp([0.0, 0.0]))
    grad = delta_rule(layer, xp([[1.0, 0.0], [0.0, 1.0]]), xp([[1.0], [1.0]]))
    np.testing.assert_allclose(to_numpy(grad.W), 0)
    np.testing.assert_allclose(to_numpy(grad.b), 0)


def test_fine_tuning_through_the_fit_loop_raises_the_bound():
    """Fixed stream: 0.8 nats, on data that the net starts far from."""
    theta = model(np.asarray, numbers((3, 2, 4)))
    v = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])

    def step(theta, rows, memory, stream):
        return updown_step(theta, rows, k=5, rng=stream)[0], memory

    data, optimizer = np.tile(v, (20, 1)), sgd(0.3)
    tuned = fit(
        begin(theta, optimizer=optimizer),
        data,
        step=step,
        optimizer=optimizer,
        batch_size=20,
        epochs=200,
        seed=1,
    ).theta
    before, after = (bound_log_likelihood(t, v).mean() for t in (theta, tuned))
    assert after > before + 0.8
    assert after <= belief.log_likelihood(net(tuned), v).mean()


def test_bad_input_is_named():
    theta = model(np.asarray, numbers((3, 2, 1)))
    with pytest.raises(ValueError, match="k must be an integer of at least 1"):
        expected_updown_step(theta, states(3), k=0)
    for step in (expected_updown_step, lambda *a, **o: updown_step(*a, rng=0, **o)):
        with pytest.raises(ValueError, match="v must have shape"):
            step(theta, states(2), k=1)
        with pytest.raises(ValueError, match="v must hold zeros and ones"):
            step(theta, states(3) / 2, k=1)
