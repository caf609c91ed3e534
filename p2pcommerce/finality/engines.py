"""The finality engines that every node knows by name.

A network's genesis names the one that its nodes run. An embedding application may hand `open_node` another engine, made
by itself; its name must then be the genesis's.

Source: the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.finality.ffg import FFG
from p2pcommerce.finality.simplex import Simplex
from p2pcommerce.finality.solo import Solo
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme

__all__ = ["ENGINES", "make_engine"]

ENGINES: Final[Mapping[str, Callable[[SignatureScheme], FinalityEngine]]] = MappingProxyType(
    {"simplex": Simplex, "ffg": FFG, "solo": Solo}
)
"""By name, what makes an engine that has not started; the first one is the default."""


def make_engine(name: str, scheme: SignatureScheme = ED25519) -> FinalityEngine:
    """Return an engine that has not started.

    Raises:
        KeyError: there is no engine of this name.
    """
    return ENGINES[name](scheme)
