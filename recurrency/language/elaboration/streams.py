"""What names stand for while a spec is elaborated: streams that are computed on demand, and compile-time values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from recurrency.errors import Diagnostic, Span
from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.elaboration.modules import CellDef

if TYPE_CHECKING:
    from recurrency.language.elaboration.instance import Instance
    from recurrency.language.elaboration.walk import Elaboration


class Problem(Exception):  # noqa: N818 - it carries a mistake of the user's to where it is kept
    """A mistake was found; the definition that is being elaborated ends here."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.title)

    def noted(self, note: str) -> Problem:
        """The same mistake, with a note added."""
        return Problem(replace(self.diagnostic, notes=(*self.diagnostic.notes, note)))


class TooMuch(Problem):
    """The spec expands without bound: the walk ends here."""


class Poisoned(Exception):  # noqa: N818 - it is no error of its own, and is never reported
    """A definition needs another one in which a mistake was already found."""


class Busy(Exception):  # noqa: N818 - the stream that catches it decides what it means
    """A stream is needed while it is being computed; `span` is the place that needs it."""

    def __init__(self, stream: Stream, path: tuple[Stream, ...]) -> None:
        self.stream, self.path = stream, path
        self.span: Span | None = None
        self.through = ""
        """The whole-stream function that needs it, if there is one."""


class Postponed(Exception):  # noqa: N818 - a request
    """A stream is needed so deep inside others that it is computed first, and they afterwards once more."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


class NeedNumber(Exception):  # noqa: N818 - a request
    """A dimension is needed as a number; the check starts again with one."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names


@dataclass(frozen=True, eq=False)
class FnValue:
    """A function of the user's, and where its other names are looked up."""

    fn: syntax.Fn
    home: Instance | None


@dataclass(frozen=True, eq=False)
class CellValue:
    """A cell with some of its dimensions."""

    definition: CellDef
    positional: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)


def dimension_text(value: Any) -> str:
    """What stands for a dimension as a user writes it: a number, or a function or cell by its name."""
    if isinstance(value, CellValue):
        given = [*map(dimension_text, value.positional)]
        given += [f"{name} = {dimension_text(v)}" for name, v in value.keywords.items()]
        return value.definition.cell.name + (f"[{', '.join(given)}]" if given else "")
    return str(getattr(value.fn if isinstance(value, FnValue) else value, "name", value))


@dataclass(eq=False)
class Shared:
    """An instance whose calls have the same parameters."""

    cell: CellValue
    name: str
    dimensions: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Used:
    """A cell after it was called: all its streams."""

    instance: Instance
    name: str

    def output(self) -> Stream:
        """The stream that the use alone means."""
        return self.instance.stream(self.instance.cell.outputs[0].name)


@dataclass
class ParamInfo:
    """A parameter: shape, and how its first value is drawn."""

    name: str
    shape: tuple[Dim, ...]
    initialiser: tuple[str, tuple[float, ...]]
    span: Span


class Stream:
    """A name of the user's and what defines it; computed when it is first needed.

    `name` is dotted. `type` is known beforehand where a declaration says it (`declared`). `first` gives the value
    before the first step of a state; other streams are zero there.
    """

    def __init__(
        self,
        owner: Elaboration,
        name: str,
        clock: str,
        define: Callable[[], Value],
        span: Span,
        type_: Type | None = None,
        first: Callable[[], Value] | None = None,
    ) -> None:
        self.owner, self.name, self.clock, self.define, self.span = owner, name, clock, define, span
        self.type, self.first = type_, first
        self.declared = type_ is not None
        self.assumed = False
        """Whether `type` is an assumption of this round, because nothing declares it and its own equation needs it."""
        self.value: Value | None = None
        self.busy = self.broken = False
        self.probed = False
        """Whether it is computed only because a delayed use needs its type."""
        self.broken_first = False
        """Whether a mistake was found in its first value."""
        self.declared_first: Value | None = None
        self.start: Value | None = None
        """The value before the first step, which a caller may pass."""
        self.line: Value | None = None
        """The values before the first step as rows, the oldest first, where more than one of them is read."""
        self.older: tuple[str, Value] | None = None
        """All of them but the last, which a caller may pass under this name."""
        self.far: list[tuple[int, int]] = []
        """The delayed uses (their nodes) that read more than one step back, and how far."""
        self.shifts: dict[int, Value] = {}
        self.pending: list[int] = []

    # ------------------------------------------------------------------------------------------------ this step

    def now(self) -> Value:
        """The value at this step.

        Raises:
            Poisoned: a mistake was found in it. Busy: it is being computed. Postponed: it must be computed earlier.
        """
        if self.value is not None:
            return self.value
        if self.broken:
            raise Poisoned
        if self.busy:
            raise Busy(self, self.owner.path_from(self))
        if self.owner.too_deep:
            raise Postponed(self)
        if not self.owner.path:
            return self._from_the_ground()
        return self._compute()

    def _from_the_ground(self) -> Value:
        """Compute this stream, and before it those that turn out to be needed too deep inside it.

        What was begun when that turned out stays busy and on the path, so that a cycle is noticed however long it is.
        """
        path, waiting = self.owner.path, [(self, 0)]
        try:
            while waiting:
                stream, start = waiting[-1]
                _begin_again(path, start)
                try:
                    if stream.value is None and not stream.broken:
                        stream._compute()
                    waiting.pop()
                except Postponed as later:
                    waiting.append((later.stream, len(path)))
                except Poisoned:
                    waiting.pop()
                except Busy as busy:
                    self._found_waiting(busy, waiting)
        finally:
            _begin_again(path, 0)
        if self.value is None:
            raise Poisoned
        return self.value

    def _found_waiting(self, busy: Busy, waiting: list[tuple[Stream, int]]) -> None:
        """A stream that waits is needed: a cycle, unless a delay lies between, whose stream then gets an assumption."""
        path = self.owner.path
        at = path.index(busy.stream)
        delayed = [i for i in range(at + 1, len(path)) if path[i].probed]
        if delayed:
            at = delayed[-1]
            path[at]._suppose()
        else:
            busy.stream._give_up(self.owner.cycle(busy))
        while len(waiting) > 1 and waiting[-1][1] >= at:
            waiting.pop()

    def _give_up(self, diagnostic: Diagnostic) -> None:
        with suppress(Poisoned):
            self._settle(self._mend(diagnostic))

    def _compute(self) -> Value:
        self.busy = True
        self.owner.path.append(self)
        try:
            value = self._defined()
        except Postponed:
            raise  # still busy, and on the path
        except BaseException:
            self._leave()
            raise
        self._leave()
        return self._settle(value)

    def _leave(self) -> None:
        self.busy = False
        self.owner.path.pop()

    def _defined(self) -> Value:
        try:
            value = self.define()
        except TooMuch:
            raise
        except Problem as problem:
            return self._mend(problem.diagnostic)
        except Busy as busy:
            if busy.stream is not self:
                raise
            return self._mend(self.owner.cycle(busy))
        except Poisoned:
            return self._opaque()
        if self.assumed and self.type is not None and value.type.shape != self.type.shape:
            self.owner.revise(self, value.type.shape)  # the walk is done again; till its end, others need this shape
        return value

    def _mend(self, diagnostic: Diagnostic) -> Value:
        """Report a mistake, and stand in for the value where the shape is declared."""
        self.owner.report(diagnostic)
        return self._opaque()

    def _opaque(self) -> Value:
        if self.type is None or not self.declared:
            self.broken = True
            raise Poisoned
        return self.owner.graph.add("input", [], {"name": f"?{self.name}", "type": self.type})

    def _settle(self, value: Value) -> Value:
        if self.shifts or self.first is not None or self.pending:
            value = self.owner.at_steps(value, self.clock)
        self.value, self.type = value, value.type
        for shift in self.pending:
            self.owner.graph.bind(shift, value.id)
        self.pending.clear()
        return value

    # ----------------------------------------------------------------------------------------------- other steps

    def at(self, delay: int) -> Value:
        """The value `delay` steps before."""
        if delay == 0:
            return self.now()
        if delay not in self.shifts:
            self.shifts[delay] = self._shifted(delay)
        return self.shifts[delay]

    def _shifted(self, delay: int) -> Value:
        if self.type is None and not self.busy:
            self._probe()
        if self.type is None:
            self._suppose()
        assert self.type is not None
        type_ = self.type if self.value is None else self.value.type
        before = [self.first_row(type_)] if delay > 0 else []
        if delay > 1:
            before = []  # a part of the line, see `lay`
        if self.value is not None:
            shift = self.owner.at_steps(self.value, self.clock).shift(delay, *before)
        else:
            shift = self.owner.graph.delayed(type_, delay, before)
            self.pending.append(shift.id)
        if delay > 1:
            self.far.append((shift.id, delay))
        return shift

    def _probe(self) -> None:
        """Find the type of a stream that nothing declares, if it can be found without the one that reads it."""
        self.probed = True
        try:
            self.now()
        except Busy:
            self.busy = False
        finally:
            self.probed = self.busy

    def _suppose(self) -> None:
        if self.broken:
            raise Poisoned
        self.type, self.assumed, self.probed = self.owner.assumption(self), True, False

    def first_row(self, type_: Type | None = None) -> Value:
        """The value before the first step: what a caller passes, else the declared one, else zero."""
        if self.start is None:
            type_ = type_ or self.type
            assert type_ is not None
            default = [] if self.first is None else [self.initial().id]
            sort = Type(Kind.SEQUENCE, type_.shape, None, type_.index)
            self.start = self._source(self.name, sort, default)
            self.owner.starts[self.name] = self
        return self.start

    def _source(self, name: str, type_: Type, default: list[int]) -> Value:
        return self.owner.graph.add("start", default, {"name": name, "type": type_}, span=self.span)

    def lay(self) -> None:
        """Lay out the line before the first step, when all uses are known: each reads as many rows of it as it needs.

        A delayed use has no other first values before, so that the size of a graph does not depend on its delays.
        """
        rows = max((delay for _, delay in self.far), default=1)
        if rows == 1 or self.start is None:
            return
        graph, type_ = self.owner.graph, self.start.type
        name = f"{self.name}[t-1]" if rows == 2 else f"{self.name}[t-{rows - 1}..t-1]"
        sort = type_ if rows == 2 else replace(type_, shape=(rows - 1, *type_.shape))
        default = [] if self.first is None else [self.initial()]
        default = default if rows == 2 else [value.expand((0,), (rows - 1,)) for value in default]
        older = self._source(name, sort, [value.id for value in default])
        self.older = name, older
        above = older.reshape(1, *type_.shape) if rows == 2 else older
        self.line = graph.add("concat", [above.id, self.start.reshape(1, *type_.shape).id], span=self.span)
        for id, delay in self.far:
            part = self.line if delay == rows else self.line.slice(rows - delay, rows)
            graph.put(id, graph[id].reading((graph[id].args[0], part.id)))

    def initial(self) -> Value:
        """The declared first value of a state, whatever a caller passes in its place."""
        if self.broken_first:
            raise Poisoned
        if self.declared_first is None:
            assert self.first is not None
            self.owner.starting.add(self)
            try:
                self.declared_first = self.first()
            finally:
                self.owner.starting.discard(self)
        return self.declared_first


def _begin_again(path: list[Stream], start: int) -> None:
    """Forget that the streams from here on were begun."""
    for begun in path[start:]:
        begun.busy = False
    del path[start:]
