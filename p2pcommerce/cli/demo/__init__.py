"""`p2pcommerce demo`: a merchant network of real processes on this machine, with a life of its own.

- `demo`: the whole run, from founding to summary; `options`: what may be chosen
- `folder`: the network on disk; `network`: its processes
- `workload/`: orders and custody steps, read or made up
- `people`, `shops`, `orders`, `custody`: who owns what, and the transactions that come of the workload
- `market`: who may send next (the open loop); `desk`: handing in, noticing finality
- `monitor`: what is measured while it runs; `table`, `plain`: two ways to show it; `story`: it in words
- `summary`: do all nodes agree, is anything lost, does a proof hold
"""
