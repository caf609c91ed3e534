"""What a node says of itself: where others can dial it.

Where it listens, if that is a place; and, if it listens on all interfaces or in a private network, the host at which a
majority of others sees it, at the ports where it listens. If a router lets others in, the port that the router gave
comes first: at the host that a majority sees, and, while that is not known, at the host that the router claims for
itself (it may be wrong, or stand behind another router). Behind a router without a forwarded port nobody answers there:
it does no harm that others try, and `statistics()` says that nobody reached the node.

Source: the discovery section of the networking specification (the address that a majority of peers observe).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from p2pcommerce.discovery.address import Address, parse_address
from p2pcommerce.discovery.group import is_local

__all__ = ["advertised"]

_LOOPBACK = ("127.", "::1", "localhost")


def advertised(listening: Sequence[str], observed_host: str | None, mapped: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the addresses of a node's own record, canonical, the surest first.

    Args:
        listening: where the node listens.
        observed_host: the global IP address at which others see it; None: not known.
        mapped: where a router says that it lets others in.

    Raises:
        AddressError: malformed.
    """
    let_in = [_seen_at(parse_address(address), observed_host) for address in mapped]
    places = [parse_address(address) for address in listening]
    told = [str(place) for place in places if place.can_be_dialled]
    if observed_host is None or not all(is_local(address) for address in told):
        return tuple(dict.fromkeys([*let_in, *told]))
    seen = [str(replace(place, host=observed_host)) for place in places if _may_be_reached_from_afar(place)]
    return tuple(dict.fromkeys([*let_in, *seen, *told]))


def _seen_at(place: Address, observed_host: str | None) -> str:
    """Return a mapped place, at the host where others see this node if that is of the same family."""
    if observed_host is None or (":" in observed_host) != (":" in place.host):
        return str(place)
    return str(replace(place, host=observed_host))


def _may_be_reached_from_afar(place: Address) -> bool:
    return place.scheme == "tcp" and place.port != 0 and not place.host.startswith(_LOOPBACK)
