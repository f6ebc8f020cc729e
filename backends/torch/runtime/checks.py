"""Checks of the tensors and numbers that a caller gives to a network on PyTorch."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

from recurrency.errors import ShapeError, UsageError

from .program import Port


def checked(name: str, array: Any, port: Port, real: torch.dtype | None, device: torch.device) -> Tensor:
    """A tensor of real numbers, or of symbols as int64, on the device of the parameters.

    `real` is the dtype of real numbers; under autocast any other real dtype is accepted.

    Raises:
        ShapeError: it is no dense tensor, or has another dtype or device.
    """
    if not isinstance(array, Tensor):
        raise ShapeError(f"{name} is of the type {type(array).__name__}; it must be a tensor (see torch.as_tensor)")
    if array.device != device:
        raise ShapeError(f"{name} is on {array.device}, the module on {device}: move one of them with .to(...)")
    if array.layout is not torch.strided or array.is_nested:
        layout = "nested" if array.is_nested else str(array.layout)[6:]
        hint = "pad it and pass `lengths`" if array.is_nested else "call .to_dense()"
        raise ShapeError(f"{name} is a tensor of the layout {layout}; it must be dense: {hint}")
    if port.symbols is not None:
        if array.is_floating_point() or array.is_complex() or array.dtype is torch.bool:
            raise ShapeError(f"{name} holds {dtype_name(array)}; it must hold whole numbers below {port.symbols}")
        return array if array.dtype is torch.int64 else array.to(torch.int64)
    if array.dtype is not real and not (array.is_floating_point() and casts(device)):
        raise ShapeError(
            f"{name} holds {dtype_name(array)}, the module computes in {str(real)[6:]}: convert one of them"
        )
    return array


def check_flags(what: str, flags: Tensor) -> None:
    """Refuse flags other than 0 and 1 where they can be seen: on the host, and not while PyTorch records a graph.

    Raises:
        ShapeError: one is another number, such as NaN.
    """
    if flags.dtype is torch.bool or flags.device.type != "cpu" or torch.compiler.is_compiling():
        return
    if _get_current_dispatch_mode() is not None or torch._C._are_functorch_transforms_active():
        return
    wrong = flags[flags.ne(0) & flags.ne(1)].flatten()
    if wrong.numel():
        raise ShapeError(f"{what} hold {float(wrong[0]):g}; each of them must be 0 or 1, or a bool")


def refuse_tangents(cell: str, tensors: Iterable[Tensor]) -> None:
    """Refuse tensors with tangents of `torch.autograd.forward_ad`, which generated functions would lose.

    Raises:
        UsageError: one has a tangent.
    """
    if forward_ad._current_level < 0:  # outside of `dual_level`, where nothing has tangents
        return
    unpack: Any = forward_ad.unpack_dual
    if any(unpack(tensor).tangent is not None for tensor in tensors):
        raise no_forward_mode(cell)


def no_forward_mode(cell: str) -> UsageError:
    """The error of whoever asks for derivatives in forward mode."""
    return UsageError(
        f"{cell} has no derivatives in forward mode (torch.func.jvp, torch.autograd.forward_ad): use Model.jvp, or "
        "torch.autograd.functional.jvp, which takes two backward passes"
    )


def casts(device: torch.device) -> bool:
    """Whether autocast is on for a device."""
    return device.type != "meta" and torch.is_autocast_enabled(device.type)


def capturing(device: torch.device) -> bool:
    """Whether torch captures a graph on a device: then nothing can be copied from or to the host."""
    return device.type == "cuda" and bool(torch.cuda.is_current_stream_capturing())


def dtype_name(array: Tensor) -> str:
    """The name of a dtype: `float32`."""
    return str(array.dtype)[6:]


def whole_numbers(rule: str, numbers: Any, shapes: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """Numbers of steps as int64, on the host unless they are a tensor elsewhere. `rule` begins the message.

    Raises:
        ShapeError: they are no whole numbers, have none of these shapes, or are on a third device.
    """
    if not isinstance(numbers, Tensor):
        try:
            numbers = torch.as_tensor(numbers, device="cpu")
        except (TypeError, ValueError, RuntimeError):
            raise ShapeError(f"{rule}, not {str(numbers)[:60]}") from None
    found: Tensor = numbers
    whole = not (found.is_floating_point() or found.is_complex() or found.dtype is torch.bool)
    if not any(found.shape == shape for shape in shapes) or not (
        whole or found.numel() == 0
    ):  # [] is a tensor of reals
        raise ShapeError(f"{rule}, not {dtype_name(found)} {list(found.shape)}")
    if found.device.type != "cpu" and found.device != device:
        raise ShapeError(f"{rule}; these are on {found.device}, the module on {device}: call .cpu()")
    return found.to(torch.int64)


def whole_seed(seed: Any) -> int:
    """A seed as an int.

    Raises:
        UsageError: it is no whole number, or has more than 63 bits.
    """
    try:
        found = operator.index(seed)
    except TypeError:
        raise UsageError(f"seed must be a whole number, not {seed!r}") from None
    if not -(1 << 63) <= found < 1 << 63:
        raise UsageError(f"seed must be a whole number of at most 63 bits, not {seed}")
    return found


def fresh_seed(limit: int) -> Tensor:
    """A seed from torch's generator: a scalar on the host, whatever the default device is."""
    return torch.randint(limit, (), device="cpu")
