"""The core of blobs between hand-played peers: what is asked, who is believed, who is convicted."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.blobs.allowance import Allowance
from p2pcommerce.blobs.blobs import READS_MAX, Blobs
from p2pcommerce.blobs.claims import chunk_hashes, is_possible, sha256
from p2pcommerce.blobs.effects import (
    AskDirectory,
    Blame,
    Done,
    Failed,
    Failure,
    LoadBlob,
    Meet,
    RemoveBlob,
    SendTo,
    StoreBlob,
)
from p2pcommerce.blobs.fetching import SET_ASIDE_MAX
from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.blobs.serving import ASKED_ON_US
from p2pcommerce.blobs.shelf import Kept, Shelf
from p2pcommerce.wire.off_chain_messages import (
    BLOB_CHUNK_BYTES,
    BlobChunk,
    BlobProviders,
    GetBlobChunk,
    HaveBlob,
    WantBlob,
)

S = 1_000_000
NOW = 1_700_000_000 * S
A, B, C, D = (bytes([letter]) * 32 for letter in b"ABCD")
DATA = random.Random(3).randbytes(204_800)  # four chunks, the last one shorter
HASH = sha256(DATA)
CHUNKS = chunk_hashes(DATA)
NO = HaveBlob(HASH, 0, ())
HAVE = HaveBlob(HASH, len(DATA), CHUNKS)


def make(*peers, **changes):
    core = Blobs(BlobParameters(**changes), random.Random(1))
    for peer in peers:
        core.on_connected(peer, NOW)
    return core


def of(effects, kind):
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(effects, kind=object):
    return [(e.peer, e.message) for e in of(effects, SendTo) if isinstance(e.message, kind)]


def blamed(effects):
    return [(effect.peer, effect.code) for effect in of(effects, Blame)]


def piece(index, data=DATA):
    return data[index * BLOB_CHUNK_BYTES : (index + 1) * BLOB_CHUNK_BYTES]


def chunk(index, data=DATA):
    return BlobChunk(HASH, index, piece(index, data))


def answer(core, effects, data=DATA, now=NOW, honest=()):
    """Answer every question for chunks, and those that follow, as peers with `data` would; return all effects."""
    seen, waiting = list(effects), list(effects)
    while waiting:
        asked = sent(waiting, GetBlobChunk)
        pieces = [(peer, chunk(m.index, DATA if peer in honest else data)) for peer, m in asked]
        waiting = [effect for peer, message in pieces for effect in core.on_message(peer, message, now)]
        seen += waiting
    return seen


def get(core, request=1, bytes_max=2**20, now=NOW):
    return core.get(request, HASH, bytes_max, now)


# --- fetching ---


def test_everybody_is_asked_and_chunks_come_from_all_who_have_it():
    core = make(A, B, window=2)
    assert sent(get(core)) == [(A, WantBlob(HASH, may_ask_on=False)), (B, WantBlob(HASH, may_ask_on=False))]
    first = core.on_message(A, HAVE, NOW)
    second = core.on_message(B, HAVE, NOW)
    assert [(peer, m.index) for peer, m in sent(first + second)] == [(A, 0), (A, 1), (B, 2), (B, 3)]
    effects = answer(core, first + second)
    assert of(effects, Done) == [Done(1, DATA)]
    (stored,) = of(effects, StoreBlob)
    assert (stored.blob_hash, stored.is_own) == (HASH, False)
    assert not blamed(effects)


def test_a_chunk_that_differs_from_its_senders_list_convicts_the_sender_alone():
    core = make(A, B)
    get(core)
    asked = core.on_message(A, HAVE, NOW)
    core.on_message(B, HAVE, NOW)
    effects = core.on_message(A, BlobChunk(HASH, 0, b"?" + piece(0)[1:]), NOW)
    assert blamed(effects) == [(A, "BLOB_CHUNK")]
    assert {peer for peer, _ in sent(effects, GetBlobChunk)} == {B}
    assert len(sent(asked, GetBlobChunk)) == 4
    assert of(answer(core, effects), Done) == [Done(1, DATA)]


def test_a_false_list_convicts_all_who_told_it_once_the_whole_is_there_and_nobody_else():
    false = b"?" + DATA[1:]
    lie = HaveBlob(HASH, len(false), chunk_hashes(false))
    core = make(A, B, C)
    get(core)
    asked = core.on_message(A, lie, NOW) + core.on_message(B, lie, NOW)
    core.on_message(C, HAVE, NOW)
    effects = answer(core, asked, false, honest=[C])
    assert blamed(effects) == [(A, "BLOB_FALSE"), (B, "BLOB_FALSE")]
    # Chunks of the false list that were true count: only the first is asked again.
    assert [m.index for peer, m in sent(effects, GetBlobChunk) if peer == C] == [0]
    assert of(effects, Done) == [Done(1, DATA)]


@pytest.mark.parametrize(
    "lie",
    [
        HaveBlob(HASH, 5, ()),
        HaveBlob(HASH, 0, CHUNKS[:1]),
        HaveBlob(HASH, 5, (bytes(32),)),
        HaveBlob(HASH, len(DATA), CHUNKS[:3]),
        HaveBlob(HASH, 2**32 - 1, CHUNKS),
    ],
    ids=["no chunks", "no bytes", "one chunk of another hash", "too few", "absurd size"],
)
def test_a_list_that_cannot_be_that_of_the_blob_convicts_at_once(lie):
    core = make(A, B)
    get(core)
    effects = core.on_message(A, lie, NOW)
    assert blamed(effects) == [(A, "BLOB_LIST")]
    assert not sent(effects, GetBlobChunk)
    assert of(answer(core, core.on_message(B, HAVE, NOW)), Done)


def test_who_was_convicted_is_not_asked_again_for_an_hour():
    core = make(A)
    get(core)
    core.on_message(A, HaveBlob(HASH, 5, ()), NOW)
    core.on_disconnected(A, NOW)
    assert sent(core.on_connected(A, NOW + 60 * S)) == []
    core.cancel(1, NOW)
    core.on_disconnected(A, NOW)
    core.on_connected(A, NOW + 3_601 * S)
    assert sent(get(core, 2, now=NOW + 3_601 * S)) == [(A, WantBlob(HASH, may_ask_on=False))]


def test_a_peer_that_stalls_is_replaced_and_set_aside_but_not_closed():
    core = make(A, B, chunk_timeout_us=S, strikes_max=2, give_up_us=30 * S)
    get(core)
    core.on_message(A, HAVE, NOW)
    now = NOW
    for _ in range(2):
        now += S
        effects = core.on_deadline(now)
        assert not blamed(effects)
    assert not sent(effects, GetBlobChunk)
    effects = core.on_message(B, HAVE, now)
    assert {peer for peer, _ in sent(effects, GetBlobChunk)} == {B}
    assert of(answer(core, effects, now=now), Done) == [Done(1, DATA)]


def test_a_peer_that_leaves_is_replaced_and_what_it_gave_is_kept():
    core = make(A, B)
    get(core)
    core.on_message(A, HAVE, NOW)
    core.on_message(A, chunk(0), NOW)
    core.on_message(B, HAVE, NOW)
    effects = core.on_disconnected(A, NOW)
    assert [(peer, m.index) for peer, m in sent(effects, GetBlobChunk)] == [(B, 1), (B, 2), (B, 3)]


def test_a_fetch_that_was_broken_off_goes_on_where_it_was():
    core = make(A)
    get(core)
    core.on_message(A, HAVE, NOW)
    core.on_message(A, chunk(0), NOW)
    core.cancel(1, NOW)
    get(core, 2)
    asked = core.on_message(A, HAVE, NOW)
    assert [m.index for _, m in sent(asked, GetBlobChunk)] == [1, 2, 3]
    assert of(answer(core, asked), Done) == [Done(2, DATA)]


def test_chunks_of_one_content_are_asked_for_once():
    data = bytes(3 * BLOB_CHUNK_BYTES)
    core = make(A)
    core.get(1, sha256(data), 2**20, NOW)
    asked = core.on_message(A, HaveBlob(sha256(data), len(data), chunk_hashes(data)), NOW)
    assert [m.index for _, m in sent(asked)] == [0]
    effects = core.on_message(A, BlobChunk(sha256(data), 0, bytes(BLOB_CHUNK_BYTES)), NOW)
    assert of(effects, Done) == [Done(1, data)]


def test_nobody_has_it_peers_are_asked_to_ask_on_then_it_is_not_found_for_a_while():
    core = make(A, B)
    get(core)
    core.on_message(A, NO, NOW)
    effects = core.on_message(B, NO, NOW)
    assert sorted(sent(effects)) == [(A, WantBlob(HASH, may_ask_on=True)), (B, WantBlob(HASH, may_ask_on=True))]
    core.on_message(A, NO, NOW)
    (failed,) = of(core.on_message(B, NO, NOW), Failed)
    assert failed.failure is Failure.NOT_FOUND
    (again,) = get(core, 2)
    assert "a moment ago" in again.detail
    core.on_connected(C, NOW)
    assert sent(get(core, 3))


def test_silent_peers_do_not_hold_it_up_for_ever():
    core = make(A)
    get(core)
    assert core.deadline == NOW + S
    assert sent(core.on_deadline(NOW + S)) == [(A, WantBlob(HASH, may_ask_on=True))]
    assert core.deadline == NOW + 10 * S
    (failed,) = of(core.on_deadline(NOW + 10 * S), Failed)
    assert failed.failure is Failure.NOT_FOUND
    assert core.deadline is None


def test_whom_a_peer_names_is_met_only_if_it_was_asked():
    core = make(A)
    get(core)
    assert core.on_message(A, BlobProviders(HASH, (b"r",)), NOW) == []
    core.on_deadline(NOW + S)
    assert core.on_message(A, BlobProviders(HASH, (b"r",)), NOW + S) == [Meet(A, (b"r",))]


def test_a_peer_names_so_many_others_at_most_whatever_it_sends():
    core = make(A)
    get(core)
    core.on_deadline(NOW + S)
    met = [core.on_message(A, BlobProviders(HASH, (b"r", b"s", b"t")), NOW + S) for _ in range(3)]
    assert met == [[Meet(A, (b"r", b"s", b"t"))], [Meet(A, (b"r",))], []]


def test_what_was_not_asked_for_is_left_aside_and_counted():
    core = make(A)
    assert core.on_message(A, HAVE, NOW) == core.on_message(A, chunk(0), NOW) == []
    get(core)
    core.on_message(A, HAVE, NOW)
    assert core.on_message(A, HAVE, NOW) == []
    assert core.statistics()["unasked"] == 3


def test_more_than_is_wanted_is_refused_before_a_chunk_is_asked():
    core = make(A)
    get(core, bytes_max=len(DATA) - 1)
    effects = core.on_message(A, HAVE, NOW)
    assert not sent(effects)
    assert [(e.request, e.failure) for e in of(effects, Failed)] == [(1, Failure.TOO_LARGE)]


def test_one_that_claims_too_large_a_size_does_not_stop_the_search_where_others_have_nothing():
    core = make(A, B)
    get(core, bytes_max=len(DATA))
    larger = bytes(len(DATA) + 1)
    core.on_message(A, HaveBlob(HASH, len(larger), chunk_hashes(larger)), NOW)
    effects = core.on_message(B, NO, NOW)
    assert sorted(sent(effects)) == [(A, WantBlob(HASH, may_ask_on=True)), (B, WantBlob(HASH, may_ask_on=True))]
    core.on_message(A, HaveBlob(HASH, len(larger), chunk_hashes(larger)), NOW)
    assert [e.failure for e in of(core.on_message(B, NO, NOW), Failed)] == [Failure.TOO_LARGE]


def test_chunks_of_lists_that_nobody_serves_any_more_take_no_memory():
    liars = [bytes([number]) * 32 for number in range(20)]
    core = make(*liars, C)
    get(core)
    for number, liar in enumerate(liars):
        false = random.Random(100 + number).randbytes(len(DATA))
        core.on_message(liar, HaveBlob(HASH, len(false), chunk_hashes(false)), NOW)
        for index in range(3):
            core.on_message(liar, chunk(index, false), NOW)
        core.on_disconnected(liar, NOW)
        assert core.fetching._fetches[HASH].held_bytes <= len(DATA)
    effects = core.on_message(C, HAVE, NOW)
    assert core.fetching._fetches[HASH].held_bytes == 0
    assert of(answer(core, effects), Done) == [Done(1, DATA)]


def test_chunks_of_a_list_that_nobody_serves_count_in_the_cap_of_bytes():
    core = make(A, B, fetch_bytes_max=len(DATA))
    get(core)
    core.on_message(A, HAVE, NOW)
    core.on_message(A, chunk(0), NOW)
    core.on_disconnected(A, NOW)
    other = b"!" + DATA[1:]
    core.get(2, sha256(other), 2**20, NOW)
    assert not sent(core.on_message(B, HaveBlob(sha256(other), len(other), chunk_hashes(other)), NOW))


def test_fetches_beyond_the_cap_are_refused():
    core = make(A, fetches_max=2)
    for request in (1, 2):
        core.get(request, bytes([request]) * 32, 10, NOW)
    (failed,) = core.get(3, bytes([3]) * 32, 10, NOW)
    assert failed.failure is Failure.BUSY


def test_blobs_under_way_stay_within_the_cap_of_bytes():
    core = make(A, fetch_bytes_max=len(DATA))
    other = b"!" + DATA[1:]
    get(core)
    core.get(2, sha256(other), 2**20, NOW)
    core.on_message(A, HAVE, NOW)
    assert sent(core.on_message(A, HaveBlob(sha256(other), len(other), chunk_hashes(other)), NOW)) == []
    seen = []
    for index in range(4):
        seen += core.on_message(A, chunk(index), NOW)
    assert of(seen, Done)
    assert {m.blob_hash for _, m in sent(seen, GetBlobChunk)} == {sha256(other)}


def test_peers_set_aside_and_blobs_not_found_are_remembered_up_to_a_cap():
    core = make(not_found_max=2)
    for number in range(3):
        core.get(number, bytes([number]) * 32, 10, NOW)
    core.on_deadline(NOW + 11 * S)
    assert [len(core.get(9, bytes([n]) * 32, 10, NOW + 12 * S)) for n in range(3)] == [0, 1, 1]
    for number in range(SET_ASIDE_MAX + 5):
        core.fetching._set_aside(number.to_bytes(32, "big"), NOW)
    assert core.statistics()["set_aside"] == SET_ASIDE_MAX


def test_partial_fetches_stay_within_their_cap_and_life():
    core = make(A, fetch_bytes_max=2 * BLOB_CHUNK_BYTES, partial_life_us=S)
    for request in (1, 2, 3):
        data = bytes([request]) * (BLOB_CHUNK_BYTES + 1)
        core.get(request, sha256(data), 2**20, NOW)
        core.on_message(A, HaveBlob(sha256(data), len(data), chunk_hashes(data)), NOW)
        core.on_message(A, BlobChunk(sha256(data), 0, data[:BLOB_CHUNK_BYTES]), NOW)
        core.cancel(request, NOW)
    assert core.statistics()["partial_bytes"] == 2 * BLOB_CHUNK_BYTES


# --- serving ---


def stored(core, data=DATA, now=NOW):
    effects = core.put(1, data, None, now)
    return effects + core.on_stored(sha256(data), is_kept=True, now=now)


def loaded(core, data=DATA, now=NOW):
    return core.on_loaded(sha256(data), data, chunk_hashes(data), now)


def test_a_put_blob_is_told_once_it_is_durable_and_given_to_peers():
    core = make(A)
    effects = core.put(7, DATA, None, NOW)
    assert not of(effects, Done)
    assert core.on_stored(HASH, is_kept=True, now=NOW) == [Done(7, HASH)]
    assert core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW) == [LoadBlob(HASH)]
    assert sent(loaded(core)) == [(A, HAVE)]
    assert sent(core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW)) == [(A, HAVE)]  # without the disk
    assert sent(core.on_message(A, GetBlobChunk(HASH, 3), NOW)) == [(A, chunk(3))]
    assert sent(core.on_message(A, GetBlobChunk(HASH, 4), NOW)) == [(A, BlobChunk(HASH, 4, b""))]


def test_a_damaged_blob_is_forgotten_and_whoever_asked_is_told():
    core = make(A)
    stored(core)
    core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW)
    effects = core.on_loaded(HASH, None, (), NOW)
    assert of(effects, RemoveBlob)
    assert sent(effects) == [(A, NO)]
    assert sent(core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW)) == [(A, NO)]


def test_peers_take_turns_and_the_upload_limit_holds():
    core = make(A, B, upload_burst_bytes=BLOB_CHUNK_BYTES, upload_bytes_per_s=BLOB_CHUNK_BYTES)
    stored(core)
    core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW)
    loaded(core)
    first = [e for index in (0, 1, 2) for e in core.on_message(A, GetBlobChunk(HASH, index), NOW)]
    assert sent(first) == [(A, chunk(0))]
    assert sent(core.on_message(B, GetBlobChunk(HASH, 0), NOW)) == []
    order = []
    now = NOW
    while (due := core.deadline) is not None:
        now = max(now, due)
        order += [(peer, m.index) for peer, m in sent(core.on_deadline(now))]
    assert order == [(A, 1), (B, 0), (A, 2)]
    assert now == NOW + 3 * S


def test_a_peer_has_so_many_chunks_waiting_and_asks_so_much_at_most():
    core = make(A, upload_burst_bytes=BLOB_CHUNK_BYTES, upload_bytes_per_s=1, waiting_per_peer_max=2, wants_burst=3)
    stored(core)
    core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW)
    loaded(core)
    for _ in range(5):
        core.on_message(A, GetBlobChunk(HASH, 0), NOW)
    assert (core.statistics()["waiting"], core.statistics()["chunks_refused"]) == (2, 2)
    answered = [len(core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW)) for _ in range(4)]
    assert answered == [1, 1, 0, 0]
    assert len(core.on_message(A, WantBlob(HASH, may_ask_on=False), NOW + S)) == 1


def test_reads_for_peers_are_bounded_each_and_in_all():
    core = make(A, B, loads_max=3, loads_per_peer_max=2)
    data = [bytes([n]) for n in range(5)]
    for each in data:
        stored(core, each)
    effects = [e for d in data[:3] for e in core.on_message(A, WantBlob(sha256(d), may_ask_on=False), NOW)]
    assert (len(of(effects, LoadBlob)), len(sent(effects))) == (2, 1)
    effects = [e for d in data[3:] for e in core.on_message(B, WantBlob(sha256(d), may_ask_on=False), NOW)]
    assert len(of(effects, LoadBlob)) == 1
    assert of(loaded(core, data[0]), LoadBlob) == [LoadBlob(sha256(data[4]))]


def test_memory_for_hot_blobs_and_lists_is_bounded():
    core = make(A, hot_bytes_max=25, lists_max=3)
    for number in range(5):
        data = bytes([number]) * 10
        stored(core, data)
        core.on_message(A, WantBlob(sha256(data), may_ask_on=False), NOW)
        loaded(core, data)
    assert (core.statistics()["hot_bytes"], core.statistics()["lists"]) == (20, 3)


def test_a_question_is_passed_on_once_and_the_asker_is_told_who_has_it():
    core = make(A, B, C)
    effects = core.on_message(A, WantBlob(HASH, may_ask_on=True), NOW)
    assert sorted(sent(effects)) == [(B, WantBlob(HASH, may_ask_on=False)), (C, WantBlob(HASH, may_ask_on=False))]
    assert core.on_message(B, NO, NOW) == []
    assert core.on_message(C, HAVE, NOW) == [AskDirectory(A, HASH, C), SendTo(A, NO)]


def test_all_who_say_that_they_have_it_are_named_whoever_said_so_first():
    core = make(A, B, C, D)
    core.on_message(A, WantBlob(HASH, may_ask_on=True), NOW)
    lie = bytes(len(DATA))
    assert core.on_message(B, HaveBlob(HASH, len(lie), chunk_hashes(lie)), NOW) == [AskDirectory(A, HASH, B)]
    assert core.on_message(C, HAVE, NOW) == [AskDirectory(A, HASH, C)]
    assert core.on_message(C, HAVE, NOW) == []
    assert core.on_deadline(NOW + ASKED_ON_US) == [SendTo(A, NO)]
    assert core.on_message(D, HAVE, NOW + ASKED_ON_US) == []


def test_who_asks_while_a_question_is_under_way_is_told_who_was_named_before():
    core = make(A, B, C, D, ask_on_peers=4)
    core.on_message(A, WantBlob(HASH, may_ask_on=True), NOW)
    core.on_message(B, HAVE, NOW)
    assert core.on_message(D, WantBlob(HASH, may_ask_on=True), NOW) == [AskDirectory(D, HASH, B)]
    assert core.on_message(D, WantBlob(HASH, may_ask_on=True), NOW) == []
    assert core.on_message(C, HAVE, NOW) == [AskDirectory(A, HASH, C), AskDirectory(D, HASH, C)]


def test_an_asker_meets_all_who_are_named_until_a_no_ends_it():
    core = make(A)
    get(core)
    core.on_deadline(NOW + S)
    assert core.on_message(A, BlobProviders(HASH, (b"r",)), NOW + S) == [Meet(A, (b"r",))]
    assert core.on_message(A, BlobProviders(HASH, (b"s",)), NOW + S) == [Meet(A, (b"s",))]
    core.on_message(A, NO, NOW + S)
    assert core.on_message(A, BlobProviders(HASH, (b"t",)), NOW + S) == []


def test_a_question_that_nobody_answers_is_answered_with_no():
    core = make(A, B)
    core.on_message(A, WantBlob(HASH, may_ask_on=True), NOW)
    assert sent(core.on_deadline(NOW + ASKED_ON_US)) == [(A, NO)]
    core.on_message(A, WantBlob(HASH, may_ask_on=True), NOW)
    assert sent(core.on_disconnected(B, NOW)) == [(A, NO)]


def test_questions_passed_on_are_bounded_for_each_peer_and_in_all():
    core = make(A, B, C, asked_on_max=3, asked_on_per_peer_max=2)
    hashes = [bytes([n]) * 32 for n in range(5)]
    mine = [core.on_message(A, WantBlob(h, may_ask_on=True), NOW) for h in hashes[:3]]
    assert [len(sent(e)) for e in mine] == [2, 2, 1]
    assert sent(mine[2]) == [(A, HaveBlob(hashes[2], 0, ()))]
    others = [core.on_message(B, WantBlob(h, may_ask_on=True), NOW) for h in hashes[3:]]
    assert sent(others[1]) == [(B, HaveBlob(hashes[4], 0, ()))]


# --- what is kept ---


@pytest.mark.parametrize("changes", [{"own_bytes_max": 25}, {"own_count_max": 2}], ids=["bytes", "count"])
def test_own_blobs_beyond_the_quota_are_refused(changes):
    core = make(**changes)
    for number in range(2):
        stored(core, bytes([number]) * 10)
    (failed,) = core.put(9, b"x" * 10, None, NOW)
    assert failed.failure is Failure.QUOTA
    assert of(core.put(9, bytes(10), None, NOW), StoreBlob)  # the same again takes no more


def test_puts_and_gets_that_wait_for_the_disk_are_bounded():
    core = make()
    for number in range(READS_MAX):
        core.put(number, number.to_bytes(2, "big"), None, NOW)
    (failed,) = core.put(1_000, b"x", None, NOW)
    assert failed.failure is Failure.BUSY
    core = make()
    stored(core)
    for number in range(READS_MAX):
        get(core, number)
    (failed,) = get(core, 1_000)
    assert failed.failure is Failure.BUSY


def test_the_fetched_blob_used_longest_ago_makes_room_and_own_ones_never_go():
    shelf = Shelf(BlobParameters(fetched_bytes_max=20, fetched_count_max=5))
    shelf.add(Kept(b"own", 100, True, 0))
    for name in (b"1", b"2"):
        assert shelf.add(Kept(name, 10, False, 0)) == []
    shelf.touch(b"1")
    assert shelf.add(Kept(b"3", 10, False, 0)) == [b"2"]
    assert [shelf.get(name) is not None for name in (b"own", b"1", b"2", b"3")] == [True, True, False, True]


def test_blobs_expire():
    core = make()
    core.put(1, b"x", 5 * S, NOW)
    core.on_stored(sha256(b"x"), is_kept=True, now=NOW)
    assert core.deadline == NOW + 5 * S
    assert core.on_deadline(NOW + 5 * S) == [RemoveBlob(sha256(b"x"))]
    assert core.deadline is None


def test_a_disk_that_refuses_is_said_and_nothing_is_kept():
    core = make()
    core.put(1, b"x", None, NOW)
    (failed,) = core.on_stored(sha256(b"x"), is_kept=False, now=NOW)
    assert failed.failure is Failure.DISK
    assert core.statistics()["own"] == 0


def test_what_the_disk_holds_is_taken_again_within_the_quotas():
    core = make(fetched_count_max=1)
    found = [Kept(b"1", 5, False, 0), Kept(b"2", 5, False, 0), Kept(b"3", 5, True, 0), Kept(b"4", 5, True, NOW - 1)]
    assert of(core.start(found, NOW), RemoveBlob) == [RemoveBlob(b"1"), RemoveBlob(b"4")]
    assert (core.statistics()["own"], core.statistics()["fetched"]) == (1, 1)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=300_000))
def test_the_list_of_any_blob_is_possible_and_proves_its_pieces(data):
    chunks = chunk_hashes(data)
    assert is_possible(sha256(data), len(data), chunks)
    assert not is_possible(sha256(data), len(data) + BLOB_CHUNK_BYTES, chunks)
    pieces = [data[n : n + BLOB_CHUNK_BYTES] for n in range(0, len(data), BLOB_CHUNK_BYTES)]
    assert tuple(map(sha256, pieces)) == chunks


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 1_000), st.integers(1, 1_000), st.lists(st.tuples(st.integers(1, 1_500), st.integers(0, 3 * S))))
def test_an_allowance_never_gives_more_than_its_burst_and_rate(burst, per_s, asks):
    allowance, given_, now = Allowance(burst, per_s, NOW), 0, NOW
    for count, wait_us in asks:
        now += wait_us
        if allowance.take(count, now):
            given_ += count
        assert given_ * S <= burst * S + (now - NOW) * per_s


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 1_000), st.integers(1, 1_000), st.integers(1, 1_000))
def test_an_allowance_says_when_it_will_be_there_and_not_earlier(burst, per_s, count):
    allowance = Allowance(burst, per_s, NOW)
    assert allowance.take(burst, NOW)
    wanted = min(count, burst)
    ready = allowance.ready_us(wanted, NOW)
    assert not allowance.take(wanted, ready - 1)
    assert allowance.take(wanted, ready)
