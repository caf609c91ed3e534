"""The second set of books: silent on what an honest chain did, and not on anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.commerce import OrderDispute, OrderResolve, build_transaction, read_body
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.primitives.ids import HEIGHT_MAX
from p2pcommerce.simulation.books import Books
from p2pcommerce.simulation.load import account_seed
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.world import World

from .worlds import run, scenario


@pytest.fixture(scope="module")
def market():
    """A world in which orders come to their ends, and its final blocks."""
    world = run(World(scenario(1, seconds=40, liveness=0, load_tps=10), WorldOptions(orders=True)))
    return world, list(world.hosts[0].storage.blocks)


def read(market, blocks):
    world, _ = market
    books = Books(world.genesis, world.scheme)
    return [words for committed in blocks for words in books.enter(committed)]


def test_an_honest_chain_balances(market):
    world, blocks = market
    events = {event.name for each in blocks for outcome in each.outcomes for event in outcome.events}
    assert {"order.confirm", "order.refund", "token.transfer"} <= events
    assert read(market, blocks) == []
    assert not world.oracles.violations


def busy(blocks):
    return next(index for index, each in enumerate(blocks) if each.block.transactions)


def test_a_transaction_that_stands_twice_is_seen(market):
    _, blocks = market
    place = busy(blocks)
    again = replace(blocks[place + 1], block=blocks[place].block, outcomes=blocks[place].outcomes)
    assert any("has nonce" in words for words in read(market, [*blocks[: place + 1], again]))


def test_fees_that_went_elsewhere_are_seen(market):
    _, blocks = market
    place = busy(blocks)
    committed = blocks[place]
    key = VALIDATOR.key(committed.block.header.proposer)
    before = VALIDATOR.read(committed.changes[key])
    richer = VALIDATOR.write(replace(before, rewards_minor=before.rewards_minor + 1))
    spoilt = replace(committed, changes={**committed.changes, key: richer})
    assert any("in fees" in words for words in read(market, [*blocks[:place], spoilt]))


def test_a_balance_that_nobody_accounts_for_is_seen(market):
    world, blocks = market
    key = ACCOUNT.key(next(iter(world.genesis.balances)))
    first = blocks[0]
    empty = replace(first, block=replace(first.block, transactions=()), outcomes=(), changes={})
    assert read(market, [empty]) == []
    spoilt = replace(empty, changes={key: ACCOUNT.write(Account(1, 0))})
    assert any("are accounted for" in words for words in read(market, [spoilt]))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("order.confirm", "by somebody who is not its buyer"),
        ("order.refund", "by somebody who has no right to it"),
        ("order.ship", "by somebody who has no right to it"),
        ("trace.receive", "by somebody to whom it was not sent"),
    ],
)
def test_who_has_no_right_to_it_is_seen(market, kind, words):
    world, blocks = market
    place, index = next(
        (place, index)
        for place, each in enumerate(blocks)
        for index, (raw, outcome) in enumerate(zip(each.block.transactions, each.outcomes, strict=True))
        if outcome.ok and decode_transaction(raw).type == kind
    )
    committed = blocks[place]
    honest = decode_transaction(committed.block.transactions[index])
    stranger = next(
        seed for number in range(9) if world.scheme.public_key(seed := account_seed(number)) != honest.sender
    )
    body = read_body(honest.type, honest.body)
    forbidden = build_transaction(body, world.genesis, stranger, 0, HEIGHT_MAX, scheme=world.scheme)
    raws = [*committed.block.transactions]
    raws[index] = forbidden.raw
    spoilt = replace(committed, block=replace(committed.block, transactions=tuple(raws)))
    assert any(words in complaint for complaint in read(market, [*blocks[:place], spoilt]))


def spoilt_at(market, kind, change):
    """Return what the books say of a chain in which one transaction of a kind was another one."""
    world, blocks = market
    place, index = next(
        (place, index)
        for place, each in enumerate(blocks)
        for index, (raw, outcome) in enumerate(zip(each.block.transactions, each.outcomes, strict=True))
        if outcome.ok and decode_transaction(raw).type == kind
    )
    committed = blocks[place]
    honest = decode_transaction(committed.block.transactions[index])
    seed = next(seed for number in range(99) if world.scheme.public_key(seed := account_seed(number)) == honest.sender)
    body = change(read_body(honest.type, honest.body))
    changed = build_transaction(body, world.genesis, seed, honest.nonce, HEIGHT_MAX, scheme=world.scheme)
    raws = [*committed.block.transactions]
    raws[index] = changed.raw
    spoilt = replace(committed, block=replace(committed.block, transactions=tuple(raws)))
    return read(market, [*blocks[:place], spoilt])


@pytest.mark.parametrize("kind", [OrderDispute, lambda order: OrderResolve(order, 5)])
def test_a_dispute_of_an_order_without_an_arbiter_is_seen(market, kind):
    said = spoilt_at(market, "order.confirm", lambda body: kind(body.order))
    assert any("has no arbiter" in words for words in said)


def test_an_order_that_these_books_do_not_follow_makes_its_block_vague(market):
    said = spoilt_at(market, "order.place", lambda body: replace(body, referrer=bytes(32)))
    assert not any("are accounted for" in words for words in said)


def test_what_stands_in_a_block_after_its_expiry_is_seen(market):
    _, blocks = market
    place, expires = next(
        (place, expires)
        for place, each in enumerate(blocks)
        for raw in each.block.transactions
        if (expires := decode_transaction(raw).expires_height) < HEIGHT_MAX
    )
    committed = blocks[place]
    late = replace(committed.block.header, height=expires + 1)
    spoilt = replace(committed, block=replace(committed.block, header=late))
    assert any("expired at height" in words for words in read(market, [*blocks[:place], spoilt]))


def test_one_sponsored_transaction_does_not_make_a_block_vague(market):
    world, blocks = market
    place = next(
        place
        for place, each in enumerate(blocks)
        if any(decode_transaction(raw).sponsor for raw in each.block.transactions)
    )
    committed = blocks[place]
    named = {ACCOUNT.key(decode_transaction(raw).payer) for raw in committed.block.transactions}
    other = next(key for key in map(ACCOUNT.key, world.genesis.balances) if key not in {*named, *committed.changes})
    spoilt = replace(committed, changes={**committed.changes, other: ACCOUNT.write(Account(1, 0))})
    assert any("are accounted for" in words for words in read(market, [*blocks[:place], spoilt]))
