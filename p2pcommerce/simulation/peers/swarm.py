"""The attacker of a world of discovery: many addresses in a few address groups, and everything said about them.

Its puppets answer whoever dials them, tell of nothing but each other, call every node without end so that their records
are in its book and its places for calls are taken, and never hang up.

Source: Heilman et al., Eclipse Attacks on Bitcoin's Peer-to-Peer Network, 2015, sections 3 to 5.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Final

from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.peers.host import Host
from p2pcommerce.simulation.peers.world import PeersWorld

__all__ = ["Swarm"]

_CALL_US: Final = 30 * MICROSECONDS
_FOCUS_US: Final = MICROSECONDS
_ANSWER_MAX: Final = 1_000
_MORE: Final = 2
"""Calls beyond what a node's places hold already: so each puppet becomes known in time."""


class Swarm:
    """The attacker.

    Attributes:
        puppets: its nodes.
    """

    def __init__(self, puppets: Sequence[Host], rng: random.Random) -> None:
        """Take the puppets."""
        self.puppets = puppets
        self._rng = rng

    def answer(self, puppet: Host) -> list[bytes]:
        """Return the records that a puppet tells of: as many as one answer may have, of other puppets."""
        del puppet
        count = min(_ANSWER_MAX, len(self.puppets))
        return [host.record for host in self._rng.sample(self.puppets, count)]

    def begin(self, world: PeersWorld, targets: Sequence[Host], focus: Host, calls: int) -> None:
        """Call each of the targets without end, one of them each second, until so many puppets are connected to it."""
        for target in targets:
            pause_us = _FOCUS_US if target is focus else _CALL_US
            world.at(world.now_us + self._rng.randrange(pause_us), partial(self._call, world, target, calls, pause_us))

    def _call(self, world: PeersWorld, target: Host, calls: int, pause_us: int) -> None:
        if target.core is not None:
            held = sum(world.host(peer).is_hostile for peer in target.links)
            for _ in range(max(_MORE, calls - held)):
                puppet = self.puppets[self._rng.randrange(len(self.puppets))]
                if target.key not in puppet.links:
                    world.dial(puppet, target.address, target.key)
        world.at(world.now_us + pause_us, partial(self._call, world, target, calls, pause_us))
