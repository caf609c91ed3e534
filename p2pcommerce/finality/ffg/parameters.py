"""The numbers of Casper FFG, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.ledger.genesis import ChainParameters

__all__ = ["CHECKPOINT_BLOCKS", "LINKS_MAX", "FFGParameters"]

CHECKPOINT_BLOCKS: Final = 8
"""Heights from one checkpoint to the next: part of the protocol. Source: the finality specification."""
LINKS_MAX: Final = 8
"""Links in one message, proposal or proof at most: part of the protocol. More are needed only if as many votes in a row
skipped a checkpoint; the newest travel, and who lacks older ones asks for them."""
_US_PER_MS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FFGParameters:
    """What the engine is run with. Source, where none is named: the finality specification.

    Attributes:
        slot_ms: length of a slot: D0, milliseconds.
        interval_ms: least time between a block and its parent, milliseconds.
        heartbeat_us: an idle network makes a block after this long, microseconds.
        future_ms: how far ahead of the own clock a block's time may be, milliseconds (rule 3 of Simplex).
        vote_depth: blocks above a checkpoint after which it is voted for.
        window_checkpoints: how far around the final checkpoint votes are kept, for tallies and as evidence.
        votes_max: different votes of one voter and target that are kept; also proposals of one slot.
        blocks_max: blocks above the last delivered one that are tracked. The node holds as many.
        waiting_max: quorum links whose source is not justified yet, or whose target's branch is not here.
        path_max: proposals sent in answer to one question.
        orphans_max: parents that are asked for at one time.
        patience_blocks: while more blocks than this are not final, leaders leave slots out, ever more of them: a
            network that was cut apart for days must still have room for the blocks with which it becomes final.
        patience_step: blocks after which the slots left out double.
        rewrite_records: the log is rewritten after so many records.
    """

    slot_ms: int
    interval_ms: int
    heartbeat_us: int
    future_ms: int = 10_000
    vote_depth: int = 4
    window_checkpoints: int = 64
    votes_max: int = 2
    blocks_max: int = 512
    waiting_max: int = 64
    path_max: int = 16
    orphans_max: int = 64
    patience_blocks: int = 128
    patience_step: int = 32
    rewrite_records: int = 2_000

    @classmethod
    def of(cls, chain: ChainParameters) -> FFGParameters:
        """Return the numbers for a chain."""
        return cls(
            slot_ms=chain.base_delay_ms,
            interval_ms=chain.block_interval_ms,
            heartbeat_us=chain.heartbeat_ms * _US_PER_MS,
        )

    @property
    def slot_us(self) -> int:
        """Length of a slot, microseconds."""
        return self.slot_ms * _US_PER_MS

    @property
    def standstill_us(self) -> int:
        """How long nothing may change before messages are sent again, without jitter (rule 9 of Simplex)."""
        return 2 * self.slot_us

    @property
    def answer_us(self) -> int:
        """A peer is answered at most once in this time (rule 9 of Simplex)."""
        return self.slot_us // 2

    def gap_slots(self, unfinal: int) -> int:
        """Return how many slots a leader lets pass since the parent while `unfinal` blocks are not final."""
        return 1 << max(0, (unfinal - self.patience_blocks + self.patience_step) // self.patience_step)
