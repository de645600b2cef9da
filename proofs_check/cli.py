"""The command line: ``exactgen verify | explain | coverage | audit | reproduce``."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Nothing heavy is imported here: --help answers at once, and bad usage is refused before anything is loaded.
from ..backends import BACKENDS
from ..backends.files import is_writable, write_whole
from .audit import command as audit_command
from .ledger import DOCUMENTS
from .reproduce import command as reproduce_command
from .status import STATUSES
from .workers import WorkerDied, cores, one_thread_each

if TYPE_CHECKING:
    from rich.console import Console

    from .check import Check
    from .runner import Options, Outcome

EXTRAS = ("hypothesis", "matplotlib", "rich", "yaml")
STARTING, GUESS = 1.0, 0.5  # seconds: of a worker until its first check runs, of a check that never ran

EXAMPLES = """\
examples:
  exactgen verify                         all statements that have a check
  exactgen verify BA.eq3 AO.prop --teeth  one statement and a prefix; and mistakes must be rejected
  exactgen verify BA --dtype float32 --backend torch
  exactgen explain BA.eq7                 what it says, what computes it, what its check found
  exactgen explain BA.alg1 --figure gibbs.png
  exactgen coverage                       statements by document and status
  exactgen coverage AO.exp AO.fig         of these, and which statement has which status
  exactgen audit sklearn.neural_network:BernoulliRBM
  exactgen reproduce AO.fig5 --jobs 2     random searches on Tea, their figure, a verdict on its claim

exit status: 0 clean, 1 something failed or was found, 2 wrong usage, 130 interrupted
"""

LISTS = "\n".join(
    [
        "documents:",
        *(f"  {key}  {title}" for key, title in DOCUMENTS.items()),
        "",
        *textwrap.wrap(f"statuses: {', '.join(STATUSES)}", 79, subsequent_indent="  "),
    ]
)


class UsageError(Exception):
    """The command line asks for what there is not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``exactgen`` and return its exit status."""
    args = _parser().parse_args(argv)
    if args.command != "audit":  # which runs the user's code, in the user's threads
        one_thread_each()
    try:
        status = int((audit_command.run if args.command == "audit" else args.run)(args))
        sys.stdout.flush()  # or a reader that went away would be noticed after the last line
        return status
    except UsageError as problem:
        print(f"exactgen: {problem}", file=sys.stderr)
    except ModuleNotFoundError as problem:
        name = (problem.name or "").partition(".")[0]
        if name not in EXTRAS:
            raise
        print(f"exactgen: {name} is not installed: pip install 'exactgen[verify]'", file=sys.stderr)
    except WorkerDied as problem:
        print(f"exactgen: {problem}; nothing was written", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return _unread()
    except SystemExit as leaving:  # the code audited may say so: that is no verdict
        if isinstance(leaving.__context__, BrokenPipeError):  # so does rich
            return _unread()
        print(f"exactgen: stopped by exit({leaving.code!r}) in the code at hand", file=sys.stderr)
    except KeyboardInterrupt:
        print("exactgen: interrupted, nothing was written", file=sys.stderr)
        return 130
    return 2


def _unread() -> int:
    """Return the exit status where whoever read the output went away; nothing more is written to it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exactgen",
        description="Verify the statements of five documents on deep generative models; audit other code.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)

    lists: Any = {"epilog": LISTS, "formatter_class": argparse.RawDescriptionHelpFormatter}

    verify = commands.add_parser("verify", help="check statements", description=_verify.__doc__, **lists)
    verify.add_argument("names", nargs="*", metavar="ID", help="an id (AO.prop7) or a prefix (AO, BA.sec2)")
    verify.add_argument(
        "--teeth", action="store_true", help="the mistakes that a check names must be rejected too"
    )
    verify.add_argument("--quick", action="store_true", help="a fifth of the generated cases")
    verify.add_argument("--examples", type=_positive, metavar="N", help="generated cases per check")
    verify.add_argument("--backend", choices=BACKENDS, default="numpy", help="arrays of the generated cases")
    verify.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="and their dtype")
    verify.add_argument("--json", metavar="FILE", help="write the results as JSON; - is standard output")
    verify.add_argument("--junit", metavar="FILE", help="write a JUnit report")
    verify.set_defaults(run=_verify)

    explain = commands.add_parser("explain", help="tell all about a statement", description=_explain.__doc__)
    explain.add_argument("name", metavar="ID", help="an id, as AO.prop7; exactgen coverage AO lists them")
    explain.add_argument("--figure", metavar="FILE", help="draw it, where there is a picture (png, svg, pdf)")
    explain.add_argument("--json", metavar="FILE", help="write it as JSON; - is standard output")
    explain.set_defaults(run=_explain)

    coverage = commands.add_parser(
        "coverage",
        help="count statements by status",
        description=inspect.cleandoc(_coverage.__doc__ or ""),
        **lists,
    )
    coverage.add_argument("names", nargs="*", metavar="ID", help="an id or a prefix, as of verify")
    coverage.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="list id, kind, status and checks of each statement; standard output without FILE",
    )
    coverage.set_defaults(run=_coverage)

    for command in (verify, explain, coverage):
        command.add_argument(
            "--data-dir", metavar="DIR", help="folder of the data sets (else $EXACTGEN_DATA)"
        )
        command.add_argument("--results", metavar="FILE", help="where the last results are kept")
        words = "processes (default: as many as cores, where there is work for them)"
        command.add_argument("-j", "--jobs", type=_positive, metavar="N", help=words)
    audit_command.add_parser(commands)
    reproduce_command.add_parser(commands)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is wanted, got {text!r}")
    return int(text)


# --- commands ----------------------------------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    """Run the checks of the statements named, of all without names, and report what they found."""
    from . import report
    from .checks import load_checks
    from .runner import Options
    from .status import verdict

    statements = _select(args.names)
    _prepare(args, args.json, args.junit)
    _try_backend(args.backend)
    console = _console(args.json)
    options = Options(args.examples, args.quick, args.teeth, args.backend, args.dtype)
    checks = load_checks([statement.id for statement in statements])
    outcomes = _run(args, checks, options)
    verdicts = [verdict(statement, checks, outcomes) for statement in statements]

    report.print_verdicts(console, verdicts, outcomes)
    report.print_details(console, outcomes.values(), checks)
    report.print_judged(console, verdicts)
    report.print_summary(console, verdicts, outcomes, options)
    if (args.backend, args.dtype) == ("numpy", "float64"):
        _keep(args, outcomes)
    if args.json:
        _write(args.json, _json(report.verification(verdicts, outcomes, options)))
    if args.junit:
        _write(args.junit, report.junit(list(outcomes.values())))
    return int(any(outcome.result not in ("passed", "skipped") for outcome in outcomes.values()))


def _explain(args: argparse.Namespace) -> int:
    """Tell what a statement says, which functions compute it, and what its checks found.

    Checks without a result for these sources are run first, with a fifth of their cases.
    """
    from . import explain, figures, results
    from .checks import load_checks

    statement = _select([args.name])[0]
    if statement.id != args.name:
        raise UsageError(f"{args.name!r} is no id but a prefix; the first it selects is {statement.id}")
    _prepare(args, args.json, args.figure)
    load_checks()  # all of them: some bring pictures
    checks = load_checks([statement.id])
    picture = figures.FIGURES.get(statement.id)
    if args.figure and picture is None:
        raise UsageError(f"{statement.id} has no picture; these have: {', '.join(figures.FIGURES)}")
    known = results.load(_results_file(args))
    outcomes, ran = _known_or_quick(args, checks)
    last = (
        "none: no check yet"
        if not checks
        else f"of {known.when}"
        if known and not ran
        else "run now, quickly"
    )
    if ran and known:
        last += f"; that of {known.when} was of other sources or of other checks"
    told = explain.explain(statement, checks, outcomes, last)
    explain.print_explanation(_console(args.json), told, outcomes, drawn=args.figure)
    if args.json:
        _write(args.json, _json(told))
    if args.figure and picture:
        try:
            _write(args.figure, figures.render(picture, Path(args.figure).suffix.removeprefix(".") or "png"))
        except ValueError as problem:
            raise UsageError(f"--figure: {problem}") from problem
    return int(told["status"] == "failed")


def _coverage(args: argparse.Namespace) -> int:
    """Count statements, all without names, by document and status; of names also say which has which.

    Checks without a result for these sources are run first, with a fifth of their cases.
    """
    from . import report
    from .checks import load_checks
    from .status import verdict

    statements = _select(args.names)
    _prepare(args, args.json)
    checks = load_checks([statement.id for statement in statements])
    outcomes, _ = _known_or_quick(args, checks)
    verdicts = [verdict(statement, checks, outcomes) for statement in statements]
    if args.json:
        _write(args.json, _json([report.entry(v) for v in verdicts]))
    if args.json != "-":
        report.print_coverage(_console(None), verdicts)
        if args.names:
            report.print_statements(_console(None), verdicts)
    return int(any(v.status == "failed" for v in verdicts))


# --- what the commands share -------------------------------------------------------------------------------


def _select(names: Sequence[str]) -> list[Any]:
    from . import ledger

    try:
        return ledger.select(names)
    except ledger.UnknownStatementError as problem:
        raise UsageError(str(problem)) from problem


def _prepare(args: argparse.Namespace, *outputs: str | None) -> None:
    """Refuse what cannot be read or written before any work is done; hand the data folder to workers too."""
    if args.data_dir is not None:
        if not Path(args.data_dir).is_dir():
            raise UsageError(f"--data-dir: {args.data_dir} is not a folder")
        os.environ["EXACTGEN_DATA"] = args.data_dir
    for file in outputs:
        if file and file != "-" and not is_writable(file):
            raise UsageError(f"{file} cannot be written")


def _try_backend(name: str) -> None:
    from ..backends.arrays import load_backend

    try:
        load_backend(name).asarray([0.0])
    except Exception as problem:  # a framework without its device raises errors of its own
        raise UsageError(f"--backend {name}: {problem}") from problem


def _console(json_file: str | None) -> Console:
    """Return where tables go: standard output, unless JSON goes there."""
    from rich.console import Console

    console = Console(stderr=json_file == "-", highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 140  # a file or a pipe: room for the table
    return console


def _run(args: argparse.Namespace, checks: Mapping[str, Check], options: Options) -> dict[str, Outcome]:
    """Return the outcomes by check, in their order, with progress on standard error.

    Checks that took long are begun first, after those that never ran, so that the processes end together.
    """
    from rich.console import Console
    from rich.progress import Progress

    from . import results
    from .runner import run_checks

    results.source_hash()  # of the sources that run, whatever is edited meanwhile
    taken = results.seconds(_results_file(args))
    order = sorted(checks.values(), key=lambda check: -taken.get(check.name, float("inf")))
    jobs = args.jobs or _worth_starting([taken.get(name, GUESS) for name in checks], teeth=options.teeth)
    found = {}
    console = Console(stderr=True)
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        closing(run_checks(order, options, jobs=jobs)) as outcomes,
    ):
        task = progress.add_task("checks", total=len(checks))
        for outcome in outcomes:
            found[outcome.check] = outcome
            progress.update(task, advance=1, description=outcome.check)
    return {name: found[name] for name in checks}


def _worth_starting(seconds: Collection[float], *, teeth: bool) -> int:
    """Return how many processes to start for checks that take so long: none for less than it takes to start.

    Teeth take several times as long.
    """
    work = sum(seconds) * (10 if teeth else 1)
    return max(1, min(cores(), int(work / STARTING)))


def _known_or_quick(args: argparse.Namespace, checks: Mapping[str, Check]) -> tuple[dict[str, Outcome], bool]:
    """Return outcomes for these sources, and whether some had to be run for that (data may be here now)."""
    from . import results
    from .runner import Options

    known = {name: o for name, o in results.fresh(_results_file(args)).items() if o.result != "skipped"}
    missing = {name: check for name, check in checks.items() if name not in known}
    ran = _run(args, missing, Options(quick=True)) if missing else {}
    _keep(args, ran)
    return {name: ran.get(name) or known[name] for name in checks}, bool(ran)


def _results_file(args: argparse.Namespace) -> Path:
    from . import results

    return Path(args.results) if args.results else results.default_file()


def _keep(args: argparse.Namespace, outcomes: Mapping[str, Outcome]) -> None:
    from . import results

    try:
        if outcomes:
            results.save(_results_file(args), outcomes.values())
    except OSError as problem:
        print(f"exactgen: the results are not kept: {problem}", file=sys.stderr)


def _json(plain: Any) -> str:
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def _write(file: str, content: str | bytes) -> None:
    if file == "-":
        sys.stdout.write(content if isinstance(content, str) else content.decode())
        return
    try:
        write_whole(file, content)
    except OSError as problem:
        raise UsageError(f"{file} cannot be written: {problem}") from problem
