"""What a sweep does not look at, said before it runs, and what it failed to show, said after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from p2pcommerce.simulation.campaign import Campaign
from p2pcommerce.simulation.gates import GATE_BOUNDARY, recovery_gates
from p2pcommerce.simulation.tally import FIRES_MIN_BPS, Tally

__all__ = ["remarks", "shortfalls"]


_WORLDS: Final[Mapping[bool | None, str]] = {
    None: "the worlds",
    False: "the worlds without silent validators",
    True: "the worlds with silent validators",
}


def remarks(campaign: Campaign, adversaries: str | None) -> list[str]:
    """Return what the options switch off, a line for each.

    Args:
        campaign: that is about to run.
        adversaries: what was typed; None: nothing.
    """
    base, lines = campaign.base, []
    if not base.liveness_us:
        lines.append("without a liveness phase nobody looks whether finality resumes: give --liveness more than 0")
    elif campaign.faults and not base.healed_us:
        lines.append("--liveness takes the whole --horizon, so no fault strikes: make the horizon longer")
    if adversaries not in {None, "none"} and not (campaign.adversaries or campaign.cast):
        lines.append(f"no adversary is cast: none of {base.validators} validators has less than a third of the stake")
    return lines


def shortfalls(campaign: Campaign, tally: Tally) -> list[str]:
    """Return why a sweep without a failed seed fails as a whole, a line for each reason."""
    lines = []
    silent = tally.silent(campaign.faults)
    if silent:
        share = FIRES_MIN_BPS / 100
        lines.append(
            f"these faults struck in less than {share:g} % of the seeds, so nothing is shown: {', '.join(silent)}"
        )
    if tally.is_idle(campaign.adversaries):
        lines.append(f"the adversary {campaign.adversaries[0]} did nothing in {tally.seeds} seeds: nothing is shown")
    base_delay_us = campaign.base.base_delay_us
    for is_silent, gate in recovery_gates(campaign.base.engine).items():
        if tally.is_late(gate, base_delay_us, is_silent=is_silent):
            waited = tally.recovery_delays(9_900, base_delay_us, is_silent=is_silent)
            lines.append(
                f"after the faults 99 % of {_WORLDS[is_silent]} must be live within {gate} base delays; "
                f"they took {waited}"
            )
    if tally.has_gaps(GATE_BOUNDARY, base_delay_us):
        waited = tally.boundary_delays(9_900, base_delay_us)
        lines.append(
            f"99 % of the quiet gaps between epochs must be within {GATE_BOUNDARY} base delays; they took {waited}"
        )
    return lines
