"""Cells that get their weights from ONNX nodes put out what onnxruntime and PyTorch do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.convert import from_onnx
from tests.support.converting import OWN_LSTM, assert_close, said

onnx = pytest.importorskip("onnx")

from tests.support import onnx_nodes  # noqa: E402  # after the line that skips
from tests.support.onnx_nodes import node, single, weights  # noqa: E402

TOLERANCE = 2e-6
"""Of float32: eps * (length 5 + width 11) of outputs that are at most 1; onnxruntime approximates tanh to as much."""

CELLS = (
    """
use LSTM, PlainLSTM, GRU, TorchGRU, Elman from library

fn hard(x) = clip(0.25 * x + 0.5, 0, 1)
fn leak(x) = where(x < 0, 0.125 * x, x)
fn line(x) = 0.5 * x + 0.25

cell Odd[N, H](x: [N]) -> (y: [H]) { y = Own[H, hard, leak, line](x) }
cell Back[N, H](x: [N]) -> (y: [H]) { y = reverse(GRU[H](reverse(x))) }
cell Both[N, H](x: [N]) -> (y: [2 * H]) { y = concat(LSTM[H](x), reverse(LSTM[H](reverse(x)))) }
cell Mixed[N, H](x: [N]) -> (y: [2 * H]) { y = concat(Elman[H, relu](x), reverse(Elman[H, tanh](reverse(x)))) }
cell Stack[N, H](x: [N]) -> (y: [H]) {
    low = concat(TorchGRU[H](x), reverse(TorchGRU[H](reverse(x))))
    y   = Elman[H](low)
}
cell Begun[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ zeros
    param U : [H, H] ~ zeros
    param b : [H]    ~ zeros
    state h : [H] ~ zeros
    h = tanh(W @ x + U @ h[t-1] + b)
}
"""
    + OWN_LSTM
)
BOTH = {"direction": "bidirectional"}
ODD = {
    "activations": ["HardSigmoid", "LeakyRelu", "Affine"],
    "activation_alpha": [0.25, 0.125, 0.5],
    "activation_beta": [0.5, 0.25],
}
FOUND: dict[str, tuple[str, str, dict[str, Any], tuple[str, ...]]] = {
    "LSTM with peepholes": ("LSTM", "LSTM", {}, ()),
    "LSTM": ("PlainLSTM", "LSTM", {}, ("P",)),
    "LSTM without biases": ("PlainLSTM", "LSTM", {}, ("P", "B")),
    "other activations": ("Odd", "LSTM", ODD, ("P",)),
    "GRU": ("GRU", "GRU", {}, ()),
    "GRU with linear_before_reset": ("TorchGRU", "GRU", {"linear_before_reset": 1}, ()),
    "RNN": ("Elman", "RNN", {}, ()),
    "a reverse GRU": ("Back", "GRU", {"direction": "reverse"}, ()),
    "both directions": ("Both", "LSTM", BOTH, ()),
    "one activation each": ("Mixed", "RNN", {"activations": ["Relu", "Tanh"], **BOTH}, ()),
}


def cell(name: str) -> rc.Spec:
    return rc.parse(CELLS, cell=name) if f"cell {name}[" in CELLS else rc.library.spec(name)


def run(spec: rc.Spec, params: dict[str, Any], x: Any, **dimensions: Any) -> Any:
    model = spec.compile(dtype=str(x.dtype), backend="numpy", N=x.shape[2], **dimensions)
    return next(iter(model.forward(model.pack(params), x, keep=False).outputs.values()))


def inputs(dtype: Any = np.float32) -> Any:
    return np.random.default_rng(1).normal(size=(5, 2, 3)).astype(dtype)


@pytest.mark.parametrize("title", FOUND)
def test_a_cell_gives_the_outputs_of_the_node_in_onnxruntime(title: str) -> None:
    name, op, attributes, absent = FOUND[title]
    arrays = weights(op, 3, 4, directions=2 if "bidirectional" in attributes.values() else 1)
    model = single(op, {key: array for key, array in arrays.items() if key not in absent}, **attributes)
    params, x = from_onnx(cell(name), model), inputs()
    found = onnx_nodes.side_by_side(onnx_nodes.outputs(model, x))
    np.testing.assert_allclose(
        run(cell(name), params, x, H=4), found, rtol=0, atol=TOLERANCE * max(1, abs(found).max())
    )


def test_constant_initial_states_become_those_of_the_cell() -> None:
    arrays = weights("RNN", 3, 4) | {"initial_h": np.full((1, 2, 4), 0.5, np.float32)}
    model, x = single("RNN", arrays), inputs()
    params = from_onnx(cell("Begun"), model)
    assert params["h[0]"].tolist() == [0.5] * 4
    found = onnx_nodes.side_by_side(onnx_nodes.outputs(model, x))
    np.testing.assert_allclose(run(cell("Begun"), params, x, H=4), found, rtol=0, atol=TOLERANCE)
    assert "ONNX RNN a has a.h[0]; Elman has no such term, and it is not zero; give the state" in said(
        lambda: from_onnx(cell("Elman"), model)
    )
    arrays["initial_h"][0, 1] = 0.25
    assert "differs from sequence to sequence" in said(lambda: from_onnx(cell("Begun"), single("RNN", arrays)))


# ---------------------------------------------------------------------------------------------------------- PyTorch


def of_torch(layer: Any, op: str, gates: list[int], ends: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """The weights of a layer of PyTorch as an ONNX node takes them; `gates` has the place of each gate in PyTorch."""

    def rows(name: str, end: str) -> Any:
        parts = np.split(getattr(layer, f"{name}_l0{end}").detach().numpy(), len(gates))
        return np.concatenate([parts[place] for place in gates])

    biases = [np.concatenate([rows("bias_ih", end), rows("bias_hh", end)]) for end in ends]
    return {
        "W": np.stack([rows("weight_ih", end) for end in ends]),
        "R": np.stack([rows("weight_hh", end) for end in ends]),
        "B": np.stack(biases),
    }


@pytest.mark.parametrize(
    ("op", "name", "gates", "attributes"),
    [
        ("LSTM", "PlainLSTM", [0, 3, 1, 2], {}),
        ("GRU", "TorchGRU", [1, 0, 2], {"linear_before_reset": 1}),
        ("RNN", "Elman", [0], {}),
    ],
)
def test_weights_of_pytorch_by_way_of_onnx_give_the_outputs_of_pytorch(
    op: str, name: str, gates: list[int], attributes: dict[str, Any]
) -> None:
    torch = pytest.importorskip("torch")
    for both in (False, True):
        layer = getattr(torch.nn, op)(3, 4, bidirectional=both).double()
        arrays = of_torch(layer, op, gates, ("", "_reverse") if both else ("",))
        model = single(op, arrays, **(attributes | (BOTH if both else {})))
        text = f"use {name} from library\ncell Two[N, H](x: [N]) -> (y: [2 * H]) {{ y = concat({name}[H](x), "
        spec = rc.parse(text + f"reverse({name}[H](reverse(x)))) }}") if both else rc.library.spec(name)
        x = inputs(np.float64)
        wanted = layer(torch.from_numpy(x))[0].detach().numpy()
        assert_close(run(spec, from_onnx(spec, model), x, H=4), wanted)


# ----------------------------------------------------------------------------------------------- graphs and refusals


def stacked(between: list[Any], name: str = "j") -> Any:
    """A bidirectional GRU and an RNN above it, with these nodes between."""
    low, top = weights("GRU", 3, 4, directions=2), weights("RNN", 8, 4)
    arrays = {f"a.{k}": a for k, a in low.items()} | {f"b.{k}": a for k, a in top.items()}
    arrays["shape"] = np.array([0, 0, -1], np.int64)
    nodes = [node("GRU", low, "a", linear_before_reset=1, **BOTH), *between, node("RNN", top, "b", name, "Z")]
    return onnx_nodes.model(nodes, arrays, "Z")


def test_nodes_are_a_stack_where_each_reads_the_one_before() -> None:
    make = onnx.helper.make_node
    joined = [make("Transpose", ["Y"], ["t"], perm=[0, 2, 1, 3]), make("Reshape", ["t", "shape"], ["j"])]
    model, x = stacked(joined), inputs()
    found = onnx_nodes.side_by_side(onnx_nodes.outputs(model, x))
    np.testing.assert_allclose(
        run(cell("Stack"), from_onnx(cell("Stack"), model), x, H=4), found, rtol=0, atol=TOLERANCE
    )
    wrong = [make("Transpose", ["Y"], ["t"], perm=[0, 2, 3, 1]), make("Reshape", ["t", "shape"], ["j"])]
    text = said(lambda: from_onnx(cell("Stack"), stacked(wrong)))
    assert "several recurrent layers that do not follow one another: choose one of a, b" in text
    assert from_onnx(cell("Elman"), stacked(wrong), layer="b")["W"].shape == (4, 8)


def changed(**arrays: Any) -> Any:
    return single("LSTM", weights("LSTM", 3, 4) | arrays)


def outside() -> Any:
    model = changed()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location="../../etc/passwd")
    return model


def computed() -> Any:
    model = changed()
    model.graph.node.insert(0, onnx.helper.make_node("Abs", ["a.R"], ["r"]))
    model.graph.node[1].input[2] = "r"
    return model


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "clip": (
        lambda: single("LSTM", weights("LSTM", 3, 4), clip=3.0),
        "node a can't be converted: it clips its sums at 3.0",
    ),
    "coupled": (lambda: single("LSTM", weights("LSTM", 3, 4), input_forget=1), "couples the input and forget gate"),
    "activations": (
        lambda: single("GRU", weights("GRU", 3, 4), activations=["Sigmoid", "ThresholdedRelu"]),
        "node a can't be converted: its activation is ThresholdedRelu",
    ),
    "numbers": (lambda: single("RNN", weights("RNN", 3, 4), activation_alpha=[1.0]), "more numbers alpha or beta"),
    "missing numbers": (lambda: single("RNN", weights("RNN", 3, 4), activations=["Affine"]), "needs the number alpha"),
    "shapes": (lambda: changed(B=np.ones((1, 8), np.float32)), "its input B has the shape [1, 8], not [1, 32]"),
    "integers": (lambda: changed(P=np.ones((1, 12), np.int32)), "its input P has numbers of type int32"),
    "computed weights": (computed, "its input R (r) is no constant of the model"),
    "other files": (outside, "is stored in another file, which is not read"),
    "no nodes": (lambda: onnx_nodes.model([onnx.helper.make_node("Abs", ["X"], ["Y"])], {}), "has no recurrent layer"),
}


@pytest.mark.parametrize("title", REFUSED)
def test_what_no_cell_equals_is_refused_with_the_node_and_the_reason(title: str) -> None:
    model, words = REFUSED[title]
    assert words in said(lambda: from_onnx(cell("LSTM"), model()))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    data = single("RNN", weights("RNN", 3, 4)).SerializeToString()
    assert "can't be read: No such file" in said(lambda: from_onnx(cell("Elman"), path))
    for damaged in (b"", b"no", data[:100], data[:-20]):
        path.write_bytes(damaged)
        assert str(path) in said(lambda: from_onnx(cell("Elman"), path))
    path.write_bytes(data)
    assert from_onnx(cell("Elman"), path)["W"].shape == (4, 3)
