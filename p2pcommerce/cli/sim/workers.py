"""Who runs the seeds of a sweep, and how all of it stops.

Ctrl-C reaches every process of a terminal's foreground group; here only the first one heeds it and stops the others. A
worker whose parent is gone, however it went, ends by itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import FrameType
from typing import Any, Final, NoReturn

from p2pcommerce.cli.interrupt import TERMINATED
from p2pcommerce.cli.shared import ArgumentError
from p2pcommerce.simulation.dask_cluster import DaskCluster
from p2pcommerce.simulation.sweep import JOBS_MAX, InProcess, ProcessPool, Workers, default_jobs

__all__ = ["prepare_worker", "terminable", "workers_of"]

_ORPHANED: Final = 1


def workers_of(args: argparse.Namespace) -> Workers:
    """Return who works.

    Raises:
        ArgumentError: `--jobs` is out of range, or given with `--dask`.
    """
    if args.dask is not None:
        if args.jobs is not None:
            raise ArgumentError("--jobs is of this machine: leave it out with --dask")
        return DaskCluster(args.dask)
    jobs: int = default_jobs() if args.jobs is None else args.jobs
    if not 1 <= jobs <= JOBS_MAX:
        raise ArgumentError(f"--jobs must be 1 to {JOBS_MAX}")
    return InProcess() if jobs == 1 else ProcessPool(jobs, prepare_worker)


def prepare_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(_ORPHANED)  # the main thread is in the middle of a world, and nobody wants its result


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that workers are stopped and files closed; the exit code is 143."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(TERMINATED)
