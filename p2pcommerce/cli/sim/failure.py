"""What a person is told of a seed that failed, and the one line that repeats it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from p2pcommerce.simulation.outcome import Outcome

__all__ = ["failure_lines", "repeat_command"]


def repeat_command(subcommand: str, options: Mapping[str, object]) -> str:
    """Return a command line.

    Args:
        subcommand: of `sim`.
        options: name -> value; None: the option is left out; True: it has no value.
    """
    words = ["p2pcommerce", "sim", subcommand]
    for name, value in options.items():
        if value is True:
            words.append(f"--{name.replace('_', '-')}")
        elif value is not None:
            text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    return shlex.join(words)


def failure_lines(outcome: Outcome, repeat: str) -> list[str]:
    """Return what happened in one seed, the last events before it, and how to repeat it."""
    return [
        f"seed {outcome.seed}: {outcome.detail}",
        "the last events before it:",
        *(f"  {words}" for words in outcome.tail),
        f"repeat it: {repeat}",
    ]
