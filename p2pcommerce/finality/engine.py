"""The seam: what a finality engine is asked, and what it may want done.

An engine decides which block is next and when it is final; it never sees a transaction, a socket, a disk or a clock. It
is a core: inputs come with the present time, effects go back in order. A `Persist` or `PersistBlock` is durable before
any later `Send`, `Sign` or `Finalized` of the same list takes effect. There is no "unknown" verdict on a block: while
the node does not know, it stays silent. A proof of finality is bytes that the engine alone reads: `verify` checks it
against validator sets and nothing else.

Source: the seam of the finality specification. Deviations: bodies are asked for by `Fetch` and come through `on_block`
alone (with the header, once the body is complete and committed to by it): one way to learn of a block; `PersistBlock`
names a block whose bytes the node holds; `on_synced` tells of blocks that became final through catching up, `on_rival`
of another final chain; `Context.has_pending` answers whether a branch lacks a waiting transaction, so that rule 1 needs
no second copy of the pool; the seal is bytes for the header, not a function; `Context.signed` is what the signing guard
remembers; `Halt` says that this validator must sign nothing any more; `Rewrite` replaces the log by what is needed;
`on_relayed` takes what others than its maker pass on, with a verdict for the router.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from p2pcommerce.finality.effects import (
    Blame,
    Build,
    Effect,
    Evidence,
    Fetch,
    Finalized,
    Forget,
    Halt,
    Head,
    Persist,
    PersistBlock,
    Recall,
    Rewrite,
    Send,
    Sign,
    Target,
    Validate,
)
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import BlockHash, Epoch, GenesisHash, Height, PeerId, PublicKey

__all__ = [
    "Blame",
    "Build",
    "Context",
    "Effect",
    "EngineStatus",
    "Evidence",
    "Fetch",
    "FinalityEngine",
    "Finalized",
    "Forget",
    "Halt",
    "Head",
    "Persist",
    "PersistBlock",
    "Recall",
    "Rewrite",
    "Send",
    "Sets",
    "Sign",
    "Target",
    "Validate",
]

Sets: TypeAlias = Callable[[int], ValidatorSet]
"""Epoch number -> its validator set; raises KeyError for an epoch that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an engine is started with.

    Attributes:
        key: this validator's public key (32 bytes), None for a follower.
        genesis_hash: 32 bytes.
        parameters: the chain's parameters (delays, interval, epoch length).
        epoch: the epoch of the block after `delivered`.
        validators: its set.
        following: the set of the next epoch.
        delivered: header of the last block that this node has delivered (the genesis header at the start).
        proof: the proof of `delivered`; empty at genesis.
        scheme: verifies signatures.
        rng: draws jitter.
        has_pending: block hash -> whether a transaction waits that is not in the branch that ends there.
        signed: what the signing guard remembers: by slot name, the last message signed in it.
        seed: the epoch's randomness; empty: the genesis hash, as in epoch 0.
    """

    key: PublicKey | None
    genesis_hash: GenesisHash
    parameters: ChainParameters
    epoch: Epoch
    validators: ValidatorSet
    following: ValidatorSet
    delivered: Header
    proof: bytes
    scheme: SignatureScheme
    rng: random.Random
    has_pending: Callable[[BlockHash], bool]
    signed: Mapping[str, bytes] = field(default_factory=dict)
    seed: bytes = b""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Where an engine stands, for people and `statistics()`.

    Attributes:
        name: the engine's name.
        epoch: present epoch.
        view: present view, slot or round.
        leader: who leads it, if anybody; 32 bytes.
        delivered: height of the last delivered block.
        counters: named counts (votes, certificates, nullified views, relays, refused messages by reason ...).
    """

    name: str
    epoch: Epoch
    view: int
    leader: PublicKey | None
    delivered: Height
    counters: Mapping[str, int]


class FinalityEngine(Protocol):
    """One way to agree on the next block."""

    @property
    def name(self) -> str:
        """What configurations and proofs call it."""
        ...

    @property
    def follows_epochs(self) -> bool:
        """Whether validators change by epochs; if not, epoch 0 and the genesis set are for ever."""
        ...

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, in microseconds; None: never."""
        ...

    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin, or begin again after a restart.

        Args:
            context: see `Context`.
            records: what it persisted before, oldest first.
            blocks: the blocks it persisted, by hash (bodies are with the node), in the order of the log.
            now: microseconds.
        """
        ...

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take an engine message from a peer: untrusted."""
        ...

    @property
    def is_relayed(self) -> bool:
        """Whether there are messages of this engine for which `relays` holds."""
        ...

    def relays(self, data: bytes) -> bool:
        """Tell whether a message of this engine may reach its receivers by others than who made it. Pure."""
        ...

    def series(self, data: bytes) -> tuple[bytes, int] | None:
        """Return what a message says and the index of the validator that says it; None: no other says the same. Pure.

        Asked of untrusted bytes as well, of which anything may be answered.
        """
        ...

    def maker(self, data: bytes) -> PeerId | None:
        """Return whose (32 bytes) a relayed message is that was accepted; None: nobody's alone, or it is not known."""
        ...

    @property
    def position(self) -> tuple[int, int]:
        """The present epoch, and the view or slot in it: what came too early is to be judged again when it changes."""
        ...

    def on_relayed(self, peer: PeerId, data: bytes, now: int) -> tuple[Verdict | None, list[Effect]]:
        """Take a message that a peer passes on, whoever made it: untrusted; say whether to pass it on.

        ACCEPT: it is signed by whom it should be, and changed something here. IGNORE: it can change nothing any more.
        REJECT: no honest peer passes it on. None: it is too early to tell. Whatever the verdict, the peer is blamed for
        nothing that another may have made.
        """
        ...

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        ...

    def on_pending(self, now: int) -> list[Effect]:
        """Transactions are waiting."""
        ...

    def on_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer connected: it may lack what others were sent."""
        ...

    def on_block(self, header: Header, now: int) -> list[Effect]:
        """The node holds this block's complete body, and the header commits to it."""
        ...

    def on_validated(self, block_hash: BlockHash, valid: bool, now: int) -> list[Effect]:  # noqa: FBT001 - an answer
        """The application's verdict on a block."""
        ...

    def on_built(self, request: int, block: Block | None, now: int) -> list[Effect]:
        """A block that was asked for, executed; None: it cannot be built."""
        ...

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """A signature (64 bytes) or, of kind "vrf", a proof (80 bytes) that was asked for; None: the guard refuses."""
        ...

    def on_synced(self, header: Header, proof: bytes, now: int) -> list[Effect]:
        """A block became final by catching up; it and all below are delivered already."""
        ...

    def on_rival(self, proof: bytes, reason: str, now: int) -> list[Effect]:
        """Another chain is final by this verified proof: accuse who signed for both, and stop for this reason."""
        ...

    def on_recalled(
        self, request: int, rows: Sequence[tuple[Header, bytes, bytes]], sets: Sets, now: int
    ) -> list[Effect]:
        """Final blocks that were asked for by `Recall`, without gaps: header, proof and justify of each.

        Fewer or none if they are not stored; `sets` knows the epochs from which evidence counts.
        """
        ...

    def on_epoch(
        self, epoch: Epoch, validators: ValidatorSet, following: ValidatorSet, seed: bytes, now: int
    ) -> list[Effect]:
        """The last block of the epoch before is final and executed: begin this one, of whose set and seed it is told.

        Asked only of engines that follow epochs; epochs that were caught up may be left out.
        """
        ...

    def randomness(self, proposer: PublicKey, seal: bytes, seed: bytes) -> bytes | None:
        """Return the random output in a header's `engine_data` (`seal`), None if it is not the proposer's. Pure.

        Asked only of engines that follow epochs: the outputs of an epoch, of seed `seed`, make the next one's seed.
        """
        ...

    def verify(self, header: Header, proof: bytes, sets: Sets) -> bool:
        """Tell whether `proof` shows that `header` is final. Pure."""
        ...

    def convict(self, evidence: bytes, sets: Sets) -> Offence | None:
        """Return the offence that evidence proves, None if it proves nothing. Pure."""
        ...

    def may_sign(self, last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
        """Tell whether signing `data` contradicts nothing signed before. Pure; the signing guard asks.

        Args:
            last: by slot name, the last message signed in it; the engine names slots by `slot`.
            kind: domain tag.
            data: the message.
        """
        ...

    def slot(self, kind: str, data: bytes) -> str:
        """Return the name under which the guard remembers this message as the last of its kind."""
        ...

    def status(self) -> EngineStatus:
        """Return where it stands."""
        ...
