"""Factorised sums over all hidden states against loops in logarithms, within and beyond a double's range."""

from math import exp, fsum, inf, log, log1p

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.directed.layers import Sigmoid, Table, mean_below
from exactgen.reference.directed.mixtures import (
    columns,
    half_posteriors,
    likelihoods,
    likelihoods_of_table,
    log_mixture,
    mean_ratio,
    mixture_grad,
)
from exactgen.reference.directed.products import logit_grad

RNG = np.random.default_rng(11)
V, H = 7, 3
X = (RNG.random((6, V)) < 0.5).astype(float)
X[5] = X[0]
W, B = RNG.normal(size=(V, H)), RNG.normal(size=V)
WEIGHTS = np.array([0.3, 0.0, 0.1, 0.25, 0.2, 0.15])
SIGNS = np.sign(RNG.normal(size=(V, H)))


def bits(number, units):
    return [number >> (units - 1 - i) & 1 for i in range(units)]


def softplus(u):
    return max(u, 0.0) + log1p(exp(-abs(u)))


def brute_log_p(x, w, b):
    """log P(x | h) of all pairs, in plain Python."""
    table = []
    for row in x:
        line = []
        for s in range(2 ** w.shape[1]):
            h = bits(s, w.shape[1])
            u = [b[i] + sum(w[i, j] * h[j] for j in range(len(h))) for i in range(len(b))]
            line.append(fsum(-softplus(-a) if t else -softplus(a) for a, t in zip(u, row, strict=True)))
        table.append(line)
    return np.array(table)


def log_sum(values):
    top = max(values)
    return -inf if top == -inf else top + log(fsum(exp(v - top) for v in values))


def brute_mixture(log_p, q):
    return np.array([log_sum([v + log(m) for v, m in zip(line, q, strict=True) if m > 0]) for line in log_p])


def cases():
    law = RNG.dirichlet(np.ones(8))
    sparse = np.array([0, 0.5, 0, 0, 0, 0.5, 0, 0])
    yield pytest.param(W, B, law, id="mild")
    yield pytest.param(W, B, sparse, id="sparse law")
    # Logits of hundreds: exponentials of the halves leave the range of a double, the likelihoods do not.
    yield pytest.param(200 * SIGNS, 50 * B, law, id="saturated")
    yield pytest.param(400 * SIGNS, 50 * B, sparse, id="saturated, sparse law")
    yield pytest.param(
        200 * SIGNS, 50 * B, np.exp(-80.0 * np.arange(8)) / np.exp(-80.0 * np.arange(8)).sum(), id="steep"
    )


@pytest.mark.parametrize(("w", "b", "law"), [*cases()])
def test_sums_over_states_are_those_of_loops(w, b, law, arr):
    p = likelihoods(Sigmoid(arr(w), arr(b)), arr(X))
    log_p = brute_log_p(X, w, b)
    scale = np.abs(w).max() * 30
    np.testing.assert_allclose(
        to_numpy(columns(p, arr([6, 0, 3], dtype="int64"))), log_p[:, [6, 0, 3]], rtol=0, atol=1e-14 * scale
    )
    expected = brute_mixture(log_p, law)
    found = to_numpy(log_mixture(p, arr(law)))
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14 * scale)

    ratio = to_numpy(mean_ratio(p, arr(expected), arr(WEIGHTS)))
    want = np.array(
        [
            fsum(
                w * exp(min(line[s] - e, 650))
                for w, line, e in zip(WEIGHTS, log_p, expected, strict=True)
                if w > 0
            )
            for s in range(8)
        ]
    )
    finite = want < 1e280
    np.testing.assert_allclose(ratio[finite], want[finite], rtol=1e-13 * scale, atol=1e-13)
    assert (ratio[~finite] > 1e270).all()

    log_law = np.array([log(m) if m > 0 else -inf for m in law])
    posterior = np.exp(log_p + log_law - expected[:, None])
    first, second = half_posteriors(p, arr(law))
    np.testing.assert_allclose(
        to_numpy(first), posterior.reshape(6, 4, 2).sum(axis=2), rtol=0, atol=1e-13 * scale
    )
    np.testing.assert_allclose(
        to_numpy(second), posterior.reshape(6, 4, 2).sum(axis=1), rtol=0, atol=1e-13 * scale
    )


def test_tables_with_zeros(arr):
    log_a = np.log(np.array([[0.5, 0.2, 0.3], [0.5, 0.8, 0.0], [0.0, 0.0, 0.7]]) + 1e-320)
    log_a[log_a < -700] = -inf
    p = likelihoods_of_table(arr(log_a))
    np.testing.assert_allclose(
        to_numpy(log_mixture(p, arr([0.0, 0.5, 0.5]))), np.log([0.25, 0.4, 0.35]), rtol=1e-14
    )
    found = to_numpy(log_mixture(p, arr([1.0, 0.0, 0.0])))
    np.testing.assert_allclose(found, [log(0.5), log(0.5), -inf])
    # The impossible row has weight zero: it does not count.
    g = mean_ratio(p, arr(found), arr([0.25, 0.75, 0.0]))
    np.testing.assert_allclose(to_numpy(g), [1, 0.25 * 0.4 + 0.75 * 1.6, 0.25 * 0.6], rtol=1e-14)


def test_tiny_masses_are_not_lost(arr):
    """Likelihoods of one row far below another state's, and mass only where it is low."""
    log_a = np.array([[0.0, -900.0, -950.0], [-1.0, -2.0, -3.0]])
    p = likelihoods_of_table(arr(log_a))
    found = to_numpy(log_mixture(p, arr([0.0, 0.25, 0.75])))
    np.testing.assert_allclose(found[0], -900 + log(0.25 + 0.75 * exp(-50)), rtol=1e-15)
    g = to_numpy(mean_ratio(p, arr(found), arr([0.5, 0.5])))
    np.testing.assert_allclose(
        g[1:], [0.5 / 0.25 + 0.5 * exp(-2 - found[1]), 0.5 * exp(-3 - found[1])], rtol=1e-12
    )
    assert g[0] > 1e290  # its true value, e^900, is beyond a double


def test_single_precision(arr):
    w, b = arr(40 * SIGNS, dtype="float32"), arr(B, dtype="float32")
    law = RNG.dirichlet(np.ones(8))
    p = likelihoods(Sigmoid(w, b), arr(X, dtype="float32"))
    expected = brute_mixture(brute_log_p(X, 40 * SIGNS, B), law)
    found = log_mixture(p, arr(law, dtype="float32"))
    # Each of three units has an input that two weights of 40 may cancel in: eight roundings of 40 at most.
    np.testing.assert_allclose(to_numpy(found), expected, rtol=3e-6, atol=8 * 40 * 2**-24)
    assert "float32" in str(found.dtype)
    # Beyond a float's range too: mass on one state alone makes others astronomically better for some data.
    alone = arr(np.eye(8)[5], dtype="float32")
    g = to_numpy(mean_ratio(p, log_mixture(p, alone), arr(np.full(6, 1 / 6), dtype="float32")))
    assert g[5] == pytest.approx(1, rel=1e-5)
    assert g.max() > 1e25
    assert np.isfinite(g).all()


@pytest.mark.parametrize("kind", ["sigmoid", "table"])
def test_gradients_of_the_mixture_are_difference_quotients(kind, arr):
    law, step = RNG.dirichlet(np.ones(8)), 1e-6
    if kind == "sigmoid":
        x, parts, make = X, [W, B], lambda parts: Sigmoid(*map(arr, parts))
        rows = arr(x)
    else:
        parts, make = [RNG.normal(size=(5, 8))], lambda parts: Table(*map(arr, parts))
        rows = arr([4, 0, 0, 2, 1, 4], dtype="int64")

    def value(parts, q):
        return to_numpy(log_mixture(likelihoods(make(parts), rows), arr(q))) @ WEIGHTS

    grad, g = mixture_grad(make(parts), rows, arr(law), weights=arr(WEIGHTS))
    for k, part in enumerate(parts):
        for at in np.ndindex(*part.shape):
            ends = []
            for sign in (1, -1):
                moved = [m.copy() for m in parts]
                moved[k][at] += sign * step
                ends.append(value(moved, law))
            assert to_numpy(grad[k])[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)
    for s in range(8):
        moved = np.eye(8)[s] * step
        slope = (value(parts, law + moved) - value(parts, law - moved)) / (2 * step)
        assert to_numpy(g)[s] == pytest.approx(slope, rel=1e-6)


def test_gradient_by_logits_of_independent_bits(arr):
    logits, f, step = RNG.normal(size=(2, 3)), RNG.normal(size=8), 1e-5

    def value(row):
        p = 1 / (1 + np.exp(-row))
        return sum(
            f[s] * np.prod([p[j] if b else 1 - p[j] for j, b in enumerate(bits(s, 3))]) for s in range(8)
        )

    grad = to_numpy(logit_grad(arr(logits), arr(f)))
    for n, j in np.ndindex(2, 3):
        e = step * np.eye(3)[j]
        assert grad[n, j] == pytest.approx(
            (value(logits[n] + e) - value(logits[n] - e)) / (2 * step), abs=1e-9
        )
    # The mean itself, by the layer that has these logits whatever is above it.
    layer = Sigmoid(arr(np.zeros((3, 1))), arr(logits[0]))
    np.testing.assert_allclose(to_numpy(mean_below(layer, arr(f))), [value(logits[0])] * 2, rtol=1e-13)


def test_weights_and_values_are_checked(arr):
    layer, law = Sigmoid(arr(W), arr(B)), arr(np.full(8, 1 / 8))
    with pytest.raises(ValueError, match="weights must hold probabilities, none negative"):
        mixture_grad(layer, arr(X), law, weights=arr([0.5, 0.6, -0.1, 0, 0, 0]))
    with pytest.raises(ValueError, match=r"weights must have shape \(6\)"):
        mixture_grad(layer, arr(X), law, weights=arr([0.5, 0.5]))
    with pytest.raises(ValueError, match="states"):
        likelihoods(Sigmoid(arr(np.zeros((2, 40))), arr(np.zeros(2))), arr(np.zeros((1, 2))))
    for wrong in (0.5, np.nan):
        with pytest.raises(ValueError, match="log_p must hold logarithms of probabilities"):
            likelihoods_of_table(arr([[-0.5, wrong]]))
