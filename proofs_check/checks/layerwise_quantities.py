"""The quantities of auto-encoders that code may offer, by sums over all states of h and complex steps.

``theta`` is the reference's ``AutoEncoder`` (``inference``: a ``Dense`` each for any number of layers, W
(inputs, outputs), b; ``generative``: one), or with ``tied_weights=yes`` an RBM, whose W infers and generates.
A gradient is built as ``theta`` is, the mean over the rows, and ascends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...backends.streams import Rng
from ...reference.boltzmann.rbm import RBM
from ...reference.layerwise import passes, stacks
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from ..oracle import layerwise_quantities as oracle
from ..oracle.derivative import derivative
from ..quantity import Ask, mean_of, quantity
from .directed_quantities import law, random, rows, sizes

Array = Any
Coder = AutoEncoder | RBM


def _auto_encoder(v: int, h: int, scale: float) -> AutoEncoder:
    """Return a vanilla one, untied, or (where there are three units) one with a layer in between."""
    up: tuple[Dense, ...] = (Dense(random(v, h, seed=4), random(h)),)
    if v == 3:
        up = (Dense(random(v, 4), random(4)), Dense(random(4, h), random(h)))
    return AutoEncoder(up, (Dense(random(h, v, scale=scale), random(v)),))


def _tied(v: int, h: int, scale: float) -> RBM:
    return RBM(random(v, h, scale=scale), random(v), random(h, seed=4))


def _coders(*, weighted: bool = False, few: bool = False) -> list[Ask]:
    """Return auto-encoders, and machines that are asked of code whose weights are tied."""
    asks = []
    for make, tied in ((_auto_encoder, "no"), (_tied, "yes")):
        for name, (v, h, scale) in list(sizes().items())[: 4 if few else None]:
            if tied == "yes" and scale > 1:  # inference is not to saturate
                continue
            x = rows(v)[: 2 if few else None]
            given = {"theta": make(v, h, scale), "x": x}
            given |= {"weights": law(len(x))} if weighted else {}
            words = f"{name}, tied" if tied == "yes" else name
            asks.append(Ask(words, {**given, "tied_weights": tied}))
    return asks


def _of_either(function: Callable[..., Any], theta: Coder, *given: Any, **options: Any) -> Any:
    """Return a function of an auto-encoder, or of tied weights: a gradient adds up their two uses."""
    if not isinstance(theta, RBM):
        return function(theta, *given, **options)
    found = function(stacks.untie(theta), *given, **options)
    return stacks.tied_grad(found) if isinstance(found, AutoEncoder) else found


@quantity(
    "AO.eq25",
    cases=_coders(),
    expected=oracle.log_sum_pass,
    rejects=("hidden-means-for-sum", "best-state-for-sum", "law-of-hidden-dropped", "wrong-sign"),
)
def log_sum_pass(theta: Coder, x: Array, *, tied_weights: str = "no") -> Array:
    """log sum_h P(x | h) q(h | x) of each row"""
    return _of_either(passes.log_sum_pass, theta, x)


@quantity(
    "AO.fn3",
    cases=_coders(),
    expected=oracle.log_mean_pass,
    rejects=("units-averaged", "sigmoid-taken-twice", "hidden-rounded", "zeros-ignored", "squared-error"),
)
def log_mean_pass(theta: Coder, x: Array, *, tied_weights: str = "no") -> Array:
    """log P(x | E_q h) of each row"""
    return _of_either(passes.log_mean_pass, theta, x)


@quantity(
    "AO.fn3",
    cases=_coders(few=True),
    expected=lambda x, **_: np.ones(len(x)),
    observe=mean_of(
        lambda theta, x, **_: lambda log_p: np.exp(log_p - oracle.log_sum_pass(theta, x)), by_case=True
    ),
    rejects=("means-for-samples", "thresholded", "inverted-comparison", "weights-tied"),
)
def log_sampled_pass(theta: Coder, x: Array, *, rng: Rng, tied_weights: str = "no") -> Array:
    """log P(x | h) of each row, h drawn from q"""
    return _of_either(passes.log_sampled_pass, theta, x, rng=rng)[0]


@quantity(
    "AO.eq25",
    cases=_coders(weighted=True),
    expected=oracle.criterion,
    over_rows=True,
    rejects=("data-factor-missing", "logarithm-of-the-sum", "sum-for-mean", "data-factor-outside"),
)
def autoencoder_criterion(theta: Coder, x: Array, weights: Array, *, tied_weights: str = "no") -> Array:
    """mean of log sum_h P(x | h) q(h | x) P_D(x)"""
    return _of_either(passes.criterion, theta, x, weights=weights)


@quantity(
    "AO.eq25",
    cases=_coders(),
    expected=oracle.gradient_of(oracle.log_sum_pass),
    over_rows=True,
    rejects=("inference-for-posterior", "code-slope-included", "hidden-means-for-sum"),
)
def log_sum_pass_grad(theta: Coder, x: Array, *, tied_weights: str = "no") -> Coder:
    """the gradient of the mean of log_sum_pass"""
    gradient: Coder = _of_either(passes.log_sum_pass_grad, theta, x)
    return gradient


@quantity(
    "AO.fn3",
    cases=_coders(),
    expected=oracle.gradient_of(oracle.log_mean_pass),
    over_rows=True,
    rejects=("output-slope-included", "hidden-slope-missing", "gradient-stops-at-hidden", "sum-for-mean"),
)
def log_mean_pass_grad(theta: Coder, x: Array, *, tied_weights: str = "no") -> Coder:
    """that of log_mean_pass: backpropagation"""
    gradient: Coder = _of_either(passes.log_mean_pass_grad, theta, x)
    return gradient


@quantity(
    "AO.fn3",
    cases=_coders(few=True),
    expected=oracle.mean_sampled_grad,
    observe=mean_of(lambda gradient: gradient),
    over_rows=True,
    rejects=("means-for-samples", "thresholded", "hidden-slope-missing"),
)
def log_sampled_pass_grad(theta: Coder, x: Array, *, rng: Rng, tied_weights: str = "no") -> Coder:
    """that of log_sampled_pass for h as drawn; for inference by the derivative of h's mean"""
    gradient: Coder = _of_either(passes.log_sampled_pass_grad, theta, x, rng=rng)
    return gradient


@quantity(
    "AO.eq25",
    cases=_coders(weighted=True),
    expected=lambda theta, x, weights, **_: derivative(
        lambda moved: oracle.criterion(moved, x, weights), theta
    ),
    over_rows=True,
    rejects=("uniform-data-weights", "logarithm-of-the-sum", "data-factor-outside", "sum-for-mean"),
)
def autoencoder_criterion_grad(theta: Coder, x: Array, weights: Array, *, tied_weights: str = "no") -> Coder:
    """the gradient of the criterion"""
    gradient: Coder = _of_either(passes.log_sum_pass_grad, theta, x, weights=weights)
    return gradient
