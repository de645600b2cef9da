r"""Batch normalisation, :math:`y = g z + b,\ z = (x - m) / s,\ s = \sqrt{v + \epsilon}`, in its two modes.

In training m and v are the mean and variance of the batch, so that rows interact and none has a gradient of
its own; in evaluation they are given.  Units are the last axis; rows, and pixels, are averaged over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ..contracts import NotNegative, Real, checked
from .layers import Layer


class Scale(NamedTuple):
    """The parameters of batch normalisation in training; its gradient is a Scale too."""

    gain: Real[Array, "units"]
    bias: Real[Array, "units"]


class Normalisation(NamedTuple):
    """The parameters of batch normalisation in evaluation: a Scale, and moments that training averaged."""

    gain: Real[Array, "units"]
    bias: Real[Array, "units"]
    mean: Real[Array, "units"]
    variance: NotNegative[Array, "units"]


Batch: TypeAlias = Real[Array, "*pixels units"]


@checked
def moments(x: Batch) -> tuple[Real[Array, "units"], NotNegative[Array, "units"]]:
    """Return the mean and the mean squared deviation of each unit of a batch.   Exactness: exact."""
    mean = _mean(x)
    return mean, _mean((x - mean) ** 2)


@dataclass(frozen=True)
class BatchNorm(Layer):
    """In training: normalised by the moments of the batch.

    .. math:: dz = (dx - \\overline{dx} - z\\, \\overline{z\\, dx}) / s
    """

    epsilon: float
    has_parameters = True

    def mixes_rows(self) -> bool:
        return True

    def values(self, theta: Scale, x: Batch) -> Batch:
        return theta.gain * _normal(x, *moments(x), self.epsilon)[0] + theta.bias

    def pullback(self, theta: Scale, x: Batch, y: Batch, dy: Batch) -> tuple[Scale, Batch]:
        z, _ = _normal(x, *moments(x), self.epsilon)
        return Scale(_sum(dy * z), _sum(dy)), self._slope(x, theta.gain * dy)

    def pushforward(self, theta: Scale, x: Batch, y: Batch, dtheta: Scale, dx: Batch) -> Batch:
        z, _ = _normal(x, *moments(x), self.epsilon)
        return theta.gain * self._slope(x, dx) + dtheta.gain * z + dtheta.bias

    def _slope(self, x: Array, d: Array) -> Array:
        """Return the derivative of z along d; it is symmetric."""
        z, s = _normal(x, *moments(x), self.epsilon)
        return (d - _mean(d) - z * _mean(z * d)) / s


@dataclass(frozen=True)
class BatchNormAt(Layer):
    """In evaluation: normalised by given moments, so affine in x, unit by unit."""

    epsilon: float
    has_parameters = True

    def values(self, theta: Normalisation, x: Batch) -> Batch:
        return theta.gain * _normal(x, *theta[2:], self.epsilon)[0] + theta.bias

    def pullback(self, theta: Normalisation, x: Batch, y: Batch, dy: Batch) -> tuple[Normalisation, Batch]:
        _, s = _normal(x, *theta[2:], self.epsilon)
        return Normalisation(*map(_sum, self._shares(theta, x, dy))), theta.gain * dy / s

    def pushforward(
        self, theta: Normalisation, x: Batch, y: Batch, dtheta: Normalisation, dx: Batch
    ) -> Batch:
        z, s = _normal(x, *theta[2:], self.epsilon)
        dz = (dx - dtheta.mean) / s - z * dtheta.variance / (2 * s**2)
        return theta.gain * dz + dtheta.gain * z + dtheta.bias

    def squared_norms(self, theta: Normalisation, x: Batch, y: Batch, dy: Batch) -> Normalisation:
        return Normalisation(*map(_row_squares, self._shares(theta, x, dy)))

    def _shares(self, theta: Normalisation, x: Array, dy: Array) -> tuple[Array, ...]:
        """Return what each row and pixel contributes to the gradient of each field."""
        z, s = _normal(x, *theta[2:], self.epsilon)
        dz = theta.gain * dy
        return dy * z, dy, -dz / s, -dz * z / (2 * s**2)


def _normal(x: Array, mean: Array, variance: Array, epsilon: float) -> tuple[Array, Array]:
    """Return z and s."""
    s = array_namespace(x).sqrt(variance + epsilon)
    return (x - mean) / s, s


def _sum(x: Array) -> Array:
    return array_namespace(x).sum(x, axis=tuple(range(x.ndim - 1)))


def _mean(x: Array) -> Array:
    return array_namespace(x).mean(x, axis=tuple(range(x.ndim - 1)))


def _row_squares(shares: Array) -> Array:
    """Return, of each row, the squared norm of what its pixels add up to."""
    xp = array_namespace(shares)
    pixels = tuple(range(1, shares.ndim - 1))
    return xp.sum((xp.sum(shares, axis=pixels) if pixels else shares) ** 2, axis=1)
