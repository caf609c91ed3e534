"""Blocks above the final one: each executed once, and refused for each rule that it breaks."""

import pytest

from p2pcommerce.commerce.weight import WEIGHT_MAX
from p2pcommerce.ledger.application import InvalidTransactionError
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.node import chain as room
from p2pcommerce.node.execution import InvalidBlockError
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, RejectionCode
from p2pcommerce.primitives.ids import ZERO_HASH

from .cluster import KEYED, make_genesis, replace, seed_of, transfer
from .parts import CountingCommerce, Site, with_body

LOCAL = ChainParameters.local()


def forged(transaction):
    """Return a transaction with a signature that is not good."""
    fields = unpack(transaction.raw, 1 << 14)
    return decode_transaction(pack((*fields[:11], bytes(64), fields[12])))


# --- executing once ---


def test_a_block_built_is_not_executed_again():
    site = Site()
    block = site.build(*site.transfers("ann", 0, 1, 2))
    assert site.application.applied == 3
    site.take(block)
    site.chain.finalize(block.hash, b"proof")
    assert site.application.applied == 3
    assert site.scheme.verified == 0


def test_a_foreign_block_is_executed_once_and_gives_the_same_state():
    maker, taker = Site(), Site()
    block = maker.build(*maker.transfers("ann", 0, 1))
    executed = taker.take(block)
    assert taker.take(block) is executed
    assert taker.application.applied == 2
    taker.chain.finalize(block.hash, b"")
    maker.chain.finalize(block.hash, b"")
    assert taker.chain.state.values == maker.chain.state.values
    assert taker.chain.state.final.root == block.header.state_root


def test_a_signature_checked_before_is_not_checked_again():
    maker, taker = Site(), Site()
    known, other = maker.transfers("ann", 0, 1)
    block = maker.build(known, other)
    taker.take(block, verified=[known.id], known=[known])
    assert taker.scheme.verified == 1


def test_a_certified_block_skips_signatures():
    maker, taker = Site(), Site()
    block = maker.build(*maker.transfers("ann", 0, 1))
    taker.take(block, certified=True)
    assert taker.scheme.verified == 0
    assert taker.application.applied == 2


def test_what_execution_gave_names_senders_and_payers():
    site = Site()
    block = site.build(*site.transfers("ann", 0, 1), *site.transfers("cid", 0))
    (executed,) = site.chain.branch(block.hash)
    ann, cid = KEYED.public_key(seed_of("ann")), KEYED.public_key(seed_of("cid"))
    assert executed.senders == {ann: 2, cid: 1}
    assert executed.touched == (ann, cid)
    assert executed.ids == frozenset(block.transaction_ids)


# --- refusing ---

OTHER = make_genesis(3)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("genesis_hash", OTHER.hash, "another network"),
        ("height", 2, "height"),
        ("height", 9, "height"),
        ("time_ms", 0, "time"),
        ("time_ms", "parent", "time"),
        ("proposer", bytes(32), "no validator"),
        ("tx_root", bytes([1]) * 32, "commit"),
        ("tx_root", ZERO_HASH, "commit"),
        ("receipts_root", bytes([1]) * 32, "receipts root"),
        ("state_root", bytes([1]) * 32, "state root"),
        ("validators_hash", OTHER.validators.hash, "validator set"),
        ("next_validators_hash", OTHER.validators.hash, "next validator set"),
    ],
)
def test_a_wrong_header_field_is_refused(field, value, complaint):
    maker, taker = Site(), Site()
    block = maker.build(*maker.transfers("ann", 0))
    wrong = maker.header.time_ms if value == "parent" else value
    lie = Block(replace(block.header, **{field: wrong}), block.transactions)
    with pytest.raises(InvalidBlockError, match=complaint):
        taker.take(lie)
    assert not taker.chain.is_executed(lie.hash)


def test_a_bad_signature_is_refused():
    maker, taker = Site(), Site()
    block = maker.build(forged(*maker.transfers("ann", 0)))
    with pytest.raises(InvalidBlockError, match="signature"):
        taker.take(block)


def test_a_malformed_transaction_is_refused():
    maker, taker = Site(), Site()
    block = with_body(maker.build(), [b"no transaction"])
    with pytest.raises(CodecError):
        taker.take(block)


def test_a_transaction_twice_is_refused():
    maker, taker = Site(), Site()
    block = maker.build(*maker.transfers("ann", 0))
    with pytest.raises(InvalidBlockError, match="must not stand"):
        taker.take(with_body(block, block.transactions * 2))


def test_a_transaction_of_another_network_is_refused():
    maker, taker = Site(), Site()
    foreign = transfer(OTHER, "ann", 0)
    with pytest.raises(InvalidBlockError, match="another network"):
        taker.take(with_body(maker.build(), [foreign.raw]))


def test_too_many_transactions_are_refused():
    genesis = make_genesis(parameters=replace(LOCAL, block_transactions_max=2))
    maker, taker = Site(genesis), Site(genesis)
    with pytest.raises(InvalidBlockError, match="too many"):
        taker.take(maker.build(*maker.transfers("ann", 0, 1, 2)))
    assert taker.application.applied == 0


def test_too_many_bytes_are_refused():
    genesis = make_genesis(parameters=replace(LOCAL, block_bytes_max=20_000))
    maker, taker = Site(genesis), Site(genesis)
    block = with_body(maker.build(), [bytes(10_001), bytes([1]) * 10_000])
    assert taker.chain.is_too_large(block)
    with pytest.raises(InvalidBlockError, match="too many bytes"):
        taker.take(block)


def test_too_much_weight_is_refused():
    genesis = make_genesis(parameters=replace(LOCAL, block_weight_max=WEIGHT_MAX))
    maker, taker = Site(genesis), Site(genesis)
    weight = maker.application.weight(*maker.transfers("ann", 0))
    fits = WEIGHT_MAX // weight
    taker.take(maker.build(*maker.transfers("ann", *range(fits))))
    with pytest.raises(InvalidBlockError, match="weigh"):
        taker.take(maker.build(*maker.transfers("ann", *range(fits + 1))))


def test_a_block_is_executed_after_its_parent_and_only_if_it_is_held():
    maker, taker = Site(), Site()
    first = maker.build()
    second = maker.build(on=first)
    with pytest.raises(LocalProtocolError, match="after its parent"):
        taker.take(second)
    with pytest.raises(LocalProtocolError, match="held"):
        taker.chain.execute(first.hash, lambda _: False, lambda _: None)
    with pytest.raises(LocalProtocolError, match="executed parent"):
        taker.build(on=first)


def test_a_state_that_is_not_the_heads_is_refused():
    site = Site()
    head = replace(site.header, state_root=bytes([7]) * 32)
    with pytest.raises(LocalProtocolError, match="store is damaged"):
        room.Chain(site.application, site.genesis, site.scheme, site.chain.state, head, b"")


# --- room for unfinal blocks ---


def test_unfinal_blocks_are_bounded_in_count_but_for_the_one_that_becomes_final(monkeypatch):
    monkeypatch.setattr(room, "UNFINAL_BLOCKS_MAX", 3)
    maker, taker = Site(), Site()
    blocks = []
    for number in range(4):
        maker.chain.drop(blocks[-1].hash if blocks else b"")
        blocks.append(maker.build(seal=b"%d" % number))
    assert [taker.chain.add(block) for block in blocks] == [True, True, True, False]
    assert taker.chain.block(blocks[3].hash) is None
    assert taker.chain.add(blocks[0]), "one that is held needs no more room"
    assert taker.chain.add(blocks[3], certified=True)
    taker.take(blocks[3])
    taker.chain.finalize(blocks[3].hash, b"")
    assert [taker.chain.block(block.hash) for block in blocks] == [None] * 4
    assert not taker.chain.add(blocks[3], certified=True), "its height is final"


def test_unfinal_blocks_are_bounded_in_bytes(monkeypatch):
    maker, taker = Site(), Site()
    block = maker.build(*maker.transfers("ann", 0))
    other = maker.build(*maker.transfers("ann", 0, 1))
    monkeypatch.setattr(room, "UNFINAL_BYTES_MAX", sum(map(len, other.transactions)))
    assert taker.chain.add(block)
    assert not taker.chain.add(other)
    taker.chain.drop(block.hash)
    taker.chain.drop(block.hash)
    assert taker.chain.add(other)


def test_building_fails_where_there_is_no_room(monkeypatch):
    monkeypatch.setattr(room, "UNFINAL_BLOCKS_MAX", 0)
    site = Site()
    parameters = {"proposer": site.genesis.validators.keys[0], "epoch": 0, "time_ms": site.header.time_ms + 1}
    built = site.chain.build(site.header, seal=b"", transactions=site.transfers("ann", 0), **parameters)
    assert built.executed is None


# --- becoming final ---


def test_final_blocks_move_the_head_and_drop_what_competed():
    site = Site()
    first, rival = site.build(*site.transfers("ann", 0)), site.build(seal=b"rival")
    second = site.build(on=first)
    site.chain.finalize(first.hash, b"one")
    assert (site.chain.head, site.chain.proof) == (first.header, b"one")
    assert site.chain.block(rival.hash) is None
    assert site.chain.header(second.hash) == second.header
    committed, _ = site.chain.finalize(second.hash, b"two")
    assert committed.block is second
    assert site.chain.header(first.hash) is None
    assert list(site.chain.branch(second.hash)) == []


def test_a_committed_block_holds_what_changed():
    site = Site()
    before = dict(site.chain.state.values)
    block = site.build(*site.transfers("ann", 0))
    committed, _ = site.chain.finalize(block.hash, b"")
    assert [outcome.code for outcome in committed.outcomes] == [RejectionCode.OK]
    assert {**before, **committed.changes} == site.chain.state.values


def test_only_an_executed_child_of_the_head_becomes_final():
    site = Site()
    first = site.build()
    second = site.build(on=first)
    with pytest.raises(LocalProtocolError, match="child of the final head"):
        site.chain.finalize(second.hash, b"")
    with pytest.raises(LocalProtocolError, match="child of the final head"):
        site.chain.finalize(bytes(32), b"")


def test_forget_drops_everything_up_to_a_height():
    site = Site()
    first = site.build()
    second = site.build(on=first)
    site.chain.forget(1)
    assert site.chain.block(first.hash) is None
    assert site.chain.block(second.hash) is second


# --- what is left out of an own block ---


class Stubborn(CountingCommerce):
    """Lets everything into the pool, and nothing of some senders into a block."""

    def __init__(self, *names, code=RejectionCode.FORBIDDEN):
        super().__init__()
        self.never = {KEYED.public_key(seed_of(name)) for name in names}
        self.code = code

    def apply(self, transaction, state, context):
        if transaction.sender in self.never:
            raise InvalidTransactionError(self.code, "never")
        return super().apply(transaction, state, context)


def build_on(site, parent, *transactions):
    keys = site.genesis.validators.keys
    return site.chain.build(
        parent, proposer=keys[0], epoch=0, time_ms=parent.time_ms + 1, seal=b"", transactions=transactions
    )


def test_what_the_final_state_is_against_is_hopeless():
    site = Site(application=Stubborn("ann"))
    (bad,), (good,) = site.transfers("ann", 0), site.transfers("cid", 0)
    built = build_on(site, site.header, bad, good)
    assert built.executed.block.transactions == (good.raw,)
    assert [(item.tx_id, item.code, item.detail) for item in built.hopeless] == [
        (bad.id, RejectionCode.FORBIDDEN, "never")
    ]


@pytest.mark.parametrize("code", [RejectionCode.BAD_NONCE, RejectionCode.EXPIRED])
def test_an_early_nonce_and_an_expiry_on_a_branch_are_not_hopeless(code):
    site = Site(application=Stubborn("ann", code=code))
    assert build_on(site, site.header, *site.transfers("ann", 0)).hopeless == ()


def test_what_unfinal_transactions_of_the_same_account_may_have_caused_is_not_hopeless():
    site = Site(application=Stubborn())
    first = site.build(*site.transfers("ann", 0))
    site.application.never.add(KEYED.public_key(seed_of("ann")))
    (later,) = site.transfers("ann", 1)
    assert build_on(site, first.header, later).hopeless == ()
    site.chain.finalize(first.hash, b"")
    assert [item.tx_id for item in build_on(site, first.header, later).hopeless] == [later.id]


def test_a_payer_spent_dry_in_the_same_block_leaves_the_next_one_waiting():
    site = Site()
    rich = 1_000 * 1_000_000
    spent, broke = site.transfers("ann", 0, amount=rich - 3_000), site.transfers("ann", 1, amount=5, fee=100_000)
    built = build_on(site, site.header, *spent, *broke)
    assert (len(built.executed.block.transactions), built.hopeless) == (1, ())
