"""Kernels of the C and CuPy backends as functions on tensors, on torch's memory and in torch's stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from recurrency import backend
from recurrency.errors import UsageError
from recurrency.model.programs import Programs

from ..c.runtime import pool

KERNELS = {"cuda": "cupy", "cpu": "c"}
"""Kind of device -> the backend whose kernels run there."""

DTYPES = {torch.float32: "float32", torch.float64: "float64"}


def obstacle(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why there are no kernels for a device and dtype; None: there are."""
    if device.type not in KERNELS:
        return f"there are no kernels for {device.type}"
    if dtype not in DTYPES:
        return f"kernels are for float32 and float64, not {str(dtype)[6:]}"
    try:
        backend.find(KERNELS[device.type])
    except UsageError as error:
        return str(error)
    return None


def built(
    programs: Programs, like: Tensor, kind: str, options: tuple[Any, ...], later: Callable[[], None] | None = None
) -> Callable[..., dict[str, Tensor]]:
    """The kernels of a program for tensors with the device and dtype of `like`.

    `later` is called while they are compiled in the background, if they are; their attribute `begin` begins that.
    """
    chosen = backend.find(KERNELS[like.device.type])
    graph, dtype = programs.graph(kind, *options), DTYPES[like.dtype]
    runner: Any = chosen.build(graph, programs.layout, dtype, kind, programs.without)
    function: Any = _on_tensors(runner)
    if hasattr(runner, "ahead"):
        runner.ahead, function.begin = later, runner.begin
    return cast("Callable[..., dict[str, Tensor]]", function)


def _on_tensors(runner: Any) -> Callable[..., dict[str, Tensor]]:
    """A function of a backend as a function on tensors, without copies."""

    def function(*arguments: Any) -> dict[str, Tensor]:
        call: Any = backend.Call(*arguments)
        params = call.params.detach()
        if call.lengths or call.offset:
            call = call._replace(lengths=_on_host(call.lengths), offset=_on_host(call.offset))
        if params.device.type == "cuda":
            given = {name: tensor.detach().contiguous() for name, tensor in call.given.items()}
            with _stream_of(params.device):
                found = runner.device(*call._replace(params=params, given=given))
                return {name: from_dlpack(array) for name, array in found.items()}
        before, pool.ceiling.value = pool.ceiling.value, torch.get_num_threads()
        try:
            found = runner(backend.Call(params.numpy(), {n: _array(t) for n, t in call.given.items()}, *call[2:]))
        finally:
            pool.ceiling.value = before
        return {name: torch.from_numpy(a if a.flags.writeable else a.copy()) for name, a in found.items()}

    return function


def _array(tensor: Tensor) -> Any:
    """A tensor on the host as an array; it is copied only if its elements do not lie in order."""
    plain = tensor.detach() if tensor.requires_grad else tensor
    return (plain if plain.is_contiguous() else plain.contiguous()).numpy()


def _on_host(tensors: Mapping[str, Tensor] | None) -> Any:
    return None if tensors is None else {name: tensor.cpu().numpy() for name, tensor in tensors.items()}


def _stream_of(device: torch.device) -> ExitStack:
    """A context in which CuPy uses this device and torch's current stream."""
    import cupy

    stack = ExitStack()
    stack.enter_context(cupy.cuda.Device(device.index))
    stack.enter_context(_of_cupy(torch.cuda.current_stream(device), device.index, cupy.cuda))
    return stack


def _of_cupy(stream: Any, number: int, cuda: Any) -> Any:
    """A stream of torch as a stream of CuPy (`cuda`), which deprecates `ExternalStream` from version 14 on."""
    if hasattr(cuda.Stream, "from_external") and hasattr(stream, "__cuda_stream__"):
        return cuda.Stream.from_external(stream)
    return cuda.ExternalStream(stream.cuda_stream, number)
