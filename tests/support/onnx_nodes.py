"""Models of ONNX with one or two recurrent nodes, and what onnxruntime makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def weights(op: str, inputs: int, hidden: int, dtype: Any = np.float32, directions: int = 1) -> dict[str, Any]:
    """Normally distributed W, R, B and, of an LSTM, P."""
    rng, gates = np.random.default_rng(0), GATES[op]
    shapes = {"W": (gates * hidden, inputs), "R": (gates * hidden, hidden), "B": (2 * gates * hidden,)}
    shapes |= {"P": (3 * hidden,)} if op == "LSTM" else {}
    return {k: rng.normal(0, 0.6, size=(directions, *shape)).astype(dtype) for k, shape in shapes.items()}


def node(op: str, arrays: dict[str, Any], name: str = "a", x: str = "X", y: str = "Y", **attributes: Any) -> Any:
    """A node whose inputs are called `a.W` and so on; those that `arrays` lacks are absent."""
    inputs = [x, *(f"{name}.{key}" if key in arrays else "" for key in INPUTS[1:])]
    while not inputs[-1]:
        inputs.pop()
    hidden = next(iter(arrays.values())).shape[-1] if "R" not in arrays else arrays["R"].shape[-1]
    return onnx.helper.make_node(op, inputs, [y], name=name, hidden_size=hidden, **attributes)


def model(nodes: list[Any], arrays: dict[str, Any], output: str = "Y", inputs: int = 3, dtype: Any = np.float32) -> Any:
    """A model of these nodes; `arrays` has the constants by name, such as `a.W`."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    x = onnx.helper.make_tensor_value_info("X", kind, ["T", "B", inputs])
    y = onnx.helper.make_tensor_value_info(output, kind, None)
    graph = onnx.helper.make_graph(nodes, "recurrent", [x], [y], constants)
    opset = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)


def single(op: str, arrays: dict[str, Any], **attributes: Any) -> Any:
    """A model of one node."""
    dtype = arrays["W"].dtype
    named = {f"a.{key}": array for key, array in arrays.items()}
    return model([node(op, arrays, **attributes)], named, inputs=arrays["W"].shape[-1], dtype=dtype)


def outputs(found: Any, x: Any) -> Any:
    """What onnxruntime makes of x [T, B, N]: Y [T, D, B, H] or whatever the model puts out."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": x})[0]


def side_by_side(y: Any) -> Any:
    """Y [T, D, B, H] as [T, B, D * H]."""
    return np.concatenate(list(np.moveaxis(y, 1, 0)), axis=-1)
