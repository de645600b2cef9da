"""Mistakes in the laws and bounds of [BA] 3.1, and in what the next machine begins with and learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn, dbn_bound, dbn_training
from ...reference.directed.dbn import DBN
from . import mistake
from .directed import states
from .directed_nets import generating
from .patterns import given, instead, negated, returning, scaled, with_fields

Array = Any

_PRIOR, _ENTROPY = dbn_bound.log_prior, dbn_bound.entropy

# --- the joint law ----------------------------------------------------------------------------------------


def _undirected(right: Any, theta: DBN, *layers: Array) -> Array:
    total = right(theta, *layers)
    for k, layer in enumerate(theta.generative):
        total = total + np.logaddexp(0, dbn.inputs(layer, layers[k + 1])).sum(axis=1)
    return total


mistake(
    "directed-layers-undirected: The directed layers are not normalised given the layer above.",
    {dbn.log_joint: _undirected},
)
mistake(
    "top-couplings-dropped: The top machine's two layers do not depend on each other.",
    generating(lambda theta: theta._replace(top=theta.top._replace(W=0 * theta.top.W))),
)
mistake(
    "visible-biases-left-out: The units of x have no biases.",
    {belief.log_likelihood: given(lambda net: (net[0]._replace(b=0 * net[0].b), *net[1:]))},
)


def _with_lower_hidden_bias(right: Any, machines: Any) -> Any:
    theta = right(machines)
    biases = sum((m.c for m in machines[-2:-1]), start=theta.top.b)
    return theta._replace(top=theta.top._replace(b=biases))


mistake(
    "hidden-biases-added-on-top: The hidden biases of the machine below the top generate, too.",
    {dbn.stack: _with_lower_hidden_bias},
)
mistake(
    "h2-not-summed-out: log p(h1) is what is left of it where all units above are zero.",
    {dbn_bound.log_prior: lambda right, theta: states(len(_first_biases(theta))) @ _first_biases(theta)},
)
mistake(
    "prior-left-out-of-the-joint: log p(v | h1) stands for log p(v, h1).",
    {dbn_bound.log_joint_first: lambda right, theta, v: right(theta, v) - _PRIOR(theta)},
)


def _first_biases(theta: DBN) -> Array:
    return [*(layer.b for layer in theta.generative), theta.top.b, theta.top.c][1]


# --- the bound --------------------------------------------------------------------------------------------

mistake(
    "q-uniform: The states count alike, whatever q is.",
    {dbn_bound.elbo: lambda right, q, log_joint: right(np.full_like(q, 1 / q.shape[1]), log_joint)},
)
mistake(
    "q-reversed: The states of q are in the reverse order.",
    {dbn_bound.elbo: lambda right, q, log_joint: right(q[:, ::-1], log_joint)},
)
mistake(
    "bound-without-q: log sum p stands for the bound: no q enters.",
    {dbn_bound.elbo: instead(lambda q, log_joint: np.log(np.exp(log_joint).sum(axis=1)))},
)
mistake(
    "entropy-omitted-from-ratio: q p takes the place of q log p / q: its logarithm is left out.",
    {dbn_bound.elbo: instead(dbn_bound.mean_log)},
)
mistake("bound-of-wrong-sign: Minus the bound.", {dbn_bound.elbo: negated()})
mistake("entropy-in-bits: The entropy is to base two.", {dbn_bound.entropy: scaled(float(1 / np.log(2)))})


def _reversed(q: Array, log_joint: Array) -> Array:
    log_p = np.log(np.exp(log_joint).sum(axis=1, keepdims=True))
    log_ratio = log_joint - log_p - np.log(np.clip(q, 1e-12, 1.0))
    return log_p[:, 0] - (np.exp(log_joint - log_p) * log_ratio).sum(axis=1)


mistake(
    "divergence-reversed: The bound falls short by the divergence the wrong way round.",
    {dbn_bound.elbo: instead(_reversed)},
)
mistake(
    "recognition-logarithm-left-out: The bound is off by a constant.",
    {dbn_bound.bound_log_likelihood: returning(lambda bound: bound + 0.1)},
)


def _recognising_by(change: Any) -> Any:
    """A net whose first recognition layer, or machine, is changed."""

    def changed(theta: DBN) -> DBN:
        if not theta.recognition:
            return theta._replace(top=change(theta.top))
        return theta._replace(recognition=tuple(map(change, theta.recognition)))

    return {dbn_bound.recognise: given(changed)}


mistake(
    "recognition-without-biases: q(h | v) has no hidden biases.",
    _recognising_by(
        lambda layer: layer._replace(**{name: 0 * getattr(layer, name) for name in layer._fields[-1:]})
    ),
)
mistake(
    "recognition-halved: q(h | v) is by half the couplings.",
    _recognising_by(with_fields(W=lambda W: W / 2)),
)

# --- what the next machine begins with, and learns --------------------------------------------------------

mistake(
    "biases-not-exchanged: The machine upside down has the weights transposed, and no biases of h.",
    {dbn.upside_down: returning(with_fields(b=np.zeros_like))},
)
mistake(
    "upside-down-halved: The machine upside down has half the couplings.",
    {dbn.upside_down: returning(with_fields(W=lambda W: W / 2))},
)
mistake(
    "likelihood-of-the-start: The likelihood is that of the machine below alone, whatever the top.",
    {belief.log_likelihood: lambda right, net, v: right((net[0], RBM(net[0].W.T, net[1].b, net[0].b)), v)},
)
mistake(
    "target-of-another-machine: The next machine is to learn what one of other hidden biases infers.",
    {dbn_training.next_target: given(with_fields(c=lambda c: -c))},
)
mistake(
    "target-of-likeliest-states: The next machine is to learn the most likely h of each row.",
    {dbn_training.next_target: given(lambda machine: RBM(60 * machine.W, machine.b, 60 * machine.c + 1))},
)
mistake(
    "entropy-kept-in-the-objective: The entropy of q is part of the second machine's objective.",
    {dbn_bound.mean_log: lambda right, q, log_p: right(q, log_p) + _ENTROPY(q)},
)
