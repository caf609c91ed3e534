"""Peers that break the rules with what they say of blocks, or with how much they say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from p2pcommerce.commerce import Transfer, build_transaction
from p2pcommerce.finality import ENGINES
from p2pcommerce.finality.simplex.messages import Message
from p2pcommerce.ledger.block import Block, decode_block
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import HEIGHT_MAX, PeerId
from p2pcommerce.simulation.adversaries.adversary import Adversary
from p2pcommerce.wire import messages as wire

__all__ = ["AnnounceSpam", "LyingSync", "MempoolFlood", "Mute", "PullSpam"]

_FLOOD_US: Final = 500_000
_FLOOD_ITEMS: Final = 16
_SPAM_US: Final = 500_000
_SPAM_IDS: Final = 16


class LyingSync(Adversary):
    """Claims false heights, and answers who catches up with wrong and truncated blocks and snapshots."""

    engines = frozenset(ENGINES)

    @override
    def on_transmit(self, peer: PeerId, message: wire.Message) -> wire.Message | None:
        """Lie."""
        match message:
            case wire.Status():
                self.acts["false heights"] += 1
                higher = message.height + self.rng.randint(1, 1_000)
                return wire.Status(higher, self.rng.randbytes(32))
            case wire.Blocks():
                self.acts["false ranges"] += 1
                return self._range(message)
            case wire.BlockBody():
                self.acts["bodies denied"] += 1
                return None
            case wire.Links() | wire.Snapshot() | wire.Chunk():
                self.acts["false snapshots"] += 1
                return self._snapshot(message)
            case _:
                return message

    def _snapshot(self, message: wire.Links | wire.Snapshot | wire.Chunk) -> wire.Message | None:
        draw = self.rng.randrange(4)
        if draw == 0:
            return None
        match message:
            case wire.Links():
                spoilt = tuple(bytes([*link[:-1], link[-1] ^ 1]) for link in message.links)
                return replace(message, links=spoilt if draw == 1 else message.links[1:])
            case wire.Snapshot():
                if draw == 1:
                    return replace(message, proof=self.rng.randbytes(len(message.proof)))
                return message if draw == 2 else replace(message, depths=bytes([1, 2, 2]))
            case wire.Chunk():
                return replace(message, data=bytes([*message.data[:-1], message.data[-1] ^ 1]) if message.data else b"")

    def _range(self, message: wire.Blocks) -> wire.Message | None:
        draw = self.rng.randrange(7)
        if draw == 0:
            return None
        if draw > 4 and message.blocks:
            # A whole and good block that nobody decided, in the place of the last one.
            last = decode_block(message.blocks[-1])
            other = Block(replace(last.header, time_ms=last.header.time_ms + draw), last.transactions)
            return replace(message, blocks=(*message.blocks[:-1], other.raw))
        if draw == 1:
            return replace(message, blocks=message.blocks[:-1])
        if draw == 2:
            return replace(message, blocks=tuple(reversed(message.blocks)))
        if draw == 3:
            return replace(message, proof=self.rng.randbytes(len(message.proof)))
        spoilt = [bytes([*block[:-1], block[-1] ^ 1]) for block in message.blocks]
        return replace(message, blocks=tuple(spoilt))


class Mute(Adversary):
    """Connects and then stays silent."""

    engines = frozenset(ENGINES)

    @override
    def on_data(self, peer: PeerId, data: bytes) -> bytes | None:
        """Say nothing."""
        self.acts["messages not sent"] += 1
        return None

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Say nothing."""
        self.acts["messages not sent"] += 1
        return None

    @override
    def on_transmit(self, peer: PeerId, message: wire.Message) -> wire.Message | None:
        """Say nothing."""
        self.acts["messages not sent"] += 1
        return None


class _Spammer(Adversary, ABC):
    """Sends every peer something of its own, now and again."""

    engines = frozenset(ENGINES)

    every_us = _SPAM_US

    @abstractmethod
    def spam(self) -> wire.Message | None:
        """Return what is sent next; None: nothing now."""

    @override
    def on_started(self) -> None:
        """Begin."""
        self.repeat(self.every_us, self._spam)

    def _spam(self) -> None:
        effects: list[Effect] = []
        for peer in self.host.attached:
            message = self.spam()
            if message is not None:
                self.acts[f"spam: {type(message).__name__}"] += 1
                effects.append(Transmit(peer, message))
        self.host.act(effects)


class MempoolFlood(_Spammer):
    """Floods pools with transactions that pay the least, can never run, or are no transactions."""

    every_us = _FLOOD_US

    @override
    def spam(self) -> wire.Message | None:
        """Return a handful of transactions."""
        makers: tuple[Callable[[int], bytes], ...] = (self._cheap, self._cheap, self._early, self._underpaid)
        draw = self.rng.randrange(40)
        if draw == 0:
            return wire.Transactions((self.rng.randbytes(200),))
        start = self.rng.randrange(1_000)
        make = makers[draw % len(makers)]
        return wire.Transactions(tuple(make(start + offset) for offset in range(_FLOOD_ITEMS)))

    def _cheap(self, number: int) -> bytes:
        """Return one that pays the least and may run some day."""
        return self._transfer(number % 17, number + 1)

    def _early(self, number: int) -> bytes:
        """Return one with a nonce far ahead."""
        return self._transfer(10**6 + number, 1)

    def _underpaid(self, number: int) -> bytes:
        """Return one below the fee floor."""
        return self._transfer(number % 17, 1, fee=1)

    def _transfer(self, nonce: int, amount: int, fee: int | None = None) -> bytes:
        host = self.host
        payload = Transfer(host.key, amount)
        return build_transaction(
            payload, self.stage.genesis, host.seed, nonce, HEIGHT_MAX, fee=fee, scheme=host.world.scheme
        ).raw


class AnnounceSpam(_Spammer):
    """Announces transactions that do not exist."""

    @override
    def spam(self) -> wire.Message | None:
        """Return an announcement of nothing."""
        entries = [(self.rng.randbytes(wire.SHORT_ID_BYTES), 300, 10**6) for _ in range(_SPAM_IDS)]
        return wire.Announce(tuple(entries))


class PullSpam(_Spammer):
    """Asks for the same and for unknown things without end."""

    @override
    def spam(self) -> wire.Message | None:
        """Return a question."""
        draw = self.rng.randrange(4)
        if draw == 0:
            return wire.Pull(tuple(self.rng.randbytes(wire.SHORT_ID_BYTES) for _ in range(_SPAM_IDS)))
        if draw == 1:
            return wire.GetBlocks(1, 64)
        if draw == 2:
            return wire.GetTransactions(self.rng.randbytes(32), (self.rng.randbytes(32),))
        return wire.GetPeers(1_000)
