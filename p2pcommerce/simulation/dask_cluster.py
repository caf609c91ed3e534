"""A Dask cluster that runs the tasks of a sweep: the workers of one scheduler, on other machines, say.

Before anything is handed over, the address is asked who it is: within `DASK_TIMEOUT_S` a scheduler answers, or the
sweep is refused. Needs the extra `sweep`; it is imported when a cluster is used, and not before.

Deviations: the client of `distributed` waits for a handshake and for a worker as long as it takes; here both have an
end.

Source: the sweeps of the simulator specification; `distributed.Client`.
"""

from __future__ import annotations

import importlib
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.sweep import AHEAD_EACH, WorkerLostError

__all__ = ["DASK_PATIENCE_S", "DASK_TIMEOUT_S", "DaskCluster", "DaskError"]

P = TypeVar("P")
R = TypeVar("R")

DASK_TIMEOUT_S: Final = 5
"""So long a scheduler may take to answer."""
DASK_PATIENCE_S: Final = 10
"""After so long without a result it is looked whether there are workers left."""
_CLOSE_S: Final = 0.5
_FOREIGN: Final = (OSError, ValueError, TypeError, LookupError, AttributeError, MemoryError, EOFError, struct.error)
"""What reading the greeting of something that is no scheduler raises."""


class DaskError(UsageError):
    """A Dask cluster that cannot be used."""

    code = "DASK"


class DaskCluster:
    """The workers of a Dask scheduler; each must have this program installed."""

    def __init__(self, address: str) -> None:
        """Use the scheduler at `address` ("tcp://host:8786")."""
        self._address = address

    def map(self, work: Callable[[P], R], tasks: Iterable[P]) -> Generator[R, None, None]:
        """Yield `work` of each task, in order.

        Raises:
            DaskError: the extra is missing, no scheduler answers, or there are no workers.
            WorkerLostError: a worker died again and again, all of them are gone, or the scheduler is.
        """
        distributed, client = self._connect()
        waiting: deque[Any] = deque()
        try:
            threads = sum(client.nthreads().values())
            if not threads:
                raise DaskError(
                    f"the Dask scheduler at {self._address} has no workers; start some: dask worker {self._address}"
                )
            for task in tasks:
                waiting.append(client.submit(work, task, pure=False))
                if len(waiting) >= AHEAD_EACH * threads:
                    yield self._result(client, waiting.popleft())
            while waiting:
                yield self._result(client, waiting.popleft())
        except distributed.KilledWorker as error:
            raise WorkerLostError(f"a Dask worker died again and again: {error}") from error
        except _lost(distributed) as error:
            raise WorkerLostError(f"the Dask scheduler at {self._address} is gone") from error
        except ImportError as error:
            raise DaskError(f"the Dask workers lack this program ({error}); install p2pcommerce there") from error
        finally:
            with suppress(OSError):  # a scheduler forgets what was handed over by a client that leaves
                client.close(timeout=_CLOSE_S)

    def _result(self, client: Any, future: Any) -> Any:  # noqa: ANN401 - of an extra
        while True:
            try:
                return future.result(timeout=DASK_PATIENCE_S)
            except TimeoutError as error:
                if future.done():
                    continue
                if client.status == "running" and not client.nthreads():
                    raise WorkerLostError(f"the Dask scheduler at {self._address} has no workers left") from error

    def _connect(self) -> tuple[Any, Any]:
        distributed = _imported()
        try:
            found = _greeting(distributed, self._address)
            if found.get("type") != "Scheduler":
                raise DaskError(
                    f"at {self._address} a Dask {str(found.get('type')).lower()} answers; name the scheduler's address"
                )
            return distributed, distributed.Client(self._address, timeout=DASK_TIMEOUT_S, set_as_default=False)
        except _FOREIGN as error:
            raise DaskError(
                f"no Dask scheduler answers at {self._address!r}; start one with `dask scheduler`, and give its "
                "address as tcp://host:8786"
            ) from error


def _lost(distributed: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401 - a module of an extra
    """Return what a client raises whose scheduler is gone."""
    return distributed.CancelledError, distributed.client.ClosedClientError, distributed.comm.CommClosedError


def _imported() -> Any:  # noqa: ANN401 - a module of an extra that may be missing
    try:
        # It logs what is raised here, too, in many lines; its configuration is read when it is imported.
        importlib.import_module("dask").config.set({"logging": {"distributed": "critical"}})
        return importlib.import_module("distributed")
    except ImportError as error:
        raise DaskError("--dask needs an extra: pip install 'p2pcommerce[sweep]'") from error


def _greeting(distributed: Any, address: str) -> Mapping[str, Any]:  # noqa: ANN401 - see above
    """Return who answers at an address, within `DASK_TIMEOUT_S`."""

    async def ask() -> Mapping[str, Any]:
        comm = await distributed.core.connect(address, timeout=DASK_TIMEOUT_S)
        try:
            await comm.write({"op": "identity", "reply": True})
            answer: Mapping[str, Any] = await comm.read()
            return answer
        finally:
            comm.abort()

    runner = distributed.utils.LoopRunner(asynchronous=False)
    runner.start()
    try:
        answer: Mapping[str, Any] = distributed.sync(runner.loop, ask, callback_timeout=DASK_TIMEOUT_S)
        return answer
    finally:
        runner.stop()
