"""When which fault strikes: the plan of one world, drawn from its seed.

Each kind draws from streams of its own, so that leaving one out changes no other. Faults of links are on from a drawn
moment until the world is healed; partitions come and go; hosts crash and restart. Kinds that need crashes to show
(`torn_write`, `bit_rot`, `stale_backup`) bring their own along. Where validators change, hosts crash and the network is
cut around the end of epochs, too.

A disk that breaks its promises (`lost_fsync`, `bit_rot`, `stale_backup`) can make an honest validator forget what it
signed. Such disks are given to less than a third of the stake, adversaries included: the victims.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from p2pcommerce.finality import FFG
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.churn import CHURNS
from p2pcommerce.simulation.connections import Connections
from p2pcommerce.simulation.faults import FAULTS
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.link_faults import PARTITION_SHAPES, LinkFault, partition
from p2pcommerce.simulation.links import Links
from p2pcommerce.simulation.oracles import Oracles
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.streams import Streams

__all__ = ["BREAKS_PROMISES", "Schedule", "ScheduleOwner", "victims_of"]

BREAKS_PROMISES: Final = ("lost_fsync", "bit_rot", "stale_backup")
"""Faults of disks after which an honest program may sign what contradicts its past."""
_LINK_FAULT_US_MAX: Final = 3 * MICROSECONDS
"""Faults of links begin at a drawn moment up to this."""
_PARTITION_US: Final = (1 * MICROSECONDS, 8 * MICROSECONDS)
_DOWN_US: Final = (50_000, 4 * MICROSECONDS)
"""How long a host is down."""
_JUMP_EVERY_US: Final = 10 * MICROSECONDS
_SNAPSHOT_EVERY_US: Final = 6 * MICROSECONDS
_OWN_CRASHES: Final = {"torn_write": 5 * MICROSECONDS, "bit_rot": 2 * MICROSECONDS, "stale_backup": 2 * MICROSECONDS}
"""Mean time between the crashes that a kind brings along, of each host that it concerns."""
_CRASH_AT_BOUNDARY: Final = 0.25
_CUT_AT_BOUNDARY: Final = 0.1
"""Where validators change, shares of the last two blocks of epochs at which a host crashes, and the network is cut."""
_AHEAD_US_MAX: Final = 10 * MICROSECONDS
"""A block may be dated so far ahead and is voted for at once (rule 3 of Simplex); with FFG it is D0."""
_STALE_US: Final = MICROSECONDS
"""What still waits on a slow link at the end of the faults, if it is more than this, is lost with its connection."""
_STEPS_MAX: Final = 40
"""A crash strikes after up to this many steps of its host: between any two effects."""


class ScheduleOwner(Protocol):
    """What the schedule needs of its world."""

    scenario: Scenario
    streams: Streams
    links: Links
    connections: Connections
    hosts: list[Host]
    oracles: Oracles

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...

    def at_world(self, world_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let something happen at a moment, whatever lives."""
        ...


def victims_of(scenario: Scenario, stakes: Sequence[int], streams: Streams) -> tuple[int, ...]:
    """Return the nodes whose disks may break their promises: with the adversaries, less than a third of the stake."""
    rng = streams.fresh("schedule.victims")
    total, used = sum(stakes), sum(stakes[node] for node in scenario.adversary_nodes if node < len(stakes))
    found: list[int] = []
    for node in rng.sample(range(scenario.nodes), scenario.nodes):
        stake = stakes[node] if node < len(stakes) else 0
        if node not in scenario.adversary_nodes and 3 * (used + stake) < total:
            used += stake
            found.append(node)
    return tuple(sorted(found))


class Schedule:
    """The faults of one world.

    Attributes:
        victims: nodes whose disks may break their promises.
        is_healed: faults are over.
        crashes: hosts that the fault `crash` has struck, those of other kinds left aside.
    """

    def __init__(self, owner: ScheduleOwner, victims: Sequence[int]) -> None:
        """Plan; `begin` puts the first strokes into the queue."""
        self._owner = owner
        self._faults = dict(owner.scenario.faults)
        self._end_us = owner.scenario.healed_us
        self.victims = tuple(victims)
        self.is_healed = not self._faults
        self.crashes = 0
        self._armed: dict[int, str] = {}
        self._cut_until_us = 0
        self._height = 0

    def _rng(self, name: str) -> random.Random:
        return self._owner.streams.of(f"schedule.{name}")

    def begin(self) -> None:
        """Plan everything until the world is healed."""
        if self.is_healed:
            return
        for kind in self._faults:
            if FAULTS[kind].part == "link" and kind != "partition":
                start_us = self._rng(kind).randrange(_LINK_FAULT_US_MAX)
                self._at(start_us, self._set_link_fault, kind)
        if "partition" in self._faults:
            self._plan_partition(self._rng("partition"), 0)
        for host in self._owner.hosts:
            self._begin_host(host)
        self._owner.at_world(self._end_us, self.heal)

    def _begin_host(self, host: Host) -> None:
        if "crash" in self._faults:
            mean_us = round(MICROSECONDS / self._faults["crash"])
            self._repeat(f"crash.{host.number}", mean_us, self._crash, host, "crash")
        if "clock_jump" in self._faults:
            self._repeat(f"clock_jump.{host.number}", _JUMP_EVERY_US, self._jump, host)
        for kind, mean_us in _OWN_CRASHES.items():
            if kind in self._faults and (kind not in BREAKS_PROMISES or host.number in self.victims):
                self._repeat(f"{kind}.{host.number}", mean_us, self._crash, host, kind)
        if "stale_backup" in self._faults and host.number in self.victims:
            self._repeat(f"snapshot.{host.number}", _SNAPSHOT_EVERY_US, self._snapshot, host)

    def _at(self, world_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        if world_us < self._end_us:
            self._owner.at_world(world_us, self._strike, call, arguments)

    def _strike(self, call: Callable[..., None], arguments: Sequence[Any]) -> None:
        """Do what was planned, unless the world was healed before."""
        if not self.is_healed:
            call(*arguments)

    def _repeat(self, name: str, mean_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Call now and again; the time between is even up to twice the mean."""
        wait_us = self._rng(name).randint(1, 2 * mean_us)
        self._at(self._owner.now_us + wait_us, self._again, name, mean_us, call, arguments)

    def _again(self, name: str, mean_us: int, call: Callable[..., None], arguments: Sequence[Any]) -> None:
        call(*arguments)
        self._repeat(name, mean_us, call, *arguments)

    # --- links ---

    def _set_link_fault(self, kind: str) -> None:
        self._owner.links.set_fault(LinkFault(kind=kind, intensity=self._faults[kind]))

    def _plan_partition(self, rng: random.Random, after_us: int) -> None:
        length_us = rng.randint(*_PARTITION_US)
        share = self._faults["partition"]
        gap_us = round(rng.randint(0, 2 * length_us) * (1 - share) / share)
        start_us = after_us + gap_us
        self._at(start_us, self._cut_and_plan, rng, min(start_us + length_us, self._end_us))

    def _cut(self, rng: random.Random, end_us: int) -> None:
        owner, nodes = self._owner, list(range(len(self._owner.hosts)))
        shape = PARTITION_SHAPES[rng.randrange(len(PARTITION_SHAPES))]
        owner.links.set_fault(partition(shape, nodes, rng))
        self._cut_until_us = max(self._cut_until_us, end_us)
        self._at(end_us, self._join)

    def _cut_and_plan(self, rng: random.Random, end_us: int) -> None:
        self._cut(rng, end_us)
        self._at(end_us, self._plan_partition, rng, end_us)

    def _join(self) -> None:
        if self._owner.now_us >= self._cut_until_us:
            self._owner.links.clear_fault("partition")

    # --- the end of an epoch ---

    def on_final(self, height: int) -> None:
        """A block is final somewhere: strike where its epoch ends, if validators change there."""
        scenario = self._owner.scenario
        is_new, self._height = height > self._height, max(height, self._height)
        if self.is_healed or not is_new or scenario.churn == CHURNS[0]:
            return
        if height % scenario.epoch_blocks not in {0, scenario.epoch_blocks - 1}:
            return
        now_us = self._owner.now_us
        if "crash" in self._faults and (rng := self._rng("boundary.crash")).random() < _CRASH_AT_BOUNDARY:
            self._crash(rng.choice(self._owner.hosts), "crash")
        if "partition" in self._faults and (rng := self._rng("boundary.partition")).random() < _CUT_AT_BOUNDARY:
            self._cut(rng, min(now_us + rng.randint(*_PARTITION_US), self._end_us))

    # --- hosts ---

    def _crash(self, host: Host, kind: str) -> None:
        if host.is_up:
            self._armed[host.number] = kind
            host.arm_crash(self._rng(f"{kind}.steps.{host.number}").randrange(_STEPS_MAX))

    def _jump(self, host: Host) -> None:
        host.clock.jump(self._owner.now_us)
        if host.is_up:
            host.rewind()

    def _snapshot(self, host: Host) -> None:
        host.disk.snapshot()

    def on_down(self, host: Host, kind: str) -> None:
        """A host stopped: it restarts, if it may."""
        self.note_spoilt(host)
        if self._armed.pop(host.number, None) == kind == "crash":
            self.crashes += 1
        if kind in {"halt", "damage"}:
            return
        wait_us = self._rng(f"down.{host.number}").randint(*_DOWN_US)
        self._owner.at_world(self._owner.now_us + wait_us, self._restart, host)

    def _restart(self, host: Host) -> None:
        if not host.is_up:
            host.disk.maybe_restore_backup()
            self.note_spoilt(host)
            host.start()

    def note_spoilt(self, host: Host) -> None:
        """See whether a host's disk has broken its promises."""
        if host.number not in self._owner.oracles.spoilt and any(host.disk.fired[kind] for kind in BREAKS_PROMISES):
            self._owner.oracles.spoilt.add(host.number)

    def _is_stale(self, one: int, other: int) -> bool:
        links, now_us = self._owner.links, self._owner.now_us
        return max(links.backlog_us(one, other, now_us), links.backlog_us(other, one, now_us)) > _STALE_US

    def heal(self) -> None:
        """End every fault."""
        self.is_healed = True
        self._armed.clear()
        owner = self._owner
        is_slotted = owner.scenario.engine == FFG.name
        ahead_us_max = owner.scenario.base_delay_us if is_slotted else _AHEAD_US_MAX
        # Else a link that was slow would bring the past for up to a minute more: the faults would not be over.
        owner.connections.cut(self._is_stale)
        owner.links.clear_fault()
        for host in owner.hosts:
            self.note_spoilt(host)
            host.disk.set_faults({})
            host.clock.heal(owner.now_us)
            host.arm_crash(None)
            if host.clock.held_us > ahead_us_max:
                # Until it starts anew others would wait for the time of its blocks: the fault would not be over.
                host.crash(power_loss=False)
            if host.is_up:
                host.rewind()
            else:
                self._restart(host)

    def fired(self) -> Counter[str]:
        """Return how often each kind of fault struck."""
        owner = self._owner
        total = owner.links.fired + owner.connections.fired
        for host in owner.hosts:
            total += host.clock.fired + host.disk.fired
        if "crash" in self._faults and self.crashes:
            total["crash"] += self.crashes
        return total
