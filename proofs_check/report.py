"""Verdicts as tables for people, JSON for programs, and JUnit for test reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .check import Check, comparing, tolerance
from .ledger import DOCUMENTS
from .results import source_hash
from .runner import Options, Outcome
from .status import STATUSES, Verdict

_STYLES = {
    "failed": "bold red",
    "error": "bold red",
    "not covered": "yellow",
    "skipped": "yellow",
    "open": "dim",
    "fails as printed": "magenta",
    "fails without its condition": "cyan",
    "holds under a condition": "cyan",
    "holds in part": "yellow",
    "reproduced in part": "yellow",
    "not reproduced": "magenta",
    "undecided": "yellow",
}


def styled(status: str) -> str:
    """Return ``status`` with the colour it has in every table."""
    return f"[{_STYLES.get(status, 'green')}]{status}[/]"


def entry(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON."""
    statement = verdict.statement
    return {
        "id": statement.id,
        "kind": statement.kind,
        "status": verdict.status,
        "check": list(verdict.checks),
        "evidence": verdict.evidence,
    }


# --- verify ------------------------------------------------------------------------------------------------


def print_verdicts(console: Console, verdicts: Sequence[Verdict], outcomes: Mapping[str, Outcome]) -> None:
    """Print a row per statement that has a check, and the number of those that have none."""
    table = Table("statement", "status", "check", "cases", "seconds", box=None, pad_edge=False)
    for column in table.columns[3:]:
        column.justify = "right"
    for verdict in verdicts:
        for i, name in enumerate(verdict.checks):
            head = ("", "") if i else (verdict.statement.id, styled(verdict.status))
            table.add_row(*head, name, str(outcomes[name].examples), f"{outcomes[name].seconds:.2f}")
    if table.row_count:
        console.print(table)
    unchecked = [verdict.statement.id for verdict in verdicts if verdict.status == "open"]
    if unchecked:
        named = f": {', '.join(unchecked)}" if len(unchecked) <= 12 else ""
        console.print(f"{len(unchecked)} statements are open, without a check{named}", style="dim")


def print_details(console: Console, outcomes: Iterable[Outcome], checks: Mapping[str, Check]) -> None:
    """Print failures with their smallest case, refuted statements with their correction, and conditions."""
    for outcome in outcomes:
        if outcome.result != "passed" or outcome.counterexample is not None:
            console.print(f"\n[bold]{', '.join(outcome.statements)}[/]  {outcome.check}")
            check = checks[outcome.check]
            print_outcome(console, outcome, check.correction, assuming=check.assuming)


def print_judged(console: Console, verdicts: Iterable[Verdict]) -> None:
    """Print in a line each which statements' experiments did not confirm all their claims."""
    known = [verdict for verdict in verdicts if verdict.status in ("undecided", "not reproduced")]
    if known:
        console.print("\nexperiments that did not confirm every claim; exactgen explain ID tells which:")
    for verdict in known:
        told = verdict.evidence.partition("\n")[0].removeprefix(verdict.status)
        console.print(f"  [bold]{verdict.statement.id:12}[/]  {styled(verdict.status)}{escape(told)}")


def print_outcome(console: Console, outcome: Outcome, correction: str, *, assuming: str = "") -> None:
    """Print what a check found, and the correction of what it refutes, or its condition, unless empty."""
    ran = f"({_counted(outcome.examples, 'case')}, {outcome.seconds:.2f} s)"
    console.print(f"  {styled(outcome.result)} {ran} {escape(outcome.what)}".rstrip())
    _print_case(console, outcome.case, outcome.expected, outcome.actual)
    counter = outcome.counterexample
    if counter is not None:
        words = "fails without its condition" if assuming else "fails as printed"
        console.print(f"  {styled(words)}: {escape(counter.what)}")
        _print_case(console, counter.case, counter.expected, counter.actual)
        if correction:
            console.print(f"  verified instead: {escape(correction)}", soft_wrap=False)
        if assuming:
            console.print(f"  verified assuming: {escape(assuming)}", soft_wrap=False)


def _print_case(console: Console, case: str, expected: str, actual: str) -> None:
    if case:
        console.print(f"  smallest case: {escape(case)}")
    if expected or actual:
        console.print(f"  expected {escape(expected)}, got {escape(actual)}")


def print_summary(
    console: Console, verdicts: Sequence[Verdict], outcomes: Mapping[str, Outcome], options: Options
) -> None:
    """Print how many statements have each status, what became of mistakes, what tolerances stood for."""
    counts = summary(verdicts)
    console.print("\n" + "  ".join(f"{n} {styled(status)}" for status, n in counts.items()))
    mistakes = Counter(result for outcome in outcomes.values() for result in outcome.mistakes.values())
    if options.teeth and mistakes:
        told = ", ".join(f"{n} {escape(result)}" for result, n in mistakes.most_common())
        console.print(f"{_counted(mistakes.total(), 'mistake')} made: {told}")
    if options.dtype != "float64":
        with comparing(dtype=options.dtype):
            loose = f"1e-10 stood for {tolerance(1e-10):.1e}, 1e-12 for {tolerance(1e-12):.1e}"
        console.print(f"{options.dtype}: tolerances keep their share of the digits: {loose}", style="dim")


def summary(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return how many statements have each status that occurs."""
    counts = Counter(verdict.status for verdict in verdicts)
    return {status: counts[status] for status in STATUSES if counts[status]}


def verification(
    verdicts: Sequence[Verdict], outcomes: Mapping[str, Outcome], options: Options
) -> dict[str, Any]:
    """Return a run of ``exactgen verify`` as JSON."""
    from importlib.metadata import version

    return {
        "version": version("exactgen"),
        "source": source_hash(),
        "options": asdict(options),
        "summary": summary(verdicts),
        "statements": [entry(verdict) for verdict in verdicts],
        "checks": [outcome.as_json() for outcome in outcomes.values()],
    }


def junit(outcomes: Sequence[Outcome]) -> bytes:
    """Return the outcomes as a JUnit XML file: a test case per check."""
    from xml.etree import ElementTree

    results = Counter(outcome.result for outcome in outcomes)
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(results["failed"]),
        "errors": str(results["error"] + results["not covered"]),
        "skipped": str(results["skipped"]),
    }
    suite = ElementTree.Element("testsuite", {"name": "exactgen", **counts})
    suite.set("time", f"{sum(outcome.seconds for outcome in outcomes):.3f}")
    elements = {"failed": "failure", "error": "error", "not covered": "error", "skipped": "skipped"}
    for outcome in outcomes:
        name = f"{'+'.join(outcome.statements)}-{outcome.check}"
        case = ElementTree.SubElement(suite, "testcase", classname="exactgen.statements", name=name)
        case.set("time", f"{outcome.seconds:.3f}")
        if outcome.result in elements:
            bad = ElementTree.SubElement(case, elements[outcome.result], message=outcome.what)
            bad.text = f"expected {outcome.expected}, got {outcome.actual}\nsmallest case: {outcome.case}"
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


# --- coverage ----------------------------------------------------------------------------------------------


def print_coverage(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print how many statements of each document have each status."""
    counts = Counter((verdict.status, verdict.statement.document) for verdict in verdicts)
    documents = [key for key in DOCUMENTS if any(document == key for _, document in counts)]
    total = ["all"] if len(documents) > 1 else []
    table = Table("status", *documents, *total, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for status in STATUSES:
        row = [counts[status, document] for document in documents]
        if any(row):
            table.add_row(styled(status), *map(_count, row), *(str(sum(row)) for _ in total))
    totals = [sum(counts[status, document] for status in STATUSES) for document in documents]
    table.add_section()
    table.add_row("all", *map(str, totals), *(str(sum(totals)) for _ in total), style="bold")
    console.print(table)
    for key in documents:
        console.print(f"{key}  {DOCUMENTS[key]}", style="dim")


def print_statements(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print which statements have each status."""
    for status in STATUSES:
        if named := [verdict.statement.id for verdict in verdicts if verdict.status == status]:
            console.print(f"\n{styled(status)}: {', '.join(named)}", soft_wrap=False)


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _count(n: int) -> str:
    return str(n) if n else "·"
