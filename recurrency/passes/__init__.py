"""Passes: functions from graphs to graphs that keep their meaning, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from recurrency.graph.graph import Graph
from recurrency.passes import cse, pack, reassociate, simplify

Pass: TypeAlias = Callable[[Graph], Graph]

PASSES: dict[str, Pass] = {
    "simplify": simplify.simplify,
    "cse": cse.cse,
    "reassociate": reassociate.reassociate,
    "pack": pack.pack,
}
