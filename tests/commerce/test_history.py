"""The custody history of an item, verified without a node."""

import dataclasses

import pytest

from p2pcommerce.commerce import (
    HISTORY_ENTRY,
    Arbiter,
    AttestIssue,
    AttestRevoke,
    HistoryError,
    OrderCancel,
    OrderConfirm,
    OrderDispute,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
    Subject,
    SubjectKind,
    TermsSet,
    TraceCommission,
    TraceObserve,
    TraceReceive,
    TraceShip,
    TraceUnpack,
    entry_from,
    extends_history,
    fold,
    item_id,
    item_key,
    read_item,
    verify_history,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.history import HISTORY_ENTRIES_MAX
from p2pcommerce.commerce.item import ITEM
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.primitives.codec import decode, encode, pack
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.sparse_merkle import verify_state
from tests.commerce.world import GTIN, HASH, World, key

ITEM_ID = item_id(key("shop"), GTIN, serial="1")


@pytest.fixture
def world():
    """An item is made, goes to a carrier and back, and is sold."""
    world = World("shop", "buyer", "carrier")
    world.entries = []
    world.open_shop(traced=True)

    def keep():
        # What a node stores: the transaction's bytes and the time of its block.
        world.entries.append(entry_from(decode_transaction(world.last.raw), world.time_ms))

    world.commission("1")
    keep()
    for sender, receiver in (("shop", "carrier"), ("carrier", "shop")):
        world.do(sender, TraceShip((ITEM_ID,), key(receiver), HASH, 5))
        keep()
        world.do(receiver, TraceReceive((ITEM_ID,), bytes(32), 6))
        keep()
    order_id = world.place()
    world.do("shop", OrderShip(order_id, (ITEM_ID,)))
    keep()
    world.do("buyer", OrderConfirm(order_id))
    keep()
    return world


def value(world):
    return world.chain.values[item_key(ITEM_ID)]


def test_every_change_of_an_item_is_in_its_history(world):
    item = verify_history(world.entries, value(world))
    assert (item.n, item.owner, item.sold) == (7, key("buyer"), 1)
    assert [entry.type for entry in world.entries] == [
        "trace.commission",
        "trace.ship",
        "trace.receive",
        "trace.ship",
        "trace.receive",
        "order.ship",
        "order.confirm",
    ]
    assert [entry.signer for entry in world.entries[:3]] == [key("shop"), key("shop"), key("carrier")]


def test_the_record_and_the_entries_travel_as_bytes_with_a_state_proof(world):
    tree = world.chain.final.tree
    proof = tree.prove(item_key(ITEM_ID))
    verify_state(tree.root, item_key(ITEM_ID), value(world), proof)
    entries = [decode(HISTORY_ENTRY, encode(HISTORY_ENTRY, entry), 1_024) for entry in world.entries]
    assert verify_history(entries, value(world)).n == 7


def test_a_head_is_the_hash_of_the_previous_head_and_the_entry(world):
    first, second = world.entries[:2]
    plain = (first.tx_id, first.type, first.signer, first.event_hash, first.event_time_ms, first.time_ms)
    head = blake2b_256(bytes(32) + pack(plain))
    assert fold([first]) == head
    assert fold([first, second]) == blake2b_256(head + encode(HISTORY_ENTRY, second))
    assert fold([]) == bytes(32)


@pytest.mark.parametrize("left_out", range(7))
def test_no_event_can_be_left_out(world, left_out):
    entries = world.entries[:left_out] + world.entries[left_out + 1 :]
    with pytest.raises(HistoryError, match="not complete"):
        verify_history(entries, value(world))


def test_no_event_can_be_moved_changed_or_added(world):
    entries = world.entries
    with pytest.raises(HistoryError, match="changed or moved"):
        verify_history([entries[1], entries[0], *entries[2:]], value(world))
    for change in (
        {"tx_id": HASH},
        {"type": "trace.observe"},
        {"signer": key("carrier")},
        {"event_hash": bytes(32)},
        {"event_time_ms": 2},
        {"time_ms": 0},
    ):
        forged = dataclasses.replace(entries[0], **change)
        with pytest.raises(HistoryError, match="changed or moved"):
            verify_history([forged, *entries[1:]], value(world))
    with pytest.raises(HistoryError, match="not complete"):
        verify_history([*entries, entries[-1]], value(world))


@pytest.mark.parametrize("broken", [b"", b"\x00", b"\xff" * 40, bytes(20_000)])
def test_a_record_that_cannot_be_read_is_an_error_of_its_own(broken):
    with pytest.raises(HistoryError, match="cannot be read"):
        read_item(broken)


def test_a_history_has_a_limit(world):
    with pytest.raises(HistoryError, match="at most"):
        verify_history([world.entries[0]] * (HISTORY_ENTRIES_MAX + 1), value(world))


def test_an_item_is_named_by_serial_or_lot_never_both():
    assert item_key(ITEM_ID) == ITEM.tag + ITEM_ID
    assert item_id(key("shop"), GTIN, lot="1") != ITEM_ID
    assert len(item_id(key("shop"), GTIN, lot="x" * 20)) == 67
    for wrong in ({}, {"serial": "1", "lot": "1"}, {"serial": ""}, {"lot": "x" * 21}):
        with pytest.raises(FormatError):
            item_id(key("shop"), GTIN, **wrong)
    with pytest.raises(FormatError):
        item_id(key("shop"), "1", serial="1")


def test_what_names_an_item_and_does_not_change_it_is_not_in_its_history():
    changing = [OrderShip(HASH), OrderConfirm(HASH), OrderCancel(HASH), OrderResolve(HASH, 5), OrderSettle(HASH)]
    changing += [
        OrderRefund(HASH),
        TraceObserve((b"1",), "inspecting", "", HASH, 5),
        TraceUnpack(b"3", (b"1",), HASH, 5),
    ]
    subject = Subject(SubjectKind.ITEM, b"1")
    others = [OrderRefund(HASH, 5), OrderDispute(HASH), AttestIssue(subject, "organic", HASH, 5), AttestRevoke(HASH)]
    assert all(extends_history(each) for each in changing)
    assert not any(extends_history(each) for each in others)


def test_the_history_of_a_sold_item_is_whole_although_its_order_was_disputed_and_refunded_in_part():
    """The transactions whose events name an item, in their order, lead to its head."""
    world = World("shop", "buyer", "judge")
    world.open_shop(traced=True, terms=TermsSet(1, 100, 200, 100, 50, arbiters=(Arbiter(key("judge"), 5),)))
    identifier, entries = item_id(key("shop"), GTIN, serial="1"), []

    def do(name, body):
        outcome = world.try_(name, body)
        assert outcome.ok, outcome.detail
        if identifier in outcome.events[0].ids and extends_history(body):
            entries.append(entry_from(world.last, world.time_ms))
        return world.last.id

    do("shop", TraceCommission(GTIN, ("1",), None, HASH, 1))
    order = do("buyer", world.order(arbiter=key("judge")))
    do("shop", OrderShip(order, (identifier,)))
    do("shop", OrderRefund(order, 5))
    do("judge", AttestIssue(Subject(SubjectKind.ITEM, identifier), "organic", HASH, world.now_ms() + 10**6))
    do("buyer", OrderDispute(order))
    do("judge", OrderResolve(order, 5_000))
    item = verify_history(entries, world.chain.values[item_key(identifier)])
    assert (item.n, item.owner) == (3, key("buyer"))
