"""What a simulated host offers beside blocks: epoch links, and the state after its last boundary block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import epoch_of_set_key, is_boundary, read_set
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import ChunkOf, HistoryOf, LinksOf, NewestSnapshot, Query
from p2pcommerce.node.epoch_links import EpochLink, encode_link
from p2pcommerce.sync import Cut

__all__ = ["Offers", "StateAt"]

StateAt: TypeAlias = Callable[[int], Mapping[bytes, bytes]]


class Offers:
    """Links and one snapshot of a host; what its disk holds decides what it knows."""

    def __init__(self, genesis: Genesis) -> None:
        """Know the genesis alone."""
        self._blocks = genesis.parameters.epoch_blocks
        self._sets: dict[int, ValidatorSet] = {0: genesis.validators, 1: genesis.validators}
        self._history: dict[int, list[bytes]] = {}
        self._links: dict[int, EpochLink] = {}
        self._snapshot: tuple[Header, bytes] | None = None
        self._cut: tuple[int, bytes, list[bytes]] | None = None

    def on_stored(self, committed: CommittedBlock) -> None:
        """Learn the sets that a block wrote, and the link that it makes if it ends an epoch."""
        for key, value in committed.changes.items():
            epoch = epoch_of_set_key(key)
            if epoch is not None and value is not None:
                self._sets[epoch] = read_set(value)
        header = committed.block.header
        if committed.proof and (committed.outcomes or not committed.block.transactions):
            self._history[header.height] = [header.raw, committed.proof, committed.justify]
        following = self._sets.get(header.epoch + 1)
        if is_boundary(header.height, self._blocks) and committed.proof and following is not None:
            self._links[header.epoch] = EpochLink(header, committed.proof, following.validators)

    def learn(self, links: Sequence[EpochLink]) -> None:
        """Keep links that came with a restored state."""
        self._links |= {link.header.epoch: link for link in links}

    def take(self, header: Header, proof: bytes) -> None:
        """Offer the state after a block from now on."""
        self._snapshot, self._cut = (header, proof), None

    def read(self, query: Query, state_at: StateAt) -> list[bytes]:
        """Return what a peer asks for; nothing if it is not here. `state_at`: height -> the state after it."""
        match query:
            case LinksOf(from_epoch, count):
                return self._read_links(from_epoch, count)
            case NewestSnapshot():
                if self._snapshot is None:
                    return []
                header, proof = self._snapshot
                return [header.raw, proof, self._cut_at(header.height, state_at)[1]]
            case HistoryOf(from_height, count):
                return self._read_history(from_height, count)
            case ChunkOf(height, index):
                if self._snapshot is None or self._snapshot[0].height != height:
                    return []
                return self._cut_at(height, state_at)[2][index : index + 1]

    def _read_history(self, from_height: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        for height in range(from_height, from_height + count):
            if height not in self._history:
                break
            found += self._history[height]
        return found

    def _read_links(self, from_epoch: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        for epoch in range(from_epoch, from_epoch + count):
            link = self._links.get(epoch)
            if link is None:
                break
            found.append(encode_link(link))
        return found

    def _cut_at(self, height: int, state_at: StateAt) -> tuple[int, bytes, list[bytes]]:
        """Cut the state when somebody asks for it, once."""
        if self._cut is None or self._cut[0] != height:
            cut = Cut(state_at(height).items())
            self._cut = height, cut.depths, list(cut.chunks())
        return self._cut
