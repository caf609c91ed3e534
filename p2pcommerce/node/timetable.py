"""When which room of a node is due, and in which order the rooms act that are.

First the pool, whose verdicts the others wait for, then consensus, then what spreads and fetches.
"""

from __future__ import annotations

from p2pcommerce.node.effects import Effect
from p2pcommerce.node.switchboard import Switchboard
from p2pcommerce.primitives.core import earliest

__all__ = ["Timetable"]


class Timetable:
    """The deadlines of all rooms as one."""

    __slots__ = ("_board",)

    def __init__(self, board: Switchboard) -> None:
        """Watch the rooms of a switchboard."""
        self._board = board

    @property
    def deadline(self) -> int | None:
        """When the first room is due, microseconds; None: none is."""
        board = self._board
        return earliest(
            board.mempool.deadline,
            board.router.deadline,
            board.agreement.deadline,
            board.sync.deadline,
            board.offences.deadline,
            board.restoring.deadline,
            board.discovery.deadline,
            board.pulse.deadline,
            board.fee_floors.deadline,
            board.off_chain.deadline,
            board.final_blocks.deadline,
            board.relay.deadline,
        )

    def on_deadline(self, now: int) -> list[Effect]:
        """Let the rooms act that are due at `now`, microseconds."""
        board = self._board
        effects: list[Effect] = []
        if _due(board.mempool.deadline, now):
            effects += board.verdicts(board.mempool.on_deadline(now), now)
        if _due(board.agreement.deadline, now):
            effects += board.after(board.agreement.on_deadline(now), now)
        if _due(board.router.deadline, now):
            effects += board.gossip(board.router.on_deadline(now), now)
        if _due(board.sync.deadline, now):
            effects += board.catch_up(board.sync.on_deadline(now), now)
        if _due(board.restoring.deadline, now):
            effects += board.restore(board.restoring.on_deadline(now), now)
        if _due(board.discovery.deadline, now):
            effects += board.discover(board.discovery.on_deadline(now), now)
        if _due(board.pulse.deadline, now):
            effects += board.beat(now)
        if _due(board.fee_floors.deadline, now):
            effects += board.fee_floors.on_deadline(board.links, now)
        if _due(board.offences.deadline, now):
            effects += board.offences.on_deadline(now)
        effects += board.gossip(board.relay.on_deadline(now), now)
        effects += board.deliver_pushed(board.final_blocks.on_deadline(now), now)
        return effects + board.off_chain.on_deadline(now)


def _due(deadline: int | None, now: int) -> bool:
    return deadline is not None and deadline <= now
