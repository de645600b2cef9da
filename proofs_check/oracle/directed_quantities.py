"""What every quantity of layers and of deep belief nets is: sums over all states, one layer after the other.

Every formula takes complex parameters, so that its derivative is exact by the complex step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from ...reference.directed.dbn import DBN
from .boltzmann_quantities import states

Array = Any


def softplus(a: Array) -> Array:
    """Return log(1 + e^a) of real or complex numbers of any size."""
    positive = np.real(a) > 0
    return np.where(positive, a, 0) + np.log1p(np.exp(np.where(positive, -a, a)))


def sigmoid(a: Array) -> Array:
    """Return 1 / (1 + e^-a)."""
    return np.exp(-softplus(-a))


def log_sum(a: Array, axis: int) -> Array:
    """Return log sum exp along an axis."""
    top = np.max(np.real(a), axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.sum(np.exp(a - top), axis=axis))


def log_bits(x: Array, logits: Array) -> Array:
    """Return the log-probability of bits, summed over the units; x and logits broadcast."""
    return np.sum(x * logits - softplus(logits), axis=-1)


def generate(layer: Any, h: Array) -> Array:
    """Return the logits below of a directed layer."""
    return h @ layer.W.T + layer.b


# --- a latent variable under a table


def data_incorporation(P_x_given_h: Array, P_h: Array, weights: Array) -> Array:
    """Return the mean posterior."""
    joint = P_x_given_h * P_h
    return weights @ (joint / joint.sum(axis=1, keepdims=True))


def mixture_log_likelihood(layer: Any, P_h: Array, x: Array) -> Array:
    """Return log sum_h P(x | h) P(h) of each row."""
    return log_sum(log_bits(x[:, None], generate(layer, states(layer.W.shape[1]))) + np.log(P_h), 1)


# --- deep belief nets


def minus_energy(top: RBM, h: Array, g: Array) -> Array:
    """Return -E of pairs that broadcast, units along the last axis."""
    return np.sum((h @ top.W) * g, axis=-1) + h @ top.b + g @ top.c


def log_partition(top: RBM) -> Array:
    """Return log Z over all pairs of states."""
    h, g = states(len(top.b)), states(len(top.c))
    return log_sum(minus_energy(top, h[:, None], g[None]).reshape(-1), 0)


def log_top(top: RBM, h: Array) -> Array:
    """Return log p(h) of the top machine's visible layer."""
    return log_sum(minus_energy(top, h[:, None], states(len(top.c))[None]), 1) - log_partition(top)


def log_joint(theta: DBN, layers: tuple[Array, ...]) -> Array:
    """Return log p(x, h1, ..., hL) of each row."""
    total = minus_energy(theta.top, *layers[-2:]) - log_partition(theta.top)
    for layer, (below, above) in zip(theta.generative, pairwise(layers), strict=False):
        total = total + log_bits(below, generate(layer, above))
    return total


def log_likelihood(theta: DBN, x: Array) -> Array:
    """Return log p(x) of each row, summed from the top downwards."""
    above = states(len(theta.top.b))
    log_law = log_top(theta.top, above)
    for k in reversed(range(len(theta.generative))):
        layer = theta.generative[k]
        below = states(len(layer.b)) if k else x
        log_law, above = log_sum(log_bits(below[:, None], generate(layer, above)) + log_law, 1), below
    return log_law


def bound(theta: DBN, x: Array) -> Array:
    """Return E_q[log p(x, h1, ...) - log q(h1, ... | x)] of each row, from the table of all hidden states."""
    sizes = [len(layer.b) for layer in theta.recognition]
    ends = np.cumsum(sizes)
    hidden = states(int(ends[-1]))
    hs = [hidden[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]
    log_p, log_q = log_top(theta.top, hs[-1]), 0.0
    for k, layer in enumerate(theta.generative[1:], start=1):
        log_p = log_p + log_bits(hs[k - 1], generate(layer, hs[k]))
        log_q = log_q + log_bits(hs[k], generate(theta.recognition[k], hs[k - 1]))
    log_p = log_p + log_bits(x[:, None], generate(theta.generative[0], hs[0]))
    log_q = log_q + log_bits(hs[0], generate(theta.recognition[0], x)[:, None])
    return np.sum(np.exp(log_q) * (log_p - log_q), axis=1)
