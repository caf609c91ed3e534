"""The campaigns of the mutation gate: which worlds look for which bugs; stakes are equal but for `STAKES`."""

from __future__ import annotations

from plants import Plan

QUIET = Plan("quiet", seconds=12, liveness=5)
HALVES = Plan("halves", faults="partition=0.6,loss=0.05", seconds=25, liveness=10)
STAKES = Plan("stakes", faults="partition=0.6,crash=0.1", seconds=25, liveness=10, draws_stakes=True)
CRASHES = Plan("crashes", faults="crash=0.25,torn_write=0.5", seconds=20, liveness=8)
ROUGH = Plan("rough", faults="loss=0.1,partition=0.4,asymmetric=0.3,reordering=0.2", seconds=20, liveness=8)
WILD = Plan("wild", faults="loss=0.1,partition=0.3,asymmetric=0.3", cast={"wild": (0,)}, delay_ms=300)
FAR_WILD = Plan(
    "wild, far apart", faults="asymmetric=1,loss=0.1,partition=0.3", cast={"wild": (0,)}, delay_ms=60, seconds=25
)
EQUIVOCATE = Plan("equivocate", faults="loss=0.05,asymmetric=0.3", cast={"equivocate": (0,)}, delay_ms=300)
DOUBLES = Plan("double votes", faults="asymmetric=0.5,loss=0.1", cast={"double_vote": (0,)}, delay_ms=300)
FORGE = Plan("forge", cast={"forge": (0,)}, delay_ms=300)
INVALID = Plan("invalid blocks", cast={"invalid_block": (1,)}, delay_ms=300, seconds=25)
FALSE_TIME = Plan("false times", cast={"false_time": (1,)}, delay_ms=300)
LIARS = Plan(
    "liars", faults="crash=0.1,partition=0.4", cast={"lying_sync": (0,)}, nodes=6, seconds=30, liveness=12, rate=3
)
MUTE = Plan("mute", cast={"mute": (0,)}, seconds=15, liveness=10)
FLOOD = Plan("flood", cast={"mempool_flood": (0,)}, pool_count_max=8, seconds=12, liveness=5)
MARKET = Plan("market", stack="network", seconds=25, liveness=6, rate=6)
CHEATS = Plan("cheats", stack="network", cast={"invalid_block": (1,)}, seconds=20, liveness=6, rate=8)
