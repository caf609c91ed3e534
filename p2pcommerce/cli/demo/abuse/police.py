"""Tries frauds side by side while the trade goes on, and sums up what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from p2pcommerce.cli.demo.abuse.cloned_tag import ClonedTag
from p2pcommerce.cli.demo.abuse.double_custody import DoubleCustody
from p2pcommerce.cli.demo.abuse.fraud import Fraud, FraudError, Verdict
from p2pcommerce.cli.demo.abuse.ground import Ground
from p2pcommerce.cli.demo.abuse.points_run import PointsRun
from p2pcommerce.cli.demo.abuse.referral_ring import ReferralRing
from p2pcommerce.cli.demo.abuse.silent_arbiter import SilentArbiter
from p2pcommerce.cli.demo.abuse.wash_reviews import WashReviews
from p2pcommerce.runtime.control_client import ControlError

__all__ = ["FRAUDS", "AbuseReport", "Police"]

FRAUDS: Final[dict[str, type[Fraud]]] = {
    fraud.NAME: fraud for fraud in (ReferralRing, WashReviews, DoubleCustody, ClonedTag, PointsRun, SilentArbiter)
}


@dataclass(frozen=True, slots=True)
class AbuseReport:
    """What came of all frauds, in the order in which they were asked for."""

    verdicts: tuple[Verdict, ...]

    @property
    def name(self) -> str:
        """See `Section`."""
        return "abuse"

    @property
    def ok(self) -> bool:
        """Whether the rules held against each."""
        return all(verdict.held for verdict in self.verdicts)

    def to_plain(self) -> dict[str, object]:
        """See `Section`."""
        return {verdict.fraud: verdict.to_plain() for verdict in self.verdicts}

    def lines(self) -> Iterator[str]:
        """See `Section`."""
        for verdict in self.verdicts:
            yield from verdict.lines()


class Police:
    """Knows what is tried.

    Attributes:
        done: everything was tried to its end.
    """

    def __init__(self, names: Sequence[str], ground: Ground, secret: bytes) -> None:
        """Prepare some frauds, by their names; the keys of their people come from `secret`."""
        self.done = trio.Event()
        self._frauds = [FRAUDS[name](ground, secret) for name in names]
        self._verdicts: dict[str, Verdict] = {}

    async def watch(self) -> None:
        """Let all of them be tried."""
        async with trio.open_nursery() as nursery:
            for fraud in self._frauds:
                nursery.start_soon(self._try, fraud)
        self.done.set()

    def report(self) -> AbuseReport:
        """Return what is known now; what is still under way is broken off."""
        unfinished = "the demo ended first; give it a longer --duration"
        found = [
            self._verdicts.get(fraud.NAME, Verdict(fraud=fraud.NAME, facts={}, broken=unfinished))
            for fraud in self._frauds
        ]
        return AbuseReport(tuple(found))

    async def _try(self, fraud: Fraud) -> None:
        try:
            verdict = await fraud.commit()
        except (FraudError, ControlError) as error:
            verdict = Verdict(fraud=fraud.NAME, attempts=tuple(fraud.attempts), facts=fraud.facts, broken=str(error))
        self._verdicts[fraud.NAME] = verdict
