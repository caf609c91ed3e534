"""When a quorum decided against what is final here: the node stops, and says so to everybody.

A fork takes more than a third of the stake, which signed on both branches. Each side holds certificates that convict
it, given the other side's: an F of one branch contradicts the N, the F or the Z with which the other branch passed that
view. So who finds a fork sends the F of both branches before it stops, and whoever still holds certificates of one
branch finds out who signed the other.

Source: rule 7 and the evidence of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.engine import Target
from p2pcommerce.finality.simplex.messages import Certificates
from p2pcommerce.finality.simplex.state import State

__all__ = ["Forks"]


class Forks:
    """Compares F certificates with the chain that is final here.

    Attributes:
        is_found: whether this node has stopped over a fork.
    """

    def __init__(self, state: State) -> None:
        """Know of no fork."""
        self.is_found = False
        self._state = state

    def look_back(self, passed_view: int) -> None:
        """The final chain has passed this and further views: compare the F certificates of those that came before."""
        state = self._state
        for view in state.docket.views_finalized(passed_view + 1, state.tree.final_view):
            for certificate in state.docket.finalized(view):
                self.see_final(certificate)

    def see_final(self, certificate: Certificate) -> None:
        """Stop if a verified F is for a block that is known not to be on the final chain."""
        if self._state.tree.is_beside(certificate.view, certificate.hash):
            name = f"block {certificate.hash[:4].hex()} of view {certificate.view}"
            self.stop(f"{name} is final beside the chain that is final here", certificate)

    def stop(self, reason: str, rival: Certificate) -> None:
        """Stop for good.

        Args:
            reason: how the fork is seen.
            rival: the F that decides against what is final here.
        """
        if self.is_found:
            return
        self.is_found = True
        for certificate in (self._state.decided, rival):
            if certificate is not None:
                self._state.send(Target.VALIDATORS, Certificates((certificate,)))
        self._state.signer.halt_forked(reason)
