"""The lives of orders and goods, on a ledger that takes everything at once."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import pytest
import trio

from p2pcommerce.cli.demo.custody import Custody
from p2pcommerce.cli.demo.desk import Result
from p2pcommerce.cli.demo.orders import REFUNDS_MAX, Orders
from p2pcommerce.cli.demo.people import NotFundedError, Person
from p2pcommerce.cli.demo.shops import CANCEL_S, CONFIRM_S, Shops
from p2pcommerce.cli.demo.story import Story, tokens
from p2pcommerce.cli.demo.workload import CustodyKind, CustodyStep
from p2pcommerce.commerce import item_id
from p2pcommerce.commerce.epcis import Sgtin
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.workload import Cancellation, Order, OrderLine

GTIN = "09520001000003"
NOW = datetime(2011, 1, 3)


@dataclass
class FakePeople:
    """Notes who does what; everything succeeds but the types in `failing`."""

    done: list = field(default_factory=list)
    failing: set = field(default_factory=set)
    known: dict = field(default_factory=dict)
    time_ms: int = 1_000
    poor: bool = False
    hold: trio.Event | None = None

    def named(self, name):
        return self.known.setdefault(name, Person(name, blake2b_256(name.encode())))

    async def endow(self, person, need_minor):
        await trio.lowlevel.checkpoint()

    async def perform(self, person, payload, spend_minor=0):
        await trio.lowlevel.checkpoint()
        if self.poor:
            raise NotFundedError("the banks are empty")
        if self.hold is not None and payload.TYPE == "order.place":
            await self.hold.wait()
        self.done.append((person.name, payload))
        code = RejectionCode.FORBIDDEN if payload.TYPE in self.failing else RejectionCode.OK
        return Result(code, blake2b_256(str(len(self.done)).encode()), self.time_ms, 0.1)

    def types(self):
        return [payload.TYPE for _, payload in self.done]


@dataclass
class FakeDesk:
    time_ms: int = 1_000
    progress: trio.Event = field(default_factory=trio.Event)


class NeverSettled(random.Random):
    def random(self):
        return 0.99


class AlwaysSettled(random.Random):
    def random(self):
        return 0.0


def order(*lines, customer="17850", merchant="85"):
    made = tuple(OrderLine(code, f"THING {code}", quantity, price) for code, quantity, price in lines)
    return Order(invoice="1", part=0, customer=customer, merchant=merchant, placed_at=NOW, lines=made)


def cancellation(code="85001", quantity=1, price=2_000_000, customer="17850"):
    return Cancellation(
        invoice="C1",
        customer=customer,
        merchant="85",
        placed_at=NOW,
        code=code,
        quantity=quantity,
        unit_price_minor=price,
    )


ORDER = order(("85001", 3, 2_000_000), ("85002", 1, 5_000_000))


async def live(events, people=None, rng=None, desk=None):
    people = people or FakePeople()
    orders = Orders(desk or FakeDesk(), people, Shops(people), Story(), rng or NeverSettled())
    await orders.feed(iter(events), 10)
    return orders, people


async def test_an_order_is_placed_shipped_and_confirmed():
    orders, people = await live([ORDER])
    assert people.types() == [
        *["store.set", "terms.set", "listing.set", "listing.set"],
        *["order.place", "order.ship", "order.confirm"],
    ]
    assert [name for name, _ in people.done[4:]] == ["customer 17850", "merchant 85", "customer 17850"]
    place = people.done[4][1]
    assert place.store == people.named("merchant 85").key
    assert sorted(line.quantity for line in place.lines) == [1, 3]
    assert [line.listing for line in place.lines] == [1, 2]
    assert orders.counts == {"confirmed": 1}
    assert orders.preparing == 0


async def test_a_shop_and_its_listings_are_opened_once():
    _, people = await live([ORDER, ORDER, order(("85001", 1, 2_000_000), ("85001", 1, 9_000_000))])
    counts = Counter(people.types())
    assert (counts["store.set"], counts["terms.set"], counts["listing.set"]) == (1, 1, 3)
    prices = {payload.price_minor for _, payload in people.done if payload.TYPE == "listing.set"}
    assert prices == {2_000_000, 5_000_000, 9_000_000}


async def test_a_stranger_settles_what_a_buyer_never_confirms(nursery):
    desk = FakeDesk()

    async def pass_time():
        while True:
            await trio.testing.wait_all_tasks_blocked()
            desk.time_ms += 1_000
            progress, desk.progress = desk.progress, trio.Event()
            progress.set()

    nursery.start_soon(pass_time)
    orders, people = await live([ORDER], rng=AlwaysSettled(), desk=desk)
    nursery.cancel_scope.cancel()
    name, payload = people.done[-1]
    assert payload.TYPE == "order.settle"
    assert name.startswith("stranger")
    assert desk.time_ms > 1_000 + CONFIRM_S * 1_000
    assert orders.counts == {"settled": 1}


async def test_a_cancellation_refunds_a_part_and_the_order_goes_on():
    orders, people = await live([ORDER, cancellation()])
    assert people.types()[4:] == ["order.place", "order.refund", "order.ship", "order.confirm"]
    refund = people.done[5][1]
    assert refund.amount_minor == 2_000_000
    assert orders.counts == {"refunded": 1, "confirmed": 1}


async def test_cancellations_of_everything_close_the_order():
    orders, people = await live([ORDER, cancellation(quantity=3), cancellation("85002", 1, 5_000_000)])
    assert people.types()[4:] == ["order.place", "order.refund", "order.refund"]
    assert [payload.amount_minor for _, payload in people.done[5:]] == [6_000_000, 0]
    assert orders.counts == {"refunded": 2}


@pytest.mark.parametrize(
    "other", [cancellation("85009"), cancellation(customer="1"), cancellation("85001", 1, 1, customer="x")]
)
async def test_a_cancellation_of_no_open_order_is_skipped_and_counted(other):
    orders, _ = await live([ORDER, other])
    assert orders.skipped == {"cancellation of no open order": 1}
    assert orders.counts == {"confirmed": 1}


async def test_an_order_that_is_over_cannot_be_cancelled():
    people = FakePeople()
    orders = Orders(FakeDesk(), people, Shops(people), Story(), NeverSettled())
    await orders.feed(iter([ORDER]), 10)
    await orders.feed(iter([cancellation()]), 10)
    assert orders.skipped == {"cancellation of no open order": 1}


@pytest.mark.parametrize(
    ("failing", "says"),
    [
        ("store.set", "SHOP"),
        ("listing.set", "SHOP"),
        ("order.place", "not placed: FORBIDDEN"),
        ("order.ship", "not shipped: FORBIDDEN"),
        ("order.confirm", "not confirmed: FORBIDDEN"),
    ],
)
async def test_what_fails_is_counted_and_stops_its_order_only(failing, says):
    orders, _ = await live([ORDER], FakePeople(failing={failing}))
    assert orders.counts == {says: 1}
    assert orders.preparing == 0


async def test_nobody_orders_without_money():
    orders, _ = await live([ORDER], FakePeople(poor=True))
    assert orders.counts == {"NOT_FUNDED": 1}


async def test_no_more_orders_are_prepared_than_allowed(nursery):
    people = FakePeople(hold=trio.Event())
    orders = Orders(FakeDesk(), people, Shops(people), Story(), NeverSettled())
    nursery.start_soon(orders.feed, iter([ORDER] * 20), 4)
    await trio.testing.wait_all_tasks_blocked()
    assert orders.preparing == 4
    people.hold.set()
    await trio.testing.wait_all_tasks_blocked()
    assert orders.counts == {"confirmed": 20}


# goods


def step(kind, *serials, number=1, gtin=GTIN):
    items = tuple(sorted(Sgtin(gtin, serial) for serial in serials))
    return CustodyStep(kind, items, bytes([number]) * 32, number * 1_000, f"step {number}")


async def moved(steps, people=None):
    people = people or FakePeople()
    custody = Custody(people, Story(), random.Random(7))
    await custody.feed(iter(steps), 10)
    return custody, people


async def test_goods_are_commissioned_shipped_and_received():
    custody, people = await moved(
        [
            step(CustodyKind.COMMISSION, "a", "b", number=1),
            step(CustodyKind.SHIP, "a", "b", number=2),
            step(CustodyKind.RECEIVE, "a", "b", number=3),
        ]
    )
    assert people.types() == ["product.set", "trace.commission", "trace.ship", "trace.receive"]
    (maker, _), (_, commission), (shipper, ship), (receiver, receive) = people.done
    assert shipper == maker
    assert ship.to == people.named(receiver).key
    assert commission.serials == ("a", "b")
    expected = tuple(sorted(item_id(people.named(maker).key, GTIN, serial=serial) for serial in "ab"))
    assert ship.ids == receive.ids == expected
    assert [payload.event_hash for payload in (commission, ship, receive)] == [bytes([n]) * 32 for n in (1, 2, 3)]
    assert custody.longest.events == 3
    assert custody.skipped == {}


async def test_unknown_goods_are_commissioned_first():
    _, people = await moved([step(CustodyKind.SHIP, "a")])
    assert people.types() == ["product.set", "trace.commission", "trace.ship"]
    assert {payload.event_hash for _, payload in people.done[1:]} == {bytes([1]) * 32}


async def test_the_missing_half_of_a_hand_over_is_made_up():
    _, people = await moved([step(CustodyKind.RECEIVE, "a", number=1), step(CustodyKind.RECEIVE, "a", number=2)])
    assert people.types() == [
        *["product.set", "trace.commission", "trace.ship", "trace.receive"],
        *["trace.ship", "trace.receive"],
    ]
    names = [name for name, _ in people.done]
    assert names[4] == names[3]
    assert names[5] != names[4]


async def test_goods_on_the_way_arrive_before_they_are_shipped_again():
    _, people = await moved([step(CustodyKind.SHIP, "a", number=1), step(CustodyKind.SHIP, "a", number=2)])
    assert people.types()[2:] == ["trace.ship", "trace.receive", "trace.ship"]


async def test_goods_that_exist_are_not_made_again():
    custody, people = await moved([step(CustodyKind.COMMISSION, "a"), step(CustodyKind.COMMISSION, "a", "b", number=2)])
    assert [payload.serials for _, payload in people.done[1:]] == [("a",), ("b",)]
    assert custody.skipped == {"item exists already": 1}


async def test_goods_of_several_holders_are_shipped_by_each():
    _, people = await moved(
        [
            step(CustodyKind.RECEIVE, "a", number=1),
            step(CustodyKind.COMMISSION, "b", number=2),
            step(CustodyKind.SHIP, "a", "b", number=3),
        ]
    )
    shipments = [(name, payload.ids) for name, payload in people.done if payload.TYPE == "trace.ship"][1:]
    assert len(shipments) == 2
    assert len({name for name, _ in shipments}) == 2


async def test_after_a_failed_step_its_goods_stay_where_they_are():
    custody, people = await moved(
        [step(CustodyKind.SHIP, "a"), step(CustodyKind.RECEIVE, "a", number=2), step(CustodyKind.SHIP, "z", number=3)],
        FakePeople(failing={"trace.ship"}),
    )
    assert "trace.receive" not in people.types()
    assert custody.skipped == {"CUSTODY": 2, "step after a failed one": 1}


async def test_a_history_in_order_is_rather_told():
    custody, _ = await moved(
        [
            step(CustodyKind.RECEIVE, "a", number=9),
            step(CustodyKind.RECEIVE, "a", number=1),
            step(CustodyKind.SHIP, "b", number=2),
        ]
    )
    assert custody.longest.sgtin.serial == "b"


async def test_products_and_purses_are_prepared_once():
    people = FakePeople()
    custody = Custody(people, Story(), random.Random(7))
    await custody.prepare([GTIN, GTIN])
    await custody.feed(iter([step(CustodyKind.COMMISSION, "a")]), 10)
    assert people.types() == ["product.set", "trace.commission"]


def test_amounts_are_written_for_people():
    assert tokens(1_234_567_891) == "1,234.57"


async def test_half_of_those_who_confirm_write_a_review():
    class Reviewing(random.Random):
        def random(self):
            return 0.3  # above the share that is settled, below the share that is reviewed

    orders, people = await live([ORDER], rng=Reviewing())
    assert people.types()[-2:] == ["order.confirm", "review.post"]
    assert people.done[-1][0] == "customer 17850"
    assert orders.counts == {"confirmed": 1, "reviewed": 1}


async def test_half_a_percent_of_the_endings_call_the_arbiter_whom_the_terms_name():
    class Disputed(random.Random):
        def random(self):
            return 0.16  # above the share that is settled, below that and the share that is disputed

    orders, people = await live([ORDER], rng=Disputed())
    assert people.types()[-3:] == ["order.ship", "order.dispute", "order.resolve"]
    (named,) = next(payload for _, payload in people.done if payload.TYPE == "terms.set").arbiters
    placed = next(payload for _, payload in people.done if payload.TYPE == "order.place")
    assert placed.arbiter == named.account == people.named(people.done[-1][0]).key
    assert people.done[-2][0] == "customer 17850"
    assert orders.counts == {"disputed": 1}


@pytest.mark.parametrize(
    ("later_ms", "ends"), [(CANCEL_S * 1_000 + 1, "order.cancel"), (CANCEL_S * 1_000, "order.refund")]
)
async def test_a_buyer_cancels_what_is_not_shipped_once_the_terms_allow_it(later_ms, ends):
    people = FakePeople()
    desk = FakeDesk(time_ms=people.time_ms + later_ms)
    everything = order(("85001", 1, 2_000_000))
    orders, people = await live([everything, cancellation()], people, desk=desk)
    assert people.types()[-2:] == ["order.place", ends]
    assert people.done[-1][0] == ("customer 17850" if ends == "order.cancel" else "merchant 85")
    assert orders.counts == {"cancelled" if ends == "order.cancel" else "refunded": 1}


async def test_no_more_cancellations_wait_than_allowed(nursery):
    people = FakePeople(hold=trio.Event())
    orders = Orders(FakeDesk(), people, Shops(people), Story(), NeverSettled())
    big = order(("85001", 10_000, 2_000_000))
    nursery.start_soon(orders.feed, iter([big, *[cancellation()] * (REFUNDS_MAX + 3)]), 10)
    await trio.testing.wait_all_tasks_blocked()
    assert orders.skipped == {"cancellation beyond the share of the mix": 3}
    people.hold.set()
    await trio.testing.wait_all_tasks_blocked()
    assert orders.counts == {"refunded": REFUNDS_MAX, "confirmed": 1}
    await orders.feed(iter([order(("85001", 3, 2_000_000)), cancellation()]), 10)
    assert orders.counts["refunded"] == REFUNDS_MAX + 1


async def test_a_fickle_buyer_cancels_as_soon_as_the_terms_allow_it():
    class Fickle(random.Random):
        def random(self):
            return 0.01

    people = FakePeople()
    desk = FakeDesk(time_ms=people.time_ms + CANCEL_S * 1_000)
    orders = Orders(desk, people, Shops(people), Story(), Fickle())
    orders.are_fickle = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(orders.feed, iter([ORDER]), 10)
        await trio.testing.wait_all_tasks_blocked()
        assert people.types()[-1] == "order.place"  # not yet
        desk.time_ms += 1
        desk.progress.set()
    assert people.types()[-1] == "order.cancel"
    assert people.done[-1][0] == "customer 17850"
    assert orders.counts == {"cancelled": 1}


async def test_nobody_cancels_an_order_of_a_limited_stock():
    people = FakePeople()
    shops = Shops(people)
    orders = Orders(FakeDesk(), people, shops, Story(), AlwaysSettled())
    orders.are_fickle = True
    limited = order(("85001", 1, 2_000_000))
    await shops.limit(limited.merchant, limited.lines[0], 3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(orders.feed, iter([limited]), 10)
        await trio.testing.wait_all_tasks_blocked()
        assert people.types()[-2:] == ["order.place", "order.ship"]
        nursery.cancel_scope.cancel()
