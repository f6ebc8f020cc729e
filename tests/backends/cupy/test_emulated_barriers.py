"""Threads of a block that wait for one another run together; what they would find on a device by chance is noticed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy.emulated import compiler
from recurrency.backends.cupy.emulated.shim import ORDERS
from recurrency.backends.cupy.emulated.stand_in import StandIn

pytestmark = pytest.mark.skipif(compiler.obstacle() is not None, reason=f"cupy-emulated: {compiler.obstacle()}")

KERNELS = """
extern "C" __global__ void __launch_bounds__(64, 1) mirrored(float* out, const float* x) {
    __shared__ __align__(16) float part[64];
    float sum = x[blockIdx.x * 64 + threadIdx.x];
    for (int mask = 16; mask; mask >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
    part[threadIdx.x] = sum;
    __syncthreads();
    out[blockIdx.x * 64 + threadIdx.x] = part[63 - threadIdx.x];
}
extern "C" __global__ void unwritten(float* out, const float* x) {
    __shared__ float part[64];
    out[blockIdx.x * 64 + threadIdx.x] = part[threadIdx.x];
    __syncthreads();
    part[threadIdx.x] = x[0];
}
extern "C" __global__ void stuck(float* out, const float* x) {
    if (threadIdx.x != 3) __syncthreads();
    out[threadIdx.x] = x[0];
}
"""


def launched(name: str, order: str, code: str = KERNELS, threads: int = 64) -> Any:
    xp = StandIn(order)
    x, out = xp.asarray(np.arange(128, dtype="f4")), xp.zeros(128, "f4")
    xp.RawModule(code=code).get_function(name)((2,), (threads,), (out, x))
    return xp.asnumpy(out).reshape(2, 2, 32)


@pytest.mark.parametrize("order", ORDERS)
def test_threads_meet_at_barriers_and_exchange_values(order: str) -> None:
    sums = np.arange(128.0).reshape(2, 2, 32).sum(2)
    assert np.array_equal(launched("mirrored", order), np.repeat(sums[:, ::-1], 32, axis=1).reshape(2, 2, 32))


@pytest.mark.parametrize("order", ORDERS)
def test_a_missing_barrier_gives_other_numbers(order: str) -> None:
    code = KERNELS.replace("__syncthreads();", "", 1)
    assert not np.array_equal(launched("mirrored", order, code), launched("mirrored", order))


def test_shared_memory_that_no_thread_has_written_is_wild_in_each_block() -> None:
    assert np.isnan(launched("unwritten", "forward")).all()


@pytest.mark.parametrize(("name", "threads"), [("stuck", 64), ("mirrored", 48)])
def test_threads_that_wait_for_ever_are_noticed(name: str, threads: int) -> None:
    with pytest.raises(RuntimeError, match=f"kernel {name}: some threads of a block wait for others that never come"):
        launched(name, "forward", threads=threads)
