"""How many callers may shake hands at once."""

from __future__ import annotations

import pytest
import trio

from p2pcommerce.runtime.handshakes import HANDSHAKES_MAX, PER_HOST_MAX, PER_SUBNET_MAX, Handshakes, places_of


async def test_all_places_are_taken_and_given_back(autojump_clock):
    handshakes = Handshakes(10)
    for link in range(10):
        await handshakes.wait_room()
        assert handshakes.begin(link, f"tcp://10.0.{link}.1:5000")
    with trio.move_on_after(60) as scope:
        await handshakes.wait_room()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(handshakes.wait_room)
        await trio.sleep(1)
        handshakes.end(3)
    handshakes.end(3)
    assert len(handshakes) == 9


@pytest.mark.parametrize(
    ("address", "share"),
    [
        ("tcp://192.0.2.7:{port}", PER_HOST_MAX),
        ("tcp://192.0.2.{number}:{port}", PER_SUBNET_MAX),
        ("tcp://[2001:db8:1::7]:{port}", PER_HOST_MAX),
        ("tcp://[2001:db8:1:{number}::7]:{port}", PER_SUBNET_MAX),
        ("tcp://[2001:db8::{number}]:{port}", PER_SUBNET_MAX),
        ("memory://dialler", PER_HOST_MAX),
    ],
)
async def test_a_host_and_a_subnet_have_their_shares(address, share):
    handshakes = Handshakes(HANDSHAKES_MAX)
    taken = 0
    while handshakes.begin(taken, address.format(port=10_000 + taken, number=taken % 200)):
        taken += 1
    assert taken == share
    assert handshakes.begin(-1, "tcp://198.51.100.1:1")
    handshakes.end(0)
    assert handshakes.begin(-2, address.format(port=9_999, number=0))
    for link in range(-2, taken):
        handshakes.end(link)
    assert not handshakes._hosts
    assert not handshakes._subnets


def test_a_process_that_may_open_few_files_has_few_places():
    assert places_of(-1) == places_of(1_000_000) == HANDSHAKES_MAX
    assert places_of(256) == 64
    assert places_of(1) == 1
    assert 1 <= Handshakes()._places <= HANDSHAKES_MAX
