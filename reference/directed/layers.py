r"""Layers of directed models: conditional laws P(x | h) of a variable given the one above it.      [AO] 1.1

A layer is a NamedTuple of parameters, and so is its gradient.  Whatever its form, it is a table of
probabilities with a column for each state above and a row for each state below, and does three things with
it: carry a law down (``law_below``), carry a function up (``mean_below``), and give its gradient between the
two.  A chain of layers is then differentiated as a product of matrices is.

The topmost layer has one state above it: its single column is the law of the top variable.  So a ``Sigmoid``
of shape (H, 0) is a product of Bernoulli laws, a ``Table`` of shape (S, 1) any law, an ``RBM`` the marginal
of its visible units.  ``kinds`` says how another kind is added.

Values of a variable are rows of bits under a ``Sigmoid`` or ``RBM``, integers under a ``Table``; states are
numbered in the order of ``binary_states``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Stream
from ..boltzmann.likelihood import log_likelihood, log_likelihood_grad
from ..boltzmann.partition import log_hidden_weights, marginal_visible, model_statistics
from ..boltzmann.rbm import RBM, hidden_input
from ..contracts import (
    Bits,
    Floats,
    Indices,
    Law,
    LogWeights,
    Raw,
    Real,
    Tree,
    checked,
    conform,
)
from ..laws import log_table
from ..numerics import log_sum_exp, sigmoid
from ..states import binary_states, check_enumerable, state_blocks, state_index
from ..trees import difference, scale
from .kinds import KINDS, Kind, kind_of
from .products import half_laws, halves, log_bits, mean_errors, square

_BLOCK = 2**20  # numbers per block of an enumeration
_ROWS = 2**22  # numbers per block of a sum over states and units
_MOST = 2**30  # numbers in a table of rows by states


class Sigmoid(NamedTuple):
    r"""Independent bits given the bits above: :math:`P(x_i = 1 \mid h) = \sigma(b_i + (W h)_i)`."""

    W: Real[Array, "V H?"]
    b: Real[Array, "V"]


class Table(NamedTuple):
    r"""Any law of a finite variable given another one: :math:`P(x \mid h) \propto e^{a_{xh}}`.

    Logarithms of probabilities are logits; minus infinity stands for probability zero.
    """

    logits: Floats[Array, "X S"]

    def relation(self, name: str) -> None:
        """Raise ValueError unless every column has a finite largest entry."""
        xp = array_namespace(self.logits)
        if not bool(xp.all(xp.isfinite(xp.max(self.logits, axis=0)))):
            raise ValueError(f"{name}.logits must have a finite largest entry in every column, and no NaN")


Layer: TypeAlias = Tree[tuple[Array, ...], "layer"]
"""A NamedTuple of a kind in ``KINDS``: a Sigmoid, a Table, an RBM on top, or one of the user's own."""

Net: TypeAlias = tuple[Layer, ...]
"""Layers from the bottom to the top; slices of it are its parts above and below a split."""

L = TypeVar("L", bound=Layer)


@checked
def table_layer(A: Law[Array, "X S", 0]) -> Table:
    r"""Return the layer with :math:`P(x \mid h) = A_{xh}`.   Exactness: exact."""
    return Table(log_table(A))


# --- the verbs --------------------------------------------------------------------------------------------


@checked
def log_conditional_table(layer: Layer) -> LogWeights[Array, "below above"]:
    """Return log P(x | h) of all states.

    Exactness: exact to rounding.   Raises: ValueError where the table has too many entries.
    """
    check_enumerable("the conditional table", kind_of(layer).states(layer))
    return kind_of(layer).log_table(layer)


@checked
def log_conditional(layer: Layer, x: Raw[Array, "n ..."]) -> LogWeights[Array, "n above"]:
    """Return log P(x | h) of these values (bits, or integers for a ``Table``) and all h.      [AO] eq. 1

    Exactness: exact to rounding.   Cost: that many numbers.
    Raises: ValueError where x does not suit the layer, or the table has more than 2^30 entries.
    """
    check_values(layer, x)
    check_enumerable("the table of log P(x | h)", (x.shape[0] * states_above(layer),), limit=_MOST)
    return kind_of(layer).log_rows(layer, x)


@checked
def law_below(layer: Layer, law: Real[Array, "above"]) -> Real[Array, "below"]:
    r"""Return :math:`P(x) = \sum_h P(x \mid h) P(h)` of all x.      [AO] eq. 1-3

    Exactness: exact to rounding; linear in ``law``.
    Cost: states below times states above, in bounded memory for a ``Sigmoid``.
    """
    _check_tables(layer, law=law)
    return kind_of(layer).law_below(layer, law)


@checked
def mean_below(layer: Layer, f: Real[Array, "below"]) -> Real[Array, "above"]:
    r"""Return :math:`\sum_x f(x) P(x \mid h)` of all h: the adjoint of ``law_below``.

    Exactness: exact to rounding.
    """
    _check_tables(layer, f=f)
    return kind_of(layer).mean_below(layer, f)


@checked
def layer_grad(layer: L, f: Real[Array, "below"], law: Real[Array, "above"]) -> L:
    r"""Return :math:`\partial_\theta \sum_{x,h} f(x) P_\theta(x \mid h) P(h)`, with f and P(h) held.

    For :math:`f(x) = \mathbb{E}_{data}[P(x \mid data)] / P(x)` these are the gradients [AO] eq. 8 and 9.
    Exactness: exact to rounding.
    """
    _check_tables(layer, f=f, law=law)
    return kind_of(layer).gradient(layer, f, law)


@checked
def sample_below(layer: Layer, above: Raw[Array, "n"], *, stream: Stream) -> Array:
    """Return x drawn from P(x | h) for each numbered state h: (n, V) bits, or (n,) int64 of a ``Table``.

    Exactness: exact draws.
    """
    check_enumerable("the layer above", (states_above(layer),), limit=2**62)  # int64 indices
    conform(("above", Indices[Array, "n", "S"], above), S=states_above(layer))
    return kind_of(layer).sample(layer, above, stream)


def state_numbers(layer: Layer, x: Array) -> Array:
    """Return the number of the state of each row, unchecked: (n,) integers.   Exactness: exact."""
    return kind_of(layer).numbers(layer, x)


def state_values(layer: Layer, numbers: Array) -> Array:
    """Return the values of numbered states, unchecked: ``state_numbers`` undone.   Exactness: exact."""
    return kind_of(layer).values(layer, numbers)


def states_below(layer: Layer) -> int:
    """Return the number of states of x."""
    return kind_of(layer).states(layer)[0]


def states_above(layer: Layer) -> int:
    """Return the number of states of h."""
    return kind_of(layer).states(layer)[1]


# --- the kinds --------------------------------------------------------------------------------------------


class _Bits(Kind[L]):
    """Kinds whose x are rows of bits, as many as the field b has."""

    variable = Bits[Array, "n V"]

    def numbers(self, layer: Any, x: Array) -> Array:
        """The first unit is the most significant."""
        return state_index(x, (2,) * x.shape[1])

    def values(self, layer: Any, numbers: Array) -> Array:
        """``numbers`` undone."""
        return bits_of(numbers, layer.b.shape[0], like=layer.b)


class SigmoidKind(_Bits[Sigmoid]):
    """Independent bits: sums over h in blocks, and over x in two halves."""

    def states(self, layer: Sigmoid) -> tuple[int, int]:
        """2^V and 2^H."""
        return 2 ** int(layer.W.shape[0]), 2 ** int(layer.W.shape[1])

    def log_table(self, layer: Sigmoid) -> Array:
        """The rows of all x."""
        return self.log_rows(layer, binary_states(layer.b.shape[0], like=layer.b))

    def log_rows(self, layer: Sigmoid, x: Array) -> Array:
        """Sums of log-sigmoids of signed logits."""
        h = binary_states(layer.W.shape[1], like=layer.b)
        return log_bits(x, h @ layer.W.T + layer.b)

    def factors(self, layer: Sigmoid, x: Array) -> tuple[Array, Array, Array]:
        r"""The logits are linear in h: :math:`x^\top W h` is a sum over the halves of h, the rest a norm."""
        units = layer.W.shape[1]
        if units == 0:
            return super().factors(layer, x)
        xp = array_namespace(x)
        log_norm = log_hidden_weights(RBM(layer.W, layer.b, xp.zeros_like(layer.W[0, :])))
        g, h = (binary_states(n, like=layer.b) for n in halves(units))
        first = layer.W[:, : g.shape[1]] @ xp.matrix_transpose(g)
        second = layer.W[:, g.shape[1] :] @ xp.matrix_transpose(h)
        # About the mean of the rows the two tables range less than about the origin.
        centre = xp.mean(x, axis=0)
        r = (centre @ first + centre @ layer.b)[:, None] + centre @ second
        r = r - xp.reshape(log_norm, (g.shape[0], -1))
        return (x - centre) @ first + ((x - centre) @ layer.b)[:, None], (x - centre) @ second, r

    def pullback(self, layer: Sigmoid, F: Array) -> Sigmoid:
        r""":math:`\sum_{xh} F_{xh} (x - \sigma(b + W h))` for b, times h for W."""
        xp = array_namespace(F)
        x, h = (binary_states(n, like=layer.b) for n in layer.W.shape)
        error = x.T @ F - sigmoid(layer.W @ h.T + layer.b[:, None]) * xp.sum(F, axis=0)
        return Sigmoid(error @ h, xp.sum(error, axis=1))

    def law_below(self, layer: Sigmoid, law: Array) -> Array:
        """A matrix product of the laws of the two halves of x."""
        total = 0.0
        for at, _, _, first, second in self._blocks(layer):
            total = total + (first * law[at]) @ second.T
        return array_namespace(law).reshape(total, (-1,))

    def mean_below(self, layer: Sigmoid, f: Array) -> Array:
        """The same, transposed."""
        xp, f = array_namespace(f), square(f, layer.b.shape[0])
        return xp.concat([xp.sum(a * (f @ b), axis=0) for _, _, _, a, b in self._blocks(layer)])

    def gradient(self, layer: Sigmoid, f: Array, law: Array) -> Sigmoid:
        """Errors x - P(x = 1 | h), averaged over f(x) P(x | h) law(h)."""
        xp = array_namespace(f)
        f, W, b = square(f, layer.b.shape[0]), xp.zeros_like(layer.W), xp.zeros_like(layer.b)
        for at, h, on, first, second in self._blocks(layer):
            error = mean_errors(f, on, first, second) * law[at]
            W, b = W + error @ h, b + xp.sum(error, axis=1)
        return Sigmoid(W, b)

    def rows_gradient(
        self, layer: Sigmoid, x: Array, weights: Array, posterior: tuple[Array, Array], mass: Array
    ) -> Sigmoid:
        """The data's correlations with the mean h of each half, minus those of the means."""
        xp, (first, second) = array_namespace(x), posterior
        g, h = (binary_states(n, like=x) for n in halves(layer.W.shape[1]))
        W = (x * weights[:, None]).T @ xp.concat([first @ g, second @ h], axis=1)
        b, start = weights @ x, 0
        for states in state_blocks((2,) * layer.W.shape[1], like=x, rows=max(1, _ROWS // x.shape[1])):
            mean = sigmoid(states @ layer.W.T + layer.b) * mass[start : start + states.shape[0], None]
            W, b = W - mean.T @ states, b - xp.sum(mean, axis=0)
            start += states.shape[0]
        return Sigmoid(W, b)

    def sample(self, layer: Sigmoid, above: Array, stream: Stream) -> Array:
        """Each bit from its own mean."""
        h = bits_of(above, layer.W.shape[1], like=layer.b)
        return stream.bernoulli(sigmoid(h @ layer.W.T + layer.b))

    def _blocks(self, layer: Sigmoid) -> Iterator[tuple[slice, Array, Array, Array, Array]]:
        """Yield, for blocks of h: where, the states, means of x (V, m), and laws of the two halves of x."""
        units, start = layer.b.shape[0], 0
        rows = max(1, _BLOCK // 2 ** halves(units)[0])
        for h in state_blocks((2,) * layer.W.shape[1], like=layer.b, rows=rows):
            inputs = layer.W @ h.T + layer.b[:, None]
            at, on = slice(start, start + h.shape[0]), sigmoid(inputs)
            yield at, h, on, *half_laws(sigmoid(-inputs), on)
            start = at.stop


class TableKind(Kind[Table]):
    """The definition itself: softmax of each column."""

    def states(self, layer: Table) -> tuple[int, int]:
        """Rows and columns."""
        return int(layer.logits.shape[0]), int(layer.logits.shape[1])

    def log_table(self, layer: Table) -> Array:
        """The logits, normalised."""
        return layer.logits - log_sum_exp(layer.logits, axis=0)

    def pullback(self, layer: Table, F: Array) -> Table:
        r""":math:`F_{xh} - P(x \mid h) \sum_{x'} F_{x'h}`."""
        xp = array_namespace(F)
        return Table(F - xp.exp(self.log_table(layer)) * xp.sum(F, axis=0))


class MachineKind(_Bits[RBM]):
    """The marginal of the visible units of a machine: one state above."""

    def states(self, layer: RBM) -> tuple[int, int]:
        """2^V and one."""
        return 2 ** int(layer.b.shape[0]), 1

    def log_table(self, layer: RBM) -> Array:
        """Minus free energies, normalised."""
        log_weights = log_hidden_weights(RBM(layer.W.T, layer.c, layer.b))
        return (log_weights - log_sum_exp(log_weights))[:, None]

    def log_rows(self, layer: RBM, x: Array) -> Array:
        """Of the rows alone: the partition function sums over the smaller layer."""
        return log_likelihood(layer, x)[:, None]

    def pullback(self, layer: RBM, F: Array) -> RBM:
        """Statistics of all states, of weights F, minus as many of the model's."""
        v, F = binary_states(layer.b.shape[0], like=layer.b), F[:, 0]
        h = sigmoid(hidden_input(layer, v)) * F[:, None]
        data = RBM(v.T @ h, F @ v, array_namespace(F).sum(h, axis=0))
        return difference(data, scale(array_namespace(F).sum(F), model_statistics(layer)))

    def law_below(self, layer: RBM, law: Array) -> Array:
        """The marginal, times the mass of the one state above."""
        return marginal_visible(layer) * law

    def rows_gradient(
        self, layer: RBM, x: Array, weights: Array, posterior: tuple[Array, Array], mass: Array
    ) -> RBM:
        """The gradient of the mean log-likelihood: there is one h."""
        return log_likelihood_grad(layer, x, weights=weights)


KINDS[Sigmoid], KINDS[Table], KINDS[RBM] = SigmoidKind(), TableKind(), MachineKind()


def bits_of(states: Array, units: int, *, like: Array) -> Array:
    """Return the bits of numbered states, unchecked, in the dtype of ``like``: ``state_index`` undone.

    (n,) integers -> (n, units).   Exactness: exact.
    """
    xp = array_namespace(states, like)
    place = xp.asarray([2**k for k in reversed(range(units))], dtype=states.dtype, device=like.device)
    return xp.astype((states[:, None] // place) % 2, like.dtype)


# --- what layers must be ----------------------------------------------------------------------------------


def check_net(net: Net) -> None:
    """Raise ValueError unless layers chain, and the top one has one state above it."""
    check_chain(net)
    if states_above(net[-1]) != 1:
        raise ValueError("net must end in a layer with one state above it: the law of the top variable")


def check_chain(net: Net) -> None:
    """Raise ValueError unless each layer's states above are those below the next one."""
    if not net:
        raise ValueError("net must hold at least one layer, got none")
    for k, (layer, above) in enumerate(pairwise(net)):
        if states_above(layer) != states_below(above):
            raise ValueError(
                f"layers must chain: net[{k}] has {states_above(layer)} states above it, "
                f"net[{k + 1}] has {states_below(above)} below it"
            )


def check_values(layer: Layer, x: Array, *, name: str = "x") -> None:
    """Raise ValueError unless ``x`` holds rows of bits, or integers in range for a ``Table``."""
    conform(("layer", type(layer), layer), (name, kind_of(layer).variable, x))


def _check_tables(layer: Layer, *, f: Array | None = None, law: Array | None = None) -> None:
    check_enumerable("the layer below", (states_below(layer),))
    check_enumerable("the layer above", (states_above(layer),))
    if f is not None:
        conform(("f", Raw[Array, "S"], f), S=states_below(layer))
    if law is not None:
        conform(("law", Raw[Array, "S"], law), S=states_above(layer))
