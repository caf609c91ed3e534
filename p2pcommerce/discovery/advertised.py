"""What a node says of itself: where others can dial it.

Where it listens, if that is a place; and, if it listens on all interfaces or in a private network, the host at which a
majority of others sees it, at the ports where it listens. Behind a router without a forwarded port nobody answers
there: it does no harm that others try, and `statistics()` says that nobody reached the node.

Source: the discovery section of the networking specification (the address that a majority of peers observe).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from p2pcommerce.discovery.address import Address, parse_address
from p2pcommerce.discovery.group import is_local

__all__ = ["advertised"]

_LOOPBACK = ("127.", "::1", "localhost")


def advertised(listening: Sequence[str], observed_host: str | None) -> tuple[str, ...]:
    """Return the addresses of a node's own record, canonical, the surest first.

    Args:
        listening: where the node listens.
        observed_host: the global IP address at which others see it; None: not known.

    Raises:
        AddressError: malformed.
    """
    places = [parse_address(address) for address in listening]
    told = [str(place) for place in places if place.can_be_dialled]
    if observed_host is None or not all(is_local(address) for address in told):
        return tuple(told)
    seen = [str(replace(place, host=observed_host)) for place in places if _may_be_reached_from_afar(place)]
    return tuple(dict.fromkeys([*seen, *told]))


def _may_be_reached_from_afar(place: Address) -> bool:
    return place.scheme == "tcp" and place.port != 0 and not place.host.startswith(_LOOPBACK)
