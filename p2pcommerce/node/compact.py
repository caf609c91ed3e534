"""Compact proofs: what is left of a proof once its verifier holds the validators of the proof's epoch.

    "p" | version (1) | body | checksum (4)
    body = [network, engine, epoch, header, finality, key, value, siblings, other, history, validators]

- the network is the first 4 bytes of its genesis hash: enough to say that it is another one, and no proof of it; the
  whole hash stands in the header, which is put back from what is trusted
- header and certificate are short (`short_header`); the finality proofs of other engines than those with F certificates
  stand there whole, without links that their verifier does not need
- the state root is not there: the state proof gives it, and a wrong one gives a header that nobody signed
- key and value are pieces: bytes, or the number of a word; words are the history's head, which its events give, and its
  signers
- siblings are how many, which of them are not zeros (a bit each, first bit first), and those
- the validators stand there only for a verifier who trusts a header and not a set
- the checksum, the first 4 bytes of the BLAKE2b-256 of all before, tells damage from fraud; it proves nothing

A proof has one form: who reads one writes it again and refuses bytes that differ.

Source: "Offline proof" of the commerce specification, whose mock-up of 6 events, depth 20 and 21 validators this meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from p2pcommerce.commerce import HistoryEntry, fold
from p2pcommerce.finality.ffg.proof import decode_proof as decode_ffg
from p2pcommerce.finality.ffg.proof import encode_proof as encode_ffg
from p2pcommerce.finality.proof import decode_proof, encode_proof
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.validators import VALIDATORS, Validator, ValidatorSet
from p2pcommerce.node.compact_history import COMPACT_HISTORY, CompactHistory
from p2pcommerce.node.epoch_links import FINALITY_BYTES_MAX
from p2pcommerce.node.proof_errors import DamagedProofError, ProofVersionError
from p2pcommerce.node.short_header import SHORT_FINALITY, SHORT_HEADER, Place, ShortFinality, ShortHeader
from p2pcommerce.primitives.codec import (
    U32,
    Shape,
    array,
    blob,
    decode,
    encode,
    maybe,
    pair,
    raw,
    record_of,
    text,
    uint,
)
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import HASH_BYTES, ZERO_HASH, GenesisHash
from p2pcommerce.primitives.sparse_merkle import DEPTH_MAX, StateProof, state_root_of

__all__ = ["COMPACT_MAGIC", "COMPACT_VERSION", "Claim", "Outline", "read_outline", "write_compact"]

COMPACT_MAGIC: Final = b"p"
COMPACT_VERSION: Final = 3
_START: Final = COMPACT_MAGIC + bytes([COMPACT_VERSION])
_TAG_BYTES: Final = 4
_KEY_BYTES_MAX: Final = 128
_VALUE_BYTES_MAX: Final = 64 * 1024
_WORDS_MAX: Final = 4_097
_PIECES_MAX: Final = 4_096
_PROVEN_BY_CERTIFICATE: Final = frozenset({"simplex", "solo"})


@dataclass(frozen=True, slots=True)
class Claim:
    """What a proof says, and why that is so.

    Attributes:
        engine: the name of the finality engine.
        header: of a final block.
        finality: the proof of that.
        key: a state key.
        value: what stands there after the block; None: nothing.
        state: the proof of that.
        history: of an item, all of its events.
    """

    engine: str
    header: Header
    finality: bytes
    key: bytes
    value: bytes | None
    state: StateProof
    history: tuple[HistoryEntry, ...]


@dataclass(frozen=True, slots=True)
class _Siblings:
    depth: int
    present: bytes
    hashes: bytes


def _read_piece(value: Any) -> int | bytes:  # noqa: ANN401 - untrusted: any type may come
    return _LITERAL.read(value) if isinstance(value, bytes) else _WORD.read(value)


_LITERAL: Final = blob(_VALUE_BYTES_MAX, 1)
_WORD: Final = uint(_WORDS_MAX - 1)
_PIECE: Final[Shape[int | bytes]] = Shape(_read_piece, lambda piece: piece, f"{_LITERAL.form} or {_WORD.form}")
_PIECES: Final = array(_PIECE, _PIECES_MAX)


def _read_finality(value: Any) -> ShortFinality | bytes:  # noqa: ANN401 - untrusted: any type may come
    return _WHOLE_FINALITY.read(value) if isinstance(value, bytes) else SHORT_FINALITY.read(value)


def _plain_finality(value: ShortFinality | bytes) -> object:
    return value if isinstance(value, bytes) else SHORT_FINALITY.plain(value)


_WHOLE_FINALITY: Final = blob(FINALITY_BYTES_MAX)
_FINALITY: Final[Shape[ShortFinality | bytes]] = Shape(
    _read_finality, _plain_finality, f"{_WHOLE_FINALITY.form} or {SHORT_FINALITY.form}"
)


@dataclass(frozen=True, slots=True)
class Outline:
    """A compact proof that was read, and not yet put back into full form.

    Attributes:
        network: the first 4 bytes of the genesis hash.
        engine: the name of the finality engine.
        epoch: of its header: whose validators one must know.
        header: its header.
        finality: the proof of its finality, short or whole.
        key: pieces of the state key.
        value: pieces of the value; None: there is nothing.
        siblings: of the state proof.
        other: of the state proof.
        history: of an item; None: there is none.
        validators: of the epoch, for whoever trusts a header; None: the verifier has them.
    """

    network: bytes
    engine: str
    epoch: int
    header: ShortHeader
    finality: ShortFinality | bytes
    key: tuple[int | bytes, ...]
    value: tuple[int | bytes, ...] | None
    siblings: _Siblings
    other: tuple[bytes, bytes] | None
    history: CompactHistory | None
    validators: tuple[Validator, ...] | None

    def is_of(self, genesis_hash: GenesisHash) -> bool:
        """Tell whether it says that it is of this network."""
        return self.network == genesis_hash[:_TAG_BYTES]

    def claim(self, place: Place) -> Claim:
        """Put everything back that was left out.

        Args:
            place: what is trusted: the network, and the validators of the proof's epoch.

        Raises:
            CodecError: it does not fit the validators, or is not written in the one form that a proof has.
        """
        entries = () if self.history is None else self.history.entries()
        words = () if self.history is None else _words(entries, self.history.keys())
        key = _join(self.key, words, _KEY_BYTES_MAX)
        value = None if self.value is None else _join(self.value, words, _VALUE_BYTES_MAX)
        state = StateProof(_open(self.siblings), self.other)
        root = state_root_of(key, value, state)
        if root is None:
            raise CodecError("its state proof is of nothing")
        header = self.header.at(place, None, root)
        if isinstance(self.finality, bytes):
            finality = self.finality
        else:
            proof = self.finality.at(header, place)
            finality = encode_proof(proof.certificate, proof.headers)
        claim = Claim(self.engine, header, finality, key, value, state, entries)
        if _outline(claim, place, carries_validators=self.validators is not None) != self:
            raise CodecError("is not in the one form of a compact proof", "NOT_CANONICAL")
        return claim


_OUTLINE: Final[Shape[Outline]] = record_of(
    Outline,
    network=raw(_TAG_BYTES),
    engine=text(16),
    epoch=U32,
    header=SHORT_HEADER,
    finality=_FINALITY,
    key=_PIECES,
    value=maybe(_PIECES),
    siblings=record_of(
        _Siblings, depth=uint(DEPTH_MAX), present=blob(DEPTH_MAX // 8), hashes=blob(DEPTH_MAX * HASH_BYTES)
    ),
    other=maybe(pair(raw(HASH_BYTES), raw(HASH_BYTES))),
    history=maybe(COMPACT_HISTORY),
    validators=maybe(VALIDATORS),
)


def write_compact(claim: Claim, validators: ValidatorSet, *, carries_validators: bool = False) -> bytes:
    """Write a proof for a verifier who holds the validators of its epoch.

    Args:
        claim: what is proven.
        validators: of the header's epoch.
        carries_validators: whether they go along, for a verifier who trusts a header alone.

    Raises:
        UsageError: the header is not of these validators.
        CodecError: the proof of finality is none of its engine's.
    """
    header = claim.header
    if header.validators_hash != validators.hash:
        raise UsageError(f"the validators are not those of epoch {header.epoch}")
    place = Place(header.genesis_hash, header.epoch, validators)
    body = _START + encode(_OUTLINE, _outline(claim, place, carries_validators=carries_validators))
    return body + _checksum(body)


def read_outline(proof: bytes, bytes_max: int) -> Outline:
    """Read a compact proof from untrusted bytes.

    Args:
        proof: what is read.
        bytes_max: bytes of a proof at most.

    Raises:
        ProofVersionError: of another version of the format.
        DamagedProofError: too large, cut, changed, or not of the form.
    """
    if len(proof) > bytes_max:
        raise DamagedProofError(f"it is not a proof: {len(proof)} bytes, at most {bytes_max} are possible")
    if proof[:1] == COMPACT_MAGIC and len(proof) > 1 and proof[1] != COMPACT_VERSION:
        raise ProofVersionError(
            f"it is a compact proof of format {proof[1]}, this program reads {COMPACT_VERSION}: use a newer program"
        )
    if proof[: len(_START)] != _START:
        raise DamagedProofError("it is not a proof: it begins like none")
    body, checksum = proof[:-_TAG_BYTES], proof[-_TAG_BYTES:]
    if _checksum(body) != checksum:
        raise DamagedProofError("it is damaged: its checksum is another one; copy or scan it again")
    try:
        return decode(_OUTLINE, body[len(_START) :], bytes_max)
    except CodecError as error:
        raise DamagedProofError(f"it is not a proof of this version: {error}") from error


def _checksum(body: bytes) -> bytes:
    return blake2b_256(body)[:_TAG_BYTES]


def _outline(claim: Claim, place: Place, *, carries_validators: bool) -> Outline:
    history = CompactHistory.of(claim.history) if claim.history else None
    words = () if history is None else _words(claim.history, history.keys())
    header = claim.header
    return Outline(
        network=header.genesis_hash[:_TAG_BYTES],
        engine=claim.engine,
        epoch=header.epoch,
        header=ShortHeader.of(header, place, None, header.state_root),
        finality=_short_finality(claim, place),
        key=_split(claim.key, words),
        value=None if claim.value is None else _split(claim.value, words),
        siblings=_close(claim.state.siblings),
        other=claim.state.other,
        history=history,
        validators=place.validators.validators if carries_validators else None,
    )


def _short_finality(claim: Claim, place: Place) -> ShortFinality | bytes:
    if claim.engine in _PROVEN_BY_CERTIFICATE:
        return ShortFinality.of(decode_proof(claim.finality), claim.header, place)
    if claim.engine == "ffg":
        proof = decode_ffg(claim.finality)
        return encode_ffg(proof.links[-1:], proof.headers)
    return claim.finality


def _words(entries: Sequence[HistoryEntry], signers: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (fold(entries), *signers)


def _split(data: bytes, words: tuple[bytes, ...]) -> tuple[int | bytes, ...]:
    """Return the pieces of some bytes: words from left to right, and what stands between."""
    numbers = {word: number for number, word in reversed(list(enumerate(words)))}
    pieces: list[int | bytes] = []
    begin = place = 0
    while place < len(data):
        number = numbers.get(data[place : place + HASH_BYTES])
        if number is None:
            place += 1
            continue
        if begin < place:
            pieces.append(data[begin:place])
        pieces.append(number)
        begin = place = place + HASH_BYTES
    if begin < len(data):
        pieces.append(data[begin:])
    return tuple(pieces)


def _join(pieces: tuple[int | bytes, ...], words: tuple[bytes, ...], bytes_max: int) -> bytes:
    data = bytearray()
    for piece in pieces:
        if isinstance(piece, int) and piece >= len(words):
            raise CodecError(f"names word {piece} of {len(words)}")
        data += words[piece] if isinstance(piece, int) else piece
        if len(data) > bytes_max:
            raise CodecError(f"its key or value has over {bytes_max} bytes")
    return bytes(data)


def _close(siblings: tuple[bytes, ...]) -> _Siblings:
    bits = sum(1 << place for place, sibling in enumerate(siblings) if sibling != ZERO_HASH)
    present = bits.to_bytes((len(siblings) + 7) // 8, "little")
    return _Siblings(len(siblings), present, b"".join(each for each in siblings if each != ZERO_HASH))


def _open(siblings: _Siblings) -> tuple[bytes, ...]:
    bits = int.from_bytes(siblings.present, "little")
    count = bits.bit_count()
    if len(siblings.hashes) != count * HASH_BYTES:
        raise CodecError(f"a state proof names {count} siblings of {HASH_BYTES} bytes and holds others")
    hashes = iter(range(0, len(siblings.hashes), HASH_BYTES))
    found = []
    for place in range(siblings.depth):
        start = next(hashes, 0) if bits >> place & 1 else None
        found.append(ZERO_HASH if start is None else siblings.hashes[start : start + HASH_BYTES])
    return tuple(found)
