"""Stacks, joint law, passes and samplers of deep belief nets, against the joint table made with loops."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed import belief
from exactgen.reference.directed.dbn import (
    DBN,
    generate,
    generated_law,
    log_joint,
    log_marginal,
    net,
    pass_up,
    reconstruct,
    stack,
    upside_down,
)
from exactgen.reference.directed.layers import Sigmoid

SIZES = [(3, 2), (4, 3, 2), (2, 3, 1, 2)]  # one machine; one directed layer; two


def logistic(x):
    return 1 / (1 + np.exp(-x))


def states(units):
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def numbers(sizes, seed=0):
    """Return (generative, recognition, top), nothing tied, in plain NumPy."""
    rng = np.random.default_rng([seed, *sizes])
    down = [(rng.normal(size=(v, h)), rng.normal(size=v)) for v, h in itertools.pairwise(sizes[:-1])]
    up = [(rng.normal(size=(h, v)), rng.normal(size=h)) for v, h in itertools.pairwise(sizes[:-1])]
    v, h = sizes[-2:]
    return down, up, (rng.normal(size=(v, h)), rng.normal(size=v), rng.normal(size=h))


def model(xp, down, up, top):
    return DBN(
        tuple(Sigmoid(*map(xp, layer)) for layer in down),
        tuple(Sigmoid(*map(xp, layer)) for layer in up),
        RBM(*map(xp, top)),
    )


def bits(p, x):
    return math.prod(q if bit else 1 - q for q, bit in zip(p, x, strict=True))


def conditional(layer):
    """Return P(x | h), (states of x, states of h)."""
    W, b = layer
    return np.array([[bits(logistic(W @ h + b), x) for h in states(W.shape[1])] for x in states(len(b))])


def top_joint(top):
    """Return p(v, h) of the machine."""
    W, b, c = top
    mass = np.array([[math.exp(v @ W @ h + b @ v + c @ h) for h in states(len(c))] for v in states(len(b))])
    return mass / mass.sum()


def top_kernel(top):
    """Return p(v' | v) of a Gibbs step."""
    joint = top_joint(top)
    up = joint / joint.sum(axis=1, keepdims=True)
    down = joint / joint.sum(axis=0, keepdims=True)
    return up @ down.T


def joint_table(down, top):
    """Return p(v, h1, ..., hL) with an axis of states for each layer of units."""
    table = top_joint(top)
    for layer in reversed(down):
        table = np.einsum("xh,h...->xh...", conditional(layer), table)
    return table


def law_of_rows(v):
    """Return each row's index among the states, one-hot, (n, 2^V)."""
    x = to_numpy(v)
    places = x @ 2.0 ** np.arange(x.shape[1])[::-1]
    return np.eye(2 ** x.shape[1])[places.astype(int)]


@pytest.mark.parametrize("sizes", SIZES)
def test_joint_and_marginal_are_those_of_the_table(xp, sizes):
    down, up, top = numbers(sizes)
    theta, table = model(xp, down, up, top), joint_table(down, top)
    assert table.sum() == pytest.approx(1)
    grid = list(itertools.product(*(states(n) for n in sizes)))
    ours = log_joint(theta, *(xp(np.array(layer)) for layer in zip(*grid, strict=True)))
    np.testing.assert_allclose(to_numpy(ours), np.log(table).ravel(), rtol=1e-11)
    visible = table.reshape(2 ** sizes[0], -1).sum(axis=1)
    np.testing.assert_allclose(to_numpy(belief.state_law(net(theta))), visible, rtol=1e-11)
    ours = belief.log_likelihood(net(theta), xp(states(sizes[0])))
    np.testing.assert_allclose(to_numpy(ours), np.log(visible), rtol=1e-11)


def test_a_stack_ties_the_weights_and_generates_without_the_lower_hidden_biases(xp):
    rng = np.random.default_rng(3)
    lower, upper = ([rng.normal(size=s) for s in ((v, h), v, h)] for v, h in ((4, 2), (2, 3)))
    theta = stack([RBM(*map(xp, lower)), RBM(*map(xp, upper))])
    np.testing.assert_array_equal(to_numpy(theta.recognition[0].W), lower[0].T)
    np.testing.assert_array_equal(to_numpy(theta.recognition[0].b), lower[2])
    table = joint_table([(lower[0], lower[1])], upper)
    visible = table.reshape(16, -1).sum(axis=1)
    np.testing.assert_allclose(to_numpy(belief.state_law(net(theta))), visible, rtol=1e-11)
    other = stack([RBM(*map(xp, lower))._replace(c=xp([5.0, -5.0])), RBM(*map(xp, upper))])
    np.testing.assert_array_equal(
        to_numpy(belief.state_law(net(other))), to_numpy(belief.state_law(net(theta)))
    )


def test_upside_down_machines_on_top_change_nothing(xp):
    machine = numbers((4, 3))[2]
    visible = top_joint(machine).sum(axis=1)
    below = RBM(*map(xp, machine))
    for machines in ([below], [below, upside_down(below)], [below, upside_down(below), below]):
        np.testing.assert_allclose(to_numpy(belief.state_law(net(stack(machines)))), visible, rtol=1e-11)


@pytest.mark.parametrize("sizes", SIZES)
def test_the_pass_up_draws_layer_by_layer(xp, sizes):
    down, up, top = numbers(sizes)
    theta, v = model(xp, down, up, top), states(sizes[0])
    ends = expect(lambda rows, rng: pass_up(theta, rows, how="sample", rng=rng)[-1], xp(v))
    law = np.eye(len(v))
    for layer in up:
        law = law @ conditional(layer).T
    sampled = ends.mean(lambda rows: xp(law_of_rows(rows)))
    np.testing.assert_allclose(to_numpy(sampled), law, rtol=1e-11, atol=1e-14)


def test_means_of_the_second_layer_are_not_the_means_given_v(xp):
    down, up, top = numbers((2, 3, 1, 2))
    theta, v = model(xp, down, up, top), states(2)
    passed = [to_numpy(x) for x in pass_up(theta, xp(v), how="mean", rng=0)]
    first = logistic(v @ up[0][0].T + up[0][1])
    np.testing.assert_allclose(passed[1], first, rtol=1e-12)
    np.testing.assert_allclose(passed[2], logistic(first @ up[1][0].T + up[1][1]), rtol=1e-12)
    exact = (conditional(up[1]) @ conditional(up[0])).T @ states(1)  # E[h2 | v]
    assert np.abs(passed[2] - exact).max() > 1e-3


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("steps", [1, 2])
def test_generated_draws_have_the_law_said(xp, sizes, steps):
    down, up, top = numbers(sizes)
    theta, start = model(xp, down, up, top), states(sizes[-2])
    kernel = np.linalg.matrix_power(top_kernel(top), steps)
    for layer in reversed(down):
        kernel = kernel @ conditional(layer).T
    draws = expect(lambda h, rng: generate(theta, h, steps=steps, rng=rng), xp(start))
    sampled = draws.mean(lambda values: xp(law_of_rows(values[0])))
    np.testing.assert_allclose(to_numpy(sampled), kernel, rtol=1e-11, atol=1e-14)
    means = draws.mean(lambda values: values[1].mean_visible)
    np.testing.assert_allclose(to_numpy(means), kernel @ states(sizes[0]), rtol=1e-11)
    law = np.random.default_rng(1).dirichlet(np.ones(len(start)))
    ours = generated_law(theta, xp(law), steps=steps)
    np.testing.assert_allclose(to_numpy(ours), law @ kernel, rtol=1e-11)


def test_draws_from_the_top_machine_generate_the_model(xp):
    down, up, top = numbers((4, 3, 2))
    ours = generated_law(model(xp, down, up, top), xp(top_joint(top).sum(axis=1)), steps=1)
    np.testing.assert_allclose(to_numpy(ours), joint_table(down, top).sum(axis=(1, 2)), rtol=1e-11)


def test_reconstruction_goes_up_around_and_down(xp):
    down, up, top = numbers((3, 2, 1))
    theta, v = model(xp, down, up, top), states(3)
    draws = expect(lambda rows, rng: reconstruct(theta, rows, steps=2, rng=rng)[0], xp(v))
    law = conditional(up[0]).T @ top_kernel(top) @ top_kernel(top) @ conditional(down[0]).T
    sampled = draws.mean(lambda rows: xp(law_of_rows(rows)))
    np.testing.assert_allclose(to_numpy(sampled), law, rtol=1e-11, atol=1e-14)


def test_float32_stays_float32(xp):
    down, up, top = numbers((4, 3, 2))
    theta = model(lambda x: xp(x, "float32"), down, up, top)
    v, info = reconstruct(theta, xp(states(4), "float32"), steps=1, rng=0)
    assert v.dtype == info.mean_visible.dtype == theta.top.W.dtype
    assert generated_law(theta, xp([0.125] * 8, "float32"), steps=1).dtype == theta.top.W.dtype


def test_bad_input_is_named():
    theta = model(np.asarray, *numbers((4, 3, 2)))
    with pytest.raises(ValueError, match="layers must chain"):
        log_marginal(theta._replace(top=RBM(*numbers((4, 2))[2])), states(4))
    with pytest.raises(ValueError, match="layers must chain"):
        log_marginal(theta._replace(recognition=theta.generative), states(4))
    with pytest.raises(ValueError, match="1 generative and 0 recognition"):
        log_marginal(theta._replace(recognition=()), states(4))
    with pytest.raises(ValueError, match="at least one RBM"):
        stack([])
    with pytest.raises(ValueError, match="'sample', 'mean', got 'draw'"):
        pass_up(theta, states(4), how="draw", rng=0)
    with pytest.raises(ValueError, match="v must hold zeros and ones"):
        pass_up(theta, states(4) / 2, how="sample", rng=0)
    with pytest.raises(ValueError, match="steps must be an integer of at least 1"):
        generate(theta, states(3), steps=0, rng=0)
    with pytest.raises(ValueError, match="3 layers of units, got 2"):
        log_joint(theta, states(3)[:, :2], states(3))
