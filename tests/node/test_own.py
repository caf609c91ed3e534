"""Own transactions: what a node has accepted from its users survives it, and is never lost without a word."""

from __future__ import annotations

import pytest

from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.node import effects as out
from p2pcommerce.node import own as room
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.node.own import OwnTransactions
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.wire import messages as wire

from .cluster import Cluster, make_genesis, transfer

GENESIS = make_genesis()
PARAMETERS = MempoolParameters()


class Pool:
    """A pool that takes so many at once."""

    def __init__(self, room_for=10**6):
        self.room_for = room_for
        self.submitted = []

    def has_room(self, origin):
        assert origin is None
        return len(self.submitted) < self.room_for

    def submit(self, raw, origin, tx_id, now):
        self.submitted.append(tx_id)


def own_of(pool=None, **parameters):
    return OwnTransactions(pool or Pool(), MempoolParameters(**parameters))


def accept(own, *transactions, now=1_000):
    """Accept transactions; return the records that a journal would have."""
    records = []
    for transaction in transactions:
        (effect,) = own.on_admitted(transaction.id, transaction.raw, now)
        records.append(effect.record)
    return records


def notes(count, sender="ann", **fields):
    return [transfer(GENESIS, sender, nonce, **fields) for nonce in range(count)]


# --- the room ---


def test_a_new_life_submits_what_the_journal_holds_in_the_old_order():
    transactions = notes(5)
    own = own_of()
    records = accept(own, *transactions)
    (done,) = own.on_dropped(transactions[1].id, RejectionCode.NO_FUNDS, "spent")[1:]
    records.append(done.record)
    records += [effect.record for effect in own.on_final([transactions[0].id])]
    again = own_of()
    effects = again.restore(records, 2_000)
    assert [effect.records for effect in effects if isinstance(effect, out.RewriteOwn)] == [tuple(records[2:5])]
    assert again.feed(2_000) == [transaction.id for transaction in transactions[2:]]
    assert again.raws() == [transaction.raw for transaction in transactions[2:]]
    assert again.feed(2_000) == []


def test_admission_sets_the_pace():
    own = own_of()
    records = accept(own, *notes(10))
    pool = Pool(room_for=4)
    again = own_of(pool)
    again.restore(records, 2_000)
    assert len(again.feed(2_000)) == 4
    assert again.feed(2_000) == []
    pool.room_for = 100
    assert len(again.feed(2_000)) == 6


def test_a_transaction_is_kept_once():
    own = own_of()
    (transaction,) = notes(1)
    accept(own, transaction)
    assert own.on_admitted(transaction.id, transaction.raw, 2_000) == []
    assert len(own) == 1


def test_what_has_waited_for_three_hours_is_not_submitted_again():
    own = own_of()
    records = accept(own, *notes(1))
    again = own_of()
    effects = again.restore(records, 1_000 + PARAMETERS.life_us)
    assert not any(isinstance(effect, out.Dropped) for effect in effects)  # it may be final
    assert any("may be final" in effect.message for effect in effects if isinstance(effect, out.Log))
    assert len(again) == 0
    assert again.feed(10**12) == []


def test_what_is_refused_in_a_new_life_is_dropped_with_its_reason_in_the_log():
    own = own_of()
    transactions = notes(3)
    records = accept(own, *transactions)
    again = own_of()
    again.restore(records, 2_000)
    again.feed(2_000)
    log, dropped, done = again.on_refused(transactions[0].id, RejectionCode.NO_FUNDS, "the payer has 0")
    assert "NO_FUNDS: the payer has 0" in log.message
    assert (dropped.tx_id, dropped.code) == (transactions[0].id, RejectionCode.NO_FUNDS)
    assert isinstance(done, out.AppendOwn)
    # A used nonce: it is final, most likely, and nobody must say that it was dropped.
    assert not any(
        isinstance(effect, out.Dropped)
        for effect in again.on_refused(transactions[1].id, RejectionCode.BAD_NONCE, "nonce 1 is used")
    )
    # A peer was faster: it is in the pool.
    assert again.on_refused(transactions[2].id, RejectionCode.DUPLICATE, "is in the pool already") == []
    assert [transactions[2].raw] == again.raws()


def test_a_refusal_of_what_was_never_accepted_is_no_matter_of_the_journal():
    own = own_of()
    accept(own, *notes(1))
    assert own.on_refused(bytes(32), RejectionCode.NO_FEE, "pay more") == []
    assert own.on_dropped(bytes(32), RejectionCode.NO_FEE, "pay more") == []
    assert own.on_final([bytes(32)]) == []


def test_submitters_are_pushed_back_when_so_many_wait_for_a_block():
    own = own_of(count_max=20)
    transactions = notes(12)
    accept(own, *transactions[:8])
    assert own.has_room(1)
    assert not own.has_room(2)
    accept(own, *transactions[8:10])
    assert not own.has_room(0)
    own.on_final([transactions[0].id])
    assert own.has_room(0)


def test_submitters_are_pushed_back_when_so_many_bytes_wait_for_a_block():
    transactions = notes(3)
    own = own_of(bytes_max=4 * len(transactions[0].raw))
    accept(own, *transactions[:1])
    assert own.has_room(0)
    accept(own, *transactions[1:2])
    assert not own.has_room(0)


def test_the_journal_is_rewritten_when_most_of_it_is_done_with(monkeypatch):
    monkeypatch.setattr(room, "_DEAD_BYTES_MIN", 1_000)
    own, journal = own_of(), []
    sizes = []
    for transaction in notes(60):
        (effect,) = own.on_admitted(transaction.id, transaction.raw, 1_000)
        journal.append(effect.record)
        for effect in own.on_final([transaction.id]):
            journal = list(effect.records) if isinstance(effect, out.RewriteOwn) else [*journal, effect.record]
        sizes.append(sum(map(len, journal)))
    assert max(sizes) < 3_000
    assert own.total_bytes == 0


@pytest.mark.parametrize("record", [b"", b"\x01", b"\x00" + bytes(31), b"\x07" + bytes(40), b"\x01" + bytes(8)])
def test_a_record_that_cannot_be_read_is_said_and_the_rest_is_kept(record):
    own = own_of()
    records = accept(own, *notes(2))
    again = own_of()
    effects = again.restore([records[0], record, records[1]], 2_000)
    assert effects[0].level == "WARNING"
    assert len(again) == 2


# --- in a node ---


def alone(**options):
    """Return one validator of four: nothing becomes final."""
    cluster = Cluster(genesis=GENESIS, **options)
    cluster.hosts[0].start()
    return cluster, cluster.hosts[0]


def submit_all(cluster, host, transactions):
    requests = [host.submit(transaction) for transaction in transactions]
    assert cluster.run_until(lambda: all(request in host.verdicts for request in requests), 5)
    return [host.verdicts[request].code for request in requests]


def test_what_was_accepted_is_in_the_pool_again_after_a_crash():
    cluster, host = alone()
    transactions = notes(40)
    assert submit_all(cluster, host, transactions) == [RejectionCode.OK] * 40
    for _ in range(3):
        host.crash()
        host.start()
        cluster.run(0.01)
        assert [transaction.id in host.node.mempool for transaction in transactions] == [True] * 40
    assert host.node.statistics()["mempool"]["own"] == 40
    assert host.dropped == []


def test_it_becomes_final_after_a_crash_though_nobody_else_had_heard_of_it():
    cluster, host = alone()
    transactions = notes(5)
    submit_all(cluster, host, transactions)
    host.crash()
    for other in cluster.hosts:
        other.start()
    ids = {transaction.id for transaction in transactions}

    def final():
        return {tx_id for each in cluster.hosts[1].disk.blocks for tx_id in each.block.transaction_ids}

    assert cluster.run_until(lambda: ids <= final(), 30)
    assert cluster.run_until(lambda: host.node.statistics()["mempool"]["own"] == 0, 30)
    host.crash()
    host.start()
    cluster.run(1)
    assert host.node.statistics()["mempool"]["own"] == 0
    assert host.dropped == []


def test_a_verdict_follows_its_record():
    cluster, host = alone()
    seen = []
    cluster.note = lambda _, effect: seen.append(effect)
    submit_all(cluster, host, notes(3))
    kinds = [type(effect) for effect in seen if isinstance(effect, (out.AppendOwn, out.Submitted))]
    assert kinds == [out.AppendOwn, out.Submitted] * 3


def test_a_users_transaction_that_a_peer_brought_a_moment_earlier_is_kept_too():
    cluster = Cluster(genesis=GENESIS)
    for host in cluster.hosts[:2]:
        host.start()
    host, peer = cluster.hosts[:2]
    assert cluster.run_until(lambda: peer.key in host.attached)
    (transaction,) = notes(1)
    host.give(lambda now: host.node.on_message(peer.key, wire.Transactions((transaction.raw,)), now))
    assert submit_all(cluster, host, [transaction]) == [RejectionCode.OK]
    assert host.node.own() == [transaction.raw]


def test_a_replaced_own_transaction_is_forgotten_with_a_word():
    cluster, host = alone()
    old, new = transfer(GENESIS, "ann", 0), transfer(GENESIS, "ann", 0, fee=10**7)
    submit_all(cluster, host, [old])
    submit_all(cluster, host, [new])
    assert [(item.tx_id, item.replaced_by) for item in host.dropped] == [(old.id, new.id)]
    assert host.node.own() == [new.raw]


def test_it_is_offered_to_peers_again_in_a_new_life():
    cluster = Cluster(genesis=GENESIS)
    host, other = cluster.hosts[:2]
    host.start()
    (transaction,) = notes(1)
    submit_all(cluster, host, [transaction])
    host.crash()
    host.start()
    cluster.run(0.1)
    other.start()
    assert cluster.run_until(lambda: transaction.id in other.node.mempool, 30)


def test_a_full_node_pushes_back_and_goes_on_when_blocks_come():
    parameters = NodeParameters(mempool=MempoolParameters(count_max=10))
    cluster, host = alone(parameters=parameters)
    submit_all(cluster, host, notes(5))
    assert not host.node.can_submit()
    for other in cluster.hosts[1:]:
        other.start()
    assert cluster.run_until(host.node.can_submit, 30)


@pytest.mark.parametrize("code", [RejectionCode.BAD_NONCE, RejectionCode.EXPIRED])
def test_one_of_an_earlier_life_that_may_be_final_is_let_go_and_not_called_dropped(code):
    own = own_of()
    records = accept(own, *notes(1))
    again = own_of()
    again.restore(records, 1_000)
    (tx_id,) = again.feed(1_000)
    effects = again.on_refused(tx_id, code, "too late")
    assert tx_id not in again
    assert not any(isinstance(effect, out.Dropped) for effect in effects)
