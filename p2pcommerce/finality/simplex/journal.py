"""The write-ahead log's records: what an engine must know again after a restart.

One tag byte and the record. Own ballots are logged before they are signed, without signature: Ed25519 is deterministic,
so the same ballot signed again gives the same bytes, and a torn tail loses only what was never signed.

Source: the write-ahead log of the finality specification. The frames around records, with their checksums, and the
blocks' bodies are the node's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.finality.certificates import CERTIFICATE, CERTIFICATE_BYTES_MAX, Certificate
from p2pcommerce.finality.simplex.messages import ENGINE_MESSAGE_BYTES_MAX, PROPOSAL, Proposal
from p2pcommerce.finality.voting import Ballot, read_ballot
from p2pcommerce.primitives.codec import HASH, U32, decode, encode, pair, text
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import SIGNATURE_BYTES

__all__ = [
    "UNSIGNED",
    "Journal",
    "LogError",
    "ballot_record",
    "certificate_record",
    "epoch_record",
    "halt_record",
    "proposal_record",
    "read_journal",
]

UNSIGNED: Final = bytes(SIGNATURE_BYTES)
"""Stands for the signature of a proposal that is not signed yet."""
_EPOCH: Final = pair(U32, HASH)
_REASON: Final = text(512)


class LogError(UsageError):
    """A record of the write-ahead log that this version did not write."""

    code = "LOG"


@dataclass(slots=True)
class Journal:
    """What the log says.

    Attributes:
        epoch: the last epoch begun, None in a new log.
        ballots: own ballots, oldest first.
        certificates: in the order in which they came.
        proposal: the last own proposal, unsigned.
        halted: why this validator must not sign, None if it may.
    """

    epoch: int | None = None
    ballots: list[Ballot] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    proposal: Proposal | None = None
    halted: str | None = None


def epoch_record(epoch: int, validators_hash: bytes) -> bytes:
    """Return the record of an epoch's start; `validators_hash`: 32 bytes."""
    return b"\x01" + encode(_EPOCH, (epoch, validators_hash))


def ballot_record(ballot: Ballot) -> bytes:
    """Return the record of an own ballot, to be durable before it is signed."""
    return b"\x02" + ballot.data


def certificate_record(certificate: Certificate) -> bytes:
    """Return the record of a certificate that is held."""
    return b"\x03" + encode(CERTIFICATE, certificate)


def proposal_record(proposal: Proposal) -> bytes:
    """Return the record of an own proposal."""
    return b"\x04" + encode(PROPOSAL, proposal)


def halt_record(reason: str) -> bytes:
    """Return the record that ends this validator's signing; the reason is cut to 128 characters."""
    return b"\x05" + encode(_REASON, reason[:128])


def read_journal(records: Sequence[bytes]) -> Journal:
    """Read a log, oldest record first.

    Raises:
        LogError: a record is malformed or of an unknown kind.
    """
    journal = Journal()
    for number, record in enumerate(records):
        try:
            _take(journal, record)
        except CodecError as error:
            raise LogError(
                f"finality log: record {number}: {error}; sign nothing with it, restore it from this node's own disk"
            ) from error
    return journal


def _take(journal: Journal, record: bytes) -> None:
    tag, body = record[:1], record[1:]
    match tag:
        case b"\x01":
            journal.epoch = decode(_EPOCH, body, 64)[0]
        case b"\x02":
            journal.ballots.append(read_ballot(body))
        case b"\x03":
            journal.certificates.append(decode(CERTIFICATE, body, CERTIFICATE_BYTES_MAX))
        case b"\x04":
            journal.proposal = decode(PROPOSAL, body, ENGINE_MESSAGE_BYTES_MAX)
        case b"\x05":
            journal.halted = decode(_REASON, body, 1_024)
        case _:
            raise CodecError(f"is of an unknown kind {tag.hex()}")
