"""Gossipsub: mesh, lazy gossip, back-off, scores, one rule at a time."""

import random

from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.simulation.baselines import (
    Gossipsub,
    GossipsubParameters,
    Graft,
    IDontWant,
    IHave,
    IWant,
    Prune,
)
from p2pcommerce.simulation.baselines.gossipsub import SCORES_MAX, UNWANTED_MAX
from p2pcommerce.simulation.baselines.message_cache import MessageCache
from p2pcommerce.wire.messages import Choose, Transactions

SECOND = 1_000_000


def peer_of(number):
    return number.to_bytes(2, "big") * 16


def raw_of(number):
    return number.to_bytes(4, "big") * 8


def id_of(number):
    return blake2b_256(raw_of(number))


class Rig:
    def __init__(self, peers=0, outbound=8, **parameters):
        self.node = Gossipsub(GossipsubParameters(**parameters), random.Random(1))
        self.now = SECOND
        self.effects = []
        for number in range(peers):
            self.effects += self.node.connect(peer_of(number), outbound=number < outbound, now=self.now)

    def receive(self, number, message):
        return list(self.node.receive(peer_of(number), message, self.now))

    def deliver(self, number, transaction, verdict=Verdict.ACCEPT):
        """A peer shows a transaction, and admission judges it."""
        self.receive(number, Transactions((raw_of(transaction),)))
        judged = [(id_of(transaction), raw_of(transaction), verdict, peer_of(number), 1)]
        return list(self.node.judged(judged, self.now))

    def beat(self, times=1):
        actions = []
        for _ in range(times):
            self.now = self.node.deadline
            actions += self.node.on_deadline(self.now)
        return actions

    def sent(self, actions, kind):
        return [action.peer for action in actions if isinstance(action.message, kind)]

    def outside(self):
        return next(number for number in range(100) if peer_of(number) not in self.node.mesh)

    def inside(self):
        return next(number for number in range(100) if peer_of(number) in self.node.mesh)


def test_the_mesh_is_filled_to_its_size_once_there_are_peers():
    rig = Rig(peers=20)
    rig.beat()
    assert 6 <= len(rig.node.mesh) <= 12
    assert set(rig.sent(rig.effects, Graft)) <= set(rig.node.mesh)


def test_a_thin_mesh_is_filled_when_a_peer_goes():
    rig = Rig(peers=20)
    for peer in rig.node.mesh[:3]:
        rig.node.disconnect(peer, rig.now)
    assert len(rig.node.mesh) >= 6


def test_a_mesh_above_its_bound_is_pruned_to_its_size_and_keeps_dialled_links():
    rig = Rig(peers=30, outbound=4)
    for number in range(30):
        rig.receive(number, Graft())
    assert len(rig.node.mesh) >= 12
    for number in range(4):
        rig.node.connect(peer_of(100 + number), outbound=True, now=rig.now)
        rig.receive(100 + number, Graft())
    rig.beat()
    assert len(rig.node.mesh) == 8
    dialled = {peer_of(number) for number in (0, 1, 2, 3, 100, 101, 102, 103)}
    assert len(dialled & set(rig.node.mesh)) >= 2


def test_a_full_mesh_refuses_grafts_of_those_it_did_not_dial():
    rig = Rig(peers=40, outbound=0)
    answers = [action for number in range(40) for action in rig.receive(number, Graft())]
    assert len(rig.node.mesh) == 12
    assert len(rig.sent(answers, Prune)) == 28


def test_what_is_accepted_goes_to_the_mesh_but_not_back():
    rig = Rig(peers=20)
    source = rig.inside()
    actions = rig.deliver(source, 1)
    assert set(rig.sent(actions, Transactions)) == set(rig.node.mesh) - {peer_of(source)}
    assert rig.receive(rig.inside(), Transactions((raw_of(1),))) == []


def test_own_messages_go_to_all_peers():
    rig = Rig(peers=20)
    actions = rig.node.publish(id_of(1), raw_of(1), rig.now)
    assert len(rig.sent(actions, Transactions)) == 20


def test_without_flood_publish_own_messages_go_to_the_mesh():
    rig = Rig(peers=20, flood_publish=False)
    actions = rig.node.publish(id_of(1), raw_of(1), rig.now)
    assert set(rig.sent(actions, Transactions)) == set(rig.node.mesh)


def test_the_heartbeat_tells_some_outside_the_mesh_for_three_beats():
    rig = Rig(peers=30)
    rig.deliver(rig.inside(), 1)
    for _ in range(3):
        told = rig.sent(rig.beat(), IHave)
        assert len(told) == 6
        assert not set(told) & set(rig.node.mesh)
    assert rig.sent(rig.beat(), IHave) == []


def test_whoever_tells_of_an_unknown_id_is_asked_until_it_comes():
    rig = Rig(peers=10)
    for number in (1, 2):  # the first may never answer
        (ask,) = rig.receive(number, IHave((id_of(1),)))
        assert (ask.peer, ask.message) == (peer_of(number), IWant((id_of(1),)))
    rig.deliver(2, 1)
    assert rig.receive(3, IHave((id_of(1),))) == []


def test_what_comes_from_anybody_keeps_the_promises_of_all():
    rig = Rig(peers=10)
    for transaction in range(5):
        rig.receive(1, IHave((id_of(transaction),)))
        rig.receive(2, IHave((id_of(transaction),)))
        rig.deliver(3, transaction)
        rig.beat(times=4)
    assert all(rig.node._mesh.peers[peer_of(number)].points >= 0 for number in (1, 2))


def test_everyone_who_was_asked_and_sends_nothing_breaks_a_promise():
    rig = Rig(peers=10)
    for transaction in range(5):
        rig.receive(1, IHave((id_of(transaction),)))
        rig.receive(2, IHave((id_of(transaction),)))
        rig.beat(times=4)
    assert all(rig.node._mesh.peers[peer_of(number)].points < 0 for number in (1, 2))
    assert not rig.node._promises


def test_a_message_is_served_to_one_peer_three_times():
    serving = Rig(peers=10)
    serving.node.publish(id_of(1), raw_of(1), serving.now)
    for _ in range(3):
        (answer,) = serving.receive(1, IWant((id_of(1), id_of(2))))
        assert answer.message == Transactions((raw_of(1),))
    assert serving.receive(1, IWant((id_of(1),))) == []
    assert len(serving.receive(2, IWant((id_of(1),)))) == 1


def test_at_most_ten_ihaves_of_a_peer_are_heard_in_a_heartbeat():
    rig = Rig(peers=10)
    answers = [action for number in range(20) for action in rig.receive(1, IHave((id_of(number),)))]
    assert len(answers) == 10
    rig.beat()
    assert len(rig.receive(1, IHave((id_of(50),)))) == 1


def test_no_more_ids_are_asked_of_a_peer_than_the_bound():
    rig = Rig(peers=10, ihave_ids_max=3)
    (ask,) = rig.receive(1, IHave(tuple(id_of(number) for number in range(10))))
    assert len(ask.message.ids) == 3
    assert rig.receive(1, IHave((id_of(50),))) == []


def test_a_pruned_link_is_not_grafted_before_its_back_off_is_over():
    rig = Rig(peers=6)
    pruned = rig.inside()
    rig.receive(pruned, Prune(60 * SECOND))
    rig.beat(times=50)
    assert peer_of(pruned) not in rig.node.mesh
    rig.beat(times=15)
    assert peer_of(pruned) in rig.node.mesh


def test_a_graft_during_the_back_off_is_refused_and_costs_score():
    rig = Rig(peers=6)
    pruned = rig.inside()
    rig.receive(pruned, Prune(60 * SECOND))
    for _ in range(3):
        assert rig.sent(rig.receive(pruned, Graft()), Prune) == [peer_of(pruned)]
    known = rig.node._mesh.peers[peer_of(pruned)]
    assert rig.node._mesh.look(known, rig.now) < rig.node._parameters.gossip_score


def test_a_mute_link_leaves_the_mesh_and_a_useful_one_stays():
    rig = Rig(peers=12, expected_rate=20.0)
    useful = [number for number in range(12) if peer_of(number) in rig.node.mesh][:3]
    transaction = 0
    for _ in range(8):
        for number in useful * 5:
            transaction += 1
            rig.deliver(number, transaction)
        rig.beat()
    assert {peer_of(number) for number in useful} <= set(rig.node.mesh)
    mute = [peer for peer, link in rig.node._mesh.links.items() if link.score.delivered == 0]
    for peer in mute:  # those grafted in place of the first mute ones, whose own time is not over
        assert rig.now - rig.node._mesh.links[peer].score.mesh_since_us < 5 * SECOND


def test_a_quiet_topic_expects_nothing():
    rig = Rig(peers=12, expected_rate=1.0)
    before = set(rig.node.mesh)
    rig.beat(times=20)
    assert before <= set(rig.node.mesh)


def test_senders_of_invalid_messages_are_no_longer_heard():
    rig = Rig(peers=12)
    for transaction in range(3):
        rig.deliver(1, transaction, Verdict.REJECT)
    assert rig.receive(1, Transactions((raw_of(50),))) == []
    assert rig.receive(2, Transactions((raw_of(50),))) != []
    rig.beat()
    assert peer_of(1) not in rig.node.mesh


def test_broken_promises_cost_score():
    rig = Rig(peers=12)
    for transaction in range(5):
        rig.receive(1, IHave((id_of(transaction),)))
        rig.beat(times=4)
    known = rig.node._mesh.peers[peer_of(1)]
    assert known.points < 0


def test_kept_promises_cost_nothing():
    rig = Rig(peers=12)
    for transaction in range(5):
        rig.receive(1, IHave((id_of(transaction),)))
        rig.deliver(1, transaction)
        rig.beat(times=4)
    assert rig.node._mesh.peers[peer_of(1)].points >= 0


def test_a_poor_mesh_grafts_better_peers():
    rig = Rig(peers=20)
    better = rig.outside()
    for transaction in range(20 * 60):
        rig.deliver(better, transaction)
        if transaction % 20 == 19:
            rig.beat()
    assert peer_of(better) in rig.node.mesh


def test_a_score_outlives_its_connection_and_the_oldest_are_forgotten():
    rig = Rig(peers=2)
    rig.deliver(1, 1, Verdict.REJECT)
    rig.node.disconnect(peer_of(1), rig.now)
    rig.node.connect(peer_of(1), outbound=False, now=rig.now)
    assert rig.node._mesh.peers[peer_of(1)].points < 0
    for number in range(10, SCORES_MAX + 20):
        rig.node.connect(peer_of(number), outbound=False, now=rig.now)
        rig.node.disconnect(peer_of(number), rig.now)
    assert len(rig.node._scores) <= SCORES_MAX + 1


def test_idontwant_is_off_unless_asked_for():
    source = Transactions((raw_of(1),))
    rig = Rig(peers=12)
    assert rig.sent(rig.receive(rig.inside(), source)[1:], IDontWant) == []
    rig = Rig(peers=12, idontwant=True)
    told = rig.sent(rig.receive(rig.inside(), source)[1:], IDontWant)
    assert set(told) == set(rig.node.mesh) - {peer_of(rig.inside())}


def test_what_a_peer_does_not_want_is_not_sent_to_it():
    rig = Rig(peers=12)
    source, spared = [number for number in range(12) if peer_of(number) in rig.node.mesh][:2]
    rig.receive(spared, IDontWant((id_of(1),)))
    assert peer_of(spared) not in rig.sent(rig.deliver(source, 1), Transactions)
    for number in range(UNWANTED_MAX + 10):
        rig.receive(spared, IDontWant((id_of(number),)))
    assert len(rig.node._mesh.peers[peer_of(spared)].unwanted) == UNWANTED_MAX


def test_strangers_and_foreign_messages_are_not_heard():
    rig = Rig(peers=6)
    assert rig.receive(77, Graft()) == []
    assert rig.receive(1, Choose()) == []
    assert rig.node.measured(peer_of(1), 5, rig.now) == ()


def test_the_message_cache_forgets_by_windows():
    cache = MessageCache(5, 3)
    cache.put(id_of(1), raw_of(1))
    cache.put(id_of(1), raw_of(1))
    for beats in range(5):
        assert (id_of(1) in cache.told()) is (beats < 3)
        cache.shift()
    assert len(cache) == 0
    assert cache.serve(id_of(1), peer_of(1), 3) is None
