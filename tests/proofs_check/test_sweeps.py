"""Sweeps: the same results from every executor, nothing computed twice, nothing lost."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exactgen.proofs_check.sweeps import SweepError, job_seed, sweep

TASKS = '''
import os, signal, time
import numpy as np

def draw(setting, seed):
    """One number of the job's own stream, and a mark that it was computed."""
    if "log" in setting:
        with open(setting["log"], "a") as log:
            log.write(f"{setting['a']}\\n")
    time.sleep(setting.get("sleep", 0.0))
    return {"a": setting["a"], "draw": float(np.random.default_rng(seed).random()), "pair": (1, 2)}

def fail_at_three(setting, seed):
    if setting["a"] == 3:
        raise ArithmeticError("three is too much")
    return draw(setting, seed)

def die_once(setting, seed):
    """Kill this process where the mark says that nobody died yet."""
    try:
        os.close(os.open(setting["mark"], os.O_CREAT | os.O_EXCL)) if setting["a"] == 4 else None
    except FileExistsError:
        return draw(setting, seed)
    if setting["a"] == 4:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return draw(setting, seed)

def die_always(setting, seed):
    os.kill(os.getpid(), signal.SIGKILL) if setting["a"] == 1 else None
    return draw(setting, seed)

def unserialisable(setting, seed):
    return {"a": object()}
'''


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a module of tasks that spawned workers can import too."""
    room = tmp_path / "modules"
    room.mkdir()
    (room / "sweep_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(room)
    monkeypatch.setenv("PYTHONPATH", str(room))
    sys.modules.pop("sweep_tasks", None)
    import sweep_tasks

    return sweep_tasks


def settings(n: int, **more: Any) -> list[dict[str, Any]]:
    return [{"a": a, **more} for a in range(n)]


class Backwards(Executor):
    """Runs what it was given in reverse, once it is asked for a result: the order of completion is odd."""

    def __init__(self) -> None:
        self.held: list[tuple[Future[Any], Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.held.append((future, lambda: fn(*args, **kwargs)))
        if len(self.held) == 5:
            for waiting, call in reversed(self.held):
                waiting.set_result(call())
            self.held.clear()
        return future


def expected(n: int) -> list[dict[str, Any]]:
    draws = [float(np.random.default_rng(job_seed(7, a)).random()) for a in range(n)]
    return [{"a": a, "draw": draw, "pair": [1, 2]} for a, draw in enumerate(draws)]


def test_results_are_those_of_a_loop_whatever_the_executor_and_order(tasks: Any, tmp_path: Path) -> None:
    with (
        ThreadPoolExecutor(3) as threads,
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes,
    ):
        for number, executor in enumerate((None, threads, processes, Backwards())):
            for folder in (None, tmp_path / f"runs{number}"):
                assert sweep(tasks.draw, settings(10), seed=7, executor=executor, folder=folder) == expected(
                    10
                )
    assert sweep(tasks.draw, settings(10), seed=7, jobs=2) == expected(10)


def test_seeds_differ_by_job_and_by_sweep() -> None:
    assert len({job_seed(seed, number) for seed in range(30) for number in range(300)}) == 9000


def test_progress_counts_up_and_starts_with_what_is_there(tasks: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    sweep(tasks.draw, settings(3), seed=1, folder=tmp_path / "r", progress=lambda *at: seen.append(at))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    seen.clear()
    sweep(tasks.draw, settings(3), seed=1, folder=tmp_path / "r", progress=lambda *at: seen.append(at))
    assert seen == [(3, 3)]


def test_only_what_is_missing_is_computed(tasks: Any, tmp_path: Path) -> None:
    folder, log = tmp_path / "r", tmp_path / "log"
    jobs = settings(8, log=str(log))
    first = sweep(tasks.draw, jobs, seed=7, folder=folder)
    for number in (2, 5):
        (folder / f"{number:05d}.json").unlink()
    log.write_text("")
    assert sweep(tasks.draw, jobs, seed=7, folder=folder, jobs=2) == first
    assert sorted(log.read_text().split()) == ["2", "5"]


KILLED = """
import signal
import sweep_tasks
from exactgen.proofs_check.sweeps import sweep

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    jobs = [{{"a": a, "log": {log!r}, "sleep": 0.1 if a < 4 else 60}} for a in range(6)]
    sweep(sweep_tasks.draw, jobs, seed=7, folder={folder!r}, jobs={jobs})
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "jobs"), [(signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGTERM, 2), (signal.SIGINT, 2)]
)
def test_a_sweep_stopped_by_a_signal_ends_at_once_and_goes_on_where_it_was(
    tasks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, jobs: int
) -> None:
    folder, log, script = tmp_path / "r", tmp_path / "log", tmp_path / "killed.py"
    script.write_text(KILLED.format(log=str(log), folder=str(folder), jobs=jobs))
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    limit = time.monotonic() + 60
    while len(list(folder.glob("[0-9]*.json"))) < 4 and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=30)  # until the last worker lets go of the output: none outlives the sweep
    for path in folder.glob("[0-9]*.json"):
        assert json.loads(path.read_text()) == expected(4)[int(path.stem)]
    assert len(list(folder.glob("[0-9]*.json"))) == 4
    log.write_text("")
    again = [{"a": a, "log": str(log), "sleep": 0.1 if a < 4 else 60} for a in range(6)]
    monkeypatch.setattr(tasks.time, "sleep", lambda _: None)
    assert sweep(tasks.draw, again, seed=7, folder=folder) == expected(6)
    assert log.read_text().split() == ["4", "5"]


def test_two_sweeps_in_one_folder_at_once_do_each_other_no_harm(tasks: Any, tmp_path: Path) -> None:
    jobs = settings(12, sleep=0.01)

    def run() -> Any:
        return sweep(tasks.draw, jobs, seed=7, folder=tmp_path / "r")

    with ThreadPoolExecutor(3) as threads:
        assert [future.result() for future in [threads.submit(run) for _ in range(3)]] == [expected(12)] * 3
    names = sorted(path.name for path in (tmp_path / "r").iterdir())
    assert names == [*(f"{a:05d}.json" for a in range(12)), "sweep.json"]


def test_a_full_disk_is_told_of_and_loses_only_what_was_not_written(
    tasks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, log = tmp_path / "r", tmp_path / "log"
    jobs = settings(6, log=str(log))

    def full(handle: int) -> None:
        if len(list(folder.glob("[0-9]*.json"))) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            sweep(tasks.draw, jobs, seed=7, folder=folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"{a:05d}.json" for a in range(3)),
        "sweep.json",
    ]
    log.write_text("")
    assert sweep(tasks.draw, jobs, seed=7, folder=folder) == expected(6)
    assert log.read_text().split() == ["3", "4", "5"]


def test_a_folder_that_takes_no_files_is_told_of_before_anything_is_computed(
    tasks: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        sweep(tasks.draw, settings(1, log=str(tmp_path / "log")), seed=7, folder=tmp_path / "file")
    (tmp_path / "r").mkdir(mode=0o500)
    if not os.access(tmp_path / "r", os.W_OK):  # nothing is read-only to an administrator
        with pytest.raises(PermissionError):
            sweep(tasks.draw, settings(1, log=str(tmp_path / "log")), seed=7, folder=tmp_path / "r")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_a_number_of_processes_that_is_none_is_refused(tasks: Any, jobs: Any) -> None:
    with pytest.raises(ValueError, match="jobs must be an integer of at least 1"):
        sweep(tasks.draw, settings(1), seed=7, jobs=jobs)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 8}, "seed"),
        ({"settings": settings(4)}, "jobs, settings"),
        ({"task": "fail_at_three"}, "task"),
    ],
)
def test_the_folder_of_another_sweep_is_refused(
    tasks: Any, tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    sweep(tasks.draw, settings(3), seed=7, folder=tmp_path / "r")
    before = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    call = {"task": "draw", "settings": settings(3), "seed": 7, **changed}
    task = getattr(tasks, call.pop("task"))
    with pytest.raises(ValueError, match=f"another sweep: it differs in {named}$"):
        sweep(task, folder=tmp_path / "r", **call)
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before


def test_results_without_a_description_are_not_adopted(tasks: Any, tmp_path: Path) -> None:
    (tmp_path / "00000.json").write_text('{"a": 5}')
    with pytest.raises(ValueError, match=r"no sweep\.json"):
        sweep(tasks.draw, settings(1), seed=7, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("00001.json", '{"a": 1, "dra', r"cannot be read: .* delete it to compute it again"),
        ("00001.json", "", r"cannot be read: .* delete it to compute it again"),
        ("00001.json", "\xff", r"cannot be read: .* delete it to compute it again"),
        ("00001.json", "[1, 2]", r"must hold a JSON object; delete it to compute it again"),
        ("sweep.json", '{"task', r"cannot be read: .* it should say what the folder holds"),
        ("sweep.json", "", r"cannot be read: .* it should say what the folder holds"),
    ],
)
def test_a_damaged_file_is_named(tasks: Any, tmp_path: Path, name: str, content: str, words: str) -> None:
    sweep(tasks.draw, settings(3), seed=7, folder=tmp_path / "r")
    (tmp_path / "r" / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=f"{name} {words}"):
        sweep(tasks.draw, settings(3), seed=7, folder=tmp_path / "r")


def test_files_that_are_no_results_are_left_alone(tasks: Any, tmp_path: Path) -> None:
    sweep(tasks.draw, settings(3), seed=7, folder=tmp_path / "r")
    for name in ("00003.json", "1.json", "00001 (copy).json", ".00001.json.x.partial", "notes"):
        (tmp_path / "r" / name).write_text("{")
    assert sweep(tasks.draw, settings(3), seed=7, folder=tmp_path / "r") == expected(3)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_job_that_raises_is_named_and_the_others_are_kept(tasks: Any, tmp_path: Path, jobs: int) -> None:
    with pytest.raises(SweepError, match=r"job 3 .*ArithmeticError: three is too much"):
        sweep(tasks.fail_at_three, settings(6), seed=7, folder=tmp_path / "r", jobs=jobs)
    kept = sorted(path.stem for path in (tmp_path / "r").glob("[0-9]*.json"))
    assert "00003" not in kept
    assert jobs == 2 or kept == ["00000", "00001", "00002"]


def test_a_result_that_is_not_plain_is_refused(tasks: Any) -> None:
    with pytest.raises(SweepError, match=r"job 0 .*not JSON serializable"):
        sweep(tasks.unserialisable, settings(1), seed=7)


def test_a_worker_that_dies_is_replaced(tasks: Any, tmp_path: Path) -> None:
    jobs = settings(8, mark=str(tmp_path / "mark"))
    assert sweep(tasks.die_once, jobs, seed=7, folder=tmp_path / "r", jobs=2) == expected(8)
    assert (tmp_path / "mark").exists()
    assert len(list((tmp_path / "r").glob("[0-9]*.json"))) == 8


def test_workers_that_keep_dying_end_the_sweep_with_a_clear_error(tasks: Any, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"a worker process died .* run it again to go on"):
        sweep(tasks.die_always, settings(3), seed=7, folder=tmp_path / "r", jobs=2)
    for path in (tmp_path / "r").glob("[0-9]*.json"):
        assert json.loads(path.read_text()) == expected(3)[int(path.stem)]


def test_a_user_s_broken_pool_is_not_replaced(tasks: Any, tmp_path: Path) -> None:
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(SweepError, match="a worker process died"),
    ):
        sweep(tasks.die_always, settings(3), seed=7, folder=tmp_path / "r", executor=pool)
    assert json.loads((tmp_path / "r" / "00000.json").read_text()) == expected(1)[0]


@pytest.mark.filterwarnings("ignore")  # those of the cluster's own libraries
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs the extra dask")
def test_a_cluster_of_several_processes_gives_the_same_results_even_when_a_worker_dies(
    tasks: Any, tmp_path: Path
) -> None:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        executor = client.get_executor(pure=False)
        pids = set(client.run(os.getpid).values())
        assert len(pids) == 3
        assert os.getpid() not in pids
        assert sweep(tasks.draw, settings(20), seed=7, executor=executor) == expected(20)
        jobs = settings(8, mark=str(tmp_path / "mark"))
        assert sweep(tasks.die_once, jobs, seed=7, folder=tmp_path / "r", executor=executor) == expected(8)
        assert len(list((tmp_path / "r").glob("[0-9]*.json"))) == 8
        with pytest.raises(SweepError, match=r"job 3 .*three is too much"):
            sweep(tasks.fail_at_three, settings(6), seed=7, executor=executor)
