"""Mistakes in annealing from q(h | x) to the joint law of a layer and the machine on top."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import expit

from ...backends.streams import as_stream
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import annealed
from ...reference.directed.layers import Sigmoid
from . import mistake
from .directed import log_bits
from .patterns import instead

Array = Any


def _log_joint(layer: Sigmoid, top: RBM, x: Array, h: Array) -> Array:
    below = log_bits(x, h @ layer.W.T + layer.b)
    return below + h @ top.b + np.logaddexp(0, h @ top.W + top.c).sum(axis=1)


def _moved_first(
    right: Any, layer: Sigmoid, top: RBM, x: Array, *, betas: Any, rng: Any, **options: Any
) -> Any:
    stream, q = as_stream(rng, like=x), options["logits"]
    run = right(layer, top, x, betas=[0.0, 1.0], rng=stream, **options)
    h, log_w = run.h[:, 0, :], 0 * run.log_weights
    for here, there in pairwise(betas):
        h = annealed.sweep(layer, top, x, h, logits=q, beta=there, stream=stream)
        log_w = log_w + (there - here) * (_log_joint(layer, top, x, h) - log_bits(h, q))[:, None]
    return run._replace(log_weights=log_w)


def _at_once(
    layer: Sigmoid, top: RBM, x: Array, h: Array, *, logits: Array, beta: float, stream: Any
) -> Array:
    drawn = []
    for j in range(h.shape[1]):
        on, off = (
            np.concatenate([h[:, :j], 0 * h[:, j : j + 1] + bit, h[:, j + 1 :]], axis=1) for bit in (1, 0)
        )
        gain = _log_joint(layer, top, x, on) - _log_joint(layer, top, x, off)
        drawn.append(stream.bernoulli(expit((1 - beta) * logits[:, j] + beta * gain)))
    return np.stack(drawn, axis=1)


mistake(
    "moved-before-weighed: A state is moved before it is weighed.",
    {annealed.ais: _moved_first},
)
mistake(
    "all-units-at-once: All units of h are drawn given the others' old values, as if they were independent.",
    {annealed.sweep: instead(_at_once)},
)
mistake(
    "moved-by-the-datum-alone: The units of h are drawn without the biases of the machine on top.",
    {
        annealed.sweep: lambda right, layer, top, *rest, **options: right(
            layer, top._replace(b=0 * top.b), *rest, **options
        )
    },
)
mistake(
    "log-weights-averaged: The mean of log weights is taken, and log Z left out.",
    {annealed.log_likelihood_below: instead(lambda run, log_z: run.log_weights.mean(axis=1))},
)
