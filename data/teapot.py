"""Tea: a pot and five cups that always share fifty units of tea ([AO] section 3.1)."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from .sources import Provenance
from .splits import Dataset, split

TEA_SIZES = (81, 81, 81)


def tea_levels() -> NDArray[np.int64]:
    """Return the number of full rows in the pot (column 0) and in the five cups (columns 1-5) of each image.

    A cup is two rows deep and holds 0, 1 or 2 of them; the pot is ten rows deep and holds what is left of
    ten. So the cups are free, there are 3^5 = 243 images, and the pot level is never out of range.

    Shapes: (243, 6), int64. The last cup changes fastest.   Source: [AO] section 3.1.
    """
    cups = np.array(list(product(range(3), repeat=5)), dtype=np.int64)
    return np.column_stack([10 - cups.sum(axis=1), cups])


def tea() -> NDArray[np.uint8]:
    """Return all 243 Tea images, one per row, 1 where there is tea.

    The left half of the 10 x 10 image is the pot (10 x 5), the right half the five cups (2 x 5 each, from top
    to bottom); tea lies at the bottom of its vessel and every image has 50 ones.

    Shapes: (243, 100), uint8, image rows one after another; reshape to (243, 10, 10) to look at them.
    Source: [AO] section 3.1. That text fixes the set of images, not their order nor the split.
    """
    levels = tea_levels()
    row = np.arange(10)
    pot = row >= 10 - levels[:, :1]
    cups = levels[:, 1 + row // 2] > 1 - row % 2  # even rows are a cup's upper half: wet only when it holds 2
    halves = np.stack([pot, cups], axis=-1)
    return np.repeat(halves, 5, axis=-1).reshape(243, 100).astype(np.uint8)


def tea_split(seed: int | None) -> Dataset:
    """Return the 243 images as 81 training, 81 validation and 81 test rows.

    ``seed=None`` keeps the order of `tea`: the first cup is then empty in every training row, half full in
    validation and full in test, a poor split. The document's own split is not known.

    Shapes: three of (81, 100), uint8.   Source: [AO] section 3.1.
    """
    provenance = Provenance(
        name="tea",
        source="generated after Arnold & Ollivier, section 3.1 (Tea)",
        reading=f"all fillings of five cups; split 81/81/81 by seed {seed}; the document's split is unknown",
        counts=TEA_SIZES,
    )
    return Dataset(*split(tea(), TEA_SIZES, seed), provenance)
