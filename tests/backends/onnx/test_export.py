"""ONNX files: what `compile` and `Model.export` write, their names and metadata, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.onnx.backend import backend

import recurrency as rc
from tests.support.calling import Run
from tests.support.onnx_files import session

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZES = {"N": 2, "H": 3}
NAMED = """
cell Named[N](x, lengths: [N], w: index[4]) -> (y: [N], seen: index[4]) {
    param E : [4, N] ~ normal(0, 1)
    state h : [N] ~ uniform(0.5)

    h    = tanh(x + lengths + embed(E, w[t-1]) + x[t-3]) * h[t-1]
    y    = h
    seen = w[t-1]
}
"""


def drawn(model: Any, steps: int = 6, batch: int = 2) -> dict[str, Any]:
    """Inputs of a model."""
    rng, lead = np.random.default_rng(0), (steps, batch)
    return {
        name: rng.integers(-1, port.index, lead)
        if port.index is not None
        else rng.standard_normal((*lead, *port.shape)).astype(np.float32)
        for name, port in model.inputs.items()
    }


def test_compile_writes_a_graph_for_sequences_and_one_for_a_step(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "gru.onnx"
    code, _, said = run("compile", "GRU", "--backend", "onnx", "-D", "N=2", "-D", "H=3", "-o", str(place))
    assert code == 0
    assert f"wrote {place} and {tmp_path / 'gru.step.onnx'}: 54 parameters (initial values of seed 0" in said
    model = rc.library.GRU.compile("numpy", **SIZES)
    inputs = drawn(model)
    found = session(place.read_bytes()).run(["h"], inputs)[0]
    wanted = model.forward(model.init(0), inputs, keep=False).output
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    for name in ("gru.onnx", "gru.step.onnx"):
        onnx.checker.check_model(onnx.load(tmp_path / name), full_check=True)


def test_compile_puts_weights_into_the_file(run: Run, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    model = rc.library.GRU.compile("numpy", **SIZES)
    params = model.init(7)
    save_file({n: np.ascontiguousarray(a) for n, a in model.views(params).items()}, tmp_path / "gru.safetensors")
    options = ["--weights", str(tmp_path / "gru.safetensors"), "-o", str(tmp_path / "gru.onnx")]
    code, _, said = run("compile", "GRU", "--backend", "onnx", "-D", "N=2", "-D", "H=3", *options)
    assert (code, "initial values" in said) == (0, False)
    inputs = drawn(model)
    found = session((tmp_path / "gru.onnx").read_bytes()).run(["h"], inputs)[0]
    np.testing.assert_allclose(found, model.forward(params, inputs, keep=False).output, atol=1e-6)


def test_a_cell_that_reads_later_steps_has_no_graph_for_a_step(run: Run, tmp_path: Path) -> None:
    sizes = [f"-D{n}=3" for n in ("V", "K", "N", "H")]
    code, _, said = run("compile", "Tagger", "--backend", "onnx", *sizes, "-o", str(tmp_path / "tagger.onnx"))
    assert code == 0
    assert "without a function for one step: line" in said
    assert [path.name for path in tmp_path.iterdir()] == ["tagger.onnx"]


def test_a_binary_file_is_not_printed(run: Run) -> None:
    code, out, said = run("compile", "GRU", "--backend", "onnx", "-D", "N=2", "-D", "H=3")
    assert (code, out) == (1, "")
    assert "the backend onnx writes a binary file: say -o cell.onnx" in said


def test_masks_are_refused(run: Run, tmp_path: Path) -> None:
    options = ["-D", "N=2", "-D", "H=3", "--masks", "-o", str(tmp_path / "gru.onnx")]
    code, _, said = run("compile", "GRU", "--backend", "onnx", *options)
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert "the backend onnx takes no masks" in said


def test_draws_outside_of_training_are_refused_with_their_line() -> None:
    spec = rc.parse("cell Drawn[N](x: [N]) -> (y: [N]) {\n    y = sample(x, 1)\n}\n", name="drawn.rnn")
    with pytest.raises(rc.UsageError, match=r"line 2 of drawn.rnn draws random numbers out of training"):
        backend.files(spec.compile("numpy", N=2))


def test_a_model_exports_itself(tmp_path: Path) -> None:
    model = rc.library.GRU.compile("numpy", dtype="float64", **SIZES)
    params = model.init(3)
    written = model.export(tmp_path / "gru.onnx", params, streams=["z"])
    assert written == [str(tmp_path / "gru.onnx"), str(tmp_path / "gru.step.onnx")]
    inputs = {"x": drawn(model)["x"].astype(float)}
    found = session(Path(written[0]).read_bytes()).run(["h", "stream:z"], inputs)
    wanted = model.forward(params, inputs, streams=["z"], keep=False)
    np.testing.assert_allclose(found[0], wanted.output, rtol=1e-12)
    np.testing.assert_allclose(found[1], wanted.streams["z"], rtol=1e-12)
    with pytest.raises(rc.UsageError, match=r"the backend numpy writes a file that ends in \.py"):
        model.export(tmp_path / "gru.rs")


def test_names_are_those_of_the_cell_even_if_an_input_is_named_lengths() -> None:
    model = rc.parse(NAMED).compile("numpy", N=2)
    params, inputs = model.init(1), drawn(model)
    whole = session(backend.files(model, params)[".onnx"])
    assert [i.name for i in whole.get_inputs()] == ["x", "lengths", "w"]
    optional = {i.name: i.shape for i in whole.get_overridable_initializers()}
    assert set(optional) == {"lengths:t", *(f"initial:{name}" for name in model.states)}
    wanted = model.forward(params, inputs, lengths=[6, 2], keep=False)
    found = whole.run(["y", "seen"], {**inputs, "lengths:t": np.array([6, 2])})
    np.testing.assert_allclose(found[0], wanted.outputs["y"], atol=1e-6)
    np.testing.assert_array_equal(found[1], wanted.outputs["seen"])


def test_metadata_say_what_the_file_holds() -> None:
    model = rc.library.LSTM.compile("numpy", **SIZES)
    file = onnx.load_from_string(backend.files(model)[".step.onnx"])
    said = {p.key: p.value for p in file.metadata_props}
    assert (said["spec"], said["recurrency"], said["graph"]) == ("LSTM", rc.__version__, "one step")
    assert json.loads(said["dimensions"]) == SIZES
    assert json.loads(said["states"]) == list(model.states)
    assert {tensor.name for tensor in file.graph.initializer} >= set(model.parameters)


@pytest.mark.parametrize(
    "given",
    [
        {"lengths": np.array([7, 1])},
        {"lengths": np.array([-1, 1])},
        {"lengths": np.array([3])},
        {"initial:h": np.ones((1, 3), np.float32)},
    ],
    ids=["too long", "negative", "too few", "another batch"],
)
def test_wrong_lengths_and_states_are_errors(given: dict[str, Any]) -> None:
    model = rc.library.GRU.compile("numpy", **SIZES)
    whole = session(backend.files(model)[".onnx"])
    with pytest.raises(Exception, match=r"out of data bounds|cannot be reshaped"):
        whole.run(None, {**drawn(model), **given})


def test_resets_are_an_input_of_both_graphs() -> None:
    model = rc.library.GRU.compile("numpy", **SIZES)
    params, inputs = model.init(2), drawn(model)
    resets = np.zeros((6, 2), np.float32)
    resets[3, 1] = 1
    files = backend.files(model, params, resets=True)
    wanted = model.forward(params, inputs, resets=resets, keep=False).output
    found = session(files[".onnx"]).run(["h"], {**inputs, "reset:t": resets})[0]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    one, state = session(files[".step.onnx"]), {}
    for t in range(6):
        h, last = one.run(["h", "final:h"], {"x": inputs["x"][t], "reset:t": resets[t], **state})
        np.testing.assert_allclose(h, wanted[t], atol=1e-6)
        state = {"initial:h": last}


def test_gradients_and_training_are_refused() -> None:
    model = rc.library.GRU.compile("onnx", **SIZES)
    run = model.forward(model.init(0), drawn(model))
    with pytest.raises(rc.UsageError, match="the backend onnx computes no gradients"):
        model.backward(run)
    with pytest.raises(rc.UsageError, match="the backend onnx computes no gradients"):
        model.vjp(model.init(0), drawn(model))
    dropping = rc.parse("cell Dropping[N](x: [N]) -> (y: [N]) {\n    y = dropout(x, 0.5)\n}\n").compile("onnx", N=2)
    with pytest.raises(rc.UsageError, match="draws no random numbers: call it without training=True"):
        dropping.forward(dropping.init(0), drawn(dropping), training=True)
