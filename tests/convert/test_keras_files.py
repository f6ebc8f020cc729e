"""Cells that get their weights from files of Keras put out what Keras does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.convert import from_keras
from tests.support import keras_models
from tests.support.converting import OWN_LSTM, assert_close, said

pytest.importorskip("h5py")

pytestmark = pytest.mark.long  # Keras takes seconds to import; test_layer_files.py reads files that it made

CELLS = (
    """
use PlainLSTM, GRU, TorchGRU, Elman from library

fn third(x) = clip(x / 6 + 0.5, 0, 1)
fn plain(x) = x
fn soft(x) = x / (abs(x) + 1)

cell Hard[N, H](x: [N]) -> (y: [H]) { y = Own[H, third, relu, relu](x) }
cell Linear[N, H](x: [N]) -> (y: [H]) { y = Elman[H, plain](x) }
cell Soft[N, H](x: [N]) -> (y: [H]) { y = Elman[H, soft](x) }
cell Both[N, H](x: [N]) -> (y: [2 * H]) { y = concat(PlainLSTM[H](x), reverse(PlainLSTM[H](reverse(x)))) }
cell Sum[N, H](x: [N]) -> (y: [H]) { y = TorchGRU[H](x) + reverse(TorchGRU[H](reverse(x))) }
cell Mean[N, H](x: [N]) -> (y: [H]) { y = (GRU[H](x) + reverse(GRU[H](reverse(x)))) / 2 }
cell Stack[N, H, K](x: [N]) -> (y: [K]) {
    low  = concat(PlainLSTM[H](x), reverse(PlainLSTM[H](reverse(x))))
    y    = GRU[K](low)
}
"""
    + OWN_LSTM
)

Layers = Callable[[Any], list[Any]]
ON = {"return_sequences": True}
FOUND: dict[str, tuple[str, dict[str, Any], Layers]] = {
    "LSTM": ("PlainLSTM", {}, lambda k: [k.LSTM(4, **ON, unit_forget_bias=False)]),
    "LSTM without biases": ("PlainLSTM", {}, lambda k: [k.LSTM(4, **ON, use_bias=False)]),
    "activations": ("Hard", {}, lambda k: [k.LSTM(4, **ON, activation="relu", recurrent_activation="hard_sigmoid")]),
    "GRU": ("TorchGRU", {}, lambda k: [k.GRU(4, **ON)]),
    "GRU without biases": ("TorchGRU", {}, lambda k: [k.GRU(4, **ON, use_bias=False)]),
    "reset before": ("GRU", {}, lambda k: [k.GRU(4, **ON, reset_after=False)]),
    "reset before, no biases": ("GRU", {}, lambda k: [k.GRU(4, **ON, reset_after=False, use_bias=False)]),
    "SimpleRNN": ("Elman", {}, lambda k: [k.SimpleRNN(4, **ON)]),
    "relu": ("Elman", {"squash": "relu"}, lambda k: [k.SimpleRNN(4, **ON, activation="relu")]),
    "linear": ("Linear", {}, lambda k: [k.SimpleRNN(4, **ON, activation="linear")]),
    "softsign": ("Soft", {}, lambda k: [k.SimpleRNN(4, **ON, activation="softsign")]),
    "both directions": ("Both", {}, lambda k: [k.Bidirectional(k.LSTM(4, **ON))]),
    "their sum": ("Sum", {}, lambda k: [k.Bidirectional(k.GRU(4, **ON), merge_mode="sum")]),
    "their mean": ("Mean", {}, lambda k: [k.Bidirectional(k.GRU(4, **ON, reset_after=False), merge_mode="ave")]),
    "a stack": (
        "Stack",
        {"H": 4},
        lambda k: [k.Bidirectional(k.LSTM(4, **ON), name="low"), k.Dropout(0.5), k.GRU(5, **ON, reset_after=False)],
    ),
}


def cell(name: str) -> rc.Spec:
    return rc.library.spec(name) if name in ("PlainLSTM", "GRU", "TorchGRU", "Elman") else rc.parse(CELLS, cell=name)


def run(spec: rc.Spec, params: dict[str, Any], x: Any, **dimensions: Any) -> Any:
    model = spec.compile(dtype=str(x.dtype), backend="numpy", N=x.shape[2], **dimensions)
    return next(iter(model.forward(model.pack(params), x, keep=False).outputs.values()))


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("title", FOUND)
def test_a_cell_gives_the_outputs_of_the_model_in_the_file(title: str, ending: str, tmp_path: Path) -> None:
    name, options, layers = FOUND[title]
    model = keras_models.model(layers)
    spec, x = cell(name), np.random.default_rng(1).normal(size=(5, 2, 3)).astype("float32")
    params = from_keras(spec, keras_models.saved(model, tmp_path / f"m{ending}"), **options)
    sizes = {"K": 5, "H": 4} if name == "Stack" else {"H": 4} | options
    assert_close(run(spec, params, x, **sizes), keras_models.outputs(model, x))


def test_one_layer_of_several_is_chosen_by_its_name(tmp_path: Path) -> None:
    model = keras_models.model(lambda k: [k.GRU(4, **ON, name="gru_1"), k.Dense(3), k.GRU(4, **ON, name="gru")])
    for ending in (".keras", ".h5", ".weights.h5"):
        path = keras_models.saved(model, tmp_path / f"m{ending}")
        kind = "keras-gru" if ending == ".weights.h5" else None
        given = from_keras(cell("TorchGRU"), path, kind, layer="gru")
        with keras_models.quiet():
            weights = model.get_layer("gru").get_weights()
        wanted = from_keras(cell("TorchGRU"), weights)
        assert all(np.array_equal(given[name], wanted[name]) for name in wanted)
        assert "choose" in said(lambda path=path, kind=kind: from_keras(cell("TorchGRU"), path, kind))


def test_a_functional_model_is_a_stack_where_each_layer_reads_the_one_before(tmp_path: Path) -> None:
    keras = keras_models.keras()
    for second, words in ((False, ""), (True, "do not follow one another: choose one of ")):
        x = keras.Input((None, 3), dtype="float32")
        below = keras.layers.GRU(4, **ON, reset_after=False, name="a", dtype="float32")(x)
        above = keras.layers.GRU(4, **ON, reset_after=False, name="b", dtype="float32")(x if second else below)
        model = keras_models.filled(keras.Model(x, keras.layers.Concatenate()([above, below]) if second else above))
        spec = rc.parse("use GRU from library\ncell Two[N, H](x: [N]) -> (y: [H]) { y = GRU[H](GRU[H](x)) }")
        for ending in (".keras", ".h5"):
            path = keras_models.saved(model, tmp_path / f"m{ending}")
            if words:
                assert words in said(lambda path=path, spec=spec: from_keras(spec, path))
            else:
                steps = np.random.default_rng(1).normal(size=(5, 2, 3)).astype("float32")
                assert_close(run(spec, from_keras(spec, path), steps, H=4), keras_models.outputs(model, steps))


REFUSED: dict[str, tuple[Layers, str]] = {
    "backward": (
        lambda k: [k.LSTM(4, go_backwards=True, name="a")],
        "layer a can't be converted: it has go_backwards=True",
    ),
    "masks": (lambda k: [k.Masking(name="m"), k.LSTM(4, name="a")], "layer a can't be converted: m makes a mask"),
    "activations": (
        lambda k: [k.GRU(4, activation="mish", name="a")],
        "layer a can't be converted: its activation is mish",
    ),
    "own functions": (
        lambda k: [k.GRU(4, activation=lambda x: x, name="a")],
        "layer a can't be converted: its activation is no function of Keras",
    ),
    "cells": (lambda k: [k.RNN(k.LSTMCell(4), name="a")], "layer a can't be converted: it is a RNN layer"),
    "parallel": (
        lambda k: [k.Bidirectional(k.LSTM(4), merge_mode="concat", name="a"), k.RepeatVector(2), k.LSTM(4, name="b")],
        "do not follow one another: choose one of ",
    ),
    "none": (lambda k: [k.Dense(4)], "has no recurrent layer"),
}


@pytest.mark.parametrize("title", REFUSED)
def test_what_no_cell_equals_is_refused_with_the_layer_and_the_reason(title: str, tmp_path: Path) -> None:
    layers, words = REFUSED[title]
    path = keras_models.saved(keras_models.model(layers), tmp_path / "m.keras")
    assert words in said(lambda: from_keras(cell("PlainLSTM"), path))


def test_a_kind_takes_the_weights_alone_but_must_be_that_of_the_layer(tmp_path: Path) -> None:
    model = keras_models.model(
        lambda k: [k.LSTM(4, go_backwards=True, name="a"), k.RepeatVector(2), k.GRU(4, name="b")]
    )
    path = keras_models.saved(model, tmp_path / "m.keras")
    with keras_models.quiet():
        weights = model.layers[0].get_weights()
    wanted = from_keras(cell("PlainLSTM"), weights)
    given = from_keras(cell("PlainLSTM"), path, "keras-lstm", layer="a")
    assert all(np.array_equal(given[name], wanted[name]) for name in wanted)
    text = said(lambda: from_keras(cell("GRU"), path, "keras-gru-reset-before", layer="b"))
    assert "Keras' GRU b is no Keras' GRU (reset_after=False)" in text
