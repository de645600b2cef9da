"""The oracle of directed models: the joint table of all layers, multiplied out; complex parameters welcome.

Of a deep belief net it is a table of logarithms, an axis for each layer of units; a directed layer is there a
machine of which only p(v | h) is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid, Table
from . import boltzmann
from .boltzmann import states

Numbers = Any

# --- any layers -------------------------------------------------------------------------------------------


def bits(inputs: Numbers, h: Numbers) -> Numbers:
    """Return prod_j s(a_j)^h_j s(-a_j)^(1 - h_j) for rows a of inputs and rows h of bits, (n, m)."""
    on, off = 1 / (1 + np.exp(-inputs)), 1 / (1 + np.exp(inputs))
    return np.where(h[None] == 1, on[:, None, :], off[:, None, :]).prod(axis=2)


def conditional(layer: Any) -> Numbers:
    """Return P(x | h), states below by states above, from a table or from sigmoid units one by one."""
    if isinstance(layer, Table):
        weights = np.exp(layer.logits - layer.logits.real.max(axis=0))
        return weights / weights.sum(axis=0)
    x, h = (states(n) for n in layer.W.shape)
    return bits(h @ layer.W.T + layer.b, x).T


def joint(net: Any) -> Numbers:
    """Return P(x, h1, ...), an axis for each layer."""
    table = conditional(net[0])
    for layer in net[1:]:
        table = table[..., None] * conditional(layer)
    return table[..., 0]


def log_or_zero(law: Numbers) -> Numbers:
    """Return log law, zero where the law is."""
    return np.log(np.where(law > 0, law, 1.0))


# --- deep belief nets -------------------------------------------------------------------------------------


def log_given(layer: Sigmoid) -> Numbers:
    """Return log P(x | h) of a directed layer, (states of h, states of x)."""
    return boltzmann.log_down(RBM(layer.W, layer.b, 0 * layer.W[0]))


def log_joint(theta: DBN) -> Numbers:
    """Return log p(v, h1, ..., hL), an axis of states for each layer of units."""
    table = boltzmann.minus_energy(theta.top) - boltzmann.log_partition(theta.top)
    for layer in reversed(theta.generative):
        given = log_given(layer).T
        table = given.reshape(given.shape + (1,) * (table.ndim - 1)) + table
    return table


def log_marginal(table: Numbers, *kept: int) -> Numbers:
    """Return the log law of some layers of units."""
    gone = tuple(axis for axis in range(table.ndim) if axis not in kept)
    return boltzmann.log_sum(table, gone).squeeze(gone) if gone else table


def rows_of(table: Numbers, v: Numbers) -> Numbers:
    """Return the rows of a table over all v that belong to the given ones."""
    return table[[boltzmann.row(x) for x in v]]


def bound(theta: DBN) -> Numbers:
    """Return the bound of log p(v) by the net's own recognition, of all v, from joint tables."""
    log_q = np.zeros(2 ** (theta.generative[0] if theta.generative else theta.top).W.shape[0])
    for up in theta.recognition:  # log q(h1, ..., h^(L-1) | v), an axis more for each layer
        log_q = log_q[..., None] + log_given(up)
    log_p = log_marginal(log_joint(theta), *range(log_q.ndim))
    return (np.exp(log_q) * (log_p - log_q)).sum(axis=tuple(range(1, log_q.ndim)))


def kl(q: Numbers, p: Numbers) -> Numbers:
    """Return KL(q || p) of each row."""
    return np.where(q > 0, q * (log_or_zero(q) - np.log(p)), 0.0).sum(axis=-1)
