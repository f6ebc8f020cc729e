"""Constants in the graph of an ONNX file: tensors, and what is cut and joined from them without any loop.

No other file is opened, and the size of each result is known before it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.graph.op import Array

GREATEST_ARRAY = 2**28
"""Bound on the elements of one array."""
GREATEST_DEPTH = 50
"""Bound on the nodes that make one constant from another."""


def _same(arrays: Sequence[Array]) -> int:
    return arrays[0].size


SIZES: Mapping[str, Callable[[Sequence[Array]], int]] = {
    **dict.fromkeys(("Identity", "Slice", "Squeeze", "Unsqueeze", "Transpose", "Reshape", "Neg"), _same),
    "Concat": lambda arrays: sum(array.size for array in arrays),
    "Expand": lambda arrays: prod(int(size) for size in arrays[1]) if len(arrays[1]) <= 8 else GREATEST_ARRAY + 1,
    **dict.fromkeys(("Add", "Sub", "Mul"), lambda arrays: prod(np.broadcast_shapes(*(a.shape for a in arrays)))),
}
"""The operators that make a constant of constants, and a bound on the elements of the result."""


class Constants:
    """The constants of a graph by name, each computed once."""

    def __init__(self, graph: Any) -> None:
        self.makers: Mapping[str, Any] = {name: node for node in graph.node for name in node.output if name}
        self.initializers: Mapping[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
        self._known: dict[str, Array | None] = {}

    def constant(self, name: str, depth: int = 0) -> Array | None:
        """A constant; None if it depends on an input, or is made by another operator.

        Raises:
            UsageError: it is too large, or stored in another file.
        """
        if name not in self._known:
            self._known[name] = self._computed(name, depth)
        return self._known[name]

    def _computed(self, name: str, depth: int) -> Array | None:
        if name in self.initializers:
            return _array(self.initializers[name])
        node = self.makers.get(name)
        if node is None or depth > GREATEST_DEPTH:
            return None
        if node.op_type == "Constant":
            return next((_array(a.t) for a in node.attribute if a.name == "value"), None)
        if node.op_type not in SIZES or node.domain not in ("", "ai.onnx") or not all(node.input):
            return None
        found = [self.constant(x, depth + 1) for x in node.input]
        arrays = [array for array in found if array is not None]
        return _made(node, arrays) if len(arrays) == len(found) else None


def _made(node: Any, arrays: Sequence[Array]) -> Array:
    """The result of a node."""
    from onnx.reference import ReferenceEvaluator

    name = node.output[0]
    try:
        if SIZES[node.op_type](arrays) > GREATEST_ARRAY:
            raise UsageError(f"{name} would have too many elements; at most {GREATEST_ARRAY} are read")
        given: dict[str, Any] = dict(zip(node.input, arrays, strict=True))
        evaluator: Any = ReferenceEvaluator(node)
        found = evaluator.run(None, given)
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise UsageError(f"{name} can't be computed: {str(error).splitlines()[0]}") from error
    return np.asarray(found[0])


def _array(tensor: Any) -> Array:
    """A tensor within the file, of bounded size."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise UsageError(f"{tensor.name} is stored in another file, which is not read; save the model as one file")
    if any(size < 0 for size in tensor.dims) or prod(tensor.dims) > GREATEST_ARRAY:
        raise UsageError(f"{tensor.name} has the shape {list(tensor.dims)}; at most {GREATEST_ARRAY} elements are read")
    found = numpy_helper.to_array(tensor)
    return found.astype(np.float32) if found.dtype.name == "bfloat16" else found
