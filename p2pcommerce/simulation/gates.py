"""How soon finality must resume once the faults are over, in base delays D0.

Of many worlds 99 in 100 must be within the gate of their kind, and each world within the longest wait. A third of the
stake that may be silent, or has forgotten what it signed, costs views without a leader; FFG counts in slots of D0.

Source: the gates of the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pcommerce.finality import FFG
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.schedule import BREAKS_PROMISES

__all__ = ["GATE", "GATE_FFG", "GATE_MAX", "GATE_SILENT", "recovery_gate", "recovery_us_max"]

GATE: Final = 6
"""Base delays within which 99 % of the worlds recover where every validator does what it should."""
GATE_SILENT: Final = 15
"""The same with adversaries, or disks that break their promises: up to a third of the stake is silent."""
GATE_MAX: Final = 30
"""No world takes longer."""
GATE_FFG: Final = 50
"""Slots within which FFG recovers."""
_FFG_MARGIN: Final = 10
"""Slots that a single world of FFG may take beyond its gate, which is one of 99 %."""
_DIAL_US: Final = MICROSECONDS
"""Connections are made again at the pace of the network's timers: base delays below this do not count as less."""


def recovery_gate(engine: str, faults: Iterable[str], *, has_adversaries: bool) -> int:
    """Return the gate of a campaign, base delays.

    Args:
        engine: its name.
        faults: kinds that may strike.
        has_adversaries: some worlds have them.
    """
    if engine == FFG.name:
        return GATE_FFG
    return GATE_SILENT if has_adversaries or not set(BREAKS_PROMISES).isdisjoint(faults) else GATE


def recovery_us_max(engine: str, base_delay_us: int) -> int:
    """Return how long one world may take until finality resumes, microseconds."""
    delays = GATE_FFG + _FFG_MARGIN if engine == FFG.name else GATE_MAX
    return delays * max(base_delay_us, _DIAL_US)
