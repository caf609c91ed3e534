"""Buffers of a node: what its rooms report of them, compared with their caps, and with what little may stay in them.

Every room counts what it keeps (`Node.statistics`). A count above its cap is a buffer without bound. Some of them are
transient: once the faults are over and blocks are final again, votes of views that are decided, blocks that lost and
questions that were answered must be gone. A buffer that only grows passes its bound long before its cap.

Source: the caps of the networking specification and of the parameters named; rule 11 of the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.sync.parameters import SyncParameters

__all__ = ["DISK_BACKLOG_MAX", "VIEWS_LEFT_MAX", "leaks", "over_caps"]

Rooms = Mapping[str, Mapping[str, int]]

DISK_BACKLOG_MAX: Final = 20_000
"""Effects that wait for a disk."""
VIEWS_LEFT_MAX: Final = 8
"""Views whose votes may be kept while blocks become final: the undecided ones, and some that adversaries spoil."""
_KINDS: Final = 3
"""Votes of one validator and view: N, Z and F."""
_BLOCKS_LEFT_MAX: Final = 64
"""Blocks above the final one that may be tracked while blocks become final."""
_REQUESTS_LEFT_MAX: Final = 64
"""Questions that may be under way."""
_GOSSIP: Final = GossipParameters()
_DISCOVERY: Final = DiscoveryParameters()
_SYNC: Final = SyncParameters()
_SIMPLEX: Final = SimplexParameters.of(ChainParameters())


def over_caps(rooms: Rooms, pool: MempoolParameters, validators: int) -> Iterator[str]:
    """Yield each buffer of a node that is above its cap.

    Args:
        rooms: what its rooms report.
        pool: of its mempool.
        validators: at most so many vote in an epoch.
    """
    votes_max = (_SIMPLEX.window_views + _KINDS) * _KINDS * _SIMPLEX.hashes_max * validators
    caps = (
        ("mempool", "transactions", pool.count_max),
        ("mempool", "bytes", pool.bytes_max),
        ("mempool", "waiting_bytes", 2 * pool.intake_total_bytes_max),
        ("finality", "blocks_tracked", _SIMPLEX.blocks_max + 1),
        ("finality", "votes_held", votes_max),
        ("gossip", "seen", 2 * _GOSSIP.seen_max),
        ("gossip", "in_flight", _GOSSIP.in_flight_max),
        ("gossip", "ignored_waiting", _GOSSIP.ignored_max),
        ("gossip", "asking", _GOSSIP.reconcile_asks_max),
        ("gossip", "own", _GOSSIP.own_max),
        ("gossip", "stems", _GOSSIP.stem_max + _GOSSIP.own_max),
        ("gossip", "wanted", _GOSSIP.wants_max),
        ("gossip", "posts_seen", 2 * _GOSSIP.post_seen_max),
        ("gossip", "posts_kept", _GOSSIP.post_kept_max * _GOSSIP.topics_max),
        ("gossip", "posts_kept_bytes", _GOSSIP.post_kept_bytes_max * _GOSSIP.topics_max),
        ("gossip", "posts_wanted", _GOSSIP.post_wants_max),
        ("gossip", "post_origins", _GOSSIP.post_origins_max),
        ("gossip", "scores", _GOSSIP.scores_max),
        ("discovery", "book", _DISCOVERY.book_records_max),
        ("discovery", "inbound", _DISCOVERY.inbound_max + validators),
        ("discovery", "dialling", _DISCOVERY.dials_in_flight_max),
        ("sync", "buffered_bytes", _SYNC.buffered_bytes_max),
    )
    yield from _above(rooms, caps)


def leaks(rooms: Rooms, validators: int) -> Iterator[str]:
    """Yield each transient buffer that has not shrunk although finality has long resumed.

    Args:
        rooms: what a node's rooms report, at the end of a liveness phase.
        validators: at most so many vote in an epoch.
    """
    bounds = (
        ("finality", "votes_held", VIEWS_LEFT_MAX * _KINDS * validators),
        ("finality", "blocks_tracked", _BLOCKS_LEFT_MAX),
        ("sync", "requests_under_way", _REQUESTS_LEFT_MAX),
        ("sync", "buffered_blocks", _BLOCKS_LEFT_MAX),
        ("discovery", "dialling", _REQUESTS_LEFT_MAX),
    )
    yield from _above(rooms, bounds)


def _above(rooms: Rooms, bounds: tuple[tuple[str, str, int], ...]) -> Iterator[str]:
    for room, name, most in bounds:
        size = rooms.get(room, {}).get(name, 0)
        if size > most:
            yield f"{room} holds {size} {name}, at most {most} allowed"
