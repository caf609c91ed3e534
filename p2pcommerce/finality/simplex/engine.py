"""The Simplex engine: the seam's methods over the rooms of this folder.

Source: Chan & Pass, Simplex Consensus (ePrint 2023/463), weighted by stake; rules 1 to 11 of the finality
specification, and its epochs. Deviations: proofs of blocks more than 256 headers below the F certificate are empty.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from p2pcommerce.finality.engine import Context, Effect, EngineStatus, Persist, Sets
from p2pcommerce.finality.evidence import convict
from p2pcommerce.finality.proof import decode_proof, verify_proof
from p2pcommerce.finality.simplex.compaction import rewritten
from p2pcommerce.finality.simplex.crossing import Crossing
from p2pcommerce.finality.simplex.inbox import Inbox, Randomness
from p2pcommerce.finality.simplex.journal import epoch_record
from p2pcommerce.finality.simplex.messages import is_carrier, read_seal, vrf_input
from p2pcommerce.finality.simplex.misjustified import convict_misjustified
from p2pcommerce.finality.simplex.recovery import Recovery
from p2pcommerce.finality.simplex.replica import Replica
from p2pcommerce.finality.simplex.resend import Resender
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import may_sign, slot
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.epochs import boundary_of
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, Epoch, Height, PeerId, PublicKey

__all__ = ["NotStartedError", "Simplex"]


_OUTPUTS_MAX: Final = 256
"""Random outputs that are remembered: of the blocks that are not final yet, and some more."""


class NotStartedError(LocalProtocolError):
    """An engine was given an input before `start`."""

    code = "NOT_STARTED"


class Simplex:
    """Final in three message delays, a block every two; safe while less than a third of the stake is faulty."""

    name: Final = "simplex"
    follows_epochs: Final = True

    def __init__(self, scheme: SignatureScheme = ED25519) -> None:
        """Make an engine that has not started; `scheme` serves `verify` and `convict` until then."""
        self._scheme = scheme
        self._parts: _Parts | None = None
        self._outputs: OrderedDict[tuple[bytes, bytes, bytes], bytes] = OrderedDict()

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
        self._parts = parts = _Parts(State(context, now), Crossing(), self.randomness)
        parts.recovery.start(records, blocks, now)
        return parts.finish(now)

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take an engine message from a peer: untrusted."""
        parts = self._running
        parts.inbox.on_message(peer, data, now)
        return parts.finish(now)

    def on_epoch(
        self, epoch: Epoch, validators: ValidatorSet, following: ValidatorSet, seed: bytes, now: int
    ) -> list[Effect]:
        """The last block of the epoch before is delivered: begin this one on it."""
        old = self._running
        delivered = old.state.tree.delivered
        if delivered.height + old.state.context.parameters.epoch_blocks != boundary_of(
            epoch, old.state.context.parameters.epoch_blocks
        ):
            raise LocalProtocolError(f"epoch {epoch} begins on its boundary block, not on height {delivered.height}")
        context = replace(
            old.state.context,
            epoch=epoch,
            validators=validators,
            following=following,
            seed=seed,
            delivered=delivered,
            proof=old.state.ended_proof,
        )
        self._parts = parts = _Parts(State(context, now, old.state), old.crossing, self.randomness)
        parts.follow(old, now)
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
            parts.state.ended_proof = proof
            parts.state.counters["synced"] += 1
        if proof and not parts.state.is_over:
            certificate = decode_proof(proof).certificate
            if certificate.epoch == parts.state.context.epoch:
                parts.replica.adopt(certificate, now)
        parts.replica.see_pending(now)
        return parts.finish(now)

    def verify(self, header: Header, proof: bytes, sets: Sets) -> bool:
        """Tell whether `proof` shows that `header` is final; once started, on this network only."""
        if self._parts is not None and header.genesis_hash != self._parts.state.context.genesis_hash:
            return False
        # A carrier has the height of the block that it carries, and is none of the chain's.
        return not is_carrier(header) and verify_proof(header, proof, sets, self._scheme)

    def randomness(self, proposer: PublicKey, seal: bytes, seed: bytes) -> bytes | None:
        """Return the random output (64 bytes) in a seal, None if it is not the proposer's for its view."""
        key = bytes(proposer), seal, seed
        output = self._outputs.get(key)
        if output is None:
            try:
                fields = read_seal(seal)
            except CodecError:
                return None
            output = self._scheme.vrf_verify(proposer, vrf_input(seed, fields.view), fields.vrf)
            if output is not None:
                # A block is judged when it is proposed, and executed later: the output is worked out once.
                self._outputs[key] = output
                if len(self._outputs) > _OUTPUTS_MAX:
                    self._outputs.popitem(last=False)
        return output

    def convict(self, evidence: bytes, sets: Sets) -> Offence | None:
        """Return the offence (E1 to E6) that evidence proves; None before `start`, when the network is not known."""
        if self._parts is None:
            return None
        genesis_hash = self._parts.state.context.genesis_hash
        found = convict(evidence, sets, genesis_hash, self._scheme)
        return found or convict_misjustified(evidence, sets, genesis_hash, self._scheme)

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
    """The rooms of a running engine: those of one epoch, and the crossing from epoch to epoch."""

    def __init__(self, state: State, crossing: Crossing, randomness: Randomness) -> None:
        self.state = state
        self.crossing = crossing
        self.resender = Resender(state)
        self.replica = Replica(state, self.resender)
        self.recovery = Recovery(state, self.replica, self.resender, crossing)
        self.inbox = Inbox(state, self.replica, self.resender, self.recovery, crossing, randomness)
        self._logged = 0
        self._deadline: int | None = None
        self._is_planned = False

    def follow(self, old: _Parts, now: int) -> None:
        """Begin the epoch after the one of `old`, then take whatever came early."""
        state = self.state
        state.counters["epochs"] += 1
        state.out.append(Persist(epoch_record(state.context.epoch, state.context.validators.hash)))
        self.crossing.begin(old.state, state, old.resender.finalized(), now)
        self.recovery.go_on(old.recovery, now)
        self._logged = old._logged
        for peer, data in self.crossing.take_early():
            self.inbox.on_message(peer, data, now)

    @property
    def deadline(self) -> int | None:
        # Asked for far more often than an input comes, and only `finish`, the end of every input, changes it.
        if not self._is_planned:
            rooms = () if self.state.is_over else (self.replica.deadline, self.resender.deadline)
            self._deadline = earliest(self.crossing.deadline, *rooms)
            self._is_planned = True
        return self._deadline

    def finish(self, now: int) -> list[Effect]:
        """Run the rules and hand over the effects."""
        self._is_planned = False
        self.replica.step(now)
        state = self.state
        self.crossing.step(state, now)
        if not state.out:
            return []
        self._logged += sum(1 for effect in state.out if isinstance(effect, Persist))
        if self._logged >= state.parameters.rewrite_records:
            self._logged = 0
            state.out.append(rewritten(state, self.replica.unsigned, self.crossing))
        effects = list(state.out)
        state.out.clear()
        return effects
