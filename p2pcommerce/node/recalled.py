"""Final blocks that the engine asked to see again, as the store gives them.

Source: the evidence of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from p2pcommerce.finality.effects import Recall
from p2pcommerce.ledger.block import Header, decode_header
from p2pcommerce.node.effects import HistoryOf, LoadItems

__all__ = ["Recalled", "load_of", "recalled"]

Recalled: TypeAlias = tuple[Header, bytes, bytes]
"""Header, proof and justify of a final block."""


def load_of(recall: Recall) -> LoadItems:
    """Return what is to be read; numbers of the engine are below 0, those of peers above."""
    return LoadItems(-recall.request, HistoryOf(recall.from_height, recall.count))


def recalled(items: Sequence[bytes]) -> list[Recalled]:
    """Return the blocks of an answer to `HistoryOf`.

    Raises:
        CodecError: the store is damaged.
    """
    fields = iter(items)
    return [
        (decode_header(header), proof, justify) for header, proof, justify in zip(fields, fields, fields, strict=True)
    ]
