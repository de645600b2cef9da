"""Mistakes in gradient methods, in the gradients that they are given, and in the loop that fits."""

from __future__ import annotations

from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference import optimizers
from ...reference.networks import errors, layers
from ...reference.training import fit as fitting
from . import Wrong, mistake
from .patterns import given, returning, scaled

Optimizer = optimizers.Optimizer


def _other_way(right: Any, self: Any, state: Any, theta: Any, gradient: Any, sign: int) -> Any:
    return right(self, state, theta, gradient, -sign)


def _with_rate(factor: float) -> Wrong:
    return given(lambda rate: lambda t: factor * (rate(t) if callable(rate) else rate))


def _first_alone(right: Any, logits: Array, target: Array) -> Array:
    return right(logits, array_namespace(target).broadcast_to(target[:1, :], target.shape))


mistake("wrong-way: Steps raise what they should lower.", {Optimizer._step: _other_way})
mistake("half-the-rate: Steps are half as long.", {optimizers.sgd: _with_rate(0.5)})
mistake("nine-times-the-rate: The rate is beyond what converges.", {optimizers.sgd: _with_rate(9.0)})
mistake(
    "prediction-for-gradient: The gradient in the logits is the softmax, without the target.",
    {errors.softmax_cross_entropy_grad: lambda right, logits, target: layers.softmax(logits)},
)
mistake(
    "minibatch-averaged: The gradient is averaged over the minibatch, not summed.",
    {errors.softmax_cross_entropy_grad: scaled(lambda logits, target: 1 / target.shape[0])},
)
mistake(
    "first-point-repeated: All points of a minibatch are its first one.",
    {errors.softmax_cross_entropy_grad: _first_alone},
)
mistake(
    "last-called-best: The latest parameters are called the best.",
    {fitting._judge: lambda right, state, score: right(state, None)},
)
mistake(
    "loss-called-a-score: The best parameters are those of the lowest score.",
    {fitting._judge: lambda right, state, score: right(state, lambda theta: -score(theta))},
)
mistake("never-stops: Patience does not end.", {fitting._stalled: returning(lambda _: False)})
