r"""The variational lower bound of a deep belief net: for any q of its first hidden layer, and for its own q.

.. math:: \log p(v) = \underbrace{\sum_h q(h) \log \frac{p(v, h)}{q(h)}}_{\text{elbo}} +
          \mathrm{KL}(q \,\|\, p(h \mid v)),\qquad h = h^{(1)}      [BA] eq. 15-19

A q is a table, a row for each row of v and a column for each state of h1.
"""

from __future__ import annotations

from ...backends.arrays import Array, array_namespace
from ..boltzmann.gibbs import law_of_units
from ..boltzmann.likelihood import log_likelihood as log_likelihood_rbm
from ..boltzmann.partition import log_partition
from ..boltzmann.rbm import hidden_input
from ..contracts import Bits, Law, LogWeights, Raw, Real, checked, conform
from ..numerics import x_log_y
from ..states import binary_states, check_enumerable
from .belief import log_law
from .dbn import DBN, check_visible, inputs, net, upside_down
from .layers import log_conditional


@checked
def log_prior(theta: DBN) -> LogWeights[Array, "states"]:
    r"""Return :math:`\log p(h^{(1)}) = \log\sum_{h^{(2)}} p(h^{(1)}, h^{(2)})` of all h1.      [BA] eq. 21

    Exactness: exact to rounding.   Cost: the hidden layers' states, pair by pair.
    """
    return log_law(net(theta)[1:] or (upside_down(theta.top),))


@checked
def log_joint_first(theta: DBN, v: Bits[Array, "n V"]) -> LogWeights[Array, "n states"]:
    r"""Return :math:`\log p(v, h^{(1)}) = \log p(v \mid h^{(1)}) + \log p(h^{(1)})` of all h1.  [BA] eq. 20

    Exactness: exact to rounding; eq. 13 and 16 sum it over h1.
    Raises: ValueError where v does not suit the net, or there are too many states.
    """
    check_visible(theta, v)
    if theta.generative:
        return log_conditional(theta.generative[0], v) + log_prior(theta)
    h = binary_states(theta.top.W.shape[1], like=v)
    log_weights = hidden_input(theta.top, v) @ array_namespace(v).matrix_transpose(h)
    return log_weights + (v @ theta.top.b)[:, None] - log_partition(theta.top)


@checked
def recognise(theta: DBN, v: Bits[Array, "n V"]) -> Law[Array, "n states"]:
    r"""Return the factorised :math:`q(h^{(1)} \mid v)` of all h1; of one machine alone, its posterior.

    Exactness: exact.      [BA] 3.1
    Raises: ValueError where v does not suit the net, or there are too many states.
    """
    check_visible(theta, v)
    logits = inputs(theta.recognition[0], v) if theta.recognition else hidden_input(theta.top, v)
    check_enumerable("the table of q(h1 | v)", (v.shape[0] * 2 ** logits.shape[1],))
    return array_namespace(v).matrix_transpose(law_of_units(logits))


@checked
def elbo(q: Law[Array, "n S"], log_joint: LogWeights[Array, "n S"]) -> LogWeights[Array, "n"]:
    r"""Return :math:`\sum_h q(h) \log\frac{p(v, h)}{q(h)} \le \log p(v)` of each row.      [BA] eq. 18

    Exactness: exact value of a lower bound, tight iff q = p(h | v); minus infinity where q leaves the
    support of p.
    """
    xp = array_namespace(q, log_joint)
    return mean_log(q, log_joint - xp.log(xp.where(q > 0, q, xp.ones_like(q))))


@checked
def elbo_by_entropy(q: Law[Array, "n S"], log_joint: LogWeights[Array, "n S"]) -> LogWeights[Array, "n"]:
    r"""Return :math:`\sum_h q(h) \log p(v, h) + H(q)`, the same bound in two parts.      [BA] eq. 19

    Exactness: as ``elbo``.
    """
    return mean_log(q, log_joint) + entropy(q)


@checked
def mean_log(q: Law[Array, "n S"], log_p: LogWeights[Array, "... S"]) -> LogWeights[Array, "n"]:
    r"""Return :math:`\sum_h q(h) \log p(h)` of each row, with 0 log 0 = 0.

    With ``log_prior`` this is the objective of the second machine ([BA] eq. 22): all that the layers above
    the first can change of the bound.
    log_p is that of each row, or of all.   Exactness: exact.
    """
    xp = array_namespace(q, log_p)
    if log_p.ndim != 1:
        conform(("log_p", Raw[Array, "n S"], log_p), n=q.shape[0])
    some, zero = q > 0, xp.zeros_like(q)
    return xp.sum(xp.where(some, q * xp.where(some, log_p, zero), zero), axis=1)


@checked
def entropy(q: Law[Array, "n S"]) -> Real[Array, "n"]:
    r"""Return :math:`H(q) = -\sum_h q(h) \log q(h)` of each row, in nats.      [BA] eq. 19, second part

    Exactness: exact.
    """
    return -array_namespace(q).sum(x_log_y(q, q), axis=1)


@checked
def bound_log_likelihood(theta: DBN, v: Bits[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return the variational lower bound of log p(v) by the net's own recognition, of each row.

    .. math:: \mathbb{E}_q\Big[\log p_{top}(h^{(L-1)}) + \sum_l \log
              \frac{p(h^{(l-1)} \mid h^{(l)})}{q(h^{(l)} \mid h^{(l-1)})}\Big],\qquad h^{(0)} = v
              [BA] eq. 19 with 20-21, applied layer by layer

    With one directed layer the gap is KL(q(h1 | v) || p(h1 | v)); with none the bound is log p(v).
    Exactness: exact value of a lower bound.
    Cost: 2^(H_l + H_{l+1}) numbers for each pair of hidden layers, n 2^{H1} for the first.
    Raises: ValueError where v does not suit the net, or there are too many states.
    """
    check_visible(theta, v)
    xp, depth = array_namespace(v), len(theta.generative)
    below = [v, *(binary_states(layer.W.shape[1], like=v) for layer in theta.generative)]
    bound = log_likelihood_rbm(theta.top, below[-1])
    for k in reversed(range(depth)):
        log_p = log_conditional(theta.generative[k], below[k])
        q = xp.matrix_transpose(law_of_units(inputs(theta.recognition[k], below[k])))
        bound = mean_log(q, log_p + bound) + entropy(q)
    return bound
