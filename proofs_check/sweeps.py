"""Sweeps: many independent jobs through any ``concurrent.futures.Executor``, kept one file per job.

    results = sweep(train, settings, seed=1, folder="runs/tea", executor=client.get_executor())

A job is ``task(setting, seed)``: a function of a module, plain JSON in and out.  Its seed is derived from the
sweep's seed and the job's number alone, so results do not depend on the executor or the order.  Each result
is written whole as soon as it is there; a sweep started again in its folder computes what is missing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from pathlib import Path
from typing import Any, TypeAlias

from ..backends.files import write_whole
from ..reference.contracts import Count, conform
from .workers import Workers, as_they_end

Setting: TypeAlias = Mapping[str, Any]
Task: TypeAlias = Callable[[Setting, int], Mapping[str, Any]]

_WAITING = 256  # jobs handed to a user's executor at a time: enough for a cluster, few to lose


class SweepError(RuntimeError):
    """A sweep stopped; what it had finished is kept."""


class _Serial(Executor):
    """Runs each job where it is submitted."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it now and return the finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:
            future.set_exception(problem)
        return future


def sweep(
    task: Task,
    settings: Sequence[Setting],
    *,
    seed: int,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Mapping[str, Any]]:
    """Return ``task(setting, job_seed(seed, number))`` of each setting, in order.

    ``executor`` is the user's and stays open; without one the jobs run here, or in a pool of ``jobs``
    processes, which is started anew after a worker's death as long as jobs get done between deaths.
    ``progress(done, all)`` is called for each result, those found in ``folder`` at once.

    Raises: ValueError where ``folder`` is of another sweep or holds a file that cannot be read; SweepError
    where a job fails or the workers die.  All results that had come back are then in ``folder``, also where
    the sweep was interrupted; jobs in the midst of it are dropped.
    """
    conform(("jobs", Count[int, 1], jobs))
    store = _Store(folder, task, settings, seed)
    results = store.load()
    report = progress or (lambda done, total: None)
    report(len(results), len(settings))
    while missing := [number for number in range(len(settings)) if number not in results]:
        before = len(results)
        pool = executor or (Workers(min(jobs, len(missing))) if jobs > 1 else _Serial())
        waiting = 1 if isinstance(pool, _Serial) else _WAITING if executor else 2 * jobs
        try:
            for number, result in _run(pool, task, settings, missing, seed, waiting):
                store.save(number, result)
                results[number] = result
                report(len(results), len(settings))
        except BrokenExecutor as problem:
            if executor is not None or len(results) == before:
                raise SweepError(_died(len(results), len(settings), folder)) from problem
        except BaseException:
            if isinstance(pool, Workers):
                pool.kill()
            raise
        finally:
            if executor is None:
                pool.shutdown(cancel_futures=True)
    return [results[number] for number in range(len(settings))]


def job_seed(seed: int, number: int) -> int:
    """Return 63 bits that depend on both: no two jobs or sweeps share a stream."""
    return int.from_bytes(hashlib.sha256(f"sweep {seed} {number}".encode()).digest()[:8], "big") >> 1


def _run(
    pool: Executor, task: Task, settings: Sequence[Setting], missing: list[int], seed: int, waiting: int
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield numbers and results as they come, with at most ``waiting`` jobs handed out."""

    def submit(number: int) -> Future[Any]:
        return pool.submit(task, settings[number], job_seed(seed, number))

    for number, future in as_they_end(submit, missing, waiting=waiting):
        yield number, _result(future, number, settings[number])


def _result(future: Future[Any], number: int, setting: Setting) -> Mapping[str, Any]:
    try:
        result: dict[str, Any] = json.loads(json.dumps(future.result()))  # as it would be read from a file
    except BrokenExecutor:
        raise
    except (Exception, CancelledError) as problem:
        kind = type(problem).__name__
        raise SweepError(f"job {number} ({dict(setting)}) failed: {kind}: {problem}") from problem
    return result


def _died(done: int, total: int, folder: str | Path | None) -> str:
    kept = (
        f"{done} of {total} results are kept in {folder}; run it again to go on"
        if folder
        else "nothing is kept"
    )
    return f"a worker process died (killed, out of memory, or it could not start): {kept}"


class _Store:
    """One folder, one sweep: ``sweep.json`` says which, ``00042.json`` is the result of job 42."""

    def __init__(self, folder: str | Path | None, task: Task, settings: Sequence[Setting], seed: int) -> None:
        self.folder = None if folder is None else Path(folder)
        text = json.dumps([dict(setting) for setting in settings], sort_keys=True)
        self.description = {
            "task": f"{task.__module__}:{task.__qualname__}",
            "seed": seed,
            "jobs": len(settings),
            "settings": hashlib.sha256(text.encode()).hexdigest(),
        }
        self.jobs = len(settings)
        self.digits = max(5, math.ceil(math.log10(len(settings) + 1)))

    def load(self) -> dict[int, Mapping[str, Any]]:
        """Return what is there, by number, and claim a folder that nobody has."""
        if self.folder is None:
            return {}
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "sweep.json"
        if not file.exists():
            if any(self.folder.glob("[0-9]*.json")):
                raise ValueError(f"{self.folder} holds results but no sweep.json that says of what")
            write_whole(file, json.dumps(self.description, indent=1) + "\n")
        found = _read(file, "it should say what the folder holds")
        if found != self.description:
            keys = [key for key in self.description if found.get(key) != self.description[key]]
            raise ValueError(f"{self.folder} is the folder of another sweep: it differs in {', '.join(keys)}")
        again = "delete it to compute it again"
        return {
            k: _read(file, again) for k in range(self.jobs) if (file := self.folder / self._name(k)).exists()
        }

    def save(self, number: int, result: Mapping[str, Any]) -> None:
        """Write a result whole."""
        if self.folder is not None:
            write_whole(self.folder / self._name(number), json.dumps(result) + "\n")

    def _name(self, number: int) -> str:
        return f"{number:0{self.digits}d}.json"


def _read(file: Path, advice: str) -> dict[str, Any]:
    try:
        plain = json.loads(file.read_text("utf-8"))
    except ValueError as problem:
        raise ValueError(f"{file} cannot be read: {problem}; {advice}") from problem
    if not isinstance(plain, dict):
        raise ValueError(f"{file} must hold a JSON object; {advice}")
    return plain
