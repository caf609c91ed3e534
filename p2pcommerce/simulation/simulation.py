"""`Simulation`: one whole scenario, run in one go.

Source: `p2pcommerce.simulation` of the interface specification.
"""

from __future__ import annotations

from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.result import Result
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.world import World

__all__ = ["Simulation"]


class Simulation:
    """One whole scenario, run in one go.

    Attributes:
        world: the simulation.
    """

    def __init__(self, scenario: Scenario, options: WorldOptions | None = None) -> None:
        """Prepare a scenario.

        Raises:
            ScenarioError: a strategy that whole nodes cannot follow.
        """
        self.world = World(scenario, options)

    def run(self) -> Result:
        """Run to the horizon, or to the first violation, and return what came of it."""
        self.world.run_until(self.world.scenario.horizon_us)
        return self.world.result()
