"""One use of a cell: what its names mean, and where its mistakes are reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from recurrency.errors import Span
from recurrency.graph.types import Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import Code
from recurrency.language.elaboration.definitions import Definitions, Key
from recurrency.language.elaboration.meanings import Shared
from recurrency.language.elaboration.modules import CellDef
from recurrency.language.elaboration.signals import Poisoned, Problem
from recurrency.language.elaboration.streams import Seen, Stream
from recurrency.language.elaboration.walk import Elaboration


@dataclass(frozen=True, eq=False)
class FnValue:
    """A function that the user defines; `home` is the cell whose names it sees, None for a function of the file."""

    fn: syntax.Fn
    home: Scope | None

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.fn.name


@dataclass(eq=False)
class Past:
    """What the equations of a use read as one of its states a step before: a value of the cell that uses it."""

    keyword: syntax.Keyword
    define: Callable[[], Value]
    value: Value | None = field(default=None, init=False)
    broken: bool = field(default=False, init=False)
    read: bool = field(default=False, init=False)


@dataclass(frozen=True, eq=False)
class Used:
    """A cell after it was called: all its streams."""

    scope: Scope
    name: str
    call: syntax.Call
    counts: dict[str, int]
    """How often each name without a number has been given in the definition, up to this use and its arguments."""

    def output(self) -> Stream:
        """The first output: the stream that the use alone means."""
        return self.scope.outside(self.scope.stream(self.scope.cell.outputs[0].name))


@dataclass(eq=False)
class Scope(ABC):
    """One use of a cell, as the evaluation of its expressions sees it."""

    work: Elaboration
    definition: CellDef
    prefix: str
    """Stands before the names of its streams, such as `encoder.`."""
    home: str
    """Stands before the names of its parameters, which all calls of an instance share."""
    clock: str
    clocks: dict[str, str]
    """The clock here for each clock of the header."""
    parent: Scope | None = None
    place: Span | None = None
    """Where `parent` uses it."""
    dimensions: dict[str, Any] = field(default_factory=dict, init=False)
    """The entries of the square brackets: dimensions, numbers, functions and cells."""
    streams: dict[Key, Stream] = field(default_factory=dict, init=False)
    shared: dict[Key, Shared] = field(default_factory=dict, init=False)
    uses: dict[str, Used] = field(default_factory=dict, init=False)
    first: dict[str, tuple[syntax.Keyword, Callable[[Type], Value]]] = field(default_factory=dict, init=False)
    """Initial values of states that `from` gives, by name."""
    pasts: dict[Stream, Past] = field(default_factory=dict, init=False)
    """What `with` gives, by the state whose step before it stands for in the equations of this use."""
    clauses: list[Value] = field(default_factory=list, init=False)
    """The values behind this use, such as `start` of `LSTM[H](x) reset start`."""
    held: Value | None = field(default=None, init=False)
    """The mask of this use itself: its streams, as they are seen from outside, keep their values where it is 0."""
    seen: dict[str, Stream] = field(default_factory=dict, init=False)
    """The streams of a use that is held, as they are seen from outside, by name."""
    masks: dict[str, Value] = field(default_factory=dict, init=False)
    """By clock, a number for each step: where it is 0, the delays of the streams over the clock stand still."""
    resets: dict[str, Value] = field(default_factory=dict, init=False)
    """By clock, a number for each step: where it is not 0, the delays of the streams over the clock begin again."""

    def __post_init__(self) -> None:
        self.cell = self.definition.cell
        self.defined = Definitions(self.work, self.cell)
        self.inner: dict[str, Scope] = {} if self.parent is None else self.parent.inner
        """All uses of cells inside the outermost one, by prefix."""

    @abstractmethod
    def static_value(self, key: Key) -> Value:
        """A parameter or a constant."""

    @abstractmethod
    def complete(self) -> None:
        """Compute everything, so that every mistake is found."""

    def find(self, key: Key) -> Stream | Value | Shared | None:
        """The stream, parameter, constant or instance of this name and these indices.

        Raises:
            Poisoned: there is a mistake in its definition.
        """
        if key in self.streams:
            return self.streams[key]
        if key in self.defined.statics:
            return self.static_value(key)
        if key in self.shared:
            return self.shared[key]
        if key[0] in self.defined.spoilt:
            raise Poisoned
        return None

    def stream(self, name: str) -> Stream:
        """The stream of this name.

        Raises:
            Poisoned: a mistake prevents it.
        """
        if (name, ()) not in self.streams:
            raise Poisoned
        return self.streams[name, ()]

    def outside(self, stream: Stream) -> Stream:
        """A stream of this use as it is seen from outside."""
        if self.held is None or stream.clock != self.clock:
            return stream
        if stream.name not in self.seen:
            self.seen[stream.name] = Seen(stream, self.held)
        return self.seen[stream.name]

    def clause(self, clock: str | None) -> str:
        """The word of a clause that changes the streams over a clock here ("" without any)."""
        return "reset" if clock in self.resets else "when" if clock in self.masks else ""

    def notes(self, *names: str) -> tuple[str, ...]:
        """Where names come from, in one line."""
        notes = [note for name in dict.fromkeys(names) if (note := self.defined.note(name))]
        return ("; ".join(notes),) if notes else ()

    def problem(self, code: Code, title: str, span: Span | None, notes: tuple[str, ...] = (), **rest: Any) -> Problem:
        """A mistake in this use of the cell, to be raised."""
        if self.parent is not None and self.place is not None:
            notes = (*notes, f"{self.cell.name} is used as {self.prefix[:-1]} at {self.place}")
        return self.work.problem(code, title, span, notes=notes, **rest)
