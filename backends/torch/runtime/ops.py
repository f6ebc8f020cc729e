"""The custom op of PyTorch through which a network calls its generated functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

from recurrency.errors import ShapeError

from .checks import capturing, check_flags, refuse_tangents
from .program import INPUT, RESET, SEQUENCE, STREAM, Call

NAMESPACE = "recurrency"
TAGS = tuple(getattr(torch.Tag, name) for name in ("pt2_compliant_tag", "cudagraph_unsafe") if hasattr(torch.Tag, name))
"""The second: `torch.compile(mode="reduce-overhead")` leaves the op out of its graphs, for it keeps memory."""
SCHEMA = "run(str call, str kind, Tensor params, Tensor[] tensors) -> Tensor[]"


def run(call: Call, kind: str, params: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The results of a generated function; through the custom op where PyTorch records a graph."""
    recorded = torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None
    if recorded or params.device.type == "meta":
        out: list[Tensor] = getattr(torch.ops, NAMESPACE).run(call.text, kind, params, list(tensors))
        return out
    return compute(call, kind, params, tensors)


def compute(call: Call, kind: str, params: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Call a generated function: tensors in the order of `call.takes`, results in the order of `call.gives`."""
    refuse_tangents(call.program.name, (params, *tensors))
    function = call.program.function(f"{call.mode}_{kind}", params)
    steps, batch = call.measure(tensors)
    arguments: tuple[Any, ...]
    if call.plain and kind != "second":
        given = dict(zip(call.inner(kind), tensors, strict=True))
        arguments = params, given, None, steps, batch, call.training, 0, None
    else:
        arrays = dict(zip(call.takes(kind), tensors, strict=True))
        if kind == "second":
            _split_cotangent(call, arrays, params, batch)
        first, clears = kind in ("plain", "kept"), getattr(function, "clears_padding", False)
        arguments = arguments_of(call, params, arrays, steps, batch, first, clears)
    values = undisturbed(function, params.device.type, arguments)
    gives = call.gives(kind)
    for name in gives:
        if name not in values and name.startswith("gradient"):  # an input of which only the number of steps is used
            values[name] = params.new_zeros(call.port(name).extents(steps, batch))
    return [values[name] for name in gives]


def arguments_of(
    call: Call,
    params: Tensor,
    arrays: dict[str, Tensor],
    steps: Mapping[str, int],
    batch: int,
    first: bool = True,
    clears: bool = False,
) -> tuple[Any, ...]:
    """The arguments of a generated function, from tensors by name, which are checked; padding becomes zero.

    In a `first` pass lengths on the device are checked, too. `clears`: the function clears padding itself, and takes
    lengths from wherever they are.
    """
    seed = int(arrays.pop("seed")) if "seed" in arrays else 0
    offset = {call.program.clock: arrays.pop("offset")} if "offset" in arrays else None
    lengths = _lengths(call, arrays, steps, batch, first)
    if lengths is not None and not clears:
        lengths = {clock: n.to(params.device) for clock, n in lengths.items()}
        _clean(call, arrays, lengths)
    _check_symbols(call, arrays)
    _check_resets(call, arrays)
    given = {name.removeprefix(INPUT): array for name, array in arrays.items()}
    return params, given, lengths, steps, batch, call.training, seed, offset


def undisturbed(
    function: Callable[..., dict[str, Tensor]], device: str, arguments: tuple[Any, ...]
) -> dict[str, Tensor]:
    """Call a function without autograd, autocast and inference mode, whose tensors later calls could not write to."""
    if torch.is_inference_mode_enabled() or torch.is_autocast_enabled(device):
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
            return function(*arguments)
    if not torch.is_grad_enabled():
        return function(*arguments)
    with torch.no_grad():
        return function(*arguments)


def _lengths(
    call: Call, arrays: dict[str, Tensor], steps: Mapping[str, int], batch: int, first: bool
) -> dict[str, Tensor] | None:
    """The lengths on each clock; None if no sequence is shorter than its array, as far as the host knows.

    Those on a device are looked at once, in the first pass of a call; the host waits for that. While a graph is
    captured, which forbids it, kernels take lengths that are too large as all steps.
    """
    found = {name[8:]: arrays.pop(name) for name in call.extra if name.startswith("lengths:")}
    ragged = False
    for clock, n in found.items():
        if n.device.type != "cpu" and (not first or capturing(n.device)):
            ragged = True
            continue
        seen = n.cpu()
        if ((seen < 0) | (seen > steps[clock])).any():
            known = f"{seen.tolist()[:8]}"
            raise ShapeError(f"lengths are {known}; the batch has {steps[clock]} steps on the clock {clock}")
        ragged = ragged or bool((seen < steps[clock]).any())
    if not ragged:
        return None
    full = {
        c: torch.full((batch,), count, dtype=torch.int64, device="cpu") for c, count in steps.items() if c not in found
    }
    return {**found, **full}


def _check_symbols(call: Call, arrays: Mapping[str, Tensor]) -> None:
    """Refuse unknown symbols, unless they are on a device: that would wait for it."""
    for name in call.given:
        size = call.program.ports[name].symbols
        symbols = arrays[name]
        if size is not None and symbols.device.type == "cpu" and symbols.numel():
            least, most = (int(m) for m in torch.aminmax(symbols))
            if least < -1 or most >= size:
                wrong, said = least if least < -1 else most, name.removeprefix(INPUT)
                raise ShapeError(f"{said} holds {wrong}, not a symbol: they go from 0 to {size - 1} (-1 for none)")


def _check_resets(call: Call, arrays: dict[str, Tensor]) -> None:
    """Refuse resets other than 0 and 1; on a device, where a look would wait for it, anything but 0 resets."""
    for name in call.given:
        if not name.startswith(RESET):
            continue
        flags = arrays[name]
        if flags.device.type != "cpu":
            arrays[name] = flags.ne(0).to(flags.dtype)
        else:
            check_flags("resets", flags)


def _split_cotangent(call: Call, arrays: dict[str, Tensor], params: Tensor, batch: int) -> None:
    """Split the adjoint of the flat gradient by parameters; add zeros for initial states that were not given."""
    flat = arrays.pop("d:gradient")
    for name, (offset, shape) in call.program.parameters.items():
        arrays[f"d:gradient:{name}"] = flat[offset : offset + prod(shape)].view(shape)
    for name in call.program.sources[call.mode]:
        port = call.program.ports[name]
        key = f"d:gradient:{name}"
        state = port.kind == SEQUENCE and port.symbols is None and not name.startswith(RESET)
        if state and key not in arrays:
            arrays[key] = params.new_zeros((batch, *port.shape))


def _clean(call: Call, arrays: dict[str, Tensor], lengths: Mapping[str, Tensor]) -> None:
    """Write zeros (for symbols: -1) after the end of each sequence."""
    masks: dict[Any, Tensor] = {}
    for name, array in arrays.items():
        port = call.port(name) if not name.startswith("d:gradient:") or name in call.program.ports else None
        if port is None or port.kind != STREAM or name.startswith("tape:"):
            continue
        if port.clock not in masks:
            time = torch.arange(array.shape[0], device=array.device)
            masks[port.clock] = time[:, None] >= lengths[str(port.clock)]
        mask = masks[port.clock]
        mask = mask.view(*mask.shape, *(1,) * (array.dim() - 2))
        arrays[name] = array.masked_fill(mask, 0 if port.symbols is None else -1)


def _called(call: str, kind: str, params: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    return compute(Call.read(call), kind, params, tensors)


def _shapes(call: str, kind: str, params: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    """The results of `run` without their content, for torch.compile."""
    known = Call.read(call)
    steps, batch = known.measure(tensors)
    ports = [known.port(name) for name in known.gives(kind)]
    dtypes = [params.dtype if port.symbols is None else torch.int64 for port in ports]
    return [params.new_empty(p.extents(steps, batch), dtype=d) for p, d in zip(ports, dtypes, strict=True)]


def _register() -> None:
    """Register the op, unless another copy of this file has done so."""
    home = getattr(torch.ops, NAMESPACE)
    if hasattr(home, "run"):
        return
    new: Any = torch.library.Library
    library = new(NAMESPACE, "FRAGMENT")
    library.define(SCHEMA, tags=TAGS)
    library.impl("run", _called, "CompositeExplicitAutograd")
    torch.library.register_fake(f"{NAMESPACE}::run", _shapes, lib=library)
    home.library = library  # it must live as long as the op, even if this module is reloaded


_register()
