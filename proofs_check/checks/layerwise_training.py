"""[AO] 2.1, 2.6, 3.2: the training recipes, a step of each against derivatives of the quantity it ascends.

Oracles are tables over all bits, built state by state; derivatives are by the complex step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import array_namespace
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief
from ...reference.directed.layers import Sigmoid
from ...reference.layerwise import passes, recipes, stacks
from ...reference.layerwise.recipes import Deep
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from ...reference.optimizers import sgd
from ...reference.trees import add, difference, scale, tree_map
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure, to_tolerance, tolerance
from ..oracle.boltzmann import states
from ..oracle.derivative import derivative
from ..oracle.directed import bits
from ..oracle.layerwise import Numbers, dual_bound, numbers
from ..oracle.layerwise_autoencoders import mean_pass, through
from ..strategies import arrays, binary_rows, hundredths, laws, weights
from .layerwise_marginal import GAP

RATE, STEPS = 0.5, 3


# --- stacks of auto-encoders (2.6, 3.2) -------------------------------------------------------------------


class Stack(NamedTuple):
    """Auto-encoders from the bottom, a machine for the topmost code, and rows of x."""

    encoders: tuple[Any, ...]
    top: RBM
    x: Any  # (n, V)


@st.composite
def stacks_of_encoders(draw: DrawFn, *, depth: int) -> Stack:
    """Stacks of tied, untied and rich auto-encoders (an h' on the way up), of different widths."""
    V, *codes = draw(st.permutations((1, 2, 3)))[: depth + 1]
    options = {"saturation": 3.0}

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(draw(weights(inputs, outputs, **options)), draw(weights(outputs, **options)))

    def encoder(below: int, above: int) -> Any:
        kind = draw(st.sampled_from(("tied", "untied", "rich")))
        if kind == "tied":
            return RBM(*(draw(weights(*shape, **options)) for shape in ((below, above), (below,), (above,))))
        up = (below, 2, above) if kind == "rich" else (below, above)
        return AutoEncoder(tuple(dense(*sizes) for sizes in pairwise(up)), (dense(above, below),))

    encoders = tuple(encoder(*sizes) for sizes in pairwise((V, *codes)))
    top = RBM(*(draw(weights(*shape, **options)) for shape in ((codes[-1], 2), (codes[-1],), (2,))))
    return Stack(encoders, top, draw(binary_rows(V)))


def plainly(tree: Any) -> Any:
    """Return a tree of parameters as NumPy arrays."""
    return tree_map(numbers, tree)


def merged(encoders: Any) -> AutoEncoder:
    """Return encoders as one; complex parameters welcome."""
    parts = [
        AutoEncoder((Dense(e.W, e.c),), (Dense(e.W.T, e.b),)) if isinstance(e, RBM) else e for e in encoders
    ]
    up = tuple(layer for part in parts for layer in part.inference)
    return AutoEncoder(up, tuple(layer for part in reversed(parts) for layer in part.generative))


def generated(theta: AutoEncoder, x: Numbers) -> Numbers:
    """Return P(x | h) of rows x and all states of the topmost h, the codes below summed out; (n, 2^H)."""
    *above, bottom = theta.generative
    table = bits(states(bottom.W.shape[0]) @ bottom.W + bottom.b, x).T
    for layer in reversed(above):
        h = states(layer.W.shape[0])
        table = table @ bits(h @ layer.W + layer.b, states(layer.b.shape[0])).T
    return table


def sum_of_all(encoders: Any, x: Numbers) -> Any:
    """Return the mean over rows of log sum_h P(x|h) q(h|x), all layers as one."""
    theta = merged(encoders)
    q = bits(through(theta.inference, x), states(theta.inference[-1].b.size))
    return np.log((generated(theta, x) * q).sum(axis=1)).mean()


def mean_of_all(encoders: Any, x: Numbers) -> Any:
    """Return the mean over rows of log P(x | every unit at its mean): minus the cross-entropy."""
    return mean_pass(merged(encoders), x).mean()


def stepped(f: Any, encoders: Any, x: Numbers) -> Any:
    """Return encoders after a step up f(encoders, x), by the complex step."""
    return add(encoders, scale(RATE, derivative(lambda theta: f(theta, x), encoders)))


def code_of(encoders: Any, x: Numbers) -> Numbers:
    """Return the means of the topmost code."""
    return 1 / (1 + np.exp(-through(merged(encoders).inference, x)))


class Given:
    """A training of the top that keeps what it was given, and moves the visible biases by one."""

    machine: RBM
    rows: Any

    def __call__(self, machine: RBM, rows: Any, level: int) -> RBM:
        """Return the machine, moved."""
        self.machine, self.rows = machine, rows
        return machine._replace(b=machine.b + 1)


def step_of(impl: Implementation, hidden: str) -> Any:
    """Return a training of one step over all rows, all the layers that it is given at once."""

    def train(encoder: Any, rows: Any, level: int) -> Any:
        options = {"optimizer": sgd(RATE), "batch_size": rows.shape[0], "epochs": 1, "seed": level}
        return impl.train_encoder(encoder, rows, hidden=hidden, visit="mean", **options)

    return train


@check(
    "AO.sec2.6a",
    "AO.fig1",
    of=(recipes, passes, stacks),
    cases=stacks_of_encoders(depth=2),
    examples=25,
    evidence=EXACTLY,
    rejects=(
        "topmost-alone",
        "top-of-before",
        "top-not-tuned",
        "mean-for-sum",
        "tied-counted-once",
        "generation-held",
    ),
)
def fine_tuning_steps_up_the_criterion_of_all_layers(impl: Implementation, case: Stack) -> None:
    """A step moves all layers by the derivative of log sum_h2 P(x|h2) q(h2|x); the top learns the new h2.

    h1 is summed out on the way down and at its mean on the way up.  A small step does not lower it, nor does
    tying, which adds what both uses of a weight ask for.
    """
    encoders, x = plainly(case.encoders), numbers(case.x)
    given = Given()
    tuned = impl.fine_tune(Deep(case.encoders, case.top), case.x, train=step_of(impl, "sum"), train_top=given)
    agree(tuned.encoders, stepped(sum_of_all, encoders, x), "all layers", of="AO.sec2.6a")
    new = plainly(tuned.encoders)
    agree(given.rows, code_of(new, x), "what the top learns from")
    agree(given.machine, plainly(case.top), "where the top starts")
    agree(tuned.top, plainly(case.top)._replace(b=numbers(case.top.b) + 1), "the top")
    joined = impl.join(tuned.encoders)
    agree(
        array_namespace(case.x).mean(impl.log_sum_pass(joined, case.x)),
        sum_of_all(new, x),
        "criterion",
        of="AO.fig1",
    )
    small = add(encoders, scale(1e-4, difference(new, encoders)))
    at_most(sum_of_all(encoders, x), sum_of_all(small, x), "criterion after a small step", slack=1e-9)


@check(
    "AO.alg4",
    "AO.alg5",
    of=(recipes, passes, stacks, belief),
    cases=stacks_of_encoders(depth=1),
    examples=30,
    evidence=EXACTLY,
    rejects=(
        "top-of-before",
        "top-of-one-draw",
        "draw-for-mean",
        "tied-counted-once",
        "inference-in-the-model",
    ),
)
def auto_encoder_first_then_a_machine_on_its_code(impl: Implementation, case: Stack) -> None:
    """A step of backpropagation with cross-entropy, tied or with an h'; then the top gets q(h|x) of the data.

    The model is P(x|h) P(h), whose log-likelihood is exact; q is no part of it.
    """
    encoders, x = plainly(case.encoders), numbers(case.x)
    given = Given()
    theta = impl.train_deep(
        case.encoders, case.top, case.x, up="sample", train=step_of(impl, "mean"), train_top=given, rng=1
    )
    ensure(
        [type(e) for e in theta.encoders] == [type(e) for e in case.encoders],
        "tied stays tied, free stays free",
    )
    rich = any(isinstance(e, AutoEncoder) and len(e.inference) > 1 for e in encoders)
    of = "AO.alg5" if rich else "AO.alg4"
    agree(theta.encoders, stepped(mean_of_all, encoders, x), "auto-encoder", of=of)
    agree(given.rows, code_of(plainly(theta.encoders), x), "what the top learns from")
    W, b, c = plainly(theta.top)
    h = states(b.size)
    weight = np.exp(h @ b + np.log1p(np.exp(h @ W + c)).sum(axis=1))
    likelihoods = generated(merged(plainly(theta.encoders)), x) @ (weight / weight.sum())
    found = impl.log_likelihood(impl.net(theta), case.x)
    agree(found, np.log(likelihoods), "log P(x)")


# --- the best optimistic lower layer by ascent (eq. 16-17) ------------------------------------------------


class Ascent(NamedTuple):
    """A layer of one hidden unit whose two states differ, so that its best marginal is unique, and data."""

    layer: Sigmoid
    x: Any  # (n, V)
    weights: Any  # (n,)


@st.composite
def ascents(draw: DrawFn) -> Ascent:
    """Sigmoid layers of 2 or 3 visible units over a law of distinct rows."""
    V = draw(st.integers(2, 3))
    W = draw(arrays((V, 1), hundredths(-2, 2)).filter(lambda W: bool(np.abs(W).max() > 0.5)))
    rows = draw(st.permutations(range(2**V)))[: draw(st.integers(2, 4))]
    shares = draw(laws(len(rows), zeros=False))
    return Ascent(Sigmoid(W, draw(arrays((V,), hundredths(-1, 1)))), states(V)[rows], shares)


def conditional(W: Numbers, b: Numbers, x: Numbers) -> Numbers:
    """Return P(x | h) of rows x and both states of h; complex parameters welcome."""
    on = 1 / (1 + np.exp(-(states(W.shape[1]) @ W.T + b)))
    return np.where(x[:, None, :] == 1, on, 1 - on).prod(axis=2)


def of_two_states(A: Numbers, data: Numbers) -> Numbers:
    """Return the best law on two states by bisection: the derivative by its second entry falls."""
    low, high = 0.0, 1.0
    for _ in range(100):
        m = (low + high) / 2
        rising = data @ ((A[:, 1] - A[:, 0]) / ((1 - m) * A[:, 0] + m * A[:, 1])) > 0
        low, high = (m, high) if rising else (low, m)
    return np.array([1 - (low + high) / 2, (low + high) / 2])


@check(
    "AO.eq16",
    "AO.eq17",
    of=(recipes,),
    cases=ascents(),
    examples=25,
    evidence=to_tolerance("1e-9 nats, the certificate of the best marginals"),
    rejects=(
        "uniform-law-held",
        "first-law-held",
        "law-of-equal-data",
        "bound-descends",
        "certificate-of-nothing",
    ),
)
def ascent_of_the_bound_goes_by_the_best_marginal_of_each_layer(impl: Implementation, case: Ascent) -> None:
    """dU_D = the derivative of L at the best marginal held: three steps, each with a marginal of its own.

    The oracle solves for the marginal by bisection and differentiates by the complex step.  U_D rises, and
    what is reported with the last layer is its best marginal.
    """
    W, b = numbers(case.layer.W), numbers(case.layer.b)
    x, data = numbers(case.x), numbers(case.weights)
    for _ in range(STEPS):
        Q = of_two_states(conditional(W, b, x), data)

        def mean_log(theta: Any, Q: Numbers = Q) -> Any:
            return data @ np.log(conditional(theta[0], theta[1], x) @ Q)

        W, b = add((W, b), scale(RATE, derivative(mean_log, (W, b))))
    layer, found = impl.train_optimistic_layer(
        case.layer,
        case.x,
        weights=case.weights,
        tolerance=tolerance(GAP),
        optimizer=sgd(RATE),
        steps=STEPS,
    )
    both = ("AO.eq16", "AO.eq17")  # the same formula, twice
    agree(layer, Sigmoid(W, b), "layer after three steps", of=both, rtol=1e-5, atol=1e-5)
    A = conditional(numbers(layer.W), numbers(layer.b), x)
    agree(found.log_likelihood, dual_bound(A, data, numbers(found.Q)), "U_D at the end", rtol=0, atol=1e-9)
    first = conditional(numbers(case.layer.W), numbers(case.layer.b), x)
    start = data @ np.log(first @ of_two_states(first, data))
    at_most(start, found.log_likelihood, "U_D before and after the ascent", slack=1e-9)
