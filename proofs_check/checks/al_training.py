"""[AL] 1.3: gradient descent, minibatches, Newton's method and early stopping."""

from __future__ import annotations

from itertools import combinations
from itertools import product as tuples
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference import losses, optimizers
from ...reference.training import fit as fitting
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..strategies.losses import Regression, regressions
from .brute import like


def hessian_by_hand(case: Regression) -> Any:
    """Return X^T X + penalty I."""
    x = to_numpy(case.x).astype(float)
    return x.T @ x + case.penalty * np.eye(x.shape[1])


def solution(case: Regression) -> Any:
    """Return the ridge solution by the normal equations."""
    return np.linalg.solve(hessian_by_hand(case), to_numpy(case.x).T @ to_numpy(case.y)).astype(float)


@check(
    "AL.eq1.16",
    of=(losses, optimizers),
    cases=regressions,
    evidence=EXACTLY,
    mutants={
        "uphill": {"sgd": lambda rate: optimizers.Optimizer(rate, 0, lambda _, g, t: ((), -g))},
        "half the rate": {"sgd": lambda rate: optimizers.sgd(rate / 2)},
        "penalty left out of the gradient": {
            "ridge_grad": lambda w, x, y, penalty: losses.ridge_grad(w, x, y, penalty=0.0)
        },
    },
)
def gradient_descent_on_a_quadratic(impl: Implementation, case: Regression) -> None:
    """theta_{t+1} = theta_t - a grad L: theta_t - theta* = (I - a H)^t (theta_0 - theta*).

    So it converges for every start exactly when 0 < a < 2 / the largest eigenvalue of H; its fixed point is
    where the gradient vanishes.  Convergence under "certain assumptions" on other losses is not covered.
    """
    H, best = hessian_by_hand(case), solution(case)
    top = float(np.linalg.eigvalsh(H)[-1])
    start = to_numpy(case.w).astype(float)
    for rate in (0.5 / top, 1.9 / top, 2.1 / top):
        method, theta = impl.sgd(rate), case.w
        state = method.start(theta)
        for _ in range(12):
            theta, state = method.descend(
                state, theta, impl.ridge_grad(theta, case.x, case.y, penalty=case.penalty)
            )
        moved = np.linalg.matrix_power(np.eye(len(best)) - rate * H, 12) @ (start - best)
        agree(to_numpy(theta) - best, moved, f"distance to theta* at rate {rate * top:.2g} / top", atol=1e-8)
        factor = max(abs(1 - rate * value) for value in np.linalg.eigvalsh(H))
        ensure((factor < 1) == (rate < 2 / top), "convergence", expected=rate < 2 / top, actual=factor < 1)
    at_best = impl.ridge_grad(like(best, case.x), case.x, case.y, penalty=case.penalty)
    agree(at_best, np.zeros(len(best)), "gradient at theta*", atol=1e-9)


@check(
    "AL.ch1.sgd",
    of=(losses,),
    cases=regressions,
    evidence=EXACTLY,
    mutants={
        "the last point of a minibatch dropped": {
            "ridge_grad": lambda w, x, y, penalty: losses.ridge_grad(
                w, x[: max(x.shape[0] - 1, 1), :], y[: max(x.shape[0] - 1, 1)], penalty=penalty
            )
        },
        "a mean where a sum belongs": {
            "ridge_grad": lambda w, x, y, penalty: losses.ridge_grad(w, x, y, penalty=penalty) / x.shape[0]
        },
    },
)
def minibatch_gradient_is_unbiased_and_varies(impl: Implementation, case: Regression) -> None:
    """The mean gradient over b of N points has the full mean gradient as its expectation.

    Over all minibatches.  Its covariance is C / b with replacement, (C / b) (N - b) / (N - 1) without, with C
    that of one point's gradient: positive unless all points agree, or all N are taken.
    """
    x, y, w = (to_numpy(a).astype(float) for a in case[:3])
    each = x * (x @ w - y)[:, None]  # the gradient of each point's loss
    full, N = each.mean(axis=0), len(x)
    C = (each - full).T @ (each - full) / N

    def gradients(batches: Any) -> Any:
        return np.array(
            [
                to_numpy(impl.ridge_grad(case.w, rows(case.x, batch), rows(case.y, batch), penalty=0.0))
                / len(batch)
                for batch in batches
            ]
        )

    for b in range(1, N + 1):
        shrink = (N - b) / (N - 1) if N > 1 else 0.0
        for way, batches, covariance in (
            ("without", combinations(range(N), b), C / b * shrink),
            ("with", tuples(range(N), repeat=b), C / b),
        ):
            g = gradients(batches)
            agree(g.mean(axis=0), full, f"mean gradient, {way} replacement, b = {b}", atol=1e-9)
            spread = (g - full).T @ (g - full) / len(g)
            agree(spread, covariance, f"covariance, {way} replacement, b = {b}", atol=1e-8)


def rows(x: Any, batch: tuple[int, ...]) -> Any:
    """Return the rows of a minibatch."""
    xp = array_namespace(x)
    return xp.take(x, xp.asarray(np.array(batch, dtype=np.int64)), axis=0)


@check(
    "AL.eq1.17",
    of=(losses,),
    cases=regressions,
    evidence=EXACTLY,
    mutants={
        "penalty left out": {"ridge_hessian": lambda x, penalty: losses.ridge_hessian(x, penalty=0.5)},
        "that of the mean loss": {
            "ridge_hessian": lambda x, penalty: losses.ridge_hessian(x, penalty=penalty) / x.shape[0]
        },
        "the diagonal of the Hessian alone": {
            "newton_step": lambda theta, grad, hessian: theta - grad / like(np.diag(to_numpy(hessian)), grad)
        },
        "a step of half the length": {
            "newton_step": lambda theta, grad, hessian: (
                theta / 2 + losses.newton_step(theta, grad, hessian) / 2
            )
        },
    },
)
def newton_solves_a_quadratic_at_once(impl: Implementation, case: Regression) -> None:
    """H = d^2 L / d theta^2, symmetric, (d, d): differences of the gradient; one Newton step is enough.

    The O(d^3) operations of its inverse are not covered, nor the remarks on quasi-Newton methods.
    """
    H, d = impl.ridge_hessian(case.x, penalty=case.penalty), case.w.shape[0]

    def grad(w: Any) -> Any:
        return to_numpy(impl.ridge_grad(like(w, case.x), case.x, case.y, penalty=case.penalty))

    w = to_numpy(case.w).astype(float)
    differences = np.array([grad(w + unit) - grad(w) for unit in np.eye(d)])  # exact: the gradient is affine
    agree(H, differences, "Hessian", atol=1e-9)
    agree(H, to_numpy(H).T, "transpose of the Hessian")
    after = impl.newton_step(case.w, impl.ridge_grad(case.w, case.x, case.y, penalty=case.penalty), H)
    agree(after, solution(case), "theta after one Newton step", rtol=1e-8, atol=1e-8)


class Stopping(NamedTuple):
    """A pattern seen often and a spurious one seen rarely: their curvatures, and the size of the second."""

    fast: float
    slow: float
    spurious: float


def last_is_best(*args: Any, **options: Any) -> Any:
    """Return the fit whose best parameters are the latest."""
    state = fitting.fit(*args, **options)
    return state._replace(best_theta=state.theta, best_epoch=state.epoch)


@check(
    "AL.fig1.2",
    of=(fitting, optimizers),
    cases=st.builds(
        Stopping,
        st.sampled_from((0.5, 0.3)),
        st.sampled_from((0.02, 0.05)),
        st.sampled_from((1.0, -2.0, 0.7)),
    ),
    evidence=EXACTLY,
    mutants={
        "the last parameters called the best": {"fit": last_is_best},
        "the validation loss called a score": {
            "fit": lambda *args, score, **options: fitting.fit(*args, score=lambda w: -score(w), **options)
        },
        "never stops": {
            "fit": lambda *args, patience, **options: fitting.fit(*args, patience=None, **options)
        },
    },
)
def early_stopping_beats_the_end(impl: Implementation, case: Stopping) -> None:
    """The training loss falls to zero; the validation loss falls, then rises, and stopping finds its lowest.

    Two weights that gradient descent fits independently, w_k(t) = (1 - (1 - c_k)^t) w_k(inf): the first is
    real, the second is found in the training set only.  A cartoon, as the figure is; that this "works really
    well" in experiments is not covered.
    """
    curvature, target = np.array([case.fast, case.slow]), np.array([1.0, case.spurious])
    t = np.arange(401)[:, None]
    path = (1 - (1 - curvature) ** t) * target
    training = (curvature * (path - target) ** 2).sum(axis=1) / 2
    validation = ((path - np.array([1.0, 0.0])) ** 2).sum(axis=1) / 2
    at_most(np.diff(training), 0.0, "increase of the training loss")
    best = int(np.argmin(validation))
    ensure(0 < best < 400 and validation[-1] > validation[best] + 0.01, "a lowest validation loss in between")

    # rows (x, y): the gradient of a row's loss (x w - y)^2 / 2, a mean over the two rows
    inputs = np.diag(np.sqrt(2 * curvature))
    data = np.column_stack([inputs, inputs @ target])

    def step(w: Any, batch: Any, memory: Any, stream: Any) -> tuple[Any, Any]:
        x, y = batch[:, :2], batch[:, 2]
        return x.T @ (y - x @ w) / len(batch), memory

    def score(w: Any) -> float:
        return -float(((w - np.array([1.0, 0.0])) ** 2).sum() / 2)

    method = impl.sgd(1.0)
    start = impl.begin(np.zeros(2), optimizer=method)
    options = {"step": step, "optimizer": method, "batch_size": 2, "epochs": 400, "seed": 1, "score": score}
    state = impl.fit(start, data, patience=5, **options)
    agree(state.best_epoch, best, "epoch of the lowest validation loss")
    agree(state.best_theta, path[best], "parameters kept", rtol=1e-8)
    agree(state.epoch, best + 5, "epoch at which it stopped, patience 5")
