"""The second set of books: silent on what an honest chain did, and not on anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.simulation.books import Books
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.world import World

from .worlds import run, scenario


@pytest.fixture(scope="module")
def market():
    """A world in which orders come to their ends, and its final blocks."""
    world = run(World(scenario(1, seconds=30, liveness=0, load_tps=6), WorldOptions(orders=True)))
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
