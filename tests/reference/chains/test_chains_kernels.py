"""Markov kernels, against closed forms of small chains and loops in plain Python."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import Array, array_namespace, to_numpy
from exactgen.backends.streams import as_stream
from exactgen.reference.chains.kernels import (
    detailed_balance_residual,
    kernel_matrix,
    law_after,
    random_scan_gibbs_kernel,
    random_scan_gibbs_step,
    second_eigenvalue,
    single_site_kernel,
    stationary_law,
    systematic_scan_gibbs_kernel,
    total_variation,
)
from exactgen.reference.states import binary_states

UP, DOWN = [0.5, 0.1, 0.8, 0.3], [0.2, 0.1, 0.05, 0.7]  # a ladder of five states: up from i, down from i + 1


def ladder() -> np.ndarray:
    K = np.diag(UP, 1) + np.diag(DOWN, -1)
    return K + np.diag(1 - K.sum(axis=1))


def law_of_ladder() -> np.ndarray:
    """Detailed balance rung by rung: pi(i + 1) / pi(i) = up / down."""
    weights = np.cumprod([1.0, *(u / d for u, d in zip(UP, DOWN, strict=True))])
    return weights / weights.sum()


def table() -> np.ndarray:
    p = np.random.default_rng(5).random((2, 2, 2)) ** 3 + 0.01
    return p / p.sum()


SCAN = [0.2, 0.7, 0.1]


def brute_force_gibbs(p: np.ndarray, site: int) -> np.ndarray:
    """The conditional of one variable given the others, entry by entry."""
    states = list(itertools.product(*map(range, p.shape)))
    K = np.zeros((len(states), len(states)))
    for (i, x), (j, y) in itertools.product(enumerate(states), repeat=2):
        if all(x[k] == y[k] for k in range(p.ndim) if k != site):
            same = [z for z in states if all(z[k] == x[k] for k in range(p.ndim) if k != site)]
            K[i, j] = p[y] / sum(p[z] for z in same)
    return K


def test_stationary_law_of_a_ladder(xp: Any) -> None:
    K = xp(ladder())
    np.testing.assert_allclose(to_numpy(stationary_law(K)), law_of_ladder(), rtol=1e-13)
    assert float(detailed_balance_residual(K, xp(law_of_ladder()))) < 1e-16
    single = stationary_law(xp(ladder(), "float32"))
    assert single.dtype == xp.namespace.float32
    np.testing.assert_allclose(to_numpy(single), law_of_ladder(), rtol=1e-5)


def test_stationary_law_with_transient_states(xp: Any) -> None:
    """Two states leak into a cycle of two: periodic and not irreducible, but with one stationary law."""
    K = xp([[0.5, 0.25, 0.25, 0.0], [0.0, 0.9, 0.1, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    np.testing.assert_allclose(to_numpy(stationary_law(K)), [0, 0, 0.5, 0.5], rtol=0, atol=1e-15)
    assert float(second_eigenvalue(K)) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("blocks", [(1, 1), (2, 3)])
def test_several_stationary_laws_are_refused(xp: Any, blocks: tuple[int, ...]) -> None:
    K = np.zeros((sum(blocks), sum(blocks)))
    start = 0
    for size in blocks:
        block = np.random.default_rng(size).random((size, size))
        K[start : start + size, start : start + size] = block / block.sum(axis=1, keepdims=True)
        start += size
    with pytest.raises(ValueError, match="one stationary law"):
        stationary_law(xp(K))


def test_law_after_is_a_matrix_power(xp: Any) -> None:
    laws = np.array([[1.0, 0, 0, 0, 0], [0.1, 0.2, 0.3, 0.25, 0.15]])
    for steps in (0, 1, 7):
        expected = laws @ np.linalg.matrix_power(ladder(), steps)
        np.testing.assert_allclose(
            to_numpy(law_after(xp(ladder()), xp(laws), steps=steps)), expected, rtol=1e-13
        )
        one = law_after(xp(ladder()), xp(laws[1]), steps=steps)
        np.testing.assert_allclose(to_numpy(one), expected[1], rtol=1e-13)


def test_total_variation_is_the_largest_difference_of_an_event(xp: Any) -> None:
    p, q = np.array([0.1, 0.4, 0.2, 0.3]), np.array([0.25, 0.25, 0.5, 0.0])
    events = itertools.chain.from_iterable(itertools.combinations(range(4), r) for r in range(5))
    expected = max(abs(sum(p[i] - q[i] for i in event)) for event in events)
    assert float(total_variation(xp(p), xp(q))) == pytest.approx(expected, abs=1e-15)
    np.testing.assert_allclose(to_numpy(total_variation(xp([p, q]), xp(q))), [expected, 0], atol=1e-15)


def test_second_eigenvalue_of_known_chains(xp: Any) -> None:
    a, b = 0.9, 0.7  # 1 - a - b is negative: the modulus counts
    assert float(second_eigenvalue(xp([[1 - a, a], [b, 1 - b]]))) == pytest.approx(a + b - 1, abs=1e-15)
    lazy = (np.eye(5) + np.roll(np.eye(5), 1, axis=1)) / 2  # not reversible, complex eigenvalues
    assert float(second_eigenvalue(xp(lazy))) == pytest.approx(math.cos(math.pi / 5), abs=1e-14)
    assert float(second_eigenvalue(xp([[1.0]]))) == 0.0


def test_total_variation_decays_as_the_second_eigenvalue(xp: Any) -> None:
    """[SH] 2.4: for a positive law each step multiplies TV by the eigenvalue, once the others are spent."""
    K, pi = xp(random_scan_numpy()), xp(table().ravel())
    start = xp(np.eye(8)[3])
    near, far = (total_variation(law_after(K, start, steps=t), pi) for t in (60, 61))
    assert float(far) / float(near) == pytest.approx(float(second_eigenvalue(K)), rel=1e-3)


def random_scan_numpy() -> np.ndarray:
    return sum((q * brute_force_gibbs(table(), i) for i, q in enumerate(SCAN)), np.zeros((8, 8)))


def test_detailed_balance_residual_of_a_current(xp: Any) -> None:
    """A cycle carries the flow 1/3 one way and none back."""
    cycle = xp(np.roll(np.eye(3), 1, axis=1))
    assert float(detailed_balance_residual(cycle, xp([1 / 3] * 3))) == pytest.approx(1 / 3, abs=1e-15)


def test_single_site_kernel_of_mixed_radices(xp: Any) -> None:
    p = np.random.default_rng(2).random((2, 3, 2))
    p /= p.sum()
    for site in range(3):
        actual = single_site_kernel(xp(p), site=site)
        np.testing.assert_allclose(to_numpy(actual), brute_force_gibbs(p, site), rtol=1e-14)


def test_random_scan_gibbs(xp: Any) -> None:
    """[SH] 2.4: p K = p and detailed balance; the sampler's own matrix is this kernel."""
    p, scan = xp(table()), xp(SCAN)
    K = random_scan_gibbs_kernel(p, scan)
    np.testing.assert_allclose(to_numpy(K), random_scan_numpy(), rtol=1e-14)
    np.testing.assert_allclose(table().ravel() @ to_numpy(K), table().ravel(), rtol=1e-14)
    assert float(detailed_balance_residual(K, xp(table().ravel()))) < 1e-16
    np.testing.assert_allclose(to_numpy(stationary_law(K)), table().ravel(), rtol=1e-12)
    states = binary_states(3, like=p)
    sampled = kernel_matrix(lambda x, *, rng: random_scan_gibbs_step(p, x, scan=scan, rng=rng), states)
    np.testing.assert_allclose(to_numpy(sampled), random_scan_numpy(), rtol=1e-13)


def test_systematic_scan_gibbs(xp: Any) -> None:
    p, order = table(), (2, 0, 1)
    expected = np.linalg.multi_dot([brute_force_gibbs(p, i) for i in order])
    K = systematic_scan_gibbs_kernel(xp(p), order=order)
    np.testing.assert_allclose(to_numpy(K), expected, rtol=1e-13)
    np.testing.assert_allclose(to_numpy(stationary_law(K)), p.ravel(), rtol=1e-11)
    assert float(detailed_balance_residual(K, xp(p.ravel()))) > 1e-3, "the sweep is not reversible"


def noisy_swap(x: Array, *, rng: Any) -> Array:
    """Swap the two units with probability 0.3, then flip the first with 0.1."""
    xp, stream = array_namespace(x), as_stream(rng, like=x)
    swap = stream.bernoulli(xp.full_like(x[:, :1], 0.3))
    flip = stream.bernoulli(xp.full_like(x[:, 0], 0.1))
    y = xp.where(swap == 1, xp.flip(x, axis=1), x)
    return xp.stack([xp.abs(y[:, 0] - flip), y[:, 1]], axis=1)


def test_kernel_matrix_by_hand(xp: Any) -> None:
    """States 00, 01, 10, 11; the entries are sums of the four probabilities .07 .63 .03 .27."""
    expected = [[0.9, 0, 0.1, 0], [0.03, 0.63, 0.27, 0.07], [0.07, 0.27, 0.63, 0.03], [0, 0.1, 0, 0.9]]
    K = kernel_matrix(noisy_swap, binary_states(2, like=xp([0.0])))
    np.testing.assert_allclose(to_numpy(K), expected, rtol=1e-14)


def test_kernel_matrix_refuses_incomplete_or_repeated_states(xp: Any) -> None:
    states = binary_states(2, like=xp([0.0]))
    with pytest.raises(ValueError, match=r"from state 1 a mass of 0\.93 arrives"):
        kernel_matrix(noisy_swap, states[:3, :])
    with pytest.raises(ValueError, match="once"):
        kernel_matrix(noisy_swap, xp([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]))
    with pytest.raises(ValueError, match="the limit is 15 replicated rows"):
        kernel_matrix(noisy_swap, states, limit=15)


def test_bad_arguments_are_refused(xp: Any) -> None:
    K = xp(ladder())
    with pytest.raises(ValueError, match=r"K must have shape \(5, 5\)"):
        stationary_law(K[:, :4])
    with pytest.raises(ValueError, match="K must sum to one"):
        stationary_law(K * 0.99)
    with pytest.raises(ValueError, match=r"none negative, got -0\.5 at index \[0, 1\]"):
        stationary_law(xp([[1.5, -0.5], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="steps"):
        law_after(K, xp(law_of_ladder()), steps=-1)
    with pytest.raises(ValueError, match="law must have shape"):
        law_after(K, xp([0.5, 0.5]), steps=1)
    p = xp(table())
    with pytest.raises(ValueError, match="scan must pick every variable"):
        random_scan_gibbs_kernel(p, xp([0.5, 0.5, 0.0]))
    with pytest.raises(ValueError, match="order must visit"):
        systematic_scan_gibbs_kernel(p, order=(0, 1))
    with pytest.raises(ValueError, match="site"):
        single_site_kernel(p, site=3)
    with pytest.raises(ValueError, match="positive probability"):
        random_scan_gibbs_step(xp([[0.5, 0.5], [0.0, 0.0]]), xp([[0.0, 1.0]]), scan=xp([0.5, 0.5]), rng=0)
