"""One core alone: its clock, its peers, and how the steps of a script become its inputs.

Steps: a message (0), time (1), a peer connects (2) or leaves (3); the others are the core's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fuzz.nodes import WAITS_US
from fuzz.station import START_US, key_of
from fuzz.target import Step, steps_of
from fuzz.verdicts import BrokenRuleError, check
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire import messages as wire

__all__ = ["PEERS", "Rig", "keep_within"]

_WAKES_AT_ONCE_MAX: Final = 200
PEERS: Final = tuple(key_of(f"peer {number}") for number in range(8))


def keep_within(sizes: Mapping[str, int], caps: Mapping[str, int]) -> None:
    """Demand that counters are within their caps."""
    for name, most in caps.items():
        check(sizes[name] <= most, f"{sizes[name]} {name}, at most {most} allowed")


class Rig(ABC):
    """One core, its clock, and how steps become its inputs."""

    core: Any

    def __init__(self) -> None:
        self.now = START_US
        self.accepted = False
        self.connected: dict[PeerId, None] = {}

    def run(self, data: bytes) -> bool:
        """Take a script."""
        for step in steps_of(data):
            peer = PEERS[step.argument % len(PEERS)]
            match step.code:
                case 0:
                    self._hear(peer, step.payload)
                case 1:
                    self.wait(WAITS_US[step.argument % len(WAITS_US)])
                case 2:
                    if peer not in self.connected:
                        self.connected[peer] = None
                        self.connect(peer, step)
                case 3:
                    if peer in self.connected:
                        del self.connected[peer]
                        self.disconnect(peer)
                case _:
                    self.other(step, peer)
            self.wait(0)
            self.check_bounds()
        self.wait(2_000_000)
        self.check_bounds()
        return self.accepted

    def _hear(self, peer: PeerId, data: bytes) -> None:
        try:
            message = wire.decode_message(data)
        except RemoteProtocolError:
            return
        if peer in self.connected:
            self.hear(peer, message)

    def wait(self, duration_us: int) -> None:
        """Let time pass."""
        until, woken = self.now + duration_us, 0
        while (due := self.core.deadline) is not None and due <= until:
            if due > self.now:
                self.now, woken = due, 0
            woken += 1
            if woken > _WAKES_AT_ONCE_MAX:
                raise BrokenRuleError("the core wants to be woken again and again")
            self.do(self.core.on_deadline(self.now))
        self.now = until

    @abstractmethod
    def connect(self, peer: PeerId, step: Step) -> None:
        """Let a peer connect."""

    @abstractmethod
    def disconnect(self, peer: PeerId) -> None:
        """Let a peer go."""

    @abstractmethod
    def hear(self, peer: PeerId, message: wire.Message) -> None:
        """Take a message."""

    @abstractmethod
    def other(self, step: Step, peer: PeerId) -> None:
        """Take a step of this core alone."""

    @abstractmethod
    def do(self, effects: Sequence[Any]) -> None:
        """Do effects."""

    @abstractmethod
    def check_bounds(self) -> None:
        """Demand that the core is within its bounds."""
