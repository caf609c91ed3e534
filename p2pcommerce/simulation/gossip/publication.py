"""One transaction of a gossip world, and who holds it."""

from __future__ import annotations

from p2pcommerce.primitives.ids import TransactionId

__all__ = ["Publication"]


class Publication:
    """One transaction.

    Attributes:
        tx_id: 32 bytes.
        raw: its bytes.
        origin: the node that published it.
        at_us: when, microseconds of world time.
        is_measured: it was published in the window and counts.
        held: a byte for each node: 1 if the node has accepted it.
        holders: how many have.
    """

    __slots__ = ("at_us", "held", "holders", "is_measured", "origin", "raw", "tx_id")

    def __init__(
        self,
        tx_id: TransactionId,
        raw: bytes,
        *,
        origin: int,
        at_us: int,
        is_measured: bool,
        nodes: int,
        is_private: bool = False,
    ) -> None:
        """Publish it; `nodes` in all, of whom only the origin holds it, or nobody while it is private."""
        self.tx_id = tx_id
        self.raw = raw
        self.origin = origin
        self.at_us = at_us
        self.is_measured = is_measured
        self.held = bytearray(nodes)
        self.holders = self.held[origin] = int(not is_private)
