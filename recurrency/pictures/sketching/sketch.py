"""What a picture shows, before it has places: nodes, edges and the loops over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a node stands for."""

    INPUT = "input"
    OUTPUT = "output"
    EQUATION = "equation"
    CELL = "cell"
    DELAY = "delay"
    """A stream, or several, as others read it from another step."""
    FIRST = "first"
    """First states that are handed to a sub-cell."""


class Line(StrEnum):
    """How an edge is drawn: a use at the same step, one at another step, or a first state."""

    SOLID = "solid"
    DASHED = "dashed"
    DOTTED = "dotted"


@dataclass(frozen=True)
class Node:
    """`label` is LaTeX that may be broken at each `formula.BREAK`; `text` is the same in words of the specification.

    `clock` is None for what has one value a sequence; `recurrent` marks a sub-cell that has states of its own.
    """

    id: str
    kind: Kind
    label: str
    text: str
    clock: str | None = "t"
    recurrent: bool = False


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    line: Line = Line.SOLID


@dataclass(frozen=True)
class Loop:
    """A recurrence: nodes that need one another across steps. `kind` is full, affine or diagonal in the state."""

    members: tuple[str, ...]
    kind: str


@dataclass
class Sketch:
    """`feedback` holds the edges that close a loop: from a member to the delay through which it is read."""

    name: str
    doc: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    feedback: list[Edge] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
