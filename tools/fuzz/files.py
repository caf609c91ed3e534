"""Targets of what is read from files, from the control port, and for people."""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, Final

from fuzz.target import Form, Target, decoder
from fuzz.verdicts import BrokenRuleError, check
from p2pcommerce.commerce.epcis.digital_link import parse_goods, write_link
from p2pcommerce.commerce.epcis.document import EpcisDocumentError, parse_document
from p2pcommerce.commerce.epcis.event_hash import event_hash_id
from p2pcommerce.commerce.epcis.identifiers import IdentifierError, canonical_uri, to_epc_urn
from p2pcommerce.commerce.epcis.lines import event_lines
from p2pcommerce.commerce.epcis.steps import read_step
from p2pcommerce.commerce.epcis.timestamp import canonical_time, time_ms
from p2pcommerce.commerce.epcis.writing import write_document
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.codec import pack
from p2pcommerce.runtime.config import NodeConfig, write_config
from p2pcommerce.runtime.control_file import read_control_file
from p2pcommerce.runtime.control_frames import ANSWER, HELLO, REQUEST, FrameStream, json_object
from p2pcommerce.runtime.identity import Identity, KeyFileCost, KeyFileError, _FormError, _open, _parse
from p2pcommerce.runtime.journal import Journal
from p2pcommerce.simulation.outcome import Outcome
from p2pcommerce.simulation.outcome_file import OutcomeFile
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.twins.chunk import ChunkResult

__all__ = ["EPCIS_EXAMPLES", "file_targets"]

_SALT: Final = b"saltsalt"
_KDF_KIB_MAX: Final = 64
"""Key files that ask for more memory or passes are checked, but not stretched: that is slow on purpose."""
_FRAMES_MAX: Final = 20


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    identity = Identity.from_seed(bytes(32))
    identity.save(folder / "node.key", "pass", cost=KeyFileCost(passes=1, memory_kib=8))
    Genesis.local("files", {identity.public_key: 10**9}, {}).save(folder / "genesis.json")
    return folder


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def _config(data: bytes) -> object:
    return NodeConfig.from_toml(_file("node.toml", data), "pass")


def _key_file(data: bytes) -> object:
    try:
        document = _parse(data)
        kdf = document["kdf"]
        return _open(document, "pass") if kdf["memory_kib"] <= _KDF_KIB_MAX and kdf["passes"] <= 1 else document
    except _FormError as error:
        raise KeyFileError(str(error)) from error


def _journal(data: bytes) -> object:
    """A journal's file as a damaged disk may leave it."""
    path = _file("journal", data)
    journal, records = Journal.open(path)
    journal.append([b"one more"])
    journal.close()
    reopened, again = Journal.open(path)
    reopened.close()
    check(again == [*records, b"one more"], "a journal that was opened keeps what it gave")
    return records


def _journal_header() -> bytes:
    head = b"p2pcwal\x01" + _SALT
    return head + zlib.crc32(head).to_bytes(4, "big")


@cache
def _made_journal() -> bytes:
    path = _folder() / "made"
    journal, _ = Journal.open(path)
    journal.append([b"first", b"second"])
    journal.append([bytes(40)])
    journal.close()
    return path.read_bytes()


class _Fed:
    """A stream that gives bytes in pieces, at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def receive_some(self, _most: int) -> bytes:
        """Give the next piece; nothing at the end."""
        piece, self._data = self._data[:7], self._data[7:]
        return piece


def _at_once(work: Coroutine[Any, Any, None]) -> None:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise BrokenRuleError("it waits for more than bytes")


def _control(data: bytes) -> object:
    """A connection to the control port: a hello, then frames."""
    taken: list[object] = []
    stream: Any = _Fed(data)

    async def read() -> None:
        frames = FrameStream(stream)
        hello = await frames.receive(HELLO, 256)
        while hello is not None and len(taken) < _FRAMES_MAX:
            frame = await frames.receive(REQUEST)
            if frame is None:
                return
            taken.append(frame)

    _at_once(read())
    return taken


def _answers(data: bytes) -> object:
    """Answers of what calls itself a node."""
    taken: list[object] = []
    stream: Any = _Fed(data)

    async def read() -> None:
        frames = FrameStream(stream)
        while (answer := await frames.receive(ANSWER)) is not None:
            taken.append(answer)

    _at_once(read())
    return taken


def _json(data: bytes) -> object:
    return json_object(data.decode("utf-8", "surrogateescape"))


def _control_file(data: bytes) -> object:
    return read_control_file(_file("control.json", data))


def _epcis(data: bytes) -> bool:
    """A document, and everything that is read of its events: identifiers, times, hashes, lines, steps."""
    try:
        document = parse_document(data)
    except EpcisDocumentError:
        return False
    check(len(event_lines(data, len(document.events))) == len(document.events), "each event has a line")
    for event in document.events:
        with contextlib.suppress(EpcisDocumentError):
            read_step(event)
        with contextlib.suppress(EpcisDocumentError):
            found = event_hash_id(event)
            (again,) = parse_document(write_document([event], "2026-01-02T03:04:05Z")).events
            check(event_hash_id(again) == found, "an event that was written hashes as it was")
        with contextlib.suppress(EpcisDocumentError):
            check(event.time_ms < 2**63, "a time out of all bounds")
        with contextlib.suppress(EpcisDocumentError):
            for uri in event.texts("epcList"):
                check(canonical_uri(canonical_uri(uri)) == canonical_uri(uri), "a canonical URI has one form")
                with contextlib.suppress(IdentifierError):
                    to_epc_urn(uri, 7)
    return True


def _time(data: bytes) -> bool:
    text = data.decode("utf-8", "surrogateescape")
    try:
        moment = time_ms(text)
        again = time_ms(canonical_time(text))
    except ValueError:
        return False
    check(again == moment, "the canonical form of a time is another time")
    return True


def _uri(data: bytes) -> bool:
    uri = data.decode("utf-8", "surrogateescape")
    once = canonical_uri(uri)
    check(canonical_uri(once) == once, "a canonical URI has one form")
    with contextlib.suppress(IdentifierError):
        goods = parse_goods(uri)
        check(parse_goods(write_link(goods)) == goods, "goods whose link was written read as they were")
    for digits in (6, 12):
        with contextlib.suppress(IdentifierError):
            to_epc_urn(uri, digits)
    return once != uri


def _scenario(data: bytes) -> object:
    scenario = Scenario.from_json(data)
    check(Scenario.from_json(scenario.to_json()) == scenario, "a scenario that was written reads as it was")
    return scenario


def _outcomes(suffix: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        with OutcomeFile(_file(f"outcomes{suffix}", data), "program") as file:
            return file

    return read


def _line(read: Callable[[str], Any]) -> Callable[[bytes], object]:
    def take(data: bytes) -> object:
        row = read(data.decode("utf-8", "surrogateescape"))
        check(read(row.to_line()).to_line() == row.to_line(), "a line that was written reads as it was")
        return row

    return take


def _framed(value: object) -> bytes:
    data = pack(value)
    return len(data).to_bytes(4, "big") + data


def file_targets() -> tuple[Target, ...]:
    """Return the targets of this room."""
    text = Form.TEXT
    return (
        decoder("runtime.config", _config, form=text, examples=[_config_text()]),
        decoder("runtime.key_file", _key_file, form=text, examples=[(_folder() / "node.key").read_bytes()]),
        decoder("runtime.journal", _journal, form=Form.RAW, examples=[_made_journal(), _journal_header()]),
        decoder(
            "runtime.control_port",
            _control,
            form=Form.RAW,
            examples=[_framed(("p2pcommerce control", 1, bytes(32))) + _framed((1, "query", ("account", "{}")))],
        ),
        decoder(
            "runtime.control_answers", _answers, form=Form.RAW, examples=[_framed((1, "error", ("CODE", "detail")))]
        ),
        decoder("runtime.control_json", _json, form=text, examples=[b'{"a": [1, "b", null]}']),
        decoder("runtime.control_file", _control_file, form=text, examples=[_control_file_text()]),
        Target("commerce.epcis", _epcis, (), text, EPCIS_EXAMPLES),
        Target("commerce.epcis.time", _time, (), text, (b"2026-01-02T03:04:05.678+02:00", b"2024-02-29T23:59:59Z")),
        Target("commerce.epcis.uri", _uri, (), text, _URIS),
        decoder(
            "simulation.scenario",
            _scenario,
            covers=["simulation.scenario.Scenario.from_json"],
            form=text,
            examples=[Scenario(seed=1, nodes=4, stakes=(1, 1, 1, 1)).to_json().encode()],
        ),
        decoder(
            "simulation.outcome",
            _line(Outcome.from_line),
            covers=["simulation.outcome.Outcome.from_line"],
            form=text,
        ),
        decoder(
            "simulation.twins_result",
            _line(ChunkResult.from_line),
            covers=["simulation.twins.chunk.ChunkResult.from_line", "simulation.twins.chunk.ChunkFile.read_row"],
            form=text,
        ),
        *(
            decoder(
                f"simulation.outcome_file{suffix}",
                _outcomes(suffix),
                covers=["simulation.outcome_file.OutcomeFile.read_row", "simulation.line_file.LineFile.read_row"],
                form=text,
            )
            for suffix in (".jsonl", ".csv")
        ),
    )


def _config_text() -> bytes:
    path = _folder() / "written.toml"
    write_config(path, {"listen": ("tcp://127.0.0.1:7400",), "name": "a", "control": False, "eager_senders": 3})
    return path.read_bytes()


def _control_file_text() -> bytes:
    return json.dumps({"version": 1, "port": 7401, "token": bytes(32).hex()}).encode()


_URIS: Final = (
    b"urn:epc:id:sgtin:4012345.098765.12345", b"https://id.gs1.org/01/04012345987652/21/12345",
    b"urn:epc:id:sscc:4012345.1234567891", b"urn:epc:class:lgtin:4012345.012345.998877",
    b"urn:epc:id:sgln:4012345.00001.0", b"urn:epc:id:cpi:4012345.A-1.1", b"https://example.org/414/4012345000016",
)  # fmt: skip
EPCIS_EXAMPLES: Final = (
    json.dumps(
        {
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ex": "https://e.org/"}],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-01-01T00:00:00Z",
            "epcisBody": {
                "eventList": [
                    {
                        "type": "ObjectEvent",
                        "eventTime": "2026-01-01T00:00:00.000+01:00",
                        "eventTimeZoneOffset": "+01:00",
                        "epcList": ["urn:epc:id:sgtin:4012345.098765.12345"],
                        "action": "ADD",
                        "bizStep": "commissioning",
                        "disposition": "active",
                        "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0"},
                        "quantityList": [
                            {"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 2.5, "uom": "KGM"}
                        ],
                        "sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": 26.0, "uom": "CEL"}]}],
                        "ex:field": {"ex:inner": [1, "two"]},
                    }
                ]
            },
        }
    ).encode(),
)
