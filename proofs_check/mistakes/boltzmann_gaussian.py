"""Mistakes in the Gaussian-Bernoulli machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference.boltzmann import gaussian
from ...reference.boltzmann.rbm import RBM
from ...reference.numerics import sigmoid
from ...reference.trees import add
from . import mistake
from .boltzmann import transposed
from .patterns import given, returning, without


def _spread(right: Callable[..., Any], theta: RBM, h: Array, *, rng: Any) -> Array:
    mean = gaussian.mean_visible(theta, h)
    return mean + 2**0.5 * (right(theta, h, rng=rng) - mean)


def _transposed(theta: RBM) -> RBM:
    square = theta.W.shape[0] == theta.W.shape[1]
    return theta._replace(W=transposed(theta.W) if square else -theta.W)


mistake(
    "sigmoid-left-in: The mean of a Gaussian unit goes through the sigmoid of a binary one.",
    {gaussian.mean_visible: returning(sigmoid)},
)
mistake(
    "hidden-bias-for-visible: The hidden biases stand where the visible ones belong.",
    {
        gaussian.mean_visible: lambda right, theta, h: (
            right(theta, h) - theta.b + array_namespace(h).sum(theta.c)
        )
    },
)
mistake("variance-doubled: A Gaussian unit has the variance two.", {gaussian.sample_visible: _spread})
mistake(
    "mean-for-normal: The mean of a Gaussian unit stands for a draw.",
    {gaussian.sample_visible: lambda right, theta, h, *, rng: gaussian.mean_visible(theta, h)},
)
mistake(
    "gaussian-transposed: The weights enter the energy transposed.", {gaussian.energy: given(_transposed)}
)
mistake(
    "quadratic-term-not-halved: The square of v - b is not halved.",
    {
        gaussian.energy: lambda right, theta, v, h: (
            right(theta, v, h) + array_namespace(v).sum((v - theta.b) ** 2, axis=1) / 2
        )
    },
)
mistake(
    "gaussian-without-hidden-bias: The hidden biases are left out of the energy.",
    {gaussian.energy: given(without("c"))},
)
mistake(
    "statistics-not-centred: The visible bias is moved by v, not by v - b.",
    {
        gaussian.log_likelihood_grad: lambda right, theta, v: (lambda g: g._replace(b=g.b + theta.b))(
            right(theta, v)
        )
    },
)
mistake(
    "gaussian-negative-phase-missing: Only the statistics of the data are left.",
    {
        gaussian.log_likelihood_grad: lambda right, theta, v: add(
            right(theta, v), gaussian.model_statistics(theta)
        )
    },
)
mistake(
    "gaussian-constant-missing: Z lacks the constant of the Gaussian, the square root of 2 pi.",
    {gaussian.log_partition: returning(lambda log_z: log_z - math.log(2 * math.pi) / 2)},
)
