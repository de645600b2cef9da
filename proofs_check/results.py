"""The last results: one JSON file per user, of one version of the sources."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..backends.files import write_whole
from .runner import Outcome

_PACKAGE = Path(__file__).resolve().parent.parent


class Results(NamedTuple):
    """Outcomes by check, of the version of the sources that ``source`` names."""

    source: str
    when: str
    outcomes: dict[str, Outcome]
    seconds: dict[str, float]  # how long each check took when it last ran, of whatever version


@cache
def source_hash() -> str:
    """Return a name of this version of the sources: a hash of all code, statements and kept results."""
    digest = hashlib.sha256()
    for room in ("backends", "reference", "proofs_check", "data", "docs/reproduction"):
        for file in sorted((_PACKAGE / room).rglob("*")):
            if file.suffix in (".py", ".yaml", ".csv"):
                digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def default_file() -> Path:
    """Return where results are kept: ``exactgen/results.json`` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "exactgen" / "results.json"


def load(file: Path) -> Results | None:
    """Return the results kept in ``file``; None where there are none that can be read."""
    try:
        plain = json.loads(file.read_text("utf-8"))
        outcomes = {o["check"]: Outcome.from_json(o) for o in plain["checks"]}
        seconds = {name: float(taken) for name, taken in plain["seconds"].items()}
        return Results(plain["source"], plain["when"], outcomes, seconds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def fresh(file: Path) -> dict[str, Outcome]:
    """Return the outcomes in ``file`` that are of this version of the sources."""
    known = load(file)
    return known.outcomes if known and known.source == source_hash() else {}


def seconds(file: Path) -> dict[str, float]:
    """Return how long each check took when it last ran."""
    known = load(file)
    return known.seconds if known else {}


def save(file: Path, outcomes: Iterable[Outcome]) -> None:
    """Add ``outcomes`` to those in ``file`` of this version of the sources, and drop those of others.

    A skipped check says nothing new: it does not replace what an earlier run with the data found.
    """
    merged, taken = fresh(file), seconds(file)
    for outcome in outcomes:
        if outcome.result != "skipped":
            taken[outcome.check] = outcome.seconds
        if outcome.result != "skipped" or outcome.check not in merged:
            merged[outcome.check] = outcome
    plain = {
        "source": source_hash(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "checks": [outcome.as_json() for outcome in merged.values()],
        "seconds": taken,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(plain))
