"""The documents' data sets: generated (Tea) or read from files that the caller supplies (MNIST, binary sets).

Loading is host-side work, so everything here is NumPy; move the arrays to a device with your own backend. No
data set is downloaded: a loader looks in ``data_dir=`` or, without it, in the folder that ``EXACTGEN_DATA``
names.
"""

from .baselines import (
    bernoulli_means,
    independent_bernoulli_baseline,
    perfect_baseline,
    shared_bernoulli_baseline,
    uniform_baseline,
)
from .binary_sets import BINARY_SETS, binary_set
from .digits import Digits, cmnist, mnist, sample_bits
from .idx import read_idx
from .sources import DATA_VARIABLE, MissingDataError, Provenance
from .splits import Dataset, Split, split
from .teapot import tea, tea_levels, tea_split

__all__ = [
    "BINARY_SETS",
    "DATA_VARIABLE",
    "Dataset",
    "Digits",
    "MissingDataError",
    "Provenance",
    "Split",
    "bernoulli_means",
    "binary_set",
    "cmnist",
    "independent_bernoulli_baseline",
    "mnist",
    "perfect_baseline",
    "read_idx",
    "sample_bits",
    "shared_bernoulli_baseline",
    "split",
    "tea",
    "tea_levels",
    "tea_split",
    "uniform_baseline",
]
