"""Turns: at fixed times, in the shares of the mix; before the load as fast as things become final."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2pcommerce.cli.demo.market import WINDOW, Market
from p2pcommerce.commerce import (
    AttestIssue,
    Bond,
    CampaignSet,
    ListingSet,
    OrderConfirm,
    OrderDispute,
    OrderPlace,
    OrderRefund,
    OrderSettle,
    OrderShip,
    PointsGrant,
    ReviewPost,
    Subject,
    TraceReceive,
    Transfer,
)
from p2pcommerce.workload.mix import MIX, is_peak

KEY = bytes(32)
PAYLOADS = {
    "place": OrderPlace(KEY, ()),
    "ship": OrderShip(KEY),
    "confirm": OrderConfirm(KEY),
    "settle": OrderSettle(KEY),
    "refund": OrderRefund(KEY),
    "dispute": OrderDispute(KEY),
    "trace": TraceReceive((), KEY, 0),
    "catalogue": ListingSet(1, None, 1, 0, traced=False, terms=1),
    "transfer": Transfer(KEY, 1),
    "review": ReviewPost(KEY, 5),
    "points": PointsGrant(KEY, 1),
    "campaign": CampaignSet(None, 1, 0, 1),
    "stake": Bond(KEY, 1),
    "attest": AttestIssue(Subject(0, KEY), "s", KEY, 1),
}


@dataclass
class FakeDesk:
    """Takes everything, and finishes it when the test says so."""

    sent: list = field(default_factory=list)
    finish: trio.Event = field(default_factory=trio.Event)
    in_flight: int = 0
    most_in_flight: int = 0

    async def send(self, sender, payload, due_s, *, counted):
        self.sent.append((payload.TYPE, due_s, counted, trio.current_time()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await self.finish.wait()
        self.in_flight -= 1


async def test_turns_come_at_fixed_times_however_slow_the_network_is(autojump_clock, nursery):
    desk = FakeDesk()
    market = Market(desk)
    for _ in range(60):
        nursery.start_soon(market.perform, None, PAYLOADS["place"])
    await wait_all_tasks_blocked()
    start = trio.current_time()
    await market.pace_load(10, 5)
    await wait_all_tasks_blocked()
    assert len(desk.sent) == 50
    assert [round(due - start, 6) for _, due, _, _ in desk.sent] == [number / 10 for number in range(50)]
    assert all(counted and at == due for _, due, counted, at in desk.sent)
    assert market.out == 50
    desk.finish.set()
    await wait_all_tasks_blocked()
    assert market.out == 0
    nursery.cancel_scope.cancel()


async def test_the_mix_is_kept_where_every_kind_is_wanted(autojump_clock, nursery):
    desk = FakeDesk()
    desk.finish.set()
    market = Market(desk)
    for payload in PAYLOADS.values():
        for _ in range(400):
            nursery.start_soon(market.perform, None, payload)
    await wait_all_tasks_blocked()
    await market.pace_load(100, 10)
    total_share = sum(MIX.values())
    for kind, share in MIX.items():
        assert market.given[kind] == pytest.approx(1_000 * share / total_share, abs=1.5)
    assert market.starved == 0
    nursery.cancel_scope.cancel()


async def test_a_turn_that_nobody_wants_is_counted(autojump_clock):
    market = Market(FakeDesk())
    await market.pace_load(10, 2)
    assert market.starved == 20
    assert market.given.total() == 0


async def test_a_kind_that_lags_behind_is_filled_up(autojump_clock, nursery):
    desk = FakeDesk()
    desk.finish.set()
    market = Market(desk)
    market.fillers["transfer"] = lambda: nursery.start_soon(market.perform, None, PAYLOADS["transfer"])
    for _ in range(400):
        nursery.start_soon(market.perform, None, PAYLOADS["trace"])
    await wait_all_tasks_blocked()
    await market.pace_load(10, 20)
    assert market.given["transfer"] == pytest.approx(200 * 3 / sum(MIX.values()), abs=2)
    nursery.cancel_scope.cancel()


async def test_while_shops_open_no_more_than_the_window_is_in_flight(autojump_clock, nursery):
    desk = FakeDesk()
    market = Market(desk)
    nursery.start_soon(market.pace_opening)
    for _ in range(WINDOW + 50):
        nursery.start_soon(market.perform, None, PAYLOADS["catalogue"])
    await wait_all_tasks_blocked()
    assert desk.most_in_flight == WINDOW
    desk.finish.set()
    await wait_all_tasks_blocked()
    assert len(desk.sent) == WINDOW + 50
    assert not any(counted for _, _, counted, _ in desk.sent)
    nursery.cancel_scope.cancel()


async def test_who_gives_up_waiting_leaves_the_queue(autojump_clock):
    market = Market(FakeDesk())
    async with trio.open_nursery() as waiting:
        waiting.start_soon(market.perform, None, PAYLOADS["ship"])
        await wait_all_tasks_blocked()
        assert market.waiting("ship") == 1
        waiting.cancel_scope.cancel()
    assert market.waiting("ship") == 0


async def test_a_peak_has_so_many_times_the_turns(autojump_clock, nursery):
    desk = FakeDesk()
    desk.finish.set()
    market = Market(desk)
    for _ in range(2_000):
        nursery.start_soon(market.perform, None, PAYLOADS["trace"])
    await wait_all_tasks_blocked()
    await market.pace_load(20, 60, peak=5)
    offsets = [due - market.load_start_s for _, due, _, _ in desk.sent]
    in_peak = [offset for offset in offsets if is_peak(offset)]
    assert len(offsets) - len(in_peak) == pytest.approx(20 * 50, abs=4)
    assert len(in_peak) == pytest.approx(100 * 10, abs=12)  # a peak may begin a turn of the usual rate late
    nursery.cancel_scope.cancel()


def test_peaks_are_the_end_of_every_half_minute():
    assert [is_peak(offset) for offset in (0, 24.9, 25, 29.9, 30, 54.9, 55)] == [
        False,
        False,
        True,
        True,
        False,
        False,
        True,
    ]
