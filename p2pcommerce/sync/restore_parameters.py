"""The numbers of restoring a state from a snapshot, with their units."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["RestoreMode", "RestoreParameters"]


@unique
class RestoreMode(StrEnum):
    """How a node that is behind catches up."""

    FULL = "full"
    """By all blocks: it then has the whole history."""
    SNAPSHOT = "snapshot"
    """By a snapshot whenever there is one an epoch ahead: it then has the history from there on."""
    AUTO = "auto"
    """By a snapshot if the gap is large, else by blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreParameters:
    """How a node restores a state. Chosen here for 100 ms and 10 Mbit/s to a peer.

    Attributes:
        mode: see `RestoreMode`.
        gap_blocks: with AUTO, how far ahead peers must claim to be.
        gather_us: how long offers are gathered after the first good one, unless every peer has answered.
        requests_per_peer_max: chunks asked of one peer at once.
        timeout_us: after so long without an answer a peer is not asked again in this attempt.
        again_us: after so long a peer whose snapshot is older than what this node trusts is asked for a newer one.
        hopeless_us: after so long an attempt ends if no peer that is left has anything to offer.
        patience_us: after so long without progress the attempt ends, and blocks are fetched.
        state_bytes_max: keys and values of a state at most.
        progress_us: least time between two words on progress.
    """

    mode: RestoreMode = RestoreMode.AUTO
    gap_blocks: int = 100_000
    gather_us: int = 2 * MICROSECONDS
    requests_per_peer_max: int = 3
    timeout_us: int = 10 * MICROSECONDS
    again_us: int = 5 * MICROSECONDS
    hopeless_us: int = 5 * MICROSECONDS
    patience_us: int = 45 * MICROSECONDS
    state_bytes_max: int = 8 * 2**30
    progress_us: int = 2 * MICROSECONDS
