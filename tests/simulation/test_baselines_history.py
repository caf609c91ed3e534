"""What a baseline has seen."""

from p2pcommerce.gossip.arrivals import TRANSACTION_ID
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.simulation.baselines.history import SEEN_US, History

A, B = bytes(32), b"b" * 32


def test_what_is_new_is_offered_once():
    history = History(TRANSACTION_ID)
    raw = b"transaction"
    assert history.show(A, [raw, raw], 5).fresh == [(blake2b_256(raw), raw)]
    assert history.show(B, [raw], 8).offers(B) == []
    assert history.show(B, [raw], 9).repeat_us == [4]


def test_those_who_show_it_before_it_is_judged_are_noted_once():
    history = History(TRANSACTION_ID)
    raw = b"transaction"
    tx_id = blake2b_256(raw)
    for peer in (A, B, B):
        history.show(peer, [raw], 5)
    assert history.land(tx_id) == [A, B]
    assert history.land(tx_id) == ()


def test_ids_are_forgotten_after_two_lives():
    history = History(TRANSACTION_ID)
    tx_id = blake2b_256(b"old")
    history.know(tx_id, SEEN_US)
    history.know(blake2b_256(b"next"), 2 * SEEN_US)
    assert tx_id in history
    history.know(blake2b_256(b"last"), 3 * SEEN_US)
    assert tx_id not in history


def test_no_more_ids_are_kept_than_two_generations():
    history = History(TRANSACTION_ID, ids_max=10)
    for number in range(100):
        history.know(blake2b_256(bytes([number])), 1)
    assert len(history) <= 20
    assert blake2b_256(bytes([99])) in history
