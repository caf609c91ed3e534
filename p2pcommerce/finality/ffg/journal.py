"""What FFG writes into the write-ahead log: links and proposals' ballots, quorum links, proposals.

Source: the write-ahead log of the finality specification.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from p2pcommerce.finality import journal
from p2pcommerce.finality.ffg.links import QUORUM_LINK, QUORUM_LINK_BYTES_MAX, QuorumLink
from p2pcommerce.finality.ffg.messages import PROPOSAL, PROPOSAL_BYTES_MAX, Proposal
from p2pcommerce.finality.ffg.voting import Link, Proposed, read_own, slot
from p2pcommerce.finality.journal import Field, LogFormat, field_of
from p2pcommerce.primitives.codec import blob, decode, encode, pair, text

__all__ = ["LOG", "Journal", "Own"]

Own: TypeAlias = Link | Proposed
"""What an FFG validator signs: a link, or a proposal's ballot."""
Journal: TypeAlias = journal.Journal[Own, QuorumLink, Proposal]
_OWN: Final = pair(text(16), blob(128))
_OWN_BYTES_MAX: Final = 256


def _read_own(data: bytes) -> Own:
    domain, message = decode(_OWN, data, _OWN_BYTES_MAX)
    return read_own(slot(domain, message), message)


LOG: Final = LogFormat(
    0x11,
    own=Field(lambda own: encode(_OWN, (own.domain, own.data)), _read_own),
    quorum=field_of(QUORUM_LINK, QUORUM_LINK_BYTES_MAX),
    proposal=field_of(PROPOSAL, PROPOSAL_BYTES_MAX),
)
