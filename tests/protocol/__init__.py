"""A second reader of the protocol, written from docs/protocol alone: nothing here imports the library.

- `plain`: values and types; `document`: the tables of the pages
- `curve`: Ed25519's curve, signatures, VRF; `channel`: handshake, records, frames
- `trees`, `chain`, `votes`, `links`, `symbols`, `proofs`: what the pages of these names say

The tests beside it decode and verify everything under tests/vectors with it. What it needs to know stands in the pages;
what is missing there is mended there.
"""
