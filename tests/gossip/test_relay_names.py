"""Votes among validators: named by what they say and by whom, told and asked for by bitmaps, pushed by turns."""

from hypothesis import given
from hypothesis import strategies as st

from p2pcommerce.gossip import SendTo, short_id
from p2pcommerce.gossip.relay_names import names_in, names_message
from p2pcommerce.primitives.crypto import blake2b_256, keyed_hash
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.wire.finality_messages import ROLE_CHOSEN, RelayIds, RelayRole
from p2pcommerce.wire.messages import decode_message, encode_message

from .test_relay import OWN_KEY, SECOND, Rig, key_of, peer_of, pushed, told


def vote(voter, ballot=b"ballot", signature=b"signature"):
    return b"%s/%d/%s" % (ballot, voter, signature)


def ballot_short(number, ballot=b"ballot"):
    return keyed_hash(OWN_KEY if number is None else key_of(number), ballot, 8)


def test_votes_on_one_ballot_are_told_by_a_bitmap():
    rig = Rig(count=2)
    rig.hear(0, vote(0), vote(9), vote(80), b"no vote")
    told_of = [effect.message for effect in rig.news() if effect.peer == peer_of(1)]
    bitmap = (1 << 0 | 1 << 9 | 1 << 80).to_bytes(11, "little")
    assert told_of == [
        RelayIds(False, (short_id(key_of(1), blake2b_256(b"no vote")),), ((ballot_short(1), bitmap),)),
    ]


def test_votes_are_pulled_and_served_by_bitmaps():
    rig = Rig(count=2)
    rig.hear(0, vote(3))
    rig.relay.on_ids(peer_of(1), RelayIds(False, (), ((ballot_short(None), b"\x0d"),)), rig.now)
    assert SendTo(peer_of(1), RelayIds(True, (), ((ballot_short(None), b"\x05"),))) in rig.wait(rig.numbers.grace_us)
    rig.hear(1, vote(0), vote(2))
    assert rig.counts["relayed_wanted"] == 0
    rig.hear(0, vote(5))
    rig.news()
    asked = RelayIds(True, (), ((ballot_short(1), b"\x20"),))
    assert pushed(rig.relay.on_ids(peer_of(1), asked, rig.now), vote(5)) == {peer_of(1)}
    assert rig.relay.on_ids(peer_of(1), asked, rig.now) == []


def test_a_vote_that_is_here_is_not_pulled_whatever_its_bytes():
    rig = Rig(count=2)
    rig.hear(0, vote(3, signature=b"one"))
    rig.relay.on_ids(peer_of(1), RelayIds(False, (), ((ballot_short(None), b"\x08"),)), rig.now)
    assert rig.counts["relayed_wanted"] == 0


def test_a_bad_vote_takes_the_name_of_the_good_one_from_nobody():
    rig = Rig(count=2)
    rig.verdicts[vote(3, signature=b"bad")] = Verdict.REJECT
    rig.hear(0, vote(3, signature=b"bad"))
    assert rig.blamed == [(peer_of(0), 1)]
    rig.relay.on_ids(peer_of(1), RelayIds(False, (), ((ballot_short(None), b"\x08"),)), rig.now)
    assert SendTo(peer_of(1), RelayIds(True, (), ((ballot_short(None), b"\x08"),))) in rig.wait(rig.numbers.grace_us)


def test_a_bitmap_that_lies_breaks_a_promise_for_each_vote():
    rig = Rig()
    rig.relay.on_ids(peer_of(0), RelayIds(False, (), ((ballot_short(None), b"\x0f"),)), rig.now)
    rig.wait(rig.numbers.grace_us)
    rig.wait(SECOND)
    assert rig.scores.of(peer_of(0)).broken == 4


def test_a_bit_of_nobody_is_not_asked_for():
    rig = Rig(members=10)
    rig.relay.on_ids(peer_of(0), RelayIds(False, (), ((ballot_short(None), b"\x00\xff"),)), rig.now)
    assert rig.counts["relayed_wanted"] == 2


def test_ballots_are_known_up_to_a_number_and_the_oldest_go():
    rig = Rig(ballots_max=4)
    for number in range(6):
        rig.hear(0, vote(1, b"ballot %d" % number))
    assert rig.counts["relay_votes_known"] == 4
    for number, wanted in ((5, 0), (0, 1)):
        short = ballot_short(None, b"ballot %d" % number)
        rig.relay.on_ids(peer_of(1), RelayIds(False, (), ((short, b"\x02"),)), rig.now)
        assert rig.counts["relayed_wanted"] == wanted


def test_pushes_of_one_turn_go_together_and_not_to_who_shows_them_meanwhile():
    rig = Rig()
    rig.choose(1, 2)
    assert pushed(rig.hear(0, vote(0)), vote(0)) == {peer_of(1), peer_of(2)}  # after a pause at once
    assert rig.hear(0, vote(1)) == []
    assert rig.hear(0, vote(2)) == []
    assert rig.hear(1, vote(1)) == []
    pushes = {effect.peer: effect.message.items for effect in rig.wait(rig.numbers.turn_us)}
    assert pushes == {peer_of(1): (vote(2),), peer_of(2): (vote(1), vote(2))}


def test_what_a_chooser_hears_straight_is_announced_to_it_and_not_pushed():
    rig = Rig(count=6)
    hears = tuple(keyed_hash(OWN_KEY, peer_of(number), 8) for number in (5, 50))
    rig.relay.on_role(peer_of(1), RelayRole(ROLE_CHOSEN, hears), rig.now)
    rig.choose(2)
    effects = rig.hear(0, b"by 5: heard", b"by 50: heard", b"by 4: not heard", b"of nobody")
    assert next(each.message.items for each in effects if each.peer == peer_of(1)) == (b"by 4: not heard", b"of nobody")
    assert pushed(effects, b"by 5: heard") == pushed(effects, b"by 50: heard") == {peer_of(2)}
    news = rig.news()
    assert told(news, 1, b"by 5: heard")
    assert told(news, 1, b"by 50: heard")
    assert not told(news, 5, b"by 5: heard")  # who made it
    rig.relay.on_role(peer_of(1), RelayRole(ROLE_CHOSEN, ()), rig.now)
    assert pushed(rig.hear(0, b"by 5: more"), b"by 5: more") == {peer_of(1), peer_of(2)}


def test_a_sender_is_told_whom_this_node_hears_and_again_a_while_after_that_has_changed():
    rig = Rig(count=4)

    def said(effects):
        return {
            each.peer: set(each.message.hears)
            for each in effects
            if isinstance(each.message, RelayRole) and each.message.role == ROLE_CHOSEN
        }

    def heard(by, *numbers):
        return {keyed_hash(key_of(by), peer_of(number), 8) for number in numbers if number != by}

    assert said(rig.first[:1]) == {peer_of(0): set()}
    assert said(rig.wait(SECOND // 5)) == {peer_of(by): heard(by, 0, 1, 2, 3) for by in range(3)}
    assert said(rig.wait(SECOND)) == {}
    rig.relay.on_disconnected(peer_of(3), rig.now)
    rig.wait(SECOND // 10)
    rig.connect(9)
    assert said(rig.wait(SECOND // 10)) == {peer_of(by): heard(by, 0, 1, 2, 9) for by in range(3)}


def test_what_this_node_says_itself_waits_for_no_turn():
    rig = Rig()
    rig.hear(0, b"vote")
    assert len(pushed(rig.relay.publish(b"own", rig.now), b"own")) == 8


@given(st.sets(st.binary(min_size=8, max_size=8)), st.sets(st.binary(min_size=9, max_size=9)))
def test_names_are_the_same_after_their_message(shorts, votes):
    message = names_message([*shorts, *votes], is_pull=False)
    assert {*names_in(message, 256)} == shorts | votes
    assert decode_message(encode_message(message)) == message
