"""Training: gradient descent, minibatches, Newton's method and early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference import losses, optimizers
from ...reference.networks import errors
from ...reference.training import fit as fitting
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..oracle.boltzmann import like
from ..oracle.derivative import derivative
from ..strategies import arrays, hundredths, values
from ..strategies.losses import Regression, regressions


def _rows(x: Any, batch: Sequence[int]) -> Any:
    """Return the rows of a minibatch."""
    xp = array_namespace(x)
    return xp.take(x, xp.asarray(np.array(batch, dtype=np.int64)), axis=0)


# --- a quadratic loss -------------------------------------------------------------------------------------


def _ridge(plain: Regression, w: Any) -> Any:
    """Return the loss of ridge regression; w may be complex."""
    return ((plain.y - plain.x @ w) ** 2).sum() / 2 + plain.penalty * (w**2).sum() / 2


def _solution(plain: Regression) -> tuple[Any, Any]:
    """Return the Hessian X^T X + penalty I, and the solution by the normal equations."""
    H = plain.x.T @ plain.x + plain.penalty * np.eye(plain.x.shape[1])
    return H, np.linalg.solve(H, plain.x.T @ plain.y)


@check(
    "AL.eq1.16",
    of=(losses, optimizers),
    cases=regressions,
    evidence=EXACTLY,
    rejects=("wrong-way", "half-the-rate", "losses:penalty-missing-in-gradient"),
)
def gradient_descent_on_a_quadratic(impl: Implementation, case: Regression, plain: Regression) -> None:
    """theta_{t+1} = theta_t - a grad L, and so theta_t - theta* = (I - a H)^t (theta_0 - theta*).

    It converges, from every start, where 0 < a < 2 / the largest eigenvalue of H, and not at 2.1 / that.
    """
    H, best = _solution(plain)
    top = float(np.linalg.eigvalsh(H)[-1])
    grad = derivative(lambda w: _ridge(plain, w), plain.w)
    for share in (0.5, 1.9, 2.1):
        rate, theta = share / top, case.w
        method = impl.sgd(rate)
        state = method.start(theta)
        for t in range(12):
            g = impl.ridge_grad(theta, case.x, case.y, penalty=case.penalty)
            theta, state = method.descend(state, theta, g)
            if t == 0:
                agree(theta, plain.w - rate * grad, f"theta after a step at rate {share} / top")
        moved = np.linalg.matrix_power(np.eye(len(best)) - rate * H, 12) @ (plain.w - best)
        agree(to_numpy(theta) - best, moved, f"distance to theta* at rate {share} / top")
    at_best = impl.ridge_grad(like(best, case.x), case.x, case.y, penalty=case.penalty)
    agree(at_best, np.zeros(len(best)), "gradient at theta*")


@check(
    "AL.ch1.sgd",
    of=losses,
    cases=regressions,
    evidence=EXACTLY,
    rejects=("losses:last-point-dropped", "losses:gradient-averaged"),
)
def minibatch_gradient_is_unbiased_and_varies(
    impl: Implementation, case: Regression, plain: Regression
) -> None:
    """The mean gradient over b of N points has the full mean gradient as its expectation.

    Over all minibatches.  Its covariance is C / b with replacement, (C / b) (N - b) / (N - 1) without, with C
    that of one point's gradient: positive unless all points agree, or all N are taken.
    """
    each = plain.x * (plain.x @ plain.w - plain.y)[:, None]  # the gradient of each point's loss
    full, N = each.mean(axis=0), len(each)
    C = (each - full).T @ (each - full) / N

    def gradient(batch: Sequence[int]) -> Any:
        g = impl.ridge_grad(case.w, _rows(case.x, batch), _rows(case.y, batch), penalty=0.0)
        return to_numpy(g).astype(float) / len(batch)

    for b in range(1, N + 1):
        shrink = (N - b) / (N - 1) if N > 1 else 0.0
        for way, batches, covariance in (
            ("without", combinations(range(N), b), C / b * shrink),
            ("with", product(range(N), repeat=b), C / b),
        ):
            g = np.array([gradient(batch) for batch in batches])
            agree(g.mean(axis=0), full, f"mean gradient, {way} replacement, b = {b}")
            spread = (g - full).T @ (g - full) / len(g)
            agree(spread, covariance, f"covariance, {way} replacement, b = {b}")


@check(
    "AL.eq1.17",
    of=losses,
    cases=regressions,
    evidence=EXACTLY,
    rejects=(
        "losses:penalty-missing-in-hessian",
        "losses:hessian-averaged",
        "losses:newton-on-the-diagonal",
        "losses:half-a-newton-step",
    ),
    uncovered="losses that are not quadratic, and that inverting it takes of the order of d^3 operations",
)
def newton_solves_a_quadratic_at_once(impl: Implementation, case: Regression, plain: Regression) -> None:
    """H = d^2 L / d theta^2, d^2 numbers, the derivative of the gradient; one Newton step is enough."""
    H = impl.ridge_hessian(case.x, penalty=case.penalty)

    def grad(w: Any) -> Any:
        return plain.x.T @ (plain.x @ w - plain.y) + plain.penalty * w

    agree(grad(plain.w), derivative(lambda w: _ridge(plain, w), plain.w), "gradient")
    agree(H, derivative(grad, plain.w), "Hessian")
    after = impl.newton_step(case.w, impl.ridge_grad(case.w, case.x, case.y, penalty=case.penalty), H)
    agree(after, _solution(plain)[1], "theta after one Newton step")


# --- the likelihood of a softmax law ----------------------------------------------------------------------


class Logits(NamedTuple):
    """A softmax law by its logits, and data on its alphabet."""

    theta: Any  # (X,)
    x: Any  # (N,) integers


logit_cases = st.integers(1, 3).flatmap(
    lambda n: st.builds(Logits, arrays((n,), hundredths(-3, 3)), values(n, most=4))
)


def _nll(theta: Any, x: Any) -> Any:
    """Return -sum log p(x); theta may be complex."""
    return len(x) * np.log(np.exp(theta).sum()) - theta[x].sum()


def _softmax_nll(impl: Implementation, theta: Any, x: Any) -> tuple[float, Any]:
    """Return the NLL of the points x and its gradient in the logits, as sums over one-hot rows."""
    xp = array_namespace(theta)
    targets = like(np.asarray(x)[:, None] == np.arange(theta.shape[0]), theta)
    rows = xp.broadcast_to(theta, targets.shape)
    loss, grads = impl.softmax_cross_entropy(rows, targets), impl.softmax_cross_entropy_grad(rows, targets)
    return float(xp.sum(loss)), xp.sum(grads, axis=0)


@check(
    "SH.sec2.5d",
    of=(errors, optimizers),
    cases=logit_cases,
    evidence=EXACTLY,
    rejects=("wrong-way", "nine-times-the-rate", "prediction-for-gradient"),
)
def gradient_descent_lowers_the_nll(impl: Implementation, case: Logits, plain: Logits) -> None:
    """theta_t - eta_t grad lowers a smooth NLL by at least eta_t/2 |grad|^2, for eta_t <= 1/L; here L = N.

    The curvature of N softmax losses is N (diag p - p p^T), which is below N.
    """
    N, theta, by_hand = len(plain.x), case.theta, plain.theta
    method = impl.sgd(lambda t: 1 / (N * t))
    state = method.start(theta)
    for t in range(1, 5):
        loss, grad = _softmax_nll(impl, theta, plain.x)
        theta, state = method.descend(state, theta, grad)
        exact = derivative(lambda a: _nll(a, plain.x), by_hand)
        agree(loss, _nll(by_hand, plain.x), f"NLL before step {t}")
        by_hand = by_hand - exact / (N * t)
        agree(theta, by_hand, f"theta after step {t}")
        after = _softmax_nll(impl, theta, plain.x)[0]
        at_most(after, loss - (exact**2).sum() / (2 * N * t), f"NLL after step {t}", slack=1e-9)


@check(
    "SH.sec2.5e",
    of=(errors, optimizers),
    cases=logit_cases,
    evidence=EXACTLY,
    rejects=("minibatch-averaged", "first-point-repeated", "wrong-way"),
)
def minibatch_gradient_is_a_share_of_the_whole(impl: Implementation, case: Logits, plain: Logits) -> None:
    """theta + eta grad sum_B log p: averaged over all B of b of N points, that is b/N of the full gradient.

    So the sum over a minibatch, as printed, is unbiased up to the factor b / N, which the rate absorbs.
    The rate eta_t is that of the step: here 0.5 / t, in the first step and in the second.
    """
    N, method = len(plain.x), impl.sgd(lambda t: 0.5 / t)
    full = derivative(lambda a: _nll(a, plain.x), plain.theta)
    for b in range(1, N + 1):
        moved = []
        for batch in combinations(range(N), b):
            x = plain.x[list(batch)]
            grad = derivative(partial(_nll, x=x), plain.theta)
            ascent = -_softmax_nll(impl, case.theta, x)[1]
            theta, state = method.ascend(method.start(case.theta), case.theta, ascent)
            agree(theta, plain.theta - 0.5 * grad, f"theta after a step on {batch}")
            moved.append(to_numpy(theta).astype(float) - plain.theta)
            again = derivative(partial(_nll, x=x), plain.theta - 0.5 * grad)
            theta, _ = method.ascend(state, theta, -_softmax_nll(impl, theta, x)[1])
            agree(theta, plain.theta - 0.5 * grad - 0.25 * again, f"theta after two steps on {batch}")
        agree(np.mean(moved, axis=0), -0.5 * b / N * full, f"mean step on {b} points")


# --- early stopping ---------------------------------------------------------------------------------------


class Stopping(NamedTuple):
    """A pattern seen often and a spurious one seen rarely: their curvatures, and the size of the second."""

    fast: float
    slow: float
    spurious: float


@check(
    "AL.fig1.2",
    of=(fitting, optimizers),
    cases=st.builds(
        Stopping,
        hundredths(0.3, 0.9),
        hundredths(0.02, 0.1),
        hundredths(0.5, 2) | hundredths(-2, -0.5),
    ),
    evidence=EXACTLY,
    rejects=("last-called-best", "loss-called-a-score", "never-stops"),
    uncovered="the loss on a test set, and that early stopping works really well in experiments",
)
def early_stopping_beats_the_end(impl: Implementation, case: Stopping) -> None:
    """The training loss falls to zero; the validation loss falls, then rises, and stopping finds its lowest.

    Two weights that gradient descent fits independently, w_k(t) = (1 - (1 - c_k)^t) w_k(inf): the first is
    real, the second is found in the training set only.  An example, as the cartoon of the figure is.
    """
    curvature, target, truth = np.array([case.fast, case.slow]), np.array([1.0, case.spurious]), np.eye(2)[0]
    t = np.arange(401)[:, None]
    path = (1 - (1 - curvature) ** t) * target
    training = (curvature * (path - target) ** 2).sum(axis=1) / 2
    validation = ((path - truth) ** 2).sum(axis=1) / 2
    at_most(np.diff(training), 0.0, "increase of the training loss")
    at_most(training[-1], 1e-6, "training loss in the end")
    best = int(np.argmin(validation))
    ensure(0 < best < 400 and validation[-1] > validation[best] + 0.01, "a lowest validation loss in between")

    # rows (x, y): the gradient of a row's loss (x w - y)^2 / 2, a mean over the two rows
    inputs = np.diag(np.sqrt(2 * curvature))
    data = np.column_stack([inputs, inputs @ target])

    def step(w: Any, batch: Any, memory: Any, stream: Any) -> tuple[Any, Any]:
        x, y = batch[:, :2], batch[:, 2]
        return x.T @ (y - x @ w) / len(batch), memory

    def score(w: Any) -> float:
        return -float(((w - truth) ** 2).sum() / 2)

    method = impl.sgd(1.0)
    start = impl.begin(np.zeros(2), optimizer=method)
    options = {"step": step, "optimizer": method, "batch_size": 2, "epochs": 400, "seed": 1, "score": score}
    state = impl.fit(start, data, patience=5, **options)
    agree(state.best_epoch, best, "epoch of the lowest validation loss")
    agree(state.best_theta, path[best], "parameters kept")
    agree(state.epoch, best + 5, "epoch at which it stopped, patience 5")
    agree(impl.fit(start, data, **options).theta, path[400], "parameters in the end")
