"""From syntax to the stream graph: names resolved, loops unrolled, sub-cells inlined, shapes checked.

The same walk checks a spec, with dimensions as units (`check`), and instantiates it, with numbers (`elaborate`). A
dimension that decides how much there is (the L of a loop) gets a number in the check as well.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from recurrency.errors import SpecError
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.language import syntax
from recurrency.language.binding import bind, refuse_defaults, sample, units
from recurrency.language.causality import check_causality
from recurrency.language.elaboration import GREATEST_DEPTH, GREATEST_GRAPH, Elaboration, place_of
from recurrency.language.instance import Instance, own_clock
from recurrency.language.modules import CellDef
from recurrency.language.streams import NeedNumber, ParamInfo, Poisoned, Stream, TooMuch

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
    """First values that a caller may hand over: `h`, and `h[t-1]` for the older entries of a delay line."""
    clocks: tuple[str, ...]
    curvatures: int
    """How many roots `curvature:K` there are: the predictions that the losses read."""
    programs: dict[frozenset[str], dict[Any, Graph]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The optimised graphs of all programs that were asked for, by what is switched off: one for all backends.

    What is made of this by `replace` begins with none.
    """


# -------------------------------------------------------------------------------------------------------- entry points


def elaborate(definition: CellDef, dimensions: Mapping[str, Any]) -> Elaborated:
    """The graph of a cell for these dimensions (numbers; names of functions and cells as strings).

    Raises:
        UsageError: a dimension is missing, unknown or no positive whole number.
        SpecError: the spec has mistakes.
    """
    return _elaborated(definition, bind(definition, dimensions))


def check(definition: CellDef, given: Mapping[str, Any] | None = None) -> Elaborated:
    """Elaborate a cell with dimensions as units, but for those that are given.

    Raises:
        SpecError: with every independent mistake. UsageError: what is given does not fit.
    """
    numbers: dict[str, int] = {}
    while True:
        try:
            return _elaborated(definition, units(definition, numbers, given))
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
        if work.diagnostics or work.spoilt:
            raise SpecError(tuple(sorted(work.diagnostics, key=place_of)))
        return _result(work, top)


def _walk(work: Elaboration, definition: CellDef, dimensions: Mapping[str, Any], last: bool) -> Instance:
    clock = own_clock(definition.cell)
    top = Instance(work, definition, "", "", clock, {p.clock or "t": p.clock or "t" for p in definition.cell.inputs})
    try:
        work.guarded(lambda: refuse_defaults(top))
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
    """The inputs of the outermost cell, which the caller hands in."""
    for port in top.cell.inputs:

        def make(port: syntax.Port = port) -> None:
            type_ = replace(top.port_type(port), kind=Kind.STREAM, clock=port.clock or "t")
            value = work.graph.add("input", [], {"name": port.name, "type": type_}, span=port.span)
            top.add_input(port, value, port.clock or "t")

        top.attempt_names([port.name], make)


def _starts(work: Elaboration) -> dict[str, Type]:
    """The types of all first values, those of a delay line together, the newest first."""
    streams = list(dict.fromkeys(stream for stream, _ in work.starts.values()))
    found = sorted(work.starts.items(), key=lambda item: (streams.index(item[1][0]), item[1][1]))
    return {name: work.graph[stream.slots[slot].id].type for name, (stream, slot) in found}


STRIDE = 4
"""A delay line is read in strides of so many steps: neither long chains of delays nor long lists of first values."""


def _carried(work: Elaboration, stream: Stream) -> None:
    """What a stream hands on after its last step: its last value, and for a delay line those before it."""
    base = work.at_steps(stream.now(), stream.clock)
    for slot in range(max(stream.slots, default=-1) + 1):
        back = slot % STRIDE
        if slot and not back:
            base = base.shift(STRIDE, *(stream.slot(slot - k) for k in range(1, STRIDE + 1)))
        value = base.shift(back, *(stream.slot(slot - k) for k in range(1, back + 1))) if back else base
        name = stream.name if slot == 0 else f"{stream.name}[t-{slot}]"
        final = work.graph.add("final", [value.id, stream.slot(slot).id], {"slot": 0}, span=stream.span)
        work.graph.roots[f"final:{name}"] = final.id


def _roots(work: Elaboration, top: Instance) -> None:
    roots = work.graph.roots
    for port in top.cell.outputs:
        roots[f"output:{port.name}"] = top.stream(port.name).now().id
    for name, value in top.named():
        roots[f"stream:{name}"] = value.id
        work.graph.rename(value.id, name)
    for stream in dict.fromkeys(stream for stream, _ in work.starts.values()):
        _carried(work, stream)
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
        dimensions={n: float(v) if isinstance(v, Fraction) else v for n, v in top.dimensions.items()},
        parameters=work.parameters,
        inputs={p.name: top.stream(p.name).now().type for p in top.cell.inputs},
        outputs={p.name: graph[graph.roots[f"output:{p.name}"]].type for p in top.cell.outputs},
        starts=_starts(work),
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
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


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
