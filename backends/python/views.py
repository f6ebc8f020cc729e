"""Statements for views: most need none; some are copied, have their padding cleared, or get initial values."""

from __future__ import annotations

from recurrency.graph.graph import Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.before import Rows, rows_before
from recurrency.program.program import Place, View

from .frame import Frame


def write_view(f: Frame, id: int, node: Node) -> None:
    """Write the statements of a view, if it needs any."""
    if Trait.DELAYS in node.op.traits:
        if f.memory.loop is None:
            write_firsts(f, id)
            if id in f.program.copies:
                f.say(id, _into_rows(f, id))
        return
    if id in f.program.copies:
        _copy(f, id, node)
    if Trait.CLEANS in node.op.traits:
        _clean(f, id, node)


def write_late_copy(f: Frame, id: int) -> None:
    """At the end of a step, write what a delayed use with its own memory reads at a later step."""
    if Trait.DELAYS in f.graph[id].op.traits and id in f.program.copies:
        f.inner.append(_into_rows(f, id))


def _into_rows(f: Frame, id: int) -> str:
    rows = f.memory.array(Place(f.program.places[id].buffer, Kind.STREAM))
    return f.dialect.assign(rows, f.ref(f.graph[id].args[0]))


def _clean(f: Frame, id: int, node: Node) -> None:
    """Clear the padding of a value; neighbouring statements of this kind share one condition."""
    s = f.clocks[str(node.type.clock)]
    padding = f"padding{s}"
    if f.memory.loop is not None:
        padding = f.memory.stepped(f.dialect.step_padding.format(s=s))
    target = f.body if f.memory.loop is None else f.inner
    out = f.out(id)
    if next((line for line in reversed(target) if not line.startswith(" ")), "") != f"if ragged{s}:":
        target.append(f"if ragged{s}:")
    target.append(f"    {f.dialect.clear(out, padding, '0' if node.type.index is None else '-1')}")


def _copy(f: Frame, id: int, node: Node) -> None:
    arg = f.array(node.args[0])
    out = f.out(id)
    if Trait.DISPLACES in node.op.traits:
        out = f"{out}.swapaxes(0, 1)"
    elif Trait.SAME not in node.op.traits:
        rank = len(f.graph[node.args[0]].type.shape)
        arg, _ = f.memory.view(arg, View.of(node), f.lead_of(node.args[0]), rank, copies=True)
    f.say(id, f.dialect.assign(out, arg))


def write_firsts(f: Frame, id: int) -> None:
    """Write the initial values of a delayed use into the rows before the first step."""
    node, place = f.graph[id], f.program.places[id]
    for line in rows_before(f.graph, node, place.delay):
        if line.first is not None:
            for rows in f.filled.missing((place.buffer, place.views), line):
                _write_rows(f, id, rows, place)


def _write_rows(f: Frame, id: int, rows: Rows, place: Place) -> None:
    """Write one row, or several rows of a value that has an axis for them."""
    buffer = f.program.buffers[place.buffer]
    one, front = rows.start is None, buffer.front - rows.high
    text = f"{f.memory.base(buffer)}[{front}{'' if one else f':{buffer.front - rows.low + 1}'}]"
    rank = len(buffer.type.shape)
    for view in place.views:
        text, _ = f.memory.view(text, view, 1 if one else 2, rank)
        rank = len(view.shape)
    loop, f.memory.loop = f.memory.loop, None
    assert rows.first is not None
    value = f.ref(rows.first) if one else _line(f, rows)
    f.say(id, f.dialect.assign(text, value, indexed=text.endswith("]") and not place.views))
    f.memory.loop = loop


def _line(f: Frame, rows: Rows) -> str:
    """The rows of a value in the order of a stream: [rows, B, ...]."""
    assert rows.first is not None
    assert rows.start is not None
    literal = number(f.graph, rows.first)
    if literal is not None:
        return f.dialect.literal(f, literal)
    count, text = rows.high - rows.low + 1, f.ref(rows.first)
    some = "" if count == f.graph[rows.first].type.shape[0] else f"{rows.start}:{rows.start + count}"
    if f.kind(rows.first) is Kind.STATIC:
        return f"{text}[{some or ':'}, None]"
    return f"{text}[:, {some}].swapaxes(0, 1)" if some else f"{text}.swapaxes(0, 1)"
