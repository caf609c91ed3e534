"""The write-ahead log as it is needed: what stays when it is rewritten.

Source: the write-ahead log of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.engine import Rewrite
from p2pcommerce.finality.simplex.crossing import Crossing
from p2pcommerce.finality.simplex.journal import (
    UNSIGNED,
    ballot_record,
    certificate_record,
    epoch_record,
    halt_record,
    proposal_record,
)
from p2pcommerce.finality.simplex.messages import Proposal
from p2pcommerce.finality.simplex.state import State

__all__ = ["rewritten"]


def rewritten(state: State, unsigned: Proposal | None, crossing: Crossing) -> Rewrite:
    """Return the log of an epoch as it is needed.

    Args:
        state: of the epoch.
        unsigned: the own proposal that waits for its signature, if there is one.
        crossing: knows of the log's later epochs.
    """
    own = [] if unsigned is None else [unsigned]
    for proposal in [*own, *state.proposals.get(state.held.view, ())]:
        if proposal.header.proposer == state.context.key:
            own = [Proposal(proposal.header, proposal.justify, proposal.transaction_ids, UNSIGNED)]
    later = crossing.later_records(state.context.epoch)
    records = [
        epoch_record(state.context.epoch, state.context.validators.hash),
        *[certificate_record(item) for item in state.held.all()],
        *[proposal_record(item) for item in own],
        *later,
        *[ballot_record(item) for item in state.signer.last_ballots()],
    ]
    if state.signer.halted is not None:
        records.append(halt_record(state.signer.halted))
    blocks = dict.fromkeys([*state.tree.unfinal_logged, *crossing.blocks])
    return Rewrite(tuple(records), tuple(blocks))
