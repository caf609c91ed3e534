"""Sealed messages to a store's node: delivered straight, or left with a few peers until the reader comes.

A message is opaque here; its id is BLAKE2b-256 of salt and sealed bytes, which is what an order carries on the chain.
The sender keeps it until the reader itself says that it has stored it: what relays say decides nothing. A relay gives a
message to its reader only, never to another relay. Every box is bounded in count and bytes, and no peer may have more
in one than what is left of it, so that one that fills it leaves half to everybody else; what a peer may post per second
it does not get anew by connecting anew. What is read stays remembered by its id for as long as any message may live, so
that it is not taken twice.

Source: the commerce specification (Off chain): an address goes sealed straight to the store; Choudhury, Hahne: Dynamic
Queue Length Thresholds for Shared-Memory Packet Switches (1998), for shares.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, IntEnum, unique

from p2pcommerce.blobs.allowance import Allowance
from p2pcommerce.blobs.effects import (
    Arrived,
    Done,
    Effect,
    Failed,
    Failure,
    RemoveMessage,
    SendTo,
    StoreMessage,
)
from p2pcommerce.blobs.parameters import MailParameters
from p2pcommerce.primitives.codec import KEY, U64, blob, decode, encode, raw, record_of
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.off_chain_messages import SEALED_BYTES_MAX, MessageTaken, PostMessage

__all__ = ["POSTERS_MAX", "STORED_BYTES_MAX", "Box", "Letter", "Mailbox", "Taken", "message_id"]

STORED_BYTES_MAX = SEALED_BYTES_MAX + 256
"""Bytes of a stored message."""
POSTERS_MAX = 4_096
"""Peers whose allowance is remembered; who posted longest ago is forgotten first, unless it is connected."""


@unique
class Box(Enum):
    """Where a message lies."""

    IN = "in"
    OUT = "out"
    HELD = "held"
    GONE = "gone"


@unique
class Taken(IntEnum):
    """What `MessageTaken` says."""

    DELIVERED = 0
    HELD = 1
    REFUSED = 2
    NEVER = 3


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it is stored; the fields are those of `PostMessage`, and who brought it (32 bytes, or none)."""

    to: bytes
    salt: bytes
    expires_ms: int
    sealed: bytes
    source: bytes


_LETTER = record_of(Letter, to=KEY, salt=raw(32), expires_ms=U64, sealed=blob(SEALED_BYTES_MAX), source=blob(32))


def message_id(salt: bytes, sealed: bytes) -> bytes:
    """Return the id (32 bytes) of a message: what an order carries as `address_hash`."""
    return blake2b_256(salt + sealed)


@dataclass(slots=True)
class _Entry:
    """A message that is kept."""

    letter: Letter
    box: Box
    expires_us: int
    requests: list[int] = field(default_factory=list)
    is_stored: bool = True
    owed: dict[PeerId, None] = field(default_factory=dict)
    offered: dict[PeerId, int] = field(default_factory=dict)
    relays: dict[PeerId, None] = field(default_factory=dict)


class Mailbox:
    """The core of sealed messages.

    Attributes:
        counters: what happened, by name.
    """

    def __init__(self, parameters: MailParameters, own: PeerId, rng: random.Random) -> None:
        """Begin with nothing; `start` says what the disk holds."""
        self._parameters = parameters
        self._own = own
        self._rng = rng
        self._entries: dict[bytes, _Entry] = {}
        self._peers: dict[PeerId, Allowance] = {}
        self._posters: OrderedDict[PeerId, Allowance] = OrderedDict()  # of those that are gone
        self._deadline: int | None = None
        self.counters: Counter[str] = Counter()

    def start(self, found: Iterable[tuple[bytes, str, int, bytes]], now: int) -> list[Effect]:
        """Take what the disk holds: id (32 bytes), box, expiry in microseconds, data; what is damaged is removed."""
        effects: list[Effect] = []
        for name, box, expires_us, data in found:
            try:
                letter = decode(_LETTER, data, STORED_BYTES_MAX)
                entry = _Entry(letter, Box(box), expires_us)
            except (CodecError, ValueError):
                effects.append(RemoveMessage(name))
                continue
            if entry.box is not Box.GONE and message_id(letter.salt, letter.sealed) != name:
                effects.append(RemoveMessage(name))
                continue
            self._entries[name] = entry
        self._plan(now)
        return effects

    # --- the application ---

    def send(self, request: int, letter: Letter, now: int) -> list[Effect]:
        """Send a message; `Done` comes, with its id, once it is durably kept here until its reader has it."""
        name = message_id(letter.salt, letter.sealed)
        known = self._entries.get(name)
        if known is not None:
            known.requests += [] if known.is_stored else [request]
            return [Done(request, name)] if known.is_stored else []
        life_us = letter.expires_ms * 1_000 - now
        if not 0 < life_us <= self._parameters.life_us:
            return [Failed(request, Failure.EXPIRED, f"a message lives up to {self._parameters.life_us // 10**6} s")]
        box = Box.IN if letter.to == self._own else Box.OUT
        if not self._has_room(box, len(letter.sealed)):
            return [Failed(request, Failure.QUOTA, "too many messages are under way already; wait for their readers")]
        return self._keep(name, _Entry(letter, box, letter.expires_ms * 1_000, [request]))

    def inbox(self) -> list[tuple[bytes, Letter]]:
        """Return the messages for this node that were not dropped: ids (32 bytes) and letters, in their order."""
        return [
            (name, entry.letter) for name, entry in self._entries.items() if entry.box is Box.IN and entry.is_stored
        ]

    def outbox(self) -> list[tuple[bytes, PeerId, int]]:
        """Return own messages whose readers have not got them: id (32 bytes), reader, and how many peers hold it."""
        return [
            (name, PeerId(entry.letter.to), len(entry.relays))
            for name, entry in self._entries.items()
            if entry.box is Box.OUT
        ]

    def drop(self, request: int, name: bytes, now: int) -> list[Effect]:
        """Forget a message for this node that was read (id: 32 bytes); `Done` comes once its id is remembered."""
        entry = self._entries.get(name)
        if entry is None or entry.box is not Box.IN:
            return [Done(request, name)]
        gone = Letter(entry.letter.to, bytes(32), entry.letter.expires_ms, b"", entry.letter.source)
        until_us = now + self._parameters.life_us
        return self._keep(name, _Entry(gone, Box.GONE, until_us, [request]))

    # --- peers ---

    def on_connected(self, peer: PeerId, now: int) -> list[Effect]:
        """Give a peer what is for it, and own messages that too few hold."""
        parameters = self._parameters
        known = self._posters.pop(peer, None)
        self._peers[peer] = known or Allowance(parameters.posts_burst, parameters.posts_per_s, now)
        effects: list[Effect] = []
        for name, entry in self._entries.items():
            if entry.is_stored:
                effects += self._offer(name, entry, [peer], now)
        self._plan(now)
        return effects

    def on_disconnected(self, peer: PeerId) -> None:
        """A peer is gone."""
        allowance = self._peers.pop(peer, None)
        if allowance is not None:
            self._posters[peer] = allowance
            if len(self._posters) > POSTERS_MAX:
                self._posters.popitem(last=False)
        for entry in self._entries.values():
            entry.offered.pop(peer, None)
            entry.owed.pop(peer, None)

    def on_post(self, peer: PeerId, message: PostMessage, now: int) -> list[Effect]:
        """A peer posts a message: for this node, or to be held for another."""
        name = message_id(message.salt, message.sealed)
        known = self._entries.get(name)
        if known is not None and known.box is not Box.OUT:
            if not known.is_stored:
                known.owed[peer] = None
                return []
            return [SendTo(peer, MessageTaken(name, _state_of(known.box)))]
        life_us = message.expires_ms * 1_000 - now
        if known is not None or not 0 < life_us <= self._parameters.life_us:
            return [SendTo(peer, MessageTaken(name, Taken.NEVER))]
        box = Box.IN if message.to == self._own else Box.HELD
        allowance = self._peers.get(peer)
        if allowance is None or not allowance.take(1, now) or not self._has_room(box, len(message.sealed), peer):
            self.counters["refused"] += 1
            return [SendTo(peer, MessageTaken(name, Taken.REFUSED))]
        letter = Letter(message.to, message.salt, message.expires_ms, message.sealed, peer)
        # What is for this node stays a whole life from now, so that its reader may be late.
        expires_us = now + self._parameters.life_us if box is Box.IN else message.expires_ms * 1_000
        entry = _Entry(letter, box, expires_us, owed={peer: None})
        return self._keep(name, entry)

    def on_taken(self, peer: PeerId, message: MessageTaken, now: int) -> list[Effect]:
        """A peer says what became of a message."""
        name = message.message_id
        entry = self._entries.get(name)
        if entry is None or entry.offered.pop(peer, None) is None:
            self.counters["unasked"] += 1
            return []
        if message.state == Taken.REFUSED:
            entry.offered[peer] = now + self._parameters.retry_us
        elif entry.letter.to == peer and message.state in {Taken.DELIVERED, Taken.NEVER}:
            self.counters["delivered"] += message.state == Taken.DELIVERED
            del self._entries[name]
            return [RemoveMessage(name)]
        elif message.state == Taken.HELD:
            entry.relays[peer] = None
        self._plan(now)
        return []

    # --- the disk ---

    def on_stored(self, name: bytes, *, is_kept: bool, now: int) -> list[Effect]:
        """A message (id: 32 bytes) is durable, or could not be written."""
        entry = self._entries.get(name)
        if entry is None or entry.is_stored:
            return []
        requests, owed = entry.requests, list(entry.owed)
        entry.requests, entry.owed, entry.is_stored = [], {}, True
        if not is_kept:
            del self._entries[name]
            told: list[Effect] = [SendTo(peer, MessageTaken(name, Taken.REFUSED)) for peer in owed]
            return told + [Failed(request, Failure.DISK, "the disk does not take the message") for request in requests]
        effects: list[Effect] = [Done(request, name) for request in requests]
        effects += [SendTo(peer, MessageTaken(name, _state_of(entry.box))) for peer in owed]
        if entry.box is Box.IN:
            effects.append(Arrived(name))
        effects += self._offer(name, entry, list(self._peers), now)
        self._plan(now)
        return effects

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return self._deadline

    def on_deadline(self, now: int) -> list[Effect]:
        """Forget what has expired; offer again what was refused."""
        effects: list[Effect] = []
        for name, entry in list(self._entries.items()):
            if entry.expires_us <= now:
                del self._entries[name]
                self.counters["expired"] += entry.box is not Box.GONE
                effects += [Failed(request, Failure.EXPIRED, "the message expired") for request in entry.requests]
                effects.append(RemoveMessage(name))
                continue
            for peer in [peer for peer, due in entry.offered.items() if due <= now]:
                del entry.offered[peer]
            if entry.is_stored:
                effects += self._offer(name, entry, list(self._peers), now)
        self._plan(now)
        return effects

    def statistics(self) -> dict[str, int]:
        """Return counters and how many messages lie in each box."""
        boxes = Counter(entry.box for entry in self._entries.values())
        return {**self.counters, **{f"box_{box.value}": boxes[box] for box in Box}}

    # --- inside ---

    def _keep(self, name: bytes, entry: _Entry) -> list[Effect]:
        entry.is_stored = False
        self._entries[name] = entry
        self._deadline = earliest(self._deadline, entry.expires_us)
        return [StoreMessage(name, entry.box.value, entry.expires_us, encode(_LETTER, entry.letter))]

    def _offer(self, name: bytes, entry: _Entry, peers: list[PeerId], now: int) -> list[Effect]:
        """Post a message to its reader if that is connected, or else leave own ones with a few others."""
        letter = entry.letter
        if entry.box not in {Box.OUT, Box.HELD}:
            return []
        reader = PeerId(letter.to)
        if reader in self._peers:
            chosen = [reader] if reader in peers and reader not in entry.offered else []
        elif entry.box is Box.OUT:
            free = [peer for peer in peers if peer not in entry.offered and peer not in entry.relays]
            under_way = len(entry.relays) + len(entry.offered)
            chosen = self._rng.sample(free, max(0, min(self._parameters.relays - under_way, len(free))))
        else:
            chosen = []
        for peer in chosen:
            entry.offered[peer] = now + self._parameters.retry_us
        return [SendTo(peer, PostMessage(letter.to, letter.salt, letter.expires_ms, letter.sealed)) for peer in chosen]

    def _has_room(self, box: Box, size: int, source: PeerId | None = None) -> bool:
        """Tell whether a box takes one more (of a peer: 32 bytes); read ones that are remembered count in the inbox."""
        parameters = self._parameters
        counted = {Box.IN, Box.GONE} if box is Box.IN else {box}
        found = [entry.letter for entry in self._entries.values() if entry.box in counted]
        count_max = {
            Box.IN: parameters.inbox_count_max,
            Box.OUT: parameters.outbox_count_max,
            Box.HELD: parameters.held_count_max,
        }[box]
        bytes_left = parameters.bytes_max - sum(len(letter.sealed) for letter in found)
        if len(found) >= count_max or size > bytes_left:
            return False
        if source is None:
            return True
        of_source = [letter for letter in found if letter.source == source]
        bytes_of_source = sum(len(letter.sealed) for letter in of_source)
        if len(of_source) >= count_max - len(found) or bytes_of_source + size > bytes_left:
            return False
        return box is not Box.HELD or len(of_source) < parameters.held_per_peer_max

    def _plan(self, now: int) -> None:
        entries = self._entries.values()
        due = [entry.expires_us for entry in entries] + [due for entry in entries for due in entry.offered.values()]
        self._deadline = max(earliest(*due) or 0, now + 1) if due else None


def _state_of(box: Box) -> Taken:
    return Taken.HELD if box is Box.HELD else Taken.DELIVERED
