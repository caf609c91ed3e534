"""Epochs as the chain keeps them: what a header must say of its validators, and which blocks may end an epoch.

The chain asks here; the records themselves are `p2pcommerce.ledger.epochs`. With an engine that does not follow epochs
everything stays in epoch 0 with the genesis set, for ever.

A carrier is a block that carries the decision on the boundary block of its epoch: it stands on the boundary block or on
another carrier, has their height and state, and no transactions. It never becomes final here itself.

Source: the epochs of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from p2pcommerce.finality.engine import FinalityEngine, Sets
from p2pcommerce.ledger.application import BlockContext
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.epochs import (
    boundary_of,
    epoch_of,
    evidence_sets_in,
    is_boundary,
    seed_in,
    sets_in,
    settle,
)
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import receipts_root
from p2pcommerce.ledger.state import State, StateView
from p2pcommerce.ledger.validators import Offence, ValidatorSet, ValidatorUpdate
from p2pcommerce.node.execution import InvalidBlockError, Settle
from p2pcommerce.primitives.ids import HEIGHT_MAX, ZERO_HASH, Epoch, Height, PublicKey

__all__ = ["EpochRules", "EpochStart"]


@dataclass(frozen=True, slots=True)
class EpochStart:
    """What an engine is told of an epoch that begins.

    Attributes:
        epoch: its number.
        validators: its set.
        following: the set of the next one.
        seed: its randomness.
    """

    epoch: Epoch
    validators: ValidatorSet
    following: ValidatorSet
    seed: bytes

    @property
    def members(self) -> dict[PublicKey, None]:
        """The public keys of this set and the next one, each once."""
        return dict.fromkeys([*self.validators.keys, *self.following.keys])


class EpochRules:
    """The rules of one network."""

    def __init__(self, genesis: Genesis, engine: FinalityEngine | None = None) -> None:
        """Keep the rules of `genesis`; without an engine, or with one that does not follow epochs, nothing changes."""
        self._genesis = genesis
        self._engine = engine
        self.follows = engine is not None and engine.follows_epochs
        """Whether sets change."""
        self.blocks = genesis.parameters.epoch_blocks
        """Blocks in an epoch."""

    # --- heights ---

    def epoch(self, height: int) -> Epoch:
        """Return the epoch of a height."""
        return epoch_of(height, self.blocks) if self.follows else Epoch(0)

    def ends_epoch(self, height: int) -> bool:
        """Tell whether the block of this height is the last one of its epoch."""
        return self.follows and is_boundary(height, self.blocks)

    def horizon(self, height: int) -> Height:
        """Return the last height whose validators a node with this final height knows."""
        return Height(boundary_of(self.epoch(height + 1) + 1, self.blocks) if self.follows else HEIGHT_MAX)

    # --- sets ---

    def sets(self, view: StateView) -> Sets:
        """Return epoch -> validator set, as a state has it."""
        return sets_in(view) if self.follows else lambda _epoch: self._genesis.validators

    def start(self, view: StateView, height: int) -> EpochStart:
        """Return the epoch of the block that follows `height`, from the state after that height."""
        epoch, find = self.epoch(height + 1), self.sets(view)
        seed = seed_in(view, epoch) if self.follows else bytes(self._genesis.hash)
        return EpochStart(epoch, find(epoch), find(epoch + 1), seed)

    def convict(self, view: StateView, step_ms: int) -> Callable[[bytes], Offence | None]:
        """Return what judges evidence in a block on a parent's state that moves the chain's time by `step_ms`."""
        engine = self._engine
        if engine is None:
            return lambda _evidence: None
        sets = self.evidence_sets(view, step_ms)
        return lambda evidence: engine.convict(evidence, sets)

    def evidence_sets(self, view: StateView, step_ms: int = 0) -> Sets:
        """Return epoch -> validator set, of the epochs from which evidence counts; see `evidence_sets_in`."""
        if not self.follows:
            return self.sets(view)
        return evidence_sets_in(view, step_ms, self._genesis.parameters.unbonding_s)

    # --- blocks ---

    def check_place(self, header: Header, parent: Header, parent_state: StateView, *, parent_is_final: bool) -> None:
        """Check what a header says of its epoch and validators, for a block that is no carrier.

        Raises:
            InvalidBlockError: it is wrong.
        """
        if self.ends_epoch(parent.height) and not parent_is_final:
            raise InvalidBlockError("it stands on the last block of an epoch, which is not final, and is no carrier")
        if header.epoch != self.epoch(header.height):
            raise InvalidBlockError(f"its height is not of epoch {header.epoch}")
        find = self.sets(parent_state)
        validators = find(header.epoch)
        if header.proposer not in validators:
            raise InvalidBlockError("its proposer is no validator")
        if header.validators_hash != validators.hash:
            raise InvalidBlockError("it names another validator set")
        if header.next_validators_hash != find(header.epoch + 1).hash:
            raise InvalidBlockError("it names another next validator set")

    def may_carry(self, parent: Header, *, parent_is_final: bool) -> bool:
        """Tell whether a carrier may stand on this block."""
        return self.ends_epoch(parent.height) and not parent_is_final

    def check_carrier(self, block: Block, parent: Header, parent_state: StateView, *, parent_is_final: bool) -> None:
        """Check a block that has its parent's height.

        Raises:
            InvalidBlockError: it is no carrier, or must not stand there.
        """
        header = block.header
        if not self.may_carry(parent, parent_is_final=parent_is_final):
            raise InvalidBlockError("its height does not follow its parent's")
        if header.proposer not in self.sets(parent_state)(parent.epoch):
            raise InvalidBlockError("its proposer is no validator")
        if header != self.carrier(parent, header.proposer, header.time_ms, header.engine_data) or block.transactions:
            raise InvalidBlockError("a carrier has its parent's roots and validators, and no transactions")

    def carrier(self, parent: Header, proposer: PublicKey, time_ms: int, seal: bytes) -> Header:
        """Return the header of a carrier."""
        return Header(
            version=parent.version,
            genesis_hash=parent.genesis_hash,
            epoch=parent.epoch,
            height=parent.height,
            parent_hash=parent.hash,
            proposer=proposer,
            time_ms=time_ms,
            tx_root=ZERO_HASH,
            receipts_root=receipts_root(()),
            state_root=parent.state_root,
            validators_hash=parent.validators_hash,
            next_validators_hash=parent.next_validators_hash,
            engine_data=seal,
        )

    def settle(self, context: BlockContext, seal: bytes) -> Settle:
        """Return what writes the chain's records after a block, given the draft and the application's changes of stake.

        It raises InvalidBlockError if the seal holds no random output of the proposer.
        """

        def settle_block(state: State, updates: Sequence[ValidatorUpdate]) -> None:
            if not self.follows or self._engine is None:
                return
            output = self._engine.randomness(context.proposer, seal, seed_in(state, context.epoch))
            if output is None:
                raise InvalidBlockError("its seal holds no random output of its proposer")
            settle(
                state,
                self._genesis,
                height=context.height,
                step_ms=context.step_ms,
                updates=updates,
                output=output,
            )

        return settle_block
