"""The write-ahead log's records: what an engine must know again after a restart.

One tag byte and the record. Own messages are logged before they are signed, without signature: Ed25519 is
deterministic, so the same message signed again gives the same bytes, and a torn tail loses only what was never signed.
Every engine's log has the same five kinds of record, under tags of its own, so that no engine takes another's log:

    +0 epoch      the epoch that was begun, and its set
    +1 own        a message of this validator
    +2 quorum     signatures of a quorum that the engine goes by
    +3 proposal   a proposal whose block is in the log
    +4 halt       this validator signs nothing any more

Source: the write-ahead log of the finality specification. The frames around records, with their checksums, and the
blocks' bodies are the node's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from p2pcommerce.finality.engine import Rewrite
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.codec import HASH, U32, Shape, decode, encode, pair, text
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import SIGNATURE_BYTES, BlockHash

__all__ = ["UNSIGNED", "Field", "Journal", "LogError", "LogFormat", "field_of"]

UNSIGNED: Final = bytes(SIGNATURE_BYTES)
"""Stands for the signature of a proposal that is not signed yet."""
_EPOCH: Final = pair(U32, HASH)
_EPOCH_BYTES_MAX: Final = 64
_REASON_MAX: Final = 256
_REASON: Final = text(4 * _REASON_MAX)
_REASON_BYTES_MAX: Final = 4 * _REASON_MAX + 8


class LogError(UsageError):
    """A record of the write-ahead log that this engine did not write."""

    code = "LOG"


class Proposed(Protocol):
    """A block that a leader proposed."""

    @property
    def header(self) -> Header:
        """The block's header."""
        ...


T = TypeVar("T")
O = TypeVar("O")  # noqa: E741 - own messages
Q = TypeVar("Q")
P = TypeVar("P", bound=Proposed)


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """How one kind of record is written, and read from untrusted bytes (CodecError: it is none)."""

    write: Callable[[T], bytes]
    read: Callable[[bytes], T]


def field_of(shape: Shape[T], bytes_max: int) -> Field[T]:
    """Return the canonical encoding of a shape as a record, of so many bytes at most."""
    return Field(lambda value: encode(shape, value), lambda data: decode(shape, data, bytes_max))


@dataclass(slots=True)
class Journal(Generic[O, Q, P]):
    """What the log says.

    Attributes:
        epoch: the last epoch begun, None in a new log.
        own: own messages, oldest first.
        quorums: in the order in which they came.
        proposals: by block, the last record of each, in the order of these; own ones are unsigned as a rule.
        halted: why this validator must not sign, None if it may.
    """

    epoch: int | None = None
    own: list[O] = field(default_factory=list)
    quorums: list[Q] = field(default_factory=list)
    proposals: dict[BlockHash, P] = field(default_factory=dict)
    halted: str | None = None

    @property
    def newest_proposal(self) -> P | None:
        """The last proposal."""
        return next(reversed(self.proposals.values()), None)


class LogFormat(Generic[O, Q, P]):
    """The records of one engine."""

    def __init__(self, first_tag: int, *, own: Field[O], quorum: Field[Q], proposal: Field[P]) -> None:
        """Make the format; `first_tag`: of an epoch's record (1 to 250), the others follow in order."""
        self._epoch, self._own, self._quorum, self._proposal, self._halt = (
            bytes([first_tag + offset]) for offset in range(5)
        )
        self._fields = own, quorum, proposal

    # --- writing ---

    def epoch(self, epoch: int, validators_hash: bytes) -> bytes:
        """Return the record of an epoch's start; `validators_hash`: 32 bytes."""
        return self._epoch + encode(_EPOCH, (epoch, validators_hash))

    def own(self, message: O) -> bytes:
        """Return the record of an own message, to be durable before it is signed."""
        return self._own + self._fields[0].write(message)

    def quorum(self, quorum: Q) -> bytes:
        """Return the record of a quorum that is held."""
        return self._quorum + self._fields[1].write(quorum)

    def proposal(self, proposal: P) -> bytes:
        """Return the record of a proposal whose block is in the log."""
        return self._proposal + self._fields[2].write(proposal)

    def halt(self, reason: str) -> bytes:
        """Return the record that ends this validator's signing; the reason is cut to 256 characters."""
        return self._halt + encode(_REASON, reason[:_REASON_MAX])

    def rewritten(self, journal: Journal[O, Q, P], validators_hash: bytes, blocks: Iterable[BlockHash]) -> Rewrite:
        """Return what takes the place of a log.

        Args:
            journal: all that is needed again, of an epoch that has begun.
            validators_hash: of that epoch's set, 32 bytes.
            blocks: hashes of the blocks whose bodies stay.
        """
        records = [
            self.epoch(journal.epoch or 0, validators_hash),
            *map(self.quorum, journal.quorums),
            *map(self.proposal, journal.proposals.values()),
            *map(self.own, journal.own),
        ]
        if journal.halted is not None:
            records.append(self.halt(journal.halted))
        return Rewrite(tuple(records), tuple(dict.fromkeys(blocks)))

    # --- reading ---

    def read(self, records: Sequence[bytes]) -> Journal[O, Q, P]:
        """Read a log, oldest record first.

        Raises:
            LogError: a record is malformed, of an unknown kind, or of another engine.
        """
        journal: Journal[O, Q, P] = Journal()
        for number, record in enumerate(records):
            try:
                self._take(journal, record[:1], record[1:])
            except CodecError as error:
                raise LogError(
                    f"finality log: record {number}: {error}; sign nothing with it, restore it from this node's own "
                    "disk, and keep to the engine that wrote it"
                ) from error
        return journal

    def _take(self, journal: Journal[O, Q, P], tag: bytes, body: bytes) -> None:
        own, quorum, proposal = self._fields
        if tag == self._epoch:
            journal.epoch = decode(_EPOCH, body, _EPOCH_BYTES_MAX)[0]
        elif tag == self._own:
            journal.own.append(own.read(body))
        elif tag == self._quorum:
            journal.quorums.append(quorum.read(body))
        elif tag == self._proposal:
            found = proposal.read(body)
            journal.proposals.pop(found.header.hash, None)
            journal.proposals[found.header.hash] = found
        elif tag == self._halt:
            journal.halted = decode(_REASON, body, _REASON_BYTES_MAX)
        else:
            raise CodecError(f"is of an unknown kind {tag.hex()}")
