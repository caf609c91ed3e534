"""How soon finality must resume once the faults are over, in base delays D0.

Of many worlds 99 in 100 must be within the gate of their kind, and each world within the longest wait. A validator that
has stopped for good, because its disk lost what it signed, or breaks the rules, costs views without a leader: worlds
with and without such a one are judged apart. FFG counts in slots of D0.

Source: the gates of the finality specification.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.finality import FFG
from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["GATE", "GATE_BOUNDARY", "GATE_FFG", "GATE_MAX", "GATE_SILENT", "recovery_gates", "recovery_us_max"]

GATE: Final = 6
"""Base delays within which 99 % of the worlds recover where every validator does what it should."""
GATE_SILENT: Final = 15
"""The same where validators with up to a third of the stake have stopped for good, or are adversaries."""
GATE_MAX: Final = 30
"""No world takes longer."""
GATE_FFG: Final = 50
"""Slots within which FFG recovers."""
GATE_BOUNDARY: Final = 1.2
"""Base delays within which 99 % of quiet boundaries are crossed: from an epoch's last block to the next one's first."""
_FFG_MARGIN: Final = 10
"""Slots that a single world of FFG may take beyond its gate, which is one of 99 %."""
_DIAL_US: Final = MICROSECONDS
"""Connections are made again at the pace of the network's timers: base delays below this do not count as less."""


def recovery_gates(engine: str) -> dict[bool | None, int]:
    """Return the gates of an engine, base delays: of worlds with silent validators (True), without (False), of all."""
    return {None: GATE_FFG} if engine == FFG.name else {False: GATE, True: GATE_SILENT, None: GATE_SILENT}


def recovery_us_max(engine: str, base_delay_us: int) -> int:
    """Return how long one world may take until finality resumes, microseconds."""
    delays = GATE_FFG + _FFG_MARGIN if engine == FFG.name else GATE_MAX
    return delays * max(base_delay_us, _DIAL_US)
