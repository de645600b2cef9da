"""Mistakes in the training of deep belief nets, in what they generate, and in posteriors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends.streams import as_stream
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn, dbn_training, updown
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid
from ...reference.numerics import sigmoid
from ...reference.trees import scale
from . import mistake
from .directed_nets import generating
from .patterns import instead, returning, with_fields

Array = Any

# --- greedy training --------------------------------------------------------------------------------------


def _untrained_up(right: Any, starts: Any, data: Array, *, train: Any, **options: Any) -> DBN:
    kept: list[RBM] = []

    def late(machine: RBM, rows: Array, level: int) -> RBM:
        kept.append(train(machine, rows, level))
        return machine

    right(starts, data, train=late, **options)
    return dbn.stack(kept)


def _thresholded(right: Any, starts: Any, data: Array, *, train: Any, **options: Any) -> DBN:
    def rounding(machine: RBM, rows: Array, level: int) -> Any:
        return train(machine, np.round(rows), level)

    theta: DBN = right(starts, data, train=rounding, **{**options, "up": "mean"})
    return theta


mistake(
    "data-passed-up-before-training: The data go up through machines as they were before their training.",
    {dbn_training.train_stack: _untrained_up},
)
mistake(
    "most-likely-h-for-a-draw: The most likely h goes up, not a draw.",
    {dbn_training.train_stack: _thresholded},
)
mistake(
    "biases-above-not-exchanged: The machine upside down lacks the biases of the units below.",
    {dbn.upside_down: returning(with_fields(c=np.ones_like))},
)

# --- generating -------------------------------------------------------------------------------------------


def _uncoupled(theta: DBN) -> DBN:
    return theta._replace(generative=tuple(Sigmoid(0 * layer.W, layer.b) for layer in theta.generative))


def _rounded_up(theta: DBN, v: Array, *, steps: int, rng: Any) -> Any:
    h = dbn.pass_up(theta, v, how="mean", rng=rng)[-1]
    return dbn.generate(theta, np.round(h), steps=steps, rng=rng)


def _told(right: Any, theta: DBN, h: Array, *, steps: int, rng: Any) -> Any:
    v, _ = right(theta, h, steps=steps, rng=rng)
    return right(theta, dbn.pass_up(theta, v, how="sample", rng=rng)[-1], steps=steps, rng=rng)


mistake(
    "one-gibbs-step: One Gibbs step is taken, however many are asked for.",
    {
        dbn.generate: lambda right, theta, h, *, steps, rng: right(theta, h, steps=1, rng=rng),
        dbn.generated_law: lambda right, theta, law, *, steps: right(theta, law, steps=1),
        updown.expected_updown_step: lambda right, theta, v, *, k: right(theta, v, k=1),
    },
)
mistake(
    "directed-layers-uncoupled: The directed layers do not depend on what is above.", generating(_uncoupled)
)
mistake(
    "upward-pass-rounded: A reconstruction begins with the rounded probabilities of the upward pass.",
    {dbn.reconstruct: instead(_rounded_up)},
)
mistake(
    "top-told-what-came-out: What was generated goes up again before it is generated anew.",
    {dbn.generate: _told},
)

# --- the up-down algorithm --------------------------------------------------------------------------------


def _exchanged(right: Any, theta: DBN, v: Array, *, k: int, rng: Any) -> Any:
    step, info = right(theta, v, k=k, rng=rng)
    return DBN(
        tuple(map(updown.delta_rule, theta.generative, info.asleep[:-1], info.asleep[1:])),
        tuple(map(updown.delta_rule, theta.recognition, info.awake[1:], info.awake[:-1])),
        step.top,
    ), info


def _rule_of_a_machine(right: Any, theta: DBN, v: Array, *, k: int, rng: Any) -> Any:
    step, info = right(theta, v, k=k, rng=rng)
    stream, rules = as_stream(rng, like=v), []
    for down, up, x, h in zip(theta.generative, theta.recognition, info.awake, info.awake[1:], strict=False):
        end = stream.bernoulli(sigmoid(dbn.inputs(down, h)))
        means = sigmoid(dbn.inputs(up, end))
        rules.append(Sigmoid((x.T @ h - end.T @ means) / len(v), np.mean(x - end, axis=0)))
    return step._replace(generative=tuple(rules)), info


def _data_for_draws(right: Any, theta: DBN, v: Array, *, k: int, rng: Any) -> Any:
    step, info = right(theta, v, k=k, rng=rng)
    stream, asleep = as_stream(rng, like=v), [info.awake[-1]]
    for layer in reversed(theta.generative):
        asleep.insert(0, stream.bernoulli(sigmoid(dbn.inputs(layer, asleep[0]))))
    pairs = zip(theta.recognition, asleep[1:], asleep[:-1], strict=True)
    return step._replace(recognition=tuple(updown.delta_rule(*pair) for pair in pairs)), info


mistake(
    "wake-and-sleep-exchanged: Generative weights learn asleep, and recognition weights awake.",
    {updown.updown_step: _exchanged},
)
mistake(
    "rule-of-a-machine: Generative weights learn as those of a machine, from h inferred anew.",
    {updown.updown_step: _rule_of_a_machine},
)
mistake(
    "no-gibbs-before-the-pass-down: The sleep phase starts where the wake phase ended.",
    {updown.updown_step: _data_for_draws},
)
mistake(
    "top-descends: The top machine goes the wrong way.",
    {updown.expected_updown_step: returning(with_fields(top=lambda top: scale(-1.0, top)))},
)

# --- posteriors -------------------------------------------------------------------------------------------

mistake(
    "effect-ignored: The posterior is the prior, whatever the data.",
    {belief.posterior: lambda right, net, x: belief.state_law(net[1:])[None, :]},
)
mistake(
    "causes-independent: The units of h are independent beforehand, whatever the machine on top.",
    {
        belief.posterior: lambda right, net, x: right(
            (net[0], Sigmoid(np.zeros((len(net[1].b), 0)), net[1].b)), x
        )
    },
)
