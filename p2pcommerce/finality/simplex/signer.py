"""This validator's ballots and random outputs.

Source: the signing guard, the write-ahead log and the recovery of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.certificates import Vote
from p2pcommerce.finality.engine import Context, Effect, Sign
from p2pcommerce.finality.signer import Signer
from p2pcommerce.finality.simplex.journal import LOG
from p2pcommerce.finality.voting import Ballot, VoteKind, may_sign, read_ballot
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.vrf import VRF_KIND

__all__ = ["BallotSigner"]


class BallotSigner(Signer[Ballot]):
    """Own ballots of one epoch.

    Attributes:
        sent: by kind, the last own vote with its signature.
        outputs: view -> the proof (80 bytes) of the own random output for it; empty: it was asked for.
    """

    def __init__(self, context: Context, out: list[Effect], before: BallotSigner | None = None) -> None:
        """Remember what the signing guard remembers; `before`: the signer of the epoch before, in the same life."""
        super().__init__(context, LOG, lambda _, data: read_ballot(data), may_sign, out, before)
        self._last_views: dict[VoteKind, int] = {}
        self.sent: dict[VoteKind, Vote] = {}
        self.outputs: dict[int, bytes] = {}
        self._proofs: dict[int, int] = {}

    @override
    def _remember(self, message: Ballot) -> None:
        super()._remember(message)
        # The rules ask for it at every step.
        last = self._last[message.slot]
        self._last_views[message.kind] = last.view if last.epoch == self._epoch else 0

    def restore_epoch(self, ballots: list[Ballot]) -> None:
        """Take up the log's ballots of this epoch, which the signer of the epoch before did not keep."""
        for ballot in ballots:
            if ballot.epoch == self._epoch:
                self._keep(ballot)

    @override
    def prune(self, low: int) -> None:
        """Forget own ballots and outputs of views below `low`, but the last ballot of each kind."""
        super().prune(low)
        for view in [view for view in self.outputs if view < low]:
            del self.outputs[view]

    def last_view(self, kind: VoteKind) -> int:
        """Return the view of the last own ballot of a kind in this epoch, 0 if there is none."""
        return self._last_views.get(kind, 0)

    def sign_epoch_again(self, propose_view: int) -> None:
        """Ask for the signatures of the last ballots of this epoch once more; of a proposal only in this view."""
        self.sign_again(
            ballot
            for ballot in self.last
            if ballot.epoch == self._epoch and (ballot.kind is not VoteKind.PROPOSE or ballot.view == propose_view)
        )

    def prove(self, view: int, alpha: bytes) -> None:
        """Ask for the proof of the own random output of a view, once."""
        if view not in self.outputs and self.index is not None and self.halted is None:
            self._request += 1
            self._proofs[self._request] = view
            self.outputs[view] = b""
            self._out.append(Sign(self._request, VRF_KIND, alpha))

    def take_output(self, request: int, proof: bytes | None) -> bool:
        """Take the proof (80 bytes) of a random output; tell whether one was asked for under this number."""
        view = self._proofs.pop(request, None)
        if view is not None and proof is not None:
            self.outputs[view] = proof
        return view is not None
