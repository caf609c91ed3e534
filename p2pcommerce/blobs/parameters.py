"""The numbers of the rooms for what is kept off the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["BlobParameters", "MailParameters"]

_MIB: Final = 2**20
_DAY_US: Final = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobParameters:
    """The numbers of blobs; none of them has a source but the networking and commerce specifications where it says so.

    Attributes:
        blob_bytes_max: bytes of one blob that this node puts or fetches.
        own_bytes_max, own_count_max: of the application's own blobs, which are kept until they expire.
        fetched_bytes_max, fetched_count_max: of fetched ones; the one used longest ago goes first.
        fetched_life_us: a fetched blob is dropped after so long, microseconds.
        fetches_max: blobs being fetched at once; further ones are refused.
        fetch_bytes_max: bytes of all blobs being fetched at once, and of those broken off.
        partial_life_us: how long the chunks of a fetch that was broken off are kept, microseconds.
        window: chunks asked of one peer at once; as many fit its lane.
        chunk_timeout_us: a chunk that has not come is asked of another peer, microseconds.
        strikes_max: chunks of one peer that did not come, after which it is set aside.
        aside_us: for so long, microseconds.
        patience_us: a first list of chunks is fetched alone for so long, then the others beside it, microseconds.
        turn_us: a list may be slow for so long before it makes room for one that has none, twice as long the next time.
        pace_bytes_per_s: how fast a list has to come after that.
        ask_on_us: with no answer by then, a few peers are asked to ask theirs, microseconds.
        give_up_us: with nobody who has it by then, it is not found, microseconds.
        ask_on_peers: how many peers are asked to ask theirs, and of how many peers each asks.
        not_found_us: for so long a blob that nobody had is not asked for again, microseconds.
        not_found_max: blobs that are remembered so.
        wants_burst, wants_per_s: what one peer may ask for.
        asked_on_max, asked_on_per_peer_max: questions of peers that this node is passing on.
        waiting_per_peer_max: chunks that one peer may have waiting here.
        upload_bytes_per_s, upload_burst_bytes: what all peers together are sent; they take turns, chunk by chunk.
        hot_bytes_max: bytes of blobs kept in memory while peers fetch them.
        lists_max: chunk lists kept in memory.
        loads_max, loads_per_peer_max: reads from the disk under way for peers, and for one of them.
    """

    blob_bytes_max: int = 8 * _MIB
    own_bytes_max: int = 1_024 * _MIB
    own_count_max: int = 10_000
    fetched_bytes_max: int = 256 * _MIB
    fetched_count_max: int = 10_000
    fetched_life_us: int = 7 * _DAY_US
    fetches_max: int = 32
    fetch_bytes_max: int = 64 * _MIB
    partial_life_us: int = 600 * MICROSECONDS
    window: int = 8
    chunk_timeout_us: int = 5 * MICROSECONDS
    strikes_max: int = 2
    aside_us: int = 60 * MICROSECONDS
    patience_us: int = 2 * MICROSECONDS
    turn_us: int = 2 * MICROSECONDS
    pace_bytes_per_s: int = 256 * 1_024
    ask_on_us: int = MICROSECONDS
    give_up_us: int = 10 * MICROSECONDS
    ask_on_peers: int = 4
    not_found_us: int = 10 * MICROSECONDS
    not_found_max: int = 1_024
    wants_burst: int = 64
    wants_per_s: int = 16
    asked_on_max: int = 256
    asked_on_per_peer_max: int = 8
    waiting_per_peer_max: int = 16
    upload_bytes_per_s: int = 32 * _MIB
    upload_burst_bytes: int = 4 * _MIB
    hot_bytes_max: int = 32 * _MIB
    lists_max: int = 1_024
    loads_max: int = 16
    loads_per_peer_max: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParameters:
    """The numbers of sealed messages.

    Attributes:
        life_us: a message lives at most so long; for as long its id is remembered, so that it is not taken twice.
        inbox_count_max: messages for this node, those remembered after they were read included.
        outbox_count_max: own messages under way.
        held_count_max, held_per_peer_max: messages for others, in all and from one peer.
        bytes_max: bytes of each of the three.
        relays: peers that are given a message whose reader is not connected.
        posts_burst, posts_per_s: what one peer may post.
        retry_us: a message that was refused, or whose answer did not come, is offered again after so long.
    """

    life_us: int = 7 * _DAY_US
    inbox_count_max: int = 10_000
    outbox_count_max: int = 1_000
    held_count_max: int = 1_000
    held_per_peer_max: int = 64
    bytes_max: int = 16 * _MIB
    relays: int = 3
    posts_burst: int = 32
    posts_per_s: int = 4
    retry_us: int = 60 * MICROSECONDS
