"""What NVIDIA's own compiler makes of kernels gives, interpreted, what g++ makes of them; no GPU is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy import check as nvrtc
from recurrency.backends.cupy.emulated import compiler
from recurrency.backends.cupy.emulated.stand_in import StandIn
from recurrency.backends.kernels.scalars import SCALAR_C, Scalars

from tests.backends.cupy.test_emulated import error
from tests.support import driving, specimens
from tests.support.emulating import results
from tests.support.ptx.library import ptx_library

MISSING = nvrtc.obstacle() or compiler.obstacle()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"kernels not interpreted: {MISSING}")

ENGINES = {"g++": compiler.library, "nvrtc": ptx_library}
"""Who compiles kernels."""

SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 88.0, -104.0, 3e38)
LARGE = {"float32": np.inf, "float64": 1e5}
"""Sines of larger numbers call a subroutine, which is not interpreted."""
UNITS = {"sigmoid": 16, "power": 8}
"""Units of the last place by which results may differ, where these are more than 4: the sum of 1/2 and nearly -1/2."""


def run(code: str, name: str, *args: Any, grid: int = 2, threads: int = 256, engine: str = "nvrtc") -> list[Any]:
    """All arguments after one launch; arrays on the host."""
    xp = StandIn(compiled=ENGINES[engine])
    on = [xp.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
    xp.RawModule(code=code).get_function(name)((grid,), (threads,), tuple(on))
    return [xp.asnumpy(a) for a in on if not isinstance(a, np.generic)]


def test_a_driver_computes_the_same_on_what_nvidias_compiler_makes_of_its_kernels() -> None:
    assert error(driving.results(StandIn(compiled=ptx_library))) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation_is_the_same_to_its_last_places(dtype: str) -> None:
    scalars, rng, n = Scalars(dtype), np.random.default_rng(0), 400
    real, ops = scalars.real, [op for op in SCALAR_C if (op, dtype) != ("power", "float64")]  # so does it
    lines = [f"o[{k} * n + i] = {scalars.call(op, 'x', 'y', 'z')};" for k, op in enumerate(ops)]
    code = f"""extern "C" __global__ void all({real}* o, const {real}* a, const {real}* b, const {real}* c, int n) {{
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i >= n) return;
        {real} x = a[i], y = b[i], z = c[i];
        {" ".join(lines)}
    }}"""
    a, b, c = (3 * rng.standard_normal(n).astype(dtype) for _ in range(3))
    a[: len(SPECIAL)] = np.where(np.abs(SPECIAL) > LARGE[dtype], 1.0, SPECIAL)
    out = np.zeros((len(ops), n), dtype)
    found, want = (run(code, "all", out, a, b, c, np.int32(n), engine=engine)[0] for engine in ENGINES)
    for op, one, other in zip(ops, found, want, strict=True):
        units = UNITS.get(op, 4) * np.finfo(dtype).eps
        np.testing.assert_allclose(one, other, rtol=units, atol=np.finfo(dtype).tiny, err_msg=op)


@pytest.mark.parametrize("engine", ENGINES)
def test_denormal_numbers_of_float_are_zero_as_cupy_compiles_kernels(engine: str) -> None:
    code = """extern "C" __global__ void all(float* x, double* y) {
        x[0] = x[0] + x[0]; x[1] = logf(x[1]); x[2] = x[2] * 0.5f; x[3] = x[3] != 0.0f;
    }
    extern "C" __global__ void wide(double* y) { y[0] = y[0] + y[0]; }"""
    x = np.array([1e-42, 1e-42, -1.5e-38, 1e-42], "f4")
    (found, _) = run(code, "all", x, np.ones(1), grid=1, threads=1, engine=engine)
    np.testing.assert_array_equal(found, [0, -np.inf, 0, 0])
    assert np.signbit(found[2])
    assert run(code, "wide", np.array([1e-310]), grid=1, threads=1, engine=engine)[0][0] == 2e-310


def test_whole_numbers_are_computed_as_c_does() -> None:
    code = """extern "C" __global__ void all(long long* o, const int* a, const unsigned int* b, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i >= n) return;
        int x = a[i], y = (int)b[i] | 1;
        o[i] = x / y + 3ll * (x % y) + 5ll * __umulhi(b[i], 0xD2511F53u) + (x >> 3) + (b[i] >> (i & 31));
        for (int k = 0; k < (x & 7); k++) o[i] = o[i] * 31 + (o[i] ^ ((long long)x * y)) / 7;
    }"""
    rng = np.random.default_rng(0)
    a, b = rng.integers(-(2**31), 2**31, 400).astype("i4"), rng.integers(0, 2**32, 400).astype("u4")
    args = (np.zeros(400, "i8"), a, b, np.int32(400))
    found, want = (run(code, "all", *args, engine=engine)[0] for engine in ENGINES)
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(("body", "verb"), [("x[i] = i;", "writes"), ("x[0] += x[i + 1];", "reads")])
def test_threads_stay_within_their_arguments(body: str, verb: str) -> None:
    code = f"""extern "C" __global__ void wild(float* x) {{
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        {body}
    }}"""
    with pytest.raises(MemoryError, match=f"kernel wild: thread {500 - (verb == 'reads')} {verb} beside the arguments"):
        run(code, "wild", np.zeros(500, "f4"))


def test_what_it_can_not_interpret_is_named() -> None:
    code = 'extern "C" __global__ void ask(int* x) { x[0] = __popc(x[1]); }'
    with pytest.raises(NotImplementedError, match=r"the interpreter of PTX knows no popc\.b32"):
        run(code, "ask", np.zeros(2, "i4"))


LOOP = """
cell Loop[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param a : [H]    ~ uniform(0.9)
    state h : [H] = 0
    h = tanh(a * h[t-1] + W @ x)
}"""
"""No product reads the state: all steps run in one kernel."""
CELLS = {"loop": LOOP} | {name: name for name in ("GRU", "LSTM", "MLSTM", "Tagger")}
CELLS |= {name: specimens.SPECIMENS[name].text for name in ("delay lines", "random", "symbols")}


@pytest.mark.parametrize("name", CELLS)
def test_a_generated_module_computes_the_same_on_what_nvidias_compiler_makes_of_it(name: str) -> None:
    """Every load and store of it is held against the arguments of its launch, too."""
    found, want = (results(CELLS[name], StandIn(compiled=ENGINES[engine])) for engine in ENGINES)
    assert set(found) == set(want)
    for root, array in want.items():
        scale = max(1.0, float(np.abs(array).max(initial=0)))
        np.testing.assert_allclose(found[root], array, rtol=0, atol=1e-11 * scale, err_msg=root)
