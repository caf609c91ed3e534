"""Are epochs what they must be: equal sets at equal epochs, named by the headers, and proofs that hold.

The judge shares no code with the engine's certificates and proofs that it watches: it reads their plain values, counts
signatures and stake by itself, and knows the sets from what boundary blocks write into the state.

Source: the epochs and the certificates of the finality specification.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import set_key
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256, signed_bytes

__all__ = ["EpochJudge"]

_BALLOT: Final = struct.Struct(">QQB32s")
_FINALIZE: Final = 3
_SIGNATURE_BYTES: Final = 64
_BYTES_MAX: Final = 2**22
_EPOCH_FIELD: Final = 2
_PARENT_FIELD: Final = 4

Members = tuple[tuple[bytes, int], ...]


class EpochJudge:
    """Watches the final blocks of one world, in order of height.

    Attributes:
        epochs: epochs that were seen to end.
    """

    def __init__(self, genesis: Genesis, scheme: SignatureScheme) -> None:
        """Know the genesis set, of epochs 0 and 1."""
        self.epochs = 0
        self._genesis = genesis
        self._scheme = scheme
        members = tuple((each.public_key, each.stake) for each in genesis.validators)
        self._sets: dict[int, tuple[Members, bytes]] = dict.fromkeys((0, 1), (members, genesis.validators.hash))
        self._height = 0

    def see(self, committed: CommittedBlock) -> str:
        """Look at a final block; return what is wrong with it, empty: nothing."""
        header = committed.block.header
        blocks = self._genesis.parameters.epoch_blocks
        epoch = (header.height - 1) // blocks
        if header.height == self._height + 1:
            self._height += 1
            if header.height % blocks == 0:
                self._learn(epoch + 2, committed)
        if header.epoch != epoch:
            return f"height {header.height} says epoch {header.epoch}"
        known = [self._sets.get(number) for number in (epoch, epoch + 1)]
        named = [header.validators_hash, header.next_validators_hash]
        for number, (each, digest) in enumerate(zip(known, named, strict=True), epoch):
            if each is not None and each[1] != digest:
                return f"height {header.height} names another set of epoch {number}"
        if committed.proof and known[0] is not None:
            return self._check_proof(header, committed.proof, known[0][0])
        return ""

    def _learn(self, epoch: int, committed: CommittedBlock) -> None:
        raw = committed.changes.get(set_key(epoch))
        if raw is not None:
            rows: Any = unpack(raw, _BYTES_MAX)
            self._sets[epoch] = tuple((key, stake) for key, stake in rows), blake2b_256(raw)
            self._sets.pop(epoch - 8, None)
            self.epochs += 1

    def _check_proof(self, header: Header, proof: bytes, members: Members) -> str:
        certificate: Any
        headers: Any
        certificate, headers = unpack(proof, _BYTES_MAX)  # type: ignore[misc] # plain values
        last: bytes = header.hash
        for fields in headers:
            if fields[_PARENT_FIELD] != last or fields[_EPOCH_FIELD] != header.epoch:
                return f"the proof of height {header.height} is no chain of headers"
            last = blake2b_256(pack(fields))
        kind, epoch, view, digest, _, bitmap, signatures = certificate
        if (kind, epoch, digest) != (_FINALIZE, header.epoch, last):
            return f"the proof of height {header.height} is of something else"
        signers = [index for index in range(8 * len(bitmap)) if bitmap[index // 8] >> index % 8 & 1]
        ballot = signed_bytes("vote", self._genesis.hash, _BALLOT.pack(epoch, view, kind, digest))
        weight = 0
        if len(signatures) != _SIGNATURE_BYTES * len(signers):
            return f"the proof of height {header.height} has signatures that do not fit its bitmap"
        for place, index in enumerate(signers):
            signature = signatures[_SIGNATURE_BYTES * place : _SIGNATURE_BYTES * (place + 1)]
            key, stake = members[index]
            if not self._scheme.verify(key, ballot, signature):
                return f"the proof of height {header.height} holds a bad signature"
            weight += stake
        if 3 * weight <= 2 * sum(stake for _, stake in members):
            return f"the proof of height {header.height} has a weight of {weight}"
        return ""
