"""What docs/coming-from.md says of Keras 3: each statement is executed on both sides."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest

import recurrency as rc

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
B, T, N, H = 3, 5, 2, 4
CLOSE = 1e-5
X = np.random.default_rng(0).normal(size=(B, T, N)).astype(np.float32)
MASK = np.array([[1, 1, 0, 0, 1], [0, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)


def called(layer: Any, x: Any, **options: Any) -> Any:
    """What a layer returns, as arrays."""
    found = layer(x, **options)
    many = isinstance(found, list | tuple)
    return [keras.ops.convert_to_numpy(a) for a in found] if many else keras.ops.convert_to_numpy(found)


def like(layer: Any, other: Any) -> Any:
    """A layer with the weights of another one."""
    layer.build(X.shape)
    layer.set_weights(other.get_weights())
    return layer


def model_of(layer: Any, text: str = "PlainLSTM[H](x)", use: str = "PlainLSTM", **dimensions: Any) -> tuple[Any, Any]:
    """A model of `y = text` with the weights of a layer, [B, T, ...]."""
    head = f"use {use}, Stacked, Bidirectional from library" if use not in ("Stacked", "Bidirectional") else ""
    spec = rc.parse(f"{head}\ncell Net[N, H](x: [N]) -> (y: [H]) {{\n    y = {text}\n}}")
    model = spec.compile(backend="numpy", batch_first=True, N=N, H=H, **dimensions)
    inner = rc.convert.from_keras(rc.library.spec(use), layer.get_weights())
    (first,) = {name.rpartition(".")[0] for name in model.views(model.init(0))}
    return model, model.pack({f"{first}.{name}": value for name, value in inner.items()})


def ours(layer: Any, text: str = "PlainLSTM[H](x)", use: str = "PlainLSTM", **known: Any) -> Any:
    model, params = model_of(layer, text, use)
    return model.forward(params, {"x": X}, **known).output


@pytest.fixture(scope="module")
def lstm() -> Any:
    layer = keras.layers.LSTM(H, return_sequences=True)
    called(layer, X)
    return layer


def close(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=CLOSE))


@pytest.mark.parametrize(("kind", "cell"), [("LSTM", "PlainLSTM"), ("GRU", "TorchGRU"), ("SimpleRNN", "Elman")])
def test_the_cells_that_the_page_names_are_those_of_keras(kind: str, cell: str) -> None:
    layer = getattr(keras.layers, kind)(H, return_sequences=True)
    theirs = called(layer, X)
    assert close(ours(layer, f"{cell}[H](x)", cell), theirs)


def test_without_sequences_the_last_step_is_returned(lstm: Any) -> None:
    last = called(like(keras.layers.LSTM(H), lstm), X)
    assert close(ours(lstm)[:, -1], last)


def test_states_are_returned_and_handed_on(lstm: Any) -> None:
    y, h, c = called(like(keras.layers.LSTM(H, return_sequences=True, return_state=True), lstm), X)
    model, params = model_of(lstm)
    run = model.forward(params, {"x": X})
    (name_h,) = (name for name in run.state if name.endswith("h"))
    (name_c,) = (name for name in run.state if name.endswith("c"))
    assert close(run.state[name_h], h)
    assert close(run.state[name_c], c)
    stateful = keras.layers.LSTM(H, return_sequences=True, stateful=True)
    called(stateful, X)
    stateful.set_weights(lstm.get_weights())
    stateful.reset_states()
    assert close(called(stateful, X), y)
    assert close(model.forward(params, {"x": X}, state=run.state).output, called(stateful, X))


def test_masks_have_gaps_and_repeat_the_last_output(lstm: Any) -> None:
    theirs = called(lstm, X, mask=MASK)
    assert np.array_equal(theirs[0, 2], theirs[0, 1])
    assert np.array_equal(theirs[0, 3], theirs[0, 1])
    assert not theirs[1, 0].any()
    assert np.array_equal(theirs[1, 4], theirs[1, 2])
    assert close(ours(lstm, mask=MASK), theirs)
    zeros = called(like(keras.layers.LSTM(H, return_sequences=True, zero_output_for_mask=True), lstm), X, mask=MASK)
    assert close(ours(lstm, mask=MASK) * MASK[:, :, None], zeros)
    ends = np.array([3, 5, 2])
    padding = np.arange(T) < ends[:, None]
    assert close(ours(lstm, lengths=ends), called(lstm, X, mask=padding) * padding[:, :, None])
    assert close(ours(lstm, mask=padding), called(lstm, X, mask=padding))


def test_a_masking_layer_makes_such_a_mask(lstm: Any) -> None:
    gaps = np.where(MASK[:, :, None], X, 0).astype(np.float32)
    layers = keras.Sequential([keras.layers.Masking(0.0), like(keras.layers.LSTM(H, return_sequences=True), lstm)])
    assert close(called(layers, gaps), ours(lstm, mask=MASK))


def test_going_backwards_leaves_the_outputs_in_the_order_of_computation(lstm: Any) -> None:
    theirs = called(like(keras.layers.LSTM(H, return_sequences=True, go_backwards=True), lstm), X)
    assert close(theirs, called(lstm, X[:, ::-1].copy()))
    assert close(ours(lstm, "PlainLSTM[H](reverse(x))"), theirs)
    assert close(ours(lstm, "reverse(PlainLSTM[H](reverse(x)))"), theirs[:, ::-1])


def test_the_forget_gate_starts_with_a_bias_of_one() -> None:
    layer = keras.layers.LSTM(H)
    called(layer, X)
    assert layer.unit_forget_bias
    assert list(layer.get_weights()[2]) == [0.0] * H + [1.0] * H + [0.0] * (2 * H)


def patterns(rows: Any) -> set[tuple[float, ...]]:
    return {tuple(np.round(row, 4).tolist()) for row in rows}


def test_dropout_keeps_one_mask_for_a_sequence() -> None:
    """Linear layers of the identity show the masks; ones are read."""
    ones, still = np.ones((8, T, H), np.float32), np.zeros((H, H), np.float32)
    for name, recurrent in (("dropout", still), ("recurrent_dropout", np.eye(H, dtype=np.float32))):
        layer = keras.layers.SimpleRNN(H, activation="linear", use_bias=False, return_sequences=True, **{name: 0.5})
        layer.build(ones.shape)
        layer.set_weights([np.eye(H, dtype=np.float32), recurrent])
        theirs = called(layer, ones, training=True).transpose(0, 2, 1).reshape(-1, T)
        equation = (
            "dropout(x, 0.5, per = sequence)" if name == "dropout" else "x + dropout(h[t-1], 0.5, per = sequence)"
        )
        spec = rc.parse(f"cell Masked[H](x: [H]) -> (h: [H]) {{\n    state h : [H] = 0\n\n    h = {equation}\n}}")
        model = spec.compile(backend="numpy", batch_first=True, H=H)
        run = model.forward(model.init(0), {"x": ones}, training=True, seed=1)
        drawn = run.output.transpose(0, 2, 1).reshape(-1, T)
        wanted = {(0.0,) * T, (2.0,) * T} if name == "dropout" else {(1.0,) * T, (1.0, 3.0, 7.0, 15.0, 31.0)}
        assert patterns(theirs) == patterns(drawn) == wanted
        assert patterns(called(layer, ones).transpose(0, 2, 1).reshape(-1, T)) != wanted


def test_two_directions_without_sequences_are_joined_where_each_has_read_all(lstm: Any) -> None:
    whole = keras.layers.Bidirectional(keras.layers.LSTM(H, return_sequences=True))
    y = called(whole, X)
    model = rc.library.Bidirectional.compile(backend="numpy", batch_first=True, N=N, H=H, Cell="PlainLSTM")
    params = model.pack(rc.convert.from_keras(model, whole.get_weights()))
    assert close(model.forward(params, {"x": X}).output, y)
    short = keras.layers.Bidirectional(keras.layers.LSTM(H))
    short.build(X.shape)
    short.set_weights(whole.get_weights())
    assert close(called(short, X), np.concatenate([y[:, -1, :H], y[:, 0, H:]], -1))


def test_stacked_cells_are_a_stack() -> None:
    layer = keras.layers.RNN(
        keras.layers.StackedRNNCells([keras.layers.LSTMCell(H), keras.layers.LSTMCell(H)]), return_sequences=True
    )
    y = called(layer, X)
    model = rc.library.Stacked.compile(backend="numpy", batch_first=True, N=N, H=H, L=2, Cell="PlainLSTM")
    uses = sorted({name.rpartition(".")[0] for name in model.views(model.init(0))})
    weights, given = layer.get_weights(), {}
    for number, use in enumerate(uses):
        own = rc.convert.from_keras(rc.library.PlainLSTM, weights[3 * number : 3 * number + 3])
        given |= {f"{use}.{name}": value for name, value in own.items()}
    assert close(model.forward(model.pack(given), {"x": X}).output, y)
