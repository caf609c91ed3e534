import json
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage

from p2pcommerce.primitives.crypto import aead_seal
from p2pcommerce.primitives.errors import CryptoError, LocalProtocolError, RemoteProtocolError
from p2pcommerce.wire.noise import PROTOCOL_NAME, CipherState, HandshakeState, NoiseMessageError

VECTOR = json.loads((pathlib.Path(__file__).parents[1] / "vectors" / "noise_xx.json").read_text())
SECRETS = [bytes([i]) * 32 for i in range(1, 5)]


def pair(prologue=b"p", other_prologue=None):
    initiator = HandshakeState(initiator=True, prologue=prologue, static_secret=SECRETS[0], ephemeral_secret=SECRETS[1])
    responder = HandshakeState(
        initiator=False,
        prologue=prologue if other_prologue is None else other_prologue,
        static_secret=SECRETS[2],
        ephemeral_secret=SECRETS[3],
    )
    return initiator, responder


def shake(initiator, responder):
    for sender, receiver in ((initiator, responder), (responder, initiator), (initiator, responder)):
        receiver.read_message(sender.write_message(b"payload"))


def test_published_vector():
    assert VECTOR["protocol_name"].encode() == PROTOCOL_NAME
    ends = [
        HandshakeState(
            initiator=name == "init",
            prologue=bytes.fromhex(VECTOR[f"{name}_prologue"]),
            static_secret=bytes.fromhex(VECTOR[f"{name}_static"]),
            ephemeral_secret=bytes.fromhex(VECTOR[f"{name}_ephemeral"]),
        )
        for name in ("init", "resp")
    ]
    ciphers = None
    for turn, message in enumerate(VECTOR["messages"]):
        payload, ciphertext = bytes.fromhex(message["payload"]), bytes.fromhex(message["ciphertext"])
        sender, receiver = turn % 2, 1 - turn % 2
        if turn < 3:
            assert ends[sender].write_message(payload) == ciphertext
            assert ends[receiver].read_message(ciphertext) == payload
            continue
        if ciphers is None:
            ciphers = [end.split() for end in ends]
        assert ciphers[sender][0].seal(payload) == ciphertext
        assert ciphers[receiver][1].open(ciphertext) == payload
    assert {end.transcript_hash.hex() for end in ends} == {VECTOR["handshake_hash"]}


def oracle(*, initiator, prologue, static, ephemeral):
    other = NoiseConnection.from_name(PROTOCOL_NAME)
    other.set_prologue(prologue)
    other.set_keypair_from_private_bytes(Keypair.STATIC, static)
    other.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
    other.set_as_initiator() if initiator else other.set_as_responder()
    with pytest.warns(UserWarning, match="ephemeral"):
        other.start_handshake()
    return other


@settings(max_examples=20, deadline=None)
@given(
    st.booleans(),
    st.binary(max_size=50),
    st.lists(st.binary(min_size=32, max_size=32), min_size=4, max_size=4, unique=True),
    st.lists(st.binary(max_size=300), min_size=3, max_size=9),
)
def test_agrees_with_an_independent_implementation(is_initiator, prologue, secrets, payloads):
    own = HandshakeState(
        initiator=is_initiator, prologue=prologue, static_secret=secrets[0], ephemeral_secret=secrets[1]
    )
    other = oracle(initiator=not is_initiator, prologue=prologue, static=secrets[2], ephemeral=secrets[3])
    for turn, payload in enumerate(payloads[:3]):
        if (turn % 2 == 0) == is_initiator:
            assert bytes(other.read_message(own.write_message(payload))) == payload
        else:
            assert own.read_message(bytes(other.write_message(payload))) == payload
    sending, receiving = own.split()
    for payload in payloads[3:]:
        assert bytes(other.decrypt(sending.seal(payload))) == payload
        assert receiving.open(bytes(other.encrypt(payload))) == payload
    assert own.transcript_hash == bytes(other.get_handshake_hash())
    sending.rekey()
    with pytest.raises(NoiseInvalidMessage):
        other.decrypt(sending.seal(b"under a key that the other end does not have yet"))


def test_rekey_agrees_with_an_independent_implementation():
    own, other = pair()[0], oracle(initiator=False, prologue=b"p", static=SECRETS[2], ephemeral=SECRETS[3])
    other.read_message(own.write_message(b""))
    own.read_message(bytes(other.write_message(b"")))
    other.read_message(own.write_message(b""))
    sending, receiving = own.split()
    for round_ in range(3):
        sending.rekey()
        other.rekey_inbound_cipher()
        receiving.rekey()
        other.rekey_outbound_cipher()
        assert bytes(other.decrypt(sending.seal(b"to %d" % round_))) == b"to %d" % round_
        assert receiving.open(bytes(other.encrypt(b"from %d" % round_))) == b"from %d" % round_


def test_rekey_takes_the_ciphertext_of_zeros_at_the_last_nonce_and_keeps_the_nonce():
    key = SECRETS[0]
    cipher = CipherState(key)
    cipher.seal(b"first")
    cipher.rekey()
    fresh = aead_seal(key, b"\x00" * 4 + b"\xff" * 8, b"", bytes(32))[:32]
    assert cipher.seal(b"second") == aead_seal(fresh, b"\x00" * 4 + (1).to_bytes(8, "little"), b"", b"second")


def test_the_last_nonce_is_not_used_for_a_message():
    cipher = CipherState(SECRETS[0])
    cipher.nonce = 2**64 - 2
    sealed = cipher.seal(b"the last one")
    with pytest.raises(LocalProtocolError, match="nonces"):
        cipher.seal(b"one too many")
    with pytest.raises(LocalProtocolError, match="nonces"):
        cipher.open(sealed)


def test_each_end_learns_the_others_static_key():
    initiator, responder = pair()
    shake(initiator, responder)
    assert initiator.remote_static == responder.static_public
    assert responder.remote_static == initiator.static_public


def test_another_prologue_fails():
    initiator, responder = pair(b"one network", b"another")
    responder.read_message(initiator.write_message(b""))
    with pytest.raises(CryptoError):
        initiator.read_message(responder.write_message(b""))


@pytest.mark.parametrize("turn", [1, 2])
def test_every_changed_byte_of_an_encrypted_handshake_message_fails(turn):
    def until_turn():
        ends = pair()
        for step in range(turn):
            ends[1 - step % 2].read_message(ends[step % 2].write_message(b"payload"))
        return ends[turn % 2].write_message(b"payload"), ends[1 - turn % 2]

    message, _ = until_turn()
    for place in range(0, len(message), 3):
        _, receiver = until_turn()
        with pytest.raises(RemoteProtocolError):
            receiver.read_message(message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :])
        with pytest.raises(LocalProtocolError, match="over"):
            receiver.read_message(message)


@pytest.mark.parametrize("size", [0, 31])
def test_a_message_too_short_for_its_keys_fails(size):
    _, responder = pair()
    with pytest.raises(NoiseMessageError):
        responder.read_message(bytes(size))


def test_a_key_share_of_small_order_fails():
    initiator, responder = pair()
    responder.read_message(bytes(32))
    with pytest.raises(CryptoError):
        responder.write_message(b"")
    assert not initiator.is_complete()


def test_turns_are_kept():
    initiator, responder = pair()
    with pytest.raises(LocalProtocolError, match="turn"):
        responder.write_message(b"")
    with pytest.raises(LocalProtocolError, match="turn"):
        initiator.read_message(bytes(96))
    with pytest.raises(LocalProtocolError, match="not complete"):
        initiator.split()
    shake(initiator, responder)
    with pytest.raises(LocalProtocolError, match="over"):
        initiator.write_message(b"")
