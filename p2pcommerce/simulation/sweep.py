"""Sweeps: the same work over many tasks, on this process, a pool of processes, or a Dask cluster.

Results come in the order of the tasks, whoever works and however fast, so that everything made of them is the same.
A few tasks more than there are workers are under way; stopping loses those and nothing else. A worker is handed a
function by its name and plain values, so that it may be a fresh process (`spawn`) or another machine.

Closing the iterator stops every worker at once, in the middle of its task.

Source: the sweeps of the simulator specification; `concurrent.futures`, `distributed.Client`.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, Protocol, TypeVar

from p2pcommerce.primitives.errors import P2PError, UsageError

__all__ = [
    "AHEAD_EACH",
    "DASK_TIMEOUT_S",
    "JOBS_MAX",
    "DaskCluster",
    "DaskError",
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
DASK_TIMEOUT_S: Final = 5


class WorkerLostError(P2PError):
    """A worker died in the middle of a task."""

    code = "WORKER_LOST"


class DaskError(UsageError):
    """A Dask cluster that cannot be used."""

    code = "DASK"


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


class DaskCluster:
    """The workers of a Dask scheduler; each must have this program installed."""

    def __init__(self, address: str) -> None:
        """Use the scheduler at `address` ("tcp://host:8786")."""
        self._address = address

    def map(self, work: Callable[[P], R], tasks: Iterable[P]) -> Generator[R, None, None]:
        """Yield `work` of each task, in order.

        Raises:
            DaskError: the extra is missing, nobody answers, or there are no workers.
            WorkerLostError: a worker died again and again.
        """
        distributed, client = self._connect()
        waiting: deque[Any] = deque()
        try:
            threads = sum(client.nthreads().values())
            if not threads:
                raise DaskError(
                    f"the Dask scheduler at {self._address} has no workers; start some: dask worker ADDRESS"
                )
            for task in tasks:
                waiting.append(client.submit(work, task, pure=False))
                if len(waiting) >= AHEAD_EACH * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except distributed.KilledWorker as error:
            raise WorkerLostError(f"a Dask worker died again and again: {error}") from error
        except ImportError as error:
            raise DaskError(f"the Dask workers lack this program ({error}); install p2pcommerce there") from error
        finally:
            client.cancel(list(waiting))
            client.close()

    def _connect(self) -> tuple[Any, Any]:
        try:
            distributed = importlib.import_module("distributed")
        except ImportError as error:
            raise DaskError("--dask needs an extra: pip install 'p2pcommerce[sweep]'") from error
        try:
            return distributed, distributed.Client(self._address, timeout=DASK_TIMEOUT_S)
        except (OSError, ValueError) as error:
            raise DaskError(
                f"no Dask scheduler answers at {self._address}; start one with `dask scheduler`, or leave --dask out"
            ) from error
