"""Sizes of activations and gradients: those of a transcription, for losses and for outputs, and as the command says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import recurrency as rc
from recurrency.cli.probing import probe as command
from recurrency.errors import ShapeError, UsageError
from recurrency.inspection.probe import draw, probe, random_inputs
from recurrency.model.initial import initialised

T, B, N, H = 7, 3, 2, 4


def rms(a: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(a.reshape(len(a), -1) ** 2, axis=1))


def test_the_sizes_are_those_of_a_recurrence_written_out() -> None:
    model = rc.library.Elman.compile(dtype="float64", N=N, H=H)
    params, inputs = model.init(1), random_inputs(model, T, B)
    found = {s.name: s for s in probe(model, params, inputs, seed=5)}
    p = model.views(params)
    h = [np.zeros((B, H))]
    for x in inputs["x"]:
        h.append(np.tanh(x @ p["W"].T + h[-1] @ p["U"].T + p["b"]))
    adjoints = [np.random.default_rng(5).standard_normal((B, H))]
    for t in range(T, 1, -1):
        adjoints.insert(0, (adjoints[0] * (1 - h[t] ** 2)) @ p["U"])
    np.testing.assert_allclose(found["h"].activations, rms(np.array(h[1:])), rtol=1e-12)
    np.testing.assert_allclose(found["h"].gradients, rms(np.array(adjoints)), rtol=1e-12)
    assert found["h"].kept == pytest.approx(rms(np.array(adjoints))[0] / rms(np.array(adjoints))[-1])


def test_gradients_of_a_loss_are_those_of_its_inputs() -> None:
    model = rc.library.Music.compile(dtype="float64", N=N, H=H, Cell="LSTM")
    params, inputs = model.init(0), {"x": np.random.default_rng(0).integers(0, 2, (T, B, N)).astype(float)}
    (x,) = probe(model, params, inputs, ["x"])
    _, gradients, _ = model.loss_and_gradients(params, inputs)
    np.testing.assert_allclose(x.gradients, rms(gradients.inputs["x"]), rtol=1e-12)


def test_streams_come_in_the_order_of_their_computation() -> None:
    model = rc.library.PlainLSTM.compile(dtype="float64", N=N, H=H)
    names = [s.name for s in probe(model, model.init(0), random_inputs(model, T, B))]
    assert names.index("c") < names.index("h")
    assert names[0] == "x"
    with pytest.raises(UsageError, match=r"no stream cc over time; it has .*did you mean c"):
        probe(model, model.init(0), random_inputs(model, T, B), ["cc"])
    with pytest.raises(ShapeError):
        probe(model, model.init(0), {"x": np.zeros((T, B, N + 1))})


def test_what_is_forgotten_shows_as_a_gradient_that_vanishes() -> None:
    model = rc.library.Elman.compile(dtype="float64", N=N, H=H)
    params = initialised(model, 0, {"U": "identity(0.1)"})
    (h,) = probe(model, params, random_inputs(model, T, B), ["h"])
    assert h.kept < 0.1 ** (T - 2)


def test_the_command_shows_a_table_or_numbers_and_draws(tmp_path: Path) -> None:
    words = ["LSTM", "-D", "N=2", "-D", "H=3", "--steps", "6", "--batch", "2", "--stream", "h", "--stream", "c"]
    shown = CliRunner().invoke(command, words)
    assert shown.exit_code == 0
    assert "gradient kept" in shown.output
    (one, other) = json.loads(CliRunner().invoke(command, [*words, "--json"]).output)
    assert [one["stream"], other["stream"]] == ["c", "h"]
    assert len(one["activations"]) == len(one["gradients"]) == 6
    pytest.importorskip("matplotlib")
    path = tmp_path / "lstm.png"
    assert CliRunner().invoke(command, [*words, "--picture", str(path)]).exit_code == 0
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(UsageError, match="can't be written"):
        draw([], "nothing", str(tmp_path / "no" / "folder.png"))


@pytest.mark.parametrize(
    ("words", "message"),
    [(["LSTM", "--init", "U"], "not of the form NAME=INITIALISER"), (["LSTM", "--steps", "0"], "--steps")],
)
def test_a_wrong_call_is_told(words: list[str], message: str) -> None:
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2
    assert message in result.output
