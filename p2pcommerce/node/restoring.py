"""Decides whether this node catches up by a snapshot, and leads from what it trusts to the snapshot's validators.

What it trusts is its own final head, or a checkpoint that its operator named if that is newer. An attempt begins when
peers claim to be far ahead; while it lasts no blocks are fetched. It ends with a whole state, or with blocks.

Source: catching up and weak subjectivity in the finality specification.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import is_boundary
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.epoch_links import EpochLink, decode_link
from p2pcommerce.node.light import ConflictError, LightClient, NotFinalError, TrustExpiredError, trust_s_of
from p2pcommerce.node.subjectivity import Subjectivity
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.sync import Broken, GaveUp, Restore, Restored, RestoreEffect, RestoreMode, RestoreParameters
from p2pcommerce.wire.messages import Chunk, Links, Snapshot

__all__ = ["Restoring"]

_SETTLE_US: Final = MICROSECONDS
"""After the first peer that is far ahead so long is waited for others."""


class _Trail:
    """The light client of an attempt, and the links that it followed."""

    def __init__(self, client: LightClient, *, is_named: bool = False, epoch_blocks: int = 1) -> None:
        """Begin with a client's anchor; `is_named`: an operator named it, no block of this node's own shows it."""
        self.links: list[EpochLink] = []
        self.is_doubtful = is_named
        self._client = client
        self._epoch_blocks = epoch_blocks

    @property
    def epoch(self) -> int:
        return self._client.epoch

    def follow(self, links: Sequence[bytes], now: int) -> None:
        for link in map(decode_link, links):
            if self._client.follow([link], now):
                self.links.append(link)
                self.is_doubtful = False

    def believes(self, epoch: int, now: int) -> bool:
        return self._client.believes(epoch, now)

    def is_final(self, header: Header, proof: bytes, now: int) -> bool:
        if not is_boundary(header.height, self._epoch_blocks):
            return False  # the engine begins with an epoch, not within one
        try:
            self._client.verify_header(header, proof, now)
        except NotFinalError:
            return False
        self.is_doubtful = False
        return True


class Restoring:
    """Whether, and how far, this node restores a state.

    Attributes:
        counters: attempts and what became of them.
    """

    def __init__(
        self,
        parameters: RestoreParameters,
        chain: Chain,
        genesis: Genesis,
        engine: FinalityEngine,
        scheme: SignatureScheme,
        rng: random.Random,
        subjectivity: Subjectivity,
    ) -> None:
        """Prepare; `subjectivity` knows what is trusted."""
        self.counters = {"restores_begun": 0, "restores_done": 0, "restores_given_up": 0}
        self._parameters = parameters
        self._chain = chain
        self._genesis = genesis
        self._engine = engine
        self._scheme = scheme
        self._rng = rng
        self._subjectivity = subjectivity
        self._claims: dict[PeerId, int] = {}
        self._attempt: Restore | None = None
        self._trail: _Trail | None = None
        self._begin_us: int | None = None
        self._is_settled = parameters.mode is RestoreMode.FULL or not chain.rules.follows

    @property
    def is_active(self) -> bool:
        """Whether a snapshot is being fetched: no blocks are to be.

        With AUTO this is so once one can be had, for what peers claim is not believed; with SNAPSHOT from the first.
        """
        if self._parameters.mode is RestoreMode.SNAPSHOT:
            return self._begin_us is not None or self._attempt is not None
        return self._attempt is not None and self._attempt.has_offer

    @property
    def links(self) -> tuple[EpochLink, ...]:
        """The links that the last attempt followed."""
        return () if self._trail is None else tuple(self._trail.links)

    # --- peers ---

    def on_disconnected(self, peer: PeerId) -> None:
        """A peer left."""
        self._claims.pop(peer, None)
        if self._attempt is not None:
            self._attempt.on_disconnected(peer)

    def on_status(self, peer: PeerId, height: int, now: int) -> None:
        """A peer says how high it is: it is asked if it is far ahead, and believed nothing."""
        if self._is_settled:
            return
        self._claims[peer] = height
        if not self._is_far(height):
            return
        if self._attempt is not None:
            self._attempt.on_connected(peer)
        elif self._begin_us is None:
            self._begin_us = now + _SETTLE_US

    def _is_far(self, height: int) -> bool:
        gap, blocks = height - self._chain.head.height, self._chain.rules.blocks
        if self._parameters.mode is RestoreMode.SNAPSHOT:
            return gap > blocks
        return gap > max(self._parameters.gap_blocks, blocks)

    # --- answers ---

    def on_snapshot(self, peer: PeerId, message: Snapshot, now: int) -> list[RestoreEffect]:
        """A peer says which snapshot it has."""
        return self._go_on(lambda attempt: attempt.on_snapshot(peer, message, now))

    def on_links(self, peer: PeerId, message: Links, now: int) -> list[RestoreEffect]:
        """A peer leads from epoch to epoch."""
        return self._go_on(lambda attempt: attempt.on_links(peer, message, now))

    def on_chunk(self, peer: PeerId, message: Chunk, now: int) -> list[RestoreEffect]:
        """A peer sends a chunk."""
        return self._go_on(lambda attempt: attempt.on_chunk(peer, message, now))

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return earliest(self._begin_us, None if self._attempt is None else self._attempt.deadline)

    def on_deadline(self, now: int) -> list[RestoreEffect]:
        """Begin an attempt that is due, or go on with one."""
        if self._begin_us is not None and self._begin_us <= now:
            self._begin_us = None
            gave_up = self._begin(now)
            if gave_up is not None:
                return self._see([gave_up])
        due = None if self._attempt is None else self._attempt.deadline
        return [] if due is None or due > now else self._go_on(lambda attempt: attempt.on_deadline(now))

    def _begin(self, now: int) -> GaveUp | None:
        anchor = self._subjectivity.anchor()
        blocks, trust_s = self._chain.rules.blocks, trust_s_of(self._genesis)
        own = replace(anchor, epoch_blocks=blocks)  # the chain knows it
        client = LightClient(own, engine=self._engine, scheme=self._scheme, trust_s=trust_s)
        try:
            client.check_age(now)
        except TrustExpiredError as error:
            return GaveUp(f"{error}, and name its file as `checkpoint` in the configuration")
        self.counters["restores_begun"] += 1
        is_named = anchor is self._subjectivity.checkpoint
        self._trail = _Trail(client, is_named=is_named, epoch_blocks=blocks)
        head = self._chain.head
        self._attempt = Restore(self._parameters, self._trail, head.genesis_hash, head.height, self._rng, now)
        for peer, height in self._claims.items():
            if self._is_far(height):
                self._attempt.on_connected(peer)
        return None

    def _go_on(self, step: Callable[[Restore], list[RestoreEffect]]) -> list[RestoreEffect]:
        """Take a step of the attempt, if there is one."""
        if self._attempt is None:
            return []
        try:
            return self._see(step(self._attempt))
        except TrustExpiredError as error:
            self._attempt = None
            return self._see([GaveUp(str(error))])
        except ConflictError as error:
            self._attempt = None
            return [Broken(str(error))]

    def _see(self, effects: list[RestoreEffect]) -> list[RestoreEffect]:
        """Note the end of an attempt."""
        if self._attempt is not None and self._attempt.is_over:
            self._attempt = None
        for effect in effects:
            if isinstance(effect, GaveUp):
                self.counters["restores_given_up"] += 1
                self._is_settled = True  # by blocks from now on; a restart may try again
            elif isinstance(effect, Restored):
                self.counters["restores_done"] += 1
        return effects
