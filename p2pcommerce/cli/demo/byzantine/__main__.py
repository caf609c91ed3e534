"""The process of the demo's offender: a node like any other, with the engine of `two_faced`.

It reads its passphrase from its standard input, stops when that ends, and says in one JSON line each that it is ready
and what it does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from p2pcommerce.cli.demo.byzantine.two_faced import Equivocation, TwoFaced
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.passphrase import read_passphrase
from p2pcommerce.cli.run import wait_eof
from p2pcommerce.cli.shared import print_json
from p2pcommerce.runtime.config import NodeConfig
from p2pcommerce.runtime.node import open_node

__all__: list[str] = []


def _tell(done: Equivocation) -> None:
    print_json(
        {
            "epoch": done.epoch,
            "view": done.view,
            "height": done.height,
            "blocks": [done.first.hex(), done.second.hex()],
        }
    )


async def _serve(config: NodeConfig) -> int:
    async with open_node(config, engine=TwoFaced(_tell)) as node:
        print_json({"public_key": node.identity.public_key.hex()})
        await wait_eof()
    return 0


def _main() -> int:
    folder = Path(sys.argv[1])
    passphrase = read_passphrase("-", str(folder / "node.key"))
    config = NodeConfig.from_toml(folder / "config.toml", passphrase)
    return run_async(lambda: _serve(config), terminated=0)


if __name__ == "__main__":
    sys.exit(_main())
