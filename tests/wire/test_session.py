import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import CodecError, CryptoError, LocalProtocolError, RemoteProtocolError
from p2pcommerce.wire.handshake import LocalPeer, SelfConnectionError, WrongNetworkError
from p2pcommerce.wire.lanes import OPTIONAL_KINDS_FROM, Lane
from p2pcommerce.wire.messages import MESSAGES, BlockBody, Engine, GetPeers, Ping, Transactions, encode_message
from p2pcommerce.wire.parameters import WireParameters
from p2pcommerce.wire.session import HandshakeDone, MessageReceived, Session, SessionState

GENESIS = bytes(range(32))
RECORD = 16 * 1024


def local_peer(number, genesis=GENESIS):
    seed = bytes([number]) * 32
    return LocalPeer(
        public_key=ED25519.public_key(seed),
        sign=lambda message: ED25519.sign(seed, message),
        genesis_hash=genesis,
        static_secret=bytes([number + 100]) * 32,
        peer_record=b"record %d" % number,
    )


def session(number, *, initiator, genesis=GENESIS, parameters=None):
    rng = random.Random(number)
    return Session(
        local_peer(number, genesis),
        initiator=initiator,
        announcement_key=rng.randbytes(16),
        ephemeral_secret=rng.randbytes(32),
        parameters=parameters or WireParameters(),
    )


def connected(parameters=None):
    ends = session(1, initiator=True, parameters=parameters), session(2, initiator=False)
    events = [], []
    for _ in range(2):
        for sender, receiver in ((0, 1), (1, 0)):
            events[receiver].extend(ends[receiver].receive_data(ends[sender].data_to_send()))
    assert [type(event) for event in events[0] + events[1]] == [HandshakeDone, HandshakeDone]
    return ends


def test_the_handshake_ends_with_an_event_at_each_end():
    alice, bob = session(1, initiator=True), session(2, initiator=False)
    assert alice.state is SessionState.HANDSHAKE
    assert bob.receive_data(alice.data_to_send()) == []
    (done,) = alice.receive_data(bob.data_to_send())
    assert done == HandshakeDone(local_peer(2).public_key, random.Random(2).randbytes(16), b"record 2")
    (done,) = bob.receive_data(alice.data_to_send())
    assert done == HandshakeDone(local_peer(1).public_key, random.Random(1).randbytes(16), b"record 1")
    assert alice.state is bob.state is SessionState.OPEN
    assert alice.data_to_send() == bob.data_to_send() == b""


def test_the_first_messages_may_come_with_the_end_of_the_handshake():
    alice, bob = session(1, initiator=True), session(2, initiator=False)
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    alice.send(Ping(1))
    done, received = bob.receive_data(alice.data_to_send())
    assert isinstance(done, HandshakeDone)
    assert received == MessageReceived(Ping(1))


def test_both_preambles_may_cross():
    alice, bob = session(1, initiator=True), session(2, initiator=False)
    assert alice.receive_data(bob.data_to_send()) == []
    assert bob.receive_data(alice.data_to_send()) == []
    assert len(alice.receive_data(bob.data_to_send())) == 1


def test_a_message_travels_both_ways():
    alice, bob = connected()
    for sender, receiver in ((alice, bob), (bob, alice)):
        assert sender.send(Transactions((b"one", b"two")))
        assert receiver.receive_data(sender.data_to_send()) == [MessageReceived(Transactions((b"one", b"two")))]


def test_an_encoded_message_serves_many_sessions():
    alice, bob = connected()
    message = Transactions((b"raw",))
    assert alice.send_encoded(message.LANE, encode_message(message))
    assert bob.receive_data(alice.data_to_send()) == [MessageReceived(message)]


def test_a_vote_overtakes_a_block_body():
    alice, bob = connected()
    alice.send(BlockBody(bytes(200_000)))
    events = bob.receive_data(alice.data_to_send())
    alice.send(Engine(b"vote"))
    assert events == []
    assert bob.receive_data(alice.data_to_send(RECORD)) == [MessageReceived(Engine(b"vote"))]
    while data := alice.data_to_send():
        events += bob.receive_data(data)
    assert events == [MessageReceived(BlockBody(bytes(200_000)))]


def test_data_to_send_stays_within_the_bytes_asked_for_but_for_one_record():
    alice, _ = connected()
    alice.send(BlockBody(bytes(500_000)))
    assert len(alice.data_to_send()) == 4 * RECORD
    assert len(alice.data_to_send(3 * RECORD - 1)) == 2 * RECORD
    assert len(alice.data_to_send(1)) == RECORD


def test_a_full_lane_pushes_back_until_bytes_leave():
    alice, bob = connected(WireParameters(transactions_bytes_max=10_000))
    message = Transactions((bytes(3_000),))
    sent = 0
    while alice.send(message):
        sent += 1
    assert sent == 3
    assert alice.lane_bytes(Lane.TRANSACTIONS) <= 10_000
    assert alice.send(Ping(1))
    assert alice.has_data_to_send()
    events = bob.receive_data(alice.data_to_send())
    assert events == [MessageReceived(Ping(1))] + [MessageReceived(message)] * 3
    assert alice.lane_bytes(Lane.TRANSACTIONS) == 0
    assert not alice.has_data_to_send()
    assert alice.send(message)
    assert alice.statistics().messages_out == 5


def test_nothing_can_be_sent_before_the_handshake_is_done():
    with pytest.raises(LocalProtocolError, match="handshake"):
        session(1, initiator=True).send(Ping(1))


def test_a_wrong_network_is_told_by_both_ends():
    alice, bob = session(1, initiator=True), session(2, initiator=False, genesis=bytes(32))
    greeting = bob.data_to_send()
    with pytest.raises(WrongNetworkError):
        bob.receive_data(alice.data_to_send())
    with pytest.raises(WrongNetworkError):
        alice.receive_data(greeting)


def test_a_connection_to_oneself_is_told():
    alice = session(1, initiator=True)
    mirror = Session(local_peer(1), initiator=False, announcement_key=bytes(16), ephemeral_secret=bytes([9]) * 32)
    mirror.receive_data(alice.data_to_send())
    with pytest.raises(SelfConnectionError):
        alice.receive_data(mirror.data_to_send())


def test_a_session_is_dead_after_an_error():
    alice, bob = connected()
    alice.send(Ping(1))
    data = bytearray(alice.data_to_send())
    data[-1] ^= 1
    before = bob.statistics()
    with pytest.raises(CryptoError):
        bob.receive_data(bytes(data))
    assert bob.state is SessionState.DEAD
    for use in (lambda: bob.receive_data(b""), lambda: bob.send(Ping(1)), bob.data_to_send):
        with pytest.raises(LocalProtocolError):
            use()
    assert bob.statistics().messages_in == before.messages_in
    assert bob.statistics().bytes_in == before.bytes_in + len(data)


def test_malformed_messages_are_refused_by_name():
    for data, code in ((b"\x01\x90", "MALFORMED"), (b"\x01" + bytes(100), "OVERSIZED"), (b"\x09", "UNKNOWN_KIND")):
        alice, bob = connected()
        alice.send_encoded(Lane.CONTROL, data)
        with pytest.raises(CodecError) as caught:
            bob.receive_data(alice.data_to_send())
        assert caught.value.code == code
        assert bob.state is SessionState.DEAD


def test_statistics_count_both_directions():
    alice, bob = connected()
    shaken = alice.statistics()
    assert (shaken.records_in, shaken.records_out, shaken.messages_in, shaken.messages_out) == (0, 0, 0, 0)
    assert (shaken.bytes_out, shaken.bytes_in) == (bob.statistics().bytes_in, bob.statistics().bytes_out)
    for nonce in range(5):
        alice.send(Ping(nonce))
    data = alice.data_to_send()
    bob.receive_data(data)
    out, into = alice.statistics(), bob.statistics()
    assert (out.records_out, out.messages_out) == (into.records_in, into.messages_in) == (1, 5)
    assert out.bytes_out - shaken.bytes_out == len(data)
    assert session(1, initiator=True).statistics().records_out == 0


def test_an_idle_session_costs_at_most_10_kib():
    tracemalloc = pytest.importorskip("tracemalloc")
    connected()
    tracemalloc.start()
    try:
        pairs = [connected() for _ in range(20)]
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert size / (2 * len(pairs)) < 10 * 1024


class AnyStream(RuleBasedStateMachine):
    """Messages of all lanes, cut anywhere, in both directions: each arrives once, in the order of its lane."""

    @initialize()
    def connect(self):
        self.ends = connected()
        self.stream = [b"", b""]
        self.sent = [[], []]
        self.received = [[], []]

    @rule(end=st.integers(0, 1), size=st.one_of(st.integers(1, 300), st.integers(1, 70_000)), lane=st.integers(0, 3))
    def send(self, end, size, lane):
        content = bytes([len(self.sent[end]) % 256]) * size
        item = content[: min(size, 16_384)]
        message = (Engine(content), Transactions((item,)), BlockBody(content), GetPeers(size % 65_536))[lane]
        if self.ends[end].send(message):
            self.sent[end].append(message)

    @rule(end=st.integers(0, 1), cut=st.integers(1, 40_000))
    def carry(self, end, cut):
        self.stream[end] += self.ends[end].data_to_send()
        data, self.stream[end] = self.stream[end][:cut], self.stream[end][cut:]
        self.received[1 - end] += [event.message for event in self.ends[1 - end].receive_data(data)]

    @invariant()
    def nothing_is_invented(self):
        for end in range(2):
            assert len(self.received[1 - end]) <= len(self.sent[end])

    def teardown(self):
        if not hasattr(self, "ends"):
            return
        for end in range(2):
            data = self.stream[end]
            while data:
                self.received[1 - end] += [event.message for event in self.ends[1 - end].receive_data(data)]
                data = self.ends[end].data_to_send()
            while data := self.ends[end].data_to_send():
                self.received[1 - end] += [event.message for event in self.ends[1 - end].receive_data(data)]
            for lane in Lane:
                expected = [message for message in self.sent[end] if message.LANE is lane]
                assert [message for message in self.received[1 - end] if message.LANE is lane] == expected


TestAnyStream = AnyStream.TestCase
TestAnyStream.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_random_bytes_never_leave_a_session_alive_and_confused():
    rng = random.Random(7)
    for _ in range(50):
        bob = session(2, initiator=False)
        with pytest.raises(RemoteProtocolError):
            bob.receive_data(rng.randbytes(3_000))
        assert bob.state is SessionState.DEAD


def test_what_is_optional_and_not_known_is_skipped_counted_and_changes_nothing_else():
    alice, bob = connected()
    alice.send_encoded(Lane.CONTROL, bytes([OPTIONAL_KINDS_FROM]) + b"of a later version")
    alice.send(Ping(7))
    assert bob.receive_data(alice.data_to_send()) == [MessageReceived(Ping(7))]
    into = bob.statistics()
    assert (into.messages_in, into.messages_skipped) == (1, 1)
    assert bob.state is SessionState.OPEN


def test_an_unknown_kind_that_is_not_optional_ends_the_session():
    alice, bob = connected()
    alice.send_encoded(Lane.CONTROL, bytes([OPTIONAL_KINDS_FROM - 1]) + b"of a later version")
    with pytest.raises(CodecError) as caught:
        bob.receive_data(alice.data_to_send())
    assert caught.value.code == "UNKNOWN_KIND"
    assert bob.state is SessionState.DEAD


def test_no_kind_of_this_version_is_optional():
    # A kind from 0x80 on may be met by nodes that do not know it; docs/protocol.md says what that asks of it.
    assert max(MESSAGES) < OPTIONAL_KINDS_FROM
