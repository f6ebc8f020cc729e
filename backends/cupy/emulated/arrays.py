"""Device arrays of the stand-in for cupy: NumPy memory that only kernels, products and `asnumpy` can reach."""

from __future__ import annotations

import ctypes
import math
import weakref
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

Host = np.ndarray[Any, np.dtype[Any]]

GUARD = 4096
"""Bytes around each allocation, and around each argument of a launch, that no kernel may change."""

WALL = 0x7FF8BEEF
"""The content of guards: NaN in float32 and in float64, other than the NaN of unwritten memory."""

DTYPES = frozenset(map(np.dtype, ("float32", "float64", "int32", "uint32", "int64", "uint64", "uint8")))


class OutOfMemoryError(MemoryError):
    """The device has no room for an allocation, as `cupy.cuda.memory.OutOfMemoryError`."""

    def __init__(self, size: int, total: int) -> None:
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class Pool:
    """The memory of the emulated device `number`: at most `limit` bytes, of which `used` are allocated."""

    def __init__(self, limit: int | None = None, number: int = 0) -> None:
        self.limit, self.used, self.number = limit, 0, number

    def allocate(self, size: int, poison: int) -> Block:
        """A block of `size` bytes that all hold `poison`.

        Raises:
            OutOfMemoryError: it would exceed the limit.
        """
        if self.limit is not None and self.used + size > self.limit:
            raise OutOfMemoryError(size, self.used)
        block = Block(size, poison, self.number)
        self.used += size
        weakref.finalize(block, self._free, size).atexit = False
        return block

    def info(self) -> tuple[int, int]:
        """The bytes that are free, and all of them: without a limit 80 GB."""
        total = 80 * 2**30 if self.limit is None else self.limit
        return total - self.used, total

    def _free(self, size: int) -> None:
        self.used -= size


class Block:
    """One allocation between two guards, filled with `poison`, on the device of a number.

    `start` is the place of the first byte in `memory`.
    """

    start = GUARD

    def __init__(self, size: int, poison: int, device: int = 0) -> None:
        self.device = SimpleNamespace(id=device)
        words = 2 * GUARD // 4 + -(-size // 4)
        self.memory = np.full(words, WALL, np.uint32).view(np.uint8)
        self.memory[GUARD : GUARD + size] = poison
        self.address: int = self.memory.ctypes.data

    @property
    def ptr(self) -> int:
        """The address of the first byte that belongs to the user."""
        return self.address + self.start


class UnownedMemory(Block):
    """Memory of somebody else, which `owner` keeps alive: `cupy.cuda.UnownedMemory`.

    There must be `GUARD` bytes around it that are the same somebody's, if a kernel is to write to it.
    """

    start = 0

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1) -> None:
        self.device, self.owner, self.address = SimpleNamespace(id=device_id), owner, ptr
        self.memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(ptr))


class MemoryPointer:
    """A place in a block, `offset` bytes from its start: `cupy.cuda.MemoryPointer`."""

    def __init__(self, mem: Block, offset: int) -> None:
        self.mem, self.ptr = mem, mem.ptr + offset


def poison_of(dtype: np.dtype[Any]) -> int:
    """The byte that fills unwritten memory: NaN as floats, extreme as integers."""
    return 0xFF if dtype.kind == "f" else 0x55


class Flags:
    """The memory layout of an array."""

    __slots__ = ("c_contiguous", "f_contiguous")

    def __init__(self, host: Host) -> None:
        self.c_contiguous, self.f_contiguous = host.flags.c_contiguous, host.flags.f_contiguous


class ndarray:  # noqa: N801 - as in cupy
    """An array on the emulated device. It has views, by reshaping and slicing; only kernels compute with it."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    __iter__ = None
    __slots__ = ("__weakref__", "_address", "block", "dtype", "host")

    def __init__(self, host: Host, block: Block) -> None:
        self.host, self.block, self.dtype = host, block, host.dtype
        self._address: int | None = None

    @property
    def address(self) -> int:
        """The address of the first element."""
        if self._address is None:
            self._address = self.host.ctypes.data
        return self._address

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.host.shape
        return shape

    @property
    def strides(self) -> tuple[int, ...]:
        return self.host.strides

    @property
    def ndim(self) -> int:
        return self.host.ndim

    @property
    def size(self) -> int:
        return self.host.size

    @property
    def nbytes(self) -> int:
        return self.host.nbytes

    @property
    def itemsize(self) -> int:
        return self.host.itemsize

    @property
    def device(self) -> Any:
        return self.block.device

    @property
    def data(self) -> MemoryPointer:
        """Where its first element is."""
        return MemoryPointer(self.block, self.address - self.block.ptr)

    @property
    def flags(self) -> Flags:
        return Flags(self.host)

    @property
    def T(self) -> ndarray:
        return ndarray(self.host.T, self.block)

    def transpose(self, *axes: Any) -> ndarray:
        """The axes in another order."""
        return ndarray(self.host.transpose(*axes), self.block)

    def swapaxes(self, one: int, other: int) -> ndarray:
        """Two axes exchanged."""
        return ndarray(self.host.swapaxes(one, other), self.block)

    def reshape(self, *shape: Any) -> ndarray:
        """The same elements in another shape.

        Raises:
            ValueError: it would be a copy.
        """
        new = self.host.reshape(*shape)
        if new.size and not np.may_share_memory(new, self.host):
            raise ValueError(f"reshaping {self.shape} with strides {self.strides} to {new.shape} would copy the array")
        return ndarray(new, self.block)

    def __getitem__(self, index: Any) -> ndarray:
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            if not (part is None or part is Ellipsis or isinstance(part, int | slice | np.integer)):
                raise TypeError(f"the stand-in's arrays take whole numbers and slices as indices, not {part!r}")
        view = self.host[(*parts, ...)] if Ellipsis not in parts else self.host[parts]
        return ndarray(view, self.block)

    def __len__(self) -> int:
        return len(self.host)

    def __repr__(self) -> str:
        return f"<device array {self.dtype}{list(self.shape)}>"

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"the stand-in's arrays have no .{name}; it has only what generated drivers may use")

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `asnumpy`.")

    def __bool__(self) -> NoReturn:
        raise TypeError("whether a device array is true is not known on the host; use `asnumpy`")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("device arrays are not compared on the host; use `asnumpy`")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (CUDA, self.device.id)

    def __dlpack__(self, *, stream: Any = None, **_: Any) -> Capsule:
        return Capsule(self)


CUDA = 2
"""The number of CUDA devices in DLPack."""


class Capsule:
    """An array on its way to another library by DLPack; it can be taken once."""

    def __init__(self, array: ndarray) -> None:
        self._array: ndarray | None = array

    def take(self) -> ndarray:
        """The array.

        Raises:
            RuntimeError: somebody has taken it before.
        """
        if self._array is None:
            raise RuntimeError("this DLPack capsule has been used before")
        array, self._array = self._array, None
        return ndarray(array.host, array.block)


def allocated(pool: Pool, shape: Any, dtype: Any, allocator: Any = None) -> ndarray:
    """A fresh array, C-contiguous, filled with poison; its memory is from an `allocator` if there is one.

    Raises:
        OutOfMemoryError: the device is full. TypeError: kernels know no such elements.
    """
    dtype = np.dtype(dtype)
    if dtype not in DTYPES:
        raise TypeError(f"the stand-in for cupy has no arrays of {dtype}")
    shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    size = math.prod(shape) * dtype.itemsize
    if allocator is None:
        block = pool.allocate(size, poison_of(dtype))
    else:
        block = allocator(size).mem
        block.memory[...] = poison_of(dtype)
    return ndarray(np.ndarray(shape, dtype, buffer=block.memory, offset=block.start), block)


def filled(host: Host, allocate: Callable[..., ndarray]) -> ndarray:
    """A copy of a host array on the device."""
    made = allocate(host.shape, host.dtype)
    made.host[...] = host
    return made
