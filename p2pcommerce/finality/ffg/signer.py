"""This validator's links and proposals.

Source: the signing guard, the write-ahead log and the recovery of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.engine import Context, Effect
from p2pcommerce.finality.ffg.journal import LOG, Own
from p2pcommerce.finality.ffg.links import LinkVote
from p2pcommerce.finality.ffg.voting import LINK_SLOT, Link, Proposed, may_sign, read_own, track_of
from p2pcommerce.finality.signer import Signer
from p2pcommerce.primitives.compat import override

__all__ = ["LinkSigner"]


class LinkSigner(Signer[Own]):
    """Own links and proposals' ballots.

    Attributes:
        sent: the last own vote with its signature.
    """

    def __init__(self, context: Context, out: list[Effect]) -> None:
        """Remember what the signing guard remembers."""
        super().__init__(context, LOG, read_own, may_sign, out)
        self.sent: LinkVote | None = None

    @property
    @override
    def last(self) -> list[Own]:
        """The last link, and the last proposal's ballot of each track in the order of the log."""
        return sorted(super().last, key=lambda own: isinstance(own, Proposed))

    @property
    def last_link(self) -> Link | None:
        """The last own link."""
        own = self.last_of(LINK_SLOT)
        return own if isinstance(own, Link) else None

    @property
    def last_proposal(self) -> Proposed | None:
        """The ballot of the last own proposal, which need not be of the highest slot."""
        return next((own for own in reversed(self.last) if isinstance(own, Proposed)), None)

    @property
    def newest(self) -> list[Own]:
        """The last link and the last proposal's ballot: what may have been signed, and not sent."""
        return [own for own in (self.last_link, self.last_proposal) if own is not None]

    def has_proposed(self, slot: int) -> bool:
        """Tell whether a proposal of this slot may not be signed any more."""
        own = self.last_of(track_of(slot))
        return own is not None and own.place >= (self.epoch, slot)
