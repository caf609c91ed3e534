"""What `demo --byzantine 1` shows: a newcomer bonds, joins, validates, signs two blocks for one place, and pays for it.

Everything said of it is read from the network itself: from the honest nodes' answers, and from their state. Only of
what it signed its own process tells.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from p2pcommerce.cli.demo.desk import Desk, Sender
from p2pcommerce.cli.demo.folder import DemoFolder
from p2pcommerce.cli.demo.network import LocalNetwork, ValidatorProcess
from p2pcommerce.cli.demo.story import Story, tokens
from p2pcommerce.commerce import Body, RegisterValidator, Transfer
from p2pcommerce.ledger.epochs import boundary_of, epoch_of
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import PublicKey, short
from p2pcommerce.runtime.control_client import Control, ControlError
from p2pcommerce.runtime.identity import Identity

__all__ = ["NODES_MIN", "PATIENCE_S", "Conviction", "NewcomerError", "Offender"]

NODES_MIN: Final = 2
"""Honest validators at least: one alone has no finality engine that others could join."""
PATIENCE_S: Final = 90.0
"""Seconds after the load in which the offender must be out of the set."""
_BOND_MINOR: Final = 400 * TOKEN_MINOR
"""Less than a third of the stake beside the fewest validators."""
_FUNDS_MINOR: Final = 500 * TOKEN_MINOR
_COMMISSION_BPS: Final = 500
_POLL_S: Final = 0.2
_KEEP_GOING_S: Final = 0.1
_MODULE: Final = "p2pcommerce.cli.demo.byzantine"


class NewcomerError(P2PError):
    """The newcomer of the demo could not join."""

    code = "NEWCOMER"


@dataclass(slots=True)
class Conviction:
    """What became of the offender.

    Attributes:
        public_key: hexadecimal.
        validator: its number, after the honest ones.
        bonded_minor: its stake; bonded_at_height: of the block with its registration.
        in_set_from_epoch: in which it votes; None: it never did.
        equivocations: epoch, view, height and both block hashes of what it signed twice.
        found_by: honest validators whose engines found it, first come first.
        rule: that it broke ("E1" to "E6"); offence_epoch: in which.
        included_at_height: of the block that punished it.
        slashed_minor: what it lost; reward_minor: the part for the reporter.
        reporter: the validator that reported it; None: another account.
        jailed: whether it is barred for good.
        out_from_epoch: the first epoch without it.
    """

    public_key: str = ""
    validator: int = 0
    bonded_minor: int = 0
    bonded_at_height: int | None = None
    in_set_from_epoch: int | None = None
    equivocations: list[dict[str, Any]] = field(default_factory=list)
    found_by: list[int] = field(default_factory=list)
    rule: str | None = None
    offence_epoch: int | None = None
    included_at_height: int | None = None
    slashed_minor: int = 0
    reward_minor: int = 0
    reporter: int | None = None
    jailed: bool = False
    out_from_epoch: int | None = None

    @property
    def slashed(self) -> bool:
        """Whether it lost stake and is out of the set."""
        return self.jailed and self.slashed_minor > 0 and self.out_from_epoch is not None


class Offender:
    """The newcomer, as the demo sees it.

    Attributes:
        conviction: is filled in.
        done: set when it is out of the set.
    """

    def __init__(self, folder: DemoFolder, network: LocalNetwork, desk: Desk, story: Story, bank: Sender) -> None:
        """Prepare; `bank` gives it the tokens that it bonds."""
        identity = Identity.generate()
        self.conviction = Conviction(public_key=identity.public_key.hex(), validator=folder.nodes)
        self.done = trio.Event()
        self._network = network
        self._desk = desk
        self._story = story
        self._bank = bank
        self._epoch_blocks = folder.genesis.parameters.epoch_blocks
        self._sender = Sender("newcomer", identity.seed)
        self._process: ValidatorProcess = network.add(folder.add_node(folder.nodes, identity), folder.nodes, _MODULE)

    async def run(self) -> None:
        """Join, and tell what happens until it is out of the set.

        Raises:
            NewcomerError: it got no tokens, or its registration failed.
            ValidatorStoppedError: its process did not start.
        """
        await self._network.start_one(self._process)
        who = f"validator {self.conviction.validator} ({short(self._sender.key)})"
        self._story.network(f"{who} starts: a newcomer without stake, which will break the rules")
        await self._send(self._bank, Transfer(to=self._sender.key, amount_minor=_FUNDS_MINOR))
        self._sender.known_height = self._bank.known_height
        await self._join()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            await self._watch()
            nursery.cancel_scope.cancel()

    async def keep_blocks_coming(self, limit_s: float) -> None:
        """After the load: send a little now and then until it is out of the set, or time is up."""
        with trio.move_on_after(limit_s):
            while not self.done.is_set():
                await self._send(self._bank, Transfer(to=self._bank.key, amount_minor=1))
                await trio.sleep(_KEEP_GOING_S)

    async def _send(self, sender: Sender, payload: Body) -> bytes:
        result = await self._desk.send(sender, payload, trio.current_time(), counted=False)
        if not result.ok:
            raise NewcomerError(f"{sender.name}: {payload.TYPE} came to nothing: {result.code.value}")
        return result.tx_id

    # --- joining ---

    async def _join(self) -> None:
        told = self.conviction
        await self._send(self._sender, RegisterValidator(commission_bps=_COMMISSION_BPS, bond_minor=_BOND_MINOR))
        told.bonded_minor, told.bonded_at_height = _BOND_MINOR, self._sender.known_height
        epoch = epoch_of(told.bonded_at_height, self._epoch_blocks) + 2
        first = boundary_of(epoch - 1, self._epoch_blocks) + 1
        self._story.network(
            f"validator {told.validator} bonded {tokens(_BOND_MINOR)} tokens at height {told.bonded_at_height:,}; "
            f"it will vote from epoch {epoch} on, which begins at height {first:,}"
        )

    async def _listen(self) -> None:
        """Take what its process says of itself, line by line."""
        process, received = self._process.process, b""
        while process is not None and process.stdout is not None:
            chunk = await process.stdout.receive_some(4_096)
            if not chunk:
                break
            received += chunk
            *lines, received = received.split(b"\n")
            for line in lines:
                self._on_equivocation(json.loads(line))

    def _on_equivocation(self, said: dict[str, Any]) -> None:
        self.conviction.equivocations.append(said)
        first, second = (block[:8] for block in said["blocks"])
        self._story.network(
            f"validator {self.conviction.validator} signed two blocks at height {said['height']:,} (epoch "
            f"{said['epoch']}, view {said['view']}): {first}... for one half of the others, {second}... for the rest"
        )

    # --- what the others say of it ---

    async def _watch(self) -> None:
        while not self.done.is_set():
            with suppress(ControlError):  # that node is gone for now: the next look asks another
                await self._look()
            await trio.sleep(_POLL_S)

    async def _look(self) -> None:
        control = self._desk.link_alive().control
        if control is None:
            return
        answer = await control.query("validator", validator=self.conviction.public_key)
        found = answer.value if isinstance(answer.value, dict) else {}
        epoch = epoch_of(answer.height, self._epoch_blocks)
        told = self.conviction
        if found.get("in_set") and told.in_set_from_epoch is None:
            told.in_set_from_epoch = epoch
            self._story.network(f"validator {told.validator} is in the set from epoch {epoch} on, and votes")
        await self._look_for_finders()
        if found.get("jailed") and not told.jailed:
            await self._see_punishment(control)
        if told.jailed and not found.get("in_set"):
            told.out_from_epoch = epoch
            self._story.network(
                f"validator {told.validator} is out of the set from epoch {epoch} on, and barred for good"
            )
            self.done.set()

    async def _look_for_finders(self) -> None:
        told = self.conviction
        for link in self._desk.links:
            if link.control is None or link.validator.index in told.found_by:
                continue
            for offence in _offences(await link.control.statistics(), told.public_key):
                if told.rule is None:
                    told.rule, told.offence_epoch = str(offence["rule"]), int(str(offence["epoch"]))
                if offence["heard_from"] is None:
                    told.found_by.append(link.validator.index)
                    self._story.network(f"validator {link.validator.index} found the evidence: {offence['words']}")
                    break

    async def _see_punishment(self, control: Control) -> None:
        told = self.conviction
        for epoch in range(epoch_of(self._desk.height, self._epoch_blocks) + 1):
            record = (await control.query("offence", validator=told.public_key, epoch=epoch)).value
            if isinstance(record, dict):
                break
        else:
            return
        told.jailed, told.rule, told.offence_epoch = True, str(record["rule"]), epoch
        told.included_at_height = int(record["height"])
        told.slashed_minor, told.reward_minor = int(record["slashed_minor"]), int(record["reward_minor"])
        told.reporter = self._index_of(PublicKey(bytes.fromhex(record["reporter"])))
        who = "another account" if told.reporter is None else f"validator {told.reporter}"
        self._story.network(f"the evidence is on the chain at height {told.included_at_height:,}, reported by {who}")
        lost, paid = tokens(told.slashed_minor), tokens(told.reward_minor)
        last = epoch_of(told.included_at_height, self._epoch_blocks) + 1
        self._story.network(
            f"validator {told.validator} is slashed by {lost} tokens: {paid} go to the reporter, the rest is burned; "
            f"epoch {last} is its last"
        )

    def _index_of(self, key: PublicKey) -> int | None:
        return next((each.index for each in self._network.validators if each.public_key == key), None)


def _offences(statistics: dict[str, object], offender: str) -> list[dict[str, object]]:
    listed = statistics.get("offences")
    return [each for each in listed if each["offender"] == offender] if isinstance(listed, list) else []
