"""Addresses, from docs/protocol/discovery.md."""

import ipaddress
import re

from .plain import RefusedError, need


def canonical(text):
    """Return the one form of an address, and whether it names a place."""
    need(len(text) <= 272, "too long")
    scheme, separator, rest = text.partition("://")
    need(separator and scheme in {"tcp", "memory"}, "no transport")
    if scheme == "memory":
        need(re.fullmatch(r"[a-z0-9._-]{1,64}", rest, re.ASCII), "no name")
        return text, True
    host, colon, port = rest.rpartition(":")
    need(colon and re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and int(port) <= 65_535, "no port")
    if host.startswith("["):
        need(host.endswith("]") and "%" not in host, "no IPv6 address")
        found = _ip(ipaddress.IPv6Address, host[1:-1])
        host = f"::ffff:{found.ipv4_mapped}" if found.ipv4_mapped else str(found)
        return f"tcp://[{host}]:{int(port)}", host != "::" and port.strip("0") != ""
    host = host.lower()
    if re.fullmatch(r"[0-9]+", host.rpartition(".")[2], re.ASCII):
        host = str(_ip(ipaddress.IPv4Address, host))
    else:
        label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
        need(len(host) <= 253 and re.fullmatch(rf"{label}(\.{label})*", host, re.ASCII), "no name")
    return f"tcp://{host}:{int(port)}", host != "0.0.0.0" and port.strip("0") != ""


def _ip(kind, text):
    try:
        return kind(text)
    except ValueError as error:
        raise RefusedError("no IP address") from error
