"""The address book: signed records of peers, in buckets, with what this node itself saw of each.

Peers never reached lie in the `new` table (256 buckets of 64 places), each in up to 8 places, for as many groups of
sources; peers reached lie in the `tried` table (64 buckets of 64), at one place each. What one group of sources tells
fills at most 64 buckets of the first and, of the second, nothing: there lies only who answered this node's own dial.
Who has a place of its own (a validator) is kept beside the tables, so that no flood keeps its record out.

One entry per peer; a record replaces an older one of the same peer. A failed dial counts only if this node reached
somebody since the last one that counted: whose own network is down forgets nobody.

Source: Bitcoin Core's `AddrMan`; Heilman et al., Eclipse Attacks on Bitcoin's Peer-to-Peer Network, 2015, section 7;
the discovery section of the networking specification.

Deviations: a record whose place in a `new` bucket is taken goes to the next free one of that bucket, so that a small
network loses nobody to chance; a full bucket is as hard to enter as Bitcoin's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from p2pcommerce.discovery.book_file import Saved, SavedEntry, dump_book, load_book
from p2pcommerce.discovery.buckets import SECRET_BYTES, Buckets, Drawer
from p2pcommerce.discovery.contests import Contests, Outcome
from p2pcommerce.discovery.entry import Entry, Place
from p2pcommerce.discovery.group import group_of, is_local
from p2pcommerce.discovery.parameters import KEPT_MAX, DiscoveryParameters
from p2pcommerce.discovery.record import PeerRecord
from p2pcommerce.discovery.source import Source
from p2pcommerce.primitives.ids import GenesisHash, PeerId

__all__ = ["Book"]

_GOOD_AT_FIRST_MS: Final = 1


class Book:
    """The peers that this node knows of, connected or not.

    Attributes:
        anchors: peers (32 bytes) and addresses to dial first after a restart; saved with the book.
    """

    def __init__(self, genesis_hash: GenesisHash, parameters: DiscoveryParameters, rng: random.Random) -> None:
        """Start empty.

        Args:
            genesis_hash: this network, 32 bytes.
            parameters: sizes of the tables.
            rng: draws the secret, and peers.
        """
        self.anchors: tuple[tuple[PeerId, str], ...] = ()
        self._genesis_hash = genesis_hash
        self._parameters = parameters
        self._rng = rng
        self._secret = rng.randbytes(SECRET_BYTES)
        self._buckets = Buckets(parameters, self._secret)
        self._entries: dict[PeerId, Entry] = {}
        self._new: dict[Place, PeerId] = {}
        self._tried: dict[Place, PeerId] = {}
        self._new_drawer: Drawer[int, Place] = Drawer()
        self._tried_drawer: Drawer[bytes, PeerId] = Drawer()
        self._kept: dict[PeerId, None] = {}
        self._contests = Contests()
        self._good_ms = _GOOD_AT_FIRST_MS

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, peer: object) -> bool:
        return peer in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    @property
    def tried_count(self) -> int:
        """Peers in the table of those reached."""
        return len(self._tried)

    @property
    def contests(self) -> int:
        """Newcomers that wait for a place in it."""
        return len(self._contests)

    def get(self, peer: PeerId) -> Entry | None:
        """Return the entry of a peer, None if there is none."""
        return self._entries.get(peer)

    # --- what is heard ---

    def is_news(self, parsed: PeerRecord) -> bool:
        """Tell whether a record is newer than what the book holds of its peer."""
        entry = self._entries.get(parsed.public_key)
        return entry is None or parsed.sequence > entry.record.sequence

    def hear_again(self, parsed: PeerRecord, source: Source, now: int) -> None:
        """Hear of a record that is no news: with luck, its peer gets one more place, by this source.

        Each further place is half as likely as the one before, so that repeating costs more than it brings.
        """
        entry = self._entries.get(parsed.public_key)
        if entry is None or entry.record.raw != parsed.raw or not entry.new:
            return
        places = len(entry.new)
        if places < self._parameters.new_places_max and not self._rng.randrange(1 << places):
            self._place_new(entry, source, now // 1_000)

    def add(self, parsed: PeerRecord, source: Source, now: int) -> None:
        """Take a checked record that is news, if there is a place; one without addresses removes the entry.

        Args:
            parsed: checked by `check_record`.
            source: who told of it.
            now: microseconds.
        """
        peer = parsed.public_key
        entry = self._entries.get(peer)
        if not parsed.addresses:
            self.remove(peer)
        elif entry is not None:
            self._renew(entry, parsed, source, now // 1_000)
        elif source.is_local or not all(is_local(address) for address in parsed.addresses):
            fresh = Entry(parsed, source, is_kept=peer in self._kept)
            self._entries[peer] = fresh
            self._place_new(fresh, source, now // 1_000)
            self._drop_homeless(fresh)

    def _renew(self, entry: Entry, parsed: PeerRecord, source: Source, now_ms: int) -> None:
        """Put a newer record in the place of an older one."""
        old, entry.record = entry.record, parsed
        if not entry.addresses:
            entry.record = old  # of a peer that is known from afar, somebody tells that it is only nearby
            return
        entry.failures = 0
        if entry.tried is not None and entry.reached_at not in entry.addresses:
            self._leave_tried(entry)
            self._place_new(entry, source, now_ms)
        elif entry.new and old.addresses[0] != parsed.addresses[0]:
            self._leave_new(entry)
            self._place_new(entry, source, now_ms)
        self._drop_homeless(entry)

    def set_kept(self, peers: Iterable[PeerId]) -> None:
        """Keep the records of these peers (32 bytes each; the first 1,024 count) whatever happens to the tables."""
        self._kept = dict.fromkeys(list(dict.fromkeys(peers))[:KEPT_MAX])
        for entry in list(self._entries.values()):
            entry.is_kept = entry.peer in self._kept
            self._drop_homeless(entry)

    # --- what this node sees itself ---

    def on_reached(self, peer: PeerId, address: str, now: int) -> None:
        """A connection that this node dialled stands: its peer belongs in the table of those reached.

        Args:
            peer: 32 bytes.
            address: what was dialled.
            now: microseconds.
        """
        self._good_ms = now_ms = now // 1_000
        entry = self._entries.get(peer)
        if entry is None:
            return
        entry.reached_ms, entry.failures = now_ms, 0
        if entry.tried is not None and entry.reached_at == address:
            return
        if entry.tried is not None:
            self._leave_tried(entry)
        entry.reached_at = address
        place = self._buckets.tried(group_of(address), address)
        if place in self._tried:
            self._contests.begin(peer, place, now_ms)
            if not entry.new:
                self._place_new(entry, entry.source, now_ms, force=True)
        else:
            self._enter_tried(entry, place)

    def on_seen(self, peer: PeerId, now: int) -> None:
        """A peer that was dialled is still connected, or was until now."""
        entry = self._entries.get(peer)
        if entry is not None and entry.reached_ms:
            entry.reached_ms = max(entry.reached_ms, now // 1_000)

    def on_failed(self, peer: PeerId, now: int) -> None:
        """A dial failed; who was never reached is forgotten after some that counted."""
        entry = self._entries.get(peer)
        if entry is None or self._good_ms <= entry.counted_ms:
            return
        entry.failures += 1
        entry.counted_ms = now // 1_000
        if not entry.reached_ms and not entry.is_kept and entry.failures >= self._parameters.failures_max:
            self.remove(peer)

    def settle_contests(self, now: int) -> None:
        """Give contested places to whom they belong by now."""
        now_ms = now // 1_000
        for newcomer, place in self._contests.places():
            entry, incumbent = self._entries.get(newcomer), self._lying_at(place)
            if entry is None or entry.tried is not None:
                self._contests.drop(newcomer)
            elif incumbent is None:
                self._enter_tried(entry, place)
            else:
                outcome = self._contests.judge(newcomer, incumbent, now_ms)
                if outcome is Outcome.YIELDS:
                    self._leave_tried(incumbent)
                    self._place_new(incumbent, incumbent.source, now_ms, force=True)
                    self._enter_tried(entry, place)
                elif outcome is Outcome.STAYS:
                    self._contests.drop(newcomer)

    def to_test(self, now: int) -> Entry | None:
        """Return whom to dial so that a contest can be settled; None: there is none."""
        return self._contests.to_test(self._lying_at, now // 1_000)

    def forget_expired(self, now: int) -> None:
        """Drop whose record has expired, but for those that were reached not long ago."""
        for peer in [entry.peer for entry in self._entries.values() if entry.is_useless(now // 1_000)]:
            self.remove(peer)

    def remove(self, peer: PeerId) -> None:
        """Forget a peer; a stranger is no error."""
        entry = self._entries.pop(peer, None)
        if entry is not None:
            self._leave_new(entry)
            self._leave_tried(entry)
            self._contests.drop(peer)

    # --- what is drawn ---

    def draw(self, *, tried: bool) -> Entry | None:
        """Return a peer at random of one of the tables; None: it is empty."""
        if tried:
            peer = self._tried_drawer.draw(self._rng)
        else:
            place = self._new_drawer.draw(self._rng)
            peer = None if place is None else self._new[place]
        return None if peer is None else self._entries[peer]

    def sample(self, count: int, is_told: Callable[[Entry], bool], now: int) -> list[bytes]:
        """Return up to `count` records at random, as signed, of entries that may be told.

        Args:
            count: at most.
            is_told: leaves entries out; expired records and peers that nobody reaches are left out anyway.
            now: microseconds.
        """
        now_ms = now // 1_000
        usable = [
            entry.record.raw for entry in self._entries.values() if not entry.is_terrible(now_ms) and is_told(entry)
        ]
        return self._rng.sample(usable, min(count, len(usable)))

    # --- the file ---

    def dump(self) -> bytes:
        """Return the book as it is written to disk, with its secret and a checksum."""
        entries = tuple(SavedEntry.of(entry) for entry in self._entries.values())
        return dump_book(Saved(self._genesis_hash, self._secret, entries, self.anchors))

    def load(self, data: bytes, now: int) -> int:
        """Add the entries of a saved book, as far as they have not expired and there is room.

        Signatures were checked before the records were saved; the checksum finds accidents. An empty book takes over
        the saved one's secret, and with it every place.

        Args:
            data: from `dump`, of this version or the one before; may be damaged.
            now: microseconds.

        Returns:
            How many entries were added.

        Raises:
            BookError: damaged, of another network or of a newer version; nothing was added.
        """
        saved = load_book(data, self._genesis_hash, self._rng.randbytes)
        is_same = not self._entries
        if is_same:
            self._secret = saved.secret
            self._buckets = Buckets(self._parameters, saved.secret)
        self.anchors = saved.anchors
        now_ms, before = now // 1_000, len(self._entries)
        for item in saved.entries:
            entry = item.entry()
            if entry.peer not in self._entries and entry.addresses and not entry.is_useless(now_ms):
                entry.is_kept = entry.peer in self._kept
                self._entries[entry.peer] = entry
                self._put_back(entry, item, now_ms, is_same=is_same)
                self._drop_homeless(entry)
        return len(self._entries) - before

    def _put_back(self, entry: Entry, item: SavedEntry, now_ms: int, *, is_same: bool) -> None:
        """Give a loaded entry its places again."""
        if item.was_tried:
            place = self._buckets.tried(group_of(entry.reached_at), entry.reached_at)
            if place not in self._tried:
                self._enter_tried(entry, place)
                return
        limits = self._parameters
        for bucket, number in item.places if is_same else ():
            fits = bucket < limits.new_buckets and number < limits.bucket_places
            if fits and len(entry.new) < limits.new_places_max and (bucket, number) not in self._new:
                self._enter_new(entry, (bucket, number))
        if not entry.new:
            self._place_new(entry, entry.source, now_ms)

    # --- places ---

    def _lying_at(self, place: Place) -> Entry | None:
        peer = self._tried.get(place)
        return None if peer is None else self._entries[peer]

    def _place_new(self, entry: Entry, source: Source, now_ms: int, *, force: bool = False) -> None:
        """Give an entry a place in the `new` table: its own, the next free one of that bucket, or a bad one's."""
        address = entry.addresses[0]
        bucket, own = self._buckets.new(group_of(address), source.group, address)
        size = self._parameters.bucket_places
        if any(place[0] == bucket for place in entry.new):
            return
        for step in range(size):
            place = bucket, (own + step) % size
            if place not in self._new:
                self._enter_new(entry, place)
                return
        there = self._entries[self._new[bucket, own]]
        if force or there.is_terrible(now_ms) or (len(there.new) > 1 and not entry.new):
            self._leave_new_at(there, (bucket, own))
            self._drop_homeless(there)
            self._enter_new(entry, (bucket, own))

    def _drop_homeless(self, entry: Entry) -> None:
        """Forget an entry that has no place."""
        if entry.tried is None and not entry.new and not entry.is_kept:
            self._entries.pop(entry.peer, None)
            self._contests.drop(entry.peer)

    def _enter_new(self, entry: Entry, place: Place) -> None:
        self._new[place] = entry.peer
        self._new_drawer.add(place[0], place)
        entry.new.append(place)

    def _leave_new_at(self, entry: Entry, place: Place) -> None:
        entry.new.remove(place)
        del self._new[place]
        self._new_drawer.discard(place[0], place)

    def _leave_new(self, entry: Entry) -> None:
        for place in list(entry.new):
            self._leave_new_at(entry, place)

    def _enter_tried(self, entry: Entry, place: Place) -> None:
        self._leave_new(entry)
        self._contests.drop(entry.peer)
        entry.tried = place
        self._tried[place] = entry.peer
        self._tried_drawer.add(group_of(entry.reached_at), entry.peer)

    def _leave_tried(self, entry: Entry) -> None:
        if entry.tried is not None:
            del self._tried[entry.tried]
            self._tried_drawer.discard(group_of(entry.reached_at), entry.peer)
            entry.tried = None
