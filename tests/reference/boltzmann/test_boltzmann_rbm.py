"""Energies, conditionals and samplers against loops over units and Bayes' rule on the joint table."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import ReplayStream
from exactgen.reference.boltzmann.partition import log_partition
from exactgen.reference.boltzmann.rbm import (
    RBM,
    data_statistics,
    energy,
    free_energy,
    hidden_input,
    mean_hidden,
    mean_visible,
    sample_hidden,
    sample_visible,
    visible_input,
)

SIZES = [(3, 2), (2, 4), (1, 3), (4, 1), (1, 1)]


def parameters(visible, hidden, scale=1.0):
    rng = np.random.default_rng(100 * visible + hidden)
    return [scale * rng.normal(size=shape) for shape in ((visible, hidden), visible, hidden)]


def states(n):
    return list(itertools.product((0, 1), repeat=n))


def loop_energy(W, b, c, v, h):
    e = -sum(b[i] * v[i] for i in range(len(b))) - sum(c[j] * h[j] for j in range(len(c)))
    return e - sum(v[i] * W[i, j] * h[j] for i in range(len(b)) for j in range(len(c)))


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_energy_is_minus_the_sum_over_pairs_and_units(xp, visible, hidden):
    p = parameters(visible, hidden)
    pairs = list(itertools.product(states(visible), states(hidden)))
    ours = energy(RBM(*map(xp, p)), xp([v for v, _ in pairs]), xp([h for _, h in pairs]))
    np.testing.assert_allclose(
        to_numpy(ours), [loop_energy(*p, v, h) for v, h in pairs], rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_free_energy_sums_the_hidden_units_out(xp, visible, hidden):
    p = parameters(visible, hidden)
    expected = [
        -math.log(sum(math.exp(-loop_energy(*p, v, h)) for h in states(hidden))) for v in states(visible)
    ]
    ours = free_energy(RBM(*map(xp, p)), xp(states(visible)))
    np.testing.assert_allclose(to_numpy(ours), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("visible", "hidden"), SIZES)
def test_conditional_means_are_those_of_the_joint_table(xp, visible, hidden):
    p, theta = parameters(visible, hidden), RBM(*map(xp, parameters(visible, hidden)))
    v, h = states(visible), states(hidden)
    joint = np.array([[math.exp(-loop_energy(*p, a, z)) for z in h] for a in v])
    given_v = (joint / joint.sum(axis=1, keepdims=True)) @ np.array(h)
    given_h = (joint / joint.sum(axis=0)).T @ np.array(v)
    np.testing.assert_allclose(to_numpy(mean_hidden(theta, xp(v))), given_v, rtol=1e-12)
    np.testing.assert_allclose(to_numpy(mean_visible(theta, xp(h))), given_h, rtol=1e-12)


def test_inputs_are_affine_in_the_other_layer(xp):
    W, b, c = parameters(3, 2)
    theta = RBM(xp(W), xp(b), xp(c))
    np.testing.assert_allclose(
        to_numpy(hidden_input(theta, xp([[1.0, 0.0, 1.0]]))), [c + W[0] + W[2]], rtol=1e-13
    )
    np.testing.assert_allclose(to_numpy(visible_input(theta, xp([[0.0, 1.0]]))), [b + W[:, 1]], rtol=1e-13)


@pytest.mark.parametrize("layer", ["hidden", "visible"])
def test_samplers_draw_from_the_conditional(xp, layer):
    """The exact law of the draws, unit by unit and jointly, by enumeration of the sampler's randomness."""
    theta = RBM(*map(xp, parameters(3, 2)))
    sample, given, units = {
        "hidden": (sample_hidden, [[1, 0, 1], [0, 0, 0]], 2),
        "visible": (sample_visible, [[1, 0], [1, 1], [0, 1]], 3),
    }[layer]
    W, b, c = parameters(3, 2)
    drawn = expect(lambda x, *, rng: sample(theta, x, rng=rng), xp(given))
    weights = np.exp(to_numpy(drawn.log_weight))
    values = to_numpy(drawn.values).reshape(len(given), -1, units)
    for row, x in enumerate(given):
        if layer == "hidden":
            law = [math.exp(-loop_energy(W, b, c, x, h)) for h in states(2)]
        else:
            law = [math.exp(-loop_energy(W, b, c, v, x)) for v in states(3)]
        for state, p in zip(states(units), law, strict=True):
            mass = weights[row, (values[row] == state).all(axis=1)].sum()
            assert mass == pytest.approx(p / sum(law), rel=1e-12)


def test_samplers_read_the_stream_row_by_row(xp):
    theta = RBM(xp([[0.0, 50.0], [0.0, 0.0]]), xp([0.0, 0.0]), xp([0.0, -25.0]))
    h = sample_hidden(theta, xp([[1, 0], [0, 0]]), rng=ReplayStream([0.4, 0.4, 0.6, 0.4]))
    np.testing.assert_array_equal(to_numpy(h), [[1, 1], [0, 0]])


def test_data_statistics_average_over_rows(xp):
    p = parameters(3, 2)
    v = np.array([[1, 0, 1], [1, 1, 0], [1, 1, 0], [0, 0, 0]])
    h = [
        [1 / (1 + math.exp(-p[2][j] - sum(row[i] * p[0][i, j] for i in range(3)))) for j in range(2)]
        for row in v
    ]
    for weights in (None, [0.5, 0.25, 0.0, 0.25]):
        ours = data_statistics(RBM(*map(xp, p)), xp(v), weights=None if weights is None else xp(weights))
        w = weights or [0.25] * 4
        outer = [[sum(w[t] * v[t][i] * h[t][j] for t in range(4)) for j in range(2)] for i in range(3)]
        np.testing.assert_allclose(to_numpy(ours.W), outer, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(to_numpy(ours.b), np.array(w) @ v, rtol=1e-12)
        np.testing.assert_allclose(to_numpy(ours.c), np.array(w) @ np.array(h), rtol=1e-12)


def test_a_duplicate_row_is_a_row_of_double_weight(xp):
    theta = RBM(*map(xp, parameters(3, 2)))
    twice = data_statistics(theta, xp([[1, 0, 1], [1, 0, 1], [0, 1, 1]]))
    once = data_statistics(theta, xp([[1, 0, 1], [0, 1, 1]]), weights=xp([2 / 3, 1 / 3]))
    for a, b in zip(twice, once, strict=True):
        np.testing.assert_allclose(to_numpy(a), to_numpy(b), rtol=1e-13)


def test_saturated_machines_stay_finite_and_keep_small_probabilities(xp):
    """Couplings of +-800: exponentials of the inputs overflow, the conditionals and free energies do not."""
    W, b, c = np.array([[800.0, -800.0], [-800.0, 800.0], [40.0, 0.0]]), [0.5, -0.5, 0.0], [-20.0, 1.0]
    theta, v = RBM(xp(W), xp(b), xp(c)), states(3)
    with mpmath.workdps(60):
        inputs = [[mpmath.mpf(c[j]) + sum(row[i] * W[i, j] for i in range(3)) for j in range(2)] for row in v]
        f = [
            float(-sum(row[i] * b[i] for i in range(3)) - sum(mpmath.log(1 + mpmath.exp(x)) for x in xs))
            for row, xs in zip(v, inputs, strict=True)
        ]
        means = [[float(1 / (1 + mpmath.exp(-x))) for x in xs] for xs in inputs]
    np.testing.assert_allclose(to_numpy(free_energy(theta, xp(v))), f, rtol=1e-14)
    np.testing.assert_allclose(to_numpy(mean_hidden(theta, xp(v))), means, rtol=1e-13, atol=1e-300)


def test_float32_stays_float32(xp):
    p = parameters(4, 3)
    theta = RBM(*(xp(x, "float32") for x in p))
    v, h = xp(states(4), "float32"), xp(states(3), "float32")
    for ours, exact in (
        (free_energy(theta, v), free_energy(RBM(*p), np.array(states(4), dtype=float))),
        (mean_visible(theta, h), mean_visible(RBM(*p), np.array(states(3), dtype=float))),
    ):
        assert "float32" in str(ours.dtype)
        np.testing.assert_allclose(to_numpy(ours), exact, rtol=2e-6)
    assert "float32" in str(sample_hidden(theta, v, rng=1).dtype)
    assert all("float32" in str(x.dtype) for x in data_statistics(theta, v))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": [0.0, 0.0]}, r"theta\.b must have shape \(3\), got \(2,\)"),
        ({"c": [0.0, 0.0, 0.0]}, r"theta\.c must have shape \(2\), got \(3,\)"),
        ({"W": np.zeros((0, 2))}, r"theta\.W must have shape \(V >= 1, H >= 1\), got \(0, 2\)"),
        ({"b": [0.0, math.nan, 0.0]}, r"theta\.b must hold finite numbers, got nan at index \[1\]"),
        (
            {"W": [[1.0, 2.0], [3.0, math.inf], [0.0, 0.0]]},
            r"theta\.W must hold finite .* inf at index \[1, 1\]",
        ),
    ],
)
def test_bad_parameters_are_named(xp, change, message):
    good = {"W": np.zeros((3, 2)), "b": np.zeros(3), "c": np.zeros(2)}
    with pytest.raises(ValueError, match=message):
        log_partition(RBM(**{name: xp(value) for name, value in (good | change).items()}))


def test_mixed_dtypes_are_refused(xp):
    with pytest.raises(
        ValueError, match=r"theta\.c must have the dtype of the parameters, .*float64, got .*float32"
    ):
        log_partition(RBM(xp(np.zeros((3, 2))), xp(np.zeros(3)), xp(np.zeros(2), "float32")))
    theta = RBM(xp(np.zeros((3, 2))), xp(np.zeros(3)), xp(np.zeros(2)))
    with pytest.raises(ValueError, match=r"v must have the dtype of the parameters"):
        free_energy(theta, xp(np.zeros((1, 3)), "float32"))


@pytest.mark.parametrize(
    ("v", "message"),
    [
        ([[1.0, 0.0]], r"v must have shape \(n >= 1, 3\), got \(1, 2\)"),
        (np.zeros((0, 3)), r"v must have shape \(n >= 1, 3\), got \(0, 3\)"),
        ([1.0, 0.0, 1.0], r"v must have shape \(n >= 1, 3\), got \(3,\)"),
        ([[1.0, 0.5, 0.0]], r"v must hold zeros and ones only .* got 0\.5 at index \[0, 1\]"),
        ([[1.0, math.nan, 0.0]], r"v must hold zeros and ones only"),
    ],
)
def test_bad_rows_are_named(xp, v, message):
    theta = RBM(xp(np.zeros((3, 2))), xp(np.zeros(3)), xp(np.zeros(2)))
    with pytest.raises(ValueError, match=message):
        free_energy(theta, xp(v))


def test_rows_of_the_two_layers_must_pair_up(xp):
    theta = RBM(xp(np.zeros((3, 2))), xp(np.zeros(3)), xp(np.zeros(2)))
    with pytest.raises(ValueError, match=r"h must have shape \(2, 2\), got \(1, 2\)"):
        energy(theta, xp(np.zeros((2, 3))), xp(np.zeros((1, 2))))
    with pytest.raises(ValueError, match=r"h must hold finite numbers"):
        mean_visible(theta, xp([[math.inf, 0.0]]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.6], r"weights must sum to one"),
        ([1.5, -0.5], r"weights must hold probabilities.*-0\.5"),
        ([1.0], r"weights must have shape \(2\), got \(1,\)"),
    ],
)
def test_weights_must_be_a_law_over_the_rows(xp, weights, message):
    theta = RBM(xp(np.zeros((3, 2))), xp(np.zeros(3)), xp(np.zeros(2)))
    with pytest.raises(ValueError, match=message):
        data_statistics(theta, xp(np.zeros((2, 3))), weights=xp(weights))
