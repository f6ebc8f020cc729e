"""Optional inputs: one that is left out is empty, and something else takes its place."""

from __future__ import annotations

from onnx import helper

from .writer import Tensor


def unless_empty(given: Tensor, shape: Tensor, otherwise: Tensor) -> Tensor:
    """An input of this shape; if it has no elements, another value of this shape.

    An input of another size is an error when the graph runs: it can't get this shape.
    """
    w = given.writer
    empty = w("Equal", given.apply("Size"), w.scalar(0))
    names = [w.names.new("declared"), w.names.new("given")]
    nodes = [
        helper.make_node("Identity", [otherwise.name], [names[0]], name=names[0]),
        helper.make_node("Reshape", [given.name, shape.name], [names[1]], name=names[1], allowzero=1),
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in names]
    branches = [helper.make_graph([node], node.name, [], [output]) for node, output in zip(nodes, outputs, strict=True)]
    return w("If", empty, then_branch=branches[0], else_branch=branches[1])


def checked_lengths(lengths: Tensor, steps: Tensor) -> Tensor:
    """The same lengths; those below 0 or above the number of steps are an error when the graph runs.

    The lengths are looked up in 0 ... T, and what is left of the steps too: no index may be outside.
    """
    w = lengths.writer
    known = w("Range", w.scalar(0), (steps + w.whole(1)).apply("Squeeze"), w.scalar(1))
    looked = w("Gather", known, lengths)
    return w("Min", looked, steps - w("Gather", known, steps - lengths))
