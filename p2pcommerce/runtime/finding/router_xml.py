"""Reads the XML that routers write: descriptions of devices, and answers to what they were asked.

Document type declarations, and with them entities, are refused before anything is expanded; the number of elements,
their depth and the length of a text are capped. Namespaces are passed over, as routers get them wrong.

Source: UPnP Device Architecture 1.1 sections 2.3 (device description) and 3.1.2 (SOAP, faults).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from p2pcommerce.runtime.finding.router import RouterError

__all__ = ["DEPTH_MAX", "ELEMENTS_MAX", "Service", "read_fault", "read_services", "read_value"]

ELEMENTS_MAX: Final = 4_096
DEPTH_MAX: Final = 32
_TEXT_CHARACTERS_MAX: Final = 1_024
_CODE: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a device.

    Attributes:
        type: such as "urn:schemas-upnp-org:service:WANIPConnection:1".
        control: where it is asked, a URL or a path; as the device wrote it.
    """

    type: str
    control: str


@dataclass(slots=True)
class _Reader:
    """Gathers the texts of elements that hold nothing else."""

    texts: list[tuple[str, str, int]] = field(default_factory=list)
    """Name, text, and the number of the element around it."""
    _open: list[tuple[str, int]] = field(default_factory=list)
    _text: str = ""
    _count: int = 0

    def on_start(self, name: str, attributes: dict[str, str]) -> None:
        del attributes
        self._count += 1
        if self._count > ELEMENTS_MAX or len(self._open) >= DEPTH_MAX:
            raise RouterError("the router's XML has too many elements")
        self._open.append((name.rpartition(" ")[2], self._count))
        self._text = ""

    def on_text(self, text: str) -> None:
        self._text += text
        if len(self._text) > _TEXT_CHARACTERS_MAX:
            raise RouterError("the router's XML has a text that is too long")

    def on_end(self, name: str) -> None:
        del name
        closed, _ = self._open.pop()
        if self._text.strip():
            self.texts.append((closed, self._text.strip(), self._open[-1][1] if self._open else 0))
        self._text = ""


def _refuse(*_: object) -> None:
    raise RouterError("the router's XML declares a document type, which nothing here needs")


def _read(data: bytes) -> list[tuple[str, str, int]]:
    """Return the texts of a document.

    Raises:
        RouterError: no XML, or beyond a cap, or with a document type.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.on_start
    parser.EndElementHandler = reader.on_end
    parser.CharacterDataHandler = reader.on_text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat takes it by place
    except (
        expat.ExpatError,
        LookupError,
        ValueError,
    ) as error:  # an encoding that Python does not know is a LookupError
        raise RouterError(f"the router's XML cannot be read: {error}") from error
    return reader.texts


def read_services(data: bytes) -> tuple[Service, ...]:
    """Return the services of a device description, those of devices inside it included.

    Raises:
        RouterError: no XML, or beyond a cap, or with a document type.
    """
    types: dict[int, str] = {}
    controls: dict[int, str] = {}
    for name, text, around in _read(data):
        if name == "serviceType":
            types.setdefault(around, text)
        elif name == "controlURL":
            controls.setdefault(around, text)
    return tuple(Service(kind, controls[around]) for around, kind in types.items() if around in controls)


def read_value(data: bytes, name: str) -> str:
    """Return the text of an element of an answer; empty: it has none.

    Raises:
        RouterError: no XML, or beyond a cap, or with a document type.
    """
    return next((text for found, text, _ in _read(data) if found == name), "")


def read_fault(data: bytes) -> int:
    """Return the number of a SOAP fault; 0: it has none.

    Raises:
        RouterError: no XML, or beyond a cap, or with a document type.
    """
    code = read_value(data, "errorCode")
    return int(code) if _CODE.fullmatch(code) else 0
