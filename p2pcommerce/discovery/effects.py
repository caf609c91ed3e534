"""What discovery wants done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TypeAlias

from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import CallBack, GetPeers, Observed, Peers, TakesCalls

__all__ = ["CloseOne", "Dial", "Effect", "SaveBook", "SendTo", "TakeGuest", "Which"]


@unique
class Which(Enum):
    """Which connection with a peer, where there may be two for a moment."""

    OLD = "old"
    NEW = "new"
    """The one reported last; the only one, if there is one."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect; the answer is `on_connected` with this address, or `on_dial_failed`.

    Attributes:
        address: as the peer or a person wrote it.
        peer: who must answer there (32 bytes); None: whoever does.
    """

    address: str
    peer: PeerId | None


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send a message to a connected peer."""

    peer: PeerId
    message: CallBack | GetPeers | Observed | Peers | TakesCalls


@dataclass(frozen=True, slots=True)
class CloseOne:
    """Close one connection with a peer. Discovery has forgotten it already: its end is not reported back.

    Attributes:
        peer: 32 bytes.
        which: of two connections, which one.
        reason: a stable code.
        fault: the peer broke a rule (a refusal for want of room is nobody's fault).
    """

    peer: PeerId
    which: Which
    reason: str
    fault: bool = False


@dataclass(frozen=True, slots=True)
class TakeGuest:
    """Keep the new connection of a caller for whom there is no place, for one question: `on_get_peers`.

    It is no peer: it is told nothing but the answer, and nothing else that it says counts. `CloseOne` ends it.

    Attributes:
        peer: 32 bytes.
    """

    peer: PeerId


@dataclass(frozen=True, slots=True)
class SaveBook:
    """Write `Discovery.dump()` to disk."""


Effect: TypeAlias = Dial | SendTo | CloseOne | TakeGuest | SaveBook
