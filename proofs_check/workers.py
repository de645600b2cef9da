"""Worker processes that do not outlive the process that started them."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread


class Workers(ProcessPoolExecutor):
    """Worker processes that ``kill`` ends at once, and that do not outlive this process however it ends."""

    def __init__(self, jobs: int) -> None:
        # Spawned workers start clean: a fork would copy the locks of the parent's threads.
        context = get_context("spawn")
        reader, self._lifeline = context.Pipe(duplex=False)
        super().__init__(jobs, mp_context=context, initializer=_follow, initargs=(reader,))

    def kill(self) -> None:
        """End the workers in the midst of their jobs."""
        self._lifeline.close()


def _follow(lifeline: Connection) -> None:
    """Leave Ctrl-C to the parent, and end when it lets go of its end of the line, or ends itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait_for_the_end() -> None:
        with suppress(EOFError, OSError):
            lifeline.recv()
        os._exit(1)

    Thread(target=wait_for_the_end, daemon=True).start()
