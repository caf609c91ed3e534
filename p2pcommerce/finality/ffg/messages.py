"""What FFG engines say to each other, and what a header carries for them.

Source: the finality specification (FFG; rules 8 and 9, recovery).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from p2pcommerce.finality.ffg.links import LINK_VOTE, QUORUM_LINK, QUORUM_LINK_BYTES_MAX, LinkVote, QuorumLink
from p2pcommerce.finality.ffg.parameters import LINKS_MAX
from p2pcommerce.finality.ffg.voting import INDEX_MAX
from p2pcommerce.finality.messages import MessageKinds
from p2pcommerce.ledger.block import BLOCK_TRANSACTIONS_MAX, ENGINE_DATA_BYTES_MAX, HEADER, HEADER_BYTES_MAX, Header
from p2pcommerce.primitives.codec import HASH, SIGNATURE, U32, U64, Shape, array, decode, encode, record_of, uint
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import U64_MAX, BlockHash, TransactionId

__all__ = [
    "HEADS_MAX",
    "KINDS",
    "PROPOSAL",
    "PROPOSAL_BYTES_MAX",
    "PROPOSAL_HEAD",
    "Answer",
    "Ask",
    "Cast",
    "Links",
    "Message",
    "Proposal",
    "ProposalHead",
    "Seal",
    "Status",
    "decode_message",
    "decode_seal",
    "encode_message",
    "encode_seal",
    "links_hash",
]

_LINKS: Final = array(QUORUM_LINK, LINKS_MAX)


def links_hash(links: Sequence[QuorumLink]) -> bytes:
    """Return the BLAKE2b-256 of the canonical bytes of links; committed in the seal."""
    return blake2b_256(encode(_LINKS, tuple(links)))


@dataclass(frozen=True, slots=True)
class Seal:
    """What a header's `engine_data` says.

    Attributes:
        slot: in which the block was made.
        links_hash: 32 bytes, of the links that travel with the block.
    """

    slot: int
    links_hash: bytes


_SEAL: Final[Shape[Seal]] = record_of(Seal, slot=uint(U64_MAX - 1, 1), links_hash=HASH)


def encode_seal(seal: Seal) -> bytes:
    """Return the bytes for a header."""
    return encode(_SEAL, seal)


def decode_seal(header: Header) -> Seal:
    """Read a header's seal.

    Raises:
        CodecError: malformed.
    """
    return decode(_SEAL, header.engine_data, ENGINE_DATA_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote, sent by its voter."""

    vote: LinkVote


@dataclass(frozen=True, slots=True)
class Links:
    """Quorum links, oldest first: what justifies a checkpoint that the receiver may not know of."""

    items: tuple[QuorumLink, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block's header with the ids of its transactions, and the links from the final to the justified checkpoint.

    Attributes:
        header: the header; its `engine_data` is the seal.
        links: committed by the seal; the newest 8 at most.
        transaction_ids: in order, committed by the header.
        signature: 64 bytes, of the proposer on the ballot PROPOSE.
    """

    header: Header
    links: tuple[QuorumLink, ...]
    transaction_ids: tuple[TransactionId, ...]
    signature: bytes


PROPOSAL: Final[Shape[Proposal]] = record_of(
    Proposal,
    header=HEADER,
    links=_LINKS,
    transaction_ids=array(HASH, BLOCK_TRANSACTIONS_MAX),
    signature=SIGNATURE,
)
PROPOSAL_BYTES_MAX: Final = LINKS_MAX * QUORUM_LINK_BYTES_MAX + HEADER_BYTES_MAX + 34 * BLOCK_TRANSACTIONS_MAX + 256


@dataclass(frozen=True, slots=True)
class Status:
    """Where the sender stands.

    Attributes:
        epoch: its epoch.
        justified: index of its highest justified checkpoint.
        height: of its head.
        head: hash of its head, 32 bytes.
        question: 0, or a number that asks for the sender's newest vote and proposals after a restart.
    """

    epoch: int
    justified: int
    height: int
    head: BlockHash
    question: int


@dataclass(frozen=True, slots=True)
class ProposalHead:
    """What a leader signed of a proposal.

    Attributes:
        slot: of the proposal.
        hash: of its header, 32 bytes.
        signature: 64 bytes, of the proposer on the ballot PROPOSE.
    """

    slot: int
    hash: BlockHash
    signature: bytes


HEADS_MAX: Final = 8
"""Proposals of a validator that others remember for it, and that an answer holds at most. Those it does not know of are
the last that it made, and a single one of them stops it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest vote and proposals of a validator that restarted, as others know them.

    Attributes:
        epoch: the answerer's epoch.
        question: as in the status.
        votes: one at most.
        proposals: those heard last, oldest first; 8 at most.
    """

    epoch: int
    question: int
    votes: tuple[LinkVote, ...]
    proposals: tuple[ProposalHead, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Send the proposals of this block (hash: 32 bytes) and of what is below it and not final."""

    epoch: int
    block_hash: BlockHash


Message: TypeAlias = Cast | Links | Proposal | Status | Answer | Ask
_SMALL_BYTES_MAX: Final = 1_024
_ANSWER_BYTES_MAX: Final = 2_048
PROPOSAL_HEAD: Final[Shape[ProposalHead]] = record_of(
    ProposalHead, slot=uint(U64_MAX - 1, 1), hash=HASH, signature=SIGNATURE
)
KINDS: Final[MessageKinds[Message]] = MessageKinds(
    {
        1: (Cast, record_of(Cast, vote=LINK_VOTE), _SMALL_BYTES_MAX),
        2: (Links, record_of(Links, items=array(QUORUM_LINK, LINKS_MAX, 1)), LINKS_MAX * QUORUM_LINK_BYTES_MAX + 16),
        3: (Proposal, PROPOSAL, PROPOSAL_BYTES_MAX),
        4: (
            Status,
            record_of(Status, epoch=U32, justified=uint(INDEX_MAX), height=U32, head=HASH, question=U64),
            _SMALL_BYTES_MAX,
        ),
        5: (
            Answer,
            record_of(
                Answer,
                epoch=U32,
                question=U64,
                votes=array(LINK_VOTE, 1),
                proposals=array(PROPOSAL_HEAD, HEADS_MAX),
            ),
            _ANSWER_BYTES_MAX,
        ),
        6: (Ask, record_of(Ask, epoch=U32, block_hash=HASH), _SMALL_BYTES_MAX),
    }
)


def encode_message(message: Message) -> bytes:
    """Return a message's bytes, at most 256 KiB."""
    return KINDS.encode(message)


def decode_message(data: bytes) -> Message:
    """Read a message from untrusted bytes.

    Raises:
        CodecError: unknown tag, over the cap of its kind, malformed, not canonical.
    """
    return KINDS.decode(data)
