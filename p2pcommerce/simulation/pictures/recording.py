"""Recording one world for its space-time diagram: messages of the engine, views, blocks, crashes.

Source: Lamport, Time, Clocks and the Ordering of Events (1978), for the diagram.
"""

from __future__ import annotations

from typing import Any

from p2pcommerce.finality.simplex import messages
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.world import World
from p2pcommerce.wire.messages import Engine

__all__ = ["record"]


class _Recorder:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.finals: list[dict[str, int]] = []
        self.downs: list[dict[str, int]] = []
        self.ups: list[dict[str, int]] = []
        self.views: list[list[tuple[int, int]]] = []

    def hear(self, kind: str, now_us: int, node: int, about: object) -> None:
        if kind == "send" and isinstance(about, tuple):
            self._on_sent(now_us, node, *about)
        elif kind == "final" and isinstance(about, CommittedBlock):
            self.finals.append({"at_us": now_us, "node": node, "height": about.block.header.height})
        elif kind == "down":
            self.downs.append({"at_us": now_us, "node": node})

    def _on_sent(self, now_us: int, node: int, target: int, arrives_us: int, message: object) -> None:
        if not isinstance(message, Engine):
            return
        for kind, view in _kinds(message.data):
            self.sent.append(
                {"kind": kind, "view": view, "from": node, "to": target, "at_us": now_us, "arrives_us": arrives_us}
            )

    def look(self, host: Host, now_us: int) -> None:
        """See in which view a node is; 0: it is down."""
        while len(self.views) <= host.number:
            self.views.append([(0, 0)])
        view = 0 if host.core is None else host.core.engine_status().view
        seen = self.views[host.number]
        if seen[-1][1] != view:
            if not seen[-1][1] and now_us:
                self.ups.append({"at_us": now_us, "node": host.number})
            seen.append((now_us, view))


def _kinds(data: bytes) -> list[tuple[str, int]]:
    """Return kind and view of what a message of the engine says."""
    try:
        message = messages.decode_message(data)
    except RemoteProtocolError:
        return []
    if isinstance(message, messages.Proposal):
        return [("propose", messages.decode_seal(message.header).view)]
    if isinstance(message, messages.Cast):
        return [(message.vote.ballot.kind.name.lower(), message.vote.ballot.view)]
    return []


def record(scenario: Scenario) -> dict[str, Any]:
    """Run a world and return what happened in it, as plain data; times in microseconds of world time."""
    recorder = _Recorder()
    world = World(scenario, WorldOptions(orders=False, watcher=recorder.hear))
    world.start()
    while world.now_us < scenario.horizon_us and world.step():
        for host in world.hosts:
            recorder.look(host, world.now_us)
    result = world.result()
    return {
        "seed": scenario.seed,
        "table": scenario.table,
        "delay_us": result.delay_us,
        "regions": [world.links.table.regions[region] for region in world.links.regions],
        "sent": recorder.sent,
        "finals": recorder.finals,
        "downs": recorder.downs,
        "ups": recorder.ups,
        "views": recorder.views,
        "trace_hash": result.trace_hash,
    }
