"""State: a versioned map from keys to values, with a Merkle root for each version.

The final state is one dictionary. Each executed block above it is a `Version`: its changes and its tree, on top of its
parent's. Reading walks the few unfinal versions down to the dictionary; making a version final folds its changes into
the dictionary. The trees share structure, so that a version costs what it changed.

While a block is executed its transactions write to a `State`: a draft on top of a version, with a savepoint per
transaction, so that a failed transaction leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree

__all__ = ["State", "StateChanges", "StateView", "Version", "VersionedState"]

StateChanges = dict[bytes, bytes | None]
"""Key to new value; None removes the key."""

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
        return self._base.values.get(key)

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
        values: the final state.
        final: the final version.
    """

    __slots__ = ("final", "values")

    def __init__(self, values: Mapping[bytes, bytes]) -> None:
        """Load the final state."""
        self.values: dict[bytes, bytes] = dict(values)
        self.final = Version(self, None, {}, SparseMerkleTree.EMPTY.update(self.values))

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.values.items())

    def finalize(self, version: Version) -> None:
        """Fold a version into the final state.

        Raises:
            LocalProtocolError: `version` does not stand right on the final version.
        """
        if not version.follows(self.final):
            raise LocalProtocolError("only a child of the final version can become final")
        for key, value in version.changes.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
        version._settle()  # noqa: SLF001 - the two classes are one mechanism
        self.final = version
