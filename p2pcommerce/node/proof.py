"""Offline proofs: one fact of the state, provable to somebody who runs no node.

    genesis (trusted) -> validator sets, epoch by epoch -> certificate -> header -> state root
        -> one record (or its absence) -> for an item: its whole history

A proof is made from a final head and the state after it. To check one takes the genesis, or a validator set that is
trusted, or a trusted header, and nothing else: no node, no network, no clock. There are two forms:

- a full proof holds a link for each epoch from genesis, or from the epoch that its verifier trusts, to the one of its
  header (`epoch_links`);
- a compact proof holds no link and leaves out what the validators of its epoch, known to the verifier, give
  (`compact`): the history of an item fits one QR code.

A compact proof also has a form as text, "P2P:" and base45, which is what a QR code shows (`Proof.text`).

Source: "Offline proof" of the commerce specification and the light client of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce import HISTORY_ENTRY, HistoryEntry, Item, item_key, verify_history
from p2pcommerce.finality import ENGINES, make_engine
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.block import HEADER, Header
from p2pcommerce.ledger.validators import ValidatorSet, ValidatorSetError
from p2pcommerce.node.compact import Claim, Outline, read_outline, write_compact
from p2pcommerce.node.epoch_links import (
    EPOCH_LINK,
    FINALITY_BYTES_MAX,
    EpochLink,
    EpochLinkError,
    TrustAnchor,
    follow_links,
)
from p2pcommerce.node.proof_errors import (
    AnchorTooOldError,
    DamagedProofError,
    ProofError,
    ProofVersionError,
    UnknownEpochError,
    WrongNetworkError,
    WrongSubjectError,
)
from p2pcommerce.node.short_header import Place
from p2pcommerce.node.subjects import Subject, subject_of
from p2pcommerce.primitives.base45 import base45_decode, base45_encode
from p2pcommerce.primitives.codec import array, blob, decode, encode, maybe, record_of, text, uint
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import CodecError, P2PError, UsageError
from p2pcommerce.primitives.ids import BlockHash, Epoch, Height
from p2pcommerce.primitives.sparse_merkle import STATE_PROOF, StateProof, verify_state

__all__ = [
    "LINKS_MAX",
    "PROOF_BYTES_MAX",
    "PROOF_TEXT_BYTES_MAX",
    "Proof",
    "ProofError",
    "Proven",
    "Subject",
    "TrustAnchor",
    "make_compact_proof",
    "make_proof",
    "proof_bytes",
    "require_proof",
    "subject_of",
    "verify_proof",
    "verify_proof_by",
    "verify_proof_by_header",
]

PROOF_VERSION: Final = 2
PROOF_BYTES_MAX: Final = 4_000_000
"""Bytes of a proof at most: it fits into one frame of the control socket."""
PROOF_TEXT_BYTES_MAX: Final = PROOF_BYTES_MAX * 3 // 2 + 16
"""Characters of a proof's text at most."""
LINKS_MAX: Final = 1_024
"""Epochs from the trusted one to the header's at most; with 100 validators a link has about 9 KB."""
_FULL_START: Final = 0x99
"""The first byte of a full proof: an array of nine."""
_TEXT_START: Final = "P2P:"
_KEY_BYTES_MAX: Final = 128
_VALUE_BYTES_MAX: Final = 64 * 1024
_ENTRIES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it is handed on.

    Attributes:
        raw: its canonical bytes.
        height: the height whose state it speaks of.
    """

    raw: bytes
    height: Height

    @property
    def text(self) -> str:
        """The same as text of the characters that a QR code holds best."""
        return _TEXT_START + base45_encode(self.raw)


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof has shown.

    Attributes:
        height: of the final block after which it was so.
        time_ms: that block's time, Unix milliseconds.
        block_hash: 32 bytes.
        key: the state key.
        value: its value; None: proven to be absent.
        item: the item's record, if it is one.
        history: the item's whole history as of that height, first event first.
        header: of the final block: a later proof can be checked with it (`verify_proof_by_header`).
    """

    height: Height
    time_ms: int
    block_hash: BlockHash
    key: bytes
    value: bytes | None
    item: Item | None
    history: tuple[HistoryEntry, ...]
    header: Header


@dataclass(frozen=True, slots=True)
class _Bundle:
    version: int
    engine: str
    header: Header
    finality: bytes
    links: tuple[EpochLink, ...]
    key: bytes
    value: bytes | None
    state: StateProof
    history: tuple[HistoryEntry, ...]

    @property
    def claim(self) -> Claim:
        return Claim(self.engine, self.header, self.finality, self.key, self.value, self.state, self.history)


_BUNDLE: Final = record_of(
    _Bundle,
    version=uint(PROOF_VERSION, PROOF_VERSION),
    engine=text(16),
    header=HEADER,
    finality=blob(FINALITY_BYTES_MAX),
    links=array(EPOCH_LINK, LINKS_MAX),
    key=blob(_KEY_BYTES_MAX),
    value=maybe(blob(_VALUE_BYTES_MAX)),
    state=STATE_PROOF,
    history=array(HISTORY_ENTRY, _ENTRIES_MAX),
)
_ITEM_TAG: Final = item_key(b"")


def make_proof(
    engine: str,
    header: Header,
    finality: bytes,
    key: bytes,
    value: bytes | None,
    state: StateProof,
    history: Sequence[HistoryEntry] = (),
    links: Sequence[EpochLink] = (),
) -> Proof:
    """Put a full proof together.

    Args:
        engine: the name of the finality engine.
        header: of the final head.
        finality: its proof.
        key: state key.
        value: its value in the state after the head; None if it is absent.
        state: the proof of that under `header.state_root`.
        history: for an item, all of its entries.
        links: from the epoch that the verifier trusts to the header's, at most `LINKS_MAX`.

    Raises:
        UsageError: it would be too large, for the epochs between are too many.
    """
    bundle = _Bundle(PROOF_VERSION, engine, header, finality, tuple(links), key, value, state, tuple(history))
    raw = encode(_BUNDLE, bundle)
    if len(raw) > PROOF_BYTES_MAX or len(links) > LINKS_MAX:
        raise UsageError(
            f"the proof would have {len(raw)} bytes, {PROOF_BYTES_MAX} are allowed: its verifier must trust a later "
            "epoch than the first (since_epoch)"
        )
    return Proof(raw, header.height)


def make_compact_proof(claim: Claim, validators: ValidatorSet, *, carries_validators: bool = False) -> Proof:
    """Put a compact proof together, for a verifier who holds the validators of its epoch.

    Args:
        claim: what is proven.
        validators: of the header's epoch.
        carries_validators: whether they go along, for a verifier who trusts a header alone.

    Raises:
        UsageError: the header is of other validators, or the proof would be too large.
        CodecError: the proof of finality is none of its engine's.
    """
    raw = write_compact(claim, validators, carries_validators=carries_validators)
    if len(raw) > PROOF_BYTES_MAX:
        raise UsageError(f"the proof would have {len(raw)} bytes, {PROOF_BYTES_MAX} are allowed")
    return Proof(raw, claim.header.height)


def proof_bytes(proof: bytes | str) -> bytes:
    """Return the bytes of a proof in either form, bytes or text; white space around the text does not count.

    Args:
        proof: untrusted, as it was read from a file, a pipe or a scanner.

    Raises:
        DamagedProofError: a text that is too long or no text of a proof.
    """
    if isinstance(proof, bytes):
        if proof.lstrip()[: len(_TEXT_START)] != _TEXT_START.encode():
            return proof
        proof = proof.decode("latin-1")
    written = proof.strip()
    if len(proof) > PROOF_TEXT_BYTES_MAX or not written.startswith(_TEXT_START):
        raise DamagedProofError(f'it is not a proof: its text does not begin with "{_TEXT_START}", or is too long')
    try:
        return base45_decode(written.removeprefix(_TEXT_START))
    except CodecError as error:
        raise DamagedProofError(f"it is damaged: the text {error}; copy or scan it again") from error


def require_proof(raw: bytes) -> None:
    """Demand bytes that have the form of a proof; whether it proves anything is for `verify_proof` to find out.

    Args:
        raw: untrusted.

    Raises:
        ProofVersionError: of another version of the format.
        DamagedProofError: no proof, or one that was cut or changed.
    """
    _read(raw)


def _read(raw: bytes) -> Outline | _Bundle:
    """Read a proof of either form; see `require_proof`."""
    if raw[:1] != bytes([_FULL_START]):
        return read_outline(raw, PROOF_BYTES_MAX)
    if len(raw) > 1 and PROOF_VERSION < raw[1] < 0x80:
        raise ProofVersionError(f"it is a proof of format {raw[1]}, this program reads {PROOF_VERSION}")
    try:
        return decode(_BUNDLE, raw, PROOF_BYTES_MAX)
    except CodecError as error:
        raise DamagedProofError(f"it is not a proof of this version: {error}") from error


def verify_proof(
    proof: bytes | str,
    trust: TrustAnchor,
    *,
    subject: Subject | None = None,
    scheme: SignatureScheme = ED25519,
) -> Proven:
    """Check a proof with nothing but what is trusted.

    Args:
        proof: untrusted, at most 4 MB, or its text.
        trust: the network and the validators of an epoch, as a rule of genesis.
        subject: what it must be about (`subject_of`); None: whatever it says.
        scheme: the network's signature scheme.

    Raises:
        ProofError: it proves nothing; the class and the message say what is wrong.
    """
    return verify_proof_by(proof, lambda _epoch: trust, scheme, subject)


def verify_proof_by(
    proof: bytes | str,
    trusted: Callable[[int], TrustAnchor],
    scheme: SignatureScheme,
    subject: Subject | None = None,
) -> Proven:
    """Check a proof with the best of several anchors.

    Args:
        proof: untrusted, at most 4 MB, or its text.
        trusted: epoch of the proof's header -> what is trusted, of that epoch or of an earlier one.
        scheme: the network's signature scheme.
        subject: what it must be about; None: whatever it says.

    Raises:
        ProofError: it proves nothing; the class and the message say what is wrong.
    """
    read = _read(proof_bytes(proof))
    if isinstance(read, Outline):
        trust = trusted(read.epoch)
        return _verify(_claim_of(read, trust), trust, _engine(read.engine, scheme), subject)
    header = read.header
    trust = trusted(header.epoch)
    if header.genesis_hash != trust.genesis_hash:
        raise WrongNetworkError("it belongs to another network")
    engine = _engine(read.engine, scheme)
    try:
        trust = follow_links(trust, read.links, engine, header.epoch)
    except EpochLinkError as error:
        raise ProofError(str(error)) from error
    return _verify(read.claim, trust, engine, subject)


def verify_proof_by_header(
    proof: bytes | str, header: Header, *, subject: Subject | None = None, scheme: SignatureScheme = ED25519
) -> Proven:
    """Check a compact proof that carries its validators with nothing but one trusted header.

    Args:
        proof: untrusted, at most 4 MB, or its text; of the header's epoch or of the next one.
        header: of a final block, trusted.
        subject: what it must be about; None: whatever it says.
        scheme: the network's signature scheme.

    Raises:
        ProofError: it proves nothing; the class and the message say what is wrong.
    """
    outline = read_outline(proof_bytes(proof), PROOF_BYTES_MAX)
    if outline.validators is None:
        raise ProofError("it does not carry its validators: a header is not enough to check it, a trust anchor is")
    hashes = {int(header.epoch): header.validators_hash, header.epoch + 1: header.next_validators_hash}
    try:
        validators = ValidatorSet(outline.validators)
    except ValidatorSetError as error:
        raise ProofError(f"its validators: {error}") from error
    if outline.epoch in hashes and hashes[outline.epoch] != validators.hash:
        raise ProofError(f"its validators are not those of epoch {outline.epoch} that the trusted header names")
    epoch = outline.epoch if outline.epoch in hashes else header.epoch
    trust = TrustAnchor(header.genesis_hash, validators, Epoch(epoch), header.time_ms)
    return _verify(_claim_of(outline, trust), trust, _engine(outline.engine, scheme), subject)


def _engine(name: str, scheme: SignatureScheme) -> FinalityEngine:
    if name not in ENGINES:
        raise ProofError(f'it was made with an unknown finality engine "{name}"')
    return make_engine(name, scheme)


def _claim_of(outline: Outline, trust: TrustAnchor) -> Claim:
    """Put a compact proof back into full form with what is trusted."""
    if not outline.is_of(trust.genesis_hash):
        raise WrongNetworkError("it belongs to another network")
    if outline.epoch > trust.epoch:
        raise AnchorTooOldError(
            f"it is of epoch {outline.epoch}, and what is trusted of epoch {trust.epoch}: bring the anchor up to date "
            "(`p2pcommerce light sync`), or ask for a full proof"
        )
    if outline.epoch < trust.epoch:
        raise UnknownEpochError(
            f"it is of epoch {outline.epoch}, whose validators are not known: what is trusted is of epoch "
            f"{trust.epoch}; keep the older anchor, or ask for a new proof"
        )
    try:
        return outline.claim(Place(trust.genesis_hash, trust.epoch, trust.validators))
    except CodecError as error:
        raise ProofError(f"it does not hold: {error}") from error


def _verify(claim: Claim, trust: TrustAnchor, engine: FinalityEngine, subject: Subject | None) -> Proven:
    header = claim.header
    if not engine.verify(header, claim.finality, trust.sets):
        raise ProofError("its block is not shown to be final by the trusted validators")
    if not verify_state(header.state_root, claim.key, claim.value, claim.state):
        raise ProofError("its record is not in the state of that block")
    item = _check_history(claim)
    if subject is not None and subject.key != claim.key:
        raise WrongSubjectError("it holds, but it is about something else than what was asked for")
    return Proven(header.height, header.time_ms, header.hash, claim.key, claim.value, item, claim.history, claim.header)


def _check_history(claim: Claim) -> Item | None:
    if not claim.key.startswith(_ITEM_TAG) or claim.value is None:
        if claim.history:
            raise ProofError("it holds a history of something that has none")
        return None
    try:
        return verify_history(claim.history, claim.value)
    except P2PError as error:
        raise ProofError(f"its history is not the item's: {error}") from error
