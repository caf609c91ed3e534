"""`p2pcommerce sim gossip --nat`: who finds whom when many cannot be dialled, with and without reverse dialling."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial

from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import terminable
from p2pcommerce.simulation.peers import NatResult, NatScenario, run_nat

__all__ = ["lines", "run"]


def run(seed: int, nodes: int, hidden: float) -> Mapping[str, NatResult]:
    """Run the same network twice; return what came of it by name.

    Args:
        seed: decides everything.
        nodes: how many.
        hidden: share of them that nobody can dial.
    """
    found: dict[str, NatResult] = {}
    for name, asks in (("with", True), ("without", False)):
        scenario = NatScenario(seed=seed, nodes=nodes, hidden=hidden, asks=asks)
        with terminable(), Progress(sys.stderr, f"{name} reverse dialling", scenario.run_s) as bar:
            found[name] = run_nat(scenario, on_second=partial(_show, bar))
    return found


def _show(bar: Progress, second: int) -> None:
    bar.show(second, f"{second} s of world time")


def lines(found: Mapping[str, NatResult]) -> list[str]:
    """Return what is printed of `run`."""
    told = []
    for name, each in found.items():
        met = "never" if each.met_s is None else f"after {each.met_s:.0f} s at the median"
        told += [
            f"{name} reverse dialling: {each.nodes} nodes, of which nobody can dial {each.hidden}",
            f"  outbound         {each.outbound_min} at least, {each.outbound_mean:.2f} on average",
            f"  wanted           of {each.pairs} hidden nodes that another wants {each.pairs_met:.1%} are connected to "
            f"it, {met}",
            f"  not planned      {each.unplanned_share:.1%} of the hidden nodes have such connections, "
            f"{each.unplanned_mean:.2f} on average",
            f"  requests         {each.asked:,} sent, {each.relayed:,} passed on, {each.called:,} dials; "
            f"{each.called_max} of one node at most",
        ]
    return told
