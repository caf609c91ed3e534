"""Join a network with a node of one's own, pay somebody, and watch what becomes final.

Works against `p2pcommerce demo --forever --dir D` with trio, msgpack and pynacl alone: python docs/examples/pay.py D
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import trio

import p2pcommerce as p2p

SHOP = p2p.Identity.generate().public_key


async def main(demo: Path) -> None:
    """Pay 12.5 tokens from the demo's guest account."""
    network = json.loads((demo / "demo.json").read_text())
    config = p2p.NodeConfig(
        identity=p2p.Identity.load(demo / network["guest"]["key"], passphrase=network["guest"]["passphrase"]),
        genesis=p2p.Genesis.load(demo / "genesis.json"),
        data_dir=demo / "guest",
        listen=("tcp://127.0.0.1:0",),
        bootstrap=tuple(network["addresses"]),
    )
    async with p2p.open_node(config) as node, node.subscribe() as events:
        async for block in events:  # a new node first catches up with the chain
            if datetime.now(UTC).timestamp() * 1_000 - block.time_ms < 2_000:
                break
        payment = p2p.commerce.Transfer(to=SHOP, amount_minor=12_500_000)
        tx_id = await node.submit(payment)  # returns once it is in this node's mempool
        with trio.fail_after(30):
            receipt = await node.wait_finalized(tx_id)
        print(receipt.code.value, "at height", receipt.height)
        print(await node.query("account", account=SHOP.hex()))


trio.run(main, Path(sys.argv[1]))
