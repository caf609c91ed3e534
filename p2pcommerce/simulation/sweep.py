"""Sweeps: the same work over many tasks, on this process or a pool of processes; `dask_cluster` has a third.

Results come in the order of the tasks, whoever works and however fast, so that everything made of them is the same.
A few tasks more than there are workers are under way; stopping loses those and nothing else. A worker is handed a
function by its name and plain values, so that it may be a fresh process (`spawn`) or another machine.

Closing the iterator stops every worker at once, in the middle of its task.

Source: the sweeps of the simulator specification; `concurrent.futures`.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, Protocol, TypeVar

from p2pcommerce.primitives.errors import P2PError

__all__ = [
    "AHEAD_EACH",
    "JOBS_MAX",
    "InProcess",
    "ProcessPool",
    "WorkerLostError",
    "Workers",
    "default_jobs",
]

P = TypeVar("P")
R = TypeVar("R")

AHEAD_EACH: Final = 4
"""Tasks under way for each worker: one is slow, and the others must not wait for it."""
JOBS_MAX: Final = 1_024


class WorkerLostError(P2PError):
    """A worker died in the middle of a task."""

    code = "WORKER_LOST"


class Workers(Protocol):
    """Who does the work."""

    def map(self, work: Callable[[P], R], tasks: Iterable[P]) -> Generator[R, None, None]:
        """Yield `work` of each task, in the order of the tasks.

        Raises:
            WorkerLostError: a worker died.
        """
        ...


def default_jobs() -> int:
    """Return how many processes this machine can keep busy."""
    return len(os.sched_getaffinity(0))


class InProcess:
    """This process, one task after the other."""

    def map(self, work: Callable[[P], R], tasks: Iterable[P]) -> Generator[R, None, None]:
        """Yield `work` of each task."""
        yield from map(work, tasks)


class ProcessPool:
    """Fresh processes on this machine."""

    def __init__(self, jobs: int, prepare: Callable[[], None] | None = None) -> None:
        """Use `jobs` processes; each calls `prepare`, a function of a module, before its first task."""
        self._jobs = jobs
        self._prepare = prepare

    def map(self, work: Callable[[P], R], tasks: Iterable[P]) -> Generator[R, None, None]:
        """Yield `work` of each task, in order.

        Raises:
            WorkerLostError: a process died.
        """
        others = {child.pid for child in multiprocessing.active_children()}
        executor = ProcessPoolExecutor(
            self._jobs, mp_context=multiprocessing.get_context("spawn"), initializer=self._prepare
        )
        waiting: deque[Future[R]] = deque()
        is_done = False
        try:
            for task in tasks:
                waiting.append(executor.submit(work, task))
                if len(waiting) >= AHEAD_EACH * self._jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            is_done = True
        except BrokenProcessPool as error:
            raise WorkerLostError("a worker process died; is there memory enough for --jobs of them?") from error
        finally:
            executor.shutdown(wait=is_done, cancel_futures=True)
            while children := [child for child in multiprocessing.active_children() if child.pid not in others]:
                for child in children:
                    child.kill()
                for child in children:
                    child.join()
