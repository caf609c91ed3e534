"""E6: a signature on a header whose committed justify does not allow its parent.

Nobody honest proposes or notarizes such a block. The evidence is self-contained: the signed ballot, the header that it
names, and as much of the justify as shows what is wrong (`simplex.justify` has how a header commits to it):

    its form                        the heads of its certificates
    signers that are no validators,
    or weigh less than a quorum     the same: heads name the signers
    a signature                     the heads, and that signature with its place

A proposal on the epoch's first parent carries no certificate for it; that it names another block can only be seen by
who has the chain, and is not evidence.

Source: rules 2 and 3, and the evidence, of the finality specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.certificates import Certificate, CertificateError, VoteVerifier
from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.simplex.justify import (
    JUSTIFY_HEADS,
    OPENING,
    Justify,
    JustifyHeads,
    Opening,
    open_signature,
)
from p2pcommerce.finality.simplex.messages import Seal, decode_seal
from p2pcommerce.finality.voting import BALLOT_BYTES, Ballot, VoteKind, read_ballot
from p2pcommerce.ledger.block import HEADER, HEADER_BYTES_MAX, Header
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.codec import KEY, SIGNATURE, Shape, decode, encode, maybe, raw, record_of
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey

__all__ = [
    "FAULT",
    "MISJUSTIFIED_BYTES_MAX",
    "Fault",
    "Misjustified",
    "convict_misjustified",
    "encode_misjustified",
    "fault_of",
    "has_form",
]

MISJUSTIFIED_BYTES_MAX: Final = HEADER_BYTES_MAX + 1_024
"""A header, two heads, and one signature of 256 with its place."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A header that nobody may sign, and why.

    Attributes:
        header: the header.
        heads: that it commits to.
        opening: a signature that is not good; None if the heads are wrong themselves.
    """

    header: Header
    heads: JustifyHeads
    opening: Opening | None


@dataclass(frozen=True, slots=True)
class Misjustified:
    """A signature and what it vouches for.

    Attributes:
        offender: public key, 32 bytes.
        ballot: 49 bytes, a notarization or a proposal.
        signature: 64 bytes.
        fault: of the header that the ballot names.
    """

    offender: PublicKey
    ballot: bytes
    signature: bytes
    fault: Fault


FAULT: Final[Shape[Fault]] = record_of(Fault, header=HEADER, heads=JUSTIFY_HEADS, opening=maybe(OPENING))
_MISJUSTIFIED: Final[Shape[Misjustified]] = record_of(
    Misjustified,
    offender=KEY,
    ballot=raw(BALLOT_BYTES),
    signature=SIGNATURE,
    fault=FAULT,
)
_SIGNED: Final = (VoteKind.NOTARIZE, VoteKind.PROPOSE)


def has_form(header: Header, seal: Seal, justify: Justify | JustifyHeads) -> bool:
    """Tell whether a justify is of the form that a header's parent and view need; its certificates are not checked."""
    parent, skip = justify.parent, justify.nullification
    if parent is None:
        is_parent = seal.parent_view == 0
    else:
        is_block = parent.kind is not VoteKind.NULLIFY and parent.hash == header.parent_hash
        is_parent = is_block and parent.view == seal.parent_view and parent.epoch == header.epoch
    if seal.parent_view == seal.view - 1:
        return is_parent and skip is None
    is_skip = skip is not None and skip.kind is VoteKind.NULLIFY and skip.anchor <= seal.parent_view
    return is_parent and is_skip and skip is not None and (skip.epoch, skip.view) == (header.epoch, seal.view - 1)


def encode_misjustified(evidence: Misjustified) -> bytes:
    """Return the bytes that `convict_misjustified` reads, at most `MISJUSTIFIED_BYTES_MAX`."""
    return encode(_MISJUSTIFIED, evidence)


def fault_of(header: Header, justify: Justify, verifier: VoteVerifier) -> Fault | None:
    """Return what is wrong with the justify of a header, None if nothing is.

    Args:
        header: with a seal that commits to the justify.
        justify: any that could be decoded.
        verifier: of the epoch's votes.
    """
    seal, heads = decode_seal(header), justify.heads
    if not has_form(header, seal, heads) or not _have_weight(heads, verifier):
        return Fault(header, heads, None)
    for certificate in (justify.parent, justify.nullification):
        position = None if certificate is None else _bad_position(certificate, verifier)
        if certificate is not None and position is not None:
            of_parent = certificate is justify.parent
            return Fault(header, heads, open_signature(certificate, position, of_parent=of_parent))
    return None


def convict_misjustified(
    evidence: bytes, sets: Sets, genesis_hash: GenesisHash, scheme: SignatureScheme
) -> Offence | None:
    """Return the offence that evidence of this kind proves, None if it proves nothing.

    Args:
        evidence: untrusted bytes.
        sets: epoch -> validator set.
        genesis_hash: of this network, 32 bytes.
        scheme: the network's signature scheme.
    """
    try:
        claim = decode(_MISJUSTIFIED, evidence, MISJUSTIFIED_BYTES_MAX)
        ballot, seal = read_ballot(claim.ballot), decode_seal(claim.fault.header)
        validators = sets(ballot.epoch)
    except (CodecError, KeyError):
        return None
    header, heads = claim.fault.header, claim.fault.heads
    is_named = ballot == Ballot(header.epoch, seal.view, ballot.kind, header.hash) and ballot.kind in _SIGNED
    is_committed = heads.hash == seal.justify_hash and header.genesis_hash == genesis_hash
    if not is_named or not is_committed or claim.offender not in validators:
        return None
    signed = signed_bytes(ballot.domain, genesis_hash, ballot.data)
    if not scheme.verify(claim.offender, signed, claim.signature):
        return None
    if not _is_wrong(claim.fault, seal, VoteVerifier(validators, genesis_hash, scheme)):
        return None
    return Offence(claim.offender, ballot.epoch, "E6")


def _is_wrong(fault: Fault, seal: Seal, verifier: VoteVerifier) -> bool:
    heads, opening = fault.heads, fault.opening
    if not has_form(fault.header, seal, heads) or not _have_weight(heads, verifier):
        return True
    head = None if opening is None else heads.parent if opening.of_parent else heads.nullification
    ballot = None if head is None or opening is None else head.opened(opening)
    if head is None or opening is None or ballot is None:
        return False
    return not verifier.is_good(head.signers[opening.proof.index], ballot, opening.signature)


def _have_weight(heads: JustifyHeads, verifier: VoteVerifier) -> bool:
    """Tell whether the signers of every certificate are validators, and have the weight of a quorum."""
    try:
        for head in (heads.parent, heads.nullification):
            if head is not None:
                verifier.weigh(head)
    except CertificateError:
        return False
    return True


def _bad_position(certificate: Certificate, verifier: VoteVerifier) -> int | None:
    """Return the position of the first signature that is not good; those that were verified before cost nothing."""
    for position, (index, signature) in enumerate(zip(certificate.signers, certificate.signatures, strict=True)):
        if not verifier.is_good(index, certificate.ballot(position), signature):
            return position
    return None
