"""The baselines' own messages and what they would weigh in the product's encoding.

The frames are never encoded: a gossip world only needs their sizes. Each counts as a message of the product's wire
would: one byte of kind, one of the array of its fields, then the fields; a topic costs nothing, as there is one.
Message ids weigh 20 bytes, as Ethereum's gossipsub has them, though the simulator keeps 32: fewer bytes for the
baseline, never more.

Source: the gossipsub specifications v1.1 and v1.2 (control messages); the networking specification (Records).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from p2pcommerce.primitives.ids import TransactionId

__all__ = ["MESSAGE_ID_BYTES", "Frame", "Graft", "IDontWant", "IHave", "IWant", "Prune"]

MESSAGE_ID_BYTES: Final = 20
_ID_HEAD_BYTES: Final = 2
_EMPTY_BYTES: Final = 2
_BACKOFF_BYTES: Final = 2


def _ids_bytes(count: int) -> int:
    head = 1 if count < 16 else 3
    return _EMPTY_BYTES + head + count * (_ID_HEAD_BYTES + MESSAGE_ID_BYTES)


@dataclass(frozen=True, slots=True)
class IHave:
    """Lazy gossip: ids (32 bytes each) of what the sender saw lately."""

    ids: tuple[TransactionId, ...]

    @property
    def body_bytes(self) -> int:
        """Its size without framing."""
        return _ids_bytes(len(self.ids))


@dataclass(frozen=True, slots=True)
class IWant:
    """Asks for what was told of by `IHave`."""

    ids: tuple[TransactionId, ...]

    @property
    def body_bytes(self) -> int:
        """Its size without framing."""
        return _ids_bytes(len(self.ids))


@dataclass(frozen=True, slots=True)
class IDontWant:
    """Says that the sender has these already (v1.2)."""

    ids: tuple[TransactionId, ...]

    @property
    def body_bytes(self) -> int:
        """Its size without framing."""
        return _ids_bytes(len(self.ids))


@dataclass(frozen=True, slots=True)
class Graft:
    """Adds the link to the mesh."""

    @property
    def body_bytes(self) -> int:
        """Its size without framing."""
        return _EMPTY_BYTES


@dataclass(frozen=True, slots=True)
class Prune:
    """Takes the link out of the mesh, for at least `backoff_us` microseconds (whole seconds on the wire)."""

    backoff_us: int

    @property
    def body_bytes(self) -> int:
        """Its size without framing."""
        return _EMPTY_BYTES + _BACKOFF_BYTES


Frame: TypeAlias = IHave | IWant | IDontWant | Graft | Prune
