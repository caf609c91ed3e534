"""What `--kill-one` does: kill -9 of one validator under load, and its restart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import trio

from p2pcommerce.cli.demo.desk import Desk
from p2pcommerce.cli.demo.network import LocalNetwork
from p2pcommerce.cli.demo.story import Story

__all__ = ["NODES_MIN", "Outage", "kill_and_restart"]

NODES_MIN: Final = 4
"""Of fewer equal validators none can be missed: more than two thirds must vote."""
_FOREVER_AFTER_S: Final = 20.0
_DOWN_S_MAX: Final = 8.0
_DOWN_S_MIN: Final = 1.0
_CATCH_UP_S_MAX: Final = 60.0
"""A restarted validator that has not caught up after so long has failed."""
_BEHIND_MAX: Final = 2
"""Blocks that a node may be behind the first one at any moment and still be up to date."""


@dataclass(slots=True)
class Outage:
    """How it went.

    Attributes:
        validator: which one.
        down_s: from kill to restart.
        catch_up_s: from restart until it stood where the others did.
        caught_up: whether it came to that.
        blocks_missed: blocks that became final without it.
        longest_gap_ms: between two final blocks, from the kill to the end of the run.
    """

    validator: int
    down_s: float = 0.0
    catch_up_s: float = 0.0
    caught_up: bool = False
    blocks_missed: int = 0
    longest_gap_ms: float = 0.0


async def kill_and_restart(network: LocalNetwork, desk: Desk, story: Story, load_s: float, outage: Outage) -> None:
    """Kill the last validator in the middle of the load, and start it again a little later.

    Args:
        network: whose validator.
        desk: which sees the blocks.
        story: is told.
        load_s: length of the load, maybe infinite.
        outage: is filled in.
    """
    validator = network.validators[outage.validator]
    link = desk.links[outage.validator]
    await trio.sleep(_FOREVER_AFTER_S if math.isinf(load_s) else load_s / 2)
    desk.watch_gaps()
    before, killed_s = desk.height, trio.current_time()
    await network.kill(validator)
    story.network(f"validator {validator.index} is killed (kill -9) at height {before:,}; the others go on")
    await trio.sleep(min(_DOWN_S_MAX, max(_DOWN_S_MIN, load_s / 8)))
    started_s = trio.current_time()
    outage.down_s = round(started_s - killed_s, 3)
    outage.blocks_missed = desk.height - before
    story.network(f"validator {validator.index} starts again, {outage.blocks_missed:,} blocks behind")
    await network.start_one(validator)
    with trio.move_on_after(_CATCH_UP_S_MAX) as patience:
        while link.control is None or link.height < desk.height - _BEHIND_MAX:
            await desk.progress.wait()
    if patience.cancelled_caught:
        story.network(f"validator {validator.index} has not caught up after {_CATCH_UP_S_MAX:.0f} s")
        return
    outage.catch_up_s = round(trio.current_time() - started_s, 3)
    outage.caught_up = True
    story.network(f"validator {validator.index} has caught up after {outage.catch_up_s:.1f} s")
