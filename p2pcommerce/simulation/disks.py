"""A simulated disk: what a crash leaves of files whose bytes were not all synced.

A file is bytes that are durable and bytes that wait (`append`) until `sync`. A name is durable apart from its file: a
new file, one that replaced another (`replace`) or one that was removed is so for good only after `sync_directory`.
Reading shows everything, as the page cache does.

`crash` is a loss of power: of the bytes that wait a prefix stays, cut at a write or anywhere within one; with
`torn_write` any 512-byte sectors of them stay, with zeros in between. For each name any of its states since the last
directory sync stays. The death of the process alone loses nothing (`crash(power_loss=False)`).

Faults: `torn_write`, `lost_fsync` (a sync reports success and does nothing), `disk_full` (a write ends in the middle
with ENOSPC), `disk_error` (EIO), `bit_rot` (after a crash a durable bit is flipped), `stale_backup` (`restore_backup`).

Source: the deterministic simulator specification; Pillai et al., *All File Systems Are Not Created Equal* (OSDI 2014).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.simulation.streams import Streams

__all__ = ["CAPACITY_BYTES", "FILES_MAX", "SECTOR_BYTES", "SimulatedDisk", "SimulatedDiskError"]

CAPACITY_BYTES: Final = 256 * 2**20
"""Bytes on one disk at most, by default."""
FILES_MAX: Final = 1_000
"""Names on one disk at most."""
SECTOR_BYTES: Final = 512
"""What a disk writes at once."""


class SimulatedDiskError(P2PError):
    """A call to the disk failed.

    Attributes:
        kind: "ENOSPC", "EIO" or "ENOENT".
    """

    code = "SIMULATED_DISK"

    def __init__(self, kind: str, name: str) -> None:
        """Build the error from its kind and a file's name."""
        super().__init__(f"{kind}: {name}")
        self.kind = kind


@dataclass(slots=True)
class _File:
    """One file, whatever its name: what is durable, and the writes that wait."""

    durable: bytearray = field(default_factory=bytearray)
    waiting: list[bytes] = field(default_factory=list)

    def read(self) -> bytes:
        return bytes(self.durable) + b"".join(self.waiting)

    def flush(self) -> None:
        for data in self.waiting:
            self.durable += data
        self.waiting.clear()


class SimulatedDisk:
    """The disk of one host.

    Attributes:
        fired: how often each fault struck.
        written_bytes: bytes of all writes that succeeded.
        syncs: syncs that were asked for.
    """

    def __init__(
        self,
        streams: Streams,
        node: int,
        faults: Mapping[str, float] | None = None,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        """Start empty.

        Args:
            streams: of the world.
            node: index of the host.
            faults: intensities by kind; kinds that are not of disks are ignored.
            capacity_bytes: room for files.
        """
        self.fired: Counter[str] = Counter()
        self.written_bytes = 0
        self.syncs = 0
        self._streams = streams
        self._node = node
        self._capacity_bytes = capacity_bytes
        self._used_bytes = 0
        # The states that a name has had since the last directory sync, oldest (the durable one) first.
        self._names: dict[str, list[_File | None]] = {}
        self._backup: dict[str, bytes] | None = None
        self._faults: dict[str, float] = {}
        self.set_faults(faults or {})

    def set_faults(self, faults: Mapping[str, float]) -> None:
        """Set the intensities by kind, in the place of those before; empty: a sound disk."""
        self._faults = {kind: faults[kind] for kind in _KINDS if faults.get(kind, 0) > 0}

    @property
    def used_bytes(self) -> int:
        """Bytes in all files that have a name."""
        return self._used_bytes

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return sorted(name for name, states in self._names.items() if states[-1] is not None)

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return self._current(name) is not None

    def size(self, name: str) -> int:
        """Return the length of a file in bytes; 0 if there is none."""
        file = self._current(name)
        return 0 if file is None else len(file.durable) + sum(map(len, file.waiting))

    def waiting_bytes(self, name: str) -> int:
        """Return how many bytes of a file a crash may lose."""
        file = self._current(name)
        return 0 if file is None else sum(map(len, file.waiting))

    def is_durable(self, name: str, data: bytes) -> bool:
        """Tell whether these bytes stand somewhere in what a crash must leave of a file."""
        file = self._current(name)
        return file is not None and file.durable.rfind(data) != -1

    @property
    def has_broken_promises(self) -> bool:
        """Whether it ever lost what it had called durable."""
        return any(self.fired[kind] for kind in _BREAKS)

    def read(self, name: str) -> bytes:
        """Return all bytes of a file.

        Raises:
            SimulatedDiskError: ENOENT.
        """
        file = self._current(name)
        if file is None:
            raise SimulatedDiskError("ENOENT", name)
        return file.read()

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, which is made if there is none.

        Raises:
            SimulatedDiskError: ENOSPC (some of the bytes may have been written) or EIO.
        """
        if self._faults:
            self._may_fail("disk_error", "EIO", name)
        file = self._current(name)
        if file is None:
            file = _File()
            self._link(name, file)
        written = self._room_for(data)
        if written:
            file.waiting.append(written)
            self._used_bytes += len(written)
            self.written_bytes += len(written)
        if len(written) < len(data):
            raise SimulatedDiskError("ENOSPC", name)

    def sync(self, name: str) -> None:
        """Make the bytes of a file durable; its name is another matter (`sync_directory`).

        Raises:
            SimulatedDiskError: ENOENT, or EIO: nothing became durable.
        """
        file = self._current(name)
        if file is None:
            raise SimulatedDiskError("ENOENT", name)
        if self._sync_works(name, matters=bool(file.waiting)):
            file.flush()

    def replace(self, name: str, data: bytes) -> None:
        """Put a new file in the place of one, in one step: write it aside, sync it, rename it.

        Before `sync_directory` a crash leaves the old file or the new one.

        Raises:
            SimulatedDiskError: ENOSPC or EIO; the old file stays.
        """
        if self._faults:
            self._may_fail("disk_error", "EIO", name)
        written = self._room_for(data)
        if len(written) < len(data):
            raise SimulatedDiskError("ENOSPC", name)
        file = _File(waiting=[data])
        if self._sync_works(name, matters=bool(data)):
            file.flush()
        old_bytes = self.size(name)
        self._link(name, file)
        self._used_bytes += len(data) - old_bytes
        self.written_bytes += len(data)

    def remove(self, name: str) -> None:
        """Remove a file; if there is none, do nothing."""
        if self._current(name) is not None:
            self._used_bytes -= self.size(name)
            self._names[name].append(None)

    def sync_directory(self) -> None:
        """Make every name durable as it is now.

        Raises:
            SimulatedDiskError: EIO: nothing became durable.
        """
        if self._sync_works("directory", matters=any(len(states) > 1 for states in self._names.values())):
            self._names = {name: [states[-1]] for name, states in self._names.items() if states[-1] is not None}

    def crash(self, *, power_loss: bool = True) -> None:
        """End the process, and with it (`power_loss`) whatever is not durable, by chance."""
        if power_loss:
            rng = self._rng("disk.crash")
            for name, states in self._names.items():
                kept = states[rng.randrange(len(states))] if len(states) > 1 else states[0]
                if kept is not None and kept.waiting:
                    self._lose(kept, rng)
                self._names[name] = [kept]
            self._names = {name: states for name, states in self._names.items() if states[0] is not None}
            self._count_used()
            if self._strikes("bit_rot"):
                self._rot()

    def snapshot(self) -> None:
        """Copy all files away, for `restore_backup`."""
        self._backup = {name: self.read(name) for name in self.names()}

    def restore_backup(self) -> bool:
        """Put the copy of the last `snapshot` in the place of all files; False: there is none."""
        if self._backup is None:
            return False
        if self._backup != {name: self.read(name) for name in self.names()}:
            self.fired["stale_backup"] += 1
        self._names = {name: [_File(bytearray(data))] for name, data in self._backup.items()}
        self._count_used()
        return True

    def maybe_restore_backup(self) -> bool:
        """At a restart: restore the backup with the probability of `stale_backup`; tell whether it was done."""
        rng = self._rng("disk.stale_backup")
        return rng.random() < self._faults.get("stale_backup", 0) and self.restore_backup()

    def _current(self, name: str) -> _File | None:
        states = self._names.get(name)
        return states[-1] if states else None

    def _link(self, name: str, file: _File) -> None:
        if name not in self._names and len(self._names) >= FILES_MAX:
            raise SimulatedDiskError("ENOSPC", name)
        self._names.setdefault(name, [None]).append(file)
        del self._names[name][1:-_STATES_MAX]

    def _count_used(self) -> None:
        self._used_bytes = sum(self.size(name) for name in self._names)

    def _rng(self, name: str) -> random.Random:
        return self._streams.of(f"{name}.{self._node}")

    def _strikes(self, kind: str) -> bool:
        intensity = self._faults.get(kind)
        if intensity is None or self._rng(f"disk.{kind}").random() >= intensity:
            return False
        self.fired[kind] += 1
        return True

    def _may_fail(self, kind: str, error: str, name: str) -> None:
        if self._strikes(kind):
            raise SimulatedDiskError(error, name)

    def _room_for(self, data: bytes) -> bytes:
        """Return what of `data` there is room for."""
        room = self._capacity_bytes - self._used_bytes
        if self._faults and self._strikes("disk_full"):
            room = self._rng("disk.disk_full.cut").randrange(len(data) + 1) - 1
        return data if room >= len(data) else data[: max(0, room)]

    def _sync_works(self, name: str, *, matters: bool) -> bool:
        """Tell whether a sync does what it says; `matters`: there is something to make durable."""
        self.syncs += 1
        if not self._faults:
            return True
        self._may_fail("disk_error", "EIO", name)
        if not self._strikes("lost_fsync"):
            return True
        if not matters:
            self.fired["lost_fsync"] -= 1
        return not matters

    def _lose(self, file: _File, rng: random.Random) -> None:
        """Keep by chance some of the bytes that wait."""
        # A cut is drawn first in any case, so that torn writes do not change what a crash without them leaves.
        writes, bit = rng.randrange(len(file.waiting) + 1), rng.getrandbits(1)
        waiting = b"".join(file.waiting)
        cut = sum(map(len, file.waiting[:writes])) if bit else rng.randrange(len(waiting) + 1)
        if self._strikes("torn_write"):
            file.durable += self._torn(waiting, len(file.durable))
        else:
            file.durable += waiting[:cut]
        file.waiting.clear()

    def _torn(self, waiting: bytes, offset: int) -> bytes:
        """Return what stays of bytes at an offset if each of their sectors is written or not."""
        rng = self._rng("disk.torn_write.sectors")
        kept = bytearray(len(waiting))
        end = start = 0
        while start < len(waiting):
            stop = min(len(waiting), start + SECTOR_BYTES - (offset + start) % SECTOR_BYTES)
            if rng.getrandbits(1):
                kept[start:stop] = waiting[start:stop]
                end = stop
            start = stop
        # A sector that is not there at the end of the file: it is shorter, or long enough already and full of zeros.
        return bytes(kept) if rng.getrandbits(1) else bytes(kept[:end])

    def _rot(self) -> None:
        rng = self._rng("disk.bit_rot.place")
        files = [self._names[name][-1] for name in self.names()]
        full = [file for file in files if file is not None and file.durable]
        if not full:
            self.fired["bit_rot"] -= 1
            return
        file = full[rng.randrange(len(full))]
        bit = rng.randrange(len(file.durable) * 8)
        file.durable[bit >> 3] ^= 1 << (bit & 7)


_KINDS: Final = ("torn_write", "lost_fsync", "disk_full", "disk_error", "bit_rot", "stale_backup")
_BREAKS: Final = ("lost_fsync", "bit_rot", "stale_backup")
_STATES_MAX: Final = 16
