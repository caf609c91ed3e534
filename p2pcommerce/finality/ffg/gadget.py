"""Which checkpoints are justified, and which is final.

A quorum link counts once its source is justified and its target is seen to descend from it; until then it waits. A
link that counts justifies its target; if source and target are consecutive, the source is final. The root of the fork
choice is the highest justified checkpoint: it never goes down, so nothing is reorganised below the justified checkpoint
that a node last voted from unless a higher one is justified, and nothing ever below the final one.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437), section 2; the finality
specification (FFG).
"""

from __future__ import annotations

from p2pcommerce.finality.ffg.links import QuorumLink
from p2pcommerce.finality.ffg.parameters import LINKS_MAX
from p2pcommerce.finality.ffg.tree import SlotTree
from p2pcommerce.finality.ffg.voting import Checkpoint, Link

__all__ = ["Gadget"]


class Gadget:
    """Links of one network, above its final checkpoint.

    Attributes:
        final: the last final checkpoint.
        root: the highest justified one.
        proof: the links that lead to the final checkpoint and, last, finalize it; empty at genesis.
    """

    def __init__(self, final: Checkpoint, waiting_max: int) -> None:
        """Begin at a final checkpoint."""
        self.final = final
        self.root = final
        self.proof: tuple[QuorumLink, ...] = ()
        self._waiting_max = waiting_max
        self._justified: dict[Checkpoint, QuorumLink] = {}
        self._waiting: dict[Link, QuorumLink] = {}

    def __len__(self) -> int:
        return len(self._justified) + len(self._waiting)

    @property
    def waiting(self) -> list[QuorumLink]:
        """The links that do not count yet."""
        return list(self._waiting.values())

    def is_useful(self, link: Link) -> bool:
        """Tell whether a quorum for this link would change anything."""
        return link.target.index > self.final.index and link.target not in self._justified and link not in self._waiting

    def add(self, quorum: QuorumLink) -> None:
        """Let a verified, useful link wait until it counts; of too many that wait the lowest target is forgotten."""
        self._waiting[quorum.link] = quorum
        if len(self._waiting) > self._waiting_max:
            del self._waiting[min(self._waiting, key=lambda link: (link.target, link.source))]

    def reset(self, final: Checkpoint, proof: tuple[QuorumLink, ...]) -> None:
        """Begin again at a checkpoint that a proof, already verified, shows to be final, if that is higher."""
        if final.index > self.final.index or not self.proof:
            self.proof = proof
            self._settle(final)

    def advance(self, tree: SlotTree) -> bool:
        """Count every link that can be counted now; tell whether anything changed."""
        changed = False
        while (link := next((each for each in self._waiting if self._counts(each, tree)), None)) is not None:
            quorum = self._waiting.pop(link)
            self._justified[link.target] = quorum
            changed = True
            if link.target.index > self.root.index:
                self.root = link.target
            if link.is_consecutive and link.source.index > self.final.index:
                self.proof = (*self._chain(link.source), quorum)[-LINKS_MAX:]
                self._settle(link.source)
        return changed

    def _counts(self, link: Link, tree: SlotTree) -> bool:
        if link.source != self.final and link.source not in self._justified:
            return False
        header = tree.header(link.target.hash)
        if header is None or header.height != link.target.height:
            return False
        return tree.ancestor(link.target.hash, link.source.height) == link.source.hash

    def _settle(self, final: Checkpoint) -> None:
        self.final = final
        if self.root.index < final.index:
            self.root = final
        self._justified = {each: link for each, link in self._justified.items() if each.index > final.index}
        self._waiting = {link: each for link, each in self._waiting.items() if link.target.index > final.index}

    def _chain(self, checkpoint: Checkpoint) -> tuple[QuorumLink, ...]:
        """Return the links from the final checkpoint to a justified one, oldest first."""
        chain: list[QuorumLink] = []
        while (quorum := self._justified.get(checkpoint)) is not None:
            chain.append(quorum)
            checkpoint = quorum.link.source
        return tuple(reversed(chain))

    @property
    def links(self) -> tuple[QuorumLink, ...]:
        """The links from the final checkpoint to the root, oldest first."""
        return self._chain(self.root)

    def above(self, index: int) -> tuple[QuorumLink, ...]:
        """Return the links, oldest first, that bring somebody from a justified index to the root."""
        needed = [quorum for quorum in self.links if quorum.link.target.index > index]
        if index < self.final.index:
            needed = [*self.proof, *[quorum for quorum in needed if quorum not in self.proof]]
        return tuple(needed)

    @property
    def held(self) -> tuple[QuorumLink, ...]:
        """Every link that is needed after a restart, oldest first."""
        kept = {quorum.link: quorum for quorum in (*self.proof, *self._justified.values(), *self._waiting.values())}
        return tuple(kept.values())
