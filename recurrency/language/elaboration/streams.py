"""Streams while a spec is elaborated: each is computed when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from recurrency.errors import Diagnostic, Span
from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph
from recurrency.graph.holds import mixed
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language.diagnostics import INSTANT_CYCLE, WHOLE_STREAM_CYCLE, say
from recurrency.language.elaboration.signals import Poisoned, Problem, TooMuch


class Busy(Exception):  # noqa: N818 - the stream that catches it decides what it means
    """A stream is needed while it is being computed; `span` is the place that needs it."""

    def __init__(self, stream: Stream, path: tuple[Stream, ...]) -> None:
        self.stream, self.path = stream, path
        self.span: Span | None = None
        self.through = ""
        """The whole-stream function that needs it, if there is one."""
        self.inside = ""
        """What needs it: a stream inside a use, at another step."""

    def diagnostic(self) -> Diagnostic:
        """The mistake of a value that needs itself at the same step."""
        names, place = [s.name for s in self.path], self.span or self.stream.span
        if self.through:
            title = f"{self.through} needs all steps of {names[0]}, which is computed from it"
            help = f"use an earlier step, such as {names[0]}[t-1], or the whole of another stream"
            return say(WHOLE_STREAM_CYCLE, title, place, help=help)
        title = " needs ".join([*names, names[0] if len(names) > 1 else "itself"])
        delayed = next((s.name for s in self.path if s.first is not None), names[0])
        where = "; ".join(f"{s.name} is defined at line {s.span.line}" for s in self.path[:8])
        help = f"a cycle must pass through a delay: did you mean {delayed}[t-1]?"
        if self.inside:
            reason = "a use is known only when its arguments are"
            help = f"{reason}: declare a state s, write s = {self.inside}, and read s[t-1]"
        label = f"needs {names[0]} at this step"
        return say(INSTANT_CYCLE, f"{title} at the same step", place, label, (where,), help)


class Postponed(Exception):  # noqa: N818 - a request
    """A stream is needed so deep inside others that it is computed first, and they afterwards once more."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


class Walk(Protocol):
    """What a stream needs of the walk over the cell; see `recurrency.language.elaboration.walk.Elaboration`."""

    graph: Graph
    path: list[Stream]
    starts: dict[str, Stream]
    starting: set[Stream]

    @property
    def too_deep(self) -> bool: ...
    def report(self, diagnostic: Diagnostic) -> None: ...
    def assumption(self, stream: Stream) -> Type: ...
    def revise(self, stream: Stream, shape: tuple[Dim, ...]) -> None: ...


class Stream:
    """A named stream and its definition; computed when it is first needed.

    `name` is dotted. A declaration gives `type` before the value is computed (`declared`). `first` gives the value
    before the first step of a state; other streams are zero there.
    """

    def __init__(
        self,
        walk: Walk,
        name: str,
        clock: str,
        define: Callable[[], Value],
        span: Span,
        type_: Type | None = None,
        first: Callable[[], Value] | None = None,
    ) -> None:
        self.walk, self.name, self.clock, self.define, self.span = walk, name, clock, define, span
        self.type, self.first = type_, first
        self.declared = type_ is not None
        self.assumed = False
        """Whether `type` is an assumption of this round, because nothing declares it and its own equation needs it."""
        self.value: Value | None = None
        self.busy = self.broken = self.opaque = False
        """Whether it is being computed; whether a mistake in it leaves no value; whether one leaves only its type."""
        self.probed = False
        """Whether it is computed only because a delayed use needs its type."""
        self.broken_first = False
        """Whether a mistake was found in its initial value."""
        self.declared_first: Value | None = None
        self.start: Value | None = None
        """The value before the first step, which a caller may pass."""
        self.line: Value | None = None
        """The values before the first step as rows, the oldest first, where more than one of them is read."""
        self.older: tuple[str, Value] | None = None
        """All rows but the last, which a caller may pass under this name."""
        self.rows: Value | None = None
        """The last rows of such a stream, which a call passes on."""
        self.last: Value | None = None
        """Its last value, which a call passes on."""
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
        path = self.walk.path
        if self.busy:
            raise Busy(self, tuple(path[path.index(self) :]))
        if self.walk.too_deep:
            raise Postponed(self)
        if not path:
            return self._from_the_ground()
        return self._compute()

    def _from_the_ground(self) -> Value:
        """Compute this stream, and before it the streams that it needs too deep inside others.

        A stream that waits for those stays busy and on the path, so that a cycle of any length is noticed.
        """
        path, waiting = self.walk.path, [(self, 0)]
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
        path = self.walk.path
        at = path.index(busy.stream)
        delayed = [i for i in range(at + 1, len(path)) if path[i].probed]
        if delayed:
            at = delayed[-1]
            path[at]._suppose()
        else:
            busy.stream._give_up(busy.diagnostic())
        while len(waiting) > 1 and waiting[-1][1] >= at:
            waiting.pop()

    def _give_up(self, diagnostic: Diagnostic) -> None:
        with suppress(Poisoned):
            self._settle(self._mend(diagnostic))

    def _compute(self) -> Value:
        self.busy = True
        self.walk.path.append(self)
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
        self.walk.path.pop()

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
            return self._mend(busy.diagnostic())
        except Poisoned:
            return self._opaque()
        if self.assumed and self.type is not None and value.type.shape != self.type.shape:
            self.walk.revise(self, value.type.shape)  # the walk is repeated; until its end, others use this shape
        return value

    def _mend(self, diagnostic: Diagnostic) -> Value:
        """Report a mistake; a placeholder continues where the shape is declared."""
        self.walk.report(diagnostic)
        return self._opaque()

    def _opaque(self) -> Value:
        if self.type is None or not self.declared:
            self.broken = True
            raise Poisoned
        self.opaque = True
        return self.walk.graph.add("input", [], {"name": f"?{self.name}", "type": self.type})

    def _settle(self, value: Value) -> Value:
        if self.first is not None:
            value = at_steps(value, self.clock)
        self.value, self.type = value, value.type
        for shift in self.pending:  # it had to be known before, and has steps even if the value has none
            self.walk.graph.bind(shift, at_steps(value, self.clock).id)
        self.pending.clear()
        return value

    # ----------------------------------------------------------------------------------------------- other steps

    def at(self, delay: int) -> Value:
        """The value `delay` steps before."""
        if delay == 0:
            return self.now()
        if delay not in self.shifts and self.type is None:
            self._find_type()  # which may read the same step: each step has one node
        if delay not in self.shifts:
            self.shifts[delay] = self._shifted(delay)
        return self.shifts[delay]

    def _find_type(self) -> None:
        if not self.busy:
            self._probe()
        if self.type is None:
            self._suppose()

    def _shifted(self, delay: int) -> Value:
        assert self.type is not None
        type_ = self.type if self.value is None else self.value.type
        before = [self.first_row(type_)] if delay > 0 else []
        if delay > 1:
            before = []  # a slice of the rows, see `lay`
        if self.value is not None:
            shift = at_steps(self.value, self.clock).shift(delay, *before)
        else:
            shift = self.walk.graph.delayed(type_, delay, before)
            self.pending.append(shift.id)
        if delay > 1:
            self.far.append((shift.id, delay))
        return shift

    def _probe(self) -> None:
        """Find the type of an undeclared stream, if this does not need the stream that reads it."""
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
        self.type, self.assumed, self.probed = self.walk.assumption(self), True, False

    def first_row(self, type_: Type | None = None) -> Value:
        """The value before the first step: what a caller passes, else the declared one, else zero."""
        if self.start is None:
            type_ = type_ or self.type
            assert type_ is not None
            default = [] if self.first is None else [self.initial().id]
            sort = Type(Kind.SEQUENCE, type_.shape, None, type_.index)
            self.start = self._source(self.name, sort, default)
            self.walk.starts[self.name] = self
        return self.start

    def _source(self, name: str, type_: Type, default: list[int]) -> Value:
        return self.walk.graph.add("start", default, {"name": name, "type": type_}, span=self.span)

    def lay(self) -> None:
        """Lay out the line before the first step, when all uses are known: each reads as many rows of it as it needs.

        Before this, a delayed use has no values before its first step, so that no graph grows with its delays.
        """
        rows = max((delay for _, delay in self.far), default=1)
        if rows == 1 or self.start is None:
            return
        graph, type_ = self.walk.graph, self.start.type
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
        """The declared initial value of a state, whatever a caller passes instead."""
        if self.broken_first:
            raise Poisoned
        if self.declared_first is None:
            assert self.first is not None
            self.walk.starting.add(self)
            try:
                self.declared_first = self.first()
            finally:
                self.walk.starting.discard(self)
        return self.declared_first


class Seen(Stream):
    """A stream of a use that is held, as it is seen from outside: it repeats its value where the mask is 0."""

    def __init__(self, inner: Stream, mask: Value) -> None:
        def define() -> Value:
            new = inner.now()
            return mixed(inner.walk.graph, mask, new, inner.at(1)) if new.type.kind is Kind.STREAM else new

        super().__init__(inner.walk, inner.name, inner.clock, define, inner.span, inner.type)
        self.inner = inner


def at_steps(value: Value, clock: str) -> Value:
    """A value as a stream over a clock; a constant value is the same at each step."""
    return value.spread_like(Type(Kind.STREAM, value.type.shape, clock, value.type.index))


def _begin_again(path: list[Stream], start: int) -> None:
    """Reset the streams from here on, which were begun."""
    for begun in path[start:]:
        begun.busy = False
    del path[start:]
