"""Random search, layer-wise evaluation and Pareto fronts against brute force."""

from __future__ import annotations

from itertools import product
from math import erf, exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.streams import HostStream, ReplayStream
from exactgen.reference.boltzmann.likelihood import log_likelihood
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed.layers import Sigmoid
from exactgen.reference.layerwise.selection import (
    TABLE_1,
    Integer,
    LogUniform,
    Lower,
    Uniform,
    another_layer,
    draw,
    empirical_bound,
    epochs,
    grow,
    pareto_front,
)
from exactgen.reference.numerics import sigmoid
from scipy.stats import kstest

# --- random search -----------------------------------------------------------------------------------------


def test_priors_are_those_of_table_1() -> None:
    rate = (1e-5, 5e-2)
    deep = {"hidden": (1, 16), "hidden2": (1, 16), "cd_rate": rate}
    encoded = {**deep, "bp_rate": rate, "deviation": (0.0, 1.0)}
    wanted = {
        "rbm": {"hidden": (1, 19), "cd_rate": rate},
        "srbm": deep,
        "ae": encoded,
        "aeri": {**encoded, "inference": (1, 500)},
    }
    assert {kind: {name: tuple(p) for name, p in space.items()} for kind, space in TABLE_1.items()} == wanted
    assert {type(space["cd_rate"]) for space in TABLE_1.values()} == {LogUniform}
    assert (epochs(81), epochs(4000), epochs(10_000), epochs(10**9)) == (2469, 50, 20, 1)


def test_draws_have_the_laws_they_are_named_after() -> None:
    """4,000 draws; a Kolmogorov-Smirnov test and a chi-square bound, each of error probability below 1e-9."""
    space = {"u": Uniform(-1.0, 3.0), "l": LogUniform(1e-5, 5e-2), "i": Integer(3, 7)}
    stream, like = HostStream(11), np.zeros(1)
    draws = [draw(space, rng=stream, like=like) for _ in range(4000)]
    u = [d["u"] for d in draws]
    assert kstest(u, "uniform", args=(-1.0, 4.0)).pvalue > 1e-9
    logs = [(log(d["l"]) - log(1e-5)) / log(5e3) for d in draws]
    assert kstest(logs, "uniform").pvalue > 1e-9
    counts = np.bincount([d["i"] for d in draws], minlength=8)
    assert counts[:3].sum() == 0
    assert np.sum((counts[3:] - 800) ** 2 / 800) < 49  # chi-square of 4 degrees: beyond 49 with < 1e-9
    assert min(u) >= -1
    assert max(u) < 3


def test_a_uniform_number_is_what_its_coins_say() -> None:
    coins = [0, 1, 1] + [0] * 50  # 0.011 in binary
    stream = ReplayStream([0.25 if coin else 0.75 for coin in coins])
    assert draw({"u": Uniform(10.0, 18.0)}, rng=stream, like=np.zeros(1)) == {"u": 10 + 8 * 0.375}
    low = draw({"r": LogUniform(0.1, 10.0)}, rng=ReplayStream([0.75] * 53), like=np.zeros(1))
    assert low["r"] == pytest.approx(0.1, rel=1e-12)


def test_draws_are_the_same_on_every_backend_and_in_any_order_of_the_space(xp: Any) -> None:
    space = TABLE_1["aeri"]
    backwards = dict(reversed(list(space.items())))
    wanted = draw(space, rng=HostStream(5), like=np.zeros(1))
    assert draw(backwards, rng=HostStream(5), like=xp([0.0])) == wanted
    assert list(wanted) == sorted(wanted)
    assert isinstance(wanted["hidden"], int)


@pytest.mark.parametrize("prior", [Uniform(2.0, 1.0), LogUniform(0.0, 1.0), Integer(4, 3)])
def test_an_empty_range_is_named(prior: Any) -> None:
    with pytest.raises(ValueError, match="size must have a range that is not empty"):
        draw({"size": prior}, rng=1, like=np.zeros(1))


# --- layer-wise evaluation ---------------------------------------------------------------------------------

W = np.array([[1.5, -0.4], [0.3, 1.1], [-0.8, 0.6], [0.2, -1.7]])
B = np.array([0.1, -0.3, 0.4, 0.0])
U = np.array([[0.7, -1.1], [0.2, 0.9], [-1.4, 0.3], [0.5, 0.5]])
X = np.array([[0.0, 1, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1]])


def test_empirical_bound_is_eq_34(xp: Any) -> None:
    lower = Lower(Sigmoid(xp(W), xp(B)), lambda x: sigmoid(x @ xp(U)))
    found = to_numpy(empirical_bound(lower, xp(X)))
    q = 1 / (1 + np.exp(-X @ U))
    wanted = np.zeros(3)
    for h in product((0, 1), repeat=2):
        q_d = np.mean(np.prod(np.where(np.array(h) == 1, q, 1 - q), axis=1))
        p = 1 / (1 + np.exp(-(W @ np.array(h) + B)))
        wanted += q_d * np.prod(np.where(X == 1, p, 1 - p), axis=1)
    np.testing.assert_allclose(found, np.log(wanted), rtol=1e-12)


def test_stopping_rule_asks_for_a_gain_of_so_many_standard_errors(xp: Any) -> None:
    values = np.array([-3.0, -5.0, -4.0, -8.0])
    gain = np.array([0.5, 0.1, 0.3, 0.7])
    z = gain.mean() / sqrt(np.sum((gain - gain.mean()) ** 2) / 3 / 4)
    assert 3.0 < z < 3.2
    bounds, values = xp(values + gain), xp(values)
    assert another_layer(bounds, values, least=0.0, errors=z - 1e-6)
    assert not another_layer(bounds, values, least=0.0, errors=z + 1e-6)
    assert another_layer(bounds, values, least=gain.mean() - 1e-9, errors=0.0)
    assert not another_layer(bounds, values, least=gain.mean() + 1e-9, errors=0.0)
    assert not another_layer(values, values, least=0.0, errors=0.0)
    with pytest.raises(ValueError, match="number of rows"):
        another_layer(xp([1.0]), xp([0.0]), least=0.0, errors=1.0)


def bits(rows: int, units: int, seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 2, (rows, units)).astype(float)


def machine(visible: int, hidden: int, seed: int, scale: float) -> RBM:
    rng = np.random.default_rng(seed)
    shapes = ((visible, hidden), visible, hidden)
    return RBM(*(rng.normal(0, scale, shape) for shape in shapes))


def copier(bits_: int, sharp: float) -> Lower:
    """h is x, sharply: the bound is the entropy of the rows, the best there is."""
    layer = Sigmoid(sharp * np.eye(bits_), np.full(bits_, -sharp / 2))
    return Lower(layer, lambda x: sigmoid(sharp * (x - 0.5)))


def test_growing_stops_at_the_first_level_without_a_promise() -> None:
    train, valid = np.repeat(np.eye(4)[:2], 30, axis=0), np.repeat(np.eye(4)[:2], 20, axis=0)
    seen: list[tuple[np.ndarray[Any, Any], int]] = []

    def uppers(rows: np.ndarray[Any, Any]) -> list[RBM]:
        seen.append((rows, rows.shape[1]))
        good = np.clip(rows.mean(axis=0), 1e-3, 1 - 1e-3)
        fitted = RBM(np.zeros((4, 1)), np.log(good / (1 - good)), np.zeros(1))
        return [machine(4, 2, 1, 1.0), fitted, machine(4, 3, 2, 1.0)]

    def lowers(rows: np.ndarray[Any, Any]) -> list[Lower]:
        return [copier(4, 2.0), copier(4, 60.0), copier(4, 0.5)]

    levels = grow(train, valid, lowers=lowers, uppers=uppers, depth=3, least=1e-6, errors=3.0, rng=1)
    # Two equally likely rows: log 2 nats with a copy of them; independent bits need 2 log 2.
    assert all(max(level.bounds) == pytest.approx(-log(2), abs=1e-9) for level in levels[:-1])
    assert all(np.argmax(level.bounds) == 1 for level in levels[:-1])
    assert all(level.likelihoods[1] == max(level.likelihoods) for level in levels)
    assert max(levels[0].likelihoods) == pytest.approx(-2 * log(2), abs=0.01)
    assert len(levels) == 4  # a copy promises the same again, up to the depth
    assert [level.lower is None for level in levels] == [False, False, False, True]
    assert levels[3].bounds == ()
    # Sharp inference passes the rows up as they are.
    for rows, _ in seen[1:]:
        np.testing.assert_array_equal(rows, train)

    perfect = RBM(np.array([[40.0], [-40], [0], [0]]), np.array([-20.0, 20, -40, -40]), np.zeros(1))
    assert float(np.mean(log_likelihood(perfect, valid))) == pytest.approx(-log(2), abs=1e-6)
    levels = grow(
        train, valid, lowers=lowers, uppers=lambda _: [perfect], depth=3, least=1e-6, errors=3.0, rng=1
    )
    assert len(levels) == 1
    assert levels[0].lower is None
    assert len(levels[0].bounds) == 3
    assert levels[0].top is perfect


def test_growing_passes_up_draws_of_q_and_is_deterministic() -> None:
    train, valid = bits(400, 4, 1), bits(300, 4, 2)
    lower, rows_seen = Lower(Sigmoid(W, B), lambda x: sigmoid(x @ U)), []

    def uppers(rows: np.ndarray[Any, Any]) -> list[RBM]:
        rows_seen.append(rows)
        # So bad a top that a layer always promises more.
        return [RBM(np.zeros((rows.shape[1], 1)), np.full(rows.shape[1], -30.0), np.zeros(1))]

    def run() -> Any:
        return grow(
            train, valid, lowers=lambda _: [lower], uppers=uppers, depth=1, least=0.0, errors=1.0, rng=9
        )

    first, again = run(), run()
    np.testing.assert_array_equal(rows_seen[1], rows_seen[3])
    assert first[1].likelihoods == again[1].likelihoods
    h, means = rows_seen[1], 1 / (1 + np.exp(-train @ U))
    assert set(np.unique(h)) == {0.0, 1.0}
    # A sum of 400 independent bits about its mean: 6.5 standard deviations, error probability < 1e-9.
    deviation = np.sqrt(np.sum(means * (1 - means), axis=0))
    assert np.all(np.abs(h.sum(axis=0) - means.sum(axis=0)) < 6.5 * deviation)
    assert 2 * (1 - erf(6.5 / sqrt(2))) < 1e-9


def test_growing_without_candidates_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one candidate"):
        grow(X, X, lowers=lambda _: [], uppers=lambda _: [], depth=1, least=0.0, errors=1.0, rng=1)


# --- Pareto fronts -----------------------------------------------------------------------------------------


def brute_front(models: list[tuple[float, float]], dominance: str) -> list[bool]:
    def subsumed(a: tuple[float, float], by: tuple[float, float]) -> bool:
        if dominance == "printed":
            return a[0] > by[0] and a[1] < by[1]
        return a != by and a[0] >= by[0] and a[1] <= by[1]

    return [not any(subsumed(a, b) for b in models) for a in models]


@pytest.mark.parametrize("dominance", ["printed", "standard"])
def test_fronts_are_those_of_the_definition(xp: Any, dominance: str) -> None:
    rng = np.random.default_rng(3)
    models = [
        (float(p), float(v))
        for p, v in zip(rng.integers(1, 12, 60), rng.integers(-9, 0, 60) / 2, strict=True)
    ]
    models[7] = (3.0, -float("inf"))
    found = pareto_front(xp([m[0] for m in models]), xp([m[1] for m in models]), dominance=dominance)
    assert to_numpy(found).tolist() == brute_front(models, dominance)


def test_by_the_printed_rule_the_worst_of_the_smallest_stays() -> None:
    parameters, values = np.array([5.0, 5.0, 9.0, 9.0]), np.array([-50.0, -20.0, -10.0, -10.0])
    assert pareto_front(parameters, values, dominance="printed").tolist() == [True, True, True, True]
    assert pareto_front(parameters, values, dominance="standard").tolist() == [False, True, True, True]


def test_bad_fronts_are_named() -> None:
    with pytest.raises(ValueError, match="values must hold numbers, got nan"):
        pareto_front(np.array([1.0]), np.array([float("nan")]), dominance="printed")
    with pytest.raises(ValueError, match="dominance"):
        pareto_front(np.array([1.0]), np.array([1.0]), dominance="strict")
    with pytest.raises(ValueError, match="values must have shape"):
        pareto_front(np.array([1.0, 2.0]), np.array([1.0]), dominance="standard")


def test_log_uniform_stays_in_its_range() -> None:
    top = draw({"r": LogUniform(1e-5, 5e-2)}, rng=ReplayStream([0.25] * 53), like=np.zeros(1))["r"]
    assert top < 5e-2
    assert top == pytest.approx(exp(log(5e-2)), rel=1e-12)
