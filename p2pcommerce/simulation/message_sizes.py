"""How many bytes a message takes on a link, without encoding it.

What is made of many bytes is counted, with msgpack's framing; the rest is small and of about one size.

Source: the message schema of `wire.messages`; encoding every message would cost more than delivering it.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.wire.finality_messages import shared_bytes
from p2pcommerce.wire.messages import (
    Announce,
    BlockBody,
    Blocks,
    BlockTransactions,
    Engine,
    Evidence,
    FinalBlock,
    GetTransactions,
    Message,
    Peers,
    Pull,
    Relayed,
    RelayIds,
    RelayRole,
    Transactions,
)
from p2pcommerce.wire.off_chain_messages import BlobChunk, HaveBlob, PostMessage

__all__ = ["size_of"]

_HEAD: Final = 6
"""Kind, array, and the framing of one field."""
_SMALL: Final = 24
_ITEM: Final = 3
"""Framing of one item of up to 64 KiB."""


def size_of(message: Message) -> int:  # noqa: PLR0911 - one answer per kind
    """Return the encoded size in bytes, to within a few bytes."""
    match message:
        case Engine(data) | Evidence(data):
            return _HEAD + len(data)
        case Transactions(items):
            return _HEAD + _ITEM * len(items) + sum(map(len, items))
        case Announce(entries):
            return _HEAD + 7 + 14 * len(entries)
        case Pull(short_ids):
            return _HEAD + 10 * len(short_ids)
        case BlockTransactions(_, items):
            return 40 + _ITEM * len(items) + sum(map(len, items))
        case GetTransactions(_, ids):
            return 40 + 34 * len(ids)
        case BlockBody(block):
            return _HEAD + len(block)
        case Blocks(_, blocks, proof):
            return 16 + _ITEM * len(blocks) + sum(map(len, blocks)) + len(proof)
        case Peers(records):
            return _HEAD + _ITEM * len(records) + sum(map(len, records))
        case _:
            return _beside(message)


def _beside(message: Message) -> int:
    match message:
        case Relayed(items):
            return _HEAD + (_ITEM + 2) * len(items) + sum(map(len, items)) - sum(shared_bytes(items))
        case RelayIds(_, short_ids, places):
            return _HEAD + 4 + 8 * len(short_ids) + sum(13 + len(bitmap) for _, bitmap in places)
        case RelayRole(_, hears):
            return _HEAD + 3 + 8 * len(hears)
        case FinalBlock(header, proof, ids):
            return _HEAD + 2 * _ITEM + len(header) + len(proof) + 32 * len(ids)
        case BlobChunk(data=content) | PostMessage(sealed=content):
            return 100 + len(content)
        case HaveBlob(chunks=chunks):
            return 44 + 34 * len(chunks)
        case _:
            return _SMALL
