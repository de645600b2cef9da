"""AIS over hidden units that cannot be enumerated: exact means by enumeration, and paths of no variance."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import HostStream
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed import annealed
from exactgen.reference.directed.layers import Sigmoid

rng = np.random.default_rng(11)
V, H, ABOVE = 3, 2, 4
W, B = rng.normal(0, 1.5, (V, H)), rng.normal(size=V)
U, C, D = rng.normal(0, 1.5, (H, ABOVE)), rng.normal(size=H), rng.normal(size=ABOVE)
X = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
LOGITS = rng.normal(size=(5, H))


def log_p_times_z(x: Any) -> float:
    """Return log sum_h P(x | h) sum_h' e^{-E(h, h')}, by loops over all states."""
    total = 0.0
    for h in product((0.0, 1.0), repeat=len(C)):
        a = W @ np.array(h) + B
        below = np.prod([p if one else 1 - p for p, one in zip(1 / (1 + np.exp(-a)), x, strict=True)])
        for g in product((0.0, 1.0), repeat=len(D)):
            total += below * np.exp(np.array(h) @ U @ np.array(g) + C @ np.array(h) + D @ np.array(g))
    return float(np.log(total))


def model(xp: Any) -> tuple[Sigmoid, RBM]:
    return Sigmoid(xp(W), xp(B)), RBM(xp(U), xp(C), xp(D))


@pytest.mark.parametrize("betas", [[0.0, 1.0], [0.0, 0.4, 1.0], [0.0, 0.1, 0.7, 1.0]])
def test_the_mean_weight_is_exact_for_any_path(xp: Any, betas: list[float]) -> None:
    layer, top = model(xp)

    def run(x: Any, logits: Any, rng: Any) -> Any:
        return annealed.ais(layer, top, x, logits=logits, betas=betas, chains=1, rng=rng).log_weights[:, 0]

    runs = expect(run, xp(X), xp(LOGITS))
    w = np.exp(to_numpy(runs.values)).reshape(len(X), -1)
    mean = np.sum(np.exp(to_numpy(runs.log_weight)) * w, axis=1)
    np.testing.assert_allclose(np.log(mean), [log_p_times_z(x) for x in X], rtol=1e-10)


def test_a_posterior_that_factorises_gives_weights_of_no_variance(xp: Any) -> None:
    """Each unit of h speaks to pixels of its own, and the top couples nothing: q can be the posterior."""
    units = 6
    weights = np.kron(np.eye(units), np.array([[1.3], [-0.7]]))  # (12, 6)
    b, c, d = (np.random.default_rng(k).normal(size=n) for k, n in enumerate((12, units, 3)))
    x = np.random.default_rng(5).integers(0, 2, (4, 12)).astype(float)
    on, off = np.logaddexp(0, weights.sum(axis=1) + b), np.logaddexp(0, b)
    logits = x @ weights + c - (on - off) @ (weights != 0)
    layer, top = Sigmoid(xp(weights), xp(b)), RBM(xp(np.zeros((units, 3))), xp(c), xp(d))
    run = annealed.ais(
        layer, top, xp(x), logits=xp(logits), betas=[0, 0.2, 0.5, 1], chains=7, rng=HostStream(2)
    )
    log_w = to_numpy(run.log_weights)
    assert log_w.shape == (4, 7)
    assert to_numpy(run.h).shape == (4, 7, units)
    wanted = x @ b - off.sum() + np.logaddexp(0, logits).sum(axis=1) + np.logaddexp(0, d).sum()
    np.testing.assert_allclose(log_w, np.repeat(wanted[:, None], 7, axis=1), rtol=1e-11)
    log_z = np.logaddexp(0, c).sum() + np.logaddexp(0, d).sum()
    below = annealed.log_likelihood_below(run, xp(np.array(log_z)))
    np.testing.assert_allclose(to_numpy(below), wanted - log_z, rtol=1e-11)


def test_a_sweep_leaves_the_law_of_the_path_invariant(xp: Any) -> None:
    layer, top, beta = *model(xp), 0.6
    states = np.array(list(product((0.0, 1.0), repeat=H)))
    x, logits = np.repeat(X[:1], 4, axis=0), np.repeat(LOGITS[:1], 4, axis=0)
    a = states @ W.T + B
    log_joint = (x * a - np.logaddexp(0, a)).sum(axis=1) + states @ C
    log_joint = log_joint + np.logaddexp(0, states @ U + D).sum(axis=1)
    f = np.exp((1 - beta) * (states * logits).sum(axis=1) + beta * log_joint)

    def moved(x: Any, h: Any, logits: Any, rng: Any) -> Any:
        return annealed.sweep(layer, top, x, h, logits=logits, beta=beta, stream=rng)

    outcomes = expect(moved, xp(x), xp(states), xp(logits))
    ends = to_numpy(outcomes.values).reshape(4, -1, H)
    weights = np.exp(to_numpy(outcomes.log_weight))
    kernel = np.array(
        [[w[(end == s).all(axis=1)].sum() for s in states] for w, end in zip(weights, ends, strict=True)]
    )
    np.testing.assert_allclose(f @ kernel, f, rtol=1e-11)
    assert not np.allclose(kernel, kernel[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"betas": [0, 0.5]}, "betas must begin at 0 and end at 1"),
        ({"chains": 0}, "chains must be an integer of at least 1, got 0"),
        ({"logits": np.zeros((5, 3))}, r"logits must have shape \(5, 2\)"),
        ({"logits": np.full((5, 2), np.inf)}, "logits must hold finite numbers"),
        ({"x": X + 1}, "x must hold zeros and ones"),
        ({"top": RBM(np.zeros((3, 4)), np.zeros(3), np.zeros(4))}, "top.b must have shape"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    layer, top = model(np.asarray)
    given: dict[str, Any] = {"top": top, "x": X, "logits": LOGITS, "betas": [0, 1], "chains": 2, **change}
    with pytest.raises(ValueError, match=message):
        annealed.ais(layer, given.pop("top"), given.pop("x"), **given, rng=1)
