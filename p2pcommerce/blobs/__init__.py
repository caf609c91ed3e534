"""Floor 2: what is kept off the chain.

- `blobs`: content by its SHA-256, put by the application, fetched from peers (start here); its parts `shelf` (what is
  kept, within quotas), `fetching` (from whom; `fetch`: one of them; `lists`: which list of chunks has its turn),
  `serving` (to whom), `claims` (whose word is believed, who lied)
- `mailbox`: sealed messages to a store's node, delivered straight or left with a peer
- `effects`: what they want done; `parameters`: their numbers; `allowance`: a token bucket
"""
