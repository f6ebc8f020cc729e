"""Kernels of the C and CuPy backends as functions on tensors, on torch's memory and in torch's stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import Parameter

from recurrency import backend
from recurrency.errors import UsageError
from recurrency.model.programs import Programs

from ..c.runtime import pool
from .module_device import OnDevice, Place, Shared

KERNELS = {"cuda": "cupy", "cpu": "c"}
"""Kind of device -> the backend whose kernels run there."""

PLACES: dict[str, type[Place]] = {"cuda": Place}
"""Kind of device -> how torch and the kernels share it; others are the host's."""

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
    chosen: Any = backend.find(KERNELS[like.device.type])
    graph, dtype, on = programs.graph(kind, *options), DTYPES[like.dtype], PLACES.get(like.device.type)
    if on is None:
        runner: Any = chosen.build(graph, programs.layout, dtype, kind, programs.without)
        function: Any = _on_host(runner, like.dtype)
        if hasattr(runner, "ahead"):
            runner.ahead, function.begin = later, runner.begin
        return cast("Callable[..., dict[str, Tensor]]", function)
    place = on(chosen.load())
    shared = Shared(place)
    chosen = type(chosen)(chosen.name, lambda: shared, chosen.plan)
    return OnDevice(chosen.build(graph, programs.layout, dtype, kind, programs.without), place)


def _on_host(runner: Any, real: torch.dtype) -> Callable[..., dict[str, Tensor]]:
    """A function of a backend as a function on tensors of the host, without copies."""
    reals = getattr(runner, "reals", None)
    dtypes = None if reals is None else {name: real if is_real else torch.int64 for name, is_real in reals.items()}

    def function(params: Tensor, given: Mapping[str, Tensor], *rest: Any) -> dict[str, Tensor]:
        vector: Any = None if dtypes is None else _address(params, real)
        arrays = None if dtypes is None or vector is None else _addresses(given, dtypes)
        if arrays is None:
            vector, arrays = _vector(params), {name: _array(tensor) for name, tensor in given.items()}
        call: Any = backend.Call(vector, arrays, *rest)
        if call.lengths or call.offset:
            call = call._replace(lengths=_arrays(call.lengths), offset=_arrays(call.offset))
        with pool.at_most(torch.get_num_threads()):
            found = runner(call)
        return {name: torch.from_numpy(a if a.flags.writeable else a.copy()) for name, a in found.items()}

    return function


def _address(tensor: Tensor, dtype: torch.dtype) -> int | None:
    """Where C can read a tensor as it is; None if it must be prepared first.

    Those of sharded modules, for one, have no memory of their own; others may lie between two numbers.
    """
    if type(tensor) not in (Tensor, Parameter) or tensor.dtype is not dtype:
        return None
    address = tensor.data_ptr() if tensor.is_contiguous() and not tensor.is_neg() else 0
    return None if not address or address % tensor.itemsize else address


def _vector(params: Tensor) -> Any:
    """The parameters as an array.

    Raises:
        UsageError: they are not in memory here.
    """
    try:
        return params.detach().resolve_neg().contiguous().numpy()
    except (RuntimeError, TypeError) as error:
        raise UsageError(
            f"the parameters are a {type(params).__name__}, whose numbers are not in this process's memory: call the "
            "module itself where fully_shard gathers them, or give it ordinary parameters"
        ) from error


def _addresses(given: Mapping[str, Tensor], dtypes: Mapping[str, torch.dtype]) -> Any:
    """Where these tensors are in memory, 0 for those that are not read; None if one must be prepared first.

    That takes a tenth of the time of making arrays of them.
    """
    out = {}
    for name, tensor in given.items():
        dtype = dtypes.get(name)
        out[name] = address = 0 if dtype is None else _address(tensor, dtype)
        if address is None:
            return None
    return out


def _array(tensor: Tensor) -> Any:
    """A tensor on the host as an array; it is copied only if its numbers are not in memory as they are read."""
    return tensor.detach().contiguous().numpy(force=True)


def _arrays(tensors: Mapping[str, Tensor] | None) -> Any:
    return None if tensors is None else {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
