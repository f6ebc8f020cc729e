"""What names stand for while a spec is elaborated: streams that are computed on demand, and compile-time values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from recurrency.errors import Diagnostic, Span
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.modules import CellDef

if TYPE_CHECKING:
    from recurrency.language.elaborate import Elaboration
    from recurrency.language.instance import Instance
    from recurrency.language.vocabulary import Function


class Problem(Exception):
    """A mistake was found; the definition that is being elaborated ends here."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.title)


class Poisoned(Exception):  # noqa: N818 - it is no error of its own, and is never reported
    """A definition needs another one in which a mistake was already found."""


class Busy(Exception):  # noqa: N818 - the stream that catches it decides what it means
    """A stream is needed while it is being computed."""

    def __init__(self, stream: Stream, path: tuple[Stream, ...]) -> None:
        self.stream, self.path = stream, path


class Undetermined(Exception):  # noqa: N818 - as above
    """The shape of a stream is needed while it is being computed, and nothing declares it."""

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


Static: TypeAlias = "int | float | bool | Poly"
Meaning: TypeAlias = "Static | Value | Stream | FnValue | Function | CellValue | Shared | Used"


@dataclass
class ParamInfo:
    """A parameter: shape, and how its first value is drawn."""

    name: str
    shape: tuple[Dim, ...]
    initialiser: tuple[str, tuple[float, ...]]
    span: Span


class Stream:
    """A name of the user's and what defines it; computed when it is first needed.

    `name` is dotted. `type` is known beforehand where a declaration says it. `first` gives the value before the first step of
    a state; other streams are zero there.
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
        self.value: Value | None = None
        self.busy = self.broken = False
        self.slots: dict[int, Value] = {}
        self.shifts: dict[int, Value] = {}
        self.pending: list[int] = []

    # ------------------------------------------------------------------------------------------------ this step

    def now(self) -> Value:
        """The value at this step.

        Raises:
            Poisoned, Busy, Undetermined, Problem (only in an attempt)
        """
        if self.value is not None:
            return self.value
        if self.broken:
            raise Poisoned
        if self.busy:
            raise Busy(self, self.owner.path_from(self))
        self.busy = True
        self.owner.path.append(self)
        try:
            value = self._defined()
        except Problem as problem:
            value = self._mend(problem.diagnostic)
        except Busy as busy:
            if busy.stream is not self or self.owner.attempts:
                raise
            value = self._mend(self.owner.cycle(busy))
        except Poisoned:
            value = self._opaque()
        finally:
            self.busy = False
            self.owner.path.pop()
        self._settle(value)
        return value

    def _defined(self) -> Value:
        """The value by its definition; where its own shape is needed for it, by the shape that confirms itself."""
        try:
            return self.define()
        except Undetermined as unknown:
            if unknown.stream is not self:
                raise
        shape: tuple[Dim, ...] = ()
        for _ in range(3):
            self.type = Type(Kind.STREAM, shape, self.clock)
            found = self.owner.attempt(self.define)
            if found is None:
                break
            if found.type.shape == shape and found.type.index is None:
                self.shifts.clear()
                self.pending.clear()
                return self.define()
            shape = found.type.shape
            self.shifts.clear()
            self.pending.clear()
        self.type = None
        raise self.owner.problem(
            33, f"the shape of {self.name} can't be found from its own equation", self.span,
            help=f"declare it: state {self.name.rsplit('.', 1)[-1]} : [...] = 0",
        )  # fmt: skip

    def _mend(self, diagnostic: Diagnostic) -> Value:
        """Report a mistake, and stand in for the value where the shape is declared."""
        if self.owner.attempts:
            raise Problem(diagnostic)
        self.owner.report(diagnostic)
        return self._opaque()

    def _opaque(self) -> Value:
        if self.type is None or not self.declared:
            self.broken = True
            raise Poisoned
        return self.owner.graph.add("input", [], {"name": f"?{self.name}", "type": self.type})

    def _settle(self, value: Value) -> None:
        if self.shifts or self.first is not None or self.pending:
            value = self.owner.at_steps(value, self.clock)
        self.value, self.type = value, value.type
        for shift in self.pending:
            self.owner.graph.bind(shift, value.id)
        self.pending.clear()
        self.owner.settled.append(self)

    # ----------------------------------------------------------------------------------------------- other steps

    def at(self, delay: int) -> Value:
        """The value `delay` steps before."""
        if delay == 0:
            return self.now()
        if delay not in self.shifts:
            self.shifts[delay] = self._shifted(delay)
        return self.shifts[delay]

    def _shifted(self, delay: int) -> Value:
        if self.value is None and not self.busy and not self.declared:
            self._probe()
        if self.type is None:
            if self.broken:
                raise Poisoned
            raise Undetermined(self)
        type_ = self.type if self.type.kind is Kind.STREAM else Type(Kind.STREAM, self.type.shape, self.clock)
        self.type = type_ if self.value is None else self.type
        first = tuple(self.slot(delay - k, type_) for k in range(1, delay + 1)) if delay > 0 else ()
        if self.value is not None:
            return self.owner.at_steps(self.value, self.clock).shift(delay, *first)
        hole = self.owner.graph.delayed(type_, delay, first)
        self.pending.append(hole.id)
        return hole

    def _probe(self) -> None:
        """Find the type of a stream that nothing declares."""
        try:
            self.now()
        except Busy as busy:
            if busy.stream is self:
                raise
            raise self.owner.problem(
                33, f"the shape of {self.name} can't be found: its equation leads back here", self.span,
                help=f"declare it: state {self.name.rsplit('.', 1)[-1]} : [...] = 0",
            ) from None  # fmt: skip

    def slot(self, position: int, type_: Type | None = None) -> Value:
        """The value `position` steps before the first step is preceded: 0 is the last value before it."""
        if position not in self.slots:
            type_ = type_ or self.type
            assert type_ is not None
            sort = Type(Kind.SEQUENCE, type_.shape, None, type_.index)
            default = [] if self.first is None else [self._first_value(self.first).id]
            name = self.name if position == 0 else f"{self.name}[t-{position}]"
            attrs = {"name": name, "type": sort}
            self.slots[position] = self.owner.graph.add("start", default, attrs, span=self.span)
            self.owner.starts[name] = (self, position)
        return self.slots[position]

    def _first_value(self, first: Callable[[], Value]) -> Value:
        self.owner.starting.add(self)
        try:
            return first()
        finally:
            self.owner.starting.discard(self)

    def forget(self) -> None:
        """Undo the computation (after an attempt that failed)."""
        self.value = None
        self.shifts.clear()
        self.pending.clear()
        if not self.declared:
            self.type = None
