"""The engines that keep the contract, with what the suite must know of each: how to make one, and how to cheat with it.

A new engine is one more `Case`; `docs/howto/add-a-finality-engine.md` says what each field is.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest

from p2pcommerce.finality import FFG, FinalityEngine, Simplex, Solo, decode_proof, encode_proof
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.ffg import evidence as ffg_evidence
from p2pcommerce.finality.ffg import proof as ffg_proof
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, Checkpoint, Link
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import BlockHash, PublicKey
from tests.finality.network import KEYED

Message = tuple[str, bytes]
"""Domain tag, and what is signed."""


@dataclass(frozen=True)
class Case:
    """One engine.

    Attributes:
        make: an engine that has not started.
        stakes: networks that it is tried on.
        settle_us: without faults, what was submitted is final after so long, microseconds.
        recover_us: after faults end, something new is final at all nodes within so long, microseconds; None: the engine
            does not go on by itself while a node is down, and is not tried under faults.
        is_instant: a block is final as soon as it is made.
        signed: two messages that a validator may sign one after the other.
        forbidden: a message that must not be signed after both.
        weakened: a proof -> the same with less weight behind it.
        evidence: offender and two signed messages -> evidence, if they can be put together.
    """

    make: Callable[[SignatureScheme], FinalityEngine]
    stakes: tuple[tuple[int, ...], ...]
    settle_us: int
    recover_us: int | None
    is_instant: bool
    signed: tuple[Message, Message]
    forbidden: Message
    weakened: Callable[[bytes], bytes] | None
    evidence: Callable[[PublicKey, tuple[str, bytes, bytes], tuple[str, bytes, bytes]], bytes | None]

    @property
    def name(self) -> str:
        return self.make(KEYED).name

    def engine(self) -> FinalityEngine:
        return self.make(KEYED)


def example(name: str) -> ModuleType:
    """Load a module of docs/examples."""
    path = Path(__file__).parents[2] / "docs" / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ballot_evidence(
    offender: PublicKey, one: tuple[str, bytes, bytes], other: tuple[str, bytes, bytes]
) -> bytes | None:
    if {len(one[1]), len(other[1])} == {49}:
        return encode_evidence(DoubleSignature(offender, one[1], one[2], other[1], other[2]))
    if {len(one[1]), len(other[1])} == {89}:
        return ffg_evidence.LINK_EVIDENCE.encode(DoubleSignature(offender, one[1], one[2], other[1], other[2]))
    return None


def _fewer_signers(proof: bytes) -> bytes:
    claim = decode_proof(proof)
    certificate = claim.certificate
    first = certificate.signers[0]
    bits = int.from_bytes(certificate.bitmap, "little") & ~(1 << first)
    bitmap = bits.to_bytes(len(certificate.bitmap), "little")
    return encode_proof(replace(certificate, bitmap=bitmap, signatures=certificate.signatures[1:]), claim.headers)


def _fewer_linkers(proof: bytes) -> bytes:
    claim = ffg_proof.decode_proof(proof)
    last = claim.links[-1]
    bits = int.from_bytes(last.bitmap, "little") & ~(1 << last.signers[0])
    bitmap = bits.to_bytes(len(last.bitmap), "little")
    weaker = replace(last, bitmap=bitmap, signatures=last.signatures[1:])
    return ffg_proof.encode_proof([*claim.links[:-1], weaker], claim.headers)


def _final(view: int, digest: bytes) -> Message:
    return "vote", Ballot(0, view, VoteKind.FINALIZE, digest).data


def _link(source: int, target: int, digest: bytes) -> Message:
    link = Link(0, Checkpoint(source, BlockHash(bytes(32))), Checkpoint(target, BlockHash(digest)))
    return LINK_DOMAIN, link.data


_MANY = ((1, 1, 1, 1), (5, 3, 2, 1), (1,) * 7)
SIMPLEX = Case(
    Simplex, _MANY, 1_500_000, 3_000_000, True, (_final(4, bytes(32)), _final(5, bytes(32))), _final(5, b"\1" * 32),
    _fewer_signers, _ballot_evidence,
)  # fmt: skip
FFG_CASE = Case(
    FFG, _MANY, 5_000_000, 5_000_000, False, (_link(0, 1, bytes(32)), _link(1, 3, bytes(32))), _link(0, 4, bytes(32)),
    _fewer_linkers, _ballot_evidence,
)  # fmt: skip
SOLO = replace(SIMPLEX, make=Solo, stakes=((7,),), recover_us=None, weakened=None)
AUTHORITY = replace(
    SIMPLEX, make=example("authority").Authority, stakes=((7,), (1, 1, 1, 1), (5, 3, 2, 1)), settle_us=4_000_000,
    recover_us=None, weakened=None,
)  # fmt: skip
CASES = (SIMPLEX, FFG_CASE, SOLO, AUTHORITY)
TOLERANT = tuple(case for case in CASES if case.recover_us is not None)

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
tolerant = pytest.mark.parametrize("case", TOLERANT, ids=lambda case: case.name)
