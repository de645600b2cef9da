"""Block Gibbs sampling of an RBM: one step, its exact kernel, and the exact law after many steps.

A step goes up and down: h from p(h | v), then v' from p(v' | h). Both conditionals factorise over units
([BA] eq. 4), so the law of a layer given the other is the product of the laws of its two halves: pushing a
law through it is one product of two small tables, and the 2^V x 2^V kernel is never needed.
"""

from __future__ import annotations

from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, as_stream
from ..contracts import Bits, Count, Law, Prob, Real, checked
from ..numerics import sigmoid
from ..states import binary_states, check_enumerable
from .partition import law_of_bits
from .rbm import (
    RBM,
    draw_hidden,
    draw_visible,
    hidden_input,
    hidden_on,
    visible_input,
    visible_on,
)


class GibbsInfo(NamedTuple):
    """What happened on the way from v to v'."""

    h: Bits[Array, "n H"]  # the hidden states passed through
    mean_hidden: Prob[Array, "n H"]  # p(h_j = 1 | v)
    mean_visible: Real[Array, "n V"]  # p(v'_i = 1 | h)


@checked
def gibbs_step(theta: RBM, v: Bits[Array, "n V"], *, rng: Rng) -> tuple[Bits[Array, "n V"], GibbsInfo]:
    """Return v' drawn by one full step v -> h -> v', and what happened on the way.      [BA] 2.2, [SH] 2.5

    Exactness: exact draws; p(v) of the machine is left invariant.
    """
    stream = as_stream(rng, like=v)
    mean_hidden = hidden_on(hidden_input(theta, v))
    h = draw_hidden(mean_hidden, stream)
    mean_visible = visible_on(visible_input(theta, h))
    return draw_visible(mean_visible, stream), GibbsInfo(h, mean_hidden, mean_visible)


@checked
def gibbs_kernel(theta: RBM) -> Law[Array, "2**V 2**V"]:
    r"""Return :math:`K(v, v') = \sum_h p(h \mid v)\, p(v' \mid h)`, rows in the order of ``binary_states``.

    Exactness: exact.   Cost: 2^(2V + H) multiplications.
    Raises: ValueError where a table of the kernel has too many entries.
    """
    visible, hidden = theta.W.shape
    check_enumerable("the Gibbs kernel", (2,) * (visible + max(visible, hidden)))
    xp = array_namespace(*theta)
    up = law_of_units(hidden_input(theta, binary_states(visible, like=theta.W)))
    down = law_of_units(visible_input(theta, binary_states(hidden, like=theta.W)))
    return xp.matrix_transpose(down @ up)


@checked
def gibbs_law(theta: RBM, law: Law[Array, "2**V"], *, steps: Count[int, 0]) -> Law[Array, "2**V"]:
    """Return the law of v after ``steps`` full Gibbs steps from ``law``, exactly, without the kernel.

    Laws are in the order of ``binary_states``.
    Exactness: exact.
    Cost: 2^(V + H + 1) multiplications a step; tables of 2^(V + H / 2) and 2^(H + V / 2) numbers.
    """
    _check_halves(theta)
    up, down = _hidden_halves(theta), _visible_halves(theta)
    for _ in range(steps):
        law = _push(_push(law, *up), *down)
    return law


@checked
def hidden_law(theta: RBM, law: Law[Array, "2**V"]) -> Law[Array, "2**H"]:
    r"""Return :math:`\sum_v \mathrm{law}(v)\, p(h \mid v)` of every h: half a Gibbs step.

    Exactness: exact.   Cost: 2^(V + H) multiplications.
    """
    _check_halves(theta)
    return _push(law, *_hidden_halves(theta))


@checked
def visible_law(theta: RBM, law: Law[Array, "2**H"]) -> Law[Array, "2**V"]:
    r"""Return :math:`\sum_h \mathrm{law}(h)\, p(v \mid h)` of every v: the other half of a Gibbs step.

    Exactness: exact.   Cost: 2^(V + H) multiplications.
    """
    _check_halves(theta)
    return _push(law, *_visible_halves(theta))


@checked
def law_of_units(inputs: Real[Array, "n units"]) -> Law[Array, "2**units n", 0]:
    """Return the law of binary units with these inputs, a column per row of inputs.      [BA] eq. 4-5

    Exactness: exact.
    """
    inputs = array_namespace(inputs).matrix_transpose(inputs)
    return law_of_bits(sigmoid(-inputs), sigmoid(inputs))


def _push(law: Array, first: Array, second: Array) -> Array:
    """Return sum_x law(x) first(y1, x) second(y2, x), flat over y = (y1, y2)."""
    xp = array_namespace(law)
    return xp.reshape(first @ xp.matrix_transpose(law * second), (-1,))


def _hidden_halves(theta: RBM) -> tuple[Array, Array]:
    return _halves(hidden_input(theta, binary_states(theta.W.shape[0], like=theta.W)))


def _visible_halves(theta: RBM) -> tuple[Array, Array]:
    return _halves(visible_input(theta, binary_states(theta.W.shape[1], like=theta.W)))


def _halves(inputs: Array) -> tuple[Array, Array]:
    """Return the laws of the first and of the second half of the units, one column per row of inputs."""
    middle = (inputs.shape[1] + 1) // 2
    return law_of_units(inputs[:, :middle]), law_of_units(inputs[:, middle:])


def _check_halves(theta: RBM) -> None:
    visible, hidden = theta.W.shape
    entries = max(visible + (hidden + 1) // 2, hidden + (visible + 1) // 2)
    check_enumerable("the table of a conditional law", (2,) * entries)
