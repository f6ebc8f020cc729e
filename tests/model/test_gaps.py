"""Masks at run time: a sequence with gaps has the numbers of the steps that are there."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import find
from recurrency.training.data import read_user
from tests.support.cells import CASE, compiled, compiled_with_loss
from tests.support.removing import BATCH as B
from tests.support.removing import LENGTHS as ENDS
from tests.support.removing import STEPS, Removed, dense, drawn, drawn_states, lengths_of, masks, same_losses
from tests.support.resetting import Array, close

T, LENGTHS = STEPS["t"], ENDS["t"]
OTHERS = ("interpreter", "c", "torch", "cupy-emulated")
FEW = ("LSTM", "QRNN", "CharacterModel", "Bidirectional", "Tagger")
"""Cells with a state, an input read a step before, symbols, and some that read whole streams."""


def check_passes(model: Any, handed: bool = False) -> None:
    """Each sequence has the numbers of its steps alone: outputs, states, and all gradients."""
    (params, inputs), mask, rng = drawn(model), masks(), np.random.default_rng(1)
    removed = Removed(model, params, inputs, mask, drawn_states(model) if handed else None)
    run = model.forward(params, inputs, removed.state, mask={"t": mask}, lengths=lengths_of(model))
    for name, y in run.outputs.items():
        close(y, removed.output(name))
    for name in model.states:
        close(run.state[name], removed.last(name))
    of_outputs = {n: rng.standard_normal(a.shape) for n, a in run.outputs.items() if model.outputs[n].index is None}
    of_states = {n: rng.standard_normal((B, *p.shape)) for n, p in model.state_ports.items() if p.index is None}
    found = model.backward(run, of_outputs, of_states)
    of_params, of_inputs, of_first = removed.gradients(of_outputs, of_states)
    close(found.params, of_params)
    for name, wanted in of_inputs.items():
        close(found.inputs[name], wanted)
    for name, wanted in of_first.items():
        close(found.state[name], wanted)


@pytest.mark.parametrize("cell", FEW)
def test_a_sequence_with_gaps_has_the_numbers_of_its_steps(cell: str) -> None:
    check_passes(compiled(cell, "numpy"))
    check_passes(compiled(cell, "numpy"), handed=True)


@pytest.mark.long
@pytest.mark.parametrize(("cell", "backend"), [*((c, "numpy") for c in CASE), *product(FEW, OTHERS)])
def test_sequences_with_gaps_of_every_shipped_cell(cell: str, backend: str) -> None:
    """Sequences are brought together before any backend: all cells on one, and some on the others."""
    for handed in (False, True):
        check_passes(compiled(cell, backend), handed)
    check_loss(compiled_with_loss(cell, backend))


def test_outputs_repeat_in_gaps_and_are_zero_before_the_first_step() -> None:
    model = rc.parse("cell C[N](x: [N], w: index[5]) -> (y: [N], v: index[5]) {\n y = x\n v = w\n}").compile(
        backend="numpy", N=1
    )
    x = np.arange(1.0, 7.0)[:, None, None]
    mask = np.array([0, 1, 0, 0, 1, 0])[:, None]
    run = model.forward(model.init(), {"x": x, "w": np.array([[0, 1, 2, 3, 4, 0]]).T}, mask=mask)
    assert run["y"][:, 0, 0].tolist() == [0, 2, 2, 2, 5, 5]
    assert run["v"][:, 0].tolist() == [-1, 1, 1, 1, 4, 4]


def check_loss(model: Any) -> None:
    """Loss, gradients and products with the Hessian and the Gauss-Newton matrix are those of the steps alone."""
    (_, inputs), mask = drawn(model), masks()
    short, lengths = dense(model, inputs, mask)
    there = {"mask": {"t": mask}, "lengths": lengths_of(model)}
    same_losses((model, inputs, there), (model, short, {"lengths": lengths}))


def test_losses_and_products_are_those_of_the_steps_that_are_there() -> None:
    check_loss(compiled_with_loss("LSTM", "numpy"))


def test_gradients_and_directional_derivatives_agree() -> None:
    model = compiled("LSTM", "numpy")
    params, inputs = drawn(model)
    rng, there = np.random.default_rng(3), {"mask": masks(), "lengths": LENGTHS}
    seeds = rng.standard_normal(model.forward(params, inputs, **there).output.shape)
    direction = rng.standard_normal((T, B, *model.inputs["x"].shape))
    found = model.vjp(params, inputs, seeds, **there).inputs["x"]
    moved, _ = model.jvp(params, inputs, inputs_tangent=direction, **there)
    padding = np.arange(T)[:, None] >= LENGTHS
    assert float((found * direction).sum()) == pytest.approx(float((moved["h"] * seeds)[~padding].sum()), rel=1e-12)


def test_a_reset_in_a_gap_takes_effect_at_the_next_step() -> None:
    model = compiled("LSTM", "numpy")
    params, inputs = drawn(model)
    mask, resets = np.ones((T, B)), np.zeros((T, B))
    mask[3:5], resets[4] = 0, 1
    late = np.zeros((T, B))
    late[5] = 1
    one = model.forward(params, inputs, mask=mask, resets=resets)
    close(one.output, model.forward(params, inputs, mask=mask, resets=late).output)


DELAYS = """
cell Delays[N, H](x: [N]) -> (h: [H], y: [N]) {
    param U : [H, H] ~ orthogonal
    param W : [H, N] ~ orthogonal
    param h0 : [H] ~ constant(0.5)
    state h : [H] = h0
    h = tanh(U @ h[t-1] + W @ x)
    y = x[t-3] + x[t-1]
    loss sum(square(h))
}"""
"""A declared initial state that is a parameter, and rows of an input that are passed on."""


def ending_in_gaps() -> tuple[Array, Array]:
    """A mask and resets: the first three sequences are reset in the gap with which they end, one not."""
    mask, resets = np.ones((T, B)), np.zeros((T, B))
    mask[5:, :2], mask[:, 2], mask[4:6, 3] = 0, 0, 0
    resets[6, 0], resets[5, 1], resets[7, 1], resets[3, 2], resets[5, 3] = 1, 1, 1, 1, 1
    return mask, resets


@pytest.mark.parametrize(
    "backend", ["numpy", "c", *(pytest.param(b, marks=pytest.mark.long) for b in OTHERS if b != "c")]
)
def test_a_reset_in_the_gap_at_the_end_of_a_call_holds_for_the_next_call(backend: str) -> None:
    if why := find(backend, run=False).available():
        pytest.skip(why)
    spec, sizes = rc.parse(DELAYS), {"N": 2, "H": 3, "dtype": "float64"}
    model = spec.compile(backend=backend, **sizes)
    params, inputs = drawn(model)
    mask, resets = ending_in_gaps()
    mask, resets = np.concatenate([mask, np.ones((T, B))]), np.concatenate([resets, np.zeros((T, B))])
    x = np.concatenate([inputs["x"], inputs["x"] + 1])
    whole = model.forward(params, x, mask=mask, resets=resets)
    first = model.forward(params, x[:T], mask=mask[:T], resets=resets[:T])
    assert not first.state["x[t-2..t-1]"][:3].any()
    close(first.state["h"][:3], np.broadcast_to(model.views(params)["h0"], (3, 3)))
    second = model.forward(params, x[T:], first.state)
    for name, y in whole.outputs.items():
        close(y[T:], second.outputs[name])
    for name, array in whole.state.items():
        close(array, second.state[name])


def test_a_state_that_began_again_in_a_gap_has_the_gradient_of_its_declared_value() -> None:
    spec, sizes = rc.parse(DELAYS), {"N": 2, "H": 3, "backend": "numpy", "dtype": "float64"}
    model = spec.compile(**sizes)
    params, inputs = drawn(model)
    mask, resets = ending_in_gaps()
    there, rng = {"mask": mask, "resets": resets}, np.random.default_rng(5)
    run = model.forward(params, inputs, **there)
    seeds = {n: rng.standard_normal(a.shape) for n, a in run.state.items()}
    seeds["h"][3], seeds["x"][3], seeds["x[t-2..t-1]"][3] = 0, 0, 0
    found = model.backward(run, {}, seeds)
    close(model.views(found.params)["h0"], seeds["h"].sum(0))
    assert not model.views(found.params)["U"].any()
    assert not found.inputs["x"].any()
    close(model.vjp(params, inputs, {}, seeds, **there).params, found.params)
    direction = rng.standard_normal(model.size)
    _, moved = model.jvp(params, inputs, direction, **there)
    close(moved["h"][:3], np.broadcast_to(model.views(direction)["h0"], (3, 3)))
    chunked = spec.compile(checkpoint=2, **sizes)
    again = chunked.forward(params, inputs, **there)
    close(again.state["h"], run.state["h"])
    close(chunked.backward(again, {}, seeds).params, found.params)
    loss, gradients, state = chunked.loss_and_gradients(params, inputs, **there)
    wanted = model.loss_and_gradients(params, inputs, **there)
    close(np.asarray([loss, *gradients.params]), np.asarray([wanted[0], *wanted[1].params]))
    close(state["h"], wanted[2]["h"])


def test_gaps_and_checkpoints_and_axes() -> None:
    spec, sizes = rc.library.QRNN, {"N": 3, "H": 4, "backend": "numpy", "dtype": "float64"}
    model = spec.compile(**sizes)
    params, inputs = drawn(model)
    mask, seeds = masks(), np.random.default_rng(4).standard_normal((T, B, 4))
    run = model.forward(params, inputs, mask=mask)
    wanted = model.backward(run, seeds)
    chunked = spec.compile(checkpoint=2, **sizes)
    again = chunked.forward(params, inputs, mask=mask)
    close(again.output, run.output)
    close(chunked.backward(again, seeds).params, wanted.params)
    turned = spec.compile(batch_first=True, **sizes)
    found = turned.forward(params, {"x": inputs["x"].swapaxes(0, 1)}, mask=mask.T)
    close(found.output.swapaxes(0, 1), run.output)
    close(turned.backward(found, seeds.swapaxes(0, 1)).inputs["x"].swapaxes(0, 1), wanted.inputs["x"])


def test_masks_of_another_shape_or_content_are_refused() -> None:
    model = compiled("LSTM", "numpy")
    params, inputs = drawn(model)
    with pytest.raises(rc.ShapeError, match=r"mask is \[T=4, B=8\]; this call needs \[T=8, B=4\]"):
        model.forward(params, inputs, mask=masks().T)
    with pytest.raises(rc.ShapeError, match=r"mask\[0, 0\] is 0.5; each entry must be 0 or 1"):
        model.forward(params, inputs, mask=np.full((T, B), 0.5))
    with pytest.raises(rc.UsageError, match="has no clock s"):
        model.forward(params, inputs, mask={"s": masks()})


def test_a_mask_among_the_data_leaves_steps_out(tmp_path: Path) -> None:
    spec = "cell M(x: []) -> (y: []) {\n y = x + y[t-1]\n loss square(y)\n}"
    model = rc.parse(spec).compile(backend="numpy")
    rows = ["sequence,split,x,mask,resets"]
    for (s, split), t in product(enumerate(("train", "valid", "test")), range(6)):
        rows.append(f"{s},{split},{t},{int(t % 3 != 1)},{int(t == 4)}")
    (tmp_path / "d.csv").write_text("\n".join(rows))
    data = read_user(tmp_path / "d.csv", model.inputs)["train"]
    assert data.inputs["x"][0].tolist() == [0, 2, 3, 5]
    assert data.inputs[":resets"][0].tolist() == [0, 0, 0, 1]
    (tmp_path / "d.csv").write_text("\n".join(row.replace(",1,", ",0,") for row in rows))
    with pytest.raises(rc.UsageError, match="sequence 0: it leaves no step"):
        read_user(tmp_path / "d.csv", model.inputs)
