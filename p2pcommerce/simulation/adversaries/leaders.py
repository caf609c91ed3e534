"""Leaders that break the rules with what they propose.

Each takes the proposal that its honest core made and puts another one in its place, signed by its own key under the
same valid justify. Votes follow the proposal that their receiver was told of.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from p2pcommerce.commerce import Transfer, build_transaction
from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.finality.certificates import Certificate, Vote
from p2pcommerce.finality.simplex.messages import (
    Cast,
    Justify,
    Message,
    Proposal,
    decode_seal,
    encode_message,
    encode_seal,
)
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.ledger.validators import VALIDATORS_MAX
from p2pcommerce.node.effects import Transmit
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import HEIGHT_MAX, BlockHash, Height, PeerId
from p2pcommerce.simulation.adversaries.adversary import Adversary, Stage, sign_proposal
from p2pcommerce.simulation.host import Host
from p2pcommerce.wire import messages as wire

__all__ = ["Equivocate", "FalseJustify", "FalseTime", "InvalidBlock"]

_KEPT_MAX: Final = 256
_SECOND_US_MAX: Final = 300_000
"""A second proposal follows the first within this time."""
_LOOKED_BACK: Final = 16
"""Final blocks among whose transactions one is chosen that stands in the chain already."""


class _Leader(Adversary, ABC):
    """Proposes something else; `other` says what."""

    ignores_guard = True
    is_unscrupulous = True

    def __init__(self, host: Host, stage: Stage, rng: random.Random) -> None:
        """Take over a host."""
        super().__init__(host, stage, rng)
        self._others: dict[BlockHash, Proposal | None] = {}
        self._swapped: dict[bytes, BlockHash] = {}

    @abstractmethod
    def other(self, proposal: Proposal) -> Proposal | None:
        """Return what is proposed in the place of a proposal; None: the proposal stays."""

    def is_told(self, peer: PeerId) -> bool:
        """Tell whether a peer is told the other proposal."""
        del peer
        return True

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Tell some peers of the other proposal, and vote for it there."""
        if isinstance(message, Proposal) and message.header.proposer == self.host.key:
            found = self._other(message)
            return message if found is None or not self.is_told(peer) else found
        if isinstance(message, Cast) and message.vote.ballot.kind in {VoteKind.NOTARIZE, VoteKind.FINALIZE}:
            swapped = self._swapped.get(message.vote.ballot.hash)
            if swapped is not None and self.is_told(peer):
                return self._vote_for(message, swapped)
        return message

    def _other(self, proposal: Proposal) -> Proposal | None:
        digest = proposal.header.hash
        if digest not in self._others:
            found = self.other(proposal)
            if len(self._others) >= _KEPT_MAX:
                del self._others[next(iter(self._others))]
            self._others[digest] = found
            if found is not None:
                self.acts[type(self).__name__] += 1
                self._swapped[digest] = found.header.hash
        return self._others[digest]

    def _vote_for(self, cast: Cast, digest: BlockHash) -> Cast:
        ballot = Ballot(cast.vote.ballot.epoch, cast.vote.ballot.view, cast.vote.ballot.kind, digest)
        return Cast(Vote(ballot, cast.vote.voter, self.sign_vote(ballot)), cast.anchor)

    def rebuilt(self, proposal: Proposal, time_ms: int, transactions: Sequence[Transaction] = ()) -> Proposal | None:
        """Return another proposal on the same parent, executed by the own core."""
        chain, header = self.host.node.chain, proposal.header
        parent = chain.header(header.parent_hash)
        if parent is None or chain.version(header.parent_hash) is None or time_ms <= parent.time_ms:
            return None
        if header.height == parent.height:
            executed = chain.carry(parent, proposer=self.host.key, time_ms=time_ms, seal=header.engine_data)
        else:
            executed = chain.build(
                parent,
                proposer=self.host.key,
                epoch=header.epoch,
                time_ms=time_ms,
                seal=header.engine_data,
                transactions=transactions,
            ).executed
        if executed is None:
            return None
        block = executed.block
        return self.signed(replace(proposal, header=block.header, transaction_ids=block.transaction_ids))

    def signed(self, proposal: Proposal) -> Proposal:
        """Return a proposal with the own signature."""
        view = decode_seal(proposal.header).view
        return replace(proposal, signature=sign_proposal(self.host, proposal.header, view))


class Equivocate(_Leader):
    """Proposes one block to one half of the validators, another to the other half, and now and then both to one."""

    @override
    def other(self, proposal: Proposal) -> Proposal | None:
        """Return a second block, a millisecond later."""
        return self.rebuilt(proposal, proposal.header.time_ms + 1)

    @override
    def is_told(self, peer: PeerId) -> bool:
        """One half is."""
        return self.in_second_half(peer)

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Tell one block at once, and perhaps the other soon after."""
        said = super().on_engine(peer, message)
        if isinstance(message, Proposal) and said is not message and not self.rng.randrange(2):
            self.host.later(self.rng.randrange(_SECOND_US_MAX), self._tell, peer, message)
        return said

    def _tell(self, peer: PeerId, message: Message) -> None:
        self.acts["both blocks told"] += 1
        self.host.act([Transmit(peer, wire.Engine(encode_message(message)))])


class FalseTime(_Leader):
    """Proposes blocks with times far ahead or as far behind as it can."""

    @override
    def other(self, proposal: Proposal) -> Proposal | None:
        """Return the block at a drawn time."""
        header = proposal.header
        parent = self.host.node.chain.header(header.parent_hash)
        if parent is None:
            return None
        now_ms = self.host.now // 1_000
        times_ms = (now_ms + 9_900, now_ms + 60_000, now_ms + 86_400_000, parent.time_ms + 1, parent.time_ms + 500)
        return self.rebuilt(proposal, times_ms[self.rng.randrange(len(times_ms))])


class InvalidBlock(_Leader):
    """Proposes blocks that break a rule, under a valid certificate for their parent."""

    @override
    def other(self, proposal: Proposal) -> Proposal | None:
        """Return the block with one thing wrong."""
        header, draw = proposal.header, self.rng.randrange(13)
        if draw > 6:
            return self._with_transaction(proposal, (self._spent, self._unsigned, self._expired)[draw % 3]())
        wrong = self.rng.randbytes(32)
        changed: Header
        if draw == 0:
            changed = replace(header, state_root=wrong)
        elif draw == 1:
            changed = replace(header, receipts_root=wrong)
        elif draw == 2:
            changed = replace(header, height=Height(header.height + 1))
        elif draw == 3:
            changed = replace(header, time_ms=1)
        elif draw == 4:
            changed = replace(header, next_validators_hash=wrong)
        elif draw == 5:
            changed = replace(header, parent_hash=BlockHash(wrong))
        else:
            changed = replace(header, tx_root=wrong)
        return self.signed(replace(proposal, header=changed))

    def _with_transaction(self, proposal: Proposal, transaction: Transaction | None) -> Proposal | None:
        """Return a block with a transaction that must not stand in it, if the own core can be made to execute it."""
        if transaction is None:
            return None
        found = self.rebuilt(proposal, proposal.header.time_ms + 1, (transaction,))
        return found if found is not None and found.transaction_ids else None

    def _spent(self) -> Transaction | None:
        """Return one that is final already."""
        stored = [] if self.host.storage is None else self.host.storage.blocks[-_LOOKED_BACK:]
        known = [raw for committed in stored for raw in committed.block.transactions]
        return decode_transaction(known[self.rng.randrange(len(known))]) if known else None

    def _expired(self) -> Transaction | None:
        """Return one of its own that could be included up to the final height."""
        return self._signed_until(self.host.height)

    def _signed_until(self, expires_height: int) -> Transaction | None:
        host = self.host
        value = host.node.chain.state.values.get(ACCOUNT.key(host.key))
        if value is None:
            return None
        payload, nonce = Transfer(host.key, 1), ACCOUNT.read(value).nonce
        return build_transaction(
            payload, self.stage.genesis, host.seed, nonce, expires_height, scheme=host.world.scheme
        )

    def _unsigned(self) -> Transaction | None:
        """Return one whose signature is not good."""
        made = self._signed_until(HEIGHT_MAX)
        if made is None:
            return None
        wrong = bytes([*made.signature[:-1], made.signature[-1] ^ 1])
        return decode_transaction(made.raw.replace(made.signature, wrong))


class FalseJustify(_Leader):
    """Proposes blocks under a justify that does not allow their parent."""

    @override
    def other(self, proposal: Proposal) -> Proposal | None:
        """Return the block with a justify that lacks something, or whose signers or signatures are not good."""
        parent, skip = proposal.justify.parent, proposal.justify.nullification
        choices: list[Justify] = []
        if parent is not None:
            choices += [Justify(None, skip), *(Justify(each, skip) for each in _spoilt(parent))]
        if skip is not None:
            choices += [Justify(parent, None), *(Justify(parent, each) for each in _spoilt(skip))]
        if not choices:
            return None
        justify = choices[self.rng.randrange(len(choices))]
        seal = replace(decode_seal(proposal.header), justify_hash=justify.hash)
        header = replace(proposal.header, engine_data=encode_seal(seal))
        return self.signed(replace(proposal, header=header, justify=justify))


def _spoilt(certificate: Certificate) -> list[Certificate]:
    """Return a certificate with a bad signature, with one signer alone, and with as many as any set may have."""
    anchors, signatures = certificate.anchors, certificate.signatures
    lone = (1 << certificate.signers[0]).to_bytes(len(certificate.bitmap), "little")
    alone = replace(certificate, bitmap=lone, anchors=anchors[:1], signatures=signatures[:1])
    if anchors:
        alone = replace(alone, hash=anchor_hash(anchors[0]))
    crowd = b"\xff" * (VALIDATORS_MAX // 8)
    crowded = (certificate.anchor,) * VALIDATORS_MAX if anchors else ()
    return [
        replace(certificate, signatures=(bytes(64), *signatures[1:])),
        alone,
        replace(certificate, bitmap=crowd, anchors=crowded, signatures=(bytes(64),) * VALIDATORS_MAX),
    ]
