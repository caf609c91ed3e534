"""Votes of the past, heard late, against the final chain on the disk.

Votes heard lately are in memory (the pool: 64 checkpoints), and gone after a restart. An older vote, alone or in a
quorum link, is compared with the links in the proofs that are stored with the final blocks. They join: a proof holds
the links from the final checkpoint before to its own, so that each begins where the one before ends.

    heard, from a source below the final checkpoint
        -> the proof of the block at its target's height: it has the link to that target, or the one that spans it
        -> then the proof where that one's links begin, and so on down to the vote's source: links that it spans
        -> who signed both is accused
    a quorum's consecutive link finalizes its source: if another block is final here at that height, the others are
    told of both, and the node stops (`forks`)

What costs nothing is asked first: whether the link was found to agree already, whether its voters are all accused,
whether its sender has a look left, whether a place is free. A look reads at most `READS_MAX` times 8 rows; signatures
are verified only where a vote contradicts the stored chain, and a bad one costs its sender the connection.

Of two chains one link of the one always contradicts one of the other, and is found within three reads: below a target
that both justify there is none, a spanning link is in the first proof, a spanned one in the first or second below. The
further reads find single voters who signed few links.

Not here: links that no stored proof holds, because this node took their blocks by catching up (one proof for many
blocks). A rival of such blocks stops the node all the same, and those who were there convict. As there is one epoch,
evidence of it counts for ever, and nothing that is stored is too old.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437), theorem 1; the evidence of the
finality specification.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from p2pcommerce.finality.certificates import CertificateError
from p2pcommerce.finality.effects import Blame, Recall
from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.ffg.forks import Forks
from p2pcommerce.finality.ffg.links import LinkVote, QuorumLink
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS, LINKS_MAX
from p2pcommerce.finality.ffg.proof import decode_proof
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import Link, contradiction
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId

__all__ = [
    "AGREED_MAX",
    "LOOKS_BURST",
    "LOOKS_PER_PEER",
    "LOOKS_STRANGERS",
    "PEERS_MAX",
    "READS_MAX",
    "Hindsight",
    "Row",
]

LOOKS_PER_PEER: Final = LINKS_MAX
"""Links of one validator that are looked up at one time: those of one message."""
LOOKS_STRANGERS: Final = LINKS_MAX
"""Links of all peers without stake that are looked up at one time: they take no place of a validator's."""
LOOKS_BURST: Final = 16
"""Links of one peer that are looked up at once ..."""
LOOKS_REFILL_US: Final = MICROSECONDS
"""... and one more after each of these."""
PEERS_MAX: Final = 512
"""Peers whose looks are counted; the one that was longest silent is forgotten first."""
AGREED_MAX: Final = 1_024
"""Links that are known to be those of the stored chain, and need no second look."""
READS_MAX: Final = 16
"""Reads for one link, of 8 rows each."""

Row: TypeAlias = tuple[Header, bytes, bytes]
"""A stored final block: header, proof, justify."""


@dataclass(slots=True)
class _Look:
    """One link that is looked up.

    Attributes:
        peer: who sent it; None: it was verified.
        votes: on it.
        quorum: they are one; None: a single vote.
        at: index of the checkpoint whose rows were asked for.
        for_source: these are asked for to see whether the quorum finalized another block.
        is_good: the signatures were verified.
        reads: how many answers are still taken.
    """

    peer: PeerId | None
    votes: Sequence[LinkVote]
    quorum: QuorumLink | None
    at: int
    for_source: bool
    is_good: bool
    reads: int = READS_MAX

    @property
    def link(self) -> Link:
        """What was signed."""
        return self.votes[0].link


class Hindsight:
    """The links that are looked up."""

    def __init__(self, state: State, forks: Forks) -> None:
        """Look at nothing yet; `forks` stops the node."""
        self._state = state
        self._forks = forks
        self._looks: dict[int, _Look] = {}
        self._requests = 0
        self._agreed: OrderedDict[Link, None] = OrderedDict()
        self._peers: OrderedDict[PeerId, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        """Links that are looked up at present."""
        return len(self._looks)

    # --- heard ---

    def doubt_vote(self, peer: PeerId, vote: LinkVote, now: int) -> None:
        """Look up a vote, not verified yet, if it is of the past."""
        if self._is_past(vote.link) and not self._state.is_accused(vote.voter):
            self._doubt(peer, (vote,), None, now)

    def doubt_quorum(self, peer: PeerId | None, quorum: QuorumLink, now: int) -> None:
        """Look up a quorum link if it is of the past.

        Args:
            peer: who sent it; it is not verified yet. None: it is, and costs nobody a look.
            quorum: the link.
            now: microseconds.
        """
        if self._is_past(quorum.link) and quorum not in self._state.gadget.proof:
            self._doubt(peer, quorum.votes, quorum, now)

    def _is_past(self, link: Link) -> bool:
        return link.source.index < self._state.gadget.final.index and link not in self._agreed

    def _doubt(self, peer: PeerId | None, votes: Sequence[LinkVote], quorum: QuorumLink | None, now: int) -> None:
        state, link = self._state, votes[0].link
        delivered = state.tree.delivered.height // CHECKPOINT_BLOCKS
        if peer is not None and (any(each.votes == votes for each in self._looks.values())):
            return
        if peer is not None and not (self._has_room(peer) and self._may_look(peer, now)):
            state.counters["doubts_dropped"] += 1
            return
        state.counters["doubts"] += 1
        for_source = quorum is not None and link.is_consecutive
        at = link.source.index if for_source else min(link.target.index, delivered)
        self._ask(_Look(peer, votes, quorum, at, for_source, is_good=peer is None))

    def _has_room(self, peer: PeerId) -> bool:
        index = self._state.context.validators.index
        if index(peer) is not None:
            return sum(each.peer == peer for each in self._looks.values()) < LOOKS_PER_PEER
        strangers = [each for each in self._looks.values() if each.peer is not None and index(each.peer) is None]
        return len(strangers) < LOOKS_STRANGERS

    def _may_look(self, peer: PeerId, now: int) -> bool:
        """Take one token of a peer's bucket."""
        tokens, since = self._peers.pop(peer, (LOOKS_BURST, now))
        gained = max(0, (now - since) // LOOKS_REFILL_US)
        tokens, since = min(LOOKS_BURST, tokens + gained), since + gained * LOOKS_REFILL_US
        self._peers[peer] = max(0, tokens - 1), since
        if len(self._peers) > PEERS_MAX:
            self._peers.popitem(last=False)
        return tokens > 0

    def _ask(self, look: _Look) -> None:
        self._requests += 1
        self._looks[self._requests] = look
        # The genesis block, height 0, is not stored with a proof; what is above it has heights from 1 on.
        count = 1 if look.for_source else CHECKPOINT_BLOCKS
        self._state.out.append(Recall(self._requests, look.at * CHECKPOINT_BLOCKS, count))

    # --- read ---

    def on_recalled(self, request: int, rows: Sequence[Row], sets: Sets) -> None:
        """Take stored blocks; see `FinalityEngine.on_recalled`."""
        state, look = self._state, self._looks.pop(request, None)
        if look is None:
            return
        look.reads -= 1
        try:
            sets(look.link.epoch)
        except KeyError:
            state.counters["doubts_too_old"] += 1
            return
        try:
            self._see(look, rows)
        except CertificateError as error:
            state.counters["refused_" + error.code.lower()] += 1
            if look.peer is not None:
                state.out.append(Blame(look.peer, f"{error.code}: {error}"))

    def _see(self, look: _Look, rows: Sequence[Row]) -> None:
        """Compare, and go on below.

        Raises:
            CertificateError: a signature is not good.
        """
        link = look.link
        if look.for_source:
            look.for_source = False
            if rows and rows[0][0].height == link.source.height and rows[0][0].hash != link.source.hash:
                self._verify(look)
                known = [] if look.quorum is None else [look.quorum]
                self._forks.stop(
                    f"checkpoint {link.source.index} is final here, and another one is for a quorum", known
                )
            look.at = min(link.target.index, self._state.tree.delivered.height // CHECKPOINT_BLOCKS)
            self._ask(look)
            return
        quorums = list(_links(rows))
        if any(quorum.link == link for quorum in quorums):
            self._agreed[link] = None
            if len(self._agreed) > AGREED_MAX:
                self._agreed.popitem(last=False)
            return
        for quorum in quorums:
            if contradiction(quorum.link, link) is not None:
                self._accuse(look, quorum)
        begins = [quorum.link.source.index for quorum in quorums]
        look.at = min([look.at - 1, *begins])
        if look.at > link.source.index + 1 and look.reads > 0:
            self._ask(look)

    def _accuse(self, look: _Look, quorum: QuorumLink) -> None:
        """Accuse who voted for a link and for one that is stored, and contradicts it.

        Raises:
            CertificateError: a signature is not good.
        """
        state = self._state
        stored = {vote.voter: vote for vote in quorum.votes}  # verified when it came
        both = [(vote, stored[vote.voter]) for vote in look.votes if vote.voter in stored]
        if both:
            self._verify(look)
        for vote, other in both:
            state.accuse_votes(other, vote)

    def _verify(self, look: _Look) -> None:
        """Verify what is looked up, once.

        Raises:
            CertificateError: a signature is not good.
        """
        if look.is_good:
            return
        verifier, vote = self._state.verifier, look.votes[0]
        if look.quorum is not None:
            verifier.check(look.quorum)
        elif not verifier.is_good(vote.voter, vote.link, vote.signature):
            raise CertificateError("the signature of a vote is not good", "VOTE_SIGNATURE")
        look.is_good = True


def _links(rows: Sequence[Row]) -> Iterator[QuorumLink]:
    """Yield the links of the first proof that is stored with blocks; the others have the same or later ones."""
    for _, proof, _ in rows:
        if proof:
            try:
                yield from decode_proof(proof).links
            except CodecError:
                continue  # damaged: of no use
            return
