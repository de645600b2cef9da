"""All there is to know of one statement: what it says, what computes it, and what its checks found."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from .check import Check
from .figures import FIGURES
from .ledger import DOCUMENTS, Statement
from .report import print_outcome, styled
from .runner import Outcome
from .status import verdict

_PACKAGE = Path(__file__).resolve().parent.parent


def explain(
    statement: Statement, checks: Mapping[str, Check], outcomes: Mapping[str, Outcome], last: str
) -> dict[str, Any]:
    """Return what is known of ``statement`` as plain data; ``last`` says what ``outcomes`` are."""
    known = verdict(statement, checks, outcomes)
    return {
        **statement._asdict(),
        "document": DOCUMENTS[statement.document],
        "status": known.status,
        "evidence": known.evidence,
        "last_result": last,
        "figure": statement.id in FIGURES,
        "checks": [_check(checks[name], outcomes[name]) for name in known.checks],
    }


def _check(check: Check, outcome: Outcome) -> dict[str, Any]:
    return {
        "name": check.name,
        "where": place(check.run),
        "says": inspect.cleandoc(check.doc),
        "evidence": str(check.evidence),
        "implementation": {name: place(getattr(check.implementation, name)) for name in outcome.uses},
        "mistakes": {m.label: outcome.mistakes.get(m.label, "not made") for m in check.mistakes()},
        "correction": check.correction,
        "assuming": check.assuming,
        "uncovered": dict(check.uncovered),
        "result": outcome.as_json(),
    }


def place(thing: Any) -> str:
    """Return file:line of a function or class of this package."""
    source = inspect.unwrap(thing)
    file = Path(inspect.getsourcefile(source) or "?")
    name = file.relative_to(_PACKAGE) if file.is_relative_to(_PACKAGE) else file
    lines, first = inspect.getsourcelines(source)
    decorators = next((k for k, line in enumerate(lines) if line.startswith(("def ", "class "))), 0)
    return f"{name.as_posix()}:{first + decorators}"


def print_explanation(
    console: Console, known: Mapping[str, Any], outcomes: Mapping[str, Outcome], *, drawn: str | None = None
) -> None:
    """Print what ``explain`` returned; ``drawn`` is the file of its picture, where one was asked for."""
    console.print(f"[bold]{known['id']}[/]  {known['kind']}, {escape(known['where'])}")
    console.print(escape(known["document"]), style="dim")
    console.print(f"\n{escape(known['says'])}\n", soft_wrap=False)
    evidence = known["evidence"].partition("\n")[0]  # the rest is told where it was found
    told = evidence.removeprefix(known["status"])  # some begin with it
    told = f": {told.removeprefix('holds ')}" if told == evidence else told
    console.print(f"status       {styled(known['status'])}{escape(told)}", soft_wrap=False)
    console.print(f"last result  {known['last_result']}")
    for check in known["checks"]:
        console.print(f"\n[bold]check {check['name']}[/]  {check['where']}")
        console.print(escape(check["says"]) or "(no description)")
        console.print(escape(f"if it passes: {check['evidence']}"))
        for name, where in check["implementation"].items():
            console.print(f"  computed by {name}  {where}")
        ran = {mistake: result for mistake, result in check["mistakes"].items() if result != "not made"}
        for mistake, result in ran.items():
            console.print(f"  mistake: {escape(mistake)}  [dim]{escape(result)}[/]")
        if rest := "; ".join(mistake for mistake in check["mistakes"] if mistake not in ran):
            command = f"exactgen verify {known['id']} --teeth"
            console.print(f"  mistakes, made by {command}: {escape(rest)}", soft_wrap=False)
        # What holds instead of a statement is told above, as its status.
        correction = "" if check["correction"] in known["evidence"] else check["correction"]
        print_outcome(console, outcomes[check["name"]], correction, assuming=check["assuming"])
        if found := outcomes[check["name"]].found.get(known["id"]):
            console.print(escape(f"  {found}".replace("\n", "\n    ")))
    if known["figure"]:
        where = drawn or f"exactgen explain {known['id']} --figure FILE.png"
        console.print(f"\na picture: {escape(where)}", style="dim")
