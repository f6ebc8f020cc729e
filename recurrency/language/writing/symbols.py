"""How the names of a cell look in print: which ones have a time index, and which ones are scalars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from recurrency.language import syntax
from recurrency.language.linting.scalars import Scalars, flatten, scalars_of
from recurrency.language.syntax import mentions_time
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS
from recurrency.language.writing.naming import Naming, naming_of


@dataclass(frozen=True)
class Symbols:
    """The names of a cell in print: those without a time index, the scalars, all that it defines, and how they look."""

    bare: frozenset[str]
    scalars: Scalars
    known: frozenset[str]
    naming: Naming

    def inside(self, *names: str) -> Symbols:
        """The same, with indices of a loop or a comprehension."""
        return replace(self, bare=self.bare | set(names), scalars=self.scalars.inside(*names))


def symbols_of(
    cell: syntax.Cell, functions: Mapping[str, syntax.Fn] | None = None, cells: Mapping[str, syntax.Cell] | None = None
) -> Symbols:
    """The symbols of a cell; parameters, constants, dimensions, instances, and what they give have no time."""
    statements = flatten(cell.body)
    declared = [s for s in statements if isinstance(s, syntax.Param | syntax.State | syntax.Const)]
    fixed = {t.name for s in declared if not isinstance(s, syntax.State) for t in s.targets}
    dimensions = {d.name for d in cell.dimensions}
    equations = [s for s in statements if isinstance(s, syntax.Equation)]
    known = {s.target.name for s in equations} | {t.name for s in declared for t in s.targets}
    known |= {p.name for p in (*cell.inputs, *cell.outputs)}
    instances = {s.target.name for s in equations if is_instance(s.value, known)}
    indices = syntax.indices(cell.body)
    streams = {t.name for s in declared if isinstance(s, syntax.State) for t in s.targets} | {
        p.name for p in cell.outputs
    }
    values = [(s.target.name, names_in(s.value)) for s in equations if s.target.name not in streams]
    given = fixed | dimensions | instances | (set(NUMBERS) - known)
    bare = without_time(values, given, (indices | set(FUNCTIONS)) - known)
    return Symbols(frozenset(bare), scalars_of(cell, functions, cells), frozenset(known), naming_of(cell))


def names_in(expression: syntax.Expression) -> set[str]:
    """All names that an expression mentions, including those of functions."""
    return {e.name for e in syntax.walk(expression) if isinstance(e, syntax.Name)}


def without_time(values: Sequence[tuple[str, set[str]]], bare: set[str], harmless: set[str]) -> set[str]:
    """`bare`, and the names whose equations mention only these and harmless names."""
    moving = {name for name, mentioned in values if not mentioned <= bare | harmless}
    more = {name for name, _ in values} - moving - bare
    return without_time(values, bare | more, harmless) if more else bare


def is_instance(value: syntax.Expression, known: set[str]) -> bool:
    """Whether `value` is a cell with its dimensions, such as `LSTM[H]`, rather than a stream."""
    return (
        isinstance(value, syntax.Subscript)
        and isinstance(value.value, syntax.Name)
        and value.value.name not in known
        and not any(mentions_time(index) for index in value.indices)
    )
