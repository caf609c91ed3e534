"""Floor 4: the trio shell around the node core.

- `node`: `open_node`; `running`: the node it gives, what an embedding application uses
- `config`, `identity`, `assembly`: what a node is started with, and how its folder is opened
- `driver`, `connection`, `disk`, `clock`: move inputs into the core and do its effects
- `transport/`: tcp, memory
- `statistics`, `traffic`, `metrics`: what a node counts, and how Prometheus reads it
- `store`, `journal`, `lock`, `durable_file`, `log`: files
- `events`, `waiting`, `wallet`, `reading`: final blocks, receipts, the own account, proofs
- `control`, `control_client`: how other programs of the same user reach a running node
"""
