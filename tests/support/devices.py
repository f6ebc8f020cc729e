"""Modules of PyTorch on a device of CUDA, or on the stand-in for one, behind tensors of the host."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import torch
from recurrency.backends.cupy.emulated.arrays import GUARD, UnownedMemory, ndarray
from recurrency.backends.torch import module_kernels
from recurrency.backends.torch.module_device import Place
from recurrency.backends.torch.runtime import network, ops

from recurrency import backend


class EmulatedPlace(Place):
    """The stand-in for CuPy with tensors of the host: they stand for those of a device."""

    current: Any = None
    """The stand-in's stream that stands for torch's current one; None: its default."""
    limit: int | None = None
    """The bytes that torch has for kernels; None: as many as they want."""
    used, most = 0, 0
    of_graphs: list[Any] = []  # noqa: RUF012 - of all places
    """The memory that was allocated while a graph was captured: it belongs to the graph."""

    def within(self, device: torch.device) -> ExitStack:
        stack = ExitStack()
        if EmulatedPlace.current is not None:
            stack.enter_context(EmulatedPlace.current)
        return stack

    def bytes(self, size: int, device: torch.device) -> torch.Tensor:
        place = EmulatedPlace
        if place.limit is not None and place.used + size > place.limit:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes.")
        around = torch.zeros(size + 2 * GUARD, dtype=torch.uint8, device="cpu")
        found = around[GUARD : GUARD + size]
        place.used += size
        place.most = max(place.most, place.used)
        weakref.finalize(found, _free, size)
        if place.current is not None and place.current.is_capturing():
            place.of_graphs.append(found)
        return found

    def array(self, tensor: torch.Tensor) -> Any:
        tensor = tensor.detach().contiguous()
        block = UnownedMemory(tensor.data_ptr(), tensor.nbytes, tensor, self.xp.cuda.runtime.getDevice())
        return ndarray(block.memory.view(tensor.numpy().dtype).reshape(tuple(tensor.shape)), block)

    def multiply(self, a: Any, b: Any, out: Any) -> None:
        product = torch.matmul
        hosts = [torch.from_numpy(m.host) for m in (a, b, out)]
        self.xp.cuda.get_current_stream().do(lambda: product(*hosts[:2], out=hosts[2]))


def _free(size: int) -> None:
    EmulatedPlace.used -= size


GPU = "cuda"
REASON = backend.describe(emulated=True)


def obstacle() -> str | None:
    """Why no module runs its kernels on a device of CUDA here, or None."""
    if not torch.cuda.is_available():
        return "this torch sees no CUDA device"
    return REASON.get("cupy", "cupy: there is no such backend")


DEVICES = [
    pytest.param("cpu", marks=pytest.mark.skipif(REASON["cupy-emulated"] is not None, reason="cupy-emulated")),
    pytest.param(GPU, marks=[pytest.mark.gpu, pytest.mark.skipif(obstacle() is not None, reason=f"{obstacle()}")]),
]


@contextmanager
def kernels_on(device: str) -> Iterator[str]:
    """Within it, modules on this device run the kernels of CuPy, or of its stand-in."""
    if device == GPU:
        yield device
        return
    with pytest.MonkeyPatch.context() as patch, contextlib.closing(Programs()):
        patch.setattr(module_kernels, "KERNELS", {"cpu": "cupy-emulated"})
        patch.setattr(module_kernels, "PLACES", {"cpu": EmulatedPlace})
        for module in (network, ops):
            patch.setattr(module, "capturing", lambda _: EmulatedPlace.current is not None)
        yield device
    EmulatedPlace.of_graphs.clear()


@contextmanager
def stream(device: str) -> Iterator[Any]:
    """A stream that is not the default one, as torch's current one."""
    if device == GPU:
        made = torch.cuda.Stream()
        made.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(made):
            yield made
        torch.cuda.current_stream().wait_stream(made)
        return
    EmulatedPlace.current = backend.find("cupy-emulated").load().cuda.Stream(non_blocking=True)  # type: ignore[attr-defined]
    try:
        yield EmulatedPlace.current
    finally:
        EmulatedPlace.current = None


def captured(device: str, work: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """What some work gives while a graph of it is captured, and what replays the graph."""
    if device == GPU:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = work()
        return out, graph.replay
    with stream(device) as emulated:
        emulated.begin_capture()
        try:
            out = work()
        finally:
            found = emulated.end_capture()
    return out, found.launch


class Programs:
    """The programs that were given kernels of the stand-in, which `close` takes from them."""

    known: list[Any] = []  # noqa: RUF012 - of all

    def close(self) -> None:
        while Programs.known:
            Programs.known.pop()._functions.clear()


def program_of(module: Any) -> Any:
    """The program of a module, whose functions are made again from now on."""
    module.program._functions.clear()
    Programs.known.append(module.program)
    return module.program


def in_torch_code(program: Any) -> Any:
    """The same program in torch code, whatever kernels there are for its device."""
    made: Any = object.__new__(type(program))
    made.__dict__.update(program.__dict__, _functions={}, _calls={})
    made._built = lambda like, kind, options, later=None: program.programs.runner(kind, *options).function
    return made
