"""What names mean besides streams and numbers: cells, their instances, and parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from recurrency.errors import Span
from recurrency.graph.dimensions import Dim
from recurrency.language.elaboration.modules import CellDef


@dataclass(frozen=True, eq=False)
class CellValue:
    """A cell with some of its dimensions."""

    definition: CellDef
    positional: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Shared:
    """An instance of a cell, whose calls share its parameters."""

    cell: CellValue
    name: str
    dimensions: dict[str, Any] | None = None


@dataclass
class ParamInfo:
    """A parameter: its shape, and how its initial value is drawn."""

    name: str
    shape: tuple[Dim, ...]
    initialiser: tuple[str, tuple[float, ...]]
    span: Span


def dimension_text(value: Any) -> str:
    """The value of an entry of the square brackets as a user writes it: a number, or a function or cell by its name."""
    if isinstance(value, CellValue):
        given = [*map(dimension_text, value.positional)]
        given += [f"{name} = {dimension_text(v)}" for name, v in value.keywords.items()]
        return value.definition.cell.name + (f"[{', '.join(given)}]" if given else "")
    return str(getattr(value, "name", value))
