"""Configuration of one node: a frozen dataclass, and the TOML file that people write.

In the file the keys are those of the dataclass, but three that are paths, relative to the file: `key` (the key file),
`genesis`, `data_dir`. Nothing is guessed: an unknown key is refused by its name, a value of a wrong type or out of
range with its key, malformed TOML with its line.

Source: the Python names and the node's folder in the interface specification; the numbers in the networking
specification.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.durable_file import create_file
from p2pcommerce.runtime.identity import Identity
from p2pcommerce.runtime.log import LEVELS
from p2pcommerce.sync import RestoreMode

__all__ = ["CONFIG_BYTES_MAX", "ConfigError", "NodeConfig", "Setting", "read_network", "write_config"]

CONFIG_BYTES_MAX: Final = 2**20
"""A configuration file is a few hundred bytes; nothing larger is read."""
ADDRESSES_MAX: Final = 64
ADVERTISED_MAX: Final = 8
"""Addresses in a peer record. Source: networking specification, discovery."""
_ADDRESS_CHARACTERS_MAX: Final = 255
_NAME_BYTES_MAX: Final = 32
DNS_SEEDS_MAX: Final = 8
"""Names that are asked for peers."""
_HOST_NAME_MAX: Final = 253
_HOST_NAME: Final = re.compile(
    r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?", re.ASCII | re.IGNORECASE
)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+")
_TCP: Final = re.compile(r"tcp://(?:\[[0-9a-f:.]+\]|[0-9a-z._-]+):(\d{1,5})", re.IGNORECASE)

Setting: TypeAlias = str | int | bool | tuple[str, ...]
"""What a key of the file may hold."""


class ConfigError(UsageError):
    """A configuration that cannot be used; one line names the file, the key and the reason."""

    code = "CONFIG"


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """What one node is started with.

    Attributes:
        identity: its key.
        genesis: the network that it belongs to.
        data_dir: the node's folder; made if there is none.
        listen: addresses to accept connections at; `tcp://host:port`, port 0: any free one. Empty: accept none.
        advertise: addresses that others are told, at most 8; empty: the listening ones that others can reach.
        bootstrap: addresses of nodes to begin with.
        name: for people, at most 32 bytes of UTF-8; empty: the first digits of the key.
        engine: the finality engine that the genesis must name; empty: whichever it names.
        sync: how a node that is behind catches up: "full" by all blocks, "snapshot" by the state after the last epoch,
            "auto" by a snapshot if the gap is large.
        checkpoint: file of a trust anchor, for when the genesis or the own chain is too old to be trusted; a chain that
            contradicts it stops the node; empty: none.
        mempool_bytes_max: bytes of waiting transactions at most. Source: the mempool's parameters.
        mempool_count_max: waiting transactions at most.
        eager_senders: peers that are asked to push transactions. Source: networking specification, K = 5.
        choosers_max: peers that this node pushes transactions to at most.
        outbound_peers: connections that this node opens by itself.
        inbound_peers_max: connections that it accepts at most, besides configured peers and validators.
        control: whether other programs of this user reach the node through `control.json`.
        dns_seeds: names whose TXT records hold peers (extra `dns`), at most 8.
        dns_server: the name server that they are asked of, "host:port" with an IP address; empty: the system's.
        lan: whether the node tells of itself in the local network by multicast, and listens to others.
        lan_interface: the IPv4 address of the interface for that; empty: the system's choice.
        port_mapping: whether the router is asked to let others in: "off", "nat-pmp", "upnp", or "auto": whichever it
            answers to.
        gateway: the router, an IPv4 address or "address:port"; empty: that of the default route.
        metrics: where Prometheus may read the node's metrics, "host:port" (extra `metrics`); empty: nowhere.
        log_level: the least urgent level that is logged, "debug", "info", "warning" or "error".
        log_file: whether `node.log` is written.
        log_file_bytes_max: size at which `node.log` is rotated.
        log_stderr: whether log lines go to stderr, too.
    """

    identity: Identity
    genesis: Genesis
    data_dir: str | Path
    listen: tuple[str, ...] = ("tcp://0.0.0.0:7400",)
    advertise: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    name: str = ""
    engine: str = ""
    sync: str = "auto"
    checkpoint: str = ""
    mempool_bytes_max: int = 64 * 2**20
    mempool_count_max: int = 50_000
    eager_senders: int = 5
    choosers_max: int = 8
    outbound_peers: int = 8
    inbound_peers_max: int = 40
    dns_seeds: tuple[str, ...] = ()
    dns_server: str = ""
    lan: bool = False
    lan_interface: str = ""
    port_mapping: str = "off"
    gateway: str = ""
    control: bool = True
    metrics: str = ""
    log_level: str = "info"
    log_file: bool = True
    log_file_bytes_max: int = 8 * 2**20
    log_stderr: bool = False

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: a value of a wrong type or out of range; the message names the field.
        """
        if not isinstance(self.identity, Identity):
            raise ConfigError("identity must be an Identity")
        if not isinstance(self.genesis, Genesis):
            raise ConfigError("genesis must be a Genesis")
        if not isinstance(self.data_dir, str | Path) or not str(self.data_dir):
            raise ConfigError("data_dir must be the path of a folder")
        for name in _DEFAULTS:
            _check(name, getattr(self, name))
        if self.engine not in {"", self.genesis.engine}:
            raise ConfigError(
                f"engine is {self.engine}, but the network of the genesis runs {self.genesis.engine}; leave it out"
            )

    @property
    def folder(self) -> Path:
        """The node's folder as a path."""
        return Path(self.data_dir)

    @property
    def settings(self) -> dict[str, Setting]:
        """Every field but identity, genesis and data_dir, as `write_config` takes them."""
        return {name: getattr(self, name) for name in _DEFAULTS}

    @classmethod
    def from_toml(cls, path: str | Path, passphrase: str) -> NodeConfig:
        """Read a configuration file, and the key and genesis files that it names.

        Args:
            path: the file.
            passphrase: opens the key file.

        Raises:
            ConfigError: the file cannot be read, is malformed, or has an unknown key or a value that cannot be used.
            KeyFileError: the key file cannot be read or opened.
            GenesisError: the genesis file cannot be read or is malformed.
        """
        path = Path(path)
        document = _read(path)
        try:
            paths = {name: _path(name, document.pop(name, default)) for name, default in _PATHS.items()}
            settings = {name: _setting(name, value) for name, value in document.items()}
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        folder = path.parent
        if settings.get("checkpoint"):
            settings["checkpoint"] = str(folder / settings["checkpoint"])
        identity = Identity.load(folder / paths["key"], passphrase)
        genesis = Genesis.load(folder / paths["genesis"])
        try:
            return cls(identity=identity, genesis=genesis, data_dir=folder / paths["data_dir"], **settings)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error


_DEFAULTS: Final[dict[str, Setting]] = {
    field.name: field.default for field in dataclasses.fields(NodeConfig) if field.default is not dataclasses.MISSING
}
_PATHS: Final = {"key": "node.key", "genesis": "genesis.json", "data_dir": "."}
_RANGES: Final = {
    "mempool_bytes_max": (2**20, 2**40),
    "mempool_count_max": (100, 10_000_000),
    "eager_senders": (1, 64),
    "choosers_max": (1, 64),
    "outbound_peers": (0, 256),
    "inbound_peers_max": (0, 4_096),
    "log_file_bytes_max": (2**16, 2**40),
}
_CHOICES: Final = {
    "log_level": LEVELS,
    "sync": tuple(RestoreMode),
    "port_mapping": ("off", "auto", "nat-pmp", "upnp"),
}


def _endpoint(name: str, value: object) -> None:
    if not isinstance(value, str) or not _is_address(f"tcp://{value}"):
        raise ConfigError(f'{name}: {value!r} is no place to listen; write it like "127.0.0.1:9464"')


def write_config(path: str | Path, settings: Mapping[str, Setting] | None = None, **paths: str) -> None:
    """Write a configuration file; an existing one is never overwritten.

    Args:
        path: where to.
        settings: other than the defaults, by the names of `NodeConfig`.
        paths: `key`, `genesis` and `data_dir`, where they are not `node.key`, `genesis.json` and the file's own folder.

    Raises:
        ConfigError: an unknown name, a value that cannot be used, or the file exists or cannot be written.
    """
    path = Path(path)
    unknown = [name for name in paths if name not in _PATHS]
    if unknown:
        raise ConfigError(f'"{unknown[0]}" is no path of a configuration; there are {", ".join(_PATHS)}')
    chosen: dict[str, Setting] = {name: _path(name, paths.get(name, default)) for name, default in _PATHS.items()}
    chosen |= {name: _setting(name, value) for name, value in (settings or {}).items()}
    lines = ["# A p2pcommerce node. Paths are relative to this file; every key that is left out has its default."]
    lines += [f"{name} = {_toml(value)}" for name, value in chosen.items()]
    try:
        create_file(path, ("\n".join(lines) + "\n").encode())
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; remove it first, or choose another folder") from error
    except (OSError, UnicodeEncodeError) as error:
        raise ConfigError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error


def read_network(path: str | Path) -> tuple[Genesis, Path]:
    """Return the genesis and the data folder that a configuration file names, without opening its key.

    Raises:
        ConfigError: the file cannot be read or is malformed.
        GenesisError: the genesis file cannot be read or is malformed.
    """
    path = Path(path)
    document = _read(path)
    try:
        genesis, folder = (_path(name, document.get(name, _PATHS[name])) for name in ("genesis", "data_dir"))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return Genesis.load(path.parent / genesis), path.parent / folder


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{path}: is larger than {CONFIG_BYTES_MAX} bytes, which no configuration is")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line}: is not UTF-8 text") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        last_line = data.count(b"\n") + 1
        reason = str(error).replace("at end of document", f"at line {last_line}, the end")
        raise ConfigError(f"{path}: is not valid TOML: {reason}") from error
    except ValueError as error:
        # The parser lets through what Python says of a number of thousands of digits, without a line.
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error


def _path(name: str, value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ConfigError(f"{name} must be a path in quotes")
    return value


def _setting(name: str, value: object) -> Any:  # noqa: ANN401 - one of the types of the fields, which `_check` tells apart
    if name not in _DEFAULTS:
        raise ConfigError(f'unknown key "{name}"; there are {", ".join(sorted([*_PATHS, *_DEFAULTS]))}')
    if isinstance(value, list) and isinstance(_DEFAULTS[name], tuple):
        value = tuple(value)
    _check(name, value)
    return value


def _check(name: str, value: object) -> None:
    """Check one setting by the type of its default."""
    default = _DEFAULTS[name]
    if isinstance(default, bool):
        if type(value) is not bool:
            raise ConfigError(f"{name} must be true or false")
    elif isinstance(default, int):
        _check_integer(name, value)
    elif name == "dns_seeds":
        _check_names(name, value)
    elif isinstance(default, tuple):
        _check_addresses(name, value)
    elif name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ConfigError(f"{name} must be one of {', '.join(_CHOICES[name])}")
    elif name in _PLACES and value != "":
        _PLACES[name](name, value)
    elif not isinstance(value, str) or not value.isprintable() or len(value.encode()) > _NAME_BYTES_MAX:
        raise ConfigError(f"{name} must be printable text of at most {_NAME_BYTES_MAX} bytes")


def _check_integer(name: str, value: object) -> None:
    low, high = _RANGES[name]
    if type(value) is not int or not low <= value <= high:
        raise ConfigError(f"{name} must be an integer from {low} to {high}")


def _check_addresses(name: str, value: object) -> None:
    count_max = ADVERTISED_MAX if name == "advertise" else ADDRESSES_MAX
    if not isinstance(value, tuple):
        raise ConfigError(f'{name} must be a list of addresses like "tcp://192.0.2.7:7400"')
    if len(value) > count_max:
        raise ConfigError(f"{name} has {len(value)} addresses, at most {count_max} are possible")
    for address in value:
        if not isinstance(address, str) or not _is_address(address):
            raise ConfigError(f'{name}: {address!r} is no address; write it like "tcp://192.0.2.7:7400"')


def _check_names(name: str, value: object) -> None:
    if not isinstance(value, tuple):
        raise ConfigError(f'{name} must be a list of names like "seed.example"')
    if len(value) > DNS_SEEDS_MAX:
        raise ConfigError(f"{name} has {len(value)} names, at most {DNS_SEEDS_MAX} are possible")
    for each in value:
        if not isinstance(each, str) or len(each) > _HOST_NAME_MAX or not _HOST_NAME.fullmatch(each):
            raise ConfigError(f'{name}: {each!r} is no name of a host; write it like "seed.example"')


def _ip_endpoint(name: str, value: object) -> None:
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        is_good = bool(colon) and _PORT.fullmatch(port) is not None and 0 < int(port) < 2**16
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(f'{name}: {value!r} is no name server; write it like "192.0.2.53:53", with an IP address')


def _ipv4(name: str, value: object) -> None:
    try:
        ipaddress.IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise ConfigError(f'{name}: {value!r} is no IPv4 address; write it like "192.0.2.7"') from None


def _gateway(name: str, value: object) -> None:
    host, colon, port = value.partition(":") if isinstance(value, str) else ("", "", "")
    if colon and not (_PORT.fullmatch(port) and 0 < int(port) < 2**16):
        raise ConfigError(
            f'{name}: {value!r} has no port from 1 to 65535; write it like "192.0.2.1" or "192.0.2.1:5351"'
        )
    _ipv4(name, host)


def _is_address(address: str) -> bool:
    if len(address) > _ADDRESS_CHARACTERS_MAX or not _ADDRESS.fullmatch(address):
        return False
    if not address.startswith("tcp://"):
        return True  # its transport knows
    match = _TCP.fullmatch(address)
    return match is not None and int(match[1]) < 2**16


_PLACES: Final[dict[str, Callable[[str, object], object]]] = {
    "checkpoint": _path,
    "metrics": _endpoint,
    "dns_server": _ip_endpoint,
    "lan_interface": _ipv4,
    "gateway": _gateway,
}


def _toml(value: Setting) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is and TOML forbids.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
