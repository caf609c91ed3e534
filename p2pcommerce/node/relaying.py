"""What validators relay for each other, on its way between the peers, the engine and the router's relay.

The engine judges each message once; what it finds too early is kept for a while, and judged again when its view or
epoch has changed.

Source: the networking specification (Proposals, votes, certificates: by the router beyond 64 validators).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.gossip.effects import Effect as GossipEffect
from p2pcommerce.gossip.relay import Relay
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.node.agreement import Agreement
from p2pcommerce.node.effects import Effect
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Relaying"]

Do: TypeAlias = Callable[[Sequence[GossipEffect], int], list[Effect]]


class Relaying:
    """Between relay and engine."""

    def __init__(
        self, relay: Relay, agreement: Agreement, engine: FinalityEngine, parameters: RelayParameters, do: Do
    ) -> None:
        """Join these; `do` turns what the relay wants into effects of the node."""
        self._relay = relay
        self._agreement = agreement
        self._engine = engine
        self._parameters = parameters
        self._do = do
        self._early: dict[bytes, tuple[PeerId, bytes]] = {}
        self._early_of: Counter[PeerId] = Counter()
        self._early_bytes = 0
        self._position = (0, 0)

    def on_engine(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take an engine message that comes straight: what may be relayed is, where that is the way."""
        if self._relay.is_active and self._relay.serves(peer) and self._engine.relays(data):
            return self.on_relayed(peer, (data,), now)
        return self._agreement.on_message(peer, data, now)

    def on_relayed(self, peer: PeerId, items: Sequence[bytes], now: int) -> list[Effect]:
        """Take engine messages that a peer (32 bytes) passes on."""
        effects = self._take(peer, items, now)
        while self._early and self._position != self._engine.position:
            self._position = self._engine.position
            early, self._early, self._early_bytes = list(self._early.values()), {}, 0
            self._early_of.clear()
            for sender, raw in early:
                effects += self._take(sender, (raw,), now)
        return effects

    def _take(self, peer: PeerId, items: Sequence[bytes], now: int) -> list[Effect]:
        decided: list[Effect] = []

        def judge(raw: bytes) -> Verdict | None:
            verdict, effects = self._agreement.on_relayed(peer, raw, now)
            decided.extend(effects)
            if verdict is None:
                self._keep(peer, raw)
            return verdict

        # Passed on first: it has been verified, and need not wait for what this node has to write before it answers.
        return self._do(self._relay.on_relayed(peer, items, judge, now), now) + decided

    def _keep(self, peer: PeerId, raw: bytes) -> None:
        key = blake2b_256(raw)
        limits = self._parameters
        if key in self._early or self._early_of[peer] >= limits.early_peer_max:
            return
        if not self._early:
            self._position = self._engine.position
        self._early[key] = peer, raw
        self._early_of[peer] += 1
        self._early_bytes += len(raw)
        while len(self._early) > limits.early_max or self._early_bytes > limits.early_bytes_max:
            sender, dropped = self._early.pop(next(iter(self._early)))
            self._early_of[sender] -= 1
            self._early_bytes -= len(dropped)

    def statistics(self) -> Mapping[str, int]:
        """Return counters by name."""
        return {"relayed_early_kept": len(self._early), **self._relay.statistics()}
