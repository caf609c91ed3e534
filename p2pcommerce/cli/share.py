"""`p2pcommerce share`: make a share link, and see where one leads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import ArgumentError, add_json, add_node_folder, print_json, public_key_of
from p2pcommerce.commerce import ShareLink, read_share_link, write_share_link
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.control_client import connect_control

__all__ = ["add"]


class ForeignLinkError(UsageError):
    """A share link of another network than the node's."""

    code = "WRONG_NETWORK"


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "share",
        help="recommend a listing by a link",
        description="Share links: a store, a listing and who recommends it, as a string for any channel.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser(
        "make",
        help="make a link",
        description="Make a share link; this needs no node, no fee and no account.",
        epilog="example: p2pcommerce share make shop.key 1 --referrer me.key --genesis genesis.json",
        allow_abbrev=False,
    )
    make.add_argument("store", metavar="STORE", help="account of the store: 64 hex digits, or a key file")
    make.add_argument("listing", metavar="NUMBER", help="of its listing")
    make.add_argument("--referrer", metavar="KEY", help="who is rewarded: 64 hex digits, or a key file")
    make.add_argument("--genesis", type=Path, required=True, metavar="FILE", help="of the network")
    add_json(make)
    make.set_defaults(handler=_make)
    read = actions.add_parser(
        "read",
        help="see where a link leads",
        description="Ask a running node for the listing and the score to which a share link leads.",
        epilog="example: p2pcommerce share read p2pcommerce:... --dir shop",
        allow_abbrev=False,
    )
    read.add_argument("link", metavar="LINK", help="the string")
    add_node_folder(read)
    add_json(read)
    read.set_defaults(handler=_read)


def _make(args: argparse.Namespace) -> int:
    if not args.listing.isdecimal() or len(args.listing) > 10:
        raise ArgumentError(f'"{args.listing:.40}" is no number of a listing')
    referrer = None if args.referrer is None else public_key_of(args.referrer)
    chain_id = Genesis.load(args.genesis).hash
    link = write_share_link(ShareLink(chain_id, public_key_of(args.store), int(args.listing), referrer))
    if args.json:
        print_json({"link": link})
    else:
        print(link)
    return 0


def _read(args: argparse.Namespace) -> int:
    link = read_share_link(args.link)
    return run_async(lambda: _show(args, link))


async def _show(args: argparse.Namespace, link: ShareLink) -> int:
    store = link.store.hex()
    async with connect_control(args.dir) as control:
        if control.genesis_hash != link.chain_id:
            raise ForeignLinkError(f"the link is of another network than the node in {args.dir}")
        found = await control.query("listing", store=store, number=link.listing)
        rating = (await control.query("rating", store=store)).value
    referrer = None if link.referrer is None else link.referrer.hex()
    if args.json:
        print_json(
            {
                "height": found.height,
                "store": store,
                "number": link.listing,
                "referrer": referrer,
                "listing": found.value,
                "rating": rating,
            }
        )
    else:
        print(f"store {store}, listing {link.listing}, recommended by {referrer or 'nobody'}")
        print("\n".join(_lines(found.value, rating)))
    return 0 if found.value is not None else 1


def _lines(listing: object, rating: object) -> list[str]:
    if not isinstance(listing, dict):
        return ["there is no such listing (any more)"]
    kind = "traced goods" if listing["traced"] else "goods"
    lines = [f"{kind} for {listing['price_minor']} minor units each, {listing['stock']} in stock"]
    if isinstance(listing["product"], dict):
        lines.append(f"product {listing['product']['gtin']} of {listing['product']['issuer']}")
    if isinstance(rating, dict):
        lines.append(f"{rating['mean_millistars'] / 1_000:.2f} stars from {rating['count']} reviews")
    else:
        lines.append("no reviews yet")
    lines.append(f"to order: p2pcommerce tx order.place, with {listing['revision']} as the line's revision")
    return lines
