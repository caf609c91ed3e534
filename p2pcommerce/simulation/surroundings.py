"""What a host needs of the world around it: the seam between one node and everything else.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.application import Application
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Dropped, OffenceFound, Report, Submitted
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.trace import Trace
from p2pcommerce.wire.messages import Message

if TYPE_CHECKING:
    from p2pcommerce.simulation.host import Host

__all__ = ["Surroundings"]


class Surroundings(Protocol):
    """A world, as one of its hosts sees it.

    Attributes:
        streams: of the world.
        trace: of the world.
        genesis: the network's.
        scheme: signs and verifies.
        parameters: of every node.
        bootstrap: addresses to begin with.
    """

    streams: Streams
    trace: Trace
    genesis: Genesis
    scheme: SignatureScheme
    parameters: NodeParameters
    bootstrap: tuple[str, ...]

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...

    def make_engine(self, host: Host) -> FinalityEngine:
        """Return an engine that has not started."""
        ...

    def make_application(self) -> Application:
        """Return the application of one node."""
        ...

    def at(self, world_us: int, host: Host, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let a host do something at a moment, unless its life ends before."""
        ...

    def transmit(self, host: Host, peer: PeerId, message: Message) -> None:
        """Send a message over the host's attached link with a peer."""
        ...

    def flush(self, host: Host) -> None:
        """Everything that the host sends in this turn has been given."""
        ...

    def dial(self, host: Host, address: str, expected: PeerId | None) -> None:
        """Connect to an address."""
        ...

    def close(self, host: Host, link: int, code: str) -> None:
        """End a link; the host that asks is not told."""
        ...

    def close_all(self, host: Host) -> None:
        """End every link of a host that is gone."""
        ...

    def on_final(self, host: Host, committed: CommittedBlock, *, is_restored: bool = False) -> None:
        """A core says that a block is final."""
        ...

    def on_stored(self, host: Host, blocks: Sequence[CommittedBlock]) -> None:
        """Final blocks are stored: users are told."""
        ...

    def on_heard(self, host: Host, peer: PeerId, message: Message) -> None:
        """A host is about to give a peer's message to its core."""
        ...

    def on_signed(self, host: Host, kind: str, data: bytes) -> None:
        """A host signs as a validator."""
        ...

    def on_submitted(self, host: Host, effect: Submitted) -> None:
        """The verdict on a submission."""
        ...

    def on_dropped(self, host: Host, effect: Dropped) -> None:
        """A transaction left a pool without becoming final."""
        ...

    def on_offence(self, host: Host, effect: OffenceFound | Report) -> None:
        """A core has learned that a validator broke the rules, or wants that put on the chain by its own account."""
        ...

    def on_log(self, host: Host, level: str, room: str, message: str) -> None:
        """A core says something."""
        ...

    def on_down(self, host: Host, kind: str, reason: str) -> None:
        """A host stopped: "crash", "disk", "damage" (it cannot start again) or "halt" (it must not)."""
        ...
