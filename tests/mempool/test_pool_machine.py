"""The pool under any sequence of inputs: caps, order of nonces, balances of payers, what may be driven out."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2pcommerce.mempool import Admitted, Dropped, Mempool, MempoolParameters, Refused
from p2pcommerce.primitives.errors import RejectionCode
from tests.mempool.toy import GENESIS, SCHEME, Accounts, Toy, key_of, make

PARAMETERS = MempoolParameters(
    count_max=12, bytes_max=4_000, nonce_gap_max=3, slice_max=5, life_us=50_000, recheck_max=2
)
SENDERS = (1, 2, 3, 4)
SPONSORS = (None, None, 1, 8)


class PoolMachine(RuleBasedStateMachine):
    """Drives a mempool and keeps a model of the chain."""

    def __init__(self):
        super().__init__()
        self.accounts = Accounts()
        for number in (*SENDERS, 8):
            self.accounts.put(number, 0, 400_000)
        self.pool = Mempool(PARAMETERS, Toy(), GENESIS, SCHEME)
        self.pool.set_view(self.accounts, 0)
        self.height = 0
        self.now = 1_000
        self.inside = {}
        self.own = set()
        self.submitted = self.answered = 0

    @rule(
        batch=st.lists(
            st.tuples(
                st.sampled_from(SENDERS),
                st.integers(0, 8),
                st.integers(900, 60_000),
                st.integers(0, 60_000),
                st.integers(1, 12),
                st.sampled_from(SPONSORS),
                st.sampled_from((0, 0, 200)),
            ),
            min_size=1,
            max_size=6,
        ),
        peer=st.sampled_from((None, 501, 502)),
    )
    def submit(self, batch, peer):
        for sender, ahead, fee, amount, life, sponsor, pad in batch:
            nonce = self.accounts.of(key_of(sender))[0] + ahead
            transaction = make(sender, nonce, fee, amount, self.height + life, sponsor, pad)
            self.pool.submit(transaction.raw, None if peer is None else key_of(peer), transaction.id, self.now)
            self.submitted += 1
        while self.pool.deadline is not None and self.pool.deadline <= self.now:
            self.take(self.pool.on_deadline(self.now))

    @rule(step=st.integers(1, 30_000))
    def wait(self, step):
        self.now += step
        while self.pool.deadline is not None and self.pool.deadline <= self.now:
            self.take(self.pool.on_deadline(self.now))

    @rule(count=st.integers(0, 5), weight=st.integers(0, 6_000))
    def block(self, count, weight):
        """Make a block from the pool final."""
        chosen = self.pool.select(lambda _: False, lambda key: self.accounts.of(key)[0], 10_000, weight, count)
        self.height += 1
        touched = []
        for transaction in chosen:
            assert transaction.expires_height >= self.height
            nonce, balance = self.accounts.of(transaction.sender)
            assert transaction.nonce == nonce
            self.accounts.accounts[transaction.sender] = (nonce + 1, balance)
            nonce, balance = self.accounts.of(transaction.payer)
            balance -= transaction.fee + transaction.body[0]
            assert balance >= 0
            self.accounts.accounts[transaction.payer] = (nonce, balance)
            touched += [transaction.sender, transaction.payer]
            del self.inside[transaction.id]
        assert sum(transaction.body[1] for transaction in chosen) <= weight
        self.take(self.pool.on_block(self.height, self.accounts, [item.id for item in chosen], touched, self.now))

    @rule(sender=st.sampled_from(SENDERS), skip=st.integers(0, 3), balance=st.integers(0, 400_000))
    def foreign_block(self, sender, skip, balance):
        """Let a block use nonces and balance of an account by transactions that are not in the pool."""
        nonce, _ = self.accounts.of(key_of(sender))
        self.accounts.put(sender, nonce + skip, balance)
        self.height += 1
        self.take(self.pool.on_block(self.height, self.accounts, [], [key_of(sender)], self.now))

    def take(self, effects):
        """Fold effects into the model, and check the rules of what may be driven out."""
        for index, effect in enumerate(effects):
            match effect:
                case Admitted():
                    self.answered += 1
                    assert effect.tx_id not in self.inside
                    before = dict(self.inside)
                    self.inside[effect.tx_id] = effect.transaction
                    if effect.origin is None:
                        self.own.add(effect.tx_id)
                    self.check_driven_out(effect, effects[index + 1 :], before)
                case Refused():
                    self.answered += 1
                    assert effect.tx_id not in self.pool or effect.code is RejectionCode.DUPLICATE
                case Dropped():
                    del self.inside[effect.tx_id]

    def is_gapped(self, transaction, inside):
        """Tell whether a nonce is missing before a transaction."""
        kept = {item.nonce for item in inside.values() if item.sender == transaction.sender}
        return any(nonce not in kept for nonce in range(self.accounts.of(transaction.sender)[0], transaction.nonce))

    def check_driven_out(self, admitted, following, before):
        new = admitted.transaction
        new_is_gapped = self.is_gapped(new, before)
        for effect in following:
            if not isinstance(effect, Dropped):
                return
            victim = self.inside[effect.tx_id]
            if effect.replaced_by is not None:
                assert effect.replaced_by == new.id
                assert (victim.sender, victim.nonce) == (new.sender, new.nonce)
                assert new.fee * 10 >= victim.fee * 11
            if effect.code is not RejectionCode.POOL_FULL:
                continue
            assert effect.tx_id not in self.own
            assert victim.sender != new.sender
            assert victim.payer != new.payer
            chain = [item for item in before.values() if item.sender == victim.sender]
            victim_is_gapped = self.is_gapped(victim, before)
            assert victim.nonce == max(item.nonce for item in chain)
            del before[effect.tx_id]
            if victim_is_gapped:
                assert not new_is_gapped or victim.fee < new.fee
                continue
            assert not new_is_gapped
            least = min(item.fee for item in chain)  # every toy transaction weighs the same
            assert least < new.fee

    @invariant()
    def caps_hold(self):
        assert len(self.pool) <= PARAMETERS.count_max
        assert self.pool.total_bytes <= PARAMETERS.bytes_max
        assert self.pool.total_bytes == sum(len(item.raw) for item in self.inside.values())

    @invariant()
    def the_effects_tell_everything(self):
        assert len(self.pool) == len(self.inside)
        assert all(tx_id in self.pool for tx_id in self.inside)
        assert self.submitted == self.answered

    @invariant()
    def nonces_lie_in_the_window(self):
        nonces = {}
        for item in self.inside.values():
            assert item.nonce not in nonces.setdefault(item.sender, [])
            nonces[item.sender].append(item.nonce)
        ready = 0
        for sender, kept in nonces.items():
            expected = self.accounts.of(sender)[0]
            assert min(kept) >= expected
            missing = next(nonce for nonce in range(expected, expected + 100) if nonce not in kept)
            assert max(kept) <= missing + PARAMETERS.nonce_gap_max
            ready += missing - expected
        assert self.pool.ready_count == ready

    @invariant()
    def no_payer_spends_more_than_it_has(self):
        spends = {}
        for item in self.inside.values():
            spends[item.payer] = spends.get(item.payer, 0) + item.fee + item.body[0]
        for payer, spend in spends.items():
            assert spend <= self.accounts.of(payer)[1]

    @invariant()
    def nothing_expired_is_kept(self):
        assert all(item.expires_height > self.height for item in self.inside.values())


PoolMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPoolMachine = PoolMachine.TestCase
