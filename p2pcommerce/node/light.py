"""A light client: it holds one validator set, and with it believes nobody.

    anchor (genesis or checkpoint) -> one link for each epoch -> any header with its proof of finality
        -> transactions, outcomes, state values and their absence

It does no I/O: whoever drives it hands in links, headers and proofs of any origin, and the time. What several witnesses
say is compared: two final headers of one height convict the validators or the anchor, and both are kept as evidence.

Trust ages: whoever has left a validator set and taken its stake back can sign another history without loss. So the
last block that a client knows to be final must be younger than its trust period, which is shorter than the unbonding
period; else an operator has to name a newer anchor. For the same reason the validators of an epoch that is over are
believed for one trust period from its last block on, even if the client has followed the network all the time: what is
older is shown by a proof with links from an anchor of its own time, or not at all.

Source: the light client and weak subjectivity of the finality specification (14 days of trust, 21 of unbonding).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from p2pcommerce.finality import ENGINES, make_engine
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.finality.evidence import DoubleSignature, contradiction, encode_evidence
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex import Simplex
from p2pcommerce.finality.simplex.messages import is_carrier
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import boundary_of, epoch_of
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.node.epoch_links import EpochLink, EpochLinkError, follow_link
from p2pcommerce.node.final_header import (
    Conflict,
    ConflictError,
    FinalHeader,
    NotFinalError,
    NotProvenError,
    proof_of_ancestor,
)
from p2pcommerce.node.proof import Proven, verify_proof_by
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import MICROSECONDS, Epoch

__all__ = [
    "AHEAD_S",
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
    "check_trust",
    "trust_s_of",
]

TRUST_S: Final = 14 * 86_400
"""How old the last known final block may be, seconds."""
EPOCHS_REMEMBERED_MAX: Final = 64
"""Validator sets that are kept, the newest: headers of these epochs can be checked."""
HEADERS_REMEMBERED_MAX: Final = 1_024
"""Final headers that are kept to compare witnesses by, the last that were seen."""
AHEAD_S: Final = 3_600
"""How far what is trusted may be ahead of the own clock, seconds: beyond that one of the two is wrong."""


class TrustExpiredError(UsageError):
    """What is trusted is too old to be believed."""

    code = "TRUST_EXPIRED"


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
            anchor: the genesis (`TrustAnchor.of`), a checkpoint, or the `anchor` of an earlier light client. It says
                how many blocks an epoch has: only the last one of an epoch leads to the next.
            engine: checks proofs of finality; it need not be started. None: Simplex.
            scheme: the network's signature scheme.
            trust_s: see `trust_s_of`.

        Raises:
            AnchorError: the anchor does not say how many blocks an epoch has.
        """
        self.trust_s = trust_s
        self._epoch_blocks = anchor.require_epoch_blocks()
        self.conflict: Conflict | None = None
        self._scheme = scheme
        self._engine = Simplex(scheme) if engine is None else engine
        self._anchor = anchor
        self._seen_ms = anchor.time_ms
        self._sets: OrderedDict[int, ValidatorSet] = OrderedDict()
        self._ended_ms: dict[int, int] = {}
        """Epochs that are over, of those sets -> the time of the last block."""
        self._add_epoch(anchor)
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
            UsageError: the anchor is of another network or names other epochs than the genesis, or the genesis names an
                engine that is not known here.
        """
        anchor = TrustAnchor.of(genesis) if anchor is None else anchor
        if anchor.genesis_hash != genesis.hash:
            raise UsageError("the trust anchor belongs to another network than the genesis")
        blocks = genesis.parameters.epoch_blocks
        if anchor.epoch_blocks not in {None, blocks}:
            raise UsageError(f"the trust anchor has epochs of {anchor.epoch_blocks} blocks, the genesis of {blocks}")
        if genesis.engine not in ENGINES:
            raise UsageError(f'the genesis names the engine "{genesis.engine}"; there are {", ".join(ENGINES)}')
        anchor = replace(anchor, epoch_blocks=blocks)
        return cls(anchor, engine=make_engine(genesis.engine, scheme), scheme=scheme, trust_s=trust_s_of(genesis))

    @property
    def anchor(self) -> TrustAnchor:
        """What is trusted now: save it (`to_json`), and begin with it the next time.

        Its time is that of the newest header that was found to be final.
        """
        return replace(self._anchor, time_ms=self._seen_ms)

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
        check_trust(self._seen_ms, self.epoch, self.trust_s, now)

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
                self._compare_old(link, now)
                continue
            self._check_end(link.header)
            anchor = follow_link(self._anchor, link, self._engine)
            self._remember(FinalHeader(link.header, link.finality))
            self._anchor = anchor
            self._add_epoch(anchor)
        return self.epoch - before

    def verify_header(self, header: Header, finality: bytes, now: int) -> FinalHeader:
        """Check that a header of a known epoch is final, and compare it with what was seen before.

        Args:
            header: untrusted.
            finality: its proof, untrusted.
            now: microseconds of Unix time.

        Raises:
            TrustExpiredError: what is trusted is too old.
            NotFinalError: it is not shown to be final, its height is not of its epoch, that epoch's validators are not
                known, or may have taken their stake back.
            ConflictError: another block is final at the same height.
        """
        self._check_sound()
        self.check_age(now)
        known = self._headers.get(header.height)
        if known is not None and known.header == header and known.finality == finality:
            return known
        if header.genesis_hash != self._anchor.genesis_hash:
            raise NotFinalError("a header of another network")
        if self._is_carrier(header):
            raise NotFinalError("a carrier: it decides on the block below it, and is none itself")
        if not self._is_of_its_epoch(header):
            raise NotFinalError(
                f"height {header.height} is not of epoch {header.epoch}: its validators do not decide it"
            )
        if header.epoch not in self._sets:
            raise NotFinalError(f"the validators of epoch {header.epoch} are not known: follow the links to it first")
        if not self.believes(header.epoch, now):
            raise NotFinalError(
                f"the validators of epoch {header.epoch} may have taken their stake back since: what they sign now "
                "proves nothing"
            )
        if not self._engine.verify(header, finality, self._sets.__getitem__):
            raise NotFinalError(f"the header of height {header.height} is not shown to be final")
        final = FinalHeader(header, finality)
        self._remember(final)
        return final

    def verify_ancestor(self, header: Header, above: Sequence[Header], finality: bytes, now: int) -> FinalHeader:
        """Check that a header is final by the proof of one above it, and compare it; raises as `verify_header` does.

        Args:
            header: untrusted.
            above: from its child to the header that is proven, untrusted; none: the proof is its own.
            finality: the proof, untrusted.
            now: microseconds of Unix time.
        """
        return self.verify_header(header, proof_of_ancestor(self._engine.name, above, finality), now)

    def verify_proof(self, proof: bytes, now: int) -> Proven:
        """Check an offline proof (at most 4 MB) that ends in a known epoch, or leads on by links of its own.

        Raises:
            TrustExpiredError: what is trusted is too old.
            ProofError: it proves nothing.
            ConflictError: two blocks were seen to be final at one height.
        """
        self._check_sound()
        self.check_age(now)
        return verify_proof_by(proof, lambda epoch: self._anchor_of(epoch, now), self._scheme)

    def believes(self, epoch: int, now: int) -> bool:
        """Tell whether the validators of an epoch are known, and cannot have taken their stake back.

        Args:
            epoch: whose.
            now: microseconds of Unix time; if the newest final header is ahead of it, that counts.
        """
        if epoch not in self._sets:
            return False
        ended_ms = self._ended_ms.get(epoch)
        return ended_ms is None or max(now // 1_000, self._seen_ms) - ended_ms <= self.trust_s * 1_000

    # --- inside ---

    def _add_epoch(self, anchor: TrustAnchor) -> None:
        epoch, before = int(anchor.epoch), anchor.before
        if before is not None:
            self._sets.setdefault(epoch - 1, before.validators)
            self._ended_ms[epoch - 1] = before.time_ms
        self._sets[epoch] = anchor.validators
        while len(self._sets) > EPOCHS_REMEMBERED_MAX:
            oldest, _ = self._sets.popitem(last=False)
            self._ended_ms.pop(oldest, None)

    def _check_end(self, header: Header) -> None:
        """Check that a link's header is of the last block of its epoch.

        Raises:
            EpochLinkError: it is not.
        """
        if self._is_carrier(header):
            raise EpochLinkError(f"the link of epoch {header.epoch} holds a carrier, no block")
        last = boundary_of(header.epoch, self._epoch_blocks)
        if header.height != last:
            raise EpochLinkError(
                f"the link of epoch {header.epoch} holds the block of height {header.height}, not the last one ({last})"
            )

    def _is_of_its_epoch(self, header: Header) -> bool:
        epoch = epoch_of(header.height, self._epoch_blocks) if self._engine.follows_epochs else 0
        return header.epoch == epoch

    def _is_carrier(self, header: Header) -> bool:
        return self._engine.name == Simplex.name and is_carrier(header)

    def _anchor_of(self, epoch: int, now: int) -> TrustAnchor:
        if not self.believes(epoch, now):
            return self._anchor
        return TrustAnchor(self._anchor.genesis_hash, self._sets[epoch], Epoch(epoch))

    def _check_sound(self) -> None:
        if self.conflict is not None:
            raise ConflictError(self.conflict)

    def _compare_old(self, link: EpochLink, now: int) -> None:
        """Compare a link of an epoch that is over with what is known, if it is another one and is proven."""
        header = link.header
        known = self._headers.get(header.height)
        if known is None or known.header == header or self._is_carrier(header):
            return
        self._check_end(header)
        if not self.believes(header.epoch, now):  # who has left can sign anything
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
        if header.epoch >= self.epoch:  # what an epoch that is over signs makes nothing younger
            self._seen_ms = max(self._seen_ms, header.time_ms)
        if len(self._headers) > HEADERS_REMEMBERED_MAX:
            self._headers.popitem(last=False)


def trust_s_of(genesis: Genesis) -> int:
    """Return how long trust lasts in a network, seconds: 14 days, or two thirds of a shorter unbonding period."""
    return min(TRUST_S, genesis.parameters.unbonding_s * 2 // 3)


def check_trust(time_ms: int, epoch: int, trust_s: int, now: int) -> None:
    """Check that the newest block that is trusted is young enough.

    Args:
        time_ms: of the block, Unix milliseconds.
        epoch: whose validators are trusted.
        trust_s: how long trust lasts, seconds.
        now: microseconds of Unix time.

    Raises:
        TrustExpiredError: it is not, or it is ahead of the clock by more than an hour; the message says what to do.
    """
    age_s = now // MICROSECONDS - time_ms // 1_000
    if age_s > trust_s:
        raise TrustExpiredError(
            f"the last final block that is trusted, of epoch {epoch}, is {_span(age_s)} old, at most {_span(trust_s)} "
            "is safe: get a newer trust anchor from an operator whom you trust"
        )
    if age_s < -AHEAD_S:
        raise TrustExpiredError(
            f"the last final block that is trusted, of epoch {epoch}, is {_span(-age_s)} in the future: set the clock, "
            "or get another trust anchor from an operator whom you trust"
        )


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
