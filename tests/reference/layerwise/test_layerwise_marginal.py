"""The best latent marginal and its certificate, against scipy's optimisers, closed forms and loops."""

from functools import cache
from itertools import combinations
from math import log

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.directed.layers import Sigmoid, Table
from exactgen.reference.directed.mixtures import likelihoods, likelihoods_of_table
from exactgen.reference.layerwise.incorporation import (
    certify,
    expectation_maximisation,
    incorporate,
    inferred,
    log_likelihood,
)
from exactgen.reference.layerwise.marginal import (
    best_marginal,
    best_optimistic_layer,
    face_marginal,
    in_model_bound,
    upper_bound_grad,
)
from exactgen.reference.optimizers import adam
from scipy.optimize import minimize

RNG = np.random.default_rng(21)


def conditional(x, h, rng=RNG, sharpness=1.0):
    return rng.dirichlet(np.full(x, sharpness), size=h).T


# Conditional tables P(x | h) (a column for each h), and laws of the data.
FLAT = (conditional(6, 4), RNG.dirichlet(np.ones(6)))
WIDE = (conditional(4, 9), RNG.dirichlet(np.ones(4)))  # more states than data: many have no mass
SHARP = (conditional(7, 5, sharpness=0.2), RNG.dirichlet(np.full(7, 0.3)))
DOUBLED = (np.concatenate([FLAT[0], FLAT[0][:, 1:3]], axis=1), FLAT[1])
CORNER = (np.array([[0.8, 0.6], [0.2, 0.4]]), np.array([0.9, 0.1]))  # all mass on the first state
UNSEEN = (conditional(5, 4), np.array([0.5, 0.0, 0.3, 0.0, 0.2]))
IDENTITY = (np.eye(4), np.array([0.1, 0.2, 0.3, 0.4]))
CASES = {
    "flat": FLAT,
    "wide": WIDE,
    "sharp": SHARP,
    "doubled": DOUBLED,
    "corner": CORNER,
    "unseen": UNSEEN,
    "identity": IDENTITY,
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def table(A, arr):
    return likelihoods_of_table(arr(np.log(np.where(A > 0, A, 1)) + np.where(A > 0, 0, -np.inf)))


def plain(A, w, Q):
    """E log sum_h P(x | h) Q(h) in plain Python."""
    return sum(w[x] * log(sum(A[x, h] * Q[h] for h in range(len(Q)))) for x in range(len(w)) if w[x] > 0)


def optimum(A, w):
    """The same maximised by SLSQP over the simplex, from several starts."""
    return _optimum(A.shape, A.tobytes(), w.tobytes())


@cache
def _optimum(shape, A, w):
    A, w = np.frombuffer(A).reshape(shape), np.frombuffer(w)
    seen, best = w > 0, -np.inf
    for start in [
        np.full(A.shape[1], 1 / A.shape[1]),
        *np.random.default_rng(3).dirichlet(np.ones(A.shape[1]), 6),
    ]:
        found = minimize(
            lambda Q: -(w[seen] @ np.log(np.maximum(A[seen] @ Q, 1e-300))),
            start,
            jac=lambda Q: -((w[seen] / np.maximum(A[seen] @ Q, 1e-300)) @ A[seen]),
            bounds=[(0, 1)] * A.shape[1],
            constraints={"type": "eq", "fun": lambda Q: Q.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        Q = np.maximum(found.x, 0)
        best = max(best, plain(A, w, Q / Q.sum()))
    return best


def test_incorporation_is_that_of_loops(case, arr):
    A, w = case
    Q = np.random.default_rng(4).dirichlet(np.ones(A.shape[1]))
    posterior = np.array([[A[x, h] * Q[h] / (A[x] @ Q) for h in range(len(Q))] for x in range(len(w))])
    p = table(A, arr)
    np.testing.assert_allclose(to_numpy(inferred(p, arr(Q))), posterior, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        to_numpy(incorporate(p, arr(Q), weights=arr(w))), w @ posterior, rtol=1e-12, atol=1e-15
    )
    assert float(log_likelihood(p, arr(Q), weights=arr(w))) == pytest.approx(plain(A, w, Q), rel=1e-13)


def test_incorporation_of_a_worked_example(arr):
    """By hand: P(x) is (0.74, 0.26), so Q+(1) = 0.6 * 0.72 / 0.74 + 0.4 * 0.18 / 0.26."""
    p = table(np.array([[0.8, 0.2], [0.2, 0.8]]), arr)
    found = to_numpy(incorporate(p, arr([0.9, 0.1]), weights=arr([0.6, 0.4])))
    np.testing.assert_allclose(
        found, [0.6 * 0.72 / 0.74 + 0.4 * 0.18 / 0.26, 0.6 * 0.02 / 0.74 + 0.4 * 0.08 / 0.26]
    )


def test_best_marginal_is_that_of_another_optimiser(case, arr):
    A, w = case
    best = best_marginal(table(A, arr), weights=arr(w), tolerance=1e-11)
    Q = to_numpy(best.Q)
    assert best.gap <= 1e-11
    assert (Q >= 0).all()
    assert Q.sum() == pytest.approx(1, abs=1e-12)
    assert float(best.log_likelihood) == pytest.approx(plain(A, w, Q), abs=1e-12)
    assert float(best.log_likelihood) == pytest.approx(optimum(A, w), abs=1e-8)
    assert float(best.log_likelihood) >= optimum(A, w) - 1e-11


def test_newton_alone_reaches_the_same(case, arr, monkeypatch):
    """Without EM before it, from the uniform law: other paths, one optimum."""
    monkeypatch.setattr("exactgen.reference.layerwise.marginal._EM_STEPS", 0)
    A, w = case
    best = best_marginal(table(A, arr), weights=arr(w), tolerance=1e-11)
    assert best.gap <= 1e-11
    assert float(best.log_likelihood) == pytest.approx(optimum(A, w), abs=1e-8)


def test_a_start_decides_on_time_alone(case, arr):
    """From near the optimum, from a corner that a few steps of EM cannot leave, and from another optimum."""
    A, w = case
    p, S = table(A, arr), A.shape[1]
    best = best_marginal(p, weights=arr(w), tolerance=1e-11)
    corner = np.full(S, 1e-12)
    corner[-1] = 1 - 1e-12 * (S - 1)
    for start in (best.Q, arr(corner), arr(np.random.default_rng(8).dirichlet(np.ones(S)))):
        found = best_marginal(p, weights=arr(w), tolerance=1e-11, start=start)
        assert found.gap <= 1e-11
        assert float(found.log_likelihood) == pytest.approx(float(best.log_likelihood), abs=1e-11)
        assert plain(A, w, to_numpy(found.Q)) == pytest.approx(optimum(A, w), abs=1e-8)
    assert best_marginal(p, weights=arr(w), tolerance=1e-10, start=best.Q).steps == 0


def test_certificate_bounds_the_distance_of_any_law(case, arr):
    A, w = case
    p, U = table(A, arr), optimum(A, w)
    for Q in np.random.default_rng(5).dirichlet(np.ones(A.shape[1]), 20):
        found = certify(p, arr(Q), weights=arr(w))
        assert float(found.log_likelihood) <= U + 1e-12 <= float(found.log_likelihood) + found.gap + 2e-12


def test_em_ascends_by_the_divergence_of_its_step(case, arr):
    """[AO] proposition 7: L never falls; it rises by KL(Q+ || Q) at least."""
    A, w = case
    p, Q = table(A, arr), np.random.default_rng(6).dirichlet(np.ones(A.shape[1]))
    for _ in range(5):
        new = to_numpy(incorporate(p, arr(Q), weights=arr(w)))
        divergence = sum(a * log(a / b) for a, b in zip(new, Q, strict=True) if a > 0)
        assert plain(A, w, new) - plain(A, w, Q) >= divergence - 1e-13
        Q = new


def test_em_meets_the_certificate(arr):
    for A, w in (FLAT, CORNER, IDENTITY):
        uniform = np.full(A.shape[1], 1 / A.shape[1])
        found = expectation_maximisation(
            table(A, arr), arr(uniform), weights=arr(w), tolerance=1e-4, most_steps=2000
        )
        assert found.gap <= 1e-4
        assert abs(float(found.log_likelihood) - optimum(A, w)) <= 1e-4


def test_em_never_leaves_a_face(arr):
    """A sparse start converges to the optimum of its face, a fixed point that is no best marginal."""
    A = np.array([[0.7, 0.1, 0.3], [0.2, 0.2, 0.6], [0.1, 0.7, 0.1]])
    w, start = np.array([0.2, 0.5, 0.3]), np.array([0.5, 0.5, 0.0])
    p = table(A, arr)
    found = expectation_maximisation(p, arr(start), weights=arr(w), tolerance=1e-9, most_steps=500)
    Q = to_numpy(found.Q)
    assert Q[2] == 0
    np.testing.assert_allclose(to_numpy(incorporate(p, found.Q, weights=arr(w))), Q, atol=1e-12)
    assert float(found.log_likelihood) == pytest.approx(optimum(A[:, :2], w), abs=1e-9)
    assert found.gap > 0.05
    assert (
        float(best_marginal(p, weights=arr(w), tolerance=1e-9).log_likelihood)
        > float(found.log_likelihood) + 0.01
    )


def test_every_face_has_a_fixed_point(arr):
    """[AO] proposition 7 calls all fixed points maxima: those of faces without the best marginal are not."""
    rng = np.random.default_rng(12)
    A, w = conditional(5, 3, rng), rng.dirichlet(np.ones(5))
    p, U, worse = table(A, arr), optimum(A, w), 0
    for size in (1, 2, 3):
        for face in combinations(range(3), size):
            found = face_marginal(p, face, weights=arr(w), tolerance=1e-12)
            Q, value = to_numpy(found.Q), float(found.log_likelihood)
            assert Q[[h for h in range(3) if h not in face]].sum() == 0
            np.testing.assert_allclose(to_numpy(incorporate(p, found.Q, weights=arr(w))), Q, atol=1e-6)
            assert value == pytest.approx(optimum(A[:, list(face)], w), abs=1e-9)
            assert (found.gap <= 1e-9) == (abs(value - U) <= 1e-9)
            worse += value < U - 1e-3
    assert worse >= 3


def test_identity_hands_the_problem_upwards(arr):
    """[AO] 2.1: with the identity below, the best marginal is P_D and the bound minus its entropy."""
    A, w = IDENTITY
    best = best_marginal(table(A, arr), weights=arr(w), tolerance=1e-12)
    np.testing.assert_allclose(to_numpy(best.Q), w, atol=1e-9)
    assert float(best.log_likelihood) == pytest.approx(-1.2798542258336676, abs=1e-12)


def test_doubled_columns_share_their_mass(arr):
    A, w = DOUBLED
    one = best_marginal(table(FLAT[0], arr), weights=arr(w), tolerance=1e-12)
    two = best_marginal(table(A, arr), weights=arr(w), tolerance=1e-12)
    assert float(two.log_likelihood) == pytest.approx(float(one.log_likelihood), abs=1e-12)
    # The marginal of x is unique even where that of h is not.
    np.testing.assert_allclose(A @ to_numpy(two.Q), FLAT[0] @ to_numpy(one.Q), atol=1e-6)


def test_factorised_and_tabulated_layers_have_one_bound(arr):
    W, b = 2 * RNG.normal(size=(6, 4)), RNG.normal(size=6)
    x, w = (RNG.random((9, 6)) < 0.5).astype(float), RNG.dirichlet(np.ones(9))
    h = np.array([[s >> (3 - j) & 1 for j in range(4)] for s in range(16)])
    on = 1 / (1 + np.exp(-(h @ W.T + b)))
    A = np.prod(np.where(x[:, None, :] == 1, on, 1 - on), axis=2)
    best = best_marginal(likelihoods(Sigmoid(arr(W), arr(b)), arr(x)), weights=arr(w), tolerance=1e-10)
    assert best.gap <= 1e-10
    assert float(best.log_likelihood) == pytest.approx(plain(A, w, to_numpy(best.Q)), abs=1e-11)
    assert float(best.log_likelihood) == pytest.approx(optimum(A, w), abs=1e-7)


def awkward(seed):
    """A table with few or many states, zeros, doubled columns, entries down to e^-300, data of no weight."""
    rng = np.random.default_rng(seed)
    n, S = rng.integers(1, 12), rng.integers(1, 20)
    A = rng.dirichlet(np.full(n, 10 ** rng.uniform(-1.5, 0.5)), S).T
    A = A[:, rng.integers(0, S, S + 3)] if seed % 3 == 0 else A
    A = np.where(rng.random(A.shape) < 0.2, 0, A) if seed % 4 == 0 else A
    A = np.exp(rng.uniform(-300, 0, A.shape)) if seed % 5 == 0 else A
    w = rng.dirichlet(np.full(n, 10 ** rng.uniform(-1, 1)))
    w = np.where((A.sum(axis=1) > 0) & ((seed % 2 == 0) | (rng.random(n) < 0.7)), w, 0)
    return A, w / w.sum() if w.sum() else w


@pytest.mark.parametrize("em_steps", [0, 32])
def test_awkward_tables_are_certified(em_steps, arr, monkeypatch):
    monkeypatch.setattr("exactgen.reference.layerwise.marginal._EM_STEPS", em_steps)
    solved = 0
    for A, w in map(awkward, range(24)):
        if w.sum() == 0:
            continue
        best = best_marginal(table(A, arr), weights=arr(w), tolerance=1e-9)
        # The certificate once more, from its definition.
        p, seen = A @ to_numpy(best.Q), w > 0
        assert ((w[seen] / p[seen]) @ A[seen]).max() <= 1 + 2e-9
        solved += 1
    assert solved >= 20


def test_many_states_and_data(arr):
    """More states with g > 1 than enter at once, and a tolerance near rounding."""
    rng = np.random.default_rng(8)
    A = conditional(60, 400, rng, sharpness=0.1)
    w = rng.dirichlet(np.ones(60))
    best = best_marginal(table(A, arr), weights=arr(w), tolerance=1e-10)
    assert best.gap <= 1e-10
    Q = to_numpy(best.Q)
    g = (w / (A @ Q)) @ A
    assert g.max() - 1 <= 2e-10
    np.testing.assert_allclose(g[Q > 1e-6], 1, atol=1e-3)


def test_single_precision_certifies_what_it_can(arr):
    A, w = FLAT
    p = likelihoods_of_table(arr(np.log(A), dtype="float32"))
    best = best_marginal(p, weights=arr(w, dtype="float32"), tolerance=1e-5)
    assert best.gap <= 1e-5
    assert float(best.log_likelihood) == pytest.approx(optimum(A, w), abs=2e-5)


def test_gap_says_that_steps_ran_out(arr):
    A, w = FLAT
    found = best_marginal(table(A, arr), weights=arr(w), tolerance=1e-13, most_steps=2)
    assert found.steps == 2
    assert found.gap > 1e-13


def test_bounds_of_families(arr):
    """[AO] eq. 16 and 18: the layer with the largest bound, and the best of given top laws."""
    tables = [conditional(5, 3, np.random.default_rng(k)) for k in range(4)]
    w = np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    x = arr([0, 1, 2, 3, 4], dtype="int64")
    layers = [Table(arr(np.log(A))) for A in tables]
    chosen, found = best_optimistic_layer(layers, x, weights=arr(w), tolerance=1e-10)
    values = [optimum(A, w) for A in tables]
    assert chosen == int(np.argmax(values))
    np.testing.assert_allclose([float(f.log_likelihood) for f in found], values, atol=1e-8)

    tops = RNG.dirichlet(np.ones(3), 6)
    bound, at = in_model_bound(table(tables[0], arr), arr(tops), weights=arr(w))
    expected = [plain(tables[0], w, top) for top in tops]
    assert at == int(np.argmax(expected))
    assert float(bound) == pytest.approx(max(expected), rel=1e-13)
    assert float(bound) <= values[0]


def test_gradient_of_the_bound_is_a_difference_quotient(arr):
    """The envelope: U_D moves with the layer as the likelihood does at the best marginal."""
    W, b = RNG.normal(size=(3, 2)), RNG.normal(size=3)
    x, w, step = (RNG.random((5, 3)) < 0.5).astype(float), np.array([0.1, 0.3, 0.2, 0.25, 0.15]), 1e-4

    def bound(W, b):
        p = likelihoods(Sigmoid(arr(W), arr(b)), arr(x))
        return float(best_marginal(p, weights=arr(w), tolerance=1e-13).log_likelihood)

    best, grad = upper_bound_grad(Sigmoid(arr(W), arr(b)), arr(x), weights=arr(w), tolerance=1e-13)
    assert float(best.log_likelihood) == pytest.approx(bound(W, b), abs=1e-12)
    for at in np.ndindex(3, 2):
        e = np.zeros((3, 2))
        e[at] = step
        assert to_numpy(grad.W)[at] == pytest.approx(
            (bound(W + e, b) - bound(W - e, b)) / (2 * step), abs=1e-5
        )
    for i in range(3):
        e = step * np.eye(3)[i]
        assert to_numpy(grad.b)[i] == pytest.approx(
            (bound(W, b + e) - bound(W, b - e)) / (2 * step), abs=1e-5
        )


def test_ascent_trains_the_best_optimistic_layer(arr):
    """Along its gradient U_D rises; with a state of h for each datum, towards minus the entropy of P_D."""
    x, w = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0]], dtype=float), np.array([0.5, 0.3, 0.2])
    layer = Sigmoid(arr(0.1 * np.random.default_rng(2).normal(size=(3, 2))), arr(np.zeros(3)))
    optimizer = adam(0.3, mean_decay=0.9, square_decay=0.99, epsilon=1e-8)
    state, bounds = optimizer.start(layer), []
    for _ in range(60):
        best, grad = upper_bound_grad(layer, arr(x), weights=arr(w), tolerance=1e-4)
        bounds.append(float(best.log_likelihood))
        layer, state = optimizer.ascend(state, layer, grad)
    ceiling = float(w @ np.log(w))
    assert bounds[0] < -1.9
    assert ceiling - 0.05 < bounds[-1] < ceiling


def test_impossible_data_are_named(arr):
    A = np.array([[0.5, 0.9], [0.5, 0.1], [0.0, 0.0]])
    p = table(A, arr)
    Q = arr([0.5, 0.5])
    assert float(log_likelihood(p, Q)) == -np.inf
    for call in (
        lambda: incorporate(p, Q),
        lambda: inferred(p, Q),
        lambda: best_marginal(p, tolerance=1e-6),
        lambda: expectation_maximisation(p, Q, tolerance=1e-6, most_steps=3),
    ):
        with pytest.raises(ValueError, match="row 2 has probability zero"):
            call()
    seen = arr([0.3, 0.7, 0.0])
    assert float(log_likelihood(p, Q, weights=seen)) == pytest.approx(0.3 * log(0.7) + 0.7 * log(0.3))
    assert best_marginal(p, weights=seen, tolerance=1e-9).gap <= 1e-9
    # A sparse start can make possible data impossible.
    B = np.array([[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="row 1 has probability zero"):
        incorporate(table(B, arr), arr([1.0, 0.0]))


def test_laws_are_checked(arr):
    p = table(FLAT[0], arr)
    with pytest.raises(ValueError, match="Q must sum to one"):
        incorporate(p, arr([0.5, 0.5, 0.5, 0.5]))
    with pytest.raises(ValueError, match="Q must hold probabilities, none negative"):
        incorporate(p, arr([0.5, 0.6, -0.1, 0.0]))
    with pytest.raises(ValueError, match=r"Q must have shape \(4\)"):
        incorporate(p, arr([0.5, 0.5]))
    with pytest.raises(ValueError, match="weights must sum to one"):
        best_marginal(p, weights=arr(np.full(6, 0.5)), tolerance=1e-6)
    with pytest.raises(ValueError, match=r"start must have shape \(4\), got \(3,\)"):
        best_marginal(p, tolerance=1e-6, start=arr(np.full(3, 1 / 3)))
    with pytest.raises(ValueError, match="start must sum to one"):
        best_marginal(p, tolerance=1e-6, start=arr(np.full(4, 0.5)))
    with pytest.raises(ValueError, match="tops must sum to one"):
        in_model_bound(p, arr(np.full((2, 4), 0.3)))
