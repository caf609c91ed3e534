"""This validator's links and proposals.

Source: the signing guard, the write-ahead log and the recovery of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.engine import Context, Effect
from p2pcommerce.finality.ffg.journal import LOG, Own
from p2pcommerce.finality.ffg.links import LinkVote
from p2pcommerce.finality.ffg.voting import Link, may_sign, read_own
from p2pcommerce.finality.signer import Signer
from p2pcommerce.finality.voting import Ballot
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
        """The last link and the last proposal's ballot."""
        return sorted(super().last, key=lambda own: own.slot)

    @property
    def last_link(self) -> Link | None:
        """The last own link."""
        return next((own for own in self.last if isinstance(own, Link)), None)

    @property
    def last_proposal(self) -> Ballot | None:
        """The ballot of the last own proposal."""
        return next((own for own in self.last if isinstance(own, Ballot)), None)
