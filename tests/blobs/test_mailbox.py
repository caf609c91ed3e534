"""Sealed messages between hand-played peers: who is given what, what is durable, what is bounded."""

from __future__ import annotations

import random

import pytest

from p2pcommerce.blobs.effects import Arrived, Done, Failed, Failure, RemoveMessage, SendTo, StoreMessage
from p2pcommerce.blobs.mailbox import Letter, Mailbox, Taken, message_id
from p2pcommerce.blobs.parameters import MailParameters
from p2pcommerce.wire.off_chain_messages import MessageTaken, PostMessage

S = 1_000_000
NOW = 1_700_000_000 * S
DAY = 86_400 * S
OWN, SHOP, A, B, C, D = (bytes([letter]) * 32 for letter in b"OSABCD")
KIND = {SHOP: "inbox", OWN: "held"}
"""The box of a message for the shop, by whose mailbox it is."""


def make(*peers, own=OWN, **changes):
    box = Mailbox(MailParameters(**changes), own, random.Random(1))
    for peer in peers:
        box.on_connected(peer, NOW)
    return box


def letter(number=0, to=SHOP, life_us=DAY, size=10):
    return Letter(to, bytes(32), (NOW + life_us) // 1_000, number.to_bytes(size, "big"), b"")


def post(item):
    return PostMessage(item.to, item.salt, item.expires_ms, item.sealed)


def name_of(item):
    return message_id(item.salt, item.sealed)


def sent(effects):
    return [(effect.peer, effect.message) for effect in effects if isinstance(effect, SendTo)]


def of(effects, kind):
    return [effect for effect in effects if isinstance(effect, kind)]


def send(box, item, request=1, now=NOW):
    return box.send(request, item, now) + box.on_stored(name_of(item), is_kept=True, now=now)


def take(box, peer, item, now=NOW):
    return box.on_post(peer, post(item), now) + box.on_stored(name_of(item), is_kept=True, now=now)


def states(effects):
    return [(peer, m.state) for peer, m in sent(effects) if isinstance(m, MessageTaken)]


def test_nothing_leaves_and_nothing_is_told_before_the_message_is_durable():
    box, item = make(SHOP), letter()
    assert [type(effect) for effect in box.send(1, item, NOW)] == [StoreMessage]
    effects = box.on_stored(name_of(item), is_kept=True, now=NOW)
    assert of(effects, Done) == [Done(1, name_of(item))]
    assert sent(effects) == [(SHOP, post(item))]
    assert box.on_taken(SHOP, MessageTaken(name_of(item), Taken.DELIVERED), NOW) == [RemoveMessage(name_of(item))]


def test_the_reader_says_that_it_has_a_message_once_it_is_durable():
    box, item = make(A, own=SHOP), letter()
    assert [type(effect) for effect in box.on_post(A, post(item), NOW)] == [StoreMessage]
    effects = box.on_stored(name_of(item), is_kept=True, now=NOW)
    assert states(effects) == [(A, Taken.DELIVERED)]
    assert of(effects, Arrived) == [Arrived(name_of(item))]
    assert [name for name, _ in box.inbox()] == [name_of(item)]


def test_without_its_reader_a_message_is_left_with_three_peers():
    box, item = make(A, B, C, D), letter()
    given = sent(send(box, item))
    assert len(given) == 3
    for peer, _ in given:
        box.on_taken(peer, MessageTaken(name_of(item), Taken.HELD), NOW)
    assert box.outbox() == [(name_of(item), SHOP, 3)]
    assert sent(box.on_connected(SHOP, NOW)) == [(SHOP, post(item))]


def test_what_a_relay_says_does_not_count_as_delivery():
    box, item = make(A), letter()
    send(box, item)
    assert box.on_taken(A, MessageTaken(name_of(item), Taken.DELIVERED), NOW) == []
    assert box.outbox() == [(name_of(item), SHOP, 0)]


def test_a_relay_gives_a_message_to_its_reader_only():
    box, item = make(A, B), letter()
    effects = take(box, A, item)
    assert states(effects) == [(A, Taken.HELD)]
    assert len(sent(effects)) == 1
    assert sent(box.on_connected(SHOP, NOW)) == [(SHOP, post(item))]
    box.on_taken(SHOP, MessageTaken(name_of(item), Taken.DELIVERED), NOW)
    assert box.statistics()["box_held"] == 0


def test_a_message_is_taken_once_even_after_it_was_read_and_after_a_restart():
    box, item = make(A, B, own=SHOP), letter()
    take(box, A, item)
    assert states(box.on_post(B, post(item), NOW)) == [(B, Taken.DELIVERED)]
    (kept,) = of(box.drop(2, name_of(item), NOW), StoreMessage)
    assert Done(2, name_of(item)) in box.on_stored(name_of(item), is_kept=True, now=NOW)
    assert (kept.box, box.inbox()) == ("gone", [])
    again = make(own=SHOP)
    again.start([(kept.message_id, kept.box, kept.expires_us, kept.data)], NOW)
    again.on_connected(A, NOW)
    assert states(again.on_post(A, post(item), NOW)) == [(A, Taken.DELIVERED)]
    assert again.inbox() == []


@pytest.mark.parametrize("life_us", [0, 7 * DAY + S], ids=["expired", "too long"])
def test_a_message_that_lives_not_or_too_long_is_refused_for_good(life_us):
    box, item = make(A, own=SHOP), letter(life_us=life_us)
    assert states(box.on_post(A, post(item), NOW)) == [(A, Taken.NEVER)]
    (failed,) = make().send(1, item, NOW)
    assert failed.failure is Failure.EXPIRED


@pytest.mark.parametrize(
    ("own", "changes"),
    [
        (SHOP, {"inbox_count_max": 4}),
        (SHOP, {"bytes_max": 40}),
        (OWN, {"held_count_max": 4}),
        (OWN, {"held_per_peer_max": 2}),
        (OWN, {"bytes_max": 40}),
        (OWN, {"posts_burst": 2, "posts_per_s": 1}),
    ],
    ids=["inbox", "inbox bytes", "held", "held of one peer", "held bytes", "posts"],
)
def test_messages_of_peers_beyond_a_cap_are_refused_for_now(own, changes):
    box = make(A, own=own, **changes)
    found = [states(take(box, A, letter(number)))[0][1] for number in range(3)]
    assert found[2] == Taken.REFUSED
    assert Taken.REFUSED not in found[:2]


def test_read_messages_count_in_the_inbox_as_long_as_they_are_remembered():
    box = make(A, B, own=SHOP, inbox_count_max=1)
    take(box, B, letter(1))
    box.drop(2, name_of(letter(1)), NOW)
    box.on_stored(name_of(letter(1)), is_kept=True, now=NOW)
    assert states(take(box, A, letter(2))) == [(A, Taken.REFUSED)]
    later = NOW + 7 * DAY
    box.on_deadline(later)
    assert states(take(box, A, letter(2, life_us=8 * DAY), later)) == [(A, Taken.DELIVERED)]


@pytest.mark.parametrize("own", [SHOP, OWN], ids=["inbox", "held"])
@pytest.mark.parametrize("room", ["count", "bytes"])
def test_a_peer_that_fills_a_box_leaves_half_of_it_to_everybody_else(own, room):
    box = make(A, B, C, own=own, **({"bytes_max": 400} if room == "bytes" else {f"{KIND[own]}_count_max": 40}))
    taken = {
        peer: sum(
            state != Taken.REFUSED
            for number in range(start, start + 32)
            for _, state in states(take(box, peer, letter(number)))
        )
        for peer, start in ((A, 0), (B, 100), (C, 200))
    }
    assert taken == {A: 20, B: 10, C: 5}


def test_what_a_peer_may_post_it_does_not_get_anew_by_connecting_anew():
    box = make(A, B, own=SHOP)
    found = []
    for number in range(40):
        found.append(states(take(box, A, letter(number)))[0][1])
        box.on_disconnected(A)
        box.on_connected(A, NOW)
    assert found.count(Taken.DELIVERED) == 32
    assert states(take(box, B, letter(50))) == [(B, Taken.DELIVERED)]


def test_posters_that_are_gone_are_remembered_up_to_a_cap(monkeypatch):
    monkeypatch.setattr("p2pcommerce.blobs.mailbox.POSTERS_MAX", 5)
    box = make()
    for number in range(20):
        box.on_connected(bytes([number]) * 32, NOW)
        box.on_disconnected(bytes([number]) * 32)
    assert len(box._posters) == 5


def test_what_was_read_still_counts_for_the_peer_that_brought_it():
    box = make(A, B, own=SHOP, inbox_count_max=4)
    for number in range(2):
        take(box, A, letter(number))
        box.drop(number, name_of(letter(number)), NOW)
        box.on_stored(name_of(letter(number)), is_kept=True, now=NOW)
    assert states(take(box, A, letter(3))) == [(A, Taken.REFUSED)]
    assert states(take(box, B, letter(3))) == [(B, Taken.DELIVERED)]


@pytest.mark.parametrize("changes", [{"outbox_count_max": 1}, {"bytes_max": 15}], ids=["count", "bytes"])
def test_own_messages_beyond_a_cap_are_refused(changes):
    box = make(**changes)
    send(box, letter(1))
    (failed,) = box.send(2, letter(2), NOW)
    assert failed.failure is Failure.QUOTA


def test_a_refused_message_is_offered_again_and_one_that_expires_is_forgotten():
    box, item = make(SHOP), letter(life_us=DAY)
    send(box, item)
    box.on_taken(SHOP, MessageTaken(name_of(item), Taken.REFUSED), NOW)
    assert box.deadline == NOW + 60 * S
    assert sent(box.on_deadline(NOW + 60 * S)) == [(SHOP, post(item))]
    assert of(box.on_deadline(NOW + DAY), RemoveMessage) == [RemoveMessage(name_of(item))]
    assert box.deadline is None


def test_a_disk_that_refuses_is_said_to_the_sender_and_to_the_peer():
    box, item = make(A, own=SHOP), letter()
    box.on_post(A, post(item), NOW)
    assert states(box.on_stored(name_of(item), is_kept=False, now=NOW)) == [(A, Taken.REFUSED)]
    other = letter(2, to=A)
    box.send(1, other, NOW)
    (failed,) = of(box.on_stored(name_of(other), is_kept=False, now=NOW), Failed)
    assert failed.failure is Failure.DISK
    assert box.inbox() == box.outbox() == []


def test_what_is_damaged_on_the_disk_is_removed():
    box = make()
    (kept,) = box.send(1, letter(), NOW)
    found = [
        (kept.message_id, "out", kept.expires_us, kept.data),
        (bytes(32), "out", kept.expires_us, kept.data),
        (b"1" * 32, "out", kept.expires_us, b"junk"),
        (b"2" * 32, "what", kept.expires_us, kept.data),
    ]
    again = make()
    assert again.start(found, NOW) == [RemoveMessage(bytes(32)), RemoveMessage(b"1" * 32), RemoveMessage(b"2" * 32)]
    assert len(again.outbox()) == 1


def test_an_answer_to_nothing_is_left_aside():
    box = make(A)
    assert box.on_taken(A, MessageTaken(bytes(32), Taken.DELIVERED), NOW) == []
    assert box.statistics()["unasked"] == 1
