"""The binary restricted Boltzmann machine: energies, conditionals and their samplers.

Letters: ``W`` (V, H) couples visible unit i to hidden unit j, ``b`` are the visible, ``c`` the hidden biases.
[BA] section 2 writes the transpose of ``W``, and the two biases the other way round.
"""

from __future__ import annotations

from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..arguments import check_binary, check_finite, check_floating, check_law, check_shape
from ..numerics import sigmoid, softplus


class RBM(NamedTuple):
    """Parameters of a binary restricted Boltzmann machine; a gradient is an RBM too."""

    W: Array  # (V, H) couplings
    b: Array  # (V,) visible biases
    c: Array  # (H,) hidden biases


def check_rbm(theta: RBM) -> None:
    """Raise ValueError unless shapes chain, dtypes agree and every parameter is finite."""
    array_namespace(*theta)
    check_shape("theta.W", theta.W, None, None)
    check_shape("theta.b", theta.b, theta.W.shape[0])
    check_shape("theta.c", theta.c, theta.W.shape[1])
    for name, field in zip(theta._fields, theta, strict=True):
        check_floating(f"theta.{name}", field, like=theta.W)
        check_finite(f"theta.{name}", field)


def check_visible(theta: RBM, v: Array, *, name: str = "v", binary: bool = True) -> None:
    """Raise ValueError unless ``v`` (n, V) suits ``theta``; ``binary=False`` admits means."""
    _check_rows(name, v, theta.W.shape[0], theta, binary)


def check_hidden(theta: RBM, h: Array, *, name: str = "h", binary: bool = True) -> None:
    """Raise ValueError unless ``h`` (n, H) suits ``theta``; ``binary=False`` admits means."""
    _check_rows(name, h, theta.W.shape[1], theta, binary)


def _check_rows(name: str, x: Array, units: int, theta: RBM, binary: bool) -> None:
    array_namespace(theta.W, x)
    check_shape(name, x, None, units)
    check_floating(name, x, like=theta.W)
    (check_binary if binary else check_finite)(name, x)


def energy(theta: RBM, v: Array, h: Array) -> Array:
    r"""Return the energy of each pair (v, h), row by row.

    .. math:: E(v, h) = -v^\top W h - b^\top v - c^\top h      [BA] eq. 1, [BP] eq. 39

    Shapes: v (n, V), h (n, H) -> (n,).   Exactness: exact.
    Raises: ValueError for wrong shapes, dtypes or values that are not binary.
    """
    check_rbm(theta)
    check_visible(theta, v)
    check_hidden(theta, h)
    check_shape("h", h, v.shape[0], theta.W.shape[1])
    xp = array_namespace(v)
    return -xp.sum((v @ theta.W) * h, axis=1) - v @ theta.b - h @ theta.c


def free_energy(theta: RBM, v: Array) -> Array:
    r"""Return F(v) with :math:`p(v) = e^{-F(v)} / Z`.

    .. math:: F(v) = -b^\top v - \sum_j \operatorname{softplus}(c_j + (v W)_j)    [BP] eq. 38-41, [BA] eq. 1-3

    Shapes: v (n, V) -> (n,).   Exactness: exact.
    Raises: ValueError for wrong shapes, dtypes or values that are not binary.
    """
    check_rbm(theta)
    check_visible(theta, v)
    xp = array_namespace(v)
    return -visible_term(theta, v) - xp.sum(softplus(hidden_input(theta, v)), axis=1)


def hidden_input(theta: RBM, v: Array) -> Array:
    r"""Return :math:`c_j + (v W)_j`, unchecked: the inner line of every loop over Gibbs steps.

    Shapes: v (n, V) -> (n, H).   Exactness: exact.
    """
    return v @ theta.W + theta.c


def visible_input(theta: RBM, h: Array) -> Array:
    r"""Return :math:`b_i + (W h)_i`, unchecked.

    Shapes: h (n, H) -> (n, V).   Exactness: exact.
    """
    return h @ array_namespace(h).matrix_transpose(theta.W) + theta.b


def visible_term(theta: RBM, v: Array) -> Array:
    r"""Return :math:`b^\top v`, the part of -F(v) that no hidden unit has to do with, unchecked.

    Shapes: v (n, V) -> (n,).   Exactness: exact.
    """
    return v @ theta.b


def hidden_on(x: Array) -> Array:
    """Return the probability that hidden units with these inputs are on, unchecked.      [BA] eq. 5

    Shapes: x (n, H) -> (n, H).   Exactness: exact.
    """
    return sigmoid(x)


def visible_on(x: Array) -> Array:
    """Return the probability that visible units with these inputs are on, unchecked.      [BA] 2.1

    Shapes: x (n, V) -> (n, V).   Exactness: exact.
    """
    return sigmoid(x)


def draw_hidden(p: Array, stream: Stream) -> Array:
    """Return hidden units that are on with these probabilities, independently, unchecked.     [BA] eq. 4

    Shapes: p (n, H) -> (n, H).   Exactness: exact draws.
    """
    return stream.bernoulli(p)


def draw_visible(p: Array, stream: Stream) -> Array:
    """Return visible units that are on with these probabilities, independently, unchecked.    [BA] 2.1

    Shapes: p (n, V) -> (n, V).   Exactness: exact draws.
    """
    return stream.bernoulli(p)


def mean_hidden(theta: RBM, v: Array) -> Array:
    r"""Return :math:`p(h_j = 1 \mid v) = \sigma(c_j + (v W)_j)`.      [BA] eq. 4-5

    Shapes: v (n, V) -> (n, H).   Exactness: exact for binary v; real-valued v are taken as they stand.
    Raises: ValueError for wrong shapes or dtypes, NaN or infinities.
    """
    check_rbm(theta)
    check_visible(theta, v, binary=False)
    return hidden_on(hidden_input(theta, v))


def mean_visible(theta: RBM, h: Array) -> Array:
    r"""Return :math:`p(v_i = 1 \mid h) = \sigma(b_i + (W h)_i)`.      [BA] 2.1 (counterpart of eq. 5)

    Shapes: h (n, H) -> (n, V).   Exactness: exact for binary h; real-valued h are taken as they stand.
    Raises: ValueError for wrong shapes or dtypes, NaN or infinities.
    """
    check_rbm(theta)
    check_hidden(theta, h, binary=False)
    return visible_on(visible_input(theta, h))


def sample_hidden(theta: RBM, v: Array, *, rng: Rng) -> Array:
    """Return h drawn from p(h | v), row by row.      [BA] eq. 4-5

    Shapes: v (n, V) -> (n, H).   Exactness: exact draws.
    """
    p = mean_hidden(theta, v)
    return draw_hidden(p, as_stream(rng, like=p))


def sample_visible(theta: RBM, h: Array, *, rng: Rng) -> Array:
    """Return v drawn from p(v | h), row by row.      [BA] 2.1

    Shapes: h (n, H) -> (n, V).   Exactness: exact draws.
    """
    p = mean_visible(theta, h)
    return draw_visible(p, as_stream(rng, like=p))


def data_statistics(theta: RBM, v: Array, *, weights: Array | None = None) -> RBM:
    r"""Return the mean over rows of :math:`\mathbb{E}_h[(v h^\top, v, h) \mid v]`.

    Shapes: v (n, V), weights (n,), a law over the rows (1/n each where it is not given) -> RBM.
    Exactness: exact; minus the expected gradient of the energy.      [BA] eq. 7-10
    Raises: ValueError for wrong shapes or dtypes, or weights that are no law.
    """
    xp = array_namespace(v)
    h = mean_hidden(theta, v)
    if weights is None:
        weights = xp.full((v.shape[0],), 1 / v.shape[0], dtype=v.dtype, device=v.device)
    check_shape("weights", weights, v.shape[0])
    check_floating("weights", weights, like=v)
    check_law("weights", weights)
    return RBM(xp.matrix_transpose(v) @ (weights[:, None] * h), weights @ v, weights @ h)
