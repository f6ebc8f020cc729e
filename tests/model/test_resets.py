"""Resets within sequences: the numbers are those of the cut sequences, each of which begins anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.graph.roots import RESET
from tests.support.cells import CASE, compiled, compiled_with_loss
from tests.support.cutting import every
from tests.support.removing import drawn_states
from tests.support.resetting import BATCH, LENGTHS, STEPS, Array, Two, close

BACKENDS = ("numpy", "c", "torch", "cupy-emulated")
FEW = ("LSTM", "QRNN", "CharacterModel")
"""Cells with a state, an input read a step before, and symbols; layers are among the long ones."""


def refusal(model: Any) -> str:
    """Why a cell can't be reset ("" where it can)."""
    clocks = ("t",) if "t" in model.interface.input_clocks else ()
    return str(model.programs.obstacle_to_resets(clocks, (), False))


def resettable(cell: str, backend: str) -> Any:
    """A shipped cell that has states and can be reset; others are skipped."""
    model = compiled(cell, backend)
    if not model.states:
        pytest.skip("it has no state")
    if why := refusal(model):
        pytest.skip(why)
    return model


def check_passes(two: Two) -> None:
    """Outputs, final states, and all gradients."""
    model, cut, rng = two.model, two.cut, np.random.default_rng(1)
    one = model.forward(two.params, two.inputs, **two.whole)
    other = model.forward(two.params, two.split(two.inputs), **two.pieces)
    for name, array in other.outputs.items():
        close(one.outputs[name], cut.joined(array, 0 if model.outputs[name].index is None else -1))
    for name in model.states:
        close(one.state[name], cut.last(other.state[name]))
    of_outputs = {n: rng.standard_normal(a.shape) for n, a in one.outputs.items() if model.outputs[n].index is None}
    of_states = {n: rng.standard_normal((BATCH, *p.shape)) for n, p in model.state_ports.items() if p.index is None}
    for table, clock in ((of_outputs, "t"),):
        for array in table.values():
            array[np.arange(STEPS[clock])[:, None] >= LENGTHS[clock]] = 0
    found = model.backward(one, of_outputs, of_states)
    wanted = model.backward(other, every(of_outputs, cut.split), every(of_states, cut.at_last))
    close(found.params, wanted.params)
    for name, array in wanted.inputs.items():
        close(found.inputs[name], two.joined(name, array))


def check_passed_states(two: Two) -> None:
    """Initial states that are passed hold for pieces that do not begin with a reset; all gradients, theirs too."""
    model, cut, rng = two.model, two.cut, np.random.default_rng(4)
    state, pieces, began = drawn_states(model, BATCH), two.split(two.inputs), cut.fresh()
    run = model.forward(two.params, two.inputs, state, **two.whole)
    each = [model.forward(two.params, pieces, s, **two.pieces) for s in (every(state, cut.first_of), None)]
    for name, array in run.outputs.items():
        parts = [r.outputs[name] for r in each]
        close(array, cut.joined(np.where(beside(began, parts[0]), *parts[::-1]), 0 if array.dtype.kind == "f" else -1))
    seeds = {n: rng.standard_normal(a.shape) for n, a in run.outputs.items() if model.outputs[n].index is None}
    for array in seeds.values():
        array[np.arange(STEPS["t"])[:, None] >= LENGTHS["t"]] = 0
    ends = {n: rng.standard_normal((BATCH, *p.shape)) for n, p in model.state_ports.items() if p.index is None}
    found = model.backward(run, seeds, ends)
    of = [
        model.backward(
            r,
            {n: cut.split(a) * beside(own, cut.split(a)) for n, a in seeds.items()},
            {n: cut.at_last(a) * own.reshape(-1, *[1] * (a.ndim - 1)) for n, a in ends.items()},
        )
        for r, own in zip(each, (~began, began), strict=True)
    ]
    close(found.params, of[0].params + of[1].params)
    for name, array in found.inputs.items():
        close(array, two.joined(name, of[0].inputs[name] + of[1].inputs[name]))
    first = [next(p for p, piece in enumerate(cut.pieces) if piece[0] == b) for b in range(BATCH)]
    for name, array in found.state.items():
        close(array, of[0].state[name][first])


def beside(pieces: Array, stream: Array) -> Array:
    """A value of each piece with the axes of a stream of pieces."""
    return pieces.reshape(1, -1, *[1] * (stream.ndim - 2))


def check_loss(two: Two) -> None:
    """The loss, its gradients, and products with its Hessian and its Gauss-Newton matrix."""
    model, both = two.model, ((two.inputs, two.whole), (two.split(two.inputs), two.pieces))
    vector = np.random.default_rng(2).standard_normal(model.size)
    losses = [model.loss_and_gradients(two.params, x, **how) for x, how in both]
    close(np.array(losses[0][0]), np.array(losses[1][0]))
    close(losses[0][1].params, losses[1][1].params)
    for product in (model.hvp, model.gnvp):
        one, other = (product(two.params, x, vector, **how) for x, how in both)
        close(one, other)


@pytest.mark.parametrize("cell", FEW)
@pytest.mark.parametrize("backend", ["interpreter", *BACKENDS])
def test_resets_cut_the_sequences(cell: str, backend: str) -> None:
    two = Two.of(compiled(cell, backend))
    check_passes(two)
    check_passed_states(two)
    check_loss(Two.of(compiled_with_loss(cell, backend)))


@pytest.mark.long
@pytest.mark.parametrize("backend", ["interpreter", *BACKENDS])
@pytest.mark.parametrize("cell", CASE)
def test_resets_cut_the_sequences_of_every_shipped_cell(cell: str, backend: str) -> None:
    two = Two.of(resettable(cell, backend))
    check_passes(two)
    if two.clocks == {"t"}:  # states over other clocks do not begin again
        check_passed_states(two)
    model = compiled_with_loss(cell, backend)
    if not refusal(model) and not model.programs.obstacle_to_resets(("t",)):
        check_loss(Two.of(model))


@pytest.mark.parametrize("cell", CASE)
def test_what_cannot_be_reset_needs_whole_sequences_or_later_steps(cell: str) -> None:
    why = refusal(compiled(cell, "numpy"))
    assert why == "" or "needs the whole sequence" in why or "reads later steps" in why
    if why:
        assert cell in {"Tagger", "Bidirectional"}


DELAYS = """
cell Delays[N, V](x: [N], w: index[V]) -> (y: [N], s: []) {
    param E  : [V, N] ~ normal(0, 1)
    param y0 : [N] ~ ones
    state y  : [N] ~ ones
    state z  : [N] = 2 * init(y) + y0

    y = 0.5 * x[t-3] + tanh(y[t-4]) * z[t-1] + embed(E, w[t-2])
    z = y[t-2] + x
    s = norm(z[t-5]) + sum(embed(E, w[t-1]))
}"""


def delays(backend: str, **options: Any) -> Any:
    return rc.parse(DELAYS).compile(backend=backend, dtype="float64", N=3, V=4, **options)


@pytest.mark.parametrize("backend", ["interpreter", *BACKENDS])
def test_long_delays_of_states_and_of_symbols_begin_again(backend: str) -> None:
    check_passes(Two.of(delays(backend)))


def test_single_steps_and_pieces_give_the_numbers_of_the_whole() -> None:
    model = delays("numpy")
    two = Two.of(model)
    resets = two.resets["t"]
    whole = model.forward(two.params, two.inputs, resets=resets)
    state: Any = None
    for t in range(STEPS["t"]):
        now = {name: x[t] for name, x in two.inputs.items()}
        outputs, state = model.step(two.params, now, state, resets=resets[t])
        for name, array in outputs.items():
            close(array, whole.outputs[name][t])
    for name, array in state.items():
        close(array, whole.state[name])
    first = model.forward(two.params, {n: x[:3] for n, x in two.inputs.items()}, resets=resets[:3])
    rest = {n: x[3:] for n, x in two.inputs.items()}
    second = model.forward(two.params, rest, first.state, resets=resets[3:])
    close(second.output, whole.output[3:])


def test_a_checkpoint_cuts_between_resets_as_anywhere() -> None:
    two, rng = Two.of(delays("numpy")), np.random.default_rng(3)
    chunked = delays("numpy", checkpoint=2)
    whole = two.model.forward(two.params, two.inputs, **two.whole)
    run = chunked.forward(two.params, two.inputs, **two.whole)
    seeds = {
        n: rng.standard_normal(a.shape) * (LENGTHS["t"] > np.arange(7)[:, None])[..., None]
        for n, a in [("y", whole["y"])]
    }
    close(run.output, whole.output)
    close(chunked.backward(run, seeds).params, two.model.backward(whole, seeds).params)


def test_passed_states_hold_until_the_first_reset() -> None:
    model, rng = compiled("LSTM", "numpy"), np.random.default_rng(0)
    two = Two.of(model)
    state = {n: rng.standard_normal((BATCH, *shape)) for n, shape in model.states.items()}
    run = model.forward(two.params, two.inputs, state, **two.whole)
    pieces = two.split(two.inputs)
    fresh = model.forward(two.params, pieces, **two.pieces)
    passed = model.forward(two.params, pieces, every(state, two.cut.first_of), **two.pieces)
    began = two.cut.fresh()
    wanted = np.where(began[:, None], fresh.output, passed.output)
    close(run.output, two.cut.joined(wanted))


def test_a_reset_at_the_first_step_ignores_the_states_that_are_passed() -> None:
    model = compiled("LSTM", "numpy")
    two = Two.of(model)
    resets = np.zeros((7, BATCH), bool)
    resets[0] = True
    state = {n: np.ones((BATCH, *shape)) for n, shape in model.states.items()}
    run = model.forward(two.params, two.inputs, state, resets=resets)
    close(run.output, model.forward(two.params, two.inputs).output)
    gradients = model.backward(run, np.ones_like(run.output))
    assert all(not g.any() for g in gradients.state.values())


def test_programs_without_resets_have_no_input_for_them() -> None:
    model = compiled("LSTM", "numpy")
    plain = model.programs.graph("forward_kept", ())
    both = model.programs.resetting(("t",)).graph("forward_kept", ())
    assert RESET.of("t") not in plain.sources("input")
    assert RESET.of("t") in both.sources("input")


def test_draws_do_not_depend_on_resets() -> None:
    """Dropout that is the same at all steps stays the same for all of a row; see docs/language.md."""
    text = "cell D[N](x: [N]) -> (y: [N]) {\n y = dropout(x, 0.5, per = sequence) + 0 * y[t-1]\n}"
    model = rc.parse(text).compile(backend="numpy", dtype="float64", N=6)
    x, resets = np.ones((5, 2, 6)), np.ones((5, 2))
    one = model.forward(model.init(), x, training=True, resets=resets).output
    close(one, model.forward(model.init(), x, training=True).output)


# ------------------------------------------------------------------------------------------------------- bad input


def test_resets_of_another_shape_or_content_are_refused() -> None:
    model = compiled("LSTM", "numpy")
    two = Two.of(model)
    cases = {
        "resets is [T=4, B=7]; this call needs [T=7, B=4]": two.resets["t"].T,
        "resets is [7]; this call needs [T=7, B=4]": np.zeros(7),
        "resets[1, 2] is nan; each entry must be 0 or 1": _with(np.nan),
        "resets[1, 2] is 2.0; each entry must be 0 or 1": _with(2.0),
        "resets holds str32; it must hold bools, or the numbers 0 and 1": np.full((7, 4), "a"),
    }
    for message, resets in cases.items():
        with pytest.raises(rc.ShapeError) as error:
            model.forward(two.params, two.inputs, resets=resets)
        assert str(error.value) == message
    with pytest.raises(rc.ShapeError, match=r"resets is \[1, 4\]; one step needs \[B\]"):
        model.step(two.params, {n: x[0] for n, x in two.inputs.items()}, resets=np.zeros((1, 4)))
    with pytest.raises(rc.UsageError, match="has no clock s"):
        model.forward(two.params, two.inputs, resets={"s": np.zeros((7, 4))})


def _with(number: float) -> Array:
    out = np.zeros((7, BATCH))
    out[1, 2] = number
    return out


def test_a_cell_that_needs_whole_sequences_says_which_line() -> None:
    text = "cell W[N](x: [N]) -> (y: [N]) {\n    y = x - last(x)\n}"
    model = rc.parse(text, "whole.rnn").compile(backend="numpy", N=2)
    with pytest.raises(rc.UsageError) as error:
        model.forward(model.init(), np.zeros((3, 1, 2)), resets=np.zeros((3, 1)))
    said = "W can't be reset within sequences: line 2 of whole.rnn needs the whole sequence: y = x - last(x)"
    assert str(error.value) == said


def test_a_cell_that_reads_later_steps_says_which_line() -> None:
    text = "cell W[N](x: [N]) -> (y: [N]) {\n    y = x + 0.5 * x[t+1]\n}"
    model = rc.parse(text, "later.rnn").compile(backend="numpy", N=2)
    with pytest.raises(rc.UsageError, match=r"line 2 of later.rnn reads later steps: y = x \+ 0.5 \* x\[t\+1\]"):
        model.forward(model.init(), np.zeros((3, 1, 2)), resets=np.zeros((3, 1)))


def test_a_loss_at_the_end_does_not_prevent_resets_of_outputs() -> None:
    model = compiled("Classifier", "numpy")
    two = Two.of(model)
    model.forward(two.params, two.inputs, resets=two.resets)
    with pytest.raises(rc.UsageError, match="needs the whole sequence: loss"):
        model.loss(two.params, two.inputs, resets=two.resets)
