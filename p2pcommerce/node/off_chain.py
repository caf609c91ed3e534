"""What a node does beside the chain: blobs and sealed messages, and what of them concerns peers and the disk.

Who says that it has a blob is named to the asker by its signed record, and dialled by the asker: at most two addresses
of each record, and only for a question that this node asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from p2pcommerce.blobs import effects as blobs
from p2pcommerce.blobs.blobs import Blobs
from p2pcommerce.blobs.mailbox import Letter, Mailbox
from p2pcommerce.blobs.parameters import BlobParameters, MailParameters
from p2pcommerce.blobs.shelf import Kept
from p2pcommerce.discovery import RecordExpiredError, check_record, decode_record
from p2pcommerce.node.effects import Dial, Effect, OffChainWork, Transmit
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import GenesisHash, PeerId
from p2pcommerce.wire.off_chain_messages import (
    BlobProviders,
    MessageTaken,
    OffChainMessage,
    PostMessage,
)

__all__ = ["DIALS_PER_RECORD_MAX", "OffChain"]

DIALS_PER_RECORD_MAX: Final = 2

BlamePeer = Callable[[PeerId, str, str, int], list[Effect]]
RecordOf = Callable[[PeerId], bytes | None]


class OffChain:
    """The off-chain rooms of one node.

    Attributes:
        blobs, mailbox: the rooms.
    """

    def __init__(
        self,
        own: PeerId,
        genesis_hash: GenesisHash,
        scheme: SignatureScheme,
        rng: random.Random,
        parameters: tuple[BlobParameters, MailParameters],
        blame: BlamePeer,
        record_of: RecordOf,
    ) -> None:
        """Furnish the rooms.

        Args:
            own: this node, 32 bytes.
            genesis_hash: its network, 32 bytes.
            scheme: verifies records.
            rng: picks peers.
            parameters: of the rooms.
            blame: closes the connection with a peer: its key, a code, a reason, now.
            record_of: the signed record of a peer; None: there is none.
        """
        self._own = own
        self._genesis_hash = genesis_hash
        self._scheme = scheme
        self._blame = blame
        self._record_of = record_of
        self.blobs = Blobs(parameters[0], rng)
        self.mailbox = Mailbox(parameters[1], own, rng)
        self._peers: dict[PeerId, None] = {}

    def start(self, found: Iterable[Kept], letters: Iterable[tuple[bytes, str, int, bytes]], now: int) -> list[Effect]:
        """Take what the disk holds: blobs, the one used longest ago first, and messages."""
        return self._do([*self.blobs.start(found, now), *self.mailbox.start(letters, now)], now)

    # --- the application ---

    def put(self, request: int, data: bytes, life_us: int | None, now: int) -> list[Effect]:
        """Keep a blob; see `Blobs.put`."""
        return self._do(self.blobs.put(request, data, life_us, now), now)

    def get(self, request: int, blob_hash: bytes, bytes_max: int, now: int) -> list[Effect]:
        """Return a blob; see `Blobs.get`."""
        return self._do(self.blobs.get(request, blob_hash, bytes_max, now), now)

    def cancel(self, request: int, now: int) -> list[Effect]:
        """Nobody waits for a request any more."""
        return self._do(self.blobs.cancel(request, now), now)

    def drop_blob(self, blob_hash: bytes, now: int) -> list[Effect]:
        """Remove a blob (32 bytes)."""
        return self._do(self.blobs.drop(blob_hash, now), now)

    def send(self, request: int, letter: Letter, now: int) -> list[Effect]:
        """Send a sealed message; see `Mailbox.send`."""
        return self._do(self.mailbox.send(request, letter, now), now)

    def drop_message(self, request: int, message_id: bytes, now: int) -> list[Effect]:
        """Forget a message that was read (id: 32 bytes); see `Mailbox.drop`."""
        return self._do(self.mailbox.drop(request, message_id, now), now)

    # --- the disk ---

    def on_blob_stored(self, blob_hash: bytes, now: int, *, is_kept: bool) -> list[Effect]:
        """A blob (32 bytes) is on the disk, or could not be written."""
        return self._do(self.blobs.on_stored(blob_hash, is_kept=is_kept, now=now), now)

    def on_blob_loaded(self, blob_hash: bytes, data: bytes | None, chunks: tuple[bytes, ...], now: int) -> list[Effect]:
        """A blob was read and checked; None: it is missing or damaged."""
        return self._do(self.blobs.on_loaded(blob_hash, data, chunks, now), now)

    def on_message_stored(self, message_id: bytes, now: int, *, is_kept: bool) -> list[Effect]:
        """A message (id: 32 bytes) is durable, or could not be written."""
        return self._do(self.mailbox.on_stored(message_id, is_kept=is_kept, now=now), now)

    # --- peers and time ---

    def on_connected(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer is connected."""
        self._peers[peer] = None
        return self._do(self.blobs.on_connected(peer, now) + self.mailbox.on_connected(peer, now), now)

    def on_disconnected(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer is gone."""
        if peer not in self._peers:
            return []
        del self._peers[peer]
        self.mailbox.on_disconnected(peer)
        return self._do(self.blobs.on_disconnected(peer, now), now)

    def on_message(self, peer: PeerId, message: OffChainMessage, now: int) -> list[Effect]:
        """Take a message of a connected peer."""
        match message:
            case PostMessage():
                return self._do(self.mailbox.on_post(peer, message, now), now)
            case MessageTaken():
                return self._do(self.mailbox.on_taken(peer, message, now), now)
            case _:
                return self._do(self.blobs.on_message(peer, message, now), now)

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return earliest(self.blobs.deadline, self.mailbox.deadline)

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        effects: list[blobs.Effect] = []
        for room in (self.blobs, self.mailbox):
            due = room.deadline
            if due is not None and due <= now:
                effects += room.on_deadline(now)
        return self._do(effects, now)

    # --- effects ---

    def _do(self, effects: Sequence[blobs.Effect], now: int) -> list[Effect]:
        out: list[Effect] = []
        for effect in effects:
            match effect:
                case blobs.SendTo(peer, message):
                    if peer in self._peers:
                        out.append(Transmit(peer, message))
                case blobs.Blame(peer, code, reason):
                    out += self._blame(peer, code, reason, now)
                case blobs.AskDirectory(asker, blob_hash, provider):
                    record = self._record_of(provider)
                    if asker in self._peers and record is not None:
                        out.append(Transmit(asker, BlobProviders(blob_hash, (record,))))
                case blobs.Meet(peer, records):
                    out += self._meet(peer, records, now)
                case _:
                    out.append(OffChainWork(effect))
        return out

    def _meet(self, peer: PeerId, records: Sequence[bytes], now: int) -> list[Effect]:
        """Dial those whose records are good; a peer that passes on a bad one did not check it.

        Raises:
            RemoteProtocolError: a record that is malformed or not signed by whom it names.
        """
        effects: list[Effect] = []
        for raw in records:
            record = decode_record(raw)
            try:
                check_record(record, self._scheme, self._genesis_hash, now)
            except RecordExpiredError:
                continue
            if record.public_key != self._own and record.public_key not in self._peers:
                effects += [Dial(address, record.public_key) for address in record.addresses[:DIALS_PER_RECORD_MAX]]
        return effects
