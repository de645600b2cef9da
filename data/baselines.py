"""The simple models that a generative model has to beat, in nats per sample ([AO] section 3.1)."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def uniform_baseline(pixels: int) -> float:
    r"""Return :math:`-d \log 2`, a binary image's log-likelihood under the uniform law ([AO] section 3.1)."""
    return -pixels * log(2.0)


def perfect_baseline(images: int) -> float:
    r"""Return :math:`-\log n`, the log-likelihood of each of n equally likely images ([AO] section 3.1)."""
    return -log(images)


def bernoulli_means(train: Array, *, smoothing: float, clip: float = 0.0) -> NDArray[np.float64]:
    r"""Return each pixel's fitted probability :math:`(s + a) / (n + 2a)`.

    Here s is the pixel's sum over the n rows and a the smoothing: 0 is the maximum-likelihood fit, 1/2 is
    Jeffreys', 1 is Laplace's. ``clip`` then moves the probabilities into [clip, 1 - clip].

    Shapes: (n, d) with entries in [0, 1] -> (d,), float64.

    Raises
    ------
    ValueError
        ``train`` is not a non-empty matrix with entries in [0, 1], ``smoothing`` is negative, or ``clip`` is
        not in [0, 1/2).
    """
    _check_rows("train", train)
    if not 0 <= smoothing < np.inf:
        raise ValueError(f"smoothing is {smoothing}; a finite count that is not negative is wanted")
    if not 0 <= clip < 0.5:
        raise ValueError(f"clip is {clip}; a probability in [0, 1/2) is wanted")
    p = (train.sum(axis=0, dtype=np.float64) + smoothing) / (len(train) + 2 * smoothing)
    return np.asarray(np.clip(p, clip, 1 - clip))


def independent_bernoulli_baseline(
    train: Array, valid: Array, *, smoothing: float, clip: float = 0.0
) -> float:
    r"""Return the mean log-likelihood of ``valid`` when ``train`` gives each pixel its own probability.

    .. math:: \frac1n \sum_i \sum_j x_{ij} \log p_j + (1 - x_{ij}) \log (1 - p_j)    [AO] section 3.1

    Entries between 0 and 1 are read as probabilities of a one; the result is then the exact expectation over
    such bits. It is ``-inf`` when a pixel that is constant in ``train`` differs somewhere in ``valid`` and
    neither ``smoothing`` nor ``clip`` prevents it.

    Shapes: (m, d) and (n, d) -> float, nats per row.   Exactness: exact.

    Raises
    ------
    ValueError
        As `bernoulli_means`; or ``valid`` is not such a matrix with as many columns.
    """
    p = bernoulli_means(train, smoothing=smoothing, clip=clip)
    return _cross_entropy(p, _means(train, valid))


def shared_bernoulli_baseline(train: Array, valid: Array) -> float:
    """Return the mean log-likelihood of ``valid`` when all pixels share one probability, ``train``'s mean.

    This is not the document's model; `exactgen.data.readings` tries it because its value on CMNIST is near.

    Shapes: (m, d) and (n, d) -> float, nats per row.   Exactness: exact.
    """
    means = _means(train, valid)
    return _cross_entropy(np.full_like(means, train.mean(dtype=np.float64)), means)


def _means(train: Array, valid: Array) -> NDArray[np.float64]:
    _check_rows("train", train)
    _check_rows("valid", valid)
    if train.shape[1] != valid.shape[1]:
        raise ValueError(f"valid has {valid.shape[1]} columns; train's {train.shape[1]} are wanted")
    return np.asarray(valid.mean(axis=0, dtype=np.float64))


def _cross_entropy(p: NDArray[np.float64], means: NDArray[np.float64]) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        ones = np.where(means > 0, means * np.log(p), 0.0)  # an outcome that never occurs costs nothing
        zeros = np.where(means < 1, (1 - means) * np.log1p(-p), 0.0)
    return float(np.sum(ones + zeros))


def _check_rows(name: str, rows: Array) -> None:
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"{name} has shape {rows.shape}; a non-empty matrix (rows, pixels) is wanted")
    if not np.all((rows >= 0) & (rows <= 1)):
        raise ValueError(f"{name} has entries outside [0, 1] or NaN; bits or probabilities are wanted")
