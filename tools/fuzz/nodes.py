"""A whole node under any sequence of inputs: messages, time, connections, submissions, restarts.

Whatever comes, no exception escapes, every buffer keeps its cap, what it sends can be sent, final blocks are committed
in order, and it never asks to be woken for ever.
"""

from __future__ import annotations

from typing import Final

from fuzz.echo import echoes
from fuzz.station import VALIDATORS, Station, key_of
from fuzz.target import Form, Step, Target, steps_of
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire import messages as wire

__all__ = ["CONNECT", "DISCONNECT", "ECHO", "HEAR", "RELAYED", "RESTART", "SUBMIT", "WAIT", "WAITS_US", "node_targets"]

RELAYED: Final = "core.node.relayed"

HEAR: Final = 0
WAIT: Final = 1
CONNECT: Final = 2
DISCONNECT: Final = 3
SUBMIT: Final = 4
DIAL_FAILED: Final = 5
RESTART: Final = 6
ANSWERED: Final = 7
ECHO: Final = 9
WAITS_US: Final = (0, 100, 1_000, 5_000, 20_000, 100_000, 400_000, 1_000_000, 5_000_000, 60_000_000, 600_000_000)
_PEERS: Final = tuple(key_of(f"validator {number}") for number in range(VALIDATORS)) + tuple(
    key_of(name) for name in ("stranger", "other", "third")
)


def _peer(argument: int) -> PeerId:
    return _PEERS[argument % len(_PEERS)]


def node_targets() -> tuple[Target, ...]:
    """Return a target for each engine, and one of a network in which finality messages are relayed."""
    relayed = Target(RELAYED, lambda data: _run(Station("simplex", direct_max=1), data), (), Form.SCRIPT)
    return (*(_target(engine) for engine in ("simplex", "ffg", "solo")), relayed)


def _target(engine: str) -> Target:
    return Target(f"core.node.{engine}", lambda data: _run(Station(engine), data), (), Form.SCRIPT)


def _run(station: Station, data: bytes) -> bool:
    station.start()
    heard = False
    for step in steps_of(data):
        heard |= _take(station, step)
        station.wait(0)
        station.sent.clear()
        if station.halted is not None:
            return heard
    station.wait(1_000_000)
    station.check_bounds()
    return heard


def _take(station: Station, step: Step) -> bool:
    peer = _peer(step.argument)
    match step.code:
        case 0:
            return station.hear(peer, step.payload)
        case 1:
            station.wait(WAITS_US[step.argument % len(WAITS_US)])
        case 2 if peer != station.key:
            station.connect(peer, step.payload, outbound=step.argument >= 128)
        case 3:
            station.disconnect(peer)
        case 4:
            station.submit(step.payload)
        case 5:
            address = step.payload.decode(errors="replace")
            station.give(lambda now: station.node.on_dial_failed(address, now))
        case 6:
            station.start()
        case 9:
            _echo(station, step.argument)
        case _:
            station.give(lambda now: station.node.on_items(step.argument, [step.payload], now))
            station.give(lambda _: station.node.on_loaded(step.argument, []))
            station.check_bounds()
    return False


def _echo(station: Station, who: int) -> None:
    """Let the other validators agree with what the node said last."""
    said = tuple(dict.fromkeys(station.said))
    station.said.clear()
    for data in said:
        for peer, reply in echoes(station.genesis.engine, data, who):
            station.hear(peer, wire.encode_message(wire.Engine(reply)))
