"""Sums, peaks and products in kernels: one thread computes one element of the result, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from math import prod
from typing import TYPE_CHECKING

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind

from .arrays import Array
from .index import At, Ix, extent

if TYPE_CHECKING:
    from .values import Body, Fragment, Source


def looped(k: Body, sizes: Sequence[Dim], ats: Sequence[At], start: str, inner: Inner, join: str) -> list[str]:
    """Loops that fold all elements along some axes with `join`: `{0}` is the result so far, `{1}` the next element.

    They compute several elements of a result (`ats`) side by side: what these share is read once, and no sum waits.
    """
    names: list[str] = [k.names.new("total") for _ in ats]
    for name in names:
        k.line(f"{k.scalars.real} {name} = {start};")
    with ExitStack() as stack:
        idx = []
        for left, size in enumerate(sizes, 1 - len(sizes)):
            if not left:
                k.reduction(names, join == PLUS)
            idx.append(Ix(stack.enter_context(k.loop("k", k.bound(size, ats[0]), len(ats))), 0, size))
        for name, at in zip(names, ats, strict=True):
            k.line(join.format(name, inner(at, idx)))
    return names


Inner = Callable[[At, list[Ix]], str]
"""The text of one element along the axes of a loop, for one element of its result."""

PLUS = "{0} += {1};"


def _reduce(k: Body, id: int, node: Node, at: At) -> str:
    x, axes = node.args[0], node.attrs["axes"]
    shape = k.graph[x].type.shape

    def element(at: At, found: list[Ix]) -> str:
        rest, inner = iter(at.idx), iter(found)
        return k.real(x, at.to(*(next(inner) if axis in axes else next(rest) for axis in range(len(shape)))))

    sizes = [shape[axis] for axis in range(len(shape)) if axis in axes]
    if Trait.LINEAR in node.op.traits:
        return looped(k, sizes, [at], k.scalars.literal(0.0), element, PLUS)[0]
    greatest = "{0} = " + k.scalars.call("maximum", "{0}", "{1}") + ";"
    return looped(k, sizes, [at], k.scalars.literal(float("-inf")), element, greatest)[0]


def _product(k: Body, id: int, node: Node, at: At) -> str:
    left, out = node.attrs["spec"].split("->")
    sides = left.split(",")
    sizes: dict[str, Dim] = {}
    for letters, arg in zip(sides, node.args, strict=True):
        sizes |= dict(zip(letters, k.graph[arg].type.shape, strict=True))
    summed = [letter for letter in sizes if letter not in out]

    def element(at: At, found: list[Ix]) -> str:
        where = {**dict(zip(out, at.idx, strict=True)), **dict(zip(summed, found, strict=True))}
        a, b = (k.real(arg, at.to(*(where[c] for c in letters))) for letters, arg in zip(sides, node.args, strict=True))
        return f"{a} * {b}"

    if not summed:
        return element(at, [])
    ats = k.beside(id, at)
    names = looped(k, [sizes[letter] for letter in summed], ats, k.scalars.literal(0.0), element, PLUS)
    k.scopes[-1].known |= {(id, there): name for there, name in zip(ats, names, strict=True)}
    return names[0]


PARTS = 128
"""The number of parts in which sums over all sequences are computed; the order of additions is always the same."""

LARGEST_PARTED = 1 << 14
"""Sums with more elements than this have enough threads without parts."""


def is_parted(k: Source, id: int) -> bool:
    """Whether a value is a sum over all sequences that is computed in parts."""
    type_ = k.graph[id].type
    whole = type_.kind is Kind.STATIC and Trait.ACCUMULATES in k.graph[id].op.traits
    return whole and prod(d for d in type_.shape if isinstance(d, int)) <= LARGEST_PARTED


def _sum_over(k: Body, id: int, node: Node, at: At) -> str:
    """A sum over the steps of each sequence, over all sequences, or over both."""
    if id in k.source.partials:
        return _sum_of_parts(k, k.source.partials[id], at)
    inner = k.program.sums.get(id, node.args[0])
    type_ = k.graph[inner].type
    over_time = type_.kind is Kind.STREAM and node.type.kind < Kind.STREAM
    part, k.part = k.part, None  # only the outermost sum is computed in parts
    name: str = k.names.new("total")
    k.line(f"{k.scalars.real} {name} = {k.scalars.literal(0.0)};")
    with ExitStack() as stack:
        t, b = None, at.b
        if part is not None:
            t, b = _rows_of_part(k, stack, part, type_.clock if over_time else None)
        elif node.type.kind is Kind.STATIC:
            b = stack.enter_context(k.loop("b", "B"))
        if over_time and part is None:
            t = stack.enter_context(k.loop("t", k.length(type_.clock, At(None, b))))
        k.line(f"{name} += {k.real(inner, At(t, b, at.idx))};", id)
    k.part = part
    return name


def _sum_of_parts(k: Body, parts: Array, at: At) -> str:
    """The second half of a sum over all sequences."""
    name: str = k.names.new("total")
    k.line(f"{k.scalars.real} {name} = {k.scalars.literal(0.0)};")
    with k.loop("part", str(PARTS)) as part:
        k.line(f"{name} += {parts.element(At(None, None, (Ix(part, 0, PARTS), *at.idx)))};")
    return name


def _rows_of_part(k: Body, stack: ExitStack, part: str, clock: str | None) -> tuple[str | None, str]:
    """The rows of one part of a sum: every 128th of all steps and sequences."""
    row = k.names.new("row")
    rows = "B" if clock is None else f"{k.steps(clock)} * B"
    stack.enter_context(k.block(f"for (int {row} = {part}; {row} < {rows}; {row} += {PARTS})"))
    if clock is None:
        return None, row
    t = k.declare("t", f"{row} / B", "int")
    b = k.declare("b", f"{row} % B", "int")
    stack.enter_context(k.block(f"if ({t} < {k.length(clock, At(None, b))})"))
    return t, b


def _cumsum(k: Body, id: int, node: Node, at: At) -> str:
    """One of the sums, each from its end: simple, and equal on all machines, for n * n / 2 additions in all."""
    x, row = node.args[0], at.idx[0]
    size = k.graph[x].type.shape[0]
    name: str = k.names.new("total")
    k.line(f"{k.scalars.real} {name} = {k.scalars.literal(0.0)};")
    with k.loop("k", f"{extent(size)} - {row}" if node.attrs["back"] else f"{row} + 1") as count:
        at_end = k.declare("at", f"{extent(size)} - 1 - {count}", "int") if node.attrs["back"] else count
        k.line(f"{name} += {k.real(x, at.to(Ix(at_end, 0, size), *at.idx[1:]))};", id)
    return name


def _argmax(k: Body, id: int, node: Node, at: At) -> str:
    """The first of the greatest elements; NaN counts as greatest."""
    x = node.args[0]
    size = k.graph[x].type.shape[0]
    best, place = k.names.new("best"), k.names.new("place")
    k.line(f"{k.scalars.real} {best} = {k.scalars.literal(float('-inf'))};")
    k.line(f"{k.ctype(node)} {place} = 0;")
    with k.loop("k", k.bound(size, at)) as index:
        value = k.declare("value", k.real(x, at.to(Ix(index, 0, size))))
        greater = f"{value} > {best} || ({value} != {value} && {best} == {best})"
        k.line(f"if ({greater}) {{ {best} = {value}; {place} = {index}; }}", id)
    return place


REDUCTIONS: dict[str, Fragment] = {
    "sum": _reduce,
    "peak": _reduce,
    "cumsum": _cumsum,
    "argmax": _argmax,
    "product": _product,
    "sum_time": _sum_over,
    "sum_batch": _sum_over,
}
