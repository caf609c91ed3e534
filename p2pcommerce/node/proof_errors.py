"""Why an offline proof is refused: one class for each thing that a person would do something else about.

Source: the verification rules in `p2pcommerce.node.proof`.
"""

from __future__ import annotations

from p2pcommerce.primitives.errors import RemoteProtocolError

__all__ = [
    "AnchorTooOldError",
    "DamagedProofError",
    "ProofError",
    "ProofVersionError",
    "UnknownEpochError",
    "WrongNetworkError",
    "WrongSubjectError",
]


class ProofError(RemoteProtocolError):
    """A proof that does not prove what it says."""

    code = "BAD_PROOF"


class DamagedProofError(ProofError):
    """Bytes that are no proof, or that were changed or cut on their way."""

    code = "DAMAGED_PROOF"


class ProofVersionError(ProofError):
    """A proof of a format that this version does not know."""

    code = "PROOF_VERSION"


class WrongNetworkError(ProofError):
    """A proof of another network than the trusted one."""

    code = "WRONG_NETWORK"


class AnchorTooOldError(ProofError):
    """A proof of an epoch after the trusted one, without what leads there."""

    code = "ANCHOR_TOO_OLD"


class UnknownEpochError(ProofError):
    """A proof of an epoch before the trusted one, whose validators are not known."""

    code = "UNKNOWN_EPOCH"


class WrongSubjectError(ProofError):
    """A proof of something else than what was asked for."""

    code = "WRONG_SUBJECT"
