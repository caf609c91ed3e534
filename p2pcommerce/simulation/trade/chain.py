"""A chain without a network: the real application on the real state, one block at a time.

Blocks are executed on any version, so that a world can follow two branches and throw one away. What became final is
reported to whoever watches before it is folded into the state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from p2pcommerce.commerce import Body, Commerce, KeySet, Sponsor, build_transaction
from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.ledger.application import BlockContext
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.receipt import Outcome
from p2pcommerce.ledger.state import State, StateView, Version, VersionedState
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.ids import Epoch, Height, PublicKey, TransactionId
from p2pcommerce.simulation.scheme import STAND_IN

__all__ = ["FEE_MINOR", "VALIDATOR_NAME", "Deed", "Executed", "TradeChain", "key_of", "seed_of"]

R = TypeVar("R")
FEE_MINOR: Final = 12_000
"""Of every transaction: above the floor of the heaviest one that traders draw."""
VALIDATOR_NAME: Final = "validator"
STAKE_MINOR: Final = 10**9
_EXPIRES_HEIGHT: Final = 2**31
STEP_MS: Final = 7
"""Block time, unless somebody waits."""


def seed_of(name: str) -> bytes:
    """Return the seed (32 bytes) of a person's key."""
    return name.encode().ljust(32, b".")


def key_of(name: str) -> PublicKey:
    """Return a person's account (32 bytes)."""
    return STAND_IN.public_key(seed_of(name))


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody does.

    Attributes:
        name: who.
        payload: what.
        sponsor: who pays the fee; None: the sender.
        pays: the sponsor pays escrow and deposits, too.
    """

    name: str
    payload: Body
    sponsor: str | None = None
    pays: bool = False


@dataclass(frozen=True, slots=True)
class Executed:
    """One block, executed and not yet final.

    Attributes:
        before: the version below it.
        state: the draft with what it changed.
        transactions: in it.
        outcomes: of them.
        context: of the block.
    """

    before: Version
    state: State
    transactions: tuple[Transaction, ...]
    outcomes: tuple[Outcome, ...]
    context: BlockContext


class TradeChain:
    """A chain of one validator.

    Attributes:
        genesis: of the chain.
        application: the real one.
        state: final.
        height: of the final block.
        time_ms: of the final block.
        offences: evidence -> what it proves.
        index: first byte of state keys -> keys.
    """

    def __init__(self, balances: Mapping[str, int], parameters: ChainParameters, application: Commerce) -> None:
        """Found it.

        Args:
            balances: of people by name, minor units.
            parameters: of the chain.
            application: to run.
        """
        self.genesis = Genesis.new(
            "trade",
            {key_of(VALIDATOR_NAME): STAKE_MINOR},
            {key_of(name): amount for name, amount in balances.items()},
            parameters=parameters,
        )
        self.application = application
        founded = {key: value for key, value in application.genesis(self.genesis).items() if value is not None}
        self.state = VersionedState(founded)
        self.height = 0
        self.time_ms = self.genesis.time_ms
        self.offences: dict[bytes, Offence] = {}
        self.index: dict[int, dict[bytes, None]] = {}
        self._signers = {key_of(name): seed_of(name) for name in balances}
        for key in founded:
            self.index.setdefault(key[0], {})[key] = None

    def know(self, name: str) -> PublicKey:
        """Remember somebody's seed, so that it can sign, and return its key."""
        self._signers[key_of(name)] = seed_of(name)
        return key_of(name)

    def get(self, kind: Kind[R], identifier: bytes, view: StateView | None = None) -> R | None:
        """Return a record."""
        value = (view or self.state.final).get(kind.key(identifier))
        return None if value is None else kind.read(value)

    def ids(self, kind: Kind[Any]) -> list[TransactionId]:
        """Return the ids of all final records of a kind, oldest first; most are those of transactions."""
        return [TransactionId(key[1:]) for key in self.index.get(kind.tag[0], ())]

    def build(self, deed: Deed, view: StateView) -> Transaction:
        """Sign what somebody does, with the key that a state asks for."""
        account = self.get(ACCOUNT, key_of(deed.name), view)
        is_keyed = account is not None and account.active is not None and not isinstance(deed.payload, KeySet)
        seed = self._signers[account.active] if account and account.active and is_keyed else seed_of(deed.name)
        return build_transaction(
            deed.payload,
            self.genesis,
            seed,
            0 if account is None else account.nonce,
            _EXPIRES_HEIGHT,
            fee=FEE_MINOR,
            sponsor=None if deed.sponsor is None else Sponsor(seed_of(deed.sponsor), deed.pays),
            account=key_of(deed.name),
            scheme=STAND_IN,
        )

    def execute(
        self,
        transactions: Sequence[Transaction],
        *,
        above: Version | None = None,
        blocks_above: int = 0,
        step_ms: int = STEP_MS,
        application: Commerce | None = None,
    ) -> Executed:
        """Execute a block on a version.

        Args:
            transactions: in it.
            above: the version below it; None: the final one.
            blocks_above: of the version below it above the final one.
            step_ms: since its parent.
            application: to execute it; None: the chain's.

        Raises:
            InvalidTransactionError: a transaction must not stand in it.
        """
        app, before = application or self.application, above or self.state.final
        parent_ms = self.time_ms + blocks_above * STEP_MS
        context = BlockContext(
            genesis=self.genesis,
            height=Height(self.height + 1 + blocks_above),
            epoch=Epoch((self.height + 1 + blocks_above) // self.genesis.parameters.epoch_blocks),
            time_ms=parent_ms + step_ms,
            parent_time_ms=parent_ms,
            proposer=key_of(VALIDATOR_NAME),
            convict=self.offences.get,
        )
        state = State(before)
        app.begin_block(state, context)
        outcomes = tuple([app.apply(transaction, state, context) for transaction in transactions])
        app.end_block(state, context)
        app.audit(self.genesis, before, state.changes)
        return Executed(before, state, tuple(transactions), outcomes, context)

    def finalize(self, executed: Executed, watch: Callable[[Executed], None] | None = None) -> None:
        """Make a block on the final version final, after it was watched."""
        if watch is not None:
            watch(executed)
        for key, value in executed.state.changes.items():
            if value is None:
                self.index.get(key[0], {}).pop(key, None)
            else:
                self.index.setdefault(key[0], {})[key] = None
        self.state.finalize(self.state.final.child(executed.state.changes))
        self.height, self.time_ms = executed.context.height, executed.context.time_ms
