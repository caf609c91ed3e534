"""Events of a trace in words: what was signed, what an engine said.

A trace keeps bytes, which cost nothing; they are read here once somebody asks for the last events. What cannot be read
is shown as it is: adversaries send such things.

Source: the last events before a failure, in the simulator specification.
"""

from __future__ import annotations

from typing import assert_never

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.simplex.messages import (
    Answer,
    Boundary,
    Cast,
    Certificates,
    Message,
    Proposal,
    Status,
    decode_message,
    decode_seal,
)
from p2pcommerce.finality.voting import Ballot, VoteKind, read_ballot
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import short

__all__ = ["words_of"]


def words_of(kind: str, detail: bytes) -> str:
    """Return what the detail of an event says; empty: nothing that can be read."""
    try:
        if kind == "sign":
            return _ballot(read_ballot(detail))
        if kind == "Engine":
            return _message(decode_message(detail))
    except CodecError:
        return ""
    return ""


def _ballot(ballot: Ballot) -> str:
    if ballot.kind is VoteKind.NULLIFY:
        return f"NULLIFY view {ballot.view}, from view {ballot.anchor}"
    return f"{ballot.kind.name} view {ballot.view}, block {short(ballot.hash)}"


def _certificate(certificate: Certificate) -> str:
    ballot = Ballot(certificate.epoch, certificate.view, certificate.kind, certificate.hash)
    return f"a quorum for {_ballot(ballot)}"


def _message(message: Message) -> str:
    match message:
        case Cast(vote, _):
            return f"votes {_ballot(vote.ballot)}"
        case Certificates(items):
            return "; ".join(map(_certificate, items))
        case Proposal(header=header):
            return f"proposes block {short(header.hash)} of height {header.height} in view {decode_seal(header).view}"
        case Status():
            asks = ", asks for its own votes" if message.question else ""
            return (
                f"stands in view {message.view}, final {message.final_view}, notarized {message.notarized_view}{asks}"
            )
        case Answer(_, _, votes):
            return f"answers with {len(votes)} votes of the asker"
        case Boundary(header):
            return f"proves the end of epoch {header.epoch}, block {short(header.hash)} of height {header.height}"
        case _:
            assert_never(message)
