"""Mistakes in the inference of auto-encoders and in stacks of them, and in the series of [AO] 2.4."""

from __future__ import annotations

from math import prod
from typing import Any

from ...reference.boltzmann import gibbs, likelihood
from ...reference.layerwise import criteria, passes, stacks
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from ...reference.trees import leaves, scale
from . import mistake
from .patterns import given, instead, negated

Array = Any

# --- inference --------------------------------------------------------------------------------------------

mistake(
    "hidden-biases-left-out: The units of h have no biases where they are inferred.",
    {
        passes.inference_logits: given(
            lambda theta: theta._replace(
                inference=(*theta.inference[:-1], theta.inference[-1]._replace(b=0 * theta.inference[-1].b))
            )
        )
    },
)
mistake(
    "inference-mirrored: The sigmoid of h has the wrong sign: the probability of zero for that of one.",
    {passes.inference_logits: negated()},
)
mistake(
    "mean-unit-for-mean-law: q_D is the law of the mean unit, not the mean law.",
    {
        criteria.aggregate_logits: lambda right, logits, *, form, weights: right(
            (weights @ logits)[None, :], form=form
        )
    },
)
mistake(
    "data-alike-in-q: q_D is the mean over data that count alike.",
    {criteria.aggregate_logits: lambda right, logits, *, form, weights: right(logits, form=form)},
)
mistake(
    "first-datum-alone: q_D is the q of the first datum.",
    {criteria.aggregate: instead(lambda q, *, weights=None: q[0, :])},
)
mistake(
    "last-datum-more: The last datum counts three times as much as the first in q_D.",
    {criteria.aggregate: instead(lambda q, *, weights=None: (q[0, :] + 3 * q[-1, :]) / 4)},
)

# --- backpropagation --------------------------------------------------------------------------------------

mistake(
    "draw-for-the-mean: h is drawn where its mean belongs.",
    {
        passes.log_mean_pass: instead(lambda theta, x: passes.log_sampled_pass(theta, x, rng=3)[0]),
        passes.log_mean_pass_grad: instead(lambda theta, x: passes.log_sampled_pass_grad(theta, x, rng=3)),
    },
)
mistake(
    "a-sweep-less: The chain makes a sweep less than it is asked for.",
    {gibbs.gibbs_law: lambda right, theta, law, *, steps: right(theta, law, steps=steps - 1)},
)
mistake(
    "gradient-of-the-cost: The gradient of an RBM is that of minus the log-likelihood.",
    {likelihood.log_likelihood_grad: negated()},
)

# --- stacks -----------------------------------------------------------------------------------------------

mistake(
    "inference-counted: The inference layers are counted among the parameters of the model.",
    {stacks.generative_net: lambda right, theta: (*right(theta), *theta.inference)},
)
mistake(
    "biases-not-counted: Biases are not counted among the parameters.",
    {stacks.parameter_count: instead(lambda net: sum(prod(x.shape) for x in leaves(net) if x.ndim > 1))},
)


def _thresholded(theta: AutoEncoder) -> AutoEncoder:
    first, *rest = theta.inference
    return theta._replace(inference=(Dense(90 * first.W, 90 * first.b), *rest))


mistake(
    "h1-thresholded: The lowest hidden units are passed on thresholded, not as means.",
    {passes.log_sum_pass: given(_thresholded)},
)
mistake(
    "upper-layer-lost: Of joined auto-encoders the upper one's parameters are lost.",
    {stacks.join: lambda right, stack: right([stack[0], *scale(0.0, tuple(stack[1:]))])},
)
