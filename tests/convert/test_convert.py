"""Weights carried over: the same outputs on both sides, there and back, and a message where that can't be.

PyTorch is compared with itself; of Keras, which is not installed, the documented formulas are written out here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recurrency as rc
from recurrency.convert import foreign, from_torch, to_torch
from recurrency.convert.translating import Translation
from tests.support.converting import SIZES, STACK, TOLERANCE, assert_close, cell, library, outputs, quick, said

torch = pytest.importorskip("torch")

nn = torch.nn

GRU_OF_TWO_BIASES = """
cell Gated[I, U](u: [I]) -> (s: [U]) {
    # nn.GRU in other letters: the gate k lets new things in, where z of PyTorch keeps old ones.
    param A, B, C : [U, I] ~ glorot_uniform
    param D, E, F : [U, U] ~ orthogonal
    param a, b, c, d : [U] ~ zeros

    state s : [U] = 0

    k   = sigmoid(b + E @ s[t-1] + B @ u)
    new = tanh((C @ u + c) + (F @ s[t-1] + d) * sigmoid(A @ u + D @ s[t-1] + a))
    s   = s[t-1] + k * (new - s[t-1])
}
"""

PACKED = """
cell Packed[N, H](x: [N]) -> (h: [H]) {
    param W : [4 * H, H + N] ~ glorot_uniform
    param b : [4 * H] ~ zeros

    state h, c : [H] = 0

    a = W @ concat(h[t-1], x) + b
    g = sigmoid(slice(a, 1, 3 * H))
    c = split(g, 3, 2) * c[t-1] + split(g, 3, 3) * tanh(slice(a, 3 * H + 1, 4 * H))
    h = tanh(c) * split(g, 3, 1)
}
"""


def gru(*sizes: int, **options: Any) -> Any:
    """An `nn.GRU` without the one bias that `GRUAfter` has not."""
    layer = nn.GRU(*sizes, **options)
    with torch.no_grad():
        for name, value in layer.named_parameters():
            if "bias_hh" in name:
                value[2 * layer.hidden_size :] = 0
    return layer


PAIRS: dict[str, tuple[rc.Spec, Callable[..., Any], dict[str, Any]]] = {
    "LSTM": (library("PlainLSTM"), nn.LSTM, {}),
    "LSTM with peepholes": (library("LSTM"), nn.LSTM, {}),
    "LSTM packed": (rc.parse(PACKED), nn.LSTM, {}),
    "LSTM bidirectional stack": (rc.parse(STACK), lambda n, h, **o: nn.LSTM(n, h, 2, bidirectional=True, **o), {}),
    "GRU": (library("TorchGRU"), nn.GRU, {}),
    "GRU of one bias": (library("GRUAfter"), gru, {}),
    "GRU in other letters": (rc.parse(GRU_OF_TWO_BIASES), nn.GRU, {}),
    "RNN": (library("Elman"), nn.RNN, {}),
    "RNN relu": (library("IRNN"), lambda n, h, **o: nn.RNN(n, h, nonlinearity="relu", **o), {}),
    "RNN relu by name": (
        library("Elman"),
        lambda n, h, **o: nn.RNN(n, h, nonlinearity="relu", **o),
        {"squash": "relu"},
    ),
}

each_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)


# ---------------------------------------------------------------------------------------------------------- PyTorch


@each_pair
@quick
@given(sizes=SIZES, bias=st.booleans(), dtype=st.sampled_from(["float64", "float32"]), seed=st.integers(0, 99))
def test_a_cell_gives_the_outputs_of_the_layer_whose_weights_it_got(
    pair: Any, sizes: tuple[int, ...], bias: bool, dtype: str, seed: int
) -> None:
    spec, make, dimensions = pair
    steps, batch, inputs, units = sizes
    torch.manual_seed(seed)
    layer = make(inputs, units, bias=bias).to(getattr(torch, dtype))
    x = torch.randn(steps, batch, inputs, dtype=getattr(torch, dtype))
    params = from_torch(spec, layer, **dimensions)
    assert {str(p.dtype) for p in params.values()} == {f"torch.{dtype}"}
    with torch.no_grad():
        assert_close(outputs(spec, params, x.numpy(), dimensions)[0], layer(x)[0].numpy())


@each_pair
def test_there_and_back_is_the_same(pair: Any) -> None:
    spec, make, dimensions = pair
    layer, other = make(3, 4), make(3, 4)
    params = from_torch(spec, layer, **dimensions)
    other.load_state_dict(to_torch(spec, params, other, **dimensions))
    x = torch.randn(5, 2, 3)
    assert torch.allclose(layer(x)[0], other(x)[0], rtol=0, atol=TOLERANCE["float32"])
    again = from_torch(spec, other, **dimensions)
    assert all(torch.equal(params[name], again[name]) for name in params)


@pytest.mark.parametrize("name", ["PlainLSTM", "TorchGRU", "GRUAfter", "Elman"])
def test_a_layer_gives_the_outputs_of_the_cell_whose_weights_it_got(name: str) -> None:
    model = library(name).compile(N=3, H=4, dtype="float64")
    params = np.random.default_rng(1).normal(size=model.size)
    layer = {"PlainLSTM": nn.LSTM, "Elman": nn.RNN}.get(name, nn.GRU)(3, 4).double()
    layer.load_state_dict(to_torch(model, params, layer))
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    run = model.forward(params, x.numpy())
    with torch.no_grad():
        y, state = layer(x)
    assert_close(run.outputs["h"], y.numpy())
    assert_close(run.state["h"], (state[0] if name == "PlainLSTM" else state)[0].numpy())


def test_gates_of_all_layers_are_turned_where_all_are_the_same() -> None:
    layer = gru(3, 4, 3, bidirectional=True).double()
    spec = stack("GRUAfter", 3)
    params = from_torch(spec, layer)
    model = spec.compile(N=3, H=4, dtype="float64")
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    assert_close(model.forward(model.pack(params), x.numpy()).outputs["y"], layer(x)[0].detach().numpy())
    again = from_torch(spec, to_torch(spec, params, layer), "gru")
    assert all(torch.equal(params[name], again[name]) for name in params)


def stack(cell: str, layers: int, first: str | None = None) -> rc.Spec:
    """Cells in both directions, one on top of the other; the lowest may be another one."""
    lines, below = [], "x"
    for k in range(layers):
        used = first if first and k == 0 else cell
        lines += [f"f{k} = {used}[H]({below})", f"b{k} = reverse({used}[H](reverse({below})))"]
        lines += [f"y{k} = concat(f{k}, b{k})"]
        below = f"y{k}"
    names = ", ".join(sorted({cell, first or cell}))
    body = "\n".join([*lines, f"y = {below}"])
    return rc.parse(f"use {names} from library\ncell Stack[N, H](x: [N]) -> (y: [2 * H]) {{\n{body}\n}}")


@pytest.mark.parametrize(("cell", "first"), [("TorchGRU", None), ("GRUAfter", None), ("TorchGRU", "GRU")])
def test_the_work_of_comparing_grows_with_the_layers(cell: str, first: str | None) -> None:
    """Not with the number of ways through them: each of eight layers stands three times in the one above."""
    layers = foreign.Foreign(foreign.KINDS["torch-gru"], 3, 4, 8, True)
    elaborated = stack(cell, 8, first).elaborate(N=3, H=4)
    if first:
        assert "f0.U_c @ (r * f0[t-1])" in said(lambda: Translation(elaborated, layers, str))
    else:
        assert len(Translation(elaborated, layers, str).match.equations) >= 8 * 2 * 9


def test_the_projection_of_an_lstm_is_carried_over() -> None:
    layer = nn.LSTM(3, 6, proj_size=2).double()
    spec = library("LSTMP")
    params = from_torch(spec, layer, H=6)
    model = spec.compile(N=3, H=6, R=2, dtype="float64")
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    assert_close(model.forward(model.pack(params), x.numpy()).outputs["r"], layer(x)[0].detach().numpy())
    assert to_torch(spec, params, layer)["weight_hr_l0"].equal(layer.weight_hr_l0.detach())


def test_one_layer_of_several_is_chosen() -> None:
    layer = nn.LSTM(3, 4, 2, bidirectional=True)
    params = from_torch(library("PlainLSTM"), layer, layer="1_reverse")
    assert params["U_g"].equal(layer.weight_hh_l1_reverse[8:12].detach())
    assert params["b_f"].equal((layer.bias_ih_l1_reverse + layer.bias_hh_l1_reverse)[4:8].detach())


def test_a_class_made_from_a_layer_is_one() -> None:
    class Own(nn.GRU):
        pass

    assert from_torch(library("TorchGRU"), Own(3, 4)).keys() == from_torch(library("TorchGRU"), nn.GRU(3, 4)).keys()


def test_single_steps_are_layers_too() -> None:
    cell = nn.GRUCell(3, 4)
    params = from_torch(rc.parse(GRU_OF_TWO_BIASES), cell)
    assert params["B"].equal(-cell.weight_ih[4:8].detach()), "the gate points the other way"
    assert to_torch(rc.parse(GRU_OF_TWO_BIASES), params, cell).keys() == cell.state_dict().keys()


def test_a_state_dict_of_a_larger_model_is_read_by_its_prefix() -> None:
    model = nn.ModuleDict({"encoder": nn.LSTM(3, 4), "head": nn.Linear(4, 2)})
    params = from_torch(library("PlainLSTM"), model.state_dict(), "lstm", prefix="encoder.")
    assert params["W_i"].equal(model["encoder"].weight_ih_l0[:4].detach())
    with pytest.raises(rc.UsageError, match=r"prefix= can be encoder\."):
        from_torch(library("PlainLSTM"), model.state_dict(), "lstm")


def test_what_is_given_stays_as_it_is() -> None:
    layer = nn.LSTM(3, 4)
    params = from_torch(library("PlainLSTM"), layer)
    for value in params.values():
        assert not value.requires_grad
        value.zero_()
    assert all(value.abs().sum() > 0 for value in layer.state_dict().values())


# ------------------------------------------------------------------------------------------- cells of a user's own


@pytest.mark.parametrize(
    ("equations", "factor"),
    [
        ("h = tanh(W @ x + U @ h[t-1])", 1.0),
        ("h = tanh(-(W @ x) - U @ h[t-1])", -1.0),
        ("h = tanh(2 * (W @ x + U @ h[t-1]))", 0.5),
        ("h = tanh((W @ x + U @ h[t-1]) / 4)", 4.0),
        ("h = tanh(x @ transpose(W) + transpose(transpose(U)) @ h[t-1])", 1.0),
    ],
)
def test_signs_and_factors_end_up_in_the_weights(equations: str, factor: float) -> None:
    layer = nn.RNN(3, 4, bias=False)
    params = from_torch(cell(equations), layer)
    assert params["W"].equal(factor * layer.weight_ih_l0.detach())
    assert params["U"].equal(factor * layer.weight_hh_l0.detach())


def test_max_with_zero_is_relu() -> None:
    layer = nn.RNN(3, 4, nonlinearity="relu", bias=False)
    assert from_torch(cell("h = max(0, W @ x + U @ h[t-1])"), layer)["W"].equal(layer.weight_ih_l0.detach())


def test_several_biases_of_ours_share_what_theirs_add_up_to() -> None:
    params = "param W: [H, N] ~ zeros\nparam U: [H, H] ~ zeros\nparam a, b: [H] ~ zeros"
    spec = cell("h = tanh(W @ x + a + b + U @ h[t-1])", params)
    layer = nn.RNN(3, 4)
    given = from_torch(spec, layer)
    assert given["a"].equal((layer.bias_ih_l0 + layer.bias_hh_l0).detach())
    assert not given["b"].any()
    back = to_torch(spec, {**given, "b": torch.ones(4)}, "rnn-tanh")
    assert back["bias_ih_l0"].equal(given["a"] + 1)
    assert not back["bias_hh_l0"].any()


TIED = cell("h = tanh(W @ x + W @ h[t-1])", "param W : [H, H] ~ zeros").source.text

TIED = TIED.replace("[N, H]", "[H]").replace("x: [N]", "x: [H]")


def test_one_parameter_at_two_places_goes_to_both_and_comes_from_equal_ones() -> None:
    spec, layer = rc.parse(TIED), nn.RNN(3, 3, bias=False)
    state = to_torch(spec, {"W": torch.eye(3)}, layer)
    assert state["weight_ih_l0"].equal(state["weight_hh_l0"])
    layer.load_state_dict(state)
    assert from_torch(spec, layer)["W"].equal(torch.eye(3))
    with pytest.raises(rc.UsageError, match=r"weight_hh_l0 of nn\.RNN must equal W of Own, which"):
        from_torch(spec, nn.RNN(3, 3, bias=False))


# ---------------------------------------------------------------------------------------------------- shipped cells


SAME = {
    "PlainLSTM": "torch-lstm keras-lstm",
    "LSTM": "torch-lstm keras-lstm",
    "ClippedLSTM": "torch-lstm keras-lstm",
    "TorchGRU": "torch-gru keras-gru",
    "GRUAfter": "torch-gru keras-gru",
    "GRU": "keras-gru-reset-before",
    "ChoGRU": "keras-gru-reset-before",
    "Elman": "torch-rnn-tanh keras-rnn-tanh",
    "IRNN": "torch-rnn-relu keras-rnn-relu",
}
"""The shipped cells of inputs N and units H that are layers elsewhere; biases and peepholes may be zero.

`ClippedLSTM` has the values of `LSTM`: it clips gradients only.
"""


def test_no_other_shipped_cell_passes_for_a_layer() -> None:
    layers = {name: foreign.Foreign(kind, 3, 4) for name, kind in foreign.KINDS.items()}
    found = set()
    for spec in map(library, rc.library.names()):
        if [d.name for d in spec.cell.dimensions if d.default is None] != ["N", "H"]:
            continue
        elaborated = spec.elaborate(N=3, H=4)
        for name, layer in layers.items():
            with contextlib.suppress(rc.UsageError):
                Translation(elaborated, layer, str)
                found.add((spec.name, name))
    assert found == {(name, kind) for name, kinds in SAME.items() for kind in kinds.split()}


@pytest.mark.parametrize("kind", foreign.KINDS)
def test_the_shipped_cell_of_a_layer_takes_all_of_its_weights(kind: str) -> None:
    layer = foreign.Foreign(foreign.KINDS[kind], 3, 4)
    match = Translation(library(layer.shipped).elaborate(N=3, H=4), layer, str).match
    assert match.equations
    assert all(equation.ours for equation in match.equations), "nothing has to be zero"
