"""Standing on a restored state: what a snapshot brings, and how far blocks are fetched meanwhile.

Source: catching up in the finality specification (snapshots at epoch boundaries).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from p2pcommerce.ledger.block import Block
from p2pcommerce.node.agreement import Agreement
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Effect, Halt, Log, Restore, Transmit
from p2pcommerce.node.restoring import Restoring
from p2pcommerce.node.subjectivity import Subjectivity
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.sync import Sync
from p2pcommerce.sync import effects as sync
from p2pcommerce.sync import restore_effects as snapshot

__all__ = ["Adoption", "Board"]


class Board(Protocol):
    """What it needs of the switchboard."""

    chain: Chain
    agreement: Agreement
    restoring: Restoring
    subjectivity: Subjectivity
    sync: Sync

    def blame(self, peer: PeerId, code: str, reason: str, now: int) -> list[Effect]:
        """Close the connection with a peer that broke a rule."""
        ...

    def after(self, effects: list[Effect], now: int) -> list[Effect]:
        """Follow up on what the engine decided."""
        ...

    def on_head(self, now: int) -> None:
        """The final head has moved."""
        ...


class Adoption:
    """What the restoring of a state wants, done."""

    def __init__(self, board: Board) -> None:
        """Serve the rooms of `board`."""
        self._board = board
        self._is_restoring = False

    def set_horizon(self) -> None:
        """Let blocks be fetched as far as validators are known, and none while a state is restored."""
        board = self._board
        height = board.chain.head.height
        board.sync.set_horizon(height if board.restoring.is_active else board.chain.rules.horizon(height))

    def see_restoring(self) -> None:
        """Look whether a state is being restored."""
        if self._board.restoring.is_active is not self._is_restoring:
            self._is_restoring = self._board.restoring.is_active
            self.set_horizon()

    def do(self, effects: Sequence[snapshot.RestoreEffect], now: int) -> list[Effect]:
        """Do what the restoring of a state wants."""
        out: list[Effect] = []
        for effect in effects:
            match effect:
                case snapshot.Ask(peer, message):
                    out.append(Transmit(peer, message))
                case sync.Blame(peer, reason):
                    if reason != sync.Fault.STALLED:
                        out += self._board.blame(peer, reason, "what it sent of a snapshot does not hold", now)
                case snapshot.Progress(height, done, total, left_us):
                    left = "" if left_us is None else f", about {left_us // MICROSECONDS} s left"
                    out.append(Log("INFO", "sync", f"snapshot of height {height}: {done} of {total} chunks{left}"))
                case snapshot.Restored():
                    out += self._adopt(effect, now)
                case snapshot.Broken(reason):
                    out.append(Halt(reason))
                case snapshot.GaveUp(reason):
                    out.append(Log("WARNING", "sync", f"no snapshot is restored, blocks are fetched: {reason}"))
        self.see_restoring()
        return out

    def _adopt(self, restored: snapshot.Restored, now: int) -> list[Effect]:
        """Stand on a restored state."""
        board, header = self._board, restored.header
        if header.height <= board.chain.head.height:
            return []
        contradiction = board.subjectivity.contradiction([header])
        if contradiction is not None:
            return [Halt(contradiction)]
        block = CommittedBlock(Block(header, ()), restored.proof, (), dict(restored.state))
        effects: list[Effect] = [
            Restore(block, board.restoring.links),
            Log("INFO", "sync", f"restored the state of height {header.height}: {len(restored.state)} records"),
        ]
        effects += board.agreement.on_restored(restored.state, header, restored.proof, now)
        board.on_head(now)
        self.set_horizon()
        return board.after(effects, now)
