"""Floor 0: what every room stands on.

- `ids`: identifiers and units as distinct types
- `errors`: the exceptions, the verdicts on gossiped items, the codes of refused transactions
- `codec`: the shapes of records, with every limit; `canonical`: plain values (the one importer of msgpack); `quick`:
  records made cheaply; `base45`: bytes in a QR code
- `crypto`: signatures, key agreement, ciphers, hashes; `curve`: points and scalars (the two importers of nacl)
- `vrf`: random outputs that their maker cannot choose and anybody can check
- `merkle`: the tree over a block's transactions; `sparse_merkle`: the tree over the state; `merkle_leaves`: its leaves
- `id_index`: which transactions wait in the pool, shared by pool and gossip
- `buckets`: so many at once, then one in so long
- `compat`: what newer Pythons have
- `core`: the contract by which every protocol is driven
"""
