"""One example of each kind of message, for its vector: a new kind adds a line."""

from p2pcommerce.wire import messages as wire
from p2pcommerce.wire import off_chain_messages as off_chain

HASH = bytes(range(32))
OTHER = bytes(range(32, 64))
SHORT = bytes(range(8))
NEXT = bytes(range(8, 16))

EXAMPLES = (
    wire.Ping(0),
    wire.Pong(2**64 - 1),
    wire.Choose(),
    wire.Unchoose(),
    wire.Refuse(),
    wire.Status(70_000, HASH),
    wire.FeeFloor(65_536),
    wire.Transactions((b"one transaction", bytes(300))),
    wire.Announce(((SHORT, 250, 1_000), (NEXT, 16_384, 2**40))),
    wire.Pull((SHORT, NEXT)),
    wire.GetSymbols(0, 16),
    wire.Symbols(16, 3, bytes(range(12))),
    wire.GetIds(bytes(8), 4_096),
    wire.Ids(bytes(8), True, SHORT + NEXT),
    wire.Lacking(SHORT),
    wire.Found(NEXT),
    wire.Engine(b"\x04a message of the engine"),
    wire.Evidence(b"evidence"),
    wire.FinalBlock(b"header", b"proof", (HASH, OTHER)),
    wire.Relayed((b"\x01a vote", b"\x01a vote more", b"\x03a proposal")),
    wire.RelayIds(True, (SHORT, NEXT), ((SHORT, b"\x00\x81"),)),
    wire.RelayRole(1, (SHORT,)),
    wire.GetTransactions(HASH, (HASH, OTHER)),
    wire.BlockTransactions(HASH, (b"a transaction",)),
    wire.GetBlock(HASH),
    wire.BlockBody(b"a block"),
    wire.NoBlock(HASH),
    wire.GetBlocks(1, 128),
    wire.Blocks(1, (b"a block", b"the next"), b"proof"),
    wire.GetLinks(3),
    wire.Links(3, (b"link",), b"header", b"proof"),
    wire.GetSnapshot(),
    wire.Snapshot(b"header", b"proof", bytes([1, 1])),
    wire.GetChunk(7_200, 1),
    wire.Chunk(7_200, 1, b"chunk"),
    wire.GetPeers(1_000),
    wire.Peers((b"a record", b"another")),
    wire.Observed("tcp://192.0.2.7:7400"),
    wire.TakesCalls(True),
    wire.CallBack(HASH, 1_700_000_000_000, b"a record", bytes(64)),
    off_chain.WantBlob(HASH, True),
    off_chain.HaveBlob(HASH, 65_537, (HASH, OTHER)),
    off_chain.GetBlobChunk(HASH, 1),
    off_chain.BlobChunk(HASH, 1, b"\x00"),
    off_chain.BlobProviders(HASH, (b"a record",)),
    off_chain.PostMessage(HASH, OTHER, 1_700_000_000_000, b"sealed"),
    off_chain.MessageTaken(HASH, 0),
    wire.Listening(("offers", "prices of café")),
    wire.Posts((b"a post",)),
    wire.AnnouncePosts((SHORT,)),
    wire.PullPosts((SHORT,)),
    wire.Stem((b"a private transaction", b"another")),
)
