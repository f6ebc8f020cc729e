"""Generated C in all its forms, by several compilers and on several processors, held against the interpreter.

`make cross` tries more cells, with every optimisation.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

import recurrency as rc
from recurrency.export import module_text
from recurrency.spec import Spec
from recurrency.testing import Case, differences
from tests.machines import MACHINES, WHOLE, Machine, OnMachine

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
    "Memory": {"N": 5, "K": 3, "H": 21},
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

STEPS, BATCH = 5, 8
LENGTHS = {"t": (5, 0, 3, 5, 1, 4, 5, 2)}

each_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


@cache
def spec_of(name: str) -> Spec:
    """A cell, of which the interpreter's results are remembered."""
    return rc.parse(MEMORY) if name == "Memory" else rc.library.spec(name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("values", LAWS)
@pytest.mark.parametrize("name", CELLS)
@each_machine
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


@pytest.mark.parametrize("machine", UNTRIED, ids=lambda machine: machine.name)
def test_the_text_compiles_without_a_warning(machine: Machine, tmp_path: Path) -> None:
    """Also where no such processor is at hand."""
    reason = machine.untold()
    if reason is not None:
        pytest.skip(reason)
    model = spec_of("Memory").compile(backend="c", **SIZES["Memory"])
    (tmp_path / "cell.c").write_text(module_text(model))
    machine.compile(tmp_path, "-c", "cell.c")
