"""`p2pcommerce trace import`: an EPCIS document becomes transactions at a running node.

Sending is safe to repeat: what is on the chain already is left out, so that an import that was cut off goes on where it
stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.passphrase import read_passphrase
from p2pcommerce.cli.shared import PARTIAL, ArgumentError, print_json, public_key_of
from p2pcommerce.cli.trace_archive import EventArchive, read_file
from p2pcommerce.cli.trace_goods import Actor, Parties
from p2pcommerce.cli.trace_plan import Plan, Planned, Planner
from p2pcommerce.commerce import HistoryEntry, build_transaction, item_key
from p2pcommerce.commerce.epcis import canonical_uri, event_lines
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.proof import TrustAnchor, verify_proof
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.runtime.control_client import Control, ControlProtocolError, connect_control
from p2pcommerce.runtime.identity import Identity

__all__ = ["ControlSource", "ImportStoppedError", "import_events", "run_import"]

_EXPIRY_BLOCKS: Final = 1_000
_OPEN_MAX: Final = 16
"""Transactions under way at once: as many as a mempool takes beyond an account's next nonce."""


class ImportStoppedError(P2PError):
    """A transaction that was planned failed on the chain: it has changed since, by somebody else."""

    code = "IMPORT_STOPPED"


class ControlSource:
    """The chain, as a running node tells it; histories are proven."""

    def __init__(self, control: Control, trust: TrustAnchor) -> None:
        """Ask a node.

        Args:
            control: of the node.
            trust: what its proofs are checked against.
        """
        self._control = control
        self._trust = trust

    async def record(self, key: bytes) -> bytes | None:
        """Return the value of a state key, None if there is none."""
        value = (await self._control.query("record", key=key.hex())).value
        if value is None:
            return None
        if not isinstance(value, dict) or not isinstance(value.get("value"), str):
            raise ControlProtocolError("the node's answer is no record")
        return bytes.fromhex(value["value"])

    async def history(self, item_id: bytes) -> Sequence[HistoryEntry]:
        """Return the whole history of an item that exists."""
        raw = await self._control.prove("state", key=item_key(item_id).hex())
        return verify_proof(raw, self._trust).history


def run_import(args: argparse.Namespace) -> int:
    """Run the command with its arguments and return the exit code."""
    data, document = read_file(args.file)
    genesis = Genesis.load(args.dir / "genesis.json")
    parties = _parties(args)
    archive = EventArchive(args.dir)

    async def command() -> int:
        async with connect_control(args.dir) as control:
            if control.genesis_hash != genesis.hash:
                raise ArgumentError(f"{args.dir}: its node runs on another network than its genesis.json")
            source = ControlSource(control, TrustAnchor.of(genesis))
            height = (await control.query("time")).height
            planner = Planner(
                source, genesis, parties, now_ms=time.time_ns() // 10**6, height=height, validator=control.public_key
            )
            plan = await planner.plan(document.events, event_lines(data, len(document.events)))
            is_sent = not args.dry_run and (args.partial or not plan.refused)
            if is_sent:
                archive.keep(plan.events)
                await import_events(control, genesis, plan.transactions)
        return _report(args, plan, is_sent=is_sent)

    return run_async(command)


def _parties(args: argparse.Namespace) -> Parties:
    keys: list[Path] = args.key or [args.dir / "node.key"]
    identities = [Identity.load(key, read_passphrase(args.passphrase_file, str(key))) for key in keys]
    actors = [Actor(public_key_of(account), identities[0], None) for account in args.account]
    actors += [Actor(identity.public_key, identity, None) for identity in identities]
    if args.store is not None:
        store = public_key_of(args.store)
        actors.insert(0, Actor(store, identities[0], store))
    accounts: dict[str, PublicKey] = {}
    for pair in args.party:
        uri, equals, account = pair.rpartition("=")
        if not equals or not uri:
            raise ArgumentError(f'"{pair}" is no party; write URI=ACCOUNT, the URI as the document has it')
        accounts[canonical_uri(uri)] = public_key_of(account)
    to = None if args.to is None else public_key_of(args.to)
    issuers = tuple(public_key_of(text) for text in args.issuer)
    return Parties(tuple(actors), accounts, issuers, to, tuple(identities))


async def import_events(control: Control, genesis: Genesis, planned: Sequence[Planned]) -> None:
    """Send planned transactions and wait until all are final.

    One sender's transactions follow one another by their nonces. Between two senders nothing orders them, so that the
    first one's must be final before the second one's are sent.

    Raises:
        ImportStoppedError: one failed; what came before it is final.
        P2PError: one was refused by the pool, or the node is gone.
    """
    under_way: list[tuple[Planned, TransactionId]] = []

    async def settle() -> None:
        for one, tx_id in under_way:
            receipt = await control.wait(tx_id)
            if not receipt.ok:
                raise ImportStoppedError(
                    f"event {one.place}: {receipt.code.value}: {receipt.detail}; give the command again to go on"
                )
        under_way.clear()

    height = 0
    for one in planned:
        if len(under_way) >= _OPEN_MAX or (under_way and under_way[-1][0].sender != one.sender):
            await settle()
        if not under_way:
            height = (await control.query("time")).height
        transaction = build_transaction(
            one.payload,
            genesis,
            one.signer.seed,
            one.nonce,
            height + _EXPIRY_BLOCKS,
            fee=one.fee,
            account=one.sender,
        )
        under_way.append((one, await control.submit(transaction.raw)))
    await settle()


def _report(args: argparse.Namespace, plan: Plan, *, is_sent: bool) -> int:
    places = {one.place for one in plan.transactions}
    for refusal in plan.refused:
        sys.stderr.write(
            f"{args.file}:{refusal.line}: event {refusal.place} refused: {refusal.code}: {refusal.reason}\n"
        )
    if args.json:
        print_json(
            {
                "events": len(places) + len(plan.skipped) + len(plan.refused),
                "imported": len(places) if is_sent else 0,
                "importable": len(places),
                "on_chain_already": len(plan.skipped),
                "refused": [
                    {"event": each.place, "line": each.line, "code": each.code, "reason": each.reason}
                    for each in plan.refused
                ],
                "transactions": len(plan.transactions),
                "fees_minor": sum(one.fee for one in plan.transactions),
                "dry_run": args.dry_run,
            }
        )
    else:
        if plan.refused and not is_sent and not args.dry_run:
            print("nothing was sent; --partial imports the rest")
        verb = "imported" if is_sent else "can be imported"
        print(
            f"{len(places)} events {verb} in {len(plan.transactions)} transactions, {len(plan.skipped)} are on the "
            f"chain already, {len(plan.refused)} refused"
        )
    if not plan.refused:
        return 0
    return PARTIAL if args.partial and plan.events else 1
