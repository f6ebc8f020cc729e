"""From syntax to the stream graph: names resolved, loops unrolled, sub-cells inlined, shapes checked.

The same walk checks a spec, with symbolic dimensions (`check`), and instantiates it, with numbers (`elaborate`). A
dimension that determines the size of the graph (the L of a loop) gets a number in the check too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from recurrency.errors import Diagnostic, SpecError
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph, Node
from recurrency.graph.roots import FINAL, OUTPUT, STREAM
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import TOO_LARGE
from recurrency.language.elaboration.binding import bind, refuse_defaults, sample, units
from recurrency.language.elaboration.causality import check_causality
from recurrency.language.elaboration.clauses import change
from recurrency.language.elaboration.expressions import FORMS
from recurrency.language.elaboration.handed import Handed, apart
from recurrency.language.elaboration.instance import Instance, own_clock
from recurrency.language.elaboration.meanings import ParamInfo
from recurrency.language.elaboration.modules import CellDef
from recurrency.language.elaboration.recursion import deep_recursion
from recurrency.language.elaboration.signals import NeedNumber, Poisoned, TooMuch
from recurrency.language.elaboration.streams import Stream, at_steps
from recurrency.language.elaboration.walk import (
    GREATEST_FILE,
    GREATEST_GRAPH,
    Elaboration,
    place_of,
    too_large,
)

GREATEST_VALUE = 1 << 30
"""Bound on the elements of one value."""
ROUNDS = 5
"""How often the shapes of undeclared feedbacks are revised."""


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
    """First values that a caller may pass: `h`, and where `h[t-3]` is read, `h[t-2..t-1]` for those before it."""
    clocks: tuple[str, ...]
    curvatures: int
    """The number of roots `curvature:K`: the predictions that the losses read."""
    given: tuple[str, ...] = ()
    """The constants whose arrays the caller gives, by dotted name."""
    written: int = field(default=0, compare=False)
    """The number of equations that were written out, including those of the cells that it uses."""
    programs: dict[frozenset[str], dict[Any, Graph]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The optimised graphs of all requested programs, by the passes that are switched off; all backends share them.

    A copy made by `replace` begins with none.
    """
    resetting: dict[tuple[str, ...], Elaborated] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The same cell with resets within sequences, by the clocks of these (see `recurrency.passes.resets`)."""


# -------------------------------------------------------------------------------------------------------- entry points


def elaborate(definition: CellDef, dimensions: Mapping[str, Any]) -> Elaborated:
    """The graph of a cell for these dimensions (numbers; names of functions and cells as strings).

    The arrays of constants that are `given` stand among them by dotted name, as `Fixed`, and the seed of drawn
    constants as `const_seed`.

    Raises:
        UsageError: a dimension is missing, unknown or no positive whole number; an array is missing or does not fit.
        SpecError: the spec has mistakes.
    """
    sizes, handed = apart(definition.cell, dimensions)
    top = _faultless(_unrolled(definition, bind(definition, sizes), handed))
    handed.refuse_rest(definition.cell.name)
    return _result(top)


def check(definition: CellDef, given: Mapping[str, Any] | None = None) -> Elaborated:
    """Elaborate a cell with symbolic dimensions, except those that are given.

    Raises:
        SpecError: with every independent mistake. UsageError: what is given does not fit.
    """
    return _result(unfold(definition, given))


def unfold(definition: CellDef, given: Mapping[str, Any] | None = None) -> Instance:
    """The outermost instance of `check`: it has the equations, their streams and their graph.

    Raises:
        SpecError: with every independent mistake. UsageError: what is given does not fit.
    """
    return _faultless(_unfolded(definition, given))


@dataclass(frozen=True)
class Survey:
    """A check that goes on after mistakes: the outermost instance with all that was found, and the mistakes."""

    top: Instance
    mistakes: tuple[Diagnostic, ...]
    whole: Elaborated | None
    """What `check` returns; None if there is a mistake, here or in what the cell uses."""


def survey(definition: CellDef) -> Survey:
    """Check a cell as `check` does, and keep what is known of its names where it has mistakes."""
    top = _unfolded(definition, None)
    try:
        return Survey(top, (), _result(_faultless(top)))
    except SpecError as error:
        return Survey(top, error.diagnostics, None)


def _unfolded(definition: CellDef, given: Mapping[str, Any] | None) -> Instance:
    """The outermost instance with symbolic dimensions, except those that are given or needed as numbers."""
    numbers: dict[str, int] = {}
    while True:
        try:
            dimensions = units(definition, numbers, given)
            real = not numbers and not any(isinstance(value, Poly) for value in dimensions.values())
            return _unrolled(definition, dimensions, Handed(computes=real))
        except NeedNumber as need:
            for name in sorted(need.names):
                numbers[name] = sample(definition.cell, name, numbers)


def check_all(
    definitions: Iterable[CellDef], mistakes: Iterable[Diagnostic], walk: Callable[[CellDef], Elaborated] = check
) -> Elaborated:
    """Check cells, each by a `walk`, and return the last result; `mistakes` were found before.

    Raises:
        SpecError: with every independent mistake.
    """
    found, written = list(mistakes), 0
    for definition in definitions:
        try:
            last = walk(definition)
            written += last.written
            if written > GREATEST_FILE:
                raise too_large(definition.cell.span)
        except SpecError as error:
            known = {(d.number, d.span) for d in found}
            found += [d for d in error.diagnostics if (d.number, d.span) not in known]
            if any(d.number == TOO_LARGE.number for d in error.diagnostics):
                break  # of a spec that explodes, only the first such cell is reported
    if found:
        raise SpecError(tuple(found))
    return last


def _faultless(top: Instance) -> Instance:
    """The same instance; raises `SpecError` if it has mistakes."""
    if top.work.diagnostics or top.work.spoilt:
        raise SpecError(tuple(sorted(top.work.diagnostics, key=place_of)))
    return top


def _unrolled(definition: CellDef, dimensions: Mapping[str, Any], handed: Handed) -> Instance:
    """Walk until the shapes of undeclared feedbacks are those that their equations give."""
    assumptions: dict[str, tuple[Dim, ...]] = {}
    with deep_recursion():
        for round in range(ROUNDS):
            work = Elaboration(assumptions, FORMS, handed)
            top = _walk(work, definition, dimensions, last=round == ROUNDS - 1)
            if not work.revised:
                break
            assumptions.update({name: shape for name, (_, shape) in work.revised.items()})
        return top


def _walk(work: Elaboration, definition: CellDef, dimensions: Mapping[str, Any], last: bool) -> Instance:
    clock = own_clock(definition.cell)
    top = Instance(work, definition, "", "", clock, {p.clock or "t": p.clock or "t" for p in definition.cell.inputs})
    try:
        work.guarded(refuse_defaults, top)
        work.guarded(top.bind_dimensions, dimensions)
        if not work.diagnostics:
            _sources(work, top)
            top.collect()
            top.complete()
            if last:
                work.give_up_shapes()
            if not work.diagnostics and not work.revised:
                _roots(work, top)
                check_causality(work)
    except Poisoned:
        work.spoilt = True
    except TooMuch as problem:
        work.report(problem.diagnostic)
        work.revised.clear()
    except (OverflowError, RecursionError):
        work.report(work.too_much(definition.cell.span).diagnostic)
        work.revised.clear()
    return top


def _sources(work: Elaboration, top: Instance) -> None:
    """The inputs of the outermost cell, which the caller passes."""

    def add(port: syntax.Port) -> None:
        type_ = replace(top.port_type(port), kind=Kind.STREAM, clock=port.clock or "t")
        value = work.graph.add("input", [], {"name": port.name, "type": type_}, span=port.span)
        top.add_input(port, value, port.clock or "t")

    for port in top.cell.inputs:
        top.defined.attempt([port.name], add, port)


def _starts(work: Elaboration) -> dict[str, Type]:
    """The types of all values before the first step, grouped by stream, the newest first."""
    found: dict[str, Type] = {}
    for name, stream in work.starts.items():
        found |= {n: value.type for n, value in _before(name, stream)}
    return found


def _before(name: str, stream: Stream) -> list[tuple[str, Value]]:
    """The values of a stream before its first step, by the names under which a caller may pass them."""
    return [(name, stream.first_row()), *([] if stream.older is None else [stream.older])]


def _carried(work: Elaboration, name: str, stream: Stream) -> None:
    """The final state of a stream: its last value, and those before it if longer delays read them."""
    base, start = at_steps(stream.now(), stream.clock), stream.first_row()
    stream.last = work.graph.add("final", [base.id, start.id], {"slot": 0}, span=stream.span)
    values = [stream.last]
    if stream.line is not None:
        rows = stream.line.type.shape[0]
        assert isinstance(rows, int)
        stream.rows = base.history(rows, stream.line)
        older = stream.rows.slice(0, rows - 1)
        values.append(older.reshape(*start.type.shape) if rows == 2 else older)
    for (known, _), value in zip(_before(name, stream), values, strict=True):
        work.graph.roots[FINAL.of(known)] = value.id


def _roots(work: Elaboration, top: Instance) -> None:
    roots = work.graph.roots
    for port in top.cell.outputs:
        roots[OUTPUT.of(port.name)] = top.stream(port.name).now().id
    for name, value in top.named():
        roots[STREAM.of(name)] = value.id
        work.graph.rename(value.id, name)
    for name, stream in work.starts.items():
        stream.lay()
        _carried(work, name, stream)
    if work.losses.lines:
        total = work.losses.lines[0]
        for loss in work.losses.lines[1:]:
            total = total + loss
        roots["loss"] = total.id
    roots |= {name: value.id for name, value in work.losses.weights.items()}
    for k, value in enumerate(work.curvatures.values()):
        roots[f"curvature:{k}"] = value.id
    change(work, [top, *top.inner.values()])


def _result(top: Instance) -> Elaborated:
    work, graph = top.work, top.work.graph.select(top.work.graph.roots)
    _bound_sizes(work, graph, top.cell)
    return Elaborated(
        graph=graph,
        cell=top.cell,
        dimensions={n: float(v) if isinstance(v, Fraction) else v for n, v in top.dimensions.items()},
        parameters=work.parameters,
        inputs={p.name: top.stream(p.name).now().type for p in top.cell.inputs},
        outputs={p.name: graph[graph.roots[OUTPUT.of(p.name)]].type for p in top.cell.outputs},
        starts=_starts(work),
        clocks=tuple(sorted({str(p.clock or "t") for p in top.cell.inputs} | {"t"})),
        curvatures=len(work.curvatures),
        given=tuple(sorted(work.handed.used)),
        written=work.definitions,
    )


def _bound_sizes(work: Elaboration, graph: Graph, cell: syntax.Cell) -> None:
    """Refuse too many operations and values that no machine holds; delays count by the history that they keep."""
    if len(graph) > GREATEST_GRAPH:
        raise SpecError((work.too_much(cell.span).diagnostic,))
    kept: dict[int, tuple[int, int]] = {}
    for id in (id for id in graph if graph[id].delay):
        count = abs(graph[id].delay) * _elements(graph[id].type)
        kept[graph[id].args[0]] = max(kept.get(graph[id].args[0], (0, id)), (count, id))
    total = sum(count for count, _ in kept.values())
    if total > GREATEST_VALUE:
        _, worst = max(kept.values())
        raise _too_large(work, graph[worst], "the history of the delays", total, "use shorter delays, or fewer of them")
    for node in map(graph.__getitem__, graph):
        if (count := _elements(node.type)) > GREATEST_VALUE:
            raise _too_large(work, node, node.name or "a value", count, "use smaller dimensions")


def _elements(type_: Type) -> int:
    count = 1
    for size in type_.shape:
        if not isinstance(size, str):
            count *= size if isinstance(size, int) else max(abs(factor) for _, factor in size.terms)
    return count


def _too_large(work: Elaboration, node: Node, what: str, count: int, help: str) -> SpecError:
    title = f"{what} has {count:.1e} elements for each sequence; at most {GREATEST_VALUE:.1e} are allowed"
    return SpecError((work.too_much(node.span, title, help).diagnostic,))


__all__ = ["Elaborated", "Elaboration", "Poly", "Survey", "check", "elaborate", "survey", "unfold"]
