"""Losses, risks and a linear model that is solved exactly: [AL] 1.1.5, 1.1.6 and 1.3.2."""

from __future__ import annotations

from ..backends.arrays import Array, array_namespace
from .arguments import check_array, check_finite, check_floating, check_number, check_shape


def training_loss(losses: Array, regulariser: Array) -> Array:
    r"""Return :math:`\sum_n \mathrm{loss}_n + R(\theta)`: a sum over the training set.      [AL] eq. 1.6

    Shapes: losses (..., N), regulariser (...) -> (...).   Exactness: exact.
    """
    xp = array_namespace(losses, regulariser)
    _check_losses(losses)
    check_shape("regulariser", regulariser, *losses.shape[:-1])
    check_floating("regulariser", regulariser, like=losses)
    check_finite("regulariser", regulariser)
    return xp.sum(losses, axis=-1) + regulariser


def empirical_risk(losses: Array) -> Array:
    r"""Return :math:`\frac1N \sum_n \mathrm{loss}_n`: a mean over the training set.      [AL] eq. 1.8

    Shapes: losses (..., N) -> (...).   Exactness: unbiased for the risk of a model chosen before the data.
    """
    xp = array_namespace(losses)
    _check_losses(losses)
    return xp.mean(losses, axis=-1)


def ridge_loss(w: Array, x: Array, y: Array, *, penalty: float) -> Array:
    r"""Return :math:`\frac12 \sum_n (y_n - x_n^\top w)^2 + \frac\lambda2 \|w\|^2`.      [AL] 1.1.5

    Minus the log posterior, up to a constant, for unit Gaussian noise and prior variance 1 / ``penalty``.
    Shapes: w (d,), x (N, d), y (N,) -> 0-d.   Exactness: exact.
    """
    xp = array_namespace(w, x, y)
    _check_ridge(w, x, y, penalty)
    return training_loss((y - x @ w) ** 2 / 2, penalty * xp.sum(w * w) / 2)


def ridge_grad(w: Array, x: Array, y: Array, *, penalty: float) -> Array:
    r"""Return :math:`X^\top (X w - y) + \lambda w`.      [AL] eq. 1.16

    Shapes: w (d,), x (N, d), y (N,) -> (d,).   Exactness: exact.
    """
    xp = array_namespace(w, x, y)
    _check_ridge(w, x, y, penalty)
    return xp.matrix_transpose(x) @ (x @ w - y) + penalty * w


def ridge_hessian(x: Array, *, penalty: float) -> Array:
    r"""Return :math:`X^\top X + \lambda I`, the same at every w.      [AL] eq. 1.17

    Shapes: x (N, d) -> (d, d).   Exactness: exact.
    """
    xp = array_namespace(x)
    check_array("x", x, None, None)
    check_number("penalty", penalty, least=0)
    return xp.matrix_transpose(x) @ x + penalty * xp.eye(x.shape[1], dtype=x.dtype, device=x.device)


def newton_step(theta: Array, grad: Array, hessian: Array) -> Array:
    r"""Return :math:`\theta - H^{-1} g`.      [AL] 1.3.2

    Shapes: theta and grad (d,), hessian (d, d) -> (d,).   Exactness: exact.
    Cost: d^2 numbers, O(d^3) operations.
    Raises: ValueError for shapes that do not match.
    """
    xp = array_namespace(theta, grad, hessian)
    check_array("theta", theta, None)
    check_array("grad", grad, *theta.shape, like=theta)
    check_array("hessian", hessian, theta.shape[0], theta.shape[0], like=theta)
    return theta - xp.linalg.solve(hessian, grad[:, None])[:, 0]


def _check_losses(losses: Array) -> None:
    check_floating("losses", losses)
    check_finite("losses", losses)
    if losses.ndim == 0 or losses.shape[-1] == 0:
        raise ValueError(f"losses must have one entry per point on the last axis, got {tuple(losses.shape)}")


def _check_ridge(w: Array, x: Array, y: Array, penalty: float) -> None:
    check_array("w", w, None)
    check_array("x", x, None, w.shape[0], like=w)
    check_array("y", y, x.shape[0], like=w)
    check_number("penalty", penalty, least=0)
