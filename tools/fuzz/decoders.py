"""Targets of decoders that take more than bytes, and of what verifies untrusted bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from fuzz.station import CREDULOUS, START_US, genesis_of, key_of
from fuzz.target import Form, Target, decoder
from fuzz.verdicts import check
from p2pcommerce.discovery import Discovery, DiscoveryParameters
from p2pcommerce.finality import SigningGuard, make_engine
from p2pcommerce.finality.engine import Context, FinalityEngine
from p2pcommerce.gossip.coding import read_symbols, write_symbols
from p2pcommerce.ledger.block import decode_header
from p2pcommerce.ledger.epochs import read_set
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.validators import ValidatorSet, ValidatorSetError
from p2pcommerce.node.chain import genesis_header
from p2pcommerce.node.compact import COMPACT_MAGIC, COMPACT_VERSION
from p2pcommerce.node.epoch_links import decode_link
from p2pcommerce.node.light import ConflictError, LightClient
from p2pcommerce.node.log_records import sort_records
from p2pcommerce.node.proof import Proof, ProofError, proof_bytes, require_proof
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives import codec, curve, vrf
from p2pcommerce.primitives.crypto import ED25519, aead_open, blake2b_256, secretbox_open, x25519
from p2pcommerce.primitives.errors import CodecError, RemoteProtocolError, UsageError
from p2pcommerce.primitives.ids import ZERO_HASH, Epoch, Height
from p2pcommerce.primitives.merkle import INCLUSION_PROOF, verify_inclusion
from p2pcommerce.sync.chunks import Place, read_chunk
from p2pcommerce.sync.run import read_run
from p2pcommerce.wire.messages import Blocks

__all__ = ["decoder_targets", "light_client"]

_FIRST: Final = 3
_POOL: Final = 100
_SYMBOLS: Final = (write_symbols((2**87, 1, 0), (40, 0, 41), _FIRST, _POOL),)
_ROWS: Final = codec.array(codec.blob(2**20), 64)
_TRIPLE: Final = codec.array(codec.blob(2**16), 3, 3)
_PAIR: Final = codec.pair(codec.blob(2**20), codec.blob(2**20))
_PLACED: Final[codec.Shape[tuple[int, int, bytes, bytes]]] = codec.record(
    lambda *fields: fields, depth=codec.U8, prefix=codec.U32, root=codec.HASH, data=codec.blob(2**20)
)


def _unpack(data: bytes) -> object:
    return codec.unpack(data, 2**16)


def _book(data: bytes) -> int:
    """The book's content; its checksum is put right, so that what is behind it is reached."""
    one, other = _discovery(), _discovery()
    added = one.load(data + blake2b_256(data), START_US)
    held = one.statistics()["book"]
    check(held <= added, "the book holds more than was added")
    other.load(one.dump(), START_US)
    check(other.statistics()["book"] == held, "a saved book loads as it was")
    return added


def _discovery() -> Discovery:
    return Discovery(DiscoveryParameters(), key_of("self"), genesis_of("simplex").hash, [], CREDULOUS, random.Random(1))


def _rows(data: bytes) -> tuple[bytes, ...]:
    return codec.decode(_ROWS, data, 2**20)


def _guard(name: str) -> Callable[[bytes], object]:
    def restore(data: bytes) -> object:
        guard = SigningGuard(make_engine(name, CREDULOUS))
        guard.restore(_rows(data))
        again = SigningGuard(make_engine(name, CREDULOUS))
        again.restore(guard.frames())
        check(again.last == guard.last, "a rewritten guard remembers the same")
        return guard

    return restore


def _sets(_epoch: int) -> ValidatorSet:
    return genesis_of("simplex").validators


def _verify(name: str) -> Callable[[bytes], bool]:
    """A header and a proof: the answer is yes or no, whatever the bytes."""
    engine: FinalityEngine = make_engine(name, CREDULOUS)

    def take(data: bytes) -> bool:
        try:
            raw, proof = codec.decode(_PAIR, data, 2**20)
            header = decode_header(raw)
        except CodecError:
            return False
        return engine.verify(header, proof, _sets)

    return take


def started_engine(name: str, records: Sequence[bytes] = ()) -> FinalityEngine:
    """Return an engine that knows its network, and was started from its own log."""
    genesis = genesis_of(name)
    context = Context(
        key=None,
        genesis_hash=genesis.hash,
        parameters=genesis.parameters,
        epoch=Epoch(0),
        validators=genesis.validators,
        following=genesis.validators,
        delivered=genesis_header(genesis, ZERO_HASH),
        proof=b"",
        scheme=CREDULOUS,
        rng=random.Random(1),
        has_pending=lambda _: False,
    )
    engine = make_engine(name, CREDULOUS)
    engine.start(context, records, {}, START_US)
    return engine


def _journal(name: str) -> Callable[[bytes], object]:
    return lambda data: started_engine(name, _rows(data))


def _convict(name: str) -> Callable[[bytes], bool]:
    """Evidence: an offence or None, whatever the bytes."""
    engine = started_engine(name)

    def take(data: bytes) -> bool:
        return engine.convict(data, _sets) is not None

    return take


def _read_blocks(data: bytes) -> object:
    message = Blocks.SHAPE.read(codec.unpack(data, Blocks.BYTES_MAX))
    return read_run(message, genesis_of("simplex").hash, lambda _header, proof: proof[-1:] != b"\xee")


def _chunk(data: bytes) -> object:
    depth, prefix, root, chunk = codec.decode(_PLACED, data, 2**20)
    return read_chunk(chunk, root, Place(min(depth, 14), prefix))


@cache
def _anchor() -> TrustAnchor:
    return TrustAnchor.of(genesis_of("simplex"))


def light_client() -> LightClient:
    """Return a light client of the fuzzed network, at its genesis."""
    return LightClient(_anchor(), engine=make_engine("simplex", CREDULOUS), scheme=CREDULOUS)


def _light(data: bytes) -> bool:
    """Links and then a header with its proof, as a light client meets them."""
    client = light_client()
    accepted = False
    try:
        for row in _rows(data):
            try:
                link = decode_link(row)
            except CodecError:
                raw, proof = codec.decode(_PAIR, row, 2**20)
                client.verify_header(decode_header(raw), proof, START_US)
            else:
                client.follow([link], START_US)
            accepted = True
    except (RemoteProtocolError, UsageError, ConflictError):
        return accepted
    return accepted


def _proof(data: bytes) -> object:
    return light_client().verify_proof(data, START_US)


def _proof_form(data: bytes) -> object:
    """What `proof qr` asks of a file before it shows it: the form of a proof, with the checksum or put right."""
    compact = data[: len(COMPACT_MAGIC)] == COMPACT_MAGIC
    raw = data + blake2b_256(data)[:4] if compact else data
    try:
        require_proof(raw)
    except ProofError:
        check(not _proves(raw), "what has not the form of a proof proves nothing")
        raise
    check(proof_bytes(Proof(raw, Height(0)).text) == raw, "a proof's text reads as the proof")
    return raw


def _proves(raw: bytes) -> bool:
    try:
        light_client().verify_proof(raw, START_US)
    except (RemoteProtocolError, UsageError):
        return False
    return True


def _proof_text(data: bytes) -> object:
    """A proof as bytes or text, as a file, a pipe or a scanner gives it."""
    raw = proof_bytes(data)
    if raw is not data:
        check(proof_bytes(data.decode("latin-1")) == raw, "bytes and text of a proof read as the same")
        check(Proof(raw, Height(0)).text.encode() == data.strip(), "a proof has one text")
    return raw


def _compact(body: bytes) -> object:
    """Check the body of a compact proof: its checksum would stop every change."""
    data = COMPACT_MAGIC + bytes([COMPACT_VERSION]) + body
    return light_client().verify_proof(data + blake2b_256(data)[:4], START_US)


def _inclusion(data: bytes) -> bool:
    try:
        root, leaf, raw = codec.decode(_TRIPLE, data, 2**16)
        proof = codec.decode(INCLUSION_PROOF, raw, 2**16)
    except CodecError:
        return False
    return verify_inclusion(root, leaf, proof)


def _keys(data: bytes) -> bool:
    """Every primitive that takes a peer's key, signature, proof or ciphertext, with any bytes at all."""
    key, rest = data[:32], data[32:]
    good = ED25519.verify(key, b"message", rest[:64])
    good |= vrf.verify(key, b"alpha", rest[:80]) is not None
    vrf.validate_key(key)
    curve.is_canonical(key)
    attempts: tuple[Callable[[], bytes], ...] = (
        lambda: x25519(bytes(31) + b"\x01", key),
        lambda: aead_open(bytes(32), bytes(12), b"", data),
        lambda: secretbox_open(bytes(32), bytes(24), data),
    )
    for attempt in attempts:
        try:
            attempt()
        except RemoteProtocolError:
            continue
        good = True
    return good


def _genesis(data: bytes) -> object:
    genesis = Genesis.from_json(data)
    check(Genesis.from_json(genesis.to_json().encode()) == genesis, "a genesis that was written reads as it was")
    return genesis


def _trust(data: bytes) -> object:
    anchor = TrustAnchor.from_json(data)
    check(TrustAnchor.from_json(anchor.to_json()) == anchor, "an anchor that was written reads as it was")
    return anchor


def _symbols(data: bytes) -> list[tuple[int, int]]:
    return read_symbols(data, _FIRST, _POOL)


def _symbol_bytes(symbols: list[tuple[int, int]]) -> bytes:
    values, counts = zip(*symbols, strict=True) if symbols else ((), ())
    return write_symbols(values, counts, _FIRST, _POOL)


def decoder_targets() -> tuple[Target, ...]:
    """Return the targets of this room."""
    engines = ("simplex", "ffg")
    return (
        decoder("primitives.canonical.unpack", _unpack, codec.pack, covers=["primitives.canonical.unpack"]),
        Target("primitives.keys", _keys, (), Form.RAW, (bytes(112), bytes(range(112)))),
        Target("primitives.inclusion", _inclusion),
        decoder(
            "discovery.book",
            _book,
            covers=["discovery.book.Book.load", "discovery.discovery.Discovery.load"],
        ),
        decoder(
            "ledger.epochs.read_set",
            read_set,
            covers=["ledger.epochs.read_set"],
            refused=(CodecError, ValidatorSetError),
        ),
        *(
            decoder(f"finality.{name}.journal", _journal(name), covers=["finality.ffg.voting.read_own"])
            for name in engines
        ),
        *(decoder(f"finality.guard.{name}", _guard(name)) for name in engines),
        *(Target(f"finality.verify.{name}", _verify(name)) for name in engines),
        *(Target(f"finality.convict.{name}", _convict(name)) for name in engines),
        decoder(
            "gossip.symbols",
            _symbols,
            _symbol_bytes,
            form=Form.RAW,
            covers=["gossip.coding.read_symbols"],
            examples=_SYMBOLS,
        ),
        decoder("node.log", lambda data: sort_records(_rows(data))),
        Target("node.light", _light),
        decoder("node.proof", _proof),
        decoder("node.proof.form", _proof_form, covers=["node.proof.require_proof"]),
        decoder("node.proof.text", _proof_text, covers=["node.proof.proof_bytes"], form=Form.TEXT),
        decoder("node.compact", _compact, covers=["node.compact.read_outline"]),
        decoder("sync.run", _read_blocks),
        decoder("sync.chunk", _chunk, covers=["sync.chunks.read_chunk"]),
        decoder("ledger.genesis", _genesis, covers=["ledger.genesis.Genesis.from_json"], form=Form.TEXT),
        decoder("node.trust", _trust, covers=["node.trust.TrustAnchor.from_json"], form=Form.TEXT),
    )
