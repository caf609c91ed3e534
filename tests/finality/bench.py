"""One Simplex engine among scripted validators: each rule is shown by what the engine does with what it is given."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from p2pcommerce.finality import SigningGuard, Simplex, pick_leader
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.certificates import Certificate, Vote, make_certificate
from p2pcommerce.finality.engine import Context
from p2pcommerce.finality.simplex.messages import (
    Answer,
    Cast,
    Certificates,
    Justify,
    Message,
    Proposal,
    Seal,
    Status,
    decode_message,
    encode_message,
    encode_seal,
)
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.block import Block, Header, tx_root
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash, Epoch, Height, PublicKey, Stake, TransactionId
from tests.finality.network import GENESIS_HASH, KEYED, START_US

__all__ = ["Bench", "notarized"]

N, Z, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
E = TypeVar("E")
M = TypeVar("M", bound=Message)
D0_US = 100_000
INTERVAL_MS = 100


class Bench:
    """An engine that answers nobody but the test.

    Questions are answered at once and truly: bodies come, blocks are valid, the guard signs, unless switched off.
    """

    def __init__(
        self,
        *,
        leads: bool = False,
        stakes: Sequence[int] = (1, 1, 1, 1),
        pending: bool = True,
        recovered: bool = True,
        epoch_blocks: int = 200,
        joins: bool = False,
    ) -> None:
        """Build an engine; `joins`: it is only in the next epoch's set."""
        self.parameters = replace(ChainParameters.local(), block_interval_ms=INTERVAL_MS, epoch_blocks=epoch_blocks)
        seeds = [blake2b_256(f"validator {number}".encode()) for number in range(len(stakes))]
        self.seeds = {KEYED.public_key(seed): seed for seed in seeds}
        self.validators = ValidatorSet.of(
            Validator(key, Stake(stake)) for key, stake in zip(self.seeds, stakes, strict=True)
        )
        self.seed = bytes(GENESIS_HASH)
        first = self.leader(1)
        self.key = first if leads else next(key for key in self.validators.keys if key != first)
        self.everybody = self.validators
        self.epoch = 0
        if joins:
            self.validators = ValidatorSet.of(each for each in self.everybody if each.public_key != self.key)
        self.index = -1 if joins else self.index_of(self.key)
        self.others = [index for index in range(len(self.validators)) if index != self.index]
        self.genesis = self.header(None, 1, 0, Justify(None, None))
        self.blocks: dict[BlockHash, Block] = {self.genesis.hash: Block(self.genesis, ())}
        self.now = START_US
        self.pending = pending
        self.bodies_come = self.blocks_build = self.guard_signs = True
        self.verdicts: dict[BlockHash, bool] = {}
        self.effects: list[seam.Effect] = []
        self.log: list[bytes] = []
        self.logged_blocks: dict[BlockHash, Header] = {}
        self.boot()
        if recovered and not joins:
            self.recover()

    def boot(self, delivered: Header | None = None, proof: bytes = b"", signed: dict[str, bytes] | None = None) -> None:
        """Start the engine on the log."""
        self.engine = Simplex()
        self.guard = SigningGuard(self.engine)
        context = Context(
            key=self.key,
            genesis_hash=GENESIS_HASH,
            parameters=self.parameters,
            epoch=Epoch(0),
            validators=self.validators,
            following=self.everybody,
            delivered=delivered or self.genesis,
            proof=proof,
            scheme=KEYED,
            rng=random.Random(1),
            has_pending=lambda _hash: self.pending,
            signed=signed or {},
        )
        self.do(self.engine.start(context, list(self.log), dict(self.logged_blocks), self.now))

    def recover(self) -> None:
        question = self.sent(Status)[-1].question
        for index in self.others:
            self.receive(index, Answer(self.epoch, question, ()))

    def next_seed(self) -> bytes:
        """Return the seed of the next epoch: one with which somebody else leads the first view."""
        seeds = (b"seed %d of epoch %d" % (number, self.epoch + 1) for number in range(100))
        return next(seed for seed in seeds if pick_leader(self.everybody, seed, 1) != self.key)

    def begin_epoch(self, validators: ValidatorSet | None = None) -> None:
        """Begin the next epoch."""
        seed = self.next_seed()
        self.epoch, self.seed = self.epoch + 1, seed
        self.validators = validators or self.everybody
        self.index = -1 if self.key not in self.validators else self.index_of(self.key)
        self.others = [index for index in range(len(self.validators)) if index != self.index]
        self.do(self.engine.on_epoch(Epoch(self.epoch), self.validators, self.everybody, seed, self.now))

    # --- answering ---

    def do(self, effects: Sequence[seam.Effect]) -> None:
        """Keep effects, and answer the questions among them."""
        queue = list(effects)
        while queue:
            effect = queue.pop(0)
            self.effects.append(effect)
            queue += self.answer(effect)

    def answer(self, effect: seam.Effect) -> Sequence[seam.Effect]:
        match effect:
            case seam.Persist(record):
                self.log.append(record)
            case seam.PersistBlock(block_hash):
                self.logged_blocks[block_hash] = self.blocks[block_hash].header
            case seam.Sign(request, "vrf", data):
                return self.engine.on_signed(request, KEYED.vrf_prove(self.seeds[self.key], data), self.now)
            case seam.Sign(request, kind, data):
                assert b"\x02" + data in self.log, "signed before it was logged"
                admitted = self.guard.admit(kind, data) is not None and self.guard_signs
                signature = KEYED.sign(self.seeds[self.key], signed_bytes(kind, GENESIS_HASH, data))
                return self.engine.on_signed(request, signature if admitted else None, self.now)
            case seam.Validate(block_hash):
                return self.engine.on_validated(block_hash, self.verdicts.get(block_hash, True), self.now)
            case seam.Fetch(block_hash) if self.bodies_come and block_hash in self.blocks:
                return self.engine.on_block(self.blocks[block_hash].header, self.now)
            case seam.Build() if self.blocks_build:
                parent = self.blocks[effect.parent].header
                header = replace(
                    self.header(parent, 1, 0, Justify(None, None)),
                    engine_data=effect.seal,
                    time_ms=effect.time_ms,
                    proposer=self.key,
                    height=Height(parent.height if effect.empty else parent.height + 1),
                )
                self.blocks[header.hash] = Block(header, ())
                return self.engine.on_built(effect.request, self.blocks[header.hash], self.now)
            case _:
                pass
        return []

    # --- driving ---

    def receive(self, index: int, message: Message) -> None:
        """Give the engine a message of validator `index`."""
        data = encode_message(message)
        self.do(self.engine.on_message(self.validators.keys[index], data, self.now))

    def wait(self, span_us: int) -> None:
        """Let time pass, waking the engine whenever it wants."""
        end = self.now + span_us
        while (due := self.engine.deadline) is not None and due <= end:
            assert due >= self.now or self.engine.deadline is not None
            self.now = max(self.now, due)
            before = self.engine.deadline
            self.do(self.engine.on_deadline(self.now))
            assert self.engine.deadline != before or before > self.now, "a deadline that does not go away"
        self.now = end

    # --- making ---

    def leader(self, view: int) -> PublicKey:
        return pick_leader(self.validators, self.seed, view)

    def index_of(self, key: PublicKey) -> int:
        index = self.validators.index(key)
        assert index is not None
        return index

    def header(self, parent: Header | None, view: int, parent_view: int, justify: Justify, salt: int = 0) -> Header:
        ids = (TransactionId(blake2b_256(b"%d" % salt)),) if salt else ()
        return Header(
            version=1,
            genesis_hash=GENESIS_HASH,
            epoch=Epoch(self.epoch if parent is not None else 0),
            height=Height(0 if parent is None else parent.height + 1),
            parent_hash=BlockHash(ZERO_HASH) if parent is None else parent.hash,
            proposer=PublicKey(ZERO_HASH) if parent is None else self.leader(view),
            time_ms=START_US // 1_000 - 1_000 if parent is None else parent.time_ms + INTERVAL_MS,
            tx_root=tx_root(ids),
            receipts_root=ZERO_HASH,
            state_root=ZERO_HASH,
            validators_hash=self.validators.hash,
            next_validators_hash=self.everybody.hash,
            engine_data=self.seal(view, parent_view, justify),
        )

    def seal(self, view: int, parent_view: int, justify: Justify, *, carrier: bool = False) -> bytes:
        """Return what the leader of a view seals."""
        alpha = self.seed + view.to_bytes(8, "big")
        vrf = KEYED.vrf_prove(self.seeds[self.leader(view)], alpha)
        return encode_seal(Seal(view, parent_view, justify.hash, vrf, carrier))

    def proposal(
        self,
        view: int,
        parent: Header | None = None,
        justify: Justify | None = None,
        parent_view: int = 0,
        salt: int = 0,
        **changes: Any,
    ) -> Proposal:
        """Make the leader's proposal of a view, by default on the genesis block."""
        justify = justify or Justify(None, None)
        header = replace(self.header(parent or self.genesis, view, parent_view, justify, salt), **changes)
        self.blocks[header.hash] = Block(header, ())
        ids = (TransactionId(blake2b_256(b"%d" % salt)),) if salt else ()
        return Proposal(header, justify, ids, self.sign_proposal(header, view, header.proposer))

    def carrier(
        self, view: int, parent: Header, justify: Justify, parent_view: int, salt: int = 0, height: int | None = None
    ) -> Proposal:
        """Make the leader's carrier of a view."""
        seal = self.seal(view, parent_view, justify, carrier=True)
        at = parent.height if height is None else height
        return self.proposal(view, parent, justify, parent_view, salt, engine_data=seal, height=at)

    def sign_proposal(self, header: Header, view: int, key: PublicKey) -> bytes:
        data = Ballot(self.epoch, view, VoteKind.PROPOSE, header.hash).data
        return KEYED.sign(self.seeds.get(key, bytes(32)), signed_bytes("proposal", GENESIS_HASH, data))

    def vote(self, kind: VoteKind, view: int, target: bytes | int, voter: int) -> Vote:
        digest = anchor_hash(target) if isinstance(target, int) else target
        ballot = Ballot(self.epoch, view, kind, digest)
        seed = self.seeds[self.validators.keys[voter]]
        return Vote(ballot, voter, KEYED.sign(seed, signed_bytes("vote", GENESIS_HASH, ballot.data)))

    def cast(
        self, kind: VoteKind, view: int, target: bytes | int, *voters: int, anchor: Certificate | None = None
    ) -> None:
        """Let validators vote."""
        for voter in voters:
            self.receive(voter, Cast(self.vote(kind, view, target, voter), anchor))

    def certificate(self, kind: VoteKind, view: int, target: bytes | int, voters: Sequence[int] = ()) -> Certificate:
        """Make a certificate, by default of the three other validators."""
        return make_certificate(
            [self.vote(kind, view, target, voter) for voter in voters or self.others], self.validators
        )

    def certify(self, *certificates: Certificate) -> None:
        self.receive(self.others[0], Certificates(certificates))

    # --- looking ---

    def of(self, kind: type[E]) -> list[E]:
        """Return the effects of a kind so far."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def sent(self, kind: type[M]) -> list[M]:
        """Return the messages of a kind that were sent so far."""
        messages = [decode_message(effect.data) for effect in self.of(seam.Send)]
        return [message for message in messages if isinstance(message, kind)]

    def voted(self, kind: VoteKind) -> list[tuple[int, bytes]]:
        """Return view and hash of the own votes of a kind, each once."""
        ballots = [message.vote.ballot for message in self.sent(Cast)]
        return list(dict.fromkeys((ballot.view, ballot.hash) for ballot in ballots if ballot.kind is kind))

    @property
    def view(self) -> int:
        return self.engine.status().view

    def counter(self, name: str) -> int:
        return self.engine.status().counters.get(name, 0)

    def forget_effects(self) -> None:
        self.effects.clear()


def notarized(bench: Bench, view: int = 1) -> Proposal:
    """Bring the bench through a proposal and a quorum of N."""
    proposal = bench.proposal(view)
    bench.receive(bench.index_of(bench.leader(view)), proposal)
    bench.cast(N, view, proposal.header.hash, *bench.others)
    return proposal
