"""The flood."""

from p2pcommerce.gossip import Offer
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.simulation.baselines import Flood
from p2pcommerce.wire.messages import Choose, Transactions

PEERS = [bytes([number]) * 32 for number in range(1, 5)]
RAW = b"transaction"
ID = blake2b_256(RAW)


def flood():
    node = Flood()
    for peer in PEERS:
        node.connect(peer, outbound=True, now=0)
    return node


def test_what_is_accepted_goes_to_all_who_have_not_shown_it():
    node = flood()
    assert node.receive(PEERS[0], Transactions((RAW,)), 1) == [Offer(((ID, RAW),), PEERS[0])]
    assert node.receive(PEERS[1], Transactions((RAW,)), 2) == []
    actions = node.judged([(ID, RAW, Verdict.ACCEPT, PEERS[0], 1)], 3)
    assert [(action.peer, action.message) for action in actions] == [(peer, Transactions((RAW,))) for peer in PEERS[2:]]


def test_what_is_not_accepted_stays_here():
    node = flood()
    node.receive(PEERS[0], Transactions((RAW,)), 1)
    assert node.judged([(ID, RAW, Verdict.REJECT, PEERS[0], 1)], 2) == []


def test_own_transactions_go_to_all_and_do_not_come_back():
    node = flood()
    assert [action.peer for action in node.publish(ID, RAW, 1)] == PEERS
    assert node.receive(PEERS[0], Transactions((RAW,)), 2) == []


def test_who_left_gets_nothing_and_is_not_heard():
    node = flood()
    node.disconnect(PEERS[0], 1)
    assert node.receive(PEERS[0], Transactions((RAW,)), 2) == ()
    assert [action.peer for action in node.publish(ID, RAW, 3)] == PEERS[1:]


def test_it_wants_nothing_by_time_and_knows_no_roles():
    node = flood()
    assert node.deadline is None
    assert node.on_deadline(5) == ()
    assert node.receive(PEERS[0], Choose(), 1) == ()
    assert node.measured(PEERS[0], 5, 1) == ()
    node.retire([ID])
