"""Save nested tuples of arrays and numbers to one file, and read them back bit for bit.

The file is an NPZ without pickled objects, one entry for each array or number, named by its place
("theta.W", "optimizer.averages.0.1").  It is written beside its destination and moved there in one step: an
interrupted run leaves the last whole file, or none.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import array_api_compat
import numpy as np

from .arrays import array_namespace, from_numpy, to_numpy
from .files import write_whole


def save(path: str | Path, state: Any) -> None:
    """Write ``state``, nested (named) tuples of arrays, ints and floats, to ``path`` atomically."""
    content = io.BytesIO()
    entries = {name: _to_entry(name, leaf) for name, leaf in _leaves(state, "")}
    np.savez(content, allow_pickle=False, **entries)
    write_whole(path, content.getvalue())


def load(path: str | Path, *, like: Any) -> Any:
    """Return the state saved at ``path``, in the form, and on the backends and devices, of ``like``.

    Raises: FileNotFoundError; ValueError, naming the file and the entry, where it is corrupt or of another
    form.
    """
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            entries = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as problem:
        raise ValueError(f"{path} is no readable checkpoint: {problem}") from problem
    expected = [name for name, _ in _leaves(like, "")]
    if set(expected) != set(entries):
        raise ValueError(
            f"{path} holds another state: missing {sorted(set(expected) - set(entries))}, "
            f"unexpected {sorted(set(entries) - set(expected))}"
        )
    return _restore(like, entries, "", path)


def _leaves(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, tuple):
        yield name or "state", tree
        return
    for label, part in _parts(tree):
        yield from _leaves(part, f"{name}.{label}" if name else label)


def _parts(tree: tuple[Any, ...]) -> list[tuple[str, Any]]:
    labels = getattr(tree, "_fields", tuple(map(str, range(len(tree)))))
    return list(zip(labels, tree, strict=True))


def _to_entry(name: str, leaf: Any) -> np.ndarray[Any, Any]:
    if array_api_compat.is_array_api_obj(leaf):
        return to_numpy(leaf)
    if isinstance(leaf, (int, float)) and not isinstance(leaf, bool):
        return np.asarray(leaf)
    raise ValueError(f"{name} must be an array, an int or a float to be saved, got {type(leaf).__name__}")


def _restore(like: Any, entries: dict[str, np.ndarray[Any, Any]], name: str, path: str | Path) -> Any:
    if isinstance(like, tuple):
        parts = [
            _restore(part, entries, f"{name}.{label}" if name else label, path)
            for label, part in _parts(like)
        ]
        return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)
    saved = entries[name or "state"]
    if not array_api_compat.is_array_api_obj(like):
        return type(like)(saved.item())
    wanted = f"{tuple(like.shape)} {_dtype_name(like)}"
    if f"{saved.shape} {saved.dtype}" != wanted:
        raise ValueError(f"{path} holds {name} as {saved.shape} {saved.dtype}, {wanted} is wanted")
    return array_namespace(like).asarray(from_numpy(saved, like=like))


def _dtype_name(array: Any) -> str:
    return str(array.dtype).rsplit(".", maxsplit=1)[-1]
