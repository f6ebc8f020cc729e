"""Padding within one element: where an axis runs over the steps of a clock (`frames`), a sequence may have fewer."""

from __future__ import annotations

from collections.abc import Iterable

from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type

from .frame import Frame


def clean(f: Frame, id: int, axis: int) -> bool:
    """Whether a value is known to be zero in the padding along this axis."""
    node = f.graph[id]
    if Trait.INPUT in node.op.traits:
        return True
    if Trait.GATHERS in node.op.traits:
        return axis == 0
    if Trait.DISTRIBUTION in node.op.traits:
        return axis == len(node.type.shape) - 1
    if Trait.KEEPS_ZERO in node.op.traits:
        return all(clean(f, a, axis) for a in node.args)
    if Trait.CONTRACTS not in node.op.traits or f.kind(id) is Kind.STATIC:
        return False
    left, out = node.attrs["spec"].split("->")
    sides = zip(left.split(","), node.args, strict=True)
    return all(clean(f, a, letters.index(out[axis])) for letters, a in sides if out[axis] in letters)


def masked_text(f: Frame, text: str, kind: Kind, axis: int, clock: str, nothing: str) -> str:
    """An array with `nothing` in the padding along an axis that runs over the steps of `clock`."""
    lead, s = f.lead(kind), f.clocks[clock]
    return f"(fill_axis_padding({text}, padding{s}, {lead - 1}, {lead + axis}, {nothing}) if ragged{s} else {text})"


def masked(f: Frame, id: int, axes: tuple[int, ...], nothing: str) -> tuple[str, Kind]:
    """The array of a value, and its kind, with `nothing` in the padding along those of the axes that are steps."""
    type_ = f.graph[id].type
    timed = [a for a in axes if isinstance(type_.shape[a], str) and not (nothing == "0" and clean(f, id, a))]
    return (masked_axes(f, f.full(id), type_, timed, nothing), type_.kind) if timed else (f.array(id), f.kind(id))


def masked_axes(f: Frame, text: str, type_: Type, axes: Iterable[int], nothing: str) -> str:
    """An array of this type with `nothing` in the padding along those of the axes that are steps."""
    for axis in axes:
        dim = type_.shape[axis]
        if isinstance(dim, str):
            text = masked_text(f, text, type_.kind, axis, dim, nothing)
    return text
