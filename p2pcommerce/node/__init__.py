"""Floor 3: one node as one core.

The whole:

- `node`: the composite core, with the inputs that a runtime gives it (start here); `parameters`: the numbers of its
  rooms
- `switchboard`: the rooms (gossip, mempool, discovery, sync, finality) and what happens between them
- `inbox`: takes each message of a peer to its room; `timetable`: when which room is due
- `effects`: what a node wants its runtime to do; `connected`: what it is told of a new link;
  `guests`: links of callers who are no peers
- `resources`: what connections may take of the node: sockets, handshakes, bytes, messages; `rates`: how often
  peers may send what no room limits

Blocks:

- `agreement`: carries the finality engine; `turn`: one input of it being worked off; `log_records`: what it logs
- `chain`: the blocks above the final one, and what becomes final; `execution`: runs the transactions of one
- `proposer`: builds this validator's blocks from the pool; `bodies`: completes a block from the own pool and from peers
- `committed`: a final block with everything that is stored of it; `recalled`: final blocks that the engine asks for
  again
- `epochs`: what headers must say of validators; `standing`: whether this node decides, and whom it stays close to
- `finality_routes`, `relaying`: the ways of finality messages; `final_blocks`: final blocks for those who only follow
- `offences`: validators that broke the rules, until the chain has punished them

Users and peers:

- `submissions`: who waits for the pool's verdict; `own`: own transactions until they are final; `private`: those that
  go by a stem first
- `serving`, `archive`: answer what other nodes and light clients ask for; `pulse`: pings
- `fee_floors`: what each peer's full pool asks for; `saved_peers`: the file of peers
- `off_chain`: blobs and sealed messages

Coming from afar:

- `restoring`: whether and from where a snapshot is fetched; `adoption`: standing on it
- `subjectivity`: whether what this node trusts is fresh enough to follow others by

Proofs and light clients:

- `proof`: proofs that verify offline, with nothing but the genesis; `subjects`: what can be proven; `proof_errors`
- `compact`, `compact_history`, `short_header`: the same in fewer bytes
- `trust`: what a verifier believes beforehand; `epoch_links`: from one validator set to the next
- `light`: a light client; `final_header`: what it has found to be final
"""
