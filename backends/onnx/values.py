"""The values of a stream graph while it is lowered: tensors with their leading axes, and the numbers of steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind, Type

from .writer import Tensor, Writer


@dataclass(frozen=True)
class Val:
    """A value: its tensor has `lead` leading axes, and then those of an element.

    0 leading axes: it is the same for all steps and sequences; 1: [B, ...]; 2: [T, B, ...]. A value may have fewer
    than its type says, where it does not depend on them. The axes `thin` of an element are of size 1 in the tensor,
    though the type says otherwise: all elements along them are equal.
    """

    tensor: Tensor
    lead: int
    type: Type
    thin: frozenset[int] = frozenset()

    @property
    def shape(self) -> tuple[Dim, ...]:
        """The shape of an element."""
        return self.type.shape

    @property
    def rank(self) -> int:
        """The number of axes of an element."""
        return len(self.type.shape)

    def named(self, tensor: Tensor) -> Val:
        """The same with another tensor."""
        return replace(self, tensor=tensor)


@dataclass
class Sizes:
    """The numbers that are known when the graph runs: T of each clock and B as lists of one number, lengths as [B]."""

    writer: Writer
    steps: dict[str, Tensor]
    batch: Tensor
    lengths: dict[str, Tensor]
    single: bool = False
    """One step: streams have no axis of time, and all sequences have this step."""

    def size(self, dim: Dim) -> Tensor:
        """A dimension as a list of one number."""
        if isinstance(dim, str):
            return self.steps[dim]
        assert isinstance(dim, int), "an elaborated cell has numbers as dimensions"
        return self.writer.whole(dim)

    def leading(self, lead: int, clock: str | None) -> list[Tensor]:
        """The sizes of leading axes."""
        front = [self.steps[str(clock)]] if lead == 2 else []
        return [*front, self.batch] if lead else []

    def order(self, clock: str) -> Tensor:
        """0, 1, ..., T - 1."""
        w = self.writer
        return w("Range", w.scalar(0), self.steps[clock].apply("Squeeze"), w.scalar(1))

    def valid(self, clock: str) -> Tensor:
        """Where there are steps, as Boolean values [T, B]."""
        return self.order(clock).unsqueezed(1) < self.lengths[clock]

    def valid_rows(self, clock: str) -> Tensor:
        """The same as [B, T]."""
        return self.order(clock) < self.lengths[clock].unsqueezed(1)


def lead_of(kind: Kind, streams: int) -> int:
    """The number of leading axes of a kind, where streams have so many."""
    return min(int(kind), streams) if kind is Kind.STREAM else int(kind)
