"""Compares the interfaces of two cells: dimensions, inputs, outputs, states and recurrences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recurrency.comparing.equations import Equations
from recurrency.graph.text import graph_text
from recurrency.graph.types import Type
from recurrency.inspection import summary
from recurrency.inspection.report import shape_text
from recurrency.model.placeholders import with_arrays
from recurrency.model.spec import Spec
from recurrency.passes.recurrence import recurrences


class Cell:
    """One of the cells, elaborated twice: with letters for dimensions that are not given, and with numbers."""

    def __init__(self, spec: Spec, given: Mapping[str, Any], numbers: Mapping[str, Any]) -> None:
        self.spec, self.names = spec, [dimension.name for dimension in spec.cell.dimensions]
        chosen = {name: value for name, value in given.items() if name in self.names}
        first = spec.units(chosen)
        chosen |= {name: value for name, value in numbers.items() if isinstance(first.dimensions[name], int)}
        self.letters = spec.units(chosen)
        self.numbers = spec.elaborate(**with_arrays(spec, numbers))
        self.equations = Equations(self.letters, spec)
        self.loops = recurrences(self.letters.graph)

    @property
    def meaning(self) -> list[str]:
        """The lines of the graph as text, without places in the source."""
        return [line.partition("   # ")[0] for line in graph_text(self.letters.graph).splitlines()]

    @property
    def count(self) -> str:
        """The number of parameters as a formula."""
        return summary.formula(summary.parameters(self.letters), self.names)


@dataclass(frozen=True)
class Section:
    """A part of the interface as lines of both cells; `same` if they differ in names only."""

    name: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    same: bool


def sections(ours: Cell, theirs: Cell) -> list[Section]:
    """All parts of the interface."""
    kinds = [Counter((loop.kind, loop.direction) for loop in cell.loops) for cell in (ours, theirs)]
    texts: list[tuple[str, ...]] = [(summary.kinds_text(cell.loops),) for cell in (ours, theirs)]
    if texts[0] == texts[1] and kinds[0] != kinds[1]:
        texts = [tuple(map(_loops_text, found, found.values())) for found in kinds]
    found = [_dimensions(ours, theirs)]
    found += [_ports(name, table, ours, theirs) for name, table in PORTS.items()]
    return [*found, Section("recurrence", texts[0], texts[1], kinds[0] == kinds[1])]


def _loops_text(loop: tuple[str, int], count: int) -> str:
    """Recurrences of one kind and direction, with their number."""
    several = f"{count} x " if count > 1 else ""
    return f"{several}{loop[0].replace(', ', ' ')} {'forwards' if loop[1] > 0 else 'backwards'}"


def _dimensions(ours: Cell, theirs: Cell) -> Section:
    texts, defaults = [], []
    for cell in (ours, theirs):
        dimensions = cell.spec.cell.dimensions
        written = [d.default.span.text if d.default else "" for d in dimensions]
        texts.append(tuple(d.name + (f" = {t}" if t else "") for d, t in zip(dimensions, written, strict=True)))
        defaults.append(sorted(_default(text, cell.names) for text in written))
    return Section("dimensions", texts[0], texts[1], defaults[0] == defaults[1])


def _default(text: str, names: Sequence[str]) -> str:
    """A default with each dimension replaced by its position in the header, since names don't matter."""
    return re.sub(r"\w+", lambda word: f"[{names.index(word[0])}]" if word[0] in names else word[0], text)


def _ports(name: str, table: str, ours: Cell, theirs: Cell) -> Section:
    """Shapes are shown with letters and compared as numbers."""
    cells = ours, theirs
    texts = [tuple(f"{port}: {_type(t)}" for port, t in getattr(cell.letters, table).items()) for cell in cells]
    sizes = [Counter(_type(t) for t in getattr(cell.numbers, table).values()) for cell in cells]
    return Section(name, texts[0], texts[1], sizes[0] == sizes[1])


PORTS = {"inputs": "inputs", "outputs": "outputs", "states": "starts"}
"""The parts with shapes, and their attributes of `Elaborated`."""


def _type(type_: Type) -> str:
    text = f"index[{type_.index}]" if type_.index is not None else shape_text(type_.shape)
    return text if str(type_.clock or "t") == "t" else f"{text} over {type_.clock}"
