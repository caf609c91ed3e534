"""Sessions: handshake, records, lanes and messages of a connection, from both ends, with any bytes at any point.

Steps: bytes from the other end as they are (0); bytes that the other end sends of its own accord, changed (1); a
message that the other end encrypts (2); a plaintext of frames that it encrypts (3).
"""

from __future__ import annotations

import random
from typing import Final

from fuzz.station import CREDULOUS, genesis_of, key_of, seed_of
from fuzz.target import Form, Step, Target, decoder, script, steps_of
from fuzz.verdicts import check
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.wire import messages as wire
from p2pcommerce.wire.handshake import LocalPeer
from p2pcommerce.wire.lanes import IncomingLanes, Lane
from p2pcommerce.wire.noise import HandshakeState
from p2pcommerce.wire.session import Session, SessionState

__all__ = ["session_targets"]

_LANE_ROOM: Final = 3 * 2**20
"""Bytes of unfinished messages: the largest message of each lane."""
_RECORD_BYTES_MAX: Final = 2 + 65_535


def _session(name: str, *, initiator: bool) -> Session:
    seed = seed_of(name)
    local = LocalPeer(
        public_key=key_of(name),
        sign=lambda data: CREDULOUS.sign(seed, data),
        genesis_hash=genesis_of("simplex").hash,
        static_secret=blake2b_256(b"static" + seed),
        peer_record=b"",
        scheme=CREDULOUS,
    )
    ephemeral = blake2b_256(b"ephemeral" + seed)
    return Session(local, initiator=initiator, announcement_key=bytes(16), ephemeral_secret=ephemeral)


class _Pair:
    """Two ends; the second is under attack."""

    def __init__(self, *, initiator: bool) -> None:
        self.liar = _session("liar", initiator=not initiator)
        self.victim = _session("victim", initiator=initiator)
        self.accepted = False

    def give(self, data: bytes) -> bool:
        """Give bytes to the victim, and its answer to the liar; False: the victim closed, as it should."""
        try:
            self.accepted |= bool(self.victim.receive_data(data))
        except RemoteProtocolError as error:
            check(bool(str(error)) and self.victim.state is SessionState.DEAD, "a bad peer's session goes on")
            return False
        incoming = self.victim._incoming  # noqa: SLF001 - its bound is what is looked at
        check(incoming.unfinished_bytes <= _LANE_ROOM, "unfinished messages above the caps of their lanes")
        if self.victim.state is SessionState.OPEN:
            pending = self.victim._reader.pending_bytes  # noqa: SLF001 - as above
            check(pending <= _RECORD_BYTES_MAX, "more than one record is kept")
        else:
            check(len(self.victim._unread) <= 2**16, "more than a handshake message is kept")  # noqa: SLF001 - as above
        self._answer()
        return True

    def _answer(self) -> None:
        if self.liar.state is not SessionState.DEAD:
            try:
                self.liar.receive_data(self.victim.data_to_send())
            except RemoteProtocolError:
                return  # what the victim was told was changed on the way


def _run(data: bytes, *, initiator: bool) -> bool:
    pair = _Pair(initiator=initiator)
    rng = random.Random(1)
    if initiator:
        pair.liar.receive_data(pair.victim.data_to_send())
    for step in steps_of(data):
        if not pair.give(_said(pair, step, rng)):
            break
    return pair.accepted


def _said(pair: _Pair, step: Step, rng: random.Random) -> bytes:
    """Return what reaches the victim in a step."""
    liar = pair.liar
    if step.code == 0 or liar.state is SessionState.DEAD:
        return step.payload
    if step.code == 1:
        own = bytearray(liar.data_to_send())
        if own and step.argument:
            own[step.argument % len(own)] ^= 1 << rng.randrange(8)
        return bytes(own)
    if liar.state is SessionState.OPEN and step.payload:
        if step.code == 2:
            liar.send_encoded(Lane(step.argument % len(Lane)), step.payload)
            return liar.data_to_send()
        return liar._writer.seal(step.payload)  # noqa: SLF001 - frames that no honest end makes
    return b""


def _handshake(data: bytes) -> bytes:
    """The messages of Noise alone, read by the end whose turn it is."""
    state = HandshakeState(initiator=False, prologue=b"fuzz", static_secret=b"\1" * 32, ephemeral_secret=b"\2" * 32)
    payload = state.read_message(data)
    state.write_message(b"")
    return payload


def _lanes(data: bytes) -> int:
    """Plaintexts of records, one after the other."""
    lanes = IncomingLanes(wire.LIMITS)
    count = 0
    for step in steps_of(data):
        count += len(lanes.receive(step.payload))
        check(lanes.unfinished_bytes <= _LANE_ROOM, "unfinished messages above the caps of their lanes")
    return count


def _examples() -> tuple[bytes, ...]:
    ping = wire.encode_message(wire.Ping(7))
    large = wire.encode_message(wire.Transactions((bytes(3_000),)))
    shaken = [Step(1), Step(1), Step(1)]
    return (
        script([*shaken, Step(2, int(wire.Ping.LANE), ping)]),
        script([*shaken, Step(2, int(wire.Transactions.LANE), large), Step(1)]),
        script([Step(1, 9), Step(1)]),
        script([*shaken, Step(3, 0, b"\0" * 20)]),
    )


def session_targets() -> tuple[Target, ...]:
    """Return the targets of this room."""
    ping = wire.encode_message(wire.Ping(7))
    whole = bytes([wire.Ping.LANE]) + len(ping).to_bytes(2, "big") + ping
    first = bytes([wire.Ping.LANE + 0x10]) + (2).to_bytes(2, "big") + len(ping).to_bytes(4, "big") + ping[:2]
    rest = bytes([wire.Ping.LANE + 0x20]) + len(ping[2:]).to_bytes(2, "big") + ping[2:]
    return (
        Target("wire.session.answerer", lambda data: _run(data, initiator=False), (), Form.SCRIPT, _examples()),
        Target("wire.session.dialler", lambda data: _run(data, initiator=True), (), Form.SCRIPT, _examples()),
        decoder(
            "wire.lanes",
            _lanes,
            form=Form.SCRIPT,
            examples=[
                script([Step(0, 0, whole), Step(0, 0, first), Step(0, 0, whole)]),
                script([Step(0, 0, first + rest)]),
            ],
        ),
        decoder(
            "wire.noise",
            _handshake,
            covers=["wire.noise.HandshakeState.read_message"],
            form=Form.RAW,
            examples=[bytes(range(1, 33)), bytes(32)],
        ),
    )
