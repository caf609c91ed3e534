"""This validator's own links and proposals: logged first, then signed, and remembered so that none contradicts another.

The engine judges a message by the same rule and the same memory as the signing guard, before it logs it. It signs
nothing until the recovery is over (`ready`), and nothing ever after a halt.

Source: the signing guard, the write-ahead log and the recovery of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.engine import Context, Effect, Halt, Persist, Sign
from p2pcommerce.finality.ffg.journal import Own, halt_record, own_record
from p2pcommerce.finality.ffg.links import LinkVote
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, LINK_SLOT, Link, may_sign, read_link, slot
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind, read_ballot
from p2pcommerce.primitives.errors import LocalProtocolError

__all__ = ["Signer"]

_KEPT_MAX = 256
"""Own links and, apart from them, proposals that are remembered one by one."""


class Signer:
    """Own messages of one validator.

    Attributes:
        index: of this validator in the set; None: it is not in the set, or has no key.
        ready: whether the recovery is over.
        halted: why nothing may be signed any more.
        sent: the last own vote with its signature.
    """

    def __init__(self, context: Context, out: list[Effect]) -> None:
        """Remember what the signing guard remembers."""
        self.index = None if context.key is None else context.validators.index(context.key)
        self.ready = False
        self.halted: str | None = None
        self.sent: LinkVote | None = None
        self._out = out
        self._last: dict[str, bytes] = {}
        self._own: dict[tuple[str, int], bytes] = {}
        self._requests: dict[int, Own] = {}
        self._request = 0
        self._guarded = dict(context.signed)

    def restore(self, logged: list[Own]) -> None:
        """Take up the log's messages, oldest first, and what the guard knows beyond them."""
        known = {own.data for own in logged}
        guarded = [Own(LINK_DOMAIN if name == LINK_SLOT else PROPOSAL_DOMAIN, data) for name, data in self._items()]
        lost = [own for own in guarded if own.data not in known]
        self._out.extend(Persist(own_record(own)) for own in lost)
        for own in [*logged, *lost]:
            self._remember(own)

    def _items(self) -> list[tuple[str, bytes]]:
        return sorted(self._guarded.items())

    def _remember(self, own: Own) -> None:
        name = slot(own.domain, own.data)
        self._own[name, _place(own)] = own.data
        if len(self._own) > 2 * _KEPT_MAX:
            del self._own[min(key for key in self._own if key[0] == name)]
        before = self._last.get(name)
        if before is None or _place(own) >= _place(Own(own.domain, before)):
            self._last[name] = own.data

    @property
    def last_link(self) -> Link | None:
        """The last own link."""
        data = self._last.get(LINK_SLOT)
        return None if data is None else read_link(data)

    @property
    def last_proposal(self) -> Ballot | None:
        """The ballot of the last own proposal."""
        data = self._last.get(VoteKind.PROPOSE.name)
        return None if data is None else read_ballot(data)

    @property
    def last(self) -> list[Own]:
        """The last own messages."""
        return [
            Own(LINK_DOMAIN if name == LINK_SLOT else PROPOSAL_DOMAIN, data)
            for name, data in sorted(self._last.items())
        ]

    @property
    def may_act(self) -> bool:
        """Whether this node votes and builds at present."""
        return self.index is not None and self.ready and self.halted is None

    def cast(self, message: Link | Ballot) -> bool:
        """Log and sign a link or a proposal's ballot, if that is allowed and new; tell whether it is."""
        own = Own(LINK_DOMAIN if isinstance(message, Link) else message.domain, message.data)
        name = slot(own.domain, own.data)
        if not self.may_act or self._last.get(name) == own.data or not may_sign(self._last, own.domain, own.data):
            return False
        self._remember(own)
        self._out.append(Persist(own_record(own)))
        self._ask(own)
        return True

    def sign_again(self) -> None:
        """Ask for the signatures of the last messages once more, after a restart."""
        for own in self.last:
            self._ask(own)

    def _ask(self, own: Own) -> None:
        self._request += 1
        self._requests[self._request] = own
        self._out.append(Sign(self._request, own.domain, own.data))

    def take(self, request: int) -> Own:
        """Return what a signature is for.

        Raises:
            LocalProtocolError: nothing was asked under this number.
        """
        own = self._requests.pop(request, None)
        if own is None:
            raise LocalProtocolError(f"a signature for request {request}, which is not open")
        return own

    def knows(self, own: Own) -> bool:
        """Tell whether a message that carries this validator's good signature can be its own.

        One above the last of its kind was never logged here; one below it may have been forgotten.
        """
        before = self._last.get(slot(own.domain, own.data))
        if before is None or _place(own) > _place(Own(own.domain, before)):
            return False
        known = self._own.get((slot(own.domain, own.data), _place(own)))
        return known is None or known == own.data

    def check(self, own: Own) -> None:
        """Stop for good if a message with a good signature of this validator's key was not made here."""
        if not self.knows(own):
            self.halt(f"a second instance signs with this key: {own.domain} {_place(own)} was not made here")

    def halt(self, reason: str, *, durable: bool = True) -> None:
        """Sign nothing any more, now and after every restart."""
        if self.halted is not None:
            return
        self.halted = reason
        if durable:
            self._out.append(Persist(halt_record(reason)))
        self._out.append(Halt(reason))


def _place(own: Own) -> int:
    """Return the target's index, or the slot."""
    return read_link(own.data).target.index if own.domain == LINK_DOMAIN else read_ballot(own.data).view
