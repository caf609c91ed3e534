"""`p2pcommerce trace export`: the history of an item as an EPCIS document, with the event hashes as ids.

The chain has the hashes; the events themselves are in the node's folder, if they were imported with it, or in documents
that are given. What orders did to an item has no event of its own: it is written as one, from what the chain says.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import PARTIAL, ArgumentError, print_json, public_key_of
from p2pcommerce.cli.trace_archive import EventArchive
from p2pcommerce.cli.trace_goods import ACCOUNT_URN, goods_id
from p2pcommerce.cli.trace_import import ControlSource
from p2pcommerce.commerce import HistoryEntry
from p2pcommerce.commerce.epcis import Event, Goods, IdentifierError, parse_goods, write_document, write_link
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.proof import TrustAnchor
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.runtime.control_client import connect_control
from p2pcommerce.runtime.durable_file import create_file

__all__ = ["chain_event", "export_events", "run_export"]

_TRANSACTION_URN: Final = "urn:p2pcommerce:transaction:"
_STEPS: Final = {
    "order.ship": ("shipping", "in_transit"),
    "order.confirm": ("retail_selling", "retail_sold"),
}
"""What an order does to an item, in words of CBV 2.0; how a settled or refunded one ended, the chain's entry alone does
not say."""


def chain_event(goods: Goods, entry: HistoryEntry, units: int = 1) -> Event:
    """Return the event that stands for what an order did to an item, of which the chain has no event hash.

    Args:
        goods: the item.
        entry: of its history.
        units: that the item has.
    """
    moment = dt.datetime.fromtimestamp(entry.time_ms / 1_000, dt.UTC).isoformat(timespec="milliseconds")
    step, disposition = _STEPS.get(entry.type, ("other", ""))
    fields: dict[str, object] = {
        "type": "ObjectEvent",
        "eventTime": moment.replace("+00:00", "Z"),
        "eventTimeZoneOffset": "+00:00",
        "action": "OBSERVE",
        "bizStep": step,
        **({"disposition": disposition} if disposition else {}),
        "sourceList": [{"type": "possessing_party", "source": f"{ACCOUNT_URN}{entry.signer.hex()}"}]
        if entry.type == "order.ship"
        else [],
        "bizTransactionList": [{"type": "po", "bizTransaction": f"{_TRANSACTION_URN}{entry.tx_id.hex()}"}],
    }
    key = "quantityList" if goods.lot else "epcList"
    fields[key] = [{"epcClass": write_link(goods), "quantity": Decimal(units)}] if goods.lot else [write_link(goods)]
    return Event.from_fields({name: value for name, value in fields.items() if value}, source="chain")


def export_events(
    goods: Goods, history: Sequence[HistoryEntry], archive: EventArchive, units: int = 1
) -> tuple[list[Event], list[HistoryEntry]]:
    """Return the events of a history, each once, and the entries whose events are not here."""
    events: list[Event] = []
    missing: list[HistoryEntry] = []
    seen: set[bytes] = set()
    for entry in history:
        if entry.event_hash == ZERO_HASH:
            events.append(chain_event(goods, entry, units))
        elif entry.event_hash not in seen:
            seen.add(entry.event_hash)
            found = archive.find(entry.event_hash)
            if found is None:
                missing.append(entry)
            else:
                events.append(found)
    return events, missing


def run_export(args: argparse.Namespace) -> int:
    """Run the command with its arguments and return the exit code."""
    try:
        goods = parse_goods(args.item)
    except IdentifierError as error:
        raise ArgumentError(str(error)) from error
    if not goods.serial and not goods.lot and not goods.sscc:
        raise ArgumentError(f"{args.item}: a product has no history; name a serial, a lot or an SSCC")
    genesis = Genesis.load(args.dir / "genesis.json")
    if args.out is not None and args.out.exists():
        raise ArgumentError(f"{args.out}: exists already; choose another name")
    archive = EventArchive(args.dir, args.documents)

    async def command() -> int:
        async with connect_control(args.dir) as control:
            issuer = control.public_key if args.issuer is None else public_key_of(args.issuer)
            identifier = goods_id(goods, issuer)
            item = (await control.query("item", id=identifier.hex())).value
            if not isinstance(item, dict):
                raise ArgumentError(f"{write_link(goods)} of {issuer.hex()[:16]}... is not on the ledger; see --issuer")
            history = await ControlSource(control, TrustAnchor.of(genesis)).history(identifier)
        events, missing = export_events(goods, history, archive, int(item["quantity"]))
        return _write(args, events, missing, history)

    return run_async(command)


def _write(
    args: argparse.Namespace, events: Sequence[Event], missing: Sequence[HistoryEntry], history: Sequence[HistoryEntry]
) -> int:
    for entry in missing:
        sys.stderr.write(f"{entry.type} {entry.tx_id.hex()[:16]}: its event {entry.event_hash.hex()} is not here\n")
    if missing and not args.partial:
        raise ArgumentError(
            f"{len(missing)} of {len(history)} events are not in the node's folder: give the documents that hold them "
            "(--documents), or leave them out (--partial)"
        )
    moment = dt.datetime.fromtimestamp(history[-1].time_ms / 1_000, dt.UTC).isoformat(timespec="milliseconds")
    written = write_document(events, moment.replace("+00:00", "Z"))
    if args.out is None:
        sys.stdout.write(written.decode())
        return PARTIAL if missing else 0
    _create(args.out, written)
    if args.json:
        print_json({"file": str(args.out), "events": len(events), "missing": len(missing)})
    else:
        print(f"{args.out}: {len(events)} events" + (f", {len(missing)} left out" if missing else ""))
    return PARTIAL if missing else 0


def _create(path: Path, written: bytes) -> None:
    try:
        create_file(path, written)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from error
