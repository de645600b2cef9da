"""Files written whole or not at all: an interrupted run leaves the last whole file, or none."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(file: str | Path, content: str | bytes) -> None:
    """Write ``content`` to ``file`` through a temporary file beside it, which takes its place in one step."""
    file, data = Path(file), content.encode() if isinstance(content, str) else content
    if file.exists() and not file.is_file():  # /dev/null is written to, never replaced
        file.write_bytes(data)
        return
    handle, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, file)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


def is_writable(file: str | Path) -> bool:
    """Return whether ``file`` is no folder and its folder takes new files: asked before any work is done."""
    file = Path(file)
    return not file.is_dir() and os.access(file.parent, os.W_OK)
