"""The stand-in for cupy runs drivers and kernels as a device would, and notices what a device would not forgive."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy.emulated import compiler
from recurrency.backends.cupy.emulated.shim import ORDERS
from recurrency.backends.cupy.emulated.stand_in import StandIn

import recurrency as rc
from recurrency import backend
from tests.support import driving

pytestmark = pytest.mark.skipif(compiler.obstacle() is not None, reason=f"cupy-emulated: {compiler.obstacle()}")

SCALE = """
extern "C" __global__ void scale(float* x, float by, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= by;
}
"""


@pytest.fixture
def xp() -> StandIn:
    return StandIn()


def kernel(xp: StandIn, code: str = SCALE, name: str = "scale") -> Any:
    return xp.RawModule(code=code).get_function(name)


def floats(xp: StandIn, n: int = 300) -> Any:
    return xp.asarray(np.arange(n, dtype="f4"))


def scaled(xp: StandIn, *args: Any, grid: Any = (2,), block: Any = (256,), **options: Any) -> None:
    kernel(xp)(grid, block, args, **options)


# ------------------------------------------------------------------------------------------------------------ numbers


def error(found: dict[str, Any]) -> float:
    """The greatest difference from float64, as a part of the greatest number; NaN counts."""
    want = driving.wanted()
    found = driving.project(found)
    worst = [np.max(np.abs(found[n] - a)) / max(1.0, np.max(np.abs(a))) for n, a in want.items()]
    return float(np.max(worst))


def test_a_driver_computes_what_its_equations_say(xp: StandIn) -> None:
    # 4 steps, sums of 111 and 11 products: some tens of roundings of 6e-8, in sums of some thousand gradients.
    assert error(driving.results(xp)) < 1e-5


@pytest.mark.parametrize("order", ORDERS)
def test_kernels_without_races_do_not_depend_on_the_order_of_threads(order: str) -> None:
    found, want = driving.results(StandIn(order)), driving.results(StandIn())
    for name, array in want.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_a_race_between_threads_shows_in_another_order() -> None:
    code = """
    extern "C" __global__ void shift(float* x, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i + 1 < n) x[i] = x[i + 1];
    }"""
    found = []
    for order in ORDERS:
        xp = StandIn(order)
        x = floats(xp)
        kernel(xp, code, "shift")((3,), (128,), (x, xp.int32(x.size)))
        found.append(xp.asnumpy(x))
    assert np.any(found[0] != found[1])
    assert np.any(found[0] != found[2])


def test_there_is_no_fourth_order() -> None:
    with pytest.raises(rc.UsageError, match="no order of threads sideways; there are forward, reversed, shuffled"):
        StandIn("sideways")


def test_each_thread_runs_once_in_every_order() -> None:
    code = """
    extern "C" __global__ void count(int* x) {
        long long block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        long long thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        x[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1;
    }"""
    for order in ORDERS:
        xp = StandIn(order)
        x = xp.zeros(2 * 3 * 5 * 7 * 4 * 3, xp.int32)
        kernel(xp, code, "count")((2, 3, 5), (7, 4, 3), (x,))
        assert np.all(xp.asnumpy(x) == 1)


def test_views_are_passed_by_their_first_element(xp: StandIn) -> None:
    x = xp.asarray(np.ones((4, 3, 5), "f4"))
    scaled(xp, x[1, 2:], xp.float32(3), xp.int32(5), grid=(1,))
    want = np.ones((4, 3, 5))
    want[1, 2] = 3
    np.testing.assert_array_equal(xp.asnumpy(x), want)


@pytest.mark.parametrize(("name", "real"), [("f", "float"), ("", "double")])
def test_kernels_know_cudas_functions(xp: StandIn, name: str, real: str) -> None:
    code = f"""
    extern "C" __global__ void all({real}* x, long long* n) {{
        x[0] = tanh{name}(x[0]) + fma{name}(x[0], x[0], x[0]) + copysign{name}(x[0], -x[0]) + pow{name}(x[0], x[0]);
        x[1] = min(x[1], x[0]) + isnan(x[1]) + __ldg(x + 1);
        n[0] = __umulhi(0x80000000u, 6u) + __umul64hi(1ull << 63, 8ull) + min(1, 2) + __float_as_int(1.0f);
    }}"""
    dtype = {"float": "f4", "double": "f8"}[real]
    x, n = xp.asarray(np.array([0.5, 0.25], dtype)), xp.zeros(1, xp.int64)
    kernel(xp, code, "all")((1,), (1,), (x, n))
    first = np.tanh(0.5) + 0.75 - 0.5 + 0.5**0.5
    np.testing.assert_allclose(xp.asnumpy(x), [first, 0.5], rtol=4 * np.finfo(dtype).eps)
    assert xp.asnumpy(n)[0] == 3 + 4 + 1 + 0x3F800000


# --------------------------------------------------------------------------------------------------- planted mistakes


def planted(old: str, new: str) -> dict[str, str]:
    """Driver and kernels with one mistake."""
    assert (old in driving.DRIVER) is not (old in driving.KERNELS)
    texts = {"driver": driving.DRIVER, "kernels": driving.KERNELS}
    return {name: text.replace(old, new) for name, text in texts.items()}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0f - t * t", "1.0f + t * t"),
        ("e * n * a", "e * n * n"),
        ("(G[t], c[t], c[t + 1], h[t + 1]", "(G[t], c[t + 1], c[t], h[t + 1]"),
        ("        self.put(h[0], h0)\n", ""),
        ("grid, block, sizes = ((B * H + 255) // 256,)", "grid, block, sizes = (B * H // 256,)"),
        ("out=G[t], alpha=1.0, beta=1.0", "out=G[t], alpha=1.0, beta=0.0"),
    ],
)
def test_a_wrong_kernel_or_driver_gives_wrong_numbers(xp: StandIn, old: str, new: str) -> None:
    assert (
        not error(driving.results(xp, **planted(old, new))) < 1e-2
    )  # NaN, as of what nobody has written, is wrong too


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        ("tanhf(c[i]);", "tanhh(c[i]);", compiler.CompileError, r"kernels.cu:\d+.*tanhh"),
        ("xp.int32(B), xp.int32(H)", "B, xp.int32(H)", TypeError, "lstm_forward, argument B .int.: .* a Python int"),
        ("xp.int32(B), xp.int32(H)", "xp.int64(B), xp.int32(H)", TypeError, "argument B .int.: takes a int32, not"),
        ("xp.int32(B), xp.int32(H)", "xp.int32(B),", TypeError, "lstm_forward takes 6 arguments, not 5"),
        ("block, sizes = ((B * H + 255) // 256,), (256,)", "block, sizes = (1,), (2048,)", ValueError, "is .2048"),
        ("xp.float32) for shape", "xp.float64) for shape", TypeError, "float32, not a device array of float64"),
        (
            "dc = xp.zeros((B, H), xp.float32), xp.zeros((B, H), xp.float32)",
            "dc = xp.zeros((B, H), xp.float32), __import__('numpy').zeros((B, H), 'f4')",
            TypeError,
            "argument dc .*not a host array of float32",
        ),
        ("if (i < n) out[i]", "out[i]", MemoryError, "kernel copy has written outside of out"),
        ("if (i >= B * H) return;\n    float* g", "float* g", MemoryError, "lstm_forward has written outside of"),
        ('gemm("N", "T", G[t]', 'gemm("N", "N", G[t]', ValueError, "gemm of"),
        ("h[:T].reshape(T * B, H)", "h[:T].ravel()", AttributeError, "arrays have no .ravel"),
        ("xp.zeros((B, H), xp.float32), ", "xp.ones((B, H)), ", AttributeError, "the stand-in for cupy has no ones"),
        ("xp.cublas.gemm(", "xp.cublas.sgemm(", AttributeError, "has no cublas.sgemm"),
    ],
)
def test_a_mistake_is_noticed_and_named(xp: StandIn, old: str, new: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        driving.results(xp, **planted(old, new))


# ------------------------------------------------------------------------------------------------------ launch limits


@pytest.mark.parametrize(
    ("grid", "block"),
    [
        ((0,), (1,)),
        ((1,), (0,)),
        ((1,), (1025,)),
        ((1,), (1, 1, 65)),
        ((1,), (32, 64)),
        ((1, 65536), (1,)),
        ((1,), 256),
    ],
)
def test_grids_that_no_device_launches_are_refused(xp: StandIn, grid: Any, block: Any) -> None:
    with pytest.raises(ValueError, match="kernel scale: "):
        scaled(xp, floats(xp), xp.float32(2), xp.int32(300), grid=grid, block=block)


def test_a_kernels_own_bound_on_threads_holds(xp: StandIn) -> None:
    bounded = kernel(xp, SCALE.replace("void scale", "__launch_bounds__(128) void scale"))
    with pytest.raises(ValueError, match="256 threads in a block; at most 128"):
        bounded((2,), (256,), (floats(xp), xp.float32(2), xp.int32(300)))


def test_shared_memory_is_limited(xp: StandIn) -> None:
    with pytest.raises(ValueError, match="65536 bytes of shared memory"):
        scaled(xp, floats(xp), xp.float32(2), xp.int32(300), shared_mem=1 << 16)


@pytest.mark.parametrize("word", ["atomicAdd(x, 1.0f);"])
def test_what_can_not_be_emulated_is_refused_by_name(xp: StandIn, word: str) -> None:
    with pytest.raises(NotImplementedError, match=r"the stand-in for cupy takes no kernels with \S+: "):
        kernel(xp, SCALE.replace("int i =", f"{word} int i ="))


def test_kernels_take_plain_types(xp: StandIn) -> None:
    with pytest.raises(TypeError, match="kernel scale, parameter by: the type of 'short by' is none of float"):
        kernel(xp, SCALE.replace("float by", "short by"))


def test_options_that_change_numbers_are_refused(xp: StandIn) -> None:
    with pytest.raises(ValueError, match="no compiler option --use_fast_math"):
        xp.RawModule(code=SCALE, options=("--std=c++17", "--use_fast_math"))


# ------------------------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize(
    "use",
    [np.asarray, np.sum, lambda a: np.float32(2) * a, lambda a: a + 1, bool, list, lambda a: a == a, hash],
)
def test_a_device_array_reaches_numpy_and_the_host_only_by_asnumpy(xp: StandIn, use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        use(floats(xp))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8"])
def test_memory_that_nobody_has_written_is_wild(xp: StandIn, dtype: str) -> None:
    found = xp.asnumpy(xp.empty((3, 2), dtype))
    assert np.isnan(found).all() if found.dtype.kind == "f" else (found > 50).all()


def test_reshaping_never_copies(xp: StandIn) -> None:
    x = xp.asarray(np.ones((4, 6), "f4"))
    assert x.T.flags.c_contiguous is False
    with pytest.raises(ValueError, match="would copy"):
        x.T.reshape(24)
    assert xp.ascontiguousarray(x.T).reshape(24).shape == (24,)
    assert xp.ascontiguousarray(x) is x


def test_results_of_products_lie_over_no_operand(xp: StandIn) -> None:
    x = xp.asarray(np.ones((4, 4), "f4"))
    for call in (lambda: xp.matmul(x, x, out=x), lambda: xp.cublas.gemm("N", "T", x[:2], x, out=x[1:3])):
        with pytest.raises(ValueError, match="lies over one of its operands"):
            call()


def test_cublas_takes_no_empty_matrices(xp: StandIn) -> None:
    with pytest.raises(ValueError, match="no empty matrices"):
        xp.cublas.gemm("N", "N", xp.zeros((0, 3), "f4"), xp.zeros((3, 2), "f4"))


def test_a_product_without_a_place_gets_one(xp: StandIn) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
    on = xp.asarray(a), xp.asarray(b)
    np.testing.assert_allclose(xp.asnumpy(xp.cublas.gemm("N", "T", *on)), a @ b.T, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(xp.asnumpy(xp.matmul(on[0], on[1].T)), a @ b.T, rtol=1e-14, atol=1e-14)


def test_dlpack_shares_memory_between_device_arrays_only(xp: StandIn) -> None:
    x = floats(xp)
    other = xp.from_dlpack(x)
    scaled(xp, other, xp.float32(2), xp.int32(300))
    assert xp.asnumpy(x)[7] == 14
    with pytest.raises(TypeError, match="CPU arrays cannot be directly imported"):
        xp.from_dlpack(np.ones(3))
    capsule = x.__dlpack__()
    capsule.take()
    with pytest.raises(RuntimeError, match="has been used before"):
        capsule.take()


def test_a_full_device_raises_and_has_room_again(xp: StandIn) -> None:
    xp = StandIn(memory=1000)
    held = xp.empty(200, xp.float32)
    with pytest.raises(xp.cuda.memory.OutOfMemoryError, match="allocating 400 bytes"):
        xp.empty(100, xp.float32)
    del held
    gc.collect()
    xp.empty(250, xp.float32)


# ------------------------------------------------------------------------------------------------------------- graphs


def captured(xp: StandIn, x: Any) -> Any:
    stream, scale = xp.cuda.Stream(non_blocking=True), kernel(xp)
    with stream:
        assert xp.cuda.get_current_stream() is stream
        stream.begin_capture()
        scale((2,), (256,), (x, xp.float32(2), xp.int32(300)))
        return stream.end_capture()


def test_a_captured_launch_runs_when_the_graph_does(xp: StandIn) -> None:
    x = floats(xp)
    graph = captured(xp, x)
    assert xp.asnumpy(x)[7] == 7
    graph.launch()
    graph.launch()
    assert xp.asnumpy(x)[7] == 28


def test_a_graph_holds_no_memory(xp: StandIn) -> None:
    graph = captured(xp, floats(xp))
    gc.collect()
    with pytest.raises(RuntimeError, match="kernel scale: the memory of x is gone since the graph was captured"):
        graph.launch()


@pytest.mark.parametrize("name", ["empty", "zeros", "asarray", "asnumpy", "matmul", "gemm", "synchronize", "load"])
def test_nothing_but_launches_can_be_captured(xp: StandIn, name: str) -> None:
    x = xp.asarray(np.ones((4, 4), "f4"))
    stream = xp.cuda.Stream(non_blocking=True)
    calls: dict[str, Callable[[], Any]] = {
        "empty": lambda: xp.empty(3, "f4"),
        "zeros": lambda: xp.zeros(3, "f4"),
        "asarray": lambda: xp.asarray(np.ones(3, "f4")),
        "asnumpy": lambda: xp.asnumpy(x),
        "matmul": lambda: xp.matmul(x, x),
        "gemm": lambda: xp.cublas.gemm("N", "N", x, x),
        "synchronize": stream.synchronize,
        "load": lambda: kernel(xp),
    }
    with stream:
        stream.begin_capture()
        with pytest.raises((NotImplementedError, RuntimeError), match="captur"):
            calls[name]()


def test_other_streams_are_not_captured(xp: StandIn) -> None:
    x = floats(xp)
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
    scaled(xp, x, xp.float32(2), xp.int32(300))
    assert xp.asnumpy(x)[7] == 14
    stream.end_capture().launch()
    assert xp.asnumpy(x)[7] == 14


def test_the_default_stream_can_not_be_captured(xp: StandIn) -> None:
    with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureUnsupported"):
        xp.cuda.get_current_stream().begin_capture()


# -------------------------------------------------------------------------------------------------------- compilation


def test_kernels_are_compiled_once(xp: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(xp)
    compiler._libraries.clear()
    monkeypatch.setattr(compiler, "_compile", None)
    assert kernel(xp) is not None


def test_a_cache_that_others_can_write_is_not_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "recurrency" / "emulated-kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiler.cache_folder.__wrapped__() != folder
    folder.chmod(0o700)
    assert compiler.cache_folder.__wrapped__() == folder


def test_a_cache_does_not_grow_for_ever(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "MOST_FILES", 4)
    for i in range(6):
        (tmp_path / f"{i}.so").touch()
    compiler._prune(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_without_a_compiler_the_backend_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(rc.UsageError, match=r"cupy-emulated can't run here: needs g\+\+, .*apt-get install g\+\+"):
        backend.find("cupy-emulated")
