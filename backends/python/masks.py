"""Padding within one element: where an axis runs over the steps of a clock (`frames`), a sequence may have fewer."""

from __future__ import annotations

from recurrency.graph.types import Kind

from .frame import Frame

KEEPS_ZERO = frozenset("negative add subtract multiply tanh relu abs sin sign expm1 log1p sqrt".split())
"""Operations whose result is zero where all arguments are zero."""


def clean(f: Frame, id: int, axis: int) -> bool:
    """Whether a value is known to be zero in the padding along this axis."""
    node = f.graph[id]
    if node.op.name in ("frames", "input"):
        return node.op.name == "input" or axis == 0
    if node.op.name == "softmax":
        return axis == len(node.type.shape) - 1
    if node.op.name in KEEPS_ZERO:
        return all(clean(f, a, axis) for a in node.args)
    if node.op.name != "product" or f.kind(id) is Kind.STATIC:
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
    if not timed:
        return f.array(id), f.kind(id)
    text = f.full(id)
    for axis in timed:
        text = masked_text(f, text, type_.kind, axis, str(type_.shape[axis]), nothing)
    return text, type_.kind
