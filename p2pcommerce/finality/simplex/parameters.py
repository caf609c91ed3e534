"""The numbers of Simplex, each with its source.

Deviations: D grows up to 6 D0, not 4. A proposal is notarized after two message delays, and every validator gives it up
after 3 D: with 4 D0 nothing would ever become final where each message takes 6 D0 or more. Now the bound is 9 D0.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.ledger.genesis import ChainParameters

__all__ = ["SimplexParameters"]

_US_PER_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimplexParameters:
    """What the engine is run with. Source, where none is named: the rules of the finality specification.

    Attributes:
        base_delay_us: D0, microseconds.
        interval_ms: least time between a block and its parent, milliseconds.
        heartbeat_us: an idle network makes a block after this long, microseconds.
        future_ms: how far ahead of the own clock a block's time may be, milliseconds (rule 3).
        window_views: how far below the present view votes are taken (rule 11).
        hashes_max: different ballots of one voter, kind and view that are kept (rule 11); also proposals of one view.
        blocks_max: blocks above the last delivered one that are tracked; reached only if thousands of views in a row
            are notarized and none is finalized.
        fetch_heights_max: how far above the last delivered height ancestors are fetched one by one; catching up over
            more belongs to `sync`.
        relays_max: certificates that wait to be relayed.
        rewrite_records: the log is rewritten after so many records.
    """

    base_delay_us: int
    interval_ms: int
    heartbeat_us: int
    future_ms: int = 10_000
    window_views: int = 64
    hashes_max: int = 2
    blocks_max: int = 4_096
    fetch_heights_max: int = 64
    relays_max: int = 8
    rewrite_records: int = 2_000

    @classmethod
    def of(cls, chain: ChainParameters) -> SimplexParameters:
        """Return the numbers for a chain."""
        return cls(
            base_delay_us=chain.base_delay_ms * _US_PER_MS,
            interval_ms=chain.block_interval_ms,
            heartbeat_us=chain.heartbeat_ms * _US_PER_MS,
        )

    @property
    def delay_max_us(self) -> int:
        """The largest D: 6 D0 (rule 10, but see the deviations)."""
        return 6 * self.base_delay_us

    @property
    def standstill_us(self) -> int:
        """How long a view may stand before its messages are sent again, without jitter (rule 9)."""
        return 2 * self.base_delay_us

    @property
    def answer_us(self) -> int:
        """A peer is answered at most once in this time (rule 9)."""
        return self.base_delay_us // 2
