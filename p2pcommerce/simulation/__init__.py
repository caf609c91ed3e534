"""Floor 4, beside the runtime: the same cores under simulated links, clocks and disks.

- `scenario`: what decides a world, as JSON; `faults`: the table of fault kinds
- `streams`: one seed, a random stream for each name; `queue`: what happens next; `trace`: one hash over all of it
- `links`: when a message arrives; `tables`: how far regions are apart; `downlink`: a receiver's bandwidth;
  `link_faults`: what links suffer
- `clocks`, `disks`: of one host, with their faults
- `scheme`: cheap signatures, for simulations only
- `cluster`: `Cluster`, for an application's own tests; `arguments`: what it refuses; `simulation`: one whole scenario;
  `world`: one world of whole nodes, the biggest idea; `options`: what a program may choose of it; `result`: what came
  of it
- `host`: one node with clock, disk and connections; `surroundings`: what it needs of the world; `disk_queue`,
  `storage`, `journal`: its disk at work; `connections`, `windows`, `message_sizes`: its links at work
- `schedule`: which fault strikes when; `load`, `purse`: what users do; `adversaries/`: who does not follow the rules
- `trade/`: random trade on the application alone, its properties judged after every transaction
- `twins/`: one validator twice, in every small scenario of leaders and partitions, on engines alone
- `flood`: a mempool under a flood; `junk`: what it is flooded with
- `oracles`, `ballots`: what must hold at each step; `liveness`: whether finality resumes
"""

from p2pcommerce.simulation.clocks import UNIX_BASE_US, HostClock
from p2pcommerce.simulation.cluster import Cluster, ClusterError
from p2pcommerce.simulation.disks import SimulatedDisk, SimulatedDiskError
from p2pcommerce.simulation.faults import FAULTS, FaultKind, UnknownFaultError, draw_faults, parse_faults
from p2pcommerce.simulation.link_faults import LinkFault, halves, isolate, partition, ring
from p2pcommerce.simulation.links import LinkMode, LinkModel, Links
from p2pcommerce.simulation.options import Watcher, WorldOptions
from p2pcommerce.simulation.oracles import ORACLES, Violation
from p2pcommerce.simulation.queue import EventQueue, EventQueueError
from p2pcommerce.simulation.result import Result
from p2pcommerce.simulation.scenario import ADVERSARIES, Adversary, Scenario, ScenarioError
from p2pcommerce.simulation.scheme import STAND_IN, StandIn, scheme_for
from p2pcommerce.simulation.simulation import Simulation
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.tables import TABLES, LatencyTable, UnknownTableError, place, table, uniform
from p2pcommerce.simulation.trace import Trace
from p2pcommerce.simulation.world import World, run_scenario

__all__ = [
    "ADVERSARIES",
    "FAULTS",
    "ORACLES",
    "STAND_IN",
    "TABLES",
    "UNIX_BASE_US",
    "Adversary",
    "Cluster",
    "ClusterError",
    "EventQueue",
    "EventQueueError",
    "FaultKind",
    "HostClock",
    "LatencyTable",
    "LinkFault",
    "LinkMode",
    "LinkModel",
    "Links",
    "Result",
    "Scenario",
    "ScenarioError",
    "SimulatedDisk",
    "SimulatedDiskError",
    "Simulation",
    "StandIn",
    "Streams",
    "Trace",
    "UnknownFaultError",
    "UnknownTableError",
    "Violation",
    "Watcher",
    "World",
    "WorldOptions",
    "draw_faults",
    "halves",
    "isolate",
    "parse_faults",
    "partition",
    "place",
    "ring",
    "run_scenario",
    "scheme_for",
    "table",
    "uniform",
]
