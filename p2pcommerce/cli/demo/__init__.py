"""`p2pcommerce demo`: a merchant network of real processes on this machine, with a life of its own.

- `command`: the command line; `options`: what may be chosen
- `demo`: the whole run, from founding to summary; `scene`: who is there from the start
- `folder`: the network on disk; `network`: its processes; `outage`: one of them is killed
- `workload/`: orders and custody steps, read or made up; `sources`: which of both
- `people`, `shops`, `orders`, `custody`: who owns what, and the transactions that come of the workload; `sidelines`:
  the rest of what they do; `flash_sale`: too many buyers for one listing
- `market`: who may send next (the open loop); `desk`: handing in, noticing finality
- `abuse/`: frauds that are tried; `byzantine/`: a validator that breaks the rules
- `monitor`: what is measured while it runs; `table`, `plain`: two ways to show it; `story`: it in words
- `summary`: do all nodes agree, is anything lost, does a proof hold; `totals`: does the ledger hold the files' money;
  `report`, `section`: what came of it all
- `founding_story`, `telling`: `--story`, told while it happens
"""
