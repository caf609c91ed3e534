"""From one validator set to the next, with nothing but what is trusted.

    the set of epoch e (trusted) -> a final header of epoch e -> its next_validators_hash -> the set of epoch e + 1

A link holds the last header of an epoch, the proof that it is final, and the next set; a chain of links leads from the
genesis to any epoch. Nothing here stores or fetches them.

Source: the light client of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.block import HEADER, Header
from p2pcommerce.ledger.validators import VALIDATORS, Validator, ValidatorSet, ValidatorSetError
from p2pcommerce.node.trust import EpochEnd, TrustAnchor
from p2pcommerce.primitives.codec import Shape, blob, decode, encode, record_of
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import Epoch

__all__ = [
    "EPOCH_LINK",
    "FINALITY_BYTES_MAX",
    "LINK_BYTES_MAX",
    "EpochLink",
    "EpochLinkError",
    "TrustAnchor",
    "decode_link",
    "encode_link",
    "follow_link",
    "follow_links",
]

FINALITY_BYTES_MAX: Final = 384 * 1024
"""Bytes of a proof of finality at most."""
LINK_BYTES_MAX: Final = FINALITY_BYTES_MAX + 16 * 1024
"""Bytes of a link at most: 256 validators have about 12 KB."""


class EpochLinkError(RemoteProtocolError):
    """Links that do not lead from what is trusted to where they should."""

    code = "EPOCH_LINK"


@dataclass(frozen=True, slots=True)
class EpochLink:
    """A step from an epoch to the next one.

    Attributes:
        header: a final header of the epoch, as a rule its last one.
        finality: the proof that it is final.
        validators: the set of the next epoch, by public key.
    """

    header: Header
    finality: bytes
    validators: tuple[Validator, ...]


EPOCH_LINK: Final[Shape[EpochLink]] = record_of(
    EpochLink, header=HEADER, finality=blob(FINALITY_BYTES_MAX), validators=VALIDATORS
)


def follow_links(trust: TrustAnchor, links: Sequence[EpochLink], engine: FinalityEngine, to_epoch: int) -> TrustAnchor:
    """Return what is to be trusted in an epoch; links of epochs before the trusted one are not looked at.

    Args:
        trust: where to begin.
        links: untrusted, by epoch.
        engine: checks proofs; it need not be started.
        to_epoch: where to end.

    Raises:
        EpochLinkError: they do not lead there.
    """
    for link in links:
        if trust.epoch >= to_epoch:
            break
        if link.header.epoch >= trust.epoch:
            trust = follow_link(trust, link, engine)
    if trust.epoch != to_epoch:
        raise EpochLinkError(
            f"what is known leads to epoch {trust.epoch}, not to epoch {to_epoch}: trust a newer or an older anchor"
        )
    return trust


def encode_link(link: EpochLink) -> bytes:
    """Return a link's bytes."""
    return encode(EPOCH_LINK, link)


def decode_link(raw: bytes) -> EpochLink:
    """Read a link from untrusted bytes.

    Raises:
        CodecError: too large, malformed, not canonical.
    """
    return decode(EPOCH_LINK, raw, LINK_BYTES_MAX)


def follow_link(trust: TrustAnchor, link: EpochLink, engine: FinalityEngine) -> TrustAnchor:
    """Return what is to be trusted in the epoch after the trusted one; its time is that of the link's header.

    Raises:
        EpochLinkError: the link is of another epoch or network, or does not hold.
    """
    header = link.header
    if header.epoch != trust.epoch or header.genesis_hash != trust.genesis_hash:
        raise EpochLinkError(f"the link to the set after epoch {trust.epoch} is missing")
    if not engine.verify(header, link.finality, trust.sets):
        raise EpochLinkError(f"the link of epoch {trust.epoch} is not shown to be final by its validators")
    try:
        following = ValidatorSet(link.validators)
    except ValidatorSetError as error:
        raise EpochLinkError(f"the set after epoch {trust.epoch}: {error}") from error
    if following.hash != header.next_validators_hash:
        raise EpochLinkError(f"the set after epoch {trust.epoch} is not the one that its header names")
    end = EpochEnd(header.hash, header.time_ms, trust.validators)
    return TrustAnchor(trust.genesis_hash, following, Epoch(trust.epoch + 1), header.time_ms, end, trust.epoch_blocks)
