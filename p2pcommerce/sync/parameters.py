"""The numbers of catching up, with their units and sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.ledger.block import BLOCK_BYTES_MAX
from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["ANSWER_BLOCKS_MAX", "ANSWER_BYTES_MAX", "SyncParameters"]

ANSWER_BLOCKS_MAX: Final = 128
"""Blocks in one answer at most: part of the protocol, since an answer may hold more than was asked for."""
ANSWER_BYTES_MAX: Final = BLOCK_BYTES_MAX
"""Bytes of blocks in one answer at most (their framing and the proof not counted): one block of any size fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncParameters:
    """How a node catches up. Source: where none is named, chosen here for 100 ms and 10 Mbit/s to a peer.

    Attributes:
        grace_blocks: a gap to what peers claim of up to so many blocks is left to the live traffic ...
        grace_us: ... unless for so long nothing was delivered.
        requests_per_peer_max: requests under way to one peer, so that its link never idles between two.
        askers_max: peers asked for the lowest missing range at once, one after the other.
        hedge_us: after so long without an answer the lowest missing range is asked of another peer as well.
        timeout_us: after so long without an answer the request is given up and the peer avoided; 1 MB at 1 Mbit/s
            takes 8 s.
        avoid_us_min: how long a peer is avoided after its first fault; doubled by each further one.
        avoid_us_max: how long at most, and at once for data that are false.
        latency_us: what is assumed of a peer that has not answered yet.
        window_blocks: how far above the delivered height ranges are asked for.
        buffered_bytes_max: bytes of blocks held back, and room kept for answers under way. In memory a block costs
            about twice its bytes.
        status_interval_us: least time between two statuses to one peer.
        remembered_max: peers whose faults are remembered after they left.
        epoch_blocks: a range that is asked for ends at the last block of an epoch, so that its own proof comes with it;
            0: there are no epochs.
    """

    grace_blocks: int = 8
    grace_us: int = MICROSECONDS
    requests_per_peer_max: int = 2
    askers_max: int = 3
    hedge_us: int = 2 * MICROSECONDS
    timeout_us: int = 10 * MICROSECONDS
    avoid_us_min: int = 5 * MICROSECONDS
    avoid_us_max: int = 300 * MICROSECONDS
    latency_us: int = MICROSECONDS
    window_blocks: int = 4_096
    buffered_bytes_max: int = 32 * 2**20
    status_interval_us: int = MICROSECONDS
    remembered_max: int = 1_024
    epoch_blocks: int = 0
