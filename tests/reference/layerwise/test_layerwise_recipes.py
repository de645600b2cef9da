"""Training recipes: what each layer is given, that all layers are tuned, and that exact ascent ascends."""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product
from math import log
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import HostStream
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed import belief
from exactgen.reference.directed.dbn_training import train_machine
from exactgen.reference.directed.layers import Sigmoid, Table
from exactgen.reference.layerwise import passes, recipes, stacks
from exactgen.reference.layerwise.marginal import best_optimistic_layer
from exactgen.reference.layerwise.recipes import Deep, fine_tune, train_deep, train_encoder, train_encoders
from exactgen.reference.layerwise.stacks import AutoEncoder
from exactgen.reference.networks.layers import Dense
from exactgen.reference.optimizers import adam, sgd
from exactgen.reference.trees import leaves, rebuild
from scipy.optimize import minimize

# Vessels in the manner of Tea: a pot of three cells and three cups of one, always three full cells in all.
POT = [[1.0] * k + [0.0] * (3 - k) for k in range(4)]
DATA = np.array([pot + list(cups) for pot in POT for cups in product((0.0, 1.0), repeat=3)])
DATA = DATA[DATA.sum(axis=1) == 3]


def sig(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def dense(rng: np.random.Generator, inputs: int, outputs: int) -> Dense:
    return Dense(rng.normal(size=(inputs, outputs)), rng.normal(size=outputs))


def encoder(rng: np.random.Generator, *up: int) -> AutoEncoder:
    """x -> ... -> h -> x."""
    inference = tuple(dense(rng, *sizes) for sizes in pairwise(up))
    return AutoEncoder(inference, (dense(rng, up[-1], up[0]),))


def tied(rng: np.random.Generator, V: int, H: int) -> RBM:
    return RBM(rng.normal(size=(V, H)), rng.normal(size=V), rng.normal(size=H))


def starts(kind: str) -> tuple[Any, ...]:
    rng = np.random.default_rng(11)
    return {
        "tied": lambda: (tied(rng, 6, 4), tied(rng, 4, 3)),
        "untied": lambda: (encoder(rng, 6, 4), encoder(rng, 4, 3)),
        "aeri": lambda: (encoder(rng, 6, 5, 4), encoder(rng, 4, 6, 2)),
        "three": lambda: (encoder(rng, 6, 5, 3), tied(rng, 3, 4), encoder(rng, 4, 2)),
    }[kind]()


KINDS = ("tied", "untied", "aeri", "three")


def on(xp: Any, theta: Any) -> Any:
    return rebuild(theta, (xp(a) for a in leaves(theta)))


def plain(theta: Any) -> Any:
    return rebuild(theta, (to_numpy(a) for a in leaves(theta)))


def up(part: Any, x: Any) -> Any:
    """The means of a part's code, in plain NumPy."""
    for W, b in ((part.W, part.c),) if isinstance(part, RBM) else part.inference:
        x = sig(x @ W + b)
    return x


def machine_on(encoders: Any) -> RBM:
    last = encoders[-1]
    units = (last.c if isinstance(last, RBM) else last.inference[-1].b).shape[0]
    return tied(np.random.default_rng(12), units, 5)


class Recorder:
    """A training that keeps what it was given and moves every parameter by one."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, Any, int]] = []

    def __call__(self, theta: Any, rows: Any, level: int) -> Any:
        self.seen.append((plain(theta), to_numpy(rows), level))
        return rebuild(theta, (a + 1 for a in leaves(theta)))


def assert_same(found: Any, wanted: Any, rtol: float = 1e-12) -> None:
    for f, w in zip(leaves(found), leaves(wanted), strict=True):
        np.testing.assert_allclose(to_numpy(f), w, rtol=rtol, atol=1e-14)


# --- layer by layer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["mean", "sample"])
def test_each_level_is_given_what_the_one_below_passes_up(xp: Any, kind: str, how: str) -> None:
    first, train, train_top = starts(kind), Recorder(), Recorder()
    top = machine_on(first)
    theta = train_deep(on(xp, first), on(xp, top), xp(DATA), up=how, train=train, train_top=train_top, rng=3)
    trained = rebuild(first, (a + 1 for a in leaves(first)))
    assert_same(theta, Deep(trained, rebuild(top, (a + 1 for a in leaves(top)))))
    assert [level for _, _, level in train.seen] == list(range(len(first)))
    rows = DATA
    for k, part in enumerate(trained):
        np.testing.assert_allclose(train.seen[k][1], rows, rtol=1e-12)
        rows = up(part, rows)
        if how == "sample" and k + 1 < len(trained):
            rows = train.seen[k + 1][1]
            assert set(np.unique(rows)) <= {0.0, 1.0}
    code = DATA
    for part in trained:
        code = up(part, code)
    _, given, level = train_top.seen[0]
    assert level == len(first)
    np.testing.assert_allclose(given, code, rtol=1e-12)


def test_rows_passed_up_are_draws_of_q(xp: Any) -> None:
    """Every outcome of the draws: the second auto-encoder sees h with q(h | x), kept throughout."""
    first = starts("aeri")

    def rows_of_the_second(x: Any, rng: Any) -> Any:
        kept: list[Any] = []
        train_encoders(
            on(xp, first), x, up="sample", train=lambda t, rows, _: kept.append(rows) or t, rng=rng
        )
        return kept[1]

    states = np.array(list(product((0.0, 1.0), repeat=4)))
    law = expect(rows_of_the_second, xp(DATA)).mean(
        lambda rows: xp((to_numpy(rows)[:, None, :] == states).all(axis=2))
    )
    p = up(first[0], DATA)[:, None, :]
    np.testing.assert_allclose(to_numpy(law), np.where(states == 1, p, 1 - p).prod(axis=2), rtol=1e-11)


@pytest.mark.parametrize("visit", ["mean", "sample"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_takes_the_steps_of_reconstruction(xp: Any, kind: str, visit: str) -> None:
    """One epoch of one batch: the step on the permuted rows, or bits of them, with the fit loop's stream."""
    theta, streams = starts(kind), []

    def stream_of(seed: int) -> Any:
        streams.append(seed)
        return HostStream(seed)

    grey = 0.1 + 0.8 * DATA
    options = {"optimizer": sgd(0.5), "batch_size": len(DATA), "epochs": 1, "seed": 2, "stream_of": stream_of}
    found = train_encoder(on(xp, theta), xp(grey), hidden="mean", visit=visit, **options)
    stream = HostStream(streams[0])
    rows = grey[stream.permutation(len(DATA), like=DATA)]
    rows = stream.bernoulli(rows) if visit == "sample" else rows
    step, _ = passes.reconstruction_step("mean")(theta, rows, (), stream)
    assert_same(
        found, rebuild(theta, (a + 0.5 * g for a, g in zip(leaves(theta), leaves(step), strict=True)))
    )


# --- all layers at once ------------------------------------------------------------------------------------


def brute_log_p(theta: Deep, x: Any) -> float:
    """log P(x): the top's law of its code by its energies, and every code below summed out."""
    W, b, c = theta.top
    codes = list(product((0.0, 1.0), repeat=b.shape[0]))
    weight = [np.exp(np.dot(b, h) + np.log1p(np.exp(c + np.array(h) @ W)).sum()) for h in codes]
    layers = [
        layer
        for part in reversed(theta.encoders)
        for layer in ((Dense(part.W.T, part.b),) if isinstance(part, RBM) else part.generative)
    ]

    def below(k: int, h: Any) -> float:
        p = sig(np.array(h) @ layers[k].W + layers[k].b)
        if k + 1 == len(layers):
            return float(np.prod(np.where(x == 1, p, 1 - p)))
        units = product((0.0, 1.0), repeat=len(p))
        return sum(np.prod(np.where(np.array(g) == 1, p, 1 - p)) * below(k + 1, g) for g in units)

    return log(sum(w * below(0, h) for w, h in zip(weight, codes, strict=True)) / sum(weight))


@pytest.mark.parametrize("kind", KINDS)
def test_exact_ascent_of_all_layers_never_lowers_the_criterion(xp: Any, kind: str) -> None:
    """[AO] 2.6: eq. 25 with both codes summed out rises at every step, in every layer; log P(x) is exact."""
    first = starts(kind)
    theta = Deep(on(xp, first), on(xp, machine_on(first)))
    values = [float(passes.criterion(stacks.join(theta.encoders), xp(DATA)))]

    def watch(state: Any) -> None:
        values.append(float(passes.criterion(stacks.join(state.theta), xp(DATA))))

    def train(encoders: Any, rows: Any, level: int) -> Any:
        assert level == 0
        return train_encoder(
            encoders,
            rows,
            hidden="sum",
            visit="mean",
            optimizer=sgd(0.1),
            batch_size=len(DATA),
            epochs=15,
            seed=1,
            callbacks=(watch,),
        )

    def train_top(machine: Any, rows: Any, level: int) -> Any:
        return train_machine(
            machine, rows, k=1, optimizer=sgd(0.1), batch_size=4, epochs=5, seed=level, stream_of=HostStream
        )

    tuned = fine_tune(theta, xp(DATA), train=train, train_top=train_top)
    assert len(values) == 16
    assert np.diff(values).min() > 0
    assert values[-1] > values[0] + 0.3
    for part, before in zip(tuned.encoders, first, strict=True):
        assert type(part) is type(before)
        assert all(
            np.abs(to_numpy(a) - b).max() > 1e-7 for a, b in zip(leaves(part), leaves(before), strict=True)
        )
    for model in (theta, tuned):
        log_p = to_numpy(belief.log_likelihood(recipes.net(model), xp(DATA)))
        np.testing.assert_allclose(log_p, [brute_log_p(plain(model), x) for x in DATA], rtol=1e-11)


def test_the_top_learns_the_code_that_tuning_left(xp: Any) -> None:
    first, train, train_top = starts("three"), Recorder(), Recorder()
    top = machine_on(first)
    tuned = fine_tune(Deep(on(xp, first), on(xp, top)), xp(DATA), train=train, train_top=train_top)
    given, rows, level = train.seen[0]
    assert_same(given, first)
    np.testing.assert_array_equal(rows, DATA)
    assert (level, len(train.seen)) == (0, 1)
    given, rows, level = train_top.seen[0]
    assert_same(given, top)  # from where it was
    assert level == 3
    code = DATA
    for part in plain(tuned.encoders):
        code = up(part, code)
    np.testing.assert_allclose(rows, code, rtol=1e-12)
    np.testing.assert_allclose(to_numpy(recipes.code_means(tuned.encoders, xp(DATA))), code, rtol=1e-12)


@pytest.mark.parametrize("hidden", ["mean", "sample", "sum"])
def test_the_whole_recipe_learns_the_vessels(hidden: str) -> None:
    """Exact log-likelihoods, fixed seeds: layer by layer, then tuned; both far above independent cells."""
    optimizer = adam(0.02, mean_decay=0.9, square_decay=0.999, epsilon=1e-8)
    options = {"optimizer": optimizer, "batch_size": 4, "epochs": 150}

    def train(theta: Any, rows: Any, level: int) -> Any:
        return train_encoder(theta, rows, hidden=hidden, visit="sample", seed=level, **options)

    def train_top(machine: RBM, rows: Any, level: int) -> RBM:
        return train_machine(machine, rows, k=5, seed=level, **options)

    rng, like = np.random.default_rng(13), DATA
    first = (
        stacks.initial((6, 8, 5), (5, 6), deviation=0.5, like=like, rng=1),
        stacks.initial((5, 8, 4), (4, 5), deviation=0.5, like=like, rng=2),
    )
    top = RBM(0.1 * rng.normal(size=(4, 6)), np.zeros(4), np.zeros(6))
    theta = train_deep(first, top, DATA, up="sample", train=train, train_top=train_top, rng=1)
    tuned = fine_tune(theta, DATA, train=train, train_top=train_top)
    shares = DATA.mean(axis=0)
    independent = float(np.sum(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)))
    for model in (theta, tuned):
        assert float(np.mean(belief.log_likelihood(recipes.net(model), DATA))) > independent + 0.4


# --- the best optimistic lower layer -----------------------------------------------------------------------

X = np.array([[1.0, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]])
SHARES = np.array([0.4, 0.3, 0.2, 0.1])


def independent_bound(W: Any, b: Any, x: Any = X, w: Any = SHARES) -> float:
    """U_D by SLSQP over the logits' law: no code of ours."""
    states = np.array(list(product((0, 1), repeat=W.shape[1])))
    p = sig(states @ W.T + b)
    A = np.where(x[:, None, :] == 1, p, 1 - p).prod(axis=2)
    found = minimize(
        lambda Q: -(w @ np.log(A @ Q)),
        np.full(len(states), 1 / len(states)),
        jac=lambda Q: -((w / (A @ Q)) @ A),
        bounds=[(0, 1)] * len(states),
        constraints={"type": "eq", "fun": lambda Q: Q.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    Q = np.maximum(found.x, 0)
    return float(w @ np.log(A @ (Q / Q.sum())))


def sigmoid_layer(xp: Any = np.asarray) -> Sigmoid:
    rng = np.random.default_rng(14)
    return Sigmoid(xp(rng.normal(size=(3, 2))), xp(rng.normal(size=3)))


def test_a_step_goes_along_the_difference_quotients_of_the_bound(xp: Any) -> None:
    """Three steps of plain gradient ascent, the later ones from the marginal of the one before."""
    rate, e, W, b = 0.3, 1e-5, *sigmoid_layer()
    for _ in range(3):
        slope_W, slope_b = np.zeros_like(W), np.zeros_like(b)
        for at in np.ndindex(W.shape):
            d = np.zeros_like(W)
            d[at] = e
            slope_W[at] = (independent_bound(W + d, b) - independent_bound(W - d, b)) / (2 * e)
        for i, d in enumerate(e * np.eye(3)):
            slope_b[i] = (independent_bound(W, b + d) - independent_bound(W, b - d)) / (2 * e)
        W, b = W + rate * slope_W, b + rate * slope_b
    layer, best = recipes.train_optimistic_layer(
        sigmoid_layer(xp), xp(X), weights=xp(SHARES), tolerance=1e-12, optimizer=sgd(rate), steps=3
    )
    np.testing.assert_allclose(to_numpy(layer.W), W, atol=3e-5)
    np.testing.assert_allclose(to_numpy(layer.b), b, atol=3e-5)
    assert float(best.log_likelihood) == pytest.approx(independent_bound(W, b), abs=1e-5)
    assert best.gap <= 1e-12


@pytest.mark.parametrize("weighted", [True, False])
def test_ascent_of_the_bound_is_monotone_and_reports_its_certificates(xp: Any, weighted: bool) -> None:
    seen: list[Any] = []
    layer, best = recipes.train_optimistic_layer(
        sigmoid_layer(xp),
        xp(X),
        weights=xp(SHARES) if weighted else None,
        tolerance=1e-9,
        optimizer=sgd(0.4),
        steps=15,
        callbacks=(lambda state: seen.append(state.memory),),
    )
    bounds = [float(m.log_likelihood) for m in (*seen, best)]
    assert np.diff(bounds).min() > -1e-9
    assert bounds[-1] > bounds[0] + 0.1
    assert max(m.gap for m in (*seen, best)) <= 1e-9
    w = SHARES if weighted else np.full(4, 0.25)
    assert bounds[-1] == pytest.approx(independent_bound(*plain(layer), w=w), abs=1e-7)


PAIRS, PAIR_SHARES = np.array([[1.0, 1], [0, 0], [1, 0]]), np.array([0.45, 0.4, 0.15])


@cache
def best_of_a_grid() -> float:
    """The highest U_D of 4^4 layers of two visible units and one hidden."""
    places = product(product((-8.0, -2.0, 2.0, 8.0), repeat=2), product((-4.0, -1.0, 1.0, 4.0), repeat=2))
    grid = [Sigmoid(np.array(W)[:, None], np.array(b)) for W, b in places]
    which, found = best_optimistic_layer(grid, PAIRS, weights=PAIR_SHARES, tolerance=1e-10)
    highest = max(independent_bound(*layer, PAIRS, PAIR_SHARES) for layer in grid)
    assert float(found[which].log_likelihood) == pytest.approx(highest, abs=1e-6)
    return highest


def test_ascent_reaches_the_best_layer_of_a_grid(xp: Any) -> None:
    """[AO] eq. 16 by brute force, against two ascents."""
    reached = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        _, best = recipes.train_optimistic_layer(
            Sigmoid(xp(rng.normal(size=(2, 1))), xp(rng.normal(size=2))),
            xp(PAIRS),
            weights=xp(PAIR_SHARES),
            tolerance=1e-8,
            optimizer=adam(0.4, mean_decay=0.9, square_decay=0.99, epsilon=1e-8),
            steps=30,
        )
        reached.append(float(best.log_likelihood))
    assert max(reached) >= best_of_a_grid() - 1e-8


def test_tables_are_trained_too(xp: Any) -> None:
    """A free column can be P_D itself: the bound rises to -H(P_D), which no model exceeds."""
    rng, w = np.random.default_rng(15), np.array([0.5, 0.3, 0.15, 0.05])
    layer, best = recipes.train_optimistic_layer(
        Table(xp(rng.normal(size=(4, 2)))),
        xp(np.arange(4), dtype="int64"),
        weights=xp(w),
        tolerance=1e-9,
        optimizer=adam(0.2, mean_decay=0.9, square_decay=0.99, epsilon=1e-8),
        steps=60,
    )
    columns = np.exp(to_numpy(layer.logits))
    columns = columns / columns.sum(axis=0)
    value = float(w @ np.log(columns @ to_numpy(best.Q)))
    assert float(best.log_likelihood) == pytest.approx(value, rel=1e-12)
    assert value == pytest.approx(float(w @ np.log(w)), abs=1e-4)


def test_no_step_leaves_the_layer_and_solves_for_its_marginal(xp: Any) -> None:
    start = sigmoid_layer(xp)
    layer, best = recipes.train_optimistic_layer(
        start, xp(X), weights=xp(SHARES), tolerance=1e-10, optimizer=sgd(1.0), steps=0
    )
    assert_same(layer, plain(start))
    assert float(best.log_likelihood) == pytest.approx(independent_bound(*plain(start)), abs=1e-7)


# --- bad input ---------------------------------------------------------------------------------------------


def test_bad_input_is_named(xp: Any) -> None:
    first, data = on(xp, starts("untied")), xp(DATA)
    keep = Recorder()
    options: dict[str, Any] = {"optimizer": sgd(0.1), "batch_size": 4, "epochs": 1, "seed": 1}
    with pytest.raises(ValueError, match="up must be one of 'sample', 'mean', got 'draw'"):
        train_encoders(first, data, up="draw", train=keep, rng=1)
    with pytest.raises(ValueError, match="starts must hold at least one encoder"):
        train_encoders((), data, up="mean", train=keep, rng=1)
    with pytest.raises(ValueError, match=r"data must have shape \(n >= 1, V >= 1\), got \(6,\)"):
        train_encoders(first, data[0, :], up="mean", train=keep, rng=1)
    with pytest.raises(TypeError, match="rows must be an array, got list"):
        train_encoder(first, [[0.0, 1.0]], hidden="mean", visit="mean", **options)
    with pytest.raises(ValueError, match="visit must be one of 'mean', 'sample', got 'bits'"):
        train_encoder(first, data, hidden="mean", visit="bits", **options)
    with pytest.raises(ValueError, match="hidden must be one of"):
        train_encoder(first, data, hidden="draw", visit="mean", **options)
    with pytest.raises(ValueError, match=r"rows must hold probabilities in \[0, 1\], got 2.0"):
        train_encoder(first, 2 * data, hidden="mean", visit="mean", **options)
    with pytest.raises(ValueError, match="zeros and ones only"):
        train_encoder(first, data / 2, hidden="sum", visit="mean", **options)
    with pytest.raises(ValueError, match="layers must chain: layer 1 takes 6 units, the one before gives 3"):
        train_encoder(first[::-1], data, hidden="mean", visit="mean", **options)
    with pytest.raises(ValueError, match="top must have 3 visible units, those of the topmost code, got 5"):
        recipes.with_top(first, on(xp, tied(np.random.default_rng(0), 5, 2)), data, train_top=keep)
    layer = sigmoid_layer(xp)
    boll: dict[str, Any] = {"tolerance": 1e-6, "optimizer": sgd(0.1)}
    with pytest.raises(ValueError, match="steps must be an integer of at least 0, got -1"):
        recipes.train_optimistic_layer(layer, xp(X), steps=-1, **boll)
    with pytest.raises(ValueError, match=r"x must have shape \(n >= 1, 3\)"):
        recipes.train_optimistic_layer(layer, data, steps=1, **boll)
    with pytest.raises(ValueError, match=r"weights must have shape \(4\)"):
        recipes.train_optimistic_layer(layer, xp(X), weights=xp([1.0]), steps=1, **boll)
    with pytest.raises(ValueError, match="tolerance must be a number at least 0"):
        recipes.train_optimistic_layer(layer, xp(X), tolerance=-1.0, optimizer=sgd(0.1), steps=1)
