"""When a quorum decided against what is final here: the node stops, and says so to everybody.

A fork takes more than a third of the stake, which signed on both branches. Each side holds certificates that convict
it, given the other side's: an F of one branch contradicts the N, the F or the Z with which the other branch passed that
view. So who finds a fork decides and signs nothing from then on, sends the F of both branches, and stops two D0 later:
until then it hears the same from others, and passes on who signed on both branches.

Source: rule 7 and the evidence of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.engine import Halt, Target
from p2pcommerce.finality.simplex.ending import decides_against
from p2pcommerce.finality.simplex.messages import Certificates
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.primitives.ids import U64_MAX

__all__ = ["Forks"]


class Forks:
    """Compares F certificates with the chain that is final here.

    Attributes:
        is_found: whether this node stops over a fork.
        deadline: when it does, microseconds.
    """

    def __init__(self, state: State) -> None:
        """Know of no fork."""
        self.is_found = False
        self.deadline: int | None = None
        self._state = state
        self._reason: str | None = None

    def look_back(self, passed_view: int) -> None:
        """The final chain has passed this and further views: compare the F certificates of those that came before.

        With the last block of an epoch it has passed those of the carriers, too.
        """
        state = self._state
        highest = U64_MAX if state.is_over else state.tree.final_view
        for view in state.docket.views_finalized(passed_view + 1, highest):
            for certificate in state.docket.finalized(view):
                self.see_final(certificate)

    def see_final(self, certificate: Certificate) -> None:
        """Stop if a verified F is for a block that is known not to be on the final chain."""
        state, name = self._state, f"block {certificate.hash[:4].hex()} of view {certificate.view}"
        if state.tree.is_beside(certificate.view, certificate.hash):
            self.stop(f"{name} is final beside the chain that is final here", certificate)
        elif (
            state.is_over
            and certificate.view > state.tree.final_view
            and decides_against(state.ended_proof, certificate)
        ):
            self.stop(f"{name} is final beside what decided the end of its epoch here", certificate)

    def stop(self, reason: str, rival: Certificate) -> None:
        """Stop for good.

        Args:
            reason: how the fork is seen, without what to do.
            rival: the F that decides against what is final here.
        """
        if self.is_found:
            return
        state = self._state
        for certificate in (state.decided, rival):
            if certificate is not None:
                state.send(Target.VALIDATORS, Certificates((certificate,)))
        state.signer.halt_forked(reason, stops=False)
        self.is_found, self._reason = True, state.signer.halted

    def inherit(self, before: Forks) -> None:
        """Stop over a fork that was found in the epoch before."""
        if before.is_found and not self.is_found:
            self.is_found, self._reason, self.deadline = True, before._reason, before.deadline
            self._state.signer.halted = before._reason

    def step(self, now: int) -> None:
        """Stop when it is time."""
        if self._reason is not None and self.deadline is None:
            self.deadline = now + self._state.parameters.standstill_us
        if self._reason is not None and self.deadline is not None and now >= self.deadline:
            self._state.out.append(Halt(self._reason))
            self._reason = self.deadline = None
