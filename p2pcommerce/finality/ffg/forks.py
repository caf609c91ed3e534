"""When a quorum decided against what is final here: the node stops, and says so to everybody.

A fork takes more than a third of the stake, which signed links on both branches: two of one target, or one within the
span of another. Each side holds links that convict it, given the other side's. So who finds a fork votes and builds
nothing from then on, sends the links of both branches, and stops two D0 later: until then it compares the other branch
with what it has stored, hears the same from others, and passes on who signed on both branches.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437), theorem 1; rule 7 and the evidence
of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommerce.finality.engine import Halt, Target
from p2pcommerce.finality.ffg.links import QuorumLink
from p2pcommerce.finality.ffg.messages import Links
from p2pcommerce.finality.ffg.parameters import LINKS_MAX
from p2pcommerce.finality.ffg.state import State

__all__ = ["Forks"]


class Forks:
    """Stops the node over a fork.

    Attributes:
        is_found: whether it stops.
        deadline: when it does, microseconds.
    """

    def __init__(self, state: State) -> None:
        """Know of no fork."""
        self.is_found = False
        self.deadline: int | None = None
        self._state = state
        self._reason: str | None = None

    def stop(self, reason: str, rival: Sequence[QuorumLink]) -> None:
        """Stop for good.

        Args:
            reason: how the fork is seen, without what to do.
            rival: verified links of the other branch, as far as they are known.
        """
        if self.is_found:
            return
        state = self._state
        for links in (state.gadget.proof, tuple(rival)):
            if links:
                state.send(Target.VALIDATORS, Links(links[-LINKS_MAX:]))
        state.signer.halt_forked(reason, stops=False)
        self.is_found, self._reason = True, state.signer.halted

    def step(self, now: int) -> None:
        """Stop when it is time."""
        if self._reason is None:
            return
        if self.deadline is None:
            self.deadline = now + self._state.parameters.standstill_us
        if now >= self.deadline:
            self._state.out.append(Halt(self._reason))
            self._reason = self.deadline = None
