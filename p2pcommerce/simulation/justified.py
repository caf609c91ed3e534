"""Does a header commit to this justify? Worked out with code that shares nothing with the engine but the decoder.

    a leaf is H(anchor (8) | signature (64)), with anchor 0 but for nullifications
    the root is H(2 | number of leaves (4) | top of the tree); in the tree a leaf is H(0 | leaf), a node H(1 | both)
    a head has kind, epoch, view, hash, bitmap and root; the hash in the seal is that of both heads

Source: the justify of the finality specification; RFC 6962 section 2.1, which defines the tree by halves.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Final

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.simplex.messages import Proposal
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.primitives.errors import CodecError

__all__ = ["is_committed"]

_LEAF: Final = struct.Struct(">Q64s")
_ROOT: Final = struct.Struct(">BI32s")
_SEAL_BYTES_MAX: Final = 512
_JUSTIFY_FIELD: Final = 2


def is_committed(proposal: Proposal) -> bool:
    """Tell whether the seal of a proposal's header commits to the proposal's justify."""
    try:
        seal = unpack(proposal.header.engine_data, _SEAL_BYTES_MAX)
    except CodecError:
        return False
    if not isinstance(seal, tuple) or len(seal) <= _JUSTIFY_FIELD:
        return False
    heads = tuple([_head(each) for each in (proposal.justify.parent, proposal.justify.nullification)])
    committed: object = seal[_JUSTIFY_FIELD]
    return committed == _hash(pack(heads))


def _head(certificate: Certificate | None) -> tuple[object, ...] | None:
    if certificate is None:
        return None
    anchors = certificate.anchors or (0,) * len(certificate.signatures)
    leaves = [_hash(_LEAF.pack(*each)) for each in zip(anchors, certificate.signatures, strict=True)]
    root = _hash(_ROOT.pack(2, len(leaves), _top(leaves)))
    kind, epoch, view = int(certificate.kind), certificate.epoch, certificate.view
    return kind, epoch, view, certificate.hash, certificate.bitmap, root


def _top(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return _hash(b"\0" + leaves[0])
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return _hash(b"\1" + _top(leaves[:half]) + _top(leaves[half:]))


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()
