"""The strategies by name: the product's router behind the seam, and the baselines.

Source: the networking specification (Gossip of transactions); `p2pcommerce.gossip`, driven as it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from p2pcommerce.gossip import GossipParameters, Judged, Router
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.simulation.baselines import (
    Action,
    Flood,
    GossipMessage,
    Gossipsub,
    GossipsubParameters,
    Strategy,
)
from p2pcommerce.wire.messages import (
    Announce,
    Choose,
    Found,
    GetIds,
    GetSymbols,
    Ids,
    Lacking,
    Pull,
    Refuse,
    Stem,
    Symbols,
    Transactions,
    Unchoose,
)

__all__ = ["STRATEGIES", "Chosen", "Setting"]

_FEE_MINOR = 1
_MESH_LOW_MIN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a node's strategy is made from.

    Attributes:
        rng: the node's own.
        key_of: the announcement key (16 bytes) of a node by its id (32 bytes).
        own_key: this node's, 16 bytes.
        lookup: a transaction's bytes by its id (32 bytes).
        identify: a transaction's id by its bytes; the world remembers it, so that nodes share one object and one hash.
        expected_rate: transactions per second that an operator would expect.
        idontwant: gossipsub's option.
        mesh: gossipsub's D.
    """

    rng: random.Random
    key_of: Callable[[PeerId], bytes]
    own_key: bytes
    lookup: Callable[[TransactionId], bytes | None]
    identify: Callable[[bytes], TransactionId]
    expected_rate: float
    idontwant: bool
    mesh: int


class Chosen:
    """The product's router."""

    __slots__ = ("_index", "_key_of", "_own_key", "router")

    def __init__(self, setting: Setting) -> None:
        """Start a router without peers."""
        self._key_of = setting.key_of
        self._own_key = setting.own_key
        self._index = IdIndex()
        self.router = Router(_PARAMETERS, setting.rng, setting.lookup, self._index, setting.identify)

    @property
    def deadline(self) -> int | None:
        """The router's."""
        return self.router.deadline

    def connect(self, peer: PeerId, *, outbound: bool, now: int) -> Sequence[Action]:
        """Take a new peer (32 bytes) in."""
        return self.router.on_connected(
            peer, own_key=self._own_key, peer_key=self._key_of(peer), outbound=outbound, now=now
        )

    def measured(self, peer: PeerId, rtt_us: int, now: int) -> Sequence[Action]:
        """Learn a peer's (32 bytes) round-trip time."""
        return self.router.on_rtt(peer, rtt_us, now)

    def disconnect(self, peer: PeerId, now: int) -> Sequence[Action]:
        """Let a peer (32 bytes) go."""
        return self.router.on_disconnected(peer, now)

    def receive(self, peer: PeerId, message: GossipMessage, now: int) -> Sequence[Action]:
        """Take a message of a connected peer (32 bytes)."""
        if isinstance(message, Announce):  # the most frequent first
            return self.router.on_announce(peer, message.entries, now)
        if isinstance(message, Transactions):
            return self.router.on_transactions(peer, message.items, now)
        if isinstance(message, Pull):
            return self.router.on_pull(peer, message.short_ids, now)
        return self._receive_rare(peer, message, now)

    def _receive_rare(self, peer: PeerId, message: GossipMessage, now: int) -> Sequence[Action]:
        if isinstance(message, Choose):
            return self.router.on_choose(peer, now)
        if isinstance(message, Unchoose):
            return self.router.on_unchoose(peer, now)
        if isinstance(message, Refuse):
            return self.router.on_refuse(peer, now)
        if isinstance(message, Stem):
            return self.router.stems.on_stem(peer, message.items, now)
        if isinstance(message, (GetSymbols, Symbols, GetIds, Ids, Lacking, Found)):
            return self.router.on_reconcile(peer, message, now)
        return ()  # a baseline's, which nobody sends here

    def judged(self, verdicts: Sequence[Judged], now: int) -> Sequence[Action]:
        """Learn what admission said; here what is accepted is in the pool from now on."""
        for tx_id, _, verdict, _, _ in verdicts:
            if verdict is Verdict.ACCEPT:
                self._index.add(tx_id)
        return self.router.on_verdicts(verdicts, now)

    def publish(self, tx_id: TransactionId, raw: bytes, now: int) -> Sequence[Action]:
        """Send a transaction (id of 32 bytes) of this node's own."""
        self._index.add(tx_id)
        return self.router.publish(tx_id, raw, _FEE_MINOR, now)

    def examined(
        self, tx_id: TransactionId, raw: bytes, origin: PeerId | None, verdict: Verdict, now: int
    ) -> Sequence[Action]:
        """Learn what admission said of a private transaction (id of 32 bytes); of this node's own: send it."""
        return self.router.stems.on_examined(tx_id, raw, origin, verdict, now)

    def retire(self, tx_ids: Iterable[TransactionId]) -> None:
        """Stop offering transactions (32 bytes each)."""
        retired = list(tx_ids)
        for tx_id in retired:
            self._index.discard(tx_id)
        self.router.retire(retired)

    def on_deadline(self, now: int) -> Sequence[Action]:
        """Do what is due."""
        return self.router.on_deadline(now)


_PARAMETERS: Final = GossipParameters()


def _gossipsub(setting: Setting) -> Strategy:
    parameters = GossipsubParameters(
        mesh=setting.mesh,
        mesh_low=max(setting.mesh - 2, _MESH_LOW_MIN),
        expected_rate=setting.expected_rate,
        idontwant=setting.idontwant,
    )
    return Gossipsub(parameters, setting.rng, setting.identify)


def _flood(setting: Setting) -> Strategy:
    return Flood(setting.identify)


STRATEGIES: Final[Mapping[str, Callable[[Setting], Strategy]]] = MappingProxyType(
    {"chosen": Chosen, "gossipsub": _gossipsub, "flood": _flood}
)
"""Name -> what makes a node's strategy."""
