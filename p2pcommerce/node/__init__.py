"""Floor 3: one node as one core.

- `node`: the composite core, with the inputs that a runtime gives it
- `switchboard`: the rooms (gossip, mempool, discovery, sync, finality) and what happens between them
- `inbox`: takes each message of a peer to its room
- `agreement`: carries the finality engine
- `serving`: answers what other nodes ask for; `pulse`: pings
- `proposer`: builds this validator's blocks from the pool; `submissions`: who waits for the pool's verdict
- `chain`: the blocks above the final one, and what becomes final; `execution`: runs the transactions of one
- `bodies`: completes a block from the own pool and from peers
- `effects`: what a node wants its runtime to do
- `resources`: what connections may take of the node: sockets, handshakes, bytes, messages
- `committed`: a final block with everything that is stored of it
- `proof`: proofs that verify offline, with nothing but the genesis
"""
