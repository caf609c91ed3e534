"""Floor 6: the command `p2pcommerce`.

- `main`: the parser, and what errors and signals become: one line and an exit code
- one file per command: `key`, `genesis`, `init`, `run`, `tx`, `query`, `proof`; `demo/` is the largest
- `shared`: what commands have in common; `passphrase`, `interrupt`, `fields`: asking, stopping, reading key=value
"""
