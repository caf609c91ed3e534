"""Does finality go on: how long it takes, and whether it resumes once the faults are over.

A world is stalled if, at its end, an honest node has not made final any block that was proposed after the faults ended,
if the first such block took longer than any world may take (`gates`), or if a user still waits for a transaction
although finality resumed long ago. Nodes that are spoilt or stopped for good are not waited for, unless they and the
adversaries have a third of the stake: then nothing is promised.

Source: the liveness phase of the simulator specification (compare TigerBeetle's VOPR).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from p2pcommerce.finality import FFG
from p2pcommerce.primitives.ids import BlockHash
from p2pcommerce.simulation.boundaries import Boundaries
from p2pcommerce.simulation.gates import recovery_us_max
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.oracles import Oracles
from p2pcommerce.simulation.scenario import Scenario

__all__ = ["SETTLED_DELAYS_MAX", "Liveness"]

_RETRY_US_MIN: Final = 1_000_000
"""Wallets are not faster in a network with shorter delays."""
SETTLED_DELAYS_MAX: Final = 20
"""Base delays D0 after which a transaction must be final or refused, once finality has resumed: a wallet that hears
nothing turns to another node up to three times meanwhile."""
_SETTLED_DELAYS_MIN: Final = 6
"""Base delays after which what transient buffers held of the faults must be gone."""
SETTLED_SLOTS_MAX: Final = 50
"""The same for FFG, which takes 13 to 21 slots of D0 without faults. Source: the gate of the finality specification."""


class Liveness:
    """Measures one world.

    Attributes:
        delay_us: the message delay, microseconds.
        finality_us: from a block's proposal until an honest node had it final, one figure for each.
        recovery_us: from the end of the faults until a block proposed after it was final somewhere.
        boundaries: the gaps between epochs.
    """

    def __init__(self, oracles: Oracles, scenario: Scenario, delay_us: int) -> None:
        """Measure a world whose faults end at `scenario.healed_us`."""
        self.delay_us = delay_us
        self.finality_us: list[int] = []
        self.recovery_us: int | None = None
        self.boundaries = Boundaries(scenario.epoch_blocks)
        self._oracles = oracles
        self._scenario = scenario
        self._healed_us = scenario.healed_us
        self._proposed_us: dict[BlockHash, int] = {}
        self._final: dict[BlockHash, None] = {}
        self._fresh: dict[int, int] = {}

    @property
    def proposed(self) -> int:
        """Blocks that leaders have signed."""
        return len(self._proposed_us)

    @property
    def undecided(self) -> int:
        """Those of them that are final at no honest node."""
        return len(self._proposed_us) - len(self._final)

    def on_proposed(self, block_hash: BlockHash, world_us: int) -> None:
        """A leader has signed its proposal."""
        self._proposed_us.setdefault(block_hash, world_us)

    def on_final(self, host: Host, block_hash: BlockHash, height: int, world_us: int) -> None:
        """A core says that a block is final."""
        if not self._oracles.is_honest(host):
            return
        self.boundaries.on_final(height, world_us, is_quiet=self._is_quiet)
        proposed_us = self._proposed_us.get(block_hash)
        if proposed_us is None:
            return
        self.finality_us.append(world_us - proposed_us)
        self._final[block_hash] = None
        if proposed_us >= self._healed_us:
            self._fresh[host.number] = height
            if self.recovery_us is None:
                self.recovery_us = world_us - self._healed_us

    @property
    def _is_quiet(self) -> bool:
        scenario = self._scenario
        return not scenario.adversaries and (not scenario.faults or self.recovery_us is not None)

    def silent_bps(self, hosts: Sequence[Host]) -> int:
        """Return the stake, in 1/10,000, of validators that have stopped for good or follow rules of their own."""
        stakes, adversaries = self._scenario.stakes, self._scenario.adversary_nodes
        silent = {host.number for host in hosts if host.is_halted or host.is_damaged} | set(adversaries)
        return sum(stake for node, stake in enumerate(stakes) if node in silent) * 10_000 // sum(stakes)

    def stalled(self, hosts: Sequence[Host], world_us: int, waiting: Sequence[int] = ()) -> str:
        """Return why finality did not resume; empty if it did, or if nothing is promised.

        Args:
            hosts: of the world.
            world_us: its end, microseconds.
            waiting: since when users wait for transactions that are neither final nor refused, microseconds.
        """
        scenario, oracles = self._scenario, self._oracles
        faulty = oracles.faulty_stake(hosts)
        is_over = world_us >= scenario.horizon_us and not oracles.violations
        if not scenario.liveness_us or not is_over or 3 * faulty >= sum(scenario.stakes):
            return ""
        behind = [host for host in hosts if oracles.is_honest(host) and host.number not in self._fresh]
        if not behind:
            return self._late() or self._unsettled(waiting, world_us)
        names = ", ".join(f"node {host.number} at height {host.height}" for host in behind)
        return f"{scenario.liveness_us / 1_000_000:g} s after the faults ended no new block is final at {names}"

    def has_settled(self, world_us: int) -> bool:
        """Tell whether, at the end of a world, finality resumed so long ago that nothing transient may be left."""
        scenario = self._scenario
        waited_us = world_us - self._healed_us - (self.recovery_us or 0)
        is_over = world_us >= scenario.horizon_us and self.recovery_us is not None and scenario.liveness_us > 0
        return is_over and waited_us >= _SETTLED_DELAYS_MIN * scenario.base_delay_us

    def _late(self) -> str:
        """Return that finality resumed, but too late."""
        scenario = self._scenario
        limit_us = recovery_us_max(scenario.engine, scenario.base_delay_us)
        if self.recovery_us is None or self.recovery_us <= limit_us:
            return ""
        return (
            f"finality resumed {self.recovery_us / 1_000_000:g} s after the faults ended, "
            f"at most {limit_us / 1_000_000:g} s are allowed"
        )

    def _unsettled(self, waiting: Sequence[int], world_us: int) -> str:
        """Return which users wait for longer than a network without faults makes them."""
        delays_max = SETTLED_SLOTS_MAX if self._scenario.engine == FFG.name else SETTLED_DELAYS_MAX
        limit_us = delays_max * max(self._scenario.base_delay_us, _RETRY_US_MIN)
        resumed_us = self._healed_us + (self.recovery_us or 0)
        late = [since_us for since_us in waiting if world_us - max(since_us, resumed_us) > limit_us]
        if not late:
            return ""
        return (
            f"{len(late)} transactions are neither final nor refused, one handed in at {min(late) / 1_000_000:g} s; "
            f"finality resumed at {resumed_us / 1_000_000:g} s"
        )
