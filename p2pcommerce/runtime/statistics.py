"""Where a node stands, and every counter, as plain values."""

from __future__ import annotations

from collections.abc import Mapping

from p2pcommerce.node.node import Node
from p2pcommerce.runtime.driver import Driver
from p2pcommerce.runtime.reporting import plain_offence
from p2pcommerce.runtime.topics import Topics

__all__ = ["statistics_of"]


def statistics_of(
    core: Node, driver: Driver, stored_height: int, topics: Topics, sources: Mapping[str, object]
) -> dict[str, object]:
    """Return the statistics of a node: dict, list, str, int, None.

    Args:
        core: the node.
        driver: moves its inputs and effects.
        stored_height: of the last block that is final and stored.
        topics: the application's.
        sources: what the configured sources of peers say of themselves, by name.
    """
    status = core.engine_status()
    return {
        "height": stored_height,
        "engine": status.name,
        "epoch": status.epoch,
        "view": status.view,
        "leader": None if status.leader is None else status.leader.hex(),
        "state_root": core.chain.head.state_root.hex(),
        "head": core.chain.head.hash.hex(),
        "mempool": len(core.mempool),
        "peers": len(driver.links.attached),
        "offences": [plain_offence(found) for found in core.offences()],
        "sources": dict(sources),
        "topics": topics.statistics(),
        "connections": dict(driver.links.counters),
        "traffic": driver.links.traffic(),
        "resources": dict(driver.links.resources.statistics()),
        "rooms": {name: dict(counters) for name, counters in core.statistics().items()},
    }
