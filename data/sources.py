"""Where the files are, and where the numbers in them come from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

DATA_VARIABLE = "EXACTGEN_DATA"
"""Environment variable that names the data folder when ``data_dir=`` is not given."""

Folder = str | os.PathLike[str]


class Provenance(NamedTuple):
    """Who published a data set, how these arrays were made from it, and how many rows each part holds."""

    name: str
    source: str
    reading: str  # what was done to the published rows; also what is not known
    counts: tuple[int, ...]  # rows of train, valid, test; MNIST has only train and test


class MissingDataError(FileNotFoundError):
    """A data file is not where it was looked for; the message says how to supply it."""


def data_file(*names: str, data_dir: Folder | None, supply: str) -> Path:
    """Return the first of ``names`` that is a file in the data folder.

    Parameters
    ----------
    names
        Acceptable file names, the preferred one first.
    data_dir
        The folder; None means the one named by the environment variable ``EXACTGEN_DATA``.
    supply
        One sentence for the error message: what the file is and who publishes it.

    Raises
    ------
    MissingDataError
        No folder was named, or none of the names is a file in it.
    """
    wanted = " or ".join(names)
    folder = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE) or None
    if folder is None:
        raise MissingDataError(
            f"{wanted} is needed, but no data folder was named: name the one that holds it with --data-dir, "
            f"data_dir=... or the environment variable {DATA_VARIABLE}. {supply}"
        )
    for name in names:
        path = Path(folder) / name
        if path.is_file():
            return path
    origin = "data_dir" if data_dir is not None else DATA_VARIABLE
    kind = "" if Path(folder).is_dir() else ", which is not a folder"
    raise MissingDataError(
        f"{wanted} is missing; looked in {os.fspath(folder)} (from {origin}){kind}. Put the file there or "
        f"name another folder with --data-dir, data_dir=... or {DATA_VARIABLE}. {supply}"
    )
