"""Solo: one node, for development. A block is final as soon as it is built; its certificate is the node's signature.

It keeps the block interval and the heartbeat, logs before it signs, and comes back to a block that it may have signed,
so that the other rooms meet the same order of effects as with a real engine. It is no protocol: there are no messages.
The view of a ballot is the block's height.

Source: the finality specification (`solo`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from p2pcommerce.finality.certificates import Vote, make_certificate
from p2pcommerce.finality.engine import (
    Build,
    Context,
    Effect,
    EngineStatus,
    Finalized,
    Forget,
    Halt,
    Persist,
    PersistBlock,
    Rewrite,
    Sets,
    Sign,
    Validate,
)
from p2pcommerce.finality.evidence import convict
from p2pcommerce.finality.proof import encode_proof, verify_proof
from p2pcommerce.finality.shell import EngineShell, NotStartedError
from p2pcommerce.finality.signer import SECOND
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, BallotError, VoteKind, may_sign, read_ballot, slot
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError, UsageError
from p2pcommerce.primitives.ids import BlockHash, Epoch, GenesisHash, Height, PeerId

__all__ = ["Solo", "SoloError"]

_REWRITE_RECORDS: Final = 2_000
_US_PER_MS: Final = 1_000
_RESTORE: Final = "restore the folder from this node's own disk, or found the network anew"


class SoloError(UsageError):
    """A network with more than one validator, or a log of another engine."""

    code = "SOLO"


@dataclass(slots=True)
class _Running:
    """What a started engine knows.

    Attributes:
        context: what it was started with.
        delivered: header of the last delivered block.
        rested_at: when the last block was delivered, or the engine started, microseconds.
        pending_at: when a waiting transaction was seen, None if none waits.
        request: number of the last question.
        is_building: whether a block was asked for.
        header: of the block that is being executed or signed.
        ballot: that is being signed.
        halted: why it signs nothing any more.
        logged: records since the log was rewritten.
    """

    context: Context
    delivered: Header
    rested_at: int
    pending_at: int | None = None
    request: int = 0
    is_building: bool = False
    header: Header | None = None
    ballot: Ballot | None = None
    halted: str | None = None
    logged: int = 0

    @property
    def is_validator(self) -> bool:
        return self.context.key is not None and self.context.key in self.context.validators


class Solo(EngineShell):
    """One validator that agrees with itself."""

    name: ClassVar[str] = "solo"

    def __init__(self, scheme: SignatureScheme = ED25519) -> None:
        """Make an engine that has not started; until then `scheme` verifies."""
        super().__init__(scheme)
        self._state: _Running | None = None
        self._counters: Counter[str] = Counter()

    @property
    def _running(self) -> _Running:
        if self._state is None:
            raise NotStartedError("the engine was given an input before it was started")
        return self._state

    @property
    def deadline(self) -> int | None:
        """When the next block is due, microseconds."""
        state = self._state
        if state is None or not state.is_validator or state.is_building or state.header or state.halted:
            return None
        parameters = state.context.parameters
        due = earliest(state.pending_at, state.rested_at + parameters.heartbeat_ms * _US_PER_MS)
        interval_us = parameters.block_interval_ms * _US_PER_MS
        earliest_us = min(state.delivered.time_ms * _US_PER_MS, state.rested_at) + interval_us
        return None if due is None else max(due, earliest_us)

    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin, or come back to a block that was logged and perhaps signed.

        Raises:
            SoloError: more than one validator, or records of another engine.
        """
        if len(context.validators) != 1:
            raise SoloError(f"solo runs one validator, the genesis names {len(context.validators)}: use simplex")
        self._begin(context)
        self._state = state = _Running(context, context.delivered, now)
        try:
            ballots = [read_ballot(record) for record in [*context.signed.values(), *records]]
        except BallotError as error:
            raise SoloError(f"finality log: {error}; it belongs to another engine, use an empty folder") from error
        newest = max(ballots, key=lambda ballot: ballot.view, default=None)
        effects: list[Effect] = []
        if newest is not None and newest.view > context.delivered.height:
            state.header = blocks.get(BlockHash(newest.hash))
            if state.header is None or state.header.height != context.delivered.height + 1:
                return [
                    self._halt(f"a block of height {newest.view} was signed, but the log does not hold it; {_RESTORE}")
                ]
            effects.append(Validate(state.header.hash))
        return effects + self.on_pending(now)

    def _halt(self, reason: str) -> Halt:
        self._running.halted = reason
        return Halt(reason)

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Count and drop: there are no messages."""
        self._counters["refused_unexpected"] += 1
        return []

    def on_deadline(self, now: int) -> list[Effect]:
        """Ask for a block when one is due."""
        state, due = self._running, self.deadline
        if due is None or now < due:
            return []
        state.is_building = True
        state.request += 1
        time_ms = max(now // _US_PER_MS, state.delivered.time_ms + state.context.parameters.block_interval_ms)
        return [Build(state.request, state.delivered.hash, Epoch(state.context.epoch), b"", time_ms)]

    @override
    def on_pending(self, now: int) -> list[Effect]:
        """Transactions are waiting."""
        state = self._running
        if state.pending_at is None and state.context.has_pending(state.delivered.hash):
            state.pending_at = now
        return self.on_deadline(now)

    def on_built(self, request: int, block: Block | None, now: int) -> list[Effect]:
        """Log the block and the ballot, and sign."""
        state = self._running
        if not state.is_building or request != state.request:
            return []
        state.is_building = False
        if block is None:
            self._counters["builds_failed"] += 1
            state.rested_at, state.pending_at = now, None
            return []
        self._counters["proposals"] += 1
        state.header = block.header
        return [PersistBlock(block.hash), *self._sign()]

    def on_validated(self, block_hash: BlockHash, valid: bool, now: int) -> list[Effect]:  # noqa: FBT001 - seam
        """A block of the log is executed again: sign it, it may have been signed before."""
        state = self._running
        if state.header is None or state.header.hash != block_hash or state.ballot is not None:
            return []
        return (
            self._sign()
            if valid
            else [self._halt(f"the block in the log, which may be signed, is invalid here; {_RESTORE}")]
        )

    def _sign(self) -> list[Effect]:
        state = self._running
        if state.header is None:
            raise LocalProtocolError("there is no block to sign")
        state.ballot = Ballot(state.context.epoch, state.header.height, VoteKind.FINALIZE, state.header.hash)
        state.request += 1
        state.logged += 1
        data = state.ballot.data
        return [Persist(data), Sign(state.request, VOTE_DOMAIN, data)]

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """The block is final."""
        state = self._running
        if state.header is None or state.ballot is None or request != state.request:
            raise LocalProtocolError(f"a signature for request {request}, which is not open")
        if signature is None:
            return [
                self._halt(
                    f"the signing guard refuses the next block: another instance has signed with this key; {SECOND}"
                )
            ]
        header, ballot = state.header, state.ballot
        proof = encode_proof(make_certificate([Vote(ballot, 0, signature)], state.context.validators), ())
        self._settle(header, now)
        effects: list[Effect] = [Finalized(header.hash, proof), Forget(Height(header.height))]
        if state.logged >= _REWRITE_RECORDS:
            state.logged = 0
            effects.append(Rewrite((ballot.data,), ()))
        return effects + self.on_pending(now)

    def _settle(self, header: Header, now: int) -> None:
        state = self._running
        state.delivered, state.header, state.ballot = header, None, None
        state.rested_at, state.pending_at = now, None
        self._counters["delivered"] += 1

    def on_synced(self, header: Header, proof: bytes, now: int) -> list[Effect]:
        """A follower caught up."""
        if header.height > self._running.delivered.height:
            self._settle(header, now)
        return []

    @override
    def _shows(self, header: Header, proof: bytes, sets: Sets) -> bool:
        return verify_proof(header, proof, sets, self._scheme)

    @override
    def _judge(self, evidence: bytes, sets: Sets, genesis_hash: GenesisHash) -> Offence | None:
        return convict(evidence, sets, genesis_hash, self._scheme)

    def may_sign(self, last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
        """Tell whether signing `data` contradicts nothing signed before."""
        return may_sign(last, kind, data)

    def slot(self, kind: str, data: bytes) -> str:
        """Return the guard's name for the last message of this kind."""
        return slot(kind, data)

    def status(self) -> EngineStatus:
        """Return where it stands."""
        state = self._running
        counters = dict(sorted(self._counters.items())) | {"halted": int(state.halted is not None)}
        return EngineStatus(
            name=self.name,
            epoch=Epoch(state.context.epoch),
            view=state.delivered.height + 1,
            leader=state.context.validators.validators[0].public_key,
            delivered=Height(state.delivered.height),
            counters=counters,
        )
