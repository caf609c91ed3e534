"""DNS seeds over a real resolver library and fake name servers on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from p2pcommerce.discovery import sign_record
from p2pcommerce.discovery.seed_text import SEED_RECORDS_MAX, text_of_address, text_of_record
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.runtime.finding.dns_seeds import ASK_S, PAUSE_S_MIN, DnsSeeds, DnsSeedsError
from p2pcommerce.runtime.log import Log
from tests.runtime.nodes import config_of, genesis_of, identity, open_memory, running_node, until
from tests.runtime.routers import tcp_server, udp_server

SEED = "seed.test"
WEEK_MS = 7 * 86_400_000


def reply_of(query, texts):
    """A full answer: each text is a row of strings."""
    reply = dns.message.make_response(query)
    words = [" ".join(f'"{part.decode()}"' for part in text) for text in texts]
    reply.answer = [dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", *words)] if words else []
    return reply


@pytest.fixture(scope="module")
def crowd():
    """Records of more peers than are taken of one answer."""
    genesis, now_ms = genesis_of(), time.time_ns() // 1_000_000
    sign = partial(sign_record, ED25519, genesis_hash=genesis.hash, sequence=now_ms, expires_ms=now_ms + WEEK_MS)
    return [
        text_of_record(sign(identity(1_000 + at).seed, addresses=(f"memory://nobody{at}",)).raw)
        for at in range(SEED_RECORDS_MAX + 40)
    ]


class FakeServer:
    """A name server: what it answers to whom, over UDP and TCP."""

    def __init__(self, texts, mode="good"):
        self.texts = texts
        self.mode = mode
        self.asked = []

    def udp(self, data, sender):
        query = dns.message.from_wire(data)
        self.asked.append(query.question[0].name.to_text())
        if self.mode == "hangs":
            return []
        if self.mode == "garbage":
            return [b"", b"\x00", data[:2] + b"\xff" * 500, data[:12] + b"\xc0\x0c" * 30, bytes(2_000)]
        reply = reply_of(query, self.texts if self.mode == "good" else ())
        if self.mode == "nxdomain":
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif self.mode == "refuses":
            reply.set_rcode(dns.rcode.REFUSED)
        elif self.mode == "another question":
            reply.question[0].name = dns.name.from_text("evil.test.")
        wire = reply.to_wire(max_size=65_535)
        if len(wire) > 1_200:
            reply.answer = []
            reply.flags |= dns.flags.TC
            wire = reply.to_wire()
        return [wire]

    async def tcp(self, stream):
        buffered = b""
        while len(buffered) < 2 or len(buffered) < 2 + int.from_bytes(buffered[:2], "big"):
            more = await stream.receive_some()
            if not more:
                return
            buffered += more
        wire = reply_of(dns.message.from_wire(buffered[2:]), self.texts).to_wire(max_size=65_535)
        await stream.send_all(len(wire).to_bytes(2, "big") + wire)
        await stream.aclose()


class Asked:
    """Seeds that are asked beside no node at all."""

    def __init__(self, port, lines):
        self.told = []
        self.log = Log("test", None, stream=lines)
        self.seeds = DnsSeeds(
            [SEED], f"127.0.0.1:{port}", genesis_of().hash, lambda name, told: self.told.append((name, told)), self.log
        )


class Lines(list):
    def write(self, line):
        self.append(line)


def texts_of(*addresses, genesis=None):
    return [text_of_address(address, (genesis or genesis_of()).hash) for address in addresses]


def source_counts(node):
    return node.statistics()["sources"]["dns_seeds"]


async def test_a_node_that_knows_nobody_joins_through_a_seed(tmp_path, network):
    server = FakeServer(texts_of("memory://n0"))
    async with udp_server(server.udp) as port, open_memory(config_of(tmp_path, 0, genesis=genesis_of()), network):
        config = config_of(tmp_path, 1, genesis=genesis_of(), dns_seeds=(SEED,), dns_server=f"127.0.0.1:{port}")
        async with open_memory(config, network) as node:
            with trio.fail_after(60):
                await node.wait_peers(1)
            assert source_counts(node) == {"asked": 1, "answered": 1, "addresses": 1} | dict.fromkeys(
                ("records", "malformed", "foreign", "over"), 0
            )
    assert server.asked == [f"{SEED}."]


async def test_a_node_joins_through_a_signed_record_of_a_seed(tmp_path, network):
    genesis, now_ms = genesis_of(), time.time_ns() // 1_000_000
    record = sign_record(ED25519, identity(0).seed, genesis.hash, ("memory://n0",), now_ms, now_ms + WEEK_MS)
    server = FakeServer([text_of_record(record.raw)])
    async with udp_server(server.udp) as port, open_memory(config_of(tmp_path, 0, genesis=genesis), network):
        config = config_of(tmp_path, 1, genesis=genesis, dns_seeds=(SEED,), dns_server=f"127.0.0.1:{port}")
        async with open_memory(config, network) as node:
            with trio.fail_after(60):
                await node.wait_peers(1)
            assert source_counts(node)["records"] == 1


async def test_a_large_answer_comes_over_tcp_and_fills_no_more_of_the_book_than_one_answer_may(
    tmp_path, network, crowd
):
    server = FakeServer(crowd)
    async with tcp_server(server.tcp) as port, trio.open_nursery() as nursery:
        sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        await sock.bind(("127.0.0.1", port))
        nursery.start_soon(serve_on, sock, server)
        settings = {"dns_seeds": (SEED,), "dns_server": f"127.0.0.1:{port}"}
        async with running_node(tmp_path, network, 0, **settings) as node:
            await until(lambda: source_counts(node).get("answered"))
            assert source_counts(node)["records"] == SEED_RECORDS_MAX
            assert source_counts(node)["over"] == len(crowd) - SEED_RECORDS_MAX
            assert node.statistics()["rooms"]["discovery"]["book"] <= SEED_RECORDS_MAX
        nursery.cancel_scope.cancel()
        sock.close()


async def serve_on(sock, server):
    while True:
        data, sender = await sock.recvfrom(65_535)
        for reply in server.udp(data, sender):
            await sock.sendto(reply, sender)


@pytest.mark.parametrize("mode", ["hangs", "nxdomain", "refuses", "garbage", "another question", "empty"])
async def test_a_resolver_that_lies_or_hangs_holds_up_nothing(tmp_path, network, mode):
    server = FakeServer([], mode)
    async with udp_server(server.udp) as port:
        settings = {"dns_seeds": (SEED,), "dns_server": f"127.0.0.1:{port}"}
        async with running_node(tmp_path, network, 0, **settings) as node:
            await until(lambda: source_counts(node).get("asked"))
            assert node.statistics()["rooms"]["discovery"]["book"] == 0


async def test_other_networks_are_left_aside(tmp_path, network):
    other = genesis_of(3)
    now_ms = time.time_ns() // 1_000_000
    foreign = sign_record(ED25519, identity(3).seed, other.hash, ("memory://n3",), now_ms, now_ms + WEEK_MS)
    server = FakeServer([*texts_of("memory://n3", genesis=other), text_of_record(foreign.raw), (b"v=p2pc1 r=!",)])
    async with udp_server(server.udp) as port:
        settings = {"dns_seeds": (SEED,), "dns_server": f"127.0.0.1:{port}"}
        async with running_node(tmp_path, network, 0, **settings) as node:
            await until(lambda: source_counts(node).get("answered"))
            counts = source_counts(node)
            assert (counts["addresses"], counts["foreign"], counts["malformed"]) == (0, 1, 1)
            rooms = node.statistics()["rooms"]["discovery"]
            assert (rooms["book"], rooms["PEER_RECORD_NETWORK"]) == (0, 1)


async def test_a_question_is_given_up_in_time_and_told_in_one_line(autojump_clock):
    lines = Lines()
    server = FakeServer([], "hangs")
    async with udp_server(server.udp) as port, trio.open_nursery() as nursery:
        asked = Asked(port, lines)
        begun = trio.current_time()
        nursery.start_soon(asked.seeds.run, False, lambda: 0)
        await until(lambda: asked.seeds.counters["failed"])
        assert trio.current_time() - begun <= ASK_S + 2
        nursery.cancel_scope.cancel()
    assert len(lines) == 1
    assert SEED in lines[0]
    assert asked.told == []


async def test_seeds_are_asked_again_only_while_there_are_too_few_peers(autojump_clock):
    server, peers = FakeServer([], "nxdomain"), [0]
    async with udp_server(server.udp) as port, trio.open_nursery() as nursery:
        asked = Asked(port, Lines())
        nursery.start_soon(asked.seeds.run, False, lambda: peers[0])
        await until(lambda: asked.seeds.counters["asked"] == 2)
        assert trio.current_time() >= PAUSE_S_MIN
        peers[0] = 2
        await trio.sleep(10 * PAUSE_S_MIN)
        assert asked.seeds.counters["asked"] == 2
        nursery.cancel_scope.cancel()


async def test_who_has_a_book_asks_nobody_if_it_finds_peers_by_itself(autojump_clock):
    asked = Asked(9, Lines())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(asked.seeds.run, True, lambda: 2)
        await trio.sleep(3_600)
        nursery.cancel_scope.cancel()
    assert asked.seeds.counters["asked"] == 0


async def test_without_dnspython_the_error_says_what_to_install(tmp_path, network, monkeypatch):
    monkeypatch.setitem(sys.modules, "dns.asyncresolver", None)
    with pytest.raises(DnsSeedsError, match=r"p2pcommerce\[dns\]"):
        async with open_memory(config_of(tmp_path, dns_seeds=(SEED,)), network):
            pytest.fail("it started without what it needs")


def test_what_is_off_is_not_imported(tmp_path):
    code = (
        "import sys, trio, p2pcommerce\nfrom tests.runtime.nodes import config_of, open_memory\n"
        "async def main():\n"
        f"    async with open_memory(config_of({str(tmp_path)!r})) as node:\n"
        "        print(node.statistics()['sources'])\n"
        "trio.run(main)\n"
        "print([n for n in sys.modules if n.partition('.')[0] == 'dns'"
        " or n.startswith('p2pcommerce.runtime.finding.') and n != 'p2pcommerce.runtime.finding.sources'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["{}", "[]"]
