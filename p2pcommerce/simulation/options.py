"""What an embedding program may choose of a world beside its scenario.

A scenario is data, kept in files; what is here are objects: an application, an engine, parameters, who watches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from p2pcommerce.commerce import Commerce
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.application import Application
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256
from p2pcommerce.simulation.tables import LatencyTable

__all__ = ["Watcher", "WorldOptions", "node_seed"]

Watcher: TypeAlias = Callable[[str, int, int, object], None]
"""Hears of kind ("send", "final", "sign", "down"), world time, node, and what it is about; for pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """What an embedding program may choose beside the scenario.

    Attributes:
        make_application: the application of one node.
        make_engine: an engine; None: the scenario's.
        parameters: of every node.
        chain: the chain's parameters; None: the defaults, with the scenario's base delay.
        sessions: drive real wire sessions.
        orders: the load holds orders, not transfers alone.
        account_seeds: key seeds (32 bytes) and balances of accounts at genesis, beside those of nodes and load.
        table: delays; None: the scenario's table.
        scheme: signatures; None: by the seed.
        watcher: hears what happens.
    """

    make_application: Callable[[], Application] = Commerce
    make_engine: Callable[[], FinalityEngine] | None = None
    parameters: NodeParameters | None = None
    chain: ChainParameters | None = None
    sessions: bool = False
    orders: bool = True
    account_seeds: tuple[tuple[bytes, int], ...] = ()
    table: LatencyTable | None = None
    scheme: SignatureScheme | None = None
    watcher: Watcher | None = None


def node_seed(number: int) -> bytes:
    """Return the key seed (32 bytes) of a node."""
    return blake2b_256(f"node {number}".encode())
