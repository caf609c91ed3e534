"""What one validator signed over all its lives, and whether any of it contradicts the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

from p2pcommerce.finality.evidence import contradiction
from p2pcommerce.finality.ffg import voting as ffg
from p2pcommerce.finality.voting import Ballot, VoteKind, read_ballot


@dataclass
class Judge:
    """Remembers every ballot and every link."""

    ballots: dict[tuple[VoteKind, int], Ballot] = field(default_factory=dict)
    links: list[ffg.Link] = field(default_factory=list)

    def see(self, data: bytes) -> str | None:
        """Take what is signed now; return how it contradicts what was signed before."""
        return self._see_link(ffg.read_link(data)) if len(data) == ffg.LINK_BYTES else self._see(read_ballot(data))

    def _see_link(self, link: ffg.Link) -> str | None:
        for other in self.links:
            if ffg.contradiction(link, other) is not None:
                return f"{other} and {link}"
        self.links.append(link)
        return None

    def _see(self, ballot: Ballot) -> str | None:
        other = self.ballots.setdefault((ballot.kind, ballot.view), ballot)
        if other != ballot:
            return f"{other} and {ballot}"
        for (kind, _), other in self.ballots.items():
            if kind is not ballot.kind and contradiction(ballot, other) is not None:
                return f"{other} and {ballot}"
        return None
