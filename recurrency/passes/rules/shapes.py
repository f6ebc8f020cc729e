"""Rules of simplification for shapes, pieces and products."""

from __future__ import annotations

from math import prod

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.passes.rewriting import Rule, filled, known, made_by, number, rows


def of_zero(graph: Graph, node: Node) -> Value | None:
    """f(0) = 0, for linear f."""
    return filled(graph, 0.0, node.type) if number(graph, node.args[0]) == 0 else None


def of_number(graph: Graph, node: Node) -> Value | None:
    """Equal elements stay equal in another shape."""
    value = number(graph, node.args[0])
    return filled(graph, value, node.type) if value is not None else None


def no_change(graph: Graph, node: Node) -> Value | None:
    """The result is the argument if it has the same shape."""
    same = graph[node.args[0]].type.shape == node.type.shape
    return graph.value(node.args[0]) if same else None


def transpose(graph: Graph, node: Node) -> Value | None:
    """(x')' = x, two orders of axes are one, and x' = x for vectors."""
    rank = len(node.type.shape)
    if rank < 2:
        return graph.value(node.args[0])
    inner = made_by(graph, node.args[0], "transpose")
    if inner is None:
        return None
    first, second = (n.attrs.get("axes") or tuple(reversed(range(rank))) for n in (inner, node))
    return graph.value(inner.args[0]).transpose(tuple(first[axis] for axis in second))


def reshape(graph: Graph, node: Node) -> Value | None:
    """reshape(reshape(x)) = reshape(x): only the last shape counts."""
    inner = made_by(graph, node.args[0], "reshape")
    return graph.value(inner.args[0]).reshape(*node.type.shape) if inner else None


def expand(graph: Graph, node: Node) -> Value | None:
    """expand(expand(x)) = expand(x), along all axes at once."""
    inner = made_by(graph, node.args[0], "expand")
    if inner is None:
        return None
    outer = node.attrs["axes"]
    rest = [axis for axis in range(len(node.type.shape)) if axis not in outer]
    axes = tuple(sorted((*outer, *(rest[axis] for axis in inner.attrs["axes"]))))
    return graph.value(inner.args[0]).expand(axes, tuple(node.type.shape[axis] for axis in axes))


def sum_sum(graph: Graph, node: Node) -> Value | None:
    """A sum over some axes and then over others is one sum."""
    inner = made_by(graph, node.args[0], "sum")
    if inner is None:
        return None
    source = graph.value(inner.args[0])
    rest = [axis for axis in range(len(source.type.shape)) if axis not in inner.attrs["axes"]]
    axes = (*inner.attrs["axes"], *(rest[axis] for axis in node.attrs["axes"]))
    return source.reduce("sum", tuple(sorted(axes)))


def sum_negative(graph: Graph, node: Node) -> Value | None:
    """sum(-x) = -sum(x): the sign is changed once, where it may meet another."""
    inner = made_by(graph, node.args[0], "negative")
    return -graph.value(inner.args[0]).reduce("sum", node.attrs["axes"]) if inner else None


def sum_expand(graph: Graph, node: Node) -> Value | None:
    """The sum over a repetition is a multiple; the peak over it is the value itself."""
    inner = made_by(graph, node.args[0], "expand")
    if inner is None or not set(node.attrs["axes"]) & set(inner.attrs["axes"]):
        return None
    gone, new = set(node.attrs["axes"]), dict(zip(inner.attrs["axes"], inner.attrs["sizes"], strict=True))
    value = graph.value(inner.args[0])
    old = [axis for axis in range(len(inner.type.shape)) if axis not in new]
    over = tuple(old.index(axis) for axis in sorted(gone - set(new)))
    value = value.reduce(node.op.name, over) if over else value
    if Trait.LINEAR in node.op.traits:
        value = _times(value, [new[axis] for axis in sorted(gone & set(new))])
    kept = [axis for axis in sorted(new) if axis not in gone]
    axes = tuple(axis - sum(g < axis for g in gone) for axis in kept)
    return value.expand(axes, tuple(new[axis] for axis in kept)) if kept else value


def _times(value: Value, sizes: list[Dim]) -> Value:
    """A value times the product of some sizes; a size named after a clock is its number of steps."""
    factor = prod(size for size in sizes if isinstance(size, int))
    for clock in (size for size in sizes if isinstance(size, str)):
        value = value * value.graph.add("length", attrs={"clock": clock})
    return value * float(factor)


def slice_slice(graph: Graph, node: Node) -> Value | None:
    """x[a:b][c:d] = x[a + c : a + d]."""
    inner = made_by(graph, node.args[0], "slice")
    if inner is None:
        return None
    start = inner.attrs["start"]
    return graph.value(inner.args[0]).slice(start + node.attrs["start"], start + node.attrs["stop"])


def slice_expand(graph: Graph, node: Node) -> Value | None:
    """A piece of a repetition is a smaller repetition, or a repetition of a smaller piece."""
    inner = made_by(graph, node.args[0], "expand")
    if inner is None:
        return None
    axes, sizes, value = inner.attrs["axes"], inner.attrs["sizes"], graph.value(inner.args[0])
    if axes[0] == 0:
        return value.expand(axes, (node.type.shape[0], *sizes[1:]))
    return value.slice(**node.attrs).expand(axes, sizes)


def slice_parts(graph: Graph, node: Node) -> Value | None:
    """A piece of a concatenation (or of a padded value) needs only the parts that it overlaps."""
    inner = graph[node.args[0]]
    start, stop = node.attrs["start"], node.attrs["stop"]
    if Trait.JOINS not in inner.op.traits or not known(start, stop, inner.type.shape[0]):
        return None
    pieces = [(max(a, start), min(b, stop), a, part) for a, b, part in parts(graph, inner) if a < stop and b > start]
    if len(pieces) == (len(inner.args) if Trait.TILES in inner.op.traits else 3) or not pieces:
        return None
    out = []
    for a, b, origin, part in pieces:
        zero = Type(Kind.STATIC, (b - a, *node.type.shape[1:]))
        out.append(filled(graph, 0.0, zero) if part is None else graph.value(part).slice(a - origin, b - origin))
    return out[0] if len(out) == 1 else graph.add("concat", [v.id for v in out])


def parts(graph: Graph, node: Node) -> list[tuple[int, int, int | None]]:
    """Start, end and value (None: zeros) of the parts of a `concat` or a `pad`."""
    if Trait.TILES not in node.op.traits:
        start, size = node.attrs["start"], node.attrs["size"]
        end = start + rows(graph[node.args[0]])
        found = [(0, start, None), (start, end, node.args[0]), (end, size, None)]
        return [part for part in found if part[0] < part[1]]
    out: list[tuple[int, int, int | None]] = []
    for arg in node.args:
        start = out[-1][1] if out else 0
        out.append((start, start + rows(graph[arg]), arg))
    return out


def concat(graph: Graph, node: Node) -> Value | None:
    """Nested concatenations become one, and neighbouring slices of one value, or equal numbers, are joined."""
    nested = [graph[arg].args if Trait.TILES in graph[arg].op.traits else (arg,) for arg in node.args]
    flat = [arg for args in nested for arg in args]
    out: list[Value] = []
    for arg in flat:
        joined = _joined(graph, out[-1].id, arg) if out else None
        out[-1:] = [joined] if joined else [*out[-1:], graph.value(arg)]
    if len(out) == 1:
        return out[0]
    return graph.add("concat", [v.id for v in out]) if len(out) < len(node.args) or len(flat) > len(node.args) else None


def _joined(graph: Graph, left: int, right: int) -> Value | None:
    """Two neighbouring parts as one value."""
    a, b = graph[left], graph[right]
    pieces = Trait.ROWS in a.op.traits and a.op is b.op and a.args == b.args
    if pieces and a.attrs["stop"] == b.attrs["start"]:
        return graph.value(a.args[0]).slice(a.attrs["start"], b.attrs["stop"])
    value = number(graph, left)
    if value is None or number(graph, right) != value or not known(a.type.shape[0], b.type.shape[0]):
        return None
    kind, clock = max((n.type.kind, n.type.clock or "") for n in (a, b))
    return filled(graph, value, Type(kind, (rows(a) + rows(b), *a.type.shape[1:]), clock or None))


def pad_pad(graph: Graph, node: Node) -> Value | None:
    """pad(pad(x)) = pad(x)."""
    inner = made_by(graph, node.args[0], "pad")
    if inner is None:
        return None
    return graph.value(inner.args[0]).pad(node.attrs["start"] + inner.attrs["start"], node.attrs["size"])


def sum_of_pads(graph: Graph, node: Node) -> Value | None:
    """Padded values in a sum that do not overlap become one padded concatenation."""
    pads, sums = (sum(made_by(graph, arg, op) is not None for arg in node.args) for op in ("pad", "add"))
    if not pads and sums < 2:
        return None  # no more pads than in the sum that is a term of this one
    terms = _terms(graph, node)
    padded = [(term, made_by(graph, term, "pad")) for term in terms]
    placed = sorted((pad.attrs["start"], pad.args[0]) for _, pad in padded if pad is not None)
    if len(placed) < 2 or not known(node.type.shape[0], *(start for start, _ in placed)):
        return None
    stack: list[Value] = []
    first = end = placed[0][0]
    for start, part in placed:
        value = graph.value(part)
        if stack and start == end - rows(graph[part]) == end - rows(graph[stack[-1].id]):
            stack[-1] = stack[-1] + value
            continue
        if start < end:
            return None
        if start > end:
            stack.append(filled(graph, 0.0, Type(Kind.STATIC, (start - end, *node.type.shape[1:]))))
        stack.append(value)
        end = start + rows(graph[part])
    total = graph.add("concat", [v.id for v in stack]) if len(stack) > 1 else stack[0]
    total = total.pad(first, node.type.shape[0])
    for term, pad in padded:
        if pad is None:
            total = graph.value(term) + total
    return total


def _terms(graph: Graph, node: Node) -> list[int]:
    """The terms of a sum, including those of sums among them."""
    out: list[int] = []
    later = list(reversed(node.args))
    while later:
        id = later.pop()
        inner = made_by(graph, id, "add")
        if inner is None or len(out) + len(later) > 100:
            out.append(id)
        else:
            later += reversed(inner.args)
    return out


def product_of_zero(graph: Graph, node: Node) -> Value | None:
    """A product with zeros is zero."""
    return filled(graph, 0.0, node.type) if 0 in [number(graph, a) for a in node.args] else None


def elementwise_product(graph: Graph, node: Node) -> Value | None:
    """Products without a common axis to sum over are element-wise: of equal axes, or with a scalar."""
    left, out = node.attrs["spec"].split("->")
    first, second = left.split(",")
    a, b = graph.value(node.args[0]), graph.value(node.args[1])
    if {first, second} == {out} or {first, second} == {out, ""}:
        return a * b
    return None


def product_of_repetition(graph: Graph, node: Node) -> Value | None:
    """Axes along which a factor repeats are summed in the other factor, or repeated in the result."""
    letters = node.attrs["spec"].replace("->", ",").split(",")
    for position in (0, 1):
        inner = made_by(graph, node.args[position], "expand")
        if inner is None or len(set(letters[position])) < len(letters[position]):
            continue
        repeated = [letters[position][axis] for axis in inner.attrs["axes"]]
        sizes = dict(zip(repeated, inner.attrs["sizes"], strict=True))
        own, other, out = letters[position], letters[1 - position], letters[2]
        factor = graph.value(node.args[1 - position])
        summed = [x for x in repeated if x in other and x not in out]
        factor = factor.reduce("sum", tuple(sorted(other.index(x) for x in summed))) if summed else factor
        factor = _times(factor, [sizes[x] for x in repeated if x not in other and x not in out])
        new = [x for x in repeated if x not in other and x in out]
        names = [_without(own, repeated), _without(other, summed), _without(out, new)]
        spec = f"{names[position]},{names[1 - position]}->{names[2]}"
        pair = (graph.value(inner.args[0]), factor)
        value = pair[position].product(pair[1 - position], spec)
        return (
            value.expand(tuple(out.index(x) for x in sorted(new, key=out.index)), _sizes(out, new, sizes))
            if new
            else value
        )
    return None


def _without(letters: str, gone: list[str]) -> str:
    return "".join(x for x in letters if x not in gone)


def _sizes(out: str, new: list[str], sizes: dict[str, Dim]) -> tuple[Dim, ...]:
    return tuple(sizes[x] for x in sorted(new, key=out.index))


RULES: dict[str, tuple[Rule, ...]] = {
    "add": (sum_of_pads,),
    "transpose": (of_number, transpose),
    "reshape": (of_number, no_change, reshape),
    "expand": (no_change, expand),
    "sum": (sum_sum, sum_expand, sum_negative),
    "peak": (of_number, sum_expand),
    "slice": (of_number, no_change, slice_slice, slice_expand, slice_parts),
    "concat": (concat,),
    "pad": (of_zero, no_change, pad_pad),
    "take": (of_zero,),
    "put": (of_zero,),
    "product": (product_of_zero, elementwise_product, product_of_repetition),
}
