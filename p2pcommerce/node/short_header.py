"""Headers and certificates without what a verifier knows already.

    a header: no network, epoch and validators (the anchor has them), its proposer as a number in the validator set,
              no state root (the state proof gives it), no parent hash if the parent stands before it
    a certificate of finality: its view, who signed, and no more signatures than a quorum needs

What is left out is put back from what is trusted before anything is verified, so that a header that was not signed in
exactly that form has another hash.

Source: the header and the certificate of the finality specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from p2pcommerce.finality.certificates import Certificate, bitmap_of
from p2pcommerce.finality.proof import PROOF_HEADERS_MAX, FinalityProof
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import BLOCK_VERSION, ENGINE_DATA_BYTES_MAX, Header
from p2pcommerce.ledger.validators import VALIDATORS_MAX, ValidatorSet
from p2pcommerce.primitives.codec import HASH, KEY, U32, U64, Shape, array, blob, maybe, record_of, uint
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import (
    SIGNATURE_BYTES,
    U64_MAX,
    ZERO_HASH,
    BlockHash,
    Epoch,
    GenesisHash,
    Height,
    PublicKey,
)

__all__ = ["SHORT_FINALITY", "SHORT_HEADER", "Place", "ShortFinality", "ShortHeader", "quorum_only"]

_INDEX: Final = uint(VALIDATORS_MAX - 1)


def _read_proposer(value: Any) -> int | bytes:  # noqa: ANN401 - untrusted: any type may come
    return KEY.read(value) if isinstance(value, bytes) else _INDEX.read(value)


_PROPOSER: Final[Shape[int | bytes]] = Shape(_read_proposer, lambda proposer: proposer, f"{_INDEX.form} or {KEY.form}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where headers stand: what a verifier knows of all of them.

    Attributes:
        genesis_hash: the network, 32 bytes.
        epoch: their epoch.
        validators: of that epoch.
    """

    genesis_hash: GenesisHash
    epoch: Epoch
    validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class ShortHeader:
    """A header at a known place.

    Attributes:
        height: as in the header.
        parent_hash: 32 bytes; None: the header before it is its parent.
        proposer: its number in the validator set, or its key (32 bytes) if it is none of them.
        time_ms: Unix milliseconds.
        tx_root: 32 bytes; None: zeros.
        receipts_root: 32 bytes; None: zeros.
        state_root: 32 bytes; None: that of the header before it, or of the state proof.
        next_validators_hash: 32 bytes; None: the validators stay.
        engine_data: at most 512 bytes.
    """

    height: int
    parent_hash: bytes | None
    proposer: int | bytes
    time_ms: int
    tx_root: bytes | None
    receipts_root: bytes | None
    state_root: bytes | None
    next_validators_hash: bytes | None
    engine_data: bytes

    @classmethod
    def of(cls, header: Header, place: Place, parent: Header | None, state_root: bytes) -> ShortHeader:
        """Shorten a header.

        Args:
            header: at `place`.
            place: what the verifier knows.
            parent: the header that stands before it, if one does.
            state_root: what is taken for its state root if it names none, 32 bytes.
        """
        proposer = place.validators.index(header.proposer)
        next_hash = header.next_validators_hash
        return cls(
            height=header.height,
            parent_hash=None if parent is not None else header.parent_hash,
            proposer=header.proposer if proposer is None else proposer,
            time_ms=header.time_ms,
            tx_root=_unless(header.tx_root, ZERO_HASH),
            receipts_root=_unless(header.receipts_root, ZERO_HASH),
            state_root=_unless(header.state_root, state_root),
            next_validators_hash=_unless(next_hash, place.validators.hash),
            engine_data=header.engine_data,
        )

    def at(self, place: Place, parent: Header | None, state_root: bytes) -> Header:
        """Return the whole header; the arguments are those of `of`.

        Raises:
            CodecError: its proposer's number or its parent is none.
        """
        parent_hash = self.parent_hash if parent is None else parent.hash
        if parent_hash is None:
            raise CodecError("the first header must name its parent")
        members = place.validators.validators
        if isinstance(self.proposer, int) and self.proposer >= len(members):
            raise CodecError(f"a header's proposer is number {self.proposer} of {len(members)} validators")
        return Header(
            version=BLOCK_VERSION,
            genesis_hash=place.genesis_hash,
            epoch=place.epoch,
            height=Height(self.height),
            parent_hash=BlockHash(parent_hash),
            proposer=members[self.proposer].public_key if isinstance(self.proposer, int) else PublicKey(self.proposer),
            time_ms=self.time_ms,
            tx_root=self.tx_root or ZERO_HASH,
            receipts_root=self.receipts_root or ZERO_HASH,
            state_root=self.state_root or state_root,
            validators_hash=place.validators.hash,
            next_validators_hash=self.next_validators_hash or place.validators.hash,
            engine_data=self.engine_data,
        )


SHORT_HEADER: Final[Shape[ShortHeader]] = record_of(
    ShortHeader,
    height=U32,
    parent_hash=maybe(HASH),
    proposer=_PROPOSER,
    time_ms=U64,
    tx_root=maybe(HASH),
    receipts_root=maybe(HASH),
    state_root=maybe(HASH),
    next_validators_hash=maybe(HASH),
    engine_data=blob(ENGINE_DATA_BYTES_MAX),
)


@dataclass(frozen=True, slots=True)
class ShortFinality:
    """An F certificate of a header or of a descendant, with the headers between.

    Attributes:
        view: of the certificate.
        bitmap: who signed, one bit per validator.
        signatures: 64 bytes each, in index order, end to end.
        headers: from the header's child to the finalized descendant.
    """

    view: int
    bitmap: bytes
    signatures: bytes
    headers: tuple[ShortHeader, ...]

    @classmethod
    def of(cls, proof: FinalityProof, header: Header, place: Place) -> ShortFinality:
        """Shorten a proof of finality of `header`."""
        certificate = quorum_only(proof.certificate, place.validators)
        shortened = []
        last = header
        for child in proof.headers:
            shortened.append(ShortHeader.of(child, place, last, last.state_root))
            last = child
        return cls(certificate.view, certificate.bitmap, b"".join(certificate.signatures), tuple(shortened))

    def at(self, header: Header, place: Place) -> FinalityProof:
        """Return the whole proof of finality of `header`.

        Raises:
            CodecError: a header cannot be put back.
        """
        headers: list[Header] = []
        last = header
        for short in self.headers:
            last = short.at(place, last, last.state_root)
            headers.append(last)
        certificate = Certificate(
            VoteKind.FINALIZE, place.epoch, self.view, last.hash, (), self.bitmap, _split(self.signatures)
        )
        if len(certificate.signers) != len(certificate.signatures):
            raise CodecError("must have one signature for each bit of its bitmap")
        return FinalityProof(certificate, tuple(headers))


SHORT_FINALITY: Final[Shape[ShortFinality]] = record_of(
    ShortFinality,
    view=uint(U64_MAX - 1, 1),
    bitmap=blob(VALIDATORS_MAX // 8, 1),
    signatures=blob(VALIDATORS_MAX * SIGNATURE_BYTES, SIGNATURE_BYTES),
    headers=array(SHORT_HEADER, PROOF_HEADERS_MAX),
)


def quorum_only(certificate: Certificate, validators: ValidatorSet) -> Certificate:
    """Return a certificate of finality with the fewest of its signatures that still reach the quorum, heaviest first.

    A certificate below the quorum is returned whole.
    """
    places = {index: position for position, index in enumerate(certificate.signers)}
    members = validators.validators
    weight, kept = 0, list[int]()
    for index in sorted((each for each in places if each < len(members)), key=lambda each: -members[each].stake):
        if weight >= validators.quorum:
            break
        weight += members[index].stake
        kept.append(index)
    if weight < validators.quorum:
        return certificate
    kept.sort()
    return Certificate(
        certificate.kind,
        certificate.epoch,
        certificate.view,
        certificate.hash,
        (),
        bitmap_of(kept, validators),
        tuple(certificate.signatures[places[index]] for index in kept),
    )


def _unless(value: bytes, usual: bytes) -> bytes | None:
    return None if value == usual else value


def _split(signatures: bytes) -> tuple[bytes, ...]:
    if len(signatures) % SIGNATURE_BYTES:
        raise CodecError(f"signatures have {SIGNATURE_BYTES} bytes each")
    return tuple(signatures[start : start + SIGNATURE_BYTES] for start in range(0, len(signatures), SIGNATURE_BYTES))
