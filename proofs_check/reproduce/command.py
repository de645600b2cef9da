"""``exactgen reproduce ID ...``: the experiments of [AO] section 3, as figures, tables and verdicts."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Run the experiments of Arnold & Ollivier, section 3, again: random searches of two-layer models on Tea and
CMNIST, their figures, and a verdict on each claim with its evidence.

ID is a figure (AO.fig3), an experiment (AO.exp1), the search space (AO.tab1), or AO for all of them.  Models
are trained once and kept; an interrupted run goes on where it was.
"""
SEED = 1
QUICK, FULL = 60, 1000


def add_parser(subparsers: Any) -> None:
    """Add the command ``reproduce`` to the command line."""
    parser = subparsers.add_parser(
        "reproduce",
        help="run the documents' experiments again, and judge their claims",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="ID", help="what to reproduce, see above")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_true", help=f"{QUICK} models of each class and data set (default)"
    )
    size.add_argument("--full", action="store_true", help=f"{FULL} models, as the document")
    size.add_argument("--models", type=int, metavar="N", help="N models of each class and data set")
    parser.add_argument(
        "--rates",
        choices=("row", "mean"),
        default="row",
        help="a learning rate is of a row (default: the document names no batches), or of a batch's mean",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="processes")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a dask scheduler (extra: dask)")
    parser.add_argument(
        "--out",
        default="reproduction",
        metavar="DIR",
        help="where models, tables, figures and verdicts go (default: reproduction)",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the MNIST files (else $EXACTGEN_DATA)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Reproduce what is named and return the exit status."""
    from ...data import MissingDataError
    from ..sweeps import SweepError

    if args.data_dir:
        os.environ["EXACTGEN_DATA"] = args.data_dir
    try:
        _reproduce(args)
    except KeyboardInterrupt:
        print(
            f"exactgen: interrupted; what was trained is kept in {args.out}, run it again to go on",
            file=sys.stderr,
        )
        return 130
    except SweepError as problem:
        print(f"exactgen: {problem}", file=sys.stderr)
        return 1
    except (ValueError, MissingDataError, OSError) as problem:
        print(f"exactgen: {problem}", file=sys.stderr)
        return 2
    return 0


def _reproduce(args: argparse.Namespace) -> None:
    from rich.console import Console

    from .claims import kinds_of, verdicts
    from .kept import table
    from .models import rows
    from .pictures import PICTURES, SAMPLES

    names = select(args.names)
    models = FULL if args.full else QUICK if args.models is None else args.models
    if models < 1 or args.jobs < 1:
        raise ValueError("--models and --jobs must be at least 1")
    out, console = Path(args.out), Console(highlight=False, soft_wrap=True)
    if "AO.tab1" in names:
        _print_space(console)
    if names == ["AO.tab1"]:  # nothing to run or to write
        return
    out.mkdir(parents=True, exist_ok=True)
    judged = sorted(
        {key for name in names for key in _judged_by(name)}, key=lambda key: (int(key[0][6:]), key[1])
    )
    for data in {data for _, data in judged} | {SAMPLES[name] for name in names if name in SAMPLES}:
        rows(data, 0)  # a missing file is told of before hours of training
    needed = {(data, kind) for claim, data in judged for kind in kinds_of(claim)}
    trained = _train(sorted(needed), models, args)
    for (data, kind), found in trained.items():
        _write(out / f"{data}-{kind}.csv", table(found))
    by_data = {
        data: {k: found for (d, k), found in trained.items() if d == data} for data in ("tea", "cmnist")
    }
    all_verdicts = []
    for claim, data in judged:
        these = {kind: by_data[data][kind] for kind in kinds_of(claim)}
        all_verdicts += (found := verdicts(claim, data, these, baselines(data)))
        text = json.dumps([verdict._asdict() for verdict in found], indent=1)
        _write(out / f"{claim}.{data}.json", text + "\n")
    for name in names:
        if name in PICTURES:
            _write(out / f"{name}.png", _figure(name, by_data[PICTURES[name].data]))
        elif name in SAMPLES:
            _write(out / f"{name}.png", _samples(SAMPLES[name]))
    if all_verdicts:
        _print_verdicts(console, names, all_verdicts, models)
    console.print(f"figures, tables and verdicts: {out}")


def select(names: Sequence[str]) -> list[str]:
    """Return the figures, experiments and tables that these ids and prefixes name, in order.

    An experiment brings its figures.
    Raises: ValueError for a name of nothing that can be reproduced.
    """
    from .claims import EXPERIMENTS
    from .pictures import PICTURES, SAMPLES

    known = ["AO.tab1", *SAMPLES, *PICTURES, *EXPERIMENTS]
    chosen = set[str]()
    for name in names:
        found = [name] if name in known else [one for one in known if one.startswith(f"{name}.")]
        if not found:
            raise ValueError(f"{name!r} cannot be reproduced; these can: AO, {', '.join(known)}")
        chosen.update(found)
    chosen.update(figure for figure, picture in PICTURES.items() if picture.experiment in chosen)
    return [name for name in known if name in chosen]


def baselines(data: str) -> dict[str, float]:
    """Return the log-likelihoods of the document's simple models, on the validation rows."""
    from ...data import independent_bernoulli_baseline, perfect_baseline, uniform_baseline
    from .models import rows

    train, valid = rows(data, 0)
    # Unsmoothed, three Tea splits in five give a validation row the probability zero.
    found = {
        "uniform": uniform_baseline(train.shape[1]),
        "bernoulli": independent_bernoulli_baseline(train, valid, smoothing=0.5),
    }
    return {**found, "perfect": perfect_baseline(243)} if data == "tea" else found


def _judged_by(name: str) -> list[tuple[str, str]]:
    """Return the experiments, with their data set, that a figure or an experiment asks a verdict of."""
    from .claims import EXPERIMENTS
    from .models import DATA
    from .pictures import PICTURES

    if name in PICTURES:
        return [(PICTURES[name].experiment, PICTURES[name].data)]
    return [(name, data) for data in DATA] if name in EXPERIMENTS else []


def _train(
    needed: Sequence[tuple[str, str]], models: int, args: argparse.Namespace
) -> dict[tuple[str, str], Any]:
    from rich.console import Console
    from rich.progress import Progress

    from ..sweeps import sweep
    from .models import plan
    from .models import run as train

    executor, console, trained = _cluster(args.scheduler), Console(stderr=True), {}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for data, kind in needed:
            task = progress.add_task(f"{data} {kind}", total=models)
            trained[data, kind] = sweep(
                train,
                plan(kind, data, models, seed=SEED, rates=args.rates),
                seed=SEED,
                folder=Path(args.out) / "models" / f"{data}-{kind}-{models}",
                executor=executor,
                jobs=args.jobs,
                progress=partial(_show, progress, task),
            )
    return trained


def _show(progress: Any, task: Any, done: int, _: int) -> None:
    progress.update(task, completed=done)


def _cluster(address: str | None) -> Any:
    """Return the executor of a dask cluster, None without an address."""
    if address is None:
        return None
    try:
        from distributed import Client
    except ModuleNotFoundError as problem:
        raise ValueError("--scheduler needs dask: pip install 'exactgen[dask]'") from problem
    return Client(address).get_executor(pure=False)


def _figure(name: str, models: Any) -> bytes:
    from ..figures import render
    from .pictures import PICTURES, draw

    return render(lambda axes: draw(name, models, baselines(PICTURES[name].data), axes), "png")


def _samples(data: str) -> bytes:
    from matplotlib.figure import Figure

    from .pictures import draw_samples

    canvas, out = Figure(figsize=(6.4, 0.9), layout="constrained"), io.BytesIO()
    draw_samples(data, 0, canvas)
    canvas.savefig(out, format="png", dpi=100, metadata={"Software": None})
    return out.getvalue()


def _print_verdicts(console: Any, names: Sequence[str], verdicts: Sequence[Any], models: int) -> None:
    """Print the verdict on each claim, and what becomes of each statement in the words of ``verify``."""
    from ..check import judged
    from .kept import entries, line, summary

    for verdict in verdicts:
        console.print(f"{verdict.claim:12}  {line(verdict)}", markup=False)
    console.print()
    for name, entry in entries().items():
        told = [verdict for verdict in verdicts if entry.tells(verdict)]
        if told and (name in names or entry.experiment in names):
            status = judged([verdict.verdict for verdict in told], f"by {summary(told, models)}")
            console.print(f"{name:12}  {status}", markup=False)


def _print_space(console: Any) -> None:
    from rich.table import Table

    from ...reference.layerwise.selection import TABLE_1
    from .models import KINDS

    shown = Table("class", "setting", "prior", "from", "to")
    for kind, space in TABLE_1.items():
        for name, prior in space.items():
            shown.add_row(KINDS[kind], name, type(prior).__name__, f"{prior.low:g}", f"{prior.high:g}")
    console.print(shown)


def _write(file: Path, content: str | bytes) -> None:
    from ...backends.files import write_whole

    write_whole(file, content)
