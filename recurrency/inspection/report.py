"""The description of a cell that `recurrency show` prints: interface, recurrences, and the cost of a step."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from recurrency.graph.roots import FINAL, OUTPUT, in_any
from recurrency.graph.types import Kind, Type
from recurrency.inspection import summary
from recurrency.language import syntax
from recurrency.language.elaboration.elaborate import Elaborated, check, elaborate
from recurrency.language.elaboration.handed import MissingArrayError
from recurrency.language.elaboration.meanings import ParamInfo, dimension_text
from recurrency.language.vocabulary.initialisers import spelling
from recurrency.model.graphs import known_passes
from recurrency.model.spec import Spec, together
from recurrency.passes import finished, optimised
from recurrency.passes.forget import forget
from recurrency.passes.recurrence import Recurrence, recurrences


@dataclass(frozen=True)
class Entry:
    """One line of a table: a name, its shape as the user writes it, a note, and a number of elements."""

    name: str
    shape: str
    note: str = ""
    count: str = ""


@dataclass(frozen=True)
class Cost:
    """Arithmetic operations, and bytes read and written, of one step of one sequence in float32."""

    flops: int
    bytes: int


@dataclass
class Report:
    """Everything that `show` prints. There are costs only if all dimensions have numbers."""

    name: str
    doc: str
    dimensions: dict[str, str]
    inputs: list[Entry]
    outputs: list[Entry]
    states: list[Entry]
    parameters: list[Entry]
    total: str
    recurrences: list[Recurrence]
    forward: Cost | None = None
    training: Cost | None = None
    notes: list[str] = field(default_factory=list)


def report(spec: Spec, dimensions: Mapping[str, Any], without: Collection[str] = ()) -> Report:
    """Describe a cell; dimensions without a value stay symbols.

    Raises:
        SpecError, UsageError: as `Spec.compile`.
    """
    missing = [d.name for d in spec.cell.dimensions if d.default is None and d.name not in dimensions]
    spec.check(all_cells=False)
    numbers = not missing or bool(dimensions)
    try:
        found = elaborate(spec.definition, together(dimensions)) if numbers else check(spec.definition)
    except MissingArrayError:
        if dimensions:
            raise
        found, numbers = check(spec.definition), False
    inputs = [Entry(n, _shape(t, _port(found, n)), _over(t)) for n, t in found.inputs.items()]
    outputs = [Entry(n, _shape(t, _port(found, n)), _over(t)) for n, t in found.outputs.items()]
    states = [Entry(n, _shape(t)) for n, t in found.starts.items()]
    names = [d.name for d in spec.cell.dimensions]
    parameters = [
        Entry(n, shape_text(p.shape), initialiser_text(p), summary.formula(summary.size(p.shape), names))
        for n, p in found.parameters.items()
    ]
    out = Report(
        spec.name,
        spec.doc,
        {n: dimension_text(v) for n, v in found.dimensions.items()},
        inputs,
        outputs,
        states,
        parameters,
        summary.formula(summary.parameters(found), names),
        recurrences(found.graph),
    )
    if numbers:
        out.forward, out.training = _costs(found, known_passes(without))
    else:
        out.notes.append(f"give {', '.join(f'-D {m}=...' for m in missing)} for counts in numbers, flops and bytes")
    return out


def _port(found: Elaborated, name: str) -> syntax.Port | None:
    return next((p for p in (*found.cell.inputs, *found.cell.outputs) if p.name == name), None)


def _shape(type_: Type, port: syntax.Port | None = None) -> str:
    if type_.index is not None:
        return f"index[{type_.index}]"
    return shape_text(type_.shape)


def _over(type_: Type) -> str:
    return (
        f"over {type_.clock}"
        if type_.kind is Kind.STREAM
        else {Kind.SEQUENCE: "one for each sequence"}.get(type_.kind, "constant")
    )


def shape_text(shape: tuple[Any, ...]) -> str:
    """A shape as a user writes it."""
    return f"[{', '.join(map(str, shape))}]"


def initialiser_text(parameter: ParamInfo) -> str:
    """The initialiser of a parameter as a user writes it after `~`."""
    return spelling(*parameter.initialiser)


def _costs(found: Elaborated, without: frozenset[str]) -> tuple[Cost, Cost]:
    """The cost of one more step: of the forward pass, and of forward and backward pass with the parameter gradients."""
    from recurrency.model.graphs import bounded
    from recurrency.passes import derivatives
    from recurrency.program.schedule import schedule

    roots = [r for r in found.graph.roots if in_any(r, OUTPUT, FINAL)]
    base = optimised(bounded(found.graph.select(roots)), without)
    both = derivatives.backward(base, wrt=("params",))
    out = []
    for graph in (forget(base), finished(both, without)):
        program = schedule(graph, None, without)
        counts = [
            (program.flops(dict.fromkeys(found.clocks, t), 1), program.bytes(dict.fromkeys(found.clocks, t), 1))
            for t in (10, 11)
        ]
        out.append(Cost(*(after - before for before, after in zip(*counts, strict=True))))
    return out[0], out[1]


def human(number: float) -> str:
    """A number with three digits and a suffix k, M, G or T."""
    if number < 1000:
        return f"{number:g}"
    power = min(int(math.log10(number) // 3), 4)
    return f"{number / 1000**power:.3g} {' kMGT'[power]}".strip()
