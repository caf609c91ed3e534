"""The end of a demo: do all nodes agree, is all money still there, is nothing lost, and does a proof hold offline."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from p2pcommerce.cli.demo.custody import Traced
from p2pcommerce.cli.demo.desk import Desk
from p2pcommerce.cli.demo.folder import DemoFolder
from p2pcommerce.cli.demo.market import Market
from p2pcommerce.commerce import HistoryEntry
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.proof import ProofError, TrustAnchor, verify_proof
from p2pcommerce.runtime.control_client import ControlAnswerError, ControlError

__all__ = ["Agreement", "TraceProof", "agreement", "disk_bytes", "drain", "prove_trace", "supply_ok"]

_DRAIN_S: Final = 30.0
_AGREE_S: Final = 30.0
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether all nodes hold the same state.

    Attributes:
        height: at which they were compared; the highest if they differ.
        state_roots: one per node, hexadecimal; empty text for a node that cannot be reached.
        agree: all are the same, at the same height.
    """

    height: int
    state_roots: tuple[str, ...]
    agree: bool


@dataclass(frozen=True, slots=True)
class TraceProof:
    """One product's history, proven offline.

    Attributes:
        product: GTIN and serial, as a GS1 Digital Link path.
        events: in its history.
        size_bytes: of the proof.
        verified: whether it holds, with nothing but the genesis.
        reason: why it does not; empty if it does.
        history: its entries, the first one first.
    """

    product: str
    events: int
    size_bytes: int
    verified: bool
    reason: str
    history: tuple[HistoryEntry, ...]


async def disk_bytes(folder: DemoFolder) -> int:
    """Return what the folder of a validator has in bytes, on average."""
    return await trio.to_thread.run_sync(_disk_bytes, folder)


def _disk_bytes(folder: DemoFolder) -> int:
    total = 0
    for index in range(folder.nodes):
        for path in folder.node_folder(index).rglob("*"):
            with suppress(FileNotFoundError):  # a log that is rotated, a file that is replaced
                total += path.stat().st_size
    return total // folder.nodes


async def drain(desk: Desk, market: Market) -> int:
    """Wait until everything that got a turn is final or refused; return how much is neither in the end."""
    with trio.move_on_after(_DRAIN_S):
        while market.out:
            await market.changed()
    return len(desk.pending)


async def agreement(desk: Desk) -> Agreement:
    """Compare the nodes' states once they stand at one height, which an idle network soon does."""
    found = await _states(desk)
    with trio.move_on_after(_AGREE_S):
        while len({height for height, _ in found}) != 1 or not found[0][1]:
            await trio.sleep(_POLL_S)
            found = await _states(desk)
    roots = tuple(root for _, root in found)
    return Agreement(max(height for height, _ in found), roots, bool(roots[0]) and len(set(found)) == 1)


async def _states(desk: Desk) -> list[tuple[int, str]]:
    found = []
    for link in desk.links:
        height, root = 0, ""
        if link.control is not None:
            try:
                statistics = await link.control.statistics()
                height, root = int(str(statistics["height"])), str(statistics["state_root"])
            except ControlError:
                height, root = 0, ""
        found.append((height, root))
    return found


async def supply_ok(desk: Desk, genesis: Genesis) -> bool:
    """Tell whether every node counts exactly the tokens of the genesis."""
    for link in desk.links:
        if link.control is None:
            return False
        supply = (await link.control.query("supply")).value
        if not isinstance(supply, dict) or not supply.get("conserved"):
            return False
        if supply.get("total_minor") != genesis.supply_minor:
            return False
    return True


async def prove_trace(desk: Desk, genesis_file: Path, item: Traced) -> TraceProof:
    """Let one node prove an item's history, and verify it here with nothing but the genesis file."""
    product = f"/01/{item.sgtin.gtin14}/21/{item.sgtin.serial}"
    control = desk.link_alive().control
    if control is None:
        return TraceProof(product, item.events, 0, verified=False, reason="no validator can be reached", history=())
    try:
        raw = await control.prove("item", issuer=item.maker.key.hex(), gtin=item.sgtin.gtin14, serial=item.sgtin.serial)
    except ControlAnswerError as error:
        return TraceProof(product, item.events, 0, verified=False, reason=error.detail, history=())
    trust = TrustAnchor.of(Genesis.load(genesis_file))
    try:
        proven = verify_proof(raw, trust)
    except ProofError as error:
        return TraceProof(product, item.events, len(raw), verified=False, reason=str(error), history=())
    complete = len(proven.history) >= item.events
    reason = "" if complete else f"it shows {len(proven.history)} of {item.events} events"
    return TraceProof(product, len(proven.history), len(raw), verified=complete, reason=reason, history=proven.history)
