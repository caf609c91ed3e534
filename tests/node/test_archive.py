"""What a node gives beside blocks: links, snapshots and chunks, within what one peer and one message may have."""

import pytest

from p2pcommerce.finality import proof as simplex_proof
from p2pcommerce.finality.ffg import proof as ffg_proof
from p2pcommerce.ledger.block import BLOCK_BYTES_MAX, HEADER_BYTES_MAX
from p2pcommerce.node import epoch_links
from p2pcommerce.node.archive import ASKED_PER_PEER_MAX, LINKS_AT_ONCE_MAX, Archive
from p2pcommerce.node.effects import ChunkOf, LinksOf, LoadItems, NewestSnapshot, Transmit
from p2pcommerce.wire.archive_messages import FINALITY_BYTES_MAX
from p2pcommerce.wire.messages import (
    CHUNK_BYTES_MAX,
    LINK_BYTES_MAX,
    Blocks,
    Chunk,
    GetChunk,
    GetLinks,
    GetSnapshot,
    Links,
    Snapshot,
    decode_message,
    encode_message,
)

from .cluster import replace
from .parts import Site

A, B = bytes([1]) * 32, bytes([2]) * 32


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def archive(site):
    return Archive(site.chain)


def request_of(effects):
    ((request, query),) = [(effect.request, effect.query) for effect in effects if isinstance(effect, LoadItems)]
    return request, query


def test_links_are_read_up_to_the_own_epoch_and_sent_with_the_head(site, archive):
    site.chain.head = replace(site.chain.head, epoch=10)
    request, query = request_of(archive.on_request(A, GetLinks(7)))
    assert query == LinksOf(7, 3)
    (sent,) = archive.on_items(request, [b"7", b"8", b"9"])
    assert sent == Transmit(A, Links(7, (b"7", b"8", b"9"), site.chain.head.raw, site.chain.proof))


@pytest.mark.parametrize(("asked", "count"), [(0, LINKS_AT_ONCE_MAX), (999, 1), (1_000, 0), (2**32 - 1, 0)])
def test_links_of_later_epochs_and_too_many_are_not_read(site, archive, asked, count):
    site.chain.head = replace(site.chain.head, epoch=1_000)
    assert request_of(archive.on_request(A, GetLinks(asked)))[1] == LinksOf(asked, count)


def test_links_are_never_more_than_a_message_may_hold(archive):
    request, _ = request_of(archive.on_request(A, GetLinks(0)))
    (sent,) = archive.on_items(request, [bytes(LINK_BYTES_MAX)] * LINKS_AT_ONCE_MAX)
    assert len(sent.message.links) == 2
    encode_message(sent.message)


def test_a_snapshot_and_its_chunks_are_read(archive):
    request, query = request_of(archive.on_request(A, GetSnapshot()))
    assert query == NewestSnapshot()
    assert archive.on_items(request, [b"h", b"p", b"d"]) == [Transmit(A, Snapshot(b"h", b"p", b"d"))]
    request, query = request_of(archive.on_request(A, GetChunk(60, 3)))
    assert query == ChunkOf(60, 3)
    assert archive.on_items(request, [b"data"]) == [Transmit(A, Chunk(60, 3, b"data"))]


def test_what_is_not_here_is_said(archive):
    request, _ = request_of(archive.on_request(A, GetSnapshot()))
    assert archive.on_items(request, []) == [Transmit(A, Snapshot(b"", b"", b""))]
    for items in ([], [bytes(CHUNK_BYTES_MAX + 1)]):
        request, _ = request_of(archive.on_request(A, GetChunk(60, 3)))
        assert archive.on_items(request, items) == [Transmit(A, Chunk(60, 3, b""))]


def test_one_peer_cannot_have_more_than_a_few_reads_under_way(archive):
    requests = [request_of(archive.on_request(A, GetChunk(1, index)))[0] for index in range(ASKED_PER_PEER_MAX)]
    assert archive.on_request(A, GetSnapshot()) == []
    assert archive.counters["items_refused"] == 1
    assert archive.on_request(B, GetSnapshot())
    archive.on_items(requests[0], [])
    assert archive.on_request(A, GetSnapshot())


def test_reads_of_a_peer_that_left_count_until_they_are_done_and_are_answered_to_nobody(archive):
    requests = [request_of(archive.on_request(A, GetSnapshot()))[0] for _ in range(ASKED_PER_PEER_MAX)]
    archive.on_disconnected(A)
    assert archive.on_request(A, GetSnapshot()) == []
    assert archive.on_items(requests[0], [b"h", b"p", b"d"]) == []
    assert archive.on_request(A, GetSnapshot())
    assert archive.on_items(requests[0], [b"h", b"p", b"d"]) == []


def test_the_largest_proof_that_an_engine_makes_fits_every_message_that_carries_it():
    largest = max(simplex_proof.PROOF_BYTES_MAX, ffg_proof.PROOF_BYTES_MAX)
    assert largest <= FINALITY_BYTES_MAX == epoch_links.FINALITY_BYTES_MAX
    proof, header = bytes(largest), bytes(HEADER_BYTES_MAX)
    for message in (
        Blocks(1, (bytes(BLOCK_BYTES_MAX),), proof),
        Links(0, (bytes(LINK_BYTES_MAX),) * 2, header, proof),
        Snapshot(header, proof, bytes(1)),
    ):
        assert decode_message(encode_message(message)) == message
