"""[AO] 3.1, 3.2: the recipes that trained the models of the experiments, step by step in loops.

The trainers of ``reproduce.models`` run on a few short rows while every draw that they make is recorded; the
same training is done here from the record, with gradients of the cross-entropy by complex steps, by nothing
of ``reference``.  What a recipe leaves open (batches, initial weights) is as in docs/reproduction.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from ...backends.streams import HostStream
from ...reference.directed.layers import Sigmoid
from ...reference.trees import add, scale
from ..check import EXACTLY, Disagreement, Implementation, agree, check
from ..oracle.derivative import derivative
from ..reproduce import models

Numbers: TypeAlias = NDArray[Any]

EPOCHS, V = 2, 5
SETTING = {
    "data": "tea",
    "rates": "mean",
    "batch": 3,
    "deviation_rbm": 0.5,
    "deviation": 0.7,
    "cd_rate": 0.4,
    "bp_rate": 0.9,
}
SIZES = {"hidden": 3, "hidden2": 2, "inference": 4}
SEEDS = [1, 2]


def rows(seed: int) -> tuple[Numbers, Numbers]:
    """Return seven rows to train on, so that the last batch is short, and four others."""
    rng = np.random.default_rng([11, seed])
    train, valid = (rng.integers(0, 2, (n, V)).astype(float) for n in (7, 4))
    return train, valid


# --- what was drawn ---------------------------------------------------------------------------------------


class Tape:
    """The draws of a training, to be taken again in order."""

    def __init__(self, draws: list[tuple[str, Numbers]]) -> None:
        self.draws = list(reversed(draws))

    def take(self, kind: str, *shape: int) -> Numbers:
        """Return the next draw; Raises: Disagreement where the training drew something else."""
        found, values = self.draws.pop() if self.draws else ("nothing", np.zeros(0))
        if (found, values.shape) != (kind, shape):
            raise Disagreement("next draw of the training", f"{kind} {shape}", f"{found} {values.shape}")
        return values

    def bits(self, p: Numbers) -> Numbers:
        """Return ones with these probabilities."""
        return (self.take("uniforms", *p.shape) < p).astype(float)

    def used_up(self) -> None:
        """Raise Disagreement where the training drew more."""
        agree(len(self.draws), 0, "draws of the training that its recipe does not make")


@contextmanager
def recorded() -> Iterator[list[tuple[str, Numbers]]]:
    """Within, all draws of host streams are noted."""
    draws: list[tuple[str, Numbers]] = []

    def noting(kind: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            found = method(*arguments, **options)
            draws.append((kind, np.array(found)))
            return found

        return call

    kinds = {"_uniform": "uniforms", "normal": "normals", "permutation": "order"}
    noted: dict[str, Any] = {name: noting(kind, getattr(HostStream, name)) for name, kind in kinds.items()}
    with patch.multiple(HostStream, **noted):
        yield draws


def training(impl: Implementation, kind: str, seed: int, **sizes: int) -> tuple[Any, Tape]:
    """Return what the trainer made of the rows, and what it drew."""
    setting = {"kind": kind, **SETTING, **SIZES, **sizes}
    with patch.object(models, "epochs", lambda count: EPOCHS), recorded() as draws:
        model = impl.trained(setting, rows(seed)[0], HostStream(seed))
    return model, Tape(draws)


# --- the recipes in loops ---------------------------------------------------------------------------------


def squash(a: Numbers) -> Numbers:
    """Return the sigmoid, of complex numbers too."""
    return np.asarray(1 / (1 + np.exp(-a)))


def batches(tape: Tape, count: int) -> Iterator[Numbers]:
    """Yield the rows of each batch of each epoch."""
    for _ in range(EPOCHS):
        order = tape.take("order", count)
        yield from (order[first : first + 3] for first in range(0, count, 3))


def machine(tape: Tape, data: Numbers, hidden: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return W, b, c after CD-1 on bits drawn from data at every visit."""
    W = 0.5 * tape.take("normals", data.shape[1], hidden)
    b, c = np.zeros(data.shape[1]), np.zeros(hidden)
    for batch in batches(tape, len(data)):
        v = tape.bits(data[batch])
        up = squash(v @ W + c)
        end = tape.bits(squash(tape.bits(up) @ W.T + b))
        again = squash(end @ W + c)
        for t in range(len(batch)):
            rate = 0.4 / len(batch)
            W = W + rate * (np.outer(v[t], up[t]) - np.outer(end[t], again[t]))
            b, c = b + rate * (v[t] - end[t]), c + rate * (up[t] - again[t])
    return W, b, c


def encoder(
    tape: Tape,
    data: Numbers,
    theta: tuple[Numbers, ...],
    reconstruct: Callable[[Sequence[Numbers], Numbers], Numbers],
) -> tuple[Numbers, ...]:
    """Return the parameters after backpropagation with cross-entropy, its gradient by complex steps."""
    for batch in batches(tape, len(data)):
        x = data[batch]

        def value(parts: Sequence[Numbers], x: Numbers = x) -> Any:
            p = reconstruct(parts, x)
            return np.sum(x * np.log(p) + (1 - x) * np.log(1 - p)) / len(x)

        theta = add(theta, scale(0.9, derivative(value, theta)))
    return theta


def tied(parts: Sequence[Numbers], x: Numbers) -> Numbers:
    """Return the pixels' probabilities of a vanilla auto-encoder: W up, W transposed down."""
    W, b, c = parts
    return squash(squash(x @ W + c) @ W.T + b)


def rich(parts: Sequence[Numbers], x: Numbers) -> Numbers:
    """Return those of an AERI, x -> h' -> h -> x."""
    A, a, B, b, C, c = parts
    return squash(squash(squash(x @ A + a) @ B + b) @ C + c)


def states(n: int) -> Numbers:
    """Return all states of n bits, the first changing slowest."""
    return np.array(list(product((0.0, 1.0), repeat=n)))


def law_of_visible(W: Numbers, b: Numbers, c: Numbers) -> Numbers:
    """Return the law of a machine's visible units, its hidden ones summed out state by state."""
    mass = np.array([sum(np.exp(v @ b + h @ c + v @ W @ h) for h in states(len(c))) for v in states(len(b))])
    return np.asarray(mass / mass.sum())


def with_top(
    tape: Tape,
    model: Any,
    seed: int,
    lower: tuple[Numbers, Numbers],
    q: Any,
    *,
    recipe: str,
    figure: str | None = None,
) -> None:
    """Raise Disagreement unless the model is this layer and q, and on them the machine of the recipe."""
    train, valid = rows(seed)
    of = figure or recipe  # which shows the ways from x to h and back
    agree(model.lower.layer, Sigmoid(*lower), "the layer below", of=of)
    for x in (train, valid):
        agree(model.lower.means(x), q(x), "q(h = 1 | x)", of=of)
    agree(model.law, law_of_visible(*machine(tape, q(train), SIZES["hidden2"])), "law of h", of=recipe)
    tape.used_up()
    agree(model.parameters, GENERATIVE, "parameters of the generative model", of=recipe)


GENERATIVE = V * 3 + V + 3 * 2 + 3 + 2  # x given h; and the machine on h


OF_TOP = ("trained-on-thresholded-means", "trained-on-opposite-bits", "law-of-lower-units-alone")
OF_ENCODER = ("descends", "sum-for-mean", "draw-for-mean", "hidden-biases-kept")
OF_CD = ("two-steps", "nothing-learnt")
recipe = partial(check, of=(models,), cases=SEEDS, evidence=EXACTLY)


# --- stacked machines, auto-encoders ----------------------------------------------------------------------


@recipe("AO.alg3", rejects=(*OF_CD, *OF_TOP))
def stacked_machines_by_the_recipe(impl: Implementation, case: int) -> None:
    """Two machines by CD-1, the upper one on bits drawn from p(h | x) of the lower one at every visit.

    Of the 1,000 models and the search over sizes, rate and epochs: AO.tab1, AO.exp2.
    """
    model, tape = training(impl, "srbm", case)
    W, b, c = machine(tape, rows(case)[0], SIZES["hidden"])
    with_top(tape, model, case, (W, b), lambda x: squash(x @ W + c), recipe="AO.alg4", figure="AO.fig6")


@recipe("AO.alg4", "AO.fig6", rejects=(*OF_TOP, *OF_ENCODER, "weights-not-tied", "one-way-only"))
def vanilla_auto_encoder_by_the_recipe(impl: Implementation, case: int) -> None:
    """Tied weights by backpropagation of the cross-entropy of mean activations; a machine on the code."""
    model, tape = training(impl, "ae", case)
    start = (0.7 * tape.take("normals", V, SIZES["hidden"]), np.zeros(V), np.zeros(SIZES["hidden"]))
    W, b, c = encoder(tape, rows(case)[0], start, tied)
    with_top(tape, model, case, (W, b), lambda x: squash(x @ W + c), recipe="AO.alg4", figure="AO.fig6")


@recipe(
    "AO.alg5",
    "AO.fig7",
    rejects=(
        *OF_TOP,
        *OF_ENCODER,
        "no-layer-of-inference",
        "inference-counted",
        "inference-by-generative-weights",
    ),
)
def rich_inference_by_the_recipe(impl: Implementation, case: int) -> None:
    """x -> h' -> h -> x, no weights tied, by the same loss; a machine on h; the vanilla one's parameters.

    The size of h' changes q, never the generative model's class or count.
    """
    model, tape = training(impl, "aeri", case)
    ways = ((V, SIZES["inference"]), (SIZES["inference"], SIZES["hidden"]), (SIZES["hidden"], V))
    start = tuple(part for way in ways for part in (0.7 * tape.take("normals", *way), np.zeros(way[1])))
    A, a, B, b, C, c = encoder(tape, rows(case)[0], start, rich)
    q = lambda x: squash(squash(x @ A + a) @ B + b)  # noqa: E731
    with_top(tape, model, case, (C.T, c), q, recipe="AO.alg5", figure="AO.fig7")
    vanilla, _ = training(impl, "ae", case)
    wider, _ = training(impl, "aeri", case, inference=9)
    agree(
        [vanilla.parameters, wider.parameters],
        [model.parameters] * 2,
        "parameters of the same class",
        of="AO.fig7",
    )
