"""The demo's offender: a validator that breaks the rules on purpose, to show what becomes of it.

- `two_faced`: its engine; `__main__`: its process, which only the demo starts
- `offender`: how it joins, offends and is punished, as the demo tells it

No node can be configured to be one: the engine has no name, and nothing but `__main__` imports it.
"""

__all__: list[str] = []
