"""Random trade on the real application, without a network, judged after every transaction.

- `chain`: a chain of one block per transaction; `traders`, `movers`: who does what, drawn from
  one stream, the second with goods; `deeds`: what is drawn
- `properties`: the eleven properties of the commerce specification, kept up with what each block changed
- `goods`, `purses`: those of items and stock, and of the money of orders
- `run`: one world, from its founding to the day on which a stranger settles everything; the biggest idea

Source: "Properties to test, after every transaction" of the commerce specification.
"""

from p2pcommerce.simulation.trade.chain import Deed, TradeChain
from p2pcommerce.simulation.trade.properties import Properties, PropertyError
from p2pcommerce.simulation.trade.run import TradeResult, TradeWorld, run_trade
from p2pcommerce.simulation.trade.traders import OPERATIONS, Traders

__all__ = [
    "OPERATIONS",
    "Deed",
    "Properties",
    "PropertyError",
    "TradeChain",
    "TradeResult",
    "TradeWorld",
    "Traders",
    "run_trade",
]
