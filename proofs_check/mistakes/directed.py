"""Mistakes in P(x | h), and in the sum over h."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from scipy.special import expit, logsumexp

from ...reference.directed import belief, dbn, dbn_bound, mixtures, products
from ...reference.directed.kinds import Kind
from ...reference.directed.layers import Sigmoid, SigmoidKind
from ...reference.directed.mixtures import Likelihoods
from ...reference.states import binary_states
from . import Wrong, mistake
from .patterns import instead, negated, scaled

Array = Any
Pieces: TypeAlias = Mapping[Callable[..., Any], Wrong]


def states(units: int) -> Array:
    """Return all states of some units, the first the most significant."""
    return binary_states(units, like=np.zeros(0))


# --- P(x | h) ---------------------------------------------------------------------------------------------


def given_h(log_bits: Callable[[Array, Array], Array]) -> Pieces:
    """Another log P(x | h) of rows of x and of logits that broadcast, summed over the units."""

    def log_rows(right: Any, self: Any, layer: Any, x: Array) -> Array:
        return log_bits(x[:, None, :], states(layer.W.shape[1]) @ layer.W.T + layer.b)

    return {
        SigmoidKind.log_rows: log_rows,
        SigmoidKind.factors: lambda right, self, layer, x: Kind.factors(self, layer, x),
        products.log_bits_of_rows: instead(log_bits),
    }


def log_bits(x: Array, logits: Array) -> Array:
    """Return log P(x | h), with nothing wrong."""
    return -np.sum(x * np.logaddexp(0, -logits) + (1 - x) * np.logaddexp(0, logits), axis=-1)


ZEROS_IGNORED = "zeros-ignored: Only the units that are one count: (1 - x) log(1 - p) is missing."
UNITS_AVERAGED = (
    "units-averaged: "
    "The units' terms are averaged where they are to be summed: log P(x | h) is too small by their number."
)
SIGMOID_TWICE = (
    "sigmoid-taken-twice: The sigmoid is taken twice: probabilities are given to a loss that expects logits."
)
SQUARED_ERROR = "squared-error: Minus the squared error stands for the log-likelihood."


def zeros_ignored(x: Array, logits: Array) -> Array:
    """Return the terms of the ones."""
    return -np.sum(x * np.logaddexp(0, -logits), axis=-1)


def units_averaged(x: Array, logits: Array) -> Array:
    """Return the mean over the units."""
    return log_bits(x, logits) / x.shape[-1]


def sigmoid_twice(x: Array, logits: Array) -> Array:
    """Return log P(x | h) for means as logits."""
    return log_bits(x, expit(logits))


def squared_error(x: Array, logits: Array) -> Array:
    """Return minus the squared error."""
    return -np.square(x - expit(logits)).sum(axis=-1)


mistake(ZEROS_IGNORED, given_h(zeros_ignored))
mistake(UNITS_AVERAGED, given_h(units_averaged))
mistake(SIGMOID_TWICE, given_h(sigmoid_twice))
mistake(SQUARED_ERROR, given_h(squared_error))

# --- the sum over h ---------------------------------------------------------------------------------------

MEANS_FOR_SUM = "hidden-means-for-sum: Hidden means stand inside log P(x | h) where the sum over h belongs."
SUM_OUTSIDE = (
    "sum-outside-the-logarithm: "
    "Logarithms are summed over h: the mean of log P(x | h) stands for the log of its mean."
)
BEST_STATE = (
    "best-state-for-sum: The best state h stands for the sum over all: a maximum inside the logarithm."
)
NO_LOGARITHM = (
    "logarithm-missing: The logarithm is missing: the value, or gradient, is that of the sum over h itself."
)
LAW_DROPPED = "law-of-hidden-dropped: The law of h is dropped: P(x | h) is summed over all states without it."
LAW_UNIFORM = (
    "law-of-hidden-uniform: "
    "All states h count alike: P(x | h) is averaged over them instead of weighted by the law of h."
)


def summed(wrong: Callable[[Array, Array], Array]) -> Pieces:
    """Another sum over h, of log P(x | h) (n, S) and log Q (S,)."""

    def of_logs(right: Any, p: Likelihoods, log_Q: Array) -> Array:
        log_p = p.s[:, :, None] + p.t[:, None, :] + p.r
        return wrong(log_p.reshape(len(log_p), -1), log_Q)

    return {mixtures.log_mixture_of_logs: of_logs}


class _Of(Likelihoods):
    """Likelihoods that know of what they are."""

    layer: Any
    x: Array


def _known(right: Any, layer: Any, x: Array) -> Likelihoods:
    known = _Of(*right(layer, x))
    known.layer, known.x = layer, x
    return known


def _at_means(right: Any, p: Any, log_Q: Array) -> Array:
    layer = getattr(p, "layer", None)
    if not isinstance(layer, Sigmoid):
        return right(p, log_Q)
    return log_bits(p.x, np.exp(log_Q) @ states(layer.W.shape[1]) @ layer.W.T + layer.b)


def _reconstructed_from_means(right: Any, theta: Any, v: Array) -> Array:
    """The bound with log P(x | E_q h) in place of E_q log P(x | h)."""
    total, law, below = right(theta, v), np.eye(len(v)), v
    for down, up in zip(theta.generative, theta.recognition, strict=True):
        h = states(len(up.b))
        q = np.exp(log_bits(h, dbn.inputs(up, below)[:, None, :]))
        each = np.sum(q * log_bits(below[:, None, :], dbn.inputs(down, h)), axis=1)
        total = total + law @ (log_bits(below, dbn.inputs(down, q @ h)) - each)
        law, below = law @ q, h
    return total


mistake(
    MEANS_FOR_SUM,
    {
        mixtures.likelihoods: _known,
        mixtures.log_mixture_of_logs: _at_means,
        dbn_bound.bound_log_likelihood: _reconstructed_from_means,
    },
)
mistake(
    SUM_OUTSIDE,
    summed(lambda log_p, log_Q: np.maximum(log_p, -1e300) @ np.exp(log_Q)),
)
mistake(BEST_STATE, summed(lambda log_p, log_Q: np.max(log_p + log_Q, axis=1)))
mistake(NO_LOGARITHM, summed(lambda log_p, log_Q: np.exp(logsumexp(log_p + log_Q, axis=1))))


def _with_law(law: Callable[[Array], Array]) -> Wrong:
    return lambda right, p, Q: right(p, law(Q))


def _reversed(Q: Array) -> Array:
    """Return the masses of the states whose units are read from the last to the first."""
    units = len(Q).bit_length() - 1
    return Q[(states(units) @ 2.0 ** np.arange(units)).astype(int)] if len(Q) == 2**units else Q


mistake(
    "units-in-reverse: "
    "The states are numbered with the first unit least significant: P(h) goes to the wrong states.",
    {mixtures.log_mixture: _with_law(_reversed)},
)

DROPPED: Pieces = {mixtures.log_mixture: _with_law(np.ones_like)}
UNIFORM: Pieces = {mixtures.log_mixture: _with_law(lambda Q: np.full_like(Q, 1 / len(Q)))}
"""The law of h, as far as it is given as a table: the law of a machine on top is in ``directed_nets``."""

# --- values as a whole ------------------------------------------------------------------------------------

WRONG_SIGN = (
    "wrong-sign: The sign is wrong: a loss stands for the log-likelihood, or its gradient for ascent."
)
BITS_FOR_NATS = "bits-for-nats: The logarithm is to base two: bits where nats belong."


def _values(wrong: Wrong) -> Pieces:
    functions = (
        mixtures.log_mixture,
        belief.log_likelihood,
        dbn_bound.bound_log_likelihood,
        dbn.log_joint,
    )
    return dict.fromkeys(functions, wrong)


mistake(WRONG_SIGN, _values(negated()))
mistake(BITS_FOR_NATS, _values(scaled(1 / np.log(2))))
