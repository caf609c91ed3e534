"""The write-ahead log as it is needed: what stays when it is rewritten.

Source: the write-ahead log of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.engine import Rewrite
from p2pcommerce.finality.journal import UNSIGNED
from p2pcommerce.finality.simplex.crossing import Crossing
from p2pcommerce.finality.simplex.journal import LOG, Journal
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
    later = crossing.later(state.context.epoch)
    needed = Journal(
        epoch=state.context.epoch,
        own=[*later.own, *state.signer.last],
        quorums=[*state.held.all(), *later.quorums],
        proposals={proposal.header.hash: proposal for proposal in own} | later.proposals,
        halted=state.signer.halted,
    )
    blocks = [*[block.hash for block in state.tree.logged], *crossing.blocks]
    return LOG.rewritten(needed, state.context.validators.hash, blocks)
