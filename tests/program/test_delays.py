"""Long delays: a line of first values goes in, the last values come out, and chunks agree with the whole.

What a delay costs does not depend on how long it is: neither nodes nor lines of generated code.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend as backends
from recurrency.model.export import module_files, module_text
from recurrency.testing import Case, differences
from tests.backends.c.test_module import run_program
from tests.support.specimens import each_backend, same

TEXT = """
cell Echo[N](x: [N]) -> (y: [N]) {
    state h : [N] = 0.5
    h = tanh(x + 0.5 * h[t-6])
    y = h + 2 * x[t-9]
}
"""
STEPS, BATCH, N = 13, 2, 2


def echo(x: np.ndarray, h: list[np.ndarray], before: list[np.ndarray]) -> np.ndarray:
    """The cell by hand; `h` and `before` are what lies before the first step, oldest first."""
    h, line, out = list(h), [*before, *x], []
    for t in range(len(x)):
        h.append(np.tanh(x[t] + 0.5 * h[len(h) - 6]))
        out.append(h[-1] + 2 * line[len(before) + t - 9])
    return np.array(out)


@each_backend
def test_a_long_delay_reads_what_was_there(backend: str) -> None:
    model = rc.parse(TEXT).compile(backend, dtype="float64", N=N)
    x = np.random.default_rng(0).standard_normal((STEPS, BATCH, N))
    start, nothing = np.full((BATCH, N), 0.5), np.zeros((BATCH, N))
    wanted = echo(x, [start] * 6, [nothing] * 9)
    np.testing.assert_allclose(model.forward([], x).output, wanted, rtol=0, atol=1e-12)
    shapes = {name: port.shape for name, port in model.state_ports.items()}
    assert shapes == {"h": (N,), "h[t-5..t-1]": (5, N), "x": (N,), "x[t-8..t-1]": (8, N)}


@each_backend
def test_the_rows_of_a_line_are_in_the_order_of_time(backend: str) -> None:
    model = rc.parse(TEXT).compile(backend, dtype="float64", N=N)
    rng = np.random.default_rng(4)
    x = rng.standard_normal((STEPS, BATCH, N))
    before, h = rng.standard_normal((9, BATCH, N)), rng.standard_normal((6, BATCH, N))
    state = {"x": before[-1], "x[t-8..t-1]": before[:-1].swapaxes(0, 1)}
    state |= {"h": h[-1], "h[t-5..t-1]": h[:-1].swapaxes(0, 1)}
    run = model.forward([], x, state)
    np.testing.assert_allclose(run.output, echo(x, [*h], [*before]), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(run.state["x[t-8..t-1]"], x[-9:-1].swapaxes(0, 1))


@each_backend
@pytest.mark.parametrize("cuts", [[4, 9], [1] * 13, [0, 13], [10, 0, 3]])
def test_chunks_hand_a_long_line_on(cuts: list[int], backend: str) -> None:
    model = rc.parse(TEXT).compile(backend, dtype="float64", N=N)
    x = np.random.default_rng(1).standard_normal((STEPS, BATCH, N))
    whole = model.forward([], x)
    state, pieces, at = None, [], 0
    for steps in cuts:
        run = model.forward([], x[at : at + steps], state)
        state, at = run.state, at + steps
        pieces.append(run.output)
    np.testing.assert_allclose(np.concatenate(pieces), whole.output, rtol=0, atol=1e-12)
    same(state, whole.state)


@each_backend
def test_gradients_flow_through_a_long_line_and_a_cell_without_parameters_has_none(backend: str) -> None:
    model = rc.parse(TEXT).compile(backend, dtype="float64", N=N)
    rng = np.random.default_rng(2)
    x, lengths = rng.standard_normal((STEPS, BATCH, N)), [STEPS, 3]
    state = {name: rng.standard_normal((BATCH, *shape)) for name, shape in model.states.items()}
    run = model.forward([], x, state, lengths)
    u, v = rng.standard_normal(run.output.shape), {n: rng.standard_normal(s.shape) for n, s in run.state.items()}
    found = model.backward(run, u, v)
    dx, ds = rng.standard_normal(x.shape), {n: rng.standard_normal(s.shape) for n, s in state.items()}

    def total(by: float) -> float:
        moved = model.forward([], x + by * dx, {n: s + by * ds[n] for n, s in state.items()}, lengths)
        return float((u * moved.output).sum() + sum((v[n] * s).sum() for n, s in moved.state.items()))

    step = 1e-3
    slope = (8 * (total(step) - total(-step)) - (total(2 * step) - total(-2 * step))) / (12 * step)
    exact = (found.inputs["x"] * dx).sum() + sum((g * ds[n]).sum() for n, g in found.state.items())
    assert exact == pytest.approx(slope, rel=1e-7)
    assert found.params.shape == (0,)


CELLS = {
    "many taps": """
cell Taps[N, D = 7](x: [N]) -> (y: [N]) {
    param U, V : [N, N] ~ orthogonal(0.5)
    state h : [N] ~ normal(0, 1)
    h = tanh(x + U @ h[t-1] + V @ h[t-D] + 0.2 * h[t-D-4])
    y = h + x[t-D] * x[t-2] + 0.5 * y[t-3]
    loss squared_error(y, x)
}
""",
    "matrices, members, symbols": """
cell Many[N, D = 7](w: index[4], x: [N]) -> (y: [N]) {
    param E : [4, N] ~ normal(0, 1)
    param q : [N] ~ ones
    state M : [N, N] = diag(q) + 0.3
    state g[1..2] : [N] = 0.2
    M = 0.5 * transpose(M[t-D]) + 0.1 * outer(x, g[1][t-D])
    for j in 1..2 { g[j] = tanh(embed(E, w[t-D]) + M @ g[3-j][t-D] * g[j][t-2]) }
    y = g[1] + g[2][t-11] + embed(E, w[t-1])
}
""",
    "reads ahead": """
cell Ahead[N, D = 7](x: [N]) -> (y: [N]) {
    param U : [N, N] ~ orthogonal(0.5)
    state h : [N] = 0
    h = tanh(x + U @ h[t+1] + 0.4 * h[t+D])
    y = h + x[t-D] * h[t+2] - x[t+D]
    loss l2(y)
}
""",
}
CASES = {
    "short sequences": Case({"N": 2}, {"t": 3}, 3, {"t": (3, 1, 0)}, state=True, cuts=(2,)),
    "long sequences": Case({"N": 2}, {"t": 16}, 2, {"t": (16, 8)}, state=True, cuts=(3, 11)),
}


@cache
def spec(name: str) -> rc.Spec:
    """The same object for all cases and backends, which then share its graphs."""
    return rc.parse(CELLS[name])


@each_backend
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", CELLS)
def test_every_derivative_crosses_a_line(name: str, case: str, backend: str) -> None:
    """With more steps than the delay and with fewer; in pieces, where the cell has no use for what comes later."""
    kinds = ["backward"] if name == "reads ahead" else ["chunks"]
    kinds += ["hvp"] if "loss" in CELLS[name] and case == "long sequences" else []
    assert not differences(spec(name), CASES[case], backend, kinds)


LINE = """
cell Line[N, D](x: [N]) -> (y: [N]) {
    param U : [N, N] ~ orthogonal
    state h : [N] = 0.5
    h = tanh(x + U @ h[t-D] + h[t-1])
    y = h + x[t-D] + h[t+D]
    loss l2(y)
}
"""


@pytest.mark.parametrize("target", ["numpy", "torch", "c"])
def test_the_size_of_a_program_does_not_depend_on_its_delays(target: str) -> None:
    """All programs of a module: equal texts but for numbers and line breaks, and graphs of equally many nodes."""
    if reason := backends.describe()[target]:
        pytest.skip(reason)
    found = [rc.parse(LINE).compile(target, N=2, D=delay) for delay in (30, 3000)]
    one, other = (re.sub(r"\s+", " ", re.sub(r"Line_\w+|\d+", "#", module_text(model))) for model in found)
    assert one == other
    sizes = [[len(m.programs.graph(kind)) for kind in ("hvp", "loss")] for m in found]
    assert sizes[0] == sizes[1]


def test_delays_are_forecast() -> None:
    """Rows before and behind the steps are memory as well: of the tape, and of the gradients."""
    if reason := backends.describe()["c"]:
        pytest.skip(reason)
    batch, rows = 4, 3000
    text = LINE.replace("+ h[t+D]", "").replace("+ x[t-D]", "")
    near, far = (rc.parse(text).compile("c", N=16, D=d).memory({"t": 50}, batch) for d in (2, 2 + rows))
    assert far.peak - near.peak >= rows * batch * 16 * 4


@pytest.mark.parametrize("delay", [2, 3, 40])
def test_exported_code_steps_along_a_line(delay: int, tmp_path: Path) -> None:
    """The NumPy module and C: each step gets the line of the one before."""
    text = LINE.replace("+ h[t+D]", "").replace("    loss l2(y)\n", "")
    x = np.random.default_rng(5).standard_normal((9, N))
    model: Any = rc.parse(text).compile("numpy", dtype="float64", N=N, D=delay)
    params = model.init(0)
    wanted = rc.parse(text).compile("interpreter", dtype="float64", N=N, D=delay).forward(params, x[:, None]).output
    module, state, found = ModuleType("generated"), None, []
    exec(compile(module_text(model), "generated.py", "exec"), module.__dict__)
    for t in range(len(x)):
        outputs, state = module.step(params, {"x": x[t, None]}, state)
        found.append(outputs["y"])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    if not backends.describe()["c"]:
        np.testing.assert_allclose(c_steps(text, params, x, delay, tmp_path), wanted, rtol=0, atol=1e-12)


def c_steps(text: str, params: Any, x: Any, delay: int, folder: Path) -> Any:
    """What the function for one step gives, called for each."""
    files = module_files(rc.parse(text).compile("c", dtype="float64", N=N, D=delay))
    (folder / "cell.c").write_text(files.source)
    (folder / "cell.h").write_text(str(files.header))
    (folder / "params").write_bytes(params.tobytes())
    (folder / "x").write_bytes(x.tobytes())
    run_program(
        folder,
        [
            "static struct line_state state;",
            f"static double y[{len(x)}][{N}];",
            "const long long bytes = line_step_workspace();",
            "void *work = aligned(bytes);",
            f'const double *params = read_all("params", {params.nbytes}), *x = read_all("x", {x.nbytes});',
            "if (line_first(params, &state, work, bytes)) return 2;",
            f"for (int t = 0; t < {len(x)}; ++t)",
            f"    if (line_step(params, &state, x + {N} * t, y[t], work, bytes)) return 3;",
            'write_all("y", y, sizeof y);',
        ],
    )
    return np.fromfile(folder / "y").reshape(len(x), 1, N)
