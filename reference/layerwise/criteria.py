r"""What layer-wise training maximises and reports: criteria over q, their gradients, bounds of the loss.

An inference distribution q(h | x) is given by logits, one row for each datum: a *table*, softmax over all
states of h, or *bits*, independent units as in [AO] eq. 21.  It enters only through
:math:`q_D(h) = \mathbb{E}_{\tilde x \sim P_D} q(h \mid \tilde x)` ([AO] eq. 11), so the criterion [AO] eq. 10
and the empirical bound eq. 34 are ``incorporation.log_likelihood(p, q_D)``, p from ``mixtures.likelihoods``;
with validation data in both places, and the parameters of training, it is the validation bound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ..arguments import check_binary, check_choice, check_floating, check_law, check_shape
from ..directed.layers import Layer, Sigmoid, check_layer, check_values
from ..directed.mixtures import Likelihoods, data_law, mixture_grad
from ..directed.products import law_of_means, log_bits, logit_grad
from ..laws import expectation, kl, log_table
from ..numerics import log_sum_exp, sigmoid
from .incorporation import Marginal, log_likelihood

FORMS = ("table", "bits")

_BLOCK = 2**22  # likelihoods of data under draws that are held at once


def aggregate(q: Array, *, weights: Array | None = None) -> Array:
    r"""Return :math:`q_D(h) = \mathbb{E}_{\tilde x \sim P_D} q(h \mid \tilde x)` of a table.      [AO] eq. 11

    Shapes: q (n, S), a law in each row, weights (n,), a law over the data (1/n each where it is not given)
    -> (S,).   Exactness: exact.
    Raises: ValueError where a row is no law.
    """
    check_shape("q", q, None, None)
    check_floating("q", q)
    check_law("q", q)
    return data_law(q.shape[0], weights, like=q) @ q


def aggregate_logits(logits: Array, *, form: str, weights: Array | None = None) -> Array:
    """Return q_D of an inference distribution given by logits.      [AO] eq. 11; eq. 21-22 for bits

    Shapes: logits (n, S) of a "table" or (n, H) of "bits", weights (n,) -> (S,), S = 2^H for bits.
    Exactness: exact to rounding.
    Raises: ValueError for another form, wrong shapes, or too many units to enumerate.
    """
    xp = array_namespace(logits)
    check_choice("form", form, *FORMS)
    check_shape("logits", logits, None, None)
    check_floating("logits", logits)
    if form == "bits":
        return law_of_means(sigmoid(logits), data_law(logits.shape[0], weights, like=logits))
    return aggregate(xp.exp(logits - log_sum_exp(logits, axis=1)[:, None]), weights=weights)


def criterion_grad(
    layer: Layer, x: Array, logits: Array, *, form: str, weights: Array | None = None
) -> tuple[Layer, Array]:
    r"""Return the gradients of :math:`\mathbb{E}_{x \sim P_D}\log\sum_h P(x \mid h)\, q_D(h)` by both.

    With respect to the layer's parameters, and the logits of q(h | x) for each datum; a network that computes
    the logits continues from there.      [AO] eq. 10
    Shapes: x (n, ...), logits (n, S) or (n, H), weights (n,) -> the layer's type, like ``logits``.
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

    likelihood: Array  # [AO] eq. 19: the best marginal's log-likelihood minus the model's
    divergence: Array  # [AO] eq. 20: KL of the best marginal from the model's P(h); it may be infinite
    gap: float  # by which the best marginal, and so the first bound, may fall short


def loss_bounds(p: Likelihoods, best: Marginal, top: Array, *, weights: Array | None = None) -> LossBounds:
    r"""Return how much worse than the global optimum :math:`(\hat\theta_I, \theta_J)` can be.

    .. math:: D_{KL}(P_D \| P_{\hat\theta_I,\theta_J}) - D_{KL}(P_D \| \hat q_{D,\hat\theta_I})
              \le D_{KL}(\hat q_D(h) \| P_{\theta_J}(h))      [AO] theorem 1, proposition 6, eq. 19-20

    It bounds the loss where the bottom layer maximises U_D and ``best`` is its best marginal: for another law
    neither inequality holds.  The first bound plus the gap is safe for a marginal solved to that gap.
    Shapes: p over n data and S states, top (S,), the law P(h) of the top layers:
    ``belief.state_law(net[1:])``.
    Exactness: exact to rounding.
    """
    check_shape("top", top, p.states)
    model = log_likelihood(p, top, weights=weights)
    return LossBounds(best.log_likelihood - model, kl(best.Q, top), best.gap)


def sampled_bound(log_p: Array, *, weights: Array | None = None) -> Array:
    r"""Return the empirical bound with K draws of h from each :math:`q(h \mid \tilde x)` in place of the sum.

    .. math:: \mathbb{E}_{x \sim P_D} \log \sum_{\tilde x} P_D(\tilde x) \frac1K \sum_{k=1}^K
              P_{\theta_I}(x \mid h_{\tilde x k})      [AO] eq. 35, corrected

    What is inside the logarithm is unbiased, so the bound is low on average, and exact as K grows.
    Shapes: log_p (n, n, K), log P(x | h) of datum x and draw k for datum x~; weights (n,) -> 0-d.
    Exactness: one estimate.   Cost: n n K likelihoods.
    """
    check_shape("log_p", log_p, None, None, None)
    return _sampled(log_p, weights) - math.log(log_p.shape[2])


def drawn_bound(layer: Sigmoid, x: Array, h: Array, *, weights: Array | None = None) -> Array:
    """Return ``sampled_bound`` of a layer's likelihoods, in bounded memory.      [AO] eq. 35, corrected

    Shapes: x (n, V) bits, h (n, K, H) bits, K draws from q(h | x) of each datum; weights (n,) -> 0-d.
    Exactness: one estimate.   Cost: n n K likelihoods, some 2^22 at a time, and n K V numbers.
    Raises: ValueError where x or h does not suit the layer.
    """
    xp = array_namespace(x, h, *layer)
    check_layer(layer)
    check_values(layer, x)
    check_shape("h", h, x.shape[0], None, layer.W.shape[1])
    check_floating("h", h, like=layer.b)
    check_binary("h", h)
    n, K, _ = h.shape
    weights = data_law(n, weights, like=layer.b)
    logits = xp.reshape(h, (n * K, -1)) @ xp.matrix_transpose(layer.W) + layer.b
    # log P(x | h) = x . logits + log P(0 | h), and the rest of each term does not depend on x either.
    shares = xp.reshape(xp.broadcast_to(log_table(weights)[:, None] - math.log(K), (n, K)), (-1,))
    rest = log_bits(xp.zeros_like(x[:1, :]), logits)[0, :] + shares
    rows, logits = max(1, _BLOCK // (n * K)), xp.matrix_transpose(logits)
    blocks = [x[k : min(k + rows, n), :] for k in range(0, n, rows)]
    return expectation(weights, xp.concat([log_sum_exp(block @ logits + rest, axis=1) for block in blocks]))


def sampled_bound_printed(log_p: Array, log_q: Array, *, weights: Array | None = None) -> Array:
    r"""Return the estimator as printed: each draw is weighted by its q once more, and not averaged over K.

    .. math:: \mathbb{E}_{x \sim P_D} \log \sum_{\tilde x} \sum_{k=1}^K P_{\theta_I}(x \mid h_{\tilde x k})\,
              q(h_{\tilde x k} \mid \tilde x)\, P_D(\tilde x)      [AO] eq. 35

    It agrees with the bound where q is deterministic and K = 1, and is no estimate of it otherwise.
    Shapes: log_p (n, n, K), log_q (n, K), log q(h | x~) of the draws; weights (n,) -> 0-d.
    """
    array_namespace(log_p, log_q)
    check_shape("log_p", log_p, None, None, None)
    check_shape("log_q", log_q, *log_p.shape[1:])
    check_floating("log_q", log_q, like=log_p)
    return _sampled(log_p + log_q, weights)


def _sampled(log_terms: Array, weights: Array | None) -> Array:
    """Return the mean over x of the log of the terms summed over x~, weighted, and over draws."""
    check_shape("log_p", log_terms, None, log_terms.shape[0], None)
    weights = data_law(log_terms.shape[0], weights, like=log_terms)
    return expectation(weights, log_sum_exp(log_terms + log_table(weights)[:, None], axis=(1, 2)))
