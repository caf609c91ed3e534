"""Rules of private transactions: who hears of one, who makes it public, and what is told by neither."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip import Examine, Fluff, GossipParameters
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.wire.messages import Stem
from tests.gossip.rig import (
    OWN_KEY,
    SECOND,
    Rig,
    id_of,
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

A, B, C = (raw_of(number) for number in range(3))
WAIT_US = GossipParameters().stem_wait_us
NEVER_FLUFFS = {"stem_fluff_percent": 0}
ALWAYS_FLUFFS = {"stem_fluff_percent": 100}


def rig_of(peers=6, outbound=4, **parameters):
    return Rig(peers=peers, outbound=outbound, **(NEVER_FLUFFS | parameters))


def bring(rig, number, *raws):
    """A peer sends transactions along their stems."""
    return rig.router.stems.on_stem(peer_of(number), raws, rig.now)


def examine(rig, raw, origin=None, verdict=Verdict.ACCEPT):
    """Admission has examined one."""
    source = None if origin is None else peer_of(origin)
    return rig.router.stems.on_examined(id_of(raw), raw, source, verdict, rig.now)


def carry(rig, number, *raws):
    """A peer sends good ones."""
    effects = []
    for raw in raws:
        assert examined(bring(rig, number, raw)) == [raw]
        effects += examine(rig, raw, number)
    return effects


def examined(effects):
    return [raw for effect in effects if isinstance(effect, Examine) for _, raw in effect.items]


def fluffed(effects):
    return [raw for effect in effects if isinstance(effect, Fluff) for _, raw, _ in effect.items]


def stemmed(effects):
    return {
        number: [raw for message in messages for raw in message.items]
        for number, messages in sent(effects, Stem).items()
    }


def publish(rig, effects):
    """The pool takes what is fluffed, as a node lets it."""
    out = []
    for effect in effects:
        if isinstance(effect, Fluff):
            for _, raw, origin in effect.items:
                out += rig.judge(raw, origin=None if origin is None else origin[0])
    return out


# --- the stem ---


def test_an_own_transaction_goes_to_one_peer_that_this_node_dialled_and_to_nobody_else():
    rig = rig_of()
    effects = examine(rig, A)
    ((relay, items),) = stemmed(effects).items()
    assert items == [A]
    assert relay <= 4
    assert pushed(effects) == told(effects) == {}
    assert fluffed(effects) == []


def test_all_own_ones_of_an_epoch_go_to_the_same_peer():
    rig = rig_of()
    relays = {number for number in range(40) for number in stemmed(examine(rig, raw_of(number)))}
    assert len(relays) == 1


def test_an_own_one_is_passed_on_by_a_node_that_fluffs_what_others_pass_to_it():
    rig = rig_of(**ALWAYS_FLUFFS)
    assert list(stemmed(examine(rig, A)).values()) == [[A]]
    assert fluffed(carry(rig, 5, B)) == [B]


def test_a_transaction_is_examined_before_it_is_passed_on():
    rig = rig_of()
    effects = bring(rig, 5, A)
    assert effects == [Examine(((id_of(A), A),), peer_of(5))]
    assert stemmed(examine(rig, A, 5)).keys() <= {1, 2, 3, 4}


def test_what_comes_over_one_edge_goes_to_one_of_two_relays():
    rig = rig_of(peers=30, outbound=8)
    relays = {}
    for round_ in range(3):
        for number in range(9, 31):
            (relay,) = stemmed(carry(rig, number, raw_of(100 * number + round_)))
            relays.setdefault(number, set()).add(relay)
    assert all(len(of_edge) == 1 for of_edge in relays.values())
    assert len(set.union(*relays.values())) == 2


def test_it_does_not_go_back_where_it_came_from():
    rig = rig_of(peers=2, outbound=2)
    assert list(stemmed(carry(rig, 1, A))) == [2]
    assert list(stemmed(carry(rig, 2, B))) == [1]


def test_relays_are_drawn_anew_in_each_epoch_and_not_within_one():
    rig = rig_of(peers=40, outbound=40)
    relays = []
    for number in range(200):
        relays += stemmed(examine(rig, raw_of(number)))
        rig.retire(raw_of(number))
        rig.wait(20 * SECOND)
    changes = sum(before != after for before, after in pairwise(relays))
    epochs = 200 * 20 * SECOND / GossipParameters().stem_epoch_us
    assert epochs / 2 <= changes <= epochs * 1.4


def test_a_relay_that_is_gone_is_replaced():
    rig = rig_of()
    (relay,) = stemmed(examine(rig, A))
    rig.router.on_disconnected(peer_of(relay), rig.now)
    (other,) = stemmed(examine(rig, B))
    assert other != relay


def test_one_epoch_of_ten_makes_public_what_others_pass_on():
    rig = Rig(peers=6, outbound=4)
    fates = Counter()
    for number in range(600):
        fates["fluffed" if fluffed(carry(rig, 5, raw_of(number))) else "passed on"] += 1
        rig.retire(raw_of(number))
        rig.wait(800 * SECOND)
    assert 0.06 < fates["fluffed"] / 600 < 0.14


def test_without_a_peer_that_it_dialled_a_node_fluffs_what_others_bring():
    rig = rig_of(peers=3, outbound=0)
    assert fluffed(carry(rig, 1, A)) == [A]


def test_an_own_one_waits_for_a_peer_that_this_node_dialled():
    rig = rig_of(peers=0)
    assert examine(rig, A) == []
    assert rig.wait(60 * SECOND) == []
    rig.connect(1)
    assert stemmed(rig.connect(2, outbound=True)) == {2: [A]}


def test_after_a_while_any_peer_will_do_for_an_own_one():
    rig = rig_of(peers=1, outbound=0)
    assert examine(rig, A) == []
    effects = rig.wait(2 * WAIT_US)
    assert stemmed(effects) == {1: [A]}
    assert fluffed(effects) == []


# --- what a stem transaction tells to nobody ---


def hidden(rig):
    """Return a rig that holds two: its own, and one of peer 5."""
    examine(rig, A)
    carry(rig, 5, B)
    return rig


def test_a_stem_transaction_is_not_announced_offered_or_pushed_however_long_it_stays():
    rig = hidden(rig_of(stem_wait_us=1_000 * SECOND))
    effects = rig.wait(600 * SECOND)
    assert rig.count("stems") == 2
    assert pushed(effects) == told(effects) == {}
    assert rig.count("reoffered") == 0


def test_a_pull_finds_no_stem_transaction():
    rig = hidden(rig_of())
    shorts = tuple(short_id(bytes([2]) * 16, id_of(raw)) for raw in (A, B))
    assert rig.router.on_pull(peer_of(2), shorts, rig.now) == []


def test_a_stem_transaction_is_in_no_index_of_the_pool():
    rig = hidden(rig_of())
    assert len(rig.index) == 0
    assert id_of(A) not in rig.router._arrivals.seen


@pytest.mark.parametrize("raw", [A, B])
def test_whoever_announces_a_stem_transaction_is_asked_for_it_as_by_a_node_that_has_never_heard_of_it(raw):
    rig, other = hidden(rig_of()), rig_of()
    for each in (rig, other):
        each.announce(6, raw)
    assert pulled(rig.wait(SECOND)) == pulled(other.wait(SECOND)) == {6: [short_id(OWN_KEY, id_of(raw))]}


@pytest.mark.parametrize("raw", [A, B])
def test_a_stem_transaction_that_is_pushed_is_new(raw):
    assert offered(hidden(rig_of()).show(6, raw)) == [id_of(raw)]


@pytest.mark.parametrize("raw", [A, B])
def test_a_copy_over_a_second_edge_is_passed_on_as_if_it_were_the_first(raw):
    """Whoever sends a node what he suspects it of learns nothing by what becomes of it."""
    rig = hidden(rig_of())
    (relay,) = stemmed(carry(rig, 6, C))
    assert stemmed(bring(rig, 6, raw)) == {relay: [raw]}


def test_a_copy_that_comes_while_the_first_is_examined_is_passed_on_with_it():
    rig = rig_of()
    bring(rig, 5, A)
    assert bring(rig, 6, A) == []
    assert sorted(raw for raws in stemmed(examine(rig, A, 5)).values() for raw in raws) == [A, A]


# --- fluff ---


def test_a_fluffed_transaction_is_pushed_to_everybody_as_a_new_one_of_this_nodes_own_is():
    rig = rig_of(**ALWAYS_FLUFFS)
    effects = carry(rig, 5, A)
    assert effects == [Fluff(((id_of(A), A, peer_of(5)),))]
    assert pushed(publish(rig, effects)) == {number: [A] for number in range(1, 7)}


def test_who_shows_it_while_the_pool_judges_it_is_not_pushed_it():
    rig = rig_of(**ALWAYS_FLUFFS)
    effects = carry(rig, 5, A)
    assert rig.show(3, A) == []
    assert 3 not in pushed(publish(rig, effects))


def test_an_own_transaction_is_never_offered_again_not_even_when_it_is_public():
    rig = rig_of()
    examine(rig, A)
    effects = rig.wait(100 * SECOND)
    assert fluffed(effects) == [A]
    publish(rig, effects)
    rig.wait(60 * SECOND)
    assert rig.count("reoffered") == rig.count("own") == 0
    examine(rig, B)
    rig.relay(3, B)
    rig.wait(60 * SECOND)
    assert rig.count("reoffered") == rig.count("own") == 0


def test_what_became_public_is_not_fluffed_any_more():
    rig = hidden(rig_of())
    rig.relay(3, A, B)
    assert rig.count("stems") == 0
    assert fluffed(rig.wait(100 * SECOND)) == []


def test_what_became_final_is_forgotten():
    rig = hidden(rig_of())
    rig.retire(A, B)
    assert rig.count("stems") == 0
    assert fluffed(rig.wait(100 * SECOND)) == []


def test_a_public_one_is_not_passed_on():
    rig = rig_of()
    rig.relay(3, A)
    assert bring(rig, 5, A) == []
    assert rig.count("stems_known") == 1


def test_one_that_goes_round_in_a_circle_is_fluffed():
    rig = rig_of()
    carry(rig, 5, A)
    assert fluffed(bring(rig, 5, A)) == [A]
    examine(rig, B)
    assert list(stemmed(bring(rig, 6, B)).values()) == [[B]]  # the origin's own stem comes round: as if it were new
    assert fluffed(bring(rig, 6, B)) == [B]


# --- the wait ---


def test_a_relay_that_swallows_costs_the_wait_and_nothing_else():
    rig = rig_of()
    carry(rig, 5, A)
    assert fluffed(rig.wait(WAIT_US - 1)) == []
    assert fluffed(rig.wait(100 * SECOND)) == [A]


def first_to_fluff(seed, relays):
    """Return whether the origin is the first to fluff, of those that wait: itself and so many relays."""
    waits = []
    for number in range(relays + 1):
        rig = Rig(peers=6, outbound=4, seed=1_000 * seed + number, **NEVER_FLUFFS)
        if number:
            carry(rig, 5, A)
        else:
            examine(rig, A)
        while not fluffed(rig.wait(SECOND)):
            pass
        waits.append(rig.now)
    return min(waits) == waits[0] and waits.count(waits[0]) == 1


def test_the_origin_is_seldom_the_first_to_fluff_and_a_relay_not_always():
    firsts = [sum(first_to_fluff(seed, relays) for seed in range(150)) / 150 for relays in (1, 3)]
    assert 0.03 < firsts[0] < 0.33  # exp(-1) / 2 = 0.18
    assert firsts[1] < 0.08  # exp(-3) / 4 = 0.01


def test_what_the_pool_is_about_to_judge_is_not_fluffed_at_the_same_time():
    rig = rig_of()
    carry(rig, 5, A)
    rig.show(3, A)
    assert fluffed(rig.wait(100 * SECOND)) == []
    rig.judge(A, origin=3, verdict=Verdict.IGNORE)
    assert fluffed(rig.wait(100 * SECOND)) == [A]


def test_a_fluffed_transaction_that_the_pool_refuses_is_gone():
    rig = rig_of(**ALWAYS_FLUFFS)
    carry(rig, 5, A)
    rig.judge(A, origin=5, verdict=Verdict.IGNORE)
    rig.wait(10 * SECOND)
    assert pushed(rig.relay(3, A)) == {}  # no longer one that this node makes public
    assert rig.count("stems") == 0


# --- another life ---


def test_one_of_an_earlier_life_waits_to_come_from_others_and_is_examined_then():
    rig = rig_of()
    rig.router.stems.resume(id_of(A), A, rig.now)
    assert rig.wait(2 * WAIT_US - 1) == []
    effects = rig.wait(100 * SECOND)
    assert [effect for effect in effects if isinstance(effect, Examine)] == [Examine(((id_of(A), A),), None)]
    assert stemmed(effects) == {}
    assert list(stemmed(examine(rig, A)).values()) == [[A]]


def test_one_of_an_earlier_life_that_is_public_is_left_alone():
    rig = rig_of()
    for raw in (A, B, C):
        rig.router.stems.resume(id_of(raw), raw, rig.now)
    rig.relay(3, A)
    rig.retire(B)
    carry(rig, 5, C)  # it was on its way: to wait is enough
    rig.relay(3, C)
    effects = rig.wait(100 * SECOND)
    assert examined(effects) == []
    assert stemmed(effects) == {}


# --- limits ---


def test_a_peer_is_heard_within_its_budget_and_has_not_broken_a_rule_beyond_it():
    rig = rig_of(stem_peer_burst=10, stem_peer_rate=1)
    raws = [raw_of(number) for number in range(25)]
    assert examined(bring(rig, 5, *raws)) == raws[:10]
    assert rig.count("stems_over_budget") == 15
    rig.now += 3 * SECOND
    assert examined(bring(rig, 5, *raws[10:])) == raws[10:13]
    assert len(examined(bring(rig, 6, *raws[13:]))) == 10


def test_the_bytes_of_a_peer_have_a_budget():
    rig = rig_of(stem_peer_bytes_burst=1_000, stem_peer_bytes_rate=250)
    assert len(examined(bring(rig, 5, *(raw_of(number) for number in range(25))))) == 4


def test_so_many_of_one_peer_are_held_and_coming_anew_gains_nothing():
    rig = rig_of(stem_peer_max=5)
    assert len(examined(bring(rig, 5, *(raw_of(number) for number in range(20))))) == 5
    rig.router.on_disconnected(peer_of(5), rig.now)
    rig.connect(5)
    assert examined(bring(rig, 5, *(raw_of(number) for number in range(100, 120)))) == []
    assert rig.count("stems_overflowed") == 35
    assert len(examined(bring(rig, 6, *(raw_of(number) for number in range(200, 205))))) == 5


@pytest.mark.parametrize("bound", [{"stem_max": 7}, {"stem_bytes_max": 7 * 250}])
def test_so_many_are_held_in_all_and_own_ones_beside_them(bound):
    rig = rig_of(**bound)
    for number in range(1, 7):
        bring(rig, number, *(raw_of(100 * number + each) for each in range(3)))
    assert rig.count("stems") == 7
    for number in range(5):
        examine(rig, raw_of(number))
    assert rig.count("stems") == 12


def test_room_is_free_again_when_one_is_gone():
    rig = rig_of(stem_max=1)
    carry(rig, 5, A)
    rig.retire(A)
    assert examined(bring(rig, 5, B)) == [B]
    examine(rig, B, 5, Verdict.IGNORE)
    assert examined(bring(rig, 5, C)) == [C]


def test_who_sends_invalid_ones_is_held_to_account_and_who_sends_stale_ones_is_not():
    rig = rig_of()
    effects = []
    for number in range(10):
        bring(rig, 5, raw_of(number))
        effects += examine(rig, raw_of(number), 5, Verdict.IGNORE)
    assert effects == []
    for number in range(10, 13):
        bring(rig, 5, raw_of(number))
        effects += examine(rig, raw_of(number), 5, Verdict.REJECT)
    assert misbehaving(effects) == [5]
    assert rig.count("stems") == 0


def test_messages_keep_within_their_caps():
    rig = rig_of()
    for number in range(1, 5):
        rig.router.on_disconnected(peer_of(number), rig.now)
    for number in range(200):
        examine(rig, raw_of(number, 1_000))
    messages = sent(rig.connect(7, outbound=True), Stem)[7]
    assert sum(len(message.items) for message in messages) == 200
    assert all(len(message.items) <= 64 for message in messages)
    assert all(sum(map(len, message.items)) < Stem.BYTES_MAX for message in messages)


def test_messages_of_peers_that_are_gone_do_nothing():
    assert bring(rig_of(peers=0), 1, A) == []


# --- any order of things ---


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 6), st.integers(0, 9)), max_size=60), st.integers(0, 100))
def test_whatever_happens_each_private_transaction_is_hidden_until_it_is_fluffed_and_none_stays_for_ever(  # noqa: C901 - one arm per step
    steps, percent
):
    rig = Rig(peers=6, outbound=4, seed=percent, stem_fluff_percent=percent)
    public = set()
    for what, number, which in steps:
        raw = raw_of(which)
        effects = []
        if what == 0:
            effects = bring(rig, number, raw)
        elif what == 1:
            effects = examine(rig, raw, number)
        elif what == 2 and raw not in public:
            effects = examine(rig, raw)
        elif what == 3:
            rig.relay(number, raw)
            public.add(raw)
        elif what == 4:
            rig.router.on_disconnected(peer_of(number), rig.now)
        elif what == 5 and peer_of(number) not in rig.router._links:
            effects = rig.connect(number, outbound=number <= 4)
        elif what == 6:
            effects = rig.wait(SECOND * which)
        public.update(fluffed(effects))
        assert not {raw for raws in pushed(effects).values() for raw in raws} - public
        publish(rig, effects)
    if not rig.router._links:
        rig.connect(1, outbound=True)
    for number in range(10):  # what admission still had
        examine(rig, raw_of(number), 1, Verdict.IGNORE)
    publish(rig, rig.wait(200 * SECOND))
    publish(rig, rig.wait(200 * SECOND))
    assert rig.count("stems") == 0
    assert rig.router.stems._room._held == {}
    assert rig.router.stems._room._bytes == 0
