"""Mistakes in auto-encoders: what they make of x, and backpropagation through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import entr, expit

from ...backends.streams import as_stream
from ...reference.boltzmann.rbm import RBM
from ...reference.layerwise import passes, stacks
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense, Logistic
from ...reference.networks.nets import forward, pullback
from ...reference.trees import add, scale
from . import Wrong, directed, mistake
from .directed import Pieces, given_h, states
from .layerwise import each_gradient, uniform
from .patterns import given, instead, returning

Array = Any

# --- P(x | h) ---------------------------------------------------------------------------------------------


def errors(error: Callable[[Array, Array], Array]) -> Pieces:
    """Another error at the outputs, of rows of x and of logits that broadcast."""

    def of_pairs(right: Any, layer: Dense, pairs: Array, below: Array) -> Dense:
        h = states(len(layer.W))
        miss = pairs[:, :, None] * error(below[:, None, :], h @ layer.W + layer.b)
        return Dense(np.einsum("sh,nsv->hv", h, miss), miss.sum(axis=(0, 1)))

    return {passes.output_error: instead(error), passes._generative_grad: of_pairs}


def _delta(x: Array, logits: Array) -> Array:
    return (x - expit(logits)) * expit(logits) * expit(-logits)


mistake(
    directed.ZEROS_IGNORED,
    given_h(directed.zeros_ignored),
    errors(lambda x, logits: x * expit(-logits)),
)
mistake(
    directed.UNITS_AVERAGED,
    given_h(directed.units_averaged),
    errors(lambda x, logits: (x - expit(logits)) / x.shape[-1]),
)
mistake(
    directed.SIGMOID_TWICE,
    given_h(directed.sigmoid_twice),
    errors(lambda x, a: (x - expit(expit(a))) * expit(a) * expit(-a)),
)
mistake(directed.SQUARED_ERROR, given_h(directed.squared_error), errors(lambda x, a: 2 * _delta(x, a)))

# --- the sum over h ---------------------------------------------------------------------------------------


def _row_by_row(grad: Callable[..., Any]) -> Wrong:
    """The gradient of each row, of the right kind, weighed."""

    def wrong(right: Any, theta: Any, x: Array, *, weights: Array | None = None) -> Any:
        w = uniform(len(x)) if weights is None else weights
        total = scale(0.0, theta)
        for k in range(len(x)):
            total = add(total, scale(w[k], grad(theta, x[k : k + 1])))
        return total

    return wrong


def _outside(theta: AutoEncoder, x: Array) -> Array:
    log_p, log_joint = passes._log_joint(theta, x)
    return np.sum(np.exp(log_joint - log_p[-1]) * log_p[-1], axis=1)


def _outside_grad(theta: AutoEncoder, x: Array) -> AutoEncoder:
    """Return the gradient of the mean of E_q log P(x | h), its inference part by the score of q."""
    log_p, log_joint = passes._log_joint(theta, x)
    q = np.exp(log_joint - log_p[-1]) / len(x)
    return AutoEncoder(
        passes._of_states(theta, x, log_p, q * log_p[-1]).inference,
        passes._of_states(theta, x, log_p, q).generative,
    )


mistake(
    directed.MEANS_FOR_SUM,
    {
        passes.log_sum_pass: instead(passes.log_mean_pass),
        passes.log_sum_pass_grad: _row_by_row(passes.log_mean_pass_grad),
    },
)
mistake(
    directed.SUM_OUTSIDE,
    {passes.log_sum_pass: instead(_outside), passes.log_sum_pass_grad: _row_by_row(_outside_grad)},
)
mistake(
    directed.BEST_STATE,
    {
        passes.log_sum_pass: instead(lambda theta, x: passes._log_joint(theta, x)[1].max(axis=1)),
        passes._posterior: instead(lambda log_joint: np.eye(log_joint.shape[1])[log_joint.argmax(axis=1)]),
    },
)
mistake(
    directed.NO_LOGARITHM,
    {passes.log_sum_pass: returning(np.exp), passes._posterior: instead(np.exp)},
)
mistake(directed.LAW_DROPPED, {passes._log_inference: returning(np.zeros_like)})
mistake(
    directed.LAW_UNIFORM,
    {passes._log_inference: returning(lambda log_q: np.full_like(log_q, -np.log(log_q.shape[1])))},
)

# --- inference --------------------------------------------------------------------------------------------


def _tied(theta: AutoEncoder) -> AutoEncoder:
    """Return the auto-encoder that generates by the inference weights of each layer, transposed."""
    layers = zip(theta.generative, reversed(theta.inference), strict=False)
    return theta._replace(generative=tuple(down._replace(W=up.W.T) for down, up in layers))


def _through(
    theta: AutoEncoder, x: Array, hidden: Any, *, down: AutoEncoder, back: AutoEncoder
) -> AutoEncoder:
    """Return backpropagation where ``down`` generates, and errors go back through the weights of ``back``."""
    to_means, to_logits = passes._to_means(theta.inference), passes._to_logits(theta.generative)
    up = forward(to_means, theta.inference, x)
    values = forward(to_logits, down.generative, hidden(up[-1]))
    error = passes.output_error(x, values[-1]) / len(x)
    generative, error = pullback(to_logits, back.generative, values, error)
    return AutoEncoder(pullback(to_means, theta.inference, up, error)[0], generative)


_VALUES = (passes.log_sum_pass, passes.log_mean_pass, passes.log_sampled_pass)

mistake(
    "weights-tied: The inference weights, transposed, are used to generate.",
    {piece: given(_tied) for piece in (*_VALUES, passes.log_sum_pass_grad)},
    {
        passes._through: lambda right, theta, x, hidden: _through(
            theta, x, hidden, down=_tied(theta), back=theta
        )
    },
)


def _rounded(mean: Array) -> Array:
    return np.where(mean > 0.5, 1.0, 0.0)


def _passing(hidden: Callable[[Array], Array]) -> Callable[[AutoEncoder, Array], Array]:
    return lambda theta, x: passes._log_likelihood(theta, x, hidden(passes.inference_means(theta, x)))


def _passing_back(hidden: Callable[[Array], Array]) -> Callable[[AutoEncoder, Array], AutoEncoder]:
    return lambda theta, x: passes._through(theta, x, hidden)


mistake(
    "hidden-rounded: Hidden units are set by q > 1/2 where their means belong.",
    {
        passes.log_mean_pass: instead(_passing(_rounded)),
        passes.log_mean_pass_grad: instead(_passing_back(_rounded)),
    },
)


def drawn(hidden: Callable[[Array, Any], Array]) -> Pieces:
    """Another draw of h, of its means and a stream."""

    def value(right: Any, theta: AutoEncoder, x: Array, *, rng: Any) -> tuple[Array, Array]:
        h = hidden(passes.inference_means(theta, x), as_stream(rng, like=x))
        return passes._log_likelihood(theta, x, h), h

    def gradient(right: Any, theta: AutoEncoder, x: Array, *, rng: Any) -> AutoEncoder:
        stream = as_stream(rng, like=x)
        return passes._through(theta, x, lambda mean: hidden(mean, stream))

    return {passes.log_sampled_pass: value, passes.log_sampled_pass_grad: gradient}


mistake(
    "means-for-samples: Means stand where samples belong: nothing is drawn.",
    drawn(lambda mean, stream: mean),
)
mistake(
    "thresholded: Units are set by p > 1/2 instead of drawn with probability p.",
    drawn(lambda mean, stream: _rounded(mean)),
)
mistake(
    "inverted-comparison: "
    "The comparison with the uniform number is inverted: units are one with probability 1 - p.",
    drawn(lambda mean, stream: stream.bernoulli(1 - mean)),
)

# --- backpropagation --------------------------------------------------------------------------------------

mistake(
    "output-slope-included: "
    "The error at the outputs is (x - p) p (1 - p), that of the squared error: with the cross-entropy the "
    "slope of the sigmoid cancels.",
    errors(_delta),
)
mistake(
    "hidden-slope-missing: The slope h (1 - h) of the sigmoid is left out on the way back.",
    {Logistic.slope: returning(np.ones_like)},
)
mistake(
    "hidden-slope-doubled: The slope h (1 - h) of the sigmoid is multiplied in twice on the way back.",
    {Logistic.slope: returning(np.square)},
)
mistake(
    "slope-of-activations: "
    "The slope is taken of activations as if they were inputs: sigmoid(h) (1 - sigmoid(h)) for h (1 - h).",
    {Logistic.slope: lambda right, self, x, y: expit(y) * expit(-y)},
)
mistake(
    "code-slope-included: "
    "E_r h - E_q h is multiplied by the slope of the sigmoid: it is the error at the logits of h already.",
    {passes._code_error: lambda right, r, logits: right(r, logits) * expit(logits) * expit(-logits)},
)
mistake(
    "law-of-inference-normalised-late: "
    "- E_q h is missing at the logits of h: the normalisation of q(h | x) is not differentiated.",
    {passes._code_error: lambda right, r, logits: r @ states(logits.shape[1])},
)


def _by_inference(right: Any, theta: AutoEncoder, x: Array, *, weights: Array | None = None) -> AutoEncoder:
    w = uniform(len(x)) if weights is None else weights
    q = np.exp(passes._log_inference(theta, x))
    return passes._of_states(theta, x, passes._log_joint(theta, x)[0], w[:, None] * q)


mistake(
    "inference-for-posterior: "
    "States h are weighed by q(h | x) where r(h | x), in proportion to P(x | h) q(h | x), belongs.",
    {passes.log_sum_pass_grad: _by_inference},
)


def _part(name: str, change: Callable[..., tuple[Dense, ...]]) -> Callable[..., AutoEncoder]:
    return lambda grad, n: grad._replace(**{name: change(getattr(grad, name), n)})


def _zero(layers: tuple[Dense, ...], n: int) -> tuple[Dense, ...]:
    return scale(0.0, layers)


mistake(
    "gradient-stops-at-hidden: No gradient reaches the inference layers: h is held constant.",
    each_gradient(_part("inference", _zero)),
)
mistake(
    "gradient-stops-below-hidden: The gradient reaches the last inference layer only.",
    each_gradient(_part("inference", lambda layers, n: (*_zero(layers[:-1], n), layers[-1]))),
)
mistake(
    "errors-through-inference-weights: "
    "Errors go back from x to h through the inference weights instead of the generative ones.",
    {
        passes._through: lambda right, theta, x, hidden: _through(
            theta, x, hidden, down=theta, back=_tied(theta)
        )
    },
)


def _uses(both: Callable[[Array, Array], Array]) -> Pieces:
    """Another sum of the gradients of the two uses of tied weights."""

    def wrong(grad: AutoEncoder) -> RBM:
        (up,), (down,) = grad
        return RBM(both(up.W, down.W.T), down.b, up.b)

    return {stacks.tied_grad: instead(wrong)}


mistake(
    "generative-use-only: Tied weights get the gradient of their generative use only.",
    _uses(lambda up, down: down),
)
mistake(
    "inference-use-only: Tied weights get the gradient of their use for inference only.",
    _uses(lambda up, down: up),
)
mistake(
    "uses-averaged: The gradients of the two uses of tied weights are averaged where they are to be added.",
    _uses(lambda up, down: (up + down) / 2),
)


def _biases(factor: Callable[[int], float]) -> Callable[..., tuple[Dense, ...]]:
    return lambda layers, n: tuple(layer._replace(b=factor(n) * layer.b) for layer in layers)


def _both(change: Callable[..., tuple[Dense, ...]]) -> Callable[..., AutoEncoder]:
    return lambda grad, n: AutoEncoder(change(grad.inference, n), change(grad.generative, n))


_NONE = _biases(lambda n: 0.0)

mistake("biases-not-updated: No bias is updated.", each_gradient(_both(_NONE)))
mistake(
    "inference-bias-not-updated: The biases of the inference layers are not updated.",
    each_gradient(_part("inference", _NONE)),
)
mistake(
    "generative-bias-not-updated: The biases of the generative layer are not updated.",
    each_gradient(_part("generative", _NONE)),
)
mistake(
    "biases-summed: The biases' gradients are summed over rows while the weights' are averaged.",
    each_gradient(_both(_biases(lambda n: n))),
)

# --- values as a whole ------------------------------------------------------------------------------------

_RIGHT = passes.log_sum_pass


def _values(factor: float) -> Pieces:
    def first(right: Any, *args: Any, **options: Any) -> Any:
        value, h = right(*args, **options)
        return factor * value, h

    def whole(right: Any, *args: Any) -> Any:
        return factor * right(*args)

    def of_data(right: Any, theta: Any, x: Array, *, weights: Array | None = None) -> Array:
        w = uniform(len(x)) if weights is None else weights
        return factor * (w @ _RIGHT(theta, x) - entr(w).sum())

    return {
        passes.log_sum_pass: whole,
        passes.log_mean_pass: whole,
        passes.log_sampled_pass: first,
        passes.criterion: of_data,
    }


mistake(directed.WRONG_SIGN, _values(-1.0), each_gradient(lambda grad, n: scale(-1.0, grad)))
mistake(directed.BITS_FOR_NATS, _values(float(1 / np.log(2))))
