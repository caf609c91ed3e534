"""Whether this node may still follow others by what it trusts, and whether they agree with what its operator named.

Validators that have left and taken their stake back can sign another history without loss, and nothing in that history
shows it. So the newest block that a node has, or the checkpoint that its operator names, must be younger than the trust
period; else the node stops and says what to do. A checkpoint is compared with the chain where the chain comes to it.

Networks whose stake is free again after less than a day are for development: there a pause of a minute would stop every
node, so a node follows whoever shows a proof. With an engine that keeps one validator set for ever no stake leaves, and
nothing ages.

Source: weak subjectivity in the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.light import TrustExpiredError, check_trust, trust_s_of
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.ids import short

__all__ = ["ENFORCED_FROM_S", "Subjectivity", "contradiction"]

ENFORCED_FROM_S: Final = 86_400
"""Unbonding period from which on the age of trust is enforced for nodes, seconds."""


class Subjectivity:
    """What a node trusts beside proofs.

    Attributes:
        checkpoint: what the operator named.
        is_enforced: whether the node stops when what it trusts is too old.
    """

    def __init__(self, chain: Chain, genesis: Genesis, checkpoint: TrustAnchor | None) -> None:
        """Judge for a node that stands on `chain`."""
        self.checkpoint = checkpoint
        self.is_enforced = chain.rules.follows and genesis.parameters.unbonding_s >= ENFORCED_FROM_S
        self._chain = chain
        self._trust_s = trust_s_of(genesis)

    def check(self, now: int) -> None:
        """Check that what this node trusts is young enough to follow others by.

        Args:
            now: microseconds of Unix time.

        Raises:
            TrustExpiredError: it is not; the message says what to do.
        """
        if not self.is_enforced:
            return
        anchor = self.anchor()
        try:
            check_trust(anchor.time_ms, anchor.epoch, self._trust_s, now)
        except TrustExpiredError as error:
            raise TrustExpiredError(
                f"{error} (`p2pcommerce light anchor` makes one at a node that is up to date), and name its file as "
                "`checkpoint` in the configuration; whoever knows that this folder holds the network's chain makes it "
                "here, with --vouch"
            ) from error

    def anchor(self) -> TrustAnchor:
        """Return what is trusted now: the final head, or the checkpoint while that is of a later epoch."""
        begun, head, checkpoint = self._chain.epoch_start, self._chain.head, self.checkpoint
        if checkpoint is not None and checkpoint.epoch > begun.epoch:
            return checkpoint
        time_ms = head.time_ms
        if checkpoint is not None and checkpoint.epoch == begun.epoch:  # it agrees, and may be the younger word
            time_ms = max(time_ms, checkpoint.time_ms)
        return TrustAnchor(
            head.genesis_hash, begun.validators, begun.epoch, time_ms, epoch_blocks=self._chain.rules.blocks
        )

    def contradiction(self, headers: Iterable[Header]) -> str | None:
        """Return what to tell the operator if one of these final headers contradicts the checkpoint."""
        if self.checkpoint is None or not self._chain.rules.follows:
            return None
        height = self.checkpoint.epoch * self._chain.rules.blocks
        return next(
            (contradiction(self.checkpoint, header) for header in headers if header.height == height and height), None
        )


def contradiction(checkpoint: TrustAnchor, header: Header) -> str | None:
    """Return what to tell the operator if the last header of the epoch before a checkpoint's contradicts it."""
    before = checkpoint.before
    same_block = before is None or before.block_hash == header.hash
    if same_block and header.next_validators_hash == checkpoint.validators.hash:
        return None
    shown = "other validators" if before is None else f"the block {short(before.block_hash)}"
    return (
        f"the checkpoint of epoch {checkpoint.epoch} names {shown} at height {header.height}, and this node's chain "
        f"has {short(header.hash)} there: one of them is not of this network. Compare both with operators whom you "
        "trust; if the chain is false, begin with an empty folder and other peers, else name another checkpoint"
    )
