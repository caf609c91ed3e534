"""The numbers of discovery, with their units and sources."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["DiscoveryParameters"]

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
        book_records_max: records in the book.
        failures_max: failed dials in a row after which an ordinary record is forgotten.
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
    book_records_max: int = 4_096
    failures_max: int = 10
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
