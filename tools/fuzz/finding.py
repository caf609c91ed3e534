"""What a router, a resolver and the local network say."""

from __future__ import annotations

from typing import Final

from fuzz.target import Form, Target, decoder
from fuzz.verdicts import BrokenRuleError, check
from p2pcommerce.discovery.beacon import BEACON_BYTES_MAX, Beacons, write_beacon
from p2pcommerce.discovery.seed_text import SEED_TEXTS_MAX, read_seed_texts, text_of_address, text_of_record
from p2pcommerce.primitives.ids import GenesisHash
from p2pcommerce.runtime.finding import router_xml
from p2pcommerce.runtime.finding.router import RouterError
from p2pcommerce.runtime.finding.small_http import read_answer

__all__ = ["finding_targets"]

_GENESIS: Final = GenesisHash(bytes(range(32)))
_DEVICE: Final = (
    b'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><serviceList><service>'
    b"<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ctl</controlURL>"
    b"</service></serviceList></device></root>"
)
_FAULT: Final = b"<Envelope><Body><Fault><UPnPError><errorCode>725</errorCode></UPnPError></Fault></Body></Envelope>"
_ANSWERS: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nto the end",
)


def _value(data: bytes) -> str:
    return router_xml.read_value(data, "errorCode")


def _answer(data: bytes) -> tuple[int, bytes]:
    """Read an answer whole; what came of it before may be whole already, or still lack something."""
    found = read_answer(data, is_whole=True)
    if found is None:
        raise BrokenRuleError("an answer to which nothing more comes is whole or refused")
    status, body = found
    check(100 <= status <= 999 and len(body) <= len(data), "an answer holds no more than what came")
    return status, body


def _texts(data: bytes) -> bool:
    """Take every line as one TXT record, in strings of 255 bytes."""
    lines = data.split(b"\n")
    texts = [[line[at : at + 255] for at in range(0, len(line), 255)] for line in lines]
    found = read_seed_texts(texts, _GENESIS, "seed.example")
    check(len(found.addresses) + len(found.records) <= SEED_TEXTS_MAX, "no more is believed than is read")
    return bool(found.addresses or found.records)


def _beacon(data: bytes) -> bool:
    found = Beacons(_GENESIS).take(data, "192.0.2.7", 0)
    check(found is None or write_beacon(_GENESIS, found) == data, "a beacon that was taken is written as it came")
    check(found is None or len(data) <= BEACON_BYTES_MAX, "a beacon fits one datagram")
    return found is not None


def finding_targets() -> tuple[Target, ...]:
    """Return the targets of this room."""
    return (
        *(
            decoder(name, read, form=Form.TEXT, refused=(RouterError,), covers=[name], examples=(_DEVICE, _FAULT))
            for name, read in (
                ("runtime.finding.router_xml.read_services", router_xml.read_services),
                ("runtime.finding.router_xml.read_value", _value),
                ("runtime.finding.router_xml.read_fault", router_xml.read_fault),
            )
        ),
        decoder(
            "runtime.finding.small_http.read_answer",
            _answer,
            form=Form.RAW,
            refused=(RouterError,),
            covers=["runtime.finding.small_http.read_answer"],
            examples=_ANSWERS,
        ),
        Target(
            "discovery.seed_text.read_seed_texts",
            _texts,
            ("discovery.seed_text.read_seed_texts",),
            Form.TEXT,
            (
                b"\n".join(b"".join(text_of_address("tcp://192.0.2.9:7400", _GENESIS)) for _ in range(2)),
                b"".join(text_of_record(bytes(200))),
            ),
        ),
        Target("discovery.beacon", _beacon, (), Form.RAW, (write_beacon(_GENESIS, bytes(range(200))),)),
    )
