"""The first inputs of each target: what the product's own nodes say and store, and a few that are written by hand.

From all byte strings that a small network knows, a target takes those that it accepts: a few, of different sizes and
shapes, so that a corpus stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import msgpack

from fuzz.engines import engine_targets
from fuzz.files import EPCIS_EXAMPLES
from fuzz.nodes import CONNECT, ECHO, RELAYED, RESTART, SUBMIT
from fuzz.station import BAD_BYTE, CREDULOUS, genesis_of, key_of
from fuzz.target import Form, Step, Target, script
from fuzz.village import pool, scripts, village
from p2pcommerce.finality.certificates import Vote, VoteVerifier, make_certificate
from p2pcommerce.finality.ffg.voting import Checkpoint, Link
from p2pcommerce.finality.simplex.messages import Justify, Seal, encode_seal
from p2pcommerce.finality.simplex.misjustified import Misjustified, encode_misjustified, fault_of
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.node.chain import genesis_header
from p2pcommerce.node.compact import COMPACT_MAGIC, COMPACT_VERSION, Claim
from p2pcommerce.node.effects import LinksOf
from p2pcommerce.node.epoch_links import decode_link
from p2pcommerce.node.log_records import ENGINE_RECORD
from p2pcommerce.node.proof import Proof, make_compact_proof, make_proof, subject_of
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.codec import encode, pack
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash, Height
from p2pcommerce.primitives.merkle import INCLUSION_PROOF, prove, root
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree
from p2pcommerce.simulation.outcome import SeedTask, run_seed
from p2pcommerce.simulation.outcome_csv import HEADER, row_of
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.twins.chunk import Chunk, run_chunk
from p2pcommerce.sync.chunks import Cut, read_depths
from p2pcommerce.wire import messages as wire

__all__ = ["seeds_of"]

_SEED_BYTES_MAX: Final = 2_048
_SCRIPT_BYTES_MAX: Final = 6_144
_SECOND_US: Final = 1_000_000


def seeds_of(target: Target) -> list[bytes]:
    """Return first inputs of a target."""
    found = [*target.examples, *_BY_HAND.get(target.name, _none)()]
    if target.form is Form.SCRIPT:
        return [data for data in [*found, *_scripts(target)] if len(data) <= _SCRIPT_BYTES_MAX]
    if target.form in {Form.PACKED, Form.TAGGED}:
        found += _chosen(target)
    return found


def _none() -> Iterator[bytes]:
    return iter(())


def _chosen(target: Target) -> list[bytes]:
    """Return inputs of the pool that the target accepts, one for each first byte, length and shape."""
    chosen: dict[object, bytes] = {}
    for data in pool():
        if len(data) <= _SEED_BYTES_MAX and target.take(data):
            chosen.setdefault((data[:2], len(data).bit_length(), _name(data)), data)
    kinds: dict[str, int] = {}
    picked: list[bytes] = []
    for data in sorted(chosen.values(), key=len):
        kind = data[:1].hex() + _name(data)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= 2:
            picked.append(data)
    return picked


def _name(data: bytes) -> str:
    """Return the text that an array begins with, or the names of what it holds."""
    try:
        value = msgpack.unpackb(data)
    except (ValueError, msgpack.exceptions.UnpackException):
        return ""
    if isinstance(value, list) and value:
        return value[0] if isinstance(value[0], str) else _outline(data)
    return ""


def _outline(data: bytes) -> str:
    try:
        value = msgpack.unpackb(data)
    except (ValueError, msgpack.exceptions.UnpackException):
        return ""
    return " ".join(type(item).__name__ for item in value) if isinstance(value, list) else type(value).__name__


def _scripts(target: Target) -> Iterator[bytes]:
    if target.name in {each.name for each in engine_targets()}:
        yield from _engine_scripts(target.name.removeprefix("core."))
    elif target.name.startswith("core."):
        yield from scripts("ffg" if target.name.endswith("ffg") else "simplex")
        yield from _each_message(target)
        if target.name.startswith("core.node."):
            yield from _agreeing(target.name.rpartition(".")[2])
        if target.name == RELAYED:
            yield from _relayed()


def _engine_scripts(engine: str) -> Iterator[bytes]:
    """Yield what the engine of the first station of a village heard."""
    steps = [
        step if step.code == 1 else Step(0, (step.argument - 1) % 4, wire.decode_message(step.payload).data)  # type: ignore[union-attr] # an engine's message
        for step in village(engine).script
        if step.code == 1 or (step.code == 0 and step.payload[:1] == b"\x20")
    ]
    yield from (script(steps[:count]) for count in (3, 8, 16, 40))
    wait = Step(1, 5 if engine == "ffg" else 4)
    agreeing = [Step(7), *([Step(9, 7), wait] * (90 if engine == "ffg" else 40))]
    yield script(agreeing)
    yield script([*agreeing[:30], *steps[:12], Step(6), *agreeing])


def _agreeing(engine: str) -> Iterator[bytes]:
    """Yield scripts of a node with whom everybody agrees."""
    world = village("ffg" if engine == "ffg" else "simplex")
    connects = [step for step in world.script if step.code == CONNECT]
    submits = [step for step in world.script if step.code == SUBMIT]
    wait = Step(1, 5 if engine == "ffg" else 4)
    turns = [step for submit in submits[:8] for step in (submit, *([Step(ECHO, 7), wait] * 10))]
    yield script([*connects, *turns])
    yield script([*connects, *turns[:40], Step(RESTART), *connects, *turns[40:80]])


def _relayed() -> Iterator[bytes]:
    """Yield what a node heard straight, as if others had passed it on; pulls, roles and repetitions among it."""
    steps = [
        replace(step, payload=wire.encode_message(wire.Relayed((wire.decode_message(step.payload).data,))))  # type: ignore[union-attr] # an engine's message
        if step.code == 0 and step.payload[:1] == b"\x20"
        else step
        for step in village("simplex").script
    ]
    roles = [
        Step(0, peer, wire.encode_message(wire.RelayRole(peer % 3, (bytes(8),) * (peer % 2)))) for peer in (1, 2, 3)
    ]
    ids = [wire.RelayIds(is_pull, (bytes(8),), ((bytes(8), b"\x07"),)) for is_pull in (False, True)]
    told = [Step(0, 2, wire.encode_message(each)) for each in ids]
    for count in (12, 30, 60):
        yield script([*steps[:6], *roles, *steps[6:count], *told, Step(1, 4), *steps[count - 6 : count]])


def _each_message(target: Target) -> Iterator[bytes]:
    """Yield a script for each kind of message that the core accepts."""
    kinds: dict[int, int] = {}
    for data in pool():
        if data[:1] and data[0] in wire.MESSAGES and len(data) < _SEED_BYTES_MAX and kinds.get(data[0], 0) < 1:
            made = script(
                [Step(2, 1), Step(2, 2), Step(0, 1, data), Step(1, 4), Step(4, 1), Step(1, 7), Step(0, 2, data)]
            )
            if target.take(made):
                kinds[data[0]] = kinds.get(data[0], 0) + 1
                yield made


def _outcome_lines() -> Iterator[bytes]:
    scenario = Scenario(seed=1, horizon_us=2 * _SECOND_US, liveness_us=_SECOND_US)
    yield run_seed(SeedTask(scenario, "finality")).to_line().encode()


def _outcome_rows() -> Iterator[bytes]:
    scenario = Scenario(seed=1, horizon_us=2 * _SECOND_US, liveness_us=_SECOND_US)
    yield f"{HEADER}\n{row_of(run_seed(SeedTask(scenario, 'finality')))}\n".encode()


def _genesis() -> Iterator[bytes]:
    yield genesis_of("simplex").to_json().encode()


def _trust() -> Iterator[bytes]:
    yield TrustAnchor.of(genesis_of("simplex")).to_json().encode()


def _twins() -> Iterator[bytes]:
    yield run_chunk(Chunk(4, 2, 2, "any", (1, 2))).to_line().encode()


def _rows(records: list[bytes]) -> Iterator[bytes]:
    """Yield an array of records: all of a log is too long for a seed."""
    yield pack(tuple(records[:6]))
    yield pack(tuple(records[-3:]))


def _log(engine: str) -> list[bytes]:
    return village(engine).stations[1].memory.log


def _journal(engine: str) -> Callable[[], Iterator[bytes]]:
    return lambda: _rows([record[1:] for record in _log(engine) if record[:1] == ENGINE_RECORD])


def _guard(engine: str) -> Callable[[], Iterator[bytes]]:
    return lambda: _rows(village(engine).stations[1].memory.guard)


def _final(engine: str) -> Callable[[], Iterator[bytes]]:
    """Yield headers with their proofs."""

    def pairs() -> Iterator[bytes]:
        for each in village(engine).stations[1].memory.blocks[:3]:
            yield pack((each.block.header.raw, each.proof))

    return pairs


def _double_votes() -> Iterator[bytes]:
    for kind in VoteKind:
        one, other = (Ballot(0, 3, kind, bytes([digit]) * 32).data for digit in (1, 2))
        yield pack((key_of("validator 1"), one, bytes(64), other, bytes(64)))


def _offences() -> Iterator[bytes]:
    yield from _double_votes()
    genesis = genesis_of("simplex")
    validators = genesis.validators
    verifier = VoteVerifier(validators, genesis.hash, CREDULOUS)
    quorum = make_certificate(
        [Vote(Ballot(0, 1, VoteKind.NOTARIZE, bytes(32)), n, bytes(64)) for n in range(3)], validators
    )
    anchored = [Vote(Ballot(0, 3, VoteKind.NULLIFY, anchor_hash(n // 2)), n, bytes(64)) for n in range(3)]
    skip = make_certificate(anchored, validators)
    bad = bytes([BAD_BYTE]) * 64
    for justify in (
        Justify(None, skip),
        Justify(replace(quorum, bitmap=b"\xff" * 8, signatures=(bytes(64),) * 64), skip),
        Justify(quorum, replace(skip, signatures=(bytes(64), bytes(64), bad))),
        Justify(replace(quorum, signatures=(bytes(64), bad, bytes(64))), skip),
    ):
        seal = encode_seal(Seal(4, 1, justify.hash, bytes(80), carrier=False))
        header = replace(genesis_header(genesis, ZERO_HASH), height=Height(1), engine_data=seal)
        fault = fault_of(header, justify, verifier)
        if fault is not None:
            ballot = Ballot(0, 4, VoteKind.PROPOSE, header.hash).data
            yield encode_misjustified(Misjustified(key_of("validator 1"), ballot, bytes(64), fault))


def _double_links() -> Iterator[bytes]:
    one, other = (
        Link(0, Checkpoint(0, BlockHash(bytes(32))), Checkpoint(2, BlockHash(bytes([digit]) * 32))) for digit in (1, 2)
    )
    yield pack((key_of("validator 1"), one.data, bytes(64), other.data, bytes(64)))


def _light() -> Iterator[bytes]:
    station = village("simplex").stations[1]
    links = station.memory.offers.read(LinksOf(0, 3), lambda _height: {})
    last = next(each for each in reversed(station.memory.blocks) if each.proof)
    yield pack((links[0],))
    yield pack((links[0], pack((last.block.header.raw, last.proof))))
    yield pack(tuple(links))


def _proof() -> Iterator[bytes]:
    station = village("simplex").stations[1]
    memory = station.memory
    last = next(each for each in reversed(memory.blocks) if each.proof).block.header
    proof = next(each.proof for each in memory.blocks if each.block.header == last)
    links = [decode_link(raw) for raw in memory.offers.read(LinksOf(0, last.epoch), lambda _height: {})]
    state = memory.state(station.founded, last.height)
    tree = SparseMerkleTree().update(state)
    subject = subject_of("account", {"account": key_of("ann").hex()})
    for key in (subject.key, b"no such key"):
        yield make_proof("simplex", last, proof, key, state.get(key), tree.prove(key), (), links).raw


def _compact() -> Iterator[bytes]:
    """Yield the bodies of compact proofs of the first epoch, whose validators every client of the genesis has."""
    station = village("simplex").stations[1]
    memory = station.memory
    last = next(each for each in reversed(memory.blocks) if each.proof and each.block.header.epoch == 0)
    state = memory.state(station.founded, last.block.header.height)
    tree = SparseMerkleTree().update(state)
    validators = genesis_of("simplex").validators
    account = subject_of("account", {"account": key_of("ann").hex()})
    for key in (account.key, b"no such key"):
        claim = Claim("simplex", last.block.header, last.proof, key, state.get(key), tree.prove(key), ())
        for carries_validators in (False, True):
            yield make_compact_proof(claim, validators, carries_validators=carries_validators).raw[2:-4]


def _proof_forms() -> Iterator[bytes]:
    """Yield proofs of both forms; the target puts the checksum of compact ones."""
    yield from _proof()
    yield from (COMPACT_MAGIC + bytes([COMPACT_VERSION]) + body for body in _compact())


def _proof_texts() -> Iterator[bytes]:
    """Yield proofs as text, one with what a pipe or an editor puts around it, and one as bytes."""
    for raw in _proof_forms():
        yield Proof(raw, Height(0)).text.encode()
    yield b" \r\n" + Proof(b"\x01", Height(0)).text.encode() + b"\n"
    yield next(_proof())


def _inclusion() -> Iterator[bytes]:
    leaves = [b"leaf", b"other", b"third"]
    yield pack((root(leaves), b"leaf", encode(INCLUSION_PROOF, prove(leaves, 0))))


def _book() -> Iterator[bytes]:
    yield village("simplex").stations[1].book()[:-32]


def _blocks() -> Iterator[bytes]:
    for engine in ("simplex", "ffg"):
        blocks = village(engine).stations[1].memory.blocks
        first = next(number for number, each in enumerate(blocks) if each.proof)
        answer = wire.Blocks(1, tuple(each.block.raw for each in blocks[: first + 1]), blocks[first].proof)
        yield wire.encode_message(answer)[1:]


def _chunks() -> Iterator[bytes]:
    cut = Cut({bytes([number]) * 4: bytes([number]) * 9 for number in range(9)}.items())
    top = SparseMerkleTree().update({bytes([number]) * 4: bytes([number]) * 9 for number in range(9)}).root
    for place, data in zip(read_depths(cut.depths), cut.chunks(), strict=True):
        yield pack((place.depth, place.prefix, top, data))


def _chunk_bytes() -> Iterator[bytes]:
    yield from Cut({bytes([number]) * 4: bytes([number]) * 9 for number in range(9)}.items()).chunks()


def _bodies() -> Iterator[bytes]:
    """Yield the types that the market does not know."""
    key, digest = key_of("ann"), bytes(range(32))
    for name in ("stake.bond", "stake.unbond", "stake.withdraw"):
        yield pack((name, (key, 1_000)))
    for name in ("order.confirm", "order.settle"):
        yield pack((name, (digest,)))
    yield pack(("validator.register", (500, 10**9)))
    yield pack(("evidence.submit", (b"evidence",)))


def _records() -> Iterator[bytes]:
    """Yield the kinds that the market does not know."""
    key = key_of("ann")
    yield b"\x0a" + pack((key, key, 5, 10**12))
    yield b"\x0d" + pack(("E1", 7, 100, key, 5))


def _messages() -> Iterator[bytes]:
    """Yield the kinds that are too large where the village says them, and those with rules beyond their shapes."""
    header = village("simplex").stations[1].memory.blocks[0].block.header.raw
    yield wire.encode_message(wire.Links(0, (b"link",), header, b"proof"))
    yield wire.encode_message(wire.Blocks(1, (b"block", b"block"), b"proof"))
    yield wire.encode_message(wire.FinalBlock(header, b"proof", (bytes(32),)))
    yield wire.encode_message(wire.Relayed((b"one vote", b"one more vote")))
    yield wire.encode_message(wire.RelayIds(False, (bytes(8),), ((bytes(8), b"\x07"),)))  # noqa: FBT003 - a message
    yield wire.encode_message(wire.RelayRole(1, (bytes(8),)))


def _texts(*texts: str) -> Callable[[], Iterator[bytes]]:
    return lambda: (text.encode() for text in texts)


_BY_HAND: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "simulation.outcome": _outcome_lines,
    "simulation.outcome_file.jsonl": lambda: (line + b"\n" for line in _outcome_lines()),
    "simulation.outcome_file.csv": _outcome_rows,
    "simulation.twins_result": _twins,
    "simulation.faults.parse_faults": _texts("crash=0.5,partition", "all", "none"),
    "simulation.twins.rounds.read_arrangement": _texts("ab/cdD:c abcdD:a"),
    "commerce.epcis.identifiers.parse_sgtin": _texts("urn:epc:id:sgtin:4012345.098765.12345"),
    "commerce.epcis.identifiers.parse_lgtin": _texts("urn:epc:class:lgtin:4012345.012345.998877"),
    "commerce.epcis.identifiers.parse_sscc": _texts("urn:epc:id:sscc:4012345.1234567891"),
    "discovery.address.parse_address": _texts(
        "tcp://127.0.0.1:7400", "tcp://[2001:db8::1]:1", "tcp://node.example.org:65535", "memory://a.b-c_d"
    ),
    "commerce.epcis.document.parse_document": lambda: iter(EPCIS_EXAMPLES),
    "commerce.bodies": _bodies,
    "commerce.records": _records,
    "discovery.book": _book,
    "finality.ffg.proof.decode_proof": lambda: (each.proof for each in village("ffg").stations[1].memory.blocks[:9]),
    "finality.simplex.journal": _journal("simplex"),
    "finality.ffg.journal": _journal("ffg"),
    "finality.guard.simplex": _guard("simplex"),
    "finality.guard.ffg": _guard("ffg"),
    "finality.verify.simplex": _final("simplex"),
    "finality.verify.ffg": _final("ffg"),
    "finality.convict.simplex": _offences,
    "finality.convict.ffg": _double_links,
    "ledger.genesis": _genesis,
    "node.log": lambda: _rows(_log("simplex")),
    "node.light": _light,
    "node.compact": _compact,
    "node.proof": _proof,
    "node.proof.form": _proof_forms,
    "node.proof.text": _proof_texts,
    "node.trust": _trust,
    "primitives.inclusion": _inclusion,
    "sync.chunk": _chunks,
    "primitives.shapes": lambda: iter([encode(INCLUSION_PROOF, prove([b"leaf", b"other", b"third"], 0))]),
    "sync.run": _blocks,
    "sync.shapes": _chunk_bytes,
    "wire.messages.decode_message": _messages,
}
