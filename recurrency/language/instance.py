"""One use of a cell: its dimensions, its definitions written out, its streams and parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from recurrency.errors import Span
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.initialisers import INITIALISERS
from recurrency.language import syntax
from recurrency.language.modules import CellDef, nearest
from recurrency.language.streams import CellValue, NeedNumber, ParamInfo, Shared, Stream, Used
from recurrency.language.vocabulary import shown

if TYPE_CHECKING:
    from recurrency.language.elaborate import Elaboration
    from recurrency.language.evaluate import Evaluator

Key: TypeAlias = tuple[str, tuple[int, ...]]
Env: TypeAlias = Mapping[str, Any]


def label(key: Key) -> str:
    """A name with its indices, as a user writes it."""
    name, indices = key
    return f"{name}[{','.join(map(str, indices))}]" if indices else name


class Instance:
    """`prefix` stands before the names of streams, `home` before those of parameters (they differ for shared parameters)."""

    def __init__(
        self, work: Elaboration, definition: CellDef, prefix: str, home: str, clock: str, clocks: dict[str, str], parent: Instance | None = None
    ) -> None:
        self.work, self.definition, self.cell = work, definition, definition.cell
        self.prefix, self.home, self.clock, self.clocks, self.parent = prefix, home, clock, clocks, parent
        self.dimensions: dict[str, Any] = {}
        self.streams: dict[Key, Stream] = {}
        self.statics: dict[Key, Callable[[], Value]] = {}
        self.known: dict[Key, Value] = {}
        self.shared: dict[Key, Shared] = {}
        self.uses: dict[str, Used] = {}
        self.functions: dict[str, syntax.Fn] = {}
        self.roles: dict[str, tuple[Span, str]] = {}
        self.first: dict[str, Callable[[], Value]] = {}
        """First states that the caller hands over with `from`, by label."""
        self._params: list[tuple[Key, syntax.Param, Env]] = []
        self._states: dict[Key, tuple[syntax.State, Env]] = {}
        self._equations: dict[Key, tuple[syntax.Equation, Env]] = {}
        self._losses: list[tuple[syntax.Loss, Env]] = []
        self._spans: dict[Key, Span] = {}

    def evaluator(self, env: Env, target: str = "") -> Evaluator:
        """Evaluates expressions of this cell; `target` is the name of the definition they stand in."""
        from recurrency.language.evaluate import Evaluator

        return Evaluator(self, env, target)

    # ------------------------------------------------------------------------------------------------ dimensions

    def bind_dimensions(self, values: Mapping[str, Any]) -> None:
        """Give each entry of the square brackets its value; expressions (defaults) are evaluated here."""
        for name, value in values.items():
            if isinstance(value, (syntax.Number, syntax.Name, syntax.Subscript, syntax.Binary, syntax.Unary, syntax.Conditional)):
                value = self.evaluator({}).static(value)
            self.dimensions[name] = value

    def port_type(self, port: syntax.Port) -> Type:
        """Shape of an input or output, of no kind yet."""
        evaluator = self.evaluator({})
        if isinstance(port.type, syntax.IndexType):
            return Type(Kind.STATIC, (), None, evaluator.dimension(port.type.size))
        return Type(Kind.STATIC, evaluator.shape(port.type))

    def add_input(self, port: syntax.Port, value: Value, clock: str) -> None:
        """What flows in under the name of an input."""
        stream = Stream(self.work, self.prefix + port.name, clock, lambda: value, port.span)
        stream.value, stream.type = value, value.type
        self.streams[port.name, ()] = stream
        self._spans[port.name, ()] = port.span
        self.roles[port.name] = (port.span, "is an input")

    # ----------------------------------------------------------------------------------------------- definitions

    def collect(self) -> None:
        """Write out all declarations and equations, loops unrolled, and make their streams (nothing is computed)."""
        self._body(self.cell.body, {})
        declared = {key: (state, env) for key, (state, env) in self._states.items()}
        outputs = {(p.name, ()): p for p in self.cell.outputs}
        for key, (equation, env) in self._equations.items():
            if not self._is_shared(key, equation, env):
                self.work.guarded(lambda k=key, e=equation, v=env: self._stream(k, e, v, declared.get(k), outputs.get(k)))
        for key, (state, _) in self._states.items():
            if key not in self._equations:
                self._undefined(key, state.span, "state")
        for key, port in outputs.items():
            if key not in self._equations and key not in self.streams and key not in self._states:
                self._undefined(key, port.span, "output")

    def _undefined(self, key: Key, span: Span, role: str) -> None:
        name = label(key)
        help = f"add an equation: {name} = ..."
        self.work.report(self.work.problem(26, f"the {role} {name} is never defined", span, help=help).diagnostic)

    def _body(self, body: tuple[syntax.Statement, ...], env: Env) -> None:
        for statement in body:
            handler = getattr(self, f"_{type(statement).__name__.lower()}")
            self.work.guarded(lambda h=handler, s=statement: h(s, env))

    def _for(self, loop: syntax.For, env: Env) -> None:
        first, last = self.evaluator(env).bounds(loop.range)
        for i in range(first, last + 1):
            self.work.count_definition(loop.span)
            self._body(loop.body, {**env, loop.index: i})

    def _keys(self, targets: tuple[syntax.Target, ...], env: Env) -> Iterator[tuple[Key, syntax.Target]]:
        for target in targets:
            evaluator = self.evaluator(env)
            choices = [
                range(b[0], b[1] + 1) if isinstance(i, syntax.Range) and (b := evaluator.bounds(i)) else [evaluator.integer(i)]  # type: ignore[arg-type]
                for i in target.indices
            ]
            for indices in itertools.product(*choices):
                self.work.count_definition(target.span)
                yield (target.name, tuple(indices)), target

    def _claim(self, key: Key, span: Span, role: str, table: Mapping[Key, Any]) -> bool:
        """Whether a key may be defined; a second definition is reported."""
        earlier = self._spans.get(key)
        port = next((p for p in self.cell.inputs if p.name == key[0]), None)
        if port is not None:
            self.work.report(self.work.problem(49, f"{key[0]} is an input and can't be defined again", span, notes=(f"{key[0]} is an input at line {port.span.line}",)).diagnostic)
            return False
        if earlier is not None and key in table:
            note = f"the first definition is at line {earlier.line}"
            self.work.report(self.work.problem(25, f"{label(key)} is defined twice", span, notes=(note,)).diagnostic)
            return False
        self._spans.setdefault(key, span)
        self.roles.setdefault(key[0], (span, role))
        return True

    def _param(self, statement: syntax.Param, env: Env) -> None:
        for key, target in self._keys(statement.targets, env):
            if self._claim(key, target.span, "is declared", {**self.statics, **self._equations, **self._states}):
                self.statics[key] = lambda k=key: self._parameter(k, statement, env)  # type: ignore[misc]

    def _const(self, statement: syntax.Const, env: Env) -> None:
        for key, target in self._keys(statement.targets, env):
            if self._claim(key, target.span, "is declared", {**self.statics, **self._equations, **self._states}):
                self.statics[key] = lambda k=key: self._constant(k, statement, env)  # type: ignore[misc]

    def _state(self, statement: syntax.State, env: Env) -> None:
        for key, target in self._keys(statement.targets, env):
            if self._claim(key, target.span, "is declared", {**self.statics, **self._states}):
                self._states[key] = (statement, env)
                self._spans.pop(key)

    def _fn(self, statement: syntax.Fn, env: Env) -> None:
        if statement.name in self.functions:
            raise self.work.problem(25, f"{statement.name} is defined twice", statement.span)
        self.functions[statement.name] = statement

    def _equation(self, statement: syntax.Equation, env: Env) -> None:
        for key, target in self._keys((statement.target,), env):
            if self._claim(key, target.span, "is defined", {**self._equations, **self.statics}):
                self._equations[key] = (statement, env)

    def _loss(self, statement: syntax.Loss, env: Env) -> None:
        self._losses.append((statement, env))

    # --------------------------------------------------------------------------------------------------- streams

    def _is_shared(self, key: Key, equation: syntax.Equation, env: Env) -> bool:
        """An equation such as `shared = LSTM[H]` names an instance."""
        base = equation.value.value if isinstance(equation.value, syntax.Subscript) else equation.value
        if not isinstance(base, syntax.Name) or any(k[0] == base.name for k in self._spans):
            return False
        evaluator = self.evaluator(env, label(key))
        if isinstance(self.dimensions.get(base.name), CellValue) or base.name in self.definition.module.cells:
            cell = self.work.guarded(lambda: evaluator.meaning(equation.value))
            if isinstance(cell, CellValue):
                self.shared[key] = Shared(cell, self.home + label(key))
            return True
        return False

    def _stream(
        self, key: Key, equation: syntax.Equation, env: Env, state: tuple[syntax.State, Env] | None, port: syntax.Port | None
    ) -> None:
        type_, first = None, None
        if state is not None:
            type_ = Type(Kind.STREAM, self.evaluator(state[1]).shape(state[0].shape), self.clock)
            first = self._first(key, *state, type_)
        if port is not None:
            stated = replace(self.port_type(port), kind=Kind.STREAM, clock=self.clock)
            if type_ is not None and stated != type_:
                title = f"the output {port.name} is {shown(stated)} in the header, and its state {shown(type_)}"
                raise self.work.problem(23, title, port.span)
            type_ = stated
        self.streams[key] = Stream(
            self.work, self.prefix + label(key), self.clock, lambda: self._defined(key, equation, env, type_), equation.span, type_, first
        )

    def _defined(self, key: Key, equation: syntax.Equation, env: Env, declared: Type | None) -> Value:
        graph, before = self.work.graph, self.work.graph.span
        graph.span = equation.span
        try:
            value = self.evaluator(env, label(key)).equation(equation.value)
        finally:
            graph.span = before
        if declared is not None and (value.type.shape, value.type.index) != (declared.shape, declared.index):
            title = f"{label(key)} is declared {shown(declared)}, but its equation gives {shown(value.type)}"
            raise self.work.problem(23, title, equation.value.span, notes=self.notes(key[0]))
        return value

    def notes(self, name: str) -> tuple[str, ...]:
        """Where a name comes from."""
        span, role = self.roles.get(name, (None, ""))
        for key, (state, _) in self._states.items():
            if key[0] == name:
                span, role = state.span, "is declared"
        return (f"{name} {role} at line {span.line}",) if span is not None else ()

    def _first(self, key: Key, state: syntax.State, env: Env, type_: Type) -> Callable[[], Value]:
        """The value of a state before its first step."""

        def declared() -> Value:
            if state.initialiser is not None:
                value = self._drawn(f"{label(key)}[0]", state.initialiser, type_.shape, env)
                return value
            assert state.first is not None
            return self._fitting(self.evaluator(env, label(key)).value(state.first), type_, state.first.span, label(key))

        def first() -> Value:
            handed = self.first.get(label(key))
            return handed() if handed is not None else declared()

        return first

    def _fitting(self, value: Value, type_: Type, span: Span, name: str) -> Value:
        """A first value: not a stream, and of the shape of its state (a number stands for all elements)."""
        if value.type.kind is Kind.STREAM:
            raise self.work.problem(43, f"the first value of {name} is a stream", span, help="take one of its steps: last(...) or first(...)")
        value = value.to_shape(type_.shape)
        if value.type.shape != type_.shape:
            raise self.work.problem(43, f"{name} is {shown(type_)}, its first value {shown(value.type)}", span, notes=self.notes(name.split("[")[0]))
        return value

    # ------------------------------------------------------------------------------------------------ parameters

    def _parameter(self, key: Key, statement: syntax.Param, env: Env) -> Value:
        return self._drawn(label(key), statement.initialiser, self.evaluator(env).shape(statement.shape), env)

    def _constant(self, key: Key, statement: syntax.Const, env: Env) -> Value:
        shape = self.evaluator(env).shape(statement.shape)
        value = self.evaluator(env, label(key)).value(statement.value).to_shape(shape)
        if value.type.kind is not Kind.STATIC:
            raise self.work.problem(32, f"{label(key)} is a constant, but its value varies", statement.value.span)
        if value.type.shape != shape:
            title = f"{label(key)} is declared [{', '.join(map(str, shape))}], but its value is {shown(value.type)}"
            raise self.work.problem(23, title, statement.value.span)
        return value

    def _drawn(self, name: str, initialiser: syntax.Initialiser, shape: tuple[Dim, ...], env: Env) -> Value:
        full = self.home + name
        if full not in self.work.parameters:
            self.work.parameters[full] = ParamInfo(full, shape, self._initialiser(initialiser, shape, env), initialiser.span)
        info = self.work.parameters[full]
        if info.shape != shape:
            raise self.work.problem(42, f"{full} is shared, but is {shown(Type(Kind.STATIC, info.shape))} in one use and {shown(Type(Kind.STATIC, shape))} in another", initialiser.span)
        return self.work.parameter(full, shape, info.initialiser, initialiser.span)

    def _initialiser(self, initialiser: syntax.Initialiser, shape: tuple[Dim, ...], env: Env) -> tuple[str, tuple[float, ...]]:
        from recurrency.errors import UsageError

        row = INITIALISERS.get(initialiser.name)
        if row is None:
            near = nearest(initialiser.name, INITIALISERS)
            raise self.work.problem(
                34, f"there is no initialiser {initialiser.name}", initialiser.span, help=f"did you mean {near}?" if near else f"one of {', '.join(INITIALISERS)}"
            )  # fmt: skip
        evaluator = self.evaluator(env)
        positional = [evaluator.number(a) for a in initialiser.arguments]
        try:
            arguments = row.bind(positional, {k.name: evaluator.number(k.value) for k in initialiser.keywords})
        except UsageError as error:
            raise self.work.problem(34, str(error), initialiser.span) from None
        mistake = row.check(tuple(shape), arguments) if not any(isinstance(d, Poly) for d in shape) or initialiser.name != "sparse" else None
        if mistake:
            raise self.work.problem(35, mistake, initialiser.span)
        return initialiser.name, arguments

    def static_value(self, key: Key) -> Value:
        """A parameter or a constant."""
        if key not in self.known:
            before, self.work.graph.span = self.work.graph.span, self._spans.get(key)
            try:
                self.known[key] = self.statics[key]()
            finally:
                self.work.graph.span = before
        return self.known[key]

    # ------------------------------------------------------------------------------------------------- completion

    def stream(self, name: str, indices: tuple[int, ...] = ()) -> Stream:
        """The stream of a name (which must exist)."""
        return self.streams[name, indices]

    def complete(self) -> None:
        """Compute everything, so that every mistake is found, and the same for all cells that are used."""
        for key in list(self.statics):
            self.work.guarded(lambda k=key: self.static_value(k))
        for stream in list(self.streams.values()):
            self.work.guarded(stream.now)
        for key in self._states:
            if key in self.streams and self.streams[key].value is not None:
                self.work.guarded(lambda s=self.streams[key]: s.slot(0))
        for name in self.first:
            if name not in {label(k) for k in self._states}:
                near = nearest(name, [label(k) for k in self._states])
                self.work.report(self.work.problem(43, f"{self.cell.name} has no state {name}", self._from_span, help=f"did you mean {near}?" if near else None).diagnostic)
        for number, (loss, env) in enumerate(self._losses):
            self.work.guarded(lambda n=number, s=loss, e=env: self._lost(s, e))
        done: set[str] = set()
        if self.parent is None:
            while len(done) < len(self.work.instances):
                for name, instance in list(self.work.instances.items()):
                    if name not in done:
                        done.add(name)
                        instance.complete()

    _from_span: Span | None = None

    def _lost(self, loss: syntax.Loss, env: Env) -> None:
        from recurrency.language.elaborate import mean_loss

        self.work.graph.span = loss.span
        value = self.evaluator(env, "loss").value(loss.value)
        if value.type.shape or value.type.index is not None:
            raise self.work.problem(44, f"a loss is a number, but this is {shown(value.type)}", loss.value.span, help="sum(...) or mean(...) makes one number of a vector")
        self.work.losses.append(mean_loss(self.work, value))
        self.work.graph.span = None

    def named(self) -> Iterator[tuple[str, Value]]:
        """All streams by dotted name, those of sub-cells included."""
        for instance in [self, *self.work.instances.values()]:
            for stream in instance.streams.values():
                if stream.value is not None:
                    yield stream.name, stream.value


__all__ = ["Instance", "Key", "NeedNumber", "Used", "label"]
