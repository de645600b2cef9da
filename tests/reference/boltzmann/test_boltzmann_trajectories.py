"""Trajectory laws of an RBM against loops over every trajectory and against differences of the divergence."""

from itertools import product
from math import exp, log

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference.boltzmann.gibbs import gibbs_law
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.boltzmann.trajectories import (
    log_backward,
    log_decoder,
    log_encoder,
    log_forward,
    path_kl,
    path_kl_grad,
)

W = np.array([[0.7, -1.1, 0.4], [-0.6, 0.9, 1.3]])
B, C = np.array([0.3, -0.5]), np.array([-0.2, 0.8, 0.1])
LAW = np.array([0.5, 0.0, 0.2, 0.3])
PRIOR = np.array([0.1, 0.4, 0.3, 0.2])


def bits(number, units):
    return [number >> (units - 1 - i) & 1 for i in range(units)]


def log_bernoulli(state, inputs):
    return sum(log(1 / (1 + exp(-u if s else u))) for s, u in zip(state, inputs, strict=True))


def log_up(x, z, w=W, c=C):
    return log_bernoulli(z, [c[j] + sum(w[i][j] * x[i] for i in range(2)) for j in range(3)])


def log_down(z, x, w=W, b=B):
    return log_bernoulli(x, [b[i] + sum(w[i][j] * z[j] for j in range(3)) for i in range(2)])


def looped_kl(w, b, c, law, prior, k):
    """KL(q || p) term by term, in plain Python."""
    total = 0.0
    for tau in product(*([range(4), range(8)] * k), range(4)):
        if law[tau[0]] == 0:
            continue
        states = [bits(s, 3 if i % 2 else 2) for i, s in enumerate(tau)]
        q, p = log(law[tau[0]]), log(prior[tau[-1]])
        for i in range(k):
            x, z, y = states[2 * i : 2 * i + 3]
            q += log_up(x, z, w, c) + log_down(z, y, w, b)
            p += log_up(y, z, w, c) + log_down(z, x, w, b)
        total += exp(q) * (q - p)
    return total


@pytest.fixture
def theta(arr):
    return RBM(arr(W), arr(B), arr(C))


def test_the_forward_law_is_a_product_over_half_steps(theta):
    table = to_numpy(log_forward(theta, k=2))
    assert table.shape == (4, 8, 4, 8, 4)
    for x0, z0, x1, z1, x2 in [(0, 0, 0, 0, 0), (1, 5, 2, 7, 3), (3, 2, 0, 4, 1)]:
        x, z = [bits(s, 2) for s in (x0, x1, x2)], [bits(s, 3) for s in (z0, z1)]
        wanted = log_up(x[0], z[0]) + log_down(z[0], x[1]) + log_up(x[1], z[1]) + log_down(z[1], x[2])
        assert table[x0, z0, x1, z1, x2] == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(np.exp(table).sum(axis=(1, 2, 3, 4)), 1, rtol=1e-12)


def test_the_backward_law_runs_from_the_end(theta):
    table = to_numpy(log_backward(theta, k=1))
    assert table[1, 6, 2] == pytest.approx(
        log_up(bits(2, 2), bits(6, 3)) + log_down(bits(6, 3), bits(1, 2)), rel=1e-12
    )
    np.testing.assert_allclose(np.exp(table).sum(axis=(0, 1)), 1, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 2])
def test_encoder_and_decoder_have_the_laws_they_start_from(theta, arr, k):
    q = np.exp(to_numpy(log_encoder(theta, arr(LAW), k=k)))
    p = np.exp(to_numpy(log_decoder(theta, arr(PRIOR), k=k)))
    np.testing.assert_allclose(q.sum(axis=tuple(range(1, 2 * k + 1))), LAW, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(p.sum(axis=tuple(range(2 * k))), PRIOR, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 2])
def test_the_divergence_is_the_sum_over_trajectories(theta, arr, k):
    wanted = looped_kl(W, B, C, LAW, PRIOR, k)
    assert float(path_kl(theta, arr(LAW), arr(PRIOR), k=k)) == pytest.approx(wanted, rel=1e-11)


def test_the_gradient_is_the_difference_quotient_for_a_fixed_prior(theta, arr):
    parts = path_kl_grad(theta, arr(LAW), arr(PRIOR), k=1)
    total = [to_numpy(s) + to_numpy(r) for s, r in zip(parts.score, parts.ratio, strict=True)]
    step = 1e-5
    for which, values in enumerate((W, B, C)):
        for at in np.ndindex(values.shape):
            ends = []
            for sign in (1, -1):
                moved = [W.copy(), B.copy(), C.copy()]
                moved[which][at] += sign * step
                ends.append(looped_kl(*moved, LAW, PRIOR, 1))
            assert total[which][at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-9)


def test_the_gradient_is_the_difference_quotient_for_the_aggregated_prior():
    """[BP] eq. 32-35: the prior q(x_k) moves with the parameters, and its own gradient cancels."""
    theta, step = RBM(W, B, C), 1e-5
    parts = path_kl_grad(theta, LAW, gibbs_law(theta, LAW, steps=2), k=2)
    for which, at in [(0, (0, 1)), (0, (1, 2)), (1, (1,)), (2, (0,))]:
        ends = []
        for sign in (1, -1):
            moved = [W.copy(), B.copy(), C.copy()]
            moved[which][at] += sign * step
            ends.append(float(path_kl(RBM(*moved), LAW, gibbs_law(RBM(*moved), LAW, steps=2), k=2)))
        assert parts.score[which][at] + parts.ratio[which][at] == pytest.approx(
            (ends[0] - ends[1]) / (2 * step), abs=1e-9
        )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: log_forward(t, k=0), "k must be an integer of at least 1"),
        (lambda t: log_forward(t, k=9), "the set of trajectories has"),
        (lambda t: log_encoder(t, np.ones(4), k=1), "law must"),
        (lambda t: log_decoder(t, np.ones(3) / 3, k=1), "prior must have shape"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(RBM(W, B, C))
