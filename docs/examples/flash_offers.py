"""Shops publish offers on a topic of their own, customers hear them: no transaction, no fee, no block."""

import json
from collections.abc import Mapping

import p2pcommerce as p2p

TOPIC = "example.flash-offers.v1"


def judge(post: p2p.Post) -> p2p.Verdict:
    """Say whether a post is an offer: what can never be one is a broken rule, what is too dear is merely unwanted."""
    try:
        offer = json.loads(post.data)
    except ValueError:
        return p2p.Verdict.REJECT
    if not isinstance(offer, dict) or not isinstance(offer.get("product"), str) or type(offer.get("minor")) is not int:
        return p2p.Verdict.REJECT
    return p2p.Verdict.ACCEPT if 0 < offer["minor"] < 10**12 else p2p.Verdict.IGNORE


async def announce(node: p2p.RunningNode, product: str, minor: int) -> int:
    """Publish an offer for ten minutes; return how many connected peers were sent it."""
    offer = {"product": product, "minor": minor}
    return await node.publish(TOPIC, json.dumps(offer).encode(), life_s=600)


async def next_offer(listener: p2p.TopicListener) -> tuple[p2p.PublicKey, Mapping[str, object]]:
    """Wait for the next offer; return the shop's key and what it offers."""
    post = await anext(listener)
    return post.origin, json.loads(post.data)
