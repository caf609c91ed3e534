"""What a light client has found to be final, what that header commits to, and what contradicts it.

Source: the light client of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from p2pcommerce.finality.ffg import FFG
from p2pcommerce.finality.ffg import proof as ffg_proof
from p2pcommerce.finality.proof import PROOF_HEADERS_MAX, decode_proof, encode_proof
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.receipt import Outcome, outcome_hash
from p2pcommerce.primitives.errors import P2PError, RemoteProtocolError
from p2pcommerce.primitives.ids import TransactionId, short
from p2pcommerce.primitives.merkle import InclusionProof, verify_inclusion
from p2pcommerce.primitives.sparse_merkle import StateProof, verify_state

__all__ = ["Conflict", "ConflictError", "FinalHeader", "NotFinalError", "NotProvenError", "proof_of_ancestor"]


class NotFinalError(RemoteProtocolError):
    """A header that is not shown to be final."""

    code = "NOT_FINAL"


class NotProvenError(RemoteProtocolError):
    """Something that a final header does not commit to."""

    code = "NOT_PROVEN"


class ConflictError(P2PError):
    """Two headers of one height are both shown to be final: nothing of this network can be believed.

    Attributes:
        conflict: both, with their proofs and what convicts of it.
    """

    code = "CONFLICT"

    def __init__(self, conflict: Conflict) -> None:
        """Build the error from what contradicts itself."""
        super().__init__(
            f"two blocks are final at height {conflict.first.header.height}: {short(conflict.first.header.hash)} and "
            f"{short(conflict.second.header.hash)}; believe neither, and ask operators of the network for a checkpoint"
        )
        self.conflict = conflict


@dataclass(frozen=True, slots=True)
class FinalHeader:
    """A header that a light client has found to be final.

    Attributes:
        header: the header.
        finality: its proof.
    """

    header: Header
    finality: bytes

    def check_state(self, key: bytes, value: bytes | None, proof: StateProof) -> None:
        """Check that the state after this block holds `value` under `key` (None: nothing).

        Raises:
            NotProvenError: the proof does not show it.
        """
        if not verify_state(self.header.state_root, key, value, proof):
            raise NotProvenError(f"state key {key.hex()[:32]} is not shown to be so at height {self.header.height}")

    def check_transaction(self, tx_id: TransactionId, proof: InclusionProof) -> None:
        """Check that this block holds a transaction (id of 32 bytes).

        Raises:
            NotProvenError: the proof does not show it.
        """
        if not verify_inclusion(self.header.tx_root, tx_id, proof):
            raise NotProvenError(f"transaction {short(tx_id)} is not shown to be in block {self.header.height}")

    def check_outcome(
        self, tx_id: TransactionId, place: InclusionProof, outcome: Outcome, proof: InclusionProof
    ) -> None:
        """Check what a transaction of this block did.

        Args:
            tx_id: 32 bytes.
            place: shows that it is in the block.
            outcome: its code and events; the detail is not committed to.
            proof: shows that this is the outcome at the same place.

        Raises:
            NotProvenError: the proofs do not show it.
        """
        self.check_transaction(tx_id, place)
        is_same_place = (place.index, place.count) == (proof.index, proof.count)
        if not is_same_place or not verify_inclusion(self.header.receipts_root, outcome_hash(outcome), proof):
            raise NotProvenError(f"transaction {short(tx_id)} is not shown to have had this outcome")


def proof_of_ancestor(engine: str, above: Sequence[Header], finality: bytes) -> bytes:
    """Return the proof of a block, made of that of a block above it; empty if it would be too long.

    Args:
        engine: name of the engine whose proof it is.
        above: from the block's child to the block that is proven; none: the proof is the block's own.
        finality: untrusted.

    Raises:
        CodecError: the proof is malformed.
    """
    if not above:
        return finality
    if engine == FFG.name:
        claim = ffg_proof.decode_proof(finality)
        return ffg_proof.encode_proof(claim.links, (*above, *claim.headers))
    shown = decode_proof(finality)
    headers = (*above, *shown.headers)
    return encode_proof(shown.certificate, headers) if len(headers) <= PROOF_HEADERS_MAX else b""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two final headers of one height.

    Attributes:
        first, second: each with its proof, which convinces anybody who trusts the same validators.
        evidence: what can be submitted against validators who signed both in one view; each at most 512 bytes. If the
            views differ there is none yet: it takes their votes of the views between.
    """

    first: FinalHeader
    second: FinalHeader
    evidence: tuple[bytes, ...]
