"""The FFG engine: the seam's methods over the rooms of this folder.

Blocks come slot by slot and form a longest chain; every eighth is a checkpoint, and votes on links between checkpoints
make it final some 13 to 21 blocks after it was made. A head exists, and is announced, long before it is final.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437); the finality specification (FFG).
Deviations: a block is believed only with its leader's signature or under a quorum's vote, so that nobody outgrows the
chain with blocks of slots that were missed; an own target is never voted for twice and the root never goes down, which
with the higher justified checkpoint first is all that is done against bouncing; leaders leave slots out when more than
128 blocks are not final. One epoch: changing validator sets need forward and rear sets, and are not claimed. Who is
convicted loses stake and is jailed in the books of the application, and goes on voting with the stake of the genesis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from p2pcommerce.finality.engine import Context, Effect, Rewrite, Sets
from p2pcommerce.finality.ffg.evidence import convict
from p2pcommerce.finality.ffg.hindsight import Hindsight
from p2pcommerce.finality.ffg.inbox import Inbox
from p2pcommerce.finality.ffg.proof import decode_proof, verify_proof
from p2pcommerce.finality.ffg.recovery import Recovery
from p2pcommerce.finality.ffg.replica import Replica
from p2pcommerce.finality.ffg.resend import Resender
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import may_sign, slot
from p2pcommerce.finality.shell import RoomEngine, Rooms
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import BlockHash, GenesisHash

__all__ = ["FFG"]


class _Rooms(Rooms):
    """The rooms of a running engine."""

    def __init__(self, state: State, now: int) -> None:
        super().__init__(state, state.parameters.rewrite_records)
        self.state = state
        self.tree, self.signer = state.tree, state.signer
        self.resender: Resender = Resender(state)
        self.replica: Replica = Replica(state, now)
        self.recovery = Recovery(state, self.replica)
        self.hindsight = Hindsight(state, self.replica.forks)
        self.inbox = Inbox(state, self.replica, self.resender, self.recovery, self.hindsight)

    @property
    @override
    def view(self) -> int:
        return self.state.slot

    @property
    @override
    def deadline(self) -> int | None:
        return earliest(self.replica.deadline, self.resender.deadline)

    @override
    def step(self, now: int) -> None:
        self.replica.step(now)
        self.resender.step(now)

    @override
    def rewritten(self) -> Rewrite:
        return self.replica.rewritten()

    @override
    def gauges(self) -> dict[str, int]:
        state = self.state
        return {
            "head_height": (state.head or state.tree.delivered).height,
            "justified_height": state.gadget.root.height,
            "signatures_verified": state.verifier.checked,
            "links_held": len(state.gadget),
            "votes_held": len(state.pool),
        }


class FFG(RoomEngine[_Rooms]):
    """A chain of slots, made final by votes on every eighth block; safe below a third of faulty stake."""

    name: ClassVar[str] = "ffg"

    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin from the write-ahead log; see `FinalityEngine.start`.

        Raises:
            LogError: a record is malformed.
        """
        self._begin(context)
        self._rooms = rooms = _Rooms(State(context, now), now)
        rooms.recovery.start(records, blocks)
        return rooms.finish(now)

    def on_synced(self, header: Header, proof: bytes, now: int) -> list[Effect]:
        """A block became final by catching up; it and all below are delivered already."""
        rooms = self._running
        if header.height > rooms.tree.delivered.height:
            rooms.tree.deliver(header)
            rooms.state.counters["synced"] += 1
            rooms.replica.settle()
        if proof:
            rooms.recovery.take_proof(proof)
        return rooms.finish(now)

    @override
    def on_rival(self, proof: bytes, reason: str, now: int) -> list[Effect]:
        """Another chain is final by this verified proof: tell the others, and stop."""
        rooms = self._running
        links = decode_proof(proof).links
        rooms.replica.forks.stop(reason, links)
        for quorum in links:
            for vote in quorum.votes:
                rooms.replica.judge(vote)
            rooms.hindsight.doubt_quorum(None, quorum, now)
        return rooms.finish(now)

    @override
    def on_recalled(
        self, request: int, rows: Sequence[tuple[Header, bytes, bytes]], sets: Sets, now: int
    ) -> list[Effect]:
        """Stored blocks, against whose proofs a vote of the past is compared."""
        rooms = self._running
        rooms.hindsight.on_recalled(request, rows, sets)
        return rooms.finish(now)

    @override
    def _shows(self, header: Header, proof: bytes, sets: Sets) -> bool:
        return verify_proof(header, proof, sets, self._scheme)

    @override
    def _judge(self, evidence: bytes, sets: Sets, genesis_hash: GenesisHash) -> Offence | None:
        """Return the offence: F1, F2 or E5."""
        return convict(evidence, sets, genesis_hash, self._scheme)

    def may_sign(self, last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
        """Tell whether signing `data` contradicts nothing signed before."""
        return may_sign(last, kind, data)

    def slot(self, kind: str, data: bytes) -> str:
        """Return the guard's name for the last message of this kind."""
        return slot(kind, data)
