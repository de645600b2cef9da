r"""Deep belief nets: stacked restricted Boltzmann machines of which only the top one stays undirected.

.. math:: p(v, h^{(1)}, \dots, h^{(L)}) = p(v \mid h^{(1)}) \cdots p(h^{(L-2)} \mid h^{(L-1)})\;
          p_{top}(h^{(L-1)}, h^{(L)})      [BA] 3

The directed layers generate downwards with one set of weights and recognise upwards with another.  A fresh
stack ties the two, as transposes; the up-down algorithm lets them part.  As a model of v alone a net is
``net(theta)``, layers as ``belief`` takes them: its likelihood, laws and posterior are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, as_stream
from ..boltzmann.gibbs import gibbs_law, gibbs_step
from ..boltzmann.partition import log_partition
from ..boltzmann.rbm import RBM, energy
from ..contracts import Bits, Choice, Count, Law, LogWeights, Own, Prob, Raw, Real, checked, conform
from ..numerics import sigmoid
from .belief import log_likelihood
from .layers import Net, Sigmoid, law_below
from .products import log_bits_of_rows


class DBN(NamedTuple):
    """Parameters of a deep belief net; a gradient is a DBN too."""

    generative: tuple[Sigmoid, ...]  # p(v | h1), p(h1 | h2), ... from the bottom
    recognition: tuple[Sigmoid, ...]  # q(h1 | v), q(h2 | h1), ... from the bottom
    top: Own[RBM, "top_"]  # of the two topmost layers

    def relation(self, name: str) -> None:
        """Raise ValueError unless each layer's units above are those below the next one, both ways."""
        if len(self.generative) != len(self.recognition):
            raise ValueError(
                f"every directed layer needs both weights, got {len(self.generative)} generative and "
                f"{len(self.recognition)} recognition layers"
            )
        above = [*(layer.W.shape[0] for layer in self.generative[1:]), self.top.W.shape[0]]
        for k, (down, up) in enumerate(zip(self.generative, self.recognition, strict=True)):
            if down.W.shape != up.W.shape[::-1] or down.W.shape[1] != above[k]:
                raise ValueError(
                    f"layers must chain: generative[{k}].W is {tuple(down.W.shape)}, recognition[{k}].W is "
                    f"{tuple(up.W.shape)}, and the layer above has {above[k]} units below"
                )


# --- stacks -----------------------------------------------------------------------------------------------


def check_visible(theta: DBN, v: Array) -> None:
    """Raise ValueError unless ``v`` has the units of the net's lowest layer."""
    conform(("v", Raw[Array, "n V"], v), V=net(theta)[0][0].shape[0])


@checked
def stack(machines: Sequence[RBM]) -> DBN:
    """Return the net of these machines, from the bottom: all but the last become directed, weights tied.

    The hidden biases of the lower machines recognise, they do not generate.      [BA] fig. 4, [AO] 2.3
    Raises: ValueError where there is no machine, or layers do not chain.
    """
    if not machines:
        raise ValueError("machines must hold at least one RBM: a net of one machine is that machine")
    theta = DBN(
        tuple(Sigmoid(m.W, m.b) for m in machines[:-1]),
        tuple(Sigmoid(array_namespace(m.W).matrix_transpose(m.W), m.c) for m in machines[:-1]),
        machines[-1],
    )
    theta.relation("theta")
    return theta


@checked
def upside_down(machine: RBM) -> Own[RBM, "turned_"]:
    r"""Return the machine with its layers exchanged: a next layer whose law of v is this one's law of h.

    Put on top of ``machine`` it changes no likelihood, and the bound of ``machine``'s own p(h | v) is tight,
    so raising [BA] eq. 22 from there cannot lower the likelihood.      [BA] 3.1, [AO] 2.3
    """
    return RBM(array_namespace(machine.W).matrix_transpose(machine.W), machine.c, machine.b)


def net(theta: DBN) -> Net:
    """Return the generative model of v, unchecked, as ``belief`` takes it: the top's units are summed out."""
    return (*theta.generative, theta.top)


@checked
def log_joint(theta: DBN, *layers: Bits[Array, "n _"]) -> Real[Array, "n"]:
    """Return log p(v, h1, ..., hL) row by row, of v (n, V), h1 (n, H1), ...      [BA] 3

    Exactness: exact.   Cost: the partition function of the top.
    Raises: ValueError where the layers do not suit the net.
    """
    if len(layers) != len(theta.generative) + 2:
        raise ValueError(f"the net has {len(theta.generative) + 2} layers of units, got {len(layers)}")
    units = (*(layer.b.shape[0] for layer in theta.generative), *theta.top.W.shape)
    for k, rows in enumerate(layers):
        conform((f"layers[{k}]", Raw[Array, "n V"], rows), V=units[k])
    total = -energy(theta.top, layers[-2], layers[-1]) - log_partition(theta.top)
    for k, layer in enumerate(theta.generative):
        total = total + log_bits_of_rows(layers[k], inputs(layer, layers[k + 1]))
    return total


@checked
def log_marginal(theta: DBN, v: Bits[Array, "n V"]) -> LogWeights[Array, "n"]:
    """Return log p(v) row by row, the hidden layers summed out of ``log_joint``.      [BA] eq. 13

    Exactness and cost: those of ``belief.log_likelihood``.
    Raises: ValueError where v does not suit the net, or there are too many states.
    """
    return log_likelihood(net(theta), v)


def inputs(layer: Sigmoid, above: Array) -> Array:
    """Return the logits of the units below, given those above; unchecked.   Exactness: exact."""
    return above @ array_namespace(above).matrix_transpose(layer.W) + layer.b


# --- passes and samples -----------------------------------------------------------------------------------


@checked
def pass_up(
    theta: DBN, v: Bits[Array, "n V"], *, how: Choice[str, "sample", "mean"], rng: Rng
) -> tuple[Array, ...]:
    """Return v and what the recognition weights make of it, layer by layer, up to the top machine's visibles.

    ``how="sample"`` draws each layer given the draw below, so h^(l) is a draw from q(h^(l) | v);
    ``how="mean"`` passes probabilities on, which from the second layer on are not the means of q(h^(l) | v).
    They are (n, V), (n, H1), ..., (n, H_{L-1}).   Exactness: exact draws where drawn.
    """
    check_visible(theta, v)
    layers, stream = [v], as_stream(rng, like=v)
    for up in theta.recognition:
        means = sigmoid(inputs(up, layers[-1]))
        layers.append(means if how == "mean" else stream.bernoulli(means))
    return tuple(layers)


class PassDown(NamedTuple):
    """What was drawn on the way down from the top machine's visible layer."""

    layers: tuple[Bits[Array, "n _"], ...]  # v (n, V), h1, ..., h^(L-1): one draw of each layer
    mean_visible: Prob[Array, "n V"]  # p(v_i = 1 | h1); where all layers are the top machine's, given its h


@checked
def generate(
    theta: DBN, h: Bits[Array, "n top_V"], *, steps: Count[int, 1], rng: Rng
) -> tuple[Bits[Array, "n V"], PassDown]:
    """Return v: ``steps`` Gibbs steps of the top machine from ``h``, then down through the directed layers.

    From draws of the top machine's own law these are exact draws from p(v), whatever ``steps``; from
    elsewhere their law is ``generated_law``.      [BA] 3.1
    """
    stream = as_stream(rng, like=h)
    for _ in range(steps):
        h, info = gibbs_step(theta.top, h, rng=stream)
    layers, means = [h], info.mean_visible
    for layer in reversed(theta.generative):
        means = sigmoid(inputs(layer, layers[0]))
        layers.insert(0, stream.bernoulli(means))
    return layers[0], PassDown(tuple(layers), means)


@checked
def reconstruct(
    theta: DBN, v: Bits[Array, "n V"], *, steps: Count[int, 1], rng: Rng
) -> tuple[Bits[Array, "n V"], PassDown]:
    """Return v passed up by draws, through ``steps`` Gibbs steps of the top machine, and down again.

    [BA] 3.1, fig. 6
    """
    stream = as_stream(rng, like=v)
    return generate(theta, pass_up(theta, v, how="sample", rng=stream)[-1], steps=steps, rng=stream)


@checked
def generated_law(theta: DBN, law: Law[Array, "2**top_V"], *, steps: Count[int, 1]) -> Law[Array, "states"]:
    """Return the law of the v that ``generate`` draws, for h drawn from ``law``, exactly.

    Exactness: exact to rounding; tends to p(v) as ``steps`` grow.
    Cost: states below times states above of each layer.
    """
    law = gibbs_law(theta.top, law, steps=steps)
    for layer in reversed(theta.generative):
        law = law_below(layer, law)
    return law
