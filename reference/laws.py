"""Finite laws as tables of probabilities: the rules of [SH] 2.3 and [AL] 1.1.

A law of one variable is a table (X,); a joint law has one axis per variable.  Zeros are allowed, with
:math:`0\\log 0 := 0`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..backends.arrays import Array, array_namespace
from ..backends.streams import Rng, as_stream
from .arguments import (
    check_count,
    check_finite,
    check_floating,
    check_indices,
    check_law,
    check_log_weights,
    check_not_nan,
    check_shape,
)
from .numerics import log_sum_exp, x_log_y


def check_table(name: str, p: Array) -> None:
    """Raise ValueError unless ``p`` is a table of probabilities, of any shape, that sums to one."""
    xp = array_namespace(p)
    check_floating(name, p)
    check_law(name, xp.reshape(p, (-1,)))


def check_function(name: str, f: Array, law: Array) -> None:
    """Raise ValueError unless ``f`` is floating like ``law``, of its shape, and nowhere NaN."""
    check_shape(name, f, *law.shape)
    check_floating(name, f, like=law)
    check_not_nan(name, f)


def log_table(p: Array) -> Array:
    """Return log p, minus infinity where p is zero.

    Shapes: any, elementwise.   Exactness: exact.
    """
    xp = array_namespace(p)
    return x_log_y(xp.ones_like(p), p)


def marginal(joint: Array, *, axes: Sequence[int]) -> Array:
    r"""Return the law of the variables ``axes``: :math:`p(x) = \sum_y p(x, y)`, the sum rule.      [SH] 2.3

    Shapes: joint (X0, X1, ...) -> one axis for each of ``axes``, in the order of the joint.
    Exactness: exact.
    Raises: ValueError where ``joint`` is no law or ``axes`` does not name distinct axes.
    """
    xp = array_namespace(joint)
    check_table("joint", joint)
    rest = _other_axes(joint, axes)
    return xp.sum(joint, axis=rest) if rest else joint


def conditional(joint: Array, *, given: Sequence[int]) -> Array:
    r"""Return :math:`p(x \mid y) = p(x, y) / p(y)` with y the variables ``given``: the product rule.

    [SH] 2.3.
    Shapes: joint (X0, X1, ...) -> the same; sums to one over the axes that are not given.   Exactness: exact.
    Raises: ValueError where ``joint`` is no law, or where a given variable's value has probability zero.
    """
    xp = array_namespace(joint)
    check_table("joint", joint)
    total = xp.sum(joint, axis=_other_axes(joint, given), keepdims=True)
    if not bool(xp.all(total > 0)):
        raise ValueError(
            f"joint must give every value of the variables {tuple(given)} a positive probability"
        )
    return joint / total


def product_law(*laws: Array) -> Array:
    r"""Return the joint law of independent variables, :math:`\prod_i p_i(x_i)`.      [SH] 2.3, [AL] eq. 1.2

    Shapes: laws (X0,), (X1,), ... -> (X0, X1, ...).   Exactness: exact.
    Raises: ValueError where there is none, or one of them is no law of one variable.
    """
    if not laws:
        raise ValueError("at least one law is wanted, got none")
    array_namespace(*laws)
    joint = laws[0]
    for i, law in enumerate(laws):
        check_shape(f"law {i}", law, None)
        check_table(f"law {i}", law)
        joint = joint[..., None] * law if i else law
    return joint


def is_independent(joint: Array, *, tolerance: float) -> bool:
    """Return whether the variables are independent, all of them jointly: joint = product of marginals.

    [SH] 2.3.
    Shapes: joint (X0, X1, ...).   Exactness: entry by entry to the absolute ``tolerance``.
    """
    xp = array_namespace(joint)
    singles = [marginal(joint, axes=(i,)) for i in range(joint.ndim)]
    return bool(xp.all(xp.abs(joint - product_law(*singles)) <= tolerance))


def expectation(law: Array, f: Array) -> Array:
    r"""Return :math:`\mathbb{E}_p[f] = \sum_x p(x) f(x)`.      [SH] eq. 2.2, [AL] eq. 1.7

    Values of f where p is zero do not count, infinite ones included.
    Shapes: law and f of one shape -> 0-d.   Exactness: exact.
    Raises: ValueError where ``law`` is no law or the shapes differ.
    """
    xp = array_namespace(law, f)
    check_table("law", law)
    check_function("f", f, law)
    return xp.sum(law * xp.where(law > 0, f, xp.zeros_like(f)))


def variance(law: Array, f: Array) -> Array:
    r"""Return :math:`\mathbb{E}_p[f^2] - \mathbb{E}_p[f]^2`, computed about the mean.      [SH] 2.3

    Shapes: law and f of one shape -> 0-d.   Exactness: exact, and never negative.
    Raises: as ``expectation``, and ValueError where the mean is infinite.
    """
    mean = expectation(law, f)
    check_finite("the mean of f", mean)
    return expectation(law, (f - mean) ** 2)


def monte_carlo(law: Array, f: Array, *, samples: int, rng: Rng) -> Array:
    r"""Return :math:`\frac1N \sum_{i=1}^N f(x^{(i)})` with :math:`x^{(i)} \sim p`, row by row.

    [SH] eq. 2.3.
    Shapes: law (n, X), f (n, X) -> (n,), N = ``samples``.   Exactness: unbiased, of variance var(f) / N.
    Raises: ValueError where a row of ``law`` is no law, the shapes differ, or ``samples`` is below one.
    """
    xp = array_namespace(law, f)
    check_function("f", f, law)
    return xp.mean(gather(f, draw(law, samples=samples, rng=rng)), axis=1)


def draw(law: Array, *, samples: int, rng: Rng) -> Array:
    """Return ``samples`` independent draws from each row's law.

    Shapes: law (n, X) -> (n, samples) int64.   Exactness: exact draws.
    """
    xp = array_namespace(law)
    check_shape("law", law, None, None)
    check_floating("law", law)
    check_law("law", law)
    check_count("samples", samples)
    logits = xp.broadcast_to(log_table(law)[:, None, :], (law.shape[0], samples, law.shape[1]))
    return as_stream(rng, like=law).categorical(logits)


def gather(f: Array, x: Array) -> Array:
    """Return f[n, x[n, i]].

    Shapes: f (n, X), x (n, N) of integers -> (n, N).   Exactness: exact.
    """
    xp = array_namespace(f, x)
    check_shape("x", x, None, None)
    check_shape("f", f, x.shape[0], None)
    check_indices("x", x, f.shape[1])
    return xp.take_along_axis(f, x, axis=1)


def entropy(p: Array) -> Array:
    r"""Return :math:`H(p) = \sum_x p(x) \log\frac1{p(x)}` in nats.      [SH] 2.3

    Shapes: p of any shape -> 0-d.   Exactness: exact.
    """
    return cross_entropy(p, p)


def cross_entropy(p: Array, q: Array) -> Array:
    r"""Return :math:`H(p, q) = -\sum_x p(x) \log q(x)`; infinite where :math:`q(x) = 0 < p(x)`.

    [AL] 1.2.2.
    Shapes: p and q of one shape -> 0-d.   Exactness: exact.
    Raises: ValueError where one is no law or the shapes differ.
    """
    xp = array_namespace(p, q)
    _check_pair(p, q)
    return -xp.sum(x_log_y(p, q))


def kl(p: Array, q: Array) -> Array:
    r"""Return :math:`D_{KL}(p \| q) = \sum_x p(x) \log\frac{p(x)}{q(x)}`.

    Infinite where :math:`q(x) = 0 < p(x)`.      [SH] 2.3
    Shapes: p and q of one shape -> 0-d.   Exactness: exact.
    Raises: ValueError where one is no law or the shapes differ.
    """
    xp = array_namespace(p, q)
    _check_pair(p, q)
    return xp.sum(x_log_y(p, p) - x_log_y(p, q))


def bhattacharyya_coefficient(p: Array, q: Array) -> Array:
    r"""Return :math:`BC(p, q) = \sum_x \sqrt{p(x) q(x)}`.      [SH] 2.3

    Shapes: p and q of one shape -> 0-d.   Exactness: exact.
    Raises: ValueError where one is no law or the shapes differ.
    """
    xp = array_namespace(p, q)
    _check_pair(p, q)
    return xp.sum(xp.sqrt(p) * xp.sqrt(q))


def bhattacharyya_distance(p: Array, q: Array) -> Array:
    r"""Return :math:`D_B(p, q) = -\ln BC(p, q)`; infinite for laws of disjoint support.      [SH] 2.3

    Shapes: p and q of one shape -> 0-d.   Exactness: exact.
    """
    return -log_table(bhattacharyya_coefficient(p, q))


def log_evidence(prior: Array, log_likelihood: Array) -> Array:
    r"""Return :math:`\log p(D) = \log\sum_\theta p(D \mid \theta) p(\theta)`.      [SH] eq. 2.1

    Shapes: prior and log_likelihood of one shape -> 0-d.
    Exactness: exact; minus infinity for impossible data.
    """
    array_namespace(prior, log_likelihood)
    check_table("prior", prior)
    check_shape("log_likelihood", log_likelihood, *prior.shape)
    check_log_weights("log_likelihood", log_likelihood)
    return log_sum_exp(log_table(prior) + log_likelihood)


def posterior(prior: Array, log_likelihood: Array) -> Array:
    r"""Return :math:`p(\theta \mid D) = p(D \mid \theta) p(\theta) / p(D)` on a grid of parameters.

    [SH] eq. 2.1, [AL] 1.1.1.   Shapes: prior and log_likelihood of one shape -> the same.   Exactness: exact.
    Raises: ValueError where ``prior`` is no law, the shapes differ, or the data have probability zero.
    """
    xp = array_namespace(prior, log_likelihood)
    evidence = log_evidence(prior, log_likelihood)
    if not bool(xp.isfinite(evidence)):
        raise ValueError(
            f"the data must have a positive probability under the prior, log p(D) is {float(evidence)}"
        )
    return xp.exp(log_table(prior) + log_likelihood - evidence)


def predictive(weights: Array, laws: Array) -> Array:
    r"""Return :math:`P(x \mid D) = \sum_M P(x \mid M) P(M \mid D)`.      [AL] eq. 1.1

    Shapes: weights (M,), laws (M, X) -> (X,).   Exactness: exact on the grid of models.
    Raises: ValueError where ``weights`` or a row of ``laws`` is no law, or the shapes do not chain.
    """
    array_namespace(weights, laws)
    check_shape("weights", weights, None)
    check_table("weights", weights)
    check_shape("laws", laws, weights.shape[0], None)
    check_law("laws", laws)
    return weights @ laws


def elbo(q: Array, log_joint: Array) -> Array:
    r"""Return :math:`L(q) = \sum_H q(H) \log\frac{p(H, D)}{q(H)}`, a lower bound of log p(D).      [SH] 2.5

    Shapes: q and log_joint of one shape -> 0-d.
    Exactness: exact; minus infinity where q leaves the support of p.
    """
    check_log_weights("log_joint", log_joint)
    return expectation(q, log_joint) + entropy(q)


def likelihood(law: Array, x: Array) -> Array:
    r"""Return :math:`\prod_{x \in D} p(x)`; it underflows for large data sets.      [SH] eq. 2.4

    Shapes: law (X,), x (N,) of integers -> 0-d.   Exactness: exact until it underflows.
    """
    xp = array_namespace(law, x)
    _check_data(law, x)
    return xp.prod(xp.take(law, x))


def negative_log_likelihood(law: Array, x: Array) -> Array:
    r"""Return :math:`\ell = -\sum_{x \in D} \log p(x)`: a sum, in which repeated points count.

    [SH] eq. 2.4.
    Shapes: law (X,), x (N,) of integers -> 0-d.
    Exactness: exact; infinite where an impossible value occurs.
    Raises: ValueError where ``law`` is no law or ``x`` leaves its alphabet.
    """
    xp = array_namespace(law, x)
    _check_data(law, x)
    return -xp.sum(xp.take(log_table(law), x))


def negative_log_likelihood_grad(law: Array, x: Array) -> Array:
    r"""Return :math:`\partial\ell/\partial p_k = -n_k / p_k`, with 0/0 := 0.

    Every entry of the table is taken as free; along the simplex only differences of entries mean something.
    [SH] 2.5.
    Shapes: law (X,), x (N,) of integers -> (X,).   Exactness: exact.
    """
    xp = array_namespace(law, x)
    _check_data(law, x)
    counts = empirical_law(x, like=law) * x.shape[0]
    some = counts > 0
    return -counts / xp.where(some, law, xp.ones_like(law))


def empirical_law(x: Array, *, like: Array) -> Array:
    """Return the relative frequencies of the values: the maximum-likelihood law.      [AL] eq. 1.4

    Shapes: x (N,) of integers, like (X,) -> (X,), dtype of ``like``.   Exactness: exact.
    """
    xp = array_namespace(like, x)
    check_shape("like", like, None)
    check_floating("like", like)
    check_shape("x", x, None)
    check_indices("x", x, like.shape[0])
    values = xp.arange(like.shape[0], dtype=xp.int64, device=x.device)
    return xp.mean(xp.astype(xp.astype(x, xp.int64)[:, None] == values, like.dtype), axis=0)


def _other_axes(joint: Array, axes: Sequence[int]) -> tuple[int, ...]:
    if len(set(axes)) != len(axes) or not all(0 <= a < joint.ndim for a in axes):
        raise ValueError(f"axes must be distinct and within 0..{joint.ndim - 1}, got {tuple(axes)}")
    return tuple(a for a in range(joint.ndim) if a not in axes)


def _check_pair(p: Array, q: Array) -> None:
    check_table("p", p)
    check_table("q", q)
    check_shape("q", q, *p.shape)


def _check_data(law: Array, x: Array) -> None:
    array_namespace(law, x)
    check_shape("law", law, None)
    check_table("law", law)
    check_shape("x", x, None)
    check_indices("x", x, law.shape[0])
