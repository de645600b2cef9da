"""Random streams: a sampler asks for what it means, and four kinds of stream answer.

``rng=`` of every sampler accepts an int, a NumPy ``Generator`` or a stream.  A *native* stream is
fast, a *host* stream gives the same numbers on every backend, a *replay* stream consumes recorded uniforms,
and the *enumerating* stream of ``backends.enumerating`` hands out every outcome with its probability.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import array_api_compat
import numpy as np

from .arrays import Array, array_namespace, device, from_numpy, to_numpy


@runtime_checkable
class Stream(Protocol):
    """What a sampler may ask of its source of randomness."""

    def bernoulli(self, p: Array) -> Array:
        """Return zeros and ones, one with probability ``p``, of p's shape, dtype and device."""

    def categorical(self, logits: Array) -> Array:
        """Return indices (int64) drawn from softmax(logits) over the last axis: ``logits.shape[:-1]``."""

    def normal(self, shape: tuple[int, ...], *, like: Array) -> Array:
        """Return standard normals of the dtype and device of ``like``."""

    def geometric(self, p: Array) -> Array:
        """Return the number of trials (int64, from 1) up to the first success of probability ``p``."""

    def permutation(self, n: int, *, like: Array) -> Array:
        """Return a uniformly random order of 0..n-1 (int64), on the device of ``like``."""


Rng: TypeAlias = "int | np.random.Generator | Stream"


def as_stream(rng: Rng, *, like: Array) -> Stream:
    """Return the stream that ``rng`` stands for, for arrays of the backend of ``like``.

    An int seeds the native stream of the backend (the same int gives the same draws at every call); a NumPy
    ``Generator`` is used as it stands and advances; a stream is returned unchanged.

    Raises: TypeError for anything else, None included: randomness is an argument with meaning.  ValueError
    for a negative int, and for a native stream of another backend or device than ``like``.
    """
    if type(rng) is HostStream:  # asking whether it is a Stream takes as long as drawing from it
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"rng must be a non-negative int to serve as a seed, got {rng}")
        return native(int(rng), like=like)
    if isinstance(rng, np.random.Generator):
        return HostStream(rng)
    if isinstance(rng, (TorchStream, CuPyStream)) and not rng.suits(like):
        where = f"{type(like).__module__.split('.')[0]} arrays on {device(like)}"
        raise ValueError(f"rng is a {type(rng).__name__} on {rng.device}, it cannot draw {where}")
    if isinstance(rng, Stream):
        return rng
    raise TypeError(f"rng must be an int, a numpy.random.Generator or a stream, got {type(rng).__name__}")


def native(seed: int, *, like: Array) -> Stream:
    """Return a new fast stream of the backend and device of ``like``."""
    if array_api_compat.is_torch_array(like):
        return TorchStream(seed, like=like)
    if array_api_compat.is_cupy_array(like):
        return CuPyStream(seed, like=like)
    # SFC64 is the fastest of NumPy's bit generators, and passes the same batteries of tests.
    return HostStream(np.random.Generator(np.random.SFC64(seed)))


class HostStream:
    """NumPy draws, moved to the device of the arrays: the same numbers on every backend."""

    def __init__(self, rng: np.random.Generator | int) -> None:
        self.generator = np.random.default_rng(rng)

    def _uniform(self, shape: tuple[int, ...], dtype: object) -> np.ndarray[Any, Any]:
        single = dtype == np.float32 if isinstance(dtype, np.dtype) else "float32" in str(dtype)
        if not single:
            return self.generator.random(shape)
        # Multiples of 2^-24, as fine as a float32 near one, two from each word: faster than random(float32).
        count = math.prod(shape)
        words = self.generator.integers(0, 2**64 - 1, (count + 1) // 2, dtype=np.uint64, endpoint=True)
        high = words.view(np.uint32)[:count] >> 8
        return (high.astype(np.float32) * np.float32(2**-24)).reshape(shape)

    def bernoulli(self, p: Array) -> Array:
        """Return zeros and ones, one with probability ``p``."""
        xp = array_namespace(p)
        return xp.astype(from_numpy(self._uniform(tuple(p.shape), p.dtype), like=p) < p, p.dtype)

    def categorical(self, logits: Array) -> Array:
        """Return the index of the largest logit plus Gumbel noise."""
        noise = self.generator.gumbel(size=tuple(logits.shape))
        index = np.argmax(to_numpy(logits).astype(np.float64) + noise, axis=-1)
        return from_numpy(np.asarray(index, dtype=np.int64), like=logits)

    def normal(self, shape: tuple[int, ...], *, like: Array) -> Array:
        """Return standard normals."""
        xp = array_namespace(like)
        return xp.astype(from_numpy(self.generator.standard_normal(shape), like=like), like.dtype)

    def geometric(self, p: Array) -> Array:
        """Return the number of trials up to the first success."""
        return from_numpy(np.asarray(self.generator.geometric(to_numpy(p)), dtype=np.int64), like=p)

    def permutation(self, n: int, *, like: Array) -> Array:
        """Return a uniformly random order of 0..n-1."""
        return from_numpy(self.generator.permutation(n).astype(np.int64), like=like)


class ReplayStream:
    """Consumes recorded uniforms in order: what language-neutral test vectors are made of.

    A Bernoulli of probability p is one where its uniform is below p; a categorical is the first index whose
    cumulative probability exceeds its uniform, a normal is the quantile of its uniform, a geometric the
    least t with 1 - (1-p)^t above its uniform, a permutation the order that sorts n of them.
    Raises ValueError when the record is used up.
    """

    def __init__(self, uniforms: Iterable[float]) -> None:
        self.uniforms = np.asarray(list(uniforms), dtype=np.float64)
        self.position = 0
        if not bool(np.all((self.uniforms >= 0) & (self.uniforms < 1))):
            raise ValueError("uniforms must lie in [0, 1)")

    def _take(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        count = math.prod(shape)
        left = self.uniforms.size - self.position
        if count > left:
            raise ValueError(f"the recorded stream holds {left} more uniforms, {count} are wanted")
        taken = self.uniforms[self.position : self.position + count]
        self.position += count
        return taken.reshape(shape)

    def bernoulli(self, p: Array) -> Array:
        """Return zeros and ones, one where the next uniform is below ``p``."""
        xp = array_namespace(p)
        return xp.astype(from_numpy(self._take(tuple(p.shape)) < to_numpy(p), like=p), p.dtype)

    def categorical(self, logits: Array) -> Array:
        """Return indices by inversion of the cumulative law."""
        table = to_numpy(logits).astype(np.float64)
        table = np.exp(table - table.max(axis=-1, keepdims=True))
        cumulative = np.cumsum(table, axis=-1)
        # Divided by its own last entry it ends at one exactly, so no uniform lies beyond.
        u = self._take(tuple(logits.shape[:-1]))
        index = (u[..., None] >= cumulative / cumulative[..., -1:]).sum(axis=-1)
        return from_numpy(np.asarray(index, dtype=np.int64), like=logits)

    def normal(self, shape: tuple[int, ...], *, like: Array) -> Array:
        """Return standard normals by inversion; a uniform of 0, which has no finite inverse, is refused."""
        from scipy.special import ndtri

        xp, u = array_namespace(like), self._take(shape)
        if not bool(np.all(u > 0)):
            raise ValueError("uniforms must be positive where a normal is drawn, got 0")
        return xp.astype(from_numpy(np.asarray(ndtri(u)), like=like), like.dtype)

    def geometric(self, p: Array) -> Array:
        """Return the number of trials by inversion."""
        return from_numpy(_trials(self._take(tuple(p.shape)), to_numpy(p).astype(np.float64)), like=p)

    def permutation(self, n: int, *, like: Array) -> Array:
        """Return the order that sorts the next n uniforms."""
        return from_numpy(np.argsort(self._take((n,)), kind="stable").astype(np.int64), like=like)


class TorchStream:
    """A PyTorch generator on the device of the arrays."""

    def __init__(self, seed: int, *, like: Array) -> None:
        import torch

        self.device = like.device
        self.generator = torch.Generator(device=self.device).manual_seed(seed)

    def suits(self, like: Array) -> bool:
        """Return whether this stream can draw arrays like ``like``."""
        return bool(array_api_compat.is_torch_array(like) and like.device == self.device)

    def bernoulli(self, p: Array) -> Array:
        """Return zeros and ones, one with probability ``p``."""
        import torch

        # Half the time of torch.bernoulli on a CPU.
        u = torch.rand(p.shape, generator=self.generator, dtype=p.dtype, device=p.device)
        return (u < p).to(p.dtype)

    def categorical(self, logits: Array) -> Array:
        """Return indices drawn from softmax(logits)."""
        import torch

        flat = torch.softmax(logits, dim=-1).reshape(-1, logits.shape[-1])
        index = torch.multinomial(flat, 1, generator=self.generator)
        return index.reshape(logits.shape[:-1])

    def normal(self, shape: tuple[int, ...], *, like: Array) -> Array:
        """Return standard normals."""
        import torch

        return torch.randn(shape, generator=self.generator, dtype=like.dtype, device=like.device)

    def geometric(self, p: Array) -> Array:
        """Return the number of trials up to the first success."""
        import torch

        u = torch.rand(p.shape, generator=self.generator, dtype=torch.float64, device=p.device)
        return _trials(u, p.to(torch.float64))

    def permutation(self, n: int, *, like: Array) -> Array:
        """Return a uniformly random order of 0..n-1."""
        import torch

        return torch.randperm(n, generator=self.generator, device=like.device)


class CuPyStream:
    """A CuPy generator on the current device."""

    def __init__(self, seed: int, *, like: Array) -> None:
        import cupy

        self.device = like.device
        with self.device:
            self.generator = cupy.random.Generator(cupy.random.XORWOW(seed))

    def suits(self, like: Array) -> bool:
        """Return whether this stream can draw arrays like ``like``."""
        return bool(array_api_compat.is_cupy_array(like) and like.device == self.device)

    def bernoulli(self, p: Array) -> Array:
        """Return zeros and ones, one with probability ``p``."""
        return (self.generator.random(p.shape, dtype=p.dtype) < p).astype(p.dtype)

    def categorical(self, logits: Array) -> Array:
        """Return the index of the largest logit plus Gumbel noise."""
        import cupy

        u = self.generator.random(logits.shape, dtype=cupy.float64)
        return cupy.argmax(logits - cupy.log(-cupy.log1p(-u)), axis=-1).astype(cupy.int64)

    def normal(self, shape: tuple[int, ...], *, like: Array) -> Array:
        """Return standard normals."""
        return self.generator.standard_normal(shape, dtype=like.dtype)

    def geometric(self, p: Array) -> Array:
        """Return the number of trials up to the first success."""
        return self.generator.geometric(p).astype("int64")

    def permutation(self, n: int, *, like: Array) -> Array:
        """Return a uniformly random order of 0..n-1."""
        import cupy

        with like.device:
            return cupy.argsort(self.generator.random(n))


def _trials(u: Array, p: Array) -> Array:
    """Return the least t with :math:`1 - (1-p)^t > u`: a geometric by inversion."""
    xp = array_namespace(u, p)
    if not bool(xp.all((p > 0) & (p <= 1))):
        raise ValueError("p of a geometric must lie in (0, 1]")
    sure = p == 1  # no failures, and no logarithm of their probability
    failures = xp.floor(xp.log1p(-u) / xp.log1p(-xp.where(sure, xp.full_like(p, 0.5), p)))
    return xp.astype(xp.where(sure, xp.zeros_like(p), failures), xp.int64) + 1


__all__ = [
    "CuPyStream",
    "HostStream",
    "ReplayStream",
    "Rng",
    "Stream",
    "TorchStream",
    "as_stream",
    "device",
    "native",
]
