"""The numbers of the mempool that a node may choose."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["MempoolParameters"]

_MIB = 1024 * 1024
_HOUR_US = 3_600 * MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class MempoolParameters:
    """How much is kept, for how long, and at what price. Source: the networking specification, unless said otherwise.

    Attributes:
        bytes_max: bytes of transactions in the pool at most.
        count_max: transactions in the pool at most.
        nonce_gap_max: how far beyond a sender's first missing nonce a transaction may be.
        replacement_bps: by how many basis points a fee must be above that of the transaction it replaces.
        slice_max: transactions whose signatures are verified in one `on_deadline`.
        life_us: how long a transaction is kept, microseconds.
        intake_count_max: transactions of one origin that wait for admission before it is pushed back; no source: four
            messages of 256.
        intake_bytes_max: the same in bytes; no source: four messages of 256 KiB.
        intake_overrun_count: what is still taken from one origin beyond the push-back, because a message cannot be cut
            in two: the largest message.
        intake_overrun_bytes: the same in bytes.
        intake_total_bytes_max: bytes of all origins that wait for admission before those are pushed back that hold an
            equal share of it or more; no source: half of `bytes_max`.
        round_bytes: what one origin may have examined before it is another's turn, in bytes, each transaction counted
            with `round_item_bytes` on top for its signature; no source: about two payments, so that a round
            of 40 who flood takes 10 ms.
        round_item_bytes: see `round_bytes`.
        verified_count_max: ids remembered as verified after they left the pool; no source: 32 full blocks or more.
        floor_half_life_us: in this time a fee floor raised by a full pool falls to half, microseconds; no source:
            blocks come each second, so that pressure passes in minutes, not (as in Bitcoin) in half days.
        eviction_search_max: senders looked at for something cheaper to drive out, for one transaction; no source: it
            bounds the work that a payer of very many senders can cause.
        recheck_max: transactions of one touched sender that are put to the application again after a block; those
            beyond it are held to nonce and balance only. No source: what one sender may get into a few blocks.
        select_misfits_max: transactions that do not fit what is left of a block before the search for smaller ones is
            given up; no source.
    """

    bytes_max: int = 64 * _MIB
    count_max: int = 50_000
    nonce_gap_max: int = 16
    replacement_bps: int = 1_000
    slice_max: int = 64
    life_us: int = 3 * _HOUR_US
    intake_count_max: int = 1_024
    intake_bytes_max: int = _MIB
    intake_overrun_count: int = 256
    intake_overrun_bytes: int = 256 * 1024
    intake_total_bytes_max: int = 32 * _MIB
    round_bytes: int = 1_024
    round_item_bytes: int = 256
    verified_count_max: int = 50_000
    floor_half_life_us: int = 60 * MICROSECONDS
    eviction_search_max: int = 256
    recheck_max: int = 8
    select_misfits_max: int = 64
