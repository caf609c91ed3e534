"""The flood: everything that is new goes to every peer that has not shown it.

The simplest rule there is, and the fastest where links have room to spare. A transaction is marked as seen before it is
judged, and peers that show it in the meantime are spared the copy.

Source: CometBFT's mempool before its CAT; Bitcoin's inventories without the inventories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from p2pcommerce.gossip import Judged
from p2pcommerce.gossip.arrivals import TRANSACTION_ID
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.simulation.baselines.history import History
from p2pcommerce.simulation.baselines.seam import Action, GossipMessage, SendFrame
from p2pcommerce.wire.messages import Transactions

__all__ = ["Flood"]


class Flood:
    """One node that floods."""

    __slots__ = ("_history", "_peers")

    def __init__(self, identify: Callable[[bytes], TransactionId] = TRANSACTION_ID) -> None:
        """Start without peers; `identify` returns the id (32 bytes) of a transaction's bytes."""
        self._peers: dict[PeerId, None] = {}
        self._history = History(identify)

    @property
    def deadline(self) -> int | None:
        """Never: a flood does nothing by time."""
        return None

    def connect(self, peer: PeerId, *, outbound: bool, now: int) -> Sequence[Action]:
        """Take a new peer (32 bytes) in."""
        del outbound, now
        self._peers[peer] = None
        return ()

    def measured(self, peer: PeerId, rtt_us: int, now: int) -> Sequence[Action]:
        """Round-trip times mean nothing to a flood."""
        del peer, rtt_us, now
        return ()

    def disconnect(self, peer: PeerId, now: int) -> Sequence[Action]:
        """Let a peer (32 bytes) go."""
        del now
        self._peers.pop(peer, None)
        return ()

    def receive(self, peer: PeerId, message: GossipMessage, now: int) -> Sequence[Action]:
        """Offer what is new to admission."""
        if type(message) is not Transactions or peer not in self._peers:
            return ()
        return self._history.show(peer, message.items, now).offers(peer)

    def judged(self, verdicts: Sequence[Judged], now: int) -> Sequence[Action]:
        """Pass on what was accepted."""
        del now
        actions: list[Action] = []
        for tx_id, raw, verdict, _, _ in verdicts:
            shown = self._history.land(tx_id)
            if verdict is Verdict.ACCEPT:
                message = Transactions((raw,))
                actions += [SendFrame(peer, message) for peer in self._peers if peer not in shown]
        return actions

    def publish(self, tx_id: TransactionId, raw: bytes, now: int) -> Sequence[Action]:
        """Send a transaction (id of 32 bytes) of this node's own to all."""
        self._history.know(tx_id, now)
        message = Transactions((raw,))
        return [SendFrame(peer, message) for peer in self._peers]

    def retire(self, tx_ids: Iterable[TransactionId]) -> None:
        """Nothing is offered twice anyway."""

    def on_deadline(self, now: int) -> Sequence[Action]:
        """Nothing is ever due."""
        del now
        return ()
