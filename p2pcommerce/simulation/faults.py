"""The table of fault kinds: everything that links, clocks, disks and hosts can be made to suffer.

Which kinds a world has, and how strongly, is a mapping from name to intensity. An intensity lies above 0 and at most at
1; what it means stands in the table. `draw_faults` lets each seed have its own selection: a world that suffers from
everything at once hides what needs quiet to be seen.

Source: the deterministic simulator specification; swarm testing (Groce et al., ISSTA 2012) for the selection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.streams import Streams

__all__ = [
    "FAULTS",
    "FaultIntensityError",
    "FaultKind",
    "UnknownFaultError",
    "check_fault",
    "draw_faults",
    "parse_faults",
]


class UnknownFaultError(UsageError):
    """A kind of fault of that name does not exist."""

    code = "UNKNOWN_FAULT"


class FaultIntensityError(UsageError):
    """An intensity outside of its range."""

    code = "FAULT_INTENSITY"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        name: in scenarios, on the command line and in counters.
        part: what suffers: "link", "clock", "disk" or "host".
        meaning: what it does, and what its intensity is.
        intensity: by default, above 0 and at most 1.
    """

    name: str
    part: str
    meaning: str
    intensity: float


_KINDS: Final = (
    FaultKind("loss", "link", "share of messages lost; on a stream sent again later, or the connection breaks", 0.05),
    FaultKind("duplication", "link", "share of messages that arrive twice", 0.1),
    FaultKind("reordering", "link", "share of messages held back up to 200 ms; a stream holds what follows too", 0.1),
    FaultKind("corruption", "link", "share of messages that arrive with a bit flipped", 0.005),
    FaultKind(
        "one_way",
        "link",
        "share of pairs of nodes between which one direction carries nothing; the other 64 KiB, for 5 s",
        0.1,
    ),
    FaultKind("asymmetric", "link", "share of pairs with up to 400 ms more delay in one direction", 0.2),
    FaultKind("slow_link", "link", "share of pairs whose link carries 1 kB/s", 0.1),
    FaultKind(
        "partition", "link", "share of the time in which the network is cut: halves, a ring, one node apart", 0.3
    ),
    FaultKind("clock_skew", "clock", "clocks are off by up to this share of five minutes, either way", 0.02),
    FaultKind("clock_jump", "clock", "clocks jump by up to this share of a minute, either way, now and then", 0.05),
    FaultKind("clock_drift", "clock", "clocks run too fast or slow by up to this share of 1 %", 0.1),
    FaultKind("crash", "host", "crashes of each node in a second, between any two effects; then it restarts", 0.08),
    FaultKind(
        "torn_write", "disk", "share of crashes that leave any part of what was not synced, not just a prefix", 0.5
    ),
    FaultKind("lost_fsync", "disk", "share of syncs that report success and do nothing", 0.02),
    FaultKind("disk_full", "disk", "share of writes that end in the middle with ENOSPC", 0.002),
    FaultKind("disk_error", "disk", "share of writes and syncs that fail with EIO", 0.002),
    FaultKind("bit_rot", "disk", "share of crashes after which one durable bit is flipped", 0.15),
    FaultKind("stale_backup", "disk", "share of restarts from an older copy of the disk", 0.15),
)
FAULTS: Final[Mapping[str, FaultKind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""By name, in the order of the table."""


def check_fault(name: str, intensity: float) -> None:
    """Check a kind of fault and its intensity.

    Raises:
        UnknownFaultError: no such kind.
        FaultIntensityError: not above 0 and at most 1.
    """
    if name not in FAULTS:
        raise UnknownFaultError(f"unknown fault {name!r}; choose all, none, or some of {', '.join(FAULTS)}")
    if not 0 < intensity <= 1:
        raise FaultIntensityError(f"fault {name!r}: intensity {intensity!r} must be above 0 and at most 1")


def parse_faults(text: str) -> dict[str, float]:
    """Read what a person chose: `all`, `none`, or NAME or NAME=INTENSITY with commas between.

    Raises:
        UnknownFaultError: a name is unknown.
        FaultIntensityError: an intensity is no number, or out of range.
    """
    if text == "none":
        return {}
    if text == "all":
        return {name: kind.intensity for name, kind in FAULTS.items()}
    chosen: dict[str, float] = {}
    for item in text.split(","):
        name, equals, number = item.strip().partition("=")
        try:
            intensity = float(number) if equals else FAULTS[name].intensity if name in FAULTS else 1.0
        except ValueError as error:
            raise FaultIntensityError(f"fault {name!r}: {number!r} is no number; write {name}=0.1, say") from error
        check_fault(name, intensity)
        chosen[name] = intensity
    return {name: chosen[name] for name in FAULTS if name in chosen}


def draw_faults(chosen: Mapping[str, float], streams: Streams, share: float = 0.5) -> dict[str, float]:
    """Return the faults of one world.

    Each of the chosen kinds is on with probability `share`, at up to twice its intensity. Each kind
    draws from a stream of its own, so that leaving one out changes no other.
    """
    drawn: dict[str, float] = {}
    for name, intensity in chosen.items():
        rng = streams.fresh(f"fault.{name}")
        is_on, strength = rng.random() < share, rng.randint(1, 20)
        if is_on:
            drawn[name] = min(1.0, intensity * strength / 10)
    return drawn
