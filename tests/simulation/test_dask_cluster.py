"""Sweeps on a Dask cluster: a real one on loopback where `distributed` is there, and a stand-in for how it can fail."""

import json
import operator
import sys
import threading
import types
from contextlib import closing
from socket import create_server
from typing import ClassVar

import pytest

from p2pcommerce.simulation import dask_cluster as room
from p2pcommerce.simulation.campaign import Campaign, run_campaign
from p2pcommerce.simulation.dask_cluster import DaskCluster, DaskError
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.sweep import AHEAD_EACH, InProcess, WorkerLostError

WHY = "needs the extra sweep: pip install 'p2pcommerce[sweep]'"


class FakeFuture:
    def __init__(self, value):
        self.value = value

    def result(self, timeout):
        assert timeout == room.DASK_PATIENCE_S
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value

    def done(self):
        return not isinstance(self.value, TimeoutError)


class FakeClient:
    """Answers like a Dask client whose workers are quick."""

    threads: ClassVar = {"tcp://worker": 2}
    last = None

    def __init__(self, _address, timeout, *, set_as_default):
        assert timeout == room.DASK_TIMEOUT_S
        assert not set_as_default
        self.status = "running"
        self.submitted = 0
        type(self).last = self

    def nthreads(self):
        return self.threads

    def submit(self, work, task, *, pure):
        assert not pure
        self.submitted += 1
        try:
            return FakeFuture(work(task))
        except (ImportError, TimeoutError, FakeCancelledError, FakeKilledWorkerError, FakeCommError) as error:
            return FakeFuture(error)

    def close(self, timeout):
        assert timeout > 0
        self.status = "closed"


class FakeCancelledError(Exception):
    pass


class FakeKilledWorkerError(Exception):
    pass


class FakeClosedError(Exception):
    pass


class FakeCommError(OSError):
    pass


@pytest.fixture
def fake_dask(monkeypatch):
    module = types.ModuleType("distributed")
    module.Client = FakeClient
    module.KilledWorker = FakeKilledWorkerError
    module.CancelledError = FakeCancelledError
    module.comm = types.SimpleNamespace(CommClosedError=FakeCommError)
    module.client = types.SimpleNamespace(ClosedClientError=FakeClosedError)
    monkeypatch.setattr(room, "_imported", lambda: module)
    monkeypatch.setattr(room, "_greeting", lambda _module, _address: {"type": "Scheduler"})
    return module


@pytest.mark.usefixtures("fake_dask")
def test_dask_gives_the_same_results_in_the_same_order():
    assert list(DaskCluster("tcp://scheduler:1").map(operator.neg, range(40))) == [-task for task in range(40)]
    assert FakeClient.last.status == "closed"


@pytest.mark.usefixtures("fake_dask")
def test_dask_is_handed_some_tasks_ahead_and_left_when_stopped():
    with closing(DaskCluster("tcp://scheduler:1").map(operator.neg, range(1_000))) as results:
        next(results)
    assert FakeClient.last.submitted == 2 * AHEAD_EACH
    assert FakeClient.last.status == "closed"


@pytest.mark.usefixtures("fake_dask")
def test_a_cluster_without_workers_is_refused(monkeypatch):
    monkeypatch.setattr(FakeClient, "threads", {})
    with pytest.raises(DaskError, match="no workers; start some: dask worker tcp://scheduler:1"):
        list(DaskCluster("tcp://scheduler:1").map(operator.neg, [1]))


@pytest.mark.usefixtures("fake_dask")
def test_another_part_of_dask_is_refused(monkeypatch):
    monkeypatch.setattr(room, "_greeting", lambda _module, _address: {"type": "Worker"})
    with pytest.raises(DaskError, match="a Dask worker answers; name the scheduler's address"):
        list(DaskCluster("tcp://scheduler:1").map(operator.neg, [1]))


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (ModuleNotFoundError("No module named 'p2pcommerce'"), DaskError, "lack this program"),
        (FakeKilledWorkerError(), WorkerLostError, "died again and again"),
        (FakeCommError(), WorkerLostError, "is gone"),
        (FakeCancelledError(), WorkerLostError, "the Dask scheduler at tcp://scheduler:1 is gone"),
    ],
)
@pytest.mark.usefixtures("fake_dask")
def test_what_goes_wrong_on_the_way_is_told(error, raised, said):
    def work(_task):
        raise error

    with pytest.raises(raised, match=said):
        list(DaskCluster("tcp://scheduler:1").map(work, [1]))


@pytest.mark.usefixtures("fake_dask")
def test_a_cluster_whose_workers_all_went_is_told(monkeypatch):
    def work(_task):
        monkeypatch.setattr(FakeClient, "threads", {})
        raise TimeoutError

    with pytest.raises(WorkerLostError, match="no workers left"):
        list(DaskCluster("tcp://scheduler:1").map(work, [1]))


def test_without_its_extra_it_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DaskError, match="sweep"):
        list(DaskCluster("tcp://127.0.0.1:1").map(operator.neg, [1]))


# --- the real thing ---


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "tcp://127.0.0.1:99999", "nonsense", "", "http://127.0.0.1:1"]
)
def test_an_address_that_nobody_answers_is_refused(monkeypatch, address):
    pytest.importorskip("distributed", reason=WHY)
    monkeypatch.setattr(room, "DASK_TIMEOUT_S", 0.5)
    with pytest.raises(DaskError, match="no Dask scheduler answers"):
        list(DaskCluster(address).map(operator.neg, [1]))


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(64), b"\xff" * 64])
def test_a_server_that_is_no_scheduler_is_refused(monkeypatch, answer):
    pytest.importorskip("distributed", reason=WHY)
    monkeypatch.setattr(room, "DASK_TIMEOUT_S", 0.5)
    with create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve():
            connection, _ = server.accept()
            kept.append(connection)
            if answer is not None:
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(DaskError, match="no Dask scheduler answers"):
            list(DaskCluster(f"tcp://127.0.0.1:{server.getsockname()[1]}").map(operator.neg, [1]))
        thread.join()
        kept[0].close()


@pytest.mark.filterwarnings("default")  # those of distributed are not ours
def test_a_cluster_gives_what_this_process_gives():
    distributed = pytest.importorskip("distributed", reason=WHY)
    base = Scenario(seed=0, horizon_us=2_000_000, liveness_us=1_000_000, load_tps=1)
    campaign = Campaign.of(base, "finality", 1, 6, faults="all")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        found = list(run_campaign(campaign, DaskCluster(cluster.scheduler_address)))
    assert [json.loads(outcome.to_line()) for outcome in found] == [
        json.loads(outcome.to_line()) for outcome in run_campaign(campaign, InProcess())
    ]
