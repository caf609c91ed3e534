"""Floor 1: what a chain is made of, and nothing of how it is agreed on.

- `genesis`: parameters, first validators, balances; the chain id
- `validators`: the validator set and its quorum
- `epochs`: which set decides which heights, and the chain's own records of them
- `transaction`: the envelope that everything is sent in
- `block`: header and block
- `state`: the versioned key-value state with its Merkle root
- `receipt`: what came of a transaction
- `application`: the protocol of what the chain is for
- `plain_application`: accounts, nonces and fees for applications of one's own
"""
