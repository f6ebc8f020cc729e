"""One use of a cell: its dimensions, its streams and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from recurrency.errors import Span, nearest_help
from recurrency.graph.dimensions import Dim
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    CLOCK_MISMATCH,
    DECLARATION_MISMATCH,
    INSTANT_CYCLE,
    NEVER_DEFINED,
    NOT_STATIC,
    WRONG_CLAUSE,
    WRONG_INITIAL_STATE,
    WRONG_LOSS,
    brief,
)
from recurrency.language.elaboration.binding import EXPRESSIONS
from recurrency.language.elaboration.constants import given, varies
from recurrency.language.elaboration.definitions import Env, Key, Written, label
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.handed import GIVEN
from recurrency.language.elaboration.initial_values import drawn, fitting
from recurrency.language.elaboration.meanings import CellValue, Shared
from recurrency.language.elaboration.pasts import refuse_unread
from recurrency.language.elaboration.scope import Scope
from recurrency.language.elaboration.signals import Poisoned
from recurrency.language.elaboration.streams import Stream
from recurrency.language.elaboration.unroll import unroll
from recurrency.language.vocabulary.table import shown


def own_clock(cell: syntax.Cell) -> str:
    """The clock of the states of a cell: the common clock of its inputs if there is one, else `t`."""
    clocks = {port.clock or "t" for port in cell.inputs}
    return clocks.pop() if len(clocks) == 1 else "t"


@dataclass(eq=False)
class Instance(Scope):
    """One use of a cell, which fills its scope: first with all definitions, then with their values, on demand."""

    _known: dict[Key, Value] = field(default_factory=dict, init=False)
    _computing: list[Key] = field(default_factory=list, init=False)
    _failed: set[Key] = field(default_factory=set, init=False)

    # ------------------------------------------------------------------------------------------------ dimensions

    def bind_dimensions(self, values: Mapping[str, Any]) -> None:
        """Set the entries of the square brackets; defaults, which are expressions, are evaluated here."""
        for name, value in values.items():
            written = isinstance(value, EXPRESSIONS)
            self.dimensions[name] = Evaluator(self, {}).entry(value) if written else value

    def port_type(self, port: syntax.Port) -> Type:
        """The shape of an input or output, as a static type."""
        evaluator = Evaluator(self, {})
        if isinstance(port.type, syntax.IndexType):
            return Type(Kind.STATIC, (), None, evaluator.dimension(port.type.size))
        return Type(Kind.STATIC, evaluator.shape(port.type))

    def add_input(self, port: syntax.Port, value: Value, clock: str) -> None:
        """Set the value of an input."""
        stream = Stream(self.work, self.prefix + port.name, clock, lambda: value, port.span)
        stream.value, stream.type = value, value.type
        self.streams[port.name, ()] = stream

    # --------------------------------------------------------------------------------------------------- streams

    def collect(self) -> None:
        """Unroll all definitions and create their streams; nothing is computed yet."""
        defined = self.defined
        unroll(self)
        outputs: dict[Key, syntax.Port] = {(p.name, ()): p for p in self.cell.outputs}
        for key, written in defined.equations.items():
            shared = self._shared(key, written)
            if shared is None:
                defined.attempt([key[0]], self._stream, key, written, outputs.get(key))
        for key, written in defined.states.items():
            if key not in defined.equations:
                self._undefined(key, written.span, "state")
        for key, port in outputs.items():
            if not any(key in table for table in (defined.equations, defined.states, self.streams)):
                self._undefined(key, port.span, "output")
        for name, (keyword, _) in self.first.items():
            if (name, ()) not in defined.states and name not in defined.spoilt:
                help = nearest_help(name, [k[0] for k in defined.states if not k[1]])
                title, outer = f"{self.cell.name} has no state {name}", self.parent or self
                if defined.is_family(name):
                    title = f"{name} is a family in {self.cell.name}, and `from` gives values to single states"
                self.work.report(outer.problem(WRONG_INITIAL_STATE, title, keyword.span, help=help).diagnostic)

    def _undefined(self, key: Key, span: Span, role: str) -> None:
        if key[0] not in self.defined.spoilt:
            name = label(key)
            help = f"add an equation: {name} = ..."
            near = next(
                (n for n in (f"{name}_t", f"{name}_new", f"{name}_next", f"{name}t") if n in self._equated()), None
            )
            if near:
                help = f"did you mean {name} = ... where {near} is defined? A name alone is its value at this step"
            self.work.report(
                self.problem(NEVER_DEFINED, f"the {role} {name} has no equation", span, help=help).diagnostic
            )
            self.defined.spoilt.add(key[0])

    def _equated(self) -> set[str]:
        return {name for name, _ in self.defined.equations}

    def _shared(self, key: Key, written: Written) -> Shared | None:
        """An equation such as `shared = LSTM[H]` names an instance."""
        value, evaluator = written.statement.value, Evaluator(self, written.env, label(key))
        base = value.value if isinstance(value, syntax.Subscript) else value
        if not isinstance(base, syntax.Name) or self.defined.defines(base.name):
            return None
        if isinstance(self.dimensions.get(base.name), CellValue) or base.name in self.definition.module.cells:
            cell = self.work.guarded(lambda: evaluator.meaning(value))
            if isinstance(cell, CellValue):
                self.shared[key] = Shared(cell, self.home + label(key))
                return self.shared[key]
            self.defined.spoilt.add(key[0])
        return None

    def _stream(self, key: Key, written: Written, port: syntax.Port | None) -> None:
        type_, first, clock = None, None, self.clock
        state = self.defined.states.get(key)
        if port is not None:
            clock = self._output_clock(port)
            type_ = replace(self.port_type(port), kind=Kind.STREAM, clock=clock)
        if state is not None:
            own = Type(Kind.STREAM, Evaluator(self, state.env).shape(state.statement.shape), clock)
            if port is not None and own != type_ and type_ is not None:
                title = f"the output {port.name} is {shown(type_)} in the header, but its state is {shown(own)}"
                raise self.problem(
                    DECLARATION_MISMATCH,
                    title,
                    state.statement.shape.span,
                    notes=(f"{port.name} is an output at line {port.span.line}",),
                )
            type_, first = own, self._first(key, state, own)
        name = self.prefix + label(key)
        span = written.statement.span
        self.streams[key] = Stream(
            self.work, name, clock, lambda: self._defined(key, written, type_), span, type_, first
        )

    def _output_clock(self, port: syntax.Port) -> str:
        if port.clock is None or port.clock == "t":
            return self.clock
        if port.clock not in self.clocks:
            help = f"the inputs run over {' and '.join(sorted(self.clocks)) or 't'}"
            title = f"the output {port.name} runs over {port.clock}, but no input does"
            raise self.problem(CLOCK_MISMATCH, title, port.span, help=help)
        return self.clocks[port.clock]

    def _defined(self, key: Key, written: Written, declared: Type | None) -> Value:
        statement = written.statement
        with self.work.at(statement.span):
            value = Evaluator(self, written.env, label(key)).equation(statement.value)
        if declared is not None:
            if Trait.LITERAL in self.work.graph[value.id].op.traits:
                value = value.to_shape(declared.shape)  # a number is used for all elements, as in an initial value
            self._agree(key, value.type, declared, statement.value.span)
        return value

    def _agree(self, key: Key, found: Type, declared: Type, span: Span) -> None:
        """Check that an equation gives the shape and the clock of its declaration."""
        notes = tuple([note for note in [self.defined.declaration(key)] if note])
        if (found.shape, found.index) != (declared.shape, declared.index):
            title = f"{label(key)} is declared {shown(declared)}, but its equation gives {shown(found)}"
            raise self.problem(DECLARATION_MISMATCH, title, span, label=f"this is {shown(found)}", notes=notes)
        if found.kind is Kind.STREAM and found.clock != declared.clock:
            title = f"{label(key)} runs over {declared.clock}, but its equation over {found.clock}"
            help = f"declare it in the header: -> ({key[0]}: {shown(declared)} over {found.clock})"
            if key in self.defined.states:
                help = f"put a recurrence over {found.clock} in its own cell"
            raise self.problem(CLOCK_MISMATCH, title, span, notes=notes, help=help)

    def _first(self, key: Key, state: Written, type_: Type) -> Callable[[], Value]:
        """A function that gives the value of a state before its first step."""

        def first() -> Value:
            if label(key) in self.first:
                return self.first[label(key)][1](type_)
            name, statement = f"{label(key)}[0]", state.statement
            if statement.initialiser is not None:
                return drawn(self, name, statement.initialiser, type_.shape, state.env)
            value = Evaluator(self, state.env, name).value(statement.first)
            return fitting(self, value, type_, statement.first.span, label(key))

        return first

    # ------------------------------------------------------------------------------------------------ parameters

    def static_value(self, key: Key) -> Value:
        """A parameter or a constant."""
        if key in self._known:
            return self._known[key]
        written = self.defined.statics[key]
        if key in self._failed:
            raise Poisoned
        if key in self._computing:
            self._failed.update(self._computing)
            names = " needs ".join(label(k) for k in [*self._computing[self._computing.index(key) :], key])
            raise self.problem(INSTANT_CYCLE, names, written.span, help="a constant cannot depend on itself")
        self._computing.append(key)
        try:
            with self.work.at(written.span):
                self._known[key] = self._static(key, written)
        finally:
            self._computing.pop()
        return self._known[key]

    def _static(self, key: Key, written: Written) -> Value:
        shape = Evaluator(self, written.env).shape(written.statement.shape)
        if isinstance(written.statement, syntax.Param):
            return drawn(self, label(key), written.statement.initialiser, shape, written.env)
        return self._constant(key, written, shape)

    def _constant(self, key: Key, written: Written, shape: tuple[Dim, ...]) -> Value:
        expression, name = written.statement.value, label(key)
        evaluator = Evaluator(self, written.env, name)
        if expression == syntax.Name(expression.span, GIVEN) and not evaluator.finds(GIVEN):
            return given(self, name, shape, written.span)
        evaluator.declared = shape
        value = evaluator.value(expression).to_shape(shape)
        if reason := varies(self.work.graph, value):
            follows = "is a stream" if value.type.kind is not Kind.STATIC else "follows its parameters"
            title = f"{name} is a constant, but its value {reason}"
            help = f"without `const`, {name} = ... {follows}"
            raise self.problem(NOT_STATIC, title, expression.span, help=help)
        if value.type.shape != shape:
            declared = shown(Type(Kind.STATIC, shape))
            title = f"{name} is declared {declared}, but its value is {shown(value.type)}"
            raise self.problem(
                DECLARATION_MISMATCH,
                title,
                expression.span,
                label=f"this is {shown(value.type)}",
                notes=self.notes(key[0]),
            )
        return value

    # ------------------------------------------------------------------------------------------------- completion

    def complete(self) -> None:
        """Compute everything here and in all cells that are used, so that every mistake is found."""
        guarded = self.work.guarded
        for key in list(self.defined.statics):
            guarded(self.static_value, key)
        for stream in list(self.streams.values()):
            guarded(stream.now)
        for key in self.defined.states:
            state = self.streams.get(key)
            if state is not None and state.value is not None and state not in self.pasts:
                guarded(state.first_row)
        for number, (loss, env) in enumerate(self.defined.losses, 1):
            guarded(self._lost, loss, env, f"loss[{number}]")
        done: set[str] = set()
        while self.parent is None and len(done) < len(self.inner):
            for name, instance in list(self.inner.items()):
                if name not in done:
                    done.add(name)
                    instance.complete()
        for instance in self.inner.values() if self.parent is None else ():
            refuse_unread(instance)

    def _lost(self, loss: syntax.Loss, env: Env, target: str) -> None:
        if self.masks:
            title = f"{self.cell.name} has a loss, and is used with `when`: which steps would count?"
            raise self.problem(WRONG_CLAUSE, title, loss.span, help="put the loss into the cell that uses it")
        with self.work.at(loss.span):
            value = Evaluator(self, env, target).value(loss.value)
            if value.type.shape or value.type.index is not None:
                help = "sum(...) or mean(...) reduces a vector to one number" if value.type.shape else None
                title = f"a loss is one number, but this is {shown(value.type)}"
                raise self.problem(WRONG_LOSS, title, loss.value.span, help=help)
            self.work.losses.add(value, None if loss.weight is None else self._weight(loss.weight, env, target, value))

    def _weight(self, expression: syntax.Expression, env: Env, target: str, value: Value) -> Value:
        """The weight of each step in a loss line, which follows from the inputs of this step."""
        weight, graph = Evaluator(self, env, target).value(expression), self.work.graph
        what = brief(expression.span.text)
        if weight.type.shape or weight.type.index is not None or weight.type.kind is not Kind.STREAM:
            found = shown(weight.type) if weight.type.kind is Kind.STREAM else "the same at each step"
            title = f"`where` needs one number for each step, but {what} is {found}"
            raise self.problem(WRONG_LOSS, title, expression.span)
        if value.type.kind is not Kind.STREAM or value.type.clock != weight.type.clock:
            title = f"`where` chooses among the steps of a loss, but this loss has no steps over {weight.type.clock}"
            raise self.problem(WRONG_LOSS, title, expression.span)
        elsewhere = {Trait.PARAMETER, Trait.FIRST, Trait.DELAYS, Trait.WHOLE, Trait.DRAWS}
        if any(graph[id].op.traits & elsewhere for id in graph.needed([weight.id])):
            title = f"{what} says which steps count, and has to follow from the inputs of its step alone"
            raise self.problem(WRONG_LOSS, title, expression.span)
        return weight

    def named(self) -> Iterator[tuple[str, Value]]:
        """All streams by dotted name, including those of sub-cells."""
        for instance in [self, *self.inner.values()]:
            for stream in instance.streams.values():
                if stream.value is not None:
                    yield stream.name, stream.value
