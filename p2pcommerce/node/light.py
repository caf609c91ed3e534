"""A light client: it holds one validator set, and with it believes nobody.

    anchor (genesis or checkpoint) -> one link for each epoch -> any header with its proof of finality
        -> transactions, outcomes, state values and their absence

It does no I/O: whoever drives it hands in links, headers and proofs of any origin, and the time. What several witnesses
say is compared: two final headers of one height convict the validators or the anchor, and both are kept as evidence.

Trust ages: whoever has left a validator set and taken its stake back can sign another history without loss. So the
last block that a client knows to be final must be younger than its trust period, which is shorter than the unbonding
period; else an operator has to name a newer anchor.

Source: the light client and weak subjectivity of the finality specification (14 days of trust, 21 of unbonding).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality import ENGINES, make_engine
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.finality.evidence import DoubleSignature, contradiction, encode_evidence
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex import Simplex
from p2pcommerce.finality.simplex.messages import is_carrier
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Outcome, outcome_hash
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.node.epoch_links import EpochLink, EpochLinkError, follow_link
from p2pcommerce.node.proof import Proven, verify_proof_by
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import CodecError, P2PError, RemoteProtocolError, UsageError
from p2pcommerce.primitives.ids import MICROSECONDS, Epoch, TransactionId, short
from p2pcommerce.primitives.merkle import InclusionProof, verify_inclusion
from p2pcommerce.primitives.sparse_merkle import StateProof, verify_state

__all__ = [
    "EPOCHS_REMEMBERED_MAX",
    "HEADERS_REMEMBERED_MAX",
    "TRUST_S",
    "Conflict",
    "ConflictError",
    "FinalHeader",
    "LightClient",
    "NotFinalError",
    "NotProvenError",
    "TrustExpiredError",
    "trust_s_of",
]

TRUST_S: Final = 14 * 86_400
"""How old the last known final block may be, seconds."""
EPOCHS_REMEMBERED_MAX: Final = 64
"""Validator sets that are kept, the newest: headers of these epochs can be checked."""
HEADERS_REMEMBERED_MAX: Final = 1_024
"""Final headers that are kept to compare witnesses by, the last that were seen."""


class TrustExpiredError(UsageError):
    """What is trusted is too old to be believed."""

    code = "TRUST_EXPIRED"


class NotFinalError(RemoteProtocolError):
    """A header that is not shown to be final."""

    code = "NOT_FINAL"


class NotProvenError(RemoteProtocolError):
    """Something that a final header does not commit to."""

    code = "NOT_PROVEN"


class ConflictError(P2PError):
    """Two headers of one height are both shown to be final: nothing of this network can be believed.

    Attributes:
        conflict: both, with their proofs and what convicts of it.
    """

    code = "CONFLICT"

    def __init__(self, conflict: Conflict) -> None:
        """Build the error from what contradicts itself."""
        super().__init__(
            f"two blocks are final at height {conflict.first.header.height}: {short(conflict.first.header.hash)} and "
            f"{short(conflict.second.header.hash)}; believe neither, and ask operators of the network for a checkpoint"
        )
        self.conflict = conflict


@dataclass(frozen=True, slots=True)
class FinalHeader:
    """A header that a light client has found to be final.

    Attributes:
        header: the header.
        finality: its proof.
    """

    header: Header
    finality: bytes

    def check_state(self, key: bytes, value: bytes | None, proof: StateProof) -> None:
        """Check that the state after this block holds `value` under `key` (None: nothing).

        Raises:
            NotProvenError: the proof does not show it.
        """
        if not verify_state(self.header.state_root, key, value, proof):
            raise NotProvenError(f"state key {key.hex()[:32]} is not shown to be so at height {self.header.height}")

    def check_transaction(self, tx_id: TransactionId, proof: InclusionProof) -> None:
        """Check that this block holds a transaction (id of 32 bytes).

        Raises:
            NotProvenError: the proof does not show it.
        """
        if not verify_inclusion(self.header.tx_root, tx_id, proof):
            raise NotProvenError(f"transaction {short(tx_id)} is not shown to be in block {self.header.height}")

    def check_outcome(
        self, tx_id: TransactionId, place: InclusionProof, outcome: Outcome, proof: InclusionProof
    ) -> None:
        """Check what a transaction of this block did.

        Args:
            tx_id: 32 bytes.
            place: shows that it is in the block.
            outcome: its code and events; the detail is not committed to.
            proof: shows that this is the outcome at the same place.

        Raises:
            NotProvenError: the proofs do not show it.
        """
        self.check_transaction(tx_id, place)
        is_same_place = (place.index, place.count) == (proof.index, proof.count)
        if not is_same_place or not verify_inclusion(self.header.receipts_root, outcome_hash(outcome), proof):
            raise NotProvenError(f"transaction {short(tx_id)} is not shown to have had this outcome")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two final headers of one height.

    Attributes:
        first, second: each with its proof, which convinces anybody who trusts the same validators.
        evidence: what can be submitted against validators who signed both in one view; each at most 512 bytes. If the
            views differ there is none yet: it takes their votes of the views between.
    """

    first: FinalHeader
    second: FinalHeader
    evidence: tuple[bytes, ...]


class LightClient:
    """Follows the validator sets of one network.

    Attributes:
        trust_s: how old the last known final block may be, seconds.
        conflict: two final headers that contradict each other, once they were seen; nothing is believed any more.
    """

    def __init__(
        self,
        anchor: TrustAnchor,
        *,
        engine: FinalityEngine | None = None,
        scheme: SignatureScheme = ED25519,
        trust_s: int = TRUST_S,
    ) -> None:
        """Begin with what is trusted.

        Args:
            anchor: the genesis (`TrustAnchor.of`), a checkpoint, or the `anchor` of an earlier light client.
            engine: checks proofs of finality; it need not be started. None: Simplex.
            scheme: the network's signature scheme.
            trust_s: see `trust_s_of`.
        """
        self.trust_s = trust_s
        self.conflict: Conflict | None = None
        self._scheme = scheme
        self._engine = Simplex(scheme) if engine is None else engine
        self._anchor = anchor
        self._seen_ms = anchor.time_ms
        self._sets: OrderedDict[int, ValidatorSet] = OrderedDict({int(anchor.epoch): anchor.validators})
        self._headers: OrderedDict[int, FinalHeader] = OrderedDict()

    @classmethod
    def of(
        cls, genesis: Genesis, anchor: TrustAnchor | None = None, *, scheme: SignatureScheme = ED25519
    ) -> LightClient:
        """Return a light client of a network, with its engine and its trust period.

        Args:
            genesis: the network.
            anchor: what is trusted; None: the genesis.
            scheme: the network's signature scheme.

        Raises:
            UsageError: the anchor is of another network, or the genesis names an engine that is not known here.
        """
        anchor = TrustAnchor.of(genesis) if anchor is None else anchor
        if anchor.genesis_hash != genesis.hash:
            raise UsageError("the trust anchor belongs to another network than the genesis")
        if genesis.engine not in ENGINES:
            raise UsageError(f'the genesis names the engine "{genesis.engine}"; there are {", ".join(ENGINES)}')
        return cls(anchor, engine=make_engine(genesis.engine, scheme), scheme=scheme, trust_s=trust_s_of(genesis))

    @property
    def anchor(self) -> TrustAnchor:
        """What is trusted now: save it (`to_json`), and begin with it the next time."""
        return self._anchor

    @property
    def epoch(self) -> Epoch:
        """The newest epoch whose validators are known."""
        return self._anchor.epoch

    def check_age(self, now: int) -> None:
        """Check that what is trusted is young enough.

        Args:
            now: microseconds of Unix time.

        Raises:
            TrustExpiredError: it is not; the message says what to do.
        """
        age_s = now // MICROSECONDS - self._seen_ms // 1_000
        if age_s > self.trust_s:
            raise TrustExpiredError(
                f"the last final block that is trusted, of epoch {self.epoch}, is {_span(age_s)} old, at most "
                f"{_span(self.trust_s)} is safe: get a newer trust anchor from an operator whom you trust"
            )

    def follow(self, links: Sequence[EpochLink], now: int) -> int:
        """Go from epoch to epoch; return by how many. Links of epochs before the present one are compared only.

        Args:
            links: untrusted, by epoch.
            now: microseconds of Unix time.

        Raises:
            TrustExpiredError: what is trusted is too old.
            EpochLinkError: a link does not hold; those before it were followed.
            ConflictError: a link contradicts a final header that was seen before.
        """
        self._check_sound()
        self.check_age(now)
        before = self.epoch
        for link in links:
            if link.header.epoch < self.epoch:
                self._compare_old(link)
                continue
            if self._is_carrier(link.header):
                raise EpochLinkError(f"the link of epoch {link.header.epoch} holds a carrier, no block")
            anchor = follow_link(self._anchor, link, self._engine)
            self._remember(FinalHeader(link.header, link.finality))
            self._anchor = anchor
            self._sets[int(anchor.epoch)] = anchor.validators
            if len(self._sets) > EPOCHS_REMEMBERED_MAX:
                self._sets.popitem(last=False)
        return self.epoch - before

    def verify_header(self, header: Header, finality: bytes, now: int) -> FinalHeader:
        """Check that a header of a known epoch is final, and compare it with what was seen before.

        Args:
            header: untrusted.
            finality: its proof, untrusted.
            now: microseconds of Unix time.

        Raises:
            TrustExpiredError: what is trusted is too old.
            NotFinalError: it is not shown to be final, or its epoch's validators are not known.
            ConflictError: another block is final at the same height.
        """
        self._check_sound()
        self.check_age(now)
        if header.genesis_hash != self._anchor.genesis_hash:
            raise NotFinalError("a header of another network")
        if self._is_carrier(header):
            raise NotFinalError("a carrier: it decides on the block below it, and is none itself")
        if header.epoch not in self._sets:
            raise NotFinalError(f"the validators of epoch {header.epoch} are not known: follow the links to it first")
        if not self._engine.verify(header, finality, self._sets.__getitem__):
            raise NotFinalError(f"the header of height {header.height} is not shown to be final")
        final = FinalHeader(header, finality)
        self._remember(final)
        return final

    def verify_proof(self, proof: bytes, now: int) -> Proven:
        """Check an offline proof (at most 4 MB) that ends in a known epoch, or leads on by links of its own.

        Raises:
            TrustExpiredError: what is trusted is too old.
            ProofError: it proves nothing.
            ConflictError: two blocks were seen to be final at one height.
        """
        self._check_sound()
        self.check_age(now)
        return verify_proof_by(proof, self._anchor_of, self._scheme)

    # --- inside ---

    def _is_carrier(self, header: Header) -> bool:
        return self._engine.name == Simplex.name and is_carrier(header)

    def _anchor_of(self, epoch: int) -> TrustAnchor:
        known = self._sets.get(epoch)
        return self._anchor if known is None else TrustAnchor(self._anchor.genesis_hash, known, Epoch(epoch))

    def _check_sound(self) -> None:
        if self.conflict is not None:
            raise ConflictError(self.conflict)

    def _compare_old(self, link: EpochLink) -> None:
        """Compare a link of an epoch that is over with what is known, if it is another one and is proven."""
        header = link.header
        known = self._headers.get(header.height)
        if known is None or known.header == header or header.epoch not in self._sets or self._is_carrier(header):
            return
        if not self._engine.verify(header, link.finality, self._sets.__getitem__):
            raise EpochLinkError(f"the link of epoch {header.epoch} is not shown to be final by its validators")
        self._remember(FinalHeader(header, link.finality))

    def _remember(self, final: FinalHeader) -> None:
        header = final.header
        known = self._headers.get(header.height)
        if known is not None and known.header != header:
            self.conflict = Conflict(known, final, _evidence(known, final, self._sets[header.epoch]))
            raise ConflictError(self.conflict)
        self._headers[header.height] = final
        self._seen_ms = max(self._seen_ms, header.time_ms)
        if len(self._headers) > HEADERS_REMEMBERED_MAX:
            self._headers.popitem(last=False)


def trust_s_of(genesis: Genesis) -> int:
    """Return how long trust lasts in a network, seconds: 14 days, or two thirds of a shorter unbonding period."""
    return min(TRUST_S, genesis.parameters.unbonding_s * 2 // 3)


def _evidence(first: FinalHeader, second: FinalHeader, validators: ValidatorSet) -> tuple[bytes, ...]:
    """Return what convicts the validators who signed both in one view."""
    try:
        one, other = decode_proof(first.finality).certificate, decode_proof(second.finality).certificate
    except CodecError:  # of an engine with proofs of its own
        return ()
    found: list[bytes] = []
    places = {index: position for position, index in enumerate(other.signers)}
    for position, index in enumerate(one.signers):
        if index not in places:
            continue
        ballot, against = one.ballot(position), other.ballot(places[index])
        if contradiction(ballot, against) is not None:
            signatures = one.signatures[position], other.signatures[places[index]]
            key = validators.validators[index].public_key
            found.append(encode_evidence(DoubleSignature(key, ballot.data, signatures[0], against.data, signatures[1])))
    return tuple(found)


def _span(seconds: int) -> str:
    return f"{seconds / 86_400:.1f} days" if seconds >= 86_400 else f"{seconds} s"
