"""Every row of the table of layers, differentiated: one test of each property, which walks the table.

The second route of the values is a loop in plain NumPy, one row (and one window) at a time; it takes complex
numbers, so its complex step is the derivative to the last digit, kinks and all: none is hit.
"""

from __future__ import annotations

import importlib
import itertools
import math
import pkgutil

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference import networks
from exactgen.reference.networks.layers import Elementwise, Layer
from exactgen.reference.networks.nets import TABLE, Residual, forward, pullback, squared_norms
from exactgen.reference.trees import leaves, tree_map

STEP = 1e-30
ROWS = 4


def larger(a, b):
    return a if a.real > b.real else b


def windows(x, height, width, stride, padding=0):
    """Yield the place and the window of one image, as nested lists of pixels (vectors of channels)."""
    zero = 0 * x[0, 0]
    for r in range((x.shape[0] + 2 * padding - height) // stride + 1):
        for s in range((x.shape[1] + 2 * padding - width) // stride + 1):
            pixels = {}
            for i, j in itertools.product(range(height), range(width)):
                a, b = r * stride + i - padding, s * stride + j - padding
                inside = 0 <= a < x.shape[0] and 0 <= b < x.shape[1]
                pixels[i, j] = x[a, b] if inside else zero
            yield (r, s), pixels


def image(places):
    places = dict(places)
    rows, columns = (max(place[axis] for place in places) + 1 for axis in (0, 1))
    return np.array([[places[r, s] for s in range(columns)] for r in range(rows)])


def dense(layer, theta, x):
    return [sum(x[i] * theta.W[i, j] for i in range(len(x))) + theta.b[j] for j in range(theta.W.shape[1])]


def correlation(layer, theta, x):
    height, width = theta.K.shape[:2]
    return image(
        (place, sum(pixel @ theta.K[at] for at, pixel in pixels.items()) + theta.b)
        for place, pixels in windows(x, height, width, layer.stride, layer.padding)
    )


def pooled(layer, x, of):
    return image(
        (place, [of([pixel[c] for pixel in pixels.values()]) for c in range(x.shape[2])])
        for place, pixels in windows(x, *layer.size, layer.stride)
    )


def normalised(theta, x, mean, variance, epsilon):
    units = list(zip(theta.gain, theta.bias, mean, variance, strict=True))
    rows = [
        [g * (v - m) / (s + epsilon) ** 0.5 + b for v, (g, b, m, s) in zip(row, units, strict=True)]
        for row in x.reshape(-1, x.shape[-1])
    ]
    return np.array(rows).reshape(x.shape)


def batch_normalised(layer, theta, x):
    columns = x.reshape(-1, x.shape[-1]).T
    means = [sum(column) / len(column) for column in columns]
    variances = [sum((v - m) ** 2 for v in c) / len(c) for c, m in zip(columns, means, strict=True)]
    return normalised(theta, x, means, variances, layer.epsilon)


def row_by_row(of_row):
    return lambda layer, theta, x: np.array([of_row(layer, theta, row) for row in x])


def entry_by_entry(of_entry):
    return lambda layer, theta, x: np.array([of_entry(layer, v) for v in x.ravel()]).reshape(x.shape)


def softmax(x):
    total = sum(np.exp(v) for v in x)
    return np.array([np.exp(v) / total for v in x])


BY_HAND = {
    "FullyConnected": row_by_row(dense),
    "Correlation": row_by_row(correlation),
    "MeanPool": row_by_row(lambda layer, _, row: pooled(layer, row, lambda p: sum(p) / len(p))),
    "MaxPool": row_by_row(lambda layer, _, row: pooled(layer, row, lambda p: max(p, key=lambda v: v.real))),
    "Identity": entry_by_entry(lambda _, v: v),
    "Logistic": entry_by_entry(lambda _, v: 1 / (1 + np.exp(-v))),
    "Tanh": entry_by_entry(lambda _, v: (np.exp(v) - np.exp(-v)) / (np.exp(v) + np.exp(-v))),
    "Rectifier": entry_by_entry(lambda _, v: larger(v, 0 * v)),
    "LeakyRectifier": entry_by_entry(lambda layer, v: larger(v, layer.leak * v)),
    "Softplus": entry_by_entry(lambda _, v: np.log(1 + np.exp(v))),
    "Softmax": row_by_row(lambda _, __, row: np.apply_along_axis(softmax, -1, row)),
    "Reshape": lambda layer, _, x: x.reshape((len(x), *layer.shape)),
    "Residual": lambda layer, theta, x: x + by_hand(layer.net, theta, x),
    "BatchNorm": batch_normalised,
    "BatchNormAt": lambda layer, theta, x: normalised(theta, x, theta.mean, theta.variance, layer.epsilon),
}


def by_hand(net, theta, x):
    parts = iter(theta)
    for layer in net:
        x = BY_HAND[type(layer).__name__](layer, next(parts) if layer.has_parameters else (), x)
    return x


def drawn(shapes, rng, name=""):
    """Return arrays of these shapes; variances are positive."""
    if shapes and isinstance(shapes[0], int):
        return rng.normal(size=shapes) ** (2 if name == "variance" else 1)
    if hasattr(shapes, "_fields"):
        return type(shapes)(**{field: drawn(part, rng, field) for field, part in shapes._asdict().items()})
    return tuple(drawn(part, rng) for part in shapes)


class Case:
    """A row of the table as a net of one layer, with parameters, an input, and directions of all three."""

    def __init__(self, row):
        rng = np.random.default_rng(7)
        self.row, self.net = row, (row.layer,)
        self.theta, self.dtheta = (
            ((drawn(row.parameters, rng),) if row.layer.has_parameters else ()) for _ in range(2)
        )
        self.x, self.dx = (rng.normal(size=(ROWS, *row.inputs)) for _ in range(2))
        self.y = by_hand(self.net, self.theta, self.x)
        self.dy = rng.normal(size=self.y.shape)

    def values(self, xp):
        return tree_map(xp, self.theta), forward(self.net, tree_map(xp, self.theta), xp(self.x))


each_row = pytest.mark.parametrize("case", [*map(Case, TABLE)], ids=lambda case: str(case.row.layer))


@each_row
def test_values_are_those_of_a_loop(xp, case):
    _, values = case.values(xp)
    assert values[-1].shape == case.y.shape
    np.testing.assert_allclose(to_numpy(values[-1]), case.y, rtol=1e-12, atol=1e-14)


@each_row
def test_pushforward_is_the_complex_step_of_the_loop(xp, case):
    theta = tree_map(lambda a, d: a + STEP * 1j * d, case.theta, case.dtheta)
    exact = by_hand(case.net, theta, case.x + STEP * 1j * case.dx).imag / STEP
    theta, values = case.values(xp)
    found = networks.nets.pushforward(case.net, theta, values, tree_map(xp, case.dtheta), xp(case.dx))
    np.testing.assert_allclose(to_numpy(found), exact, rtol=1e-11, atol=1e-13)


@each_row
def test_pullback_is_the_transpose_of_pushforward(xp, case):
    """In every coordinate: <dy, J e> is the entry of J^T dy, for every unit vector e of parameters and x."""
    theta, values = case.values(xp)
    found = pullback(case.net, theta, values, xp(case.dy))
    zero = (tree_map(np.zeros_like, case.theta), np.zeros_like(case.x))
    for k, gradient in enumerate(leaves(found)):
        entries = to_numpy(gradient)
        assert entries.shape == list(leaves(zero))[k].shape
        for at in np.ndindex(entries.shape):
            unit = tree_map(np.copy, zero)
            list(leaves(unit))[k][at] = 1.0
            along = networks.nets.pushforward(case.net, theta, values, tree_map(xp, unit[0]), xp(unit[1]))
            assert entries[at] == pytest.approx(np.sum(case.dy * to_numpy(along)), rel=1e-11, abs=1e-12)


@each_row
def test_norms_are_those_of_each_row_alone(xp, case):
    theta, values = case.values(xp)
    if case.row.layer.mixes_rows():
        with pytest.raises(
            ValueError, match=r"rows interact in layer 0, BatchNorm.*no.* gradient of its own"
        ):
            squared_norms(case.net, theta, values, xp(case.dy))
        return
    found = squared_norms(case.net, theta, values, xp(case.dy))
    alone = []
    for n in range(ROWS):
        rows = [xp(to_numpy(value)[n : n + 1]) for value in values]
        alone.append(pullback(case.net, theta, rows, xp(case.dy[n : n + 1]))[0])
    squares = [[np.sum(to_numpy(g) ** 2) for g in leaves(gradient)] for gradient in alone]
    for norms, column in zip(leaves(found), np.reshape(squares, (ROWS, -1)).T, strict=True):
        np.testing.assert_allclose(to_numpy(norms), column, rtol=1e-12)


def test_rows_interact_where_a_layer_says_so(xp):
    for case in map(Case, TABLE):
        changed = np.array(case.x)
        changed[0] += 1.0
        ys = [forward(case.net, tree_map(xp, case.theta), xp(x))[-1] for x in (case.x, changed)]
        same = np.array_equal(*(to_numpy(y)[1:] for y in ys))
        assert same == (not case.row.layer.mixes_rows()), case.row.layer


def test_every_kind_has_a_row():
    for module in pkgutil.iter_modules(networks.__path__):
        importlib.import_module(f"{networks.__name__}.{module.name}")

    def kinds(of):
        return {of} | {kind for below in of.__subclasses__() for kind in kinds(below)}

    ours = {kind for kind in kinds(Layer) if kind.__module__.startswith(networks.__name__)}
    assert ours - {Layer, Elementwise} - {type(row.layer) for row in TABLE} == {networks.images._Pool}
    assert {type(row.layer).__name__ for row in TABLE} == set(BY_HAND)


def test_each_derivative_of_a_kink_is_the_one_stated(xp):
    for name, slope in (("Rectifier", 0.0), ("LeakyRectifier", 0.2)):
        (layer,) = (row.layer for row in TABLE if type(row.layer).__name__ == name)
        x = xp([[0.0, -0.0]])
        assert to_numpy(layer.slope(x, layer.values((), x))).tolist() == [[slope, slope]]
    (layer, *_) = (row.layer for row in TABLE if type(row.layer).__name__ == "MaxPool")
    ties = xp(np.ones((1, 2, 2, 1)))
    _, dx = layer.pullback((), ties, layer.values((), ties), xp(np.ones((1, 1, 1, 1))))
    assert to_numpy(dx).ravel().tolist() == [1, 0, 0, 0]


def test_evaluation_at_the_moments_of_the_batch_gives_the_values_of_training(xp):
    rng = np.random.default_rng(3)
    x, gain, bias = xp(rng.normal(size=(5, 2, 3))), xp(rng.normal(size=3)), xp(rng.normal(size=3))
    training = networks.normalisation.BatchNorm(0.01).values(networks.normalisation.Scale(gain, bias), x)
    at = networks.normalisation.Normalisation(gain, bias, *networks.normalisation.moments(x))
    evaluation = networks.normalisation.BatchNormAt(0.01).values(at, x)
    np.testing.assert_allclose(to_numpy(training), to_numpy(evaluation), rtol=1e-14)


def test_saturated_activations_give_numbers(xp):
    x = xp([[-1e300, -800.0, 0.0, 800.0, 1e300]])
    for row in TABLE:
        if not row.parameters and not isinstance(row.layer, Residual) and len(row.inputs) == 1:
            y = row.layer.values((), x) if type(row.layer).__name__ != "Reshape" else x
            _, dx = row.layer.pullback((), x, y, xp(np.ones((1, 5))))
            assert np.isfinite(to_numpy(y)).all()
            assert np.isfinite(to_numpy(dx)).all()
    assert math.isclose(float(networks.layers.softmax(xp([1000.0, 1000.0]))[0]), 0.5)
