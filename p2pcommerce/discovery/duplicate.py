"""Two connections between one pair of nodes: which one stays.

Both ends must come to the same answer without asking each other. Two connections in opposite directions that arise at
about the same time were dialled at once: the one that the node with the lower key dialled stays. In every other case
the newer one stays: whoever dials again has lost the older one, though the other end may not have noticed.

Source: the rule by key order is the common one (BGP's collision detection, RFC 4271 section 6.8, by identifier).
"""

from __future__ import annotations

from p2pcommerce.primitives.ids import PeerId

__all__ = ["keep_new"]


def keep_new(own: PeerId, peer: PeerId, *, old_is_outbound: bool, new_is_outbound: bool, at_once: bool) -> bool:
    """Tell whether the newer of two connections stays.

    Args:
        own: this node, 32 bytes.
        peer: the other end, 32 bytes.
        old_is_outbound: this node dialled the older one.
        new_is_outbound: this node dialled the newer one.
        at_once: the newer arose so soon after the older that both may have been dialled before either stood.
    """
    if old_is_outbound == new_is_outbound or not at_once:
        return True
    return new_is_outbound == (own < peer)
