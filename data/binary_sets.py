"""Binary sets of the field, each one NPZ file with arrays ``train``, ``valid`` and ``test``."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .sources import Folder, Provenance, data_file
from .splits import Dataset

PARTS = ("train", "valid", "test")


class BinarySet(NamedTuple):
    """What a file must hold: columns, rows of train, valid and test; and whose data it is."""

    columns: int
    counts: tuple[int, int, int]
    source: str


_UCI = "; binary coding of the LIBSVM page, split of Larochelle & Murray (NADE, 2011)"
_DEBD = "; binary coding and split of Lowd & Davis (ICDM 2010)"
BINARY_SETS = {
    "adult": BinarySet(123, (5000, 1414, 26147), f"UCI Adult (Becker & Kohavi){_UCI}"),
    "connect4": BinarySet(126, (16000, 4000, 47557), f"UCI Connect-4 (Tromp){_UCI}"),
    "dna": BinarySet(180, (1400, 600, 1186), f"UCI Molecular Biology, splice junctions{_UCI}"),
    "mushrooms": BinarySet(112, (2000, 500, 5624), f"UCI Mushroom{_UCI}"),
    "nltcs": BinarySet(16, (16181, 2157, 3236), f"National Long Term Care Survey{_DEBD}"),
    "plants": BinarySet(69, (17412, 2321, 3482), f"UCI Plants{_DEBD}"),
    "binarized_mnist": BinarySet(
        784,
        (50000, 10000, 10000),
        "MNIST bits drawn once (Salakhutdinov & Murray, 2008), files of Larochelle",
    ),
}


def binary_set(name: str, *, data_dir: Folder | None = None) -> Dataset:
    """Return the named binary set, read from ``{name}.npz`` and checked against `BINARY_SETS`.

    Shapes: three of (rows, columns) as `BINARY_SETS` states, uint8, every entry 0 or 1.

    Raises
    ------
    MissingDataError
        The file is missing.
    ValueError
        The name is unknown; the file is not a whole NPZ without pickles, lacks an array, has other counts, or
        holds a value that is neither 0 nor 1.
    """
    if name not in BINARY_SETS:
        raise ValueError(f"name is {name!r}; one of {', '.join(sorted(BINARY_SETS))} is wanted")
    entry = BINARY_SETS[name]
    wanted = ", ".join(f"{part} {(n, entry.columns)}" for part, n in zip(PARTS, entry.counts, strict=True))
    supply = f"It is an NPZ file of 0/1 arrays {wanted}: {entry.source}."
    path = data_file(f"{name}.npz", data_dir=data_dir, supply=supply)
    parts = []
    for part, array, count in zip(PARTS, _read_npz(path), entry.counts, strict=True):
        if array.shape != (count, entry.columns):
            raise ValueError(f"{path}: {part} has shape {array.shape}; {(count, entry.columns)} is wanted")
        parts.append(_bits(array, f"{path}: {part}"))
    train, valid, test = parts
    return Dataset(train, valid, test, Provenance(name, entry.source, "as supplied", entry.counts))


def _read_npz(path: Path) -> list[NDArray[Any]]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            missing = [part for part in PARTS if part not in archive.files]
            if not missing:
                return [archive[part] for part in PARTS]
            found = ", ".join(archive.files) or "no arrays"
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as fault:
        raise ValueError(
            f"{path}: not a whole NPZ of plain numbers ({fault}); an archive of {', '.join(PARTS)} is wanted"
        ) from fault
    wanted = ", ".join(PARTS)
    raise ValueError(f"{path}: array {', '.join(missing)} is missing, found {found}; {wanted} are wanted")


def _bits(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{where} has dtype {array.dtype}; numbers 0 and 1 are wanted")
    strange = array[(array != 0) & (array != 1)]
    if strange.size:
        raise ValueError(f"{where} holds {strange.size} values such as {strange[0]}; only 0 and 1 are wanted")
    return array.astype(np.uint8)
