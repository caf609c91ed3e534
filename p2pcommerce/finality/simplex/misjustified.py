"""E6: a signature on a header whose committed justify does not allow its parent.

Nobody honest proposes or notarizes such a block. The evidence is self-contained: the signed ballot, the header that it
names, and the justify that the header commits to. A justify is wrong by its form, or because a certificate in it does
not hold for the validators of the epoch. A proposal on the epoch's first parent carries no certificate for it; that it
names another block can only be seen by who has the chain, and is not evidence.

Source: rules 2 and 3, and the evidence, of the finality specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.certificates import CERTIFICATE, CERTIFICATE_BYTES_MAX, VoteVerifier
from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.simplex.messages import Justify, Seal, decode_seal
from p2pcommerce.finality.voting import BALLOT_BYTES, Ballot, VoteKind, read_ballot
from p2pcommerce.ledger.block import HEADER, HEADER_BYTES_MAX, Header
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.primitives.codec import KEY, SIGNATURE, Shape, decode, encode, maybe, raw, record_of
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey

__all__ = ["MISJUSTIFIED_BYTES_MAX", "Misjustified", "convict_misjustified", "encode_misjustified", "has_form"]

MISJUSTIFIED_BYTES_MAX: Final = 2 * CERTIFICATE_BYTES_MAX + HEADER_BYTES_MAX + 256


@dataclass(frozen=True, slots=True)
class Misjustified:
    """A signature and what it vouches for.

    Attributes:
        offender: public key, 32 bytes.
        ballot: 49 bytes, a notarization or a proposal.
        signature: 64 bytes.
        header: that the ballot names.
        justify: that the header commits to.
    """

    offender: PublicKey
    ballot: bytes
    signature: bytes
    header: Header
    justify: Justify


_MISJUSTIFIED: Final[Shape[Misjustified]] = record_of(
    Misjustified,
    offender=KEY,
    ballot=raw(BALLOT_BYTES),
    signature=SIGNATURE,
    header=HEADER,
    justify=record_of(Justify, parent=maybe(CERTIFICATE), nullification=maybe(CERTIFICATE)),
)
_SIGNED: Final = (VoteKind.NOTARIZE, VoteKind.PROPOSE)


def has_form(header: Header, seal: Seal, justify: Justify) -> bool:
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
    """Return the bytes that `convict_misjustified` reads."""
    return encode(_MISJUSTIFIED, evidence)


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
        ballot, seal = read_ballot(claim.ballot), decode_seal(claim.header)
        validators = sets(ballot.epoch)
    except (CodecError, KeyError):
        return None
    header, justify = claim.header, claim.justify
    is_named = ballot == Ballot(header.epoch, seal.view, ballot.kind, header.hash) and ballot.kind in _SIGNED
    is_committed = justify.hash == seal.justify_hash and header.genesis_hash == genesis_hash
    if not is_named or not is_committed or claim.offender not in validators:
        return None
    signed = signed_bytes(ballot.domain, genesis_hash, ballot.data)
    if not scheme.verify(claim.offender, signed, claim.signature):
        return None
    if has_form(header, seal, justify) and _holds(justify, validators, genesis_hash, scheme):
        return None
    return Offence(claim.offender, ballot.epoch, "E6")


def _holds(justify: Justify, validators: ValidatorSet, genesis_hash: GenesisHash, scheme: SignatureScheme) -> bool:
    certificates = [each for each in (justify.parent, justify.nullification) if each is not None]
    return VoteVerifier(validators, genesis_hash, scheme).holds(certificates)
