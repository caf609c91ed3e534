"""Trust anchors from a node's own store: what an operator hands to others, or names as a checkpoint of another node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from p2pcommerce.finality import ENGINES, make_engine
from p2pcommerce.ledger.epochs import boundary_of, epoch_of, read_set
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.trust import EpochEnd, TrustAnchor
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.lock import DirectoryLock
from p2pcommerce.runtime.store import STORE_FILE, Store
from p2pcommerce.runtime.store_error import damaged

__all__ = ["anchor_of_folder", "anchor_of_store"]


def anchor_of_store(store: Store, genesis: Genesis, *, follows: bool) -> TrustAnchor:
    """Return the anchor of the epoch that follows the stored head; its time is the head's.

    Args:
        store: of a node; a call blocks.
        genesis: the network.
        follows: whether its engine follows epochs; if not, the validators are those of the genesis.

    Raises:
        StoreError: it cannot be read, or does not hold the validators of that epoch.
    """
    stored = store.head()
    if stored is None:
        return TrustAnchor.of(genesis)
    height, head, _ = stored
    if not follows:
        return replace(TrustAnchor.of(genesis), time_ms=head.time_ms)
    blocks = genesis.parameters.epoch_blocks
    epoch = epoch_of(height + 1, blocks)
    validators = store.validator_set(epoch)
    if validators is None:
        raise damaged(store.path, f"it holds no validators of epoch {epoch}")
    end = _end_of(store, epoch - 1, blocks) if epoch else None
    return TrustAnchor(genesis.hash, read_set(validators), epoch, head.time_ms, end, blocks)


def _end_of(store: Store, epoch: int, epoch_blocks: int) -> EpochEnd | None:
    """Return the end of an epoch; None if this node began with a snapshot and does not know it."""
    last, validators = store.header_at(boundary_of(epoch, epoch_blocks)), store.validator_set(epoch)
    if last is None or validators is None:
        return None
    return EpochEnd(last[0].hash, last[0].time_ms, read_set(validators))


def anchor_of_folder(folder: Path, genesis: Genesis) -> TrustAnchor:
    """Return the anchor that a stopped node's folder holds, as `anchor_of_store` does.

    Raises:
        UsageError: a node runs there, there is no store, it cannot be read, or its engine is not known here.
    """
    path = folder / STORE_FILE
    if not path.is_file():
        raise UsageError(f"{path}: is not there; name the folder of a node that has run")
    if genesis.engine not in ENGINES:
        raise UsageError(f'the genesis names the engine "{genesis.engine}"; there are {", ".join(ENGINES)}')
    lock = DirectoryLock.acquire(folder)
    try:
        store = Store.open(path, genesis)
        try:
            return anchor_of_store(store, genesis, follows=make_engine(genesis.engine).follows_epochs)
        finally:
            store.close()
    finally:
        lock.release()
