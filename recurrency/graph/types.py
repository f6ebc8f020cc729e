"""The type of a value: its kind, its clock, and the shape of one element without time and batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from recurrency.graph.dimensions import Dim


class Kind(IntEnum):
    """What a value varies over: nothing, sequences, or sequences and steps."""

    STATIC = 0
    SEQUENCE = 1
    STREAM = 2


@dataclass(frozen=True)
class Type:
    """`shape` is one element's; in memory a sequence value is [B, *shape] and a stream [T, B, *shape].

    `index` is the size of the vocabulary of a value that holds symbols (integers, -1 for "no symbol"), else None.
    """

    kind: Kind
    shape: tuple[Dim, ...] = ()
    clock: str | None = None
    index: Dim | None = None

    def with_shape(self, *shape: Dim) -> Type:
        """The same kind and clock, real-valued, of another shape."""
        return replace(self, shape=shape, index=None)

    def __str__(self) -> str:
        inner = f"index[{self.index}]" if self.index is not None else f"[{', '.join(map(str, self.shape))}]"
        over = {Kind.STATIC: "static", Kind.SEQUENCE: "sequence"}.get(self.kind, f"over {self.clock}")
        return f"{inner} {over}"


def join(*types: Type) -> tuple[Kind, str | None]:
    """Kind and clock of what is computed, element by element, from values of these types.

    Raises:
        TypeError: the values run over different clocks.
    """
    kind = max((t.kind for t in types), default=Kind.STATIC)
    clocks = {t.clock for t in types if t.kind is Kind.STREAM}
    if len(clocks) > 1:
        raise TypeError(f"clocks {' and '.join(sorted(map(str, clocks)))} do not mix")
    return kind, next(iter(clocks), None)
