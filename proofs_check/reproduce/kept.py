"""The results that the package brings along: models of a quick search, and what each entry tells of them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .claims import EXPERIMENTS, Verdict, kinds_of
from .command import FULL
from .models import DATA
from .pictures import PICTURES

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "reproduction"


@cache
def kept_models(data: str, kind: str) -> tuple[dict[str, Any], ...]:
    """Return the kept models of one kind on one data set, in the order of the search."""
    return tuple(read_table((FOLDER / f"{data}-{kind}.csv").read_text("utf-8")))


class Entry(NamedTuple):
    """What of an experiment a statement tells."""

    experiment: str
    claims: tuple[str, ...]  # the statements that make its claims
    data: tuple[str, ...]
    kinds: tuple[str, ...]
    of_best: bool = False  # only the claims on the best models

    def tells(self, verdict: Verdict) -> bool:
        """Return whether the verdict is on a claim of this entry."""
        return (
            verdict.claim in self.claims
            and verdict.data in self.data
            and set(verdict.kinds) <= set(self.kinds)
            and (verdict.of_best or not self.of_best)
        )


def entries() -> dict[str, Entry]:
    """Return what each experiment, each figure and the text of 3.3.3 tells."""
    found = {name: Entry(name, (name,), DATA, kinds_of(name)) for name in EXPERIMENTS}
    found["AO.sec3.3.3a"] = found["AO.exp3"]._replace(claims=("AO.exp3", "AO.sec3.3.3a"))
    for name, picture in PICTURES.items():
        kinds = (*picture.kinds, *picture.beside)
        found[name] = Entry(picture.experiment, (picture.experiment,), (picture.data,), kinds, picture.front)
    return found


def summary(verdicts: Iterable[Verdict], models: int) -> str:
    """Return in one line how many claims were judged, by how many models, and how many how."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    words = [f"{counts[word]} {word}" for word in ("confirmed", "undecided", "contradicted") if counts[word]]
    return f"{models:,} models a class (the document: {FULL:,}); claims: {', '.join(words)}"


def line(verdict: Verdict) -> str:
    """Return a verdict in one line: where, which, on what, by which numbers."""
    numbers = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in verdict.evidence.items())
    return f"{verdict.data:6}  {verdict.verdict:12}  {verdict.says} ({numbers})"


def table(models: Sequence[Any]) -> str:
    """Return models as CSV: every number to its last digit."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(models[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(models)
    return text.getvalue()


def read_table(text: str) -> list[dict[str, Any]]:
    """Return the models of a CSV: the inverse of ``table``."""
    return [{name: _plain(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _plain(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
