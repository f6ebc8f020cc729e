"""Every shipped cell against its transcription from the paper, its derivatives against differences, on all backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support import cells
from tests.support.usual import diagonal
from tests.transcriptions import CASES, Case

BACKENDS = ("interpreter", "numpy", "torch", "c")
EXACT = {"rtol": 1e-12, "atol": 1e-12}

each_case = pytest.mark.parametrize("case", CASES, ids=str)
causal_case = pytest.mark.parametrize("case", [case for case in CASES if case.causal], ids=str)
each_backend = pytest.mark.parametrize("backend", BACKENDS)
one_backend = pytest.mark.parametrize(("case", "backend"), diagonal(CASES, BACKENDS))
"""Each cell on one backend in turn; on the others the test is long."""
causal_one_backend = pytest.mark.parametrize(
    ("case", "backend"), diagonal([case for case in CASES if case.causal], BACKENDS)
)
two_settings = pytest.mark.parametrize(
    ("ragged", "handed"), [(False, False), (True, True)], ids=["plain", "ragged, handed"]
)
first_states = pytest.mark.parametrize("handed", [False, True], ids=["declared", "handed over"])


def skip_unless_handed(case: Case, model: Any, handed: bool) -> None:
    if handed and not (case.handed and model.states):
        pytest.skip("no first state that could be handed over")


def assert_equal(found: cells.Arrays, wanted: cells.Arrays) -> None:
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, **EXACT, err_msg=name)


def test_every_shipped_cell_has_a_transcription() -> None:
    assert set(rc.library.names()) == {case.cell for case in CASES}


@each_case
def test_every_shipped_cell_names_its_source(case: Case) -> None:
    spec = rc.library.spec(case.cell)
    spec.check()
    assert spec.name == case.cell
    assert spec.doc


@each_backend
@first_states
@pytest.mark.parametrize("ragged", [False, True], ids=["even", "ragged"])
@each_case
def test_a_cell_computes_what_its_paper_says(case: Case, ragged: bool, handed: bool, backend: str) -> None:
    model = cells.compiled(case.cell, backend)
    skip_unless_handed(case, model, handed)
    data = cells.random_data(case, model, handed, ragged)
    wanted = cells.expected(case, model, data)
    run = model.forward(data.params, data.inputs, **data.keywords)
    assert_equal(run.outputs, wanted.outputs)
    assert_equal(run.state, wanted.state)
    assert model.has_loss == (wanted.loss is not None)
    if wanted.loss is not None:
        loss, _, state = model.loss_and_gradients(data.params, data.inputs, **data.keywords)
        np.testing.assert_allclose(loss, wanted.loss, **EXACT)
        np.testing.assert_allclose(model.loss(data.params, data.inputs, **data.keywords), wanted.loss, **EXACT)
        assert_equal(state, wanted.state)


@one_backend
def test_padding_is_never_read(case: Case, backend: str) -> None:
    model = cells.compiled(case.cell, backend)
    data = cells.random_data(case, model, ragged=True)
    spoilt = cells.with_spoilt_padding(case, data)
    clean, run = (model.forward(d.params, d.inputs, **d.keywords) for d in (data, spoilt))
    assert_equal(run.outputs, clean.outputs)
    assert_equal(run.state, clean.state)
    weights = {name: np.ones_like(y) for name, y in clean.outputs.items()}
    one, other = model.backward(clean, weights), model.backward(run, weights)
    np.testing.assert_allclose(other.params, one.params, **EXACT)
    assert_equal(other.inputs, one.inputs)


@one_backend
def test_the_gradient_of_a_padded_batch_is_that_of_its_sequences(case: Case, backend: str) -> None:
    """On each backend, gradients of padded batches are held against differences further down."""
    model = cells.compiled(case.cell, backend)
    data = cells.random_data(case, model, case.handed, ragged=True)
    run = model.forward(data.params, data.inputs, **data.keywords)
    rng = np.random.default_rng(2)
    weights = {name: rng.standard_normal(y.shape) for name, y in run.outputs.items()}
    whole = model.backward(run, weights)
    total = np.zeros_like(whole.params)
    for b in range(cells.BATCH):
        alone = data.alone(b, case)
        single = model.forward(alone.params, alone.inputs, **alone.keywords)
        own = {name: weights[name][: len(y), b : b + 1] for name, y in single.outputs.items()}
        gradients = model.backward(single, own)
        total += gradients.params
        for name, g in gradients.inputs.items():
            np.testing.assert_allclose(whole.inputs[name][: len(g), b], g[:, 0], **EXACT)
            np.testing.assert_array_equal(whole.inputs[name][len(g) :, b], 0)
    np.testing.assert_allclose(whole.params, total, **EXACT)


@each_backend
@first_states
@causal_case
def test_chunks_give_the_numbers_of_the_whole(case: Case, handed: bool, backend: str) -> None:
    model = cells.compiled(case.cell, backend)
    skip_unless_handed(case, model, handed)
    data = cells.random_data(case, model, handed)
    whole = model.forward(data.params, data.inputs, **data.keywords)
    outputs, state = [], data.state
    for inputs in cells.pieces(data, [1, 3, 2]):
        run = model.forward(data.params, inputs, state=state)
        outputs.append(run.outputs)
        state = run.state
    assert_equal({name: np.concatenate([part[name] for part in outputs]) for name in outputs[0]}, whole.outputs)
    assert_equal(state or {}, whole.state)


@first_states
@causal_one_backend
def test_single_steps_give_the_numbers_of_the_whole(case: Case, handed: bool, backend: str) -> None:
    """On each backend, chunks of one step are among those above."""
    model = cells.compiled(case.cell, backend)
    skip_unless_handed(case, model, handed)
    data = cells.random_data(case, model, handed)
    whole = model.forward(data.params, data.inputs, **data.keywords)
    state = data.state
    for t in range(cells.STEPS["t"]):
        outputs, state = model.step(data.params, {name: x[t] for name, x in data.inputs.items()}, state)
        assert_equal(outputs, {name: y[t] for name, y in whole.outputs.items()})
    assert_equal(state or {}, whole.state)


@each_backend
@two_settings
@each_case
def test_gradients_of_outputs_and_final_states_match_differences(
    case: Case, ragged: bool, handed: bool, backend: str
) -> None:
    """For a random weighted sum of all outputs and final states, along a random direction of everything real."""
    model = cells.compiled(case.cell, backend)
    handed = handed and case.handed
    data = cells.random_data(case, model, handed, ragged)
    run = model.forward(data.params, data.inputs, **data.keywords)
    rng = np.random.default_rng(3)
    on_outputs = {name: rng.standard_normal(y.shape) for name, y in run.outputs.items()}
    on_state = {name: rng.standard_normal(s.shape) for name, s in run.state.items() if s.dtype.kind == "f"}

    def weighted(by: float) -> float:
        moved = data.moved(by, direction)
        now = model.forward(moved.params, moved.inputs, **moved.keywords)
        total = sum(np.sum(w * now.outputs[name]) for name, w in on_outputs.items())
        return float(total + sum(np.sum(w * now.state[name]) for name, w in on_state.items()))

    direction = cells.random_direction(data)
    exact = cells.projection(model.backward(run, on_outputs, state_gradients=on_state), direction)
    assert exact == pytest.approx(cells.slope(weighted), rel=1e-7)


@two_settings
@one_backend
def test_gradients_of_the_loss_match_differences(case: Case, ragged: bool, handed: bool, backend: str) -> None:
    model = cells.compiled_with_loss(case.cell, backend)
    handed = handed and case.handed
    data = cells.random_data(case, model, handed, ragged)
    direction = cells.random_direction(data)

    def loss(by: float) -> float:
        moved = data.moved(by, direction)
        return float(model.loss(moved.params, moved.inputs, **moved.keywords))

    _, gradients, _ = model.loss_and_gradients(data.params, data.inputs, **data.keywords)
    assert cells.projection(gradients, direction) == pytest.approx(cells.slope(loss), rel=1e-7)


@one_backend
def test_hessian_vector_products_match_differences_of_gradients(case: Case, backend: str) -> None:
    model = cells.compiled_with_loss(case.cell, backend)
    data = cells.random_data(case, model)
    vector = np.random.default_rng(4).standard_normal(model.size)
    vector /= np.linalg.norm(vector)
    product = model.hvp(data.params, data.inputs, vector)
    # A short step: gradients are exact enough for it, and it seldom crosses a kink of `elu` or `relu`.
    measured = cells.slope(lambda by: model.loss_and_gradients(data.params + by * vector, data.inputs)[1].params, 1e-4)
    assert np.linalg.norm(product - measured) <= 1e-6 * np.linalg.norm(measured)


@one_backend
def test_forward_and_reverse_mode_are_each_other_transposed(case: Case, backend: str) -> None:
    """<u, J v> = <J' u, v> over outputs, for parameters, inputs and first states."""
    model = cells.compiled(case.cell, backend)
    data = cells.random_data(case, model, case.handed and bool(model.states))
    direction = cells.random_direction(data)
    outputs, _ = model.jvp(
        data.params,
        data.inputs,
        params_tangent=direction["params", ""],
        inputs_tangent={name: d for (kind, name), d in direction.items() if kind == "input"},
        state_tangent={name: d for (kind, name), d in direction.items() if kind == "state"},
        **data.keywords,
    )
    rng = np.random.default_rng(5)
    u = {name: rng.standard_normal(y.shape) for name, y in outputs.items()}
    gradients = model.vjp(data.params, data.inputs, u, **data.keywords)
    forwards = float(sum(np.sum(u[name] * y) for name, y in outputs.items()))
    assert cells.projection(gradients, direction) == pytest.approx(forwards, rel=1e-10)
