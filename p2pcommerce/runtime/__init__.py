"""Floor 4: the trio shell around the node core.

The node:

- `node`: `open_node` (start here); `running`: the node it gives, what an embedding application uses; `answers`: what it
  answers
- `config`, `identity`, `assembly`: what a node is started with, and how its folder is opened
- `driver`: moves inputs into the core and does its effects; `ticker`: when it ticks; `clock`
- `links`, `connection`: connections made, and one of them at work; `transport/`: tcp, memory
- `finding/`: how a node finds others beside the addresses it was given, and lets itself be found
- `collector`: Python's garbage collector, set for such a process

Users:

- `submitting`: from a payload to an accepted transaction; `wallet`: the own account
- `waiting`, `transaction_status`: what becomes of one; `events`: final blocks; `reporting`: evidence
- `reading`: receipts, blocks, proofs; `topics`: what the application publishes and hears
- `off_chain`, `off_chain_node`, `off_chain_files`, `off_chain_errors`: blobs and sealed messages
- `light`: a light client over real connections; `anchor`: what others may trust, from a node's own store

Files:

- `disk`: in which order the log, the guard and the store are written; `own_disk`: the journal of own transactions
- `journal`, `own_journal`, `durable_file`: what must survive; `lock`: one process for each folder; `log`: words
- `store`, `justifies`, `store_error`: final blocks and their state in SQLite
- `snapshots`: the state in chunks; `offers`, `loading`: what is read for others; `pace`: long work with rests

Seen from outside:

- `statistics`, `traffic`, `metrics`: what a node counts, and how Prometheus reads it
- `control`, `control_pending`, `control_status`, `control_off_chain`: the control port; `control_file`: where it is;
  `control_frames`: its bytes; `controlled_node`: what it needs; `control_client`: how another program of the same user
  reaches a running node
"""
