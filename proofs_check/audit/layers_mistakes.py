"""The mistakes in directed layers, belief nets and auto-encoders that the audit knows by name.

Each replaces pieces of the right ``Machine``, as in ``rbm_mistakes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import entr, expit, logsumexp, softmax

from ...reference.boltzmann.rbm import RBM
from ...reference.directed.dbn import DBN
from ...reference.networks.layers import Dense
from .cases import Array, Catalogue
from .layers_machine import Coder, Down, Machine, uniform, untied
from .rbm_machine import states
from .rbm_mistakes import MISTAKES as RBM_MISTAKES

MISTAKES = Catalogue(Machine)
_mistake = MISTAKES.add


def _normalised(joint: Array) -> Array:
    return joint / joint.sum()


# --- data incorporation

_mistake(
    "posterior-not-normalised: The posterior of each datum is not divided by P(x): likely data count more.",
    posterior=lambda _, P, Q: P * Q,
)
_mistake(
    "normalised-at-the-end: "
    "The sum over the data is normalised, not each datum's posterior: likely data count more.",
    data_incorporation=lambda _, P, Q, w: _normalised(w @ (P * Q)),
)
_mistake(
    "normalised-over-data: The posterior is normalised over the data instead of over the states.",
    posterior=lambda _, P, Q: P * Q / np.maximum((P * Q).sum(axis=0), 1e-300),
)
_mistake(
    "uniform-data-weights: The data weights are ignored: every row counts 1/n.",
    data_incorporation=lambda self, P, Q, w: Machine().data_incorporation(P, Q, uniform(w)),
    average=lambda self, terms, w: self.scale(len(w)) * np.mean(terms),
    with_data=lambda _, passed, w: passed - np.log(len(w)),
    row_weights=lambda _, passed, w: uniform(w),
)
_mistake(
    "old-law-dropped: The old P(h) is dropped: the posterior is that under a uniform law of h.",
    posterior=lambda _, P, Q: Machine().posterior(P, 0 * Q + 1),
)
_mistake(
    "old-law-counted-twice: The old P(h) is multiplied in twice.",
    posterior=lambda _, P, Q: Machine().posterior(P, Q * Q),
)
_mistake("law-not-updated: The old P(h) comes back unchanged.", data_incorporation=lambda _, P, Q, w: Q)
_mistake(
    "hard-assignment: Each datum is given wholly to its most probable state: k-means instead of EM.",
    posterior=lambda _, P, Q: np.eye(len(Q))[np.argmax(P * Q, axis=1)],
)
_mistake(
    "logs-averaged: The logarithms of the posteriors are averaged instead of the posteriors.",
    data_incorporation=lambda self, P, Q, w: _normalised(
        np.exp(w @ np.log(np.maximum(self.posterior(P, Q), 1e-300)))
    ),
)
_mistake(
    "sum-for-mean: "
    "The rows are summed where they are to be averaged (if meant, of a criterion: declare reduction=sum).",
    data_incorporation=lambda self, P, Q, w: len(w) * Machine().data_incorporation(P, Q, w),
    scale=lambda _, n: n,
)
_mistake(
    "divided-twice: The rows are averaged twice: the value is too small by the number of rows.",
    scale=lambda _, n: 1 / n,
)

# --- laws of x given h


def _delta(x: Array, logits: Array) -> Array:
    return (x - expit(logits)) * expit(logits) * expit(-logits)


def _at_means(self: Any, x: Array, down: Down, log_law: Array, h: Array) -> Array:
    return self.log_bits(x, down(np.exp(log_law) @ h))


def _outside(self: Any, x: Array, down: Down, log_law: Array, h: Array) -> Array:
    return np.sum(np.exp(log_law) * self.log_bits(x[:, None], down(h)), axis=1)


def _outside_grad(self: Any, theta: Coder, x: Array, w: Array) -> Coder:
    """Return the gradient of the mean of E_q log P(x | h), its inference part by the score of q."""
    means = self.means(theta, x)
    h = self.states(means[-1].shape[1])
    q = w[:, None] * self.factorised(means[-1], h)
    error = self.code_error(q * self.log_bits(x[:, None], self.decode(theta)(h)), h, means[-1])
    return self.backward(theta, means, error, self.from_states(theta, x, q, h))


_mistake(
    "zeros-ignored: Only the units that are one count: (1 - x) log(1 - p) is missing.",
    log_off=lambda _, logits: 0 * logits,
    output_error=lambda _, x, logits: x * expit(-logits),
)
_mistake(
    "units-averaged: "
    "The units' terms are averaged where they are to be summed: log P(x | h) is too small by their number.",
    sum_units=lambda _, terms: terms.mean(axis=-1),
    output_error=lambda _, x, logits: (x - expit(logits)) / x.shape[-1],
)
_mistake(
    "sigmoid-taken-twice: The sigmoid is taken twice: probabilities are given to a loss that expects logits.",
    generate=lambda self, theta, k: lambda h: expit(Machine().generate(theta, k)(h)),
    decode=lambda self, theta: lambda h: expit(Machine().decode(theta)(h)),
    output_error=lambda _, x, p: (x - expit(p)) * p * (1 - p),
)
_mistake(
    "squared-error: Minus the squared error stands for the log-likelihood.",
    log_bits=lambda _, x, logits: -np.square(x - expit(logits)).sum(axis=-1),
    output_error=lambda _, x, logits: 2 * _delta(x, logits),
)
_mistake(
    "hidden-means-for-sum: Hidden means stand inside log P(x | h) where the sum over h belongs.",
    marginal=_at_means,
    reconstruction=lambda self, x, down, q, h: self.log_bits(x, down(q @ h)),
    autoencoder_criterion_grad=lambda self, theta, x, w: self.through(theta, x, self.means(theta, x)[-1], w),
)
_mistake(
    "sum-outside-the-logarithm: "
    "Logarithms are summed over h: the mean of log P(x | h) stands for the log of its mean.",
    marginal=_outside,
    autoencoder_criterion_grad=_outside_grad,
)
_mistake(
    "best-state-for-sum: The best state h stands for the sum over all: a maximum inside the logarithm.",
    marginal=lambda self, x, down, log_law, h: np.max(self.log_bits(x[:, None], down(h)) + log_law, axis=1),
    responsibility=lambda _, log_joint: np.eye(log_joint.shape[1])[np.argmax(log_joint, axis=1)],
)
_mistake(
    "logarithm-missing: The logarithm is missing: the value, or gradient, is that of the sum over h itself.",
    marginal=lambda self, *given: np.exp(Machine().marginal(*given)),
    responsibility=lambda _, log_joint: np.exp(log_joint),
)
_mistake(
    "law-of-hidden-dropped: The law of h is dropped: P(x | h) is summed over all states without it.",
    law=lambda _, P_h: np.ones_like(P_h),
    log_top=lambda _, top, h: np.zeros(len(h)),
    inference_law=lambda _, q: np.ones_like(q),
)
_mistake(
    "law-of-hidden-uniform: "
    "All states h count alike: P(x | h) is averaged over them instead of weighted by the law of h.",
    law=lambda _, P_h: uniform(P_h),
    log_top=lambda _, top, h: np.full(len(h), -np.log(len(h))),
    inference_law=lambda _, q: np.full_like(q, 1 / q.shape[1]),
)
_mistake(
    "units-in-reverse: "
    "The states are numbered with the first unit least significant: P(h) goes to the wrong states.",
    states=lambda _, units: states(units)[:, ::-1],
)

# --- deep belief nets


def _doubled(top: RBM) -> RBM:
    return top._replace(b=2 * top.b)


def _turned(layer: Any) -> Any:
    return layer._replace(W=layer.W.T)


def _transposed(theta: DBN) -> DBN:
    return DBN(tuple(map(_turned, theta.generative)), tuple(map(_turned, theta.recognition)), theta.top)


def _by_means(self: Any, theta: DBN, x: Array) -> Array:
    below, law, mean, total = x, np.eye(len(x)), x, 0.0
    for k in range(len(theta.generative)):
        mean, h = self.recognise(theta, mean, k), self.states(len(theta.recognition[k].b))
        q = self.factorised(mean, h)
        log_p = self.log_bits(below[:, None], self.generate(theta, k)(h))
        total = total + np.sum(law @ log_p * q, axis=1) + self.entropy(q, mean)
        below, law = h, q
    return total + self.prior_part(theta.top, law, below)


_mistake(
    "missing-top-partition: log Z of the top machine is not subtracted: the value is unnormalised.",
    log_z=lambda _, top: 0.0,
)
_mistake(
    "averaged-top-partition: log Z of the top machine is averaged over states where it is to be summed.",
    log_z=lambda self, top: Machine.log_z(self, top) - len(top.b) * np.log(2),
)
_mistake(
    "top-hidden-dropped: "
    "The top machine's hidden units are left out: its visible biases alone stand for its law.",
    unnormalised=lambda _, top, h: h @ top.b,
)
for _again in (
    {"unnormalised": lambda _, top, h: Machine().unnormalised(_doubled(top), h)},  # in log Z too
    {"log_top": lambda self, top, h: Machine.log_top(self, top, h) + h @ top.b},
):
    _mistake(
        "top-bias-counted-twice: "
        "The biases of the units where the directed layers meet the top machine are counted twice.",
        unnormalised_pair=lambda _, top, h, g: Machine().unnormalised_pair(_doubled(top), h, g),
        **_again,
    )
_mistake(
    "top-weights-transposed: The top machine's weights are used transposed.",
    unnormalised=lambda _, top, h: Machine().unnormalised(_turned(top), h),
    unnormalised_pair=lambda _, top, h, g: Machine().unnormalised_pair(_turned(top), h, g),
)
for _way, _pieces in (
    ("", ("generate", "recognise")),
    (" (on the way up only)", ("recognise",)),
    (" (on the way down only)", ("generate",)),
):
    _mistake(
        f"transposed-weights: The weights of the directed layers are used transposed{_way}.",
        **{
            piece: lambda _, theta, *given, piece=piece: getattr(Machine(), piece)(_transposed(theta), *given)
            for piece in _pieces
        },
    )
_mistake(
    "layers-in-reverse: The directed layers are taken in reverse order: the topmost one next to the data.",
    **{
        name: lambda self, theta, x, name=name: getattr(Machine, name)(
            self, DBN(theta.generative[::-1], theta.recognition[::-1], theta.top), x
        )
        for name in ("deep_log_joint", "deep_log_likelihood", "deep_bound")
    },
)
_mistake(
    "recognition-biases-generate: "
    "Hidden layers generate by the biases that recognise them: the hidden biases of the machine below.",
    generate=lambda _, theta, k: (
        lambda h: h @ theta.generative[k].W.T + (theta.recognition[k - 1] if k else theta.generative[0]).b
    ),
)
_mistake(
    "top-hidden-maximised: The top machine's hidden units are maximised over, max(0, x), not summed over.",
    unnormalised=lambda _, top, h: h @ top.b + np.maximum(0, h @ top.W + top.c).sum(axis=1),
)
_mistake(
    "recognition-weights-generate: The recognition weights, transposed, are used to generate.",
    generate=lambda _, theta, k: lambda h: h @ theta.recognition[k].W + theta.generative[k].b,
)
_mistake(
    "generative-weights-recognise: The generative weights, transposed, are used to recognise.",
    recognise=lambda _, theta, below, k: expit(below @ theta.generative[k].W + theta.recognition[k].b),
)
_mistake(
    "bound-for-likelihood: The variational bound stands for the log-likelihood.",
    deep_log_likelihood=lambda _, theta, x: Machine().deep_bound(theta, x),
)
_mistake(
    "likelihood-for-bound: The log-likelihood itself stands for the bound: no q enters.",
    deep_bound=lambda _, theta, x: Machine().deep_log_likelihood(theta, x),
)
_mistake(
    "recognition-by-means: "
    "Upper layers are recognised from the means below, not from the states: a bound, but that of another q.",
    deep_bound=_by_means,
)
_mistake("entropy-omitted: The entropy of q is left out.", entropy=lambda _, q, mean: 0.0)
_mistake(
    "entropy-of-upper-layers-omitted: The entropy of q is that of the first hidden layer only.",
    all_layers=lambda _, entropies: entropies[0],
)
_mistake(
    "entropy-of-first-layer-omitted: The entropy of q lacks that of the first hidden layer.",
    all_layers=lambda _, entropies: sum(entropies[1:] or entropies),
)
_mistake(
    "entropy-of-wrong-sign: The entropy of q is subtracted where it is to be added.",
    entropy=lambda _, q, mean: -entr(q).sum(axis=1),
)
_mistake(
    "entropy-of-ones-only: The entropy of each unit lacks -(1 - q) log(1 - q).",
    entropy=lambda _, q, mean: entr(mean).sum(axis=1),
)
_mistake(
    "entropy-averaged: The entropy of q is averaged over its units where it is to be summed.",
    entropy=lambda _, q, mean: entr(q).sum(axis=1) / mean.shape[1],
)
_mistake(
    "prior-at-means: log p(h) is taken at the means of q instead of averaged over q.",
    prior_part=lambda self, top, law, h: self.log_top(top, law @ h),
)
_mistake(
    "prior-missing: "
    "The law of h is missing from the bound: only the reconstruction and the entropy are left.",
    prior_part=lambda self, top, law, h: 0.0,
)

# --- auto-encoders

_mistake(
    "data-factor-missing: "
    "P_D(x) is missing inside the logarithm: harmless for training, but no bound of the log-likelihood.",
    with_data=lambda _, passed, w: passed,
)
_mistake(
    "data-factor-uniform: P_D(x) inside the logarithm is 1/n whatever the data weights.",
    with_data=lambda _, passed, w: passed - np.log(len(w)),
)
_mistake(
    "logarithm-of-the-mean: "
    "The logarithm is taken of the mean over the data, instead of the mean of logarithms.",
    average=lambda self, terms, w: self.scale(len(w)) * logsumexp(terms + np.log(w)),
    row_weights=lambda _, passed, w: softmax(passed + 2 * np.log(w)),
)
_mistake(
    "logarithm-of-the-sum: "
    "The logarithm is taken of the sum over data and h, instead of the mean over data of logarithms.",
    average=lambda self, terms, w: logsumexp(terms),
    row_weights=lambda _, passed, w: softmax(passed + np.log(w)),
)
_mistake(
    "data-factor-outside: "
    "P_D(x) multiplies the logarithm once more instead of standing inside it: frequent data count twice.",
    with_data=lambda _, passed, w: w * passed,
    row_weights=lambda _, passed, w: w * w,
)
_mistake(
    "weights-tied: The inference weights, transposed, are used to generate.",
    decode=lambda _, theta: lambda h: h @ untied(theta).inference[-1].W.T + untied(theta).generative[0].b,
)
_mistake(
    "hidden-rounded: Hidden units are set by q > 1/2 where their means belong.",
    rounded=lambda _, mean: (mean > 0.5).astype(float),
)

# --- gradients of auto-encoders


def _inferred(self: Any, theta: Coder, x: Array) -> tuple[Array, Array]:
    mean = self.means(theta, x)[-1]
    h = self.states(mean.shape[1])
    return h, self.log_inference(mean, h)


def _changed(change: Callable[[Dense, int], Dense]) -> Callable[..., Dense]:
    return lambda self, layer, n: Machine.layer_grad(self, change(layer, n), n)


_without_bias = _changed(lambda layer, n: Dense(layer.W, 0 * layer.b))

_mistake(
    "output-slope-included: "
    "The error at the outputs is (x - p) p (1 - p), that of the squared error: with the cross-entropy the "
    "slope of the sigmoid cancels.",
    output_error=lambda _, x, logits: _delta(x, logits),
)
_mistake(
    "hidden-slope-missing: The slope h (1 - h) of the sigmoid is left out on the way back.",
    slope=lambda _, h: 1.0,
)
_mistake(
    "hidden-slope-doubled: The slope h (1 - h) of the sigmoid is multiplied in twice on the way back.",
    slope=lambda _, h: (h * (1 - h)) ** 2,
)
_mistake(
    "slope-of-activations: "
    "The slope is taken of activations as if they were inputs: sigmoid(h) (1 - sigmoid(h)) for h (1 - h).",
    slope=lambda _, h: expit(h) * expit(-h),
)
_mistake(
    "code-slope-included: "
    "E_r h - E_q h is multiplied by the slope of the sigmoid: it is the error at the logits of h already.",
    code_error=lambda self, r, h, mean: Machine().code_error(r, h, mean) * mean * (1 - mean),
)
_mistake(
    "law-of-inference-normalised-late: "
    "- E_q h is missing at the logits of h: the normalisation of q(h | x) is not differentiated.",
    code_error=lambda _, r, h, mean: r @ h,
)
_mistake(
    "inference-for-posterior: "
    "States h are weighed by q(h | x) where r(h | x), in proportion to P(x | h) q(h | x), belongs.",
    log_joint=_inferred,
)
_mistake(
    "gradient-stops-at-hidden: No gradient reaches the inference layers: h is held constant.",
    reaches=lambda _, error: 0 * error,
)
_mistake(
    "gradient-stops-below-hidden: The gradient reaches the last inference layer only.",
    reaches_below=lambda _, error: 0 * error,
)
_mistake(
    "errors-through-inference-weights: "
    "Errors go back from x to h through the inference weights instead of the generative ones.",
    backward_weights=lambda _, theta: untied(theta).inference[-1].W.T,
)
_mistake(
    "generative-use-only: Tied weights get the gradient of their generative use only.",
    both_uses=lambda _, up, down: down,
)
_mistake(
    "inference-use-only: Tied weights get the gradient of their use for inference only.",
    both_uses=lambda _, up, down: up,
)
_mistake(
    "uses-averaged: The gradients of the two uses of tied weights are averaged where they are to be added.",
    both_uses=lambda _, up, down: (up + down) / 2,
)
_mistake("biases-not-updated: No bias is updated.", layer_grad=_without_bias)
_mistake(
    "inference-bias-not-updated: The biases of the inference layers are not updated.",
    layer_grad=_without_bias,
    generative_grad=Machine.layer_grad,
)
_mistake(
    "generative-bias-not-updated: The biases of the generative layer are not updated.",
    generative_grad=_without_bias,
)
_mistake(
    "biases-summed: The biases' gradients are summed over rows while the weights' are averaged.",
    layer_grad=_changed(lambda layer, n: Dense(layer.W, n * layer.b)),
)

# --- draws, and values as a whole

_VALUES = (
    "mixture_log_likelihood", "deep_log_joint", "deep_log_likelihood", "deep_bound",
    "log_sum_pass", "log_mean_pass", "log_sampled_pass", "autoencoder_criterion",
)  # fmt: skip
for _name in ("means-for-samples", "thresholded", "inverted-comparison"):
    _same = next(kind for kind in RBM_MISTAKES if kind.__name__ == _name)
    _mistake(f"{_name}: {_same.__doc__}", draw=_same.draw)
_mistake(
    "wrong-sign: The sign is wrong: a loss stands for the log-likelihood, or its gradient for ascent.",
    layer_grad=_changed(lambda layer, n: Dense(-layer.W, -layer.b)),
    **MISTAKES.scaled(lambda *_: -1.0, *_VALUES),
)
_mistake(
    "bits-for-nats: The logarithm is to base two: bits where nats belong.",
    **MISTAKES.scaled(lambda *_: 1 / np.log(2), *_VALUES),
)
