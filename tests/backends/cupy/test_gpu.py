"""On a real device: what the stand-in has shown on a processor holds there too, and what only a device can show.

All of it is skipped where there is none. `docs/gpu-runs.md` says how to run it, and what came of it where.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend, library
from recurrency.model.export import module_text
from recurrency.model.model import Model
from recurrency.testing.case import Case
from recurrency.testing.compare import differences
from recurrency.testing.dimensions import dimension_sets

DEVICE = "cupy"
REASON = backend.describe(emulated=True).get(DEVICE, "there is no such backend")

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(REASON is not None, reason=f"{DEVICE}: {REASON}")]

CELLS = library.names()
PLANS = ("loop", "step", "split", "gemm")
KINDS = ("forward", "backward", "loss_gradients")

DIAGONAL = """
cell Diagonal[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param a : [H]    ~ uniform(0.9)
    state h : [H] = 0
    h = tanh(a * h[t-1] + W @ x)
}"""
"""No product reads the state: it can run with each plan."""


# ------------------------------------------------------------------------------------------------------------ numbers


def case_of(spec: Any, dtype: str, **options: Any) -> Case:
    """A call with odd sizes, all of them different."""
    sizes = dimension_sets(spec, 2)[-1]
    clocks = sorted(spec.compile(**sizes).clocks)
    return Case(sizes, {clock: 7 - k for k, clock in enumerate(clocks)}, 5, dtype=dtype, **options)


def agree(spec: Any, case: Case, on: Any = DEVICE) -> None:
    """Hold forward, backward and loss against the interpreter."""
    assert [str(d) for d in differences(spec, case, on, KINDS)] == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CELLS)
def test_a_shipped_cell_computes_what_the_interpreter_does(name: str, dtype: str) -> None:
    agree(library.spec(name), case_of(library.spec(name), dtype))


@pytest.mark.parametrize("name", CELLS)
def test_sequences_of_several_lengths_and_first_states_are_right(name: str) -> None:
    case = case_of(library.spec(name), "float32", state=True, seed=1)
    lengths = {clock: tuple(max(0, steps - b) for b in range(case.batch)) for clock, steps in case.steps.items()}
    agree(library.spec(name), Case(case.dimensions, case.steps, case.batch, lengths, "float32", state=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", ["Diagonal", "GRU", "LSTM", "MLSTM"])
def test_every_plan_computes_the_same(name: str, plan: str, dtype: str) -> None:
    spec = rc.parse(DIAGONAL) if name == "Diagonal" else library.spec(name)
    chosen: Any = backend.find(DEVICE)
    agree(spec, case_of(spec, dtype), type(chosen)(chosen.name, chosen.load, plan))


# ------------------------------------------------------------------------------------------------------------- device


def generated(name: str = "LSTM", plan: str | None = None, **sizes: int) -> Any:
    """The module as it is written for users, on the device, and the array module as `xp`."""
    chosen: Any = backend.find(DEVICE)
    sizes = sizes or {"N": 67, "H": 259}
    spec = library.spec(name)
    module: dict[str, Any] = {}
    exec(module_text(Model(spec, spec.elaborate(**sizes), chosen)), module)
    module["use"](chosen.load(), plan)
    return SimpleNamespace(xp=chosen.load(), **module)


def numbers(module: Any, T: int = 33, B: int = 13, seed: int = 0) -> tuple[Any, Any, Any]:
    """Parameters, input and output gradient on the device."""
    rng = np.random.default_rng(seed)
    params = 0.1 * rng.standard_normal(module.SIZE)
    N, H = module.INPUTS["x"][2][0], module.OUTPUTS["h"][2][0]
    arrays = (params, rng.standard_normal((T, B, N)), rng.standard_normal((T, B, H)))
    x, y, z = (module.xp.asarray(a.astype("f4")) for a in arrays)
    return x, y, z


def gradients(module: Any, params: Any, x: Any, dy: Any) -> list[Any]:
    """Output and gradients, on the host."""
    outputs, _, call = module.forward(params, {"x": x})
    gradient, inputs, _ = module.backward(call, {"h": dy})
    return [module.xp.asnumpy(a) for a in (outputs["h"], gradient, inputs["x"])]


def close(found: list[Any], wanted: list[Any]) -> None:
    """Equal but for the order of sums over some hundreds of steps and units in float32."""
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * float(np.abs(other).max()))


@pytest.mark.parametrize("plan", PLANS)
def test_results_are_the_same_every_time(plan: str) -> None:
    module = generated(plan=plan)
    data = numbers(module)
    for one, other in zip(gradients(module, *data), gradients(module, *data), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_captured_graph_runs_on_new_numbers_and_leaves_old_results_alone() -> None:
    module, plain = generated(plan="step"), generated(plan="gemm")
    first, second = numbers(module, seed=1), numbers(module, seed=2)
    held, _, _ = module.forward(first[0], {"x": first[1]})
    before = module.xp.asnumpy(held["h"])
    close(gradients(module, *second), gradients(plain, *second))
    np.testing.assert_array_equal(module.xp.asnumpy(held["h"]), before)
    close(gradients(module, *first), gradients(plain, *first))


@pytest.mark.parametrize("plan", PLANS)
def test_work_goes_on_the_current_stream(plan: str) -> None:
    """The input is written late on a stream of its own: what ran elsewhere would read what was there before."""
    module = generated(plan=plan)
    params, x, dy = numbers(module)
    wanted = gradients(module, params, x, dy)
    xp = module.xp
    late, large = xp.empty(x.shape, x.dtype), xp.zeros((4096, 4096), xp.float32)
    product = xp.empty(large.shape, xp.float32)
    forward = module._function(module.forward_pass)
    with xp.cuda.Stream(non_blocking=True) as stream:
        for _ in range(20):
            xp.matmul(large, large, out=product)
        forward.copy(x, late)
        found = gradients(module, params, late, dy)
        stream.synchronize()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_device_without_room_says_so_and_works_on() -> None:
    module = generated()
    data, large = numbers(module), numbers(module, T=500)
    wanted = gradients(module, *data)
    pool = module.xp.get_default_memory_pool()
    pool.free_all_blocks()
    pool.set_limit(size=pool.total_bytes() + (1 << 20))
    try:
        with pytest.raises(MemoryError, match="needs more memory than the device has"):
            gradients(module, *large)
    finally:
        pool.set_limit(size=0)
    close(gradients(module, *data), wanted)


def test_tensors_of_torch_go_in_and_come_out_without_a_copy() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch has no CUDA; pip install torch, of another index")
    module = generated()
    params, x, dy = numbers(module)
    tensors = [torch.from_dlpack(a) for a in (params, x, dy)]
    close(gradients(module, *tensors), gradients(module, params, x, dy))
    outputs, _, _ = module.forward(params, {"x": x})
    assert torch.from_dlpack(outputs["h"]).data_ptr() == outputs["h"].data.ptr
