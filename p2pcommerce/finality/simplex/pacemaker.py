"""When a view starts, and when it has taken too long: timers and the adaptation of D. It knows no votes and no blocks.

A view is entered at one time and starts at another (rule 1): until it starts, no timer runs and the leader does not
build. The start waits for the block interval, so that nobody nullifies a leader for keeping it; but never more than one
interval after the entry, so that a block dated ahead cannot hold the network back.

Source: rules 1, 5 and 10 of the finality specification. Deviations from rule 10, for networks that are slower than D0
for long: D does not shrink by a view that took more than 2 D, two thirds of what the advance timer allows, or it would
fall below what messages need again and again. By a view that was nullified it falls to D/2, not to D0, and only at a
node that waited for the proposal in vain: so a silent leader looks, and it does not make messages faster.
"""

from __future__ import annotations

from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.finality.voting import VoteKind

__all__ = ["Pacemaker"]


class Pacemaker:
    """The timers of the present view; all times in microseconds.

    Attributes:
        delay_us: D.
        entered: when the view was entered.
        started: when its timers started, None if they have not.
    """

    def __init__(self, parameters: SimplexParameters, now: int) -> None:
        """Enter the first view."""
        self._parameters = parameters
        self.delay_us = parameters.base_delay_us
        self.entered = now
        self.started: int | None = None
        self._pending_at: int | None = None
        self._nullified_at: int | None = None
        self._slow = False
        self._leader_failed = False

    def enter(self, kind: VoteKind, now: int) -> None:
        """Leave the view by a certificate of this kind, adapt D, and enter the next (rule 10)."""
        base = self._parameters.base_delay_us
        by_nullification = kind is VoteKind.NULLIFY
        waited = self._nullified_at is not None and by_nullification and now - self._nullified_at > self.delay_us
        if self._slow or waited:
            self.delay_us = min(3 * self.delay_us // 2, self._parameters.delay_max_us)
        elif by_nullification and self._leader_failed:
            self.delay_us = max(base, self.delay_us // 2)
        elif not by_nullification and (self.started is None or now - self.started <= 2 * self.delay_us):
            self.delay_us = max(base, self.delay_us - self.delay_us // 20)
        self.entered = now
        self.started = None
        self._pending_at = None
        self._nullified_at = None
        self._slow = False
        self._leader_failed = False

    @property
    def is_pending(self) -> bool:
        """Whether a waiting transaction was seen in this view."""
        return self._pending_at is not None

    def see_pending(self, now: int) -> None:
        """A transaction waits that the highest branch lacks."""
        if self._pending_at is None:
            self._pending_at = now

    def see_proposal(self, now: int) -> None:
        """The view's proposal is here."""
        if self.started is None:
            self.started = now
        if self._nullified_at is not None:
            self._slow = True

    def see_own_nullification(self, now: int, *, proposal_held: bool) -> None:
        """This node nullifies the view."""
        self._nullified_at = now
        if proposal_held and self.advance_at is not None and now >= self.advance_at:
            self._slow = True
        if not proposal_held and self.leader_at is not None and now >= self.leader_at:
            self._leader_failed = True

    def start_at(self, parent_time_ms: int, *, head_is_final: bool) -> int:
        """Return when a view that has not started will start, if nothing else happens.

        Args:
            parent_time_ms: time of the block that the view would build on, Unix milliseconds; 0 if not known.
            head_is_final: whether the highest branch is final.
        """
        interval_us = self._parameters.interval_ms * 1_000
        at = self.entered + self._parameters.heartbeat_us
        if not head_is_final:
            at = min(at, self.entered + self._parameters.base_delay_us)
        if self._pending_at is not None:
            at = min(at, self._pending_at)
        return max(at, min(parent_time_ms * 1_000 + interval_us, self.entered + interval_us))

    def start(self, now: int) -> None:
        """Let the timers run."""
        self.started = now

    @property
    def leader_at(self) -> int | None:
        """When a view without a proposal has taken too long: 2 D."""
        return None if self.started is None else self.started + 2 * self.delay_us

    @property
    def advance_at(self) -> int | None:
        """When any view has taken too long: 3 D."""
        return None if self.started is None else self.started + 3 * self.delay_us
