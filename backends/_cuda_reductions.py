"""Sums, peaks and products in device code: one thread computes one element of the result, in one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from recurrency.backends._cuda_index import At, Ix
from recurrency.backends._cuda_values import Body, Fragment

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Node
from recurrency.graph.types import Kind


def looped(k: Body, sizes: Sequence[Dim], at: At, start: str, inner: Callable[[list[Ix]], str], join: str) -> str:
    """What `join` makes of all elements along some axes; `{0}` there is what has been found, `{1}` the next."""
    name: str = k.names.new("total")
    k.line(f"{k.scalars.real} {name} = {start};")
    with ExitStack() as stack:
        idx = [Ix(stack.enter_context(k.loop("k", k.bound(size, at))), 0, size) for size in sizes]
        next_ = inner(idx)
        k.line(join.format(name, next_))
    return name


PLUS = "{0} += {1};"


def _reduce(k: Body, id: int, node: Node, at: At) -> str:
    x, axes = node.args[0], node.attrs["axes"]
    shape = k.graph[x].type.shape

    def element(found: list[Ix]) -> str:
        rest, inner = iter(at.idx), iter(found)
        return k.real(x, at.to(*(next(inner) if axis in axes else next(rest) for axis in range(len(shape)))))

    sizes = [shape[axis] for axis in range(len(shape)) if axis in axes]
    if node.op.name == "sum":
        return looped(k, sizes, at, k.scalars.literal(0.0), element, PLUS)
    greatest = "{0} = " + k.scalars.call("maximum", "{0}", "{1}") + ";"
    return looped(k, sizes, at, k.scalars.literal(float("-inf")), element, greatest)


def _product(k: Body, id: int, node: Node, at: At) -> str:
    left, out = node.attrs["spec"].split("->")
    sides = left.split(",")
    sizes: dict[str, Dim] = {}
    for letters, arg in zip(sides, node.args, strict=True):
        sizes |= dict(zip(letters, k.graph[arg].type.shape, strict=True))
    summed = [letter for letter in sizes if letter not in out]

    def element(found: list[Ix]) -> str:
        where = {**dict(zip(out, at.idx, strict=True)), **dict(zip(summed, found, strict=True))}
        a, b = (k.real(arg, at.to(*(where[c] for c in letters))) for letters, arg in zip(sides, node.args, strict=True))
        return f"{a} * {b}"

    if not summed:
        return element([])
    return looped(k, [sizes[letter] for letter in summed], at, k.scalars.literal(0.0), element, PLUS)


def summed_over(k: Body, id: int, node: Node, at: At) -> tuple[int, bool, bool]:
    """What a sum over steps or sequences sums, and whether it sums over steps, over sequences."""
    inner = k.program.sums.get(id, node.args[0])
    above = k.graph[inner].type.kind
    return inner, above is Kind.STREAM and node.type.kind < Kind.STREAM, node.type.kind is Kind.STATIC


def _sum_over(k: Body, id: int, node: Node, at: At) -> str:
    """A sum over the steps of each sequence, over all sequences, or over both."""
    inner, over_time, over_batch = summed_over(k, id, node, at)
    name: str = k.names.new("total")
    k.line(f"{k.scalars.real} {name} = {k.scalars.literal(0.0)};")
    with ExitStack() as stack:
        b = stack.enter_context(k.loop("b", "B")) if over_batch else at.b
        t = None
        if over_time:
            clock = k.graph[inner].type.clock
            t = stack.enter_context(k.loop("t", k.length(clock, At(None, b))))
        k.line(f"{name} += {k.real(inner, At(t, b, at.idx))};")
    return name


REDUCTIONS: dict[str, Fragment] = {
    "sum": _reduce,
    "peak": _reduce,
    "product": _product,
    "sum_time": _sum_over,
    "sum_batch": _sum_over,
}
