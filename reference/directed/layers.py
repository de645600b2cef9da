r"""Layers of directed models: conditional laws P(x | h) of a variable given the one above it.      [AO] 1.1

A layer is a NamedTuple of parameters, and so is its gradient.  Whatever its form, it is a table of
probabilities with a column for each state above and a row for each state below, and does three things with
it: carry a law down (``law_below``), carry a function up (``mean_below``), and give its gradient between the
two.  A chain of layers is then differentiated as a product of matrices is.

The topmost layer has one state above it: its single column is the law of the top variable.  So a ``Sigmoid``
of shape (H, 0) is a product of Bernoulli laws, a ``Table`` of shape (S, 1) any law, an ``RBM`` the marginal
of its visible units.

Values of a variable are rows of bits under a ``Sigmoid`` or ``RBM``, integers under a ``Table``; states are
numbered in the order of ``binary_states``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Stream
from ..arguments import (
    check_array,
    check_binary,
    check_finite,
    check_floating,
    check_indices,
    check_law,
    check_probability,
    check_shape,
)
from ..boltzmann.likelihood import log_likelihood as log_likelihood_rbm
from ..boltzmann.likelihood import log_likelihood_grad as log_likelihood_grad_rbm
from ..boltzmann.partition import law_of_bits, marginal_visible
from ..boltzmann.rbm import RBM, check_rbm
from ..laws import log_table
from ..numerics import log_sum_exp, sigmoid
from ..states import binary_states, check_enumerable, state_blocks, state_index
from ..trees import leaves, scale

_BLOCK = 2**20  # numbers per block of an enumeration
_MOST = 2**30  # numbers in a table of rows by states


class Sigmoid(NamedTuple):
    r"""Independent bits given the bits above: :math:`P(x_i = 1 \mid h) = \sigma(b_i + (W h)_i)`."""

    W: Array  # (V, H)
    b: Array  # (V,)


class Table(NamedTuple):
    r"""Any law of a finite variable given another one: :math:`P(x \mid h) \propto e^{a_{xh}}`.

    Logarithms of probabilities are logits; minus infinity stands for probability zero.
    """

    logits: Array  # (X, S)


Layer: TypeAlias = Sigmoid | Table | RBM
Net: TypeAlias = tuple[Layer, ...]
"""Layers from the bottom to the top; slices of it are its parts above and below a split."""


def table_layer(A: Array) -> Table:
    r"""Return the layer with :math:`P(x \mid h) = A_{xh}`.

    Shapes: A (X, S).   Exactness: exact.
    Raises: ValueError where an entry is negative or a column does not sum to one.
    """
    check_shape("A", A, None, None)
    check_floating("A", A)
    check_law("A", A, axis=0)
    return Table(log_table(A))


def check_layer(layer: Layer, *, name: str = "layer") -> None:
    """Raise ValueError unless shapes chain, dtypes agree and the parameters are numbers."""
    if isinstance(layer, RBM):
        check_rbm(layer)
    elif isinstance(layer, Sigmoid):
        array_namespace(*layer)
        check_shape(f"{name}.b", layer.b, None)
        if layer.W.ndim != 2 or layer.W.shape[0] != layer.b.shape[0]:
            raise ValueError(f"{name}.W must have shape ({layer.b.shape[0]}, H), got {tuple(layer.W.shape)}")
        for field, x in zip(layer._fields, layer, strict=True):
            check_floating(f"{name}.{field}", x, like=layer.b)
            check_finite(f"{name}.{field}", x)
    else:
        xp = array_namespace(layer.logits)
        check_shape(f"{name}.logits", layer.logits, None, None)
        check_floating(f"{name}.logits", layer.logits)
        top = xp.max(layer.logits, axis=0)
        if not bool(xp.all(xp.isfinite(top))):
            raise ValueError(f"{name}.logits must have a finite largest entry in every column, and no NaN")


def check_net(net: Net) -> None:
    """Raise ValueError unless layers chain, and the top one has one state above it."""
    check_chain(net)
    if states_above(net[-1]) != 1:
        raise ValueError("net must end in a layer with one state above it: the law of the top variable")


def check_chain(net: Net) -> None:
    """Raise ValueError unless each layer's states above are those below the next one."""
    if not net:
        raise ValueError("net must hold at least one layer, got none")
    array_namespace(*leaves(net))
    for k, layer in enumerate(net):
        check_layer(layer, name=f"net[{k}]")
    for k, (layer, above) in enumerate(pairwise(net)):
        if states_above(layer) != states_below(above):
            raise ValueError(
                f"layers must chain: net[{k}] has {states_above(layer)} states above it, "
                f"net[{k + 1}] has {states_below(above)} below it"
            )


def states_below(layer: Layer) -> int:
    """Return the number of states of x."""
    return int(layer.logits.shape[0]) if isinstance(layer, Table) else 2 ** int(layer.b.shape[0])


def states_above(layer: Layer) -> int:
    """Return the number of states of h."""
    if isinstance(layer, RBM):
        return 1
    return int(layer.logits.shape[1]) if isinstance(layer, Table) else 2 ** int(layer.W.shape[1])


def log_conditional_table(layer: Layer) -> Array:
    """Return log P(x | h) of all states.

    Shapes: -> (states below, states above).   Exactness: exact to rounding.
    Raises: ValueError where the table has too many entries.
    """
    xp = array_namespace(*layer)
    check_layer(layer)
    check_enumerable("the conditional table", (states_below(layer), states_above(layer)))
    if isinstance(layer, Table):
        return layer.logits - log_sum_exp(layer.logits, axis=0)
    if isinstance(layer, RBM):
        return log_table(marginal_visible(layer))[:, None]
    x, h = (binary_states(n, like=layer.b) for n in layer.W.shape)
    return log_bits(x, h @ xp.matrix_transpose(layer.W) + layer.b)


def log_conditional(layer: Layer, x: Array) -> Array:
    """Return log P(x | h) of these values and all h.      [AO] eq. 1

    Shapes: x (n, V) bits, or (n,) integers for a ``Table`` -> (n, states above).
    Exactness: exact to rounding.   Cost: that many numbers.
    Raises: ValueError where x does not suit the layer, or the table has more than 2^30 entries.
    """
    xp = array_namespace(x, *layer)
    check_layer(layer)
    check_values(layer, x)
    check_enumerable("the table of log P(x | h)", (x.shape[0] * states_above(layer),), limit=_MOST)
    if isinstance(layer, Table):
        return xp.take(layer.logits - log_sum_exp(layer.logits, axis=0), x, axis=0)
    if isinstance(layer, RBM):
        return log_likelihood_rbm(layer, x)[:, None]
    h = binary_states(layer.W.shape[1], like=layer.b)
    return log_bits(x, h @ xp.matrix_transpose(layer.W) + layer.b)


def log_bits(x: Array, logits: Array) -> Array:
    r"""Return :math:`\sum_i \log P(x_i)` of each row of bits under each row of logits.

    Shapes: x (n, V), logits (m, V) -> (n, m).   Exactness: exact to rounding.
    """
    xp = array_namespace(x, logits)
    check_array("logits", logits, None, None)
    check_array("x", x, None, logits.shape[1], like=logits)
    # log sigmoid(l) = -log(1 + e^-l), and log sigmoid(-l) = log sigmoid(l) - l.
    on = xp.minimum(logits, xp.zeros_like(logits)) - xp.log1p(xp.exp(-xp.abs(logits)))
    return x @ xp.matrix_transpose(logits) + xp.sum(on - logits, axis=1)


def check_values(layer: Layer, x: Array, *, name: str = "x") -> None:
    """Raise ValueError unless ``x`` holds rows of bits, or integers in range for a ``Table``."""
    array_namespace(x, *layer)
    if not isinstance(layer, Table):
        check_shape(name, x, None, layer.b.shape[0])
        check_floating(name, x, like=layer.b)
        check_binary(name, x)
        return
    check_shape(name, x, None)
    check_indices(name, x, layer.logits.shape[0])


def law_below(layer: Layer, law: Array) -> Array:
    r"""Return :math:`P(x) = \sum_h P(x \mid h) P(h)` of all x.      [AO] eq. 1-3

    Given its bits above, a ``Sigmoid`` layer's states are products of two halves' states, so the sum over h
    is a matrix product of two narrow tables, and no table of all pairs is made.
    Shapes: law (states above,) -> (states below,).   Exactness: exact to rounding; linear in ``law``.
    Cost: states below times states above, in bounded memory.
    """
    xp = array_namespace(law, *layer)
    _check_tables(layer, law=law)
    if isinstance(layer, RBM):
        return marginal_visible(layer) * law[0]
    if isinstance(layer, Table):
        return xp.exp(log_conditional_table(layer)) @ law
    total = 0.0
    for at, _, _, first, second in _blocks(layer):
        total = total + (first * law[at]) @ xp.matrix_transpose(second)
    return xp.reshape(total, (-1,))


def law_of_means(means: Array, weights: Array) -> Array:
    r"""Return :math:`\sum_n w_n \prod_j m_{nj}^{h_j} (1 - m_{nj})^{1 - h_j}` of all h: a mixture of products.

    [AO] eq. 11 for a factorised inference q(h | x), eq. 26 for that of an RBM.
    Shapes: means (n, H), weights (n,) -> (2^H,).   Exactness: exact to rounding.
    """
    xp = array_namespace(means, weights)
    check_shape("means", means, None, None)
    check_array("weights", weights, means.shape[0], like=means)
    check_probability("means", means)
    check_enumerable("the hidden layer", (2,) * means.shape[1])
    on = xp.matrix_transpose(means)
    first, second = _half_laws(1 - on, on)
    return xp.reshape((first * weights) @ xp.matrix_transpose(second), (-1,))


def logit_grad(logits: Array, f: Array) -> Array:
    r"""Return the gradient of :math:`\sum_h f(h) \prod_j q(h_j)` by the logits of q, row by row.

    It is :math:`\mathbb{E}_q[f(h) (h_j - q(h_j = 1))]`.
    Shapes: logits (n, H), f (2^H,) -> (n, H).   Exactness: exact to rounding.
    """
    xp = array_namespace(logits, f)
    check_array("logits", logits, None, None)
    check_enumerable("the hidden layer", (2,) * logits.shape[1])
    check_array("f", f, 2 ** logits.shape[1], like=logits)
    x = xp.matrix_transpose(logits)
    on = sigmoid(x)
    return xp.matrix_transpose(_errors(_square(f, x.shape[0]), on, *_half_laws(sigmoid(-x), on)))


def mean_below(layer: Layer, f: Array) -> Array:
    r"""Return :math:`\sum_x f(x) P(x \mid h)` of all h: the adjoint of ``law_below``.

    Shapes: f (states below,) -> (states above,).   Exactness: exact to rounding.
    """
    xp = array_namespace(f, *layer)
    _check_tables(layer, f=f)
    if isinstance(layer, RBM):
        return xp.sum(f * marginal_visible(layer))[None]
    if isinstance(layer, Table):
        return f @ xp.exp(log_conditional_table(layer))
    f = _square(f, layer.b.shape[0])
    return xp.concat([xp.sum(first * (f @ second), axis=0) for _, _, _, first, second in _blocks(layer)])


def layer_grad(layer: Layer, f: Array, law: Array) -> Layer:
    r"""Return :math:`\partial_\theta \sum_{x,h} f(x) P_\theta(x \mid h) P(h)`, with f and P(h) held.

    For :math:`f(x) = \mathbb{E}_{data}[P(x \mid data)] / P(x)` these are the gradients [AO] eq. 8 and 9.
    Shapes: f (states below,), none negative, law (states above,) -> the layer's type.
    Exactness: exact to rounding.
    """
    xp = array_namespace(f, law, *layer)
    _check_tables(layer, f=f, law=law)
    if isinstance(layer, RBM):
        target = f * marginal_visible(layer) * law
        total, states = xp.sum(target), binary_states(layer.b.shape[0], like=layer.b)
        return scale(total, log_likelihood_grad_rbm(layer, states, weights=target / total))
    if isinstance(layer, Table):
        A = xp.exp(log_conditional_table(layer))
        return Table(A * (f[:, None] - f @ A) * law)
    f, W, b = _square(f, layer.b.shape[0]), xp.zeros_like(layer.W), xp.zeros_like(layer.b)
    for at, h, on, first, second in _blocks(layer):
        error = _errors(f, on, first, second) * law[at]
        W, b = W + error @ h, b + xp.sum(error, axis=1)
    return Sigmoid(W, b)


def sample_below(layer: Layer, above: Array, *, stream: Stream) -> Array:
    """Return x drawn from P(x | h), row by row.

    Shapes: above (n,) int64, states of h -> (n, V) bits, or (n,) int64 of a ``Table``.
    Exactness: exact draws.
    """
    xp = array_namespace(above, *layer)
    check_layer(layer)
    check_shape("above", above, None)
    check_enumerable("the layer above", (states_above(layer),), limit=2**62)  # int64 indices
    check_indices("above", above, states_above(layer))
    if isinstance(layer, Table):
        return stream.categorical(xp.take(xp.matrix_transpose(layer.logits), above, axis=0))
    if isinstance(layer, RBM):
        logits = xp.broadcast_to(log_table(marginal_visible(layer)), (above.shape[0], states_below(layer)))
        return bits_of(stream.categorical(logits), layer.b.shape[0], like=layer.b)
    h = bits_of(above, layer.W.shape[1], like=layer.b)
    return stream.bernoulli(sigmoid(h @ xp.matrix_transpose(layer.W) + layer.b))


def state_numbers(layer: Layer, x: Array) -> Array:
    """Return the number of the state of each row, unchecked.

    Shapes: (n, V) bits, or (n,) integers of a ``Table`` -> (n,) integers.   Exactness: exact.
    """
    return x if isinstance(layer, Table) else state_index(x, (2,) * x.shape[1])


def bits_of(states: Array, units: int, *, like: Array) -> Array:
    """Return the bits of numbered states, unchecked, in the dtype of ``like``: ``state_index`` undone.

    Shapes: (n,) integers -> (n, units).   Exactness: exact.
    """
    xp = array_namespace(states, like)
    place = xp.asarray([2**k for k in reversed(range(units))], dtype=states.dtype, device=like.device)
    return xp.astype((states[:, None] // place) % 2, like.dtype)


def _check_tables(layer: Layer, *, f: Array | None = None, law: Array | None = None) -> None:
    check_layer(layer)
    check_enumerable("the layer below", (states_below(layer),))
    check_enumerable("the layer above", (states_above(layer),))
    if f is not None:
        check_array("f", f, states_below(layer), like=layer[-1])
    if law is not None:
        check_array("law", law, states_above(layer), like=layer[-1])


def _blocks(layer: Sigmoid) -> Iterator[tuple[slice, Array, Array, Array, Array]]:
    """Yield, for blocks of h: where, the states, the means of x (V, m), and the laws of x's two halves."""
    xp = array_namespace(*layer)
    units, start = layer.b.shape[0], 0
    rows = max(1, _BLOCK // 2 ** _halves(units)[0])
    for h in state_blocks((2,) * layer.W.shape[1], like=layer.b, rows=rows):
        inputs = layer.W @ xp.matrix_transpose(h) + layer.b[:, None]
        at, on = slice(start, start + h.shape[0]), sigmoid(inputs)
        yield at, h, on, *_half_laws(sigmoid(-inputs), on)
        start = at.stop


def _half_laws(off: Array, on: Array) -> tuple[Array, Array]:
    """Return the laws of the first and the second half of the units: (2^K, m) of (units, m)."""
    half = _halves(on.shape[0])[0]
    return law_of_bits(off[:half, :], on[:half, :]), law_of_bits(off[half:, :], on[half:, :])


def _errors(f: Array, on: Array, first: Array, second: Array) -> Array:
    r"""Return :math:`\sum_x f(x) P(x) (x_i - P(x_i = 1))` of m product laws, (units, m)."""
    xp = array_namespace(f, on)
    of_first, of_second = first * (f @ second), second * (xp.matrix_transpose(f) @ first)
    bits = [xp.matrix_transpose(binary_states(n, like=on)) for n in _halves(on.shape[0])]
    return xp.concat([bits[0] @ of_first, bits[1] @ of_second], axis=0) - on * xp.sum(of_first, axis=0)


def _halves(units: int) -> tuple[int, int]:
    return units - units // 2, units // 2


def _square(f: Array, units: int) -> Array:
    return array_namespace(f).reshape(f, tuple(2**n for n in _halves(units)))
