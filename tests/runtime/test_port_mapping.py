"""Port mapping against fake routers on loopback: honest, lying, hanging, and telling far too much."""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

import p2pcommerce as p2p
from p2pcommerce.discovery import decode_record
from p2pcommerce.runtime.finding import nat_pmp, small_http, upnp
from p2pcommerce.runtime.finding.nat_pmp import NatPmp
from p2pcommerce.runtime.finding.port_mapping import PORTS_MAX, UNMAP_S, PortMapping, ports_to_map
from p2pcommerce.runtime.finding.router import LEASE_S, Mapping, RouterError, check_external, default_gateway
from p2pcommerce.runtime.finding.router_xml import (
    DEPTH_MAX,
    ELEMENTS_MAX,
    Service,
    read_fault,
    read_services,
    read_value,
)
from p2pcommerce.runtime.finding.upnp import Upnp, read_found
from p2pcommerce.runtime.log import Log
from tests.runtime.nodes import Notes, config_of, genesis_of, until
from tests.runtime.routers import tcp_server, udp_server

OUR = "127.0.0.1"
IGD = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
WAN = "urn:schemas-upnp-org:service:WANIPConnection:1"


class FakePmp:
    """A router that speaks NAT-PMP."""

    def __init__(self, host="9.9.9.9", **lies):
        self.host = host
        self.lies = lies
        self.mapped = {}
        self.asked = []

    def answer(self, data, sender):
        self.asked.append(data)
        if "instead" in self.lies:
            return self.lies["instead"](data)
        result = self.lies.get("result", 0)
        if data == b"\x00\x00":
            return [struct.pack("!BBHI4s", 0, 128, result, 7, bytes(map(int, self.host.split("."))))]
        _, op, _, internal, external, lifetime = struct.unpack("!BBHHHI", data)
        if lifetime:
            self.mapped[internal] = self.lies.get("port", external or 40_000)
        else:
            self.mapped.pop(internal, None)
        return [
            struct.pack(
                "!BBHIHHI",
                0,
                128 + op,
                result,
                7,
                self.lies.get("internal", internal),
                self.mapped.get(internal, 0),
                self.lies.get("lease", lifetime),
            )
        ]


class FakeIgd:
    """A router that speaks UPnP."""

    def __init__(self, host="9.9.9.9", **lies):
        self.host = host
        self.lies = lies
        self.port = 0
        self.mapped = {}
        self.actions = []

    def search(self, data, sender):
        if b"InternetGatewayDevice:1" not in data:
            return []
        location = self.lies.get("location", f"http://{OUR}:{self.port}/root.xml")
        return [
            *self.lies.get("before", []),
            f"HTTP/1.1 200 OK\r\nST: {IGD}\r\nLocation: {location}\r\n\r\n".encode(),
        ]

    async def serve(self, stream):
        data = b""
        while b"\r\n\r\n" not in data or not _has_body(data):
            more = await stream.receive_some()
            if not more:
                return
            data += more
        if "hangs" in self.lies:
            await trio.sleep_forever()
        with suppress(trio.BrokenResourceError):
            await stream.send_all(self.lies["raw"] if "raw" in self.lies else self._reply(data))
        await stream.aclose()

    def _reply(self, data):
        if data.startswith(b"GET /root.xml"):
            control = self.lies.get("control", "/control")
            return http(self.lies.get("description") or description(control))
        body = data.partition(b"\r\n\r\n")[2]
        action = data.partition(b'SOAPAction: "')[2].partition(b'"')[0].decode().partition("#")[2]
        self.actions.append(action)
        if action == "GetExternalIPAddress":
            return http(f"<e><NewExternalIPAddress>{self.host}</NewExternalIPAddress></e>")
        port = int(read_value(body, "NewExternalPort"))
        if action == "DeletePortMapping":
            self.mapped.pop(port, None)
            return http("<e/>")
        lease_s = int(read_value(body, "NewLeaseDuration"))
        fault = 725 if lease_s and "permanent" in self.lies else self.lies.get("fault", 0)
        fault = 718 if port in self.lies.get("taken", ()) else fault
        if fault:
            return http(f"<e><errorCode>{fault}</errorCode></e>", "500 Internal Server Error")
        self.mapped[port] = (read_value(body, "NewInternalClient"), int(read_value(body, "NewInternalPort")), lease_s)
        return http("<e/>")


def _has_body(data):
    head, _, body = data.partition(b"\r\n\r\n")
    length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or 0)


def http(body, status="200 OK"):
    body = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def description(control, kind=WAN):
    return (
        '<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList><device><serviceList>'
        "<service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>"
        "<controlURL>/other</controlURL></service>"
        f"<service><serviceType>{kind}</serviceType><controlURL>{control}</controlURL></service>"
        "</serviceList></device></deviceList></device></root>"
    )


@asynccontextmanager
async def igd(fake):
    async with tcp_server(fake.serve) as fake.port, udp_server(fake.search) as port:
        yield Upnp(OUR, OUR, port)


class Told(list):
    """What a `PortMapping` said, and its log."""

    def write(self, line):
        self.append(line)


def keeper(method, port, told, listening=("tcp://0.0.0.0:7400",), lines=None):
    log = Log("test", None, stream=Told() if lines is None else lines)
    return PortMapping(method, f"{OUR}:{port}", listening, told.append, log)


# --- NAT-PMP ---


async def test_nat_pmp_maps_and_gives_back():
    fake = FakePmp()
    async with udp_server(fake.answer) as port:
        router = NatPmp(OUR, port)
        assert await router.map(7_400, 7_400) == Mapping("9.9.9.9", 7_400, LEASE_S)
        assert fake.mapped == {7_400: 7_400}
        await router.unmap(7_400, 7_400)
    assert fake.mapped == {}
    assert fake.asked == [
        bytes.fromhex("0000"),
        bytes.fromhex("000200001ce81ce800000e10"),
        bytes.fromhex("000200001ce8000000000000"),
    ]


async def test_the_port_that_the_router_prefers_counts_and_no_longer_lease_than_was_asked_for():
    fake = FakePmp(port=1, lease=2**32 - 1)
    async with udp_server(fake.answer) as port:
        assert await NatPmp(OUR, port).map(7_400, 7_400) == Mapping("9.9.9.9", 1, LEASE_S)


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"host": "192.168.1.1"}, "behind another router"),
        ({"host": "100.64.0.1"}, "behind another router"),
        ({"host": "0.0.0.0"}, "behind another router"),
        ({"host": "127.0.0.1"}, "behind another router"),
        ({"host": "224.0.0.1"}, "behind another router"),
        ({"host": "255.255.255.255"}, "behind another router"),
        ({"port": 0}, "port 0"),
        ({"lease": 0}, "no time"),
        ({"result": 1}, "another version"),
        ({"result": 2}, "set to refuse"),
        ({"result": 3}, "no address"),
        ({"result": 4}, "no port left"),
        ({"result": 5}, "no such request"),
        ({"result": 77}, "result 77"),
        ({"internal": 7_401}, "does not answer"),
        ({"instead": lambda data: []}, "does not answer"),
        ({"instead": lambda data: [b"", b"\x00", bytes(3), bytes(65_000)]}, "does not answer"),
        ({"instead": lambda data: [b"\x00\x80\x00\x00" + bytes(7)]}, "does not answer"),
        ({"instead": lambda data: [b"\x00\x80\x00\x00" + bytes(9)]}, "does not answer"),
        ({"instead": lambda data: [b"\x02\x80\x00\x01" + bytes(20)]}, "does not answer"),
        ({"instead": lambda data: [b"\x00\x81\x00\x00" + bytes(8)]}, "does not answer"),
        ({"instead": lambda data: [data] * 200}, "does not answer"),
    ],
)
async def test_what_a_router_cannot_mean_by_nat_pmp_is_refused(lies, said, autojump_clock):
    async with udp_server(FakePmp(**lies).answer) as port:
        with pytest.raises(RouterError, match=said):
            await NatPmp(OUR, port).map(7_400, 7_400)


async def test_a_flood_of_answers_is_looked_at_no_further_than_the_cap(autojump_clock, monkeypatch):
    looked_at = []
    is_answer = nat_pmp._is_answer
    monkeypatch.setattr(nat_pmp, "_is_answer", lambda *args: looked_at.append(args) or is_answer(*args))
    async with udp_server(lambda data, sender: [b"no"] * 100) as port:
        with pytest.raises(RouterError):
            await NatPmp(OUR, port).map(7_400, 7_400)
    assert len(looked_at) <= nat_pmp.ANSWERS_MAX


async def test_a_lost_datagram_is_sent_again(autojump_clock):
    fake, lost = FakePmp(), []

    def answer(data, sender):
        if len(lost) < 3:
            lost.append(data)
            return []
        return fake.answer(data, sender)

    async with udp_server(answer) as port:
        assert (await NatPmp(OUR, port).map(7_400, 7_400)).port == 7_400


# --- UPnP ---


async def test_upnp_maps_and_gives_back():
    fake = FakeIgd()
    async with igd(fake) as router:
        assert await router.map(7_400, 7_400) == Mapping("9.9.9.9", 7_400, LEASE_S)
        assert fake.mapped == {7_400: (OUR, 7_400, LEASE_S)}
        await router.map(7_400, 7_400)
        await router.unmap(7_400, 7_400)
    assert fake.mapped == {}
    assert fake.actions == ["AddPortMapping", "GetExternalIPAddress"] * 2 + ["DeletePortMapping"]


async def test_a_router_that_knows_only_permanent_leases_is_asked_for_one():
    fake = FakeIgd(permanent=True)
    async with igd(fake) as router:
        assert (await router.map(7_400, 7_400)).lease_s == 0
    assert fake.mapped == {7_400: (OUR, 7_400, 0)}


async def test_another_port_is_asked_for_when_the_first_is_taken():
    fake = FakeIgd(taken=(7_400,))
    async with igd(fake) as router:
        mapping = await router.map(7_400, 7_400)
        assert mapping.port != 7_400
        assert fake.mapped[mapping.port][1] == 7_400


async def test_answers_in_chunks_or_without_a_length_are_read():
    body = description("http://127.0.0.1:1/control").encode()
    chunks = (
        f"{len(body[:50]):x};x=y\r\n".encode() + body[:50] + b"\r\n" + f"{len(body[50:]):X}\r\n".encode() + body[50:]
    )
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert small_http.read_answer(head + chunks + b"\r\n", is_whole=False) is None
    assert small_http.read_answer(head + chunks + b"\r\n0\r\n\r\n", is_whole=False) == (200, body)
    assert small_http.read_answer(b"HTTP/1.0 404 \r\n\r\nabc", is_whole=True) == (404, b"abc")
    assert small_http.read_answer(b"HTTP/1.0 404 \r\n\r\nabc", is_whole=False) is None


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"location": "http://127.0.0.2:80/root.xml"}, "another machine"),
        ({"location": "http://evil.example/root.xml"}, "another machine"),
        ({"location": "http://127.0.0.1@evil.example/root.xml"}, "another machine"),
        ({"location": "file:///etc/passwd"}, "malformed URL"),
        ({"location": "https://127.0.0.1/root.xml"}, "malformed URL"),
        ({"location": "http://127.0.0.1:99999/"}, "malformed URL"),
        ({"location": "http://[127.0.0.1/"}, "malformed URL"),
        ({"location": "http://127.0.0.1/" + "a" * 600}, "malformed URL"),
        ({"location": "http://127.0.0.1/a b"}, "malformed URL"),
        ({"control": "http://127.0.0.2/control"}, "another machine"),
        ({"control": "http://evil.example/control"}, "another machine"),
        ({"control": "file:///control"}, "malformed URL"),
        ({"control": "http://[::1"}, "malformed URL"),
        ({"control": "//[/control"}, "malformed URL"),
        ({"description": "<root/>"}, "no service"),
        ({"description": description("/x", "urn:other")}, "no service"),
        ({"description": "<root>"}, "cannot be read"),
        ({"description": b"\xff\xfe\x00"}, "cannot be read"),
        ({"description": "<?xml version='1.0' encoding='nonsense'?><a/>"}, "cannot be read"),
        ({"description": "<!DOCTYPE root><root/>"}, "document type"),
        ({"description": '<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'}, "document type"),
        ({"description": '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>'}, "document type"),
        ({"description": "<a>" * (DEPTH_MAX + 1)}, "too many elements"),
        ({"description": "<a>" + "<b/>" * ELEMENTS_MAX + "</a>"}, "too many elements"),
        ({"description": "<a>" + "x" * 2_000 + "</a>"}, "too long"),
        ({"raw": http("x" * (small_http.ANSWER_BYTES_MAX + 1))}, "more than"),
        ({"raw": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000}, "more than"),
        ({"raw": b"SSH-2.0-OpenSSH\r\n\r\n"}, "no HTTP"),
        ({"raw": b""}, "no HTTP"),
        ({"raw": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}, "ends too early"),
        ({"raw": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc"}, "no sensible length"),
        ({"raw": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nabc"}, "no sensible length"),
        ({"raw": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}, "without a size"),
        ({"raw": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcd"}, "do not end"),
        ({"raw": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n"}, "HTTP 302"),
        ({"hangs": True}, "within 5 s"),
        ({"fault": 501}, "error 501"),
        ({"taken": range(2**16)}, "another's"),
        ({"host": "10.0.0.1"}, "behind another router"),
        ({"host": ""}, "no IPv4 address"),
        ({"host": "evil.example"}, "no IPv4 address"),
    ],
)
async def test_what_a_router_cannot_mean_by_upnp_is_refused(lies, said, jumping_clock):
    fake = FakeIgd(**lies)
    async with igd(fake) as router:
        with pytest.raises(RouterError, match=said):
            await router.map(7_400, 7_400)


@pytest.mark.parametrize("host", ["10.0.0.1", "", "evil.example"])
async def test_what_leads_nowhere_is_given_back_to_the_router(host):
    fake = FakeIgd(host=host, permanent=True)
    async with igd(fake) as router:
        with pytest.raises(RouterError):
            await router.map(7_400, 7_400)
    assert (fake.mapped, fake.actions[-1]) == ({}, "DeletePortMapping")


async def test_a_search_that_is_answered_with_nonsense_finds_what_is_behind_it_or_nothing(jumping_clock):
    fake = FakeIgd(before=[b"", b"\xff" * 2_000, b"NOTIFY * HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nST: x\r\n\r\n"])
    async with igd(fake) as router:
        assert (await router.map(7_400, 7_400)).port == 7_400
    fake = FakeIgd(before=[b"nonsense"] * upnp.ANSWERS_MAX)
    async with igd(fake) as router:
        failure = None
        try:
            await router.map(7_400, 7_400)
        except RouterError as error:
            failure = str(error)
        assert failure == "the router does not answer by UPnP"


async def test_who_is_not_the_router_is_not_believed(jumping_clock):
    asked = []

    def answer(data, sender):
        asked.append(data)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((OUR, 0))
            location = "http://127.0.0.2:1/root.xml"
            stranger.sendto(f"HTTP/1.1 200 OK\r\nST: {IGD}\r\nLocation: {location}\r\n\r\n".encode(), sender)
        return []

    async with udp_server(answer, "127.0.0.2") as port:
        with pytest.raises(RouterError, match="does not answer by UPnP"):
            await Upnp("127.0.0.2", OUR, port).map(7_400, 7_400)
    assert asked


def test_a_description_says_which_service_is_asked_where():
    assert read_services(description("/control").encode()) == (
        Service("urn:schemas-upnp-org:service:Layer3Forwarding:1", "/other"),
        Service(WAN, "/control"),
    )
    assert read_fault(b"<a><b><errorCode> 718 </errorCode></b></a>") == 718
    assert read_fault(b"<a><errorCode>9999999</errorCode></a>") == 0


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_a_router_sends_is_read_or_refused(data):
    for read in (
        lambda: read_services(data),
        lambda: read_value(data, "a"),
        lambda: small_http.read_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data, is_whole=True),
        lambda: small_http.read_answer(data, is_whole=False),
        lambda: read_found(data),
    ):
        try:
            read()
        except RouterError:
            continue


# --- keeping it ---


def test_only_where_the_router_could_lead_to_is_asked_for():
    listening = ("tcp://0.0.0.0:1", "tcp://127.0.0.1:2", "tcp://192.168.1.5:3", "memory://a", "tcp://[::]:4")
    assert ports_to_map(listening, "192.168.1.5") == (1, 3)
    assert len(ports_to_map([f"tcp://0.0.0.0:{port}" for port in range(1, 20)], OUR)) == PORTS_MAX


def test_the_default_route_names_the_router(tmp_path):
    header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
    native = f"{struct.unpack('=I', bytes((192, 168, 1, 1)))[0]:08X}"
    routes = tmp_path / "route"
    routes.write_text(
        header
        + "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
        + "nonsense\n"
        + f"eth0\t00000000\t{native}\t0003\t0\t0\t0\t00000000\n"
    )
    assert default_gateway(routes) == "192.168.1.1"
    for text in ("", header, header + "eth0 zz zz zz zz zz zz zz\n"):
        routes.write_text(text)
        with pytest.raises(RouterError, match="set gateway"):
            default_gateway(routes)
    with pytest.raises(RouterError, match="set gateway"):
        default_gateway(tmp_path / "none")


@pytest.mark.parametrize("host", ["", "x", "::1", "1.2.3", "9.9.9.9.9"])
def test_what_is_no_address_is_not_told(host):
    with pytest.raises(RouterError):
        check_external(host, 1)


async def test_a_lease_is_renewed_before_it_ends(autojump_clock):
    fake, told = FakePmp(lease=100), []
    async with udp_server(fake.answer) as port, trio.open_nursery() as nursery:
        kept = keeper("nat-pmp", port, told)
        nursery.start_soon(kept.run)
        await until(lambda: kept.statistics["renewals"] == 4)
        assert 150 <= trio.current_time() <= 200
        nursery.cancel_scope.cancel()
        assert told == [("tcp://9.9.9.9:7400",)]
    assert kept.statistics["method"] == "nat-pmp"


async def test_an_address_is_withdrawn_when_the_router_falls_silent_and_told_again_after(autojump_clock):
    fake, told, lines = FakePmp(), [], Told()
    async with udp_server(fake.answer) as port, trio.open_nursery() as nursery:
        kept = keeper("nat-pmp", port, told, lines=lines)
        nursery.start_soon(kept.run)
        await until(lambda: told)
        fake.lies["instead"] = lambda data: []
        await until(lambda: kept.statistics["failures"] == 3)
        assert kept.statistics["external"] is None
        assert "does not answer" in kept.statistics["reason"]
        del fake.lies["instead"]
        await until(lambda: len(told) == 3)
        nursery.cancel_scope.cancel()
    assert told == [("tcp://9.9.9.9:7400",), (), ("tcp://9.9.9.9:7400",)]
    assert [line.count("no port is mapped") for line in lines] == [0, 1, 0]


async def test_auto_asks_by_upnp_when_nat_pmp_is_not_answered(jumping_clock):
    fake, told = FakeIgd(), []
    async with tcp_server(fake.serve) as fake.port, udp_server(fake.search) as port, trio.open_nursery() as nursery:
        kept = keeper("auto", port, told)
        nursery.start_soon(kept.run)
        await until(lambda: told)
        assert kept.statistics["method"] == "upnp"
        nursery.cancel_scope.cancel()
    assert fake.mapped == {}


async def test_a_router_that_hangs_at_the_end_is_waited_for_half_a_second(autojump_clock):
    fake, told = FakePmp(), []
    async with udp_server(fake.answer) as port:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper("nat-pmp", port, told).run)
            await until(lambda: told)
            fake.lies["instead"] = lambda data: []
            ended = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - ended <= UNMAP_S + 0.1


# --- a whole node ---


def mapping_of(node):
    return node.statistics()["sources"]["port_mapping"]


def record_of(node):
    raw = node._assembly.local_peer(node.listen_addresses, node._clock.now()).peer_record
    return decode_record(raw).addresses


async def test_a_node_tells_in_its_record_where_the_router_lets_others_in_and_gives_it_back(tmp_path):
    fake, genesis = FakePmp(port=40_000), genesis_of()
    async with udp_server(fake.answer) as port:
        config = config_of(
            tmp_path,
            genesis=genesis,
            listen=(f"tcp://{OUR}:0",),
            port_mapping="nat-pmp",
            gateway=f"{OUR}:{port}",
        )
        async with p2p.open_node(config, application=Notes()) as node:
            other = config_of(tmp_path, 1, genesis=genesis, listen=(), bootstrap=node.listen_addresses)
            await until(lambda: mapping_of(node)["external"])
            assert mapping_of(node) == {
                "method": "nat-pmp",
                "external": "tcp://9.9.9.9:40000",
                "lease_s": LEASE_S,
                "renewals": 1,
                "failures": 0,
                "reason": None,
            }
            assert record_of(node) == ("tcp://9.9.9.9:40000", *node.listen_addresses)
            async with p2p.open_node(other, application=Notes()) as friend:
                await friend.wait_peers(1)
                await until(lambda: friend.statistics()["rooms"]["discovery"]["book"])
                fake.lies["port"] = 40_001
                node._sources._on_mapped(("tcp://9.9.9.9:40001",))
                entry = friend._core.discovery.book.get(node.identity.public_key)
                await until(lambda: entry.record.addresses[0] == "tcp://9.9.9.9:40001")
            assert list(fake.mapped.values()) == [40_000]
    assert fake.mapped == {}


@pytest.mark.parametrize("lies", [{"instead": lambda data: []}, {"result": 3}, {"host": "10.0.0.1"}, {"port": 0}])
async def test_a_router_that_hangs_or_lies_holds_up_neither_start_nor_end(tmp_path, lies):
    async with udp_server(FakePmp(**lies).answer) as port:
        settings = {"port_mapping": "auto", "gateway": f"{OUR}:{port}", "listen": (f"tcp://{OUR}:0",)}
        async with p2p.open_node(config_of(tmp_path, **settings), application=Notes()) as node:
            assert mapping_of(node)["external"] is None
            assert record_of(node) == node.listen_addresses
