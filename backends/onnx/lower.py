"""What the writers of operations share: values in the forms that operators of ONNX need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from onnx import TensorProto

from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind, Type

from .values import Sizes, Val, lead_of
from .writer import Tensor, Writer


class Lower:
    """Tensors of values; `streams` is the number of leading axes that a stream has here: 1 within a loop."""

    def __init__(self, writer: Writer, sizes: Sizes) -> None:
        self.w, self.sizes = writer, sizes
        self.streams = 1 if sizes.single else 2
        self.masks: dict[str, Tensor] = {}
        """The valid sequences of a step, [B], by clock, within a loop."""

    def lead(self, type_: Type) -> int:
        """The leading axes of a value of this type, where it depends on all that it may depend on."""
        return lead_of(type_.kind, self.streams)

    # ------------------------------------------------------------------------------------------------ full tensors

    def full(self, val: Val) -> Val:
        """The value with its full size along the axes of an element."""
        return self._expanded(val, val.lead) if val.thin else val

    def at(self, val: Val, lead: int, clock: str | None = None) -> Val:
        """The value with so many leading axes, and its full size."""
        return self._expanded(val, lead, clock) if val.lead < lead or val.thin else val

    def stored(self, val: Val) -> Val:
        """The value with all leading axes of its type, and its full size."""
        return self.at(val, self.lead(val.type), val.type.clock)

    def _expanded(self, val: Val, lead: int, clock: str | None = None) -> Val:
        front = self.sizes.leading(lead, clock) if lead > val.lead else [self.w.whole(*[1] * lead)] * bool(lead)
        sizes = [self.sizes.size(d) if k in val.thin else self.w.whole(1) for k, d in enumerate(val.shape)]
        shape = self.shape([*front, *sizes])
        return replace(val, tensor=val.tensor.apply("Expand", shape), lead=lead, thin=frozenset())

    def shape(self, parts: Sequence[Tensor]) -> Tensor:
        """Sizes side by side."""
        return self.w.joined(parts, 0) if parts else self.w.whole()

    def reshaped(self, tensor: Tensor, kept: int, groups: Sequence[Sequence[Dim]]) -> Tensor:
        """The first axes as they are, and then an axis for each group of dimensions."""
        if all(isinstance(d, int) for group in groups for d in group):
            sizes = [prod(int(str(d)) for d in group) for group in groups]
            return tensor.apply("Reshape", self.w.whole(*[0] * kept, *sizes))
        found = [self.w.whole(*[0] * kept)] if kept else []
        for group in groups:
            size = self.w.whole(prod(d for d in group if isinstance(d, int)))
            for clock in (d for d in group if isinstance(d, str)):
                size = size * self.sizes.size(clock)
            found.append(size)
        return tensor.apply("Reshape", self.shape(found))

    def zeros(self, type_: Type, *front: Tensor) -> Tensor:
        """Zeros (symbols: -1) of the shape of an element, after these sizes of leading axes."""
        shape = self.shape([*front, *map(self.sizes.size, type_.shape)])
        return self.nothing(type_).apply("Expand", shape)

    def nothing(self, type_: Type) -> Tensor:
        """Zero, or "no symbol"."""
        return self.w.number(0.0) if type_.index is None else self.w.scalar(-1)

    def literal(self, value: float, type_: Type) -> Val:
        """A number that all elements equal."""
        rank = len(type_.shape)
        if type_.index is not None:
            tensor = self.w.whole(int(value)).apply("Reshape", self.w.whole(*[1] * rank))
        else:
            tensor = self.w.number(value, rank)
        return Val(tensor, 0, type_, frozenset(range(rank)))

    # ------------------------------------------------------------------------------------------------------ content

    def like(self, val: Val, type_: Type) -> Tensor:
        """The tensor of a value as symbols or real numbers, as this type has them."""
        if (val.type.index is None) == (type_.index is None):
            return val.tensor
        return val.tensor.apply("Cast", to=self.w.kind if type_.index is None else TensorProto.INT64)

    def total(self, val: Val, axes: Iterable[int]) -> Val:
        """The sum along some axes, which are gone."""
        axes = sorted(axes)
        val = self.cleared(self.full(val), axes)
        return self.without(val, axes, val.tensor.summed(*(val.lead + k for k in axes)))

    def without(self, val: Val, axes: Iterable[int], tensor: Tensor) -> Val:
        """A value made from `val` that lacks some axes."""
        gone = set(axes)
        return Val(tensor, val.lead, val.type.with_shape(*(d for k, d in enumerate(val.shape) if k not in gone)))

    def cleared(self, val: Val, axes: Iterable[int], nothing: float = 0.0) -> Val:
        """The value with a number in the padding along those of the axes that run over the steps of a clock."""
        for axis in axes:
            dim = val.shape[axis]
            if isinstance(dim, str):
                val = self._cleared(self.at(val, max(val.lead, 1)), axis, dim, nothing)
        return val

    def _cleared(self, val: Val, axis: int, clock: str, nothing: float) -> Val:
        others = [1 + k for k in range(val.rank) if k != axis]
        inside = self.sizes.valid_rows(clock).unsqueezed(*others)
        return val.named(inside.where(val.tensor, nothing))

    def valid(self, val: Val, clock: str) -> Val:
        """A stream with nothing after the end of each sequence."""
        if self.sizes.single:
            return val
        inside = self.masks[clock] if self.streams == 1 else self.sizes.valid(clock)
        val = self.at(val, self.streams, clock)
        inside = inside.unsqueezed(*(val.lead + k for k in range(val.rank)))
        return val.named(inside.where(val.tensor, self.nothing(val.type)))


def element(type_: Type, *shape: Dim) -> Type:
    """A value for each sequence with this shape."""
    return replace(type_, kind=Kind.SEQUENCE, shape=shape, clock=None)
