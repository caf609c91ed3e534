import dataclasses
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.codec import pack
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError
from p2pcommerce.wire.kinds import kind
from p2pcommerce.wire.lanes import Lane
from p2pcommerce.wire.messages import (
    EVIDENCE_BYTES_MAX,
    LIMITS,
    MESSAGES,
    Announce,
    AnnouncePosts,
    BlockBody,
    Blocks,
    BlockTransactions,
    CallBack,
    Choose,
    Chunk,
    Engine,
    Evidence,
    FeeFloor,
    FinalBlock,
    Found,
    GetBlock,
    GetBlocks,
    GetChunk,
    GetIds,
    GetLinks,
    GetPeers,
    GetSnapshot,
    GetSymbols,
    GetTransactions,
    Ids,
    Lacking,
    Links,
    Listening,
    Message,
    NoBlock,
    Observed,
    Peers,
    Ping,
    Pong,
    Posts,
    Pull,
    PullPosts,
    Refuse,
    Relayed,
    RelayIds,
    RelayRole,
    Snapshot,
    Status,
    Stem,
    Symbols,
    TakesCalls,
    Transactions,
    Unchoose,
    decode_message,
    encode_message,
)
from p2pcommerce.wire.off_chain_messages import (
    BlobChunk,
    BlobProviders,
    GetBlobChunk,
    HaveBlob,
    MessageTaken,
    PostMessage,
    WantBlob,
)
from p2pcommerce.wire.parameters import WireParameters

H = bytes(range(32))
U16, U32, U64 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
HASH = st.binary(min_size=32, max_size=32)
SHORT = st.binary(min_size=8, max_size=8)


def bitmap(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def some(items, min_size=0):
    return st.lists(items, min_size=min_size, max_size=5).map(tuple)


SHORTS = st.lists(SHORT, max_size=5).map(b"".join)
BLOB = st.binary(min_size=1, max_size=40)
STRATEGIES = {
    Ping: st.builds(Ping, U64),
    Pong: st.builds(Pong, U64),
    Choose: st.just(Choose()),
    Unchoose: st.just(Unchoose()),
    Refuse: st.just(Refuse()),
    Status: st.builds(Status, U32, HASH),
    FeeFloor: st.builds(FeeFloor, U64),
    Transactions: st.builds(Transactions, some(BLOB, 1)),
    Announce: st.builds(Announce, some(st.tuples(SHORT, st.integers(1, 16_384), U64), 1)),
    Pull: st.builds(Pull, some(SHORT, 1)),
    GetSymbols: st.builds(GetSymbols, U32, st.integers(1, 512)),
    Symbols: st.builds(Symbols, U32, U32, st.binary(max_size=40)),
    GetIds: st.builds(GetIds, SHORT, st.integers(1, 4_096)),
    Ids: st.builds(Ids, SHORT, st.booleans(), SHORTS),
    Lacking: st.builds(Lacking, SHORTS),
    Found: st.builds(Found, SHORTS),
    Engine: st.builds(Engine, BLOB),
    Evidence: st.builds(Evidence, BLOB),
    FinalBlock: st.builds(FinalBlock, BLOB, BLOB, some(HASH)),
    Relayed: st.builds(Relayed, some(BLOB, 1)),
    RelayIds: st.builds(
        RelayIds, st.booleans(), some(SHORT), some(st.tuples(SHORT, st.integers(1, 2**31).map(bitmap)))
    ),
    RelayRole: st.builds(RelayRole, st.integers(0, 2), some(SHORT)),
    GetTransactions: st.builds(GetTransactions, HASH, some(HASH, 1)),
    BlockTransactions: st.builds(BlockTransactions, HASH, some(BLOB)),
    GetBlock: st.builds(GetBlock, HASH),
    BlockBody: st.builds(BlockBody, BLOB),
    NoBlock: st.builds(NoBlock, HASH),
    GetBlocks: st.builds(GetBlocks, U32, U16),
    Blocks: st.builds(Blocks, U32, some(BLOB), st.binary(max_size=40)),
    GetLinks: st.builds(GetLinks, U32),
    Links: st.builds(Links, U32, some(BLOB), BLOB, st.binary(max_size=40)),
    GetSnapshot: st.just(GetSnapshot()),
    Snapshot: st.builds(Snapshot, st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40)),
    GetChunk: st.builds(GetChunk, U32, U16),
    Chunk: st.builds(Chunk, U32, U16, st.binary(max_size=40)),
    GetPeers: st.builds(GetPeers, U16),
    Peers: st.builds(Peers, some(BLOB)),
    Observed: st.builds(Observed, st.text(st.characters(categories=["L", "N"]), max_size=40)),
    TakesCalls: st.builds(TakesCalls, st.booleans()),
    CallBack: st.builds(CallBack, HASH, st.integers(0, 2**64 - 1), BLOB, st.binary(min_size=64, max_size=64)),
    WantBlob: st.builds(WantBlob, HASH, st.booleans()),
    HaveBlob: st.builds(HaveBlob, HASH, U32, some(HASH)),
    GetBlobChunk: st.builds(GetBlobChunk, HASH, U16),
    BlobChunk: st.builds(BlobChunk, HASH, U16, st.binary(max_size=40)),
    BlobProviders: st.builds(BlobProviders, HASH, st.lists(BLOB, min_size=1, max_size=4).map(tuple)),
    PostMessage: st.builds(PostMessage, HASH, HASH, U64, BLOB),
    MessageTaken: st.builds(MessageTaken, HASH, st.integers(0, 255)),
    Listening: st.builds(Listening, some(st.text(st.characters(categories=["L", "N"]), max_size=16))),
    Posts: st.builds(Posts, some(BLOB, 1)),
    AnnouncePosts: st.builds(AnnouncePosts, some(SHORT, 1)),
    PullPosts: st.builds(PullPosts, some(SHORT, 1)),
    Stem: st.builds(Stem, some(BLOB, 1)),
}

# The largest message of each kind.
LARGEST = [
    Ping(2**64 - 1),
    Pong(2**64 - 1),
    Choose(),
    Unchoose(),
    Refuse(),
    Status(2**32 - 1, H),
    FeeFloor(2**64 - 1),
    Transactions((bytes(16_384),) * 15),
    Announce(((bytes(8), 16_384, 2**64 - 1),) * 1_024),
    Pull((bytes(8),) * 256),
    GetSymbols(2**32 - 1, 512),
    Symbols(2**32 - 1, 2**32 - 1, bytes(512 * 16)),
    GetIds(bytes(8), 4_096),
    Ids(bytes(8), False, bytes(4_096 * 8)),
    Lacking(bytes(4_096 * 8)),
    Found(bytes(4_096 * 8)),
    Engine(bytes(256 * 1024)),
    Evidence(bytes(EVIDENCE_BYTES_MAX)),
    FinalBlock(bytes(1_024), bytes(384 * 1024), (H,) * 2_000),
    Relayed((bytes(256 * 1024),)),
    RelayIds(False, (H[:8],) * 512, ((H[:8], bytes(31) + b"\x80"),) * 512),
    RelayRole(2, (H[:8],) * 255),
    GetTransactions(H, (H,) * 2_000),
    BlockTransactions(H, (bytes(550),) * 2_000),
    GetBlock(H),
    BlockBody(bytes(1024 * 1024 + 64 * 1024)),
    NoBlock(H),
    GetBlocks(2**32 - 1, 2**16 - 1),
    Blocks(2**32 - 1, (bytes(1_690),) * 1_000, bytes(384 * 1024)),
    GetLinks(2**32 - 1),
    Links(2**32 - 1, (bytes(26_000),) * 64, bytes(1_024), bytes(384 * 1024)),
    GetSnapshot(),
    Snapshot(bytes(1_024), bytes(384 * 1024), bytes(16_384)),
    GetChunk(2**32 - 1, 2**16 - 1),
    Chunk(2**32 - 1, 2**16 - 1, bytes(256 * 1024)),
    GetPeers(2**16 - 1),
    Peers((bytes(1_024),) * 255),
    Observed("x" * 272),
    TakesCalls(is_willing=True),
    CallBack(H, 2**64 - 1, bytes(1_024), bytes(64)),
    WantBlob(H, may_ask_on=True),
    HaveBlob(H, 2**32 - 1, (H,) * 1_024),
    GetBlobChunk(H, 2**16 - 1),
    BlobChunk(H, 2**16 - 1, bytes(64 * 1024)),
    BlobProviders(H, (bytes(1_024),) * 4),
    PostMessage(H, H, 2**64 - 1, bytes(16 * 1024)),
    MessageTaken(H, 255),
    Listening(tuple(f"{number:064}" for number in range(64))),
    Posts((bytes(1_020),) * 255),
    AnnouncePosts((H[:8],) * 256),
    PullPosts((H[:8],) * 256),
    Stem((bytes(16_384),) * 3 + (bytes(16_000),)),
]

PINNED = {
    "01910c": Ping(12),
    "02910c": Pong(12),
    "0390": Choose(),
    "0490": Unchoose(),
    "0590": Refuse(),
    "069205c420" + H.hex(): Status(5, H),
    "1991cd1000": FeeFloor(4_096),
    "109192c40161c4026263": Transactions((b"a", b"bc")),
    "119193" + "c4080001020304050607" + "c402012c" + "c4010a": Announce(((H[:8], 300, 10),)),
    "1291c4080001020304050607": Pull((H[:8],)),
    "609192c40161c4026263": Stem((b"a", b"bc")),
    "13920010": GetSymbols(0, 16),
    "149310cd2710c40162": Symbols(16, 10_000, b"b"),
    "1592c4080001020304050607cd1000": GetIds(H[:8], 4_096),
    "1693c4080001020304050607c3c40808090a0b0c0d0e0f": Ids(H[:8], True, H[8:16]),
    "1791c4080001020304050607": Lacking(H[:8]),
    "1891c4080001020304050607": Found(H[:8]),
    "2091c40176": Engine(b"v"),
    "2191c40378797a": Evidence(b"xyz"),
    "4c93c40168c40170c420" + H.hex(): FinalBlock(b"h", b"p", (H,)),
    "4d91939200c401619200c40262639201c40164": Relayed((b"a", b"bc", b"bd")),
    "4e93c2c40800010203040506079192c4080001020304050607c40105": RelayIds(False, (H[:8],), ((H[:8], b"\x05"),)),
    "4f9202c4080001020304050607": RelayRole(2, (H[:8],)),
    "3092c420" + H.hex() + "91c420" + H.hex(): GetTransactions(H, (H,)),
    "3192c420" + H.hex() + "91c40161": BlockTransactions(H, (b"a",)),
    "3291c420" + H.hex(): GetBlock(H),
    "3391c40162": BlockBody(b"b"),
    "3491c420" + H.hex(): NoBlock(H),
    "35920705": GetBlocks(7, 5),
    "36930791c40162c40170": Blocks(7, (b"b",), b"p"),
    "379107": GetLinks(7),
    "38940791c4016cc40168c40170": Links(7, (b"l",), b"h", b"p"),
    "3990": GetSnapshot(),
    "3a93c40168c40170c40101": Snapshot(b"h", b"p", b"\x01"),
    "3b920703": GetChunk(7, 3),
    "3c930703c40163": Chunk(7, 3, b"c"),
    "4091cd03e8": GetPeers(1_000),
    "419191c40172": Peers((b"r",)),
    "4291a961646472657373203a": Observed("address :"),
    "4891c3": TakesCalls(is_willing=True),
    "4994c420" + H.hex() + "05c40172c440" + "00" * 64: CallBack(H, 5, b"r", bytes(64)),
    "5092c420" + H.hex() + "c3": WantBlob(H, may_ask_on=True),
    "5193c420" + H.hex() + "0591c420" + H.hex(): HaveBlob(H, 5, (H,)),
    "5292c420" + H.hex() + "07": GetBlobChunk(H, 7),
    "5393c420" + H.hex() + "07c40163": BlobChunk(H, 7, b"c"),
    "5492c420" + H.hex() + "91c40172": BlobProviders(H, (b"r",)),
    "5594c420" + H.hex() + "c420" + H.hex() + "05c40173": PostMessage(H, H, 5, b"s"),
    "5692c420" + H.hex() + "01": MessageTaken(H, 1),
    "589192a161a162": Listening(("a", "b")),
    "599191c40161": Posts((b"a",)),
    "5a91c4080001020304050607": AnnouncePosts((H[:8],)),
    "5b91c4080001020304050607": PullPosts((H[:8],)),
}


def test_every_kind_is_in_the_schema_the_union_and_these_tests():
    classes = set(MESSAGES.values())
    assert classes == set(typing.get_args(Message)) == set(STRATEGIES)
    assert classes == {type(message) for message in LARGEST} == {type(message) for message in PINNED.values()}
    for number, cls in MESSAGES.items():
        assert number == cls.KIND
        assert LIMITS[number] == (cls.LANE, cls.BYTES_MAX)


@pytest.mark.parametrize(("encoded", "message"), PINNED.items(), ids=[type(m).__name__ for m in PINNED.values()])
def test_encodings_are_pinned(encoded, message):
    assert encode_message(message).hex() == encoded
    assert decode_message(bytes.fromhex(encoded)) == message


@settings(max_examples=200, deadline=None)
@given(st.one_of(*STRATEGIES.values()))
def test_every_message_survives_its_encoding(message):
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("message", LARGEST, ids=lambda message: type(message).__name__)
def test_the_largest_message_of_a_kind_fits_its_cap_and_its_lane(message):
    encoded = encode_message(message)
    assert decode_message(encoded) == message
    assert len(encoded) <= message.BYTES_MAX
    assert WireParameters().lane_bytes_max()[message.LANE] >= message.BYTES_MAX + 48


@pytest.mark.parametrize("cls", MESSAGES.values(), ids=lambda cls: cls.__name__)
def test_a_message_over_its_cap_is_refused_before_it_is_decoded(cls):
    with pytest.raises(CodecError) as caught:
        decode_message(bytes([cls.KIND]) + b"\xc1" * cls.BYTES_MAX)
    assert caught.value.code == "OVERSIZED"


def test_a_message_over_its_cap_is_not_sent():
    with pytest.raises(LocalProtocolError, match="at most 262144"):
        encode_message(Transactions((bytes(16_384),) * 17))


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Transactions((bytes(16_385),)), "items"),
        (Transactions((b"",)), "items"),
        (Transactions(()), "items"),
        (Transactions((b"a",) * 257), "items"),
        (GetSymbols(0, 0), "count"),
        (GetSymbols(0, 513), "count"),
        (Symbols(0, 2**32, b""), "size"),
        (Symbols(0, 0, bytes(512 * 16 + 1)), "data"),
        (GetIds(bytes(7), 1), "after"),
        (GetIds(bytes(8), 4_097), "count"),
        (Ids(bytes(8), True, bytes(9)), "data"),
        (Lacking(bytes(7)), "data"),
        (Found(bytes(4_097 * 8)), "data"),
        (Announce(()), "entries"),
        (Announce(((bytes(8), 1, 1),) * 1_025), "entries"),
        (Pull((bytes(8),) * 257), "short_ids"),
        (Pull((bytes(9),)), "short_ids"),
        (Pull(()), "short_ids"),
        (Engine(b""), "data"),
        (Engine(bytes(256 * 1024 + 1)), "data"),
        (FinalBlock(bytes(1_025), b"p", ()), "header"),
        (FinalBlock(b"h", b"", ()), "proof"),
        (FinalBlock(b"h", b"p", (H,) * 2_001), "transaction_ids"),
        (FinalBlock(b"h", b"p", (H[:31],)), "transaction_ids"),
        (Relayed(()), "items"),
        (Relayed((b"a",) * 257), "items"),
        (Relayed((b"",)), "items"),
        (RelayIds(True, (H[:8],) * 513, ()), "short_ids"),
        (RelayIds(True, (), ((H[:8], b"\x01\x00"),)), "places"),
        (RelayIds(True, (), ((H[:8], b""),)), "places"),
        (RelayIds(True, (), ((H[:8], b"\xff" * 32),) * 2 + ((H[:8], b"\x01"),)), "places"),
        (RelayIds(True, (), ((H[:8], b"\x01" * 33),)), "places"),
        (RelayIds(True, (), ((H[:7], b"\x01"),)), "places"),
        (RelayRole(3, ()), "role"),
        (RelayRole(1, (H[:8],) * 256), "hears"),
        (GetTransactions(H, (H,) * 2_001), "ids"),
        (GetTransactions(H[:31], (H,)), "block_hash"),
        (BlockTransactions(H, (b"a",) * 2_001), "items"),
        (BlockBody(b""), "block"),
        (Blocks(0, (b"b",) * 1_025, b""), "blocks"),
        (Peers((bytes(1_025),)), "records"),
        (Peers((b"r",) * 1_001), "records"),
        (GetPeers(2**16), "count"),
        (Observed("x" * 273), "address"),
        (Observed("line\nbreak"), "address"),
        (Status(2**32, H), "height"),
        (Ping(-1), "nonce"),
        (Ping("1"), "nonce"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_field_out_of_bounds_is_refused_by_name(message, field):
    with pytest.raises(CodecError, match=f"^{field} "):
        decode_message(bytes([message.KIND]) + pack(message.SHAPE.plain(message)))


@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        ("", "MALFORMED"),
        ("00", "UNKNOWN_KIND"),
        ("ff90", "UNKNOWN_KIND"),
        ("01", "MALFORMED"),
        ("0190", "MALFORMED"),
        ("01920c0c", "MALFORMED"),
        ("01910c00", "MALFORMED"),
        ("019180", "MALFORMED"),
        ("0191cb3ff0000000000000", "MALFORMED"),
        ("0191c3", "MALFORMED"),
        ("0191cc0c", "NOT_CANONICAL"),
        ("01dc00010c", "NOT_CANONICAL"),
        ("0391c0", "MALFORMED"),
    ],
)
def test_malformed_bytes_are_refused_by_code(encoded, code):
    with pytest.raises(CodecError) as caught:
        decode_message(bytes.fromhex(encoded))
    assert caught.value.code == code


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=80), st.builds(lambda k, b: bytes([k]) + b, st.sampled_from(sorted(MESSAGES)), BLOB))
)
def test_any_bytes_are_a_canonical_message_or_refused(data):
    try:
        message = decode_message(data)
    except CodecError:
        return
    assert encode_message(message) == data


def test_kinds_are_frozen_and_slotted_and_cannot_share_a_number():
    for cls in MESSAGES.values():
        assert dataclasses.is_dataclass(cls)
        assert cls.__dataclass_params__.frozen
        assert "__slots__" in vars(cls)
    with pytest.raises(TypeError, match="is both Ping and"):
        kind(Ping.KIND, Lane.CONTROL, 16)(Choose)


@pytest.mark.parametrize(
    "pairs",
    [
        "9200c4016192c04000",
        "9200c40161" + "9200c40161",  # shares a byte and does not say so
        "9200c40161" + "9202c40162",  # shares more than there is
        "9200c40161" + "9201c400" + "9201c400" + "9200c400",
        "9201c40161",
    ],
)
def test_an_item_shares_with_the_one_before_it_neither_more_nor_less_than_is_the_same(pairs):
    count = max(1, pairs.count("92"))
    with pytest.raises(CodecError):
        decode_message(bytes.fromhex("4d91" + f"{0x90 + count:x}" + pairs))


def test_what_an_item_shares_is_bounded():
    long = bytes(300)
    message = Relayed((long, long + b"a"))
    data = encode_message(message)
    assert len(data) == 2 + 1 + (1 + 1 + 3 + 300) + (1 + 2 + 2 + 46)
    assert decode_message(data) == message


@given(st.lists(st.lists(st.sampled_from([b"a", b"b", bytes(100)]), min_size=1, max_size=5).map(b"".join), min_size=1))
def test_items_are_the_same_whatever_they_share(items):
    message = Relayed(tuple(items[:256]))
    assert decode_message(encode_message(message)) == message
