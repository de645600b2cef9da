"""How every benchmark measures: contestants in one process, their runs interleaved, medians and ratios.

Import this module *before* NumPy or PyTorch: it pins their threads (``EXACTGEN_THREADS``, 1 by default).
Interleaving (one run of each, then the next round) lets a slow moment of the machine hit everybody alike.
On one thread the seconds are those of the processor: work, not waiting while others have the core.  On more
threads, whose seconds would add up, they are those of the wall.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

THREADS = int(os.environ.get("EXACTGEN_THREADS", "1"))
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = str(THREADS)
if "numpy" in sys.modules or "torch" in sys.modules:
    raise ImportError("import _timing before numpy and torch, or their threads are not pinned")

clock = time.process_time if THREADS == 1 else time.perf_counter
CLOCK = "processor time of the process" if THREADS == 1 else "wall time"


class Contestant(NamedTuple):
    """Something to time; ``run=None`` says that a peer is absent, ``note`` why."""

    name: str
    run: Callable[[], object] | None
    flops: float = 0.0  # floating-point operations of one run, by formula
    bytes: float = 0.0  # bytes read and written by one run, by formula
    note: str = ""


class Timing(NamedTuple):
    """What was measured of one contestant; seconds are None for an absent one."""

    name: str
    median: float | None
    fastest: float | None
    slowest: float | None
    ratio: float | None  # its median over the first contestant's: above one, it is slower than ours
    flops: float
    bytes: float
    ceiling: float | None  # its FLOP per second over those of a large matrix product
    note: str


def peer(module: str) -> Any:
    """Return the imported ``module``, or None where it is not installed; PyTorch gets its threads pinned."""
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError:
        return None
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(THREADS)
    return loaded


def race(
    contestants: Sequence[Contestant], *, rounds: int, warm_ups: int = 1, gemm_rate: float | None = None
) -> list[Timing]:
    """Return the timings of ``rounds`` interleaved runs of each, after the warm-ups; ratios to the first."""
    runners = [c for c in contestants if c.run is not None]
    seconds: dict[str, list[float]] = {c.name: [] for c in runners}
    for turn in range(warm_ups + rounds):
        for c in runners:
            start = clock()
            c.run()
            if turn >= warm_ups:
                seconds[c.name].append(clock() - start)
    ours = statistics.median(seconds[contestants[0].name])

    def timing(c: Contestant) -> Timing:
        if c.run is None:
            return Timing(c.name, None, None, None, None, c.flops, c.bytes, None, c.note or "absent")
        spent = seconds[c.name]
        median = statistics.median(spent)
        ceiling = c.flops / median / gemm_rate if gemm_rate and c.flops else None
        return Timing(
            c.name, median, min(spent), max(spent), median / ours, c.flops, c.bytes, ceiling, c.note
        )

    return [timing(c) for c in contestants]


def gemm_rate(dtype: str, *, n: int = 1024, rounds: int = 9) -> float:
    """Return the FLOP per second of an n x n matrix product: the ceiling for everything else."""
    import numpy as np

    a = np.random.default_rng(0).standard_normal((n, n)).astype(dtype)
    a @ a
    spent = []
    for _ in range(rounds):
        start = clock()
        a @ a
        spent.append(clock() - start)
    return 2 * n**3 / statistics.median(spent)


def show(title: str, timings: Sequence[Timing], *, clock_name: str = "") -> None:
    """Print one table."""
    wide = max(len(t.name) for t in timings)
    print(f"\n{title}, {clock_name or CLOCK}")
    print(f"{'':{wide}}   median s   fastest   slowest    ratio     GFLOP       GB  of GEMM  note")
    for t in timings:
        if t.median is None:
            print(
                f"{t.name:{wide}} {'-':>10} {'-':>9} {'-':>9} {'-':>8} {'-':>9} {'-':>8} {'-':>8}  {t.note}"
            )
            continue
        ceiling = "-" if t.ceiling is None else f"{100 * t.ceiling:.1f} %"
        print(
            f"{t.name:{wide}} {t.median:10.4f} {t.fastest:9.4f} {t.slowest:9.4f} {t.ratio:7.2f}x"
            f" {t.flops / 1e9:9.3f} {t.bytes / 1e9:8.3f} {ceiling:>8}  {t.note}"
        )


def record(
    name: str, tables: Mapping[str, Sequence[Timing]], *, packages: Sequence[str], **facts: object
) -> Path:
    """Write ``results/<name>.json`` beside this file, with versions and the machine in general words."""
    result = {
        "benchmark": name,
        "clock": CLOCK,  # facts may name another
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "threads": THREADS, "system": platform.system()},
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in packages},
        **facts,
        "tables": {title: [t._asdict() for t in timings] for title, timings in tables.items()},
    }
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(json.dumps(result, indent=1) + "\n")
    unfinished.replace(path)
    print(f"\nwritten: benchmarks/results/{path.name}")
    return path


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
