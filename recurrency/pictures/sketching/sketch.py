"""The content of a picture without its layout: nodes, edges and loops over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a node."""

    INPUT = "input"
    OUTPUT = "output"
    EQUATION = "equation"
    CELL = "cell"
    DELAY = "delay"
    """One or more streams read at another step."""
    FIRST = "first"
    """Initial states that a `from` clause passes to a call."""


class Line(StrEnum):
    """How an edge is drawn: solid for the same step, dashed for another step, dotted for an initial state."""

    SOLID = "solid"
    DASHED = "dashed"
    DOTTED = "dotted"


@dataclass(frozen=True)
class Node:
    """`label` is LaTeX in which a line may end at each `formula.BREAK`; `text` is the same as source text.

    `clock` is None for a value that is the same at all steps; `recurrent` marks a called cell with a recurrence inside.
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
    """A recurrence: nodes that depend on one another across steps; for `kind` see `recurrency.passes.recurrence`."""

    members: tuple[str, ...]
    kind: str


@dataclass
class Sketch:
    """All nodes, edges and loops; `feedback` has the edges that close a loop, from a member to a delay."""

    name: str
    doc: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    feedback: list[Edge] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
