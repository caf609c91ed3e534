"""What Simplex writes into the write-ahead log: ballots, certificates, own proposals.

Source: the write-ahead log of the finality specification.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from p2pcommerce.finality import journal
from p2pcommerce.finality.certificates import CERTIFICATE, CERTIFICATE_BYTES_MAX, Certificate
from p2pcommerce.finality.journal import Field, LogFormat, field_of
from p2pcommerce.finality.simplex.messages import ENGINE_MESSAGE_BYTES_MAX, PROPOSAL, Proposal
from p2pcommerce.finality.voting import Ballot, read_ballot

__all__ = ["LOG", "Journal"]

Journal: TypeAlias = journal.Journal[Ballot, Certificate, Proposal]
LOG: Final = LogFormat(
    0x01,
    own=Field(lambda ballot: ballot.data, read_ballot),
    quorum=field_of(CERTIFICATE, CERTIFICATE_BYTES_MAX),
    proposal=field_of(PROPOSAL, ENGINE_MESSAGE_BYTES_MAX),
)
