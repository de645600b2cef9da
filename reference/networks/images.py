r"""Layers of images (n, rows, columns, channels): correlation with shared weights, and pooling.   [AL] 1.2.2

All of them look at an image through windows.  Cutting windows out is linear, and its transpose adds them up
where they came from; what is left to each layer is what it does to one window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ..contracts import Real
from .layers import Layer


@dataclass(frozen=True)
class Windows:
    """The places of a window of this size: every ``stride`` pixels, from ``padding`` zeros outside on."""

    size: tuple[int, int]
    stride: int = 1
    padding: int = 0

    def of(self, x: Array) -> Array:
        """Return the windows of images: (n, R, S, C) -> (n, places, places, height, width, C)."""
        for axis in (1, 2):
            taken = self._taken(axis, x.shape[axis])
            x = _gather(x, [pixel for place in zip(*taken, strict=True) for pixel in place], axis)
        (h, w), (n, _, _, channels) = self.size, x.shape
        xp = array_namespace(x)
        x = xp.reshape(x, (n, x.shape[1] // h, h, x.shape[2] // w, w, channels))
        return xp.permute_dims(x, (0, 1, 3, 2, 4, 5))

    def added(self, windows: Array, shape: tuple[int, ...]) -> Array:
        """Return the images (n, R, S, C) to which the windows add up: the transpose of ``of``."""
        for axis in (2, 1):  # of the windows' columns, then rows: the next axis of pixels moves up
            windows = sum(
                _gather(_at(windows, axis + 2, k), _undone(taken, shape[axis]), axis)
                for k, taken in enumerate(self._taken(axis, shape[axis]))
            )
        return windows

    def _taken(self, axis: int, length: int) -> list[list[int | None]]:
        """Return, for each pixel of a window, which pixel of the image it is at each place, or none."""
        size = self.size[axis - 1]
        places = (length + 2 * self.padding - size) // self.stride + 1
        if places < 1:
            raise ValueError(
                f"a window of {self.size} must fit into the image, got {length} along axis {axis}"
            )
        starts = range(-self.padding, -self.padding + self.stride * places, self.stride)
        return [[a + k if 0 <= a + k < length else None for a in starts] for k in range(size)]


def _gather(x: Array, index: Sequence[int | None], axis: int) -> Array:
    """Return the entries of x at these indices of an axis, and zeros at None."""
    xp, length = array_namespace(x), x.shape[axis]
    zero = xp.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), dtype=x.dtype, device=x.device)
    at = xp.asarray([length if k is None else k for k in index], dtype=xp.int64, device=x.device)
    return xp.take(xp.concat([x, zero], axis=axis), at, axis=axis)


def _undone(index: Sequence[int | None], length: int) -> list[int | None]:
    """Return the inverse of a map that takes each of ``length`` indices once at most: its transpose."""
    places = {k: place for place, k in enumerate(index) if k is not None}
    return [places.get(k) for k in range(length)]


def _at(x: Array, axis: int, k: int) -> Array:
    return x[(*(slice(None),) * axis, k, ...)]


# --- correlation ------------------------------------------------------------------------------------------


class Kernel(NamedTuple):
    """The parameters of a correlation layer; its gradient is a Kernel too."""

    K: Real[Array, "height width channels outputs"]
    b: Real[Array, "outputs"]


Image: TypeAlias = Real[Array, "n rows columns channels"]
Places: TypeAlias = Real[Array, "n R S outputs"]


@dataclass(frozen=True)
class Correlation(Layer):
    r""":math:`y_{rs} = \sum_{ij} x_{tr+i-p,\,ts+j-p} K_{ij} + b` for stride t and p zeros around the image.

    A dense layer on every window, of shared weights.  Deep learning calls it convolution.   [AL] 1.2.2
    """

    stride: int = 1
    padding: int = 0
    has_parameters = True

    def values(self, theta: Kernel, x: Image) -> Places:
        return self._apply(theta.K, x) + theta.b

    def pullback(self, theta: Kernel, x: Image, y: Places, dy: Places) -> tuple[Kernel, Image]:
        xp = array_namespace(x)
        windows, errors = self._rows(theta, x), xp.reshape(dy, (dy.shape[0], -1, dy.shape[3]))
        K = xp.sum(xp.matrix_transpose(windows) @ errors, axis=0)
        back = dy @ xp.matrix_transpose(_matrix(theta.K))
        back = xp.reshape(back, (*dy.shape[:3], *theta.K.shape[:3]))
        dx = self._windows(theta).added(back, x.shape)
        return Kernel(xp.reshape(K, theta.K.shape), xp.sum(dy, axis=(0, 1, 2))), dx

    def pushforward(self, theta: Kernel, x: Image, y: Places, dtheta: Kernel, dx: Image) -> Places:
        return self._apply(theta.K, dx) + self._apply(dtheta.K, x) + dtheta.b

    def squared_norms(self, theta: Kernel, x: Image, y: Places, dy: Places) -> Kernel:
        r""":math:`\|X^\top D\|^2 = \langle X X^\top, D D^\top \rangle`, X and D a row's windows and errors.

        With one window it is [AL] proposition 3, which the text says fails for shared weights.
        """
        xp = array_namespace(x)
        X, D = self._rows(theta, x), xp.reshape(dy, (dy.shape[0], -1, dy.shape[3]))
        grams = [A @ xp.matrix_transpose(A) for A in (X, D)]
        return Kernel(xp.sum(grams[0] * grams[1], axis=(1, 2)), xp.sum(xp.sum(D, axis=1) ** 2, axis=1))

    def _apply(self, K: Array, x: Array) -> Array:
        windows = Windows((K.shape[0], K.shape[1]), self.stride, self.padding).of(x)
        return array_namespace(x).reshape(windows, (*windows.shape[:3], -1)) @ _matrix(K)

    def _windows(self, theta: Kernel) -> Windows:
        return Windows((theta.K.shape[0], theta.K.shape[1]), self.stride, self.padding)

    def _rows(self, theta: Kernel, x: Array) -> Array:
        """Return the windows as (n, places, window)."""
        return array_namespace(x).reshape(
            self._windows(theta).of(x), (x.shape[0], -1, prod(theta.K.shape[:3]))
        )


def _matrix(K: Array) -> Array:
    return array_namespace(K).reshape(K, (-1, K.shape[3]))


# --- pooling ----------------------------------------------------------------------------------------------


Pooled: TypeAlias = Real[Array, "n R S channels"]


@dataclass(frozen=True)
class _Pool(Layer):
    size: tuple[int, int]
    stride: int

    def _windows(self, x: Array) -> Array:
        """Return (n, places, places, window, C)."""
        windows = Windows(self.size, self.stride).of(x)
        return array_namespace(x).reshape(windows, (*windows.shape[:3], -1, x.shape[3]))

    def _added(self, windows: Array, x: Array) -> Array:
        shape = (*windows.shape[:3], *self.size, x.shape[3])
        return Windows(self.size, self.stride).added(array_namespace(x).reshape(windows, shape), x.shape)


@dataclass(frozen=True)
class MeanPool(_Pool):
    """The mean of each window, channel by channel."""

    def values(self, theta: Any, x: Image) -> Pooled:
        return array_namespace(x).mean(self._windows(x), axis=3)

    def pullback(self, theta: Any, x: Image, y: Pooled, dy: Pooled) -> tuple[Any, Image]:
        xp = array_namespace(x)
        share = dy[:, :, :, None, :] / prod(self.size)
        return (), self._added(xp.concat([share] * prod(self.size), axis=3), x)

    def pushforward(self, theta: Any, x: Image, y: Pooled, dtheta: Any, dx: Image) -> Pooled:
        return self.values((), dx)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest entry of each window, channel by channel; the first of equal ones has the derivative."""

    def values(self, theta: Any, x: Image) -> Pooled:
        return array_namespace(x).max(self._windows(x), axis=3)

    def pullback(self, theta: Any, x: Image, y: Pooled, dy: Pooled) -> tuple[Any, Image]:
        return (), self._added(self._first(x) * dy[:, :, :, None, :], x)

    def pushforward(self, theta: Any, x: Image, y: Pooled, dtheta: Any, dx: Image) -> Pooled:
        return array_namespace(x).sum(self._first(x) * self._windows(dx), axis=3)

    def _first(self, x: Array) -> Array:
        """Return 1 at the first of the largest entries of each window, 0 elsewhere."""
        xp = array_namespace(x)
        first = xp.argmax(self._windows(x), axis=3, keepdims=True)
        places = xp.arange(prod(self.size), dtype=first.dtype, device=x.device)
        return xp.astype(first == xp.reshape(places, (-1, 1)), x.dtype)
