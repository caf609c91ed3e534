"""docs/protocol/connections.md and messages.md, against their vectors."""

import nacl.exceptions
import pytest

from tests.vector_files import as_json, load

from . import channel, curve
from .document import MESSAGES
from .plain import RefusedError, encode

SHAKE, RECORDS = load("wire_handshake"), load("wire_records")
GENESIS = bytes.fromhex(SHAKE["genesis_hash"])


def shaken():
    ends = [channel.End(GENESIS, secrets, initiator=secrets["role"] == "initiator") for secrets in SHAKE["ends"]]
    payloads = []
    for step, sent in enumerate(SHAKE["sent"]):
        sender, receiver = ends if step != 1 else ends[::-1]
        assert sender.write(step).hex() == sent["bytes"]
        payloads.append(receiver.read(step, bytes.fromhex(sent["bytes"])))
    return ends, payloads


def test_both_ends_of_the_handshake_from_their_secrets():
    ends, (_, responder, initiator) = shaken()
    for secrets, payload in zip(SHAKE["ends"], (initiator, responder), strict=True):
        assert (
            as_json(payload["identity"])
            == secrets["identity"]
            == curve.public_key(bytes.fromhex(secrets["seed"])).hex()
        )
        assert as_json(payload["announcement_key"]) == secrets["announcement_key"]
        assert as_json(payload["peer_record"]) == secrets["peer_record"]
    assert [end.noise.hash.hex() for end in ends] == [SHAKE["handshake_hash"]] * 2
    assert ends[0].keys() == ends[1].keys()


def test_the_first_record_of_each_end():
    ends, _ = shaken()
    plaintext = bytes.fromhex(SHAKE["first_records"]["plaintext"])
    for key, name in zip(ends[0].keys(), ("by_initiator", "by_responder"), strict=True):
        assert channel.seal_record(key, 0, plaintext).hex() == SHAKE["first_records"][name]
    ((lane, message),) = channel.Frames().receive(plaintext)
    assert (lane, channel.read_message(message)) == (1, ("Ping", {"nonce": 2**64 - 1}))


def test_a_changed_bit_of_any_handshake_message_is_noticed():
    for step, sent in enumerate(SHAKE["sent"]):
        ends = [channel.End(GENESIS, each, initiator=each["role"] == "initiator") for each in SHAKE["ends"]]
        for before in range(step):
            data = bytes.fromhex(SHAKE["sent"][before]["bytes"])
            sender, receiver = ends if before != 1 else ends[::-1]
            sender.write(before)
            receiver.read(before, data)
        data = bytearray.fromhex(sent["bytes"])
        data[-1] ^= 1
        receiver = ends[1 if step != 1 else 0]
        if step:
            with pytest.raises(nacl.exceptions.CryptoError):
                receiver.read(step, bytes(data))
        else:
            receiver.read(step, bytes(data))  # only the ends' hashes differ now: message 2 will not open
            assert receiver.noise.hash != ends[0].noise.hash


def test_records_and_the_change_of_key():
    key = bytes.fromhex(RECORDS["key"])
    for number, each in enumerate(RECORDS["records"]):
        assert channel.open_record(key, number, bytes.fromhex(each["bytes"])).hex() == each["plaintext"]
    rekey = RECORDS["rekey"]
    plaintext = bytes.fromhex(rekey["plaintext"])
    assert channel.seal_record(key, 65_535, plaintext).hex() == rekey["record_65535"]
    assert channel.seal_record(channel.next_key(key), 65_536, plaintext).hex() == rekey["record_65536"]


def unfold(part):
    return bytes.fromhex(part["head"]) + bytes(part["zeros_after"])


def test_frames_give_the_messages_that_were_queued():
    frames, reader = RECORDS["frames"], channel.Frames()
    found = []
    for parts in frames["plaintexts"]:
        plaintext = b"".join(unfold(part) for part in parts)
        assert len(plaintext) <= 16_366
        found += reader.receive(plaintext)
    queued = [(each["lane"], unfold(each)) for each in frames["queued"] + frames["queued_after_the_first_plaintext"]]
    assert sorted(found) == sorted(queued)
    assert [lane for lane, _ in found] == [1, 1, 0, 3]  # by priority; what was cut is complete last


NO_FRAMES = {
    "a head that is cut off": "0100",
    "an empty message": "010000",
    "a message that goes past the record": "0100030190",
    "a lane that is none": "05000180",
    "a tag that is none": "31000180",
    "a fragment of nothing": "21000101",
    "a first fragment that is all": "11" + "0001" + "00000001" + "01",
    "a message inside another of its lane": "11" + "0001" + "00000002" + "01" + "01000201" + "90",
    "a fragment past the end": "11" + "0001" + "00000002" + "01" + "2100029000",
    "a known kind in another lane": "0200020190",
    "an unknown kind": "0100017f",
    "a message over its cap": "010011" + "01" + "00" * 16,
}


@pytest.mark.parametrize("name", NO_FRAMES)
def test_what_is_no_row_of_frames_is_refused(name):
    with pytest.raises(RefusedError):
        channel.Frames().receive(bytes.fromhex(NO_FRAMES[name]))


def test_an_optional_kind_is_skipped_and_another_unknown_one_refused():
    reader = channel.Frames()
    assert reader.receive(b"\x03\x00\x02\x80x" + b"\x01\x00\x02\x03\x90") == [(1, b"\x03\x90")]
    assert reader.skipped == 1
    with pytest.raises(RefusedError):
        reader.receive(b"\x01\x00\x02\x7fx")


@pytest.mark.parametrize("name", load("wire_messages"))
def test_every_kind_of_message(name):
    vector = load("wire_messages")[name]
    data = bytes.fromhex(vector["bytes"])
    assert data[0] == vector["kind"]
    found, values = channel.read_message(data)
    assert found == name
    flat = {key: as_json(_flat(value)) for key, value in values.items()}
    assert flat == vector["fields"]
    assert bytes([data[0]]) + encode(tuple(_flat(value) for value in values.values())) == data


def _flat(value):
    """Return records within a message as arrays again."""
    if isinstance(value, dict):
        return tuple(_flat(each) for each in value.values())
    return tuple(_flat(each) for each in value) if isinstance(value, tuple) else value


def test_every_kind_of_the_page_has_its_vector():
    assert {row["name"] for row in MESSAGES.values()} == set(load("wire_messages"))
