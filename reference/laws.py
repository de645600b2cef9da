"""Finite laws as tables of probabilities: the rules of [SH] 2.3 and [AL] 1.1.

A law of one variable is a table (X,); a joint law has one axis per variable.  Zeros are allowed, with
:math:`0\\log 0 := 0`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..backends.arrays import Array, array_namespace
from ..backends.streams import Rng, as_stream
from .contracts import Count, Floats, Indices, Law, LogWeights, NotNegative, Numbers, Raw, Real, checked
from .numerics import log_sum_exp, x_log_y


@checked
def log_table(p: Floats[Array, "*S"]) -> Floats[Array, "*S"]:
    """Return log p, minus infinity where p is zero.

    Exactness: exact.
    """
    xp = array_namespace(p)
    return x_log_y(xp.ones_like(p), p)


@checked
def marginal(joint: Law[Array, "...", None], *, axes: Sequence[int]) -> Law[Array, "...", None]:
    r"""Return the law of the variables ``axes``: :math:`p(x) = \sum_y p(x, y)`, the sum rule.      [SH] 2.3

    Exactness: exact.
    """
    xp = array_namespace(joint)
    rest = _other_axes(joint, axes)
    return xp.sum(joint, axis=rest) if rest else joint


@checked
def conditional(joint: Law[Array, "*S", None], *, given: Sequence[int]) -> NotNegative[Array, "*S"]:
    r"""Return :math:`p(x \mid y) = p(x, y) / p(y)` with y the variables ``given``: the product rule.

    [SH] 2.3.
    Exactness: exact.
    """
    xp = array_namespace(joint)
    total = xp.sum(joint, axis=_other_axes(joint, given), keepdims=True)
    if not bool(xp.all(total > 0)):
        raise ValueError(
            f"joint must give every value of the variables {tuple(given)} a positive probability"
        )
    return joint / total


@checked
def product_law(*laws: Law[Array, "_"]) -> Law[Array, "...", None]:
    r"""Return the joint law of independent variables, :math:`\prod_i p_i(x_i)`.      [SH] 2.3, [AL] eq. 1.2

    Exactness: exact.
    Raises: ValueError where there is none, or one of them is no law of one variable.
    """
    if not laws:
        raise ValueError("at least one law is wanted, got none")
    joint = laws[0]
    for law in laws[1:]:
        joint = joint[..., None] * law
    return joint


@checked
def is_independent(joint: Law[Array, "...", None], *, tolerance: float) -> bool:
    """Return whether the variables are independent, all of them jointly: joint = product of marginals.

    [SH] 2.3.
    Exactness: entry by entry to the absolute ``tolerance``.
    """
    xp = array_namespace(joint)
    singles = [marginal(joint, axes=(i,)) for i in range(joint.ndim)]
    return bool(xp.all(xp.abs(joint - product_law(*singles)) <= tolerance))


@checked
def expectation(law: Law[Array, "*S", None], f: Numbers[Array, "*S"]) -> Numbers[Array, ""]:
    r"""Return :math:`\mathbb{E}_p[f] = \sum_x p(x) f(x)`.      [SH] eq. 2.2, [AL] eq. 1.7

    Values of f where p is zero do not count, infinite ones included.
    Exactness: exact.
    """
    xp = array_namespace(law, f)
    return xp.sum(law * xp.where(law > 0, f, xp.zeros_like(f)))


@checked
def variance(law: Law[Array, "*S", None], f: Numbers[Array, "*S"]) -> Numbers[Array, ""]:
    r"""Return :math:`\mathbb{E}_p[f^2] - \mathbb{E}_p[f]^2`, computed about the mean.      [SH] 2.3

    Exactness: exact, and never negative.
    Raises: as ``expectation``, and ValueError where the mean is infinite.
    """
    mean = expectation(law, f)
    if not bool(array_namespace(mean).isfinite(mean)):
        raise ValueError(f"f must have a finite mean, got {float(mean)}")
    return expectation(law, (f - mean) ** 2)


@checked
def monte_carlo(
    law: Law[Array, "n X"], f: Numbers[Array, "n X"], *, samples: Count[int, 1], rng: Rng
) -> Numbers[Array, "n"]:
    r"""Return :math:`\frac1N \sum_{i=1}^N f(x^{(i)})` with :math:`x^{(i)} \sim p`, row by row.

    [SH] eq. 2.3.
    Exactness: unbiased, of variance var(f) / N.
    Raises: ValueError where a row of ``law`` is no law, the shapes differ, or ``samples`` is below one.
    """
    xp = array_namespace(law, f)
    return xp.mean(gather(f, draw(law, samples=samples, rng=rng)), axis=1)


@checked
def draw(law: Law[Array, "n X"], *, samples: Count[int, 1], rng: Rng) -> Indices[Array, "n samples", "X"]:
    """Return ``samples`` independent draws from each row's law.

    Exactness: exact draws.
    """
    xp = array_namespace(law)
    logits = xp.broadcast_to(log_table(law)[:, None, :], (law.shape[0], samples, law.shape[1]))
    return as_stream(rng, like=law).categorical(logits)


@checked
def gather(f: Raw[Array, "n X"], x: Indices[Array, "n N", "X"]) -> Raw[Array, "n N"]:
    """Return f[n, x[n, i]].

    Exactness: exact.
    """
    xp = array_namespace(f, x)
    return xp.take_along_axis(f, x, axis=1)


@checked
def entropy(p: Law[Array, "*S", None]) -> Real[Array, ""]:
    r"""Return :math:`H(p) = \sum_x p(x) \log\frac1{p(x)}` in nats.      [SH] 2.3

    Exactness: exact.
    """
    return cross_entropy(p, p)


@checked
def cross_entropy(p: Law[Array, "*S", None], q: Law[Array, "*S", None]) -> Numbers[Array, ""]:
    r"""Return :math:`H(p, q) = -\sum_x p(x) \log q(x)`; infinite where :math:`q(x) = 0 < p(x)`.

    [AL] 1.2.2.
    Exactness: exact.
    Raises: ValueError where one is no law or the shapes differ.
    """
    xp = array_namespace(p, q)
    return -xp.sum(x_log_y(p, q))


@checked
def kl(p: Law[Array, "*S", None], q: Law[Array, "*S", None]) -> Numbers[Array, ""]:
    r"""Return :math:`D_{KL}(p \| q) = \sum_x p(x) \log\frac{p(x)}{q(x)}`.

    Infinite where :math:`q(x) = 0 < p(x)`.      [SH] 2.3
    Exactness: exact.
    Raises: ValueError where one is no law or the shapes differ.
    """
    xp = array_namespace(p, q)
    return xp.sum(x_log_y(p, p) - x_log_y(p, q))


@checked
def bhattacharyya_coefficient(p: Law[Array, "*S", None], q: Law[Array, "*S", None]) -> NotNegative[Array, ""]:
    r"""Return :math:`BC(p, q) = \sum_x \sqrt{p(x) q(x)}`.      [SH] 2.3

    Exactness: exact.
    Raises: ValueError where one is no law or the shapes differ.
    """
    xp = array_namespace(p, q)
    return xp.sum(xp.sqrt(p) * xp.sqrt(q))


@checked
def bhattacharyya_distance(p: Law[Array, "*S", None], q: Law[Array, "*S", None]) -> Numbers[Array, ""]:
    r"""Return :math:`D_B(p, q) = -\ln BC(p, q)`; infinite for laws of disjoint support.      [SH] 2.3

    Exactness: exact.
    """
    return -log_table(bhattacharyya_coefficient(p, q))


@checked
def log_evidence(
    prior: Law[Array, "*S", None], log_likelihood: LogWeights[Array, "*S"]
) -> LogWeights[Array, ""]:
    r"""Return :math:`\log p(D) = \log\sum_\theta p(D \mid \theta) p(\theta)`.      [SH] eq. 2.1

    Exactness: exact; minus infinity for impossible data.
    """
    return log_sum_exp(log_table(prior) + log_likelihood)


@checked
def posterior(
    prior: Law[Array, "*S", None], log_likelihood: LogWeights[Array, "*S"]
) -> Law[Array, "*S", None]:
    r"""Return :math:`p(\theta \mid D) = p(D \mid \theta) p(\theta) / p(D)` on a grid of parameters.

    [SH] eq. 2.1, [AL] 1.1.1.   Exactness: exact.
    """
    xp = array_namespace(prior, log_likelihood)
    evidence = log_evidence(prior, log_likelihood)
    if not bool(xp.isfinite(evidence)):
        raise ValueError(
            f"the data must have a positive probability under the prior, log p(D) is {float(evidence)}"
        )
    return xp.exp(log_table(prior) + log_likelihood - evidence)


@checked
def predictive(weights: Law[Array, "M"], laws: Law[Array, "M X"]) -> Law[Array, "X"]:
    r"""Return :math:`P(x \mid D) = \sum_M P(x \mid M) P(M \mid D)`.      [AL] eq. 1.1

    Exactness: exact on the grid of models.
    Raises: ValueError where ``weights`` or a row of ``laws`` is no law, or the shapes do not chain.
    """
    return weights @ laws


@checked
def elbo(q: Law[Array, "*S", None], log_joint: LogWeights[Array, "*S"]) -> LogWeights[Array, ""]:
    r"""Return :math:`L(q) = \sum_H q(H) \log\frac{p(H, D)}{q(H)}`, a lower bound of log p(D).      [SH] 2.5

    Exactness: exact; minus infinity where q leaves the support of p.
    """
    return expectation(q, log_joint) + entropy(q)


@checked
def likelihood(law: Law[Array, "X"], x: Indices[Array, "N", "X"]) -> NotNegative[Array, ""]:
    r"""Return :math:`\prod_{x \in D} p(x)`; it underflows for large data sets.      [SH] eq. 2.4

    Exactness: exact until it underflows.
    """
    xp = array_namespace(law, x)
    return xp.prod(xp.take(law, x))


@checked
def negative_log_likelihood(law: Law[Array, "X"], x: Indices[Array, "N", "X"]) -> Numbers[Array, ""]:
    r"""Return :math:`\ell = -\sum_{x \in D} \log p(x)`: a sum, in which repeated points count.

    [SH] eq. 2.4.
    Exactness: exact; infinite where an impossible value occurs.
    """
    xp = array_namespace(law, x)
    return -xp.sum(xp.take(log_table(law), x))


@checked
def negative_log_likelihood_grad(law: Law[Array, "X"], x: Indices[Array, "N", "X"]) -> Numbers[Array, "X"]:
    r"""Return :math:`\partial\ell/\partial p_k = -n_k / p_k`, with 0/0 := 0.

    Every entry of the table is taken as free; along the simplex only differences of entries mean something.
    [SH] 2.5.
    Exactness: exact.
    """
    xp = array_namespace(law, x)
    counts = empirical_law(x, like=law) * x.shape[0]
    some = counts > 0
    return -counts / xp.where(some, law, xp.ones_like(law))


@checked
def empirical_law(x: Indices[Array, "N", "X"], *, like: Floats[Array, "X"]) -> Law[Array, "X"]:
    """Return the relative frequencies of the values: the maximum-likelihood law.      [AL] eq. 1.4

    Exactness: exact.
    """
    xp = array_namespace(like, x)
    values = xp.arange(like.shape[0], dtype=xp.int64, device=x.device)
    return xp.mean(xp.astype(xp.astype(x, xp.int64)[:, None] == values, like.dtype), axis=0)


def _other_axes(joint: Array, axes: Sequence[int]) -> tuple[int, ...]:
    if len(set(axes)) != len(axes) or not all(0 <= a < joint.ndim for a in axes):
        raise ValueError(f"axes must be distinct and within 0..{joint.ndim - 1}, got {tuple(axes)}")
    return tuple(a for a in range(joint.ndim) if a not in axes)
