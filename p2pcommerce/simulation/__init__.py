"""Floor 4, beside the runtime: the same cores under simulated links, clocks and disks.

A world:

- `cluster`: `Cluster`, for an application's own tests; `arguments`: what it refuses; `simulation`: one whole scenario;
  `world`: one world of whole nodes, the biggest idea; `options`: what a program may choose of it; `result`: what came
  of it
- `scenario`: what decides a world, as JSON; `faults`: the table of fault kinds; `schedule`: which strikes when
- `streams`: one seed, a random stream for each name; `queue`: what happens next; `trace`: one hash over all of it;
  `words`: its events in words
- `links`: when a message arrives; `tables`: how far regions are apart; `downlink`: a receiver's bandwidth;
  `link_faults`: what links suffer
- `clocks`, `disks`: of one host, with their faults; `scheme`: cheap signatures, for simulations only
- `host`: one node with clock, disk and connections; `surroundings`: what it needs of the world; `behaviour`: how it
  departs from what its core wants
- `disk_queue`, `storage`, `journal`, `own_queue`, `off_chain`, `offers`: a host's disk at work; `connections`,
  `windows`, `message_sizes`: its links at work
- `load`, `purse`, `market`, `demand`: what users do; `churn`: validators that change; `adversaries/`: who does not
  follow the rules

What must hold:

- `oracles`, `ballots`: at each step; `liveness`, `gates`: whether finality resumes, and how soon
- `conduct`, `commitments`, `certified`, `justified`: what was signed and proven, with code of its own
- `boundaries`, `epoch_judge`, `memberships`: epochs
- `convictions`, `evidence_judge`: who is convicted, and who must be
- `books`, `order_rules`: the application's money and orders, written a second time
- `buffers`: caps of what rooms hold; `defects`: where an exception came from

Many worlds:

- `campaign`: one for each seed; `sweep`, `dask_cluster`: over processes and machines; `tally`: the sum
- `outcome`, `outcome_file`, `outcome_csv`, `line_file`, `program`: what is kept of each, so that a sweep resumes
- `shrink`: from a world that fails to a small one; `pictures/`: what worlds show, as a paper prints it

Worlds of other kinds:

- `gossip/`, `baselines/`: how transactions spread, by the product or by what it is measured against
- `peers/`: discovery alone; `flood`, `junk`: a mempool under a flood
- `trade/`: random trade on the application alone, its properties judged after every transaction
- `twins/`: one validator twice, in every small scenario of leaders and partitions, on engines alone
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
