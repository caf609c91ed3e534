"""Rules of the seen-cache."""

from p2pcommerce.gossip.seen import OWN, REJECTED, Seen, short_id
from p2pcommerce.ledger.transaction import transaction_id

KEY = b"k" * 16
IDS = [transaction_id(bytes([number])) for number in range(100)]


def test_it_knows_the_newest_ids_and_at_most_two_generations():
    seen = Seen(10)
    for index, tx_id in enumerate(IDS):
        seen.add(tx_id, index + 1)
        assert len(seen) <= 20
        assert all(known in seen for known in IDS[max(0, index - 9) : index + 1])
    assert IDS[0] not in seen


def test_it_finds_ids_by_their_short_form_in_both_generations():
    seen = Seen(10)
    seen.key = KEY
    for tx_id in IDS[:8]:
        seen.add(tx_id, 5)
    assert seen.by_short(short_id(KEY, IDS[0])) == (IDS[0], 5)
    for tx_id in IDS[8:16]:
        seen.add(tx_id, 6)
    assert [seen.by_short(short_id(KEY, tx_id)) for tx_id in IDS[:16]] == [
        (tx_id, 5 if index < 8 else 6) for index, tx_id in enumerate(IDS[:16])
    ]
    assert seen.by_short(short_id(KEY, IDS[50])) is None
    assert seen.by_short(short_id(b"x" * 16, IDS[0])) is None


def test_short_ids_are_eight_bytes_and_differ_by_receiver():
    assert len(short_id(KEY, IDS[0])) == 8
    assert short_id(KEY, IDS[0]) != short_id(b"x" * 16, IDS[0])


def test_what_is_forgotten_is_new_under_both_forms():
    seen = Seen(10)
    seen.key = KEY
    seen.add(IDS[0], OWN)
    assert seen.by_short(short_id(KEY, IDS[0])) == (IDS[0], OWN)
    seen.forget(IDS[0])
    assert IDS[0] not in seen
    assert seen.by_short(short_id(KEY, IDS[0])) is None


def test_a_rejected_id_stays_known_in_either_generation():
    seen = Seen(2)
    for tx_id in IDS[:3]:
        seen.add(tx_id, 9)
    seen.reject(IDS[0])
    seen.reject(IDS[2])
    seen.reject(IDS[9])
    assert [seen.first_us(tx_id) for tx_id in (IDS[0], IDS[1], IDS[2], IDS[9])] == [REJECTED, 9, REJECTED, None]


def test_an_old_generation_ends_by_age():
    seen = Seen(10)
    seen.add(IDS[0], 1)
    seen.age(100, 50)
    assert IDS[0] in seen
    seen.age(100, 150)
    seen.age(100, 250)
    assert IDS[0] not in seen


def test_without_a_key_nothing_is_found_by_short_form():
    seen = Seen(10)
    seen.add(IDS[0], 1)
    assert seen.by_short(short_id(KEY, IDS[0])) is None
    seen.key = KEY
    assert seen.by_short(short_id(KEY, IDS[0])) == (IDS[0], 1)
