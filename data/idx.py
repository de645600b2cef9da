"""The IDX format of the MNIST files: a four-byte magic, big-endian sizes, then the numbers."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str], *, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return the array of an IDX file, gzipped or plain (told apart by the first bytes, not by the name).

    Parameters
    ----------
    path
        The file.
    shape
        The shape that is wanted; None accepts any.

    Returns
    -------
    NDArray
        The file's own shape and number type (u/int8, int16, int32, float32, float64), in native byte order.

    Raises
    ------
    ValueError
        Bad gzip, wrong magic, short header, short data, bytes after the data, or not the wanted ``shape``.
    """
    path = Path(path)
    raw = _content(path)
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in IDX_TYPES or not 0 < raw[3] <= 32:
        raise ValueError(
            f"{path}: the first four bytes are {raw[:4].hex(' ') or 'missing'}; an IDX file has 00 00, a "
            f"type ({', '.join(f'{code:02x}' for code in IDX_TYPES)}) and the number of dimensions, 1 to 32"
        )
    start = 4 + 4 * raw[3]
    if len(raw) < start:
        raise ValueError(f"{path}: the header ends after {len(raw)} bytes; {raw[3]} dimensions need {start}")
    sizes = struct.unpack(f">{raw[3]}I", raw[4:start])
    dtype = np.dtype(IDX_TYPES[raw[2]])
    wanted, found = prod(sizes) * dtype.itemsize, len(raw) - start
    if found != wanted:
        fault = "truncated" if found < wanted else "followed by other bytes"
        raise ValueError(f"{path}: data {fault}: sizes {sizes} want {wanted} bytes, found {found}")
    if shape is not None and sizes != shape:
        raise ValueError(f"{path}: the array has shape {sizes}; {shape} is wanted")
    return np.frombuffer(raw, dtype, offset=start).reshape(sizes).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (gzip.BadGzipFile, EOFError, zlib.error, struct.error) as fault:
        raise ValueError(
            f"{path}: not a whole gzip file ({fault}); IDX, gzipped or plain, is wanted"
        ) from fault
