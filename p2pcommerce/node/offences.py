"""Offences: what this node knows of validators that broke the engine's rules, until the chain has punished them.

    the own engine finds it, or a peer tells of it
      -> judged once by the final state's validator sets -> logged durably -> told to every peer
      -> reported on the chain by the node's own account, a little later if a peer told of it
      -> forgotten when a final block has punished it, or when it is too old to count

One piece of evidence is kept for each offender and epoch: one is all that counts. Of two nodes that report the same
one the second pays a fee for nothing; so each waits for a drawn moment, who only heard of it longer than who found it.
Reports do not end before the evidence does: during a halt of the chain the pool drops what waits for hours. Since the
wait doubles, they are few.

An engine that follows no epochs keeps the genesis set for ever, in epoch 0: an offender loses stake and is jailed in
the books, once, and goes on voting with the stake of the genesis. What is logged then says so.

Evidence of an epoch that this node does not know (yet, or any more) cannot be judged: it is dropped and nobody is
blamed. Who sends what proves nothing is closed.

Source: the evidence of the finality specification.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from p2pcommerce.finality.engine import FinalityEngine, Sets
from p2pcommerce.ledger.application import Application, Punishing
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.effects import Append, Effect, Log, OffenceFound, Report, Transmit
from p2pcommerce.node.log_records import EVIDENCE_RECORD
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId, PublicKey, short
from p2pcommerce.wire.messages import EVIDENCE_BYTES_MAX, Evidence

__all__ = [
    "FOUND_MAX",
    "HELD_MAX",
    "JUDGED_BURST",
    "REPORT_WAIT_US_MAX",
    "RESEND_US",
    "SEEN_MAX",
    "EvidenceError",
    "Offences",
    "words",
]

HELD_MAX: Final = 512
"""Offences that are kept, twice the largest validator set; beyond that the oldest of who has the most is dropped."""
SEEN_MAX: Final = 4_096
"""Hashes of evidence that needs no second look."""
FOUND_MAX: Final = 64
"""Offences that are remembered for people."""
JUDGED_BURST: Final = 64
"""Pieces of evidence that one peer may have judged at once ..."""
JUDGED_REFILL_US: Final = MICROSECONDS
"""... and one more after each of these."""
RESEND_US: Final = 30 * MICROSECONDS
"""Peers are told again of what no final block holds yet: some could not judge it when it came."""
_REPORT_AGAIN_US: Final = 10 * MICROSECONDS
"""An offence is reported again after twice this; the wait doubles each time ..."""
REPORT_WAIT_US_MAX: Final = 86_400 * MICROSECONDS
"""... up to a day: reports go on for as long as the evidence counts."""
_SPREAD_DELAYS: Final = 16
"""Base delays over which reports of one offence are spread."""
_WORDS: Final = {
    "E1": "voted for two blocks in one view",
    "E2": "voted twice to finalize in one view",
    "E3": "voted to finalize what it voted to skip",
    "E4": "voted to finalize another block than the one it voted for",
    "E5": "proposed two blocks in one view or slot",
    "E6": "signed a block that must not stand on its parent",
    "F1": "voted for two checkpoints of one height",
    "F2": "voted around an earlier vote of its own",
}

_Key: TypeAlias = tuple[PublicKey, int]


class EvidenceError(RemoteProtocolError):
    """A peer sent evidence that proves nothing."""

    code = "EVIDENCE"


@dataclass(slots=True)
class _Held:
    """One offence that no final block holds yet.

    Attributes:
        knowers: peers that told of it, or were told in this connection.
        report_at, resend_at: microseconds; None: never.
        reports: how often it was reported.
    """

    offence: Offence
    evidence: bytes
    knowers: dict[PeerId, None]
    report_at: int | None
    resend_at: int
    reports: int = 0


class Offences:
    """The offences that one node knows of.

    Attributes:
        found: the last ones it learned of, punished or not, the oldest first.
        counters: events by name.
    """

    def __init__(
        self,
        engine: FinalityEngine,
        chain: Chain,
        application: Application,
        genesis: Genesis,
        own: PublicKey,
        rng: random.Random,
    ) -> None:
        """Judge by `engine` and the final state of `chain`.

        An application that punishes nobody gets no reports; nor are there any of this node's `own` key.
        """
        self.found: deque[OffenceFound] = deque(maxlen=FOUND_MAX)
        self.counters: Counter[str] = Counter(found=0, heard=0, punished=0)
        self._engine = engine
        self._chain = chain
        self._application = application if isinstance(application, Punishing) else None
        self._own = own
        self._delay_us = genesis.parameters.base_delay_ms * 1_000
        self._rng = rng
        self._held: OrderedDict[_Key, _Held] = OrderedDict()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._peers: dict[PeerId, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._held)

    # --- the log ---

    def records(self) -> tuple[bytes, ...]:
        """Return what a rewritten log must hold of it."""
        return tuple(EVIDENCE_RECORD + held.evidence for held in self._held.values())

    def restore(self, evidence: Sequence[bytes], now: int) -> None:
        """Take back what the log held; what was punished meanwhile, or is too old, is forgotten."""
        for data in evidence:
            offence, _ = self._judge(data)
            if offence is not None and self._is_new(offence):
                self._hold(offence, data, None, now)

    # --- learning of offences ---

    def on_found(self, data: bytes, now: int) -> list[Effect]:
        """Take what the own engine found."""
        offence, _ = self._judge(data)
        if offence is None or not self._is_new(offence) or len(data) > EVIDENCE_BYTES_MAX:
            return []
        self.counters["found"] += 1
        return self._take(offence, data, None, now)

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take what a peer tells.

        Raises:
            EvidenceError: it proves nothing.
        """
        digest = blake2b_256(data)
        if digest in self._seen:
            self.counters["known"] += 1
            for held in self._held.values():
                if held.evidence == data:
                    held.knowers[peer] = None
            return []
        if not self._may_judge(peer, now):
            self.counters["dropped"] += 1
            return []
        offence, is_known_epoch = self._judge(data)
        if offence is None:
            if is_known_epoch:
                self.counters["worthless"] += 1
                raise EvidenceError("it sent evidence that convicts nobody")
            self.counters["unjudged"] += 1
            return []
        self._remember(digest)
        if not self._is_new(offence):
            self.counters["known"] += 1
            return []
        self.counters["heard"] += 1
        return self._take(offence, data, peer, now)

    def _may_judge(self, peer: PeerId, now: int) -> bool:
        """Take one token of a peer's bucket."""
        tokens, since = self._peers.get(peer, (JUDGED_BURST, now))
        gained = (now - since) // JUDGED_REFILL_US
        if gained > 0:
            tokens, since = min(JUDGED_BURST, tokens + gained), since + gained * JUDGED_REFILL_US
        self._peers[peer] = max(0, tokens - 1), since
        return tokens > 0

    @property
    def sets(self) -> Sets:
        """Epoch -> validator set, of the epochs from which evidence counts now."""
        chain = self._chain
        return chain.rules.evidence_sets(chain.state.final)

    def _judge(self, data: bytes) -> tuple[Offence | None, bool]:
        """Return the offence that evidence proves, and whether its epoch is one of those that are known here."""
        sets, unknown = self.sets, False

        def find(epoch: int) -> ValidatorSet:
            nonlocal unknown
            try:
                return sets(epoch)
            except KeyError:
                unknown = True
                raise

        return self._engine.convict(data, find), not unknown

    def _is_new(self, offence: Offence) -> bool:
        if (offence.offender, offence.epoch) in self._held:
            return False
        return self._application is None or not self._application.is_punished(offence, self._chain.state.final)

    def _take(self, offence: Offence, data: bytes, peer: PeerId | None, now: int) -> list[Effect]:
        held = self._hold(offence, data, peer, now)
        found = OffenceFound(offence, data, peer)
        self.found.append(found)
        heard = "" if peer is None else f", says peer {short(peer)}, and proves it"
        return [
            Append(EVIDENCE_RECORD + data),
            Log("WARNING", "offences", f"{words(offence)}{heard}"),
            found,
            *self._tell(held),
        ]

    def _hold(self, offence: Offence, data: bytes, peer: PeerId | None, now: int) -> _Held:
        spread_us = _SPREAD_DELAYS * self._delay_us
        wait_us = self._rng.randrange(spread_us) + (0 if peer is None else spread_us)
        may_report = self._application is not None and offence.offender != self._own
        report_at = now + wait_us if may_report else None
        held = _Held(offence, data, {} if peer is None else {peer: None}, report_at, now + RESEND_US)
        self._held[offence.offender, offence.epoch] = held
        self._remember(blake2b_256(data))
        if len(self._held) > HELD_MAX:
            self._crowd_out()
        return held

    def _crowd_out(self) -> None:
        """Drop the oldest offence of who has the most: one that breaks rules in every epoch hides no other."""
        counts = Counter(offender for offender, _ in self._held)
        most = max(counts.values())
        del self._held[next(key for key in self._held if counts[key[0]] == most)]
        self.counters["crowded_out"] += 1

    def _remember(self, digest: bytes) -> None:
        self._seen[digest] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    # --- telling others ---

    def on_connected(self, peer: PeerId, now: int) -> list[Effect]:
        """Tell a new peer of everything that is held."""
        self._peers.setdefault(peer, (JUDGED_BURST, now))
        return [effect for held in self._held.values() for effect in self._tell(held)]

    def on_disconnected(self, peer: PeerId) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)
        for held in self._held.values():
            held.knowers.pop(peer, None)

    def _tell(self, held: _Held) -> list[Effect]:
        told = [peer for peer in self._peers if peer not in held.knowers]
        held.knowers.update(dict.fromkeys(told))
        message = Evidence(held.evidence)
        return [Transmit(peer, message) for peer in told]

    # --- time, and the chain ---

    @property
    def deadline(self) -> int | None:
        """When something is to be reported or told again, microseconds."""
        return earliest(*[at for held in self._held.values() for at in (held.report_at, held.resend_at)])

    def on_deadline(self, now: int) -> list[Effect]:
        """Report what is due, and tell peers again."""
        effects: list[Effect] = []
        for key, held in list(self._held.items()):
            if held.resend_at <= now:
                if self._judge(held.evidence)[0] is None:
                    self.counters["expired"] += 1
                    del self._held[key]
                    continue
                held.resend_at = now + RESEND_US
                held.knowers.clear()
                effects += self._tell(held)
            if held.report_at is not None and held.report_at <= now:
                effects.append(self._report(held, now))
        return effects

    def _report(self, held: _Held, now: int) -> Report:
        self.counters["reported"] += 1
        held.reports += 1
        wait_us = min(_REPORT_AGAIN_US << held.reports, REPORT_WAIT_US_MAX)
        held.report_at = now + wait_us + self._rng.randrange(_REPORT_AGAIN_US)
        return Report(held.offence, held.evidence)

    def on_final(self) -> list[Effect]:
        """Forget what a final block has punished."""
        if self._application is None or not self._held:
            return []
        view, effects = self._chain.state.final, list[Effect]()
        for key, held in list(self._held.items()):
            if self._application.is_punished(held.offence, view):
                del self._held[key]
                self.counters["punished"] += 1
                who, epoch = short(held.offence.offender), held.offence.epoch
                words = f"validator {who} is punished for what it did in epoch {epoch}{self._still}"
                effects.append(Log("INFO", "offences", words))
        return effects

    @property
    def _still(self) -> str:
        """What a punishment does not change."""
        engine = self._engine
        return "" if engine.follows_epochs else f"; it goes on voting, for {engine.name} keeps the genesis validators"


def words(offence: Offence) -> str:
    """Return what somebody did, in words."""
    did = _WORDS.get(offence.kind, "broke a rule of voting")
    return f"validator {short(offence.offender)} {did}, in epoch {offence.epoch} ({offence.kind})"
