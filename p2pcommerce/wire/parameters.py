"""The numbers of the wire that a node may choose; those that both ends must share are constants beside their rules."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WireParameters"]

_KIB = 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WireParameters:
    """How much one connection may have waiting to be sent, per lane, in bytes.

    Each bound holds at least one of the largest messages of its lane and the usual traffic behind it; together they
    bound the memory that a peer who reads nothing can cost.

    Attributes:
        finality_bytes_max: votes of 64 validators and some proposals (256 KiB each) behind them.
        control_bytes_max: small messages; a peer that asks without reading gets nowhere.
        transactions_bytes_max: four full messages; beyond that the source is pushed back.
        sync_bytes_max: two answers of 2 MiB.
        exchange_bytes_max: one answer of 256 KiB, eight chunks of blobs, and what is small.
    """

    finality_bytes_max: int = 2 * _MIB
    control_bytes_max: int = 64 * _KIB
    transactions_bytes_max: int = _MIB
    sync_bytes_max: int = 4 * _MIB + 64 * _KIB
    exchange_bytes_max: int = 832 * _KIB

    def lane_bytes_max(self) -> tuple[int, int, int, int, int]:
        """Return the bounds in the order of the lanes."""
        return (
            self.finality_bytes_max,
            self.control_bytes_max,
            self.transactions_bytes_max,
            self.sync_bytes_max,
            self.exchange_bytes_max,
        )
