"""This validator's own ballots: logged first, then signed, and remembered so that none contradicts another.

The engine judges a ballot by the same rule and the same memory as the signing guard, before it logs it. It signs
nothing until the recovery is over (`ready`), and nothing ever after a halt.

Source: the signing guard, the write-ahead log and the recovery of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.certificates import Vote
from p2pcommerce.finality.engine import Context, Effect, Halt, Persist, Sign
from p2pcommerce.finality.simplex.journal import ballot_record, halt_record
from p2pcommerce.finality.voting import Ballot, VoteKind, may_sign, read_ballot
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.vrf import VRF_KIND

__all__ = ["Signer"]


class Signer:
    """Own ballots of one validator.

    Attributes:
        index: of this validator in the set; None: it is not in the set, or has no key.
        ready: whether the recovery is over.
        halted: why nothing may be signed any more.
        sent: by kind, the last own vote with its signature.
        is_behind: whether this validator has signed in a later epoch: its chain is older than its log.
        outputs: view -> the proof (80 bytes) of the own random output for it; empty: it was asked for.
    """

    def __init__(self, context: Context, out: list[Effect], before: Signer | None = None) -> None:
        """Remember what the signing guard remembers; `before`: the signer of the epoch before, in the same life."""
        self.index = None if context.key is None else context.validators.index(context.key)
        self.ready = False
        self.halted: str | None = None
        self.sent: dict[VoteKind, Vote] = {}
        self._epoch = context.epoch
        self._out = out
        self._last: dict[str, bytes] = {}
        self._last_views: dict[VoteKind, int] = {}
        self._own: dict[tuple[VoteKind, int], bytes] = {}
        self.outputs: dict[int, bytes] = {}
        self._requests: dict[int, Ballot] = {}
        self._proofs: dict[int, int] = {}
        self._request = 0
        self._guarded = dict(context.signed)
        if before is not None:
            # Numbers go on, so that what was asked in the epoch before is not taken for an answer in this one.
            self._request = before._request  # noqa: SLF001 - of this very class
            self._last = dict(before._last)  # noqa: SLF001 - of this very class
            self.halted = before.halted
        self._first_request = self._request
        self.is_behind = any(read_ballot(data).epoch > self._epoch for data in self._last.values())

    def restore(self, ballots: list[Ballot]) -> None:
        """Take up the log's ballots, oldest first, and what the guard knows beyond them."""
        guarded = sorted(map(read_ballot, self._guarded.values()), key=lambda ballot: (ballot.epoch, ballot.view))
        logged = {ballot.data for ballot in ballots}
        lost = [ballot for ballot in guarded if ballot.data not in logged]
        self._out.extend(Persist(ballot_record(ballot)) for ballot in lost)
        for ballot in [*lost, *ballots]:
            self._remember(ballot)

    def restore_epoch(self, ballots: list[Ballot]) -> None:
        """Take up the log's ballots of this epoch, which the signer of the epoch before did not keep."""
        for ballot in ballots:
            if ballot.epoch == self._epoch:
                self._own[ballot.kind, ballot.view] = ballot.data

    def _remember(self, ballot: Ballot) -> None:
        if ballot.epoch == self._epoch:
            self._own[ballot.kind, ballot.view] = ballot.data
        self.is_behind = self.is_behind or ballot.epoch > self._epoch
        other = self._last.get(ballot.kind.name)
        if other is None or _place(ballot) >= _place(read_ballot(other)):
            # Taken out and put in again, so that the order is that of the log.
            self._last.pop(ballot.kind.name, None)
            self._last[ballot.kind.name] = ballot.data
            self._last_views[ballot.kind] = ballot.view if ballot.epoch == self._epoch else 0

    def prune(self, low: int) -> None:
        """Forget own ballots of views below `low`, but the last of each kind."""
        for key in [key for key in self._own if key[1] < low]:
            del self._own[key]
        for view in [view for view in self.outputs if view < low]:
            del self.outputs[view]

    def last_view(self, kind: VoteKind) -> int:
        """Return the view of the last own ballot of a kind in this epoch, 0 if there is none."""
        return self._last_views.get(kind, 0)

    def last_ballots(self) -> list[Ballot]:
        """Return the last ballot of each kind, in the order of the log."""
        return [read_ballot(data) for data in self._last.values()]

    @property
    def may_act(self) -> bool:
        """Whether this node votes at present."""
        return self.index is not None and self.ready and self.halted is None and not self.is_behind

    def may(self, ballot: Ballot) -> bool:
        """Tell whether this ballot may be cast now."""
        return self.may_act and may_sign(self._last, ballot.domain, ballot.data)

    def cast(self, ballot: Ballot) -> bool:
        """Log and sign a ballot, if that is allowed; tell whether it is."""
        if not self.may(ballot) or self._last.get(ballot.kind.name) == ballot.data:
            return False
        self._remember(ballot)
        self._out.append(Persist(ballot_record(ballot)))
        self._ask(ballot)
        return True

    def sign_again(self, propose_view: int) -> None:
        """Ask for the signatures of the last ballots once more, after a restart; of a proposal only in this view."""
        if not self.may_act:
            return
        for ballot in self.last_ballots():
            stale = ballot.kind is VoteKind.PROPOSE and ballot.view != propose_view
            if ballot.epoch == self._epoch and not stale:
                self._ask(ballot)

    def _ask(self, ballot: Ballot) -> None:
        self._request += 1
        self._requests[self._request] = ballot
        self._out.append(Sign(self._request, ballot.domain, ballot.data))

    def prove(self, view: int, alpha: bytes) -> None:
        """Ask for the proof of the own random output of a view, once."""
        if view not in self.outputs and self.index is not None and self.halted is None:
            self._request += 1
            self._proofs[self._request] = view
            self.outputs[view] = b""
            self._out.append(Sign(self._request, VRF_KIND, alpha))

    def take(self, request: int, signature: bytes | None) -> Ballot | None:
        """Return what a signature is for; None: it is an output's proof, which is kept, or of an epoch that is over.

        Raises:
            LocalProtocolError: nothing was asked under this number.
        """
        if request in self._proofs:
            view = self._proofs.pop(request)
            if signature is not None:
                self.outputs[view] = signature
            return None
        if request <= self._first_request:
            return None
        ballot = self._requests.pop(request, None)
        if ballot is None:
            raise LocalProtocolError(f"a signature for request {request}, which is not open")
        return ballot

    def knows(self, ballot: Ballot) -> bool:
        """Tell whether a ballot that carries this validator's good signature can be its own.

        One above the last of its kind was never logged here; one below it may have been forgotten.
        """
        data = self._last.get(ballot.kind.name)
        if data is None or _place(ballot) > _place(read_ballot(data)):
            return False
        known = data if _place(ballot) == _place(read_ballot(data)) else self._own.get((ballot.kind, ballot.view))
        return known is None or known == ballot.data

    def halt(self, reason: str, *, durable: bool = True) -> None:
        """Sign nothing any more, now and after every restart."""
        if self.halted is not None:
            return
        self.halted = reason
        if durable:
            self._out.append(Persist(halt_record(reason)))
        self._out.append(Halt(reason))


def _place(ballot: Ballot) -> tuple[int, int]:
    return ballot.epoch, ballot.view
