r"""A kind of layer is its verbs, and its table is their definition.

A layer is a conditional law P(x | h): a table with a column for each state above and a row for each state
below.  A kind says what its parameters are, what log P(x | h) is, and the gradient of that; all that a layer
does follows by sums over the table.  A kind whose form admits a faster sum overrides the verb, and the tests
hold each of its verbs against the one here.

    class Channel(NamedTuple): ...                the parameters, whose gradient is a Channel too
    class ChannelKind(Kind[Channel]): ...         variable, states, log_table, pullback
    KINDS[Channel] = ChannelKind()                all that it takes: nets hold Channels now

A variable without states to list has a density: its kind gives ``log_rows``, ``rows_gradient`` and ``sample``
in place of a table, and can be the bottom of a net.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Stream
from ..contracts import Indices

L = TypeVar("L", bound=tuple[Any, ...])


class Kind(Generic[L]):
    """The verbs of one kind of layer; its parameters declare what they must be."""

    # --- what a kind must say

    variable: ClassVar[Any] = Indices[Array, "n", "X"]
    """What values of x are, declared in the lengths of the parameters' own declarations."""

    def states(self, layer: L) -> tuple[int, int]:
        """Return how many states there are of x, 0 where it has a density, and of h."""
        raise NotImplementedError

    def log_table(self, layer: L) -> Array:
        """Return log P(x | h) of all states: (below, above)."""
        raise ValueError(f"a {type(layer).__name__} has no table: its variable has no states to list")

    def pullback(self, layer: L, F: Array) -> L:
        r"""Return the gradient of :math:`\sum_{x,h} F_{xh} \log P(x \mid h)`, F held: (below, above)."""
        raise NotImplementedError

    # --- how states are numbered: by themselves, where x is an integer

    def numbers(self, layer: L, x: Array) -> Array:
        """Return the number of the state of each row: (n,)."""
        return x

    def values(self, layer: L, numbers: Array) -> Array:
        """Return the values of numbered states: (n, ...)."""
        return numbers

    # --- what follows from the table

    def log_rows(self, layer: L, x: Array) -> Array:
        """Return log P(x | h) of these values and all h: (n, above)."""
        return array_namespace(x).take(self.log_table(layer), self.numbers(layer, x), axis=0)

    def factors(self, layer: L, x: Array) -> tuple[Array, Array, Array]:
        """Return s (n, G), t (n, G'), r (G, G') with log P(x | h) = s + t + r of the h = (g, g')."""
        log_p = self.log_rows(layer, x)
        xp = array_namespace(log_p)
        return log_p, xp.zeros_like(log_p[:, :1]), xp.zeros_like(log_p[:1, :].T)

    def law_below(self, layer: L, law: Array) -> Array:
        r"""Return :math:`\sum_h P(x \mid h)\, \mathrm{law}(h)`: (above,) -> (below,)."""
        return array_namespace(law).exp(self.log_table(layer)) @ law

    def mean_below(self, layer: L, f: Array) -> Array:
        r"""Return :math:`\sum_x f(x) P(x \mid h)`, the transpose of ``law_below``: (below,) -> (above,)."""
        return f @ array_namespace(f).exp(self.log_table(layer))

    def gradient(self, layer: L, f: Array, law: Array) -> L:
        r"""Return the gradient of :math:`\sum_{x,h} f(x) P(x \mid h)\, \mathrm{law}(h)`, f and law held."""
        P = array_namespace(f).exp(self.log_table(layer))
        return self.pullback(layer, f[:, None] * P * law)

    def rows_gradient(
        self, layer: L, x: Array, weights: Array, posterior: tuple[Array, Array], mass: Array
    ) -> L:
        r"""Return the gradient of :math:`\sum_n w_n \sum_h q(h \mid x_n) \log P(x_n \mid h)`, q held.

        The posterior is (n, G) and (n, G'), summed over the other half of h = (g, g') as in ``factors``; mass
        is :math:`\sum_n w_n q(h \mid x_n)`.
        """
        xp = array_namespace(x, weights)
        states = xp.arange(self.states(layer)[0], dtype=xp.int64, device=x.device)
        seen = xp.astype(states[:, None] == self.numbers(layer, x), weights.dtype) * weights
        return self.pullback(layer, seen @ posterior[0])

    def sample(self, layer: L, above: Array, stream: Stream) -> Array:
        """Return x drawn from P(x | h) for each numbered h: (n,) -> (n, ...)."""
        xp = array_namespace(above)
        logits = xp.take(xp.matrix_transpose(self.log_table(layer)), above, axis=0)
        return self.values(layer, stream.categorical(logits))


KINDS: dict[type, Kind[Any]] = {}
"""The kinds there are, by the type of their parameters."""


def kind_of(layer: L) -> Kind[L]:
    """Return the verbs of a layer.   Raises: ValueError where it is none of ``KINDS``."""
    try:
        return KINDS[type(layer)]
    except KeyError:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        raise ValueError(f"a layer must be one of {kinds}, got {type(layer).__name__}") from None
