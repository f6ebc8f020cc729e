"""What is read of the time before the first step: the whole, pieces, steps and exported code give the same numbers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend
from recurrency.model.export import module_files, module_text
from tests.backends.c.test_module import fields, row_of, run_program
from tests.support.specimens import each_backend, same

STEPS, BATCH, N = 5, 2, 2

GATED = """
cell Gated[N](x: [N], begin: []) -> (h: [N]) {
    param U : [N, N] ~ orthogonal(0.5)
    state h : [N] = 3
    h = tanh(x + U @ where(begin, init(h), h[t-1]))
}
"""
CELLS = {
    "chosen at run time": GATED,
    "in every equation": """
cell Every[N](x: [N], begin: []) -> (h: [N], y: [N]) {
    param V : [N, N] ~ orthogonal
    state c : [N] ~ ones
    state h : [N] = tanh(V @ init(c)) + 0.5
    a = init(h) - x
    c = begin * c[t-1] + a
    h = tanh(a + 0.3 * h[t-3] + init(c))
    y = h * init(h) + a[t-2]
}
""",
    "of a cell that is used": """
cell Inner[N](x: [N]) -> (h: [N]) {
    param k : [N] ~ normal(1, 0.2)
    state h : [N] = 2 * k
    h = tanh(x + 0.5 * h[t-1] - init(h))
}
cell Outer[N](x: [N], begin: []) -> (y: [N]) {
    state q[1..2] : [N] = 0.7
    for j in 1..2 { q[j] = tanh(x + begin * q[j][t-1] + init(q[3 - j])) }
    u = Inner(x) from (h = init(q[1]) + 1)
    v = Inner(q[2])
    y = u + init(u.h) * v + init(v.h)
}
""",
}
each_cell = pytest.mark.parametrize("name", CELLS)


@cache
def compiled(name: str, backend: str, dtype: str = "float64", **options: Any) -> Any:
    return rc.parse(CELLS[name]).compile(backend, dtype=dtype, N=N, **options)


def given(model: Any, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """Parameters and inputs; `begin` is 1 at some steps."""
    rng = np.random.default_rng(seed)
    params = model.init(0) + 0.1 * rng.standard_normal(model.size)
    begin = np.array([[0, 1], [1, 0], [0, 0], [1, 1], [0, 1.0]])
    return params, {"x": rng.standard_normal((STEPS, BATCH, N)), "begin": begin}


def cut(inputs: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    return {name: array[first:last] for name, array in inputs.items()}


@each_backend
@each_cell
def test_pieces_and_steps_are_the_whole_forward_and_backward(name: str, backend: str) -> None:
    model = compiled(name, backend)
    params, inputs = given(model)
    handed = {n: np.full((BATCH, *shape), 0.25) for n, shape in model.states.items()}
    whole = compiled(name, "interpreter").forward(params, inputs, handed)
    runs, state = [], handed
    for first, last in (0, 2), (2, 3), (3, STEPS):
        runs.append(model.forward(params, cut(inputs, first, last), state))
        state = runs[-1].state
    for output, wanted in whole.outputs.items():
        np.testing.assert_allclose(np.concatenate([r.outputs[output] for r in runs]), wanted, rtol=0, atol=1e-12)
    same(state, whole.state)
    seeds = {n: np.random.default_rng(1).standard_normal(a.shape) for n, a in whole.outputs.items()}
    wanted, later, total = compiled(name, "interpreter").backward(whole, seeds), None, 0
    for run, (first, last) in zip(reversed(runs), ((3, STEPS), (2, 3), (0, 2)), strict=True):
        part = model.backward(run, cut(seeds, first, last), later)
        later, total = part.state, total + part.params
    np.testing.assert_allclose(total, wanted.params, rtol=0, atol=1e-11)
    same(later, wanted.state, rtol=0, atol=1e-11)


@each_backend
def test_a_checkpointed_cell_may_read_first_values_at_later_steps(backend: str) -> None:
    whole, pieces = compiled("in every equation", "interpreter"), compiled("in every equation", backend, checkpoint=2)
    params, inputs = given(whole)
    (run, wanted), seeds = (m.forward(params, inputs) for m in (pieces, whole)), {"y": np.ones((STEPS, BATCH, N))}
    np.testing.assert_allclose(run.outputs["y"], wanted.outputs["y"], rtol=0, atol=1e-12)
    found, exact = pieces.backward(run, seeds).params, whole.backward(wanted, seeds).params
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-11)


def test_what_a_caller_passes_changes_no_declared_first_value() -> None:
    model = compiled("chosen at run time", "numpy")
    params, inputs = given(model)
    found = model.forward(params, {**inputs, "begin": np.ones((STEPS, BATCH))}, {"h": np.full((BATCH, N), 9.0)}).output
    np.testing.assert_array_equal(found, model.forward(params, {**inputs, "begin": np.ones((STEPS, BATCH))}).output)


@each_cell
@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_exported_modules_step_as_the_model_runs(name: str, target: str) -> None:
    if reason := backend.describe()[target]:
        pytest.skip(reason)
    model = compiled(name, target)
    params, inputs = given(model)
    wanted, module = model.forward(params, inputs), ModuleType("generated")
    exec(compile(module_text(model), "generated.py", "exec"), module.__dict__)
    found, state = [], None
    for t in range(STEPS):
        if target == "numpy":
            outputs, state = module.step(params, {n: a[t] for n, a in inputs.items()}, state)
            found.append(list(outputs.values()))
        else:
            outputs, state = torch_step(module, model, params, cut(inputs, t, t + 1), state)
            found.append([y.detach().numpy()[0] for y in outputs])
    for k, y in enumerate(wanted.outputs.values()):
        np.testing.assert_allclose([step[k] for step in found], y, rtol=0, atol=1e-12)


def torch_step(module: Any, model: Any, params: Any, inputs: dict[str, Any], state: Any) -> Any:
    """A step of a network that was written to a file."""
    import torch

    network = getattr(module, repr(model)[1:].split("(")[0])
    made = network(dtype=torch.float64)
    with torch.no_grad():
        for name, view in model.views(params).items():
            made.get_parameter(module_name(made, name)).copy_(torch.as_tensor(view))
    outputs, after = made(state=state, **{n: torch.as_tensor(a) for n, a in inputs.items()})
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs], after


def module_name(network: Any, name: str) -> str:
    """The name of a parameter in a network: `h[0]` is no attribute of Python's."""
    plain = {n: "".join(c for c in n if c.isalnum()) for n, _ in network.named_parameters()}
    return next(n for n, letters in plain.items() if letters == "".join(c for c in name if c.isalnum()))


@each_cell
def test_exported_c_steps_as_the_model_runs(name: str, tmp_path: Path) -> None:
    """`first` sets the declared values, which are not zero; `infer` takes them where a caller passes none."""
    if reason := backend.describe()["c"]:
        pytest.skip(reason)
    model = compiled(name, "c")
    params, inputs = given(model)
    files, prefix = module_files(model), rc.parse(CELLS[name]).name.lower()
    (tmp_path / "cell.c").write_text(files.source)
    (tmp_path / "cell.h").write_text(str(files.header))
    for file, array in {"params": params, **inputs}.items():
        (tmp_path / file).write_bytes(np.asarray(array, "f8").tobytes())
    run_program(tmp_path, program(prefix, files.source, inputs, list(model.outputs), max(model.size, 1)))
    wanted = model.forward(params, inputs).outputs
    for n in model.outputs:
        for kind in ("out", "all"):
            found = np.fromfile(tmp_path / f"{kind}_{n}").reshape(STEPS, BATCH, N)
            np.testing.assert_allclose(found, wanted[n], rtol=0, atol=1e-12, err_msg=f"{kind} {n}")


def program(prefix: str, source: str, inputs: Any, outs: list[str], size: int) -> list[str]:
    """A program in C that steps over the inputs, runs them whole, and writes both results."""
    call = [f'double *{n} = read_all("{n}", {a.size} * sizeof(double));' for n, a in inputs.items()]
    rooms = [f"static double out_{n}[{STEPS}][{BATCH}][{N}];" for n in outs]
    every = fields(source, f"{prefix}_infer")
    said = {f: text for f, text in every.items() if "out: " in text}
    taken = {n: f for f, text in every.items() for n in inputs if text.startswith(f"in: {n},")}
    step = ", ".join([f"x + {N} * at", "begin + at", *(f"out_{n}[t][b]" for n in outs)])
    infer = [
        f"static struct {prefix}_infer_call c;",
        f"c.T_t = {STEPS}; c.B = {BATCH}; c.params = params;",
        *(f"c.{field} = {n};" for n, field in taken.items()),
    ]
    infer += [f"c.{field} = aligned(4096);" for field in said]
    infer += [
        f"c.bytes = {prefix}_infer_workspace(&c, 1); c.work = aligned(c.bytes);",
        f"if ({prefix}_infer(&c)) return 4;",
    ]
    return [
        f"static struct {prefix}_state state;",
        *rooms,
        *call,
        f"const long long bytes = {prefix}_step_workspace();",
        "void *work = aligned(bytes);",
        f'const double *params = read_all("params", {size} * sizeof(double));',
        f"for (int b = 0; b < {BATCH}; ++b) {{",
        f"    if ({prefix}_first(params, &state, work, bytes)) return 2;",
        f"    for (int t = 0; t < {STEPS}; ++t) {{ const int at = {BATCH} * t + b;",
        f"        if ({prefix}_step(params, &state, {step}, work, bytes)) return 3;",
        "    }",
        "}",
        *infer,
        *(f'write_all("out_{n}", out_{n}, sizeof out_{n});' for n in outs),
        *(
            f'write_all("all_{n}", c.{field} + {row_of(text, f"output:{n}")} * {BATCH * N}, sizeof out_{n});'
            for n in outs
            for field, text in said.items()
            if f"output:{n}" in text
        ),
    ]


@each_cell
def test_a_first_value_is_no_edge_of_a_picture(name: str) -> None:
    spec = rc.parse(CELLS[name])
    assert "<svg" in spec._repr_html_()
    assert r"\begin{align*}" in spec.latex()
