"""Generated C in all its forms, by several compilers and on several processors, held against the interpreter.

Every width of vectors is tried on any processor, under sanitizers: they see what another one would die of. `make cross`
tries more cells, with every optimisation.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from recurrency.backends.c import sizes

import recurrency as rc
from recurrency.model.export import module_text
from recurrency.model.spec import Spec
from recurrency.testing import Case, differences
from tests.support.machines import MACHINES, WHOLE, WIDTHS, Machine, OnMachine

MEMORY = """
cell Memory[N, K, H](x: [N]) -> (h: [H]) {
    param W, V : [H, N] ~ glorot_uniform
    param Q    : [K, N] ~ glorot_uniform
    param U    : [H, H] ~ orthogonal
    param b    : [H]    ~ zeros

    state h : [H]    = 0
    state S : [H, K] = 0

    z = sigmoid(V @ x + b)
    k = softplus(Q @ x) / K
    S = exp(-softplus(dot(b, z))) * S[t-1] + outer(z, k)
    h = z * tanh(W @ x + U @ h[t-1] + b) + (1 - z) * (S @ k)
}
"""
"""Products before and in the loop over time, a matrix as a state, and the functions that are written in C."""

SIZES = {
    "Memory": {"N": 5, "K": 3, "H": 27},
    "LSTM": {"N": 9, "H": 19},
    "MLSTM": {"N": 6, "K": 5, "H": 18},
    "LayerNormLSTM": {"N": 4, "H": 17},
    "MinGRU": {"N": 3, "H": 33},
}
CELLS = list(SIZES) if os.environ.get(WHOLE) else ["Memory"]
UNTRIED = MACHINES if os.environ.get(WHOLE) else [m for m in MACHINES if "avx512f" in m.features]
"""Those for which a file for other programs is compiled: all, or those that few processors can run."""

LAWS = ["normal", "special"] if os.environ.get(WHOLE) else ["normal"]
"""Special values are infinite, subnormal or so large that something overflows."""

STEPS, BATCH = 5, 7
LENGTHS = {"t": (5, 0, 3, 5, 1, 4, 5)}
"""Odd numbers: what is packed of all steps and sequences does not end on a line by itself."""

RUNS = [(machine, dtype) for machine in (*MACHINES, *WIDTHS) for dtype in ("float32", "float64")]
if not os.environ.get(WHOLE):
    SHORT = {machine.name: "float32" for machine in MACHINES} | {"16 bytes, sanitized": "float64"}
    RUNS = [(machine, dtype) for machine, dtype in RUNS if SHORT.get(machine.name, dtype) == dtype]


@cache
def spec_of(name: str) -> Spec:
    """A cell, of which the interpreter's results are remembered."""
    return rc.parse(MEMORY) if name == "Memory" else rc.library.spec(name)


@pytest.mark.parametrize("values", LAWS)
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("machine", "dtype"), RUNS, ids=lambda one: getattr(one, "name", one))
def test_the_numbers_are_those_of_the_interpreter(
    machine: Machine, name: str, values: str, dtype: str, tmp_path: Path
) -> None:
    """Outputs, last states and all gradients of sequences of unequal length, from first states that are handed over."""
    reason = machine.obstacle()
    if reason is not None:
        pytest.skip(reason)
    case = Case(SIZES[name], {"t": STEPS}, BATCH, LENGTHS, dtype, state=True, values=values)
    found = differences(spec_of(name), case, OnMachine(machine, tmp_path), ["backward"])
    assert not found, "\n".join(map(str, found))


def test_panels_off_their_line_are_seen_on_any_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Panels that follow packed rows of any number of elements: 64-byte vectors are then loaded from elsewhere."""
    machine = next(machine for machine in WIDTHS if machine.form.endswith("64"))
    reason = machine.obstacle()
    if reason is not None:
        pytest.skip(reason)
    (at,) = [k for k, formula in enumerate(sizes.PRODUCTS) if formula.name == "rec_packed_rows_size"]
    text = "REC_CEIL_DIV(REC_MIN(m, REC_PACKED_M), REC_ROWS) * REC_STRIP * rec_block_depth(k)"
    planted = [*sizes.PRODUCTS]
    assert planted[at].text == f"REC_CEIL_DIV({text}, REC_LINE) * REC_LINE"
    planted[at] = replace(planted[at], text=text)
    monkeypatch.setattr(sizes, "PRODUCTS", planted)
    case = Case(SIZES["Memory"], {"t": STEPS}, BATCH, LENGTHS, "float32", state=True)
    (found,) = differences(spec_of("Memory"), case, OnMachine(machine, tmp_path), ["backward"])
    assert re.search(r"load of misaligned address .* requires 64 byte alignment", found.what)


@pytest.mark.parametrize("machine", UNTRIED, ids=lambda machine: machine.name)
def test_the_text_compiles_without_a_warning(machine: Machine, tmp_path: Path) -> None:
    """Also where no such processor is at hand."""
    reason = machine.untold()
    if reason is not None:
        pytest.skip(reason)
    model = spec_of("Memory").compile(backend="c", **SIZES["Memory"])
    (tmp_path / "cell.c").write_text(module_text(model))
    machine.compile(tmp_path, "-c", "cell.c")
