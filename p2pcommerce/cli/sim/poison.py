"""`p2pcommerce sim gossip --attack poison`: is a node that restarts again and again left alone with an attacker?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Final

from p2pcommerce.cli.shared import print_json
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import terminable
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.simulation.peers import PoisonResult, PoisonScenario, run_poison

__all__ = ["run"]

_FIELDS: Final[Mapping[str, str]] = {"seed": "seed", "nodes": "honest", "restarts": "restarts", "book": "book"}
"""Option -> field of the scenario, which has the default."""


def run(args: argparse.Namespace) -> int:
    """Run one world, and print what the restarts led to."""
    chosen = {field: getattr(args, name) for name, field in _FIELDS.items() if getattr(args, name) is not None}
    scenario = PoisonScenario(**chosen)
    calm_collector()
    with terminable(), Progress(sys.stderr, "poison", scenario.restarts) as bar:
        result = run_poison(scenario, on_restart=lambda count: bar.show(count, f"{count} restarts"))
    if args.json:
        print_json(result.to_json())
    else:
        for line in _lines(result):
            print(line)
    return 0


def _lines(result: PoisonResult) -> list[str]:
    return [
        f"{result.honest} honest nodes, {result.poison} hostile records for each, in {result.groups} address groups; "
        f"book {result.book}, seed {result.seed}",
        f"restarts           {result.restarts} of one node; after {result.ok_share:.1%} of them it dialled at least 2 "
        "honest peers within a minute",
        f"honest outbound    {result.honest_outbound_mean:.2f} on average, {result.honest_outbound_min} at least; at "
        f"any second from the tenth after a restart {result.honest_outbound_low} at least",
        f"reached            {result.honest_in_tried:.1%} of the peers in its book that it ever reached are honest",
        f"trace hash         {result.trace_hash}",
    ]
