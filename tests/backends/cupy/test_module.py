"""A generated CuPy module stands alone, explains its plans, and behaves with whatever it is given."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy.backend import CupyBackend

import recurrency as rc
from recurrency.backend import describe, find
from recurrency.cli import main
from recurrency.model.export import module_text
from recurrency.model.model import Model

REASON = describe(emulated=True).get("cupy-emulated", "not installed")
emulated = pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")

WITH_LOSS = """
cell Small[N, H](x: [N], w: index[4]) -> (y: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ glorot_uniform
    param E : [4, H] ~ normal(0, 0.5)
    state h : [H] ~ uniform(0.5)
    h = tanh(dropout(W @ x, 0.3) + U @ h[t-1] + embed(E, w))
    y = h
    loss sum(y * y)
}
"""
AVERAGE = """
cell Average[H](x: [H]) -> (y: [H]) {
    param p : [H] ~ zeros
    state c : [H] = 0
    c = sigmoid(p) * c[t-1] + x
    y = tanh(c)
}
"""
T, B, N, H = 5, 3, 2, 4


def models(text: str, dtype: str = "float64", **dimensions: int) -> tuple[Any, Any]:
    """A cell compiled for CuPy, which need not run here, and by NumPy."""
    spec = rc.parse(text, name="small.rnn")
    elaborated = spec.elaborate(**dimensions)
    return tuple(Model(spec, elaborated, backend, dtype) for backend in (CupyBackend(), find("numpy")))


def executed(text: str, memory: int | None = None) -> ModuleType:
    """The module of a generated text, on a device of its own."""
    from recurrency.backends.cupy.emulated.stand_in import StandIn

    module = ModuleType("generated")
    exec(compile(text, "generated.py", "exec"), module.__dict__)
    module.use(StandIn(memory=memory))
    return module


@pytest.fixture(scope="module")
def small() -> tuple[Any, Any]:
    """The module of a cell with a loss, and the same cell by NumPy."""
    model, numpy = models(WITH_LOSS, N=N, H=H)
    return executed(module_text(model)), numpy


def drawn(steps: int = T, batch: int = B, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((steps, batch, N)), "w": rng.integers(0, 4, (steps, batch))}


def host(module: Any, array: Any) -> Any:
    return module._xp().asnumpy(array)


def test_a_module_imports_nothing_but_numpy_and_cupy() -> None:
    model, _ = models(WITH_LOSS, N=N, H=H)
    found = set()
    for node in ast.walk(ast.parse(module_text(model))):
        found |= {a.name for a in node.names} if isinstance(node, ast.Import) else set()
        found |= {str(node.module)} if isinstance(node, ast.ImportFrom) else set()
    standard = {"collections", "collections.abc", "itertools", "os", "re", "threading", "typing", "weakref"}
    assert found <= {"numpy", "cupy", "cupy.cublas", *standard}


def test_the_compile_command_needs_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "lstm_cupy.py"
    words = f"recurrency compile LSTM --backend cupy -D N=4 -D H=5 -o {target}"
    monkeypatch.setattr(sys, "argv", words.split())
    main()
    text = target.read_text()
    assert 'extern "C" __global__' in text
    ast.parse(text)


def test_what_is_missing_is_said_by_name() -> None:
    reason = CupyBackend().available()
    assert reason is None or "pip install 'cupy-cuda13x[ctk]'" in reason or "there is no CUDA device" in reason


@emulated
def test_a_module_computes_what_the_model_computes(small: tuple[Any, Any]) -> None:
    module, model = small
    params, inputs = model.init(1), drawn()
    run, lengths = model.forward(params, inputs, lengths=[5, 2, 0]), [5, 2, 0]
    outputs, state, call = module.forward(params, inputs, lengths=lengths)
    np.testing.assert_allclose(host(module, outputs["y"]), run.outputs["y"], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(host(module, state["h"]), run.state["h"], rtol=1e-12, atol=1e-13)
    g = np.random.default_rng(1).standard_normal((T, B, H))
    wanted, found = model.backward(run, g), module.backward(call, {"y": g})
    for one, other in (
        (found[0], wanted.params),
        (found[1]["x"], wanted.inputs["x"]),
        (found[2]["h"], wanted.state["h"]),
    ):
        np.testing.assert_allclose(host(module, one), other, rtol=1e-11, atol=1e-12)
    loss, gradient, _ = module.loss_and_gradients(params, inputs, lengths=lengths, training=True, seed=3)
    loss2, gradients, _ = model.loss_and_gradients(params, inputs, lengths=lengths, training=True, seed=3)
    assert loss == pytest.approx(loss2, rel=1e-12)
    np.testing.assert_allclose(host(module, gradient), gradients.params, rtol=1e-11, atol=1e-12)


@emulated
def test_single_steps_give_the_numbers_of_the_whole(small: tuple[Any, Any]) -> None:
    module, model = small
    params, inputs = model.init(1), drawn()
    whole, _, _ = module.forward(params, inputs)
    state = None
    for t in range(T):
        outputs, state = module.step(params, {n: a[t] for n, a in inputs.items()}, state)
        np.testing.assert_allclose(host(module, outputs["y"]), host(module, whole["y"])[t], rtol=1e-12, atol=1e-13)


@emulated
def test_parameters_are_packed_by_name(small: tuple[Any, Any]) -> None:
    module, model = small
    params = model.init(2)
    packed = module.pack(model.views(params))
    np.testing.assert_array_equal(host(module, packed), params)
    assert set(module.views(packed)) == set(model.parameters)
    with pytest.raises(ValueError, match="E is missing: the parameters are"):
        module.pack({"W": np.zeros((H, N)), "U": np.zeros((H, H))})
    with pytest.raises(ValueError, match=r"U is \[2, 2\]; this call needs \[4, 4\]"):
        module.pack({**model.views(params), "U": np.zeros((2, 2))})


@emulated
@pytest.mark.parametrize("batch", [3, 40])
def test_later_runs_change_no_earlier_results(small: tuple[Any, Any], batch: int) -> None:
    module, model = small
    params = model.init(1)
    outputs, state, call = module.forward(params, drawn(batch=batch))
    before = {n: host(module, a) for n, a in {**outputs, **state, **call[-1]}.items()}
    module.forward(params, drawn(batch=batch, seed=5))
    for name, array in {**outputs, **state, **call[-1]}.items():
        np.testing.assert_array_equal(host(module, array), before[name], err_msg=name)


@emulated
@pytest.mark.parametrize("plan", [None, "step", "split", "gemm"])
@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (1, 1), (4, 0), (0, 0), (31, 9)])
def test_odd_sizes_run(small: tuple[Any, Any], steps: int, batch: int, plan: str | None) -> None:
    module, model = small
    module.use(module._xp(), plan)
    params, inputs = model.init(1), drawn(steps, batch)
    loss, gradient, state = module.loss_and_gradients(params, inputs)
    wanted, gradients, _ = model.loss_and_gradients(params, inputs)
    assert loss == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(host(module, gradient), gradients.params, rtol=1e-11, atol=1e-12)
    assert state["h"].shape == (batch, H)


@emulated
def test_device_arrays_of_any_library_go_in_without_a_copy(small: tuple[Any, Any]) -> None:
    module, model = small

    class Foreign:
        """A device array of another library: it knows DLPack and nothing else."""

        def __init__(self, array: Any) -> None:
            self.array, self.shape = array, array.shape

        def __dlpack__(self, **options: Any) -> Any:
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return self.array.__dlpack_device__()

    xp, params, inputs = module._xp(), model.init(1), drawn()
    foreign = {n: Foreign(xp.asarray(a)) for n, a in inputs.items()}
    found, _, _ = module.forward(xp.asarray(params), foreign)
    wanted, _, _ = module.forward(params, inputs)
    np.testing.assert_array_equal(host(module, found["y"]), host(module, wanted["y"]))
    lengths = np.array([5, 2, 0])
    found, _, _ = module.forward(params, inputs, lengths=Foreign(xp.asarray(lengths)))
    wanted, _, _ = module.forward(params, inputs, lengths=lengths)
    np.testing.assert_array_equal(host(module, found["y"]), host(module, wanted["y"]))


@emulated
def test_what_does_not_fit_is_refused(small: tuple[Any, Any]) -> None:
    module, model = small
    xp, params, inputs = module._xp(), model.init(1), drawn()
    with pytest.raises(TypeError, match="x holds float32; this module needs float64: convert it first"):
        module.forward(params, {**inputs, "x": xp.asarray(inputs["x"].astype(np.float32))})
    with pytest.raises(ValueError, match=r"x is \[5, 3, 3\]; this call needs \[5, 3, 2\]"):
        module.forward(params, {**inputs, "x": np.zeros((5, 3, 3))})
    with pytest.raises(ValueError, match="w is missing: the inputs are x, w"):
        module.forward(params, {"x": inputs["x"]})
    with pytest.raises(ValueError, match="lengths are 3 whole numbers from 0 to 5"):
        module.forward(params, inputs, lengths=[6, 1, 1])
    with pytest.raises(ValueError, match="plan is one of loop, step, split, gemm, not fast"):
        module.use(xp, "fast")
    turned = np.ascontiguousarray(inputs["x"].transpose(2, 1, 0)).transpose(2, 1, 0)
    found, _, _ = module.forward(params, {**inputs, "x": turned})
    wanted, _, _ = module.forward(params, inputs)
    np.testing.assert_array_equal(host(module, found["y"]), host(module, wanted["y"]))


@emulated
def test_a_device_that_is_full_leaves_the_module_usable() -> None:
    model, numpy = models(WITH_LOSS, N=N, H=H)
    module: Any = executed(module_text(model), memory=400_000)
    params = numpy.init(1)
    module.forward(params, drawn())
    with pytest.raises(MemoryError, match="forward_pass needs more memory than the device has"):
        module.forward(params, drawn(400, 40))
    outputs, _, _ = module.forward(params, drawn())
    np.testing.assert_allclose(host(module, outputs["y"]), numpy.forward(params, drawn()).outputs["y"], rtol=1e-12)


@emulated
def test_sizes_that_32_bits_can_not_count_are_refused(small: tuple[Any, Any], monkeypatch: Any) -> None:
    module, model = small
    monkeypatch.setitem(vars(module), "LARGEST", 50)
    with pytest.raises(ValueError, match="at most 50 are possible: split it up"):
        module.forward(model.init(1), drawn(7, 9))


@emulated
def test_plans_are_kept_for_the_last_sizes(small: tuple[Any, Any]) -> None:
    module, _ = small
    module.use(module._xp())
    first = module.plan(T, B)
    assert module.plan(T, B) is first
    for steps in range(20, 20 + module.MOST_PLANS):
        module.plan(steps, B)
    assert module.plan(T, B) is not first


@pytest.mark.parametrize("threads", [0, 1, 31, 32, 33, 2**15, 2**15 + 1, 2**31 - 2**10])
def test_a_launch_has_a_block_for_each_thread_and_no_block_without(threads: int) -> None:
    launched = []
    module: dict[str, Any] = {}
    exec(module_text(models(AVERAGE, H=H)[0]), module)
    module["launch"](lambda *shape_and_arguments: launched.append(shape_and_arguments), threads, "x")
    for (grid,), (block,), arguments in launched:
        assert arguments == ("x", threads)
        assert block == (32 if threads <= module["FEW_THREADS"] else 128)
        assert grid * block - block < threads <= grid * block < 2**31
    assert bool(launched) is bool(threads)


@emulated
def test_a_plan_says_what_it_chose_and_why() -> None:
    module: Any = executed(module_text(models(WITH_LOSS, N=N, H=H)[0]))
    few, many = module.explain(T, 4), module.explain(T, 10**8)
    reads = "a product (line 7 of small.rnn) reads the step before"
    assert re.search(rf"forward_pass: h: step: about 1.5 us a step for 4 .*gemm 20\); {re.escape(reads)}", few)
    assert re.search(rf"forward_pass: h: gemm: about \d+ us a step for 100000000 .*; {re.escape(reads)}", many)
    long = "launched one by one as there are more than 4096 steps"
    assert re.search(rf"forward_pass: h: step: about 10 us a step for 4 .*gemm 20\), {long}; ", module.explain(4097, 4))
    assert long not in module.explain(4096, 4)
    average: Any = executed(module_text(models(AVERAGE, H=H)[0]))
    assert average.plan(T, 64).describe().startswith("c: loop: each unit reads only its own past")
    average.use(average._xp(), "gemm")
    assert average.plan(T, 64).describe() == "c: gemm: as requested"
    module.use(module._xp(), "loop")
    assert "there is no loop: a product" in module.explain(T, 64)


def test_the_plan_of_a_loop_that_is_not_captured_is_the_one_with_the_fewest_launches() -> None:
    """Three short kernels take less than two calls from Python in a graph, and more than these without one."""
    module: Any = executed(module_text(models(WITH_LOSS, N=N, H=H)[0]))
    forward = module.forward_pass(None, None, "float32")
    work = {"step": [("kernel", 10, 10)] * 3, "gemm": [("product", 100, 1), ("kernel", 1, 10)]}
    assert forward.way(("step", "gemm"), {}, work, 4, True)[0] == "step"
    assert forward.way(("step", "gemm"), {}, work, 4, False)[0] == "gemm"


@emulated
@pytest.mark.parametrize("plan", ["loop", "step", "gemm"])
def test_a_loop_in_one_kernel_computes_what_steps_compute(plan: str) -> None:
    model, numpy = models(AVERAGE, H=H)
    module: Any = executed(module_text(model))
    module.use(module._xp(), plan)
    rng = np.random.default_rng(0)
    params, x, g = rng.standard_normal(H), rng.standard_normal((T, B, H)), rng.standard_normal((T, B, H))
    run = numpy.forward(params, x, lengths=[5, 2, 0])
    outputs, state, call = module.forward(params, {"x": x}, lengths=[5, 2, 0])
    np.testing.assert_allclose(host(module, outputs["y"]), run.outputs["y"], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(host(module, state["c"]), run.state["c"], rtol=1e-13, atol=1e-14)
    found, wanted = module.backward(call, {"y": g}), numpy.backward(run, g)
    np.testing.assert_allclose(host(module, found[0]), wanted.params, rtol=1e-12, atol=1e-13)
    launched = [one.name for one in module._xp().launches if "loop" in one.name]
    assert len(launched) == (2 if plan == "loop" else 0)


@emulated
def test_ways_to_run_a_loop_can_be_switched_off() -> None:
    from recurrency.backends.cupy.emulated.backend import backend

    spec = rc.parse(AVERAGE, name="average.rnn")
    model: Any = Model(spec, spec.elaborate(H=H), backend, "float64", without=("loop", "step"))
    model.forward(np.zeros(H), np.zeros((T, B, H)))
    device = model.programs.runner("forward_kept", ()).device
    way, why = device.ways((T,), 4)[0][2:]
    assert (way, why.split("; ")[1]) == ("gemm", "loop is switched off")
