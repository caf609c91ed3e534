"""What a sweep does not look at, said before it runs, and what it failed to show, said after it."""

from __future__ import annotations

from p2pcommerce.simulation.campaign import Campaign
from p2pcommerce.simulation.gates import recovery_gate
from p2pcommerce.simulation.tally import FIRES_MIN_BPS, Tally

__all__ = ["recovery_gate_of", "remarks", "shortfalls"]


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
    gate, base_delay_us = recovery_gate_of(campaign), campaign.base.base_delay_us
    if tally.is_late(gate, base_delay_us):
        waited = tally.recovery_delays(9_900, base_delay_us)
        lines.append(f"after the faults 99 % of the worlds must be live within {gate} base delays; they took {waited}")
    return lines


def recovery_gate_of(campaign: Campaign) -> int:
    """Return within how many base delays 99 % of a campaign's worlds must recover."""
    has_adversaries = bool(campaign.adversaries or campaign.cast)
    return recovery_gate(campaign.base.engine, campaign.faults, has_adversaries=has_adversaries)
