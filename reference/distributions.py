"""Log-densities and entropies of Bernoulli, categorical and Gaussian variables, unit by unit.

Each takes the parameters that keep its digits: logits where there are any, probabilities (0 and 1 allowed)
where the law is given as such.  All are elementwise over units: sum over the last axis for independent ones.
The entropy of a table of probabilities is in ``laws``; sampling is the business of the streams.
"""

from __future__ import annotations

import math

from ..backends.arrays import Array, array_namespace
from .contracts import Bits, Indices, LogWeights, Prob, Real, checked
from .numerics import log_sum_exp, sigmoid, softplus, x_log_y

LOG_TWO_PI = math.log(2 * math.pi)


@checked
def log_bernoulli(x: Bits[Array, "*#S"], logits: Real[Array, "*#S"]) -> Real[Array, "*#S"]:
    r"""Return :math:`\log p(x)` of bits with :math:`p(x=1) = \sigma(a)`: :math:`xa - \mathrm{softplus}(a)`.

    Exactness: exact to rounding, for any finite a.
    """
    xp = array_namespace(x, logits)
    # x a - softplus(a) would cancel for x = 1 and large a; the sign turns one case into the other.
    return -softplus(xp.where(x == 1, -logits, logits))


@checked
def log_bernoulli_of_probability(x: Bits[Array, "*#S"], p: Prob[Array, "*#S"]) -> LogWeights[Array, "*#S"]:
    r"""Return :math:`x\log p + (1-x)\log(1-p)`, minus infinity for a bit that never happens.

    Exactness: exact to rounding; p in {0, 1} are allowed.
    """
    return x_log_y(x, p) + x_log_y(1 - x, 1 - p)


@checked
def log_categorical(
    x: Indices[Array, "*S", "K"], logits: LogWeights[Array, "*S K"]
) -> LogWeights[Array, "*S"]:
    r"""Return :math:`\log p(x) = a_x - \log\sum_k e^{a_k}` of indices x.

    Exactness: exact; logits may be minus infinity.
    Raises: ValueError where an index is not in 0..K-1, or the largest logit of a row is not finite.
    """
    xp = array_namespace(x, logits)
    log_p = log_softmax(logits)
    values = xp.arange(logits.shape[-1], dtype=xp.int64, device=x.device)
    chosen = xp.astype(x, xp.int64)[..., None] == values
    return xp.sum(xp.where(chosen, log_p, xp.zeros_like(log_p)), axis=-1)


@checked
def log_softmax(logits: LogWeights[Array, "*S K"]) -> LogWeights[Array, "*S K"]:
    r"""Return :math:`\log p(k) = a_k - \log\sum_j e^{a_j}` of every k.

    Exactness: exact; logits may be minus infinity.
    Raises: ValueError where the largest logit of a row is not finite.
    """
    xp = array_namespace(logits)
    top = xp.max(logits, axis=-1, keepdims=True)
    if not bool(xp.all(top > -float("inf"))):
        raise ValueError("logits must give some value of each row a probability, got minus infinity only")
    logits = logits - top  # the same law, and large ones lose no digits
    return logits - log_sum_exp(logits, axis=-1)[..., None]


@checked
def log_gaussian(
    x: Real[Array, "*#S"], mean: Real[Array, "*#S"], log_std: Real[Array, "*#S"]
) -> Real[Array, "*#S"]:
    r"""Return :math:`-\tfrac12\log 2\pi - \log\sigma - \tfrac{(x-\mu)^2}{2\sigma^2}`, the log-density.

    Exactness: exact to rounding.
    Raises: ValueError where one of them is not finite.
    """
    xp = array_namespace(x, mean, log_std)
    error = x - mean
    # At the mean no scale matters, however small: 0 times infinity would be NaN.
    scale = xp.exp(xp.where(error == 0, xp.zeros_like(error), -log_std))
    return -((error * scale) ** 2) / 2 - log_std - LOG_TWO_PI / 2


@checked
def bernoulli_entropy(logits: Real[Array, "*S"]) -> Real[Array, "*S"]:
    r"""Return :math:`H(\sigma(a)) = \mathrm{softplus}(a) - a\,\sigma(a)` in nats, of each bit.

    Exactness: exact to rounding in relative terms, in both tails.
    """
    xp = array_namespace(logits)
    # Even in a; on the negative side nothing cancels: both terms are positive.
    a = -xp.abs(logits)
    return softplus(a) - a * sigmoid(a)


@checked
def bernoulli_entropy_of_probability(p: Prob[Array, "*S"]) -> Real[Array, "*S"]:
    r"""Return :math:`-p\log p - (1-p)\log(1-p)` in nats, of each bit; zero for p in {0, 1}.

    Exactness: exact to rounding.
    """
    return -x_log_y(p, p) - x_log_y(1 - p, 1 - p)


@checked
def categorical_entropy(logits: LogWeights[Array, "*S K"]) -> Real[Array, "*S"]:
    r"""Return :math:`-\sum_k p_k\log p_k` in nats, :math:`p = \mathrm{softmax}(a)`.

    Exactness: exact; logits of minus infinity are allowed.
    Raises: ValueError where the largest logit of a row is not finite.
    """
    xp = array_namespace(logits)
    log_p = log_softmax(logits)
    p = xp.exp(log_p)
    # 0 log 0 := 0, and minus infinity times zero is NaN
    return -xp.sum(p * xp.where(p > 0, log_p, xp.zeros_like(p)), axis=-1)


@checked
def gaussian_entropy(log_std: Real[Array, "*S"]) -> Real[Array, "*S"]:
    r"""Return :math:`\tfrac12\log(2\pi e) + \log\sigma` in nats, the differential entropy.

    Exactness: exact to rounding.
    """
    return log_std + (LOG_TWO_PI + 1) / 2
