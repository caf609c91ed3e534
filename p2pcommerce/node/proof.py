"""Offline proofs: one fact of the state, provable to somebody who runs no node.

    genesis (trusted) -> validator sets, epoch by epoch -> certificate -> header -> state root
        -> one record (or its absence) -> for an item: its whole history

A proof is made from a final head and the state after it. To check one takes the genesis, or a validator set that is
trusted, and nothing else: no node, no network, no clock. A proof holds a link for each epoch from genesis, or from the
epoch that its verifier trusts, to the one of its header (`epoch_links`).

Source: "Offline proof" of the commerce specification and the light client of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce import HISTORY_ENTRY, HistoryEntry, Item, item_id, item_key, verify_history
from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.errors import CommerceError
from p2pcommerce.commerce.order import ORDER
from p2pcommerce.finality import ENGINES, make_engine
from p2pcommerce.ledger.block import HEADER, Header
from p2pcommerce.node.epoch_links import (
    EPOCH_LINK,
    FINALITY_BYTES_MAX,
    EpochLink,
    EpochLinkError,
    TrustAnchor,
    follow_links,
)
from p2pcommerce.primitives.codec import array, blob, decode, encode, maybe, record_of, text, uint
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import CodecError, P2PError, RemoteProtocolError, UsageError
from p2pcommerce.primitives.ids import HASH_BYTES, BlockHash, Height, PublicKey
from p2pcommerce.primitives.sparse_merkle import STATE_PROOF, StateProof, verify_state

__all__ = [
    "LINKS_MAX",
    "PROOF_BYTES_MAX",
    "Proof",
    "ProofError",
    "Proven",
    "Subject",
    "TrustAnchor",
    "make_proof",
    "subject_of",
    "verify_proof",
    "verify_proof_by",
]

PROOF_VERSION: Final = 2
PROOF_BYTES_MAX: Final = 4_000_000
"""Bytes of a proof at most: it fits into one frame of the control socket."""
LINKS_MAX: Final = 1_024
"""Epochs from the trusted one to the header's at most; with 100 validators a link has about 9 KB."""
_KEY_BYTES_MAX: Final = 128
_VALUE_BYTES_MAX: Final = 64 * 1024
_ENTRIES_MAX: Final = 4_096


class ProofError(RemoteProtocolError):
    """A proof that does not prove what it says."""

    code = "BAD_PROOF"


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it is handed on.

    Attributes:
        raw: its canonical bytes.
        height: the height whose state it speaks of.
    """

    raw: bytes
    height: Height


@dataclass(frozen=True, slots=True)
class Subject:
    """What a proof is about.

    Attributes:
        key: the state key of its record.
        history_id: the id under which events name it, if its history belongs to the proof.
    """

    key: bytes
    history_id: bytes | None


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
    """

    height: Height
    time_ms: int
    block_hash: BlockHash
    key: bytes
    value: bytes | None
    item: Item | None
    history: tuple[HistoryEntry, ...]


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


def subject_of(name: str, arguments: Mapping[str, object]) -> Subject:
    """Return what a person wants proven.

    Args:
        name: "account" (account), "order" (order), "item" (issuer, gtin, and serial or lot), "state" (key).
        arguments: keys and ids as lower-case hexadecimal, GTIN, serial and lot as text.

    Raises:
        UsageError: no such subject, or an argument is missing or wrong.
    """
    match name:
        case "account":
            return Subject(ACCOUNT.key(_hex(arguments, "account", HASH_BYTES)), None)
        case "order":
            return Subject(ORDER.key(_hex(arguments, "order", HASH_BYTES)), None)
        case "state":
            key = _hex(arguments, "key", None)
            return Subject(key, key.removeprefix(_ITEM_TAG) if key.startswith(_ITEM_TAG) else None)
        case "item":
            identifier = _item_id(arguments)
            return Subject(item_key(identifier), identifier)
        case _:
            raise UsageError(f'"{name}" cannot be proven; one of account, order, item, state can')


def _item_id(arguments: Mapping[str, object]) -> bytes:
    issuer = PublicKey(_hex(arguments, "issuer", HASH_BYTES))
    texts: dict[str, str] = {}
    for name in ("gtin", "serial", "lot"):
        value = arguments.get(name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} must be text")
        if value is not None:
            texts[name] = value
    try:
        return item_id(issuer, texts.get("gtin", ""), serial=texts.get("serial"), lot=texts.get("lot"))
    except CommerceError as error:
        raise UsageError(f"item: {error}") from error


def _hex(arguments: Mapping[str, object], name: str, size: int | None) -> bytes:
    value = arguments.get(name)
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if not raw or (size is not None and len(raw) != size):
        what = f"{2 * size} hexadecimal digits" if size is not None else "hexadecimal digits"
        raise UsageError(f"{name} must be {what}")
    return raw


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
    """Put a proof together.

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


def verify_proof(proof: bytes, trust: TrustAnchor, *, scheme: SignatureScheme = ED25519) -> Proven:
    """Check a proof with nothing but what is trusted.

    Args:
        proof: untrusted bytes, at most 4 MB.
        trust: the network and the validators of an epoch, as a rule of genesis.
        scheme: the network's signature scheme.

    Raises:
        ProofError: it proves nothing; the message says what is wrong.
    """
    return verify_proof_by(proof, lambda _epoch: trust, scheme)


def verify_proof_by(proof: bytes, trusted: Callable[[int], TrustAnchor], scheme: SignatureScheme) -> Proven:
    """Check a proof with the best of several anchors.

    Args:
        proof: untrusted bytes, at most 4 MB.
        trusted: epoch of the proof's header -> what is trusted, of that epoch or of an earlier one.
        scheme: the network's signature scheme.

    Raises:
        ProofError: it proves nothing; the message says what is wrong.
    """
    try:
        bundle = decode(_BUNDLE, proof, PROOF_BYTES_MAX)
    except CodecError as error:
        raise ProofError(f"not a proof of this version: {error}") from error
    header = bundle.header
    trust = trusted(header.epoch)
    if header.genesis_hash != trust.genesis_hash:
        raise ProofError("it belongs to another network")
    if bundle.engine not in ENGINES:
        raise ProofError(f'it was made with an unknown finality engine "{bundle.engine}"')
    engine = make_engine(bundle.engine, scheme)
    try:
        trust = follow_links(trust, bundle.links, engine, header.epoch)
    except EpochLinkError as error:
        raise ProofError(str(error)) from error
    if not engine.verify(header, bundle.finality, trust.sets):
        raise ProofError("its block is not shown to be final by the trusted validators")
    if not verify_state(header.state_root, bundle.key, bundle.value, bundle.state):
        raise ProofError("its record is not in the state of that block")
    item = _check_history(bundle)
    return Proven(header.height, header.time_ms, header.hash, bundle.key, bundle.value, item, bundle.history)


def _check_history(bundle: _Bundle) -> Item | None:
    if not bundle.key.startswith(_ITEM_TAG) or bundle.value is None:
        if bundle.history:
            raise ProofError("it holds a history of something that has none")
        return None
    try:
        return verify_history(bundle.history, bundle.value)
    except P2PError as error:
        raise ProofError(f"its history is not the item's: {error}") from error
