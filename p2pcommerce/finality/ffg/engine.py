"""The FFG engine: the seam's methods over the rooms of this folder.

Blocks come slot by slot and form a longest chain; every eighth is a checkpoint, and votes on links between checkpoints
make it final some 13 to 21 blocks after it was made. A head exists, and is announced, long before it is final.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437); the finality specification (FFG).
Deviations: a block is believed only with its leader's signature or under a quorum's vote, so that nobody outgrows the
chain with blocks of slots that were missed; an own target is never voted for twice and the root never goes down, which
with the higher justified checkpoint first is all that is done against bouncing; leaders leave slots out when more than
128 blocks are not final. One epoch: changing validator sets need forward and rear sets, and are not claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from p2pcommerce.finality.engine import Context, Effect, EngineStatus, Persist, Sets
from p2pcommerce.finality.ffg.evidence import convict
from p2pcommerce.finality.ffg.inbox import Inbox
from p2pcommerce.finality.ffg.proof import verify_proof
from p2pcommerce.finality.ffg.recovery import Recovery
from p2pcommerce.finality.ffg.replica import Replica
from p2pcommerce.finality.ffg.resend import Resender
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import may_sign, slot
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, Epoch, Height, PeerId, PublicKey

__all__ = ["FFG"]


class FFG:
    """A chain of slots, made final by votes on every eighth block; safe below a third of faulty stake."""

    name: Final = "ffg"
    follows_epochs: Final = False

    def __init__(self, scheme: SignatureScheme = ED25519) -> None:
        """Make an engine that has not started; `scheme` serves `verify` and `convict` until then."""
        self._scheme = scheme
        self._parts: _Parts | None = None

    @property
    def _running(self) -> _Parts:
        if self._parts is None:
            raise LocalProtocolError("the engine was given an input before it was started")
        return self._parts

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return None if self._parts is None else self._parts.deadline

    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin from the write-ahead log; see `FinalityEngine.start`.

        Raises:
            FFGLogError: a record is malformed.
        """
        self._scheme = context.scheme
        self._parts = parts = _Parts(context, now)
        parts.recovery.start(records, blocks)
        return parts.finish(now)

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take an engine message from a peer: untrusted."""
        self._running.inbox.on_message(peer, data, now)
        return self._running.finish(now)

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        return self._running.finish(now)

    def on_pending(self, now: int) -> list[Effect]:
        """Transactions are waiting."""
        return self._running.finish(now)

    def on_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """A validator connected: tell it where this node stands."""
        self._running.resender.tell(peer, now)
        return self._running.finish(now)

    def on_block(self, header: Header, now: int) -> list[Effect]:
        """The node holds this block's complete body."""
        self._running.state.tree.on_block(header)
        return self._running.finish(now)

    def on_validated(self, block_hash: BlockHash, valid: bool, now: int) -> list[Effect]:  # noqa: FBT001 - an answer
        """The application's verdict on a block."""
        self._running.state.tree.on_validated(block_hash, valid=valid)
        return self._running.finish(now)

    def on_built(self, request: int, block: Block | None, now: int) -> list[Effect]:
        """A block that was asked for, executed; None: it cannot be built."""
        self._running.replica.on_built(request, block)
        return self._running.finish(now)

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """A signature (64 bytes) that was asked for; None: the guard refuses."""
        self._running.replica.on_signed(request, signature)
        return self._running.finish(now)

    def on_synced(self, header: Header, proof: bytes, now: int) -> list[Effect]:
        """A block became final by catching up; it and all below are delivered already."""
        parts = self._running
        if header.height > parts.state.tree.delivered.height:
            parts.state.tree.deliver(header)
            parts.state.counters["synced"] += 1
            parts.replica.settle()
        if proof:
            parts.recovery.take_proof(proof)
        return parts.finish(now)

    def on_epoch(
        self, epoch: Epoch, validators: ValidatorSet, following: ValidatorSet, seed: bytes, now: int
    ) -> list[Effect]:
        """Nothing: the genesis set decides for ever."""
        return []

    def randomness(self, proposer: PublicKey, seal: bytes, seed: bytes) -> bytes | None:
        """Nothing: leaders are drawn from the genesis hash for ever."""
        return None

    def verify(self, header: Header, proof: bytes, sets: Sets) -> bool:
        """Tell whether `proof` shows that `header` is final; once started, on this network only."""
        if self._parts is not None and header.genesis_hash != self._parts.state.context.genesis_hash:
            return False
        return verify_proof(header, proof, sets, self._scheme)

    def convict(self, evidence: bytes, sets: Sets) -> Offence | None:
        """Return the offence (F1, F2, E5) that evidence proves; None before `start`, when the network is not known."""
        if self._parts is None:
            return None
        return convict(evidence, sets, self._parts.state.context.genesis_hash, self._scheme)

    def may_sign(self, last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
        """Tell whether signing `data` contradicts nothing signed before."""
        return may_sign(last, kind, data)

    def slot(self, kind: str, data: bytes) -> str:
        """Return the guard's name for the last message of this kind."""
        return slot(kind, data)

    def status(self) -> EngineStatus:
        """Return where it stands; `halted` among the counters is 1 once it signs nothing any more."""
        state = self._running.state
        head = state.head or state.tree.delivered
        counters = dict(sorted(state.counters.items()))
        counters |= {
            "head_height": head.height,
            "justified_height": state.gadget.root.height,
            "halted": int(state.signer.halted is not None),
            "recovering": int(state.signer.index is not None and not state.signer.ready),
            "signatures_verified": state.verifier.checked,
            "blocks_tracked": len(state.tree),
            "links_held": len(state.gadget),
            "votes_held": len(state.pool),
        }
        return EngineStatus(
            name=self.name,
            epoch=Epoch(state.context.epoch),
            view=state.slot,
            leader=state.leader(state.slot),
            delivered=Height(state.tree.delivered.height),
            counters=counters,
        )

    @override
    def __repr__(self) -> str:
        return "FFG()"


class _Parts:
    """The rooms of a running engine."""

    def __init__(self, context: Context, now: int) -> None:
        self.state = State(context, now)
        self.resender = Resender(self.state)
        self.replica = Replica(self.state, now)
        self.recovery = Recovery(self.state, self.replica, self.resender)
        self.inbox = Inbox(self.state, self.replica, self.resender, self.recovery)
        self._logged = 0

    @property
    def deadline(self) -> int | None:
        return earliest(self.replica.deadline, self.resender.deadline)

    def finish(self, now: int) -> list[Effect]:
        """Run the rules and hand over the effects."""
        self.replica.step(now)
        self.resender.step(now)
        state = self.state
        self._logged += sum(1 for effect in state.out if isinstance(effect, Persist))
        if self._logged >= state.parameters.rewrite_records:
            self._logged = 0
            state.out.append(self.replica.rewritten())
        effects = list(state.out)
        state.out.clear()
        return effects
