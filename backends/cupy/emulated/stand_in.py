"""A stand-in for `cupy`: only the part that generated drivers may use, with NumPy memory and kernels on the CPU.

It is stricter than cupy wherever cupy would hide a mistake: unwritten memory is NaN, launches are checked against the
kernel's signature, allocations are between guards, captured graphs do not keep their buffers alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from recurrency.errors import UsageError

from . import products
from .arrays import CUDA, Host, MemoryPointer, OutOfMemoryError, Pool, UnownedMemory, allocated, filled, ndarray
from .compiler import library
from .launch import Device, Library, RawModule
from .shim import ORDERS
from .streams import Stream

ATTRIBUTES = {
    "ComputeCapabilityMajor": 9,
    "ComputeCapabilityMinor": 0,
    "CooperativeLaunch": 1,
    "MaxBlocksPerMultiprocessor": 32,
    "MaxSharedMemoryPerBlock": 48 * 1024,
    "MaxSharedMemoryPerBlockOptin": 227 * 1024,
    "MaxThreadsPerBlock": 1024,
    "MaxThreadsPerMultiProcessor": 2048,
    "MultiProcessorCount": 132,
    "WarpSize": 32,
}
"""The attributes of an H100, so that plans are the same as there."""


class Part(SimpleNamespace):
    """A module of cupy's within the stand-in."""

    def __init__(self, name: str, **members: Any) -> None:
        super().__init__(**members)
        self._name = name

    def __getattr__(self, name: str) -> NoReturn:
        raise missing(f"{self._name}.{name}")


class Chosen:
    """`cupy.cuda.Device`: one of the devices, in a `with` block the current one."""

    def __init__(self, devices: Device, number: int | None) -> None:
        first = devices.pools[0].number
        self._devices, self.id = devices, devices.pool.number if number is None else number
        self._index, self._before, self.attributes = self.id - first, 0, dict(ATTRIBUTES)
        if not 0 <= self._index < len(devices.pools):
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __enter__(self) -> Chosen:
        self._before, self._devices.number = self._devices.number, self._index
        return self

    def __exit__(self, *_: object) -> None:
        self._devices.number = self._before


def missing(name: str) -> AttributeError:
    """The error for what drivers do not use."""
    return AttributeError(f"the stand-in for cupy has no {name}; it has only what generated drivers may use")


def _check_order(order: str) -> None:
    if order not in ORDERS:
        raise UsageError(f"there is no order of threads {order}; there are {', '.join(ORDERS)}")


class StandIn:
    """An emulated device, with the part of cupy's interface that drivers use.

    `order` says in which order threads and blocks run: a result that depends on it is a race. `memory` bounds what can
    be allocated, in bytes. `compiled` makes a library of a kernel text. `number` is the number of the device; there may
    be several `devices`, from this number on. `launches` lists the kernels launched so far, for tests.

    Raises:
        UsageError: there is no such order.
    """

    float32, float64, int32, int64, uint8, uint32, uint64 = (
        np.float32,
        np.float64,
        np.int32,
        np.int64,
        np.uint8,
        np.uint32,
        np.uint64,
    )

    def __init__(
        self,
        order: str = "forward",
        memory: int | None = None,
        compiled: Callable[[str], Library] = library,
        number: int = 0,
        devices: int = 1,
    ) -> None:
        _check_order(order)
        self._device = device = Device([Pool(memory, number + k) for k in range(devices)], order, compiled)
        self.launches, self.ndarray = device.launches, ndarray
        self.cublas = Part("cublas", gemm=self._gemm)
        self.cuda = Part(
            "cuda",
            Stream=lambda non_blocking=False: Stream(device.streams, non_blocking),
            Device=lambda number=None: Chosen(device, number),
            MemoryPointer=MemoryPointer,
            UnownedMemory=UnownedMemory,
            using_allocator=self._using_allocator,
            memory=Part("cuda.memory", OutOfMemoryError=OutOfMemoryError),
            get_current_stream=lambda: device.streams.current(),
            is_available=lambda: True,
            nvrtc=Part("cuda.nvrtc", getVersion=lambda: (0, 0)),
            runtime=Part("cuda.runtime", getDevice=lambda: device.pool.number, memGetInfo=lambda: device.pool.info()),
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise missing(name)

    @contextmanager
    def _using_allocator(self, allocator: Any = None) -> Iterator[None]:
        """`cupy.cuda.using_allocator`."""
        before, self._device.allocator = self._device.allocator, allocator
        try:
            yield
        finally:
            self._device.allocator = before

    def turn(self, order: str) -> None:
        """Launch in another order from now on.

        Raises:
            UsageError: there is no such order.
        """
        _check_order(order)
        self._device.order = order

    def RawModule(self, *, code: str, options: tuple[str, ...] = ()) -> RawModule:
        """The kernels of a text of CUDA C."""
        return RawModule(self._device, code, options)

    def empty(self, shape: Any, dtype: Any) -> ndarray:
        """A fresh, unwritten array: NaN, or extreme integers."""
        if self._device.allocator is None:  # cupy would give this memory to others while the graph still uses it
            self._device.streams.refuse_capture("an allocation")
        return allocated(self._device.pool, shape, dtype, self._device.allocator)

    def zeros(self, shape: Any, dtype: Any) -> ndarray:
        """A fresh array of zeros."""
        made = self.empty(shape, dtype)
        self._device.streams.current().do(lambda: made.host.fill(0))
        return made

    def asarray(self, array: Any, dtype: Any = None) -> ndarray:
        """A copy of a host array on the device; a device array is itself."""
        self._device.streams.refuse_capture("a copy from the host")
        if isinstance(array, ndarray):
            if dtype is not None and array.dtype != np.dtype(dtype):
                raise TypeError(f"the stand-in for cupy converts no {array.dtype} to {np.dtype(dtype)}")
            return array
        return filled(np.asarray(array, dtype), self.empty)

    def asnumpy(self, array: Any) -> Host:
        """A copy of a device array on the host; a host array is itself."""
        self._device.streams.refuse_capture("a copy to the host")
        return array.host.copy() if isinstance(array, ndarray) else np.asarray(array)

    def ascontiguousarray(self, array: ndarray) -> ndarray:
        """The array itself if it is C-contiguous, otherwise a contiguous copy."""
        if not isinstance(array, ndarray):
            raise TypeError(f"a device array is needed, not {type(array).__name__}")
        if array.flags.c_contiguous:
            return array
        self._device.streams.refuse_capture("an allocation")
        return filled(array.host, self.empty)

    def from_dlpack(self, array: Any) -> ndarray:
        """A device array of another library, without a copy.

        Raises:
            TypeError: it is in the memory of the host.
        """
        if not hasattr(array, "__dlpack_device__") or array.__dlpack_device__()[0] != CUDA:
            raise TypeError(f"CPU arrays cannot be directly imported to the device: {type(array).__name__}")
        taken: ndarray = array.__dlpack__(stream=None).take()
        return taken

    def matmul(self, a: ndarray, b: ndarray, out: ndarray | None = None) -> ndarray:
        """The product of matrices, or of stacks of them."""
        self._device.streams.refuse_capture("cuBLAS API")
        products.check_operands("matmul", (a, b), out)
        out = self.empty(products.result_shape(a, b), a.dtype) if out is None else out
        products.matmul(a, b, out)
        return out

    def _gemm(
        self,
        transa: str,
        transb: str,
        a: ndarray,
        b: ndarray,
        out: ndarray | None = None,
        alpha: float = 1.0,
        beta: float = 0.0,
    ) -> ndarray:
        """`cupy.cublas.gemm`; without `out` the result is a fresh array in column-major order."""
        self._device.streams.refuse_capture("cuBLAS API")
        products.check_operands("gemm", (a, b), out)
        if out is None:
            rows, columns = a.shape[transa == "T"], b.shape[transb != "T"]
            out, beta = self.empty((columns, rows), a.dtype).T, 0.0
        products.gemm(transa, transb, a, b, out, alpha, beta)
        return out


@cache
def stand_in() -> StandIn:
    """The stand-in of the backend `cupy-emulated`."""
    return StandIn()
