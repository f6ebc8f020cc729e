"""What a compiled model promises: parameters, runs, states, chunks and steps, on every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.specimens import (
    BATCH,
    EXACT,
    STEPS,
    Array,
    compiled,
    each_backend,
    each_causal,
    each_specimen,
    inputs_of,
    lengths_of,
    params_of,
    same,
)

TRAINING: dict[str, Any] = {"training": True, "seed": 5}


def run_of(model: Any, inputs: Any, **options: Any) -> Any:
    return model.forward(params_of(model), inputs, keep=False, **options)


def pieces(inputs: dict[str, Array], sizes: list[int]) -> list[dict[str, Array]]:
    ends = np.cumsum(sizes)
    return [{n: x[end - size : end] for n, x in inputs.items()} for size, end in zip(sizes, ends, strict=True)]


# ------------------------------------------------------------------------------------------------------- parameters


def test_parameters_are_known_by_their_dotted_names() -> None:
    model = rc.library.Tagger.compile(V=5, K=3, N=2, H=4)
    assert {"E", "fwd.W_i", "fwd.b_f", "bwd.LSTM.U_o", "logits.W"} <= set(model.parameters)
    assert model.parameters["fwd.U_i"].shape == (4, 4)
    assert model.parameters["fwd.U_i"].initialiser == ("orthogonal", (1.0,))


@each_specimen
def test_parameters_are_views_that_fill_one_flat_vector(name: str) -> None:
    model = compiled(name, "interpreter")
    params = np.zeros(model.size)
    for number, view in enumerate(model.views(params).values(), start=1):
        assert not view.any(), "two parameters overlap"
        view[...] = number
    assert params.all(), "a piece of the vector belongs to no parameter"


def test_views_of_a_vector_of_another_dtype_are_views_too() -> None:
    model = rc.library.Elman.compile(N=2, H=3)
    params = np.zeros(model.size, np.float64)
    model.views(params)["W"][...] = 1
    assert params.sum() == 6


def test_pack_is_the_inverse_of_views() -> None:
    model = compiled("two states", "interpreter")
    params = params_of(model)
    np.testing.assert_array_equal(model.pack(model.views(params)), params)


def test_init_depends_on_the_seed_and_on_nothing_else() -> None:
    model = rc.library.LSTM.compile(N=2, H=3)
    assert model.init(3).dtype == np.float32
    np.testing.assert_array_equal(model.init(3), model.init(seed=3))
    assert not np.array_equal(model.init(3), model.init(4))
    np.testing.assert_array_equal(model.views(model.init())["b_f"], np.ones(3))


def test_a_first_value_does_not_depend_on_the_other_parameters() -> None:
    text = "cell C[N, H](x: [N]) -> (y: [H]) {{ {} param W : [H, N] ~ glorot_uniform\n y = W @ x {} }}"
    small = rc.parse(text.format("", "")).compile(N=2, H=3)
    large = rc.parse(text.format("param V : [H, N] ~ uniform(1)\n", "+ V @ x")).compile(N=2, H=3)
    np.testing.assert_array_equal(small.views(small.init(7))["W"], large.views(large.init(7))["W"])


def test_a_model_says_what_it_is() -> None:
    model = compiled("symbols", "interpreter")
    assert repr(model) == "<Symbols(V=4, H=3) on interpreter, float64, 33 parameters>"
    assert (model.inputs["w"].shape, model.inputs["w"].index) == ((), 4)
    assert model.outputs["logits"].shape == (4,)
    assert model.outputs["before"].index == 4
    assert set(model.states) == {"w", "w[t-1]", "h"}
    assert {"w", "h", "logits", "before"} <= set(model.streams)
    assert model.has_loss


def test_a_dtype_may_be_given_as_numpy_does() -> None:
    assert rc.library.Linear.compile(N=1, K=1, dtype=np.float64).dtype == "float64"


# ------------------------------------------------------------------------------------------------------------- runs


@each_backend
def test_a_run_holds_outputs_streams_and_final_states_by_name(backend: str) -> None:
    model = compiled("two states", backend)
    inputs = inputs_of(model)
    run = run_of(model, inputs, streams=["h", "x"])
    assert run.output is run.outputs["y"]
    assert set(run.streams) == {"h", "x"}
    np.testing.assert_array_equal(run.streams["x"], inputs["x"])
    np.testing.assert_allclose(run.state["h"], run["h"][-1], **EXACT)
    np.testing.assert_allclose(run.outputs["y"], run["h"] @ model.views(params_of(model))["V"].T, **EXACT)
    with pytest.raises(KeyError, match="this run has no q; it has y, c, x, h"):
        run["q"]


@each_backend
def test_streams_of_cells_within_a_cell_are_known_by_dotted_names(backend: str) -> None:
    model = compiled("both ways", backend)
    run = run_of(model, inputs_of(model), streams="y.Inner.h")
    np.testing.assert_allclose(run.streams["y.Inner.h"], run.output[..., :3], **EXACT)


@each_backend
@each_specimen
def test_asking_for_streams_or_a_tape_changes_no_result(name: str, backend: str) -> None:
    model = compiled(name, backend)
    plain = run_of(model, inputs_of(model))
    asked = run_of(model, inputs_of(model), streams=list(model.streams))
    kept = model.forward(params_of(model), inputs_of(model))
    for other in (asked, kept):
        same(other.outputs, plain.outputs)
        same(other.state, plain.state)


@each_backend
@pytest.mark.parametrize("keep", [True, False])
@each_specimen
def test_a_later_call_changes_no_earlier_result(name: str, keep: bool, backend: str) -> None:
    model = compiled(name, backend)
    for streams in ((), tuple(model.streams)):
        run = model.forward(params_of(model), inputs_of(model), streams=streams, keep=keep)
        before = {n: a.copy() for n, a in (run.outputs | run.streams | run.state).items()}
        model.forward(params_of(model, 2), inputs_of(model, 2), streams=streams, keep=keep)
        same(run.outputs | run.streams | run.state, before)


@each_backend
@each_specimen
def test_the_arrays_of_the_caller_stay_as_they_are(name: str, backend: str) -> None:
    model = compiled(name, backend)
    params, inputs, lengths = params_of(model), inputs_of(model), lengths_of(model)
    before = [params.copy(), *(x.copy() for x in inputs.values()), *(n.copy() for n in lengths.values())]
    model.loss_and_gradients(params, inputs, lengths=lengths)
    for array, old in zip([params, *inputs.values(), *lengths.values()], before, strict=True):
        np.testing.assert_array_equal(array, old)


@each_backend
def test_the_only_input_may_come_without_its_name(backend: str) -> None:
    model = compiled("delay lines", backend)
    inputs = inputs_of(model)
    same(run_of(model, inputs["x"].tolist()).outputs, run_of(model, inputs).outputs)


@each_backend
def test_arrays_need_be_neither_contiguous_nor_of_the_dtype_of_the_model(backend: str) -> None:
    model = compiled("delay lines", backend)
    x = np.round(4 * inputs_of(model)["x"])
    wanted = run_of(model, x).output
    np.testing.assert_array_equal(run_of(model, x.astype(np.int8)).output, wanted)
    np.testing.assert_array_equal(run_of(model, np.asfortranarray(x)).output, wanted)
    params = np.repeat(params_of(model), 2)[::2]
    np.testing.assert_array_equal(model.forward(params, x, keep=False).output, wanted)


@each_backend
@each_specimen
def test_batch_first_gives_the_same_numbers(name: str, backend: str) -> None:
    model, turned = compiled(name, backend), compiled(name, backend, batch_first=True)
    params, inputs, lengths = params_of(model), inputs_of(model), lengths_of(model)
    other = {n: x.swapaxes(0, 1) for n, x in inputs.items()}
    streams = [n for n, p in model.streams.items() if p.kind == 2][:3]
    wanted = model.forward(params, inputs, lengths=lengths, streams=streams)
    found = turned.forward(params, other, lengths=lengths, streams=streams)
    for n, y in (wanted.outputs | wanted.streams).items():
        timed = (model.outputs | model.streams)[n].kind == 2
        np.testing.assert_array_equal(found[n], y.swapaxes(0, 1) if timed else y)
    same(found.state, wanted.state)
    loss, gradients, _ = model.loss_and_gradients(params, inputs, lengths=lengths)
    loss_turned, gradients_turned, _ = turned.loss_and_gradients(params, other, lengths=lengths)
    assert loss_turned == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(gradients_turned.params, gradients.params, **EXACT)
    same({n: g.swapaxes(0, 1) for n, g in gradients_turned.inputs.items()}, gradients.inputs)


@each_backend
@each_specimen
def test_float32_is_close_to_float64(name: str, backend: str) -> None:
    model, single = compiled(name, backend), compiled(name, backend, dtype="float32")
    wanted, found = run_of(model, inputs_of(model)), run_of(single, inputs_of(model))
    same(found.outputs, wanted.outputs, rtol=1e-5, atol=1e-5)
    same(found.state, wanted.state, rtol=1e-5, atol=1e-5)
    assert {y.dtype.name for n, y in found.outputs.items() if model.outputs[n].index is None} == {"float32"}
    loss, gradients, _ = single.loss_and_gradients(params_of(model), inputs_of(model))
    assert loss == pytest.approx(model.loss(params_of(model), inputs_of(model)), rel=1e-5)
    assert gradients.params.dtype == np.float32


# ----------------------------------------------------------------------------------------------------------- states


@each_backend
def test_a_trained_first_value_is_used_until_a_state_is_handed_over(backend: str) -> None:
    model = compiled("delay lines", backend)
    params, x = params_of(model), inputs_of(model)["x"]
    trained = model.views(params)["h[0]"]
    given = np.broadcast_to(trained, (BATCH, 3))
    wanted = model.forward(params, x, keep=False)
    older = np.broadcast_to(trained, (BATCH, 2, 3))
    for state in ({"h": given}, {"h[t-2..t-1]": older}, {"h": given, "h[t-2..t-1]": older}):
        same(model.forward(params, x, state, keep=False).outputs, wanted.outputs)
    other = model.forward(params, x, {"h": given + 1}, keep=False)
    assert abs(other.output - wanted.output)[0].min() > 1e-3


@each_backend
def test_each_state_can_be_handed_over_by_itself(backend: str) -> None:
    model = compiled("two states", backend)
    params, inputs = params_of(model), inputs_of(model)
    c = np.random.default_rng(3).standard_normal((BATCH, 3))
    h = np.broadcast_to(model.views(params)["h[0]"], (BATCH, 3))
    only_c = model.forward(params, inputs, {"c": c}, keep=False)
    same(only_c.outputs, model.forward(params, inputs, {"c": c, "h": h}, keep=False).outputs)
    np.testing.assert_allclose(only_c["c"][0], 0.9 * c + inputs["x"][0] @ model.views(params)["W"].T, **EXACT)


@each_backend
@pytest.mark.parametrize("sizes", [[5], [1] * 5, [2, 0, 1, 2], [4, 1]], ids=str)
@each_causal
def test_chunks_give_the_same_numbers_as_the_whole(name: str, sizes: list[int], backend: str) -> None:
    model = compiled(name, backend)
    inputs, state, outputs = inputs_of(model), None, []
    whole = run_of(model, inputs, **TRAINING)
    for piece in pieces(inputs, sizes):
        run = run_of(model, piece, state=state, **TRAINING)
        state = run.state
        outputs.append(run.outputs)
    timed = [n for n, p in model.outputs.items() if p.kind == 2]
    same({n: np.concatenate([o[n] for o in outputs]) for n in timed}, {n: whole[n] for n in timed})
    assert state is not None
    same(state, whole.state)


@each_backend
@each_causal
def test_chunks_of_ragged_sequences_give_the_same_numbers(name: str, backend: str) -> None:
    model = compiled(name, backend)
    inputs, lengths, state = inputs_of(model), lengths_of(model)["t"], None
    whole = run_of(model, inputs, lengths=lengths, **TRAINING)
    for start, piece in zip((0, 2, 4), pieces(inputs, [2, 2, 1]), strict=True):
        left = np.clip(lengths - start, 0, len(next(iter(piece.values()))))
        state = run_of(model, piece, state=state, lengths=left, **TRAINING).state
    assert state is not None
    same(state, whole.state)


@each_backend
@each_causal
def test_steps_give_the_same_numbers_as_the_whole(name: str, backend: str) -> None:
    for model in (compiled(name, backend), compiled(name, backend, batch_first=True)):
        params, inputs, state = params_of(model), inputs_of(model), None
        whole = compiled(name, backend).forward(params, inputs, keep=False, **TRAINING)
        for t in range(STEPS["t"]):
            outputs, state = model.step(params, {n: x[t] for n, x in inputs.items()}, state, **TRAINING)
            same(outputs, {n: y[t] if model.outputs[n].kind == 2 else y for n, y in whole.outputs.items()})
        assert state is not None
        same(state, whole.state)


@each_backend
def test_gradients_flow_back_through_chunks(backend: str) -> None:
    model = compiled("delay lines", backend)
    params, inputs = params_of(model), inputs_of(model)
    seeds = np.random.default_rng(2).standard_normal((STEPS["t"], BATCH, 3))
    whole = model.backward(model.forward(params, inputs), seeds)
    first, second = pieces(inputs, [2, 3])
    one = model.forward(params, first)
    two = model.forward(params, second, one.state)
    late = model.backward(two, seeds[2:])
    early = model.backward(one, seeds[:2], late.state)
    np.testing.assert_allclose(early.params + late.params, whole.params, rtol=1e-10, atol=1e-12)
    x = np.concatenate([early.inputs["x"], late.inputs["x"]])
    np.testing.assert_allclose(x, whole.inputs["x"], rtol=1e-10, atol=1e-12)


NOT_CAUSAL = {
    "whole sequences": r"Whole can't be stepped: line \d+ of whole_sequences.rnn needs the whole sequence: ",
    "later steps": r"Later can't be stepped: line \d+ of later_steps.rnn reads later steps: ",
    "both ways": r"BothWays can't be stepped: line 9 of both_ways.rnn needs the whole sequence: y = concat\(Inner",
    "two clocks": r"TwoClocks can't be stepped: it runs over the clocks s and t",
}


@pytest.mark.parametrize("name", NOT_CAUSAL)
def test_what_reads_later_steps_can_not_be_stepped_and_says_why(name: str) -> None:
    model = compiled(name, "interpreter")
    step = {n: x[0] for n, x in inputs_of(model).items()}
    with pytest.raises(rc.UsageError, match=NOT_CAUSAL[name]):
        model.step(params_of(model), step)


# ------------------------------------------------------------------------------------------------------ randomness


@each_backend
def test_random_draws_act_in_training_only_and_depend_on_the_seed(backend: str) -> None:
    model = compiled("random", backend)
    x = inputs_of(model)["x"]
    outputs = [run_of(model, x, training=True, seed=seed).output for seed in (1, 1, 2, -1, 2**40 + 1)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    for a, b in ((0, 2), (0, 3), (0, 4)):
        assert not np.array_equal(outputs[a], outputs[b])
    resting = [run_of(model, x, seed=seed).output for seed in (1, 2)]
    np.testing.assert_array_equal(resting[0], resting[1])
    assert not np.array_equal(resting[0], outputs[0])


@each_backend
def test_a_sequence_draws_the_same_numbers_whatever_its_length(backend: str) -> None:
    model = compiled("random", backend)
    x, lengths = inputs_of(model)["x"], lengths_of(model)
    whole, ragged = run_of(model, x, **TRAINING), run_of(model, x, lengths=lengths, **TRAINING)
    for b, n in enumerate(lengths["t"]):
        np.testing.assert_allclose(ragged.output[:n, b], whole.output[:n, b], **EXACT)
    np.testing.assert_array_equal(ragged.state["t"], lengths["t"])
    one = run_of(model, x, state={"t": 3}, **TRAINING)
    np.testing.assert_array_equal(one.state["t"], [8, 8, 8])
