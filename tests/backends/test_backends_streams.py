"""Random streams: the same protocol, the right laws, the same numbers where they are promised.

Statistical assertions: Hoeffding for means of values in [0, 1], Dvoretzky-Kiefer-Wolfowitz for distribution
functions; each states a probability of at most 1e-9 that a right stream fails, and every seed is fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from exactgen.backends.arrays import Array, to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import HostStream, ReplayStream, Stream, TorchStream, as_stream, native

N = 200_000
STREAMS: dict[str, Callable[[Array], Stream]] = {
    "native": lambda like: native(20, like=like),
    "host": lambda like: HostStream(np.random.default_rng(21)),
    "replay": lambda like: ReplayStream(np.random.default_rng(22).random(2 * N)),
}
P = [0.0, 1e-3, 0.3, 0.97, 1.0]
LOGITS = [0.5, -math.inf, -1.0, 2.0]


@pytest.fixture(params=STREAMS)
def stream(request: pytest.FixtureRequest, xp: Any) -> Stream:
    return STREAMS[request.param](xp([0.0]))


def hoeffding(statistics: int, samples: int = N) -> float:
    """A distance that none of these means exceeds, but with probability 1e-9."""
    return math.sqrt(math.log(2 * statistics / 1e-9) / (2 * samples))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bernoulli(xp: Any, stream: Stream, dtype: str) -> None:
    """Frequencies, and that two units of a row are drawn independently; 6 statistics."""
    rows = N // 5
    p = xp(np.tile(P, (rows, 1)), dtype)
    x = stream.bernoulli(p)
    assert x.dtype == p.dtype
    assert x.shape == p.shape
    bits = to_numpy(x)
    assert set(np.unique(bits)) == {0, 1}
    assert bits[:, 0].sum() == 0
    assert bits[:, 4].sum() == rows
    assert np.abs(bits.mean(axis=0) - P).max() < hoeffding(6, rows)
    assert abs((bits[:, 2] * bits[:, 3]).mean() - 0.3 * 0.97) < hoeffding(6, rows)


def test_categorical(xp: Any, stream: Stream) -> None:
    """Frequencies of 4 values, one of which is impossible."""
    x = stream.categorical(xp(np.tile(LOGITS, (N, 1))))
    assert x.dtype == xp.namespace.int64
    law = np.exp(LOGITS) / np.exp(LOGITS).sum()
    counts = np.bincount(to_numpy(x), minlength=4)
    assert counts[1] == 0
    assert np.abs(counts / N - law).max() < hoeffding(4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_normal(xp: Any, stream: Stream, dtype: str) -> None:
    """The distribution function to 2 exp(-2 N d^2) <= 1e-9, and whether neighbours agree in sign."""
    like = xp([0.0], dtype)
    z = stream.normal((N // 2, 2), like=like)
    assert z.dtype == like.dtype
    values = to_numpy(z).astype(float)
    assert scipy.stats.kstest(values.ravel(), "norm").statistic < math.sqrt(math.log(2 / 1e-9) / (2 * N))
    assert abs((values[:, 0] * values[:, 1] > 0).mean() - 0.5) < hoeffding(1, N // 2)


@pytest.mark.parametrize("p", [1.0, 0.7, 0.02])
def test_geometric(xp: Any, stream: Stream, p: float) -> None:
    """P(T > t) = (1-p)^t for every t, to 2 exp(-2 N d^2) <= 1e-9."""
    x = stream.geometric(xp(np.full(N, p)))
    assert x.dtype == xp.namespace.int64
    values = to_numpy(x)
    assert values.min() == 1
    frequencies = np.bincount(values) / N
    beyond = 1 - np.cumsum(frequencies)
    expected = (1 - p) ** np.arange(len(frequencies))
    assert np.abs(beyond - expected).max() < math.sqrt(math.log(2 / 1e-9) / (2 * N))


def test_permutation(xp: Any, stream: Stream) -> None:
    """Each of the 6 orders of three has a sixth."""
    draws = 4_000
    orders = [tuple(to_numpy(stream.permutation(3, like=xp([0.0]))).tolist()) for _ in range(draws)]
    for order in itertools.permutations(range(3)):
        assert abs(orders.count(order) / draws - 1 / 6) < hoeffding(6, draws)


@pytest.mark.parametrize(
    "make", [lambda: HostStream(7), lambda: ReplayStream(np.random.default_rng(7).random(99))]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_numbers_on_every_backend(xp: Any, make: Callable[[], Stream], dtype: str) -> None:
    def numbers(array: Callable[..., Any]) -> list[Any]:
        stream, p = make(), array([[0.2, 0.9, 0.5], [0.5, 0.1, 1.0]], dtype)
        return [
            stream.bernoulli(p),
            stream.categorical(p),
            stream.normal((2, 3), like=p),
            stream.geometric(p),
            stream.permutation(5, like=p),
        ]

    for actual, expected in zip(numbers(xp), numbers(np.array), strict=True):
        np.testing.assert_array_equal(to_numpy(actual), expected)


def test_replayed_numbers_by_hand(xp: Any) -> None:
    """What the vectors of another language must reproduce; each draw is worked out from its uniform."""
    stream = ReplayStream(
        [0.3, 0.29999, 0.0, 0.999, 0.6, 0.7, 0.05, 0.5, 0.975, 0.5, 0.51, 0.4, 0.4, 0.1, 0.9]
    )
    assert to_numpy(stream.bernoulli(xp([0.3, 0.3, 0.0, 1.0]))).tolist() == [0, 1, 0, 1]  # one where u < p
    law = xp(np.log([[0.5, 0.125, 0.375]] * 3))  # cumulative 0.5, 0.625, 1
    assert to_numpy(stream.categorical(law)).tolist() == [1, 2, 0]
    np.testing.assert_allclose(to_numpy(stream.normal((2,), like=law)), [0, 1.959963984540054], atol=1e-15)
    # 1 - (1-p)^t first exceeds u: halves 0.5 (not above 0.5), 0.75; a sure success at once
    assert to_numpy(stream.geometric(xp([0.5, 0.5, 1.0]))).tolist() == [2, 2, 1]
    assert to_numpy(stream.permutation(3, like=law)).tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match="holds 0 more uniforms, 2 are wanted"):
        stream.bernoulli(xp([0.5, 0.5]))


def test_replay_never_picks_the_impossible(xp: Any) -> None:
    last = np.nextafter(1.0, 0.0)
    logits = np.append(np.log(np.full(10, 0.1)), -math.inf)
    assert int(ReplayStream([last]).categorical(xp(logits))) == 9
    assert float(ReplayStream([last]).bernoulli(xp(1.0))) == 1
    assert float(ReplayStream([0.0]).bernoulli(xp(0.0))) == 0


def test_replay_refuses_what_it_cannot_mean(xp: Any) -> None:
    for bad in ([1.0], [-0.1], [math.nan]):
        with pytest.raises(ValueError, match=r"uniforms must lie in \[0, 1\)"):
            ReplayStream(bad)
    with pytest.raises(ValueError, match="must be positive where a normal is drawn"):
        ReplayStream([0.0]).normal((1,), like=xp([0.0]))


def test_geometric_refuses_no_chance(xp: Any, stream: Stream) -> None:
    for p in (0.0, 1.5):
        with pytest.raises(ValueError, match="p"):
            stream.geometric(xp([p]))


def test_draws_of_nothing(xp: Any, stream: Stream) -> None:
    empty = xp(np.zeros((0, 3)))
    assert stream.bernoulli(empty).shape == (0, 3)
    assert stream.categorical(empty).shape == (0,)
    assert stream.normal((0, 3), like=empty).shape == (0, 3)
    assert stream.geometric(empty).shape == (0, 3)


def test_scalars_are_arrays_too(xp: Any, stream: Stream) -> None:
    assert stream.bernoulli(xp(1.0)).shape == ()
    assert stream.categorical(xp([0.0, 1.0])).shape == ()
    assert stream.normal((), like=xp(0.0)).shape == ()
    assert stream.geometric(xp(0.5)).shape == ()


def test_an_int_seeds_anew_and_a_generator_advances(xp: Any) -> None:
    p, draw = xp(np.full(64, 0.5)), lambda rng: to_numpy(as_stream(rng, like=p).bernoulli(p)).tolist()
    assert draw(3) == draw(3) == draw(np.int64(3)) != draw(4)
    generator, twin = np.random.default_rng(5), np.random.default_rng(5)
    first, second = draw(generator), draw(generator)
    assert first != second
    assert [first, second] == [draw(HostStream(twin)), draw(HostStream(twin))]
    stream = HostStream(6)
    assert as_stream(stream, like=p) is stream


def test_what_is_no_stream_is_refused(xp: Any) -> None:
    like = xp([0.0])
    for bad in (None, True, 1.5, "seed", np.random.RandomState(0), np.random.SFC64(0)):
        with pytest.raises(
            TypeError, match=r"rng must be an int, a numpy\.random\.Generator or a stream, got"
        ):
            as_stream(bad, like=like)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="non-negative"):
        as_stream(-1, like=like)


def test_a_native_stream_of_another_backend_is_refused(xp: Any) -> None:
    torch = pytest.importorskip("torch")
    stream = TorchStream(0, like=torch.zeros(1))
    if xp.name == "torch":
        assert as_stream(stream, like=xp([0.0])) is stream
        with pytest.raises(ValueError, match="it cannot draw torch arrays on meta"):
            as_stream(stream, like=torch.zeros(1, device="meta"))
        return
    with pytest.raises(ValueError, match="rng is a TorchStream on cpu, it cannot draw"):
        as_stream(stream, like=xp([0.0]))


def test_every_stream_obeys_the_protocol(xp: Any, stream: Stream) -> None:
    assert isinstance(stream, Stream)
    seen: list[bool] = []
    expect(lambda v, *, rng: seen.append(isinstance(rng, Stream)) or v, xp([[0.0]]))
    assert seen == [True, True]
