"""Prove an item's whole history at a node, and check it where there is no node.

The proof is text of about 3,800 characters, which one QR code holds.
"""

import p2pcommerce as p2p


async def prove(node: p2p.RunningNode, **item: str) -> str:
    """Let a node prove the history of an item: issuer=, gtin= and serial= (or lot=)."""
    proof = await node.prove("item", **item, since_epoch="head")
    return proof.text


def check(text: str, anchor: p2p.TrustAnchor, **item: str) -> list[str]:
    """Return what happened to that item and who signed it; raise `ProofError` if the text does not prove it."""
    proven = p2p.verify_proof(text, anchor, subject=p2p.subject_of("item", item))
    return [f"{entry.type} signed by {entry.signer.hex()}" for entry in proven.history]
