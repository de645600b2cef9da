"""MNIST, and CMNIST: the 10 x 10 window at its centre ([AO] section 3.1)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from .idx import read_idx
from .sources import Folder, Provenance, data_file
from .splits import Dataset, order, split

Reading = Literal["grey", "half", "nonzero"]
CMNIST_SIZES = (4000, 4000, 4000)
CENTRE = slice(9, 19)  # 9 + 10 + 9 = 28: the centred window is exact
_SUPPLY = "The four MNIST files (LeCun, Cortes, Burges) are used as published, gzipped or unpacked."


class Digits(NamedTuple):
    """MNIST as published: grey levels 0-255 and the digit that each image shows."""

    train_images: NDArray[np.uint8]  # (60000, 28, 28)
    train_labels: NDArray[np.uint8]  # (60000,)
    test_images: NDArray[np.uint8]  # (10000, 28, 28)
    test_labels: NDArray[np.uint8]  # (10000,)
    provenance: Provenance


def mnist(*, data_dir: Folder | None = None) -> Digits:
    """Return the 60,000 training and 10,000 test digits, in the order of the published files.

    Shapes: see `Digits`; uint8.

    Raises
    ------
    MissingDataError
        One of the four files ``{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`` is missing.
    ValueError
        A file is corrupt, its counts are not MNIST's, or a label is not a digit.
    """
    provenance = Provenance(
        name="mnist",
        source="LeCun, Cortes, Burges: The MNIST database of handwritten digits",
        reading="as published",
        counts=(60000, 10000),
    )
    return Digits(*_part("train", 60000, data_dir), *_part("t10k", 10000, data_dir), provenance)


def cmnist(*, reading: Reading, seed: int | None, data_dir: Folder | None = None) -> Dataset:
    """Return CMNIST: 3 x 4,000 windows of 10 x 10 pixels from the centre of MNIST digits.

    [AO] leaves open which 12,000 digits are meant and what becomes of the grey levels: neither has a default.
    ``reading="grey"`` follows its words; ``reading="nonzero", seed=None`` gives its printed baseline. See
    ``docs/datasets.md``.

    Parameters
    ----------
    reading
        "grey": level / 255, the probability of a one (`sample_bits` draws from it); float64 in [0, 1].
        "half": one where the level is 128 or more; uint8.
        "nonzero": one where the level is not zero, as a cast of the grey level to a truth value gives; uint8.
    seed
        An integer draws 12,000 of all 70,000 digits; None takes the training file's first 12,000 in order.

    Shapes: three of (4000, 100), the window's rows (image rows and columns 9-18) one after another.
    Source: [AO] section 3.1.

    Raises
    ------
    MissingDataError, ValueError
        As `mnist` does; ``ValueError`` too for an unknown reading.
    """
    if reading not in get_args(Reading):
        raise ValueError(f"reading is {reading!r}; one of {', '.join(get_args(Reading))} is wanted")
    digits = mnist(data_dir=data_dir)
    images = np.concatenate([digits.train_images, digits.test_images])[:, CENTRE, CENTRE].reshape(-1, 100)
    chosen = images[order(len(images), seed=seed)[: sum(CMNIST_SIZES)]]
    rows: NDArray[Any]
    if reading == "grey":
        rows = chosen / 255.0
    else:
        rows = (chosen >= (128 if reading == "half" else 1)).astype(np.uint8)
    choice = "first 12,000 training digits" if seed is None else f"12,000 of all 70,000 by seed {seed}"
    provenance = Provenance(
        name="cmnist",
        source=f"{digits.provenance.source}; window after Arnold & Ollivier, section 3.1 (Cmnist)",
        reading=f"rows and columns 9-18, {reading}; {choice}; the document's own choice is unknown",
        counts=CMNIST_SIZES,
    )
    return Dataset(*split(rows, CMNIST_SIZES, None), provenance)


def sample_bits(probabilities: NDArray[Any], *, seed: int) -> NDArray[np.uint8]:
    """Return independent bits with the given probabilities of a one; NumPy's ``RandomState`` draws them.

    Shapes: any shape -> the same, uint8.

    Raises
    ------
    ValueError
        A probability is not in [0, 1].
    """
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError("probabilities has entries outside [0, 1] or NaN; grey levels over 255 are wanted")
    return (RandomState(seed).random_sample(probabilities.shape) < probabilities).astype(np.uint8)


def _part(stem: str, count: int, data_dir: Folder | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = _bytes_of(f"{stem}-images-idx3-ubyte", (count, 28, 28), data_dir)
    labels = _bytes_of(f"{stem}-labels-idx1-ubyte", (count,), data_dir)
    if labels.max() > 9:
        raise ValueError(f"{stem}-labels-idx1-ubyte: a label is {labels.max()}; digits 0-9 are wanted")
    return images, labels


def _bytes_of(stem: str, shape: tuple[int, ...], data_dir: Folder | None) -> NDArray[np.uint8]:
    path = data_file(f"{stem}.gz", stem, data_dir=data_dir, supply=_SUPPLY)
    array = read_idx(path, shape=shape)
    if array.dtype != np.uint8:
        raise ValueError(f"{path}: the numbers are {array.dtype}; uint8 is wanted")
    return array
