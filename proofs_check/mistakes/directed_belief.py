"""Mistakes in the laws and gradients of directed models of any depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference import laws
from ...reference.boltzmann import partition
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief
from ...reference.directed.layers import Sigmoid, Table, log_conditional_table
from ...reference.trees import scale
from . import Wrong, mistake
from .patterns import given

Array = Any


def _flat(net: Any) -> Any:
    """Return the net with a uniform law of h1 in place of what is above it."""
    layer = net[0]
    if isinstance(layer, Table):
        return (layer, Table(0 * layer.logits[:1, :].T))
    return (layer, Sigmoid(layer.W.T[:, :0], 0 * layer.W[0, :]))


def _first(right: Any, net: Any) -> Array:
    """P(x | h1 = 0) of a net of some depth."""
    return np.exp(log_conditional_table(net[0])[:, 0]) if len(net) > 1 else right(net)


def _largest(right: Any, net: Any, x: Array) -> Array:
    """The log of the largest term of the joint law."""
    joint = belief.joint_law(net)
    with np.errstate(divide="ignore"):
        return np.log(joint.reshape(len(joint), -1).max(axis=1))


def _upper_uniform(right: Any, layers: Any) -> Any:
    if len(layers) == 1:
        return right(layers)
    mean = np.exp(log_conditional_table(layers[0])).mean(axis=1, keepdims=True)
    width = log_conditional_table(layers[-1]).shape[1]
    with np.errstate(divide="ignore"):
        return Table(np.log(np.tile(mean, (1, width))))


mistake("top-uniform: h1 is uniform, whatever is above it.", {belief.state_law: given(_flat)})
mistake("first-state-alone: Only the first state of h1 is looked at.", {belief.state_law: _first})
mistake(
    "largest-term-alone: The log of the largest term stands for that of the sum.",
    {belief.log_likelihood: _largest},
)
mistake(
    "upper-layer-uniform: The upper of two layers that are composed is taken as uniform.",
    {belief.compose: _upper_uniform},
)

# --- the divergence ---------------------------------------------------------------------------------------

mistake(
    "divergence-of-the-data-reversed: The divergence is taken the wrong way round.",
    {laws.kl: lambda right, p, q: right(q, p)},
)
mistake(
    "data-alike: All values count alike, whatever the law of the data.",
    {laws.kl: lambda right, p, q: right(np.full_like(p, 1 / len(p)), q)},
)

# --- the posterior, and the gradient ----------------------------------------------------------------------


def _bottom_alone(right: Any, net: Any, x: Array, **options: Any) -> Any:
    return (right(_flat(net), x, **options)[0], *right(net, x, **options)[1:])


def _of_gradient(change: Any) -> Wrong:
    return lambda right, net, x, **options: change(right(net, x, **options), len(x))


mistake(
    "gradient-summed: The gradient is summed over the data, not averaged.",
    {belief.log_likelihood_grad: _of_gradient(lambda grad, n: scale(n, grad))},
)
mistake(
    "posterior-without-the-top: The posterior of h1 does not know what is above it.",
    {belief.log_likelihood_grad: _bottom_alone, belief.posterior: given(_flat)},
)
mistake(
    "top-from-the-prior: The top's gradient is by h drawn from P(h), not P(h | x): it is zero.",
    {belief.log_likelihood_grad: _of_gradient(lambda grad, n: (grad[0], *scale(0, grad[1:])))},
)


def _uniform(right: Any, net: Any, x: Array) -> Array:
    posterior = right(net, x)
    return np.full_like(posterior, len(posterior) / posterior.size)


mistake("posterior-uniform: All states have the same posterior.", {belief.posterior: _uniform})

# --- sums of many states ----------------------------------------------------------------------------------

mistake(
    "top-hidden-biases-dropped: The units above the top's visible ones have no biases.",
    {belief.log_likelihood: given(lambda net: (*net[:-1], net[-1]._replace(c=0 * net[-1].c)))},
)
mistake(
    "half-the-hidden-units: log Z is of the first nine hidden units alone.",
    {partition.log_partition: given(lambda theta: RBM(theta.W[:, :9], theta.b, theta.c[:9]))},
)
