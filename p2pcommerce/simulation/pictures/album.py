"""All pictures by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.pictures import attacks, delays, latency, spacetime, traffic
from p2pcommerce.simulation.pictures.canvas import save, style
from p2pcommerce.simulation.pictures.samples import PictureSize, Task

__all__ = ["ALBUM", "Picture", "UnknownPictureError", "picture"]


class UnknownPictureError(UsageError):
    """A picture of that name does not exist."""

    code = "UNKNOWN_PICTURE"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Attributes:
        name: on the command line, and of its files.
        about: what it shows, one line.
        tasks: the worlds that it needs, for a size.
        data: what is drawn, as plain data, of a size and what was measured in each world.
        draw: makes a figure of the data, within the common style; needs the extra `sim`.
    """

    name: str
    about: str
    tasks: Callable[[PictureSize], list[Task]]
    data: Callable[[PictureSize, Mapping[Task, dict[str, Any]]], dict[str, Any]]
    draw: Callable[[Mapping[str, Any]], Any]

    def render(self, data: Mapping[str, Any], folder: Path) -> list[Path]:
        """Draw, and keep it as PNG and SVG.

        Raises:
            CanvasError: the extra is missing, or a file cannot be written.
        """
        with style():
            return save(self.draw(data), folder, self.name)


_PICTURES: Final = (
    Picture("latency", "how long a transaction takes to a node", latency.tasks, latency.data, latency.draw),
    Picture("bytes", "what a strategy costs in bytes", traffic.tasks, traffic.data, traffic.draw),
    Picture("attacks", "what is delivered under attack", attacks.tasks, attacks.data, attacks.draw),
    Picture("finality", "what faults do to the time to finality", delays.tasks, delays.data, delays.draw),
    Picture("spacetime", "messages and views of one seed", spacetime.tasks, spacetime.data, spacetime.draw),
)
ALBUM: Final[Mapping[str, Picture]] = MappingProxyType({each.name: each for each in _PICTURES})
"""By name."""


def picture(name: str) -> Picture:
    """Return a picture by name.

    Raises:
        UnknownPictureError: there is none.
    """
    found = ALBUM.get(name)
    if found is None:
        raise UnknownPictureError(f"unknown picture {name!r}; choose all or one of {', '.join(ALBUM)}")
    return found
