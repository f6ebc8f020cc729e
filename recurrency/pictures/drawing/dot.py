"""Writes a sketch in the language of Graphviz, without a layout."""

from __future__ import annotations

from recurrency.pictures.sketching.sketch import Edge, Kind, Line, Node, Sketch

SHAPES = {
    Kind.INPUT: "shape=ellipse",
    Kind.OUTPUT: "shape=ellipse, style=bold",
    Kind.EQUATION: 'shape=box, style="rounded"',
    Kind.CELL: 'shape=box, style="rounded,bold"',
    Kind.DELAY: "shape=ellipse, style=dashed",
    Kind.FIRST: "shape=note, style=dotted",
}


def render_dot(sketch: Sketch) -> str:
    """The text of a `.dot` file; loops over time are clusters."""
    home = {id for loop in sketch.loops for id in loop.members}
    lines = [f"digraph {_quoted(sketch.name)} {{", "  rankdir=TB;"]
    lines += [f"  {_node(node)}" for id, node in sketch.nodes.items() if id not in home]
    for number, loop in enumerate(sketch.loops):
        title = _quoted(f"{loop.kind} recurrence")
        lines += [f"  subgraph cluster_{number} {{", f"    label={title};", "    style=rounded;"]
        lines += [f"    {_node(sketch.nodes[id])}" for id in loop.members]
        lines.append("  }")
    lines += [f"  {_edge(edge)}" for edge in sketch.edges]
    lines += [f"  {_edge(edge, 'constraint=false')}" for edge in sketch.feedback]
    return "\n".join([*lines, "}", ""])


def _node(node: Node) -> str:
    over = f"\nover {node.clock}" if node.clock not in (None, "t") and node.kind is Kind.INPUT else ""
    return f"{_quoted(node.id)} [label={_quoted(node.text + over)}, {SHAPES[node.kind]}];"


def _edge(edge: Edge, *more: str) -> str:
    words = [*([] if edge.line is Line.SOLID else [f"style={edge.line}"]), *more]
    options = f" [{', '.join(words)}]" if words else ""
    return f"{_quoted(edge.source)} -> {_quoted(edge.target)}{options};"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
