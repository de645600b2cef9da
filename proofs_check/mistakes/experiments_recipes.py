"""Mistakes in the recipes that trained the models of [AO] section 3, and in trainings on digits of [BA]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...reference.boltzmann import contrastive, gibbs, partition
from ...reference.directed import dbn, dbn_training
from ...reference.layerwise import passes, stacks
from ...reference.trees import scale
from ..reproduce import models
from . import Wrong, mistake
from .patterns import given, instead, returning, with_fields, without


def _means_changed(change: Callable[[Any], Any]) -> Wrong:
    """The upper machine learns something else than q's means; the lower one sees bits."""

    def wrong(right: Any, start: Any, data: Any, **options: Any) -> Any:
        return right(start, data if np.isin(data, (0, 1)).all() else change(data), **options)

    return wrong


def _gradient(change: Callable[[Any], Any]) -> Wrong:
    """The gradient of the cross-entropy is another."""

    def wrong(right: Any, hidden: str) -> Any:
        step = right(hidden)
        return lambda theta, x, memory, stream: (change(step(theta, x, memory, stream)[0]), memory)

    return wrong


def _hidden_biases_kept(grad: Any) -> Any:
    if hasattr(grad, "c"):
        return without("c")(grad)
    return grad._replace(inference=(*grad.inference[:-1], scale(0.0, grad.inference[-1])))


# --- machines on top, and by contrastive divergence

mistake(
    "trained-on-thresholded-means: The upper machine is trained on thresholded means.",
    {dbn_training.train_machine: _means_changed(lambda means: (means > 0.5).astype(float))},
)
mistake(
    "trained-on-opposite-bits: The upper machine is trained on the opposite bits.",
    {dbn_training.train_machine: _means_changed(lambda means: 1 - means)},
)
mistake(
    "law-of-lower-units-alone: The law of h is that of the upper machine without its hidden units.",
    {partition.marginal_visible: given(without("W"))},
)
mistake(
    "two-steps: Two Gibbs steps are made where one is.",
    {dbn_training.train_machine: lambda right, *args, k, **options: right(*args, k=2, **options)},
)
mistake(
    "nothing-learnt: The machine stays as it was.",
    {dbn_training.train_machine: instead(lambda start, data, **options: start)},
)
mistake(
    "lower-hidden-biases-counted: The hidden biases of a stack's lower machine are counted.",
    {stacks.parameter_count: lambda right, net: right(net) + 3 * (len(net) - 1)},
)

# --- encoders

mistake(
    "descends: The gradient is gone down.", {passes.reconstruction_step: _gradient(lambda g: scale(-1.0, g))}
)
mistake(
    "sum-for-mean: The rows of a batch are summed where they are to be averaged.",
    {passes.reconstruction_step: _gradient(lambda grad: scale(3.0, grad))},
)
mistake(
    "draw-for-mean: h is drawn on the way.",
    {passes.reconstruction_step: lambda right, hidden: right("sample")},
)
mistake(
    "hidden-biases-kept: The biases of h are not learned.",
    {passes.reconstruction_step: _gradient(_hidden_biases_kept)},
)
mistake(
    "one-way-only: Tied weights are learned on half their ways.",
    {passes.reconstruction_step: _gradient(with_fields(W=lambda W: W / 2))},
)
mistake(
    "no-layer-of-inference: The layer h' is left out.",
    {stacks.initial: lambda right, sizes, down, **options: right((sizes[0], sizes[-1]), down, **options)},
)
mistake(
    "inference-counted: The layer h' is counted as generative.",
    {stacks.parameter_count: lambda right, net: right(net) + 5 * 4},
)
mistake(
    "inference-by-generative-weights: h is inferred by the generative weights.",
    {
        passes.inference_means: lambda right, theta, x: (
            1 / (1 + np.exp(-x @ theta.generative[0].W.T)) if len(theta.inference) > 1 else right(theta, x)
        )
    },
)
mistake(
    "weights-not-tied: A vanilla auto-encoder is trained with weights of its own for either way.",
    {
        models._auto_encoder: lambda right, setting, *given: right(
            {**setting, "kind": "aeri", "inference": setting["hidden"]}, *given
        )
    },
)

# --- what is measured

mistake(
    "bound-for-likelihood: The bound is measured for the log-likelihood.",
    {models.measure: returning(lambda numbers: {**numbers, "valid": numbers["bound_valid"]})},
)
mistake(
    "training-rows-for-validation: The training rows are measured for the validation rows.",
    {models.measure: returning(lambda numbers: {**numbers, "valid": numbers["train"]})},
)

# --- digits of [BA] 2.4 and 3.3


def _step(change: Callable[[Any], Any]) -> Wrong:
    def wrong(right: Any, *args: Any, **options: Any) -> Any:
        direction, info = right(*args, **options)
        return change(direction), info

    return wrong


def _data_only(right: Any, theta: Any, v: Any, **options: Any) -> Any:
    _, info = right(theta, v, **options)
    return type(theta)(v.T @ info.h_data / len(v), v.mean(axis=0), info.h_data.mean(axis=0)), info


mistake(
    "cd-descends: Contrastive divergence goes down.", {contrastive.cd_step: _step(lambda d: scale(-1.0, d))}
)
mistake("couplings-kept: The couplings are not learned.", {contrastive.cd_step: _step(without("W"))})
mistake("negative-phase-missing: Only the data are learned.", {contrastive.cd_step: _data_only})
mistake(
    "chain-forgets: The chain forgets where it starts.",
    {gibbs.gibbs_step: lambda right, theta, v, **options: right(theta, 0 * v, **options)},
)
mistake(
    "first-machine-only: Nothing is trained above the first layer.",
    {
        dbn_training.train_stack: lambda right, starts, data, *, train, **options: right(
            starts,
            data,
            train=lambda machine, rows, level: machine if level else train(machine, rows, level),
            **options,
        )
    },
)
mistake(
    "upward-pass-forgets: The upward pass forgets the input.",
    {dbn.reconstruct: lambda right, theta, v, **options: right(theta, 0 * v, **options)},
)
