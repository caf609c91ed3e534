"""Reports of offences: one transaction at a time, silent where the account cannot pay; subscribers are bounded."""

import pytest
import trio
import trio.testing

from p2pcommerce.commerce import Commerce, SubmitEvidence
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.node.effects import OffenceFound, Report
from p2pcommerce.primitives.errors import RejectionCode, TransactionExpiredError, TransactionRejectedError
from p2pcommerce.runtime import reporting as room
from p2pcommerce.runtime.log import Log
from p2pcommerce.runtime.reporting import Reporting

from .nodes import Notes, config_of, genesis_of, identity, open_memory, until

OFFENCE = Offence(identity(7).public_key, 3, "E5")
REPORT = Report(OFFENCE, b"evidence")
FOUND = OffenceFound(OFFENCE, b"evidence", None)
TX = bytes(32)


class Desk:
    """A node's account, as a test plays it."""

    def __init__(self, *, refusal=None, code=RejectionCode.OK):
        self.submitted = []
        self.refusal = refusal
        self.code = code
        self.may_end = trio.Event()

    async def submit(self, payload):
        self.submitted.append(payload)
        if self.refusal is not None:
            raise self.refusal
        return TX

    async def wait_final(self, tx_id):
        await self.may_end.wait()
        if self.code is None:
            raise TransactionExpiredError("it will not become final")
        return Receipt(9, 0, bytes(32), tx_id, self.code, (), "because")


@pytest.fixture
def log(tmp_path):
    log = Log("node", tmp_path / "node.log", stream=None, level="debug", file_bytes_max=2**20)
    yield log
    log.close()


def reporting(log, desk, application=None):
    return Reporting(application or Commerce(), log, desk.submit, desk.wait_final)


def logged(tmp_path):
    return (tmp_path / "node.log").read_text()


async def test_one_transaction_is_on_its_way_and_the_next_one_after_its_end(tmp_path, log):
    desk = Desk()
    reports = reporting(log, desk)
    async with trio.open_nursery() as nursery:
        reports.begin(nursery)
        reports.on_report(REPORT)
        reports.on_report(REPORT)
        await trio.testing.wait_all_tasks_blocked()
        assert desk.submitted == [SubmitEvidence(b"evidence")]
        desk.may_end.set()
    assert "the chain punished validator" in logged(tmp_path)
    async with trio.open_nursery() as nursery:
        reports.begin(nursery)
        reports.on_report(REPORT)
    assert len(desk.submitted) == 2


@pytest.mark.parametrize(
    ("desk", "words"),
    [
        (lambda: Desk(refusal=TransactionRejectedError(RejectionCode.NO_FUNDS, "it has 0")), "peers have been told"),
        (lambda: Desk(code=None), "peers have been told"),
        (lambda: Desk(code=RejectionCode.EXISTS), "came to nothing: because"),
    ],
)
async def test_what_comes_to_nothing_is_said_and_stops_nothing(tmp_path, log, desk, words):
    played = desk()
    played.may_end.set()
    reports = reporting(log, played)
    async with trio.open_nursery() as nursery:
        reports.begin(nursery)
        reports.on_report(REPORT)
    assert words in logged(tmp_path)


async def test_evidence_that_the_chain_does_not_take_is_not_submitted(tmp_path, log):
    desk = Desk()
    reports = reporting(log, desk)
    async with trio.open_nursery() as nursery:
        reports.begin(nursery)
        reports.on_report(Report(OFFENCE, bytes(20_000)))
    assert not desk.submitted
    assert "the chain takes" in logged(tmp_path)


async def test_an_application_that_punishes_nobody_gets_no_reports(tmp_path, log):
    desk = Desk()
    reports = reporting(log, desk, Notes())
    async with trio.open_nursery() as nursery:
        reports.begin(nursery)
        reports.on_report(REPORT)
    assert not desk.submitted


async def test_subscribers_hear_of_offences_until_the_end_and_are_bounded(tmp_path, log, monkeypatch):
    monkeypatch.setattr(room, "OFFENCES_WAITING_MAX", 2)
    reports = reporting(log, Desk())
    async with reports.subscribe() as offences:
        for _ in range(3):
            reports.on_offence(FOUND)
        reports.begin(None)
        assert [found async for found in offences] == [FOUND, FOUND]
    assert "a subscriber reads too slowly" in logged(tmp_path)
    reports.on_offence(FOUND)


async def test_a_running_node_tells_of_offences_and_reports_them(tmp_path):
    config = config_of(tmp_path, genesis=genesis_of(0))
    async with open_memory(config) as node, node.offences() as offences:
        node._driver.perform(FOUND)
        assert await offences.receive() == FOUND
        assert node.statistics()["offences"] == []
        height = node.height
        node._driver.perform(Report(OFFENCE, b"nothing"))
        await until(lambda: node.height > height)
