r"""Auto-encoders and stacks of them: inference layers up to h, generative layers back to x.   [AO] 2.4-3.2

Layers between x and h (the h' of an AERI) are always mean activations: they make q richer, they are no latent
variables.  A vanilla auto-encoder ties its weights: its parameters are those of an ``RBM``, and ``untie``
shows it as an ``AutoEncoder``.  Fine-tuning is the training of a whole stack as its ``join`` ([AO] 2.6).

What an auto-encoder makes of x is in ``passes``, how one is trained in ``recipes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from math import prod
from typing import Any, NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, as_stream
from ..boltzmann.rbm import RBM
from ..contracts import Floats, checked
from ..directed.layers import Sigmoid
from ..networks.layers import Dense
from ..trees import leaves


class AutoEncoder(NamedTuple):
    """Parameters of an auto-encoder; a gradient is an AutoEncoder too."""

    inference: tuple[Dense, ...]  # x -> ... -> h, each with a sigmoid
    generative: tuple[Dense, ...]  # h -> ... -> x, each with a sigmoid

    def relation(self, name: str) -> None:
        """Raise ValueError unless each part has a layer, and outputs are the next one's inputs."""
        if not self.inference or not self.generative:
            raise ValueError("an auto-encoder needs an inference and a generative layer at least")
        layers = (*self.inference, *self.generative)
        for k, layer in enumerate(layers):
            if layer.W.shape[0] != layers[k - 1].W.shape[1]:  # the first takes x, which the last one gives
                raise ValueError(
                    f"layers must chain: layer {k} takes {layer.W.shape[0]} units, the one before gives "
                    f"{layers[k - 1].W.shape[1]}"
                )


Encoder: TypeAlias = AutoEncoder | RBM
"""An auto-encoder; an RBM stands for the vanilla one of its weights, tied."""


# --- making, tying, joining -------------------------------------------------------------------------------


@checked
def initial(
    inference: Sequence[int],
    generative: Sequence[int],
    *,
    deviation: float,
    like: Floats[Array, "..."],
    rng: Rng,
) -> AutoEncoder:
    """Return an auto-encoder with normal weights of this deviation and biases of zero.      [AO] table 1

    ``inference`` are the sizes from x to h, ``generative`` those from h to x: (V, H', H) and (H, V) are an
    AERI, (V, H) and (H, V) an untied auto-encoder.
    """
    stream = as_stream(rng, like=like)

    def layer(inputs: int, outputs: int) -> Dense:
        W = deviation * stream.normal((inputs, outputs), like=like)
        return Dense(W, array_namespace(like).zeros_like(W[0, :]))

    theta = AutoEncoder(
        tuple(layer(*sizes) for sizes in pairwise(inference)),
        tuple(layer(*sizes) for sizes in pairwise(generative)),
    )
    theta.relation("theta")
    return theta


@checked
def untie(theta: RBM) -> AutoEncoder:
    r"""Return the vanilla auto-encoder of these tied weights, :math:`W_{gen} = W_{inf}^\top`.      [AO] 3.2

    It is the machine's own p(h | x) and p(x | h).      [AO] 2.5
    """
    transposed = array_namespace(theta.W).matrix_transpose(theta.W)
    return AutoEncoder((Dense(theta.W, theta.c),), (Dense(transposed, theta.b),))


@checked
def tied_grad(grad: AutoEncoder) -> RBM:
    """Return the gradient by tied weights, from that of ``untie``: what both uses of a weight add up to."""
    (up,), (down,) = grad
    return RBM(up.W + array_namespace(up.W).matrix_transpose(down.W), down.b, up.b)


@checked
def join(stack: Sequence[Encoder]) -> AutoEncoder:
    """Return auto-encoders, from the bottom, as one: inference all the way up, then all the way down.

    [AO] 2.6 and figure 1: what fine-tuning trains at once.   Raises: ValueError where they do not chain.
    """
    parts = [untie(part) if isinstance(part, RBM) else part for part in stack]
    theta = AutoEncoder(
        tuple(layer for part in parts for layer in part.inference),
        tuple(layer for part in reversed(parts) for layer in part.generative),
    )
    theta.relation("theta")
    return theta


@checked
def parts_grad(stack: Sequence[Encoder], grad: AutoEncoder) -> tuple[Encoder, ...]:
    """Return the gradient by each part of a stack, from that by its ``join``; what is tied stays tied.

    Raises: ValueError where ``grad`` has not the layers of the ``join``.
    """
    whole = join(stack)
    if [x.shape for x in leaves(whole)] != [g.shape for g in leaves(grad)]:
        raise ValueError(
            f"grad must have the layers of the joined stack, {len(whole.inference)} up and "
            f"{len(whole.generative)} down, each of its shape"
        )
    up, down = iter(grad.inference), reversed(grad.generative)
    grads = list[Encoder]()
    for part in stack:
        form = untie(part) if isinstance(part, RBM) else part
        inference = tuple(islice(up, len(form.inference)))
        own = AutoEncoder(inference, tuple(islice(down, len(form.generative)))[::-1])
        grads.append(tied_grad(own) if isinstance(part, RBM) else own)
    return tuple(grads)


def generative_net(theta: AutoEncoder) -> tuple[Sigmoid, ...]:
    """Return P(x | h) as layers from the bottom, unchecked, as ``directed.belief`` takes them below a top."""
    transpose = array_namespace(theta.generative[0].W).matrix_transpose
    return tuple(Sigmoid(transpose(layer.W), layer.b) for layer in reversed(theta.generative))


def parameter_count(net: tuple[Any, ...]) -> int:
    """Return the number of parameters of a generative model, its top included.      [AO] 3.2, footnote 6

    ``(*generative_net(theta), top)`` holds no inference, so none is counted.
    """
    return sum(prod(x.shape) for x in leaves(net))
