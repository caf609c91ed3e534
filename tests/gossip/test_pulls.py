"""Rules of pulling what was announced."""

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip.pulls import Pulls
from tests.gossip.rig import MS, OWN_KEY, SECOND, Rig, id_of, peer_of, pulled, raw_of, short_id

A, B = raw_of(1), raw_of(2)
SHORT_A = short_id(OWN_KEY, id_of(A))


def test_an_unknown_transaction_is_pulled_after_the_grace():
    rig = Rig(peers=1)
    rig.announce(1, A, B)
    assert pulled(rig.wait(20 * MS - 1)) == {}
    assert pulled(rig.wait(1)) == {1: [SHORT_A, short_id(OWN_KEY, id_of(B))]}


def test_what_arrives_within_the_grace_is_not_pulled():
    rig = Rig(peers=2)
    rig.announce(1, A)
    rig.now += 10 * MS
    rig.show(2, A)
    assert pulled(rig.wait(SECOND)) == {}
    assert rig.count("wanted") == 0


def test_nothing_wakes_the_router_for_what_has_come_in_time():
    rig = Rig(peers=2)
    idle = rig.router.deadline
    rig.announce(1, A)
    assert rig.router.deadline == rig.now + 20 * MS
    rig.router.retire([id_of(A)])
    assert rig.router.deadline == idle


def test_a_kept_promise_is_not_waited_for():
    rig = Rig(peers=2, rtts=(10 * MS, 10 * MS))
    rig.announce(1, A, B)
    rig.wait(20 * MS)
    rig.now += MS
    rig.show(1, A, B)
    rig.wait(60 * MS)
    assert rig.router._pulls.deadline is None
    assert rig.count("promises_broken") == 0


def test_what_is_known_is_not_pulled():
    rig = Rig(peers=2)
    rig.show(1, A)
    rig.announce(2, A)
    assert pulled(rig.wait(SECOND)) == {}


def test_what_became_final_is_pulled_no_more_and_breaks_no_promise():
    rig = Rig(peers=2)
    rig.announce(1, A, B)
    rig.router.retire([id_of(A)])
    assert pulled(rig.wait(20 * MS)) == {1: [short_id(OWN_KEY, id_of(B))]}
    rig.router.retire([id_of(B)])
    rig.wait(SECOND)
    assert rig.count("promises_broken") == 0


def test_the_nearest_announcer_is_asked_first_and_then_the_next():
    rig = Rig(peers=3, rtts=(90 * MS, 30 * MS, 60 * MS))
    for number in (1, 2, 3):
        rig.announce(number, A)
    assert pulled(rig.wait(20 * MS)) == {2: [SHORT_A]}
    assert pulled(rig.wait(2 * 30 * MS + 20 * MS - 1)) == {}
    assert pulled(rig.wait(1)) == {3: [SHORT_A]}
    assert pulled(rig.wait(2 * 60 * MS + 20 * MS)) == {1: [SHORT_A]}
    rig.wait(SECOND)
    assert rig.count("wanted") == 0


def test_the_next_one_waits_no_longer_than_the_cap():
    rig = Rig(peers=2, rtts=(900 * MS, 950 * MS))
    rig.announce(1, A)
    rig.announce(2, A)
    assert list(pulled(rig.wait(20 * MS))) == [1]
    assert list(pulled(rig.wait(400 * MS - 1))) == []
    assert list(pulled(rig.wait(1))) == [2]


def test_an_announcer_that_breaks_promises_is_asked_later():
    rig = Rig(peers=2, rtts=(10 * MS, 200 * MS))
    rig.announce(1, A)
    rig.wait(SECOND)
    assert rig.count("promises_broken") == 1
    rig.announce(1, B)
    rig.announce(2, B)
    assert list(pulled(rig.wait(20 * MS))) == [2]  # 10 + 400 x 1/1 against 200


def test_a_promise_is_broken_even_if_another_delivers():
    rig = Rig(peers=3, rtts=(10 * MS, 20 * MS))
    rig.announce(1, A)
    rig.wait(20 * MS)
    rig.show(3, A)
    rig.wait(SECOND)
    assert rig.count("promises_broken") == 1


def test_a_promise_is_kept_by_delivering_what_came_from_another_in_the_meantime():
    rig = Rig(peers=3, rtts=(10 * MS, 20 * MS))
    rig.announce(1, A)
    rig.wait(20 * MS)
    rig.show(3, A)
    rig.show(1, A)
    rig.wait(SECOND)
    assert rig.count("promises_broken") == 0


def test_a_slow_peer_has_twice_its_round_trip_for_a_promise():
    rig = Rig(peers=1, rtts=(300 * MS,))
    rig.announce(1, A)
    rig.wait(20 * MS)
    rig.wait(619 * MS)
    rig.show(1, A)
    rig.wait(SECOND)
    assert rig.count("promises_broken") == 0


def test_a_later_announcer_is_asked_when_the_first_did_not_deliver():
    rig = Rig(peers=2, rtts=(10 * MS, 10 * MS))
    rig.announce(1, A)
    assert list(pulled(rig.wait(20 * MS))) == [1]
    rig.announce(2, A)
    assert list(pulled(rig.wait(20 * MS))) == [2]


def test_announcing_again_is_not_asked_again():
    rig = Rig(peers=1)
    rig.announce(1, A)
    rig.wait(30 * MS)
    rig.announce(1, A)
    assert pulled(rig.wait(100 * MS)) == {}


def test_at_most_a_hundred_are_in_flight_from_one_peer():
    rig = Rig(peers=1, rtts=(10 * MS,))
    raws = [raw_of(number) for number in range(250)]
    rig.announce(1, *raws)
    first = pulled(rig.wait(20 * MS))[1]
    assert len(first) == 100
    assert pulled(rig.wait(20 * MS)) == {}
    rig.show(1, *raws[:60])
    assert len(pulled(rig.wait(20 * MS))[1]) == 60


def test_what_one_peer_announces_is_bounded():
    rig = Rig(peers=2, announced_max=50)
    rig.announce(1, *(raw_of(number) for number in range(80)))
    assert (rig.count("wanted"), rig.count("announcements_surplus")) == (50, 30)
    rig.announce(2, raw_of(79))
    assert rig.count("wanted") == 51
    rig.show(2, raw_of(0))
    rig.announce(1, raw_of(78))
    assert rig.count("wanted") == 51


def test_what_all_announce_is_bounded():
    rig = Rig(peers=12, wants_max=10)
    for peer in range(1, 13):
        rig.announce(peer, *(raw_of(100 * peer + number) for number in range(8)))
    assert (rig.count("wanted"), rig.count("announcements_surplus")) == (10, 86)


def test_peers_that_fill_the_room_of_announcements_leave_some_to_everybody_else():
    rig = Rig(peers=11, wants_max=1_000, announced_max=100)
    for peer in range(1, 11):
        rig.announce(peer, *(raw_of(1_000 * peer + number) for number in range(200)))
    rig.announce(11, A)
    assert rig.count("wanted") <= 1_000
    assert pulled(rig.wait(20 * MS))[11] == [SHORT_A]


def test_what_waits_for_a_place_costs_nothing_until_there_is_one(monkeypatch):
    rig = Rig(peers=1)
    rig.announce(1, *(raw_of(number) for number in range(5_000)))
    looked_at = []
    choose = rig.router._pulls._next
    monkeypatch.setattr(Pulls, "_next", lambda _, want: looked_at.append(want) or choose(want))
    rig.wait(20 * MS)
    assert len(looked_at) == 5_000
    rig.wait(2 * SECOND)
    rounds = 2 * SECOND // (400 * MS)
    assert len(looked_at) - 5_000 == 2 * 100 * rounds  # to ask for it, and to give it up


def test_what_waits_for_a_place_is_asked_of_an_announcer_that_comes_later():
    rig = Rig(peers=2)
    rig.announce(1, *(raw_of(number) for number in range(100, 200)))
    rig.announce(1, A)
    assert len(pulled(rig.wait(20 * MS))[1]) == 100
    rig.announce(2, A)
    assert pulled(rig.wait(20 * MS)) == {2: [SHORT_A]}


def test_what_waits_for_a_place_with_a_peer_that_goes_is_asked_of_the_others():
    rig = Rig(peers=2)
    for peer in (1, 2):
        rig.announce(peer, *(raw_of(1_000 * peer + number) for number in range(100)))
    for peer in (1, 2):
        rig.announce(peer, A)
    assert SHORT_A not in [short for shorts in pulled(rig.wait(20 * MS)).values() for short in shorts]
    rig.router.on_disconnected(peer_of(1), rig.now)
    assert SHORT_A in pulled(rig.wait(SECOND))[2]


def test_what_waits_for_a_place_with_nobody_left_is_given_up():
    rig = Rig(peers=1)
    rig.announce(1, *(raw_of(number) for number in range(101)))
    rig.wait(20 * MS)
    rig.router.on_disconnected(peer_of(1), rig.now)
    rig.wait(SECOND)
    assert rig.count("wanted") == 0


@given(st.lists(st.tuples(st.sampled_from("aaasdw"), st.integers(1, 4), st.integers(0, 30)), max_size=80))
@settings(max_examples=200, deadline=None)
def test_whatever_is_announced_is_delivered_or_given_up(steps):
    rig = Rig(peers=4, pulls_in_flight_max=2, announced_max=12, wants_max=30)
    for kind, peer, number in steps:
        if kind == "a" and peer_of(peer) in rig.router._links:
            rig.announce(peer, raw_of(number), raw_of(number + 1))
        elif kind == "s" and peer_of(peer) in rig.router._links:
            rig.relay(peer, raw_of(number))
        elif kind == "d":
            rig.router.on_disconnected(peer_of(peer), rig.now)
        else:
            rig.wait(number * MS)
        links = rig.router._links.values()
        assert rig.count("wanted") <= 30
        assert all(len(link.waiting) <= link.announced <= 12 and len(link.asks) <= 2 for link in links)
    rig.wait(60 * SECOND)
    assert rig.count("wanted") == 0
    assert all((link.announced, link.asks, link.waiting) == (0, {}, {}) for link in rig.router._links.values())
    assert rig.router._pulls.deadline is None


def test_nobody_is_asked_that_is_gone():
    rig = Rig(peers=2, rtts=(10 * MS, 20 * MS))
    rig.announce(1, A)
    rig.announce(2, A)
    rig.router.on_disconnected(peer_of(1), rig.now)
    assert list(pulled(rig.wait(20 * MS))) == [2]
    rig.router.on_disconnected(peer_of(2), rig.now)
    rig.wait(SECOND)
    assert (rig.count("wanted"), rig.count("promises_broken")) == (0, 0)
