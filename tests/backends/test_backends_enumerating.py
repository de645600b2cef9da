"""The enumerating stream, against brute force, closed forms and long samples."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from exactgen.backends.arrays import Array, array_namespace, to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import HostStream, Rng

W = [[0.7], [-1.9], [2.3]]  # V = 3, H = 1
B, C = [0.4, -0.2, -1.1], [-0.6]
START = [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]


def chain(W: Array, b: Array, c: Array, v: Array, *, rng: Rng, k: int) -> tuple[Array, Array]:
    """CD-k as the samplers of the reference ask for it, with a sigmoid of its own."""
    xp = array_namespace(v)
    h = v @ W
    for _ in range(k):
        h = rng.bernoulli(1 / (1 + xp.exp(-(v @ W + c))))  # type: ignore[union-attr]
        v = rng.bernoulli(1 / (1 + xp.exp(-(h @ xp.matrix_transpose(W) + b))))  # type: ignore[union-attr]
    return v, h


def brute_force_law(start: list[float], k: int) -> dict[tuple[int, ...], float]:
    """The law of v after k steps, one path of bits after the other, in plain Python."""
    law: dict[tuple[int, ...], float] = {}
    for path in itertools.product((0, 1), repeat=4 * k):
        v, weight = tuple(start), 1.0
        for step in range(k):
            h, *new = path[4 * step : 4 * step + 4]
            on = 1 / (1 + math.exp(-(C[0] + sum(v[i] * W[i][0] for i in range(3)))))
            weight *= on if h else 1 - on
            for i in range(3):
                on = 1 / (1 + math.exp(-(B[i] + W[i][0] * h)))
                weight *= on if new[i] else 1 - on
            v = tuple(new)
        law[v] = law.get(v, 0.0) + weight
    return law


def test_chain_agrees_with_brute_force(xp: Any) -> None:
    theta = (xp(W), xp(B), xp(C))
    outcomes = expect(lambda v, *, rng: chain(*theta, v, rng=rng, k=3), xp(START))
    assert outcomes.log_weight.shape == (2, 2**12)
    np.testing.assert_allclose(to_numpy(outcomes.total_weight), [1, 1], rtol=0, atol=1e-13)
    code = xp([4.0, 2.0, 1.0])
    law = outcomes.mean(
        lambda values: xp.namespace.astype((values[0] @ code)[:, None] == xp(np.arange(8)), code.dtype)
    )
    for row, start in enumerate(START):
        expected = brute_force_law(start, 3)
        for state, p in expected.items():
            assert float(law[row, int(np.dot(state, [4, 2, 1]))]) == pytest.approx(p, rel=1e-12)


def test_chain_agrees_with_long_samples() -> None:
    """Hoeffding: each of 6 means of values in [0, 1] is off by eps with probability <= 1e-9 / 6."""
    theta, n = (np.array(W), np.array(B), np.array(C)), 400_000
    eps = math.sqrt(math.log(2 * 6 / 1e-9) / (2 * n))
    exact = expect(lambda v, *, rng: chain(*theta, v, rng=rng, k=3), np.array(START)).mean(
        lambda values: values[0]
    )
    for row, start in enumerate(START):
        v, _ = chain(*theta, np.tile(start, (n, 1)), rng=HostStream(np.random.default_rng(17 + row)), k=3)
        assert np.abs(v.mean(axis=0) - exact[row]).max() < eps


def test_mixed_radix_agrees_with_the_joint_table(xp: Any) -> None:
    """Three-valued z, two bits given z, then two four-valued units given the first bit."""
    rows = xp([[0.3, -1.0, 2.0], [0.0, 0.5, -0.5]])
    p_bits = [[0.1, 0.8], [0.5, 0.5], [0.9, 0.3]]
    logits = [[[0.0, 1.0, 2.0, -1.0], [0.3, 0.3, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0], [-2.0, 0.0, 1.0, 3.0]]]

    def sampler(rows: Array, *, rng: Any) -> Array:
        ns = array_namespace(rows)
        z = rng.categorical(rows)
        bits = rng.bernoulli(ns.take(xp(p_bits), z, axis=0))
        units = rng.categorical(ns.take(xp(logits), ns.astype(bits[:, 0], ns.int64), axis=0))
        return ns.concat([ns.astype(z, bits.dtype)[:, None], bits, ns.astype(units, bits.dtype)], axis=1)

    outcomes = expect(sampler, rows)
    assert outcomes.log_weight.shape == (2, 3 * 4 * 16)
    softmax = lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)  # noqa: E731
    values = to_numpy(outcomes.values).reshape(2, -1, 5).astype(int)
    for row in range(2):
        law = softmax(np.array(to_numpy(rows)[row]))
        states = list(itertools.product(range(3), (0, 1), (0, 1), range(4), range(4)))
        assert [tuple(s) for s in values[row]] == states, "every state once, the first draw most significant"
        for o, (z, x, y, s, t) in enumerate(states):
            bits = np.where([x, y], p_bits[z], 1 - np.array(p_bits[z]))
            units = softmax(np.array(logits[x]))
            expected = law[z] * bits.prod() * units[0, s] * units[1, t]
            assert math.exp(float(outcomes.log_weight[row, o])) == pytest.approx(expected, rel=1e-12)


def test_impossible_outcomes_count_for_nothing(xp: Any) -> None:
    """The logarithm of what never happens is infinite, and must not spoil a mean."""
    p = xp([[0.0, 1.0, 0.25]])

    def surprise(p: Array, *, rng: Any) -> Array:
        ns = array_namespace(p)
        x = rng.bernoulli(p)
        never, nor = x[:, :1] == 1, x[:, 1:2] == 0
        return ns.where(never, ns.full_like(x, math.inf), ns.where(nor, ns.full_like(x, math.nan), x))

    outcomes = expect(surprise, p)
    np.testing.assert_allclose(to_numpy(outcomes.mean()), [[0, 1, 0.25]], rtol=1e-15)
    np.testing.assert_allclose(to_numpy(outcomes.total_weight), [1], rtol=1e-15)
    assert int(np.isneginf(to_numpy(outcomes.log_weight)).sum()) == 6


def test_categorical_with_excluded_values(xp: Any) -> None:
    outcomes = expect(lambda logits, *, rng: rng.categorical(logits), xp([[0.0, -math.inf, math.log(3.0)]]))
    np.testing.assert_allclose(np.exp(to_numpy(outcomes.log_weight)), [[0.25, 0, 0.75]], rtol=1e-14)
    assert float(outcomes.mean()[0]) == pytest.approx(1.5, rel=1e-14)


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_normals_are_exact_for_polynomials(xp: Any, nodes: int) -> None:
    """E z^d = (d-1)!! for even d, to degree 2 nodes - 1 per unit; degree 2 nodes misses it by nodes!."""
    rows = xp([[0.0], [1.0]])
    outcomes = expect(lambda r, *, rng: rng.normal((r.shape[0], 2), like=r), rows, nodes=nodes)
    moment = lambda d: 0 if d % 2 else math.prod(range(1, d, 2))  # noqa: E731
    for d, e in itertools.product(range(2 * nodes), repeat=2):
        actual = outcomes.mean(lambda z, d=d, e=e: z[:, 0] ** d * z[:, 1] ** e)
        size = moment(d + d % 2) * moment(e + e % 2)  # of what cancels
        np.testing.assert_allclose(to_numpy(actual), moment(d) * moment(e), rtol=0, atol=1e-13 * size)
    beyond = outcomes.mean(lambda z: z[:, 0] ** (2 * nodes))
    np.testing.assert_allclose(to_numpy(beyond), moment(2 * nodes) - math.factorial(nodes), rtol=1e-12)


def test_geometric_shows_its_missing_mass(xp: Any) -> None:
    p, terms = np.array([0.3, 1.0, 0.8]), 12
    outcomes = expect(lambda p, *, rng: rng.geometric(p), xp(p), terms=terms)
    np.testing.assert_allclose(to_numpy(outcomes.total_weight), 1 - (1 - p) ** terms, rtol=1e-13)
    t = np.arange(1, terms + 1)
    expected = (t * p[:, None] * (1 - p[:, None]) ** (t - 1)).sum(axis=1)
    np.testing.assert_allclose(to_numpy(outcomes.mean()), expected, rtol=1e-13)


class Pair(NamedTuple):
    first: Array
    second: dict[str, Any]


def test_without_rows_the_function_is_called_once_for_each_outcome(xp: Any) -> None:
    """A mean over two rows, as an update is: the joint randomness of both is enumerated."""
    p = xp([[0.2, 0.7], [0.6, 0.1]])

    def update(*, rng: Any) -> Pair:
        x = rng.bernoulli(p)
        return Pair(x, {"mean": array_namespace(x).mean(x, axis=0), "ones": float(x[0, 0])})

    outcomes = expect(update)
    assert outcomes.log_weight.shape == (1, 16)
    np.testing.assert_allclose(to_numpy(outcomes.mean(lambda pair: pair.first))[0], to_numpy(p), rtol=1e-14)
    np.testing.assert_allclose(
        to_numpy(outcomes.mean(lambda pair: pair.second["mean"]))[0], [0.4, 0.4], rtol=1e-14
    )
    squares = outcomes.mean(lambda pair: pair.second["mean"] ** 2)  # not linear: the rows vary together
    np.testing.assert_allclose(
        to_numpy(squares)[0], [0.16 + (0.16 + 0.24) / 4, 0.16 + (0.21 + 0.09) / 4], rtol=1e-14
    )
    assert float(np.asarray(outcomes.values.second["ones"]).sum()) == 8


def test_every_order_is_enumerated(xp: Any) -> None:
    like = xp([0.0])

    def shuffled(*, rng: Any) -> Array:
        return rng.permutation(4, like=like)

    outcomes = expect(shuffled)
    orders = {tuple(int(i) for i in row) for row in to_numpy(outcomes.values)}
    assert orders == set(itertools.permutations(range(4)))
    np.testing.assert_allclose(np.exp(to_numpy(outcomes.log_weight)), np.full((1, 24), 1 / 24), rtol=1e-14)


def test_no_draws_is_one_outcome(xp: Any) -> None:
    outcomes = expect(lambda v, *, rng: 2 * v, xp([[1.0], [3.0]]))
    np.testing.assert_array_equal(to_numpy(outcomes.mean()), [[2], [6]])
    assert float(expect(lambda *, rng: 1.5).mean()[0]) == 1.5


def test_several_rows_are_replicated_together(xp: Any) -> None:
    outcomes = expect(
        lambda v, scale, *, rng: v + scale[:, None] * rng.bernoulli(0 * v + 0.5),
        xp([[1.0, 2.0], [3.0, 4.0]]),
        xp([2.0, 8.0]),
    )
    np.testing.assert_array_equal(to_numpy(outcomes.mean()), [[2, 3], [7, 8]])


def test_float32_rows_are_weighed_in_float64(xp: Any) -> None:
    p = xp([[0.1, 0.5]], "float32")
    outcomes = expect(lambda p, *, rng: rng.bernoulli(p), p)
    assert outcomes.values.dtype == p.dtype
    np.testing.assert_allclose(
        to_numpy(outcomes.mean()), np.array([[0.1, 0.5]], np.float32).astype(float), rtol=1e-15
    )


def test_too_much_is_refused_before_it_is_made(xp: Any) -> None:
    sizes: list[int] = []

    def bits(p: Array, *, rng: Any) -> Array:
        sizes.append(p.shape[0])
        return rng.bernoulli(p)

    p = xp(np.full((3, 40), 0.5))
    with pytest.raises(
        ValueError, match=r"40 random units \(40\.0 bits\) make 1,099,511,627,776 outcomes .* bytes"
    ):
        expect(bits, p)
    assert sizes == [3], "only the counting call was made"
    with pytest.raises(ValueError, match="the limit is 95 replicated rows"):
        expect(bits, p[:, :5], limit=95)
    assert expect(bits, p[:, :5], limit=96).log_weight.shape == (3, 32)
    with pytest.raises(ValueError, match="each a call; the limit is 65,536 calls"):
        expect(lambda *, rng: rng.bernoulli(p))


def test_draws_that_depend_on_outcomes_are_refused(xp: Any) -> None:
    def more(p: Array, *, rng: Any) -> Array:
        x = rng.bernoulli(p)
        return rng.bernoulli(p) if bool(array_namespace(x).any(x == 1)) else x

    def fewer(p: Array, *, rng: Any) -> Array:
        x = rng.bernoulli(p)
        return x if bool(array_namespace(x).any(x == 1)) else rng.bernoulli(p)

    def other(p: Array, *, rng: Any) -> Array:
        x = rng.bernoulli(p)
        return rng.bernoulli(p if bool(array_namespace(x).any(x == 1)) else p[:, :1])

    p = xp([[0.5, 0.25]])
    for function in (more, fewer, other):
        with pytest.raises(ValueError, match="must not depend on outcomes"):
            expect(function, p)
        with pytest.raises(ValueError, match="must not depend on outcomes"):
            expect(lambda *, rng, function=function: function(p, rng=rng))


def test_bad_draws_are_refused(xp: Any) -> None:
    p = xp([[0.5, 0.25], [0.5, 0.5]])
    with pytest.raises(ValueError, match="replicated rows as its first axis"):
        expect(lambda p, *, rng: rng.bernoulli(p[0, :]) + rng.bernoulli(p[0, :]), p)
    with pytest.raises(ValueError, match="mixes the rows"):
        expect(lambda p, *, rng: rng.permutation(2, like=p), p)
    with pytest.raises(ValueError, match="nodes="):
        expect(lambda p, *, rng: rng.normal(p.shape, like=p), p)
    with pytest.raises(ValueError, match="terms="):
        expect(lambda p, *, rng: rng.geometric(p), p)
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"probabilities in \[0, 1\]"):
            expect(lambda p, *, rng: rng.bernoulli(p), xp([[bad]]))
    with pytest.raises(ValueError, match="share their first length"):
        expect(lambda p, q, *, rng: p, p, p[:1, :])
    with pytest.raises(ValueError, match="share their first length"):
        expect(lambda p, *, rng: p, p[:0, :])
    with pytest.raises(ValueError, match="must have 8 rows"):
        expect(lambda p, *, rng: rng.bernoulli(p), p).mean(lambda x: x[:3, :])
