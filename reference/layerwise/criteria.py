r"""What layer-wise training maximises and reports: criteria over q, their gradients, bounds of the loss.

An inference distribution q(h | x) is given by logits, one row for each datum: a *table*, softmax over all
states of h, or *bits*, independent units as in [AO] eq. 21.  It enters only through
:math:`q_D(h) = \mathbb{E}_{\tilde x \sim P_D} q(h \mid \tilde x)` ([AO] eq. 11), so the criterion [AO] eq. 10
and the empirical bound eq. 34 are ``incorporation.log_likelihood(p, q_D)``, p from ``mixtures.likelihoods``;
with validation data in both places, and the parameters of training, it is the validation bound.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ..contracts import Bits, Choice, Law, LogWeights, Numbers, Raw, Real, checked
from ..directed.layers import L, Sigmoid
from ..directed.mixtures import Likelihoods, Weights, data_law, mixture_grad
from ..directed.products import law_of_means, log_bits, logit_grad
from ..laws import expectation, kl, log_table
from ..numerics import log_sum_exp, sigmoid
from .incorporation import Marginal, log_likelihood

Form: TypeAlias = Choice[str, "table", "bits"]

_BLOCK = 2**22  # likelihoods of data under draws that are held at once


@checked
def aggregate(q: Law[Array, "n S"], *, weights: Weights = None) -> Law[Array, "S"]:
    r"""Return :math:`q_D(h) = \mathbb{E}_{\tilde x \sim P_D} q(h \mid \tilde x)` of a table.      [AO] eq. 11

    ``weights`` are a law over the data, 1/n each where they are not given.   Exactness: exact.
    """
    return data_law(q.shape[0], weights, like=q) @ q


@checked
def aggregate_logits(
    logits: LogWeights[Array, "n H"], *, form: Form, weights: Weights = None
) -> Law[Array, "S"]:
    """Return q_D of an inference distribution given by logits.      [AO] eq. 11; eq. 21-22 for bits

    ``logits`` are those of all states of a "table", or of units of "bits".
    Exactness: exact to rounding.   Raises: ValueError where there are too many units to enumerate.
    """
    xp = array_namespace(logits)
    if form == "bits":
        return law_of_means(sigmoid(logits), data_law(logits.shape[0], weights, like=logits))
    return aggregate(xp.exp(logits - log_sum_exp(logits, axis=1)[:, None]), weights=weights)


@checked
def criterion_grad(
    layer: L, x: Raw[Array, "n ..."], logits: LogWeights[Array, "n H"], *, form: Form, weights: Weights = None
) -> tuple[L, Real[Array, "n H"]]:
    r"""Return the gradients of :math:`\mathbb{E}_{x \sim P_D}\log\sum_h P(x \mid h)\, q_D(h)` by both.

    With respect to the layer's parameters, and the logits of q(h | x) for each datum; a network that computes
    the logits continues from there.      [AO] eq. 10
    Exactness: exact to rounding.
    Raises: ValueError as ``aggregate_logits``, and where a datum has probability zero.
    """
    xp = array_namespace(x, logits)
    q_D = aggregate_logits(logits, form=form, weights=weights)
    grad, g = mixture_grad(layer, x, q_D, weights=weights)
    w = data_law(logits.shape[0], weights, like=logits)[:, None]
    if form == "bits":
        return grad, w * logit_grad(logits, g)
    q = xp.exp(logits - log_sum_exp(logits, axis=1)[:, None])
    return grad, w * q * (g - (q @ g)[:, None])


class LossBounds(NamedTuple):
    """Bounds in nats on what a model loses against the best of all models of its kind."""

    likelihood: Real[Array, ""]  # [AO] eq. 19: the best marginal's log-likelihood minus the model's
    divergence: Numbers[Array, ""]  # [AO] eq. 20: KL of the best marginal from P(h), or infinity
    gap: float  # by which the best marginal, and so the first bound, may fall short


@checked
def loss_bounds(
    p: Likelihoods, best: Marginal, top: Law[Array, "G*G_"], *, weights: Weights = None
) -> LossBounds:
    r"""Return how much worse than the global optimum :math:`(\hat\theta_I, \theta_J)` can be.

    .. math:: D_{KL}(P_D \| P_{\hat\theta_I,\theta_J}) - D_{KL}(P_D \| \hat q_{D,\hat\theta_I})
              \le D_{KL}(\hat q_D(h) \| P_{\theta_J}(h))      [AO] theorem 1, proposition 6, eq. 19-20

    It bounds the loss where the bottom layer maximises U_D and ``best`` is its best marginal: for another law
    neither inequality holds.  The first bound plus the gap is safe for a marginal solved to that gap.
    ``top`` is the law P(h) of the top layers: ``belief.state_law(net[1:])``.
    Exactness: exact to rounding.
    """
    model = log_likelihood(p, top, weights=weights)
    return LossBounds(best.log_likelihood - model, kl(best.Q, top), best.gap)


@checked
def sampled_bound(log_p: LogWeights[Array, "n n K"], *, weights: Weights = None) -> LogWeights[Array, ""]:
    r"""Return the empirical bound with K draws of h from each :math:`q(h \mid \tilde x)` in place of the sum.

    .. math:: \mathbb{E}_{x \sim P_D} \log \sum_{\tilde x} P_D(\tilde x) \frac1K \sum_{k=1}^K
              P_{\theta_I}(x \mid h_{\tilde x k})      [AO] eq. 35, corrected

    What is inside the logarithm is unbiased, so the bound is low on average, and exact as K grows.
    ``log_p`` is log P(x | h) of datum x and draw k for datum x~.
    Exactness: one estimate.   Cost: n n K likelihoods.
    """
    return _sampled(log_p, weights) - math.log(log_p.shape[2])


@checked
def drawn_bound(
    layer: Sigmoid, x: Bits[Array, "n V"], h: Bits[Array, "n K H"], *, weights: Weights = None
) -> LogWeights[Array, ""]:
    """Return ``sampled_bound`` of a layer's likelihoods, in bounded memory.      [AO] eq. 35, corrected

    h are K draws from q(h | x) of each datum.
    Exactness: one estimate.   Cost: n n K likelihoods, some 2^22 at a time, and n K V numbers.
    """
    xp = array_namespace(x, h, *layer)
    n, K, _ = h.shape
    weights = data_law(n, weights, like=layer.b)
    logits = xp.reshape(h, (n * K, -1)) @ xp.matrix_transpose(layer.W) + layer.b
    # log P(x | h) = x . logits + log P(0 | h), and the rest of each term does not depend on x either.
    shares = xp.reshape(xp.broadcast_to(log_table(weights)[:, None] - math.log(K), (n, K)), (-1,))
    rest = log_bits(xp.zeros_like(x[:1, :]), logits)[0, :] + shares
    rows, logits = max(1, _BLOCK // (n * K)), xp.matrix_transpose(logits)
    blocks = [x[k : min(k + rows, n), :] for k in range(0, n, rows)]
    return expectation(weights, xp.concat([log_sum_exp(block @ logits + rest, axis=1) for block in blocks]))


@checked
def sampled_bound_printed(
    log_p: LogWeights[Array, "n n K"], log_q: LogWeights[Array, "n K"], *, weights: Weights = None
) -> LogWeights[Array, ""]:
    r"""Return the estimator as printed: each draw is weighted by its q once more, and not averaged over K.

    .. math:: \mathbb{E}_{x \sim P_D} \log \sum_{\tilde x} \sum_{k=1}^K P_{\theta_I}(x \mid h_{\tilde x k})\,
              q(h_{\tilde x k} \mid \tilde x)\, P_D(\tilde x)      [AO] eq. 35

    It agrees with the bound where q is deterministic and K = 1, and is no estimate of it otherwise.
    ``log_q`` is log q(h | x~) of the draws.
    """
    return _sampled(log_p + log_q, weights)


def _sampled(log_terms: Array, weights: Array | None) -> Array:
    """Return the mean over x of the log of the terms summed over x~, weighted, and over draws."""
    weights = data_law(log_terms.shape[0], weights, like=log_terms)
    return expectation(weights, log_sum_exp(log_terms + log_table(weights)[:, None], axis=(1, 2)))
