import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.errors import CodecError, LocalProtocolError
from p2pcommerce.wire.lanes import (
    FRAMES_BYTES_MAX,
    OPTIONAL_BYTES_MAX,
    OPTIONAL_KINDS_FROM,
    QUEUED_MESSAGE_OVERHEAD_BYTES,
    FrameError,
    IncomingLanes,
    Lane,
    OutgoingLanes,
)

BOUNDS = (1_000_000,) * 5
# A message of kind n travels in lane n.
LIMITS = {int(lane): (int(lane), 200_000) for lane in Lane}


def message(lane, size):
    return bytes([lane]) + bytes(i * 7 % 251 for i in range(size - 1))


def drain(outgoing):
    plaintexts = []
    while plaintext := outgoing.take():
        plaintexts.append(plaintext)
    return plaintexts


def frame(tag, content, total=None):
    header = bytes([tag]) + len(content).to_bytes(2, "big")
    return header + (b"" if total is None else total.to_bytes(4, "big")) + content


def test_a_frame_is_pinned():
    outgoing = OutgoingLanes(BOUNDS)
    outgoing.push(Lane.TRANSACTIONS, b"\x02abc")
    outgoing.push(Lane.FINALITY, b"\x00v")
    assert outgoing.take().hex() == "000002" + "0076" + "020004" + "02616263"
    outgoing.push(Lane.SYNC, message(3, 20_000))
    first, second = drain(outgoing)
    assert first[:7].hex() == "13" + f"{FRAMES_BYTES_MAX - 7:04x}" + f"{20_000:08x}"
    assert second[:3].hex() == "23" + f"{20_000 - (FRAMES_BYTES_MAX - 7):04x}"


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(Lane), st.one_of(st.integers(1, 400), st.integers(1, 60_000)), st.booleans()),
        max_size=25,
    )
)
def test_every_message_arrives_once_and_in_its_lanes_order(pushes):
    outgoing, incoming = OutgoingLanes(BOUNDS), IncomingLanes(LIMITS)
    sent, received = [], []

    def carry():
        plaintext = outgoing.take()
        assert len(plaintext) <= FRAMES_BYTES_MAX
        received.extend(incoming.receive(plaintext))
        return plaintext

    for lane, size, carry_now in pushes:
        if outgoing.push(lane, message(lane, size)):
            sent.append(message(lane, size))
        if carry_now:
            carry()
    while carry():
        pass
    for lane in Lane:
        assert [m for m in received if m[0] == lane] == [m for m in sent if m[0] == lane]
        assert outgoing.lane_bytes(lane) == 0
    assert incoming.unfinished_bytes == 0
    assert not outgoing


def test_lanes_leave_by_priority():
    outgoing = OutgoingLanes(BOUNDS)
    for lane in reversed(Lane):
        outgoing.push(lane, message(lane, 10))
    assert [m[0] for m in IncomingLanes(LIMITS).receive(outgoing.take())] == list(Lane)


def test_a_vote_overtakes_a_block_body_under_way():
    outgoing, incoming = OutgoingLanes(BOUNDS), IncomingLanes(LIMITS)
    outgoing.push(Lane.SYNC, message(3, 100_000))
    assert incoming.receive(outgoing.take()) == []
    outgoing.push(Lane.FINALITY, message(0, 200))
    assert incoming.receive(outgoing.take()) == [message(0, 200)]
    rest = [m for plaintext in drain(outgoing) for m in incoming.receive(plaintext)]
    assert rest == [message(3, 100_000)]


def test_messages_of_two_lanes_may_be_under_way_at_once():
    outgoing, incoming = OutgoingLanes(BOUNDS), IncomingLanes(LIMITS)
    outgoing.push(Lane.SYNC, message(3, 50_000))
    incoming.receive(outgoing.take())
    outgoing.push(Lane.TRANSACTIONS, message(2, 50_000))
    received = [m for plaintext in drain(outgoing) for m in incoming.receive(plaintext)]
    assert received == [message(2, 50_000), message(3, 50_000)]


def test_small_messages_share_a_record():
    outgoing = OutgoingLanes(BOUNDS)
    for _ in range(60):
        outgoing.push(Lane.TRANSACTIONS, message(2, 250))
    assert len(drain(outgoing)) == 1


def test_a_message_that_fits_a_plaintext_of_its_own_is_not_cut():
    outgoing = OutgoingLanes(BOUNDS)
    outgoing.push(Lane.SYNC, message(3, 10_000))
    outgoing.push(Lane.SYNC, message(3, FRAMES_BYTES_MAX - 3))
    first, second = drain(outgoing)
    assert (len(first), len(second)) == (10_003, FRAMES_BYTES_MAX)


def test_a_full_lane_refuses_and_the_others_go_on():
    outgoing = OutgoingLanes((500, 500, 500, 500, 500))
    size = 500 - QUEUED_MESSAGE_OVERHEAD_BYTES
    assert outgoing.push(Lane.SYNC, message(3, size))
    assert outgoing.lane_bytes(Lane.SYNC) == 500
    assert not outgoing.push(Lane.SYNC, message(3, 1))
    assert not outgoing.push(Lane.EXCHANGE, message(4, size + 1))
    assert outgoing.push(Lane.FINALITY, message(0, size))
    assert len(drain(outgoing)) == 1
    assert outgoing.push(Lane.SYNC, message(3, size))


def test_a_lane_counts_a_message_until_its_last_fragment_has_left():
    outgoing = OutgoingLanes(BOUNDS)
    outgoing.push(Lane.SYNC, message(3, 40_000))
    outgoing.take()
    assert outgoing.lane_bytes(Lane.SYNC) == 40_000 + QUEUED_MESSAGE_OVERHEAD_BYTES
    drain(outgoing)
    assert outgoing.lane_bytes(Lane.SYNC) == 0


def test_an_empty_message_cannot_be_sent():
    with pytest.raises(LocalProtocolError):
        OutgoingLanes(BOUNDS).push(Lane.SYNC, b"")


def test_an_idle_end_keeps_no_queue():
    outgoing = OutgoingLanes(BOUNDS)
    outgoing.push(Lane.SYNC, b"\x03")
    drain(outgoing)
    assert outgoing._queues == [None] * 5
    assert outgoing.take() == b""


@pytest.mark.parametrize(
    "plaintext",
    [
        b"\x03",
        b"\x03\x00",
        frame(3, b""),
        frame(3, b"\x03abc")[:-1],
        frame(5, b"\x03abc"),
        frame(0x15, b"\x03abc", 10),
        frame(0x13, b"", 10),
        frame(0x13, b"\x03abc", 4),
        frame(0x13, b"\x03abc", 0),
        frame(0x13, b"\x03abc")[:5],
        frame(0x23, b"abc"),
        frame(0x30, b"abc"),
        frame(0xFF, b"abc", 5),
        frame(0x13, b"\x03abc", 10) + frame(3, b"\x03"),
        frame(0x13, b"\x03abc", 10) + frame(0x13, b"\x03abc", 10),
        frame(0x13, b"\x03abc", 10) + frame(0x23, b""),
        frame(0x13, b"\x03abc", 10) + frame(0x23, b"1234567"),
        frame(0x13, b"\x03abc", 10) + frame(0x22, b"123456"),
    ],
    ids=lambda plaintext: plaintext.hex(),
)
def test_broken_frames_are_refused(plaintext):
    with pytest.raises((FrameError, CodecError)) as caught:
        IncomingLanes(LIMITS).receive(plaintext)
    assert caught.value.code in {"BAD_FRAME", "UNKNOWN_KIND"}


def test_the_cap_of_a_kind_is_checked_before_anything_is_kept():
    incoming = IncomingLanes({3: (3, 100)})
    with pytest.raises(CodecError) as caught:
        incoming.receive(frame(0x13, b"\x03abc", 101))
    assert caught.value.code == "OVERSIZED"
    assert incoming.unfinished_bytes == 0
    assert incoming.receive(frame(0x13, b"\x03abc", 100)) == []
    assert incoming.unfinished_bytes == 4
    with pytest.raises(CodecError) as caught:
        IncomingLanes({3: (3, 100)}).receive(frame(3, b"\x03" * 101))
    assert caught.value.code == "OVERSIZED"


def test_a_kind_in_another_lane_is_refused():
    for plaintext in (frame(2, b"\x03abc"), frame(0x12, b"\x03abc", 10), frame(2, b"\x09")):
        with pytest.raises(CodecError) as caught:
            IncomingLanes(LIMITS).receive(plaintext)
        assert caught.value.code == "UNKNOWN_KIND"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_read_or_refused_by_name(plaintexts):
    incoming = IncomingLanes(LIMITS)
    try:
        for plaintext in plaintexts:
            incoming.receive(plaintext)
    except (FrameError, CodecError):
        pass
    assert incoming.unfinished_bytes <= sum(map(len, plaintexts))


# --- optional kinds ---


def optional(size, kind=OPTIONAL_KINDS_FROM):
    return bytes([kind]) + bytes(size - 1)


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("kind", [OPTIONAL_KINDS_FROM, 0xFF])
def test_a_message_of_an_optional_kind_that_is_not_known_is_skipped_in_any_lane(lane, kind):
    incoming = IncomingLanes(LIMITS)
    around = frame(0, message(0, 5)), frame(3, message(3, 9))
    plaintext = around[0] + frame(lane, optional(40, kind)) + around[1]
    assert incoming.receive(plaintext) == [message(0, 5), message(3, 9)]
    assert incoming.skipped == 1


def test_an_unknown_kind_below_the_optional_ones_is_refused():
    with pytest.raises(CodecError, match="no message of kind 127") as caught:
        IncomingLanes(LIMITS).receive(frame(2, optional(10, OPTIONAL_KINDS_FROM - 1)))
    assert caught.value.code == "UNKNOWN_KIND"


def test_an_optional_message_is_skipped_up_to_its_cap_and_refused_beyond():
    incoming = IncomingLanes(LIMITS)
    half = OPTIONAL_BYTES_MAX // 2
    content = optional(OPTIONAL_BYTES_MAX)
    assert incoming.receive(frame(0x14, content[:half], OPTIONAL_BYTES_MAX)) == []
    assert incoming.receive(frame(0x24, content[half:])) == []
    assert (incoming.skipped, incoming.unfinished_bytes) == (1, 0)
    assert incoming.receive(frame(4, message(4, 7))) == [message(4, 7)]
    with pytest.raises(CodecError) as caught:
        incoming.receive(frame(0x14, content[:half], OPTIONAL_BYTES_MAX + 1))
    assert caught.value.code == "OVERSIZED"


def test_a_known_optional_kind_keeps_its_own_lane_and_cap():
    incoming = IncomingLanes(LIMITS | {OPTIONAL_KINDS_FROM: (2, 50)})
    assert incoming.receive(frame(2, optional(50))) == [optional(50)]
    for lane, size, code in ((2, 51, "OVERSIZED"), (3, 50, "UNKNOWN_KIND")):
        with pytest.raises(CodecError) as caught:
            incoming.receive(frame(lane, optional(size)))
        assert caught.value.code == code
    assert incoming.skipped == 0


def test_no_lane_is_made_for_an_optional_kind():
    with pytest.raises(CodecError, match="lane 5"):
        IncomingLanes(LIMITS).receive(frame(5, optional(10)))
