"""Takes each message of a peer to the room that it concerns: one line per kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args

from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.node.rates import FLOOD
from p2pcommerce.node.switchboard import Switchboard
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.sync.effects import Ready
from p2pcommerce.wire import messages as wire
from p2pcommerce.wire.off_chain_messages import OffChainMessage

__all__ = ["Inbox"]

_RECONCILE: Final = (wire.GetSymbols, wire.Symbols, wire.GetIds, wire.Ids, wire.Lacking, wire.Found)

Handler = Callable[[PeerId, Any, int], list[Effect]]


class Inbox:
    """The messages that peers send."""

    def __init__(self, board: Switchboard) -> None:
        """Serve the rooms of `board`."""
        self._board = board
        router, relaying, serving, archive = board.router, board.relaying, board.serving, board.archive
        topics = router.topics
        self._handlers: Final[dict[type[object], Handler]] = {
            wire.Transactions: lambda peer, m, now: board.gossip(router.on_transactions(peer, m.items, now), now),
            wire.Announce: lambda peer, m, now: board.gossip(router.on_announce(peer, m.entries, now), now),
            wire.Pull: lambda peer, m, now: board.gossip(router.on_pull(peer, m.short_ids, now), now),
            wire.Choose: lambda peer, _, now: board.gossip(router.on_choose(peer, now), now),
            wire.Unchoose: lambda peer, _, now: board.gossip(router.on_unchoose(peer, now), now),
            wire.Refuse: lambda peer, _, now: board.gossip(router.on_refuse(peer, now), now),
            **dict.fromkeys(_RECONCILE, lambda peer, m, now: board.gossip(router.on_reconcile(peer, m, now), now)),
            wire.Stem: lambda peer, m, now: board.gossip(router.stems.on_stem(peer, m.items, now), now),
            wire.Listening: lambda peer, m, now: board.gossip(topics.on_listening(peer, m.topics, now), now),
            wire.Posts: lambda peer, m, now: board.gossip(topics.on_posts(peer, m.items, now), now),
            wire.AnnouncePosts: lambda peer, m, now: board.gossip(topics.on_announce(peer, m.short_ids, now), now),
            wire.PullPosts: lambda peer, m, now: board.gossip(topics.on_pull(peer, m.short_ids, now), now),
            wire.Engine: lambda peer, m, now: board.after(relaying.on_engine(peer, m.data, now), now),
            wire.Relayed: lambda peer, m, now: board.after(relaying.on_relayed(peer, m.items, now), now),
            wire.RelayIds: lambda peer, m, now: board.gossip(board.relay.on_ids(peer, m, now), now),
            wire.RelayRole: lambda peer, m, now: board.gossip(board.relay.on_role(peer, m, now), now),
            wire.FinalBlock: self._on_final_block,
            wire.Evidence: lambda peer, m, now: board.offences.on_message(peer, m.data, now),
            wire.BlockTransactions: self._on_bodies,
            wire.BlockBody: self._on_bodies,
            wire.NoBlock: self._on_bodies,
            wire.GetTransactions: lambda peer, m, _: serving.on_get_transactions(peer, m),
            wire.GetBlock: lambda peer, m, _: serving.on_get_block(peer, m),
            wire.GetBlocks: lambda peer, m, _: serving.on_get_blocks(peer, m),
            wire.Blocks: self._on_blocks,
            wire.Status: board.on_status,
            wire.FeeFloor: self._on_fee_floor,
            wire.GetLinks: lambda peer, m, _: archive.on_request(peer, m),
            wire.GetSnapshot: lambda peer, m, _: archive.on_request(peer, m),
            wire.GetChunk: lambda peer, m, _: archive.on_request(peer, m),
            wire.Links: lambda peer, m, now: board.restore(board.restoring.on_links(peer, m, now), now),
            wire.Snapshot: lambda peer, m, now: board.restore(board.restoring.on_snapshot(peer, m, now), now),
            wire.Chunk: lambda peer, m, now: board.restore(board.restoring.on_chunk(peer, m, now), now),
            wire.GetPeers: self._on_get_peers,
            wire.Peers: self._on_peers,
            wire.Observed: lambda peer, m, now: board.discover(board.discovery.on_observed(peer, m.address, now), now),
            wire.TakesCalls: lambda peer, m, now: board.discover(
                board.discovery.calls.on_takes_calls(peer, is_willing=m.is_willing), now
            ),
            wire.CallBack: lambda peer, m, now: board.discover(board.discovery.calls.on_call(peer, m, now), now),
            wire.Ping: lambda peer, m, _: [Transmit(peer, wire.Pong(m.nonce))],
            wire.Pong: self._on_pong,
            **dict.fromkeys(get_args(OffChainMessage), board.off_chain.on_message),
        }

    def take(self, peer: PeerId, message: wire.Message, now: int) -> list[Effect]:
        """Take one message of an attached peer; a peer that breaks a rule is closed and the breach counted."""
        board = self._board
        try:
            if not board.rates.admits(peer, message, now):
                board.counters["over_rate"] += 1
                return []
            return self._handlers[type(message)](peer, message, now)
        except RemoteProtocolError as error:
            if error.code == FLOOD:  # it counts as an invalid transaction does, so that who floods again is banned
                board.router.blame(peer, 1, now)  # it is closed in any case, under its own code
            return board.blame(peer, error.code, str(error), now)

    def _on_fee_floor(self, peer: PeerId, message: wire.FeeFloor, _: int) -> list[Effect]:
        self._board.fee_floors.on_message(peer, message)
        return []

    def _on_bodies(
        self, peer: PeerId, message: wire.BlockTransactions | wire.BlockBody | wire.NoBlock, now: int
    ) -> list[Effect]:
        final_blocks = self._board.final_blocks
        if final_blocks.is_asking:
            asked = final_blocks.on_bodies(peer, message, now)
            if effects := self._board.deliver_pushed(asked, now):
                return effects
        effects = self._board.agreement.on_bodies(peer, message, now)
        if effects and not isinstance(message, wire.NoBlock):  # it was what the engine waited for
            self._board.discovery.connections.on_useful_block(peer, now)
        return self._board.after(effects, now)

    def _on_final_block(self, peer: PeerId, message: wire.FinalBlock, now: int) -> list[Effect]:
        effects = self._board.final_blocks.on_message(peer, message, now)
        return self._board.deliver_pushed(effects, now)

    def _on_get_peers(self, peer: PeerId, message: wire.GetPeers, now: int) -> list[Effect]:
        return self._board.discover(self._board.discovery.on_get_peers(peer, message.count, now), now)

    def _on_peers(self, peer: PeerId, message: wire.Peers, now: int) -> list[Effect]:
        return self._board.discover(self._board.discovery.on_peers(peer, message.records, now), now)

    def _on_pong(self, peer: PeerId, message: wire.Pong, now: int) -> list[Effect]:
        rtt_us = self._board.pulse.on_pong(peer, message.nonce, now)
        if rtt_us is None:
            return []
        self._board.discovery.connections.on_rtt(peer, rtt_us)
        moved = [*self._board.router.on_rtt(peer, rtt_us, now), *self._board.relay.on_rtt(peer, rtt_us, now)]
        return self._board.gossip(moved, now)

    def _on_blocks(self, peer: PeerId, message: wire.Blocks, now: int) -> list[Effect]:
        effects = self._board.sync.on_blocks(peer, message, now)
        if any(isinstance(effect, Ready) for effect in effects):
            self._board.discovery.connections.on_useful_block(peer, now)
        return self._board.catch_up(effects, now)
