"""Statements for operations that are not element-wise: a row for each."""

from __future__ import annotations

from collections.abc import Callable

from recurrency.graph.cost import whole
from recurrency.graph.graph import Node
from recurrency.graph.op import Trait
from recurrency.graph.roots import START, TAPE
from recurrency.graph.types import Kind
from recurrency.program.program import View

from .dialect import listed
from .frame import Frame
from .masks import masked
from .product_statements import product
from .products import Call


def _input(f: Frame, id: int, node: Node) -> None:
    wish = node.attrs["name"]
    wish = (node.name or f.memory.pieces.get(id) or wish) if TAPE.has(wish) else wish
    name = f.names.new(wish)
    f.memory.bases[f.program.places[id].buffer] = name
    given = f"given[{node.attrs['name']!a}]"
    f.say(id, f"{name} = {f.dialect.given(given, node.type.index is not None)}")
    if node.type.kind is Kind.STREAM and not TAPE.has(node.attrs["name"]):
        s = f.clocks[str(node.type.clock)]
        f.body.append(f"if ragged{s}:")
        f.body.append(f"    {name} = fill_padding({name}, padding{s}, {'0' if node.type.index is None else '-1'})")


def _param(f: Frame, id: int, node: Node) -> None:
    """Nothing: views of the flat vector are made where they are first used."""


def _start(f: Frame, id: int, node: Node) -> None:
    name = f.names.new(f"{node.attrs['name']}_start")
    default = f.names.new(f"{node.attrs['name']}_default")
    f.memory.bases[f.program.places[id].buffer] = name
    index = node.type.index is not None
    f.memory.define(default, f.dialect.full(f.memory.shape(node.type), "-1" if index else "0", index), "kept")
    lines = [f"{name} = given.get({START.of(node.attrs['name'])!a})"]
    lines.append(f"{name} = {default} if {name} is None else {f.dialect.given(name, index)}")
    if node.args:
        lines += [f"if {name} is {default}:", f"    {f.dialect.assign(name, f.ref(node.args[0]))}"]
    f.say(id, *lines)


def _unless_given(f: Frame, id: int, node: Node) -> None:
    given = ascii(START.of(node.attrs["name"]))
    value = f"{f.ref(node.args[0])} if given.get({given}) is None else {f.dialect.literal(f, 0.0)}"
    f.say(id, f.dialect.assign(f.out(id), value))


def _eye(f: Frame, id: int, node: Node) -> None:
    f.say(id, f.dialect.assign(f.out(id), f.dialect.eye.format(node.attrs["size"])))


def _array(f: Frame, id: int, node: Node) -> None:
    f.say(id, f.dialect.assign(f.out(id), f.fixed_array(node.attrs["of"])))


def _length(f: Frame, id: int, node: Node) -> None:
    f.say(id, f.dialect.assign(f.out(id), f"n{f.clocks[node.attrs['clock']]}"))


def _batch(f: Frame, id: int, node: Node) -> None:
    f.say(id, f.dialect.assign(f.out(id), "B", number=True))


def _random(f: Frame, id: int, node: Node) -> None:
    a = node.attrs
    step = "0"
    if a["per"] == "step":
        step = f.dialect.steps_before.format(T=f.memory.steps(node.type.clock), clock=ascii(node.type.clock))
    batch = "None" if node.type.kind is Kind.STATIC else "B"
    sizes = f"({''.join(f'{f.memory.size(d)}, ' for d in node.type.shape)})"
    numbers = f"{int(a['site'])}, {str(a['law'])!a}, {float(a['p'])!r}, {float(a.get('rest', 0.0))!r}"
    training = "True" if a.get("always") else "training"
    f.say(id, f"random({numbers}, {step}, {batch}, {sizes}, {training}, seed, {f.out(id)})")


def _product(f: Frame, id: int, node: Node) -> None:
    f.say(id, product(f, node, id))


def _reduce(f: Frame, id: int, node: Node) -> None:
    nothing = {"sum": "0", "peak": "-inf"}[node.op.name]
    text, kind = masked(f, node.args[0], node.attrs["axes"], nothing)
    lead = f.lead(kind)
    axes = ", ".join(str(lead + axis) for axis in node.attrs["axes"])
    f.say(id, f.dialect.reduced(node.op.name, text, f"({axes},)", f.out(id), kind is f.kind(id)))


def _softmax(f: Frame, id: int, node: Node) -> None:
    last = node.type.shape[-1]
    padding = "None"
    if isinstance(last, str):
        s = f.clocks[last]
        axes = ", None" * (len(node.type.shape) - 1)
        padding = f"padding{s}.T[:{axes}] if ragged{s} else None"
    f.say(id, f"{node.op.name}({f.array(node.args[0])}, {padding}, {f.out(id)})")


def _cumsum(f: Frame, id: int, node: Node) -> None:
    axis = -len(node.type.shape)
    f.say(id, f"cumsum({f.array(node.args[0])}, {axis}, {node.attrs['back']}, {f.out(id)})")


def _argmax(f: Frame, id: int, node: Node) -> None:
    f.say(id, f"argmax({f.array(node.args[0])}, {f.out(id)})")


def _concat(f: Frame, id: int, node: Node) -> None:
    if f.program.buffers[f.program.places[id].buffer].home == "params":
        return
    start = node.attrs.get("start", 0)
    lead = ":, " * f.lead_of(id)
    size = node.type.shape[0]
    if Trait.TILES not in node.op.traits:
        end = start + f.graph[node.args[0]].type.shape[0]
        zeros = [(a, b) for a, b in ((0, start), (end, size)) if a != b]
        gaps = [f"{f.out(id)}[{lead}{f.memory.size(a)}:{f.memory.size(b)}]" for a, b in zeros]
        f.say(id, *(f.dialect.assign(gap, "0", indexed=True, number=True) for gap in gaps))
    for arg in node.args:
        stop = start + f.graph[arg].type.shape[0]
        if not _in_place(f, id, arg, start):
            piece = f"{f.out(id)}[{lead}{start}:{stop}]"
            piece = f.memory.derived(piece) if f.dialect.hoists else piece
            f.say(id, f.dialect.assign(piece, f.ref(arg), indexed=True))
        start = stop


def _in_place(f: Frame, id: int, arg: int, start: int) -> bool:
    """Whether a part is computed at its place in the whole; views are not, because they may show another step."""
    shape = f.graph[arg].type.shape
    there = View("slice", shape, (start, start + whole(shape[0])))
    return Trait.VIEW not in f.graph[arg].op.traits and f.program.places.get(arg) == f.program.places[id].then(there)


def _take(f: Frame, id: int, node: Node) -> None:
    x, index = node.args
    f.say(id, f"take({f.array(x)}, {f.array(index)}, {f.lead_of(x)}, {f.out(id)})")


def _put(f: Frame, id: int, node: Node) -> None:
    x, index = node.args
    f.say(id, f"put({f.array(x)}, {f.array(index)}, {f.lead_of(id)}, {f.out(id)})")


def _pick(f: Frame, id: int, node: Node) -> None:
    x = node.args[0]
    s = f.clocks[str(f.graph[x].type.clock)]
    nothing = "0" if node.type.index is None else "-1"
    f.say(id, f"pick({f.full(x)}, {node.attrs['step']}, n{s}, ragged{s}, {nothing}, {f.out(id)})")


def _place(f: Frame, id: int, node: Node) -> None:
    x, s = node.args[0], f.clocks[node.attrs["clock"]]
    text = f.full(x)
    if f.graph[x].type.kind is Kind.STATIC:
        sizes = "".join(f"{f.memory.size(d)}, " for d in node.type.shape)
        text = f.dialect.spread(text, f"(B, {sizes})")
    f.say(id, f.dialect.place.format(x=text, step=node.attrs["step"], s=s, out=f.out(id)))


def _final(f: Frame, id: int, node: Node) -> None:
    x, *firsts = node.args
    s = f.clocks[str(f.graph[x].type.clock)]
    initial = listed([f.full(first) for first in firsts])
    f.say(id, f"final({f.full(x)}, ({initial}), {node.attrs['slot']}, n{s}, ragged{s}, {f.out(id)})")


def _across(f: Frame, id: int, node: Node) -> None:
    """Operations that move rows of a value to steps, or steps to rows."""
    x, clock = node.args[0], node.attrs.get("clock") or f.graph[node.args[0]].type.clock
    s, others = f.clocks[str(clock)], [str(node.attrs["by"])] if "by" in node.attrs else []
    if node.op.arity is None:  # rows from before the first step
        others = [f.full(node.args[1]) if len(node.args) > 1 else "None"]
    given = ", ".join([f.full(x), *others, f.memory.steps(clock), f"n{s}", f"ragged{s}", f.out(id)])
    f.say(id, f"{node.op.name}({given})")


def _if_length(f: Frame, id: int, node: Node) -> None:
    s, length = f.clocks[node.attrs["clock"]], node.attrs["length"]
    lines = f.dialect.if_length
    f.say(id, *(line.format(x=f.ref(node.args[0]), length=length, s=s, out=f.out(id)) for line in lines))


def _reverse(f: Frame, id: int, node: Node) -> None:
    s = f.clocks[str(node.type.clock)]
    f.say(id, f"reverse({f.full(node.args[0])}, n{s}, ragged{s}, {f.out(id)})")


def _sum(f: Frame, id: int, node: Node) -> None:
    inner = f.program.sums.get(id, node.args[0])
    summed = f.graph[inner]
    hidden = inner not in f.program.places and Trait.ADDS_UP in summed.op.traits  # literals have no place either
    if hidden and Trait.MULTIPLIES in summed.op.traits:
        f.say(id, product(f, summed, id))
        return
    axes = "(0, 1)" if summed.type.kind - node.type.kind == 2 else "0"
    if hidden:
        _sum_put(f, id, inner, axes)
        return
    if axes == "(0, 1)" and len(node.type.shape) == 1 and f.contiguous(id):
        rows = f"{f.memory.steps(summed.type.clock)} * B"
        ones = f.constant(1.0, f"({rows},)")
        matrix = f"{f.full(inner)}.reshape({rows}, {node.type.shape[0]})"
        f.say(id, f.dialect.product(f, Call("dot", ones, matrix, f.out(id), axes=(1, 2))))
        return
    f.say(id, f.dialect.reduced("sum", f.full(inner), axes, f.out(id)))


def _sum_put(f: Frame, id: int, inner: int, axes: str) -> None:
    """Add rows to the rows that their indices name, without a table of all rows at each step."""
    node = f.graph[inner]
    x, index = node.args
    if f.graph[id].type.kind is Kind.STATIC:
        parts = f.memory.shape(node.type).split(",")[: int(node.type.kind)]
        lead = ", ".join(part.strip(" ()") for part in parts)
        text = f.dialect.spread(f.array(index), f"({lead},)")
        sizes = "".join(f"{f.memory.size(d)}, " for d in f.graph[x].type.shape)
        g = f.dialect.spread(f.array(x), f"({lead}, {sizes})")
        f.say(id, f"scatter_add({g}, {text}, {f.out(id)})")
        return
    wide = f.names.new("spread")
    f.say(
        id,
        f"{wide} = {f.dialect.empty(f.memory.shape(node.type), here=True)}",
        f"put({f.array(x)}, {f.array(index)}, {int(node.type.kind)}, {wide})",
        f.dialect.reduced("sum", wide, axes, f.out(id)),
    )


WRITERS: dict[str, Callable[[Frame, int, Node], None]] = {
    "input": _input,
    "param": _param,
    "start": _start,
    "unless_given": _unless_given,
    "eye": _eye,
    "array": _array,
    "length": _length,
    "batch": _batch,
    "random": _random,
    "product": _product,
    "sum": _reduce,
    "peak": _reduce,
    "cumsum": _cumsum,
    "argmax": _argmax,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "concat": _concat,
    "pad": _concat,
    "take": _take,
    "put": _put,
    "pick": _pick,
    "place": _place,
    "final": _final,
    **dict.fromkeys(("history", "unhistory", "opening", "unopening", "slide"), _across),
    "if_length": _if_length,
    "reverse": _reverse,
    "sum_time": _sum,
    "sum_batch": _sum,
}
