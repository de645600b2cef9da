"""Mistakes in losses, risks and the linear model that is solved exactly."""

from __future__ import annotations

from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference import losses
from . import Wrong, mistake
from .patterns import scaled


def _reduced(name: str, *, axis: int = -1) -> Wrong:
    return lambda right, terms: getattr(array_namespace(terms), name)(terms, axis=axis)


def _mean_of_losses(right: Any, terms: Array, regulariser: Array) -> Array:
    return right(terms / terms.shape[-1], regulariser)


def _diagonal(square: Array) -> Array:
    return array_namespace(square).linalg.diagonal(square)


def _last_point_dropped(right: Any, w: Array, x: Array, y: Array, *, penalty: float) -> Array:
    N = max(x.shape[0] - 1, 1)
    return right(w, x[:N, :], y[:N], penalty=penalty)


mistake("risk-summed: The empirical risk is a sum.", {losses.empirical_risk: _reduced("sum")})
mistake(
    "risk-over-parameters: The mean is taken over the parameters.",
    {losses.empirical_risk: _reduced("mean", axis=0)},
)
mistake(
    "risk-divided-by-n-minus-1: The mean over N points is divided by N - 1.",
    {losses.empirical_risk: scaled(lambda terms: terms.shape[-1] / max(terms.shape[-1] - 1, 1))},
)
mistake("smallest-loss: The smallest loss stands for their mean.", {losses.empirical_risk: _reduced("min")})
mistake("largest-loss: The largest loss stands for their mean.", {losses.empirical_risk: _reduced("max")})
mistake(
    "training-loss-averaged: The training loss averages the losses that it should sum.",
    {losses.training_loss: _mean_of_losses},
)
mistake(
    "regulariser-missing: The training loss has no regulariser.",
    {losses.training_loss: lambda right, terms, regulariser: right(terms, 0 * regulariser)},
)
mistake(
    "variance-for-precision: The penalty is the prior's variance, not its precision.",
    {losses.ridge_loss: lambda right, w, x, y, *, penalty: right(w, x, y, penalty=2 / penalty)},
)
mistake(
    "penalty-missing-in-gradient: The gradient leaves the penalty out.",
    {losses.ridge_grad: lambda right, w, x, y, *, penalty: right(w, x, y, penalty=0.0)},
)
mistake(
    "last-point-dropped: The last point of a minibatch is dropped.", {losses.ridge_grad: _last_point_dropped}
)
mistake(
    "gradient-averaged: The gradient of a sum of losses is that of their mean.",
    {losses.ridge_grad: lambda right, w, x, y, *, penalty: right(w, x, y, penalty=penalty) / x.shape[0]},
)
mistake(
    "penalty-missing-in-hessian: The Hessian leaves the penalty out.",
    {losses.ridge_hessian: lambda right, x, *, penalty: right(x, penalty=0.0)},
)
mistake(
    "hessian-averaged: The Hessian of a sum of losses is that of their mean.",
    {losses.ridge_hessian: scaled(lambda x, *, penalty: 1 / x.shape[0])},
)
mistake(
    "newton-on-the-diagonal: Newton's step divides by the diagonal of the Hessian.",
    {losses.newton_step: lambda right, theta, grad, hessian: theta - grad / _diagonal(hessian)},
)
mistake(
    "half-a-newton-step: Newton's step is half as long.",
    {losses.newton_step: lambda right, theta, grad, hessian: theta / 2 + right(theta, grad, hessian) / 2},
)
