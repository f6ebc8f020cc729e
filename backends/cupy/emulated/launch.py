"""Kernels of the stand-in for cupy: launches are checked against all rules of CUDA and the kernel's signature."""

from __future__ import annotations

import ctypes
import operator
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from .arrays import Block, Pool, UnownedMemory, ndarray
from .compiler import library
from .margins import Margin, Use, margins, use
from .shim import ORDERS
from .signature import Parameter, Signature
from .streams import Stream, Streams

GREATEST = {
    "grid": (2**31 - 1, 65535, 65535),
    "block": (1024, 1024, 64),
}
GREATEST_SHARED = 48 * 1024
"""Bytes of shared memory that a launch has by default at most."""

NOTHING = Block(0, 0)
"""Stands for memory that is not referenced."""

OPTIONS = ("--std=", "-std=")
"""The compiler options that are allowed. Others, such as --use_fast_math, would change numbers there and not here."""


@dataclass(frozen=True)
class Launched:
    """One launch, for tests."""

    name: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    stream: Stream


class Library(Protocol):
    """A compiled kernel text."""

    @property
    def kernels(self) -> Mapping[str, Signature]:
        """Its kernels by name."""

    def launcher(self, name: str) -> Callable[..., None]:
        """A function that runs all threads of a kernel; it takes grid and block, order, arguments, and their memory."""


@dataclass
class Device:
    """What the parts of one stand-in share: one device or several, of which `number` is the current one."""

    pools: list[Pool]
    order: str = "forward"
    compile: Callable[[str], Library] = library
    launches: deque[Launched] = field(default_factory=lambda: deque(maxlen=100_000))
    number: int = 0
    allocator: Any = None
    """Where memory comes from in the current block `with using_allocator(...)`."""

    def __post_init__(self) -> None:
        self._streams = [Streams() for _ in self.pools]

    @property
    def pool(self) -> Pool:
        """The memory of the current device."""
        return self.pools[self.number]

    @property
    def streams(self) -> Streams:
        """The streams of the current device."""
        return self._streams[self.number]


class RawModule:
    """The kernels of a text of CUDA C, compiled when the first one is needed."""

    def __init__(self, device: Device, code: str, options: Iterable[str] = ()) -> None:
        for option in options:
            if not option.startswith(OPTIONS):
                raise ValueError(f"the stand-in for cupy knows no compiler option {option}")
        self._device, self._code = device, code
        self._library: Library | None = None

    def get_function(self, name: str) -> Kernel:
        """A kernel by its name.

        Raises:
            CompileError: the text can't be compiled. KeyError: it holds no such kernel.
            NotImplementedError: the current stream is being captured, and a device may have to wait for itself to load
                a kernel.
        """
        self._device.streams.refuse_capture("cuModuleGetFunction")
        if self._library is None:
            self._library = self._device.compile(self._code)
        if name not in self._library.kernels:
            raise KeyError(f"no kernel {name}; there are {', '.join(self._library.kernels)}")
        return Kernel(self._device, self._library, self._library.kernels[name])


class Kernel:
    """A kernel that can be launched: `kernel(grid, block, arguments)`."""

    def __init__(self, device: Device, made: Library, signature: Signature) -> None:
        self._device, self._signature, self._loaded = device, signature, {device.number}
        self._library = made  # holds the code in memory
        self._launcher = made.launcher(signature.name)

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], *, shared_mem: int = 0) -> None:
        """Run all threads, or collect the launch where the current stream is being captured.

        Raises:
            ValueError: CUDA launches no such grid. TypeError: an argument is not what the kernel's signature says.
            MemoryError: the kernel has written beside an array.
        """
        name = self._signature.name
        grid, block = _size(name, "grid", grid), _size(name, "block", block)
        threads = block[0] * block[1] * block[2]
        if threads > self._signature.bound:
            raise ValueError(
                f"kernel {name}: {threads} threads in a block; at most {self._signature.bound} are possible"
            )
        if not 0 <= shared_mem <= GREATEST_SHARED:
            raise ValueError(
                f"kernel {name}: {shared_mem} bytes of shared memory; at most {GREATEST_SHARED} are possible"
            )
        values, uses = self._packed(args)
        self._load()
        stream = self._device.streams.current()
        self._device.launches.append(Launched(name, grid, block, stream))
        stream.do(Launch(self, (ctypes.c_uint * 6)(*grid, *block), values, uses, stream.captured is None))

    def _load(self) -> None:
        """Load the kernel on the current device, which may have to wait for itself: never while it is captured."""
        if self._device.number not in self._loaded:
            self._device.streams.refuse_capture("cuModuleLoadData")
            self._loaded.add(self._device.number)

    def _packed(self, args: Sequence[Any]) -> tuple[Any, list[Use]]:
        """The arguments as bits, 8 bytes each, and the memory that they point to."""
        name, parameters = self._signature.name, self._signature.parameters
        if not isinstance(args, tuple):
            raise TypeError(f"kernel {name}: the arguments are a {type(args).__name__}, not a tuple")
        if len(args) != len(parameters):
            raise TypeError(f"kernel {name} takes {len(parameters)} arguments, not {len(args)}")
        values = (ctypes.c_uint64 * max(1, len(args)))()
        uses = []
        for i, (parameter, arg) in enumerate(zip(parameters, args, strict=True)):
            wanted = ndarray if parameter.pointer else np.generic
            if not isinstance(arg, wanted) or arg.dtype != parameter.dtype:
                raise TypeError(_unlike(name, parameter, arg))
            if isinstance(arg, ndarray):
                if arg.device.id != self._device.pool.number:
                    raise RuntimeError(f"cudaErrorIllegalAddress: {parameter.name} is on the device {arg.device.id}")
                values[i] = arg.address
                uses.append(use(parameter.name, arg, not parameter.constant))
            else:
                values[i] = int.from_bytes(arg.tobytes(), "little")
        return values, uses

    def run(self, shape: Any, values: Any, uses: list[Use], beside: list[tuple[Block, Margin]]) -> None:
        """All threads, one after another."""
        before = [margin.of(block) for block, margin in beside]
        self._launcher(shape, ORDERS.index(self._device.order), values, uses)
        for (block, margin), bytes_before in zip(beside, before, strict=True):
            if margin.of(block) != bytes_before:
                raise MemoryError(f"kernel {self._signature.name} has written outside of {margin.name}")

    def gone(self, name: str) -> RuntimeError:
        """The error for a captured buffer that no longer exists."""
        return RuntimeError(f"kernel {self._signature.name}: the memory of {name} is gone since the graph was captured")


class Launch:
    """A launch with checked arguments. If it was captured, it does not keep its memory alive, as in CUDA."""

    def __init__(self, kernel: Kernel, shape: Any, values: Any, uses: list[Use], at_once: bool) -> None:
        self._kernel, self._shape, self._values = kernel, shape, values
        self._uses = uses if at_once else []
        self._known = [] if at_once else [(_reference(u.block), replace(u, block=NOTHING)) for u in uses]

    def __call__(self) -> None:
        uses = self._uses or [self._alive(*known) for known in self._known]
        self._kernel.run(self._shape, self._values, uses, margins(uses))

    def _alive(self, reference: Callable[[], Block | None], use: Use) -> Use:
        block = reference()
        if block is None:
            raise self._kernel.gone(use.name)
        return replace(use, block=block)


def _reference(block: Block) -> Callable[[], Block | None]:
    """What gives a block as long as it exists; memory of somebody else is their business."""
    return (lambda: block) if isinstance(block, UnownedMemory) else weakref.ref(block)


def _size(kernel: str, what: str, size: Sequence[int]) -> tuple[int, ...]:
    """The three numbers of a grid or block.

    Raises:
        ValueError: they are too many, too large, or nothing.
    """
    if not isinstance(size, tuple) or not 1 <= len(size) <= 3:
        raise ValueError(f"kernel {kernel}: the {what} is {size!r}, not a tuple of one to three numbers")
    whole = (*map(operator.index, size), *(1,) * (3 - len(size)))
    for number, greatest in zip(whole, GREATEST[what], strict=True):
        if not 1 <= number <= greatest:
            raise ValueError(
                f"kernel {kernel}: the {what} is {whole}; at least 1 and at most {GREATEST[what]} is possible"
            )
    return whole


def _unlike(kernel: str, parameter: Parameter, arg: Any) -> str:
    """Why an argument does not match a parameter, or None."""
    if isinstance(arg, ndarray):
        found = f"a device array of {arg.dtype}"
    elif isinstance(arg, np.ndarray):
        found = f"a host array of {arg.dtype}; move it with asarray"
    elif isinstance(arg, np.generic):
        found = f"a {arg.dtype}"
    else:
        found = f"a Python {type(arg).__name__}, of which cupy would pass 8 bytes as they are"
    wanted = f"a device array of {parameter.dtype}" if parameter.pointer else f"a {parameter.dtype}"
    return f"kernel {kernel}, argument {parameter.name} ({parameter.spelling}): takes {wanted}, not {found}"
