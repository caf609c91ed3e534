"""Floor 0: what every room stands on.

- `ids`: identifiers and units as distinct types
- `errors`: the exceptions, the verdicts on gossiped items, the codes of refused transactions
- `codec`: canonical msgpack with every limit, and the shapes of records (the one importer of msgpack)
- `crypto`: signatures, key agreement, ciphers, hashes; `curve`: points and scalars (the two importers of nacl)
- `vrf`: random outputs that their maker cannot choose and anybody can check
- `merkle`: the tree over a block's transactions; `sparse_merkle`: the tree over the state
- `id_index`: which transactions wait in the pool, shared by pool and gossip
- `core`: the contract by which every protocol is driven
"""
