"""What can be typed after `p2pcommerce sim`.

What runs has the defaults and knows the names. Nothing of the simulator is imported here: other commands would wait.
"""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_gossip", "add_picture", "add_twins", "add_worlds"]


def add_gossip(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sim gossip`."""
    add = parser.add_argument
    add(
        "--nodes",
        type=int,
        metavar="N",
        help="attackers included (default 200; sybil and eclipse 500); poison: honest ones (50)",
    )
    add(
        "--transactions",
        type=int,
        metavar="N",
        help="measured (default 1000 with up to 200 nodes, then fewer: 200 with 1000 nodes, 100 at least)",
    )
    add("--rate", type=float, metavar="TX", help="of these per second (default 200)")
    add("--bytes", type=int, metavar="N", help="of a transaction (default 250)")
    add(
        "--warmup",
        type=float,
        metavar="S",
        help="seconds of traffic before (default 40), of 20 transactions per second with up to 200 nodes, then fewer: "
        "4 with 1000 nodes",
    )
    add("--strategy", metavar="NAME", help="chosen (default; the product's router), gossipsub or flood")
    add("--private", action="store_true", default=None, help="every transaction goes by a stem before it is public")
    add("--mesh", type=int, metavar="N", help="gossipsub's D (default 8)")
    add("--idontwant", action="store_true", default=None, help="gossipsub's option against duplicates")
    add(
        "--attack",
        metavar="NAME",
        help="mute, never-answering, censor, spies, swallow, churn, cold-start, spam, sybil, eclipse, poison "
        "(default none)",
    )
    add("--attack-share", type=float, metavar="X", help="share of nodes that attack, 0 to 0.95 (default: the attack's)")
    add(
        "--settle", type=float, metavar="S", help="seconds of attack before measuring (default 0; sybil and eclipse 60)"
    )
    add(
        "--nat",
        type=float,
        metavar="X",
        help="share of nodes that nobody can dial, 0 to 0.8 (default 0); who finds whom is told, too",
    )
    add("--book", metavar="NAME", help="of poison: buckets (default; the product's address book) or flat")
    add("--restarts", type=int, metavar="N", help="of poison: restarts of the victim (default 100)")
    add("--latency", metavar="TABLE", help="aws (default), simblock or ethereum8")
    add("--seed", type=int, metavar="N", help="decides everything (default 1)")
    add(
        "--table",
        action="store_true",
        help="measure all goals: the product's router against gossipsub, quiet and under each attack, one row each",
    )
    add("--seeds", type=int, default=1, metavar="N", help="of each row of the table, whose medians count (default 1)")
    _add_workers(parser, of="of the table: ")


def add_worlds(parser: argparse.ArgumentParser, stack: str) -> None:
    """Add the options of `sim finality` or `sim network`."""
    add = parser.add_argument
    add("--first-seed", type=int, metavar="N", help="default 1")
    add("--seeds", type=int, metavar="N", help="worlds to run (default 100)")
    add("--seed", type=int, metavar="N", help="repeat one world")
    add("--validators", type=int, metavar="N", help="default 4")
    add("--stakes", metavar="N,...", help="of the validators, in every world (default: each seed draws its own)")
    if stack == "network":
        add("--nodes", type=int, metavar="N", help="validators and others (default 7)")
    add("--engine", metavar="NAME", help="simplex (default), ffg or solo")
    add("--faults", metavar="KINDS", help="all (each seed draws some), none, or NAME[=INTENSITY],... (default all)")
    add("--adversaries", metavar="NAMES", help="none, all, or NAME,...: below a third of the stake (default none)")
    add("--above-third", action="store_true", help="adversaries have a third of the stake; every fork convicts them")
    add("--latency", metavar="TABLE", help="aws (default), simblock or ethereum8")
    add("--rate", type=int, metavar="TX", help="transactions per second (default 5)")
    add("--horizon", type=float, metavar="S", help="seconds of world time (default 60; ffg 105)")
    add("--liveness", type=float, metavar="S", help="the last of these, without faults (default 30, or half; ffg 75)")
    add("--epoch-blocks", type=int, metavar="N", help="blocks in an epoch (default 7200)")
    add("--churn", metavar="HOW", help="validators change by epochs: none (default), overlap or disjoint")
    add("--scenario", type=Path, metavar="FILE", help="run the world of a file, as --shrink writes them")
    add(
        "--shrink",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="FILE",
        help="make the first failure small, and keep it in FILE (default: seed-N.scenario.json)",
    )
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help="keep results there, as CSV if it ends in .csv, else JSON lines; what is there is not run again",
    )
    _add_workers(parser)


def add_twins(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sim twins`."""
    add = parser.add_argument
    add("--validators", type=int, metavar="N", help="4 (default) to 6; one of them runs twice")
    add("--rounds", type=int, metavar="N", help="with a leader and a partition each (default 4)")
    add("--groups", type=int, metavar="N", help="of a partition at most (default 2)")
    add("--leaders", metavar="WHO", help="of rounds: any (default), or twinned: the one that runs twice alone")
    add("--sample", type=int, metavar="N", help="so many scenarios, without repetition (default: all)")
    add("--seed", type=int, metavar="N", help="decides the sample (default 1)")
    add("--arrangement", metavar="TEXT", help='repeat one scenario: "ab/cdD:c ..."')
    add("--out", type=Path, metavar="FILE", help="keep results there, as JSON lines; what is there is not run again")
    _add_workers(parser)


def add_picture(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sim picture`."""
    add = parser.add_argument
    add("name", metavar="NAME", help="latency, bytes, attacks, finality, spacetime, or all")
    add("--out", type=Path, default=Path("pictures"), metavar="DIR", help="where to (default: pictures)")
    add("--redraw", action="store_true", help="draw the data that an earlier run left in DIR, and run nothing")
    add("--seed", type=int, metavar="N", help="the first one (default 1)")
    add("--seeds", type=int, metavar="N", help="worlds for each point (default 3)")
    add("--nodes", type=int, metavar="N", help="of gossip worlds (default 100)")
    add("--transactions", type=int, metavar="N", help="in each of them (default 200)")
    _add_workers(parser)


def _add_workers(parser: argparse.ArgumentParser, *, of: str = "") -> None:
    parser.add_argument("--jobs", type=int, metavar="N", help=f"{of}processes (default: one for each core)")
    parser.add_argument("--dask", metavar="ADDRESS", help=f"{of}run on a Dask cluster: its scheduler, tcp://host:8786")
