"""The numbers of discovery, with their units and sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["KEPT_MAX", "DiscoveryParameters"]

KEPT_MAX: Final = 1_024
"""Peers whose records are kept beside the tables."""
_DAY_US = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryParameters:
    """How a node finds and keeps its peers. Source, unless another is named: the networking specification.

    Attributes:
        outbound_target: connections this node dials to ordinary peers (Bitcoin Core: 8 full relay).
        inbound_max: connections accepted from ordinary peers.
        dials_in_flight_max: dials under way at once, all kinds.
        ordinary_dials_in_flight_max: of these to ordinary peers, so that validators never wait behind them.
        dial_timeout_us: a dial that nobody reported on for so long has failed; above the transport's own time-out.
        backoff_us_min: pause after the first failed dial.
        backoff_us_max: longest pause for an ordinary peer.
        wanted_backoff_us_max: longest pause for validators and bootstrap addresses, which are redialled for ever.
        stable_us: a connection that lasted so long wipes out the failures before it.
        simultaneous_us: two connections in opposite directions within this time count as dialled at once.
        outbound_per_group_max: of the connections that this node dials to ordinary peers, in one address group.
        outbound_new_bps: share of them that may go to peers never reached before, while there are others, basis points;
            no source: with it, poisoned records take half of the places at most.
        new_buckets, new_buckets_per_source: buckets of peers never reached, and how many of them the sources of one
            group reach (Bitcoin Core: 1,024 and 64).
        new_places_max: places of one peer in them (Bitcoin Core: 8).
        tried_buckets, tried_buckets_per_group: buckets of peers reached, and how many of them the peers of one group
            reach (Bitcoin Core: 256 and 8).
        bucket_places: places in a bucket.
        feeler_us: time between two dials that only test an address; 0: none.
        anchors_max: peers that are dialled first after a restart.
        draws_max: draws from a table to find a peer to dial; a book that is not larger is looked through.
        redraw_us: after draws in vain, until the next.
        failures_max: failed dials in a row after which a peer that was never reached is forgotten.
        protected_by_group, protected_by_latency, protected_by_transactions, protected_by_blocks: inbound peers that
            cannot be evicted: by the keyed hash of their group, for their round-trip time, and for what was useful.
        unreachable_us: a node to which nobody connects for so long, while it dials others, counts as unreachable.
        observers_min: groups of peers that must have told this node its address before it believes a majority.
        book_save_us: least time between two savings of the book.
        answer_share_bps: part of the book that one answer may hold, basis points.
        answer_records_max: records in one answer.
        answer_records_free: a book up to this size is told whole, and afresh each time.
        answer_bytes_max: bytes of records in one answer; fits the cap of 256 KiB of the message, with framing.
        answer_life_us: how long an asker gets the same answer.
        answer_interval_us: an asker gets one answer per so long; below `ask_interval_us`, so that no honest peer
            ever meets it.
        ask_interval_us: a peer is asked again after so long, while this node lacks peers.
        askers_max: askers and tellers remembered, over all.
        accept_milli_per_s: records accepted from one peer, thousandths per second.
        accept_burst: records accepted from one peer at once.
    """

    outbound_target: int = 8
    inbound_max: int = 40
    dials_in_flight_max: int = 32
    ordinary_dials_in_flight_max: int = 8
    dial_timeout_us: int = 30 * MICROSECONDS
    backoff_us_min: int = MICROSECONDS
    backoff_us_max: int = 300 * MICROSECONDS
    wanted_backoff_us_max: int = 15 * MICROSECONDS
    stable_us: int = 30 * MICROSECONDS
    simultaneous_us: int = 10 * MICROSECONDS
    outbound_per_group_max: int = 1
    outbound_new_bps: int = 5_000
    new_buckets: int = 256
    new_buckets_per_source: int = 64
    new_places_max: int = 8
    tried_buckets: int = 64
    tried_buckets_per_group: int = 8
    bucket_places: int = 64
    feeler_us: int = 120 * MICROSECONDS
    anchors_max: int = 2
    draws_max: int = 64
    redraw_us: int = MICROSECONDS
    failures_max: int = 10
    protected_by_group: int = 4
    protected_by_latency: int = 8
    protected_by_transactions: int = 4
    protected_by_blocks: int = 4
    unreachable_us: int = 600 * MICROSECONDS
    observers_min: int = 3
    book_save_us: int = 60 * MICROSECONDS
    answer_share_bps: int = 2_300
    answer_records_max: int = 1_000
    answer_records_free: int = 16
    answer_bytes_max: int = 240_000
    answer_life_us: int = _DAY_US
    answer_interval_us: int = 10 * MICROSECONDS
    ask_interval_us: int = 60 * MICROSECONDS
    askers_max: int = 1_024
    accept_milli_per_s: int = 100
    accept_burst: int = 1_000

    @property
    def outbound_new_max(self) -> int:
        """Connections with peers never reached before, while there are others."""
        return self.outbound_target * self.outbound_new_bps // 10_000

    @property
    def book_records_max(self) -> int:
        """Records in the book: the places of both tables, and those kept beside them."""
        return (self.new_buckets + self.tried_buckets) * self.bucket_places + KEPT_MAX
