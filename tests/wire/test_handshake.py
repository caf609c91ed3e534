import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import ED25519, blake2b_256, signed_bytes
from p2pcommerce.primitives.errors import CodecError, CryptoError, LocalProtocolError, RemoteProtocolError
from p2pcommerce.wire import handshake as module
from p2pcommerce.wire.handshake import (
    BadIdentityError,
    Handshake,
    HandshakeMessageError,
    LocalPeer,
    SelfConnectionError,
    UnexpectedPeerError,
    WrongNetworkError,
    WrongVersionError,
    preamble,
)
from p2pcommerce.wire.noise import HandshakeState, NoiseMessageError

GENESIS = bytes(range(32))


def local_peer(number, genesis=GENESIS, **changes):
    seed = bytes([number]) * 32
    fields = {
        "public_key": ED25519.public_key(seed),
        "sign": lambda message: ED25519.sign(seed, message),
        "genesis_hash": genesis,
        "static_secret": bytes([number + 100]) * 32,
        "peer_record": b"record %d" % number,
    }
    return LocalPeer(**(fields | changes))


def end(number, *, initiator, local=None, **changes):
    return Handshake(
        local or local_peer(number),
        initiator=initiator,
        announcement_key=bytes([number]) * 16,
        ephemeral_secret=bytes([number + 200]) * 32,
        **changes,
    )


def shake(initiator, responder):
    """Carry bytes to and fro until nothing moves; nothing may be left over."""
    for _ in range(3):
        for sender, receiver in ((initiator, responder), (responder, initiator)):
            data = sender.data_to_send()
            assert receiver.receive(data) == len(data) if data else True


def test_each_end_learns_identity_announcement_key_and_record():
    alice, bob = end(1, initiator=True), end(2, initiator=False)
    shake(alice, bob)
    assert alice.is_complete()
    assert bob.is_complete()
    for own, number in ((alice, 2), (bob, 1)):
        assert own.peer == local_peer(number).public_key
        assert own.announcement_key == bytes([number]) * 16
        assert own.peer_record == b"record %d" % number
    (send, _), (_, receive) = alice.split(), bob.split()
    assert receive.open(send.seal(b"hello")) == b"hello"


def test_preamble_is_pinned():
    assert preamble(GENESIS) == blake2b_256(b"p2pcommerce/magic" + GENESIS)[:4] + b"\x01"
    assert preamble(GENESIS).hex() == PINNED_PREAMBLE
    assert end(1, initiator=False).data_to_send() == preamble(GENESIS)


def test_the_whole_exchange_is_pinned():
    alice, bob = end(1, initiator=True), end(2, initiator=False)
    stream = [alice.data_to_send()]
    bob.receive(stream[0])
    stream.append(bob.data_to_send())
    alice.receive(stream[1])
    stream.append(alice.data_to_send())
    assert [len(part) for part in stream] == [5 + 2 + 32, 5 + 2 + 32 + 48 + 145, 2 + 48 + 145]
    assert blake2b_256(b"".join(stream)).hex() == PINNED_EXCHANGE


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 300), max_size=20))
def test_any_cutting_of_the_stream_gives_the_same(cuts):
    alice, bob = end(1, initiator=True), end(2, initiator=False)
    kept = {alice: b"", bob: b""}
    for _ in range(3):
        for sender, receiver in ((alice, bob), (bob, alice)):
            data = sender.data_to_send()
            for size in [*cuts, len(data)]:
                kept[receiver] += data[:size]
                kept[receiver] = kept[receiver][receiver.receive(kept[receiver]) :]
                data = data[size:]
    assert alice.peer == local_peer(2).public_key
    assert bob.peer == local_peer(1).public_key


def test_bytes_after_the_handshake_are_left_for_the_records():
    alice, bob = end(1, initiator=True), end(2, initiator=False)
    bob.receive(alice.data_to_send())
    alice.receive(bob.data_to_send())
    data = alice.data_to_send()
    assert bob.receive(data + b"records") == len(data)


def test_another_network_is_named_at_its_first_wrong_byte():
    other = end(1, initiator=True, local=local_peer(1, genesis=bytes(32)))
    with pytest.raises(WrongNetworkError, match="another network") as caught:
        end(2, initiator=False).receive(other.data_to_send())
    assert caught.value.code == "WRONG_NETWORK"
    with pytest.raises(WrongNetworkError):
        end(2, initiator=False).receive(b"G")
    assert end(2, initiator=False).receive(preamble(GENESIS)[:3]) == 0


def test_another_version_is_named():
    with pytest.raises(WrongVersionError, match="version 2") as caught:
        end(2, initiator=False).receive(preamble(GENESIS)[:4] + b"\x02")
    assert caught.value.code == "WRONG_VERSION"


def test_a_genesis_hash_of_the_same_magic_does_not_authenticate(monkeypatch):
    monkeypatch.setattr(module, "preamble", lambda genesis_hash: b"same!")
    alice = end(1, initiator=True, local=local_peer(1, genesis=bytes(32)))
    bob = end(2, initiator=False)
    with pytest.raises(CryptoError):
        shake(alice, bob)


def test_connecting_to_oneself_is_named():
    local = local_peer(1)
    with pytest.raises(SelfConnectionError):
        shake(end(1, initiator=True, local=local), end(3, initiator=False, local=local))


def test_another_identity_than_the_dialled_one_is_named():
    alice = end(1, initiator=True, expected=local_peer(3).public_key)
    with pytest.raises(UnexpectedPeerError, match="dialled"):
        shake(alice, end(2, initiator=False))
    alice = end(1, initiator=True, expected=local_peer(2).public_key)
    shake(alice, end(2, initiator=False))
    assert alice.is_complete()


@pytest.mark.parametrize(
    "cheat", ["another key", "another role", "another network", "another kind", "another identity"]
)
def test_an_identity_that_did_not_sign_this_key_in_this_role_is_refused(cheat):
    bob = local_peer(2)
    static = HandshakeState(
        initiator=False, prologue=b"", static_secret=bob.static_secret, ephemeral_secret=bytes(32)
    ).static_public
    good = signed_bytes("handshake", GENESIS, b"\x01" + static)
    seed = bytes([2]) * 32
    signed = {
        "another key": signed_bytes("handshake", GENESIS, b"\x01" + bytes(32)),
        "another role": signed_bytes("handshake", GENESIS, b"\x00" + static),
        "another network": signed_bytes("handshake", bytes(32), b"\x01" + static),
        "another kind": signed_bytes("vote", GENESIS, b"\x01" + static),
        "another identity": good,
    }[cheat]
    cheater = dataclasses.replace(bob, sign=lambda _: ED25519.sign(seed, signed))
    if cheat == "another identity":
        cheater = dataclasses.replace(cheater, public_key=local_peer(3).public_key)
    with pytest.raises(BadIdentityError):
        shake(end(1, initiator=True), end(2, initiator=False, local=cheater))
    honest = dataclasses.replace(bob, sign=lambda _: ED25519.sign(seed, good))
    shake(end(1, initiator=True), end(2, initiator=False, local=honest))


def test_a_handshake_message_over_its_cap_is_refused_before_it_comes():
    bob = end(2, initiator=False)
    with pytest.raises(HandshakeMessageError, match="2049 bytes"):
        bob.receive(preamble(GENESIS) + (2_049).to_bytes(2, "big"))


def test_the_largest_peer_record_fits_and_a_larger_one_is_not_sent():
    alice = end(1, initiator=True, local=local_peer(1, peer_record=bytes(1_024)))
    bob = end(2, initiator=False, local=local_peer(2, peer_record=bytes(1_024)))
    shake(alice, bob)
    assert bob.peer_record == bytes(1_024)
    with pytest.raises(LocalProtocolError):
        end(1, initiator=True, local=local_peer(1, peer_record=bytes(1_025)))


@pytest.mark.parametrize("size", [15, 17])
def test_an_announcement_key_has_16_bytes(size):
    with pytest.raises(LocalProtocolError):
        Handshake(local_peer(1), initiator=True, announcement_key=bytes(size), ephemeral_secret=bytes([1]) * 32)


def test_a_first_message_with_a_payload_or_too_short_is_refused():
    prologue = module._prologue(GENESIS)
    noise = HandshakeState(
        initiator=True, prologue=prologue, static_secret=bytes([1]) * 32, ephemeral_secret=bytes([2]) * 32
    )
    message = noise.write_message(b"in clear")
    with pytest.raises(HandshakeMessageError, match="payload"):
        end(2, initiator=False).receive(preamble(GENESIS) + len(message).to_bytes(2, "big") + message)
    with pytest.raises(NoiseMessageError):
        end(2, initiator=False).receive(preamble(GENESIS) + b"\x00\x00")


@pytest.mark.parametrize("payload", [b"", b"\x90", b"\x94\xc0\xc0\xc0\xc0", bytes(1_500)])
def test_a_malformed_payload_is_refused(payload, monkeypatch):
    monkeypatch.setattr(Handshake, "_own_payload", lambda _: payload)
    with pytest.raises(CodecError):
        shake(end(1, initiator=True), end(2, initiator=False))


def test_a_peer_record_over_its_cap_is_refused(monkeypatch):
    payload = module._Payload(local_peer(2).public_key, bytes(64), bytes(16), bytes(1_025))
    monkeypatch.setattr(Handshake, "_own_payload", lambda _: encode(module._PAYLOAD, payload))
    with pytest.raises(CodecError, match="peer_record"):
        shake(end(1, initiator=True), end(2, initiator=False))


def test_every_changed_byte_of_the_exchange_is_refused():
    def fresh():
        alice, bob = end(1, initiator=True), end(2, initiator=False)
        first = alice.data_to_send()
        bob.receive(first)
        return alice, bob, bob.data_to_send()

    _, _, second = fresh()
    for place in range(0, len(second), 5):
        alice, _, _ = fresh()
        changed = second[:place] + bytes([second[place] ^ 1]) + second[place + 1 :]
        try:
            used = alice.receive(changed)
        except RemoteProtocolError:
            continue
        assert place in (5, 6)  # the length: the end waits for more than was sent
        assert used < len(changed)
        assert not alice.is_complete()


def test_a_key_share_of_small_order_is_refused():
    bob = end(2, initiator=False)
    with pytest.raises(CryptoError):
        bob.receive(preamble(GENESIS) + b"\x00\x20" + bytes(32))


PINNED_PREAMBLE = "92fb2b0401"
PINNED_EXCHANGE = "bce245fc45dbecbe5210e0d8931c6e5374b410a3fb11d3f9f14f798fafd98e5f"
