"""Sequences of different lengths: each gives the numbers that it gives alone, and nothing of the padding is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.graph.op import Trait
from recurrency.graph.ops import OPS
from tests.support.specimens import (
    BATCH,
    EXACT,
    STEPS,
    Array,
    compiled,
    each_backend,
    each_specimen,
    inputs_of,
    lengths_of,
    params_of,
    same,
)


def run_of(model: Any, **options: Any) -> Any:
    return model.forward(params_of(model), inputs_of(model), keep=False, **options)


def alone(model: Any, inputs: dict[str, Array], lengths: dict[str, Array], b: int) -> dict[str, Array]:
    return {n: x[: lengths[model.inputs[n].clock][b], b : b + 1] for n, x in inputs.items()}


@each_backend
@each_specimen
def test_a_padded_sequence_gives_the_numbers_that_it_gives_alone(name: str, backend: str) -> None:
    model = compiled(name, backend)
    each_as_alone(model, inputs_of(model))


def each_as_alone(model: Any, inputs: dict[str, Array]) -> None:
    """Values, states and gradients of sequences of different lengths are those of each alone."""
    params, lengths = params_of(model), lengths_of(model)
    batch = model.forward(params, inputs, lengths=lengths)
    rng = np.random.default_rng(4)
    seeds = {n: rng.standard_normal(y.shape) for n, y in batch.outputs.items() if y.dtype.kind == "f"}
    later = {n: rng.standard_normal(s.shape) for n, s in batch.state.items() if s.dtype.kind == "f"}
    gradients = model.backward(batch, seeds, later)
    total = np.zeros(model.size)
    for b in range(BATCH):
        single = model.forward(params, alone(model, inputs, lengths, b))
        part = {}
        for n, y in single.outputs.items():
            kind, count = model.outputs[n].kind, len(y)
            index = ((), slice(b, b + 1), (slice(count), slice(b, b + 1)))[kind]
            np.testing.assert_allclose(batch.outputs[n][index], y, **EXACT, err_msg=n)
            if kind == 2:
                assert (batch.outputs[n][count:, b] == (-1 if model.outputs[n].index else 0)).all()
            if n in seeds:
                part[n] = seeds[n][index] / (BATCH if kind == 0 else 1)
        same(
            {n: s[b : b + 1] for n, s in batch.state.items() if n != "t"},
            {n: s for n, s in single.state.items() if n != "t"},
        )
        own = model.backward(single, part, {n: s[b : b + 1] for n, s in later.items()})
        total += own.params
        for n, g in own.inputs.items():
            np.testing.assert_allclose(gradients.inputs[n][: len(g), b : b + 1], g, rtol=1e-10, atol=1e-12)
            assert not gradients.inputs[n][len(g) :, b].any()
        same({n: g[b : b + 1] for n, g in gradients.state.items()}, own.state, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gradients.params, total, rtol=1e-10, atol=1e-12)


@each_backend
@pytest.mark.parametrize("name", ["two states", "delay lines", "two clocks"])
def test_gradients_of_last_states_go_to_the_first_ones_only_where_there_are_no_steps(name: str, backend: str) -> None:
    found = []
    for model in (compiled(name, backend), compiled(name, "interpreter")):
        run = model.forward(params_of(model), inputs_of(model), lengths=lengths_of(model))
        later = {n: np.ones(s.shape) for n, s in run.state.items() if s.dtype.kind == "f"}
        found.append(model.backward(run, {}, later))
    same(found[0].state, found[1].state)
    same(found[0].inputs, found[1].inputs)
    np.testing.assert_allclose(found[0].params, found[1].params, **EXACT)


PADDED = {
    "delayed, then read later": """
        cell Cell[N, H](x: [N]) -> (y: [H], z: [H]) {
            param W    : [H, N] ~ glorot_uniform
            param U, V : [H, H] ~ glorot_uniform
            param b    : [H]    ~ constant(1)
            h = tanh(W @ x + b)
            before = h[t-1]
            again = before[t+1]
            y = tanh(U @ again + V @ before)
            z = again * again
            loss sum(y * y + z)
        }""",
    "a product is read later": """
        cell Cell[N, H](x: [N]) -> (y: [H]) {
            param W : [H, N] ~ glorot_uniform
            param U : [H, H] ~ glorot_uniform
            param b : [H]    ~ constant(1)
            h = tanh(W @ x + b)
            both = U @ h[t-1]
            y = both[t+1]
            loss sum(y * y)
        }""",
    "infinite in padding": """
        cell Cell[N, H](x: [N]) -> (y: [H], mean: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            y = W @ log(x) + V @ (1 / x)
            mean = mean_over_time(y * y)
            loss sum(y * y)
        }""",
    "infinite at places of another clock": """
        cell Cell[N, H](x: [N], a: [N] over s) -> (y: [N], z: [N]) {
            param A : [N, N] ~ glorot_uniform
            y = attend(A @ x, 1 / a, log(a))
            z = window(sigmoid(x), -1 - 0.1 * x, 50 + x, 25 * sum(a), log(a))
            loss sum(y * z)
        }""",
}
"""Cells whose padding holds what would be seen in the results, were it read."""


@each_backend
@pytest.mark.parametrize("text", PADDED.values(), ids=PADDED)
def test_what_padding_holds_is_not_seen(text: str, backend: str) -> None:
    model = rc.parse(text, name="cell.rnn").compile(backend=backend, dtype="float64", N=2, H=3)
    each_as_alone(model, {name: 1.0 + 0.01 * abs(x) for name, x in inputs_of(model).items()})


def test_what_is_said_to_keep_zeros_keeps_them() -> None:
    for op in OPS.values():
        if Trait.KEEPS_ZERO in op.traits:
            assert op.meaning is not None
            assert op.meaning(*[np.zeros(())] * (op.arity or 1)) == 0, op


@each_backend
@each_specimen
def test_nothing_of_the_padding_is_read(name: str, backend: str) -> None:
    model = compiled(name, backend)
    params, inputs, lengths = params_of(model), inputs_of(model), lengths_of(model)
    spoilt = {n: x.copy() for n, x in inputs.items()}
    for n, x in spoilt.items():
        padding = np.arange(len(x))[:, None] >= lengths[model.inputs[n].clock]
        x[padding] = np.nan if x.dtype.kind == "f" else 10**6
    wanted, found = (model.forward(params, x, lengths=lengths) for x in (inputs, spoilt))
    same(found.outputs, wanted.outputs)
    same(found.state, wanted.state)
    seeds = {n: np.ones(y.shape) for n, y in found.outputs.items() if y.dtype.kind == "f"}
    dirty = {n: s.copy() for n, s in seeds.items()}
    for n, s in dirty.items():
        if model.outputs[n].kind == 2:
            s[np.arange(len(s))[:, None] >= lengths["t"]] = np.nan
    np.testing.assert_allclose(model.backward(found, dirty).params, model.backward(wanted, seeds).params, **EXACT)
    one, other = (model.loss_and_gradients(params, x, lengths=lengths) for x in (inputs, spoilt))
    assert one[0] == pytest.approx(other[0], rel=1e-14)
    np.testing.assert_allclose(one[1].params, other[1].params, **EXACT)


@each_backend
@each_specimen
@pytest.mark.parametrize("empty", ["no steps", "no sequences", "all lengths zero"])
def test_nothing_at_all_can_be_run(name: str, empty: str, backend: str) -> None:
    model = compiled(name, backend)
    steps = dict.fromkeys(STEPS, 0) if empty == "no steps" else STEPS
    batch = 0 if empty == "no sequences" else BATCH
    lengths = {c: np.zeros(BATCH, int) for c in lengths_of(model)} if empty == "all lengths zero" else None
    params, inputs = params_of(model), inputs_of(model, steps=steps, batch=batch)
    run = model.forward(params, inputs, lengths=lengths)
    for n, port in model.outputs.items():
        lead = (steps["t"], batch)[2 - port.kind :] if port.kind else ()
        assert run.outputs[n].shape == (*lead, *port.shape)
        assert np.isfinite(run.outputs[n]).all()
    assert {n: s.shape for n, s in run.state.items() if n != "t"} == {n: (batch, *s) for n, s in model.states.items()}
    assert np.isfinite(model.backward(run).params).all()
    loss, gradients, _ = model.loss_and_gradients(params, inputs, lengths=lengths)
    assert np.isfinite(loss)
    assert np.isfinite(gradients.params).all()


@each_backend
def test_lengths_that_are_all_full_change_nothing(backend: str) -> None:
    model = compiled("two clocks", backend)
    full = {clock: [steps] * BATCH for clock, steps in STEPS.items()}
    same(run_of(model, lengths=full).outputs, run_of(model).outputs)
    some = run_of(model, lengths={"s": [4, 1, 2]}).outputs
    same(run_of(model, lengths={"s": [4, 1, 2], "t": None}).outputs, some)
