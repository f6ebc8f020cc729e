"""A cell as source code: it stands alone, computes what the model computes, and holds no more products than it must."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from recurrency.backends.cupy.backend import CupyBackend

import recurrency as rc
from recurrency.backend import describe, find
from recurrency.model.export import module_text
from recurrency.model.model import Model

STEPS, BATCH = 6, 3
SIZES: dict[str, dict[str, Any]] = {
    "LSTM": {"N": 4, "H": 5},
    "GRU": {"N": 4, "H": 5},
    "GatedFeedback": {"N": 3, "H": 2, "L": 2},
    "MLSTM": {"N": 3, "K": 2, "H": 4},
    "Music": {"N": 4, "H": 3},
    "Translate": {"V": 5, "K": 4, "N": 3, "H": 2, "L": 2},
    "FirstElementAbsolute": {"H": 4},
}


def executed(text: str) -> ModuleType:
    """The module of a generated text."""
    module = ModuleType("generated")
    exec(compile(text, "generated.py", "exec"), module.__dict__)
    return module


def drawn(model: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Inputs of a model, on all its clocks."""
    lead = (STEPS, BATCH)
    return {
        name: rng.integers(0, port.index, lead) if port.index else rng.standard_normal((*lead, *port.shape))
        for name, port in model.inputs.items()
    }


@pytest.mark.parametrize("cell", SIZES)
def test_generated_module_computes_what_the_model_computes(cell: str) -> None:
    model = rc.library.spec(cell).compile(dtype="float64", **SIZES[cell])
    module = executed(module_text(model))
    rng = np.random.default_rng(0)
    params, inputs = 0.3 * rng.standard_normal(model.size), drawn(model, rng)
    run = model.forward(params, inputs)
    outputs, state, call = module.forward(params, inputs)
    for name, y in run.outputs.items():
        np.testing.assert_array_equal(outputs[name], y)
    for name, y in run.state.items():
        np.testing.assert_array_equal(state[name], y)
    weights = {name: rng.standard_normal(y.shape) for name, y in outputs.items()}
    wanted, found = model.backward(run, weights), module.backward(call, weights)
    np.testing.assert_array_equal(found[0], wanted.params)
    for name, g in wanted.inputs.items():
        np.testing.assert_array_equal(found[1][name], g)
    if model.has_loss:
        loss, gradient, _ = module.loss_and_gradients(params, inputs)
        assert loss == model.loss_and_gradients(params, inputs, wrt=("params",))[0]
        np.testing.assert_array_equal(gradient, model.loss_and_gradients(params, inputs, wrt=("params",))[1].params)


OUTPUTS = """
cell Kinds[N, H](x: [N], z: [H] over s) -> (y: [H], q: [H], r: [H, H], a: [], b: [H], k: [H], z2: [H] over s) {
    param W : [H, N] ~ glorot_uniform
    param b0 : [H] ~ normal(0, 0.5)
    state h : [H] = b0
    h = tanh(W @ x + h[t-1])
    y = h * b0
    q = 2 * b0
    r = outer(b0, b0)
    a = sum(b0)
    b = last(x @ transpose(W)) * b0
    k = 3
    z2 = z * b0
}
"""
"""Outputs with and without time and sequences."""


@pytest.mark.parametrize("backend", ["numpy", "cupy"])
def test_gradients_that_are_not_given_are_zero_whatever_the_output_depends_on(backend: str) -> None:
    spec = rc.parse(OUTPUTS)
    reference = spec.compile(dtype="float64", N=2, H=3)
    chosen = CupyBackend() if backend == "cupy" else find(backend)
    module, rng = executed(module_text(Model(spec, spec.elaborate(N=2, H=3), chosen, "float64"))), default_rng(3)
    if backend == "cupy":
        if describe(emulated=True).get("cupy-emulated", "not installed") is not None:
            pytest.skip("cupy-emulated can't run here")
        from recurrency.backends.cupy.emulated.stand_in import StandIn

        module.use(StandIn())
    params, inputs = 0.5 * rng.standard_normal(reference.size), drawn(reference, rng)
    run, call = reference.forward(params, inputs), module.forward(params, inputs)[2]
    for given in ([], *([name] for name in run.outputs), list(run.outputs)):
        seeds = {name: rng.standard_normal(run.outputs[name].shape) for name in given}
        wanted, found = reference.backward(run, seeds), module.backward(call, seeds)
        for one, other in ((found[0], wanted.params), *((found[1][n], g) for n, g in wanted.inputs.items())):
            host = one if backend == "numpy" else module._xp().asnumpy(one)
            np.testing.assert_allclose(host, other, rtol=1e-12, atol=1e-12)


def test_generated_module_steps_like_it_runs() -> None:
    model = rc.library.GRU.compile(dtype="float64", N=4, H=5)
    module = executed(module_text(model))
    rng = np.random.default_rng(1)
    params, inputs = module.pack(model.views(model.init(0))), drawn(model, rng)
    whole, _, _ = module.forward(params, inputs)
    state = None
    for t in range(STEPS):
        outputs, state = module.step(params, {"x": inputs["x"][t]}, state)
        np.testing.assert_allclose(outputs["h"], whole["h"][t], rtol=0, atol=1e-14)


def test_generated_module_needs_numpy_alone(tmp_path: Path) -> None:
    model = rc.library.LSTM.compile(N=4, H=5)
    (tmp_path / "lstm_numpy.py").write_text(module_text(model), encoding="utf-8")
    site = Path(np.__file__).parent.parent
    for name in ("numpy", "numpy.libs"):
        if (site / name).exists():
            (tmp_path / name).symlink_to(site / name)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import lstm_numpy; print(lstm_numpy.SIZE)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(model.size), "")


def products_in_loops(function: ast.FunctionDef) -> list[int]:
    """How many matrix products each loop over time holds."""
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
    calls = [[c for c in ast.walk(loop) if isinstance(c, ast.Call)] for loop in loops]
    return [sum(ast.unparse(c.func) in ("dot", "matmul", "einsum", "np.einsum") for c in each) for each in calls]


@pytest.mark.parametrize("cell", ["LSTM", "PlainLSTM"])
def test_loops_of_an_lstm_hold_one_product_each_way(cell: str) -> None:
    text = module_text(rc.library.spec(cell).compile(N=64, H=128))
    functions = {f.name: f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
    assert products_in_loops(functions["forward_pass"]) == [1]
    assert products_in_loops(functions["backward_pass"]) == [1]


HOSTILE = '''
cell Class[N](x: [N]) -> (y: [N]) {
    """Ends the text \\\\ ""  # import os; os.system('x') \\'\\'\\' {0} %s"""
    param lambda, np, params, real, steps, given, zeros, __class__ : [N] ~ ones
    param int, struct, __global__, threadIdx, α, π_1 : [N] ~ ones
    state add : [N] = 0
    multiply = lambda * x + np * params + real * steps
    add = tanh(given * add[t-1] + zeros * multiply + __class__)
    y = int * struct + __global__ * threadIdx * add + α * π_1
}
'''


def test_names_and_texts_of_a_spec_never_become_code() -> None:
    model = rc.parse(HOSTILE).compile(dtype="float64", N=2)
    other = rc.parse(HOSTILE).compile(dtype="float64", backend="interpreter", N=2)
    module = executed(module_text(model, 'N=2 """; raise SystemExit'))
    x = np.random.default_rng(2).standard_normal((3, 2, 2))
    params = np.random.default_rng(3).standard_normal(model.size)
    outputs, _, _ = module.forward(params, {"x": x})
    np.testing.assert_allclose(outputs["y"], other.forward(params, x, keep=False).output, rtol=0, atol=1e-12)
    names = [node.id for node in ast.walk(ast.parse(module_text(model))) if isinstance(node, ast.Name)]
    assert all(name.isascii() for name in names)


def test_a_backend_without_source_says_so() -> None:
    model = rc.library.Linear.compile(backend="interpreter", N=2, K=2)
    with pytest.raises(rc.UsageError, match="the backend interpreter writes no source; numpy does"):
        module_text(model)
