"""From syntax to the stream graph: names resolved, loops unrolled, sub-cells inlined, shapes checked.

The same walk checks a spec, with dimensions as units (`check`), and instantiates it, with numbers (`elaborate`). A
dimension that decides how much there is (the L of a loop) gets a number in the check as well.
"""

from __future__ import annotations

import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from recurrency.errors import Diagnostic, Span, SpecError
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.binding import bind, sample, units
from recurrency.language.causality import check_causality
from recurrency.language.diagnostics import say
from recurrency.language.instance import Instance, own_clock
from recurrency.language.modules import CellDef
from recurrency.language.streams import Busy, NeedNumber, ParamInfo, Poisoned, Problem, Stream, TooMuch

GREATEST_GRAPH = 20_000
"""Bound on the operations that a spec may expand to."""
GREATEST_MEMORY = 200_000
"""Bound on the entries of all delay lines together, each counted as often as it moves."""
GREATEST_VALUE = 1 << 30
"""Bound on the elements of one value."""
GREATEST_DEPTH = 400
"""Bound on expressions inside expressions, those of functions included."""
DEEP = 100
"""From this depth on a stream is computed by itself, before the one that needs it."""
ROUNDS = 5
"""How often the shapes of undeclared feedbacks are revised."""
OF_SHAPES = frozenset({21, 22, 23, 27, 42, 44, 46})


@dataclass
class Elaborated:
    """A graph with what is known about its sources and results; see `Graph` for the names of its roots."""

    graph: Graph
    cell: syntax.Cell
    dimensions: dict[str, Any]
    parameters: dict[str, ParamInfo]
    inputs: dict[str, Type]
    outputs: dict[str, Type]
    starts: dict[str, Type]
    """First values that a caller may hand over: `h`, and `h[t-1]` for the older entries of a delay line."""
    clocks: tuple[str, ...]
    curvatures: int
    """How many roots `curvature:K` there are: the predictions that the losses read."""


class Elaboration:
    """One walk over a cell and all that it uses; `assumptions` are shapes of undeclared feedbacks, by their names."""

    def __init__(self, assumptions: Mapping[str, tuple[Dim, ...]]) -> None:
        self.graph = Graph()
        self.graph.limit = 2 * GREATEST_GRAPH  # what is computed once more is in it twice
        self.parameters: dict[str, ParamInfo] = {}
        self.starts: dict[str, tuple[Stream, int]] = {}
        self.instances: dict[str, Instance] = {}
        self.losses: list[Value] = []
        self.curvatures: dict[str, Value] = {}
        """What the losses read as predictions, by place."""
        self.diagnostics: list[Diagnostic] = []
        self.assumptions, self.revised = assumptions, dict[str, tuple[Stream, tuple[Dim, ...]]]()
        self.path: list[Stream] = []
        """The streams that are being computed, each needed by the one before it."""
        self.starting: set[Stream] = set()
        """The states whose first values are being computed."""
        self.depth = self._definitions = self._memory = 0

    # -------------------------------------------------------------------------------------------------- mistakes

    def problem(self, number: int, title: str, span: Span | None, **rest: Any) -> Problem:
        """A mistake, to be raised."""
        return Problem(say(number, title, span, **rest))

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a mistake, once; an unknown name where it stands first."""
        diagnostic = self._blame_assumption(diagnostic)
        for i, known in enumerate(self.diagnostics):
            if (known.number, known.span) == (diagnostic.number, diagnostic.span):
                return
            if known.number == diagnostic.number == 20 and known.title == diagnostic.title:
                self.diagnostics[i] = min(known, diagnostic, key=_place)
                return
        self.diagnostics.append(diagnostic)

    def _blame_assumption(self, diagnostic: Diagnostic) -> Diagnostic:
        """A number that does not fit may be one only because an undeclared feedback was taken for a number."""
        if diagnostic.number in OF_SHAPES and "[]" in diagnostic.title:
            for stream in reversed(self.path):
                if stream.assumed and stream.name not in self.assumptions:
                    return self._shapeless(stream)
        return diagnostic

    def _shapeless(self, stream: Stream) -> Diagnostic:
        title = f"the shape of {stream.name} can't be found, because its own equation needs it"
        help = f"declare it: state {stream.name.rsplit('.', 1)[-1]} : [...] = 0"
        return say(33, title, stream.span, help=help)

    def guarded(self, action: Callable[[], Any]) -> Any:
        """Carry out an action; a mistake is kept and gives None."""
        try:
            return action()
        except TooMuch:
            raise
        except Problem as problem:
            self.report(problem.diagnostic)
        except Poisoned:
            pass
        return None

    def cycle(self, busy: Busy) -> Diagnostic:
        """The mistake of a value that needs itself at the same step."""
        names = [s.name for s in busy.path]
        title = " needs ".join([*names, names[0] if len(names) > 1 else "itself"])
        if busy.through:
            title = f"{busy.through} needs all steps of {names[0]}, which is computed from it"
            help = f"use an earlier step, such as {names[0]}[t-1], or the whole of another stream"
            return say(48, title, busy.span or busy.stream.span, help=help)
        delayed = next((s.name for s in busy.path if s.first is not None), names[0])
        where = "; ".join(f"{s.name} is defined at line {s.span.line}" for s in busy.path[:8])
        help = f"a cycle must pass through a delay: did you mean {delayed}[t-1]?"
        label = f"needs {names[0]} at this step"
        return say(
            24, f"{title} at the same step", busy.span or busy.stream.span, label=label, notes=(where,), help=help
        )

    def path_from(self, stream: Stream) -> tuple[Stream, ...]:
        """The streams that are being computed, from this one on."""
        return tuple(self.path[self.path.index(stream) :])

    # ------------------------------------------------------------------------------- shapes of undeclared feedbacks

    def assumption(self, stream: Stream) -> Type:
        """What an undeclared stream is taken for while its own equation needs it: a number, until a walk shows more."""
        return Type(Kind.STREAM, self.assumptions.get(stream.name, ()), stream.clock)

    def revise(self, stream: Stream, shape: tuple[Dim, ...]) -> None:
        """The equation of a stream gave another shape than the one it was taken for: walk once more."""
        self.revised[stream.name] = (stream, shape)

    def give_up_shapes(self) -> None:
        """Report the streams whose shapes change in each round."""
        for stream, _ in self.revised.values():
            self.report(self._shapeless(stream))

    # ---------------------------------------------------------------------------------------------------- values

    def at_steps(self, value: Value, clock: str) -> Value:
        """A value as a stream (the same at each step, where it does not vary)."""
        return value.spread_like(Type(Kind.STREAM, value.type.shape, clock, value.type.index))

    def site(self, place: str) -> int:
        """The number of a place of random draws."""
        return zlib.crc32(place.encode())

    def add_loss(self, value: Value) -> None:
        """A loss line as one number: averaged over the valid steps of the batch, or over its sequences."""
        if value.type.kind is Kind.STREAM:
            steps = self.graph.add("length", [], {"clock": value.type.clock}).sum_batch().apply("maximum", 1.0)
            value = value.reduced_to(Kind.STATIC) / steps
        elif value.type.kind is Kind.SEQUENCE:
            value = value.sum_batch() / self.graph.add("batch").apply("maximum", 1.0)
        self.losses.append(value)

    # ---------------------------------------------------------------------------------------------------- bounds

    @property
    def too_deep(self) -> bool:
        """Whether a stream that is needed here had better be computed by itself."""
        return self.depth > DEEP and bool(self.path)

    def enter(self, span: Span) -> None:
        """Count an expression inside others; `depth` is lowered again by whoever evaluates it."""
        if self.depth >= GREATEST_DEPTH:
            raise self.too_much(span, "expressions and functions are nested too deeply here", "name a part of them")
        self.depth += 1

    def count_range(self, count: int, span: Span) -> None:
        """Bound the members of a family before they are listed."""
        if count > GREATEST_GRAPH:
            raise self.too_much(span)

    def count_definition(self, span: Span, weight: int = 1) -> None:
        """Bound how much the loops, functions and uses of a spec write out."""
        self._definitions += weight
        if self._definitions > GREATEST_GRAPH:
            raise self.too_much(span)

    def count_delay(self, delay: int, span: Span) -> None:
        """Bound the delay lines, of which each entry moves through all those before it."""
        self._memory += max(delay, 0) ** 2 // 2
        if self._memory > GREATEST_MEMORY:
            raise self.too_much(
                span, "the delays of this spec remember too many steps", "use smaller delays, or fewer of them"
            )

    def too_much(self, span: Span | None, title: str = "", help: str = "") -> TooMuch:
        """The mistake of a spec that expands without bound."""
        title = title or f"this spec expands to more than {GREATEST_GRAPH} operations"
        return TooMuch(say(39, title, span, help=help or "use fewer members, or smaller ranges"))


# -------------------------------------------------------------------------------------------------------- entry points


def elaborate(definition: CellDef, dimensions: Mapping[str, Any]) -> Elaborated:
    """The graph of a cell for these dimensions (numbers; names of functions and cells as strings).

    Raises:
        UsageError: a dimension is missing, unknown or no positive whole number.
        SpecError: the spec has mistakes.
    """
    return _elaborated(definition, bind(definition, dimensions))


def check(definition: CellDef) -> Elaborated:
    """Elaborate a cell with dimensions as units.

    Raises:
        SpecError: with every independent mistake.
    """
    numbers: dict[str, int] = {}
    while True:
        try:
            return _elaborated(definition, units(definition, numbers))
        except NeedNumber as need:
            for name in sorted(need.names):
                numbers[name] = sample(definition.cell, name, numbers)


def _elaborated(definition: CellDef, dimensions: Mapping[str, Any]) -> Elaborated:
    """Walk until the shapes of undeclared feedbacks are those that their equations give."""
    assumptions: dict[str, tuple[Dim, ...]] = {}
    with _recursion():
        for round in range(ROUNDS):
            work = Elaboration(assumptions)
            top = _walk(work, definition, dimensions, last=round == ROUNDS - 1)
            if not work.revised:
                break
            assumptions.update({name: shape for name, (_, shape) in work.revised.items()})
        if work.diagnostics:
            raise SpecError(tuple(sorted(work.diagnostics, key=_place)))
        return _result(work, top)


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    return (diagnostic.span.source.name, diagnostic.span.start) if diagnostic.span else ("", -1)


def _walk(work: Elaboration, definition: CellDef, dimensions: Mapping[str, Any], last: bool) -> Instance:
    clock = own_clock(definition.cell)
    top = Instance(work, definition, "", "", clock, {p.clock or "t": p.clock or "t" for p in definition.cell.inputs})
    try:
        work.guarded(lambda: top.bind_dimensions(dimensions))
        if not work.diagnostics:
            _sources(work, top)
            top.collect()
            top.complete()
            if last:
                work.give_up_shapes()
            if not work.diagnostics and not work.revised:
                _roots(work, top)
                check_causality(work)
    except TooMuch as problem:
        work.report(problem.diagnostic)
        work.revised.clear()
    except (OverflowError, RecursionError):
        work.report(work.too_much(definition.cell.span).diagnostic)
        work.revised.clear()
    return top


def _sources(work: Elaboration, top: Instance) -> None:
    """The inputs of the outermost cell, which the caller hands in."""
    for port in top.cell.inputs:

        def make(port: syntax.Port = port) -> None:
            type_ = replace(top.port_type(port), kind=Kind.STREAM, clock=port.clock or "t")
            value = work.graph.add("input", [], {"name": port.name, "type": type_}, span=port.span)
            top.add_input(port, value, port.clock or "t")

        top.attempt_names([port.name], make)


def _roots(work: Elaboration, top: Instance) -> None:
    roots = work.graph.roots
    for port in top.cell.outputs:
        roots[f"output:{port.name}"] = top.stream(port.name).now().id
    for name, value in top.named():
        roots[f"stream:{name}"] = value.id
        work.graph.rename(value.id, name)
    for name, (stream, slot) in list(work.starts.items()):
        value = work.at_steps(stream.now(), stream.clock)
        first = [stream.slot(k).id for k in range(slot + 1)]
        roots[f"final:{name}"] = work.graph.add("final", [value.id, *first], {"slot": slot}, span=stream.span).id
    if work.losses:
        total = work.losses[0]
        for loss in work.losses[1:]:
            total = total + loss
        roots["loss"] = total.id
    for k, value in enumerate(work.curvatures.values()):
        roots[f"curvature:{k}"] = value.id


def _result(work: Elaboration, top: Instance) -> Elaborated:
    graph = work.graph.select(work.graph.roots)
    _bound_sizes(work, graph, top.cell)
    return Elaborated(
        graph=graph,
        cell=top.cell,
        dimensions=top.dimensions,
        parameters=work.parameters,
        inputs={p.name: top.stream(p.name).now().type for p in top.cell.inputs},
        outputs={p.name: graph[graph.roots[f"output:{p.name}"]].type for p in top.cell.outputs},
        starts={name: work.graph[stream.slots[slot].id].type for name, (stream, slot) in work.starts.items()},
        clocks=tuple(sorted({str(p.clock or "t") for p in top.cell.inputs} | {"t"})),
        curvatures=len(work.curvatures),
    )


def _bound_sizes(work: Elaboration, graph: Graph, cell: syntax.Cell) -> None:
    """Neither too many operations nor a value that no machine holds."""
    if len(graph) > GREATEST_GRAPH:
        raise SpecError((work.too_much(cell.span).diagnostic,))
    for id in graph:
        node, count = graph[id], 1
        for size in node.type.shape:
            if not isinstance(size, str):
                count *= size if isinstance(size, int) else max(abs(factor) for _, factor in size.terms)
        if count > GREATEST_VALUE:
            title = (
                f"{node.name or 'a value'} has {count:.1e} elements, and more than {GREATEST_VALUE:.1e} are too many"
            )
            raise SpecError((work.too_much(node.span, title, "use smaller dimensions").diagnostic,))


_LOCK = threading.Lock()
_WALKS: list[int] = []


@contextmanager
def _recursion() -> Iterator[None]:
    """Room for `GREATEST_DEPTH`: what is nested in a spec is nested in our calls, some ten for each level."""
    with _LOCK:
        if not _WALKS:
            _WALKS.append(sys.getrecursionlimit())
            sys.setrecursionlimit(max(_WALKS[0], 20 * GREATEST_DEPTH + 2000))
        _WALKS.append(1)
    try:
        yield
    finally:
        with _LOCK:
            _WALKS.pop()
            if len(_WALKS) == 1:
                sys.setrecursionlimit(_WALKS.pop())


__all__ = ["Elaborated", "Elaboration", "Poly", "check", "elaborate"]
