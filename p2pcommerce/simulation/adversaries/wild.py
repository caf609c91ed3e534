"""A voter that votes for everything, and a leader that builds where it must not: whatever could break agreement.

The wild one votes N for each proposal it hears of, F for each block that anybody votes for, and Z in every view, each
told to some of its peers only, at once or late. As a leader it often proposes beside the highest block, under
certificates that are good by themselves and do not justify the parent: too low, without the nullification that is
needed, or under one whose signers had seen more.

The forger lends certificates a weight that they do not have: signed by itself alone, by itself under every name, or
under good signatures of others for something else.

Source: the wild voters of the finality specification's executable model; Bano et al., *Twins* (arXiv 2004.10617).
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from p2pcommerce.finality.certificates import Certificate, Vote, make_certificate
from p2pcommerce.finality.simplex.messages import (
    Cast,
    Certificates,
    Justify,
    Message,
    Proposal,
    Seal,
    decode_message,
    decode_seal,
    encode_message,
    encode_seal,
)
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import BlockHash, PeerId
from p2pcommerce.simulation.adversaries.adversary import Adversary, Stage, sign_proposal
from p2pcommerce.simulation.adversaries.unscrupulous import Unscrupulous
from p2pcommerce.simulation.host import Host
from p2pcommerce.wire import messages as wire

__all__ = ["Forge", "Wild"]

_KEPT_MAX: Final = 256
_LATE_US_MAX: Final = 2_000_000


class Wild(Adversary):
    """Votes for everything and leads astray."""

    ignores_guard = True
    is_unscrupulous = True

    def __init__(self, host: Host, stage: Stage, rng: random.Random) -> None:
        """Take over a host."""
        super().__init__(host, stage, rng)
        self._certificates: dict[tuple[int, int, bytes], Certificate] = {}
        self._voted: dict[tuple[VoteKind, int, bytes], None] = {}
        self._strays: dict[BlockHash, Proposal | None] = {}

    # --- what it hears ---

    @override
    def on_message(self, peer: PeerId, message: wire.Message) -> wire.Message | None:
        """Vote for whatever is talked about."""
        if isinstance(message, wire.Engine):
            said = decode_message(message.data)
            if isinstance(said, Proposal):
                self._learn(said.justify.parent, said.justify.nullification)
                self._plan(VoteKind.NOTARIZE, decode_seal(said.header).view, said.header.hash)
            elif isinstance(said, Certificates):
                self._learn(*said.items)
            elif isinstance(said, Cast):
                self._answer(said.vote.ballot)
        return message

    def _answer(self, ballot: Ballot) -> None:
        if ballot.kind is VoteKind.NULLIFY:
            self._plan(VoteKind.NULLIFY, ballot.view, anchor_hash(self.rng.randrange(ballot.view)))
        else:
            self._plan(VoteKind.FINALIZE, ballot.view, ballot.hash)
            if not self.rng.randrange(4):
                self._plan(VoteKind.NULLIFY, ballot.view, anchor_hash(self.rng.randrange(ballot.view)))

    def _learn(self, *certificates: Certificate | None) -> None:
        for certificate in certificates:
            if certificate is not None:
                self._certificates[int(certificate.kind), certificate.view, certificate.hash] = certificate
        while len(self._certificates) > _KEPT_MAX:
            del self._certificates[next(iter(self._certificates))]

    # --- what it votes ---

    def _plan(self, kind: VoteKind, view: int, digest: bytes) -> None:
        """Vote once for each thing (of nullifications: once in a view), at once or late."""
        key = kind, view, b"" if kind is VoteKind.NULLIFY else digest
        if key in self._voted:
            return
        self._voted[key] = None
        while len(self._voted) > _KEPT_MAX:
            del self._voted[next(iter(self._voted))]
        wait_us = self.rng.randrange(_LATE_US_MAX) if self.rng.randrange(2) else 0
        self.host.later(wait_us, self._vote, Ballot(0, view, kind, digest))

    def _vote(self, ballot: Ballot) -> None:
        index = self.stage.genesis.validators.index(self.host.key)
        if index is None or not self.host.is_up:
            return
        vote = Vote(ballot, index, self.sign_vote(ballot))
        anchor = (
            self._highest() if ballot.kind is VoteKind.NULLIFY and ballot.anchor and self.rng.randrange(2) else None
        )
        data = encode_message(Cast(vote, anchor))
        told: list[Effect] = [
            Transmit(peer, wire.Engine(data))
            for peer in self.host.attached
            if self.is_validator(peer) and self.rng.randrange(2)
        ]
        self.host.act(told)

    def _highest(self) -> Certificate | None:
        held = [each for each in self._certificates.values() if each.kind is not VoteKind.NULLIFY]
        return max(held, key=lambda each: each.view, default=None)

    # --- what it says in its own name ---

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Tell the core's own votes to some only; lead astray in every second view."""
        if isinstance(message, Certificates):
            self._learn(*message.items)
        if isinstance(message, Proposal) and message.header.proposer == self.host.key:
            engine = self.host.engine
            self._learn(*(engine.certificates() if isinstance(engine, Unscrupulous) else ()))
            return self._stray(message) or message
        if isinstance(message, Cast) and (message.vote.ballot.view + peer[0]) % 3:
            self.acts["votes kept back"] += 1
            return None
        return message

    def _stray(self, proposal: Proposal) -> Proposal | None:
        digest = proposal.header.hash
        if digest not in self._strays:
            while len(self._strays) >= _KEPT_MAX:
                del self._strays[next(iter(self._strays))]
            self._strays[digest] = found = self._lead_astray(proposal) if self.rng.randrange(4) else None
            if found is not None:
                self.acts["proposals astray"] += 1
                self._plan(VoteKind.NOTARIZE, decode_seal(found.header).view, found.header.hash)
        return self._strays[digest]

    def _lead_astray(self, proposal: Proposal) -> Proposal | None:
        """Return a proposal on a lower parent; None: there is none to build on."""
        chain, header = self.host.node.chain, proposal.header
        seal = decode_seal(header)
        lower = [
            each
            for each in self._certificates.values()
            if each.kind is not VoteKind.NULLIFY
            and each.view < seal.parent_view
            and chain.header(BlockHash(each.hash)) is not None
            and chain.version(BlockHash(each.hash)) is not None
        ]
        if not lower:
            return None
        chosen = max(lower, key=lambda each: (each.view, each.kind))
        parent = chain.header(BlockHash(chosen.hash))
        if parent is None:
            return None
        skips = [each for each in self._certificates.values() if each.kind is VoteKind.NULLIFY]
        fitting = [each for each in skips if each.view == seal.view - 1]
        skip = fitting[-1] if fitting else skips[-1] if skips and self.rng.randrange(2) else None
        justify = Justify(chosen, skip)
        time_ms = max(header.time_ms, parent.time_ms + 1)
        carries = chain.rules.may_carry(parent, parent_is_final=parent.hash == chain.head.hash)
        raw = encode_seal(Seal(seal.view, chosen.view, justify.hash, seal.vrf, carries))
        if carries:
            executed = chain.carry(parent, proposer=self.host.key, time_ms=time_ms, seal=raw)
        else:
            executed = chain.build(
                parent, proposer=self.host.key, epoch=header.epoch, time_ms=time_ms, seal=raw, transactions=()
            ).executed
        if executed is None:
            return None
        other = replace(proposal, header=executed.block.header, justify=justify, transaction_ids=())
        return replace(other, signature=sign_proposal(self.host, other.header, seal.view))


class Forge(Adversary):
    """Makes certificates that nobody signed."""

    ignores_guard = True
    is_unscrupulous = True

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Send a forged certificate in the place of some votes."""
        if not isinstance(message, Cast) or self.rng.randrange(4):
            return message
        self.acts["certificates forged"] += 1
        return Certificates((self._forged(message.vote),))

    def _forged(self, vote: Vote) -> Certificate:
        members, ballot = self.stage.genesis.validators, vote.ballot
        if ballot.kind is VoteKind.NOTARIZE and self.rng.randrange(2):
            ballot = Ballot(ballot.epoch, ballot.view, VoteKind.FINALIZE, ballot.hash)
            vote = Vote(ballot, vote.voter, self.sign_vote(ballot))
        draw = self.rng.randrange(3)
        if draw == 0:
            return make_certificate([vote], members)
        signatures = [vote.signature if draw == 1 else self.rng.randbytes(64) for _ in members]
        votes = [Vote(ballot, index, signature) for index, signature in enumerate(signatures)]
        return make_certificate([*votes[: vote.voter], vote, *votes[vote.voter + 1 :]], members)
