"""Frauds that a demo tries on its own network, with real transactions, while the trade goes on.

- `ground`: what a fraud acts on: the running network, or any other ledger
- `fraud`: an attempt, what was refused with which code, and what was gained against what the rules let one gain
- `referral_ring`, `wash_reviews`, `double_custody`, `cloned_tag`, `points_run`, `silent_arbiter`: one each
- `police`: tries them all side by side, and sums up

Source: the limits of the commerce specification.
"""
