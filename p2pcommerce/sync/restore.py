"""Restoring a state from a snapshot: from several peers at once, of which most may lie.

    offers (header, proof, depths) -> links to the header's validators -> chunks, each proven under its state root

A peer's offer counts once the header is shown to be final. Of the offers that differ the one of most peers is tried
first; a peer whose link, proof or chunk does not hold is named and asked no more, so each lie costs its teller the
connection. Peers that stall, or have the snapshot no more, are left out; an offer without peers gives way to the next.
Chunks that were proven stay, whatever offer they came by. What is held is bounded by the state that a final header
commits to, and by `state_bytes_max`.

An offer that is older than what this node trusts is nobody's fault: snapshots are of the ends of epochs, and whoever
has none of the last one yet is asked again. Nor is it anybody's fault if nothing agrees with a checkpoint that an
operator named: if that is so of all peers, the attempt ends with a word to the operator, and no peer is closed.

Three peers at once are asked for links, those first that were not asked yet, then those that gave most of them in the
least time: whoever trickles one after the other keeps nobody waiting for long.

If nothing moves for a while the attempt ends, and the node catches up by blocks.

Source: catching up in the finality specification.
"""

from __future__ import annotations

import random
from typing import Final

from p2pcommerce.ledger.block import decode_header
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.errors import CodecError, P2PError, RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.sync.chunks import Place, read_chunk, read_depths
from p2pcommerce.sync.effects import Blame, Fault
from p2pcommerce.sync.restore_effects import (
    Ask,
    BadOfferError,
    Broken,
    GaveUp,
    Progress,
    Restored,
    RestoreEffect,
    Trail,
)
from p2pcommerce.sync.restore_parameters import RestoreParameters
from p2pcommerce.sync.restore_sources import Offer, Source
from p2pcommerce.wire.messages import Chunk, GetChunk, GetLinks, GetSnapshot, Links, Snapshot

__all__ = ["Restore"]

_AT_ONCE: Final = 0
_OFFERS_ASKED_MAX: Final = 64
"""Peers whose offers are looked at in one attempt."""


_LINKS: Final = -1
_LINKS_ASKED_MAX: Final = 3
"""Peers that are asked for links at once."""


class Restore:
    """One attempt to restore a state."""

    def __init__(
        self, parameters: RestoreParameters, trail: Trail, genesis_hash: bytes, above: int, rng: random.Random, now: int
    ) -> None:
        """Begin an attempt.

        Args:
            parameters: see `RestoreParameters`.
            trail: from what this node trusts.
            genesis_hash: 32 bytes.
            above: snapshots at or below this height are of no use.
            rng: spreads requests over peers.
            now: microseconds.
        """
        self._parameters = parameters
        self._trail = trail
        self._genesis_hash = genesis_hash
        self._above = above
        self._rng = rng
        self._sources: dict[PeerId, Source] = {}
        self._refused: dict[PeerId, None] = {}
        self._offers: dict[tuple[bytes, bytes], Offer] = {}
        self._chosen: Offer | None = None
        self._done: dict[Place, tuple[tuple[bytes, bytes], ...]] = {}
        self._done_root = b""
        self._bytes = 0
        self._disagreeing = 0
        self._gather_until: int | None = None
        self._moved_us = now
        self._began_us = now
        self._told_us = now
        self._deadline: int | None = _AT_ONCE
        self.is_over = False

    @property
    def has_offer(self) -> bool:
        """Whether a final block above is known, with peers that offer the state after it."""
        return any(offer.peers for offer in self._offers.values())

    # --- inputs ---

    def on_connected(self, peer: PeerId) -> None:
        """A peer can be asked."""
        if peer not in self._refused and len(self._sources) < _OFFERS_ASKED_MAX:
            self._sources.setdefault(peer, Source())
            self._deadline = _AT_ONCE

    def on_disconnected(self, peer: PeerId) -> None:
        """A peer left: what it was asked for is asked of others."""
        self._drop(peer)

    def on_snapshot(self, peer: PeerId, message: Snapshot, now: int) -> list[RestoreEffect]:
        """A peer says which snapshot it has."""
        source = self._asked(peer, None)
        if source is None:
            return []
        source.has_answered = True
        if not message.header:
            return []
        try:
            header = decode_header(message.header)
            if header.genesis_hash != self._genesis_hash:
                raise BadOfferError("a snapshot of another network")
            if header.height > self._above:
                read_depths(message.depths)
                source.told = header, message.proof, message.depths
                self._judge(peer, source, now)
        except (RemoteProtocolError, CodecError) as error:
            return self._refuse(peer, error)
        return []

    def on_links(self, peer: PeerId, message: Links, now: int) -> list[RestoreEffect]:
        """A peer leads from epoch to epoch."""
        source = self._asked(peer, _LINKS)
        if source is None:
            return []
        before = self._trail.epoch
        try:
            self._trail.follow(message.links, now)
        except (RemoteProtocolError, CodecError) as error:
            return self._refuse(peer, error)
        source.links += self._trail.epoch - before
        source.links_us += max(now - source.asked_us, 1)
        is_useless = self._trail.epoch == before == source.asked_epoch
        if is_useless and source.told is not None and source.told[0].epoch > before:
            self._leave(peer)  # it began with a snapshot itself, perhaps, and knows of no earlier epoch
        if self._trail.epoch > before:
            self._moved_us = now
        effects: list[RestoreEffect] = []
        for other, each in list(self._sources.items()):
            try:
                self._judge(other, each, now)
            except BadOfferError as error:
                effects += self._refuse(other, error)
        return effects

    def on_chunk(self, peer: PeerId, message: Chunk, now: int) -> list[RestoreEffect]:
        """A peer sends a chunk."""
        source = self._asked(peer, message.index)
        chosen = self._chosen
        if source is None or chosen is None or source.offer is not chosen or message.height != chosen.header.height:
            return []
        if not message.data:
            self._leave(peer)  # it has a newer snapshot
            return []
        place = chosen.places[message.index]
        if place in self._done:
            return []
        try:
            pairs = read_chunk(message.data, chosen.header.state_root, place)
        except (RemoteProtocolError, CodecError) as error:
            return self._refuse(peer, error)
        self._done[place] = pairs
        self._bytes += sum(len(key) + len(value) for key, value in pairs)
        self._moved_us = now
        if self._bytes > self._parameters.state_bytes_max:
            return [self._end(f"the state has more than {self._parameters.state_bytes_max} bytes")]
        return self._finish(chosen) if len(self._done) >= len(chosen.places) else self._tell(chosen, now)

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return None if self.is_over else self._deadline

    def on_deadline(self, now: int) -> list[RestoreEffect]:
        """Give up stalled requests, choose an offer, ask for what is missing."""
        if self.is_over:
            return []
        effects: list[RestoreEffect] = []
        for peer, source in list(self._sources.items()):
            if any(until_us <= now for until_us in source.waits.values()):
                self._leave(peer)
                effects.append(Blame(peer, Fault.STALLED))
        if now - self._moved_us >= self._parameters.patience_us or self._is_hopeless(now):
            return [*effects, self._end("no peer gives what a snapshot needs")]
        self._choose(now)
        for peer, source in self._sources.items():
            self._ask_for_offer(peer, source, effects, now)
        self._ask_for_links(effects, now)
        if self._chosen is not None:
            effects += self._ask_for_chunks(self._chosen, now)
        waits = [until_us for source in self._sources.values() for until_us in source.waits.values()]
        hopeless_us = self._began_us + self._parameters.hopeless_us
        waits += [hopeless_us] if hopeless_us > now else []
        waits += [source.again_us for source in self._sources.values() if source.again_us is not None]
        self._deadline = earliest(*waits, self._gather_until, self._moved_us + self._parameters.patience_us)
        return effects

    def _is_hopeless(self, now: int) -> bool:
        """Tell whether every peer that is left has said that it has nothing, and others had time to come."""
        has_hope = any(
            not source.has_answered or source.told or source.offer or source.again_us is not None
            for source in self._sources.values()
        )
        return not has_hope and now - self._began_us >= self._parameters.hopeless_us

    # --- offers ---

    def _ask_for_offer(self, peer: PeerId, source: Source, effects: list[RestoreEffect], now: int) -> None:
        if source.again_us is not None and source.again_us <= now:
            source.again_us, source.has_answered = None, False
        if not source.has_answered and None not in source.waits:
            source.waits[None] = now + self._parameters.timeout_us
            effects.append(Ask(peer, GetSnapshot()))

    def _ask_for_links(self, effects: list[RestoreEffect], now: int) -> None:
        epoch = self._trail.epoch
        room = _LINKS_ASKED_MAX - sum(_LINKS in each.waits for each in self._sources.values())
        waiting = [
            (peer, source)
            for peer, source in self._sources.items()
            if source.told is not None and source.told[0].epoch > epoch and _LINKS not in source.waits
        ]
        waiting.sort(key=lambda item: item[1].links_per_s, reverse=True)
        for peer, source in waiting[: max(room, 0)]:
            source.waits[_LINKS] = now + self._parameters.timeout_us
            source.asked_epoch, source.asked_us = epoch, now
            effects.append(Ask(peer, GetLinks(epoch)))

    def _judge(self, peer: PeerId, source: Source, now: int) -> None:
        """Take a peer's offer for good or for a lie, once the validators of its epoch are known."""
        told = source.told
        if told is None or told[0].epoch > self._trail.epoch:
            return
        source.told = None
        header, proof, depths = told
        if not self._trail.believes(header.epoch, now):
            source.again_us = now + self._parameters.again_us
            self._deadline = _AT_ONCE
            return
        if not self._trail.is_final(header, proof, now):
            raise BadOfferError("a snapshot whose block is not shown to be the last one of an epoch, and final")
        name = bytes(header.hash), depths
        offer = self._offers.get(name)
        if offer is None:
            offer = self._offers[name] = Offer(header, proof, read_depths(depths))
        offer.peers[peer] = None
        source.offer = offer
        self._moved_us = now
        if self._gather_until is None and self._chosen is None:
            self._gather_until = now + self._parameters.gather_us
        self._deadline = _AT_ONCE

    def _choose(self, now: int) -> None:
        """Choose the offer of most peers; the highest of equals."""
        if self._chosen is not None and self._chosen.peers:
            return
        self._chosen = None
        usable = [offer for offer in self._offers.values() if offer.peers]
        is_complete = all(source.has_answered and source.told is None for source in self._sources.values())
        if not usable or not (is_complete or (self._gather_until is not None and self._gather_until <= now)):
            return
        self._gather_until = None
        self._chosen = max(usable, key=lambda offer: (len(offer.peers), offer.header.height))
        root, places = self._chosen.header.state_root, dict.fromkeys(self._chosen.places)
        kept = self._done if self._done_root == root else {}
        self._done = {place: pairs for place, pairs in kept.items() if place in places}
        self._done_root = root
        self._bytes = sum(len(key) + len(value) for pairs in self._done.values() for key, value in pairs)

    # --- chunks ---

    def _ask_for_chunks(self, chosen: Offer, now: int) -> list[RestoreEffect]:
        asked = {
            index
            for peer in chosen.peers
            for index in self._sources[peer].waits
            if index is not None and index != _LINKS
        }
        missing = (i for i, place in enumerate(chosen.places) if place not in self._done and i not in asked)
        peers = list(chosen.peers)
        self._rng.shuffle(peers)
        effects: list[RestoreEffect] = []
        for _ in range(self._parameters.requests_per_peer_max):
            for peer in peers:
                waits = self._sources[peer].waits
                if len(waits) >= self._parameters.requests_per_peer_max:
                    continue
                index = next(missing, None)
                if index is None:
                    return effects
                waits[index] = now + self._parameters.timeout_us
                effects.append(Ask(peer, GetChunk(chosen.header.height, index)))
        return effects

    def _tell(self, chosen: Offer, now: int) -> list[RestoreEffect]:
        self._deadline = _AT_ONCE
        if now - self._told_us < self._parameters.progress_us:
            return []
        self._told_us = now
        done, total = len(self._done), len(chosen.places)
        return [Progress(chosen.header.height, done, total, (now - self._began_us) * (total - done) // done)]

    def _finish(self, chosen: Offer) -> list[RestoreEffect]:
        state = {key: value for place in chosen.places for key, value in self._done[place]}
        self._clear()
        return [Restored(chosen.header, chosen.proof, state)]

    # --- peers ---

    def _asked(self, peer: PeerId, what: int | None) -> Source | None:
        """Return the peer if it was asked for this; its answer has come."""
        source = self._sources.get(peer)
        if source is None or source.waits.pop(what, None) is None:
            return None
        self._deadline = _AT_ONCE
        return source

    def _refuse(self, peer: PeerId, error: P2PError) -> list[RestoreEffect]:
        """Ask a peer no more whose answer does not hold; whether that is its fault depends on what this node trusts."""
        self._leave(peer)
        if not self._trail.is_doubtful:
            return [Blame(peer, error.code)]
        self._disagreeing += 1
        return []

    def _leave(self, peer: PeerId) -> None:
        """Ask a peer no more in this attempt."""
        self._drop(peer)
        self._refused[peer] = None

    def _drop(self, peer: PeerId) -> None:
        source = self._sources.pop(peer, None)
        if source is not None and source.offer is not None:
            source.offer.peers.pop(peer, None)
        self._deadline = _AT_ONCE

    def _end(self, reason: str) -> GaveUp | Broken:
        """End the attempt without a state."""
        # Who merely has nothing may still have the blocks, which are compared with the checkpoint as well.
        is_alone = not self._sources and self._disagreeing == len(self._refused)
        self._clear()
        if not self._disagreeing or not is_alone or not self._trail.is_doubtful:
            return GaveUp(reason)
        return Broken(
            f"none of {self._disagreeing} peers has a chain that agrees with the checkpoint of epoch "
            f"{self._trail.epoch}: compare it with operators whom you trust, and name a good one, or other peers"
        )

    def _clear(self) -> None:
        self.is_over = True
        self._done, self._offers = {}, {}
        self._sources.clear()
