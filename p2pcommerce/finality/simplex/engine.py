"""The Simplex engine: the seam's methods over the rooms of this folder.

Source: Chan & Pass, Simplex Consensus (ePrint 2023/463), weighted by stake; rules 1 to 11 of the finality
specification, and its epochs. Deviations: proofs of blocks more than 256 headers below the F certificate are empty.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from p2pcommerce.finality.engine import Context, Effect, Persist, Rewrite, Sets
from p2pcommerce.finality.evidence import convict
from p2pcommerce.finality.proof import decode_proof, verify_proof
from p2pcommerce.finality.shell import RoomEngine, Rooms
from p2pcommerce.finality.simplex.compaction import rewritten
from p2pcommerce.finality.simplex.crossing import Crossing
from p2pcommerce.finality.simplex.hearsay import RELAYED_TAGS, Hearsay
from p2pcommerce.finality.simplex.inbox import Inbox, Randomness
from p2pcommerce.finality.simplex.journal import LOG
from p2pcommerce.finality.simplex.messages import is_carrier, read_seal, series_of, vrf_input
from p2pcommerce.finality.simplex.misjustified import convict_misjustified
from p2pcommerce.finality.simplex.recovery import Recovery
from p2pcommerce.finality.simplex.replica import Replica
from p2pcommerce.finality.simplex.resend import Resender
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import may_sign, slot
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import boundary_of
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, Verdict
from p2pcommerce.primitives.ids import BlockHash, Epoch, GenesisHash, PeerId, PublicKey

__all__ = ["Simplex"]

_OUTPUTS_MAX: Final = 256
"""Random outputs that are remembered: of the blocks that are not final yet, and some more."""


class _Rooms(Rooms):
    """The rooms of a running engine: those of one epoch, and the crossing from epoch to epoch."""

    def __init__(self, state: State, crossing: Crossing, randomness: Randomness) -> None:
        super().__init__(state, state.parameters.rewrite_records)
        self.state = state
        self.tree, self.signer = state.tree, state.signer
        self.crossing = crossing
        self.resender: Resender = Resender(state)
        self.replica: Replica = Replica(state, self.resender)
        self.recovery = Recovery(state, self.replica, crossing)
        self.inbox: Inbox = Inbox(state, self.replica, self.resender, self.recovery, crossing, randomness)
        self.hearsay = Hearsay(state, self.inbox, self.resender)
        self._deadline: int | None = None
        self._is_planned = False

    @property
    @override
    def view(self) -> int:
        return self.state.held.view

    def follow(self, old: _Rooms, now: int) -> None:
        """Begin the epoch after the one of `old`, then take whatever came early."""
        state = self.state
        state.counters["epochs"] += 1
        state.out.append(Persist(LOG.epoch(state.context.epoch, state.context.validators.hash)))
        self.crossing.begin(old.state, state, old.resender.finalized(), now)
        self.inbox.follow(old.inbox)
        # Catching up crosses epochs, too: what waits to stop the node is not left behind.
        self.replica.forks.inherit(old.replica.forks)
        self.recovery.go_on(old.recovery, now)
        self.logged = old.logged
        for peer, data in self.crossing.take_early():
            self.inbox.on_message(peer, data, now)

    @property
    @override
    def deadline(self) -> int | None:
        # Asked for far more often than an input comes, and only `step`, the end of every input, changes it.
        if not self._is_planned:
            rooms = () if self.state.is_over else (self.replica.deadline, self.resender.deadline)
            self._deadline = earliest(self.crossing.deadline, self.replica.forks.deadline, *rooms)
            self._is_planned = True
        return self._deadline

    @override
    def see_pending(self, now: int) -> None:
        self.replica.see_pending(now)

    @override
    def step(self, now: int) -> None:
        self._is_planned = False
        self.replica.step(now)
        self.crossing.step(self.state, now)

    @override
    def rewritten(self) -> Rewrite:
        return rewritten(self.state, self.replica.unsigned, self.crossing)

    @override
    def gauges(self) -> dict[str, int]:
        state = self.state
        return {
            "delay_us": state.pace.delay_us,
            "signatures_verified": state.verifier.checked,
            "votes_held": len(state.pool),
            "votes_heard": state.docket.votes,
        }


class Simplex(RoomEngine[_Rooms]):
    """Final in three message delays, a block every two; safe while less than a third of the stake is faulty."""

    name: ClassVar[str] = "simplex"
    follows_epochs: ClassVar[bool] = True
    is_relayed: ClassVar[bool] = True

    def __init__(self, scheme: SignatureScheme = ED25519) -> None:
        """Make an engine that has not started; until then `scheme` verifies."""
        super().__init__(scheme)
        self._outputs: OrderedDict[tuple[bytes, bytes, bytes], bytes] = OrderedDict()

    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin from the write-ahead log; see `FinalityEngine.start`.

        Raises:
            LogError: a record is malformed.
        """
        self._begin(context)
        self._rooms = rooms = _Rooms(State(context, now), Crossing(), self.randomness)
        rooms.recovery.start(records, blocks, now)
        return rooms.finish(now)

    @override
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
        self._rooms = rooms = _Rooms(State(context, now, old.state), old.crossing, self.randomness)
        rooms.follow(old, now)
        return rooms.finish(now)

    @override
    def relays(self, data: bytes) -> bool:
        """Tell whether a message may come by others than who made it."""
        return data[:1] in RELAYED_TAGS

    @override
    def series(self, data: bytes) -> tuple[bytes, int] | None:
        """Return what a vote says and its voter's index."""
        return series_of(data)

    @override
    def maker(self, data: bytes) -> PeerId | None:
        """Return who voted or proposed."""
        return self._running.hearsay.maker(data)

    @override
    def on_relayed(self, peer: PeerId, data: bytes, now: int) -> tuple[Verdict | None, list[Effect]]:
        """Take what a peer passes on, and say whether to pass it on."""
        rooms = self._running
        verdict = rooms.hearsay.take(peer, data, now)
        return verdict, rooms.finish(now)

    def on_synced(self, header: Header, proof: bytes, now: int) -> list[Effect]:
        """A block became final by catching up; it and all below are delivered already."""
        rooms = self._running
        passed = rooms.state.tree.final_view
        if header.height > rooms.state.tree.delivered.height:
            rooms.state.tree.deliver(header)
            rooms.state.ended_proof = proof
            rooms.state.counters["synced"] += 1
        if proof and not rooms.state.is_over:
            certificate = rooms.state.decided = decode_proof(proof).certificate
            if certificate.epoch == rooms.state.context.epoch:
                rooms.replica.adopt(certificate, now)
        if header.epoch == rooms.state.context.epoch:
            rooms.replica.forks.look_back(passed)
        rooms.replica.see_pending(now)
        return rooms.finish(now)

    @override
    def on_rival(self, proof: bytes, reason: str, now: int) -> list[Effect]:
        """Another chain is final by this verified proof: tell the others, and stop."""
        self._running.inbox.on_rival(decode_proof(proof).certificate, reason)
        return self._running.finish(now)

    @override
    def on_recalled(
        self, request: int, rows: Sequence[tuple[Header, bytes, bytes]], sets: Sets, now: int
    ) -> list[Effect]:
        """Stored blocks, against which a certificate of the past is compared."""
        rooms = self._running
        rooms.crossing.hindsight.on_recalled(rooms.state, rooms.replica.forks, request, rows, sets)
        return rooms.finish(now)

    @override
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

    @override
    def _shows(self, header: Header, proof: bytes, sets: Sets) -> bool:
        # A carrier has the height of the block that it carries, and is none of the chain's.
        return not is_carrier(header) and verify_proof(header, proof, sets, self._scheme)

    @override
    def _judge(self, evidence: bytes, sets: Sets, genesis_hash: GenesisHash) -> Offence | None:
        """Return the offence: E1 to E6."""
        found = convict(evidence, sets, genesis_hash, self._scheme)
        return found or convict_misjustified(evidence, sets, genesis_hash, self._scheme)

    def may_sign(self, last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
        """Tell whether signing `data` contradicts nothing signed before."""
        return may_sign(last, kind, data)

    def slot(self, kind: str, data: bytes) -> str:
        """Return the guard's name for the last message of this kind."""
        return slot(kind, data)
