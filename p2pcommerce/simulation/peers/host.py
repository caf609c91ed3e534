"""One node of a world of discovery: a core, its file, its connections."""

from __future__ import annotations

from p2pcommerce.discovery import Discovery
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Host", "Link"]


class Link:
    """One connection.

    Attributes:
        ends: the two addresses, the dialler's first.
    """

    __slots__ = ("ends",)

    def __init__(self, dialler: str, answerer: str) -> None:
        """Join two addresses."""
        self.ends = (dialler, answerer)


class Host:
    """One node.

    Attributes:
        address: where it listens.
        key: 32 bytes.
        record: its signed record.
        core: discovery; None: it is down, or an attacker, who has none.
        links: peer -> the connections with it, the oldest first; for a moment there may be two.
        book: the file that its disk keeps; None: none was saved.
        life: changes with each start.
        wake_us: the earliest wake-up in the queue; None: none.
        is_hostile: it belongs to the attacker.
        is_hidden: nobody can dial it, as behind a router that lets nobody in.
    """

    __slots__ = ("address", "book", "core", "is_hidden", "is_hostile", "key", "life", "links", "record", "wake_us")

    def __init__(
        self, address: str, key: PeerId, record: bytes, *, is_hostile: bool = False, is_hidden: bool = False
    ) -> None:
        """Start down."""
        self.address = address
        self.key = key
        self.record = record
        self.core: Discovery | None = None
        self.links: dict[PeerId, list[Link]] = {}
        self.book: bytes | None = None
        self.life = 0
        self.wake_us: int | None = None
        self.is_hostile = is_hostile
        self.is_hidden = is_hidden
