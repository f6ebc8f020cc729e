"""What a check finds out about the names of a cell, as text: shapes, clocks, what is inside of uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from recurrency.errors import Diagnostic
from recurrency.graph.types import Kind, Type
from recurrency.language.elaboration.definitions import label
from recurrency.language.elaboration.elaborate import Elaborated, Survey
from recurrency.language.elaboration.instance import Instance
from recurrency.language.elaboration.meanings import dimension_text
from recurrency.language.elaboration.scope import Scope
from recurrency.language.elaboration.signals import Poisoned, Problem, TooMuch
from recurrency.language.vocabulary.table import shown
from recurrency.passes.recurrence import Recurrence, recurrences


@dataclass(frozen=True)
class Facts:
    """What is known about the names of a cell.

    `types` has the value of each stream, parameter and constant, of a family under `W[1]` and, for its first member,
    under `W`. `inside` has those of the streams of each named use.
    """

    types: Mapping[str, Type] = field(default_factory=dict)
    inside: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)
    """The value of each entry of the header with which the cell was checked: itself, or a number."""
    written: int = 0
    whole: Elaborated | None = None

    @cached_property
    def loops(self) -> list[Recurrence]:
        """The recurrences of the cell; none while it has mistakes."""
        return recurrences(self.whole.graph) if self.whole else []

    def shape(self, name: str) -> str | None:
        """The shape of a name as it would be declared."""
        return shown(self.types[name]) if name in self.types else None

    def varies(self, name: str) -> str:
        """What a value varies over, in words."""
        kind = self.types[name].kind
        if kind is Kind.STATIC:
            return "the same at every step"
        return "one value per sequence" if kind is Kind.SEQUENCE else f"over {self.types[name].clock}"

    def loop_of(self, name: str) -> Recurrence | None:
        """The recurrence that reads earlier steps of a stream."""
        return next((r for r in self.loops if any(s.split("[")[0] == name for s in r.states)), None)


NOTHING = Facts()


def facts_of(found: Survey) -> Facts:
    """The facts that a survey of a cell has found."""
    top = found.top
    entries = {name: dimension_text(value) for name, value in top.dimensions.items()}
    inside = {name: _streams(used.scope) for name, used in top.uses.items()}
    return Facts(_types(top), inside, entries, top.work.definitions, found.whole)


def _types(top: Instance) -> dict[str, Type]:
    types = _streams(top)
    for key in top.defined.statics:
        try:
            value: Any = top.static_value(key)
        except (Poisoned, Problem, TooMuch):
            continue
        types[label(key)] = value.type
        types.setdefault(key[0], value.type)
    return types


def _streams(scope: Scope) -> dict[str, Type]:
    types: dict[str, Type] = {}
    for key, stream in scope.streams.items():
        type_ = stream.value.type if stream.value is not None else stream.type
        if type_ is not None and not stream.broken:
            types[label(key)] = type_
            types.setdefault(key[0], type_)
    return types


@dataclass(frozen=True)
class Checked:
    """The facts about a cell, and the mistakes in it and in what it uses."""

    facts: Facts
    mistakes: tuple[Diagnostic, ...] = ()
