"""Validators that agree with whatever the node under test says: what they vote, and what they answer after a restart.

Forged messages rarely agree with each other by chance; with these the node gets quorums, makes blocks final, crosses
epochs, and meets hostile messages there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fuzz.station import VALIDATORS, genesis_of, key_of
from p2pcommerce.finality.ffg import messages as ffg
from p2pcommerce.finality.simplex import messages as simplex
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PeerId

__all__ = ["OTHERS", "echoes"]

OTHERS: Final = tuple(key_of(f"validator {number}") for number in range(1, VALIDATORS))


def echoes(engine: str, data: bytes, who: int) -> Iterator[tuple[PeerId, bytes]]:
    """Yield what other validators say to an engine message of the node.

    Args:
        engine: the name of the engine.
        data: what the node sent.
        who: bit 0 to 2: which of the others speak.
    """
    keys = [validator.public_key for validator in genesis_of(engine).validators]
    for number, peer in enumerate(OTHERS):
        if who >> number & 1:
            reply = _ffg(data, keys.index(peer)) if engine == "ffg" else _simplex(data, keys.index(peer))
            if reply:
                yield peer, reply


def _simplex(data: bytes, voter: int) -> bytes:
    try:
        message = simplex.decode_message(data)
    except CodecError:
        return b""
    match message:
        case simplex.Cast():
            return simplex.encode_message(replace(message, vote=replace(message.vote, voter=voter)))
        case simplex.Status(epoch=epoch, question=question) if question:
            return simplex.encode_message(simplex.Answer(epoch, question, ()))
        case _:
            return b""


def _ffg(data: bytes, voter: int) -> bytes:
    try:
        message = ffg.decode_message(data)
    except CodecError:
        return b""
    match message:
        case ffg.Cast():
            return ffg.encode_message(replace(message, vote=replace(message.vote, voter=voter)))
        case ffg.Status(epoch=epoch, question=question) if question:
            return ffg.encode_message(ffg.Answer(epoch, question, (), ()))
        case _:
            return b""
