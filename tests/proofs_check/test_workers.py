"""``exactgen verify`` in several processes: what one process finds, in the same order, and a clean end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from exactgen.proofs_check import cli, results, runner, workers
from exactgen.proofs_check.runner import Outcome

# Runs the command line, and does something to its processes as soon as two workers have been started.
WATCHED = """
import os, signal, sys, threading, time
from multiprocessing import active_children
from exactgen.proofs_check.cli import main

def watch():
    while len(active_children()) < 2:
        time.sleep(0.005)
    time.sleep({delay})
    {act}

threading.Thread(target=watch, daemon=True).start()
sys.exit(main({arguments}))
"""


def watched(act: str, *arguments: str, delay: float = 0.0) -> tuple[int, str, float]:
    """Return the exit status, what was said on standard error, and how many seconds passed since the act."""
    script = WATCHED.format(act=f"print(time.time(), flush=True); {act}", delay=delay, arguments=arguments)
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, start_new_session=True
    )
    return ran.returncode, ran.stderr, time.time() - float(ran.stdout)


@pytest.fixture
def found(tmp_path: Path) -> list[str]:
    """Return the arguments of a verification that takes long and would write two files."""
    return ["verify", "-j", "2", "--json", str(tmp_path / "a.json"), "--results", str(tmp_path / "r.json")]


@pytest.mark.parametrize("delay", [0.0, 0.2, 2.0])
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Ctrl-C reaches a process group on POSIX")
def test_ctrl_c_ends_all_at_once_and_writes_nothing(found: list[str], tmp_path: Path, delay: float) -> None:
    status, said, seconds = watched("os.killpg(0, signal.SIGINT)", *found, delay=delay)
    assert (status, said) == (130, "exactgen: interrupted, nothing was written\n")
    assert seconds < 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("delay", [0.0, 3.0])
def test_a_worker_that_dies_is_told_with_the_checks_it_may_have_run(
    found: list[str], tmp_path: Path, delay: float
) -> None:
    status, said, _ = watched("active_children()[0].kill()", *found, delay=delay)
    assert status == 1
    assert said.startswith("exactgen: a worker process died (killed, or out of memory), which ran one of ")
    assert said.endswith("; nothing was written\n")
    assert len(said.split(" one of ")[1].split(", ")) in (1, 2)  # as many as had been handed out
    assert list(tmp_path.iterdir()) == []


def test_processes_find_what_one_finds_in_the_same_order(tmp_path: Path) -> None:
    def verified(jobs: str) -> Any:
        file = tmp_path / jobs
        files = ["--json", str(file), "--results", str(tmp_path / "r")]
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "exactgen",
                "verify",
                "BA.sec2.1",
                "BA.eq7",
                "--quick",
                "-j",
                jobs,
                *files,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        told = json.loads(file.read_text())
        for outcome in told["checks"]:
            outcome.pop("seconds")
        return ran.returncode, told

    one = verified("1")
    assert len(one[1]["checks"]) > 3
    assert verified("2") == one


# --- which check first, and in how many processes ----------------------------------------------------------


def test_what_took_long_is_begun_first_and_what_never_ran_before_it(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "r.json"
    for name in ("short", "new", "long"):
        make(named(name), "BA.eq1")
    results.save(
        file, [Outcome("short", ("BA.eq1",), "passed", seconds=0.1), Outcome("long", (), "passed", seconds=9)]
    )
    begun = []

    def run_checks(checks: Any, options: Any, *, jobs: int) -> Any:
        begun.extend(check.name for check in checks)
        assert jobs == min(workers.cores(), 9)  # 0.1 s, 9 s, and half a second for the new one
        yield from (Outcome(check.name, ("BA.eq1",), "passed") for check in checks)

    monkeypatch.setattr(runner, "run_checks", run_checks)
    args = cli._parser().parse_args(["verify", "--results", str(file)])
    checks = registered()
    assert list(cli._run(args, checks, runner.Options())) == ["short", "new", "long"]
    assert begun == ["new", "long", "short"]


def named(name: str) -> Any:
    def passes(impl: Any, x: Any) -> None:
        impl.softplus(x)

    passes.__name__ = name
    return passes


def registered() -> Any:
    from exactgen.proofs_check import check

    return dict(check.REGISTRY)


@pytest.mark.parametrize(
    ("seconds", "teeth", "processes"),
    [
        ([], False, 1),
        ([0.5], False, 1),
        ([0.5] * 3, False, 1),
        ([0.5] * 4, False, 2),
        ([99.0], False, 4),
        ([0.5], True, 4),
    ],
)
def test_no_process_is_started_for_less_than_it_takes_to_start(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], teeth: bool, processes: int
) -> None:
    monkeypatch.setattr(cli, "cores", lambda: 4)
    assert cli._worth_starting(seconds, teeth=teeth) == processes


def test_seconds_are_kept_from_one_version_of_the_sources_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "r.json"
    results.save(file, [Outcome("one", (), "passed", seconds=3.0), Outcome("two", (), "passed", seconds=1.0)])
    monkeypatch.setattr(results, "source_hash", lambda: "the next")
    assert results.fresh(file) == {}
    results.save(file, [Outcome("two", (), "passed", seconds=2.0), Outcome("one", (), "skipped")])
    assert results.seconds(file) == {"one": 3.0, "two": 2.0}
    assert list(results.fresh(file)) == ["two", "one"]


def test_workers_compute_in_one_thread_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    workers.one_thread_each()
    assert (os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_NUM_THREADS"]) == ("1", "3")


def test_jobs_are_handed_out_by_and_by_and_results_come_before_failures() -> None:
    handed: list[int] = []

    def submit(job: int) -> Future[int]:
        handed.append(job)
        future: Future[int] = Future()
        if job == 1:
            future.set_exception(RuntimeError("died"))
        else:
            future.set_result(10 * job)
        return future

    coming = workers.as_they_end(submit, iter(range(1, 5)), waiting=2)
    assert next(coming)[0] == 2
    assert handed == [1, 2]
    job, failed = next(coming)
    assert (job, str(failed.exception())) == (1, "died")
    assert {job: future.result() for job, future in coming} == {3: 30, 4: 40}
    assert handed == [1, 2, 3, 4]


def test_jobs_in_the_queue_are_dropped_where_nobody_waits_for_more() -> None:
    futures: list[Future[None]] = []

    def submit(job: int) -> Future[None]:
        futures.append(Future())
        if job == 0:
            futures[0].set_result(None)
        return futures[-1]

    coming = workers.as_they_end(submit, range(9), waiting=3)
    next(coming)
    coming.close()
    assert [future.cancelled() for future in futures] == [False, True, True]
