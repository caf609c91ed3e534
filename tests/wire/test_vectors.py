"""The bytes of the wire, pinned: every kind of message, a whole handshake from fixed secrets, records and frames.

`python -m tests.wire.test_vectors` writes the files anew. A released message never changes: see docs/protocol.md.
"""

import pytest

from p2pcommerce.primitives.crypto import ED25519, x25519_public
from p2pcommerce.wire.handshake import Handshake, LocalPeer
from p2pcommerce.wire.lanes import IncomingLanes, Lane, OutgoingLanes
from p2pcommerce.wire.messages import LIMITS, MESSAGES, Ping, Status, decode_message, encode_message
from p2pcommerce.wire.noise import CipherState
from p2pcommerce.wire.records import REKEY_RECORDS, RecordReader, RecordWriter
from tests.vector_files import as_json, load, save

from .examples import EXAMPLES

GENESIS = bytes(range(32))
PLAINTEXTS = (b"\x00", b"the second record", bytes(300))
KEY = bytes(range(100, 132))


def messages():
    """Return for each kind its example's fields, as they are on the wire, and its bytes."""
    return {
        type(each).__name__: {
            "kind": each.KIND,
            "fields": dict(zip(_names(each), as_json(each.SHAPE.plain(each)), strict=True)),
            "bytes": encode_message(each).hex(),
        }
        for each in sorted(EXAMPLES, key=lambda each: each.KIND)
    }


def _names(message):
    return [name for name in message.__dataclass_fields__ if not name.isupper()]


def _local(number):
    seed = bytes([number]) * 32
    return LocalPeer(
        public_key=ED25519.public_key(seed),
        sign=lambda message: ED25519.sign(seed, message),
        genesis_hash=GENESIS,
        static_secret=bytes([number + 100]) * 32,
        peer_record=b"the record of end %d" % number,
    )


def handshake():
    """Return the secrets of two ends, what each sends, and the first records."""
    ends = [
        Handshake(
            _local(number), initiator=number == 1, announcement_key=bytes([number]) * 16,
            ephemeral_secret=bytes([number + 200]) * 32,
        )
        for number in (1, 2)
    ]  # fmt: skip
    initiator, responder = ends
    sent = [initiator.data_to_send()]
    responder.receive(sent[0])
    sent.append(responder.data_to_send())
    initiator.receive(sent[1])
    sent.append(initiator.data_to_send())
    responder.receive(sent[2])
    ping = encode_message(Ping(2**64 - 1))
    frame = bytes([Lane.CONTROL, 0, len(ping)]) + ping
    sealed = [RecordWriter(end.split()[0]).seal(frame) for end in ends]
    return {
        "genesis_hash": GENESIS.hex(),
        "ends": [
            {
                "role": role,
                "seed": (bytes([number]) * 32).hex(),
                "identity": _local(number).public_key.hex(),
                "static_secret": (bytes([number + 100]) * 32).hex(),
                "static_public": x25519_public(bytes([number + 100]) * 32).hex(),
                "ephemeral_secret": (bytes([number + 200]) * 32).hex(),
                "announcement_key": (bytes([number]) * 16).hex(),
                "peer_record": _local(number).peer_record.hex(),
            }
            for number, role in ((1, "initiator"), (2, "responder"))
        ],
        "sent": [{"by": by, "bytes": data.hex()} for by, data in zip("iri", sent, strict=True)],
        "handshake_hash": initiator._noise.transcript_hash.hex(),
        "first_records": {
            "plaintext": frame.hex(),
            "by_initiator": sealed[0].hex(),
            "by_responder": sealed[1].hex(),
        },
    }


def records():
    """Return records under one key, the change of key, and how messages share plaintexts."""
    writer = RecordWriter(CipherState(KEY))
    first = [writer.seal(plaintext).hex() for plaintext in PLAINTEXTS]
    cipher = CipherState(KEY)
    cipher.nonce = REKEY_RECORDS - 1
    writer = RecordWriter(cipher)
    around = [writer.seal(PLAINTEXTS[1]).hex() for _ in range(2)]
    outgoing = OutgoingLanes((1_000_000,) * 5)
    queued = [
        (Lane.SYNC, b"\x33" + bytes(20_000)),
        (Lane.CONTROL, encode_message(Ping(1))),
        (Lane.CONTROL, encode_message(Status(1, GENESIS))),
    ]
    for lane, message in queued:
        outgoing.push(lane, message)
    plaintexts = []
    while plaintext := outgoing.take():
        plaintexts.append(plaintext)
        if len(plaintexts) == 1:
            outgoing.push(Lane.FINALITY, b"\x20\x91\xc4\x01v")
    return {
        "key": KEY.hex(),
        "records": [{"plaintext": p.hex(), "bytes": r} for p, r in zip(PLAINTEXTS, first, strict=True)],
        "rekey": {"plaintext": PLAINTEXTS[1].hex(), "record_65535": around[0], "record_65536": around[1]},
        "frames": {
            "queued": [
                {"lane": int(lane), "head": message[:40].hex(), "zeros_after": len(message) - len(message[:40])}
                for lane, message in queued
            ],
            "queued_after_the_first_plaintext": [{"lane": 0, "head": "2091c40176", "zeros_after": 0}],
            "plaintexts": [_short(plaintext) for plaintext in plaintexts],
        },
    }


def _short(plaintext):
    """Return a plaintext as hexadecimal parts and rows of zeros."""
    parts, rest = [], plaintext
    while rest:
        zeros = rest.find(bytes(64))
        head = rest if zeros < 0 else rest[:zeros]
        rest = rest[len(head) :]
        count = len(rest) - len(rest.lstrip(b"\x00"))
        rest = rest[count:]
        parts.append({"head": head.hex(), "zeros_after": count})
    return parts


FILES = {"wire_messages": messages, "wire_handshake": handshake, "wire_records": records}


@pytest.mark.parametrize("name", FILES)
def test_the_bytes_are_those_of_the_file(name):
    assert FILES[name]() == load(name)


def test_every_kind_has_its_example_once():
    assert [type(each) for each in sorted(EXAMPLES, key=lambda each: each.KIND)] == [
        cls for _, cls in sorted(MESSAGES.items())
    ]


@pytest.mark.parametrize("name", load("wire_messages"))
def test_the_pinned_message_is_read_back(name):
    message = decode_message(bytes.fromhex(load("wire_messages")[name]["bytes"]))
    assert type(message).__name__ == name
    assert message in EXAMPLES


def test_the_pinned_records_and_frames_are_read_back():
    pinned = load("wire_records")
    reader = RecordReader(CipherState(KEY))
    stream = b"".join(bytes.fromhex(each["bytes"]) for each in pinned["records"])
    assert reader.receive(stream) == list(PLAINTEXTS)
    incoming = IncomingLanes(LIMITS)
    kinds = [
        message[0]
        for parts in pinned["frames"]["plaintexts"]
        for message in incoming.receive(
            b"".join(bytes.fromhex(part["head"]) + bytes(part["zeros_after"]) for part in parts)
        )
    ]
    assert kinds == [0x01, 0x06, 0x20, 0x33]


if __name__ == "__main__":
    for file, make in FILES.items():
        save(file, make())
