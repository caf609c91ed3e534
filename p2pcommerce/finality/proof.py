"""Proofs of finality: an F certificate of a block or of a descendant, with the headers between.

Source: the proof of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.certificates import (
    CERTIFICATE,
    CERTIFICATE_BYTES_MAX,
    Certificate,
    VoteVerifier,
)
from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import HEADER, HEADER_BYTES_MAX, Header
from p2pcommerce.primitives.codec import Shape, array, decode, encode, record_of
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import ZERO_HASH

__all__ = ["PROOF_BYTES_MAX", "PROOF_HEADERS_MAX", "FinalityProof", "decode_proof", "encode_proof", "verify_proof"]

PROOF_HEADERS_MAX: Final = 256
"""Headers between a block and the descendant that was finalized, at most."""
PROOF_BYTES_MAX: Final = CERTIFICATE_BYTES_MAX + PROOF_HEADERS_MAX * HEADER_BYTES_MAX + 64


@dataclass(frozen=True, slots=True)
class FinalityProof:
    """Why a header is final.

    Attributes:
        certificate: F of the block or of a descendant.
        headers: from the block's child to the finalized descendant, in order; empty if F is of the block. After the
            last block of an epoch they are carriers: blocks of the same height and state without transactions.
    """

    certificate: Certificate
    headers: tuple[Header, ...]


_PROOF: Final[Shape[FinalityProof]] = record_of(
    FinalityProof, certificate=CERTIFICATE, headers=array(HEADER, PROOF_HEADERS_MAX)
)


def encode_proof(certificate: Certificate, headers: Sequence[Header]) -> bytes:
    """Return the proof's bytes; at most 256 headers."""
    return encode(_PROOF, FinalityProof(certificate, tuple(headers)))


def decode_proof(raw: bytes) -> FinalityProof:
    """Read a proof from untrusted bytes.

    Raises:
        CodecError: too large, malformed, not canonical.
    """
    return decode(_PROOF, raw, PROOF_BYTES_MAX)


def verify_proof(header: Header, proof: bytes, sets: Sets, scheme: SignatureScheme) -> bool:
    """Tell whether `proof` shows that `header` is final.

    Args:
        header: of the block in question; its genesis hash names the network.
        proof: untrusted bytes.
        sets: epoch -> validator set.
        scheme: the network's signature scheme.
    """
    try:
        evidence = decode_proof(proof)
        validators = sets(evidence.certificate.epoch)
    except (CodecError, KeyError):
        return False
    certificate = evidence.certificate
    last = header
    for child in evidence.headers:
        if child.parent_hash != last.hash or child.epoch != last.epoch or not _follows(child, last):
            return False
        last = child
    if certificate.kind is not VoteKind.FINALIZE or certificate.hash != last.hash:
        return False
    if last.epoch != certificate.epoch or last.validators_hash != validators.hash:
        return False
    return VoteVerifier(validators, header.genesis_hash, scheme).holds([certificate])


def _follows(child: Header, parent: Header) -> bool:
    """Tell whether a block's height is the next one, or the parent's if it can be a carrier."""
    if child.height == parent.height:
        return child.state_root == parent.state_root and child.tx_root == ZERO_HASH
    return child.height == parent.height + 1
