"""The binary restricted Boltzmann machine: energies, conditionals and their samplers.

Letters: ``W`` (V, H) couples visible unit i to hidden unit j, ``b`` are the visible, ``c`` the hidden biases.
[BA] section 2 writes the transpose of ``W``, and the two biases the other way round.
"""

from __future__ import annotations

from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..contracts import Bits, Law, Prob, Real, checked
from ..numerics import sigmoid, softplus


class RBM(NamedTuple):
    """Parameters of a binary restricted Boltzmann machine; a gradient is an RBM too."""

    W: Real[Array, "V H"]  # couplings
    b: Real[Array, "V"]  # visible biases
    c: Real[Array, "H"]  # hidden biases


@checked
def energy(theta: RBM, v: Bits[Array, "n V"], h: Bits[Array, "n H"]) -> Real[Array, "n"]:
    r"""Return the energy of each pair (v, h), row by row.

    .. math:: E(v, h) = -v^\top W h - b^\top v - c^\top h      [BA] eq. 1, [BP] eq. 39

    Exactness: exact.
    """
    xp = array_namespace(v)
    return -xp.sum((v @ theta.W) * h, axis=1) - v @ theta.b - h @ theta.c


@checked
def free_energy(theta: RBM, v: Bits[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return F(v) with :math:`p(v) = e^{-F(v)} / Z`.

    .. math:: F(v) = -b^\top v - \sum_j \operatorname{softplus}(c_j + (v W)_j)    [BP] eq. 38-41, [BA] eq. 1-3

    Exactness: exact.
    """
    xp = array_namespace(v)
    return -visible_term(theta, v) - xp.sum(softplus(hidden_input(theta, v)), axis=1)


@checked
def hidden_input(theta: RBM, v: Real[Array, "n V"]) -> Real[Array, "n H"]:
    r"""Return :math:`c_j + (v W)_j`: the inner line of every loop over Gibbs steps.

    Exactness: exact.
    """
    return v @ theta.W + theta.c


@checked
def visible_input(theta: RBM, h: Real[Array, "n H"]) -> Real[Array, "n V"]:
    r"""Return :math:`b_i + (W h)_i`.

    Exactness: exact.
    """
    return h @ array_namespace(h).matrix_transpose(theta.W) + theta.b


@checked
def visible_term(theta: RBM, v: Real[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return :math:`b^\top v`, the part of -F(v) that no hidden unit has to do with.

    Exactness: exact.
    """
    return v @ theta.b


@checked
def hidden_on(x: Real[Array, "n H"]) -> Prob[Array, "n H"]:
    """Return the probability that hidden units with these inputs are on.      [BA] eq. 5

    Exactness: exact.
    """
    return sigmoid(x)


@checked
def visible_on(x: Real[Array, "n V"]) -> Prob[Array, "n V"]:
    """Return the probability that visible units with these inputs are on.      [BA] 2.1

    Exactness: exact.
    """
    return sigmoid(x)


@checked
def draw_hidden(p: Prob[Array, "n H"], stream: Stream) -> Bits[Array, "n H"]:
    """Return hidden units that are on with these probabilities, independently.     [BA] eq. 4

    Exactness: exact draws.
    """
    return stream.bernoulli(p)


@checked
def draw_visible(p: Prob[Array, "n V"], stream: Stream) -> Bits[Array, "n V"]:
    """Return visible units that are on with these probabilities, independently.    [BA] 2.1

    Exactness: exact draws.
    """
    return stream.bernoulli(p)


@checked
def mean_hidden(theta: RBM, v: Real[Array, "n V"]) -> Prob[Array, "n H"]:
    r"""Return :math:`p(h_j = 1 \mid v) = \sigma(c_j + (v W)_j)`.      [BA] eq. 4-5

    Exactness: exact for binary v; real-valued v are taken as they stand.
    """
    return hidden_on(hidden_input(theta, v))


@checked
def mean_visible(theta: RBM, h: Real[Array, "n H"]) -> Prob[Array, "n V"]:
    r"""Return :math:`p(v_i = 1 \mid h) = \sigma(b_i + (W h)_i)`.      [BA] 2.1 (counterpart of eq. 5)

    Exactness: exact for binary h; real-valued h are taken as they stand.
    """
    return visible_on(visible_input(theta, h))


@checked
def sample_hidden(theta: RBM, v: Real[Array, "n V"], *, rng: Rng) -> Bits[Array, "n H"]:
    """Return h drawn from p(h | v), row by row.      [BA] eq. 4-5

    Exactness: exact draws.
    """
    p = mean_hidden(theta, v)
    return draw_hidden(p, as_stream(rng, like=p))


@checked
def sample_visible(theta: RBM, h: Real[Array, "n H"], *, rng: Rng) -> Bits[Array, "n V"]:
    """Return v drawn from p(v | h), row by row.      [BA] 2.1

    Exactness: exact draws.
    """
    p = mean_visible(theta, h)
    return draw_visible(p, as_stream(rng, like=p))


@checked
def data_statistics(theta: RBM, v: Real[Array, "n V"], *, weights: Law[Array, "n"] | None = None) -> RBM:
    r"""Return the mean over rows of :math:`\mathbb{E}_h[(v h^\top, v, h) \mid v]`.

    Exactness: exact; minus the expected gradient of the energy.      [BA] eq. 7-10
    """
    xp = array_namespace(v)
    h = mean_hidden(theta, v)
    if weights is None:
        weights = xp.full((v.shape[0],), 1 / v.shape[0], dtype=v.dtype, device=v.device)
    return RBM(xp.matrix_transpose(v) @ (weights[:, None] * h), weights @ v, weights @ h)
