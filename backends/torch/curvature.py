"""Gauss-Newton products of the loss of a network, on torch's tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from recurrency.errors import UsageError
from recurrency.graph.roots import DAMPING, PARAM, STREAM, TANGENT, TAPE
from recurrency.model import damping
from recurrency.model.call import LOSS

from .runtime.ops import arguments_of, undisturbed
from .runtime.program import INPUT, Call
from .runtime.program import STREAM as OVER_TIME

if TYPE_CHECKING:
    from recurrency.model.model import Model

Products: TypeAlias = Callable[[str, Tensor, tuple[str, ...], bool], Callable[..., dict[str, Tensor]]]
"""Gives a generated function: of a kind, for tensors like one, damped streams, and whether their distances match."""


class Curvature:
    """The Gauss-Newton matrix of a loss at some parameters, with structural damping of the streams `damped`.

    `products` gives the generated function. `tensors` are the arguments of `call`, which the products keep. With
    `sequences`, so many of the batch count.

    Raises:
        UsageError: a stream can't be damped, or reads inputs that the loss does not; there is no such distance.
    """

    def __init__(
        self,
        model: Model,
        products: Products,
        call: Call,
        params: Tensor,
        tensors: Sequence[Tensor],
        damped: Iterable[str],
        distance: str,
        sequences: int,
    ) -> None:
        interface = model.interface
        self.damped = damping.streams(interface, damped)
        needed = model.reads(*LOSS, *map(STREAM.of, self.damped))
        missing = [name for name in needed if f"{INPUT}{name}" not in call.given]
        if missing:
            raise UsageError(
                f"{model.interface.name}: the streams to damp read {missing[0]}, which the loss does not read"
            )
        arrays = dict(zip((*call.given, *call.extra), (t.detach() for t in tensors), strict=True))
        if sequences:
            arrays = _some(call, arrays, sequences)
        steps, batch = call.measure([arrays[name] for name in call.given])
        matching = damping.is_matching(distance) or not self.damped
        _, given, *self.rest = arguments_of(call, params, arrays, steps, batch)
        values = undisturbed(
            products("curved_kept", params, self.damped, matching), params.device.type, (params, given, *self.rest)
        )
        self.params, self.given = params, {**given, **{n: t for n, t in values.items() if TAPE.has(n)}}
        self.function = products("curved", params, self.damped, matching)
        self.parts = {name: (offset, torch.Size(shape)) for name, (offset, shape) in call.program.parameters.items()}

    def __call__(self, vector: Tensor, weights: Mapping[str, float] | None = None) -> Tensor:
        """The matrix times a flat vector [size], in the dtype and on the device of the parameters.

        `weights` are those of the damped streams; a missing one is 0.
        """
        params, weights = self.params, weights or {}
        more = {DAMPING.of(n): params.new_tensor(float(weights.get(n, 0.0))) for n in self.damped}
        for name, (offset, shape) in self.parts.items():
            more[TANGENT.of(PARAM.of(name))] = vector[offset : offset + shape.numel()].view(shape)
        values = undisturbed(self.function, params.device.type, (params, {**self.given, **more}, *self.rest))
        return values["gradient"] if "gradient" in values else torch.zeros_like(params)


def _some(call: Call, arrays: Mapping[str, Tensor], sequences: int) -> dict[str, Tensor]:
    """The same arguments for some of the sequences, evenly chosen."""
    _, batch = call.measure([arrays[name] for name in call.given])
    if sequences >= batch:
        return dict(arrays)
    chosen = torch.arange(sequences) * batch // sequences
    out = {}
    for name, array in arrays.items():
        timed = name in call.given and call.program.ports[name].kind == OVER_TIME
        out[name] = array if name == "seed" else array.index_select(int(timed), chosen.to(array.device))
    return out
