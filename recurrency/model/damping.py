"""Structural damping: which streams, how much, and how the distance is measured (Martens and Sutskever 2011)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.graph.roots import DAMPING
from recurrency.graph.types import Kind

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.arrays import Port
    from recurrency.model.interface import Interface

MATCHING, SQUARED = "matching", "squared"
DISTANCES = (MATCHING, SQUARED)


def can_damp(port: Port) -> bool:
    """Whether there is structural damping of a stream: it is real-valued and differs between sequences."""
    return port.index is None and port.kind is not Kind.STATIC


def streams(interface: Interface, names: Any) -> tuple[str, ...]:
    """The names of the streams to damp, sorted; each stands once.

    Raises:
        UsageError: a name is unknown, or its values are symbols or the same for all sequences.
    """
    found = interface.streams
    for name in names:
        if name not in found:
            raise interface.unknown("stream", name, found)
        if not can_damp(found[name]):
            symbols = found[name].index is not None
            why = "symbols have no distance" if symbols else "it has no value per step or sequence"
            raise UsageError(f"{interface.name}: {name} can't be damped: {why}")
    return tuple(sorted(set(names)))


def is_matching(distance: Any) -> bool:
    """Whether this is the distance that matches a function; else it is the squared one.

    Raises:
        UsageError: there is no such distance.
    """
    if distance not in DISTANCES:
        hint = nearest_hint(str(distance), DISTANCES)
        raise UsageError(f"the distance of damping is {' or '.join(DISTANCES)}, not {distance}{hint}")
    return bool(distance == MATCHING)


def weights(interface: Interface, damping: Any, damped: Collection[str] | None = None) -> dict[str, Array]:
    """The weights of structural damping as inputs `damping:NAME` of a program, sorted by name.

    Raises:
        UsageError: this is no mapping, a stream can't be damped or is none of `damped`, or a weight is no finite number
            from 0 up.
    """
    if not isinstance(damping, Mapping):
        raise UsageError(f'damping is a dict of streams and weights, such as {{"h": 0.1}}, not {damping!r}')
    out = {}
    for name in streams(interface, damping):
        if damped is not None and name not in damped:
            listed = ", ".join(damped) or "none"
            raise UsageError(f"{interface.name}: this curvature has no damping of {name}; it has {listed}")
        out[DAMPING.of(name)] = np.array(_weight(name, damping[name]), interface.real)
    return out


def _weight(name: str, given: Any) -> float:
    try:
        found = float(given)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise UsageError(f"the damping of {name} is a finite number, at least 0, not {given}")
    return found
