"""Finality messages among validators: judged once, pushed to choosers, announced to the others, told again at rest."""

import random

import pytest

from p2pcommerce.gossip import GossipParameters, SendTo, short_id
from p2pcommerce.gossip.relay import Relay
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.gossip.score import Scores
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import LocalProtocolError, Verdict
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.finality_messages import (
    RELAY_IDS_MAX,
    ROLE_CHOSEN,
    ROLE_NONE,
    ROLE_REFUSED,
    Relayed,
    RelayIds,
    RelayRole,
)

MS, SECOND = 1_000, 1_000_000
OWN_KEY = bytes(16)
GOSSIP = GossipParameters()


def peer_of(number):
    return PeerId(blake2b_256(b"validator %d" % number))


def key_of(number):
    return blake2b_256(b"key %d" % number)[:16]


def series(raw):
    """Read "ballot .../voter/signature" as a vote, and nothing else."""
    says, _, rest = raw.partition(b"/")
    return (says, int(rest.partition(b"/")[0])) if says.startswith(b"ballot") else None


def maker(raw):
    """Read "by N: ..." as a message of peer N, and nothing else."""
    number, _, _ = raw.removeprefix(b"by ").partition(b":")
    return peer_of(int(number)) if raw.startswith(b"by ") else None


def is_choice(effect):
    return isinstance(effect.message, RelayRole) and effect.message.role == ROLE_CHOSEN


class Rig:
    """One relay among `count` connected validators, of `members` in all, and what it was told of them."""

    def __init__(self, count=8, members=100, **numbers):
        self.blamed = []
        self.judged = []
        self.verdicts = {}
        self.now = SECOND
        self.scores = Scores(GOSSIP)
        self.numbers = RelayParameters(**numbers)
        self.relay = Relay(self.numbers, GOSSIP, self.scores, random.Random(1), self.blame, series, maker)
        self.first = self.relay.set_audience([peer_of(number) for number in range(members)], self.now)
        for number in range(count):
            self.connect(number)

    def blame(self, peer, invalid, now):
        self.blamed.append((peer, invalid))
        return []

    def connect(self, number):
        peer = peer_of(number)
        self.scores.on_connected(peer, self.now)
        effects = self.relay.on_connected(
            peer, own_key=OWN_KEY, peer_key=key_of(number), outbound=number % 2 == 0, now=self.now
        )
        self.first += effects
        return effects

    def judge(self, raw):
        self.judged.append(raw)
        return self.verdicts.get(raw, Verdict.ACCEPT)

    def hear(self, number, *items):
        return self.relay.on_relayed(peer_of(number), items, self.judge, self.now)

    def choose(self, *numbers):
        for number in numbers:
            assert self.relay.on_role(peer_of(number), RelayRole(ROLE_CHOSEN, ()), self.now) == []

    def wait(self, wait_us):
        self.now += wait_us
        return self.relay.on_deadline(self.now)

    def news(self):
        return self.wait(self.numbers.announce_us)

    @property
    def counts(self):
        return self.relay.statistics()


def pushed(effects, raw):
    return {
        effect.peer
        for effect in effects
        if isinstance(effect, SendTo) and isinstance(effect.message, Relayed) and raw in effect.message.items
    }


def told(effects, number, raw):
    short = short_id(key_of(number), blake2b_256(raw))
    return any(
        effect.peer == peer_of(number) and isinstance(effect.message, RelayIds) and short in effect.message.short_ids
        for effect in effects
    )


def own_short(raw):
    return short_id(OWN_KEY, blake2b_256(raw))


def test_what_is_accepted_is_pushed_to_choosers_and_announced_to_the_others():
    rig = Rig()
    rig.choose(1, 2)
    effects = rig.hear(0, b"vote")
    assert pushed(effects, b"vote") == {peer_of(1), peer_of(2)}
    news = rig.wait(rig.numbers.announce_us)
    assert [number for number in range(8) if told(news, number, b"vote")] == [3, 4, 5, 6, 7]


def test_a_message_is_judged_once():
    rig = Rig()
    rig.hear(0, b"vote")
    assert rig.hear(1, b"vote") == []
    assert rig.judged == [b"vote"]
    assert rig.counts["relayed_duplicates"] == 1


@pytest.mark.parametrize("verdict", [Verdict.IGNORE, Verdict.REJECT, None])
def test_what_is_not_accepted_goes_to_nobody(verdict):
    rig = Rig()
    rig.choose(1, 2)
    rig.verdicts[b"vote"] = verdict
    assert pushed(rig.hear(0, b"vote"), b"vote") == set()
    news = rig.wait(rig.numbers.announce_us)
    assert not any(told(news, number, b"vote") for number in range(8))
    assert rig.relay.publish(b"own", rig.now)  # and nothing lingers in a queue
    assert rig.counts["relayed_kept"] == 1


def test_who_passes_on_what_no_honest_node_does_is_blamed_each_time():
    rig = Rig()
    rig.verdicts[b"bad"] = Verdict.REJECT
    rig.hear(0, b"bad", b"good")
    rig.hear(1, b"bad")
    assert rig.blamed == [(peer_of(0), 1), (peer_of(1), 1)]
    assert rig.judged == [b"bad", b"good"]


def test_what_is_too_early_is_judged_again():
    rig = Rig()
    rig.verdicts[b"vote"] = None
    rig.hear(0, b"vote")
    rig.verdicts.clear()
    rig.choose(2)
    assert pushed(rig.hear(1, b"vote"), b"vote") == {peer_of(2)}


def test_an_own_message_is_pushed_to_all():
    rig = Rig()
    assert pushed(rig.relay.publish(b"own", rig.now), b"own") == {peer_of(number) for number in range(8)}
    assert rig.hear(3, b"own") == []
    assert rig.judged == []


def test_only_validators_relay_and_are_relayed_to():
    rig = Rig(count=3, members=2)
    assert pushed(rig.relay.publish(b"own", rig.now), b"own") == {peer_of(0), peer_of(1)}
    assert rig.hear(2, b"vote") == []
    assert rig.judged == []
    assert rig.counts["relayed_unasked"] == 1
    assert rig.relay.on_ids(peer_of(2), RelayIds(False, (bytes(8),), ()), rig.now) == []
    refused = rig.relay.on_role(peer_of(2), RelayRole(ROLE_CHOSEN, ()), rig.now)
    assert refused == [SendTo(peer_of(2), RelayRole(ROLE_REFUSED, ()))]


def test_a_peer_is_taken_in_by_the_router_first():
    relay = Relay(RelayParameters(), GOSSIP, Scores(GOSSIP), random.Random(1), lambda *_: [], series, maker)
    with pytest.raises(LocalProtocolError):
        relay.on_connected(peer_of(0), own_key=OWN_KEY, peer_key=key_of(0), outbound=True, now=0)


def test_who_is_no_validator_any_more_is_told_nothing_and_who_becomes_one_is():
    rig = Rig(count=3, members=2)
    rig.relay.set_audience([peer_of(1), peer_of(2)], rig.now)
    assert pushed(rig.relay.publish(b"own", rig.now), b"own") == {peer_of(1), peer_of(2)}
    rig.relay.set_audience((), rig.now)
    assert not rig.relay.is_active
    assert rig.relay.publish(b"more", rig.now) == []
    assert rig.relay.deadline is None


def test_an_announced_message_is_pulled_after_the_grace_and_served_once():
    rig = Rig()
    rig.relay.on_ids(peer_of(0), RelayIds(False, (own_short(b"vote"),), ()), rig.now)
    pulls = rig.wait(rig.numbers.grace_us)
    assert SendTo(peer_of(0), RelayIds(True, (own_short(b"vote"),), ())) in pulls
    rig.hear(0, b"vote")
    rig.wait(rig.numbers.announce_us)
    asked = RelayIds(True, (short_id(key_of(4), blake2b_256(b"vote")),), ())
    assert pushed(rig.relay.on_ids(peer_of(4), asked, rig.now), b"vote") == {peer_of(4)}
    assert rig.relay.on_ids(peer_of(4), asked, rig.now) == []
    assert (rig.counts["relayed_served"], rig.counts["relayed_unserved"]) == (1, 1)


def test_what_a_push_brought_is_not_pulled():
    rig = Rig()
    rig.relay.on_ids(peer_of(0), RelayIds(False, (own_short(b"vote"),), ()), rig.now)
    rig.hear(1, b"vote")
    assert not any(isinstance(each.message, RelayIds) and each.message.is_pull for each in rig.wait(SECOND))
    assert rig.counts["relayed_wanted"] == 0


def test_a_broken_promise_counts_against_who_announced():
    rig = Rig()
    rig.relay.on_ids(peer_of(0), RelayIds(False, (own_short(b"vote"),), ()), rig.now)
    rig.wait(rig.numbers.grace_us)
    rig.wait(SECOND)
    assert rig.scores.of(peer_of(0)).broken == 1
    assert rig.counts["relay_promises_broken"] == 1


def test_each_chooses_some_senders_and_serves_so_many_choosers():
    rig = Rig(count=12)
    chosen = [each.peer for each in rig.first if is_choice(each)]
    assert len(chosen) == rig.numbers.senders
    rig.choose(*range(rig.numbers.choosers_max))
    last = rig.numbers.choosers_max
    assert rig.relay.on_role(peer_of(last), RelayRole(ROLE_CHOSEN, ()), rig.now) == [
        SendTo(peer_of(last), RelayRole(ROLE_REFUSED, ()))
    ]
    rig.relay.on_role(peer_of(0), RelayRole(ROLE_NONE, ()), rig.now)
    rig.choose(last)
    replaced = rig.relay.on_role(chosen[0], RelayRole(ROLE_REFUSED, ()), rig.now)
    assert [is_choice(each) for each in replaced] == [True]
    assert replaced[0].peer not in chosen


def test_a_sender_that_falls_silent_is_replaced():
    rig = Rig(count=8)
    chosen = [each.peer for each in rig.first if is_choice(each)]
    speakers = [number for number in range(8) if peer_of(number) != chosen[0]]
    effects = []
    for step in range(200):
        rig.hear(speakers[step % 7], b"vote %d" % step)
        effects += rig.wait(10 * MS)
    assert SendTo(chosen[0], RelayRole(ROLE_NONE, ())) in effects


def test_who_repeats_itself_tells_all_that_it_keeps_once_a_second():
    rig = Rig()
    rig.hear(0, b"vote of another")
    rig.relay.publish(b"own", rig.now)
    rig.wait(rig.numbers.announce_us)
    rig.now += SECOND
    assert pushed(rig.relay.publish(b"own", rig.now), b"own") == {peer_of(number) for number in range(8)}
    news = rig.wait(rig.numbers.announce_us)
    assert all(told(news, number, b"vote of another") for number in range(8))
    rig.relay.publish(b"own", rig.now)
    assert not any(told(rig.wait(rig.numbers.announce_us), number, b"vote of another") for number in range(8))
    assert rig.counts["relay_reminders"] == 1


def test_a_validator_that_connects_is_told_what_is_kept():
    rig = Rig(count=3)
    rig.hear(0, b"vote")
    rig.wait(rig.numbers.announce_us)
    rig.connect(7)
    assert told(rig.wait(rig.numbers.announce_us), 7, b"vote")


def test_what_is_kept_goes_when_something_is_final_and_it_is_old():
    rig = Rig()
    rig.relay.on_final(rig.now)  # the first of all, whenever that is
    rig.hear(0, b"vote")
    rig.relay.on_final(rig.now)
    rig.relay.on_final(rig.now)
    assert rig.counts["relayed_kept"] == 1
    for _ in range(2):
        rig.now += rig.numbers.kept_us
        assert rig.counts["relayed_kept"] == 1
        rig.relay.on_final(rig.now)
    assert (rig.counts["relayed_kept"], rig.counts["relayed_kept_bytes"]) == (0, 0)


def test_what_is_kept_is_bounded_by_count_and_bytes():
    rig = Rig(kept_max=5, kept_bytes_max=40)
    for number in range(8):
        rig.hear(0, b"%d" % number)
    assert (rig.counts["relayed_kept"], rig.counts["relayed_kept_bytes"]) == (5, 5)
    rig.hear(0, bytes(38))
    assert (rig.counts["relayed_kept"], rig.counts["relayed_kept_bytes"]) == (3, 40)
    rig.hear(0, bytes(41))
    assert (rig.counts["relayed_kept"], rig.counts["relayed_kept_bytes"]) == (0, 0)


def test_a_peer_beyond_its_budget_is_not_listened_to_for_a_while():
    rig = Rig(members=2, rate=1, burst=2)  # of four messages at once, and two a second
    rig.hear(0, *(b"%d" % number for number in range(6)))
    assert len(rig.judged) == 4
    assert rig.counts["relayed_over_budget"] == 2
    assert rig.blamed == []
    rig.now += SECOND
    rig.hear(0, b"4", b"5")
    assert len(rig.judged) == 6


def test_announcements_beyond_a_peers_share_are_not_taken():
    rig = Rig()
    shorts = [blake2b_256(b"%d" % number)[:8] for number in range(GOSSIP.announced_max + RELAY_IDS_MAX)]
    for start in range(0, len(shorts), RELAY_IDS_MAX):
        rig.relay.on_ids(peer_of(0), RelayIds(False, tuple(shorts[start : start + RELAY_IDS_MAX]), ()), rig.now)
    assert rig.counts["relayed_wanted"] == GOSSIP.announced_max


def test_a_relay_for_nobody_never_wakes():
    rig = Rig(count=3, members=0)
    assert rig.relay.deadline is None
    assert rig.first == []
