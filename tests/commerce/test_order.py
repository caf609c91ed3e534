"""Orders: every transition, every refusal, and where each minor unit goes."""

import dataclasses

import pytest

from p2pcommerce.commerce import (
    ListingSet,
    Lot,
    OrderCancel,
    OrderConfirm,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderSettle,
    OrderShip,
    ProductId,
    ProductSet,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    read_body,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import lot_id, serial_id
from p2pcommerce.commerce.kind import RECORD_BYTES_MAX
from p2pcommerce.commerce.order import (
    DONE_ORDER,
    DONE_ORDER_BYTES,
    LINE_BYTES,
    LOCKED_ITEM_BYTES,
    ORDER,
    ORDER_BYTES,
    DoneOrder,
    HeldPoints,
    Order,
    PlacedLine,
)
from p2pcommerce.commerce.points import POINTS_HELD_BYTES
from p2pcommerce.ledger.genesis import ChainParameters
from tests.commerce.world import BALANCE, GTIN, HASH, OTHER_GTIN, PRICE, TOKEN, World, key

FEE = PRICE * 50 // 10_000


@pytest.fixture
def world():
    world = World("shop", "buyer", "friend", "stranger")
    world.product = world.open_shop()
    return world


@pytest.fixture
def traced():
    world = World("shop", "buyer", "stranger")
    world.product = world.open_shop(traced=True)
    world.commission("1", "2", "3")
    return world


def items(world, *serials):
    return tuple(serial_id(world.product, serial) for serial in serials)


def status(world, order_id):
    answer = world.query("order", order=order_id)
    return None if answer is None else answer["status"]


def item(world, serial):
    return world.query("item", issuer=key("shop"), gtin=GTIN, serial=serial)


# --- place ---


def test_placing_takes_stock_and_puts_cash_into_escrow(world):
    before = world.balance("buyer")
    order_id = world.place(quantity=3, fee=20_000)
    assert world.stock() == 7
    assert world.balance("buyer") == before - 20_000 - 3 * PRICE - 10 * (ORDER_BYTES + LINE_BYTES)
    assert world.query("supply")["escrow_minor"] == 3 * PRICE
    order = world.query("order", order=order_id)
    assert (order["status"], order["cash_minor"], order["deadline_ms"]) == (
        "PLACED",
        3 * PRICE,
        world.now_ms() + 100_000,
    )


def test_a_store_cannot_order_from_itself(world):
    world.refused("FORBIDDEN", "shop", world.order())


def test_an_order_needs_a_store_and_its_listing(world):
    world.refused("NOT_FOUND", "buyer", dataclasses.replace(world.order(), store=key("friend")))
    world.refused("NOT_FOUND", "buyer", OrderPlace(key("shop"), (OrderLine(9, HASH, 1),)))


def test_a_changed_listing_fails_with_bad_state(world):
    order = world.order()
    world.do("shop", ListingSet(1, world.product, PRICE + 1, 0, False, 1))
    world.refused("BAD_STATE", "buyer", order)


def test_more_than_the_stock_fails_with_no_stock(world):
    world.refused("NO_STOCK", "buyer", world.order(quantity=11))
    world.place(quantity=10)
    world.refused("NO_STOCK", "buyer", world.order(quantity=1))


def test_a_flash_sale_sells_exactly_the_stock(world):
    order = world.order()
    transactions = [world.build("buyer", order, nonce=world.nonce("buyer") + i) for i in range(13)]
    outcomes = world.block(*transactions)
    assert [outcome.code.value for outcome in outcomes] == ["OK"] * 10 + ["NO_STOCK"] * 3


def test_all_lines_are_under_one_terms(world):
    world.do("shop", TermsSet(number=2, ship_s=1, confirm_s=1, dispute_s=1, cancel_s=1))
    world.do("shop", ListingSet(2, None, PRICE, 5, False, 2))
    lines = tuple(OrderLine(number, world.revision(number), 1) for number in (1, 2))
    world.refused("BAD_STATE", "buyer", OrderPlace(key("shop"), lines))


def test_a_buyer_without_the_cash_or_the_deposit_fails_with_no_funds(world):
    world.do("shop", ListingSet(1, world.product, BALANCE, 0, False, 1))
    world.refused("NO_FUNDS", "buyer", world.order())
    rest = world.balance("buyer") - 20_000
    world.do("shop", ListingSet(1, world.product, rest, 0, False, 1))
    world.refused("NO_FUNDS", "buyer", world.order(), fee=20_000)


def test_a_sum_of_2_to_63_or_more_fails_with_limit(world):
    world.do("shop", ListingSet(1, world.product, 2**62, 0, False, 1))
    world.refused("LIMIT", "buyer", world.order(quantity=2))


@pytest.mark.parametrize(
    "lines",
    [(), tuple(OrderLine(i, HASH, 1) for i in range(65)), (OrderLine(1, HASH, 0),), (OrderLine(1, HASH[1:], 1),)],
)
def test_an_order_over_its_limits_cannot_be_read(lines):
    with pytest.raises(FormatError):
        read_body("order.place", OrderPlace(HASH, lines).to_body())


def test_an_order_of_64_lines_can_be_placed_and_finished(world):
    for number in range(2, 66):
        world.do("shop", ListingSet(number, None, TOKEN, 2, False, 1))
    lines = tuple(OrderLine(number, world.revision(number), 2) for number in range(2, 66))
    order_id = world.do("buyer", OrderPlace(key("shop"), lines))
    world.do("shop", OrderShip(order_id))
    world.do("buyer", OrderConfirm(order_id))
    assert status(world, order_id) == "DONE"


def test_a_sponsor_that_pays_gets_escrow_and_deposit_back(world):
    buyer, friend = world.balance("buyer"), world.balance("friend")
    order_id = world.place(sponsor="friend", pays=True, fee=20_000)
    assert world.balance("buyer") == buyer
    assert world.balance("friend") == friend - 20_000 - PRICE - 10 * (ORDER_BYTES + LINE_BYTES)
    world.do("shop", OrderRefund(order_id))
    assert (world.balance("buyer"), world.balance("friend")) == (buyer, friend - 20_000)


def test_a_sponsor_of_the_fee_alone_pays_no_escrow(world):
    buyer, friend = world.balance("buyer"), world.balance("friend")
    world.place(sponsor="friend", fee=20_000)
    assert world.balance("friend") == friend - 20_000
    assert world.balance("buyer") == buyer - PRICE - 10 * (ORDER_BYTES + LINE_BYTES)


def test_a_new_key_orders_with_nothing_but_a_sponsor(world):
    friend = world.balance("friend")
    order_id = world.place(buyer="newcomer", sponsor="friend", pays=True, fee=20_000)
    world.do("shop", OrderShip(order_id))
    world.do("newcomer", OrderConfirm(order_id), sponsor="friend", fee=10_000)
    assert world.balance("newcomer") == 0
    deposit_kept = 640 + 10 * DONE_ORDER_BYTES
    assert world.balance("friend") == friend - 30_000 - PRICE - deposit_kept


def test_admission_counts_escrow_and_deposit(world):
    transaction = world.build("buyer", world.order(quantity=2))
    verdict = world.app.check(transaction, world.chain.final, 1)
    assert verdict.spend_minor == transaction.fee + 2 * PRICE + 10 * (ORDER_BYTES + LINE_BYTES)
    sponsored = world.build("buyer", world.order(quantity=2), sponsor="friend", pays=True)
    verdict = world.app.check(sponsored, world.chain.final, 1)
    assert (verdict.payer, verdict.spend_minor - sponsored.fee) == (
        key("friend"),
        2 * PRICE + 10 * (ORDER_BYTES + LINE_BYTES),
    )


def test_admission_does_not_judge_lines_that_may_come_to_exist(world):
    transaction = world.build("buyer", OrderPlace(key("shop"), (OrderLine(9, HASH, 1),)))
    assert world.app.check(transaction, world.chain.final, 1).payer == key("buyer")


# --- ship ---


def test_shipping_starts_the_buyers_time(world):
    order_id = world.place()
    world.wait(30)
    world.do("shop", OrderShip(order_id))
    order = world.query("order", order=order_id)
    assert (order["status"], order["deadline_ms"]) == ("SHIPPED", world.now_ms() + 200_000)


def test_only_the_store_ships_and_only_once(world):
    order_id = world.place()
    world.refused("FORBIDDEN", "buyer", OrderShip(order_id))
    world.do("shop", OrderShip(order_id))
    world.refused("BAD_STATE", "shop", OrderShip(order_id))


def test_shipping_an_unknown_order_fails_with_not_found(world):
    world.refused("NOT_FOUND", "shop", OrderShip(HASH))


def test_shipping_after_the_deadline_fails_with_too_late(world):
    order_id = world.place()
    world.wait(101)
    world.refused("TOO_LATE", "shop", OrderShip(order_id))


def test_a_party_may_act_until_the_deadline_and_anyone_settles_right_after_it(world):
    order_id = world.place()
    deadline = world.query("order", order=order_id)["deadline_ms"]
    world.block(step_ms=50_000)
    world.block(step_ms=deadline - world.now_ms() - 1)
    world.refused("TOO_EARLY", "stranger", OrderSettle(order_id))
    assert world.now_ms() == deadline
    world.do("stranger", OrderSettle(order_id))
    assert status(world, order_id) is None


def test_traced_lines_are_matched_exactly_by_items_of_the_store(traced):
    order_id = traced.place(quantity=2)
    for wrong in (items(traced), items(traced, "1"), items(traced, "1", "2", "3")):
        traced.refused("BAD_STATE", "shop", OrderShip(order_id, wrong))
    traced.refused("NOT_FOUND", "shop", OrderShip(order_id, items(traced, "1", "9")))
    traced.do("shop", OrderShip(order_id, items(traced, "1", "3")))
    assert (item(traced, "1")["status"], item(traced, "1")["order"]) == ("IN_ORDER", order_id.hex())
    assert item(traced, "2")["status"] == "RESTING"


def test_items_of_another_product_do_not_match(traced):
    traced.do("shop", ProductSet(OTHER_GTIN, HASH))
    traced.do("shop", TraceCommission(OTHER_GTIN, ("1",), None, HASH, 1))
    order_id = traced.place()
    other = serial_id(ProductId(key("shop"), OTHER_GTIN), "1")
    traced.refused("BAD_STATE", "shop", OrderShip(order_id, (other,)))


def test_untraced_lines_take_no_items(world):
    world.commission("1")
    order_id = world.place()
    world.refused("BAD_STATE", "shop", OrderShip(order_id, items(world, "1")))


def test_items_are_strictly_increasing(traced):
    with pytest.raises(FormatError, match="strictly increasing"):
        OrderShip(HASH, items(traced, "2", "1")).check(None)
    with pytest.raises(FormatError, match="strictly increasing"):
        OrderShip(HASH, items(traced, "1", "1")).check(None)


def test_an_item_that_is_in_transit_or_in_another_order_cannot_be_shipped(traced):
    first, second = traced.place(), traced.place()
    traced.do("shop", OrderShip(first, items(traced, "1")))
    traced.refused("BAD_STATE", "shop", OrderShip(second, items(traced, "1")))
    traced.do("shop", TraceShip(items(traced, "2"), key("stranger"), HASH, 1))
    traced.refused("BAD_STATE", "shop", OrderShip(second, items(traced, "2")))


def test_an_item_that_the_store_does_not_own_and_hold_cannot_be_shipped(traced):
    first, second = traced.place(), traced.place()
    traced.do("shop", OrderShip(first, items(traced, "1")))
    traced.do("buyer", OrderConfirm(first))
    traced.refused("FORBIDDEN", "shop", OrderShip(second, items(traced, "1")))


def test_a_store_sells_goods_of_another_issuer_once_it_owns_and_holds_them():
    world = World("maker", "shop", "buyer")
    world.open_shop()
    product = ProductId(key("maker"), GTIN)
    world.do("maker", ProductSet(GTIN, HASH))
    world.commission("1", "2", name="maker")
    world.do("shop", ListingSet(2, product, PRICE, 2, True, 1))
    order_id = world.place(number=2)
    held, owned = ((serial_id(product, serial),) for serial in "12")
    world.do("maker", TraceShip(held, key("shop"), HASH, 1))
    world.do("maker", TraceShip(owned, key("shop"), HASH, 1, transfers_owner=True))
    for ids in (held, owned):
        world.refused("FORBIDDEN", "shop", OrderShip(order_id, ids))
        world.do("shop", TraceReceive(ids, HASH, 2))
    world.refused("FORBIDDEN", "shop", OrderShip(order_id, held))
    world.do("shop", OrderShip(order_id, owned))


def test_an_item_in_an_order_cannot_be_sent_elsewhere(traced):
    order_id = traced.place()
    traced.do("shop", OrderShip(order_id, items(traced, "1")))
    traced.refused("BAD_STATE", "shop", TraceShip(items(traced, "1"), key("stranger"), HASH, 1))


def test_a_lot_counts_its_units(traced):
    traced.do("shop", TraceCommission(GTIN, (), Lot("L1", 3), HASH, 1))
    order_id = traced.place(quantity=4)
    lot = lot_id(traced.product, "L1")
    traced.refused("BAD_STATE", "shop", OrderShip(order_id, (lot,)))
    traced.do("shop", OrderShip(order_id, (*items(traced, "1"), lot)))


def test_the_deposit_of_an_order_covers_its_items_from_the_start(traced):
    before = traced.balance("buyer")
    order_id = traced.place(quantity=2, fee=20_000)
    deposit = 10 * (ORDER_BYTES + LINE_BYTES + 2 * LOCKED_ITEM_BYTES)
    assert traced.balance("buyer") == before - 20_000 - 2 * PRICE - deposit
    shop = traced.balance("shop")
    traced.do("shop", OrderShip(order_id, items(traced, "1", "2")), fee=10_000)
    assert traced.balance("shop") == shop - 10_000


# --- confirm: FINISH ---


def test_confirming_pays_the_store_less_the_protocol_fee_half_of_it_burned(world):
    order_id = world.place()
    world.do("shop", OrderShip(order_id))
    shop, buyer = world.balance("shop"), world.balance("buyer")
    rewards = world.query("validators")[0]["rewards_minor"]
    world.do("buyer", OrderConfirm(order_id), fee=10_000)
    assert world.balance("shop") == shop + PRICE - FEE
    released = 10 * (ORDER_BYTES + LINE_BYTES - DONE_ORDER_BYTES)
    assert world.balance("buyer") == buyer - 10_000 + released
    supply = world.query("supply")
    assert (supply["escrow_minor"], supply["burned_minor"]) == (0, FEE // 2)
    assert world.query("validators")[0]["rewards_minor"] == rewards + 10_000 + FEE - FEE // 2


@pytest.mark.parametrize("price_minor", [1, 199, 200, 201, 599, 10_007])
def test_the_parts_of_an_order_add_up_to_its_escrow(world, price_minor):
    world.do("shop", ListingSet(2, None, price_minor, 1, False, 1))
    order_id = world.place(number=2)
    world.do("shop", OrderShip(order_id))
    shop, burned = world.balance("shop"), world.query("supply")["burned_minor"]
    rewards = world.query("validators")[0]["rewards_minor"]
    world.do("buyer", OrderConfirm(order_id), fee=10_000)
    to_shop = world.balance("shop") - shop
    to_pot = world.query("validators")[0]["rewards_minor"] - rewards - 10_000
    to_fire = world.query("supply")["burned_minor"] - burned
    assert to_shop + to_pot + to_fire == price_minor
    assert to_pot + to_fire == price_minor * 50 // 10_000
    assert to_fire == (to_pot + to_fire) // 2


def test_an_order_without_a_fee_leaves_nothing_behind(world):
    world.do("shop", ListingSet(2, None, 199, 1, False, 1))
    before = world.balance("buyer")
    order_id = world.place(number=2, fee=20_000)
    world.do("shop", OrderShip(order_id))
    world.do("buyer", OrderConfirm(order_id), fee=10_000)
    assert status(world, order_id) is None
    assert world.balance("buyer") == before - 30_000 - 199


def test_only_the_buyer_confirms_and_only_what_is_shipped(world):
    order_id = world.place()
    world.refused("BAD_STATE", "buyer", OrderConfirm(order_id))
    world.do("shop", OrderShip(order_id))
    world.refused("FORBIDDEN", "shop", OrderConfirm(order_id))
    world.refused("FORBIDDEN", "stranger", OrderConfirm(order_id))


def test_the_buyer_confirms_at_any_time(world):
    order_id = world.place()
    world.do("shop", OrderShip(order_id))
    world.wait(500)
    world.do("buyer", OrderConfirm(order_id))


def test_a_finished_order_cannot_be_acted_on(world):
    order_id = world.place()
    world.do("shop", OrderShip(order_id))
    world.do("buyer", OrderConfirm(order_id))
    for name, body in (
        ("buyer", OrderConfirm(order_id)),
        ("buyer", OrderCancel(order_id)),
        ("shop", OrderRefund(order_id)),
        ("shop", OrderShip(order_id)),
    ):
        world.refused("BAD_STATE", name, body)


def test_confirming_hands_the_items_over_and_counts_the_sale(traced):
    order_id = traced.place()
    traced.do("shop", OrderShip(order_id, items(traced, "1")))
    traced.do("buyer", OrderConfirm(order_id))
    sold = item(traced, "1")
    assert (sold["owner"], sold["custodian"], sold["status"]) == (key("buyer").hex(), key("buyer").hex(), "RESTING")
    assert (sold["sold"], sold["order"], sold["n"]) == (1, None, 3)


# --- cancel and refund ---


def test_the_buyer_cancels_only_after_the_terms_time_and_while_placed(world):
    order_id = world.place()
    world.refused("TOO_EARLY", "buyer", OrderCancel(order_id))
    world.wait(51)
    world.refused("FORBIDDEN", "stranger", OrderCancel(order_id))
    world.do("buyer", OrderCancel(order_id))
    assert (status(world, order_id), world.stock()) == (None, 10)
    late = world.place()
    world.wait(101)
    world.refused("TOO_LATE", "buyer", OrderCancel(late))
    shipped = world.place()
    world.do("shop", OrderShip(shipped))
    world.refused("BAD_STATE", "buyer", OrderCancel(shipped))


def test_a_full_refund_returns_exactly_what_the_payer_paid(world):
    before = world.balance("buyer")
    order_id = world.place(quantity=3, fee=20_000)
    world.do("shop", OrderRefund(order_id))
    assert world.balance("buyer") == before - 20_000
    assert (status(world, order_id), world.stock()) == (None, 10)


def test_a_partial_refund_comes_out_of_the_escrow(world):
    order_id = world.place()
    before = world.balance("buyer")
    world.do("shop", OrderRefund(order_id, PRICE - 1))
    assert world.balance("buyer") == before + PRICE - 1
    assert world.query("order", order=order_id)["cash_minor"] == 1
    world.refused("LIMIT", "shop", OrderRefund(order_id, 1))
    world.do("shop", OrderRefund(order_id))
    assert world.query("supply")["escrow_minor"] == 0


def test_only_the_store_refunds(world):
    order_id = world.place()
    world.refused("FORBIDDEN", "buyer", OrderRefund(order_id))
    world.refused("NOT_FOUND", "shop", OrderRefund(HASH))


def test_a_refund_after_the_deadline_fails_with_too_late(world):
    order_id = world.place()
    world.wait(101)
    world.refused("TOO_LATE", "shop", OrderRefund(order_id))


def test_a_refund_of_a_shipped_order_unlocks_the_items_and_returns_no_stock(traced):
    order_id = traced.place()
    traced.do("shop", OrderShip(order_id, items(traced, "1")))
    traced.do("shop", OrderRefund(order_id))
    free = item(traced, "1")
    assert (free["owner"], free["status"], free["sold"], free["n"]) == (key("shop").hex(), "RESTING", 0, 3)
    assert traced.stock() == 9


def test_stock_of_a_removed_listing_does_not_come_back(world):
    order_id = world.place()
    world.do("shop", ListingSet(1, None, 0, 0, False, 1))
    world.do("shop", OrderRefund(order_id))
    assert world.query("listing", store=key("shop"), number=1) is None


# --- settle ---


def test_settling_a_late_placed_order_returns_everything(world):
    before = world.balance("buyer")
    order_id = world.place(fee=20_000)
    world.refused("TOO_EARLY", "stranger", OrderSettle(order_id))
    world.wait(101)
    world.do("stranger", OrderSettle(order_id))
    assert world.balance("buyer") == before - 20_000
    assert world.stock() == 10


def test_settling_a_late_shipped_order_pays_the_store(world):
    order_id = world.place()
    world.do("shop", OrderShip(order_id))
    shop = world.balance("shop")
    world.refused("TOO_EARLY", "stranger", OrderSettle(order_id))
    world.wait(201)
    world.do("stranger", OrderSettle(order_id))
    assert world.balance("shop") == shop + PRICE - FEE
    assert status(world, order_id) == "DONE"


def test_a_done_order_is_removed_when_its_time_is_over_and_pays_who_removes_it(world):
    order_id = world.place()
    world.do("shop", OrderShip(order_id))
    world.do("buyer", OrderConfirm(order_id))
    world.refused("TOO_EARLY", "stranger", OrderSettle(order_id))
    world.wait(11)
    before = world.balance("stranger")
    world.do("stranger", OrderSettle(order_id), fee=10_000)
    assert world.balance("stranger") == before - 10_000 + 10 * DONE_ORDER_BYTES
    assert status(world, order_id) is None
    world.refused("NOT_FOUND", "stranger", OrderSettle(order_id))


def test_a_halt_of_the_chain_does_not_expire_an_order(world):
    order_id = world.place()
    world.block(step_ms=86_400_000)
    world.do("shop", OrderShip(order_id))


def test_no_protocol_fee_burns_nothing():
    world = World("shop", "buyer", parameters=dataclasses.replace(ChainParameters.local(), protocol_fee_bps=0))
    world.open_shop()
    shop = world.balance("shop")
    order_id = world.place()
    world.do("shop", OrderShip(order_id), fee=10_000)
    world.do("buyer", OrderConfirm(order_id))
    assert world.balance("shop") == shop - 10_000 + PRICE
    assert world.query("supply")["burned_minor"] == 0


# --- sizes ---


def test_the_largest_orders_fit_their_sizes():
    most, product = 2**63 - 1, ProductId(HASH, GTIN)
    lines = tuple(PlacedLine(2**32 - 1, most, product) for _ in range(64))
    ids = tuple(serial_id(product, "x" * 20) for _ in range(64))
    points, parties = (HeldPoints(HASH, most, most),) * 4, (HASH, HASH, HASH)
    for record in (
        Order(*parties, 2, 2**32 - 1, most, most, most, lines, ids, points, HASH, HASH, HASH, HASH, most),
        Order(*parties, 1, 2**32 - 1, most, most, most, lines[:1], ids[:1], points[:1], HASH, HASH, HASH, HASH, most),
        Order(*parties, 3, 2**32 - 1, most, most, most, lines[:1], (), (), HASH, HASH, HASH, HASH, most),
        Order(HASH, HASH, HASH, 1, 2**32 - 1, most, most, most, (PlacedLine(1, 1, None),), ()),
    ):
        assert len(ORDER.key(HASH)) + len(ORDER.write(record)) <= ORDER.size(record)
    done = DoneOrder(HASH, HASH, most, most)
    assert len(DONE_ORDER.key(HASH)) + len(DONE_ORDER.write(done)) <= DONE_ORDER_BYTES
    assert DONE_ORDER_BYTES + POINTS_HELD_BYTES <= ORDER_BYTES + LINE_BYTES
    assert len(ORDER.write(dataclasses.replace(record, lines=lines, items=ids, points=points))) <= RECORD_BYTES_MAX
