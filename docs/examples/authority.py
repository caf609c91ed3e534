"""A finality engine in one file: authorities take turns, and the one whose turn it is makes the next block final.

The validator number `height modulo count` makes the block of a height and signs it; that signature is the whole proof.
What is signed is a ballot of the library, F of the block: what may not be signed after it, and which two convict their
signer, is then known already (`finality.voting`, `finality.evidence`).
Nobody waits for anybody else, and nothing is final without the authority of its height: one that is down stops the
chain until it is back, and one that signs two blocks of a height splits it. Fit for a network whose operators trust
each other, and small enough to read before writing an engine of your own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.engine import Context, Effect, EngineStatus, Sets
from p2pcommerce.finality.evidence import convict
from p2pcommerce.finality.shell import EngineShell
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind, may_sign, read_ballot, slot
from p2pcommerce.ledger.block import HEADER, HEADER_BYTES_MAX, Block, Header
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.primitives.codec import SIGNATURE, decode, encode, pair
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import BlockHash, GenesisHash, Height, PeerId, PublicKey

_SIGNED: Final = pair(HEADER, SIGNATURE)
_SIGNED_BYTES_MAX: Final = HEADER_BYTES_MAX + 128
_RECENT_MAX: Final = 16
_REWRITE: Final = 100


def ballot_of(header: Header) -> Ballot:
    """Return what the authority of a header signs: F, with the height as its view."""
    return Ballot(header.epoch, header.height, VoteKind.FINALIZE, header.hash)


class Authority(EngineShell):
    """Proof of authority, in turns."""

    name: ClassVar[str] = "authority"

    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin, or come back: a block that was logged may have been signed, so no other is made of its height."""
        self._begin(context)
        self._delivered = context.delivered
        self._counters: Counter[str] = Counter()
        # A node that fell before it told the others must still be able to: the proof is what it would have sent.
        self._recent: dict[int, bytes] = {context.delivered.height: context.proof} if context.proof else {}
        self._wanted: tuple[Header, bytes] | None = None  # the next block with its authority's signature
        self._own: Header | None = None  # the next block, of this authority, not signed yet
        self._building = self._signing = False
        self._request = 0
        self._retry_at = self._rested_at = now
        effects: list[Effect] = []
        for header in blocks.values():
            if header.height == self._delivered.height + 1 and ballot_of(header).data in records:
                self._own = header
                effects.append(seam.Validate(header.hash))  # what was voted for is executed again after a restart
        heights = [read_ballot(data).view for data in context.signed.values()]
        if self._own is None and max(heights, default=0) > self._delivered.height:
            self._building = True  # for ever: the guard knows of a block that the log has lost
            effects.append(seam.Halt("a block was signed that the log does not hold; restore the log of this node"))
        return effects + self._step(now)

    # --- time: what is due, and when ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return self._due() if self._started is not None and self._started.key is not None else None

    def _is_turn(self, height: int) -> bool:
        return self._of(height) == self._context.key

    def _of(self, height: int) -> PublicKey:
        validators = self._context.validators.validators
        return validators[height % len(validators)].public_key

    def _due(self) -> int | None:
        if not self._is_turn(self._delivered.height + 1):
            return self._retry_at
        if self._building or self._own is not None:
            return None
        parameters = self._context.parameters
        wait_ms = (
            parameters.block_interval_ms if self._context.has_pending(self._delivered.hash) else parameters.heartbeat_ms
        )
        return self._rested_at + wait_ms * 1_000

    def _step(self, now: int) -> list[Effect]:
        """Build if it is this node's turn; otherwise ask, now and then, for the block that is missing."""
        due = self.deadline
        if due is None or now < due:
            return []
        context = self._context
        if self._is_turn(self._delivered.height + 1):
            self._building, self._request = True, self._request + 1
            time_ms = max(now // 1_000, self._delivered.time_ms + context.parameters.block_interval_ms)
            return [seam.Build(self._request, self._delivered.hash, context.epoch, b"", time_ms)]
        self._retry_at = now + 10 * context.parameters.base_delay_ms * 1_000
        return [*self._fetch(), seam.Send(self._of(self._delivered.height + 1), self._question())]

    def _question(self) -> bytes:
        return b"\x02" + (self._delivered.height + 1).to_bytes(8, "big")

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        return self._step(now)

    @override
    def on_pending(self, now: int) -> list[Effect]:
        """Transactions are waiting."""
        return self._step(now)

    # --- making a block: log, sign, send ---

    def on_built(self, request: int, block: Block | None, now: int) -> list[Effect]:
        """Log the block and what is signed of it; then ask for the signature."""
        if request != self._request or not self._building:
            return []
        self._building = False
        if block is None:
            self._rested_at = now
            return []
        self._own = block.header
        return [seam.PersistBlock(block.hash), seam.Persist(ballot_of(block.header).data), *self._sign()]

    def _sign(self) -> list[Effect]:
        if self._own is None or self._signing:
            return []
        self._signing, self._request = True, self._request + 1
        return [seam.Sign(self._request, VOTE_DOMAIN, ballot_of(self._own).data)]

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """The signature makes it final: deliver it, and tell everybody."""
        header = self._own
        if header is None or request != self._request:
            return []
        self._own, self._signing = None, False
        if signature is None:
            self._building = True
            return [seam.Halt("the signing guard refuses the next block: another instance has signed with this key")]
        signed = encode(_SIGNED, (header, signature))
        return [*self._deliver(header, signature, now), seam.Send(seam.Target.NETWORK, b"\x01" + signed)]

    # --- taking a block of another authority ---

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take a signed header, or a question for one: untrusted."""
        if data[:1] == b"\x02" and len(data) == 9:
            answer = self._recent.get(int.from_bytes(data[1:], "big"))
            return [] if answer is None else [seam.Send(peer, b"\x01" + answer)]
        try:
            header, signature = decode(_SIGNED, data[1:] if data[:1] == b"\x01" else b"", _SIGNED_BYTES_MAX)
        except CodecError as error:
            return self._refuse(peer, str(error))
        if header.height <= self._delivered.height:
            return []
        if not self._is_good(header, signature, self._context.validators):
            return self._refuse(peer, "a block that the authority of its height did not sign")
        if header.parent_hash != self._delivered.hash:  # some are missing: ask for the next one
            return [seam.Send(peer, self._question())] if header.height > self._delivered.height + 1 else []
        if header.proposer == self._context.key:
            return []  # signed before this node lost its log; `start` has halted
        self._wanted = header, signature
        return self._fetch()

    def _refuse(self, peer: PeerId, reason: str) -> list[Effect]:
        self._counters["refused_messages"] += 1
        return [seam.Blame(peer, reason)]

    def _fetch(self) -> list[Effect]:
        if self._wanted is None:
            return []
        header = self._wanted[0]
        return [seam.Fetch(header.hash, header, None, (header.proposer,))]

    @override
    def on_block(self, header: Header, now: int) -> list[Effect]:
        """The body is here: execute it."""
        return [seam.Validate(header.hash)] if self._wanted is not None and header.hash == self._wanted[0].hash else []

    def on_validated(self, block_hash: BlockHash, valid: bool, now: int) -> list[Effect]:  # noqa: FBT001 - the seam
        """The verdict: deliver a good one; an own one, after a restart, is signed again to the same bytes."""
        if self._own is not None and block_hash == self._own.hash:
            return self._sign() if valid else [seam.Halt("the own block in the log is invalid here")]
        if self._wanted is None or block_hash != self._wanted[0].hash:
            return []
        (header, signature), self._wanted = self._wanted, None
        if not valid:
            return [seam.Halt(f"the authority of height {header.height} signed a block that is invalid here")]
        return [seam.PersistBlock(header.hash), *self._deliver(header, signature, now)]

    def _deliver(self, header: Header, signature: bytes, now: int) -> list[Effect]:
        self._move(header, now)
        proof = encode(_SIGNED, (header, signature))
        self._recent[header.height] = proof
        if len(self._recent) > _RECENT_MAX:
            del self._recent[min(self._recent)]
        effects: list[Effect] = [seam.Finalized(header.hash, proof), seam.Forget(Height(header.height))]
        if header.height % _REWRITE == 0:
            effects.append(seam.Rewrite((), ()))  # what is delivered is in the store: the log may begin anew
        return effects + self._step(now)

    def _move(self, header: Header, now: int) -> None:
        self._delivered = header
        self._rested_at, self._retry_at = now, now + 10 * self._context.parameters.base_delay_ms * 1_000
        self._counters["delivered"] += 1

    def on_synced(self, header: Header, proof: bytes, now: int) -> list[Effect]:
        """Catching up moved the final height."""
        if header.height > self._delivered.height:
            self._own, self._wanted, self._building, self._signing = None, None, False, False
            self._move(header, now)
        return self._step(now)

    @override
    def on_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """A validator connected: ask it for the next block, in case it has it."""
        return [seam.Send(peer, self._question())]

    # --- pure: what anybody may ask, at any time ---

    def _is_good(self, header: Header, signature: bytes, validators: ValidatorSet) -> bool:
        members = validators.validators
        authority = members[header.height % len(members)].public_key
        signed = signed_bytes(VOTE_DOMAIN, header.genesis_hash, ballot_of(header).data)
        is_own = header.proposer == authority and header.validators_hash == validators.hash
        return is_own and self._scheme.verify(authority, signed, signature)

    @override
    def _shows(self, header: Header, proof: bytes, sets: Sets) -> bool:
        try:
            shown, signature = decode(_SIGNED, proof, _SIGNED_BYTES_MAX)
            return shown == header and self._is_good(header, signature, sets(header.epoch))
        except (CodecError, KeyError):
            return False

    @override
    def _judge(self, evidence: bytes, sets: Sets, genesis_hash: GenesisHash) -> Offence | None:
        """Return the offence: F of two blocks of one height (E2)."""
        return convict(evidence, sets, genesis_hash, self._scheme)

    def slot(self, kind: str, data: bytes) -> str:
        """Return the name under which the guard remembers the last signed message of this kind."""
        return slot(kind, data)

    def may_sign(self, last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
        """Tell whether `data` is of a height above the last one, or the last one itself."""
        return may_sign(last, kind, data)

    def status(self) -> EngineStatus:
        """Return where it stands."""
        height = self._delivered.height
        leader = self._of(height + 1)
        return EngineStatus(self.name, self._context.epoch, height + 1, leader, height, dict(self._counters))
