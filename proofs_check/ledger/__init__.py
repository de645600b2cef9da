"""The statements of the five documents: one YAML list per document, in document order.

An entry says what a statement is, never whether it is true: that is computed from the checks that ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

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
    return {name: statement for key in DOCUMENTS for name, statement in document(key).items()}


@cache
def document(key: str) -> Mapping[str, Statement]:
    """Return the statements of one document by id."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (resources.files(__name__) / f"{key}.yaml").read_text("utf-8")
    return parse(key, yaml.load(text, Loader=loader))


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


class UnknownStatementError(KeyError):
    """No statement has this id, nor begins with it; the message suggests near ones."""

    def __str__(self) -> str:
        return str(self.args[0])


def select(names: Iterable[str]) -> list[Statement]:
    """Return the statements that ``names`` select, in document order; all where there are no names.

    An id selects its statement, anything else all ids that begin with it (``AO``, ``BA.sec2``).

    Raises: UnknownStatementError for a name that selects nothing.
    """
    names = list(names)
    keys = {name.partition(".")[0] for name in names}
    if keys and keys <= set(DOCUMENTS):  # no other document is read
        statements: Mapping[str, Statement] = {
            name: statement for key in DOCUMENTS if key in keys for name, statement in document(key).items()
        }
    else:
        statements = load()
    chosen = set[str]()
    for name in names:
        found = [name] if name in statements else [known for known in statements if known.startswith(name)]
        if not found or not name:
            raise UnknownStatementError(f"no statement {name!r}{_hint(name)}")
        chosen.update(found)
    return [statement for statement in statements.values() if statement.id in chosen or not names]


def _hint(name: str) -> str:
    lower = {known.lower(): known for known in load()}
    near = [lower[match] for match in get_close_matches(name.lower(), lower, n=4, cutoff=0.6)]
    return f"; near: {', '.join(near)}" if near else f"; documents: {', '.join(DOCUMENTS)}"
