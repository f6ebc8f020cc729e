"""From syntax to the stream graph: names resolved, loops unrolled, sub-cells inlined, shapes checked.

The same walk checks a spec, with dimensions as units (`check`), and instantiates it, with numbers (`elaborate`). A dimension that
decides how much there is (the L of a loop) gets a number in the check as well: its default, or 3.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import networkx as nx

from recurrency.errors import Diagnostic, Span, SpecError, UsageError
from recurrency.graph.dimensions import Dim, Poly, symbol
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.language import syntax
from recurrency.language.diagnostics import say
from recurrency.language.instance import Instance
from recurrency.language.modules import CellDef, library_index, nearest
from recurrency.language.streams import Busy, CellValue, NeedNumber, ParamInfo, Poisoned, Problem, Stream, Undetermined
from recurrency.language.vocabulary import FUNCTIONS

GREATEST_GRAPH = 50_000
"""Bound on the operations that a spec may expand to."""
GREATEST_DIMENSION = 1 << 24
"""Bound on a single dimension."""
SAMPLE = 3
"""The number of members that a family without a default is checked with."""


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
    curvatures: int = 0
    """How many roots `curvature:K` there are: the predictions that the losses read."""
    instances: dict[str, Instance] = field(default_factory=dict, repr=False)


class Elaboration:
    """One walk over a cell and all that it uses."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.graph.limit = GREATEST_GRAPH
        self.parameters: dict[str, ParamInfo] = {}
        self.starts: dict[str, tuple[Stream, int]] = {}
        self.diagnostics: list[Diagnostic] = []
        self.path: list[Stream] = []
        self.settled: list[Stream] = []
        self.instances: dict[str, Instance] = {}
        self.losses: list[Value] = []
        self.curvatures: list[Value] = []
        self.sites: dict[str, int] = {}
        self.attempts = 0
        self.starting: set[Stream] = set()
        self.definitions = 0

    # -------------------------------------------------------------------------------------------------- mistakes

    def problem(self, number: int, title: str, span: Span | None, **rest: Any) -> Problem:
        """A mistake, to be raised."""
        return Problem(say(number, title, span, **rest))

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a mistake, once."""
        place = (diagnostic.number, diagnostic.span)
        if not any((d.number, d.span) == place for d in self.diagnostics):
            self.diagnostics.append(diagnostic)

    def guarded(self, action: Callable[[], Any]) -> Any:
        """Carry out an action; a mistake is kept and gives None."""
        try:
            return action()
        except Problem as problem:
            self.report(problem.diagnostic)
        except (Poisoned, Undetermined):
            pass
        except Busy as busy:
            self.report(self.cycle(busy))
        return None

    def attempt(self, action: Callable[[], Value]) -> Value | None:
        """Carry out an action as if it had not happened: the value, or None where there is a mistake in it."""
        mark, sites, instances = len(self.settled), dict(self.sites), dict(self.instances)
        self.attempts += 1
        try:
            return action()
        except (Problem, Poisoned, Busy, Undetermined):
            return None
        finally:
            self.attempts -= 1
            self.sites, self.instances = sites, instances
            for stream in self.settled[mark:]:
                stream.forget()
            del self.settled[mark:]

    def path_from(self, stream: Stream) -> tuple[Stream, ...]:
        """The streams that are being computed, from this one on."""
        return tuple(self.path[self.path.index(stream) :])

    def cycle(self, busy: Busy) -> Diagnostic:
        """The mistake of a value that needs itself at the same step."""
        names = [s.name for s in busy.path]
        text = " needs ".join([*names, names[0]])
        label = "itself" if len(names) == 1 else " -> ".join([*names, names[0]])
        help = f"a cycle must pass through a delay: did you mean {names[0]}[t-1]?"
        return say(24, f"{text} at the same step", busy.stream.span, label=label, help=help)

    # ---------------------------------------------------------------------------------------------------- values

    def at_steps(self, value: Value, clock: str) -> Value:
        """A value as a stream (the same at each step, where it does not vary)."""
        return value.spread_like(Type(Kind.STREAM, value.type.shape, clock, value.type.index))

    def site(self, where: str) -> int:
        """A number for a place of random draws, which depends on its name and rank alone."""
        self.sites[where] = self.sites.get(where, 0) + 1
        return zlib.crc32(f"{where}/{self.sites[where]}".encode())

    def parameter(self, name: str, shape: tuple[Dim, ...], initialiser: tuple[str, tuple[float, ...]], span: Span) -> Value:
        """A trained value."""
        self.parameters[name] = ParamInfo(name, shape, initialiser, span)
        return self.graph.add("param", [], {"name": name, "type": Type(Kind.STATIC, shape)}, span=span)

    def count_definition(self, span: Span) -> None:
        """Bound how much the loops of a spec write out."""
        self.definitions += 1
        if self.definitions > GREATEST_GRAPH:
            raise self.too_much(span)

    def too_much(self, span: Span | None) -> Problem:
        """The mistake of a spec that expands without bound."""
        title = f"this spec expands to more than {GREATEST_GRAPH} operations"
        return self.problem(39, title, span, help="use fewer members, or smaller ranges")


# -------------------------------------------------------------------------------------------------------- entry points


def elaborate(definition: CellDef, dimensions: Mapping[str, Any]) -> Elaborated:
    """The graph of a cell for these dimensions (numbers; names of functions and cells as strings).

    Raises:
        UsageError: a dimension is missing, unknown or no positive whole number.
        SpecError: the spec has mistakes.
    """
    bound = _bind(definition, dimensions)
    return _walk(definition, bound)


def check(definition: CellDef) -> Elaborated:
    """Elaborate a cell with dimensions as units.

    Raises:
        SpecError: with every independent mistake.
    """
    numbers: dict[str, int] = {}
    while True:
        try:
            return _walk(definition, _symbols(definition, numbers))
        except NeedNumber as need:
            for name in need.names:
                numbers[name] = _sample(definition.cell, name)


def _sample(cell: syntax.Cell, name: str) -> int:
    for dimension in cell.dimensions:
        if dimension.name == name and isinstance(dimension.default, syntax.Number):
            return int(dimension.default.value)
    return SAMPLE


def _symbols(definition: CellDef, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Each dimension as a unit of its own; functions and cells by their defaults."""
    out: dict[str, Any] = {}
    for dimension in definition.cell.dimensions:
        if dimension.name in numbers:
            out[dimension.name] = numbers[dimension.name]
        elif isinstance(dimension.default, syntax.Name) and dimension.default.name not in out:
            out[dimension.name] = dimension.default
        elif isinstance(dimension.default, syntax.Subscript):
            out[dimension.name] = dimension.default
        else:
            out[dimension.name] = symbol(dimension.name)
    return out


def _bind(definition: CellDef, given: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, functions and cells for all names in the square brackets of the header."""
    cell = definition.cell
    names = [d.name for d in cell.dimensions]
    for name in given:
        if name not in names:
            near = nearest(name, names)
            hint = f"; did you mean {near}?" if near else ""
            raise UsageError(f"{cell.name} has no dimension {name} (it has {', '.join(names) or 'none'}){hint}")
    missing = [d.name for d in cell.dimensions if d.default is None and d.name not in given]
    if missing:
        each = ", ".join(f"{n}=..." for n in missing)
        raise UsageError(f"{cell.name} needs {' and '.join(missing)}: give {each} (on the command line: -D {missing[0]}=64)")
    return {d.name: _bound(definition, d, given.get(d.name, d.default)) for d in cell.dimensions}


def _bound(definition: CellDef, dimension: syntax.Dimension, value: Any) -> Any:
    where = f"{definition.cell.name}: {dimension.name}"
    if isinstance(value, str):
        return _named(definition, where, value)
    if isinstance(value, bool) or not isinstance(value, (int, syntax.Number, syntax.Name, syntax.Subscript, syntax.Binary)):
        try:
            value = value.__index__()
        except (AttributeError, TypeError):
            raise UsageError(f"{where} must be a whole number or the name of a function or cell, not {value!r}") from None
    if isinstance(value, int) and not 1 <= value <= GREATEST_DIMENSION:
        raise UsageError(f"{where} must be from 1 to {GREATEST_DIMENSION}, not {value}")
    return value


def _named(definition: CellDef, where: str, name: str) -> Any:
    """A function or cell that a caller names."""
    module = definition.module
    if name in module.cells:
        return CellValue(module.cells[name])
    if name in library_index():
        from recurrency.language.modules import Loader

        return CellValue(Loader().library_cell(name))
    if name in module.functions or name in FUNCTIONS:
        return syntax.Name(definition.cell.span, name)
    near = nearest(name, [*module.cells, *library_index(), *module.functions, *FUNCTIONS])
    raise UsageError(f"{where}: there is no function or cell {name}" + (f"; did you mean {near}?" if near else ""))


def _walk(definition: CellDef, dimensions: Mapping[str, Any]) -> Elaborated:
    work = Elaboration()
    cell = definition.cell
    try:
        top = Instance(work, definition, "", "", "t", {})
        work.guarded(lambda: top.bind_dimensions(dimensions))
        if not work.diagnostics:
            _sources(work, top)
            top.collect()
            top.complete()
            if not work.diagnostics:
                _results(work, top)
                _causality(work)
    except Problem as problem:
        work.report(problem.diagnostic)
    except OverflowError:
        work.report(work.too_much(cell.span).diagnostic)
    if work.diagnostics:
        raise SpecError(tuple(sorted(work.diagnostics, key=lambda d: (d.span.source.name, d.span.start) if d.span else ("", -1))))
    clocks = sorted({str(p.clock or "t") for p in cell.inputs} | {"t"})
    return Elaborated(
        work.graph.select(work.graph.roots), cell, top.dimensions, work.parameters,
        {p.name: _type_of(top.streams[p.name, ()]) for p in cell.inputs},
        {p.name: work.graph[work.graph.roots[f"output:{p.name}"]].type for p in cell.outputs},
        {name: work.graph[stream.slots[slot].id].type for name, (stream, slot) in work.starts.items()},
        tuple(clocks), len(work.curvatures), work.instances,
    )  # fmt: skip


def _type_of(stream: Stream) -> Type:
    assert stream.type is not None
    return stream.type


def _sources(work: Elaboration, top: Instance) -> None:
    """The inputs of the outermost cell, which the caller hands in."""
    for port in top.cell.inputs:

        def make(port: syntax.Port = port) -> None:
            type_ = replace(top.port_type(port), kind=Kind.STREAM, clock=port.clock or "t")
            value = work.graph.add("input", [], {"name": port.name, "type": type_}, span=port.span)
            top.add_input(port, value, port.clock or "t")

        work.guarded(make)


def _results(work: Elaboration, top: Instance) -> None:
    roots = work.graph.roots
    for port in top.cell.outputs:
        roots[f"output:{port.name}"] = top.stream(port.name).now().id
    for name, value in top.named():
        roots[f"stream:{name}"] = value.id
        work.graph.rename(value.id, name)
    for name, (stream, slot) in list(work.starts.items()):
        assert stream.value is not None
        value = work.at_steps(stream.value, stream.clock)
        first = [stream.slot(k).id for k in range(slot + 1)]
        roots[f"final:{name}"] = work.graph.add("final", [value.id, *first], {"slot": slot}, span=stream.span).id
    if work.losses:
        total = work.losses[0]
        for loss in work.losses[1:]:
            total = total + loss
        roots["loss"] = total.id
    for k, value in enumerate(work.curvatures):
        roots[f"curvature:{k}"] = value.id


def _causality(work: Elaboration) -> None:
    """No recurrence runs both ways, or needs a whole stream of its own."""
    graph = work.graph
    for component in nx.strongly_connected_components(graph.nx):
        if len(component) == 1 and not graph.nx.has_edge(*[next(iter(component))] * 2):
            continue
        delays = {graph[i].delay for i in component if graph[i].delay}
        named = sorted((n for i in component if (n := graph[i]).name), key=lambda n: n.name)
        span = next((n.span for n in named), None)
        names = ", ".join(n.name for n in named)
        if min(delays, default=1) < 0 < max(delays, default=-1):
            title = f"{names}: this recurrence reads both earlier and later steps of itself"
            work.report(say(47, title, span, help="split it in two, one for each direction"))
        for i in component:
            if graph[i].op.group in ("time", "boundary") and graph[i].op.name != "shift":
                title = f"{names}: {graph[i].op.name} needs the whole stream that is being computed here"
                work.report(say(48, title, graph[i].span or span))
                break


def mean_loss(work: Elaboration, value: Value) -> Value:
    """A loss line as one number: averaged over the valid steps of the batch, or over its sequences."""
    graph = work.graph
    if value.type.kind is Kind.STREAM:
        clock = value.type.clock
        steps = graph.add("length", [], {"clock": clock}).sum_batch().apply("maximum", 1.0)
        return value.reduced_to(Kind.STATIC) / steps
    if value.type.kind is Kind.SEQUENCE:
        return value.sum_batch() / graph.add("batch").apply("maximum", 1.0)
    return value


def finite(value: float) -> bool:
    """Whether a number computed at compilation can be used."""
    return math.isfinite(value) and abs(value) < 1e300


__all__ = ["Elaborated", "Elaboration", "Poly", "check", "constant", "elaborate", "finite", "mean_loss"]
