"""What Simplex engines say to each other, and what a header carries for them.

Source: the finality specification (proposal, justify, rules 8 and 9, recovery).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from p2pcommerce.finality.certificates import CERTIFICATE, CERTIFICATE_BYTES_MAX, VOTE, Certificate, Vote
from p2pcommerce.finality.messages import MessageKinds
from p2pcommerce.finality.simplex.justify import JUSTIFY, Justify
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import BLOCK_TRANSACTIONS_MAX, ENGINE_DATA_BYTES_MAX, HEADER, HEADER_BYTES_MAX, Header
from p2pcommerce.primitives.codec import (
    BOOL,
    HASH,
    SIGNATURE,
    U32,
    U64,
    Shape,
    array,
    blob,
    decode,
    encode,
    maybe,
    raw,
    record_of,
    uint,
)
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import U64_MAX, TransactionId
from p2pcommerce.primitives.vrf import VRF_PROOF_BYTES

__all__ = [
    "ENGINE_MESSAGE_BYTES_MAX",
    "KINDS",
    "PROPOSAL",
    "Answer",
    "Boundary",
    "Cast",
    "Certificates",
    "Justify",
    "Message",
    "Proposal",
    "Seal",
    "Shown",
    "Status",
    "decode_message",
    "decode_seal",
    "encode_message",
    "encode_seal",
    "epoch_of_message",
    "is_carrier",
    "read_seal",
    "series_of",
    "view_of",
    "vrf_input",
]

ENGINE_MESSAGE_BYTES_MAX: Final = 256 * 1024
"""Bytes of any engine message at most."""
_VIEW: Final = uint(U64_MAX - 1)
_CAST_TAG: Final = 1
_KIND_AT: Final = 3
"""Where the kind of a vote stands in its message: after tag, array of two, array of six."""
_VOTE_BYTES_MIN: Final = 108
"""Tag, two arrays, kind, epoch and view of a byte, hash, voter, signature, nil."""
_SIGNATURE_HEAD: Final = b"\xc4\x40"
_NIL: Final = 0xC0
_FIXINT_END: Final = 0x80
"""An integer below is its own byte; others have one before them."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What a header's `engine_data` says.

    Attributes:
        view: the proposal's view, from 1.
        parent_view: the view of the certificate that justifies the parent; 0 for the block the epoch starts from.
        justify_hash: commits to the justify, 32 bytes.
        vrf: proof (80 bytes) of the leader's random output for this view.
        carrier: whether the block only carries the decision on the last block of the epoch.
    """

    view: int
    parent_view: int
    justify_hash: bytes
    vrf: bytes
    carrier: bool


_SEAL: Final[Shape[Seal]] = record_of(
    Seal, view=uint(U64_MAX - 1, 1), parent_view=_VIEW, justify_hash=HASH, vrf=raw(VRF_PROOF_BYTES), carrier=BOOL
)


def encode_seal(seal: Seal) -> bytes:
    """Return the bytes for a header."""
    return encode(_SEAL, seal)


def decode_seal(header: Header) -> Seal:
    """Read a header's seal; see `read_seal`."""
    return read_seal(header.engine_data)


def read_seal(data: bytes) -> Seal:
    """Read a seal.

    Raises:
        CodecError: malformed, or the parent's view is not below the view.
    """
    seal = decode(_SEAL, data, ENGINE_DATA_BYTES_MAX)
    if seal.parent_view >= seal.view:
        raise CodecError("a block's parent must be of a lower view")
    return seal


def is_carrier(header: Header) -> bool:
    """Tell whether a header says that it is a carrier; malformed ones say nothing."""
    try:
        return decode_seal(header).carrier
    except CodecError:
        return False


def view_of(header: Header) -> int:
    """Return the view that a header says it is of, 0 if it is malformed."""
    try:
        return decode_seal(header).view
    except CodecError:
        return 0


def vrf_input(seed: bytes, view: int) -> bytes:
    """Return what the leader of a view proves its random output for."""
    return seed + view.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote, sent by its voter.

    Attributes:
        vote: the vote.
        anchor: for a nullification, an N or F of its anchor's view or above.
    """

    vote: Vote
    anchor: Certificate | None


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates, anchors before the nullifications that need them."""

    items: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block's header with the ids of its transactions.

    Attributes:
        header: the header; its `engine_data` is the seal.
        justify: committed by the seal (`simplex.justify`).
        transaction_ids: in order, committed by the header.
        signature: 64 bytes, of the proposer on the ballot PROPOSE.
    """

    header: Header
    justify: Justify
    transaction_ids: tuple[TransactionId, ...]
    signature: bytes


PROPOSAL: Final[Shape[Proposal]] = record_of(
    Proposal,
    header=HEADER,
    justify=JUSTIFY,
    transaction_ids=array(HASH, BLOCK_TRANSACTIONS_MAX),
    signature=SIGNATURE,
)


@dataclass(frozen=True, slots=True)
class Status:
    """Where the sender stands.

    Attributes:
        epoch: its epoch.
        view: its view.
        final_view: the view of its highest F.
        notarized_view: the view of its highest N or F.
        question: 0, or a number that asks for the sender's newest votes after a restart.
    """

    epoch: int
    view: int
    final_view: int
    notarized_view: int
    question: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest votes of a validator that restarted, as others know them.

    Attributes:
        epoch: the answerer's epoch.
        question: as in the status.
        votes: at most one per kind.
    """

    epoch: int
    question: int
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Boundary:
    """The end of an epoch, for whoever has not seen it.

    Attributes:
        header: of the epoch's last block.
        proof: that it is final.
    """

    header: Header
    proof: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """A leader's signature on its proposal, for whoever votes for another block of that view.

    Attributes:
        epoch, view: of the proposal.
        hash: 32 bytes.
        signature: 64 bytes, of the leader on the ballot PROPOSE.
    """

    epoch: int
    view: int
    hash: bytes
    signature: bytes


Message: TypeAlias = Cast | Certificates | Proposal | Status | Answer | Boundary | Shown
_SMALL_BYTES_MAX: Final = 1_024
_BOUNDARY_BYTES_MAX: Final = ENGINE_MESSAGE_BYTES_MAX - 2 * HEADER_BYTES_MAX
KINDS: Final[MessageKinds[Message]] = MessageKinds(
    {
        1: (Cast, record_of(Cast, vote=VOTE, anchor=maybe(CERTIFICATE)), CERTIFICATE_BYTES_MAX + 256),
        2: (Certificates, record_of(Certificates, items=array(CERTIFICATE, 4, 1)), 4 * CERTIFICATE_BYTES_MAX + 16),
        3: (Proposal, PROPOSAL, 2 * CERTIFICATE_BYTES_MAX + HEADER_BYTES_MAX + 34 * BLOCK_TRANSACTIONS_MAX + 256),
        4: (
            Status,
            record_of(Status, epoch=U32, view=_VIEW, final_view=_VIEW, notarized_view=_VIEW, question=U64),
            _SMALL_BYTES_MAX,
        ),
        5: (Answer, record_of(Answer, epoch=U32, question=U64, votes=array(VOTE, 3)), _SMALL_BYTES_MAX),
        6: (
            Boundary,
            record_of(Boundary, header=HEADER, proof=blob(_BOUNDARY_BYTES_MAX)),
            _BOUNDARY_BYTES_MAX + HEADER_BYTES_MAX + 16,
        ),
        7: (Shown, record_of(Shown, epoch=U32, view=_VIEW, hash=HASH, signature=SIGNATURE), _SMALL_BYTES_MAX),
    }
)


def epoch_of_message(message: Message) -> int:
    """Return the epoch that a message speaks of."""
    match message:
        case Cast():
            return message.vote.ballot.epoch
        case Certificates():
            return message.items[0].epoch
        case Proposal() | Boundary():
            return message.header.epoch
        case Status() | Answer() | Shown():
            return message.epoch


def encode_message(message: Message) -> bytes:
    """Return a message's bytes, at most 256 KiB."""
    return KINDS.encode(message)


def decode_message(data: bytes) -> Message:
    """Read a message from untrusted bytes.

    Raises:
        CodecError: unknown tag, over the cap of its kind, malformed, not canonical.
    """
    return KINDS.decode(data)


def series_of(data: bytes) -> tuple[bytes, int] | None:
    """Return what a vote says, as bytes, and its voter's index; None: a message that is no vote, or carries an anchor.

    Of bytes that no vote is encoded as it says anything at all: what is verified is worth a name, and nothing else is.
    The encoding is canonical, so that all before the voter is the same in all votes on one ballot, and what stands at
    the end has a fixed place: a byte or two of the voter, two and 64 of the signature, one for no anchor.
    """
    if len(data) < _VOTE_BYTES_MIN or data[0] != _CAST_TAG or data[-1] != _NIL or data[-67:-65] != _SIGNATURE_HEAD:
        return None
    voter, end = data[-68], -68
    if voter >= _FIXINT_END:
        end = -69
    says = data[:end]
    if says[_KIND_AT] == VoteKind.NULLIFY and any(says[-32:]):
        return None  # its anchor was left out, and that may be taken amiss
    return says, voter
