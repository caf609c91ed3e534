"""Is a final block proven to be final? Checked with code that shares nothing with the engine but the decoder.

More than two thirds of the stake, each validator once, must have signed the finalization of the block or of a
descendant, on this network: the signed bytes are put together here, from the format's description.

    "p2pcommerce/1/vote" | 0 | genesis hash (32) | epoch (8) | view (8) | kind (1) | hash (32)

Source: certificates and proofs of the finality specification.
"""

from __future__ import annotations

import struct
from typing import Final

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.simulation.memberships import Members

__all__ = ["proof_complaint"]

_BALLOT: Final = struct.Struct(">18sx32sQQB32s")
_TAG: Final = b"p2pcommerce/1/vote"
_FINALIZE: Final = 3


def proof_complaint(header: Header, proof: bytes, members: Members, scheme: SignatureScheme) -> str:
    """Return what is wrong with a proof that `header` is final; empty if nothing is.

    Args:
        header: of the block.
        proof: as a node keeps it.
        members: the validators of the block's epoch.
        scheme: of the network.
    """
    try:
        found = decode_proof(proof)
    except CodecError as error:
        return f"it cannot be read: {error}"
    last = header
    for child in found.headers:
        if child.parent_hash != last.hash:
            return f"the header of height {child.height} does not follow that of height {last.height}"
        last = child
    certificate = found.certificate
    if int(certificate.kind) != _FINALIZE or certificate.hash != last.hash:
        return "its certificate does not finalize the block"
    if certificate.epoch != header.epoch or last.epoch != header.epoch:
        return "its certificate is of another epoch"
    return _weigh(certificate, header, members, scheme)


def _weigh(certificate: Certificate, header: Header, members: Members, scheme: SignatureScheme) -> str:
    bits = int.from_bytes(certificate.bitmap, "little")
    signers = [index for index in range(bits.bit_length()) if bits >> index & 1]
    if len(signers) != len(certificate.signatures) or signers[-1:] >= [len(members)]:
        return "its signatures do not fit its bitmap"
    signed = _BALLOT.pack(_TAG, header.genesis_hash, certificate.epoch, certificate.view, _FINALIZE, certificate.hash)
    for index, signature in zip(signers, certificate.signatures, strict=True):
        if not scheme.verify(members[index][0], signed, signature):
            return f"validator {index} did not sign it on this network"
    weight, total = sum(members[index][1] for index in signers), sum(stake for _, stake in members)
    return "" if 3 * weight > 2 * total else f"its signers have {weight} of {total} of the stake"
