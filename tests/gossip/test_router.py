"""Rules of reception, forwarding, announcing and the origin's push."""

import pytest

from p2pcommerce.gossip import Offer
from p2pcommerce.primitives.errors import LocalProtocolError, Verdict
from p2pcommerce.wire.messages import Refuse, Transactions, encode_message
from tests.gossip.rig import (
    MS,
    OWN_KEY,
    SECOND,
    Rig,
    chosen,
    id_of,
    key_of,
    misbehaving,
    offered,
    peer_of,
    pulled,
    pushed,
    raw_of,
    sent,
    short_id,
    told,
)

A, B, C, D = (raw_of(number) for number in range(4))


# --- reception ---


def test_a_new_transaction_is_offered_once_and_marked_before_it_is_judged():
    rig = Rig(peers=3)
    assert rig.show(1, A, B) == [Offer(((id_of(A), A), (id_of(B), B)), peer_of(1))]
    assert rig.show(2, B, A) == []
    assert rig.show(1, A) == []
    assert rig.count("in_flight") == 2
    assert (rig.count("received"), rig.count("duplicates")) == (2, 3)


def test_a_transaction_twice_in_one_message_is_offered_once():
    assert offered(Rig(peers=1).show(1, A, A)) == [id_of(A)]


def test_messages_of_peers_that_are_gone_do_nothing():
    rig = Rig()
    router, peer = rig.router, peer_of(1)
    assert rig.show(1, A) == rig.announce(1, A) == router.on_pull(peer, (b"s" * 8,), 1) == []
    assert router.on_choose(peer, 1) == router.on_unchoose(peer, 1) == router.on_refuse(peer, 1) == []
    assert router.on_rtt(peer, 1, 1) == router.on_disconnected(peer, 1) == []
    assert router.deadline is None


def test_connecting_twice_or_with_another_own_key_is_a_defect():
    rig = Rig(peers=1)
    with pytest.raises(LocalProtocolError):
        rig.connect(1)
    with pytest.raises(LocalProtocolError):
        rig.router.on_connected(peer_of(2), own_key=b"x" * 16, peer_key=key_of(2), outbound=True, now=1)


def test_the_seen_cache_is_bounded_and_keeps_the_newest():
    rig = Rig(peers=1, seen_max=100)
    for number in range(1_000):
        rig.relay(1, raw_of(number))
        assert rig.count("seen") <= 200
    assert offered(rig.show(1, *(raw_of(number) for number in range(900, 1_000)))) == []
    assert offered(rig.show(1, raw_of(5))) == [id_of(raw_of(5))]


def test_a_message_of_many_does_not_exceed_the_seen_cache():
    rig = Rig(peers=1, seen_max=300)
    for start in range(0, 2_560, 256):
        rig.show(1, *(raw_of(number) for number in range(start, start + 256)))
        assert rig.count("seen") <= 600


def test_an_idle_node_forgets_what_it_saw():
    rig = Rig(peers=2)
    rig.relay(1, A)
    rig.router.retire([id_of(A)])
    rig.wait(400 * SECOND)
    assert rig.count("seen") == 0


def test_transactions_in_flight_are_bounded_and_the_surplus_is_not_lost():
    rig = Rig(peers=2, in_flight_max=2)
    assert offered(rig.show(1, A, B, C)) == [id_of(A), id_of(B)]
    assert rig.count("overflowed") == 1
    rig.judge(A, B, origin=1)
    assert offered(rig.show(2, C)) == [id_of(C)]


def test_an_ignored_transaction_counts_as_seen_for_a_short_time_only():
    rig = Rig(peers=2)
    rig.show(1, A)
    assert rig.judge(A, origin=1, verdict=Verdict.IGNORE) == []
    assert offered(rig.show(2, A)) == []
    rig.wait(5 * SECOND)
    assert offered(rig.show(2, A)) == [id_of(A)]


def test_ignored_transactions_are_bounded():
    rig = Rig(peers=1, ignored_max=10)
    for number in range(50):
        rig.show(1, raw_of(number))
        rig.judge(raw_of(number), origin=1, verdict=Verdict.IGNORE)
    assert rig.count("ignored_waiting") == 10
    assert offered(rig.show(1, raw_of(0))) == [id_of(raw_of(0))]


def test_a_second_verdict_on_an_accepted_transaction_does_not_forget_it():
    rig = Rig(peers=2)
    rig.relay(1, A)
    rig.router.mark_known(id_of(A), rig.now)
    rig.judge(A, verdict=Verdict.IGNORE)
    rig.wait(10 * SECOND)
    assert offered(rig.show(2, A)) == []


# --- forwarding ---


def test_an_accepted_transaction_goes_to_choosers_in_one_message_per_link():
    rig = Rig(peers=4)
    for number in (1, 2, 3):
        rig.router.on_choose(peer_of(number), rig.now)
    rig.show(1, A, B)
    effects = rig.judge(A, B, origin=1)
    assert sent(effects, Transactions) == {2: [Transactions((A, B))], 3: [Transactions((A, B))]}


def test_it_does_not_go_to_peers_that_showed_it_in_the_meantime():
    rig = Rig(peers=3)
    for number in (1, 2, 3):
        rig.router.on_choose(peer_of(number), rig.now)
    rig.show(1, A)
    rig.show(2, A)
    assert pushed(rig.judge(A, origin=1)) == {3: [A]}


def test_it_does_not_go_to_peers_that_announced_it():
    rig = Rig(peers=4)
    for number in (1, 2, 3, 4):
        rig.router.on_choose(peer_of(number), rig.now)
    rig.announce(2, A)
    rig.show(1, A)
    rig.announce(3, A)
    assert pushed(rig.judge(A, origin=1)) == {4: [A]}


def test_others_get_an_announcement_under_their_own_key_within_twenty_milliseconds():
    rig = Rig(peers=3)
    rig.router.on_choose(peer_of(2), rig.now)
    assert pushed(rig.relay(1, A)) == {2: [A]}
    rig.now += 15 * MS
    rig.relay(1, B)
    assert told(rig.wait(4 * MS)) == {}
    effects = rig.wait(1 * MS)
    assert told(effects) == {3: [(short_id(key_of(3), id_of(raw)), 250, 7) for raw in (A, B)]}
    assert told(rig.wait(SECOND)) == {}


def test_unchosen_peers_get_announcements_again():
    rig = Rig(peers=2)
    rig.router.on_choose(peer_of(2), rig.now)
    rig.router.on_unchoose(peer_of(2), rig.now)
    assert pushed(rig.relay(1, A)) == {}
    assert list(told(rig.wait(20 * MS))) == [2]


def test_nothing_that_was_not_accepted_goes_anywhere():
    rig = Rig(peers=3)
    rig.router.on_choose(peer_of(2), rig.now)
    rig.show(1, A, B)
    assert rig.judge(A, origin=1, verdict=Verdict.IGNORE) == []
    assert rig.judge(B, origin=1, verdict=Verdict.REJECT) == []
    assert told(rig.wait(SECOND)) == {}


def test_at_most_eight_choosers_are_served_and_the_rest_refused():
    rig = Rig(peers=10)
    answers = [rig.router.on_choose(peer_of(number), rig.now) for number in range(1, 11)]
    assert answers[:8] == [[]] * 8
    assert sent(answers[8] + answers[9], Refuse) == {9: [Refuse()], 10: [Refuse()]}
    assert rig.router.on_choose(peer_of(1), rig.now) == []
    assert rig.count("choosers") == 8
    rig.router.on_unchoose(peer_of(3), rig.now)
    assert rig.router.on_choose(peer_of(9), rig.now) == []
    rig.router.on_disconnected(peer_of(1), rig.now)
    assert rig.router.on_choose(peer_of(10), rig.now) == []


@pytest.mark.parametrize(("count", "size"), [(700, 100), (60, 16_384), (256, 1_020), (257, 10)])
def test_messages_are_split_at_their_caps(count, size):
    rig = Rig(peers=2)
    rig.router.on_choose(peer_of(2), rig.now)
    raws = [raw_of(number, size) for number in range(count)]
    messages = sent(rig.relay(1, *raws), Transactions)[2]
    assert [raw for message in messages for raw in message.items] == raws
    assert all(len(encode_message(message)) <= Transactions.BYTES_MAX for message in messages)
    assert all(len(message.items) <= 256 for message in messages)


def test_announcements_are_split_at_their_cap():
    rig = Rig(peers=2)
    rig.relay(1, *(raw_of(number) for number in range(2_000)))
    messages = [effect.message for effect in rig.wait(20 * MS) if effect.peer == peer_of(2)]
    assert sum(len(message.entries) for message in messages) == 2_000
    assert all(encode_message(message) for message in messages)


# --- serving pulls ---


def test_what_was_announced_can_be_pulled_once():
    rig = Rig(peers=2)
    rig.relay(1, A)
    rig.wait(20 * MS)
    short = short_id(key_of(2), id_of(A))
    assert pushed(rig.router.on_pull(peer_of(2), (short,), rig.now)) == {2: [A]}
    assert rig.router.on_pull(peer_of(2), (short,), rig.now) == []
    assert (rig.count("pulls_served"), rig.count("pulls_unserved")) == (1, 1)


def test_what_was_not_announced_to_a_peer_cannot_be_pulled():
    rig = Rig(peers=2)
    rig.relay(1, A)
    assert rig.router.on_pull(peer_of(1), (short_id(key_of(1), id_of(A)),), rig.now) == []
    assert rig.router.on_pull(peer_of(2), (short_id(OWN_KEY, id_of(A)),), rig.now) == []


def test_what_left_the_pool_is_served_no_more():
    rig = Rig(peers=2)
    rig.relay(1, A)
    rig.pool.clear()
    assert rig.router.on_pull(peer_of(2), (short_id(key_of(2), id_of(A)),), rig.now) == []


def test_what_is_remembered_as_announced_to_one_peer_is_bounded():
    rig = Rig(peers=2, announced_max=100)
    raws = [raw_of(number) for number in range(150)]
    rig.relay(1, *raws)
    shorts = [short_id(key_of(2), id_of(raw)) for raw in raws]
    assert pushed(rig.router.on_pull(peer_of(2), shorts, rig.now)) == {2: raws[50:]}


# --- the origin ---


def test_an_own_transaction_is_pushed_to_all():
    rig = Rig(peers=7)
    rig.router.mark_known(id_of(A), rig.now)
    effects = rig.judge(A)
    assert pushed(effects) == {number: [A] for number in range(1, 8)}
    assert offered(rig.show(3, A)) == []


def test_publish_needs_no_mark():
    rig = Rig(peers=2)
    assert pushed(rig.router.publish(id_of(A), A, 1, rig.now)) == {1: [A], 2: [A]}
    assert offered(rig.show(1, A)) == []


def test_an_own_transaction_is_offered_again_until_it_is_retired():
    rig = Rig(peers=3)
    rig.router.on_choose(peer_of(1), rig.now)
    rig.judge(A)
    effects = rig.wait(10 * SECOND + 20 * MS)
    assert pushed(effects) == {1: [A]}
    assert sorted(told(effects)) == [2, 3]
    assert pushed(rig.wait(10 * SECOND)) == {1: [A]}
    rig.retire(A)
    assert pushed(rig.wait(60 * SECOND)) == {}
    assert rig.count("own") == 0


@pytest.mark.parametrize("show", [Rig.show, Rig.announce])
def test_what_a_peer_shows_in_the_meantime_is_not_announced_to_it(show):
    rig = Rig(peers=3)
    rig.relay(1, A, B)
    rig.now += 10 * MS
    show(rig, 2, A)
    assert told(rig.wait(10 * MS)) == {
        2: [(short_id(key_of(2), id_of(B)), 250, 7)],
        3: [(short_id(key_of(3), id_of(raw)), 250, 7) for raw in (A, B)],
    }
    asked = (short_id(key_of(2), id_of(A)), short_id(key_of(2), id_of(B)))
    assert pushed(rig.router.on_pull(peer_of(2), asked, rig.now)) == {2: [B]}


@pytest.mark.parametrize("retired", [1, 40])
def test_what_is_retired_can_be_pulled_no_more_and_takes_no_room(retired):
    raws = [raw_of(number) for number in range(60)]
    rig = Rig(peers=3)
    for raw in raws:
        rig.relay(1, raw)
    rig.wait(20 * MS)
    rig.router.retire(id_of(raw) for raw in raws[:retired])
    for number in (2, 3):
        assert len(rig.router._links[peer_of(number)].told) == 60 - retired
        asked = tuple(short_id(key_of(number), id_of(raw)) for raw in raws)
        assert pushed(rig.router.on_pull(peer_of(number), asked, rig.now)) == {number: raws[retired:]}
    assert rig.count("pulls_unserved") == 2 * retired


def test_own_transactions_that_are_offered_again_are_bounded():
    rig = Rig(peers=1, own_max=5)
    for number in range(9):
        rig.judge(raw_of(number))
    assert rig.count("own") == 5


def test_an_own_transaction_that_was_refused_may_come_again():
    rig = Rig(peers=1)
    rig.router.mark_known(id_of(A), rig.now)
    rig.judge(A, verdict=Verdict.IGNORE)
    rig.wait(5 * SECOND)
    assert offered(rig.show(1, A)) == [id_of(A)]


def test_a_final_transaction_that_was_never_heard_of_is_not_taken_later():
    rig = Rig(peers=1)
    rig.router.retire([id_of(A)])
    assert offered(rig.show(1, A)) == []


# --- score ---


def test_invalid_transactions_ban_their_sender_and_whoever_else_showed_them():
    rig = Rig(peers=3)
    effects = []
    for number in range(3):
        rig.show(1, raw_of(number))
        rig.show(2, raw_of(number))
        effects += rig.judge(raw_of(number), origin=1, verdict=Verdict.REJECT)
    assert misbehaving(effects) == [1, 2]
    assert rig.router.is_banned(peer_of(1), rig.now)
    assert not rig.router.is_banned(peer_of(3), rig.now)


def test_showing_again_what_is_known_to_be_invalid_counts_as_well():
    rig = Rig(peers=2)
    rig.show(1, A)
    rig.judge(A, origin=1, verdict=Verdict.REJECT)
    assert misbehaving(rig.show(2, A, A, A)) == [2]


def test_what_depends_on_the_state_bans_nobody():
    rig = Rig(peers=1)
    for number in range(100):
        rig.show(1, raw_of(number))
        assert rig.judge(raw_of(number), origin=1, verdict=Verdict.IGNORE) == []


def test_a_ban_ends_and_the_next_is_twice_as_long():
    rig = Rig(peers=1)
    for ban_us in (600 * SECOND, 1_200 * SECOND):
        for number in range(4):
            raw = raw_of(rig.now + number)
            rig.show(1, raw)
            rig.judge(raw, origin=1, verdict=Verdict.REJECT)
        rig.router.on_disconnected(peer_of(1), rig.now)
        rig.now += ban_us - 1
        assert rig.router.is_banned(peer_of(1), rig.now)
        rig.now += 1
        assert not rig.router.is_banned(peer_of(1), rig.now)
        rig.connect(1)


def test_a_score_outlives_the_connection_and_ends_after_an_hour():
    rig = Rig(peers=2)
    for number in range(2):
        rig.show(1, raw_of(number))
        rig.judge(raw_of(number), origin=1, verdict=Verdict.REJECT)
    rig.router.on_disconnected(peer_of(1), rig.now)
    rig.connect(1)
    rig.show(1, C)
    assert misbehaving(rig.judge(C, origin=1, verdict=Verdict.REJECT)) == [1]
    rig = Rig(peers=2)
    rig.router.on_disconnected(peer_of(1), rig.now)
    assert rig.count("scores") == 2
    rig.now += 3_600 * SECOND
    rig.connect(3)
    assert rig.count("scores") == 2


def test_scores_of_the_gone_are_bounded():
    rig = Rig(scores_max=5)
    for number in range(1, 20):
        rig.connect(number)
        rig.router.on_disconnected(peer_of(number), rig.now)
    assert rig.count("scores") == 5


def test_a_graylisted_peer_is_not_chosen():
    rig = Rig(peers=6, rtts=[10] * 6)
    (spare,) = set(range(1, 7)) - rig.senders()
    for number in range(2):
        rig.show(spare, raw_of(number))
        rig.judge(raw_of(number), origin=spare, verdict=Verdict.REJECT)
    gone = min(rig.senders())
    assert chosen(rig.router.on_disconnected(peer_of(gone), rig.now)) == []
    assert spare not in rig.senders()


# --- pulls, end to end ---


def test_two_routers_bring_a_transaction_over_by_announcement_and_pull():
    source, target = Rig(peers=2), Rig(peers=1)
    source.relay(2, A)
    entries = told(source.wait(20 * MS))[1]
    # For the wire both sides use the receiver's key; here the source knows the target as peer 1.
    assert entries == [(short_id(key_of(1), id_of(A)), 250, 7)]
    target.announce(1, A)
    (short,) = pulled(target.wait(20 * MS))[1]
    assert short == short_id(OWN_KEY, id_of(A))
    assert pushed(source.router.on_pull(peer_of(1), (entries[0][0],), source.now)) == {1: [A]}
    assert offered(target.show(1, A)) == [id_of(A)]
    assert target.count("wanted") == 0


def test_statistics_name_what_is_here():
    rig = Rig(peers=2)
    rig.relay(1, A, D)
    statistics = rig.router.statistics()
    assert (statistics["peers"], statistics["senders"], statistics["asking"]) == (2, 2, 0)
