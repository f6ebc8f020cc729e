"""Recurrences that equal `LSTM`, `GRU` or `RNN` of ONNX become those; all others stay loops, whatever their names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import find
from recurrency.testing.case import Case

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.support.onnx_files import Exported, session  # noqa: E402  # after the lines that skip

KINDS = ("LSTM", "GRU", "RNN", "Scan")
NETWORKS = """
use LSTM, PlainLSTM, GRU, TorchGRU, Elman, IRNN from library

cell Stack[N, H](x: [N]) -> (y: [H]) { y = TorchGRU[H](LSTM[H](x)) }
cell Residual[N, H](x: [N]) -> (y: [H]) {
    a = LSTM[H](x)
    b = LSTM[H](a)
    y = GRU[H](a + b)
}
cell Both[N, H](x: [N]) -> (y: [2 * H]) { y = concat(PlainLSTM[H](x), reverse(PlainLSTM[H](reverse(x)))) }
cell Two[N, H](x: [N]) -> (y: [H]) { y = TorchGRU[H](TorchGRU[H](x)) }
cell Words[V, H](x: index[V]) -> (y: [V]) {
    param E : [V, H] ~ glorot_uniform
    param W : [V, H] ~ glorot_uniform
    y = softmax(W @ PlainLSTM[H](embed(E, x)))
}
cell Label[N, H](x: [N]) -> (y: [2]) {
    param W : [2, H] ~ glorot_uniform
    y = W @ last(GRU[H](x))
}
cell Begun[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param V : [H, H] ~ glorot_uniform
    state h : [H] ~ zeros
    h = relu(V @ h[t-1] - W @ x)
}
cell Shown[N, H](x: [N]) -> (h, c: [H]) {
    param W : [4 * H, N] ~ glorot_uniform
    param U : [4 * H, H] ~ orthogonal
    state h, c : [H] = 0
    a = W @ x + U @ h[t-1]
    c = sigmoid(split(a, 4, 1)) * c[t-1] + sigmoid(split(a, 4, 2)) * tanh(split(a, 4, 3))
    h = sigmoid(split(a, 4, 4)) * tanh(c)
}
"""
EXPECTED: dict[str, dict[str, int]] = {
    "LSTM": {"LSTM": 1},
    "PlainLSTM": {"LSTM": 1},
    "GRU": {"GRU": 1},
    "TorchGRU": {"GRU": 1},
    "Elman": {"RNN": 1},
    "IRNN": {"RNN": 1},
    "Stack": {"LSTM": 1, "GRU": 1},
    "Residual": {"LSTM": 2, "GRU": 1},
    "Both": {"LSTM": 2},
    "Words": {"LSTM": 1},
    "Label": {"GRU": 1},
    "Begun": {"RNN": 1},
    "Shown": {"Scan": 1},  # the operator returns the last cell state only
    "LSTMP": {"Scan": 1},
    "LayerNormLSTM": {"Scan": 1},
}


def spec_of(name: str) -> rc.Spec:
    return rc.parse(NETWORKS, cell=name) if f"cell {name}[" in NETWORKS else rc.library.spec(name)


def exported(spec: rc.Spec, dtype: str = "float32", **settings: Any) -> Exported:
    sizes = {"H": 4, "V" if spec.name == "Words" else "N": 3} | ({"R": 2} if spec.name == "LSTMP" else {})
    return Exported(spec, Case(sizes, steps={"t": 5}, batch=3, dtype=dtype, **settings))


def kinds(content: bytes) -> dict[str, int]:
    found = Counter(node.op_type for node in onnx.load_from_string(content).graph.node)
    return {kind: found[kind] for kind in KINDS if found[kind]}


RAGGED = {"lengths": {"t": (5, 0, 3)}, "state": True, "seed": 1}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recurrence_that_is_an_operator_becomes_it(name: str) -> None:
    for settings in ({}, RAGGED, {"values": "large", "seed": 2}):
        found = exported(spec_of(name), **settings)
        assert kinds(found.files[".onnx"]) == EXPECTED[name]
        assert not found.wrong(found.in_one())
        if ".step.onnx" in found.files:
            assert not found.wrong(found.in_pieces(1, 3))


def test_a_loop_is_written_where_it_is_asked_for_and_where_onnxruntime_needs_it() -> None:
    spec = rc.library.LSTM
    model = spec.compile(backend="numpy", N=3, H=4, without=["fuse"])
    assert kinds(find("onnx", run=False).files(model)[".onnx"]) == {"Scan": 1}
    assert kinds(exported(spec, "float64").files[".onnx"]) == {"Scan": 1}


def test_nothing_is_written_that_nobody_reads() -> None:
    nodes = onnx.load_from_string(exported(rc.library.LSTM).files[".onnx"]).graph.node
    assert not {"MatMul", "Tanh", "Sigmoid"} & {node.op_type for node in nodes}


# ---------------------------------------------------------------------------------------------------------- mutants

MUTANTS: dict[str, list[tuple[str, str, bool]]] = {
    "LSTM": [
        ("o * tanh(c)", "o * c", False),
        ("o * tanh(c)", "o * relu(c)", False),
        ("o * tanh(c)", "o + tanh(c)", False),
        ("o * tanh(c)", "o * tanh(c) + 0.5 * h[t-1]", False),
        ("o * tanh(c)", "o * tanh(c) * 2", False),
        ("o * tanh(c)", "o * tanh(c[t-1])", False),
        ("o * tanh(c)", "o * tanh(layer_norm(c))", False),
        ("c = f * c[t-1]", "c = (1 - i) * c[t-1]", False),
        ("c = f * c[t-1]", "c = f * h[t-1]", False),
        ("c = f * c[t-1]", "c = f * c[t-2]", False),
        ("c = f * c[t-1]", "c = i * c[t-1]", True),
        ("i * g", "i + g", False),
        ("i * g", "i * sigmoid(g)", False),
        ("p_o * c", "p_o * c[t-1]", False),
        ("p_i * c[t-1]", "p_i * h[t-1]", False),
        ("p_i * c[t-1]", "p_i * c[t-1] * c[t-1]", False),
        ("U_g @ h[t-1]", "U_g @ c[t-1]", False),
        ("U_g @ h[t-1]", "U_g @ tanh(h[t-1])", False),
        ("U_g @ h[t-1]", "U_g @ h[t-2]", False),
        ("U_g @ h[t-1] + b_g", "U_g @ (h[t-1] + b_g)", True),  # a bias elsewhere is U_g @ b_g
        ("U_g @ h[t-1]", "p_i * h[t-1]", False),
        ("W_g @ x", "W_g @ x[t-1]", False),
        ("W_g @ x", "W_g @ tanh(x)", False),
        ("+ b_f", "+ b_f + 1", True),
        ("+ b_g", "+ b_g * h[t-1]", False),
        ("g = tanh", "g = softplus", False),
        ("f = sigmoid", "f = hard_sigmoid", False),
        ("state c : [H] = 0", "state c : [H] = 0.5", True),
        ("U_i @ h[t-1]", "U_f @ h[t-1]", True),
        ("U_i @ h[t-1]", "-2 * (U_i @ h[t-1])", True),
        ("W_i @ x", "(W_i + W_f) @ x", True),
        ("+ p_i * c[t-1]", "", True),
        ("f = sigmoid(", "f = 1 - sigmoid(", True),
        ("p_f * c[t-1]", "b_f * c[t-1]", True),
    ],
    "GRU": [
        ("(1 - z) * h[t-1]", "(1 - r) * h[t-1]", False),
        ("(1 - z) * h[t-1]", "h[t-1]", False),
        ("(1 - z) * h[t-1] + z * c", "(1 - z) * c + z * h[t-1]", True),
        ("(1 - z) * h[t-1] + z * c", "h[t-1] + z * (c - h[t-1])", True),
        ("U_c @ (r * h[t-1])", "U_c @ (r + h[t-1])", False),
        ("U_c @ (r * h[t-1])", "U_c @ (z * h[t-1])", False),
        ("U_c @ (r * h[t-1])", "r * (U_c @ h[t-1])", True),  # linear_before_reset = 1
        ("U_c @ (r * h[t-1])", "r * (U_c @ h[t-1] + b_r)", True),
        ("U_c @ (r * h[t-1]) + b_c", "U_c @ (r * (h[t-1] + b_c))", False),
        ("z * c", "z * relu(c)", False),
        ("c = tanh", "c = relu", False),
    ],
}
PAIRS = [(name, *mutant) for name, mutants in MUTANTS.items() for mutant in mutants]


@pytest.mark.parametrize(("name", "old", "new", "may_be_operator"), PAIRS)
def test_a_changed_equation_is_a_loop_or_the_same_numbers(name: str, old: str, new: str, may_be_operator: bool) -> None:
    text = rc.library.spec(name).cell.span.text
    assert text.count(old) == 1
    found = exported(rc.parse(text.replace(old, new), "<mutant>"), **RAGGED)
    assert not found.wrong(found.in_one())
    if not may_be_operator:
        assert kinds(found.files[".onnx"]) == {"Scan": 1}


def test_two_changed_equations_are_a_loop_or_the_same_numbers() -> None:
    for name, mutants in MUTANTS.items():
        text, rng = rc.library.spec(name).cell.span.text, np.random.default_rng(0)
        for _ in range(12):
            one, two = (mutants[k] for k in rng.choice(len(mutants), 2, replace=False))
            both = text.replace(one[0], one[1]).replace(two[0], two[1])
            try:
                found = exported(rc.parse(both, "<mutant>"), **RAGGED)
            except rc.SpecError:
                continue
            assert not found.wrong(found.in_one()), both


# ---------------------------------------------------------------------------------------------------------- PyTorch


LAYERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "LSTM": ("LSTM", "PlainLSTM", {}),
    "GRU": ("GRU", "TorchGRU", {}),
    "RNN": ("RNN", "Elman", {}),
    "both directions": ("LSTM", "Both", {"bidirectional": True}),
    "two layers": ("GRU", "Two", {"num_layers": 2}),
}


@pytest.mark.parametrize("title", LAYERS)
def test_weights_of_pytorch_give_its_outputs_in_onnxruntime(title: str) -> None:
    """By conversion and export; a single layer is converted back from the exported file, too."""
    torch = pytest.importorskip("torch")
    kind, name, options = LAYERS[title]
    layer, x = getattr(torch.nn, kind)(3, 4, **options), np.random.default_rng(0).normal(size=(6, 2, 3)).astype("f")
    model = spec_of(name).compile(backend="numpy", N=3, H=4)
    params = model.pack({k: v.numpy() for k, v in rc.convert.from_torch(model, layer).items()})
    content = find("onnx", run=False).files(model, params)[".onnx"]
    assert "Scan" not in kinds(content)
    found = session(content).run([next(iter(model.outputs))], {"x": x})[0]
    np.testing.assert_allclose(found, layer(torch.from_numpy(x))[0].detach().numpy(), rtol=0, atol=2e-6)
    if not options:
        assert np.array_equal(model.pack(rc.convert.from_onnx(model, content)), params)
