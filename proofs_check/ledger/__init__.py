"""The statements of the five documents: one YAML list per document, in document order.

An entry says what a statement is, never whether it is true: that is computed from the checks that ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

DOCUMENTS = {
    "AO": "Arnold & Ollivier, Layer-wise training of deep generative models",
    "SH": "Shabanian, Bidirectional Helmholtz machines (thesis)",
    "BP": "Bachman & Precup, Training deep generative models: variations on a theme",
    "BA": "Baumann, An introduction to deep generative models",
    "AL": "Alain, Auto-encoders, importance sampling and probes (thesis)",
}


class Statement(NamedTuple):
    """One statement of a document."""

    id: str
    kind: str  # definition, equation, theorem, prose-claim, algorithm, figure, ...
    where: str
    says: str  # a paraphrase, with the formula

    @property
    def document(self) -> str:
        """The key of the document."""
        return self.id.partition(".")[0]


@cache
def load() -> Mapping[str, Statement]:
    """Return all statements by id, document by document."""
    statements: dict[str, Statement] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for key in DOCUMENTS:
        text = (resources.files(__name__) / f"{key}.yaml").read_text("utf-8")
        statements.update(parse(key, yaml.load(text, Loader=loader)))
    return statements


def parse(document: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, Statement]:
    """Return the statements of one document by id.

    Raises: ValueError for a missing, empty or unknown field, an id twice, or an id of another document.
    """
    statements: dict[str, Statement] = {}
    for entry in entries:
        name = entry.get("id", "(no id)")
        missing = [f for f in Statement._fields if not (isinstance(entry.get(f), str) and entry[f].strip())]
        if missing or set(entry) - set(Statement._fields):
            raise ValueError(
                f"{document}.yaml, {name}: fields must be {Statement._fields}, got {tuple(entry)}"
            )
        statement = Statement(**entry)
        if statement.document != document:
            raise ValueError(f"{document}.yaml holds {name}: an id begins with the document's key and a dot")
        if name in statements:
            raise ValueError(f"{document}.yaml holds {name} twice")
        statements[name] = statement
    return statements
