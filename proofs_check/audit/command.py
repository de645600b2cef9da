"""``exactgen audit TARGET``: the command, its tables and its JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import TargetError

DESCRIPTION = """\
Compare an implementation of a model with exact values, and name its mistakes.

TARGET is package.module:Class or path/file.py:Class: an adapter (a subclass of
exactgen.proofs_check.audit.protocol.Adapter), scikit-learn's BernoulliRBM, or a plain NumPy or PyTorch class.
Exit status: 0 nothing found, 1 findings, 2 wrong usage.

examples:
  exactgen audit sklearn.neural_network:BernoulliRBM --train digits
  exactgen audit coder.py:Audited --only log_mean_pass_grad --declare tied_weights=yes
docs/audit.md has this coder.py, an adapter in ten lines, and lists what can be declared.
What an adapter may offer: exactgen audit --quantities.
"""


def add_parser(subparsers: Any) -> None:
    """Add the command ``audit`` to the command line."""
    parser = subparsers.add_parser(
        "audit",
        help="compare an implementation with exact values, and name its mistakes",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    format_help = parser.format_help
    parser.format_help = lambda: f"{format_help()}\n{_names()}"
    parser.add_argument("target", metavar="TARGET")
    words = "list what an adapter may offer, and end"
    parser.add_argument("--quantities", action=_Quantities, nargs=0, help=words)
    for flag, metavar, words in (
        ("--only", "QUANTITY", "this quantity only (repeatable)"),
        ("--declare", "NAME=VALUE", "a convention: reduction=sum, chain=hidden ..."),
        ("--option", "NAME=ATTRIBUTE", "what a plain class calls it: lr=eta ..."),
    ):
        parser.add_argument(flag, action="append", default=[], metavar=metavar, help=words)
    words = "let it train on digits, and audit what it learnt"
    parser.add_argument("--train", choices=("digits", "cmnist"), help=words)
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the MNIST files, for --train cmnist")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON (- is standard output)")
    parser.set_defaults(run=run)


def _names() -> str:
    """Return the names under which an adapter may offer something, as ``--help`` lists them."""
    from ..quantity import asked_for, load

    own = f"quantities (exactgen audit --quantities tells more): {', '.join(load())}"
    others = f"and functions of the reference, with its arguments: {', '.join(asked_for())}"
    return "\n\n".join(textwrap.fill(text, 110) for text in (own, others)) + "\n"


class _Quantities(argparse.Action):
    """Print the table of quantities, as ``--help`` prints help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from .protocol import table

        print(table())
        parser.exit()


def run(args: argparse.Namespace) -> int:
    """Audit a target and return the exit status."""
    from ..quantity import implied
    from ..quantity import load as load_quantities
    from .adapters import adapt, load
    from .engine import audit
    from .training import digits, examine

    training = None
    try:
        unknown = sorted(set(args.only) - set(load_quantities()) - set(implied(args.only)))
        if unknown:
            raise TargetError(f"--only {', '.join(unknown)}: one of {', '.join(load_quantities())} is wanted")
        _check_writable(args.json)
        rows = digits(args.train, args.data_dir) if args.train else None
        adapter = adapt(
            load(args.target),
            options=_pairs("--option", args.option),
            declares=_pairs("--declare", args.declare),
        )
        said = [f" --{flag} {text}" for flag in ("declare", "option") for text in getattr(args, flag)]
        report = audit(adapter, target=args.target, only=args.only, flags="".join(said))
        if rows is not None:
            training = examine(adapter, report, *rows, data=args.train)
    except TargetError as problem:
        print(f"exactgen: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", ())[:1]:
            print(f"exactgen: while measuring {note}", file=sys.stderr)
        raise
    if args.json:
        text = json.dumps(as_json(report, training), indent=1) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
        else:
            from ...backends.files import write_whole

            write_whole(Path(args.json), text)
    if args.json != "-":
        print_report(report, training)
    return int(bool(report.findings))


def _check_writable(file: str | None) -> None:
    if file and file != "-" and (Path(file).is_dir() or not os.access(Path(file).parent, os.W_OK)):
        raise TargetError(f"{file} cannot be written")


def _pairs(flag: str, given: Sequence[str]) -> dict[str, str]:
    bad = [text for text in given if "=" not in text]
    if bad:
        raise TargetError(f"{flag} {bad[0]}: NAME=VALUE is wanted")
    return dict(text.split("=", 1) for text in given)


def as_json(report: Any, training: Any = None) -> dict[str, Any]:
    """Return the report as plain data, as ``data/schemas/audit.schema.json`` describes it."""
    findings = [{name: _plain(value) for name, value in vars(finding).items()} for finding in report.findings]
    return {
        "target": report.target,
        "verdict": report.verdict,
        "findings": findings,
        "right": report.right,
        "not_covered": report.not_covered,
        "statistical": report.statistical,
        "notes": report.notes,
        "training": asdict(training) if training else None,
    }


def _plain(value: Any) -> Any:
    """Return JSON's idea of a value: numbers that are not finite become words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def print_report(report: Any, training: Any = None) -> None:
    """Print the table of quantities, each finding with its smallest case, and the verdict."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    table = Table("quantity", "verdict", box=None, pad_edge=False)
    for name in report.right:
        table.add_row(name, "[green]right[/]" + (" (statistically)" if name in report.statistical else ""))
    for finding in report.findings:
        table.add_row(finding.quantity, f"[bold red]{finding.name}[/]")
    for name, why in report.not_covered.items():
        table.add_row(name, f"[dim]not covered: {escape(why)}[/]")
    console.print(table)
    for finding in report.findings:
        console.print(
            f"\n[bold red]{finding.name}[/] in {finding.quantity} ({finding.exactness})", style="bold"
        )
        console.print(f"  {escape(finding.words)}")
        console.print(f"  violates {escape(', '.join(map(cited, finding.statements)))}")
        if finding.alternatives:
            console.print(f"  these cases cannot tell it from: {', '.join(finding.alternatives)}")
        console.print(f"  smallest case: {escape(finding.case)}")
        console.print(f"    {escape(_numbers(finding.given))}", style="dim")
        console.print(
            f"  {escape(finding.entry)}: expected {_number(finding.expected)}, got {_number(finding.actual)}"
        )
        console.print(f"  reproduce: {escape(finding.reproduce)}")
    for note in report.notes:
        console.print(f"note: {escape(note)}")
    if training:
        _print_training(console, training)
    console.print(f"\n{escape(report.target)}: {report.verdict}", style="bold")


def _print_training(console: Any, training: Any) -> None:
    from .training import PER_CALL

    t = training
    console.print(
        f"\ntrained by itself on {t.data}, {t.rows} rows, {t.visible} x {t.hidden}, in exact numbers:"
    )
    console.print(f"  log Z = {t.log_partition:.6f}")
    console.print(
        f"  log-likelihood per row: train {t.train_log_likelihood:.4f}, "
        f"valid {t.valid_log_likelihood:.4f} nats (independent units: {t.independent_units:.4f})"
    )
    if t.short_batch:
        s = t.short_batch
        console.print(
            "  last batch of "
            if t.last_batch < s["chains"]
            else "  fit has no short batch of these rows; partial_fit with other row counts shows it: ",
            f"{s['rows']} rows beside {s['chains']} chains: its expected update is off by "
            f"{s['norm_measured_error']:.3f} in norm ({s['runs']} runs; unequal weights predict "
            f"{s['norm_predicted_error']:.3f}), the exact gradient has norm {s['norm_exact_gradient']:.3f}",
            sep="",
        )
    for size, passes in t.by_calls.items():
        numbers = ", ".join(f"{value:.1f} after {count}" for count, value in passes.items())
        console.print(f"  partial_fit by {PER_CALL} rows, batch_size={size}: train {numbers} passes")


def cited(statement: str) -> str:
    """Return a statement as it is cited: "[BA] alg. 2"."""
    document, _, place = statement.partition(".")
    kind = re.match(r"(eq|alg|fig|prop|thm|fn)(?=\d)", place)
    if kind:
        word = {"fn": "footnote", "prop": "proposition", "thm": "theorem"}.get(kind[0], f"{kind[0]}.")
        return f"[{document}] {word} {place[kind.end() :]}"
    return f"[{document}] {place.removeprefix('sec')}"


def _numbers(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in given.items())


def _number(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
