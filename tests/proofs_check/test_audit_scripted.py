"""Scripted randomness: every path of foreign code is run, and its weights are exact."""
# ruff: noqa: NPY002, SIM300 (the idioms of foreign code)

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from exactgen.proofs_check.audit.scripted import (
    ScriptedGenerator,
    ScriptedRandomState,
    Unscriptable,
    enumerate_runs,
)

P = np.array([[0.3, 0.6, 1.0, 0.0]])


def mean(run: Callable[[], Any]) -> Any:
    outcomes = enumerate_runs(run)
    assert sum(weight for weight, _ in outcomes) == pytest.approx(1, abs=1e-14)
    return sum(weight * np.asarray(value, dtype=float) for weight, value in outcomes)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: np.random.rand(*P.shape) < P,
        lambda: P > np.random.random(P.shape),
        lambda: np.random.uniform(size=P.shape) <= P,
        lambda: 1 - (np.random.random_sample(P.shape) >= P),
        lambda: np.random.binomial(1, P),
        lambda: np.less(np.random.default_rng().random(P.shape), P),
        lambda: np.random.RandomState(3).uniform(0, 1, P.shape) < P,
        lambda: np.sign(P - np.random.rand(*P.shape)) / 2 + 0.5,
        lambda: np.where(2 * np.random.rand(*P.shape) - 1 < 2 * P - 1, 1, 0),
        lambda: ScriptedGenerator().bernoulli(P),
        lambda: [[random.random() < p for p in P[0]]],
        lambda: np.random.default_rng(0).random((4, 1)).T < P,
        lambda: np.array([[np.random.rand() < p for p in P[0]]]),
        lambda: np.random.rand(4).reshape(1, 4) < P,
        lambda: [[u < p for u, p in zip(np.random.rand(4), P[0], strict=True)]],
    ],
)
def test_every_idiom_draws_with_its_probability(draw: Callable[[], Any]) -> None:
    np.testing.assert_allclose(mean(draw), P, rtol=1e-14)


def test_zero_and_one_do_not_branch() -> None:
    assert len(enumerate_runs(lambda: np.random.rand(*P.shape) < P)) == 4


def test_a_chain_against_the_product_of_its_kernels() -> None:
    q = np.array([[0.2, 0.9], [0.7, 0.4]])  # q[x] are the probabilities of the next two bits

    def chain() -> Any:
        x = 0
        for _ in range(3):
            first, second = np.random.rand(2) < q[x]
            x = int(first ^ second)
        return np.eye(2)[x]

    flip = q[:, 0] * (1 - q[:, 1]) + (1 - q[:, 0]) * q[:, 1]
    kernel = np.stack([1 - flip, flip], axis=1)
    np.testing.assert_allclose(mean(chain), np.linalg.matrix_power(kernel, 3)[0], rtol=1e-13)


def test_a_uniform_used_twice_stays_the_same_number() -> None:
    def run() -> Any:
        u = np.random.rand()
        return [u < 0.3, u < 0.8, (u < 0.3) and not (u < 0.8), 0.5 < u]

    np.testing.assert_allclose(mean(run), [0.3, 0.8, 0.0, 0.5], rtol=1e-14)


def test_a_seed_given_twice_gives_the_same_numbers() -> None:
    def run() -> Any:
        first = np.random.default_rng(7).random() < 0.5
        second = np.random.default_rng(7).random() < 0.5
        other = np.random.default_rng(8).random() < 0.5
        return [first == second, first == other]

    np.testing.assert_allclose(mean(run), [1.0, 0.5], rtol=1e-14)


def test_choices_and_permutations() -> None:
    def run() -> Any:
        order = np.random.permutation(3)
        np.random.shuffle(order)
        return [
            *np.eye(3)[order].ravel(),
            np.random.randint(0, 4),
            np.random.choice([5.0, 7.0], p=[0.25, 0.75]),
        ]

    exact = [*np.full(9, 1 / 3), 1.5, 6.5]
    np.testing.assert_allclose(mean(run), exact, rtol=1e-13)
    assert len(enumerate_runs(run)) == 6 * 6 * 4 * 2


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (lambda: np.random.rand(2) ** 2, "computes with its uniform"),
        (lambda: float(np.random.rand()), "computes with its uniform"),
        (lambda: np.log(np.random.rand(3)), "computes with its uniform"),
        (lambda: np.random.rand() < np.random.rand(), "computes with its uniform"),
        (lambda: np.random.randn(2), "normal"),
        (lambda: np.random.RandomState().gamma(2.0), "gamma"),
        (lambda: np.random.default_rng().binomial(3, 0.5), "more than one trial"),
        (lambda: REAL.random(), "out of reach"),
        (lambda: np.random.rand(20) < 0.5, "paths"),
    ],
)
def test_what_cannot_be_enumerated_is_refused(run: Callable[[], Any], why: str) -> None:
    with pytest.raises(Unscriptable, match=why):
        enumerate_runs(run)


REAL = np.random.default_rng(5)  # made before any patch


def test_the_patches_are_taken_back() -> None:
    before = np.random.rand, np.random.default_rng, np.random.RandomState, random.random
    with pytest.raises(ZeroDivisionError):
        enumerate_runs(lambda: 1 / 0)
    assert before == (np.random.rand, np.random.default_rng, np.random.RandomState, random.random)


def test_scripted_generators_pass_for_numpys() -> None:
    assert isinstance(ScriptedGenerator(), np.random.Generator)
    assert isinstance(ScriptedRandomState(), np.random.RandomState)


def test_torch_draws() -> None:
    torch = pytest.importorskip("torch")
    p = torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64)
    idioms = [
        lambda: torch.rand(3) < p,
        lambda: p > torch.rand_like(p),
        lambda: torch.bernoulli(p),
        lambda: p.bernoulli(),
        lambda: torch.zeros(3).bernoulli_(p),
        lambda: torch.relu(torch.sign(p - torch.rand(p.size()))),
        lambda: torch.distributions.Bernoulli(probs=p).sample(),
        lambda: (torch.rand(3).to(p.dtype) <= p).double(),
    ]
    for draw in idioms:
        np.testing.assert_allclose(mean(draw), [0.25, 0.5, 1.0], rtol=1e-14)

    def seeded() -> Any:
        torch.manual_seed(7)
        first = torch.rand(1) < 0.5
        torch.manual_seed(7)
        return [*(first == (torch.rand(1) < 0.5)), torch.randint(0, 4, (1,))[0]]

    np.testing.assert_allclose(mean(seeded), [1.0, 1.5], rtol=1e-14)
    before = torch.rand, torch.Tensor.bernoulli_
    with pytest.raises(Unscriptable, match="in place"):
        enumerate_runs(lambda: torch.empty(3).uniform_() < p)
    assert before == (torch.rand, torch.Tensor.bernoulli_)


def test_against_brute_force_over_bits() -> None:
    p = np.array([0.2, 0.5, 0.9])

    def run() -> Any:
        x = np.random.rand(3) < p
        return [x.sum() ** 2, x[0] * x[2]]

    exact = np.zeros(2)
    for x in itertools.product([0, 1], repeat=3):
        weight = np.prod([q if bit else 1 - q for q, bit in zip(p, x, strict=True)])
        exact += weight * np.array([sum(x) ** 2, x[0] * x[2]])
    np.testing.assert_allclose(mean(run), exact, rtol=1e-13)
