"""The tables of what a cell declares and defines; see `unroll` for what fills them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from recurrency.errors import Span
from recurrency.language import syntax
from recurrency.language.diagnostics import DEFINED_TWICE, INPUT_REDEFINED
from recurrency.language.elaboration.signals import Poisoned, Problem, TooMuch
from recurrency.language.elaboration.walk import Elaboration

Key: TypeAlias = tuple[str, tuple[int, ...]]
Env: TypeAlias = Mapping[str, Any]
Table: TypeAlias = "dict[Key, Written]"


def label(key: Key) -> str:
    """A name with its indices, as a user writes it."""
    name, indices = key
    return f"{name}[{','.join(map(str, indices))}]" if indices else name


@dataclass(frozen=True, eq=False)
class Written:
    """A declaration or equation for one key, with the indices of the loops around it."""

    statement: Any
    env: Env
    span: Span


class Definitions:
    """The definitions of one use of a cell, by name and indices."""

    def __init__(self, work: Elaboration, cell: syntax.Cell) -> None:
        self.work, self.cell = work, cell
        self.statics: Table = {}
        """Parameters and constants."""
        self.states: Table = {}
        self.equations: Table = {}
        self.losses: list[tuple[syntax.Loss, Env]] = []
        self.functions: dict[str, syntax.Fn] = {}
        self.spoilt: set[str] = set()
        """Names in whose definition a mistake was found; what needs them is not reported."""
        self._forms: dict[str, tuple[bool, Span]] = {}

    def attempt(self, names: list[str], action: Callable[..., None], *arguments: Any) -> None:
        """Carry out an action that defines these names; a mistake is reported, and they are spoilt."""
        try:
            action(*arguments)
        except TooMuch:
            raise
        except Problem as problem:
            self.work.report(problem.diagnostic)
            self.spoilt.update(names)
        except Poisoned:
            self.work.spoilt = True
            self.spoilt.update(names)

    # ------------------------------------------------------------------------------------------ one name, one meaning

    def claim(self, key: Key, span: Span, tables: tuple[Table, ...]) -> None:
        """Refuse a key that one of the tables has, or whose name has another meaning.

        Raises:
            Problem: it is refused.
        """
        name = key[0]
        for port in self.cell.inputs:
            if port.name == name:
                note = f"{name} is an input at line {port.span.line}"
                title = f"{name} is an input and can't be defined again"
                raise self.work.problem(INPUT_REDEFINED, title, span, notes=(note,))
        for dimension in self.cell.dimensions:
            if dimension.name == name:
                note = f"{name} is a dimension in the header at line {dimension.span.line}"
                title = f"{name} is already the name of a dimension"
                raise self.work.problem(DEFINED_TWICE, title, span, notes=(note,))
        known = next((table[key] for table in tables if key in table), None)
        if known is not None:
            raise self.twice(label(key), span, known.span)
        member, first = self._forms.setdefault(name, (bool(key[1]), span))
        if member != bool(key[1]):
            zeroth = key[1] == (0,) or (not key[1] and (name, (0,)) in self.equations)
            help = (
                f"the initial value of a state is set in its declaration: state {name} : [...] = 0" if zeroth else None
            )
            raise self.twice(f"{name} is both a family and a single name", span, first, "", help)

    def twice(
        self, name: str, span: Span, first: Span, ending: str = " is defined twice", help: str | None = None
    ) -> Problem:
        note = f"the first definition is at line {first.line}"
        title = f"{name}{ending}"
        return self.work.problem(DEFINED_TWICE, title, span, label="the second definition", notes=(note,), help=help)

    # ------------------------------------------------------------------------------------------------------- questions

    def defines(self, name: str) -> bool:
        """Whether a parameter, a stream or a function has the name."""
        return name in self._forms

    def is_family(self, name: str) -> bool:
        """Whether a name has members."""
        return self._forms.get(name, (False, None))[0]

    def members(self, name: str) -> list[str]:
        """The members of a family, as a user writes them (slow: for messages)."""
        keys = {**self.states, **self.statics, **self.equations}
        return [label(k) for k in sorted(k for k in keys if k[0] == name and k[1])]

    def names(self) -> list[str]:
        """All names, for suggestions."""
        return [*dict.fromkeys(k[0] for k in (*self.equations, *self.statics, *self.states)), *self.functions]

    def declaration(self, key: Key) -> str | None:
        """Where the shape of a name is declared."""
        if key in self.states:
            return f"{label(key)} is declared at line {self.states[key].span.line}"
        line = next((p.span.line for p in self.cell.outputs if p.name == key[0]), None)
        return f"{label(key)} is an output at line {line}" if line else None

    def note(self, name: str) -> str | None:
        """Where a name comes from, such as `U_i is declared at line 5`."""
        for port in self.cell.inputs:
            if port.name == name:
                return f"{name} is an input at line {port.span.line}"
        for table, role in ((self.states, "declared"), (self.statics, "declared"), (self.equations, "defined")):
            for key, written in table.items():
                if key[0] == name:
                    return f"{name} is {role} at line {written.span.line}"
        outputs = [p.span.line for p in self.cell.outputs if p.name == name]
        return f"{name} is an output at line {outputs[0]}" if outputs else None
