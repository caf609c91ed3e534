"""The numbers of the relaying of finality messages."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["RelayParameters"]

_MS = 1_000
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayParameters:
    """Source: the networking specification for the number of validators; no source for the rest, but as said.

    What is not here is as for transactions (`GossipParameters`).

    Attributes:
        direct_max: so many validators at most tell each other straight; beyond, they relay.
        neighbours: validators that each stays connected to, drawn anew as sets change; as many come from others.
        senders: those of the connected validators that push to this one; the others announce.
        senders_random: how many of them are drawn at random.
        choosers_max: how many a validator pushes to.
        announce_us: how long announcements are gathered, microseconds: where pushes fail, each of three steps to
            finality waits for it.
        turn_us: pushes go out at once after a pause of this, else gathered for it, microseconds: what many say at about
            the same time travels together, and is not sent to who shows it meanwhile.
        grace_us: how long after an announcement it is pulled, microseconds.
        first_rerank_us: after so long with connections the senders are ranked first, by what was measured since.
        kept_us: a message is kept for so long at least, microseconds, then until a block is final.
        kept_max: messages that are kept to serve pulls and to be told again ...
        kept_bytes_max: ... and their bytes; the oldest go.
        remind_us: what is kept is told again at most once in this, microseconds.
        early_max: messages kept that are of the next view or epoch ...
        early_bytes_max: ... and their bytes; the oldest go ...
        early_peer_max: ... and of one peer so many are taken, so that none can drive out what others pass on.
        ballots_max: ballots of which is known whose votes are here: of three kinds, some views and epochs.
        seen_max: ids per generation, of two.
        rate: new messages taken of one peer per second, for each validator ...
        burst: ... and at once, for each validator. An honest one relays about three for each in a view.
        bytes_rate: bytes of them per second ...
        bytes_burst: ... and at once.
    """

    direct_max: int = 64
    neighbours: int = 8
    senders: int = 3
    senders_random: int = 1
    choosers_max: int = 8
    announce_us: int = 50 * _MS
    turn_us: int = 3 * _MS
    grace_us: int = 20 * _MS
    first_rerank_us: int = 3 * MICROSECONDS
    kept_us: int = 2 * MICROSECONDS
    kept_max: int = 8_192
    kept_bytes_max: int = 8 * _MIB
    remind_us: int = MICROSECONDS
    early_max: int = 2_048
    early_bytes_max: int = 2 * _MIB
    early_peer_max: int = 256
    ballots_max: int = 1_024
    seen_max: int = 65_536
    rate: int = 32
    burst: int = 128
    bytes_rate: int = 4 * _MIB
    bytes_burst: int = 16 * _MIB
