"""One chain without a network, for tests of the rooms of a node."""

from p2pcommerce.commerce import Commerce
from p2pcommerce.ledger.block import Block, tx_root
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.node.chain import Chain, genesis_header

from .cluster import KEYED, make_genesis, replace, transfer


class CountingCommerce(Commerce):
    """Counts what it executes."""

    def __init__(self):
        super().__init__()
        self.applied = 0

    def apply(self, transaction, state, context):
        self.applied += 1
        return super().apply(transaction, state, context)


class CountingScheme(type(KEYED)):
    """Counts the signatures that it verifies."""

    def __init__(self):
        self.verified = 0

    def verify(self, public_key, message, signature):
        self.verified += 1
        return super().verify(public_key, message, signature)


class Site:
    """A chain at genesis with its application and scheme."""

    def __init__(self, genesis=None, application=None, scheme=None):
        self.genesis = genesis or make_genesis()
        self.application = application or CountingCommerce()
        self.scheme = scheme or CountingScheme()
        state = VersionedState(founding_state(self.genesis, self.application.genesis(self.genesis)))
        self.header = genesis_header(self.genesis, state.final.root)
        self.chain = Chain(self.application, self.genesis, self.scheme, state, self.header, b"")

    def transfers(self, name, *nonces, **options):
        return [transfer(self.genesis, name, nonce, **options) for nonce in nonces]

    def build(self, *transactions, on=None, seal=b"", step_ms=100, proposer=0):
        """Return a block on top of another, executed here."""
        parent = self.header if on is None else on.header
        built = self.chain.build(
            parent,
            proposer=self.genesis.validators.keys[proposer],
            epoch=0,
            time_ms=parent.time_ms + step_ms,
            seal=seal,
            transactions=transactions,
        )
        return built.executed.block

    def take(self, block, *, verified=(), known=(), certified=False):
        """Hold a foreign block and execute it."""
        assert self.chain.add(block)
        found = {transaction.id: transaction for transaction in known}
        return self.chain.execute(block.hash, lambda tx_id: tx_id in verified, found.get, certified=certified)


def with_body(block, transactions):
    """Return a block with another body that its header commits to."""
    other = Block(block.header, tuple(transactions))
    return Block(replace(block.header, tx_root=tx_root(other.transaction_ids)), other.transactions)


__all__ = ["CountingCommerce", "CountingScheme", "Site", "with_body"]
