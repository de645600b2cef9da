"""Every kind of layer: its table against loops, the gradient of that by the complex step, its verbs against
what follows from the table; and kinds from outside, which nets hold without a line changed."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
from exactgen.backends.arrays import Array, array_namespace, to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.contracts import Indices, Real
from exactgen.reference.directed import belief
from exactgen.reference.directed.kinds import KINDS, Kind, kind_of
from exactgen.reference.directed.layers import Sigmoid, Table, law_below, log_conditional_table
from exactgen.reference.numerics import log_sigmoid, sigmoid
from exactgen.reference.trees import leaves, rebuild, tree_map

RNG = np.random.default_rng(2)


# --- kinds from outside -----------------------------------------------------------------------------------


class Channel(NamedTuple):
    """Symbol h comes through with probability sigma(a_h), and else is any of the others: categorical."""

    a: Real[Array, "S"]


class ChannelKind(Kind[Channel]):
    variable = Indices[Array, "n", "S"]

    def states(self, layer):
        return layer.a.shape[0], layer.a.shape[0]

    def log_table(self, layer):
        xp, S = array_namespace(layer.a), layer.a.shape[0]
        same = xp.eye(S, dtype=layer.a.dtype) > 0
        return xp.where(same, log_sigmoid(layer.a), log_sigmoid(-layer.a) - math.log(S - 1))

    def pullback(self, layer, F):
        xp = array_namespace(F)
        same = xp.eye(layer.a.shape[0], dtype=F.dtype)
        return Channel(xp.sum(F * same, axis=0) - sigmoid(layer.a) * xp.sum(F, axis=0))


class Deterministic(NamedTuple):
    """x is what the map says of h: column h of the map holds a single 1."""

    map: Real[Array, "X S"]


class DeterministicKind(Kind[Deterministic]):
    def states(self, layer):
        return layer.map.shape

    def log_table(self, layer):
        xp = array_namespace(layer.map)
        return xp.where(layer.map > 0, xp.zeros_like(layer.map), xp.full_like(layer.map, -math.inf))

    def pullback(self, layer, F):
        return Deterministic(0 * layer.map)


class Gaussian(NamedTuple):
    """Real numbers of variance 1 about the mean of h: a density, for the bottom of a net."""

    mean: Real[Array, "D S"]


class GaussianKind(Kind[Gaussian]):
    variable = Real[Array, "n D"]

    def states(self, layer):
        return 0, layer.mean.shape[1]

    def log_rows(self, layer, x):
        xp = array_namespace(x)
        error = x[:, :, None] - layer.mean
        return -xp.sum(error**2, axis=1) / 2 - x.shape[1] / 2 * math.log(2 * math.pi)

    def rows_gradient(self, layer, x, weights, posterior, mass):
        share = weights[:, None] * posterior[0]
        return Gaussian(x.T @ share - layer.mean * mass)

    def sample(self, layer, above, stream):
        mean = array_namespace(above).take(layer.mean.T, above, axis=0)
        return mean + stream.normal(mean.shape, like=mean)


TOYS = {Channel: ChannelKind(), Deterministic: DeterministicKind(), Gaussian: GaussianKind()}


@pytest.fixture(autouse=True)
def kinds_from_outside(monkeypatch):
    for parameters, kind in TOYS.items():
        monkeypatch.setitem(KINDS, parameters, kind)


# --- every kind against loops, and against its table ------------------------------------------------------


def bits(units):
    return np.array([*itertools.product((0.0, 1.0), repeat=units)]).reshape(2**units, units)


def sigmoid_by_hand(layer):
    on = 1 / (1 + np.exp(-(layer.b[:, None] + layer.W @ bits(layer.W.shape[1]).T)))
    return [
        [np.prod([p if x else 1 - p for x, p in zip(v, m, strict=True)]) for m in on.T] for v in bits(len(on))
    ]


def machine_by_hand(layer):
    def weight(v):
        return sum(np.exp(v @ layer.W @ h + v @ layer.b + h @ layer.c) for h in bits(len(layer.c)))

    weights = np.array([weight(v) for v in bits(len(layer.b))])
    return weights[:, None] / weights.sum()


def channel_by_hand(layer):
    p, S = 1 / (1 + np.exp(-layer.a)), len(layer.a)
    return [[p[h] if x == h else (1 - p[h]) / (S - 1) for h in range(S)] for x in range(S)]


BY_HAND = {
    Sigmoid: sigmoid_by_hand,
    Table: lambda layer: np.exp(layer.logits) / np.exp(layer.logits).sum(axis=0),
    RBM: machine_by_hand,
    Channel: channel_by_hand,
    Deterministic: lambda layer: layer.map,
}
"""P(x | h) of all states, in plain NumPy, of complex parameters too."""

LAYERS = [
    Sigmoid(RNG.normal(size=(3, 2)), RNG.normal(size=3)),
    Sigmoid(RNG.normal(size=(1, 3)), RNG.normal(size=1)),
    Sigmoid(np.zeros((2, 0)), RNG.normal(size=2)),
    Table(RNG.normal(size=(5, 4))),
    Table(RNG.normal(size=(3, 1))),
    RBM(RNG.normal(size=(3, 2)), RNG.normal(size=3), RNG.normal(size=2)),
    RBM(RNG.normal(size=(2, 4)), RNG.normal(size=2), RNG.normal(size=4)),
    Channel(RNG.normal(size=4)),
    Deterministic(np.array([[0.0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]])),
]

each_layer = pytest.mark.parametrize(
    "plain", LAYERS, ids=lambda layer: f"{type(layer).__name__} {layer[0].shape}"
)


def test_every_kind_with_a_table_is_tested():
    assert {type(layer) for layer in LAYERS} == set(BY_HAND) == set(KINDS) - {Gaussian}


@each_layer
def test_the_table_is_that_of_loops(xp, plain):
    table = log_conditional_table(tree_map(xp, plain))
    assert table.shape == kind_of(plain).states(plain)
    np.testing.assert_allclose(np.exp(to_numpy(table)), BY_HAND[type(plain)](plain), rtol=1e-12)


@each_layer
def test_its_gradient_is_the_complex_step_of_loops(xp, plain):
    layer, F = tree_map(xp, plain), RNG.normal(size=kind_of(plain).states(plain))
    grads = kind_of(layer).pullback(layer, xp(F))
    assert type(grads) is type(plain)
    if isinstance(plain, Deterministic):
        assert not to_numpy(grads.map).any()
        return
    for k, g in enumerate(leaves(grads)):
        assert g.shape == plain[k].shape
        for at in np.ndindex(g.shape):
            moved = [np.array(x, dtype=complex) for x in plain]
            moved[k][at] += 1e-30j
            exact = np.sum(F * np.log(BY_HAND[type(plain)](type(plain)(*moved)))).imag / 1e-30
            assert to_numpy(g)[at] == pytest.approx(exact, rel=1e-10, abs=1e-12)


@each_layer
def test_each_verb_is_what_follows_from_the_table(xp, plain):
    layer, kind = tree_map(xp, plain), kind_of(plain)
    below, above = kind.states(layer)
    law, f = xp(RNG.random(above)), xp(RNG.normal(size=below))
    numbers = xp([below - 1, 0, below // 2, 0], "int64")
    x = kind.values(layer, numbers)
    np.testing.assert_array_equal(to_numpy(kind.numbers(layer, x)), to_numpy(numbers))

    s, t, r = kind.factors(layer, x)
    factors = to_numpy(s)[:, :, None] + to_numpy(t)[:, None, :] + to_numpy(r)
    np.testing.assert_allclose(factors.reshape(4, -1), to_numpy(Kind.log_rows(kind, layer, x)), rtol=1e-12)

    weights, posterior = xp([0.4, 0.3, 0.2, 0.1]), RNG.dirichlet(np.ones(above), size=4)
    mass = xp(to_numpy(weights) @ posterior)
    pairs = posterior.reshape(4, s.shape[1], t.shape[1])
    halves, whole = (xp(pairs.sum(axis=2)), xp(pairs.sum(axis=1))), (xp(posterior), xp(np.ones((4, 1))))
    for own, defined in (
        (kind.log_rows(layer, x), Kind.log_rows(kind, layer, x)),
        (kind.law_below(layer, law), Kind.law_below(kind, layer, law)),
        (kind.mean_below(layer, f), Kind.mean_below(kind, layer, f)),
        (kind.gradient(layer, f, law), Kind.gradient(kind, layer, f, law)),
        (
            kind.rows_gradient(layer, x, weights, halves, mass),
            Kind.rows_gradient(kind, layer, x, weights, whole, mass),
        ),
    ):
        for a, b in zip(leaves(own), leaves(defined), strict=True):
            np.testing.assert_allclose(to_numpy(a), to_numpy(b), rtol=1e-11, atol=1e-13)

    for h in range(above):
        draws = expect(lambda *, rng, h=h: (kind.sample(layer, xp([h], "int64"), rng),))
        drawn = to_numpy(kind.numbers(layer, draws.values[0][:, 0, ...]))
        found = np.bincount(drawn, np.exp(to_numpy(draws.log_weight))[0], minlength=below)
        exact = np.exp(to_numpy(kind.log_table(layer)))[:, h]
        np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-15)


# --- nets of kinds from outside ---------------------------------------------------------------------------

TOP = Table(np.log([[0.1], [0.4], [0.2], [0.3]]))
THREE, FOUR = Channel(np.array([0.3, -0.2, 1.1])), Channel(np.array([-0.5, 0.2, 0.1, 0.6]))
NETS = {
    "deterministic, categorical": (LAYERS[-1], FOUR, TOP),
    "categorical, deterministic": (THREE, LAYERS[-1], FOUR, TOP),
    "Gaussian, categorical": (Gaussian(RNG.normal(size=(2, 4))), FOUR, TOP),
    "Gaussian, sigmoid": (Gaussian(RNG.normal(size=(3, 8))), LAYERS[0], TOP),
}


def rows_by_hand(layer, x):
    if not isinstance(layer, Gaussian):
        return np.asarray(BY_HAND[type(layer)](layer))[x]
    densities = np.exp(-((x[:, :, None] - layer.mean) ** 2) / 2) / math.sqrt(2 * math.pi)
    return np.prod(densities, axis=1)


def likelihood_by_hand(net, x):
    law = np.ones(1)
    for layer in reversed(net[1:]):
        law = np.asarray(BY_HAND[type(layer)](layer)) @ law
    return np.log(np.asarray(rows_by_hand(net[0], x)) @ law)


@pytest.mark.parametrize("name", NETS)
def test_nets_hold_kinds_from_outside(xp, name):
    plain = NETS[name]
    net, weights = tree_map(xp, plain), np.array([0.5, 0.2, 0.3])
    real = isinstance(plain[0], Gaussian)
    rows = RNG.normal(size=(3, plain[0].mean.shape[0])) if real else np.array([2, 0, 1])
    x = xp(rows) if real else xp(rows, "int64")
    np.testing.assert_allclose(
        to_numpy(belief.log_likelihood(net, x)), likelihood_by_hand(plain, rows), rtol=1e-11
    )

    grads = belief.log_likelihood_grad(net, x, weights=xp(weights))
    assert [type(g) for g in grads] == [type(layer) for layer in plain]
    fixed = [isinstance(layer, Deterministic) for layer in plain for _ in layer]
    for k, g in enumerate(leaves(grads)):
        for at in np.ndindex(g.shape):
            moved = [np.array(p, dtype=complex) for p in leaves(plain)]
            moved[k][at] += 0 if fixed[k] else 1e-30j
            exact = weights @ likelihood_by_hand(rebuild(plain, moved), rows).imag / 1e-30
            assert to_numpy(g)[at] == pytest.approx(exact, rel=1e-9, abs=1e-12)

    draws = belief.sample(net, samples=5, rng=1)
    assert [d.shape[0] for d in draws] == [5] * len(net)
    posterior = to_numpy(belief.posterior(net, x))
    np.testing.assert_allclose(posterior.reshape(3, -1).sum(axis=1), 1, rtol=1e-12)


def test_a_density_has_no_table():
    net = NETS["Gaussian, categorical"]
    with pytest.raises(ValueError, match="a Gaussian has no table: its variable has no states to list"):
        belief.state_law(net)
    with pytest.raises(ValueError, match="a Gaussian has no table"):
        log_conditional_table(net[0])


def test_what_is_no_layer_is_refused():
    with pytest.raises(ValueError, match=r"a layer must be one of Sigmoid, Table, RBM, .*, got tuple"):
        law_below((np.ones(2),), np.ones(2))
