"""How large a validator's blocks are: they shrink when one is given up, and grow again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.finality.engine import Build
from p2pcommerce.node import proposer as room
from p2pcommerce.node.proposer import Proposer
from tests.node.accounts import make_genesis
from tests.node.parts import Site

MOST = 16


class Pool:
    """Offers its transactions in order."""

    def __init__(self, transactions):
        self.transactions = list(transactions)

    @property
    def ready_count(self):
        return len(self.transactions)

    def __contains__(self, tx_id):
        return any(transaction.id == tx_id for transaction in self.transactions)

    def select(self, *, excluded, count_max, **_):
        return [transaction for transaction in self.transactions if not excluded(transaction.id)][:count_max]

    def discard(self, *_):
        return []


class Bench:
    """A proposer, its chain and its pool."""

    def __init__(self, count=400):
        self.site = Site(make_genesis())
        parameters = replace(self.site.genesis.parameters, block_transactions_max=MOST)
        self.pool = Pool(self.site.transfers("ann", *range(count)))
        self.proposer = Proposer(self.site.chain, self.pool, parameters, self.site.genesis.validators.keys[0])
        self.views = 0

    def propose(self, *, accepted):
        """Build on the final head; return how many transactions the block holds."""
        chain = self.site.chain
        self.views += 1
        time_ms = chain.head.time_ms + 100 * self.views
        block, dropped = self.proposer.build(Build(1, chain.head.hash, 0, b"%d" % self.views, time_ms, False))
        assert not dropped
        if accepted:
            chain.finalize(block.hash, b"")
            self.pool.transactions = self.pool.transactions[len(block.transactions) :]
        return len(block.transactions)

    @property
    def given_up(self):
        return self.proposer.counters["blocks_given_up"]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(room, "TRANSACTIONS_MIN", 3)


def test_blocks_that_are_given_up_make_the_next_ones_half_as_large_down_to_a_least_size():
    bench = Bench()
    assert [bench.propose(accepted=False) for _ in range(5)] == [16, 8, 4, 3, 3]
    assert bench.given_up == 4


def test_blocks_grow_again_while_they_become_final_up_to_what_the_network_carries():
    bench = Bench()
    for _ in range(3):
        bench.propose(accepted=False)
    sizes = [bench.propose(accepted=True) for _ in range(10)]
    assert sizes[0] == 3
    assert sizes == sorted(sizes)
    assert sizes[-1] == MOST


def test_a_block_without_transactions_says_nothing():
    bench = Bench(count=0)
    assert [bench.propose(accepted=False) for _ in range(3)] == [0, 0, 0]
    assert bench.given_up == 0


def test_a_block_on_the_branch_that_is_built_on_is_not_given_up():
    bench = Bench()
    head = bench.site.chain.head
    block, _ = bench.proposer.build(Build(1, head.hash, 0, b"1", head.time_ms + 100, False))
    above, _ = bench.proposer.build(Build(2, block.hash, 0, b"2", head.time_ms + 200, False))
    assert (len(block.transactions), len(above.transactions), bench.given_up) == (16, 16, 0)
