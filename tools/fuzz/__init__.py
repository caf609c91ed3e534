"""Fuzzing: whatever bytes come, every decoder and every core refuses them by name, or takes them within its bounds.

- `run`: the command (start here)
- `catalogue`: every target; `found`: those that are made from what the product registers
- `target`: what a target is, and how bytes become inputs; `verdicts`: what is wrong when something is
- `decoders`, `files`, `sessions`, `cores`, `catching_up`, `engines`, `nodes`: the targets that are written by hand
- `rig`: one core alone; `station`, `village`: whole nodes without a network, and four of them that say everything once
- `mutation`: how inputs are changed; `plain` and `guided`: the two ways to look, without and with coverage
- `findings`: what broke, as files
- `synthesis`: inputs made from what shapes say they want
- `corpus`: the inputs that are kept; `seeds`: how the first of them are made from the product's own messages
"""
