"""Worker processes that do not outlive the process that started them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, TypeVar

Job = TypeVar("Job")
_BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerDied(RuntimeError):  # noqa: N818 (as BrokenProcessPool, which it explains)
    """A worker process did not come back."""


def cores() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def one_thread_each() -> None:
    """Let NumPy, if it is not loaded yet, and workers compute in one thread, unless the user says otherwise.

    The matrices are small, and the processes share the cores.
    """
    for variable in _BLAS:
        os.environ.setdefault(variable, "1")


class Workers(ProcessPoolExecutor):
    """Worker processes that ``kill`` ends at once, and that do not outlive this process however it ends."""

    def __init__(self, jobs: int) -> None:
        # Spawned workers start clean: a fork would copy the locks of the parent's threads.
        context = get_context("spawn")
        reader, self._lifeline = context.Pipe(duplex=False)
        super().__init__(jobs, mp_context=context, initializer=_follow, initargs=(reader,))

    def submit(self, *arguments: Any, **keywords: Any) -> Future[Any]:
        """Hand out a job; Ctrl-C is left to this process from the first moment of a worker that starts."""
        with _no_ctrl_c_for_children():
            return super().submit(*arguments, **keywords)

    def kill(self) -> None:
        """End the workers in the midst of their jobs."""
        self._lifeline.close()


def as_they_end(
    submit: Callable[[Job], Future[Any]], jobs: Iterable[Job], *, waiting: int
) -> Generator[tuple[Job, Future[Any]], None, None]:
    """Yield jobs with their futures as these are done; at most ``waiting`` are handed out at a time."""
    left, running = iter(jobs), dict[Future[Any], Job]()
    try:
        while True:
            for job in islice(left, waiting - len(running)):
                running[submit(job)] = job
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            # Results first: when a worker's death breaks the others, they are not lost with them.
            for future in sorted(done, key=_failed):
                yield running.pop(future), future
    finally:
        for future in running:
            future.cancel()


def _failed(future: Future[Any]) -> bool:
    return future.cancelled() or future.exception() is not None


@contextmanager
def _no_ctrl_c_for_children() -> Iterator[None]:
    """Processes that are started within never get a Ctrl-C."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows: workers ignore it once they run
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(lifeline: Connection) -> None:
    """Leave Ctrl-C to the parent, and end when it lets go of its end of the line, or ends itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait_for_the_end() -> None:
        with suppress(EOFError, OSError):
            lifeline.recv()
        os._exit(1)

    Thread(target=wait_for_the_end, daemon=True).start()
