"""Whatever a peer says, the node answers, closes the peer or ignores it: `on_message` raises nothing."""

import random
from functools import cache

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from p2pcommerce.finality.simplex import messages as simplex
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.node.node import Connected
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.wire import messages as wire
from p2pcommerce.wire import off_chain_messages as beside

from .cluster import KEYED, Cluster, KeyedScheme, make_genesis, replace, seed_of, transfer

STRANGER = KEYED.public_key(seed_of("stranger"))
SETTINGS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class Recorder(Cluster):
    """Keeps one message of each kind and size that was sent."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.said = {}

    def carry(self, sender, number, data):
        self.said.setdefault((data[:2], len(data).bit_length()), data)
        super().carry(sender, number, data)


def busy(seed=1, **options):
    """Return a network in which every kind of message has just been said."""
    cluster = Recorder(seed, genesis=make_genesis(), **options).start()
    for nonce in range(4):
        cluster.run(0.3)
        for host, name in zip(cluster.validators, ("ann", "bob", "cid", "dan"), strict=True):
            host.submit(transfer(cluster.genesis, name, nonce))
    cluster.run(0.5)
    return cluster


@cache
def recorded():
    """Return real messages, by kind; those that a quiet run lacks are made up."""
    cluster = busy()
    host = cluster.validators[0]
    block = host.disk.blocks[0]
    first = host.disk.blocks[0].block
    said = list(cluster.said.values())
    made = [
        wire.BlockBody(first.raw),
        wire.GetBlock(first.hash),
        wire.NoBlock(first.hash),
        wire.GetTransactions(first.hash, first.transaction_ids or (bytes(32),)),
        wire.BlockTransactions(first.hash, first.transactions),
        wire.GetBlocks(1, 5),
        wire.Blocks(1, (first.raw,), block.proof),
        wire.Peers((cluster.record_of(host),)),
        wire.Observed("tcp://192.0.2.7:7400"),
        wire.Pull((bytes(8),)),
        wire.Announce(((bytes(8), 200, 10**6),)),
        wire.GetSymbols(0, 16),
        wire.Symbols(0, 1, bytes(12)),
        wire.GetIds(bytes(8), 16),
        wire.Ids(bytes(8), True, b"\x01" * 8),
        wire.Lacking(bytes(8)),
        wire.Found(bytes(8)),
        wire.Refuse(),
        wire.Evidence(bytes(300)),
        wire.Unchoose(),
        wire.FeeFloor(2**64 - 1),
        wire.FinalBlock(first.header.raw, block.proof, first.transaction_ids),
        wire.Relayed((b"\x01vote", b"\x03proposal")),
        wire.RelayIds(False, (b"shortid8",), ((b"a ballot", b"\x07"),)),
        wire.RelayRole(1, (b"a member",)),
        wire.Stem((*first.transactions[:2], b"stem")),
        wire.Listening(("news", "weather")),
        wire.Posts((b"post",)),
        wire.AnnouncePosts((b"shortid8",)),
        wire.PullPosts((b"shortid8",)),
        wire.Ping(1),
        wire.Pong(1),
        wire.TakesCalls(is_willing=True),
        wire.CallBack(host.key, cluster.now // 1_000, cluster.record_of(host), bytes(64)),
        wire.GetLinks(0),
        wire.Links(0, (b"link",), first.header.raw, block.proof),
        wire.GetSnapshot(),
        wire.Snapshot(first.header.raw, block.proof, b"\x00"),
        wire.GetChunk(1, 0),
        wire.Chunk(1, 0, b"chunk"),
        beside.WantBlob(bytes(32), may_ask_on=True),
        beside.HaveBlob(bytes(32), 70_000, (bytes(32),) * 2),
        beside.GetBlobChunk(bytes(32), 0),
        beside.BlobChunk(bytes(32), 0, b"chunk"),
        beside.BlobProviders(bytes(32), (cluster.record_of(host),)),
        beside.PostMessage(host.key, bytes(32), cluster.now // 1_000 + 60_000, b"sealed"),
        beside.MessageTaken(bytes(32), 1),
    ]
    said += [wire.encode_message(message) for message in made]
    assert {data[0] for data in said} == set(wire.MESSAGES)
    return tuple(said)


def say(cluster, host, peer, message):
    """Give a message of a connected peer to a host, and let it do everything that comes of it."""
    host.give(lambda now: host.node.on_message(peer, message, now))


def connect_stranger(cluster, host):
    """Connect a peer that exists only in this test's words."""
    link = 10**6 + host.life + len(host.closed)
    host.give(
        lambda now: host.node.on_connected(
            replace_connected(peer=STRANGER, link=link, own_key=host.announcement_key), now
        )
    )


def replace_connected(**fields):
    given_ = {"outbound": False, "address": None, "peer_key": bytes(16), "peer_record": b""}
    return Connected(**{**given_, **fields})


def check_alive(cluster):
    """Time passes, and the network still makes a transfer final."""
    host = cluster.validators[1]
    request = host.submit(transfer(cluster.genesis, "ann", 4, amount=5))
    assert cluster.run_until(lambda: request in host.verdicts and not len(host.node.mempool), 30)
    assert not any(host.halted for host in cluster.hosts)


@st.composite
def mutations(draw):
    """Return a real message with some of its bytes changed, cut or repeated: first outside, then inside its fields."""
    data = draw(st.sampled_from(recorded()))
    changed = bytearray(data)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(changed) - 1))
        changed[place] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        cut = draw(st.integers(1, len(changed)))
        changed = changed[:cut]
    return data, bytes(changed)


@SETTINGS
@given(st.lists(mutations(), min_size=1, max_size=40), st.integers(0, 2**32))
def test_mutated_messages_raise_nothing(batch, seed):
    cluster = busy(seed % 3)
    host = cluster.validators[0]
    connect_stranger(cluster, host)
    rng = random.Random(seed)
    for original, changed in batch:
        for data in (changed, original):
            try:
                message = wire.decode_message(data)
            except CodecError:
                continue
            peer = rng.choice([STRANGER, *host.attached])
            say(cluster, host, peer, message)
            if STRANGER not in host.node._board.links:
                connect_stranger(cluster, host)
    check_alive(cluster)


_FIELDS = {
    "block_hash": st.sampled_from([bytes(32), b"\xff" * 32]) | st.binary(min_size=32, max_size=32),
    "height": st.integers(0, 2**32 - 1),
    "from_epoch": st.integers(0, 2**32 - 1),
    "index": st.integers(0, 2**16 - 1),
    "links": st.lists(st.binary(min_size=1, max_size=300), max_size=4),
    "header": st.binary(min_size=1, max_size=300),
    "depths": st.binary(max_size=40),
    "from_height": st.integers(0, 2**32 - 1),
    "fee_floor": st.integers(0, 2**32 - 1),
    "price": st.integers(0, 2**64 - 1),
    "count": st.integers(0, 2**16 - 1),
    "nonce": st.integers(0, 2**64 - 1),
    "items": st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    "entries": st.lists(
        st.tuples(st.binary(min_size=8, max_size=8), st.integers(1, 16 * 1024), st.integers(0, 2**64 - 1)), max_size=5
    ),
    "short_ids": st.lists(st.binary(min_size=8, max_size=8), max_size=5),
    "ids": st.lists(st.binary(min_size=32, max_size=32), max_size=5),
    "first": st.sampled_from([0, 16]) | st.integers(0, 2**32 - 1),
    "size": st.integers(0, 2**32 - 1),
    "after": st.just(bytes(8)) | st.binary(min_size=8, max_size=8),
    "is_last": st.booleans(),
    "is_pull": st.booleans(),
    "is_willing": st.booleans(),
    "target": st.sampled_from([bytes(32)]) | st.binary(min_size=32, max_size=32),
    "issued_ms": st.integers(0, 2**64 - 1),
    "peer_record": st.binary(min_size=1, max_size=300),
    "signature": st.binary(min_size=64, max_size=64),
    "role": st.integers(0, 2),
    "hears": st.lists(st.binary(min_size=8, max_size=8), max_size=4),
    "places": st.lists(
        st.tuples(st.binary(min_size=8, max_size=8), st.binary(max_size=2).map(lambda bits: bits + b"\x01")), max_size=4
    ),
    "transaction_ids": st.lists(st.binary(min_size=32, max_size=32), max_size=4),
    "data": st.binary(min_size=1, max_size=400),
    "block": st.binary(min_size=1, max_size=400),
    "blocks": st.lists(st.binary(min_size=1, max_size=300), max_size=4),
    "proof": st.binary(max_size=300),
    "topics": st.lists(st.sampled_from(["", "a", "b", "news"]), max_size=4),
    "address": st.text(max_size=60) | st.just("tcp://9.9.9.9:1"),
    "blob_hash": st.sampled_from([bytes(32), b"\xff" * 32]) | st.binary(min_size=32, max_size=32),
    "may_ask_on": st.booleans(),
    "chunks": st.lists(st.binary(min_size=32, max_size=32), max_size=4),
    "to": st.binary(min_size=32, max_size=32),
    "salt": st.binary(min_size=32, max_size=32),
    "expires_ms": st.integers(0, 2**64 - 1),
    "sealed": st.binary(min_size=1, max_size=400),
    "message_id": st.sampled_from([bytes(32)]) | st.binary(min_size=32, max_size=32),
    "state": st.integers(0, 255),
    "records": st.lists(st.binary(min_size=1, max_size=300), max_size=4),
}


@st.composite
def made_up(draw):
    cls = draw(st.sampled_from([wire.MESSAGES[kind] for kind in sorted(wire.MESSAGES)]))
    values = [draw(_FIELDS[name]) for name in cls.__dataclass_fields__]
    return cls(*[tuple(value) if isinstance(value, list) else value for value in values])


@SETTINGS
@given(st.lists(made_up(), min_size=1, max_size=40), st.booleans())
@example([wire.GetBlocks(0, 0), wire.GetBlocks(2**32 - 1, 2**16 - 1), wire.Blocks(0, (), b"")], False)
def test_made_up_messages_raise_nothing(batch, is_validator):
    cluster = busy(1)
    host = cluster.validators[0]
    for message in batch:
        if STRANGER not in host.node._board.links:
            connect_stranger(cluster, host)
        peer = next(iter(host.attached)) if is_validator and host.attached else STRANGER
        say(cluster, host, peer, message)
    check_alive(cluster)


class Gullible(KeyedScheme):
    """Takes every signature for good, so that forged votes and proposals reach the rules behind the signatures."""

    def verify(self, public_key, message, signature):
        return True


@SETTINGS
@given(st.lists(mutations(), min_size=1, max_size=40), st.integers(0, 2**32))
def test_mutated_messages_with_good_signatures_raise_nothing(batch, seed):
    """Forged quorums may make a node halt, which it says in a sentence; they never make it raise."""
    cluster = busy(seed % 3, scheme=Gullible())
    host = cluster.validators[0]
    connect_stranger(cluster, host)
    rng = random.Random(seed)
    for _, changed in batch:
        try:
            message = wire.decode_message(changed)
        except CodecError:
            continue
        if host.core is not None:
            say(cluster, host, rng.choice([STRANGER, *host.attached]), message)
            cluster.run(0.02)
    cluster.run(1)


@st.composite
def proposals(draw):
    """Return a change to a header that a leader signs all the same."""
    name = draw(st.sampled_from([*Header.__dataclass_fields__, "ids", "justify"]))
    if name == "version":
        return name, 1
    if name in {"height", "epoch"}:
        return name, draw(st.integers(0, 2**32 - 1))
    if name == "time_ms":
        return name, draw(st.integers(0, 2**64 - 1))
    if name == "engine_data":
        return name, draw(st.binary(max_size=64))
    return name, draw(st.binary(min_size=32, max_size=32))


@SETTINGS
@given(st.lists(proposals(), min_size=1, max_size=6), st.integers(0, 3))
def test_what_a_lying_leader_proposes_raises_nothing(lies, liar):
    """Good signatures over headers that are wrong, from any validator, with the real ones between."""
    cluster = busy(2)
    real = [simplex.decode_message(wire.decode_message(data).data) for data in cluster.said.values() if data[0] == 0x20]
    proposal = next(message for message in reversed(real) if isinstance(message, simplex.Proposal))
    for name, value in lies:
        header, ids, justify = proposal.header, proposal.transaction_ids, proposal.justify
        if name == "ids":
            ids = (*ids, value, value)
        elif name == "justify":
            justify = simplex.Justify(justify.nullification, justify.parent)
        else:
            header = replace(header, **{name: value})
        header = replace(header, proposer=cluster.validators[liar].key) if name != "proposer" else header
        lie = signed(cluster, liar, header, justify, ids)
        for host in cluster.validators:
            peer = cluster.validators[liar].key
            if host.core is not None and peer in host.attached:
                say(cluster, host, peer, wire.Engine(simplex.encode_message(lie)))
    check_alive(cluster)


def signed(cluster, liar, header, justify, ids):
    try:
        view = simplex.decode_seal(header).view
    except CodecError:
        view = 1
    ballot = Ballot(header.epoch, view, VoteKind.PROPOSE, header.hash)
    signature = KEYED.sign(
        cluster.validators[liar].seed, signed_bytes(PROPOSAL_DOMAIN, cluster.genesis.hash, ballot.data)
    )
    return simplex.Proposal(header, justify, ids, signature)
