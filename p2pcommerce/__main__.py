"""`python -m p2pcommerce`: the same as the command `p2pcommerce`."""

from __future__ import annotations

import sys

from p2pcommerce.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
