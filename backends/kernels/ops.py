"""How kernels compute each operation: a table with the text of one element of its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf, nan, pi
from typing import TYPE_CHECKING

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Node
from recurrency.program.before import is_line
from recurrency.program.program import View

from .index import At, Ix, before_view, clock_name, extent, flat
from .reductions import REDUCTIONS
from .scalars import SCALAR_C

if TYPE_CHECKING:
    from .values import Body, Fragment

LAWS = {
    "keep": "({first} >= {threshold}u ? {kept} : {zero})",
    "bernoulli": "({first} < {threshold}u ? {one} : {zero})",
    "normal": f"({{real}})({{p!r}} * sqrt(-2.0 * log(({{first}} + 1) * {2.0**-24!r})) * "
    f"cos({{second}} * {2.0**-24 * 2.0 * pi!r}))",
    "gumbel": f"({{real}})(-{{p!r}} * log(-log(({{first}} + 0.5) * {2.0**-24!r})))",
}
"""How each distribution is made from two random numbers of 24 bits; see `recurrency.graph.draws`."""


def _elementwise(k: Body, id: int, node: Node, at: At) -> str:
    symbols = node.type.index is not None  # only `where` chooses between symbols
    of = [k.value if symbols and k.graph[a].type.index is not None else k.real for a in node.args]
    text: str = k.scalars.call(node.op.name, *(read(a, at) for read, a in zip(of, node.args, strict=True)))
    return text


def _view(k: Body, id: int, node: Node, at: At) -> str:
    """The element of the argument behind a view: slice, transpose, reshape, expand."""
    view = View.of(node)
    old = k.graph[node.args[0]].type.shape
    return k.value(node.args[0], at.to(*before_view(view.op, view.numbers, view.shape, old, at.idx)))


def _concat(k: Body, id: int, node: Node, at: At) -> str:
    """The element of the part that it is in, which is mostly known when the text is written."""
    parts: list[Part] = []
    start = int(node.attrs.get("start", 0))
    for arg in node.args:
        size = k.graph[arg].type.shape[0]
        if size != 0:
            parts.append((start, size, arg))
        start += size if isinstance(size, int) else 0
    return _part(k, node, at, parts, at.idx[0].interval or (-inf, inf))


Part = tuple[int, Dim, int]
"""Where a part begins, its size, and its node."""


def _part(k: Body, node: Node, at: At, parts: Sequence[Part], between: tuple[float, float]) -> str:
    """The element of the part that it is in, found by bisection; zero (or no symbol) beyond all parts.

    `between` is the range of the index, the end exclusive.
    """
    index, (low, high) = at.idx[0], between
    near = [p for p in parts if not isinstance(p[1], int) or (p[0] < high and low < p[0] + p[1])]
    if not near:
        return k.nothing(node)
    if len(near) > 1:
        half = len(near) // 2
        middle = near[half][0]
        return k.choose(
            f"{index} < {middle}",
            lambda: _part(k, node, at, near[:half], (low, middle)),
            lambda: _part(k, node, at, near[half:], (middle, high)),
            k.ctype(node),
        )
    start, size, arg = near[0]
    inner: Callable[[], str] = partial(k.value, arg, at.to(index.shifted(-start), *at.idx[1:]))
    if isinstance(size, int) and start <= low and high <= start + size:
        return inner()
    inside = f"{index} >= {start} && {index} < {start} + {extent(size)}"
    return k.choose(inside, inner, k.nothing(node), k.ctype(node))


def _take(k: Body, id: int, node: Node, at: At) -> str:
    x, index = node.args
    size = k.graph[x].type.shape[0]
    if size == 0:
        return k.nothing(node)
    row = _row(k, index, at)
    nothing = k.nothing(node)
    if node.type.index is None:  # beyond the last row no memory is read, and NaN shows the mistake
        nothing = f"({row} < 0 ? {nothing} : {k.scalars.literal(nan)})"
    inside = f"{row} >= 0 && {row} < {extent(size)}"
    return k.choose(inside, lambda: k.value(x, at.to(Ix(row, 0, size), *at.idx)), nothing, k.ctype(node))


def _row(k: Body, index: int, at: At) -> str:
    """A symbol as the number of a row."""
    return k.declare("row", f"(int){k.value(index, at.to())}", "int")


def _put(k: Body, id: int, node: Node, at: At) -> str:
    x, index = node.args
    row = _row(k, index, at)
    return k.choose(f"{row} == {at.idx[0]}", lambda: k.value(x, at.to(*at.idx[1:])), k.nothing(node))


def _frames(k: Body, id: int, node: Node, at: At) -> str:
    return k.value(node.args[0], At(str(at.idx[0]), at.b, at.idx[1:]))


def _unframes(k: Body, id: int, node: Node, at: At) -> str:
    return k.value(node.args[0], at.to(Ix(str(at.t), 0, str(node.type.clock)), *at.idx))


def _valid(k: Body, id: int, node: Node, at: At) -> str:
    inner = k.value(node.args[0], at)
    text = f"({at.t} < {k.length(node.type.clock, at)} ? {inner} : {k.nothing(node)})"
    k.cleaned[text] = inner
    return text


def _shift(k: Body, id: int, node: Node, at: At) -> str:
    """The value of another step; before the first step, an initial value or a row of the line of them."""
    x, delay = node.args[0], node.delay
    if delay < 0:
        there = f"({at.t} + {-delay})"
        inside = f"{there} < {k.steps(node.type.clock)}"
        return k.choose(inside, lambda: k.value(x, at.step(there)), k.nothing(node), k.ctype(node))
    return k.choose(
        f"{at.t} >= {delay}",
        lambda: k.value(x, at.step(f"({at.t} - {delay})")),
        lambda: _before(k, node, at),
        k.ctype(node),
    )


def _before(k: Body, node: Node, at: At) -> str:
    """What a delayed use reads before the first step."""
    if not is_line(k.graph, node):
        return _first(k, node, at, node.args[1:], str(at.t))
    return k.value(node.args[1], at.to(Ix(str(at.t), 0, node.delay), *at.idx))


def _first(k: Body, node: Node, at: At, firsts: Sequence[int], number: str) -> str:
    """The value with this number, counted from 0."""
    if not firsts:
        return k.nothing(node)
    if len(firsts) == 1:
        return k.value(firsts[0], at)
    rest = firsts[1:]
    return k.choose(
        f"{number} == 0",
        lambda: k.value(firsts[0], at),
        lambda: _first(k, node, at, rest, f"({number} - 1)"),
        k.ctype(node),
    )


def _at_step(k: Body, step: int, length: str) -> str:
    """The number of a step from a place in the sequence: 1 is the first step, -1 the last."""
    return k.declare("at", str(step - 1) if step > 0 else f"{length} - {-step}", "int")


def _pick(k: Body, id: int, node: Node, at: At) -> str:
    x = node.args[0]
    length = k.length(k.graph[x].type.clock, at)
    step = _at_step(k, node.attrs["step"], length)
    inside = f"{step} >= 0 && {step} < {length}"
    return k.choose(inside, lambda: k.value(x, at.step(step)), k.nothing(node), k.ctype(node))


def _place(k: Body, id: int, node: Node, at: At) -> str:
    length = k.length(node.attrs["clock"], at)
    step = _at_step(k, node.attrs["step"], length)
    inside = f"{step} == {at.t} && {at.t} < {length}"
    return k.choose(inside, lambda: k.value(node.args[0], at), k.nothing(node), k.ctype(node))


def _final(k: Body, id: int, node: Node, at: At) -> str:
    x, *firsts = node.args
    length = k.length(k.graph[x].type.clock, at)
    step = k.declare("at", f"{length} - {1 + node.attrs['slot']}", "int")
    return k.choose(
        f"{step} >= 0",
        lambda: k.value(x, at.step(step)),
        lambda: _first(k, node, at, firsts, f"(-1 - {step})"),
        k.ctype(node),
    )


def _history(k: Body, id: int, node: Node, at: At) -> str:
    """One of the last rows of a sequence, continued by the rows before it where it is shorter."""
    x, *before = node.args
    rows = int(node.attrs["rows"])
    there = k.declare("at", f"{at.idx[0]} + {k.length(k.graph[x].type.clock, at)}", "int")
    one = at.to(*at.idx[1:])
    return k.choose(
        f"{there} >= {rows}",
        lambda: k.value(x, one.step(f"({there} - {rows})")),
        (lambda: k.value(before[0], at.to(Ix(there, 0, rows), *at.idx[1:]))) if before else k.nothing(node),
        k.ctype(node),
    )


def _opening(k: Body, id: int, node: Node, at: At) -> str:
    x = node.args[0]
    inside = f"{at.idx[0]} < {k.length(k.graph[x].type.clock, at)}"
    step = str(at.idx[0])
    return k.choose(inside, lambda: k.value(x, at.to(*at.idx[1:]).step(step)), k.nothing(node), k.ctype(node))


def _row_at(k: Body, node: Node, at: At, row: str, idx: tuple[Ix, ...], inside: str = "") -> str:
    """A row of the argument, or zero where there is none."""
    rows = k.graph[node.args[0]].type.shape[0]
    there = k.declare("at", row, "int")
    inside = f"{there} >= 0 && {there} < {extent(rows)}{inside}"
    return k.choose(inside, lambda: k.value(node.args[0], at.to(Ix(there, 0, rows), *idx)), k.nothing(node))


def _unhistory(k: Body, id: int, node: Node, at: At) -> str:
    rows = extent(k.graph[node.args[0]].type.shape[0])
    return _row_at(k, node, at, f"{at.t} + {rows} - {k.length(node.type.clock, at)}", at.idx)


def _unopening(k: Body, id: int, node: Node, at: At) -> str:
    return _row_at(k, node, at, str(at.t), at.idx, f" && {at.t} < {k.length(node.type.clock, at)}")


def _slide(k: Body, id: int, node: Node, at: At) -> str:
    by = f"{at.idx[0]} {'+' if node.attrs['by'] > 0 else '-'} {k.length(node.attrs['clock'], at)}"
    return _row_at(k, node, at, by, at.idx[1:])


def _reverse(k: Body, id: int, node: Node, at: At) -> str:
    length = k.length(node.type.clock, at)
    there = f"({length} - 1 - {at.t})"
    inside = f"{at.t} < {length}"
    return k.choose(inside, lambda: k.value(node.args[0], at.step(there)), k.nothing(node), k.ctype(node))


def _if_length(k: Body, id: int, node: Node, at: At) -> str:
    wanted = f"{k.length(node.attrs['clock'], at)} == {int(node.attrs['length'])}"
    return f"({wanted} ? {k.value(node.args[0], at)} : {k.nothing(node)})"


def _unless_given(k: Body, id: int, node: Node, at: At) -> str:
    given = k.source.memory.flag(node.attrs["name"])
    return f"({given} ? {k.nothing(node)} : {k.value(node.args[0], at)})"


def _eye(k: Body, id: int, node: Node, at: At) -> str:
    return f"({k.scalars.real})({at.idx[0]} == {at.idx[1]})"


def _array(k: Body, id: int, node: Node, at: At) -> str:
    return f"{k.source.fixed_array(node.attrs['of'])}[{flat(at.idx, node.type.shape)}]"


def _length(k: Body, id: int, node: Node, at: At) -> str:
    return f"({k.scalars.real}){k.length(node.attrs['clock'], at)}"


def _batch(k: Body, id: int, node: Node, at: At) -> str:
    return f"({k.scalars.real})B"


def _random(k: Body, id: int, node: Node, at: At) -> str:
    """A random number while training, else the constant that replaces it; of some, always a random number."""
    if node.attrs.get("always"):
        return _drawn(k, node, at)
    return k.choose("training", lambda: _drawn(k, node, at), k.scalars.literal(float(node.attrs.get("rest", 0.0))))


def _drawn(k: Body, node: Node, at: At) -> str:
    attrs, s = node.attrs, k.scalars
    step = "0"
    if attrs["per"] == "step":
        step = f"(unsigned int)({at.t} + before_{clock_name(node.type.clock)}[{at.b}])"
    sequence = f"(unsigned int){at.b}" if at.b is not None else "0"
    element = flat(at.idx, node.type.shape, lambda size: k.bound(size, at))
    first, second = k.names.new("first"), k.names.new("second")
    k.line(f"unsigned int {first}, {second};")
    k.line(f"philox({element}, {sequence}, {step}, {int(attrs['site'])}u, seed[0], &{first}, &{second});")
    p = float(attrs["p"])
    return LAWS[attrs["law"]].format(
        threshold=round(p * (1 << 24)),
        kept=s.literal(1.0 / (1.0 - p) if p < 1 else 0.0),
        zero=s.literal(0.0),
        one=s.literal(1.0),
        real=s.real,
        p=p,
        first=first,
        second=second,
    )


FRAGMENTS: dict[str, Fragment] = {
    **dict.fromkeys(SCALAR_C, _elementwise),
    **REDUCTIONS,
    "slice": _view,
    "transpose": _view,
    "reshape": _view,
    "expand": _view,
    "concat": _concat,
    "pad": _concat,
    "take": _take,
    "put": _put,
    "frames": _frames,
    "unframes": _unframes,
    "valid": _valid,
    "shift": _shift,
    "pick": _pick,
    "place": _place,
    "final": _final,
    "history": _history,
    "unhistory": _unhistory,
    "opening": _opening,
    "unopening": _unopening,
    "slide": _slide,
    "reverse": _reverse,
    "if_length": _if_length,
    "unless_given": _unless_given,
    "eye": _eye,
    "array": _array,
    "length": _length,
    "batch": _batch,
    "random": _random,
}
"""A row for each operation that is computed; inputs, parameters, initial states and numbers need none.

`lowering` replaces `softmax` and `log_softmax` before.
"""
