"""A small chain for tests of the commerce application: one block per transaction, audited each time.

Signatures are not the application's business, so that a stand-in scheme makes keys and signs here.
"""

from p2pcommerce.commerce import Commerce, Operator, OrderLine, OrderPlace, ProductId, StoreSet, scan
from p2pcommerce.commerce.listing import ListingSet
from p2pcommerce.commerce.product import ProductSet
from p2pcommerce.commerce.terms import TermsSet, numbered
from p2pcommerce.commerce.trace import TraceCommission
from p2pcommerce.commerce.wallet import Sponsor, build_transaction
from p2pcommerce.ledger.application import BlockContext
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.state import State, VersionedState
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import RejectionCode

TOKEN = 1_000_000
BALANCE = 1_000 * TOKEN
GTIN = "09520001000010"
OTHER_GTIN = "09520001000027"
HASH = bytes(range(32))
PRICE = 10 * TOKEN


class FakeScheme:
    """Keys and signatures of the right sizes, without the mathematics."""

    def public_key(self, seed):
        return blake2b_256(seed)

    def sign(self, seed, message):
        return bytes(64)

    def verify(self, public_key, message, signature):
        return True


SCHEME = FakeScheme()


def seed(name):
    return name.encode().ljust(32, b".")


def key(name):
    return SCHEME.public_key(seed(name))


class World:
    """A chain of one validator (or of given ones, by name, with their stake) and some rich accounts, by name."""

    def __init__(self, *names, balance=BALANCE, parameters=None, stakes=None):
        self.genesis = Genesis.new(
            "test",
            {key(name): stake for name, stake in (stakes or {"validator": 1_000 * TOKEN}).items()},
            {key(name): balance for name in names},
            parameters=parameters or ChainParameters.local(),
        )
        self.app = Commerce()
        self.chain = VersionedState(self.app.genesis(self.genesis))
        self.height = 0
        self.time_ms = self.genesis.time_ms
        self.epoch = 0
        self.offences = {}
        self.proposer = "validator"
        self.updates = ()
        self.last = None

    def get(self, kind, identifier=b""):
        value = self.chain.values.get(kind.key(identifier))
        return None if value is None else kind.read(value)

    def query(self, name, **arguments):
        return self.app.query(name, arguments, self.chain.final)

    def balance(self, name):
        return self.query("account", account=key(name))["balance_minor"]

    def nonce(self, name):
        return self.query("account", account=key(name))["nonce"]

    def now_ms(self):
        return self.query("time")["time_ms"]

    def context(self, proposer=None, step_ms=1):
        return BlockContext(
            genesis=self.genesis,
            height=self.height + 1,
            epoch=self.epoch,
            time_ms=self.time_ms + step_ms,
            parent_time_ms=self.time_ms,
            proposer=key(proposer or self.proposer),
            convict=self.offences.get,
        )

    def build(self, name, payload, *, nonce=None, fee=None, sponsor=None, pays=False, expires=10**6, active=None):
        return build_transaction(
            payload,
            self.genesis,
            seed(active or name),
            self.nonce(name) if nonce is None else nonce,
            expires,
            fee=fee,
            sponsor=None if sponsor is None else Sponsor(seed(sponsor), pays),
            account=key(name),
            scheme=SCHEME,
        )

    def block(self, *transactions, step_ms=1, proposer=None):
        """Execute a block, check conservation both ways, make it final, and return the outcomes."""
        context = self.context(proposer, step_ms)
        state = State(self.chain.final)
        self.app.begin_block(state, context)
        outcomes = [self.app.apply(transaction, state, context) for transaction in transactions]
        self.updates = self.app.end_block(state, context)
        self.app.audit(self.genesis, self.chain.final, state.changes)
        self.chain.finalize(self.chain.final.child(state.changes))
        self.height, self.time_ms = context.height, context.time_ms
        return outcomes

    def try_(self, name, payload, **options):
        """Send a transaction in a block of its own and return its outcome."""
        self.last = self.build(name, payload, **options)
        outcome = self.block(self.last)[0]
        scan(self.chain.values)
        return outcome

    def do(self, name, payload, **options):
        """Send a transaction that must succeed; return its id."""
        outcome = self.try_(name, payload, **options)
        assert outcome.ok, outcome.detail
        return self.last.id

    def refused(self, code, name, payload, **options):
        """Send a transaction that must fail with a code, having changed only fee and nonce; return the sentence."""
        transaction = self.build(name, payload, **options)
        before = dict(self.chain.values)
        outcome = self.try_(name, payload, **options)
        assert (outcome.code, outcome.events) == (RejectionCode[code], ())
        payer = self.get_account_key(transaction.payer)
        changed = {k for k, v in self.chain.values.items() if before.get(k) != v}
        allowed = {self.get_account_key(transaction.sender), payer, b"\x00", b"\x03" + key("validator")}
        assert changed <= allowed
        assert set(before) <= set(self.chain.values)
        return outcome.detail

    @staticmethod
    def get_account_key(account):
        return b"\x02" + account

    def wait(self, seconds):
        """Let application time pass."""
        for start in range(0, seconds, 60):
            self.block(step_ms=min(60, seconds - start) * 1_000)

    def enter(self, epoch):
        """Let an epoch begin, with an empty block."""
        self.epoch = epoch
        self.block()

    # --- a furnished shop ---

    def open_shop(self, name="shop", *, operators=(), traced=False, stock=10, terms=None):
        self.do(name, StoreSet("Shop", HASH, HASH, "https://shop.example", tuple(operators)))
        self.do(name, terms or TermsSet(number=1, ship_s=100, confirm_s=200, dispute_s=100, cancel_s=50))
        self.do(name, ProductSet(GTIN, HASH))
        product = ProductId(key(name), GTIN)
        self.do(name, ListingSet(1, product, PRICE, stock, traced, 1))
        return product

    def revision(self, number=1, store="shop"):
        return bytes.fromhex(self.query("listing", store=key(store), number=number)["revision"])

    def place(self, buyer="buyer", quantity=1, number=1, **options):
        return self.do(buyer, self.order(quantity, number), **options)

    def order(self, quantity=1, number=1, **fields):
        return OrderPlace(key("shop"), (OrderLine(number, self.revision(number), quantity),), **fields)

    def status(self, order_id):
        answer = self.query("order", order=order_id)
        return None if answer is None else answer["status"]

    def item(self, serial):
        return self.query("item", issuer=key("shop"), gtin=GTIN, serial=serial)

    def held(self, name, issuer="shop"):
        return self.query("points", issuer=key(issuer), account=key(name))["held"]

    def commission(self, *serials, name="shop"):
        self.do(name, TraceCommission(GTIN, tuple(sorted(serials)), None, HASH, 1))

    def stock(self, number=1):
        return self.query("listing", store=key("shop"), number=number)["stock"]


__all__ = ["Operator", "World", "key", "numbered", "seed"]
