"""Private transactions in whole nodes: journalled and answered like others, and hidden until somebody fluffs them."""

from __future__ import annotations

from p2pcommerce.node import effects as out
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.wire import messages as wire

from .cluster import Cluster, make_genesis, transfer

GENESIS = make_genesis()
PUBLIC = (wire.Transactions, wire.Announce, wire.Symbols, wire.Ids, wire.Found, wire.Pull, wire.Engine)


def started(hosts=4):
    """Return a cluster, so many of whose hosts run and are connected; three of four make blocks."""
    cluster = Cluster(genesis=GENESIS)
    for host in cluster.hosts[:hosts]:
        host.start()
    running = cluster.hosts[:hosts]
    assert cluster.run_until(lambda: all(len(host.attached) == hosts - 1 for host in running), 30)
    return cluster


def submit(cluster, host, transaction):
    request = host.submit(transaction, is_private=True)
    assert cluster.run_until(lambda: request in host.verdicts, 5)
    return host.verdicts[request]


def watched(cluster, host):
    """Return a list that what a host sends is added to."""
    sent = []

    def note(who, effect):
        if who is host and isinstance(effect, out.Transmit):
            sent.append((effect.peer, effect.message))

    cluster.note = note
    return sent


def stems(sent):
    return [(peer, message.items) for peer, message in sent if isinstance(message, wire.Stem)]


def carries(message, transaction):
    return transaction.raw in wire.encode_message(message)


def test_a_private_transaction_is_journalled_before_its_user_is_told_and_is_not_in_the_pool():
    cluster = started(2)
    host, transaction = cluster.hosts[0], transfer(GENESIS, "ann", 0)
    kinds = []
    cluster.note = lambda who, effect: kinds.append(type(effect)) if who is host else None
    assert submit(cluster, host, transaction).code is RejectionCode.OK
    assert [kind for kind in kinds if kind in {out.AppendOwn, out.Submitted}] == [out.AppendOwn, out.Submitted]
    assert transaction.id not in host.node.mempool
    assert host.node.is_pending(transaction.id)
    assert host.node.own() == [transaction.raw]


def test_it_goes_to_one_peer_alone_and_by_nothing_but_a_stem():
    cluster = started(2)
    (link,) = cluster.links.values()
    host, transaction = link.dialler, transfer(GENESIS, "ann", 0)
    sent = watched(cluster, host)
    submit(cluster, host, transaction)
    cluster.run(2)
    assert [message for _, message in sent if carries(message, transaction)] == [wire.Stem((transaction.raw,))]
    assert not any(isinstance(message, (wire.Transactions, wire.Announce)) for _, message in sent)


def test_no_question_of_a_peer_finds_it():
    cluster = started(2)
    host, peer, transaction = cluster.hosts[0], cluster.hosts[1], transfer(GENESIS, "ann", 0)
    submit(cluster, host, transaction)
    sent = watched(cluster, host)
    for question in (
        wire.GetTransactions(bytes(32), (transaction.id,)),
        wire.GetSymbols(0, 16),
        wire.GetIds(bytes(8), 100),
        wire.Pull((bytes(8),)),
    ):
        host.give(lambda now, question=question: host.node.on_message(peer.key, question, now))
    answers = [message for to, message in sent if to == peer.key and not isinstance(message, wire.Stem)]
    assert not any(carries(message, transaction) for message in answers)
    assert all(message.size == 0 for message in answers if isinstance(message, wire.Symbols))
    assert all(message.data == b"" for message in answers if isinstance(message, wire.Ids))


def test_it_becomes_final_and_its_origin_does_not_offer_it():
    cluster = started()
    host = cluster.hosts[0]
    transactions = [transfer(GENESIS, "ann", nonce) for nonce in range(6)]
    for transaction in transactions:
        assert submit(cluster, host, transaction).code is RejectionCode.OK
    ids = {transaction.id for transaction in transactions}

    def final():
        return {tx_id for each in host.disk.blocks for tx_id in each.block.transaction_ids}

    assert cluster.run_until(lambda: ids <= final(), 90)
    assert cluster.run_until(lambda: host.node.statistics()["mempool"]["own"] == 0, 30)
    for each in cluster.hosts:
        assert each.node.statistics()["gossip"]["stems"] == 0
        assert "reoffered" not in each.node.statistics()["gossip"]
    assert host.dropped == []


def test_a_private_transaction_that_the_pool_would_refuse_is_refused_with_its_reason():
    cluster = started(2)
    host = cluster.hosts[0]
    verdict = submit(cluster, host, transfer(GENESIS, "ann", 900))
    assert verdict.code is RejectionCode.BAD_NONCE
    assert host.node.own() == []
    assert host.node.statistics()["gossip"]["stems"] == 0


def test_a_peer_that_sends_what_no_pool_would_ever_take_is_closed_and_who_passes_on_stale_ones_is_not():
    cluster = started(2)
    host, peer = cluster.hosts[:2]
    stale = [transfer(GENESIS, "ann", 900 + number) for number in range(5)]
    host.give(lambda now: host.node.on_message(peer.key, wire.Stem(tuple(each.raw for each in stale)), now))
    cluster.run(1)
    assert peer.key in host.attached
    bad = tuple(stale[0].raw[:-1] + bytes([number]) for number in range(3))
    host.give(lambda now: host.node.on_message(peer.key, wire.Stem(bad), now))
    assert cluster.run_until(lambda: "GOSSIP" in [code for code, _ in host.closed], 5)


def test_after_a_crash_it_is_as_hidden_as_before_and_goes_by_a_stem_again():
    cluster = Cluster(genesis=GENESIS)
    host = cluster.hosts[0]
    host.start()
    transaction = transfer(GENESIS, "ann", 0)
    submit(cluster, host, transaction)
    host.crash()
    sent = watched(cluster, host)
    for each in cluster.hosts:
        each.start()
    assert cluster.run_until(lambda: len(host.attached) == 3, 5)
    cluster.run(3)
    assert transaction.id not in host.node.mempool
    assert not any(carries(message, transaction) for _, message in sent)
    assert cluster.run_until(lambda: bool(stems(sent)), 60)
    assert not any(carries(message, transaction) for _, message in sent if isinstance(message, PUBLIC))

    def final():
        return {tx_id for each in cluster.hosts[1].disk.blocks for tx_id in each.block.transaction_ids}

    assert cluster.run_until(lambda: transaction.id in final(), 90)


def test_after_a_crash_one_that_others_made_public_is_not_sent_again():
    cluster = started()
    host, transaction = cluster.hosts[0], transfer(GENESIS, "ann", 0)
    sent = watched(cluster, host)
    submit(cluster, host, transaction)
    assert cluster.run_until(lambda: bool(stems(sent)), 30)
    cluster.run(0.05)
    host.crash()
    cluster.run(60)
    sent = watched(cluster, host)
    host.start()
    cluster.run(60)
    assert host.node.own() == []
    assert stems(sent) == []
    assert host.dropped == []


def test_one_that_no_longer_fits_when_it_is_fluffed_is_dropped_with_a_word():
    cluster = Cluster(genesis=GENESIS)
    host = cluster.hosts[0]
    host.start()
    rich, poor = transfer(GENESIS, "ann", 0, fee=10**7), transfer(GENESIS, "ann", 0, fee=10**6)
    submit(cluster, host, poor)
    host.submit(rich)
    cluster.run(1)
    assert rich.id in host.node.mempool
    for each in cluster.hosts[1:2]:
        each.start()
    assert cluster.run_until(lambda: [item.tx_id for item in host.dropped] == [poor.id], 60)
    assert host.dropped[0].code is RejectionCode.NO_FEE
    assert host.node.own() == [rich.raw]
