"""The write-ahead log's records: what an engine must know again after a restart.

One tag byte and the record. Own messages are logged before they are signed, without signature: Ed25519 is
deterministic, so the same message signed again gives the same bytes, and a torn tail loses only what was never signed.

Source: the write-ahead log of the finality specification. The frames around records, with their checksums, and the
blocks' bodies are the node's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.finality.ffg.links import QUORUM_LINK, QUORUM_LINK_BYTES_MAX, QuorumLink
from p2pcommerce.finality.ffg.messages import PROPOSAL, PROPOSAL_BYTES_MAX, Proposal
from p2pcommerce.finality.ffg.voting import slot
from p2pcommerce.primitives.codec import HASH, U32, blob, decode, encode, pair, record_of, text
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import SIGNATURE_BYTES, BlockHash

__all__ = [
    "UNSIGNED",
    "FFGLogError",
    "Journal",
    "Own",
    "epoch_record",
    "halt_record",
    "link_record",
    "own_record",
    "proposal_record",
    "read_journal",
]

UNSIGNED: Final = bytes(SIGNATURE_BYTES)
"""Stands for the signature of a proposal that is not signed yet."""
_EPOCH: Final = pair(U32, HASH)
_REASON: Final = text(512)


class FFGLogError(UsageError):
    """A record of the write-ahead log that this engine did not write."""

    code = "LOG"


@dataclass(frozen=True, slots=True)
class Own:
    """A message of this validator.

    Attributes:
        domain: tag under which it is signed.
        data: what is signed: a link (89 bytes) or a proposal's ballot (49 bytes).
    """

    domain: str
    data: bytes


_OWN: Final = record_of(Own, domain=text(16), data=blob(128))


@dataclass(slots=True)
class Journal:
    """What the log says.

    Attributes:
        epoch: the last epoch begun, None in a new log.
        own: own messages, oldest first.
        links: quorum links in the order in which they came.
        proposals: by block; of an own one the signed form, if there is one.
        halted: why this validator must not sign, None if it may.
    """

    epoch: int | None = None
    own: list[Own] = field(default_factory=list)
    links: list[QuorumLink] = field(default_factory=list)
    proposals: dict[BlockHash, Proposal] = field(default_factory=dict)
    halted: str | None = None


def epoch_record(epoch: int, validators_hash: bytes) -> bytes:
    """Return the record of an epoch's start; `validators_hash`: 32 bytes."""
    return b"\x11" + encode(_EPOCH, (epoch, validators_hash))


def own_record(own: Own) -> bytes:
    """Return the record of an own message, to be durable before it is signed."""
    return b"\x12" + encode(_OWN, own)


def link_record(quorum: QuorumLink) -> bytes:
    """Return the record of a quorum link."""
    return b"\x13" + encode(QUORUM_LINK, quorum)


def proposal_record(proposal: Proposal) -> bytes:
    """Return the record of a proposal whose block is in the log."""
    return b"\x14" + encode(PROPOSAL, proposal)


def halt_record(reason: str) -> bytes:
    """Return the record that ends this validator's signing; the reason is cut to 128 characters."""
    return b"\x15" + encode(_REASON, reason[:128])


def read_journal(records: Sequence[bytes]) -> Journal:
    """Read a log, oldest record first.

    Raises:
        FFGLogError: a record is malformed, of an unknown kind, or of another engine.
    """
    journal = Journal()
    for number, record in enumerate(records):
        try:
            _take(journal, record)
        except CodecError as error:
            raise FFGLogError(
                f"finality log: record {number}: {error}; sign nothing with it, restore it from this node's own disk, "
                "and keep to the engine that wrote it"
            ) from error
    return journal


def _take(journal: Journal, record: bytes) -> None:
    tag, body = record[:1], record[1:]
    match tag:
        case b"\x11":
            journal.epoch = decode(_EPOCH, body, 64)[0]
        case b"\x12":
            own = decode(_OWN, body, 256)
            slot(own.domain, own.data)
            journal.own.append(own)
        case b"\x13":
            journal.links.append(decode(QUORUM_LINK, body, QUORUM_LINK_BYTES_MAX))
        case b"\x14":
            proposal = decode(PROPOSAL, body, PROPOSAL_BYTES_MAX)
            journal.proposals[proposal.header.hash] = proposal
        case b"\x15":
            journal.halted = decode(_REASON, body, 1_024)
        case _:
            raise CodecError(f"is of an unknown kind {tag.hex()}")
