"""Evidence against an FFG validator: two links that break a commandment (F1, F2), or two proposals of one slot (E5).

Two conflicting final checkpoints always convict a third of the stake, by the links that lead to them (theorem 1 of the
source).

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437), sections 2.1 and 2.2.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.evidence import BALLOT_EVIDENCE, DoubleSignatures
from p2pcommerce.finality.ffg.voting import LINK_BYTES, contradiction, read_link
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import GenesisHash

__all__ = ["LINK_EVIDENCE", "convict"]

LINK_EVIDENCE: Final = DoubleSignatures(LINK_BYTES, read_link, contradiction)
"""Evidence of two links, 89 bytes each."""


def convict(evidence: bytes, sets: Sets, genesis_hash: GenesisHash, scheme: SignatureScheme) -> Offence | None:
    """Return the offence that evidence proves, None if it proves nothing; see `DoubleSignatures.convict`."""
    found = LINK_EVIDENCE.convict(evidence, sets, genesis_hash, scheme)
    return found or BALLOT_EVIDENCE.convict(evidence, sets, genesis_hash, scheme)
