"""State: a versioned map from keys to values, with a Merkle root for each version.

Each version is a Merkle tree that holds keys and values; the trees share structure, so that a version costs what it
changed. Each executed block above the final state is a `Version` on top of its parent's. Reading looks at the changes
of the few unfinal versions, then among what was lately read or written of the final state, then in the tree, which
takes ten times as long.

While a block is executed its transactions write to a `State`: a draft on top of a version, with a savepoint per
transaction, so that a failed transaction leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Final, Protocol

from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree

__all__ = ["RECENT_MAX", "State", "StateChanges", "StateView", "Version", "VersionedState"]

StateChanges = dict[bytes, bytes | None]
"""Key to new value; None removes the key."""

RECENT_MAX: Final = 32_768
"""Values of the final state that are remembered beside its tree, twice: those of late, and those before them. More than
that are only what one block changed."""

_ABSENT: Final = object()


class StateView(Protocol):
    """Anything that state can be read from."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if there is none."""
        ...


class State:
    """A draft: reads fall through to a parent view, writes stay here until somebody takes `changes`.

    Attributes:
        changes: every key written since the draft was opened, with its present value.
    """

    __slots__ = ("_parent", "_undo", "changes")

    def __init__(self, parent: StateView) -> None:
        """Open a draft on `parent`."""
        self._parent = parent
        self._undo: list[tuple[bytes, object]] = []
        self.changes: StateChanges = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if there is none."""
        value = self.changes.get(key, _ABSENT)
        return self._parent.get(key) if value is _ABSENT else value  # type: ignore[return-value] # the sentinel is gone here

    def put(self, key: bytes, value: bytes) -> None:
        """Set a key."""
        self._write(key, value)

    def remove(self, key: bytes) -> None:
        """Remove a key; removing an absent one does nothing."""
        if self.get(key) is not None:
            self._write(key, None)

    def savepoint(self) -> int:
        """Return a mark to which `rollback` can return."""
        return len(self._undo)

    def rollback(self, mark: int) -> None:
        """Undo every write since `savepoint` returned `mark`."""
        while len(self._undo) > mark:
            key, before = self._undo.pop()
            if before is _ABSENT:
                del self.changes[key]
            else:
                self.changes[key] = before  # type: ignore[assignment] # a value or None

    def _write(self, key: bytes, value: bytes | None) -> None:
        self._undo.append((key, self.changes.get(key, _ABSENT)))
        self.changes[key] = value


class Version:
    """The state after one block.

    Attributes:
        changes: what the block changed.
        tree: the Merkle tree of the whole state.
    """

    __slots__ = ("_base", "_parent", "changes", "tree")

    def __init__(
        self, base: VersionedState, parent: Version | None, changes: StateChanges, tree: SparseMerkleTree
    ) -> None:
        """Built by `VersionedState` and `Version.child` only."""
        self._base = base
        self._parent = parent
        self.changes = changes
        self.tree = tree

    @property
    def root(self) -> bytes:
        """The Merkle root, 32 bytes."""
        return self.tree.root

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if there is none."""
        version: Version | None = self
        while version is not None:
            value = version.changes.get(key, _ABSENT)
            if value is not _ABSENT:
                return value  # type: ignore[return-value] # the sentinel is gone here
            version = version._parent  # noqa: SLF001 - of this very class
        return self._base.get(key)

    def child(self, changes: StateChanges) -> Version:
        """Return the version after a block that makes `changes` on top of this one."""
        return Version(self._base, self, changes, self.tree.update(changes))

    def _settle(self) -> None:
        self._parent = None
        self.changes = {}

    def follows(self, parent: Version) -> bool:
        """Tell whether `parent` is the version right below this one."""
        return self._parent is parent


class VersionedState:
    """The final state and the root from which unfinal versions grow.

    Attributes:
        final: the final version.
    """

    __slots__ = ("_older", "_recent", "final")

    def __init__(self, values: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]]) -> None:
        """Load the final state: a map, or its keys and values in any order, which are not kept."""
        pairs = values.items() if isinstance(values, Mapping) else values
        self.final = Version(self, None, {}, SparseMerkleTree.of(pairs))
        self._recent: StateChanges = {}
        self._older: StateChanges = {}

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.final.tree)

    @property
    def values(self) -> Mapping[bytes, bytes]:
        """The final state as a map, which follows it; to count it, or to compare it, is to walk it."""
        return _Values(self)

    def get(self, key: bytes) -> bytes | None:
        """Return the final value of a key, None if there is none."""
        value = self._recent.get(key, _ABSENT)
        if value is _ABSENT:
            value = self._older.get(key, _ABSENT)
            if value is _ABSENT:
                value = self.final.tree.get(key)
            if len(self._recent) >= RECENT_MAX:
                self._older, self._recent = self._recent, {}
            self._recent[key] = value  # type: ignore[assignment] # the sentinel is gone here
        return value  # type: ignore[return-value] # the sentinel is gone here

    def finalize(self, version: Version) -> None:
        """Make a version the final state.

        Raises:
            LocalProtocolError: `version` does not stand right on the final version.
        """
        if not version.follows(self.final):
            raise LocalProtocolError("only a child of the final version can become final")
        self._remember(version.changes)
        version._settle()  # noqa: SLF001 - the two classes are one mechanism
        self.final = version

    def _remember(self, values: StateChanges) -> None:
        """Take values of the final state; when there are many, those of which nobody asked lately are forgotten."""
        if len(self._recent) + len(values) > RECENT_MAX:
            self._older, self._recent = self._recent, {}
        self._recent.update(values)


class _Values(Mapping[bytes, bytes]):
    """A final state as a map."""

    def __init__(self, state: VersionedState) -> None:
        self._state = state

    @override
    def __getitem__(self, key: bytes) -> bytes:
        value = self._state.final.get(key)
        if value is None:
            raise KeyError(key)
        return value

    @override
    def __iter__(self) -> Iterator[bytes]:
        return (key for key, _ in self._state)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self._state)

    @override
    def items(self) -> ItemsView[bytes, bytes]:
        return _Items(self, self._state)


class _Items(ItemsView[bytes, bytes]):
    """Its keys and values, in one walk."""

    def __init__(self, values: _Values, state: VersionedState) -> None:
        super().__init__(values)
        self._state = state

    @override
    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._state)
