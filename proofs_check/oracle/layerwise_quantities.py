"""What every quantity of an auto-encoder is: sums over all states of h, and complex steps.

Its parameters are an ``AutoEncoder`` with one generative layer or, where the weights are tied, an ``RBM``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from .boltzmann_quantities import states
from .derivative import derivative
from .directed_quantities import log_bits, log_sum, sigmoid

Array = Any
Coder = Any


def code(theta: Coder, x: Array) -> Array:
    """Return the logits of q(h | x)."""
    if isinstance(theta, RBM):
        return x @ theta.W + theta.c
    *below, last = theta.inference
    for layer in below:
        x = sigmoid(x @ layer.W + layer.b)
    return x @ last.W + last.b


def decode(theta: Coder, h: Array) -> Array:
    """Return the logits of P(x | h)."""
    if isinstance(theta, RBM):
        return h @ theta.W.T + theta.b
    (layer,) = theta.generative
    return h @ layer.W + layer.b


def all_states(theta: Coder) -> Array:
    """Return all states of h."""
    return states(len(theta.c) if isinstance(theta, RBM) else len(theta.generative[0].W))


def log_q(theta: Coder, x: Array) -> Array:
    """Return log q(h | x) of all h."""
    return log_bits(all_states(theta), code(theta, x)[:, None])


def log_sum_pass(theta: Coder, x: Array, **_: str) -> Array:
    """Return log sum_h P(x | h) q(h | x) of each row."""
    return log_sum(log_bits(x[:, None], decode(theta, all_states(theta))) + log_q(theta, x), 1)


def log_mean_pass(theta: Coder, x: Array, **_: str) -> Array:
    """Return log P(x | E_q h) of each row."""
    return log_bits(x, decode(theta, sigmoid(code(theta, x))))


def criterion(theta: Coder, x: Array, weights: Array, **_: str) -> Array:
    """Return the mean over the data of log sum_h P(x | h) q(h | x) P_D(x)."""
    return weights @ (log_sum_pass(theta, x) + np.log(weights))


def gradient_of(f: Callable[..., Array]) -> Callable[..., Coder]:
    """Return the gradient of the mean of f over the rows, by theta."""
    return lambda theta, *given, **_: derivative(lambda moved: np.mean(f(moved, *given, **_)), theta)


def mean_sampled_grad(theta: Coder, x: Array, **_: str) -> Coder:
    """Return the mean over draws of the gradient of log P(x | h), h moving as its mean does."""
    h, mean = all_states(theta), sigmoid(code(theta, x))
    q = np.exp(log_q(theta, x))

    def moved(other: Coder) -> Array:
        shift = sigmoid(code(other, x)) - mean
        return np.mean(np.sum(q * log_bits(x[:, None], decode(other, h + shift[:, None])), axis=1))

    return derivative(moved, theta)
