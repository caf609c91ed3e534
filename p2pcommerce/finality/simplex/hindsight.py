"""Certificates of the past, heard late, against the final chain on the disk.

What was heard lately is in memory (the docket: 256 views of this epoch and the one before), and is gone after a
restart. An N or F of anything older, up to the age at which evidence counts, is compared with what is stored with the
final blocks: their proofs hold F certificates, and with each block stand the certificates that justified it on its
parent, if this node heard its proposal. Together these are what convicts: an F of another block contradicts the F or N
of the final one of its view, or the Z with which the final chain passed that view.

    heard -> the block with which the chain passed that view is looked for, by halving the epoch's heights
          -> the same block: nothing. Another one: now the signatures are verified, and who signed both is accused;
             of an F the others are told with both certificates, and the node stops, as over any fork (`forks`)
          -> none, for the view is above that of the epoch's last block: the carriers in that block's proof are what
             the chain passed it with (`ending.decides_against`)

What costs nothing is asked first: whether the certificate was looked at already, whether its sender has a look left,
whether there is room to wait for one. Those with stake take turns at places that nobody else has, so that no stranger's
flood keeps theirs from being looked at (`turns`). Each look reads at most `READS_MAX` times, some bytes each;
signatures are verified only where a certificate contradicts the stored chain, and a bad one costs its sender the
connection.

Not here: nullifications, which show no fork and are compared while they are in memory.

Source: the evidence of the finality specification ("justifies are kept 21 days"). Deviations: of a block that a node
took by catching up it has no justify, and nobody sends it one: 67 signatures for each block, of 100 validators, are
several times a block with few transactions, while every honest validator that voted for the block keeps its justify.
A node that caught up still stops over another F, and tells the others of both, who have what convicts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from p2pcommerce.finality.certificates import Certificate, CertificateError, VoteVerifier
from p2pcommerce.finality.effects import Blame, Evidence, Recall, Target
from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex.docket import Docket
from p2pcommerce.finality.simplex.ending import decides_against
from p2pcommerce.finality.simplex.forks import Forks
from p2pcommerce.finality.simplex.messages import Certificates, view_of
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.simplex.stored_justify import decode_justify
from p2pcommerce.finality.simplex.turns import Turns
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import boundary_of
from p2pcommerce.ledger.validators import VALIDATORS_MAX, ValidatorSet
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId

__all__ = [
    "LOOKS_BURST",
    "MEMBERS_LOOKS_MAX",
    "PEERS_MAX",
    "READS_MAX",
    "SEEN_MAX",
    "STRANGERS_LOOKS_MAX",
    "STRANGERS_MAX",
    "Hindsight",
    "Row",
]

MEMBERS_LOOKS_MAX: Final = 4
"""Certificates from members of the present set or the next one that are looked up at one time."""
STRANGERS_LOOKS_MAX: Final = 2
"""Certificates from others that are looked up at one time."""
STRANGERS_MAX: Final = 64
"""Others that wait for a look, each with a few certificates."""
LOOKS_BURST: Final = 8
"""Certificates of one peer that are looked up at once ..."""
LOOKS_REFILL_US: Final = MICROSECONDS
"""... and one more after each of these."""
PEERS_MAX: Final = 512
"""Peers whose looks are counted; the one that was longest silent is forgotten first."""
SEEN_MAX: Final = 1_024
"""Certificates that need no second look."""
READS_MAX: Final = 34
"""Reads for one certificate: an epoch has fewer than 2^32 blocks, and the last read is of the blocks themselves."""

Row: TypeAlias = tuple[Header, bytes, bytes]
"""A stored final block: header, proof, justify."""
_Key: TypeAlias = tuple[int, int, VoteKind, bytes, bytes]


@dataclass(slots=True)
class _Look:
    """One certificate that is looked up.

    Attributes:
        peer: who sent it.
        turns: among whom that peer waited.
        low, high: heights among which the block is that passed its view.
        asked: the height that was asked for.
        is_found: that block and the next one were asked for.
        reads: how many answers are still taken.
    """

    peer: PeerId
    turns: Turns[_Look]
    certificate: Certificate
    low: int
    high: int
    asked: int = 0
    is_found: bool = False
    reads: int = READS_MAX


class Hindsight:
    """The certificates that are looked up; it outlives epochs."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self._looks: dict[int, _Look] = {}
        self._members: Turns[_Look] = Turns(MEMBERS_LOOKS_MAX, 2 * VALIDATORS_MAX)
        self._strangers: Turns[_Look] = Turns(STRANGERS_LOOKS_MAX, STRANGERS_MAX)
        self._requests = 0
        self._seen: OrderedDict[_Key, None] = OrderedDict()
        self._peers: OrderedDict[PeerId, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        """Certificates that are looked up at present."""
        return len(self._looks)

    @property
    def waiting(self) -> int:
        """Certificates that wait to be looked up."""
        return self._members.waiting + self._strangers.waiting

    # --- heard ---

    def doubt(self, states: Sequence[State], peer: PeerId, certificate: Certificate, now: int) -> None:
        """Look up an N or F, not verified yet, unless memory tells all of it.

        Args:
            states: of the present epoch, and of the one before if it is in memory.
            peer: who sent it.
            certificate: of any epoch and view.
            now: microseconds.
        """
        state = states[0]
        if certificate.kind is VoteKind.NULLIFY:
            return
        key = _key(certificate)
        if key in self._seen:
            return
        if any(each.context.epoch == certificate.epoch and _tells(each, certificate) for each in states):
            return
        blocks, delivered = state.context.parameters.epoch_blocks, state.tree.delivered.height
        low = boundary_of(certificate.epoch - 1, blocks) + 1
        high = min(boundary_of(certificate.epoch, blocks), delivered)
        if low > high:
            return
        is_member = any(peer in members for members in (state.context.validators, state.context.following))
        turns = self._members if is_member else self._strangers
        look = _Look(peer, turns, certificate, low, high)
        if not self._may_look(peer, now) or not turns.join(peer, look):
            state.counters["doubts_dropped"] += 1
            return
        self._seen[key] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        state.counters["doubts"] += 1
        self._begin(state, turns)

    def _may_look(self, peer: PeerId, now: int) -> bool:
        """Take one token of a peer's bucket."""
        tokens, since = self._peers.pop(peer, (LOOKS_BURST, now))
        gained = max(0, (now - since) // LOOKS_REFILL_US)
        tokens, since = min(LOOKS_BURST, tokens + gained), since + gained * LOOKS_REFILL_US
        self._peers[peer] = max(0, tokens - 1), since
        if len(self._peers) > PEERS_MAX:
            self._peers.popitem(last=False)
        return tokens > 0

    def _begin(self, state: State, turns: Turns[_Look]) -> None:
        """Begin as many looks as there are free places for."""
        while (look := turns.take()) is not None:
            self._ask(state, look)

    def _ask(self, state: State, look: _Look) -> None:
        look.is_found = look.low == look.high
        look.asked = (look.low + look.high) // 2
        self._requests += 1
        self._looks[self._requests] = look
        state.out.append(Recall(self._requests, look.asked, 2 if look.is_found else 1))

    # --- read ---

    def on_recalled(self, state: State, forks: Forks, request: int, rows: Sequence[Row], sets: Sets) -> None:
        """Take stored blocks; see `FinalityEngine.on_recalled`."""
        look = self._looks.pop(request, None)
        if look is None:
            return
        look.reads -= 1
        if self._goes_on(state, forks, look, rows, sets):
            self._ask(state, look)
        else:
            look.turns.leave()
            self._begin(state, look.turns)

    def _goes_on(self, state: State, forks: Forks, look: _Look, rows: Sequence[Row], sets: Sets) -> bool:
        """Work on an answer; tell whether another one is wanted."""
        certificate = look.certificate
        if not rows:  # not kept, or the store is busy: it may be asked again
            self._seen.pop(_key(certificate), None)
            return False
        try:
            members = sets(certificate.epoch)
        except KeyError:
            state.counters["doubts_too_old"] += 1
            return False
        verifier = VoteVerifier(members, state.context.genesis_hash, state.context.scheme)
        try:
            verifier.weigh(certificate)
            if rows[0][0].height != look.asked or rows[0][0].epoch != certificate.epoch:
                return False
            if look.is_found:
                self._conclude(state, forks, certificate, rows, verifier)
                return False
        except CertificateError as error:
            state.counters["refused_" + error.code.lower()] += 1
            state.out.append(Blame(look.peer, f"{error.code}: {error}"))
            return False
        if view_of(rows[0][0]) >= certificate.view:
            look.high = look.asked
        else:
            look.low = look.asked + 1
        return look.reads > 0

    def _conclude(
        self, state: State, forks: Forks, certificate: Certificate, rows: Sequence[Row], verifier: VoteVerifier
    ) -> None:
        """Compare a certificate with the block that passed its view, or with what decided the end of the epoch.

        Raises:
            CertificateError: a signature is not good.
        """
        header, proof, _ = rows[0]
        if view_of(header) >= certificate.view:
            if header.hash != certificate.hash:
                self._compare(state, forks, certificate, rows, verifier, is_fork=certificate.kind is VoteKind.FINALIZE)
        elif header.height == boundary_of(certificate.epoch, state.context.parameters.epoch_blocks):
            is_fork = decides_against(proof, certificate)
            self._compare(state, forks, certificate, rows[:1], verifier, is_fork=is_fork)
        else:  # the view is not passed yet: it is to be looked up again once it is
            self._seen.pop(_key(certificate), None)

    def _compare(
        self,
        state: State,
        forks: Forks,
        certificate: Certificate,
        rows: Sequence[Row],
        verifier: VoteVerifier,
        *,
        is_fork: bool,
    ) -> None:
        """Accuse who signed a certificate and something stored against it; stop if it is of a fork.

        Raises:
            CertificateError: a signature is not good.
        """
        stored = list(_certificates(rows))
        docket = Docket(0, len(stored))
        for each in stored:
            docket.keep_certificate(each)
        opposed = list(docket.opposed(certificate))
        if not opposed and not is_fork:
            return  # an N of a block that was given up, an F of a further carrier: nothing is wrong with it
        verifier.check(certificate)
        members: ValidatorSet = verifier.validators
        accused: dict[int, None] = {}
        for position, other in opposed:
            offender = members.validators[other.voter].public_key
            if other.voter in accused or offender == state.context.key:
                continue
            # What is stored was verified when it came; whoever is told of the evidence verifies both signatures.
            accused[other.voter] = None
            state.counters["evidence"] += 1
            ballot, signature = certificate.ballot(position), certificate.signatures[position]
            claim = DoubleSignature(offender, ballot.data, signature, other.ballot.data, other.signature)
            state.out.append(Evidence(encode_evidence(claim)))
        if is_fork:
            for each in stored:
                state.send(Target.VALIDATORS, Certificates((each,)))
            name = f"block {certificate.hash[:4].hex()} of view {certificate.view} in epoch {certificate.epoch}"
            height = rows[0][0].height
            forks.stop(f"{name} is final beside the block of height {height}, which is final here", certificate)


def _key(certificate: Certificate) -> _Key:
    """Return what no other certificate has: a forged copy must not hide the one that it was made from."""
    signed = blake2b_256(certificate.bitmap + b"".join(certificate.signatures))
    return certificate.epoch, certificate.view, certificate.kind, certificate.hash, signed


def _tells(state: State, certificate: Certificate) -> bool:
    """Tell whether memory tells all of a certificate: it is held, of what is final, or of a view to come."""
    view, tree = certificate.view, state.tree
    if tree.delivered.height > state.boundary_height:  # by catching up: its views are those of a later epoch
        return state.docket.holds(certificate)
    return view > tree.final_view or tree.is_final(view, certificate.hash) or state.docket.holds(certificate)


def _certificates(rows: Sequence[Row]) -> Iterator[Certificate]:
    """Yield the certificates that are stored with blocks; what cannot be read is of no use."""
    for _, proof, justify in rows:
        try:
            if proof:
                yield decode_proof(proof).certificate
            if justify:
                yield from decode_justify(justify)
        except CodecError:
            continue
