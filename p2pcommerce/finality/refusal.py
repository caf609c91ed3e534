"""Why an engine refuses a message: one class per rule, counted by its code.

`blames`: an honest peer never sends it, so that the peer is reported.
"""

from __future__ import annotations

from typing import ClassVar

from p2pcommerce.primitives.errors import RemoteProtocolError

__all__ = [
    "BadProposalSignatureError",
    "BadVoteSignatureError",
    "BoundaryError",
    "CrowdedError",
    "ForeignVoteError",
    "JustifyError",
    "NotLeaderError",
    "OutputError",
    "RefusedError",
    "SlotTimeError",
    "StaleError",
    "StrangerError",
    "UnanchoredError",
    "UncommittedError",
    "WrongEpochError",
]


class RefusedError(RemoteProtocolError):
    """A message that is not taken."""

    code = "REFUSED"
    blames: ClassVar[bool] = False


class WrongEpochError(RefusedError):
    """Of another epoch or another network."""

    code = "EPOCH"


class StaleError(RefusedError):
    """Outside the window of views, or of no use any more."""

    code = "STALE"


class StrangerError(RefusedError):
    """From a peer that is no validator, where only a validator speaks."""

    code = "STRANGER"


class CrowdedError(RefusedError):
    """One voter's or leader's third message of one kind and view."""

    code = "CROWDED"


class UnanchoredError(RefusedError):
    """A nullification whose anchor is above every certificate that is held or was sent along."""

    code = "UNANCHORED"


class ForeignVoteError(RefusedError):
    """A vote that its voter did not send itself."""

    code = "FOREIGN_VOTE"
    blames = True


class BadVoteSignatureError(RefusedError):
    """A vote whose signature is not good."""

    code = "VOTE_SIGNATURE"
    blames = True


class BadProposalSignatureError(RefusedError):
    """A proposal whose signature is not good."""

    code = "PROPOSAL_SIGNATURE"
    blames = True


class NotLeaderError(RefusedError):
    """A proposal by somebody who does not lead its view or slot."""

    code = "NOT_LEADER"
    blames = True


class SlotTimeError(RefusedError):
    """A proposal whose time is not the beginning of its slot."""

    code = "SLOT_TIME"
    blames = True


class UncommittedError(RefusedError):
    """A proposal whose transaction ids, justify or links are not those that its header commits to."""

    code = "UNCOMMITTED"
    blames = True


class JustifyError(RefusedError):
    """A proposal by the right leader whose justify does not allow its parent."""

    code = "JUSTIFY"


class OutputError(RefusedError):
    """A proposal by the right leader whose seal does not hold the leader's random output for the view."""

    code = "OUTPUT"


class BoundaryError(RefusedError):
    """A proof of an epoch's last block that does not show it to be final."""

    code = "BOUNDARY"
    blames = True
