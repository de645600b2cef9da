"""Criteria over q, the sampled bound and the bounds of the loss, against loops and enumerations."""

import tracemalloc
from math import log

import numpy as np
import pytest
from exactgen.backends.arrays import array_namespace, to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference.directed.layers import Sigmoid, Table
from exactgen.reference.directed.mixtures import columns, likelihoods, likelihoods_of_table
from exactgen.reference.directed.products import log_bits
from exactgen.reference.laws import draw
from exactgen.reference.layerwise import criteria
from exactgen.reference.layerwise.criteria import (
    aggregate,
    aggregate_logits,
    criterion_grad,
    drawn_bound,
    loss_bounds,
    sampled_bound,
    sampled_bound_printed,
)
from exactgen.reference.layerwise.incorporation import certify, log_likelihood
from exactgen.reference.layerwise.marginal import best_marginal
from exactgen.reference.optimizers import adam

RNG = np.random.default_rng(31)
W, B = RNG.normal(size=(4, 3)), RNG.normal(size=4)
X = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0], [0, 1, 1, 0.0]])
WEIGHTS = np.array([0.3, 0.15, 0.25, 0.0, 0.3])
STATES = np.array([[s >> (2 - j) & 1 for j in range(3)] for s in range(8)])


def likelihood_table(w, b):
    on = 1 / (1 + np.exp(-(STATES @ w.T + b)))
    return np.prod(np.where(X[:, None, :] == 1, on, 1 - on), axis=2)


def softmax(a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def conditional(logits, form):
    """q(h | x) of every datum and state, by loops over units where they are independent."""
    if form == "table":
        return softmax(logits)
    p = 1 / (1 + np.exp(-logits))
    return np.array([[np.prod([m[j] if h[j] else 1 - m[j] for j in range(3)]) for h in STATES] for m in p])


def plain(w, b, logits, form):
    mixture = likelihood_table(w, b) @ (WEIGHTS @ conditional(logits, form))
    return sum(u * log(m) for u, m in zip(WEIGHTS, mixture, strict=True))


@pytest.fixture(params=["table", "bits"])
def inference(request):
    return request.param, RNG.normal(size=(5, 8 if request.param == "table" else 3))


def test_aggregate_is_the_mean_over_data(inference, arr):
    form, logits = inference
    q = conditional(logits, form)
    expected = [sum(WEIGHTS[n] * q[n, s] for n in range(5)) for s in range(8)]
    found = aggregate_logits(arr(logits), form=form, weights=arr(WEIGHTS))
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-13)
    np.testing.assert_allclose(to_numpy(aggregate(arr(q), weights=arr(WEIGHTS))), expected, rtol=1e-13)
    np.testing.assert_allclose(to_numpy(aggregate(arr(q))), q.mean(axis=0), rtol=1e-13)


def test_criterion_and_its_gradients(inference, arr):
    """[AO] eq. 10 and 34: the value by loops, both gradients by differences of it."""
    form, logits = inference
    step, layer = 1e-5, Sigmoid(arr(W), arr(B))
    q_D = aggregate_logits(arr(logits), form=form, weights=arr(WEIGHTS))
    value = log_likelihood(likelihoods(layer, arr(X)), q_D, weights=arr(WEIGHTS))
    assert float(value) == pytest.approx(plain(W, B, logits, form), rel=1e-13)
    grad, by_logits = criterion_grad(layer, arr(X), arr(logits), form=form, weights=arr(WEIGHTS))
    points = [W, B, logits]
    for k, found in enumerate([grad.W, grad.b, by_logits]):
        for at in np.ndindex(*points[k].shape):
            ends = []
            for sign in (1, -1):
                moved = [m.copy() for m in points]
                moved[k][at] += sign * step
                ends.append(plain(*moved, form))
            assert to_numpy(found)[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-9)


def test_ascent_over_tables_of_q_reaches_the_bound(arr):
    """[AO] proposition 3: maximised over all q(h | x), the criterion is U_D."""
    layer, logits = Sigmoid(arr(W), arr(B)), arr(np.zeros((5, 8)) + 0.01 * RNG.normal(size=(5, 8)))
    p = likelihoods(layer, arr(X))
    best = best_marginal(p, weights=arr(WEIGHTS), tolerance=1e-10)
    optimizer = adam(0.1, mean_decay=0.9, square_decay=0.99, epsilon=1e-8)
    state = optimizer.start((logits,))
    for _ in range(400):
        _, g = criterion_grad(layer, arr(X), logits, form="table", weights=arr(WEIGHTS))
        (logits,), state = optimizer.ascend(state, (logits,), (g,))
    q_D = aggregate_logits(logits, form="table", weights=arr(WEIGHTS))
    reached = float(log_likelihood(p, q_D, weights=arr(WEIGHTS)))
    assert float(best.log_likelihood) - 1e-4 <= reached <= float(best.log_likelihood) + 1e-12


def test_sampled_bound_is_unbiased_inside_the_logarithm(arr):
    """Every outcome of the draws of h: the mean of what stands in the logarithm is the exact mixture."""
    A, w = np.array([[0.7, 0.1], [0.2, 0.3], [0.1, 0.6]]), np.array([0.5, 0.2, 0.3])
    q = np.array([[0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
    p, K = likelihoods_of_table(arr(np.log(A))), 2

    def estimates(*, rng):
        h = draw(arr(q), samples=K, rng=rng)
        xp = array_namespace(h)
        log_p = xp.reshape(columns(p, xp.reshape(h, (-1,))), (3, 3, K))
        inside = xp.sum(xp.exp(log_p) * arr(w)[None, :, None], axis=(1, 2)) / K
        return sampled_bound(log_p, weights=arr(w)), inside

    outcomes = expect(estimates)
    weight = np.exp(to_numpy(outcomes.log_weight))[0]
    bounds, inside = (to_numpy(v) for v in outcomes.values)
    exact = A @ (w @ q)
    np.testing.assert_allclose(weight @ inside, exact, rtol=1e-13)
    np.testing.assert_allclose(bounds, np.log(inside) @ w, rtol=1e-12)
    assert weight @ bounds < w @ np.log(exact)  # Jensen


def test_sampled_bound_as_printed(arr):
    """[AO] eq. 35 by loops; equal to the bound for a deterministic q and K = 1, below it in general."""
    A, w = np.array([[0.7, 0.1], [0.2, 0.3], [0.1, 0.6]]), np.array([0.5, 0.2, 0.3])
    h, q = np.array([[0, 1], [1, 1], [0, 0]]), np.array([[0.9, 0.1], [0.4, 0.6], [0.25, 0.75]])
    log_p = np.log(A[:, h])
    chosen = np.take_along_axis(q, h, axis=1)
    expected = sum(
        w[x] * log(sum(A[x, h[m, k]] * chosen[m, k] * w[m] for m in range(3) for k in range(2)))
        for x in range(3)
    )
    found = sampled_bound_printed(arr(log_p), arr(np.log(chosen)), weights=arr(w))
    assert float(found) == pytest.approx(expected, rel=1e-13)
    one = log_p[:, :, :1]
    found = sampled_bound_printed(arr(one), arr(np.zeros((3, 1))), weights=arr(w))
    q_D = np.array([w[[0, 2]].sum(), w[1]])
    assert float(found) == pytest.approx(w @ np.log(A @ q_D), rel=1e-13)
    assert float(sampled_bound(arr(one), weights=arr(w))) == pytest.approx(float(found), rel=1e-13)


@pytest.mark.parametrize("block", [1, 2 * 5 * 3, 2**22])
def test_drawn_bound_is_that_of_loops_in_blocks_of_any_size(block, arr, monkeypatch):
    """[AO] eq. 35, K = 3: every likelihood by loops; a row, two rows, or all at a time."""
    monkeypatch.setattr(criteria, "_BLOCK", block)
    h = np.random.default_rng(5).integers(0, 2, (5, 3, 3)).astype(float)

    def likelihood(x, code):
        on = 1 / (1 + np.exp(-(W @ code + B)))
        return np.prod(np.where(x == 1, on, 1 - on))

    for weights in (WEIGHTS, None):
        w = np.full(5, 0.2) if weights is None else weights
        inside = [sum(w[m] * likelihood(x, h[m, k]) / 3 for m in range(5) for k in range(3)) for x in X]
        expected = sum(u * log(p) for u, p in zip(w, inside, strict=True))
        given = None if weights is None else arr(weights)
        found = drawn_bound(Sigmoid(arr(W), arr(B)), arr(X), arr(h), weights=given)
        assert float(found) == pytest.approx(expected, rel=1e-13)
        table = np.array([[[log(likelihood(x, code)) for code in codes] for codes in h] for x in X])
        assert float(sampled_bound(arr(table), weights=given)) == pytest.approx(expected, rel=1e-13)


def test_drawn_bound_needs_no_table_of_all_pairs(monkeypatch):
    """600 data of 40 bits, 10 draws each: 29 MB of likelihoods, held in blocks of 2 MB."""
    rng = np.random.default_rng(6)
    layer = Sigmoid(rng.normal(size=(40, 30)), rng.normal(size=40))
    x, h = rng.integers(0, 2, (600, 40)).astype(float), rng.integers(0, 2, (600, 10, 30)).astype(float)
    monkeypatch.setattr(criteria, "_BLOCK", 2**18)
    tracemalloc.start()
    try:
        found = float(drawn_bound(layer, x, h))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    log_p = log_bits(x, h.reshape(-1, 30) @ layer.W.T + layer.b).reshape(600, 600, 10)
    assert found == pytest.approx(float(sampled_bound(log_p)), rel=1e-13)
    assert peak < 20e6


def test_loss_is_within_its_bounds(arr):
    """[AO] theorem 1 on finite families: the optimum by brute force, loss <= eq. 19 <= eq. 20."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        tables = [rng.dirichlet(np.ones(4), 3).T for _ in range(3)]
        tops, w = rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(4))
        best = [
            best_marginal(likelihoods_of_table(arr(np.log(A))), weights=arr(w), tolerance=1e-12)
            for A in tables
        ]
        chosen = max(range(3), key=lambda k: float(best[k].log_likelihood))
        value = [[w @ np.log(A @ top) for top in tops] for A in tables]
        p = likelihoods_of_table(arr(np.log(tables[chosen])))
        for j, top in enumerate(tops):
            bounds = loss_bounds(p, best[chosen], arr(top), weights=arr(w))
            marginal = tables[chosen] @ to_numpy(best[chosen].Q)
            kl_model = sum(a * log(a / b) for a, b in zip(w, tables[chosen] @ top, strict=True))
            kl_best = sum(a * log(a / b) for a, b in zip(w, marginal, strict=True))
            assert float(bounds.likelihood) == pytest.approx(kl_model - kl_best, abs=1e-12)
            loss = np.max(value) - value[chosen][j]
            assert loss <= float(bounds.likelihood) + bounds.gap + 1e-12
            assert float(bounds.likelihood) <= float(bounds.divergence) + 1e-6


def test_loss_bound_needs_the_best_marginal(arr):
    """[AO] 2.1: for another law the divergence can be zero while the loss is not."""
    p, w = likelihoods_of_table(arr(np.log([[0.8, 0.2], [0.2, 0.8]]))), arr([0.5, 0.5])
    other = certify(p, arr([0.9, 0.1]), weights=w)
    bounds = loss_bounds(p, other, arr([0.9, 0.1]), weights=w)
    assert float(bounds.divergence) == 0
    assert float(bounds.likelihood) == 0
    loss = float(best_marginal(p, weights=w, tolerance=1e-12).log_likelihood) - float(other.log_likelihood)
    # P(x) is (0.74, 0.26) under this law and (0.5, 0.5) under the best one.
    assert loss == pytest.approx(log(0.25 / (0.74 * 0.26)) / 2, abs=1e-11)
    assert bounds.gap >= loss


def test_missed_support_makes_the_divergence_infinite(arr):
    A, w = np.eye(3) * 0.9 + 0.05 * (1 - np.eye(3)), arr([0.4, 0.3, 0.3])
    A = A / A.sum(axis=0)
    p = likelihoods_of_table(arr(np.log(A)))
    best = best_marginal(p, weights=w, tolerance=1e-10)
    bounds = loss_bounds(p, best, arr([0.5, 0.5, 0.0]), weights=w)
    assert float(bounds.divergence) == np.inf
    assert 0 < float(bounds.likelihood) < np.inf


def test_bad_inference_is_named(arr):
    layer = Table(arr(np.zeros((2, 3))))
    with pytest.raises(ValueError, match="form must be one of 'table', 'bits'"):
        aggregate_logits(arr(np.zeros((2, 3))), form="mean")
    with pytest.raises(ValueError, match="q must sum to one"):
        aggregate(arr([[0.5, 0.6]]))
    with pytest.raises(ValueError, match=r"logits must have shape"):
        criterion_grad(layer, arr([0, 1], dtype="int64"), arr(np.zeros(3)), form="table")
    with pytest.raises(ValueError, match=r"log_p must have shape \(2, 2, K >= 1\)"):
        sampled_bound(arr(np.zeros((2, 3, 1))))
    with pytest.raises(ValueError, match=r"log_q must have shape \(2, 1\)"):
        sampled_bound_printed(arr(np.zeros((2, 2, 1))), arr(np.zeros((2, 2))))
    sigmoid = Sigmoid(arr(W), arr(B))
    with pytest.raises(ValueError, match=r"h must have shape \(5, K >= 1, 3\), got \(5, 3\)"):
        drawn_bound(sigmoid, arr(X), arr(np.zeros((5, 3))))
    with pytest.raises(ValueError, match="h must hold zeros and ones only"):
        drawn_bound(sigmoid, arr(X), arr(np.full((5, 2, 3), 0.5)))
    with pytest.raises(ValueError, match="x must hold zeros and ones only"):
        drawn_bound(sigmoid, arr(X / 2), arr(np.zeros((5, 1, 3))))
    with pytest.raises(ValueError, match=r"weights must have shape \(5\)"):
        drawn_bound(sigmoid, arr(X), arr(np.zeros((5, 1, 3))), weights=arr([0.5, 0.5]))
