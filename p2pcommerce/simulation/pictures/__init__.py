"""Pictures of what simulated worlds show, as a paper prints them: PNG and SVG.

- `album`: all pictures by name, what each needs to be measured, how it is drawn (start here)
- `latency`: how long a transaction takes to a node, by strategy; `traffic`: what that costs in bytes
- `attacks`: what of it is left under attack; `delays`: what faults do to finality; `spacetime`: one seed in detail,
  from its `recording`
- `samples`: the worlds behind the pictures and what is taken from them; `canvas`: the style, and the files

A picture is made in two steps: worlds are run and leave plain data, which is kept as JSON; the data is drawn. Drawing
needs the extra `sim` (matplotlib, numpy); it is imported when something is drawn, and not before.
"""

from p2pcommerce.simulation.pictures.album import ALBUM, Picture, UnknownPictureError, picture
from p2pcommerce.simulation.pictures.canvas import CanvasError
from p2pcommerce.simulation.pictures.samples import PictureSize, Task, measure

__all__ = [
    "ALBUM",
    "CanvasError",
    "Picture",
    "PictureSize",
    "Task",
    "UnknownPictureError",
    "measure",
    "picture",
]
