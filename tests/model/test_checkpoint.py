"""Checkpointing through time: in chunks that are run again backwards, the numbers are those of one piece."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recurrency as rc
from recurrency import backend, library
from recurrency.graph.roots import FINAL, OUTPUT
from recurrency.model.checkpoint import in_one_piece
from recurrency.model.model import Model
from recurrency.testing import cases, outcomes
from recurrency.testing.cells import cell
from recurrency.testing.compare import compared
from recurrency.testing.outcomes import Call, Results
from recurrency.testing.specs.strategy import Program, programs
from recurrency.training.runs.experiments import load
from tests.support import specimens
from tests.support.calling import Run

QUIET = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck), max_examples=12)
FINITE = ("zeros", "whole", "normal", "normal", "tiny", "large")
"""Laws of numbers; after infinite ones the adjoint of a state between chunks may be NaN where one piece has none."""

CELLS: dict[str, Mapping[str, Any]] = {
    "LSTM": {"N": 3, "H": 4},
    "ZoneoutLSTM": {"N": 2, "H": 3},
    "VariationalLSTM": {"N": 2, "H": 3},
    "FastWeights": {"N": 2, "H": 3},
    "FrameRegressor": {"N": 2, "K": 2, "H": 3},
    "Music": {"N": 4, "H": 3},
    "LanguageModel": {"V": 5, "N": 3, "H": 4},
}


@cache
def in_chunks(model: Model, size: int) -> Model:
    """The same model with a checkpoint."""
    return Model(
        model.spec,
        model.programs.elaborated,
        backend.find(model.backend),
        model.dtype,
        model.batch_first,
        checkpoint=size,
    )


def size_of(call: Call) -> int:
    return max(1, *call.case.cuts) if call.case.cuts else 2


def chunked(call: Call) -> Call:
    """The same call in chunks of one size."""
    return Call(in_chunks(call.model, size_of(call)), call.case, call.data, call.params)


def two_calls(call: Call) -> Results:
    """Forward, with inner streams, and backward."""
    again = chunked(call)
    streams = [
        name for name in call.model.streams if not in_one_piece(call.model.interface, call.model.programs, [name])
    ]
    run = again.model.forward(again.params, again.data.inputs, streams=streams, **again.options)
    found = again.model.backward(run, again.seeds(OUTPUT), again.seeds(FINAL))
    return outcomes.KINDS["streams"](call) | outcomes._of_run(run) | again.gradients(found)


def losses(call: Call) -> Results:
    """The loss and its gradients in chunks of one size."""
    again = chunked(call)
    found = outcomes.KINDS["loss_gradients"](again)
    alone = float(again.model.loss(again.params, again.data.inputs, **again.options))
    both, _, _ = again.model.loss_and_gradients(again.params, again.data.inputs, wrt=(), **again.options)
    if max(call.case.steps.values()) > size_of(call):
        np.testing.assert_array_equal([alone, both], alone)
    if np.isfinite(alone):
        np.testing.assert_allclose(alone, found["loss"], rtol=1e-4)
    return found


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds of calls that are held against the interpreter, which runs in one piece."""
    everything = ("output:", "stream:", "final:", "gradient:")
    made: dict[str, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {
        "checkpoint": (two_calls, ("streams", "vjp"), everything),
        "checkpoint_vjp": (lambda call: outcomes.KINDS["vjp"](chunked(call)), ("vjp",), ("gradient:",)),
        "checkpoint_loss": (losses, ("loss_gradients",), ("loss", "final:", "gradient:")),
    }
    for kind, (compute, known, roots) in made.items():
        monkeypatch.setitem(outcomes.KINDS, kind, compute)
        monkeypatch.setitem(outcomes.PARTS, kind, (known, roots))


def check(spec: Any, case: Any, name: str) -> None:
    found = spec.elaborate(**case.dimensions)
    kinds = ["checkpoint", "checkpoint_vjp"] + ["checkpoint_loss"] * ("loss" in found.graph.roots)
    assert not compared(spec, case, name, kinds).differences


@pytest.mark.parametrize("cell", CELLS)
def test_shipped_cells_give_the_numbers_of_one_piece(cell: str) -> None:
    spec = library.spec(cell)

    @QUIET
    @given(cases(spec, [CELLS[cell]], steps=7, values=FINITE))
    def look(case: Any) -> None:
        check(spec, case, "numpy")

    look()


@pytest.mark.parametrize("examples", [40, pytest.param(600, marks=pytest.mark.long)])
def test_random_specs_give_the_numbers_of_one_piece_or_are_refused(examples: int) -> None:
    settings(QUIET, max_examples=examples)(given(programs(), st.data())(check_random))()


def check_random(program: Program, data: Any) -> None:
    spec = program.spec()
    try:
        model = spec.compile(backend="numpy", checkpoint=2, **program.dimensions)
    except rc.UsageError as error:
        assert "can't be run in chunks: " in str(error)  # noqa: PT017
        return
    assert not in_one_piece(model.interface, model.programs)
    check(spec, data.draw(cases(spec, [program.dimensions], steps=6, values=FINITE)), "numpy")


@specimens.each_backend
@pytest.mark.parametrize("name", ["two states", "delay lines"])
def test_all_backends_run_in_chunks(name: str, backend: str) -> None:
    whole, model = (
        cell(name).compile(backend=backend, dtype="float64", checkpoint=k, **specimens.SPECIMENS[name].dimensions)
        for k in (None, 2)
    )
    params, inputs = specimens.params_of(whole), specimens.inputs_of(whole)
    lengths = specimens.LENGTHS["t"]
    one, other = (m.loss_and_gradients(params, inputs, lengths=lengths) for m in (whole, model))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-12)
    np.testing.assert_allclose(one[1].params, other[1].params, **specimens.EXACT)
    np.testing.assert_allclose(one[1].inputs["x"], other[1].inputs["x"], **specimens.EXACT)


WEIGHTED = {
    "mean of one line": "loss l1(mean(y) - 0.1) where mean(abs(x))",
    "two lines with the same weights": "loss sum(y) where sum(x * x)\nloss 0.3 * l2(y) where sum(x * x)",
    "lines with and without": "loss 2 * sum(y) where exp(mean(x))\nloss squared_error(y, x)\nloss 0.1 * l2(w)",
    "targets that may be missing": "loss cross_entropy(y, k) where mean(abs(x))\nloss cross_entropy(x, k)",
}


@specimens.each_backend
@pytest.mark.parametrize("name", WEIGHTED)
def test_the_sum_of_weights_has_its_gradient(name: str, backend: str) -> None:
    """Weights may be computed from an input, and then the loss depends on the input through their sum as well."""
    spec = rc.parse(f"""cell Main[N](x: [N], k: index[N]) -> (y: [N]) {{
        param w : [N] ~ constant(0.2)
        state y : [N] = 0
        y = tanh(y[t-1] + w * x)
        {WEIGHTED[name]}
    }}""")
    whole, model = (spec.compile(backend=backend, dtype="float64", N=2, checkpoint=size) for size in (None, 2))
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal((5, 3, 2)), "k": rng.integers(-1, 2, (5, 3))}
    kinds = {kind: 0.5 + k for k, kind in enumerate(whole.loss_kinds)}
    for lengths in (None, [5, 0, 2], [0, 0, 0]):
        one, other = (m.loss_and_gradients(whole.init(0), inputs, lengths=lengths) for m in (whole, model))
        np.testing.assert_allclose(one[0], other[0], rtol=1e-13)
        np.testing.assert_allclose(one[1].inputs["x"], other[1].inputs["x"], **specimens.EXACT)
        np.testing.assert_allclose(one[1].params, other[1].params, **specimens.EXACT)
        one, other = (m.losses_and_gradients(whole.init(0), inputs, kinds, lengths=lengths) for m in (whole, model))
        np.testing.assert_allclose(one[1].inputs["x"], other[1].inputs["x"], **specimens.EXACT)


# ------------------------------------------------------------------------------------------------------ single promises

CHAIN = """
cell Chain[H](x: [H], goal: [H]) -> (y: [H]) {
    param W : [H, H] ~ glorot_uniform
    param a : [H] ~ ones
    state h : [H] = tanh(a)
    h = tanh(W @ dropout(h[t-1], 0.3) + x)
    y = h
    loss squared_error(y, goal)
    loss 0.5 * l2(W)
}
"""


def arrays(model: Model, steps: int, batch: int) -> tuple[Any, dict[str, Any]]:
    rng = np.random.default_rng(1)
    lead = (batch, steps) if model.batch_first else (steps, batch)
    inputs = {n: rng.standard_normal((*lead, *p.shape)) for n, p in model.inputs.items()}
    return rng.standard_normal(model.size), inputs


@pytest.mark.parametrize("steps", [0, 1, 5, 6, 9])
@pytest.mark.parametrize("batch_first", [False, True])
def test_draws_and_penalties_are_those_of_one_piece(steps: int, batch_first: bool) -> None:
    spec = rc.parse(CHAIN)
    how: dict[str, Any] = {"backend": "numpy", "dtype": "float64", "batch_first": batch_first, "H": 3}
    whole, model = spec.compile(**how), spec.compile(checkpoint=3, **how)
    params, inputs = arrays(model, steps, 4)
    more: dict[str, Any] = {"training": True, "seed": 5, "state": {"t": np.array([0, 3, 1, 2])}}
    for lengths in (None, [min(steps, n) for n in (9, 2, 0, 6)]):
        one, other = (m.loss_and_gradients(params, inputs, lengths=lengths, **more) for m in (whole, model))
        np.testing.assert_allclose(one[0], other[0], rtol=1e-13)
        np.testing.assert_allclose(one[1].params, other[1].params, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(one[2]["h"], other[2]["h"])
        np.testing.assert_array_equal(one[2]["t"], other[2]["t"])
        runs = [m.forward(params, inputs, lengths=lengths, **more) for m in (whole, model)]
        np.testing.assert_array_equal(runs[0].outputs["y"], runs[1].outputs["y"])
        one, other = (m.backward(r, r.outputs, r.state) for m, r in zip((whole, model), runs, strict=True))
        np.testing.assert_allclose(one.params, other.params, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.inputs["x"], other.inputs["x"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("wrt", [("params",), ("inputs",), ("state",), ()])
def test_only_wanted_gradients_are_given(wrt: tuple[str, ...]) -> None:
    spec = rc.parse(CHAIN)
    whole, model = (spec.compile(backend="numpy", dtype="float64", H=2, checkpoint=c) for c in (None, 2))
    params, inputs = arrays(model, 5, 2)
    one, other = (m.loss_and_gradients(params, inputs, wrt=wrt)[1] for m in (whole, model))
    np.testing.assert_allclose(one.params, other.params, rtol=0, atol=1e-12)
    assert one.params.shape == other.params.shape
    assert one.inputs.keys() == other.inputs.keys()
    assert one.state.keys() == other.state.keys()


def test_a_chunk_as_long_as_the_sequence_is_one_piece_to_the_bit() -> None:
    spec = rc.parse(CHAIN)
    whole, model = (spec.compile(backend="numpy", H=3, checkpoint=c) for c in (None, 6))
    params, inputs = arrays(model, 6, 2)
    one, other = (m.loss_and_gradients(params, inputs) for m in (whole, model))
    assert one[0] == other[0]
    np.testing.assert_array_equal(one[1].params, other[1].params)


def test_only_states_are_kept() -> None:
    model = rc.parse(CHAIN).compile(backend="numpy", H=3, checkpoint=4)
    params, inputs = arrays(model, 20, 2)
    tape = model.forward(params, inputs).tape
    assert tape is not None
    assert tape.kept is not None
    assert not tape.values
    assert sum(a.size for state in tape.kept.states for a in state.values()) == 5 * 2 * 3


def test_a_state_that_the_loss_does_not_depend_on_may_be_infinite() -> None:
    text = """cell W[H](x: [H], goal: [H]) -> (y: [H], g: [H]) {
        param w : [H] ~ ones
        state g, h : [H] = 0
        g = exp(x) * w * (1 + g[t-1])
        h = tanh(w * h[t-1] + x)
        y = h
        loss squared_error(y, goal)
    }"""
    whole, model = (rc.parse(text).compile(backend="numpy", dtype="float64", H=2, checkpoint=c) for c in (None, 2))
    params, inputs = arrays(model, 6, 2)
    inputs["x"][1] = 1e3
    one, other = (m.loss_and_gradients(params, inputs)[1].params for m in (whole, model))
    assert np.isfinite(one).all()
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_a_stream_that_is_not_used_may_be_refused() -> None:
    spec = rc.parse("cell W[H](x: [H]) -> (y: [H]) {\nr = reverse(x)\na = 2\ny = a * x\n}", "w.rnn")
    model = spec.compile(backend="numpy", H=2, checkpoint=2)
    params, inputs = arrays(model, 5, 3)
    assert model.forward(params, inputs, streams=["a"]).streams["a"] == 2
    with pytest.raises(rc.UsageError, match="r can't be computed in chunks, but with keep=False: line 2 of"):
        model.forward(params, inputs, streams=["r"])


# ---------------------------------------------------------------------------------------------------------- refusals

WRONG = {
    "bidirectional": ("y = reverse(x)", "line 2 of w.rnn needs the whole sequence: y = reverse(x)"),
    "later steps": ("y = x[t+1]", "line 2 of w.rnn reads later steps: y = x[t+1]"),
    "mean over time": ("y = x - mean_over_time(x)", "line 2 of w.rnn needs the whole sequence"),
    "last in the loss": ("y = x\nloss squared_error(last(y), last(x))", "line 3 of w.rnn needs the whole sequence"),
    "sum in the loss": ("y = x\nloss sum(sum_over_time(y * y))", "line 3 of w.rnn needs the whole sequence"),
    "sum over time for each sequence": (
        "y = x\nloss sum_over_time(sum(y * y))",
        "line 3 of w.rnn needs the whole sequence",
    ),
    "clipped": ("param w : [H] ~ ones\ny = clip_grad(w, 1) * x", "line 3 of w.rnn clips a gradient"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_cell_that_needs_the_whole_sequence_is_refused(name: str) -> None:
    body, message = WRONG[name]
    spec = rc.parse(f"cell W[H](x: [H]) -> (y: [H]) {{\n{body}\n}}", "w.rnn")
    with pytest.raises(rc.UsageError) as caught:
        spec.compile(backend="numpy", H=2, checkpoint=4)
    assert str(caught.value).startswith(f"W can't be run in chunks: {message}")


def test_one_value_a_sequence_and_several_clocks_are_refused() -> None:
    one = rc.parse("cell W[H](x: [H]) -> (y: [H]) {\ny = last(x)\n}")
    with pytest.raises(rc.UsageError, match="its output y is one value for all steps"):
        one.compile(backend="numpy", H=2, checkpoint=4)
    with pytest.raises(rc.UsageError, match="it runs over the clocks s and t"):
        library.spec("EncoderDecoder").compile(backend="numpy", V=3, K=3, N=2, H=2, checkpoint=4)


@pytest.mark.parametrize("wanted", [0, -1, 2.5, True, "0", "-3", "abc", "12 apples", "", "2.5", "0 steps"])
def test_a_wrong_checkpoint_is_refused(wanted: Any) -> None:
    with pytest.raises(rc.UsageError, match='checkpoint is a number of steps from 1, or a budget such as "512 MB"'):
        library.spec("LSTM").compile(backend="numpy", N=2, H=2, checkpoint=wanted)


# ------------------------------------------------------------------------------------------------------ command line


def test_training_with_a_checkpoint_learns_the_same(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((40, 9, 2)), target=rng.standard_normal((40, 9, 1)))
    words = ["train", "FrameRegressor", "--data", str(tmp_path / "data.npz"), "-D", "N=2", "-D", "K=1", "-D", "H=3"]
    words += ["--epochs", "2", "--log-form", "lines", "--dtype", "float64", "--backend", "numpy"]
    whole, steps, budget = run(*words), run(*words, "--checkpoint", "4"), run(*words, "--checkpoint", "1 GB")
    assert whole.code == steps.code == budget.code == 0
    assert re.findall(r"train [\d.]+", whole.out) == re.findall(r"train [\d.]+", steps.out)
    assert "checkpoint is a number of steps from 1" in run(*words, "--checkpoint", "none").err
    assert "needs" in run(*words, "--checkpoint", "1 kB").err


def test_an_experiment_may_say_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    for value in ("4", '"512 MB"'):
        file.write_text(f'spec = "FrameRegressor"\n[training]\ncheckpoint = {value}\n')
        assert load(file).options()["checkpoint"] == (4 if value == "4" else "512 MB")
