"""Greedy training: what each machine is given, that the fit loop runs on it, and that it learns."""

import itertools
from functools import partial

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import HostStream
from exactgen.reference.boltzmann.contrastive import cd_step
from exactgen.reference.boltzmann.likelihood import log_likelihood, log_likelihood_grad
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed import belief
from exactgen.reference.directed.dbn import net, stack, upside_down
from exactgen.reference.directed.dbn_training import next_target, train_machine, train_stack
from exactgen.reference.optimizers import sgd
from exactgen.reference.trees import add, scale

DATA = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0.0]])


def logistic(x):
    return 1 / (1 + np.exp(-x))


def machine(visible, hidden, seed=0):
    rng = np.random.default_rng([seed, visible, hidden])
    return [0.5 * rng.normal(size=s) for s in ((visible, hidden), visible, hidden)]


def states(units):
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


@pytest.mark.parametrize("weighted", [False, True])
def test_target_is_the_average_posterior(xp, weighted):
    W, b, c = machine(4, 3)
    weights = np.random.default_rng(0).dirichlet(np.ones(6)) if weighted else np.full(6, 1 / 6)
    expected = np.zeros(8)
    for x, w in zip(DATA, weights, strict=True):
        p = logistic(x @ W + c)
        expected += w * np.array([np.prod(np.where(h == 1, p, 1 - p)) for h in states(3)])
    ours = next_target(RBM(*map(xp, (W, b, c))), xp(DATA), weights=xp(weights) if weighted else None)
    np.testing.assert_allclose(to_numpy(ours), expected, rtol=1e-12)


@pytest.mark.parametrize("up", ["sample", "mean"])
def test_each_machine_is_given_what_the_one_below_makes_of_the_data(xp, up):
    """A training that records its rows and moves the visible biases by one."""
    seen = []

    def train(theta, rows, level):
        seen.append((to_numpy(rows), level))
        return theta._replace(b=theta.b + 1)

    first, third = machine(4, 3), machine(4, 2)
    theta = train_stack(
        (RBM(*map(xp, first)), upside_down, RBM(*map(xp, third))), xp(DATA), up=up, train=train, rng=7
    )
    np.testing.assert_array_equal(seen[0][0], DATA)
    means = logistic(seen[0][0] @ first[0] + first[2])
    if up == "mean":
        np.testing.assert_allclose(seen[1][0], means, rtol=1e-12)
        # the second machine is the first upside down, after training
        np.testing.assert_allclose(seen[2][0], logistic(means @ first[0].T + first[1] + 1), rtol=1e-12)
    else:
        assert set(np.unique(seen[1][0])) <= {0.0, 1.0}
        assert seen[1][0].shape == (6, 3)
        assert seen[2][0].shape == (6, 4)
    assert [level for _, level in seen] == [0, 1, 2]
    np.testing.assert_allclose(to_numpy(theta.generative[0].b), first[1] + 1)
    np.testing.assert_allclose(to_numpy(theta.generative[1].b), first[2] + 1)
    np.testing.assert_allclose(to_numpy(theta.top.W), third[0])


def test_sampled_rows_are_draws_of_the_posterior(xp):
    """Every outcome of the draws, one row at a time: the second machine sees h with p(h | v)."""
    W, b, c = machine(4, 3)
    machines = (RBM(*map(xp, (W, b, c))), upside_down)

    def rows_of_the_second(v, rng):
        kept = []
        train_stack(machines, v, up="sample", train=lambda m, rows, _: kept.append(rows) or m, rng=rng)
        return kept[1]

    given = expect(rows_of_the_second, xp(DATA))
    law = given.mean(lambda rows: xp((to_numpy(rows)[:, None, :] == states(3)).all(axis=2)))
    p = logistic(DATA @ W + c)[:, None, :]
    np.testing.assert_allclose(to_numpy(law), np.where(states(3) == 1, p, 1 - p).prod(axis=2), rtol=1e-12)


def test_training_takes_the_steps_of_contrastive_divergence():
    """One epoch of one batch: the step of CD-1 on the permuted rows, with the fit loop's stream."""
    theta, streams = RBM(*machine(4, 3)), []

    def stream_of(seed):
        streams.append(seed)
        return HostStream(seed)

    options = {"optimizer": sgd(0.5), "batch_size": 6, "epochs": 1, "seed": 2, "stream_of": stream_of}
    ours = train_machine(theta, DATA, k=1, **options)
    stream = HostStream(streams[0])
    rows = DATA[stream.permutation(6, like=DATA)]
    direction, _ = cd_step(theta, stream.bernoulli(rows), k=1, rng=stream)
    for a, start, d in zip(ours, theta, direction, strict=True):
        np.testing.assert_allclose(a, start + 0.5 * d, rtol=1e-12)


@pytest.mark.parametrize("persistent", [False, True])
def test_training_learns(xp, persistent):
    """Fixed host stream: the same numbers on every backend; the likelihood rises by half a nat."""
    theta = RBM(*map(xp, machine(4, 3)))
    ours = train_machine(
        theta,
        xp(DATA),
        k=2,
        optimizer=sgd(0.2),
        batch_size=3,
        epochs=60,
        seed=1,
        chains=xp(states(4)[::3]) if persistent else None,
        stream_of=HostStream,
    )
    before, after = (float(to_numpy(log_likelihood(t, xp(DATA))).mean()) for t in (theta, ours))
    assert after > before + 0.5


def test_rows_that_are_means_stand_for_bits_drawn_afresh():
    """Deterministic in the seed, and not the fit of the means taken as they stand."""
    options = {"k": 1, "optimizer": sgd(0.1), "batch_size": 2, "epochs": 3, "seed": 4}
    means = np.full((6, 4), 0.5)
    one, two = (train_machine(RBM(*machine(4, 3)), means, **options) for _ in range(2))
    np.testing.assert_array_equal(one.W, two.W)
    bits = train_machine(RBM(*machine(4, 3)), np.round(DATA), **options)
    assert np.abs(one.W - bits.W).max() > 1e-3
    with pytest.raises(ValueError, match=r"rows must hold probabilities in \[0, 1\]"):
        train_machine(RBM(*machine(4, 3)), means + 1, **options)


def test_a_second_machine_from_the_upside_down_start_raises_the_exact_likelihood():
    """Exact ascent on [BA] eq. 22: the likelihood of the data rises at least as much as the bound does."""
    first = RBM(*machine(4, 3, seed=2))
    target, h = next_target(first, DATA), states(3)
    top = upside_down(first)
    likelihoods = [log_likelihood(first, DATA).mean()]
    objectives = [target @ log_likelihood(top, h)]
    for _ in range(5):
        for _ in range(20):
            grad = log_likelihood_grad(top, h, weights=target)
            top = add(top, scale(0.3, grad))
        likelihoods.append(belief.log_likelihood(net(stack((first, top))), DATA).mean())
        objectives.append(target @ log_likelihood(top, h))
    assert np.diff(objectives).min() > 0
    assert (np.array(likelihoods) - likelihoods[0] >= np.array(objectives) - objectives[0] - 1e-12).all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="up must be one of 'sample', 'mean', got 'draw'"):
        train_stack((RBM(*machine(4, 3)),), DATA, up="draw", train=partial(train_machine), rng=0)
    with pytest.raises(ValueError, match="v must have shape"):
        next_target(RBM(*machine(4, 3)), DATA[:, :2])
