"""The Simplex engine: the seam's methods over the rooms of this folder.

Source: Chan & Pass, Simplex Consensus (ePrint 2023/463), weighted by stake; rules 1 to 11 of the finality
specification. Deviations: epochs are scoped everywhere (in ballots, headers and messages), but only the epoch that
the engine was started with is run; changing sets, and with them the VRF in the seal, are not here. Proofs of blocks
more than 256 headers below the F certificate are empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from p2pcommerce.finality.engine import Context, Effect, EngineStatus, Persist, Sets
from p2pcommerce.finality.evidence import convict
from p2pcommerce.finality.proof import decode_proof, verify_proof
from p2pcommerce.finality.simplex.inbox import Inbox
from p2pcommerce.finality.simplex.recovery import Recovery
from p2pcommerce.finality.simplex.replica import Replica
from p2pcommerce.finality.simplex.resend import Resender
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import may_sign, slot
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, Epoch, Height, PeerId

__all__ = ["NotStartedError", "Simplex"]


class NotStartedError(LocalProtocolError):
    """An engine was given an input before `start`."""

    code = "NOT_STARTED"


class Simplex:
    """Final in three message delays, a block every two; safe while less than a third of the stake is faulty."""

    name: Final = "simplex"

    def __init__(self, scheme: SignatureScheme = ED25519) -> None:
        """Make an engine that has not started; `scheme` serves `verify` and `convict` until then."""
        self._scheme = scheme
        self._parts: _Parts | None = None

    @property
    def _running(self) -> _Parts:
        if self._parts is None:
            raise NotStartedError("the engine was given an input before it was started")
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
            LogError: a record is malformed.
        """
        self._scheme = context.scheme
        self._parts = parts = _Parts(context, now)
        parts.recovery.start(records, blocks, now)
        return parts.finish(now)

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take an engine message from a peer: untrusted."""
        parts = self._running
        parts.inbox.on_message(peer, data, now)
        return parts.finish(now)

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        return self._running.finish(now)

    def on_pending(self, now: int) -> list[Effect]:
        """Transactions are waiting."""
        self._running.replica.see_pending(now)
        return self._running.finish(now)

    def on_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """A validator connected: tell it where this node stands."""
        self._running.resender.greet(peer, now)
        return self._running.finish(now)

    def on_block(self, header: Header, now: int) -> list[Effect]:
        """The node holds this block's complete body."""
        self._running.state.tree.on_block(header)
        return self._running.finish(now)

    def on_validated(self, block_hash: BlockHash, valid: bool, now: int) -> list[Effect]:  # noqa: FBT001 - an answer
        """The application's verdict on a block."""
        parts = self._running
        parts.state.tree.on_validated(block_hash, valid=valid)
        parts.replica.see_pending(now)
        return parts.finish(now)

    def on_built(self, request: int, block: Block | None, now: int) -> list[Effect]:
        """A block that was asked for, executed; None: it cannot be built."""
        self._running.replica.on_built(request, block, now)
        return self._running.finish(now)

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """A signature (64 bytes) that was asked for; None: the guard refuses."""
        self._running.replica.on_signed(request, signature, now)
        return self._running.finish(now)

    def on_synced(self, header: Header, proof: bytes, now: int) -> list[Effect]:
        """A block became final by catching up; it and all below are delivered already."""
        parts = self._running
        if header.height > parts.state.tree.delivered.height:
            parts.state.tree.deliver(header)
            parts.state.counters["synced"] += 1
        if proof:
            certificate = decode_proof(proof).certificate
            if certificate.epoch == parts.state.context.epoch:
                parts.replica.adopt(certificate, now)
        parts.replica.see_pending(now)
        return parts.finish(now)

    def verify(self, header: Header, proof: bytes, sets: Sets) -> bool:
        """Tell whether `proof` shows that `header` is final; once started, on this network only."""
        if self._parts is not None and header.genesis_hash != self._parts.state.context.genesis_hash:
            return False
        return verify_proof(header, proof, sets, self._scheme)

    def convict(self, evidence: bytes, sets: Sets) -> Offence | None:
        """Return the offence (E1 to E5) that evidence proves; None before `start`, when the network is not known."""
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
        counters = dict(sorted(state.counters.items()))
        counters |= {
            "delay_us": state.pace.delay_us,
            "halted": int(state.signer.halted is not None),
            "recovering": int(state.signer.index is not None and not state.signer.ready),
            "signatures_verified": state.verifier.checked,
            "blocks_tracked": len(state.tree),
            "votes_held": len(state.pool),
        }
        return EngineStatus(
            name=self.name,
            epoch=Epoch(state.context.epoch),
            view=state.held.view,
            leader=state.leader(state.held.view),
            delivered=Height(state.tree.delivered.height),
            counters=counters,
        )

    @override
    def __repr__(self) -> str:
        return "Simplex()"


class _Parts:
    """The rooms of a running engine."""

    def __init__(self, context: Context, now: int) -> None:
        self.state = State(context, now)
        self.resender = Resender(self.state)
        self.replica = Replica(self.state, self.resender)
        self.recovery = Recovery(self.state, self.replica, self.resender)
        self.inbox = Inbox(self.state, self.replica, self.resender, self.recovery)
        self._logged = 0
        self._deadline: int | None = None
        self._is_planned = False

    @property
    def deadline(self) -> int | None:
        # Asked for far more often than an input comes, and only `finish`, the end of every input, changes it.
        if not self._is_planned:
            self._deadline = earliest(self.replica.deadline, self.resender.deadline)
            self._is_planned = True
        return self._deadline

    def finish(self, now: int) -> list[Effect]:
        """Run the rules and hand over the effects."""
        self._is_planned = False
        self.replica.step(now)
        state = self.state
        if not state.out:
            return []
        self._logged += sum(1 for effect in state.out if isinstance(effect, Persist))
        if self._logged >= state.parameters.rewrite_records:
            self._logged = 0
            state.out.append(self.replica.rewritten())
        effects = list(state.out)
        state.out.clear()
        return effects
