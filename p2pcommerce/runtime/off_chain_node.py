"""What an application does with blobs and sealed messages: the part of `RunningNode` that is about them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from typing import Final

from p2pcommerce.blobs.mailbox import Letter
from p2pcommerce.commerce.sealed import Sealed, box_secret, seal_address
from p2pcommerce.discovery import parse_address
from p2pcommerce.node.effects import Dial
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import x25519_public
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import HASH_BYTES, MICROSECONDS, PUBLIC_KEY_BYTES, PublicKey
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.driver import Driver
from p2pcommerce.runtime.identity import Identity
from p2pcommerce.runtime.off_chain import Message, OffChainDesk
from p2pcommerce.runtime.off_chain_errors import StoreUnknownError

__all__ = ["Messages", "OffChainNode"]

_DAY_S: Final = 86_400
_PROVIDERS_MAX: Final = 8


class Messages(AsyncIterator[Message]):
    """The messages for a node: first those that are here, then each as it comes; see `OffChainNode.messages`."""

    def __init__(self, desk: OffChainDesk, secret: bytes) -> None:
        """Use `OffChainNode.messages`."""
        self._desk = desk
        self._secret = secret
        self._given: dict[bytes, None] = {}

    @override
    async def __anext__(self) -> Message:
        while True:
            found = self._desk.inbox_ids()
            self._given = {name: None for name in found if name in self._given}  # what was dropped is forgotten here
            fresh = next((name for name in found if name not in self._given), None)
            if fresh is not None:
                self._given[fresh] = None
                return next(message for message in self._desk.inbox(self._secret) if message.id == fresh)
            await self._desk.wait_arrival()


class OffChainNode:
    """Blobs and sealed messages of a running node."""

    identity: Identity
    _core: Node
    _clock: Clock
    _driver: Driver
    _desk: OffChainDesk

    async def put_blob(self, data: bytes, *, life_s: float | None = None) -> bytes:
        """Keep a blob of this application's own and give it to whoever asks; return its SHA-256 (32 bytes).

        Args:
            data: 1 byte up to 8 MiB (`BlobParameters.blob_bytes_max`).
            life_s: seconds for which it is kept; None: until `drop_blob`.

        Raises:
            BlobTooLargeError: it is empty, or larger than that.
            OffChainQuotaError: the quota of own blobs is used up.
            OffChainDiskError: the disk does not take it.
            UsageError: `life_s` is not positive.
            ClosedResourceError: the node has stopped.
        """
        if life_s is not None and not 0 < life_s <= 100 * 365 * _DAY_S:
            raise UsageError(f"life_s is {life_s!r}; give seconds above 0, or None")
        return await self._desk.put(bytes(data), None if life_s is None else round(life_s * MICROSECONDS))

    async def get_blob(self, blob_hash: bytes, *, bytes_max: int | None = None, providers: Sequence[str] = ()) -> bytes:
        """Return a blob, from this node's disk or from peers, checked against its hash.

        Args:
            blob_hash: SHA-256, 32 bytes.
            bytes_max: more is not taken, nor fetched; None: 8 MiB (`BlobParameters.blob_bytes_max`).
            providers: addresses of nodes that should have it ("tcp://host:port"), from a store's `uri` for example.

        Raises:
            BlobNotFoundError: no peer has it, nor has one of theirs; within about 10 seconds.
            BlobTooLargeError: it has more bytes.
            OffChainBusyError: too many blobs are being fetched.
            UsageError: the hash or an address is malformed.
            ClosedResourceError: the node has stopped.
        """
        if len(blob_hash) != HASH_BYTES:
            raise UsageError(f"a blob's hash has {HASH_BYTES} bytes, this one {len(blob_hash)}")
        for address in [str(parse_address(each)) for each in providers[:_PROVIDERS_MAX]]:
            self._driver.give([Dial(address, None)])
        limit = self._core.off_chain.blobs.parameters.blob_bytes_max
        return await self._desk.get(bytes(blob_hash), limit if bytes_max is None else min(bytes_max, limit))

    async def drop_blob(self, blob_hash: bytes) -> None:
        """Remove a blob (32 bytes) from this node, if it is here; others may keep it.

        Raises:
            ClosedResourceError: the node has stopped.
        """
        await self._desk.drop_blob(bytes(blob_hash))

    @property
    def box_key(self) -> bytes:
        """The key (32 bytes) to which messages for this node are sealed: the `box_key` of its owner's `store.set`."""
        return x25519_public(box_secret(self.identity.seed))

    async def send_message(
        self, store: PublicKey, content: bytes, *, box_key: bytes | None = None, life_s: int = 6 * _DAY_S
    ) -> Sealed:
        """Seal a message and send it to a store's node; return it once this node has it durably.

        It is delivered when the store's node is connected to this one, or to one of up to three peers that hold it
        meanwhile. `Sealed.address_hash` is what `order.place` carries.

        Args:
            store: the owner's account, which is the key of the store's node, 32 bytes.
            content: at most 15,860 bytes.
            box_key: 32 bytes; None: that of the store's record on the chain.
            life_s: seconds until it is given up, at most 7 days.

        Raises:
            StoreUnknownError: the account has no store.
            MessageExpiryError: a life of 0 s, or of more than 7 days.
            OffChainQuotaError: too many messages are under way.
            CommerceError: the content is too long.
            CryptoError: the box key is not usable.
            UsageError: `store` is no key.
            ClosedResourceError: the node has stopped.
        """
        if len(store) != PUBLIC_KEY_BYTES:
            raise UsageError(f"a store is an account of {PUBLIC_KEY_BYTES} bytes, this has {len(store)}")
        key = self._box_key_of(store) if box_key is None else box_key
        expires_ms = self._clock.now() // 1_000 + life_s * 1_000
        sealed = seal_address(key, bytes(content), max(0, expires_ms), random.SystemRandom())
        await self._desk.send(Letter(bytes(store), sealed.salt, sealed.expires_ms, sealed.sealed, b""))
        return sealed

    def _box_key_of(self, store: PublicKey) -> bytes:
        core = self._core
        record = core.application.query("store", {"store": store.hex()}, core.chain.state.final)
        if not isinstance(record, dict) or not isinstance(record.get("box_key"), str):
            raise StoreUnknownError(f"{store.hex()[:8]} has no store on the chain; give its box key")
        return bytes.fromhex(record["box_key"])

    def messages(self) -> Messages:
        """Iterate over the messages for this node: `async for message in node.messages()`.

        First come those that are here, then each new one, until the node stops (`ClosedResourceError`). A message is
        stored before its sender hears that it was delivered, and stays until `drop_message`: after a restart it comes
        again. Each comes once in a life of a message, however often it is sent.
        """
        return Messages(self._desk, box_secret(self.identity.seed))

    def inbox(self) -> list[Message]:
        """Return the messages for this node that are here."""
        return self._desk.inbox(box_secret(self.identity.seed))

    async def drop_message(self, message_id: bytes) -> None:
        """Forget a message that was dealt with (id: 32 bytes), durably; it is not taken again.

        Raises:
            OffChainDiskError: the disk does not take it: the message stays for the next start.
            ClosedResourceError: the node has stopped.
        """
        await self._desk.drop_message(message_id)
