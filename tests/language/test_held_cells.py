"""Every shipped cell behind `when`: a masked sequence has the numbers of the sequence without the masked steps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.cells import CASE, compiled, written
from tests.support.removing import (
    BATCH,
    LENGTHS,
    STEPS,
    Removed,
    dense,
    drawn,
    drawn_states,
    lengths_of,
    masks,
    same_losses,
)
from tests.support.resetting import Array, close

BACKENDS = ("numpy", "c", "torch", "cupy-emulated")
FEW = ("LSTM", "QRNN", "MultiHeadMLSTM")
"""Cells with a state, an input read a step before, and heads."""


def exposed(cell: str) -> list[str]:
    """The outputs of a cell that run over t and are no symbols."""
    return [n for n, p in compiled(cell, "numpy").outputs.items() if p.clock == "t" and p.index is None]


@cache
def used(cell: str, held: bool = False, loss: bool = False) -> Any:
    """A cell whose outputs are those of another one, behind `when moves` if asked, perhaps with a loss."""
    model = compiled(cell, "numpy")
    first = next(iter(model.outputs))
    inputs = ", ".join(f"{name}: {written(port)}" for name, port in model.inputs.items())
    outputs = ", ".join(f"y_{name}: {written(model.outputs[name])}" for name in exposed(cell))
    bound = ", ".join(f"{name} = {size}" for name, size in CASE[cell].dimensions.items() if name != "N")
    lines = [f"y_{name} = {'y' if name == first else f'y.{name}'}" for name in exposed(cell)]
    if loss:
        lines.append(f"loss squared_error(y, target){' where moves' if held else ''}")
    more = ", moves: []" if held else ""
    target = f", target: {written(model.outputs[first])}" if loss else ""
    text = f"""
        use {cell} from library

        cell Used({inputs}{more}{target}) -> ({outputs}) {{
            y = {cell}{f"[{bound}]" if bound else ""}({", ".join(model.inputs)}){" when moves" if held else ""}
            {f"{chr(10)}            ".join(lines)}
        }}"""
    return rc.parse(text, name=f"{cell} used")


def refusal(cell: str) -> str:
    """Why a cell can't stand still ("" where it can)."""
    try:
        used(cell, held=True).check()
    except rc.SpecError as error:
        return str(error)
    return ""


def check_passes(cell: str, backend: str, handed: bool = False) -> None:
    """Outputs, final states, and all gradients are those of each sequence without the masked steps."""
    model, plain = (used(cell, held).compile(backend=backend, dtype="float64") for held in (True, False))
    (own, inputs), mask, rng = drawn(plain), masks(), np.random.default_rng(1)
    params = model.pack(plain.views(own))
    removed = Removed(plain, own, inputs, mask, drawn_states(plain) if handed else None)
    run = model.forward(params, {**inputs, "moves": mask * 1.0}, removed.state, lengths=lengths_of(model))
    before = plain.forward(own, {n: x[:0] for n, x in inputs.items()}, removed.state).state
    for name, array in run.outputs.items():
        close(array, removed.output(name, before.get(name.replace("y_", "y.", 1))))
    for name in plain.states:
        close(run.state[name], removed.last(name))
    begun = (np.cumsum(mask, 0) > 0) & (np.arange(STEPS["t"])[:, None] < LENGTHS["t"])
    seeds = {n: spread(begun, rng.standard_normal(a.shape)) for n, a in run.outputs.items()}
    of_states = {n: rng.standard_normal((BATCH, *p.shape)) for n, p in plain.state_ports.items() if p.index is None}
    found = model.backward(run, seeds, of_states)
    of_params, of_inputs, of_first = removed.gradients(seeds, of_states)
    close(found.params, model.pack(plain.views(of_params)))
    for name, wanted in of_inputs.items():
        close(found.inputs[name], wanted)
    for name, wanted in of_first.items():
        close(found.state[name], wanted)


def spread(mask: Array, array: Array) -> Array:
    """An array [T, B, ...] where a mask [T, B] is 1, else zero."""
    return array * mask.reshape(*mask.shape, *[1] * (array.ndim - 2))


def check_loss(cell: str, backend: str) -> None:
    """Loss, gradients and products with the Hessian and the Gauss-Newton matrix are those of the other steps."""
    model, plain = (used(cell, held, loss=True).compile(backend=backend, dtype="float64") for held in (True, False))
    (_, inputs), mask = drawn(plain), masks()
    short, lengths = dense(plain, inputs, mask)
    there = {"lengths": lengths_of(model)}
    same_losses((model, {**inputs, "moves": mask * 1.0}, there), (plain, short, {"lengths": lengths}))


@pytest.mark.parametrize("cell", FEW)
def test_a_use_that_stands_still_has_the_numbers_of_its_other_steps(cell: str) -> None:
    for given in (False, True):
        check_passes(cell, "numpy", given)


def test_losses_and_products_are_those_of_the_steps_at_which_a_use_moves() -> None:
    check_loss("LSTM", "numpy")


@pytest.mark.long
@pytest.mark.parametrize("backend", ["interpreter", *BACKENDS])
@pytest.mark.parametrize("cell", CASE)
def test_every_shipped_cell_stands_still(cell: str, backend: str) -> None:
    if compiled(cell, backend).has_loss or cell in WHOLE:
        pytest.skip("it has a loss of its own, or needs all steps")
    for given in (False, True):
        check_passes(cell, backend, given)
    if next(iter(compiled(cell, backend).outputs)) in exposed(cell):
        check_loss(cell, backend)


WHOLE = {"Tagger", "Bidirectional"}
"""Cells that read a whole stream. The others that are refused have a loss of their own."""


@pytest.mark.parametrize("cell", ["Bidirectional", "CharacterModel", "Strokes"])
def test_what_cannot_stand_still_is_refused(cell: str) -> None:
    said = refusal(cell)
    if cell in WHOLE:
        assert f"needs all steps, and {cell} is used with `when` here" in said
    elif compiled(cell, "numpy").has_loss:
        assert "has a loss, and is used with `when`: which steps would count?" in said
    else:
        assert not said


@pytest.mark.long
@pytest.mark.parametrize("cell", CASE)
def test_only_losses_and_whole_streams_prevent_that_a_shipped_cell_stands_still(cell: str) -> None:
    test_what_cannot_stand_still_is_refused(cell)
