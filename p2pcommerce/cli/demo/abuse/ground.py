"""What a fraud acts on: a ledger that takes transactions and answers questions."""

from __future__ import annotations

from typing import Protocol

import trio

from p2pcommerce.cli.demo.desk import NONE_REACHED, Desk, Result, Sender
from p2pcommerce.commerce import Body, Transfer
from p2pcommerce.runtime.control_client import ControlError

__all__ = ["Ground", "NetworkGround"]


class Ground(Protocol):
    """A ledger, as its users see it."""

    async def endow(self, who: Sender, amount_minor: int) -> None:
        """Give somebody tokens."""
        ...

    async def send(self, who: Sender, payload: Body) -> Result:
        """Send a transaction, and return what became of it once it is final or refused."""
        ...

    async def ask(self, name: str, **arguments: object) -> dict[str, object]:
        """Return the answer of a query of the final state; empty where there is nothing."""
        ...

    async def pass_time(self, after_ms: int, seconds: float) -> None:
        """Wait until so many seconds are over after a moment (Unix milliseconds of a block)."""
        ...


class NetworkGround:
    """The running network of a demo."""

    def __init__(self, desk: Desk, bank: Sender) -> None:
        """Act through a desk; `bank` gives tokens."""
        self._desk = desk
        self._bank = bank

    async def endow(self, who: Sender, amount_minor: int) -> None:
        """See `Ground.endow`."""
        await self.send(self._bank, Transfer(to=who.key, amount_minor=amount_minor))

    async def send(self, who: Sender, payload: Body) -> Result:
        """See `Ground.send`."""
        who.known_height = self._desk.height  # what the others did before is known to whoever acts
        return await self._desk.send(who, payload, trio.current_time(), counted=False)

    async def ask(self, name: str, **arguments: object) -> dict[str, object]:
        """See `Ground.ask`.

        Raises:
            ControlError: no validator can be reached.
        """
        control = self._desk.link_alive().control
        if control is None:
            raise ControlError(NONE_REACHED)
        answer = (await control.query(name, **arguments)).value
        return answer if isinstance(answer, dict) else {}

    async def pass_time(self, after_ms: int, seconds: float) -> None:
        """See `Ground.pass_time`."""
        while self._desk.time_ms <= after_ms + round(seconds * 1_000):
            await self._desk.progress.wait()
