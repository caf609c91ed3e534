"""Evidence against an FFG validator: two links that break a commandment (F1, F2), or two proposals of one slot (E5).

Evidence is self-contained: the offender's key and the two signed messages. Two conflicting final checkpoints always
convict a third of the stake, by the links that lead to them (theorem 1 of the source).

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437), sections 2.1 and 2.2.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.finality import evidence as ballots
from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.evidence import EVIDENCE_BYTES_MAX, DoubleSignature
from p2pcommerce.finality.ffg.voting import LINK_BYTES, LINK_DOMAIN, contradiction, read_link
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.codec import KEY, SIGNATURE, Shape, decode, encode, raw, record_of
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import GenesisHash

__all__ = ["convict", "encode_link_evidence"]

_EVIDENCE: Final[Shape[DoubleSignature]] = record_of(
    DoubleSignature,
    offender=KEY,
    first=raw(LINK_BYTES),
    first_signature=SIGNATURE,
    second=raw(LINK_BYTES),
    second_signature=SIGNATURE,
)


def encode_link_evidence(evidence: DoubleSignature) -> bytes:
    """Return the bytes that `convict` reads, of two links (89 bytes each)."""
    return encode(_EVIDENCE, evidence)


def convict(evidence: bytes, sets: Sets, genesis_hash: GenesisHash, scheme: SignatureScheme) -> Offence | None:
    """Return the offence that evidence proves, None if it proves nothing.

    Args:
        evidence: untrusted bytes.
        sets: epoch -> validator set.
        genesis_hash: of this network, 32 bytes.
        scheme: the network's signature scheme.
    """
    try:
        claim = decode(_EVIDENCE, evidence, EVIDENCE_BYTES_MAX)
    except CodecError:
        return ballots.convict(evidence, sets, genesis_hash, scheme)
    try:
        links = read_link(claim.first), read_link(claim.second)
        kind = contradiction(*links)
        if kind is None or claim.offender not in sets(links[0].epoch):
            return None
    except (CodecError, KeyError):
        return None
    for link, signature in zip(links, (claim.first_signature, claim.second_signature), strict=True):
        if not scheme.verify(claim.offender, signed_bytes(LINK_DOMAIN, genesis_hash, link.data), signature):
            return None
    return Offence(claim.offender, links[0].epoch, kind)
