"""What a proven item's record says: where it is, whose, and how often it was sold."""

from __future__ import annotations

from p2pcommerce.commerce import ItemStatus
from p2pcommerce.commerce.history import Item

__all__ = ["item_lines", "plain_item"]


def plain_item(item: Item) -> dict[str, object]:
    """Return what is true of an item: what is packed is owned and held by whoever has the unit, and says no name."""
    packed = item.status == ItemStatus.PACKED
    within = None if item.within is None else item.within.hex()
    return {
        "owner": None if packed else item.owner.hex(),
        "custodian": None if packed else item.custodian.hex(),
        "status": ItemStatus(item.status).name,
        "pending_to": None if item.pending_to is None else item.pending_to.hex(),
        "order": None if packed else within,
        "unit": within if packed else None,
        "quantity": item.quantity,
        "sold": item.sold,
    }


def item_lines(item: Item) -> list[str]:
    """Say where an item is, and how often it was sold: a copied tag shows by that."""
    within = "" if item.within is None else item.within.hex()
    if item.status == ItemStatus.PACKED:
        lines = [f"packed: owned and held by who has the unit; prove that, too: item id={within}"]
    else:
        lines = [f"held by {item.custodian.hex()[:16]}..., owned by {item.owner.hex()[:16]}..."]
    if item.status == ItemStatus.ENDED:
        lines.append("ended: it was used up or decommissioned; goods that carry its number are not these")
    if item.pending_to is not None:
        lines.append(f"on its way to {item.pending_to.hex()[:16]}...")
    if item.status == ItemStatus.IN_ORDER:
        lines.append(f"shipped with the order {within}")
    if item.sold > 1:
        lines.append(f"sold {item.sold} times: sold on by its buyers, or its number is on copies, too")
    return lines
