"""What each message of Simplex is checked for before the rules see it.

A signature is verified once: what is held already, or could not change anything, is not verified at all.

Source: rules 3, 8, 9, 11, the evidence and the recovery of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, assert_never

from p2pcommerce.finality.certificates import Certificate, CertificateError, Vote
from p2pcommerce.finality.inbox import EngineInbox
from p2pcommerce.finality.proof import decode_proof, verify_proof
from p2pcommerce.finality.refusal import (
    BadVoteSignatureError,
    BoundaryError,
    CrowdedError,
    ForeignVoteError,
    JustifyError,
    NotLeaderError,
    OutputError,
    StaleError,
    UnanchoredError,
    UncommittedError,
    WrongEpochError,
)
from p2pcommerce.finality.simplex.crossing import Crossing
from p2pcommerce.finality.simplex.messages import (
    Answer,
    Boundary,
    Cast,
    Certificates,
    Message,
    Proposal,
    Seal,
    Shown,
    Status,
    decode_seal,
    epoch_of_message,
    is_carrier,
)
from p2pcommerce.finality.simplex.misjustified import fault_of, has_form
from p2pcommerce.finality.simplex.recovery import Recovery
from p2pcommerce.finality.simplex.replica import Replica
from p2pcommerce.finality.simplex.resend import Resender
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.simplex.witness import Witness
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.block import tx_root
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PeerId, PublicKey

__all__ = ["Inbox", "Randomness"]

Randomness: TypeAlias = Callable[[PublicKey, bytes, bytes], bytes | None]


class Inbox(EngineInbox[Message]):
    """Takes messages in."""

    def __init__(
        self,
        state: State,
        replica: Replica,
        resender: Resender,
        recovery: Recovery,
        crossing: Crossing,
        randomness: Randomness,
    ) -> None:
        """Hand what is good to these; `randomness`: proposer, seal and seed -> its random output."""
        super().__init__(state)
        self._state = state
        self._replica = replica
        self._resender = resender
        self._recovery = recovery
        self._crossing = crossing
        self._randomness = randomness
        self._witness = Witness(state)
        self._before: Inbox | None = None

    @override
    def _take(self, peer: PeerId, message: Message, data: bytes, now: int) -> None:
        if self._is_present(peer, message, data, now):
            self._handle(peer, message, now)
        if isinstance(message, Certificates):
            for certificate in message.items:
                self._doubt(peer, certificate, now)

    def _is_present(self, peer: PeerId, message: Message, data: bytes, now: int) -> bool:
        """Tell whether a message is of this epoch; one of the next is kept, one of the last is answered."""
        state, epoch = self._state, epoch_of_message(message)
        ahead = epoch - state.context.epoch
        if ahead == 1 and not isinstance(message, Boundary):
            self._resender.tell(peer, now)
            name = "early_kept" if self._crossing.keep_early(state, peer, data) else "early_dropped"
            state.counters[name] += 1
        elif ahead == -1:
            self._on_late(peer, message, now)
        elif ahead > 0 or (ahead < 0 and not isinstance(message, Certificates)):
            raise WrongEpochError(f"of epoch {epoch}, this node is in {state.context.epoch}")
        else:
            self._crossing.see(peer)
        return ahead == 0

    def _handle(self, peer: PeerId, message: Message, now: int) -> None:
        match message:
            case Cast():
                self._on_cast(peer, message, now)
            case Certificates():
                for certificate in message.items:
                    self._on_certificate(certificate, now)
            case Proposal():
                self._on_proposal(peer, message, now)
            case Status():
                if peer not in self._state.context.following:
                    self._index(peer)
                self._resender.see_status(peer, message, now)
            case Answer():
                self._recovery.on_answer(self._index(peer), message)
            case Boundary():
                self._on_boundary(peer, message)
            case Shown():
                self._witness.on_shown(message)
            case _:
                assert_never(message)

    # --- votes ---

    def _on_cast(self, peer: PeerId, message: Cast, now: int) -> None:
        state, vote, view = self._state, message.vote, message.vote.ballot.view
        if self._index(peer) != vote.voter:
            raise ForeignVoteError("a vote is sent by its voter alone")
        self._resender.see_vote(peer, vote)
        state.pool.note(vote)
        if view > state.held.view + 1:
            self._resender.tell(peer, now)
            raise StaleError(f"a vote of view {view} from view {state.held.view}")
        is_late = view < state.lowest_view
        if view < state.heard_view:
            raise StaleError(f"a vote of view {view}, below {state.heard_view}")
        if not is_late:
            self._witness.confront(peer, vote.ballot)
        if vote in state.pool:
            return
        conflicts = self._witness.conflicts(PublicKey(peer), vote)
        if not conflicts and (is_late or not self._matters(vote)):
            state.docket.keep(vote)
            if is_late:
                raise StaleError(f"a vote of view {view}, below {state.lowest_view}")
            return
        self._count(peer, message, conflicts, now)

    def _count(self, peer: PeerId, message: Cast, conflicts: Sequence[Vote], now: int) -> None:
        """Verify a vote that matters, or that contradicts what its voter said before, and count it."""
        state, vote = self._state, message.vote
        is_late = vote.ballot.view < state.lowest_view
        if not is_late and state.pool.is_crowded(vote):
            raise CrowdedError("a third ballot of one voter, kind and view")
        if not state.verifier.is_good(vote.voter, vote.ballot, vote.signature):
            raise BadVoteSignatureError("the signature of a vote is not good")
        if vote.voter == state.signer.index:
            state.signer.check(vote.ballot)
            return
        self._witness.see_vote(PublicKey(peer), vote, conflicts)
        if is_late:
            state.docket.keep(vote)
            return
        if vote.ballot.kind is VoteKind.NULLIFY:
            self._take_anchor(vote, message.anchor, now)
        self._replica.count(vote, now)

    def _matters(self, vote: Vote) -> bool:
        """Tell whether counting a vote could still change anything."""
        held, view = self._state.held, vote.ballot.view
        if vote.ballot.kind is VoteKind.NOTARIZE:
            return view > held.final_view and not held.notarizes(view)
        if vote.ballot.kind is VoteKind.FINALIZE:
            return view > held.final_view
        return view >= held.view - 1 and held.nullification(view) is None

    def weighs(self, vote: Vote) -> bool:
        """Tell whether a vote could change anything here if it were counted, or convict its voter."""
        state, view = self._state, vote.ballot.view
        if view < state.lowest_view or vote in state.pool or state.pool.is_crowded(vote):
            return False
        return self._matters(vote) or bool(self._witness.conflicts(state.keys_of((vote.voter,))[0], vote))

    def _take_anchor(self, vote: Vote, anchor: Certificate | None, now: int) -> None:
        """Hold the certificate that a nullification counts with (rule 5: an N or F of its anchor or above)."""
        if vote.ballot.anchor <= self._state.held.highest_view:
            return
        if anchor is None or anchor.kind is VoteKind.NULLIFY or anchor.view < vote.ballot.anchor:
            raise UnanchoredError(f"a nullification from view {vote.ballot.anchor}, of which no certificate is here")
        self._on_certificate(anchor, now)

    # --- certificates ---

    def _on_certificate(self, certificate: Certificate, now: int) -> None:
        self._check_epoch(certificate.epoch)
        state = self._state
        state.verifier.weigh(certificate)
        is_useful = state.held.is_useful(certificate)
        if is_useful:
            if certificate.kind is VoteKind.NULLIFY and certificate.anchor > state.held.highest_view:
                raise UnanchoredError(
                    f"a nullification from view {certificate.anchor}, of which no certificate is here"
                )
            state.verifier.check(certificate)
        # One that changes nothing may yet show who signed something else.
        self._witness.see_certificate(certificate)
        if is_useful:
            self._replica.adopt(certificate, now)
        else:
            self.look_back(certificate)

    def look_back(self, certificate: Certificate) -> None:
        """Stop if an F that comes late decides against what is final here; one that cannot is not verified."""
        state, view = self._state, certificate.view
        if certificate.kind is not VoteKind.FINALIZE or state.docket.holds(certificate):
            return
        # Of a view that is decided and not delivered yet it is kept, to be compared then.
        if view > state.tree.final_view or state.tree.is_beside(view, certificate.hash):
            state.verifier.check(certificate)
            state.docket.keep_certificate(certificate)
            self._replica.forks.see_final(certificate)

    def _doubt(self, peer: PeerId, certificate: Certificate, now: int) -> None:
        """Look up what memory does not tell of a certificate for a view that is passed."""
        before = () if self._before is None else (self._before._state,)  # noqa: SLF001 - of this very class
        self._crossing.hindsight.doubt((self._state, *before), peer, certificate, now)

    # --- the epoch before ---

    @property
    def epoch(self) -> int:
        """The epoch whose messages are taken."""
        return self._state.context.epoch

    def follow(self, old: Inbox) -> None:
        """Remember what was heard in the epoch before, to compare what comes late of it."""
        self._before, old._before = old, None

    def _on_late(self, peer: PeerId, message: Message, now: int) -> None:
        """Compare what comes of the epoch before with what was heard and decided then; answer who is still there."""
        old = self._before
        if old is not None and old.epoch == epoch_of_message(message):
            old.compare(message)
            # What stops over a fork is the node, not only its part in that epoch.
            self._replica.forks.inherit(old._replica.forks)  # noqa: SLF001 - of this very class
        self._crossing.on_late(self._state, peer, message, now)

    def on_rival(self, certificate: Certificate, reason: str) -> None:
        """Accuse who signed this F of another branch, which was verified, and something against it; stop."""
        for inbox in (self, self._before):
            if inbox is not None and inbox.epoch == certificate.epoch:
                inbox._witness.see_certificate(certificate)  # noqa: SLF001 - of this very class
        self._replica.forks.stop(reason, certificate)

    def compare(self, message: Message) -> None:
        """Compare a message of this epoch, which is over, with what was heard and decided.

        Raises:
            CertificateError, BoundaryError: a signature or proof that would tell of an offence or a fork is not good.
        """
        if isinstance(message, Certificates):
            for certificate in message.items:
                self._check_epoch(certificate.epoch)
                self._state.verifier.weigh(certificate)
                self._witness.see_certificate(certificate)
                self.look_back(certificate)
        elif isinstance(message, Boundary) and message.header.hash != self._state.tree.delivered.hash:
            certificate = self._check_boundary(message)
            self._witness.see_certificate(certificate)
            name = f"block {message.header.hash[:4].hex()} of height {message.header.height}"
            self._replica.forks.stop(f"{name} is final beside the last block of its epoch here", certificate)

    # --- the end of the epoch ---

    def _on_boundary(self, peer: PeerId, message: Boundary) -> None:
        """Take the proof that the epoch's last block is final, and get that block."""
        state, header = self._state, message.header
        if state.is_over or state.ending is not None:
            return
        certificate = self._check_boundary(message)
        state.counters["boundaries_taken"] += 1
        state.ending = message
        state.tree.want(header.hash, (peer, *state.keys_of(certificate.signers)), header)

    def _check_boundary(self, message: Boundary) -> Certificate:
        """Check the proof that a block is the epoch's last one and final, and return its certificate.

        Raises:
            BoundaryError: it is none.
        """
        state, header, context = self._state, message.header, self._state.context
        is_last = header.height == state.boundary_height and header.genesis_hash == context.genesis_hash
        sets = {int(context.epoch): context.validators}
        if (
            not is_last
            or is_carrier(header)
            or not verify_proof(header, message.proof, sets.__getitem__, context.scheme)
        ):
            raise BoundaryError(f"no proof that the last block of epoch {context.epoch} is final")
        return decode_proof(message.proof).certificate

    # --- proposals ---

    def _on_proposal(self, peer: PeerId, proposal: Proposal, now: int) -> None:
        state, header = self._state, proposal.header
        self._check_network(header)
        seal = decode_seal(header)
        if seal.view < state.lowest_view:
            raise StaleError(f"a proposal of view {seal.view}, below {state.lowest_view}")
        accepted = state.proposals.get(seal.view, [])
        if any(other.header.hash == header.hash for other in accepted):
            return
        self._check_leader(proposal, seal, accepted)
        # Before its certificates are taken, so that a stale one opens nothing.
        self._check_justify(proposal, seal)
        for certificate in (proposal.justify.parent, proposal.justify.nullification):
            if certificate is not None:
                self._verify_justify(certificate, proposal, seal)
                self._witness.see_certificate(certificate)
                self._replica.adopt(certificate, now)
        self._accept(peer, proposal, seal, now)

    def _check_leader(self, proposal: Proposal, seal: Seal, accepted: list[Proposal]) -> None:
        state, header = self._state, proposal.header
        if header.proposer != state.leader(seal.view):
            raise NotLeaderError(f"a proposal by one who does not lead view {seal.view}")
        if len(accepted) >= state.parameters.hashes_max:
            raise CrowdedError(f"a third proposal of view {seal.view}")
        ballot = self._check_signature(header, seal.view, proposal.signature)
        if header.proposer == state.context.key:
            state.signer.check(ballot)
        if tx_root(proposal.transaction_ids) != header.tx_root or proposal.justify.hash != seal.justify_hash:
            raise UncommittedError("a proposal's ids or justify are not those of its header")
        if self._randomness(header.proposer, header.engine_data, state.seed) is None:
            self._state.spoil(seal.view)
            raise OutputError(f"the seal of view {seal.view} does not hold its leader's random output")
        for other in accepted:
            first = Ballot(header.epoch, seal.view, VoteKind.PROPOSE, other.header.hash)
            self._witness.accuse(header.proposer, (first, other.signature), (ballot, proposal.signature))

    def _check_justify(self, proposal: Proposal, seal: Seal) -> None:
        """Check that the committed justify is of the right form for the parent.

        Raises:
            JustifyError: it is not; the leader signed it, so that the view is lost.
        """
        is_allowed = has_form(proposal.header, seal, proposal.justify)
        if not is_allowed:
            self._expose(proposal)
        if not is_allowed or (proposal.justify.parent is None and not self._is_base(proposal)):
            self._state.spoil(seal.view)
            raise JustifyError(f"the justify of a proposal of view {seal.view} does not allow its parent")

    def _is_base(self, proposal: Proposal) -> bool:
        delivered = self._state.tree.delivered
        if delivered.height != proposal.header.height - 1:
            raise StaleError("a proposal on a block below the final one")
        return delivered.hash == proposal.header.parent_hash

    def _verify_justify(self, certificate: Certificate, proposal: Proposal, seal: Seal) -> None:
        try:
            self._state.verifier.check(certificate)
        except CertificateError:
            self._state.spoil(seal.view)
            self._expose(proposal)
            raise

    def _expose(self, proposal: Proposal) -> None:
        """Keep what is wrong with a proposal's justify, and accuse its leader and who has notarized it (E6)."""
        state, header = self._state, proposal.header
        fault = fault_of(header, proposal.justify, state.verifier)
        if fault is None:
            return
        ballot = Ballot(header.epoch, decode_seal(header).view, VoteKind.PROPOSE, header.hash)
        self._witness.accuse_of(fault, header.proposer, ballot, proposal.signature)
        kept = state.misjustified.get(ballot.view, [])
        is_new = all(other.header.hash != header.hash for other in kept)
        # Of views far above nothing is kept: one leader has any number of those, and would leave no room for others.
        if is_new and len(kept) < state.parameters.hashes_max and state.is_near(ballot.view):
            state.misjustified[ballot.view] = [*kept, fault]
        for vote in state.pool.notarizers(ballot.view, header.hash):
            self._witness.accuse_of(fault, state.keys_of((vote.voter,))[0], vote.ballot, vote.signature)

    def _accept(self, peer: PeerId, proposal: Proposal, seal: Seal, now: int) -> None:
        state, header = self._state, proposal.header
        state.proposals.setdefault(seal.view, []).append(proposal)
        state.note_justify(proposal)
        self._witness.confront_earlier(seal.view, header.hash)
        peers = tuple(dict.fromkeys((header.proposer, peer)))
        if seal.view == state.held.view:
            state.pace.see_proposal(now)
        # A late one still serves if its block was notarized, and its body is therefore wanted.
        if seal.view == state.held.view or state.tree.get(header.hash) is not None:
            state.tree.want(header.hash, peers, header, proposal.transaction_ids)
