"""Submissions: every one gets its verdict, and a full node pushes back instead of dropping."""

import pytest

from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.node import submissions as room
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.node.submissions import Submissions
from p2pcommerce.primitives.errors import LocalProtocolError, RejectionCode
from p2pcommerce.wire import messages as wire

from .cluster import TOKEN, Cluster, make_genesis, transfer
from .test_chain import forged

GENESIS = make_genesis()


def alone(**options):
    """Return one validator of four: transactions stay in its pool."""
    cluster = Cluster(genesis=GENESIS, **options)
    cluster.hosts[0].start()
    return cluster, cluster.hosts[0]


def verdict(cluster, host, request):
    assert cluster.run_until(lambda: request in host.verdicts, 1)
    return host.verdicts[request]


def test_one_transaction_submitted_twice_is_judged_once_and_answers_both():
    cluster, host = alone()
    transaction = transfer(GENESIS, "ann", 0)
    requests = [host.submit(transaction), host.submit(transaction)]
    assert [verdict(cluster, host, request).code for request in requests] == [RejectionCode.OK] * 2
    assert len(host.node.mempool) == 1
    assert host.node.statistics()["mempool"]["admitted"] == 1


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (lambda: forged(transfer(GENESIS, "ann", 0)), RejectionCode.BAD_SIGNATURE, "signature"),
        (lambda: transfer(GENESIS, "ann", 0, amount=10**6 * TOKEN), RejectionCode.NO_FUNDS, "the payer has"),
        (lambda: transfer(GENESIS, "ann", 0, fee=1), RejectionCode.NO_FEE, "fee"),
        (lambda: transfer(GENESIS, "ann", 40), RejectionCode.BAD_NONCE, "nonce"),
        (lambda: transfer(GENESIS, "ann", 0, expires=0), RejectionCode.EXPIRED, "height"),
        (lambda: transfer(make_genesis(3), "ann", 0), RejectionCode.BAD_FORMAT, "chain"),
    ],
)
def test_a_refusal_has_a_code_and_a_sentence(make, code, says):
    cluster, host = alone()
    answer = verdict(cluster, host, host.submit(make()))
    assert answer.code is code
    assert says in answer.detail
    assert len(host.node.mempool) == 0


def test_what_is_in_the_pool_already_is_a_duplicate():
    cluster, host = alone()
    transaction = transfer(GENESIS, "ann", 0)
    verdict(cluster, host, host.submit(transaction))
    assert verdict(cluster, host, host.submit(transaction)).code is RejectionCode.DUPLICATE


def test_a_refused_transaction_may_be_submitted_again():
    cluster, host = alone()
    early, first = transfer(GENESIS, "ann", 17), [transfer(GENESIS, "ann", nonce) for nonce in range(2)]
    assert verdict(cluster, host, host.submit(early)).code is RejectionCode.BAD_NONCE
    for transaction in first:
        assert verdict(cluster, host, host.submit(transaction)).code is RejectionCode.OK
    assert verdict(cluster, host, host.submit(early)).code is RejectionCode.OK


def test_a_full_node_pushes_back_until_the_end_of_the_tick():
    parameters = NodeParameters(mempool=MempoolParameters(intake_count_max=3))
    cluster, host = alone(parameters=parameters)
    for nonce in range(3):
        assert host.node.can_submit()
        host.submit(transfer(GENESIS, "ann", nonce))
    assert not host.node.can_submit()
    with pytest.raises(LocalProtocolError, match="pushes back"):
        host.submit(transfer(GENESIS, "ann", 3))
    cluster.run(0.001)
    assert host.node.can_submit()


def test_waiting_submissions_are_bounded_even_of_one_transaction(monkeypatch):
    monkeypatch.setattr(room, "SUBMISSIONS_MAX", 3)
    _, host = alone()
    for _ in range(3):
        host.submit(transfer(GENESIS, "ann", 0))
    assert not host.node.can_submit()


def test_a_peers_copy_that_is_refused_does_not_answer_the_users_own():
    parameters = NodeParameters(
        mempool=MempoolParameters(intake_count_max=1, intake_overrun_count=0, intake_overrun_bytes=0)
    )
    cluster = Cluster(genesis=GENESIS, parameters=parameters)
    for host in cluster.hosts[:2]:
        host.start()
    host, peer = cluster.hosts[:2]
    assert cluster.run_until(lambda: peer.key in host.attached)
    own, other = transfer(GENESIS, "ann", 0), transfer(GENESIS, "bob", 0)
    message = wire.Transactions((other.raw, own.raw))
    host.give(lambda now: host.node.on_message(peer.key, message, now))
    assert verdict(cluster, host, host.submit(own)).code is RejectionCode.OK


def test_requests_are_taken_once():
    submissions = Submissions()
    assert submissions.add(b"a", 1)
    assert not submissions.add(b"a", 2)
    assert submissions.add(b"b", 3)
    assert len(submissions) == 3
    assert submissions.take(b"a") == [1, 2]
    assert submissions.take(b"a") == []
    assert len(submissions) == 1
