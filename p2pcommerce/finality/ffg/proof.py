"""Proofs of FFG finality: the links that lead to a checkpoint and finalize it, with the headers between.

The last link finalizes: it leads from the final checkpoint F to the next one, T. The headers lead from the block in
question over F to T, so that a verifier sees that the block is F or below it, and T above F. The links before lead from
the last final checkpoint to F: they say why F was justified. A verifier that trusts that less than a third of the stake
is faulty needs the last link alone, since no honest validator votes from a checkpoint that is not justified; all of
them together, over a stored chain, are what convicts a third of the stake if there ever is a second chain.

Source: the finality specification (FFG). Deviations: a proof holds the newest 8 links; more are needed only if 8 votes
in a row skipped a checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.certificates import VoteVerifier
from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.ffg.links import QUORUM_LINK, QuorumLink
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS, LINKS_MAX
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN
from p2pcommerce.ledger.block import HEADER, Header
from p2pcommerce.primitives.codec import Shape, array, decode, encode, record_of
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError

__all__ = ["PROOF_BYTES_MAX", "FFGProof", "decode_proof", "encode_proof", "verify_proof"]

_HEADERS_MAX: Final = 640
"""Headers up to the target at most: all that are not final, 512 at most, and those up to it."""
PROOF_BYTES_MAX: Final = 384 * 1024
"""What an offline proof has room for. A header has about 350 bytes."""


@dataclass(frozen=True, slots=True)
class FFGProof:
    """Why a header is final.

    Attributes:
        links: each begins where the one before ends; the last one finalizes its source.
        headers: from the block's child to the target of the last link, in order of height.
    """

    links: tuple[QuorumLink, ...]
    headers: tuple[Header, ...]


_PROOF: Final[Shape[FFGProof]] = record_of(
    FFGProof, links=array(QUORUM_LINK, LINKS_MAX, 1), headers=array(HEADER, _HEADERS_MAX, 1)
)


def encode_proof(links: Sequence[QuorumLink], headers: Sequence[Header]) -> bytes:
    """Return the proof's bytes, with the newest links; empty if it would be too long."""
    if len(headers) > _HEADERS_MAX:
        return b""
    for count in (LINKS_MAX, 1):
        proof = encode(_PROOF, FFGProof(tuple(links[-count:]), tuple(headers)))
        if len(proof) <= PROOF_BYTES_MAX:
            return proof
    return b""


def decode_proof(raw: bytes) -> FFGProof:
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
        claim = decode_proof(proof)
        validators = sets(header.epoch)
    except (CodecError, KeyError):
        return False
    path = _path(header, claim.headers)
    if path is None or not _leads(header, claim, path):
        return False
    if {each.validators_hash for each in (header, claim.headers[-1])} != {validators.hash}:
        return False
    return VoteVerifier(validators, header.genesis_hash, scheme, LINK_DOMAIN).holds(claim.links)


def _path(header: Header, headers: Sequence[Header]) -> dict[int, bytes] | None:
    """Return the hashes by height from a header upwards; None if the headers do not hang together."""
    path: dict[int, bytes] = {header.height: header.hash}
    last = header
    for child in headers:
        if child.parent_hash != last.hash or child.height != last.height + 1 or child.epoch != header.epoch:
            return None
        last = child
        path[last.height] = last.hash
    return path


def _leads(header: Header, claim: FFGProof, path: dict[int, bytes]) -> bool:
    """Tell whether the links join, end at the last header, and agree with the path wherever it reaches."""
    final = claim.links[-1].link
    ends = final.is_consecutive and final.target.index * CHECKPOINT_BLOCKS == claim.headers[-1].height
    if not ends or final.source.height < header.height:
        return False
    before = None
    for link in (quorum.link for quorum in claim.links):
        if link.epoch != header.epoch or (before is not None and link.source != before):
            return False
        before = link.target
        if any(at.height >= header.height and path.get(at.height) != at.hash for at in (link.source, link.target)):
            return False
    return True
