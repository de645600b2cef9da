"""Networks: what one layer and one hidden layer can do, and why depth makes the loss non-convex."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import to_numpy
from ...reference.boltzmann import partition
from ...reference.boltzmann.rbm import RBM
from ...reference.networks import errors, interpolant, nets
from ...reference.networks.layers import ACTIVATIONS, Dense
from ...reference.networks.nets import mlp
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..oracle import networks as oracle
from ..oracle.boltzmann import like
from ..strategies import arrays, hundredths, rbms

# --- what one hidden layer can do -------------------------------------------------------------------------

CORNERS = np.array(list(product((0.0, 1.0), repeat=2)))  # 00, 01, 10, 11
XOR_NET = (Dense(np.ones((2, 2)), np.array([0.0, -1.0])), Dense(np.array([[1.0], [-2.0]]), np.zeros(1)))


class SingleLayer(NamedTuple):
    """One layer of two inputs and one output, with a monotone activation."""

    layer: Dense
    activation: str


@check(
    "SH.sec2.2c",
    of=nets,
    cases=st.builds(
        lambda W, b, g: SingleLayer(Dense(W, b), g),
        arrays((2, 1), hundredths(-4, 4)),
        arrays((1,), hundredths(-4, 4)),
        st.sampled_from(tuple(ACTIVATIONS)),
    ),
    evidence=EXACTLY,
    rejects=("outputs-squared", "activations-forgotten"),
    uncovered="kernel regression and support vector machines",
    examples=120,
)
def one_layer_cannot_do_xor(impl: Implementation, case: SingleLayer, plain: SingleLayer) -> None:
    """No single layer puts 01 and 10 above both 00 and 11; a network with two hidden units does.

    By the count of f_L(... f_1(x)) a one-hidden-layer MLP has L = 2 maps, so "L = 1" is read as a count of
    hidden layers.
    """
    corners = like(CORNERS, case.layer.W)
    y = to_numpy(impl.forward(mlp(case.activation), (case.layer,), corners)[-1])[:, 0]
    agree(y, oracle.output((plain.layer,), (plain.activation,), CORNERS)[:, 0], "f of the corners")
    what = "min(f(01), f(10)), against max(f(00), f(11))"
    at_most(min(y[1], y[2]), max(y[0], y[3]), what, slack=1e-9)
    shallow = tuple(Dense(like(layer.W, corners), like(layer.b, corners)) for layer in XOR_NET)
    output = impl.forward(mlp("relu", "identity"), shallow, corners)[-1]
    agree(to_numpy(output)[:, 0], np.array([0.0, 1.0, 1.0, 0.0]), "exclusive or by one hidden layer")


class Target(NamedTuple):
    """The polyline through (i, heights_i) plus ``jump`` from ``at`` on, and the pieces of the network."""

    heights: Any  # (m,)
    jump: float
    at: float
    pieces: int


@st.composite
def targets(draw: DrawFn, *, jumps: tuple[float, ...]) -> Target:
    """Functions on an interval that jump by one of ``jumps``."""
    heights = draw(arrays((draw(st.integers(2, 4)),), st.integers(-3, 3).map(float)))
    at, pieces = draw(st.sampled_from((0.5, 0.25))), draw(st.sampled_from((1, 2, 3, 8, 16)))
    return Target(heights, draw(st.sampled_from(jumps)), at, pieces)


def _sup_error(impl: Implementation, case: Target, plain: Target, pieces: int) -> tuple[float, float]:
    """Return the sup error of the interpolating network, and its bound for a continuous target.

    Between kinks and the jump both functions are linear: their one-sided limits there are all that matters.
    """
    m = len(plain.heights)
    knots = np.linspace(0, m - 1, pieces + 1)

    def line(x: Any) -> Any:
        return np.interp(x, np.arange(m), plain.heights)

    values = line(knots) + plain.jump * (knots >= plain.at)
    net = impl.relu_interpolant(like(knots, case.heights), like(values, case.heights))
    x = np.unique([*knots, *range(m), plain.at])
    y = to_numpy(impl.forward(mlp("relu", "identity"), net, like(x[:, None], case.heights))[-1])[:, 0]
    agree(y, np.interp(x, knots, values), "the network between its knots")
    sides = [line(x) + plain.jump * (x > plain.at), line(x) + plain.jump * (x >= plain.at)]
    slope = np.abs(np.diff(plain.heights)).max()
    return float(max(np.abs(y - side).max() for side in sides)), float(slope * (m - 1) / pieces / 2)


def any_function(impl: Implementation, case: Target, plain: Target) -> None:
    """As printed: enough hidden units (here 512) bring the uniform error to any function below 0.05."""
    at_most(_sup_error(impl, case, plain, 512)[0], 0.05, "sup error of 512 hidden units")


@check(
    "SH.sec2.2d",
    of=(nets, interpolant),
    cases=targets(jumps=(0.0, 0.0, 1.0, 2.0)),
    evidence=EXACTLY,
    rejects=("slopes-for-bends", "interpolant-from-zero", "activations-forgotten"),
    printed=any_function,
    assuming="the function is continuous, on a compact set: n rectifiers come within L h / 2 of an "
    "L-Lipschitz one, h = length / n; a jump J leaves a uniform error of at least J / 2",
    without=targets(jumps=(1.0, 2.0)),
    uncovered="more than one input, and activations other than rectifiers",
)
def continuous_functions_are_approximated(impl: Implementation, case: Target, plain: Target) -> None:
    """The sup error to an L-Lipschitz function is at most L h / 2; to one that jumps by J, at least J / 2.

    Error is the uniform one, as in the theorems that the text cites.
    """
    error, bound = _sup_error(impl, case, plain, plain.pieces)
    if plain.jump == 0:
        at_most(error, bound, f"sup error of {plain.pieces} hidden units", slack=1e-9)
    else:
        at_most(abs(plain.jump) / 2, error, "half the jump, against the sup error", slack=1e-9)


# --- deep models ------------------------------------------------------------------------------------------


@check(
    "SH.sec2.2e",
    of=partition,
    cases=rbms(max_visible=3, max_hidden=3, saturation=2.0),
    evidence=EXACTLY,
    rejects=("visible-units-coupled", "hidden-units-coupled"),
    uncovered="the history, and the graphs of Boltzmann machines, deep belief nets and other deep models",
)
def rbm_is_a_bipartite_markov_field(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """Within a layer the mixed differences of log p(v, h) vanish, across they are the weights: bipartite."""
    V, H = plain.W.shape
    table = to_numpy(impl.log_joint_table(theta)).astype(float).reshape((2,) * (V + H))
    for i, j in combinations(range(V + H), 2):
        mixed = np.diff(np.diff(table, axis=i), axis=j)
        weight = plain.W[i, j - V] if i < V <= j else 0.0
        agree(mixed, np.full(mixed.shape, weight), f"interaction of units {i} and {j}")


class Scalar(NamedTuple):
    """Data, and weights of a network that has one unit per layer and no biases."""

    x: Any  # (n,)
    y: Any  # (n,)
    a: float
    b: float
    activation: str
    depth: int


@st.composite
def scalars(draw: DrawFn) -> Scalar:
    """One or two points whose inputs and outputs are correlated, and two or three layers."""
    n, entries = draw(st.integers(1, 2)), st.sampled_from((1.0, -1.0, 2.0, 0.5, -0.25))
    x, y = draw(arrays((n,), entries)), draw(arrays((n,), entries))
    activation, depth = draw(st.sampled_from(("identity", "tanh"))), draw(st.integers(2, 3))
    return Scalar(x, y, draw(hundredths(-3, 3)), draw(hundredths(-3, 3)), activation, depth)


def _loss(impl: Implementation, case: Scalar, plain: Scalar, *weights: float) -> float:
    """Return the squared error of the network with these weights, one per layer."""
    rows, targets_of = (like(values[:, None], case.x) for values in (plain.x, plain.y))
    net = tuple(Dense(np.array([[w]]), np.zeros(1)) for w in weights)
    activations = (*(plain.activation for _ in weights[1:]), "identity")
    given = tuple(Dense(*(like(part, case.x) for part in layer)) for layer in net)
    output = impl.forward(mlp(*activations), given, rows)[-1]
    found = float(to_numpy(impl.squared_error(output, targets_of)).sum())
    by_hand = ((oracle.output(net, activations, plain.x[:, None])[:, 0] - plain.y) ** 2).sum()
    agree(found, by_hand, f"loss of the weights {weights}")
    return found


@check(
    "SH.sec2.2f",
    of=(nets, errors),
    cases=scalars().filter(lambda case: abs(case.x @ case.y) >= 1),
    evidence=EXACTLY,
    rejects=("first-layer-alone", "cosine-of-the-error"),
    uncovered='"almost always", plateaus, and that local minima are benign',
)
def depth_breaks_convexity(impl: Implementation, case: Scalar, plain: Scalar) -> None:
    """One linear layer has a convex loss; with more, zero weights are worse than two points around them.

    Those two points have the same loss, as all have whose weights differ by the signs of two layers in a row:
    there are several optima.
    """
    a, b = plain.a, plain.b
    middle, ends = _loss(impl, case, plain, (a + b) / 2), [_loss(impl, case, plain, w) for w in (a, b)]
    bend = (plain.x @ plain.x) * (a - b) ** 2 / 4
    agree(sum(ends) / 2 - middle, bend, "shallow loss, mean of two points above the midpoint")
    step = 0.1 if plain.depth == 2 else 0.2
    sign = 1.0 if plain.x @ plain.y > 0 else -1.0
    rest = [step] * (plain.depth - 2)
    there = _loss(impl, case, plain, *rest, step, sign * step)
    back = _loss(impl, case, plain, *rest, -step, -sign * step)
    agree(back, there, "deep loss of the flipped network")
    middle = _loss(impl, case, plain, *rest, 0.0, 0.0)
    ensure(middle > there + 1e-4, "deep loss between the two", expected=f"> {there}", actual=middle)
