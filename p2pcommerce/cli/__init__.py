"""Floor 6: the command `p2pcommerce`.

- `main`: the parser; `commands`: which command runs, and what errors and signals become: one line and an exit code
- a node and its keys: `key`, `genesis`, `init`, `run`
- what a running node is asked and told: `tx`, `tx_status`, `query`, `share`, `blob`, `message`
- goods: `trace`, with `trace_import`, `trace_plan`, `trace_goods`, `trace_export`, `trace_archive`
- without a node: `proof`, `proof_item`, `proof_qr`, `light`
- `demo/`: a network of processes with a life of its own, the largest; `sim/`: the simulator
- `shared`: what commands have in common; `passphrase`, `interrupt`, `fields`: asking, stopping, reading key=value
"""
