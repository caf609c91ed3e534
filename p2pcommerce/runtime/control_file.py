"""Where a running node's control port is, and what can be wrong on the way to it.

Source: control.json in the interface specification.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.control_frames import CONTROL_VERSION, TOKEN_BYTES

__all__ = [
    "ControlAnswerError",
    "ControlError",
    "ControlProtocolError",
    "ControlTokenError",
    "ControlVersionError",
    "NodeNotRunningError",
    "NodeStoppedError",
    "not_running",
    "read_control_file",
]

_CONTROL_FILE_BYTES_MAX: Final = 1_024


class ControlError(UsageError):
    """The running node cannot be reached or asked; one line says why and what to do."""

    code = "CONTROL"


class NodeNotRunningError(ControlError):
    """No node runs in the folder."""

    code = "NOT_RUNNING"


class ControlTokenError(ControlError):
    """The node does not take the token of `control.json`."""

    code = "WRONG_TOKEN"


class ControlVersionError(ControlError):
    """Node and program speak different versions of the control port."""

    code = "CONTROL_VERSION"


class ControlProtocolError(ControlError):
    """Something at the port does not speak the protocol, or this program did not."""

    code = "CONTROL_PROTOCOL"


class NodeStoppedError(ControlError):
    """The node stopped, or the connection to it broke, before it answered."""

    code = "STOPPED"


class ControlAnswerError(ControlError):
    """The node refused a request.

    Attributes:
        detail: a sentence for people.
    """

    def __init__(self, code: str, detail: str) -> None:
        """Keep the code and the sentence that the node gave."""
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read_control_file(path: Path) -> tuple[int, bytes]:
    """Return port and token (32 bytes) of a `control.json`.

    Raises:
        ControlError: or a subclass: there is none, or it is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_CONTROL_FILE_BYTES_MAX)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise not_running(path) from error
    except OSError as error:
        raise ControlError(f"{path}: cannot be read: {error.strerror or error}; use the node's own account") from error
    try:
        document = json.loads(data)
        version, port, token = document["version"], document["port"], bytes.fromhex(document["token"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ControlProtocolError(f"{path}: is no control file; start the node again") from error
    if type(version) is int and version > CONTROL_VERSION:
        raise ControlVersionError(
            f"{path}: is of version {version}, this program reads {CONTROL_VERSION}; update this program"
        )
    if version != CONTROL_VERSION or type(port) is not int or not 0 < port < 2**16 or len(token) != TOKEN_BYTES:
        raise ControlProtocolError(f"{path}: is no control file; start the node again")
    return port, token


def not_running(path: Path) -> NodeNotRunningError:
    """Return the error for a folder without a running node."""
    return NodeNotRunningError(f"{path.parent}: no node runs here; start it with `p2pcommerce run {path.parent}`")
