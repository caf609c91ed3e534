"""One final block with everything that its commit makes durable.

What the node core hands to a runtime's store, to be written in one atomic commit; nothing here is computed or checked.

Source: step 7 of "How one transaction travels" in the architecture specification.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.receipt import Outcome
from p2pcommerce.ledger.state import StateChanges

__all__ = ["CommittedBlock"]


@dataclass(frozen=True, slots=True)
class CommittedBlock:
    """A final block, executed.

    Attributes:
        block: header and transactions; genesis is a block of height 0 without transactions.
        proof: what the engine's `verify` accepts for the header; empty at genesis.
        outcomes: one for each transaction, in order.
        changes: what the block changed in the state; at genesis the whole state.
        justify: what the engine keeps beside the proof; empty: nothing.
    """

    block: Block
    proof: bytes
    outcomes: tuple[Outcome, ...]
    changes: StateChanges
    justify: bytes = b""
