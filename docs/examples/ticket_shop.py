"""A ticket shop on a network of its own, in place of commerce: python docs/examples/ticket_shop.py.

Somebody opens an event, others buy its seats, and the opener is paid. `main` runs it on four validators within this
program, over memory instead of sockets; with `listen` and `bootstrap` at `tcp://` it is a network.
"""

import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import ClassVar

import trio

import p2pcommerce as p2p
from p2pcommerce.primitives.codec import KEY, decode, encode, pair, record_of, text, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.runtime.transport.memory import MemoryTransport


@dataclass(frozen=True)
class OpenEvent:
    """Offer the seats 1 to `seats` of an event of a new name."""

    TYPE: ClassVar[str] = "event.open"
    event: str
    seats: int
    price_minor: int
    to_body = astuple


@dataclass(frozen=True)
class BuyTicket:
    """Buy a free seat."""

    TYPE: ClassVar[str] = "ticket.buy"
    event: str
    seat: int
    to_body = astuple


NAME, SEAT, PRICE = text(40), uint(10_000, 1), uint(10**12, 1)
OPEN = record_of(OpenEvent, event=NAME, seats=SEAT, price_minor=PRICE)
RECORD = pair(KEY, OPEN)  # an event in the state, after its opener


def seat_key(event: str, seat: int) -> bytes:
    """Return the state key under which the owner of a seat stands."""
    return b"seat" + seat.to_bytes(2, "big") + event.encode()


class TicketShop(p2p.PlainApplication):
    """The rules of the shop."""

    name = "ticket-shop"
    bodies: ClassVar = {
        OpenEvent.TYPE: OPEN,
        BuyTicket.TYPE: record_of(BuyTicket, event=NAME, seat=SEAT),
    }

    @override
    def execute(
        self, payload: OpenEvent | BuyTicket, sender: p2p.PublicKey, state: p2p.State, context: p2p.BlockContext
    ) -> tuple[bytes, ...]:
        """Open an event or sell a seat."""
        key = b"event" + payload.event.encode()
        raw = state.get(key)
        if isinstance(payload, OpenEvent):
            if raw is not None:
                raise p2p.RefusedError(p2p.RejectionCode.EXISTS, "there is an event of this name")
            state.put(key, encode(RECORD, (sender, payload)))
            return (sender, key)
        opener, offer = (sender, None) if raw is None else decode(RECORD, raw, 128)
        if offer is None or payload.seat > offer.seats:
            raise p2p.RefusedError(p2p.RejectionCode.NOT_FOUND, "there is no such seat")
        seat = seat_key(payload.event, payload.seat)
        if state.get(seat) is not None:
            raise p2p.RefusedError(p2p.RejectionCode.NO_STOCK, "the seat is sold")
        self.pay(state, sender, opener, offer.price_minor)
        state.put(seat, sender)
        return (sender, seat)

    @override
    def query(self, name: str, arguments: Mapping[str, object], view: p2p.StateView) -> object:
        """Answer seat (event, seat): whose it is; and what every plain application answers."""
        match name, arguments.get("event"), arguments.get("seat"):
            case "seat", str(event), int(seat) if 1 <= seat <= 10_000:
                owner = view.get(seat_key(event, seat))
                return None if owner is None else owner.hex()
        return super().query(name, arguments, view)


async def main(folder: Path) -> None:
    """Sell one seat twice, and ask a fourth node whose it is."""
    people = [p2p.Identity.from_seed(bytes([number]) * 32) for number in range(1, 5)]
    keys = [person.public_key for person in people]
    genesis = p2p.Genesis.local("tickets", dict.fromkeys(keys, 1_000), dict.fromkeys(keys, 1_000_000))
    memory, nodes, first = MemoryTransport(), [], ("memory://1",)
    async with AsyncExitStack() as stack:
        for me, at in zip(people, (first, ("memory://2",), ("memory://3",), ("memory://4",)), strict=True):
            config = p2p.NodeConfig(
                identity=me, genesis=genesis, data_dir=folder / at[0][-1], listen=at, bootstrap=first
            )
            opening = p2p.open_node(config, application=TicketShop(), transports=(memory,))
            nodes.append(await stack.enter_async_context(opening))
        opener, ann, bob, door = nodes
        receipt = await opener.wait_finalized(await opener.submit(OpenEvent("concert", seats=100, price_minor=25_000)))
        for buyer in (ann, bob):
            await buyer.wait_height(receipt.height)
            receipt = await buyer.wait_finalized(await buyer.submit(BuyTicket("concert", seat=7)))
            print(receipt.code.value, receipt.detail)
        await door.wait_height(receipt.height)
        print("it is Ann's:", (await door.query("seat", event="concert", seat=7)).value == keys[1].hex())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        trio.run(main, Path(scratch))
