"""The end of an epoch inside it: carriers, and what decides the epoch's last block.

On the last block of an epoch, and on each other, stand only carriers: blocks of the same height and state, without
transactions, marked in their seal. A quorum of F for any of them makes the last block final; no other block of the
epoch ever stands above it. (With ordinary descendants in their place, some would belong to an epoch whose validators
did not decide them.)

Source: the epochs of the finality specification.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex.messages import is_carrier
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["Decision", "decided", "decides_against", "is_well_placed"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A block that is shown to be final.

    Attributes:
        hash: 32 bytes.
        certificate: the F that shows it.
        carriers: the headers between the block and the one that the F names, that one included.
    """

    hash: BlockHash
    certificate: Certificate
    carriers: tuple[Header, ...] = ()


def decided(state: State) -> list[Decision]:
    """Return what is decided, the highest first: the last block if a peer proved it, the block of the highest F."""
    found: list[Decision] = []
    if state.ending is not None:
        proof = decode_proof(state.ending.proof)
        found.append(Decision(state.ending.header.hash, proof.certificate, proof.headers))
    if state.held.final is not None:
        found.append(Decision(BlockHash(state.held.final.hash), state.held.final))
    return found


def is_well_placed(state: State, header: Header, parent: Header) -> bool:
    """Tell whether a block has the height that it must have on its parent, and is a carrier where it must be one."""
    if state.ends(parent):
        return header.height == parent.height and is_carrier(header)
    return header.height == parent.height + 1 and not is_carrier(header)


def decides_against(proof: bytes, certificate: Certificate) -> bool:
    """Tell whether an F is known to decide against that by which an epoch's last block is final.

    Up to the view of the F in the proof, what is final is the last block and the carriers that the proof holds, and
    nothing else can be: a block with a quorum of F is an ancestor of all that a later one decides on. Above that view
    honest validators may have finalized further carriers, of which the proof knows nothing: an F alone does not tell
    what its block stands on. That another last block is final is then seen by its own proof, from a peer that answers
    with it or while catching up.

    Args:
        proof: of the last block; empty, malformed or of another epoch: nothing is known.
        certificate: of a view above that of the last block.
    """
    try:
        known = decode_proof(proof)
    except CodecError:
        return False
    if certificate.epoch != known.certificate.epoch or certificate.view > known.certificate.view:
        return False
    if certificate.kind is not VoteKind.FINALIZE:
        return False
    return certificate.hash != known.certificate.hash and all(
        certificate.hash != header.hash for header in known.headers
    )
