"""Names for arrays: the user's own name, or one derived from a value that the array belongs to."""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node
from recurrency.program.layout import Layout
from recurrency.program.program import Place, Program


def hints(program: Program) -> dict[Place, str]:
    """The user's name for each place that has one."""
    hints: dict[Place, str] = {}
    for id, place in program.places.items():
        name = _name(program.graph, id)
        if name:
            hints.setdefault(place, name)
    return hints


def later(program: Program) -> dict[int, str]:
    """The first of the user's names among the values that a buffer holds, or that reuse its memory."""
    out: dict[int, str] = {}
    for id, place in program.places.items():
        root = program.buffers[place.buffer]
        while root.same is not None:
            root = program.buffers[root.same]
        if program.graph[id].name and not place.views:
            out.setdefault(root.id, program.graph[id].name)
    return out


def within(node: Node) -> str:
    """A part of an equation, named after what the equation defines: `c_multiply`."""
    head, equals, _ = node.span.text.partition("=") if node.span is not None else ("", "", "")
    whole = head.strip()
    return f"{whole}_{node.op.name}" if equals and whole.isidentifier() and node.op.elementwise else node.op.name


def pieces(graph: Graph) -> dict[int, str]:
    """A name for each unnamed value whose pieces have names: `i_f_o`."""
    names: dict[int, dict[str, int]] = {}
    for id in graph.order():
        node = graph[id]
        if node.op.name == "slice" and node.name and not graph[node.args[0]].name:
            names.setdefault(node.args[0], {})[node.name] = node.attrs["start"]
    return {id: "_".join(sorted(found, key=found.__getitem__)[:4]) for id, found in names.items()}


def parameters_at(layout: Layout, start: int, end: int) -> str:
    """The names of the parameters in a piece of the flat vector: `W_z_W_r`, the first four of them."""
    found = sorted((offset, name) for name, (offset, _) in layout.entries.items() if start <= offset < end)
    return "_".join(name for _, name in found[:4])


def _name(graph: Graph, id: int) -> str:
    node = graph[id]
    if node.name or not node.args:
        return node.name
    inner = (
        _name(graph, node.args[0]) if node.op.name in ("shift", "valid", "spread", "transpose") and node.args else ""
    )
    if inner and node.op.name == "shift":
        return f"{inner}_{'before' if node.delay > 0 else 'after'}"
    return f"{inner}_T" if inner and node.op.name == "transpose" else inner
