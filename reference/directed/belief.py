r"""Deep directed models of any depth: laws, posteriors, likelihood and its gradient, ancestral samples.

A model is a tuple of layers from the bottom to the top, :math:`P(x \mid h^{(1)})` to
:math:`P(h^{(k_{max})})`.  A split is two slices: ``net[:k]`` are the parameters :math:`\theta_I`, ``net[k:]``
the :math:`\theta_J`, and ``net[k:]`` is itself a model, that of :math:`h^{(k)}`.      [AO] 1.1
"""

from __future__ import annotations

from itertools import pairwise

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, as_stream
from ..contracts import Count, LogWeights, Prob, Raw, Real, checked
from ..laws import log_table
from ..numerics import log_sum_exp
from ..states import check_enumerable
from .layers import (
    Net,
    Table,
    check_chain,
    check_net,
    law_below,
    layer_grad,
    log_conditional,
    log_conditional_table,
    mean_below,
    sample_below,
    state_numbers,
    state_values,
    states_above,
    states_below,
)
from .mixtures import Weights, check_possible, likelihoods, log_mixture_of_logs, mixture_grad

_ROWS = 2**12  # states that are taken at once


@checked
def state_law(net: Net) -> Real[Array, "X"]:
    r"""Return P(x) of all x; ``state_law(net[k:])`` is :math:`P(h^{(k)})`.      [AO] eq. 1-3

    Exactness: exact to rounding.
    Cost: states below times states above of each layer, in bounded memory.
    Raises: ValueError where layers do not chain, or there are too many states.
    """
    laws = laws_above(net)
    return law_below(net[0], laws[0])


@checked
def laws_above(net: Net) -> tuple[Array, ...]:
    r"""Return the law of the variable above each layer: :math:`P(h^{(1)}), \dots, P(h^{(k_{max})})`, and 1.

    Exactness: exact to rounding.
    Raises: ValueError where layers do not chain, or there are too many states.
    """
    check_net(net)
    xp = array_namespace(net[-1][-1])
    laws = [xp.ones_like(xp.reshape(net[-1][-1], (-1,))[:1])]
    for layer in reversed(net[1:]):
        laws.insert(0, law_below(layer, laws[0]))
    return tuple(laws)


@checked
def joint_law(net: Net) -> Array:
    r"""Return :math:`P(x, h^{(1)}, \dots, h^{(k_{max})})` of all states.

    Exactness: exact to rounding.
    Raises: ValueError where layers do not chain, or there are too many joint states.
    """
    check_net(net)
    return array_namespace(*net[0]).exp(_log_joint(net, log_conditional_table(net[0])))


@checked
def posterior(net: Net, x: Raw[Array, "n ..."]) -> Prob[Array, "n ..."]:
    r"""Return :math:`P(h^{(1)}, \dots, h^{(k_{max})} \mid x)` of each row.      [AO] 1.3

    x (n, V) are bits, or (n,) integers under a ``Table``.
    Exactness: exact to rounding.
    Raises: ValueError where x does not suit the model or has probability zero.
    """
    check_net(net)
    xp = array_namespace(x, *net[0])
    log_joint = _log_joint(net, log_conditional(net[0], x))
    rest = (1,) * (log_joint.ndim - 1)
    log_p = log_sum_exp(xp.reshape(log_joint, (x.shape[0], -1)), axis=1)
    check_possible(log_p)
    return xp.exp(log_joint - xp.reshape(log_p, (-1, *rest)))


@checked
def compose(layers: Net) -> Table:
    r"""Return :math:`P(x \mid h^{(k)})` of k layers as one: the product of their tables.      [AO] 1.1, 2.6

    Exactness: exact to rounding.
    Raises: ValueError where layers do not chain, or a table has too many entries.
    """
    check_chain(layers)
    xp = array_namespace(*layers[0])
    columns = xp.exp(log_conditional_table(layers[-1]))
    for layer in reversed(layers[:-1]):
        columns = xp.stack([law_below(layer, columns[:, j]) for j in range(columns.shape[1])], axis=1)
    return Table(log_table(columns))


@checked
def log_likelihood(net: Net, x: Raw[Array, "n ..."]) -> LogWeights[Array, "n"]:
    r"""Return :math:`\log P(x)` of each row, in nats; minus infinity where it is impossible.      [AO] eq. 1

    x (n, V) are bits, or (n,) integers under a ``Table``.
    Exactness: exact to rounding, whatever the range, by enumeration of the hidden layers one at a time.
    Cost: n times the states of h1 (a multiplication and an addition each), and the cost of
    ``state_law(net[1:])``.
    Raises: ValueError where x does not suit the model, or there are too many states.
    """
    check_net(net)
    return log_mixture_of_logs(likelihoods(net[0], x), _log_law_above(net))


@checked
def log_law(net: Net) -> LogWeights[Array, "X"]:
    """Return log P(x) of all x, in logarithms throughout: a code may be improbable and still the only one.

    Exactness: exact to rounding, whatever the range.   Cost: that of ``state_law``.
    Raises: ValueError where layers do not chain, or there are too many states.
    """
    check_net(net)
    layer = net[0]
    if len(net) == 1:
        return log_conditional_table(layer)[:, 0]
    xp, above, states = array_namespace(layer[-1]), log_law(net[1:]), states_below(layer)
    check_enumerable("the law of x", (states,))
    blocks = []
    for start in range(0, states, _ROWS):
        numbers = xp.arange(start, min(start + _ROWS, states), dtype=xp.int64, device=above.device)
        x = state_values(layer, numbers)
        blocks.append(log_mixture_of_logs(likelihoods(layer, x), above))
    return xp.concat(blocks)


def _log_law_above(net: Net) -> Array:
    """Return ``log_law(net[1:])``, of the one state there is above a single layer: log 1."""
    if len(net) > 1:
        return log_law(net[1:])
    xp = array_namespace(net[0][-1])
    return xp.zeros_like(xp.reshape(net[0][-1], (-1,))[:1])


@checked
def log_likelihood_grad(net: Net, x: Raw[Array, "n ..."], *, weights: Weights = None) -> Net:
    r"""Return the gradient of :math:`\mathbb{E}_{x \sim P_D}[\log P_\theta(x)]`, exactly, for all layers.

    .. math:: \textstyle\sum_{h,h'} \partial_\theta \log P_\theta(h \mid h')\; \mathbb{E}_{x \sim P_D}
              P(h, h' \mid x)      [AO] eq. 7-9, for the layer between h and the h' above it

    The posterior enters through :math:`g(h) = \mathbb{E}_{x \sim P_D} P(x \mid h) / P(x)` alone, which is
    carried from layer to layer as a backpropagated gradient is.
    ``weights`` are a law over the rows, 1/n each where they are not given.   Exactness: exact to rounding.
    Raises: ValueError where x does not suit the model, or a row of positive weight has probability zero.
    """
    laws = laws_above(net)
    bottom, f = mixture_grad(net[0], x, laws[0], weights=weights)
    grads = [bottom]
    for layer, above in zip(net[1:], laws[1:], strict=True):
        grads.append(layer_grad(layer, f, above))
        f = mean_below(layer, f)
    return tuple(grads)


@checked
def sample(net: Net, *, samples: Count[int, 1], rng: Rng) -> tuple[Array, ...]:
    """Return draws of (x, h1, ..., top), the top one first: ancestral sampling.      [AO] 1.1

    One array for each layer: (samples, V) bits, or (samples,) int64 of a ``Table``.
    Exactness: exact draws.
    """
    check_net(net)
    like = net[-1][-1]
    xp, stream = array_namespace(like), as_stream(rng, like=like)
    nothing = xp.zeros((samples,), dtype=xp.int64, device=like.device)
    draws = [sample_below(net[-1], nothing, stream=stream)]
    for above, layer in pairwise(reversed(net)):
        draws.insert(0, sample_below(layer, state_numbers(above, draws[0]), stream=stream))
    return tuple(draws)


def _log_joint(net: Net, bottom: Array) -> Array:
    """Return log P(x, h1, ...), given log P(x | h1) of the rows or states at hand."""
    xp = array_namespace(bottom)
    check_enumerable("the joint table", (bottom.shape[0], *(states_above(layer) for layer in net)))
    joint = bottom
    for layer in net[1:]:
        # -inf + -inf is -inf, and no entry is +inf: zeros stay zeros.
        joint = joint[..., None] + log_conditional_table(layer)
    return xp.reshape(joint, joint.shape[:-1])
