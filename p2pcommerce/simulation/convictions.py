"""Who is convicted in a world: what nodes find, what of it reaches the chain, and whether only the guilty pay.

The judge of ballots knows everything that was ever signed; nodes know only what they hear. Here the nodes are judged:

    innocent    nobody honest is ever accused, by any node, or punished by the chain
    jailed      who is punished is no candidate any more, and out of the set from the next epoch but one on, if the
                engine follows epochs
    accused     once the sides of a fork have heard of each other, honest nodes accuse at least a third of the stake
    found       offences by who learned of them; reported and punished ones, and how long that took

A core that wants an offence reported gets a transaction of its host's own account, as the runtime would make it.

Source: the evidence of the finality specification; the adversaries of the simulator specification.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

from p2pcommerce.commerce import Commerce
from p2pcommerce.ledger.application import Punishing
from p2pcommerce.ledger.epochs import epoch_of
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Event
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import OffenceFound, Report
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError, RejectionCode, TransactionRejectedError
from p2pcommerce.primitives.ids import MICROSECONDS, PublicKey
from p2pcommerce.simulation.churn import CHURNS
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.oracles import Oracles
from p2pcommerce.simulation.purse import Purse
from p2pcommerce.simulation.scenario import Scenario

__all__ = ["Convictions"]

_WHOLE_BPS: Final = 10_000
_EVENT: Final = "evidence.submit"
_NONCE_US: Final = 8 * MICROSECONDS
"""A report that is not final after so long is forgotten: the next one takes the state's nonce."""


class _Owner(Protocol):
    """What is needed of the world."""

    scenario: Scenario
    genesis: Genesis
    scheme: SignatureScheme
    oracles: Oracles
    hosts: list[Host]

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...


class Convictions:
    """The accused of one world.

    Attributes:
        accused: (offender, epoch) -> when the first honest node learned of it, microseconds.
        punished: offender -> height of the first block that punished it.
        rules: how often each rule was found broken, by honest nodes.
    """

    def __init__(self, owner: _Owner) -> None:
        """Watch a world."""
        self.accused: dict[tuple[PublicKey, int], int] = {}
        self.punished: dict[PublicKey, int] = {}
        self.rules: Counter[str] = Counter()
        self._owner = owner
        self._purses: dict[int, tuple[int, Purse]] = {}

    # --- what happens ---

    def on_offence(self, host: Host, effect: OffenceFound | Report) -> None:
        """A core has learned of an offence, or wants it reported."""
        now_us = self._owner.now_us
        if isinstance(effect, Report):
            self._report(host, effect, now_us)
            return
        offence = effect.offence
        if self._owner.oracles.is_honest(host):
            self.rules[offence.kind] += 1
            self.accused.setdefault((offence.offender, offence.epoch), now_us)
            self._check_guilty(offence.offender, f"node {host.number} accuses", now_us)

    def _check_guilty(self, offender: PublicKey, what: str, now_us: int) -> None:
        oracles = self._owner.oracles
        innocent = [each.number for each in self._owner.hosts if each.key == offender and oracles.is_honest(each)]
        if innocent:
            oracles.report("conviction", now_us, f"{what} node {innocent[0]}, which is honest")

    def _report(self, host: Host, report: Report, now_us: int) -> None:
        core = host.core
        if core is None or not isinstance(core.application, Punishing) or not core.can_submit():
            return
        since_us, purse = self._purses.get(host.number, (0, Purse(self._owner.scheme)))
        if now_us - since_us > _NONCE_US:
            purse = Purse(self._owner.scheme)
        try:
            transaction = purse.sign(core.application.report(report.evidence), host.seed, core)
        except (CodecError, TransactionRejectedError):
            return  # it cannot pay: its peers have been told
        purse.note(transaction)
        self._purses[host.number] = now_us, purse
        # As its own input after this one: a core is not re-entered while its effects are done.
        host.later(1, self._submit, host, transaction.raw)

    @staticmethod
    def _submit(host: Host, raw: bytes) -> None:
        host.submit(0, raw)

    def on_stored(self, committed: CommittedBlock) -> None:
        """A block is final, and some honest node has stored it."""
        for outcome in committed.outcomes:
            if outcome.code is RejectionCode.OK:
                for event in outcome.events:
                    if event.name == _EVENT:
                        self._on_punished(event, committed)

    def _on_punished(self, event: Event, committed: CommittedBlock) -> None:
        offender = PublicKey(event.ids[0])
        self.punished.setdefault(offender, committed.block.header.height)
        self._check_guilty(offender, "the chain punishes", committed.block.header.time_ms * 1_000)

    # --- the end ---

    def check_end(self, now_us: int) -> None:
        """See who must be accused, and at the highest honest node whether the punished are jailed and leave the set."""
        scenario = self._owner.scenario
        # Before the faults are over, the sides of a fork may not have heard of each other.
        if self._owner.oracles.forks and scenario.liveness_us and now_us >= scenario.horizon_us:
            self._check_accused(now_us)
        self._check_punished(now_us)

    def _check_accused(self, now_us: int) -> None:
        validators = self._owner.genesis.validators
        accused = validators.weight(dict.fromkeys(offender for offender, _ in self.accused))
        if 3 * accused < validators.total:
            words = f"of a fork, nodes accuse {accused} of {validators.total} of the stake, less than a third"
            self._owner.oracles.report("conviction", now_us, words)

    def _check_punished(self, now_us: int) -> None:
        owner = self._owner
        up = [host for host in owner.hosts if host.core is not None and owner.oracles.is_honest(host)]
        if not up or owner.oracles.forks or owner.scenario.churn != CHURNS[0]:
            return
        chain, application = max(up, key=lambda host: host.height).node.chain, up[0].node.application
        if not isinstance(application, Commerce):
            return
        epoch, view = chain.epoch_start.epoch, chain.state.final
        for offender, height in self.punished.items():
            found = application.query("validator", {"validator": offender}, view)
            if not isinstance(found, dict) or not found["jailed"] or found["candidate"]:
                owner.oracles.report("conviction", now_us, f"{offender.hex()[:8]} was punished, and is not jailed")
            left = epoch_of(height, chain.rules.blocks) + 2
            is_last = len(chain.epoch_start.validators) == 1  # an empty next set: the old one is kept
            must_leave = chain.rules.follows and epoch >= left and not is_last
            if must_leave and offender in chain.epoch_start.validators:
                owner.oracles.report(
                    "conviction", now_us, f"{offender.hex()[:8]} votes in epoch {epoch}, and had to leave in {left}"
                )

    def counts(self) -> dict[str, int]:
        """Return how many validators were accused and punished, and how often each rule was found broken.

        After a fork also the shares of the stake, in basis points, that signed what contradicts itself
        (`guilty_bps`), and that nodes have accused of it by themselves (`accused_bps`).
        """
        accused = dict.fromkeys(offender for offender, _ in self.accused)
        if not accused and not self._owner.oracles.forks:
            return {}
        total = {"accused": len(accused), "punished": len(self.punished), **dict(sorted(self.rules.items()))}
        if self._owner.oracles.forks:
            total["guilty_bps"] = self._share_bps(self._owner.oracles.judge.contradictions)
            total["accused_bps"] = self._share_bps(accused)
        return total

    def _share_bps(self, keys: Iterable[PublicKey]) -> int:
        validators = self._owner.genesis.validators
        return _WHOLE_BPS * validators.weight(keys) // validators.total
