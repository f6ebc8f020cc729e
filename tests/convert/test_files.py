"""Weights of Keras, what is refused, and the command `recurrency convert`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import recurrency as rc
from recurrency.cli import convert as command
from recurrency.cli.convert import convert as convert_command
from recurrency.convert import foreign, from_keras, from_torch, to_keras, to_torch
from recurrency.convert.files import read, write
from tests.support.converting import SIZES, STACK, assert_close, cell, library, outputs, quick, said

torch = pytest.importorskip("torch")

nn = torch.nn


# --------------------------------------------------------------------------------------------------------- messages


def test_different_cells_are_told_where_they_part() -> None:
    text = said(lambda: from_torch(library("GRU"), nn.GRU(3, 4)))
    assert "GRU and nn.GRU are different cells" in text
    assert "U_c @ (r * h[t-1])" in text
    assert "r * (weight_hh_l0[8:12, :] @ h[t-1])" in text
    assert text.endswith("\nnn.GRU is the shipped cell TorchGRU")
    assert said(lambda: from_torch(library("GRU"), nn.LSTM(3, 4, proj_size=2), H=2)).endswith(
        "\nnn.LSTM (proj_size=2) is the shipped cell LSTMP"
    )


def test_a_coupled_gate_is_no_gate_of_its_own() -> None:
    text = library("PlainLSTM").cell.span.text.replace("c = f * c[t-1] + i * g", "c = f * c[t-1] + (1 - f) * g", 1)
    text = text.replace("    i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)\n", "")
    spec = rc.parse(text.replace("W_i, ", "").replace("U_i, ", "").replace("b_i, ", ""))
    assert "nn.LSTM has f * c[t-1] + i * g" in said(lambda: from_torch(spec, nn.LSTM(3, 4)))


def test_peepholes_have_no_place_in_torch_unless_they_are_zero() -> None:
    model = library("LSTM").compile(N=3, H=4)
    assert "weight_ih_l0" in to_torch(model, model.init(0), "lstm")
    params = model.init(0)
    model.views(params)["p_i"][2] = 0.5
    text = said(lambda: to_torch(model, params, "lstm"))
    assert "LSTM has p_i * c[t-1]; nn.LSTM has no such term, and p_i is not zero" in text
    assert "p_f" not in text


def test_a_bias_that_the_cell_has_not_must_be_zero() -> None:
    text = said(lambda: from_torch(library("GRUAfter"), nn.GRU(3, 4)))
    assert "nn.GRU has bias_hh_l0[8:12] * r; GRUAfter has no such term, and it is not zero; the shipped" in text


def test_first_values_that_are_trained_must_be_zero_elsewhere() -> None:
    spec = rc.parse(
        cell("h = tanh(W @ x + U @ h[t-1])").source.text.replace("state h : [H] = 0", "state h : [H] ~ zeros")
    )
    params = from_torch(spec, nn.RNN(3, 4, bias=False))
    assert not params["h[0]"].any()
    text = said(lambda: to_torch(spec, {**params, "h[0]": torch.ones(4)}, "rnn-tanh"))
    assert "Own has h[0]; nn.RNN has no such term" in text


MISUSES: dict[str, tuple[Callable[[], Any], str]] = {
    "a stack into one layer": (
        lambda: from_torch(library("PlainLSTM"), nn.LSTM(3, 4, 2)),
        "choose one of its layers (0, 1)",
    ),
    "another size": (
        lambda: from_torch(library("TorchGRU").compile(N=3, H=5), nn.GRU(3, 4)),
        "TorchGRU has the inputs x [3] and the outputs h [5]; nn.GRU has 3 inputs and 4 outputs",
    ),
    "a size that does not follow": (lambda: from_torch(library("TorchGRU"), nn.GRU(3, 4), N=2), "has the inputs x [2]"),
    "a layer that is not there": (lambda: from_torch(library("PlainLSTM"), nn.LSTM(3, 4), layer=1), "no layer 1"),
    "a state dict alone": (lambda: from_torch(library("Elman"), nn.RNN(3, 4).state_dict()), "pass kind= one of"),
    "another module": (lambda: from_torch(library("Elman"), nn.Linear(3, 4)), "unknown kind of a Linear: pass kind="),
    "an unknown kind": (lambda: from_torch(library("Elman"), {}, "elman"), "there is no layer torch-elman"),
    "no recurrent layer": (lambda: from_torch(library("Elman"), {"w": torch.ones(2)}, "rnn-tanh"), "there are w"),
    "the wrong gates": (lambda: from_torch(library("GRU"), nn.LSTM(3, 4).state_dict(), "gru"), "multiple of the 3"),
    "no spec": (lambda: from_torch(nn.LSTM(3, 4), nn.LSTM(3, 4)), "a spec, a compiled model or a module"),
    "dimensions of a model": (
        lambda: from_torch(library("Elman").compile(N=3, H=4), nn.RNN(3, 4), H=4),
        "is compiled already",
    ),
    "missing parameters": (lambda: to_torch(library("Elman"), {"W": np.ones((4, 3))}, "rnn-tanh"), "no U and no b"),
    "parameters of another shape": (
        lambda: to_torch(library("Elman"), {"W": np.ones((4, 3)), "U": np.ones((4, 3)), "b": np.ones(4)}, "rnn-tanh"),
        "U of shape [4, 3], not [4, 4]",
    ),
    "a vector without a model": (lambda: to_torch(library("Elman"), np.ones(3), "rnn-tanh"), "needed by name"),
    "an unknown layer of Keras": (lambda: from_keras(library("Elman"), [np.ones((3, 4)), np.ones((2, 4))]), "known"),
    "one array": (lambda: from_keras(library("Elman"), [np.ones((3, 4))]), "kernel, recurrent_kernel, bias"),
    "a bias of one row": (
        lambda: from_keras(library("GRUAfter"), [np.ones((3, 6)), np.ones((2, 6)), np.ones(6)], "gru"),
        "two rows",
    ),
    "a bias of another size": (
        lambda: from_keras(library("Elman"), [np.ones((3, 4)), np.ones((4, 4)), np.ones(3)]),
        "needs l0.bias [4]",
    ),
    "all steps at once": (
        lambda: from_torch(rc.parse("cell A[N](x: [N]) -> (y: [N]) { y = attend(x, x, x) }"), nn.RNN(3, 3)),
        "at once",
    ),
}


@pytest.mark.parametrize(("call", "words"), MISUSES.values(), ids=MISUSES)
def test_misuse_is_told(call: Callable[[], Any], words: str) -> None:
    assert words in said(call)


# ------------------------------------------------------------------------------------------------------------ Keras


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def keras_lstm(x: Any, weights: Any) -> Any:
    """`keras.layers.LSTMCell.call`, step by step."""
    kernel, recurrent, bias = weights
    h = c = np.zeros((x.shape[1], len(recurrent)))
    out = []
    for x_t in x:
        z0, z1, z2, z3 = np.split(x_t @ kernel + h @ recurrent + bias, 4, axis=1)
        i, f = sigmoid(z0), sigmoid(z1)
        c = f * c + i * np.tanh(z2)
        h = sigmoid(z3) * np.tanh(c)
        out.append(h)
    return np.stack(out)


def keras_gru(x: Any, weights: Any) -> Any:
    """`keras.layers.GRUCell.call` with reset_after=True."""
    kernel, recurrent, (input_bias, recurrent_bias) = weights
    h = np.zeros((x.shape[1], len(recurrent)))
    out = []
    for x_t in x:
        x_z, x_r, x_h = np.split(x_t @ kernel + input_bias, 3, axis=1)
        inner_z, inner_r, inner_h = np.split(h @ recurrent + recurrent_bias, 3, axis=1)
        z, r = sigmoid(x_z + inner_z), sigmoid(x_r + inner_r)
        h = z * h + (1 - z) * np.tanh(x_h + r * inner_h)
        out.append(h)
    return np.stack(out)


def keras_gru_reset_before(x: Any, weights: Any) -> Any:
    """The same with reset_after=False."""
    kernel, recurrent, bias = weights
    h = np.zeros((x.shape[1], len(recurrent)))
    w_z, w_r, w_h = np.split(recurrent, 3, axis=1)
    out = []
    for x_t in x:
        x_z, x_r, x_h = np.split(x_t @ kernel + bias, 3, axis=1)
        z, r = sigmoid(x_z + h @ w_z), sigmoid(x_r + h @ w_r)
        h = z * h + (1 - z) * np.tanh(x_h + (r * h) @ w_h)
        out.append(h)
    return np.stack(out)


def keras_simple(x: Any, weights: Any) -> Any:
    """`keras.layers.SimpleRNNCell.call`."""
    kernel, recurrent, bias = weights
    h, out = np.zeros((x.shape[1], len(recurrent))), []
    for x_t in x:
        h = np.tanh(x_t @ kernel + bias + h @ recurrent)
        out.append(h)
    return np.stack(out)


KERAS: dict[str, tuple[rc.Spec, Callable[[Any, Any], Any], int, tuple[int, ...]]] = {
    "keras-lstm": (library("PlainLSTM"), keras_lstm, 4, ()),
    "keras-gru": (library("TorchGRU"), keras_gru, 3, (2,)),
    "keras-gru-reset-before": (library("GRU"), keras_gru_reset_before, 3, ()),
    "keras-rnn-tanh": (library("Elman"), keras_simple, 1, ()),
}

each_kind = pytest.mark.parametrize("kind", KERAS)


def keras_weights(kind: str, inputs: int, units: int, seed: int = 0) -> list[Any]:
    _, _, gates, rows = KERAS[kind]
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(*lead, gates * units)) / 2 for lead in ((inputs,), (units,), rows)]


@each_kind
@quick
@given(sizes=SIZES, seed=st.integers(0, 99))
def test_a_cell_gives_the_outputs_of_the_keras_layer_whose_weights_it_got(
    kind: str, sizes: tuple[int, ...], seed: int
) -> None:
    spec, formulas, _, _ = KERAS[kind]
    steps, batch, inputs, units = sizes
    weights = keras_weights(kind, inputs, units, seed)
    x = np.random.default_rng(seed).normal(size=(steps, batch, inputs))
    assert_close(outputs(spec, from_keras(spec, weights), x, {})[0], formulas(x, weights))


@each_kind
def test_there_and_back_to_keras_is_the_same(kind: str) -> None:
    spec, formulas, _, _ = KERAS[kind]
    weights = keras_weights(kind, 3, 4)
    params = from_keras(spec, weights, kind)
    back = to_keras(spec, params, kind)
    assert [a.shape for a in back] == [a.shape for a in weights]
    x = np.random.default_rng(1).normal(size=(4, 2, 3))
    assert_close(formulas(x, back), formulas(x, weights))
    again = from_keras(spec, back)
    assert all(np.array_equal(params[name], again[name]) for name in params)


def test_a_bidirectional_layer_of_keras_is_two() -> None:
    text = "\n".join(STACK.split("\n")[:5]) + "\n y = concat(low, reverse(PlainLSTM[H](reverse(x))))\n}"
    spec, weights = rc.parse(text), [*keras_weights("keras-lstm", 3, 4, 1), *keras_weights("keras-lstm", 3, 4, 2)]
    params = from_keras(spec, weights)
    assert all(np.array_equal(a, b) for a, b in zip(to_keras(spec, params, "lstm", True), weights, strict=True))
    model = spec.compile(N=3, H=4, dtype="float64")
    x = np.random.default_rng(1).normal(size=(4, 2, 3))
    both = [keras_lstm(x, weights[:3]), keras_lstm(x[::-1], weights[3:])[::-1]]
    assert_close(model.forward(model.pack(params), x).outputs["y"], np.concatenate(both, axis=2))


def test_from_keras_to_torch_by_way_of_a_cell() -> None:
    spec, weights = library("TorchGRU"), keras_weights("keras-gru", 3, 4)
    layer = nn.GRU(3, 4).double()
    layer.load_state_dict(to_torch(spec, from_keras(spec, weights), layer))
    x = np.random.default_rng(1).normal(size=(4, 2, 3))
    assert_close(layer(torch.from_numpy(x))[0].detach().numpy(), keras_gru(x, weights))


def test_keras_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np, recurrency as rc\n"
        "p = rc.convert.from_keras(rc.library.Elman, [np.ones((3, 2)), np.ones((2, 2)), np.ones(2)])\n"
        "assert p['W'].shape == (2, 3) and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------------------------------------------------- command


def run(*words: str) -> str:
    result = CliRunner().invoke(convert_command, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_the_command_knows_every_layer() -> None:
    assert set(command.KINDS) == set(foreign.KINDS)
    assert all(kind in run("--help") for kind in command.KINDS)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".npz"])
def test_the_command_carries_files_over_and_back(tmp_path: Path, suffix: str) -> None:
    layer = nn.LSTM(3, 4)
    theirs, ours, back = (str(tmp_path / name) for name in (f"a{suffix}", "b.safetensors", f"c{suffix}"))
    write(theirs, layer.state_dict(), {})
    assert "wrote" in run("PlainLSTM", "--from", "torch-lstm", theirs, "-o", ours)
    run("PlainLSTM", "--to", "torch-lstm", ours, "-o", back)
    again = from_torch(library("PlainLSTM"), {n: torch.as_tensor(a) for n, a in read(back).items()}, "lstm")
    assert all(torch.equal(value, again[name]) for name, value in from_torch(library("PlainLSTM"), layer).items())


def test_what_the_command_writes_a_model_loads(tmp_path: Path) -> None:
    from recurrency.training.runs.weights import load_weights

    weights, path = keras_weights("keras-lstm", 3, 4), tmp_path / "w.safetensors"
    np.savez(tmp_path / "lstm.npz", *weights)
    run("PlainLSTM", "--from", "keras-lstm", str(tmp_path / "lstm.npz"), "-o", str(path))
    model = library("PlainLSTM").compile(N=3, H=4, dtype="float64")
    assert np.array_equal(load_weights(path, model), model.pack(from_keras(model, weights)))


class Trap:
    """What an untrusted file may hold: a call that is made when it is unpickled."""

    def __reduce__(self) -> Any:
        return print, ("sprung",)


def test_no_file_is_ever_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trap.pt"
    torch.save({"weight_ih_l0": Trap()}, path)
    np.savez(tmp_path / "trap.npz", kernel=np.array([Trap()], dtype=object))
    for name in ("trap.pt", "trap.npz"):
        assert "can't be read as weights" in said(lambda name=name: read(tmp_path / name))
    assert "sprung" not in capsys.readouterr().out


BAD_FILES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "there is none": (lambda f: read(f / "no.pt"), "can't be read: No such file"),
    "an unknown kind": (lambda f: read(f / "w.h5"), "extension of a file of weights is one of .safetensors, .npz, .pt"),
    "something else": (lambda f: torch.save([1], f / "a.pt") or read(f / "a.pt"), "holds a list, not a state dict"),
    "other things": (lambda f: torch.save({"a": 1}, f / "a.pt") or read(f / "a.pt"), "entries that are not arrays: a"),
    "a broken file": (lambda f: (f / "a.npz").write_text("x") and read(f / "a.npz"), "can't be read as weights"),
}


@pytest.mark.parametrize(("call", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_are_told(call: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    assert words in said(lambda: call(tmp_path))


def test_a_direction_has_to_be_given(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", {"W": np.ones(1)}, {})
    assert "either --from KIND or --to KIND" in run("Elman", str(tmp_path / "a.npz"), "-o", "x.npz")
