"""Prove a fact at a node (an item's whole history, an order, a score, a certificate, a balance); check it elsewhere.

The proof of a history of six events is text of about 3,800 characters, which one QR code holds.
"""

import p2pcommerce as p2p


async def prove(node: p2p.RunningNode, subject: str, /, **named: str) -> str:
    """Let a node prove a subject, such as "item" with issuer=, gtin= and serial=, or "balance" with account=."""
    proof = await node.prove(subject, **named, since_epoch="head")
    return proof.text


def check(text: str, anchor: p2p.TrustAnchor, subject: str, /, **named: str) -> p2p.Proven:
    """Return what is proven of that subject; raise `ProofError` if the text does not prove it."""
    return p2p.verify_proof(text, anchor, subject=p2p.subject_of(subject, named))
