"""What a cell declares and defines, written out: loops unrolled, families one by one, nothing computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from recurrency.errors import Span
from recurrency.language import syntax
from recurrency.language.diagnostics import DEFINED_TWICE, INPUT_REDEFINED, MALFORMED_STEP
from recurrency.language.elaboration.streams import Poisoned, Problem, TooMuch
from recurrency.language.syntax import mentions_time

if TYPE_CHECKING:
    from recurrency.language.elaboration.instance import Instance

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

    def __init__(self, instance: Instance) -> None:
        self.instance, self.work, self.cell = instance, instance.work, instance.cell
        self.statics: Table = {}
        """Parameters and constants."""
        self.states: Table = {}
        self.equations: Table = {}
        self.losses: list[tuple[syntax.Loss, Env]] = []
        self.functions: dict[str, syntax.Fn] = {}
        self.spoilt: set[str] = set()
        """Names in whose definition there is a mistake: whatever needs them is no mistake of its own."""
        self._forms: dict[str, tuple[bool, Span]] = {}

    def collect(self) -> None:
        """Write out the body of the cell."""
        self._body(self.cell.body, {})

    def attempt(self, names: list[str], action: Any) -> None:
        """Carry out an action; where there is a mistake in it, it is kept, and these names are spoilt."""
        try:
            action()
        except TooMuch:
            raise
        except Problem as problem:
            self.work.report(problem.diagnostic)
            self.spoilt.update(names)
        except Poisoned:
            self.spoilt.update(names)

    def _body(self, body: tuple[syntax.Statement, ...], env: Env) -> None:
        for statement in body:
            handler = getattr(self, f"_{type(statement).__name__.lower()}")
            self.attempt(_names(statement), lambda h=handler, s=statement: h(s, env))

    def _for(self, loop: syntax.For, env: Env) -> None:
        first, last = self.instance.evaluator(env).bounds(loop.range)
        for i in range(first, last + 1):
            self.work.count_definition(loop.range.span)
            self._body(loop.body, {**env, loop.index: i})

    def _keys(self, targets: tuple[syntax.Target, ...], env: Env) -> Iterator[tuple[Key, Span]]:
        evaluator = self.instance.evaluator(env)
        for target in targets:
            self._refuse_step(target)
            choices: list[range] = []
            for index in target.indices:
                ends = evaluator.bounds(index) if isinstance(index, syntax.Range) else (evaluator.integer(index),) * 2
                choices.append(range(ends[0], ends[1] + 1))
            for indices in itertools.product(*(_counted(self, c, target.span) for c in choices)):
                self.work.count_definition(target.span)
                yield (target.name, indices), target.span

    def _refuse_step(self, target: syntax.Target) -> None:
        """`h[t] = ...`: what a name is at each step is what its equation says."""
        steps = [i for i in target.indices if mentions_time(i)]
        if not steps:
            return
        rest = [i.span.text for i in target.indices if i not in steps]
        name = f"{target.name}[{', '.join(rest)}]" if rest else target.name
        help = f"write {name} = ..."
        if not isinstance(steps[0], syntax.Name):
            help += f", and {name}[t-1] where it reads {name}"
        title = f"{target.span.text} cannot be defined: an equation holds at every step, and its left side has none"
        raise self.work.problem(MALFORMED_STEP, title, target.span, help=help)

    # ------------------------------------------------------------------------------------------ one name, one meaning

    def _claim(self, key: Key, span: Span, tables: tuple[Table, ...]) -> None:
        """Refuse a key that one of the tables has, or whose name means something else."""
        name = key[0]
        for port in self.cell.inputs:
            if port.name == name:
                note = f"{name} is an input at line {port.span.line}"
                raise self.work.problem(
                    INPUT_REDEFINED, f"{name} is an input and can't be defined again", span, notes=(note,)
                )
        for dimension in self.cell.dimensions:
            if dimension.name == name:
                note = f"the dimension {name} stands in the header at line {dimension.span.line}"
                raise self.work.problem(
                    DEFINED_TWICE, f"{name} is already the name of a dimension", span, notes=(note,)
                )
        known = next((table[key] for table in tables if key in table), None)
        if known is not None:
            raise self._twice(label(key), span, known.span)
        member, first = self._forms.setdefault(name, (bool(key[1]), span))
        if member != bool(key[1]):
            zeroth = key[1] == (0,) or (not key[1] and (name, (0,)) in self.equations)
            help = f"the first value of a state stands in its declaration: state {name} : [...] = 0" if zeroth else None
            raise self._twice(f"{name} is both a family and a single name", span, first, "", help)

    def _twice(
        self, name: str, span: Span, first: Span, ending: str = " is defined twice", help: str | None = None
    ) -> Problem:
        note = f"the first definition is at line {first.line}"
        return self.work.problem(
            DEFINED_TWICE, f"{name}{ending}", span, label="the second definition", notes=(note,), help=help
        )

    def _param(self, statement: syntax.Param | syntax.Const, env: Env) -> None:
        for key, span in self._keys(statement.targets, env):
            self._claim(key, span, (self.statics, self.states, self.equations))
            self.statics[key] = Written(statement, env, span)

    _const = _param

    def _state(self, statement: syntax.State, env: Env) -> None:
        for key, span in self._keys(statement.targets, env):
            self._claim(key, span, (self.statics, self.states))
            self.states[key] = Written(statement, env, span)

    def _equation(self, statement: syntax.Equation, env: Env) -> None:
        for key, span in self._keys((statement.target,), env):
            self._claim(key, span, (self.statics, self.equations))
            self.equations[key] = Written(statement, env, span)

    def _fn(self, statement: syntax.Fn, env: Env) -> None:
        if env:
            help = "move it out of the loop, and hand the index over"
            raise self.work.problem(
                DEFINED_TWICE, f"fn {statement.name} is defined once for each turn of a loop", statement.span, help=help
            )
        self._claim((statement.name, ()), statement.span, (self.statics, self.states, self.equations))
        if statement.name in self.functions:
            raise self._twice(statement.name, statement.span, self.functions[statement.name].span)
        self.functions[statement.name] = statement

    def _loss(self, statement: syntax.Loss, env: Env) -> None:
        self.losses.append((statement, env))

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


def _counted(definitions: Definitions, indices: range, span: Span) -> range:
    """A range of indices that is not too long to be written out."""
    if len(indices) > 0:
        definitions.work.count_range(len(indices), span)
    return indices


def _names(statement: syntax.Statement) -> list[str]:
    """The names that a statement defines."""
    if isinstance(statement, syntax.For):
        return [n for inner in statement.body for n in _names(inner)]
    if isinstance(statement, syntax.Equation):
        return [statement.target.name]
    if isinstance(statement, syntax.Fn):
        return [statement.name]
    return [] if isinstance(statement, syntax.Loss) else [t.name for t in statement.targets]
