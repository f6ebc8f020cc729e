"""The cost of values and operations: elements and arithmetic operations, for numbers of steps and sequences."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TypeAlias

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type

Steps: TypeAlias = int | Mapping[str, int]


def elements(shape: tuple[Dim, ...], steps: Steps, batch: int, kind: Kind, clock: str | None, rows: int = 0) -> int:
    """The number of elements of a value of this shape and kind; `rows` are added along time."""
    lead = 1
    if kind is not Kind.STATIC:
        lead = batch * (_count(steps, clock) + rows if kind is Kind.STREAM else 1)
    return lead * prod(_count(steps, d) if isinstance(d, str) else whole(d) for d in shape)


def volume(type_: Type, steps: Steps, batch: int) -> int:
    """The number of elements of a value of this type."""
    return elements(type_.shape, steps, batch, type_.kind, type_.clock)


def cost(graph: Graph, id: int, steps: Steps, batch: int) -> int:
    """Arithmetic operations of a node for all steps and sequences."""
    node = graph[id]
    if Trait.CONTRACTS not in node.op.traits:
        read = id if not node.args or node.op.group not in ("reduce", "time") else node.args[0]
        return node.op.cost * volume(graph[read].type, steps, batch)
    sizes: dict[str, Dim] = {}
    for letters, arg in zip(node.attrs["spec"].split("->")[0].split(","), node.args, strict=True):
        sizes |= dict(zip(letters, graph[arg].type.shape, strict=True))
    return node.op.cost * elements(tuple(sizes.values()), steps, batch, node.type.kind, node.type.clock)


def whole(dim: Dim) -> int:
    """A dimension as an integer. It must be one."""
    assert isinstance(dim, int)
    return dim


def count(shape: tuple[Dim, ...]) -> int:
    """The number of elements of a shape of integers."""
    return prod(map(whole, shape))


def _count(steps: Steps, clock: str | None) -> int:
    return steps if isinstance(steps, int) else steps[str(clock)]
