"""Reads recurrent operators from `.onnx` files: `LSTM`, `GRU` and `RNN` nodes whose weights are constants.

No other file is opened: weights outside the file are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.convert.onnx_constants import Constants
from recurrency.convert.onnx_nodes import OPERATORS, layer_of, title
from recurrency.convert.stacks import Stack, chosen
from recurrency.convert.translating import from_stack
from recurrency.errors import UsageError
from recurrency.extras import install
from recurrency.graph.op import Array

GREATEST_FILE = 2**31
"""Bound on a file, in bytes; Protocol Buffers have the same."""
IDENTITIES = {"Identity", "Dropout", "Cast"}
"""Operators between layers that change no number (dropout is off when a trained model is used)."""


def from_onnx(target: Any, model: Any, layer: str | None = None, **dimensions: Any) -> dict[str, Array]:
    """The parameters of a cell from the `LSTM`, `GRU` or `RNN` nodes of an ONNX model.

    `target` is a spec, a compiled model or a module of one; `model` the path of a file, its bytes, or an
    `onnx.ModelProto`. `layer` names one node (by its name, or by that of its first output if it has none); by default
    all are matched together, each reading the one before. Dimensions are given as in `from_torch`.

    Gates, biases, peepholes, activations, `linear_before_reset` and directions are those of the node. Constant
    initial states become the trained ones of the cell (`state h : [H] ~ zeros`).

    Returns: arrays by the names of the spec, for `Model.pack`.

    Raises:
        UsageError: the cells differ (the message says where), the weights are no constants, or no cell equals the node.
    """
    return from_stack(target, read(model, layer), dimensions)


def read(model: Any, layer: str | None = None) -> Stack:
    """The node with this name, or all recurrent nodes where each reads the one before."""
    graph, name = _graph(model)
    graph = Graph(graph)
    nodes = [node for node in graph.nodes if node.op_type in OPERATORS]
    if layer is not None:
        nodes = [node for node in nodes if title(node) == layer] or nodes
    found = [layer_of(node, graph) for node in nodes]
    return chosen(found, all(graph.reads(above, below) for below, above in pairwise(nodes)), layer, name)


def _graph(model: Any) -> tuple[Any, str]:
    """The graph of a model, and its name in messages."""
    try:
        import onnx
    except ImportError:
        raise UsageError(f"files of ONNX need it: {install('onnx')}") from None
    if isinstance(model, onnx.ModelProto):
        return model.graph, "the model"
    name = str(model) if isinstance(model, str | Path) else "the model"
    try:
        data = _bytes(Path(model)) if isinstance(model, str | Path) else bytes(model)
        return onnx.load_model_from_string(data).graph, name
    except OSError as error:
        raise UsageError(f"{name} can't be read: {error.strerror or error}") from error
    except UsageError:
        raise
    except Exception as error:  # protobuf has several errors for damaged files
        raise UsageError(f"{name} can't be read as ONNX: {error}") from error


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > GREATEST_FILE:
        raise UsageError(f"{path} has more than {GREATEST_FILE} bytes")
    return path.read_bytes()


class Graph(Constants):
    """The nodes of a graph, who computes each value, and the constants."""

    def __init__(self, graph: Any) -> None:
        super().__init__(graph)
        self.nodes: Sequence[Any] = [node for node in graph.node if node.domain in ("", "ai.onnx")]

    def reads(self, above: Any, below: Any) -> bool:
        """Whether the input of a node is the output of another, with both directions side by side."""
        wanted, directions = below.output[0] if below.output else "", _directions(below)
        expected = [["Transpose", "Reshape"]] if directions == 2 else [["Squeeze"], ["Reshape"]]
        steps = list(self._path(above.input[0], wanted))
        kinds = [node.op_type for node in steps if node.op_type not in IDENTITIES]
        return bool(steps) and kinds in expected and all(self._joins(node, directions) for node in steps)

    def _path(self, name: str, wanted: str) -> Iterator[Any]:
        """The nodes from one value to another, each with a single input that counts; empty if there is no such path."""
        found: list[Any] = []
        for _ in range(len(self.nodes)):
            if name == wanted:
                yield from reversed(found)
                return
            node = self.makers.get(name)
            if node is None or node.op_type not in IDENTITIES | {"Transpose", "Reshape", "Squeeze"}:
                return
            found.append(node)
            name = node.input[0]

    def _joins(self, node: Any, directions: int) -> bool:
        """Whether a node between two layers keeps steps and sequences, and puts directions side by side."""
        options = {a.name: a for a in node.attribute}
        if node.op_type == "Transpose":
            return "perm" in options and list(options["perm"].ints) == [0, 2, 1, 3]
        if node.op_type == "Reshape":
            shape = self.constant(node.input[1])
            return shape is not None and shape.tolist()[:2] == [0, 0] and len(shape) == 3
        if node.op_type == "Squeeze":
            axes = self.constant(node.input[1]) if len(node.input) > 1 else np.array(options["axes"].ints)
            return axes is not None and axes.tolist() == [1]
        return True


def _directions(node: Any) -> int:
    return 2 if any(a.name == "direction" and a.s == b"bidirectional" for a in node.attribute) else 1
