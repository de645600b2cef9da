"""Losses, risks and a linear model that is solved exactly: [AL] 1.1.5, 1.1.6 and 1.3.2."""

from __future__ import annotations

from ..backends.arrays import Array, array_namespace
from .contracts import Number, Real, checked


@checked
def training_loss(losses: Real[Array, "*S N"], regulariser: Real[Array, "*S"]) -> Real[Array, "*S"]:
    r"""Return :math:`\sum_n \mathrm{loss}_n + R(\theta)`: a sum over the training set.      [AL] eq. 1.6

    Exactness: exact.
    """
    xp = array_namespace(losses, regulariser)
    return xp.sum(losses, axis=-1) + regulariser


@checked
def empirical_risk(losses: Real[Array, "*S N"]) -> Real[Array, "*S"]:
    r"""Return :math:`\frac1N \sum_n \mathrm{loss}_n`: a mean over the training set.      [AL] eq. 1.8

    Exactness: unbiased for the risk of a model chosen before the data.
    """
    xp = array_namespace(losses)
    return xp.mean(losses, axis=-1)


@checked
def ridge_loss(
    w: Real[Array, "d"], x: Real[Array, "N d"], y: Real[Array, "N"], *, penalty: Number[float, "[0, inf)"]
) -> Real[Array, ""]:
    r"""Return :math:`\frac12 \sum_n (y_n - x_n^\top w)^2 + \frac\lambda2 \|w\|^2`.      [AL] 1.1.5

    Minus the log posterior, up to a constant, for unit Gaussian noise and prior variance 1 / ``penalty``.
    Exactness: exact.
    """
    xp = array_namespace(w, x, y)
    return training_loss((y - x @ w) ** 2 / 2, penalty * xp.sum(w * w) / 2)


@checked
def ridge_grad(
    w: Real[Array, "d"], x: Real[Array, "N d"], y: Real[Array, "N"], *, penalty: Number[float, "[0, inf)"]
) -> Real[Array, "d"]:
    r"""Return :math:`X^\top (X w - y) + \lambda w`.      [AL] eq. 1.16

    Exactness: exact.
    """
    xp = array_namespace(w, x, y)
    return xp.matrix_transpose(x) @ (x @ w - y) + penalty * w


@checked
def ridge_hessian(x: Real[Array, "N d"], *, penalty: Number[float, "[0, inf)"]) -> Real[Array, "d d"]:
    r"""Return :math:`X^\top X + \lambda I`, the same at every w.      [AL] eq. 1.17

    Exactness: exact.
    """
    xp = array_namespace(x)
    return xp.matrix_transpose(x) @ x + penalty * xp.eye(x.shape[1], dtype=x.dtype, device=x.device)


@checked
def newton_step(
    theta: Real[Array, "d"], grad: Real[Array, "d"], hessian: Real[Array, "d d"]
) -> Real[Array, "d"]:
    r"""Return :math:`\theta - H^{-1} g`.      [AL] 1.3.2

    Exactness: exact.
    Cost: d^2 numbers, O(d^3) operations.
    Raises: ValueError for shapes that do not match.
    """
    xp = array_namespace(theta, grad, hessian)
    return theta - xp.linalg.solve(hessian, grad[:, None])[:, 0]
