r"""The up-down algorithm: wake-sleep for deep belief nets, sampled, and in exact expectation.      [BA] 3.2

Wake: data go up through the recognition weights; each generative layer learns to predict the layer below
from the draw above.  Top: the top machine takes a contrastive step from what arrived there.  Sleep: the end
of its chain goes down through the generative weights; each recognition layer learns to predict the layer
above.

A direction is a DBN, to be *added* to the parameters.  The wake part is the gradient of the variational bound
by the generative parameters; the sleep part is that of E[log q(h | x)] under the net's own draws, which is
not the gradient of the bound by q; and the chain's end is a draw of the top machine only after many steps.

    def step(theta, v, memory, stream):
        return updown_step(theta, v, k=5, rng=stream)[0], memory

    fit(begin(theta, optimizer=sgd(0.01)), data, step=step, optimizer=sgd(0.01), ...)
"""

from __future__ import annotations

from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, as_stream
from ..boltzmann.contrastive import cd_step
from ..boltzmann.gibbs import gibbs_law
from ..boltzmann.rbm import data_statistics
from ..contracts import Bits, Count, Real, checked
from ..numerics import sigmoid
from ..states import binary_states
from ..trees import difference
from .dbn import DBN, check_visible, inputs, pass_up
from .layers import Sigmoid
from .products import log_bits


class UpDownInfo(NamedTuple):
    """The draws that the directions were taken from."""

    awake: tuple[Bits[Array, "n _"], ...]  # v, h1, ..., h^(L-1), upwards from the data
    asleep: tuple[
        Bits[Array, "n _"], ...
    ]  # the same layers, downwards from the end of the top machine's chain


@checked
def updown_step(theta: DBN, v: Bits[Array, "n V"], *, k: Count[int, 1], rng: Rng) -> tuple[DBN, UpDownInfo]:
    """Return the up-down direction, and the draws: wake, CD-k at the top, sleep from the end of its chain.

    Exactness: its expectation is ``expected_updown_step``.
    Raises: ValueError where v does not suit the net, or k < 1.
    """
    stream = as_stream(rng, like=v)
    awake = pass_up(theta, v, how="sample", rng=stream)
    top, chain = cd_step(theta.top, awake[-1], k=k, rng=stream)
    asleep = [chain.v_model]
    for layer in reversed(theta.generative):
        asleep.insert(0, stream.bernoulli(sigmoid(inputs(layer, asleep[0]))))
    direction = DBN(
        tuple(map(delta_rule, theta.generative, awake[:-1], awake[1:])),
        tuple(map(delta_rule, theta.recognition, asleep[1:], asleep[:-1])),
        top,
    )
    return direction, UpDownInfo(awake, tuple(asleep))


@checked
def delta_rule(layer: Sigmoid, below: Real[Array, "n V"], above: Real[Array, "n H"]) -> Sigmoid:
    r"""Return the gradient of the mean over rows of :math:`\log P(x \mid h)` by the layer's parameters.

    .. math:: \partial_W = \tfrac1n\sum_t (x_t - \sigma(W h_t + b))\, h_t^\top,\qquad
              \partial_b = \tfrac1n\sum_t x_t - \sigma(W h_t + b)      [BA] 3.2, steps 1 and 3

    Exactness: exact.
    """
    xp = array_namespace(below, above)
    error = (below - sigmoid(inputs(layer, above))) / below.shape[0]
    return Sigmoid(xp.matrix_transpose(error) @ above, xp.sum(error, axis=0))


@checked
def expected_updown_step(theta: DBN, v: Bits[Array, "n V"], *, k: Count[int, 1]) -> DBN:
    """Return the expectation of ``updown_step`` over its draws, exactly.

    Exactness: exact to rounding.
    Cost: tables of 2^(units) by 2^(units) of each two neighbouring layers, the visible one included.
    Raises: as ``updown_step``, and ValueError where there are too many states.
    """
    check_visible(theta, v)
    xp = array_namespace(v)
    hidden = [binary_states(layer.W.shape[1], like=v) for layer in theta.generative]

    states, law = v, xp.full((v.shape[0],), 1 / v.shape[0], dtype=v.dtype, device=v.device)
    generative = []
    for down, up, above in zip(theta.generative, theta.recognition, hidden, strict=True):
        joint = law[:, None] * xp.exp(xp.matrix_transpose(log_bits(above, inputs(up, states))))
        generative.append(expected_delta_rule(down, states, above, joint))
        states, law = above, xp.sum(joint, axis=0)

    top_states = binary_states(theta.top.W.shape[0], like=v)
    if not hidden:
        law = xp.mean(xp.astype(xp.all(v[:, None, :] == top_states, axis=2), v.dtype), axis=0)
    chain = gibbs_law(theta.top, law, steps=k)
    data, model = (data_statistics(theta.top, top_states, weights=p) for p in (law, chain))
    top = difference(data, model)

    states, recognition = top_states, list[Sigmoid]()
    for down, up in zip(reversed(theta.generative), reversed(theta.recognition), strict=True):
        below = binary_states(down.W.shape[0], like=v)
        joint = chain[:, None] * xp.exp(xp.matrix_transpose(log_bits(below, inputs(down, states))))
        recognition.insert(0, expected_delta_rule(up, states, below, joint))
        states, chain = below, xp.sum(joint, axis=0)
    return DBN(tuple(generative), tuple(recognition), top)


@checked
def expected_delta_rule(
    layer: Sigmoid, below: Real[Array, "m V"], above: Real[Array, "s H"], joint: Real[Array, "m s"]
) -> Sigmoid:
    r"""Return the gradient of :math:`\sum_{x,h} \mathrm{joint}(x, h) \log P(x \mid h)` by the parameters.

    Exactness: exact.
    """
    xp = array_namespace(below, above, joint)
    means, mass = sigmoid(inputs(layer, above)), xp.sum(joint, axis=0)
    error = xp.matrix_transpose(joint) @ below - mass[:, None] * means  # of each state above
    return Sigmoid(xp.matrix_transpose(error) @ above, xp.sum(error, axis=0))
