"""Kernels of the CuPy backend on tensors: in torch's memory, on torch's device and stream, in graphs torch captures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from recurrency import backend


class Place:
    """A device of CUDA, as torch and CuPy (`xp`) share it."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def within(self, device: torch.device) -> ExitStack:
        """A context in which CuPy uses this device and torch's current stream there."""
        stack, cuda = ExitStack(), self.xp.cuda
        stack.enter_context(cuda.Device(device.index))
        stack.enter_context(stream_of_cupy(torch.cuda.current_stream(device), device.index, cuda))
        return stack

    def bytes(self, size: int, device: torch.device) -> Tensor:
        """A fresh tensor of bytes; if there is no room, what CuPy has freed and keeps goes back to the device first.

        Raises:
            torch.OutOfMemoryError: the device is full.
        """
        try:
            return torch.empty(size, dtype=torch.uint8, device=device)
        except torch.OutOfMemoryError:
            self.xp.get_default_memory_pool().free_all_blocks()
        return torch.empty(size, dtype=torch.uint8, device=device)

    def array(self, tensor: Tensor) -> Any:
        """A tensor as an array of CuPy, without a copy if it is contiguous."""
        return self.xp.from_dlpack(tensor.detach().contiguous())

    def multiply(self, a: Any, b: Any, out: Any) -> None:
        """The product of two matrices of CuPy by torch, whose products can be captured."""
        torch.matmul(from_dlpack(a), from_dlpack(b), out=from_dlpack(out))


class Shared:
    """CuPy as the array module of a function on tensors: while torch captures a graph, torch multiplies."""

    captures = True
    """Calls can be captured; see `Planner.capturing`."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place.xp, name)

    def matmul(self, a: Any, b: Any, out: Any) -> None:
        """`out = a @ b`."""
        if self.cuda.get_current_stream().is_capturing():
            self._place.multiply(a, b, out)
        else:
            self._place.xp.matmul(a, b, out=out)


class Memory:
    """Torch's memory on one device as what CuPy allocates, during one call.

    So both share one pool, what a captured graph uses is in the pool of the graph, and results are tensors.
    """

    def __init__(self, place: Place, device: torch.device) -> None:
        self.place, self.device = place, device
        self._tensors: WeakValueDictionary[int, Tensor] = WeakValueDictionary()

    def allocate(self, size: int) -> Any:
        """Memory for CuPy: a pointer of its kind.

        Raises:
            cupy.cuda.memory.OutOfMemoryError: the device is full.
        """
        cuda = self.place.xp.cuda
        try:
            tensor = self.place.bytes(max(1, size), self.device)
        except torch.OutOfMemoryError as error:
            raise cuda.memory.OutOfMemoryError(size, torch_bytes(self.device)) from error
        self._tensors[tensor.data_ptr()] = tensor
        memory = cuda.UnownedMemory(tensor.data_ptr(), size, tensor, self.device.index or 0)
        return cuda.MemoryPointer(memory, 0)

    def tensor(self, array: Any) -> Tensor:
        """A contiguous array that was allocated here, as a tensor of its own on the same memory."""
        whole, itemsize = self._tensors[array.data.mem.ptr], array.dtype.itemsize
        first, left = divmod(array.data.ptr - array.data.mem.ptr, itemsize)
        assert array.flags.c_contiguous
        assert not left
        found: Tensor = torch.empty(0, dtype=getattr(torch, array.dtype.name), device=whole.device)
        shape = tuple(map(int, array.shape))
        strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
        found.set_(whole.untyped_storage(), whole.storage_offset() // itemsize + first, shape, strides)
        return found


class OnDevice:
    """A function of the CuPy backend as a function on tensors; see `Program`."""

    clears_padding = True
    """It clears the padding of inputs itself, and takes lengths from the host and from the device."""

    def __init__(self, runner: Any, place: Place) -> None:
        self.runner, self.place = runner, place

    def __call__(self, *arguments: Any) -> dict[str, Tensor]:
        call: Any = backend.Call(*arguments)
        device = call.params.device
        with self.place.within(device), self._memory(device) as memory:
            given = {name: self.place.array(tensor) for name, tensor in call.given.items()}
            params, lengths, offset = (
                self.place.array(call.params),
                self._counts(call.lengths),
                self._counts(call.offset),
            )
            call = call._replace(params=params, given=given, lengths=lengths, offset=offset)
            try:
                found = self.runner.device(*call)
            except MemoryError as error:
                raise torch.OutOfMemoryError(str(error)) from error
            return {name: memory.tensor(array) for name, array in found.items()}

    @contextmanager
    def _memory(self, device: torch.device) -> Iterator[Memory]:
        memory = Memory(self.place, device)
        with self.place.xp.cuda.using_allocator(memory.allocate):
            yield memory

    def _counts(self, counts: Mapping[str, Tensor] | None) -> dict[str, Any] | None:
        """Numbers of steps, on the host as they are there."""
        if counts is None:
            return None
        return {c: n.numpy() if n.device.type == "cpu" else self.place.array(n) for c, n in counts.items()}


def torch_bytes(device: torch.device) -> int:
    """The bytes that torch has in use on a device."""
    return int(torch.cuda.memory_allocated(device)) if device.type == "cuda" else 0


def stream_of_cupy(stream: Any, number: int, cuda: Any) -> Any:
    """A stream of torch as a stream of CuPy (`cuda`), which deprecates `ExternalStream` from version 14 on."""
    if hasattr(cuda.Stream, "from_external") and hasattr(stream, "__cuda_stream__"):
        return cuda.Stream.from_external(stream)
    return cuda.ExternalStream(stream.cuda_stream, number)
