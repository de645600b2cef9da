"""[SH] 2.2: feed-forward networks, what one hidden layer can do, and why depth makes the loss non-convex."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import array_namespace, to_numpy
from ...reference.boltzmann import partition
from ...reference.boltzmann.rbm import RBM
from ...reference.networks import errors, interpolant, nets
from ...reference.networks.layers import ACTIVATIONS, Dense
from ...reference.networks.nets import mlp
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, ensure
from ..strategies import arrays, hundredths, rbms
from .brute import like

SCALARS: dict[str, Any] = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: max(z, 0.0),
    "softplus": lambda z: np.log1p(np.exp(z)),
}


class Network(NamedTuple):
    """Layers that chain, one activation for each, and input rows."""

    layers: tuple[Dense, ...]
    activations: tuple[str, ...]
    x: Any  # (n, N1)


@st.composite
def mlps(draw: DrawFn, *, most_layers: int = 4) -> Network:
    """Networks of one to four layers, of widths that differ from layer to layer."""
    L = draw(st.integers(1, most_layers))
    widths = draw(st.lists(st.integers(1, 3), min_size=L + 1, max_size=L + 1))
    w = hundredths(-2, 2)
    layers = tuple(Dense(draw(arrays((a, b), w)), draw(arrays((b,), w))) for a, b in pairwise(widths))
    activations = tuple(draw(st.sampled_from(tuple(ACTIVATIONS))) for _ in range(L))
    return Network(layers, activations, draw(arrays((draw(st.integers(1, 2)), widths[0]), w)))


def layer_by_hand(layer: Dense, row: list[float], activation: str) -> list[float]:
    """Return g(W u + b) of one row, unit by unit."""
    W, b = (to_numpy(a).astype(float) for a in layer)
    return [
        float(SCALARS[activation](sum(row[i] * W[i, j] for i in range(len(W))) + b[j])) for j in range(len(b))
    ]


def without_bias(layer: Dense) -> Dense:
    """Return the layer whose bias is forgotten."""
    return layer._replace(b=0 * layer.b)


@check(
    "SH.sec2.2b",
    "AL.ch1.dense",
    of=(nets, errors, interpolant),
    cases=mlps(most_layers=1),
    evidence=DEFINITION,
    mutants={
        "bias forgotten": {"forward": lambda net, theta, x: nets.forward(net, (without_bias(theta[0]),), x)},
        "bias added after the activation": {
            "forward": lambda net, theta, x: [
                y + theta[0].b for y in nets.forward(net, (without_bias(theta[0]),), x)[1:]
            ]
        },
        "no activation": {"forward": lambda net, theta, x: nets.forward(net[:1], theta, x)},
    },
)
def a_layer_is_an_activated_affine_map(impl: Implementation, net: Network) -> None:
    """f(u) = g(W u + b), one value per output unit.

    Rows are samples here, so W is (inputs, outputs) as in [AL], the transpose of [SH]'s; g acts on each unit
    (the text calls it real-valued on a vector, and then uses it so).
    """
    y = impl.forward(mlp(*net.activations), net.layers, net.x)[-1]
    rows = [layer_by_hand(net.layers[0], list(row), net.activations[0]) for row in to_numpy(net.x)]
    agree(y, np.array(rows), "output of the layer", atol=1e-10)


@check(
    "SH.sec2.2a",
    "AL.fig1.1",
    of=(nets, errors, interpolant),
    cases=mlps(),
    evidence=DEFINITION,
    mutants={
        "the first layer is skipped": {
            "forward": lambda net, theta, x: (x, x, *nets.forward(net, theta, x)[3:])
        },
        "activations taken from last to first": {
            "forward": lambda net, theta, x: nets.forward(
                tuple(layer for pair in zip(net[::2], net[::-2], strict=True) for layer in pair), theta, x
            )
        },
    },
)
def a_network_is_the_composition_of_its_layers(impl: Implementation, net: Network) -> None:
    """The output is f_L(... f_1(x)), and each of the L - 1 hidden values the input of the next layer.

    Three hidden layers, as in the figure, are four maps.
    """
    values = impl.forward(mlp(*net.activations), net.layers, net.x)[::2]
    ensure(len(values) == len(net.layers) + 1, "number of values", actual=len(values))
    rows = [[float(a) for a in row] for row in to_numpy(net.x)]
    agree(values[0], np.array(rows), "input")
    for k, (layer, g) in enumerate(zip(net.layers, net.activations, strict=True)):
        rows = [layer_by_hand(layer, row, g) for row in rows]
        agree(values[k + 1], np.array(rows), f"output of layer {k + 1}", atol=1e-9)


# --- what one hidden layer can do -------------------------------------------------------------------------

CORNERS = np.array(list(product((0.0, 1.0), repeat=2)))  # 00, 01, 10, 11
XOR_NET = (Dense(np.ones((2, 2)), np.array([0.0, -1.0])), Dense(np.array([[1.0], [-2.0]]), np.zeros(1)))


class SingleLayer(NamedTuple):
    """One layer of two inputs and one output, with a monotone activation."""

    layer: Dense
    activation: str


@check(
    "SH.sec2.2c",
    of=(nets, errors, interpolant),
    cases=st.builds(
        lambda W, b, g: SingleLayer(Dense(W, b), g),
        arrays((2, 1), hundredths(-4, 4)),
        arrays((1,), hundredths(-4, 4)),
        st.sampled_from(tuple(ACTIVATIONS)),
    ),
    evidence=EXACTLY,
    mutants={
        "an activation that is not monotone": {
            "forward": lambda net, theta, x: [y**2 for y in nets.forward(net, theta, x)]
        },
        "the hidden layer left linear": {"forward": lambda net, theta, x: nets.forward(net[::2], theta, x)},
    },
    examples=120,
)
def one_layer_cannot_do_xor(impl: Implementation, case: SingleLayer) -> None:
    """No single layer puts 01 and 10 above both 00 and 11; a network with two hidden units does.

    By the count of f_L(... f_1(x)) a one-hidden-layer MLP has L = 2 maps, so "L = 1" must count hidden
    layers; kernel regression and support vector machines are not covered.
    """
    corners = like(CORNERS, case.layer.W)
    y = to_numpy(impl.forward(mlp(case.activation), (case.layer,), corners)[-1])[:, 0]
    at_most(
        min(y[1], y[2]),
        max(y[0], y[3]),
        "min(f(01), f(10)), against max(f(00), f(11))",
        slack=1e-9,
    )
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
def targets(draw: DrawFn) -> Target:
    """Functions on an interval, most of them continuous."""
    m = draw(st.integers(2, 4))
    heights = draw(arrays((m,), st.integers(-3, 3).map(float)))
    at = draw(st.sampled_from((0.5, 0.25)))
    return Target(
        heights, draw(st.sampled_from((0.0, 0.0, 1.0, 2.0))), at, draw(st.sampled_from((1, 2, 3, 8, 16)))
    )


def sup_error(impl: Implementation, target: Target, pieces: int) -> tuple[float, float]:
    """Return the sup error of the interpolating network, and its bound for a continuous target.

    Between kinks and the jump both functions are linear: their one-sided limits there are all that matters.
    """
    m = target.heights.shape[0]
    end = m - 1
    knots = np.linspace(0, end, pieces + 1)

    def line(x: Any) -> Any:
        return np.interp(x, np.arange(m), to_numpy(target.heights))

    values = line(knots) + target.jump * (knots >= target.at)
    layers = impl.relu_interpolant(like(knots, target.heights), like(values, target.heights))
    x = np.unique([*knots, *range(m), target.at])
    y = impl.forward(mlp("relu", "identity"), layers, like(x[:, None], target.heights))[-1]
    sides = [line(x) + target.jump * (x > target.at), line(x) + target.jump * (x >= target.at)]
    error = max(np.abs(to_numpy(y)[:, 0] - side).max() for side in sides)
    slope = np.abs(np.diff(to_numpy(target.heights))).max()
    return float(error), float(slope * end / pieces / 2)


def any_function(impl: Implementation, target: Target) -> None:
    """As printed: enough hidden units (here 512) bring the uniform error to any function below 0.05."""
    at_most(sup_error(impl, target, 512)[0], 0.05, "sup error of 512 hidden units")


@check(
    "SH.sec2.2d",
    of=(nets, errors, interpolant),
    cases=targets(),
    evidence=EXACTLY,
    mutants={
        "slopes where changes of slope belong": {
            "relu_interpolant": lambda knots, values: (
                interpolant.relu_interpolant(knots, values)[0],
                Dense(
                    ((values[1:] - values[:-1]) / (knots[1:] - knots[:-1]))[:, None],
                    values[:1],
                ),
            )
        },
        "output bias forgotten": {
            "relu_interpolant": lambda knots, values: (
                interpolant.relu_interpolant(knots, values)[0],
                without_bias(interpolant.relu_interpolant(knots, values)[1]),
            )
        },
    },
    printed=any_function,
    correction="any continuous function on a compact set: n rectifiers come within L h / 2 of an L-Lipschitz "
    "one, h = length / n; a network is continuous, so a jump J leaves a uniform error of at least J / 2",
)
def continuous_functions_are_approximated(impl: Implementation, target: Target) -> None:
    """The sup error to an L-Lipschitz function is at most L h / 2; to one that jumps by J, at least J / 2.

    Error is the uniform one, as in the theorems that the text cites.  Shown for one input and rectifiers.
    """
    error, bound = sup_error(impl, target, target.pieces)
    if target.jump == 0:
        at_most(error, bound, f"sup error of {target.pieces} hidden units", slack=1e-9)
    else:
        at_most(abs(target.jump) / 2, error, "half the jump, against the sup error", slack=1e-9)


# --- deep models ------------------------------------------------------------------------------------------


@check(
    "SH.sec2.2e",
    of=(partition,),
    cases=rbms(max_visible=3, max_hidden=3, saturation=2.0),
    evidence=EXACTLY,
    mutants={
        "visible units coupled": {
            "log_joint_table": lambda theta: (
                partition.log_joint_table(theta) + like(_coupling(theta.b.shape[0])[:, None], theta.W)
            )
        },
        "hidden units coupled": {
            "log_joint_table": lambda theta: (
                partition.log_joint_table(theta) + like(_coupling(theta.c.shape[0])[None, :], theta.W)
            )
        },
    },
)
def rbm_is_a_bipartite_markov_field(impl: Implementation, theta: RBM) -> None:
    """Within a layer the mixed differences of log p(v, h) vanish: the graph is bipartite.

    The history, and the graphs of the other models (Boltzmann machines, DBN, CNN), are not covered.
    """
    V, H = theta.b.shape[0], theta.c.shape[0]
    table = to_numpy(impl.log_joint_table(theta)).astype(float).reshape((2,) * (V + H))
    for i, j in product(range(V + H), repeat=2):
        if i < j and (j < V or i >= V):
            mixed = np.diff(np.diff(table, axis=i), axis=j)
            agree(mixed, np.zeros(mixed.shape), f"interaction of units {i} and {j}", atol=1e-10)


def _coupling(units: int) -> Any:
    """Return the product of the first and the last unit of every state, or zero for a single unit."""
    states = np.array(list(product((0.0, 1.0), repeat=units)))
    return states[:, 0] * states[:, -1] * (units > 1)


class Scalar(NamedTuple):
    """One data point and the weights of a network that has one unit per layer and no biases."""

    x: float
    y: float
    a: Any  # (2,)
    b: Any  # (2,)
    activation: str


def scalar_loss(impl: Implementation, case: Scalar, weights: Any) -> float:
    """Return the squared error of the network with these weights, one per layer."""
    layers = tuple(Dense(w[:, None], 0 * w) for w in weights)
    activations = (*(case.activation for _ in layers[1:]), "identity")
    output = impl.forward(mlp(*activations), layers, like([[case.x]], case.a))[-1]
    return float(impl.squared_error(output, like([[case.y]], case.a))[0])


nonzero = st.sampled_from((1.0, -1.0, 2.0, 0.5, -0.25))


@check(
    "SH.sec2.2f",
    of=(nets, errors, interpolant),
    cases=st.builds(
        Scalar,
        nonzero,
        nonzero,
        arrays((1,), hundredths(-3, 3)),
        arrays((1,), hundredths(-3, 3)),
        st.sampled_from(("identity", "tanh")),
    ),
    evidence=EXACTLY,
    mutants={
        "the second layer is dropped": {"forward": lambda net, theta, x: nets.forward(net[:1], theta[:1], x)},
        "an error that is not convex in the output": {
            "squared_error": lambda y, target: array_namespace(y).cos(errors.squared_error(y, target))
        },
    },
)
def depth_breaks_convexity(impl: Implementation, case: Scalar) -> None:
    """One linear layer has a convex loss; with two, zero weights are worse than two points around them.

    Those two points have the same loss, as every sign flip of a hidden unit has: several optima.  "Almost
    always", and that local minima are benign, are not covered.
    """
    middle = scalar_loss(impl, case, [(case.a + case.b) / 2])
    ends = [scalar_loss(impl, case, [w]) for w in (case.a, case.b)]
    at_most(middle, sum(ends) / 2, "shallow loss at a midpoint, against the mean of the ends", slack=1e-9)
    step = 0.25 * array_namespace(case.a).ones_like(case.a)
    sign = 1.0 if case.x * case.y > 0 else -1.0
    there = scalar_loss(impl, case, [step, sign * step])
    back = scalar_loss(impl, case, [-step, -sign * step])
    agree(back, there, "deep loss of the flipped network")
    origin = scalar_loss(impl, case, [0 * step, 0 * step])
    ensure(
        origin > there + 1e-4,
        "deep loss between the two",
        expected=f"> {there}",
        actual=origin,
    )
