"""How what is not element-wise is written in NumPy: a row for each operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from recurrency.backends._numpy_masks import masked
from recurrency.backends._numpy_sums import product

from recurrency.graph.graph import Node
from recurrency.graph.types import Kind

if TYPE_CHECKING:
    from recurrency.backends._numpy_function import Function


def _input(f: Function, id: int, node: Node) -> None:
    wish = node.attrs["name"]
    wish = (node.name or f.memory.pieces.get(id) or wish) if wish.startswith("tape:") else wish
    name = f.names.new(wish)
    f.memory.bases[f.program.places[id].buffer] = name
    dtype = "real" if node.type.index is None else "np.intp"
    f.say(id, f"{name} = asarray(given[{node.attrs['name']!a}], {dtype})")
    if node.type.kind is Kind.STREAM and not node.attrs["name"].startswith("tape:"):
        s = f.clocks[str(node.type.clock)]
        f.body.append(f"if ragged{s}:")
        f.body.append(f"    {name} = clean({name}, padding{s}, {'0' if node.type.index is None else '-1'})")


def _param(f: Function, id: int, node: Node) -> None:
    """A view of the flat vector, made where it is first used."""


def _start(f: Function, id: int, node: Node) -> None:
    name = f.names.new(f"{node.attrs['name']}_start")
    default = f.names.new(f"{node.attrs['name']}_default")
    f.memory.bases[f.program.places[id].buffer] = name
    nothing, dtype = ("0", "real") if node.type.index is None else ("-1", "np.intp")
    f.memory.lines.append(f"{default} = full({f.memory.shape(node.type)}, {nothing}, {dtype})")
    f.memory.own.add(default)
    lines = [f"{name} = given.get({'start:' + node.attrs['name']!a})"]
    lines.append(f"{name} = {default} if {name} is None else asarray({name}, {dtype})")
    if node.args:
        lines += [f"if {name} is {default}:", f"    {name}[...] = {f.ref(node.args[0])}"]
    f.say(id, *lines)


def _unless_given(f: Function, id: int, node: Node) -> None:
    given = ascii("start:" + node.attrs["name"])
    f.say(id, f"{f.out(id)}[...] = {f.ref(node.args[0])} if given.get({given}) is None else 0.0")


def _eye(f: Function, id: int, node: Node) -> None:
    f.say(id, f"{f.out(id)}[...] = np.eye({node.attrs['size']})")


def _length(f: Function, id: int, node: Node) -> None:
    f.say(id, f"{f.out(id)}[...] = n{f.clocks[node.attrs['clock']]}")


def _batch(f: Function, id: int, node: Node) -> None:
    f.say(id, f"{f.out(id)}[...] = B")


def _random(f: Function, id: int, node: Node) -> None:
    a = node.attrs
    step = "0"
    if a["per"] == "step":
        before = f"np.asarray((offset or {{}}).get({node.type.clock!a}, 0))"
        step = f"arange({f.memory.steps(node.type.clock)})[:, None] + {before}"
    batch = "None" if node.type.kind is Kind.STATIC else "B"
    sizes = f"({''.join(f'{f.memory.size(d)}, ' for d in node.type.shape)})"
    numbers = f"{int(a['site'])}, {str(a['law'])!a}, {float(a['p'])!r}, {float(a.get('rest', 0.0))!r}"
    f.say(id, f"random({numbers}, {step}, {batch}, {sizes}, training, seed, {f.out(id)})")


def _product(f: Function, id: int, node: Node) -> None:
    f.say(id, product(f, node, node.type.kind, f.out(id), f.contiguous(id)))


def _reduce(f: Function, id: int, node: Node) -> None:
    ufunc, nothing = {"sum": ("add", "0"), "peak": ("maximum", "-inf")}[node.op.name]
    text = masked(f, node.args[0], node.attrs["axes"], nothing)
    kind = f.graph[node.args[0]].type.kind if "masked(" in text else f.kind(node.args[0])
    lead = f.lead(kind)
    axes = ", ".join(str(lead + axis) for axis in node.attrs["axes"])
    call = f"{ufunc}.reduce({text}, ({axes},)"
    if kind is f.kind(id):
        f.say(id, f"{call}, None, {f.out(id)})")
    else:
        f.say(id, f"{f.out(id)}[...] = {call})")


def _softmax(f: Function, id: int, node: Node) -> None:
    last = node.type.shape[-1]
    padding = "None"
    if isinstance(last, str):
        s = f.clocks[last]
        axes = ", None" * (len(node.type.shape) - 1)
        padding = f"padding{s}.T[:{axes}] if ragged{s} else None"
    f.say(id, f"{node.op.name}({f.array(node.args[0])}, {padding}, {f.out(id)})")


def _concat(f: Function, id: int, node: Node) -> None:
    if f.program.buffers[f.program.places[id].buffer].home == "params":
        return
    start = node.attrs.get("start", 0)
    lead = ":, " * f.lead_of(id)
    size = node.type.shape[0]
    if node.op.name == "pad":
        end = start + f.graph[node.args[0]].type.shape[0]
        zeros = [(a, b) for a, b in ((0, start), (end, size)) if a != b]
        f.say(id, *(f"{f.out(id)}[{lead}{f.memory.size(a)}:{f.memory.size(b)}] = 0" for a, b in zeros))
    for arg in node.args:
        stop = start + f.graph[arg].type.shape[0]
        if not _in_place(f, id, arg, start):
            f.say(id, f"{f.out(id)}[{lead}{start}:{stop}] = {f.ref(arg)}")
        start = stop


def _in_place(f: Function, id: int, arg: int, start: int) -> bool:
    """Whether a part is computed where it belongs."""
    whole, part = f.program.places[id], f.program.places.get(arg)
    if part is None or part.buffer != whole.buffer or f.graph[arg].op.name in ("slice", "valid", "shift"):
        return False
    view = part.views[len(whole.views) :]
    return part.views[: len(whole.views)] == whole.views and len(view) == 1 and view[0].numbers[:1] == (start,)


def _take(f: Function, id: int, node: Node) -> None:
    x, index = node.args
    f.say(id, f"take({f.array(x)}, {f.array(index)}, {f.lead_of(x)}, {f.out(id)})")


def _put(f: Function, id: int, node: Node) -> None:
    x, index = node.args
    f.say(id, f"put({f.array(x)}, {f.array(index)}, {f.lead_of(id)}, {f.out(id)})")


def _pick(f: Function, id: int, node: Node) -> None:
    x = node.args[0]
    s = f.clocks[str(f.graph[x].type.clock)]
    nothing = "0" if node.type.index is None else "-1"
    f.say(id, f"pick({f.full(x)}, {node.attrs['step']}, n{s}, ragged{s}, {nothing}, {f.out(id)})")


def _place(f: Function, id: int, node: Node) -> None:
    x, s = node.args[0], f.clocks[node.attrs["clock"]]
    text = f.full(x)
    if f.graph[x].type.kind is Kind.STATIC:
        sizes = "".join(f"{f.memory.size(d)}, " for d in node.type.shape)
        text = f"np.broadcast_to({text}, (B, {sizes}))"
    f.say(id, f"place({text}, {node.attrs['step']}, n{s}, {f.out(id)})")


def _final(f: Function, id: int, node: Node) -> None:
    x, *firsts = node.args
    s = f.clocks[str(f.graph[x].type.clock)]
    given = "".join(f"{f.full(first)}, " for first in firsts)
    f.say(id, f"final({f.full(x)}, ({given}), {node.attrs['slot']}, n{s}, ragged{s}, {f.out(id)})")


def _if_length(f: Function, id: int, node: Node) -> None:
    n = f"n{f.clocks[node.attrs['clock']]}"
    f.say(id, f"{f.out(id)}[...] = {f.ref(node.args[0])}", f"{f.out(id)}[{n} != {node.attrs['length']}] = 0")


def _reverse(f: Function, id: int, node: Node) -> None:
    s = f.clocks[str(node.type.clock)]
    f.say(id, f"reverse({f.full(node.args[0])}, n{s}, ragged{s}, {f.out(id)})")


def _sum(f: Function, id: int, node: Node) -> None:
    inner = f.program.sums.get(id, node.args[0])
    summed = f.graph[inner]
    if inner not in f.program.places and summed.op.name != "put":
        f.say(id, product(f, summed, node.type.kind, f.out(id), f.contiguous(id)))
        return
    axes = "(0, 1)" if summed.type.kind - node.type.kind == 2 else "0"
    if inner not in f.program.places and summed.op.name == "put":
        _sum_put(f, id, inner, axes)
        return
    if axes == "(0, 1)" and len(node.type.shape) == 1 and f.contiguous(id):
        rows = f"{f.memory.steps(summed.type.clock)} * B"
        ones = f.constant(1.0, f"({rows},)")
        f.say(id, f"dot({ones}, {f.full(inner)}.reshape({rows}, {node.type.shape[0]}), {f.out(id)})")
        return
    f.say(id, f"add.reduce({f.full(inner)}, {axes}, None, {f.out(id)})")


def _sum_put(f: Function, id: int, inner: int, axes: str) -> None:
    """Add rows up where their indices say; not by way of a value of all rows at each step."""
    node = f.graph[inner]
    x, index = node.args
    if f.graph[id].type.kind is Kind.STATIC:
        lead = f.memory.shape(node.type).split(",")[: int(node.type.kind)]
        text = f"np.broadcast_to({f.array(index)}, ({', '.join(part.strip(' ()') for part in lead)},))"
        sizes = "".join(f"{f.memory.size(d)}, " for d in f.graph[x].type.shape)
        g = f"np.broadcast_to({f.array(x)}, ({', '.join(part.strip(' ()') for part in lead)}, {sizes}))"
        f.say(id, f"scatter({g}, {text}, {f.out(id)})")
        return
    wide = f.names.new("spread")
    f.say(
        id,
        f"{wide} = empty({f.memory.shape(node.type)}, real)",
        f"put({f.array(x)}, {f.array(index)}, {int(node.type.kind)}, {wide})",
        f"add.reduce({wide}, {axes}, None, {f.out(id)})",
    )


WRITERS: dict[str, Callable[[Function, int, Node], None]] = {
    "input": _input,
    "param": _param,
    "start": _start,
    "unless_given": _unless_given,
    "eye": _eye,
    "length": _length,
    "batch": _batch,
    "random": _random,
    "product": _product,
    "sum": _reduce,
    "peak": _reduce,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "concat": _concat,
    "pad": _concat,
    "take": _take,
    "put": _put,
    "pick": _pick,
    "place": _place,
    "final": _final,
    "if_length": _if_length,
    "reverse": _reverse,
    "sum_time": _sum,
    "sum_batch": _sum,
}
