"""Holders that tell false lists of chunks: whatever they send, and however slowly, an honest one is heard in time."""

from __future__ import annotations

import random

import pytest

from p2pcommerce.blobs.blobs import Blobs
from p2pcommerce.blobs.claims import chunk_hashes, sha256
from p2pcommerce.blobs.effects import Blame, Done, Failed, SendTo
from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.wire.off_chain_messages import BLOB_CHUNK_BYTES, BlobChunk, GetBlobChunk, HaveBlob

S = 1_000_000
NOW = 1_700_000_000 * S
DATA = random.Random(3).randbytes(10 * BLOB_CHUNK_BYTES)
HASH = sha256(DATA)
HONEST = b"H" * 32


def lie(number: int) -> bytes:
    return random.Random(100 + number).randbytes(len(DATA))


def liar(number: int) -> bytes:
    return number.to_bytes(32, "big")


def have(data: bytes) -> HaveBlob:
    return HaveBlob(HASH, len(data), chunk_hashes(data))


def piece(data: bytes, index: int) -> BlobChunk:
    return BlobChunk(HASH, index, data[index * BLOB_CHUNK_BYTES : (index + 1) * BLOB_CHUNK_BYTES])


class Play:
    """A fetch between peers that answer after a time of their own."""

    def __init__(self, holders: dict[bytes, bytes], delays_us: dict[bytes, int], **changes: int) -> None:
        """Let each holder tell the list of its data, in order; a chunk comes so long after the one before."""
        self.core = Blobs(BlobParameters(**changes), random.Random(1))
        self.holders, self.delays_us = holders, delays_us
        self.now, self.seen = NOW, []
        self.due: list[tuple[int, int, bytes, int]] = []
        self.free_us: dict[bytes, int] = {}
        self.peak_bytes = 0
        for peer in holders:
            self.core.on_connected(peer, NOW)
        self.take(self.core.get(1, HASH, 2**20, NOW))
        for peer, data in holders.items():
            self.take(self.core.on_message(peer, have(data), NOW))

    def take(self, effects: list) -> None:
        self.seen += effects
        for effect in effects:
            if isinstance(effect, SendTo) and isinstance(effect.message, GetBlobChunk):
                at = max(self.now, self.free_us.get(effect.peer, 0)) + self.delays_us[effect.peer]
                self.free_us[effect.peer] = at
                self.due.append((at, len(self.due), effect.peer, effect.message.index))
        fetch = self.core.fetching._fetches.get(HASH)
        self.peak_bytes = max(self.peak_bytes, fetch.held_bytes if fetch else 0)

    def run(self, until_us: int) -> None:
        """Play until the fetch has ended or the time is there."""
        while not any(isinstance(effect, (Done, Failed)) for effect in self.seen):
            waking = self.core.deadline
            arrival = min(self.due, default=None)
            assert waking is None or waking > self.now, "it wakes itself for nothing"
            first = min(at for at in (waking, arrival and arrival[0], until_us) if at is not None)
            if first >= until_us:
                return
            self.now = max(first, self.now)
            if arrival is not None and arrival[0] <= self.now:
                self.due.remove(arrival)
                _, _, peer, index = arrival
                self.take(self.core.on_message(peer, piece(self.holders[peer], index), self.now))
            else:
                self.take(self.core.on_deadline(self.now))

    @property
    def done(self) -> list[Done]:
        return [effect for effect in self.seen if isinstance(effect, Done)]

    @property
    def blamed(self) -> list[bytes]:
        return [effect.peer for effect in self.seen if isinstance(effect, Blame)]


@pytest.mark.parametrize("count", [1, 5, 50])
def test_liars_that_drip_their_lists_do_not_keep_an_honest_holder_from_its_turn(count):
    holders = {liar(number): lie(number) for number in range(count)} | {HONEST: DATA}
    play = Play(holders, dict.fromkeys(holders, 4_900_000) | {HONEST: 10_000})
    play.run(NOW + 600 * S)
    assert play.done == [Done(1, DATA)]
    assert play.now <= NOW + 3 * S
    assert not play.blamed


@pytest.mark.parametrize("count", [1, 20])
def test_with_memory_for_one_list_each_slow_one_makes_room_after_its_turn(count):
    holders = {liar(number): lie(number) for number in range(count)} | {HONEST: DATA}
    play = Play(holders, dict.fromkeys(holders, 4_900_000) | {HONEST: 10_000}, fetch_bytes_max=len(DATA))
    play.run(NOW + 600 * S)
    assert play.done == [Done(1, DATA)]
    assert play.now <= NOW + (count * 2 + 3) * S
    assert play.peak_bytes <= len(DATA)


def test_a_list_told_by_ever_new_pairs_goes_behind_the_one_that_waits():
    holders = {liar(0): lie(0), HONEST: DATA}
    play = Play(holders, {liar(0): 4_900_000, HONEST: 10_000}, fetch_bytes_max=len(DATA))
    for number in range(1, 40):
        for peer in (liar(2 * number), liar(2 * number + 1)):
            play.delays_us[peer], play.holders[peer] = 4_900_000, lie(number)
            play.take(play.core.on_connected(peer, play.now))
            play.take(play.core.on_message(peer, have(lie(number)), play.now))
    play.run(NOW + 600 * S)
    assert play.done == [Done(1, DATA)]
    assert play.now <= NOW + 5 * S


def test_an_honest_holder_slower_than_the_pace_wins_too_with_memory_for_one_list():
    holders = {liar(number): lie(number) for number in range(3)} | {HONEST: DATA}
    play = Play(holders, dict.fromkeys(holders, 4_900_000) | {HONEST: 600_000}, fetch_bytes_max=len(DATA))
    play.run(NOW + 600 * S)
    assert play.done == [Done(1, DATA)]


def test_peers_that_drip_chunks_of_the_true_list_hold_it_up_for_two_timeouts_at_most():
    holders = {liar(number): DATA for number in range(20)} | {HONEST: DATA}
    play = Play(holders, dict.fromkeys(holders, 4_900_000) | {HONEST: 10_000})
    play.run(NOW + 600 * S)
    assert play.done == [Done(1, DATA)]
    assert play.now <= NOW + 11 * S


def test_fast_liars_are_convicted_and_the_honest_holder_wins():
    holders = {liar(number): lie(number) for number in range(10)} | {HONEST: DATA}
    play = Play(holders, dict.fromkeys(holders, 10_000))
    play.run(NOW + 600 * S)
    assert play.done == [Done(1, DATA)]
    assert HONEST not in play.blamed
    assert play.blamed


def test_a_list_of_true_chunks_in_a_false_order_convicts_its_teller_and_ends_the_fetch():
    swapped = DATA[BLOB_CHUNK_BYTES : 2 * BLOB_CHUNK_BYTES] + DATA[:BLOB_CHUNK_BYTES] + DATA[2 * BLOB_CHUNK_BYTES :]
    holders = {liar(0): swapped, HONEST: DATA}
    play = Play(holders, dict.fromkeys(holders, 10_000))
    play.run(NOW + 600 * S)
    assert play.done == [Done(1, DATA)]
    assert play.blamed == [liar(0)]


def test_a_mute_holder_is_set_aside_after_two_blobs_though_another_brought_them():
    core = Blobs(BlobParameters(), random.Random(1))
    for peer in (liar(0), HONEST):
        core.on_connected(peer, NOW)
    for number in (1, 2):
        now = NOW + number * 10 * S
        data = lie(number)
        told = HaveBlob(sha256(data), len(data), chunk_hashes(data))
        core.get(number, told.blob_hash, 2**20, now)
        effects = [*core.on_message(liar(0), told, now), *core.on_message(HONEST, told, now)]
        for at in (now, now + 5 * S):
            effects += core.on_deadline(at)
            for effect in effects:  # grows while it is read
                match effect:
                    case SendTo(peer, GetBlobChunk(blob_hash, index)) if peer == HONEST:
                        start = index * BLOB_CHUNK_BYTES
                        chunk = BlobChunk(blob_hash, index, data[start : start + BLOB_CHUNK_BYTES])
                        effects += core.on_message(HONEST, chunk, at)
        assert Done(number, data) in effects
        assert core.statistics()["set_aside"] == number - 1
