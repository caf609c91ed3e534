"""What messages weigh: exactly what the wire would make of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.simulation.baselines import Graft, IDontWant, IHave, IWant, Prune
from p2pcommerce.simulation.gossip.wire_sizes import FRAMING_BYTES, wire_bytes
from p2pcommerce.wire.lanes import OutgoingLanes
from p2pcommerce.wire.messages import (
    Announce,
    Choose,
    Pull,
    Refuse,
    Stem,
    Transactions,
    Unchoose,
    encode_message,
)
from p2pcommerce.wire.parameters import WireParameters
from p2pcommerce.wire.records import RECORD_OVERHEAD_BYTES

SHORT = st.binary(min_size=8, max_size=8)
# Sizes on both sides of each head's limits: 16 items, 256 bytes.
TRANSACTIONS = st.lists(st.integers(1, 600).map(bytes), min_size=1, max_size=40).map(
    lambda raws: Transactions(tuple(raws))
)
STEMS = st.lists(st.integers(1, 600).map(bytes), min_size=1, max_size=40).map(lambda raws: Stem(tuple(raws)))
ENTRIES = st.tuples(SHORT, st.integers(1, 16_384), st.integers(0, 2**64 - 1))
ANNOUNCES = st.lists(ENTRIES, min_size=1, max_size=40).map(lambda entries: Announce(tuple(entries)))
PULLS = st.lists(SHORT, min_size=1, max_size=40).map(lambda shorts: Pull(tuple(shorts)))
BARE = st.sampled_from([Choose(), Unchoose(), Refuse()])


@given(st.one_of(TRANSACTIONS, STEMS, ANNOUNCES, PULLS, BARE))
@settings(max_examples=200, deadline=None)
def test_a_message_weighs_its_encoding_and_its_framing(message):
    assert wire_bytes(message) == len(encode_message(message)) + FRAMING_BYTES


def test_framing_is_one_frame_head_and_one_record():
    lanes = OutgoingLanes(WireParameters().lane_bytes_max())
    message = encode_message(Choose())
    lanes.push(Choose.LANE, message)
    assert len(lanes.take()) + RECORD_OVERHEAD_BYTES == len(message) + FRAMING_BYTES


def test_a_transaction_of_250_bytes_weighs_about_what_the_specification_counts():
    assert wire_bytes(Transactions((bytes(250),))) == 250 + 26


@pytest.mark.parametrize("frame", [IHave, IWant, IDontWant])
def test_ids_of_a_baseline_weigh_22_bytes_each(frame):
    ids = tuple(blake2b_256(bytes([number])) for number in range(10))
    assert wire_bytes(frame(ids)) - wire_bytes(frame(())) == 220


def test_roles_of_a_baseline_weigh_no_more_than_the_routers():
    assert wire_bytes(Graft()) == wire_bytes(Choose())
    assert wire_bytes(Prune(1)) == wire_bytes(Choose()) + 2
