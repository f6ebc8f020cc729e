"""A handle on a node, with mathematical operators. Gradient rules and lowerings are written with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind, Type


class Typed(Protocol):
    """A node, as far as a value needs it."""

    @property
    def type(self) -> Type:
        """Kind, shape and clock."""


class Builder(Protocol):
    """A graph, as far as values and gradient rules need it: see `recurrency.graph.graph.Graph`."""

    def __getitem__(self, id: int) -> Typed: ...

    def add(self, op: str, args: Iterable[int] = (), attrs: dict[str, Any] | None = None) -> Value:
        """A new node."""


@dataclass(frozen=True)
class Value:
    """Node `id` of `graph`. An operator adds a node to the graph and returns its handle."""

    graph: Builder
    id: int

    @property
    def type(self) -> Type:
        """Kind, shape and clock of the value."""
        return self.graph[self.id].type

    def apply(self, op: str, *others: Value | float, **attrs: Any) -> Value:
        """An operation on this value and others. Scalars are expanded to the shape of the rest."""
        operands = [self, *(o if isinstance(o, Value) else constant(self.graph, o) for o in others)]
        shape = max((o.type.shape for o in operands), key=len)
        return self.graph.add(op, [o.to_shape(shape).id for o in operands], attrs)

    def to_shape(self, shape: tuple[Dim, ...]) -> Value:
        """A scalar repeated to `shape`; any other value as it is."""
        if self.type.shape or not shape:
            return self
        return self.expand(tuple(range(len(shape))), shape)

    def like(self, other: Value) -> Value:
        """A scalar repeated to the shape of `other`."""
        return self.to_shape(other.type.shape)

    def __add__(self, other: Value | float) -> Value:
        return self.apply("add", other)

    def __radd__(self, other: float) -> Value:
        return constant(self.graph, other).apply("add", self)

    def __sub__(self, other: Value | float) -> Value:
        return self.apply("subtract", other)

    def __rsub__(self, other: float) -> Value:
        return constant(self.graph, other).apply("subtract", self)

    def __mul__(self, other: Value | float) -> Value:
        return self.apply("multiply", other)

    def __rmul__(self, other: float) -> Value:
        return constant(self.graph, other).apply("multiply", self)

    def __truediv__(self, other: Value | float) -> Value:
        return self.apply("divide", other)

    def __neg__(self) -> Value:
        return self.apply("negative")

    def where(self, yes: Value | float, no: Value | float) -> Value:
        """`yes` where this value is not zero, else `no`."""
        return self.apply("where", yes, no)

    def clip(self, limit: float) -> Value:
        """Cut to `[-limit, limit]`."""
        return self.apply("maximum", -limit).apply("minimum", limit)

    def with_slope(self, x: Value, slope: Value | float) -> Value:
        """The same value, to whose derivative in `x` a slope is added, element by element."""
        y = self.spread_like(x.type)
        y = y.spread_like(slope.type) if isinstance(slope, Value) else y
        return y.apply("add_slope", x, slope)

    def product(self, other: Value, spec: str) -> Value:
        """Einstein sum of two values; see the op `product`."""
        return self.graph.add("product", [self.id, other.id], {"spec": spec})

    def transpose(self, axes: tuple[int, ...] | None = None) -> Value:
        """The value with its axes in the order `axes` (axis k of the result is axis `axes[k]`), or in reverse order."""
        reverse = tuple(reversed(range(len(self.type.shape))))
        if axes is not None and axes == reverse[::-1]:
            return self
        return self.graph.add("transpose", [self.id], {} if axes in (None, reverse) else {"axes": axes})

    def swapped(self, i: int, j: int) -> Value:
        """The value with two axes exchanged."""
        axes = list(range(len(self.type.shape)))
        axes[i], axes[j] = j, i
        return self.transpose(tuple(axes))

    def reshape(self, *shape: Dim) -> Value:
        """The same elements in another shape."""
        return self.graph.add("reshape", [self.id], {"shape": shape})

    def expand(self, axes: tuple[int, ...], sizes: tuple[Dim, ...]) -> Value:
        """The value repeated along new axes."""
        return self.graph.add("expand", [self.id], {"axes": axes, "sizes": sizes})

    def reduce(self, op: str, axes: tuple[int, ...] | None = None) -> Value:
        """`sum` or `peak` over some axes, or over all."""
        axes = tuple(range(len(self.type.shape))) if axes is None else axes
        return self.graph.add(op, [self.id], {"axes": axes}) if axes else self

    def cumulated(self, back: bool = False) -> Value:
        """Sums of rows along the first axis: of each row with those before it or, with `back`, those after it."""
        return self.graph.add("cumsum", [self.id], {"back": back})

    def slice(self, start: Dim, stop: Dim) -> Value:
        """Rows `start` to `stop` (exclusive, from 0) of the first axis."""
        return self.graph.add("slice", [self.id], {"start": start, "stop": stop})

    def pad(self, start: Dim, size: Dim) -> Value:
        """Zeros of `size` rows with this value from row `start` on."""
        return self.graph.add("pad", [self.id], {"start": start, "size": size})

    def take(self, index: Value) -> Value:
        """The row with the number `index`; zeros for "no symbol"."""
        return self.graph.add("take", [self.id, index.id])

    def put(self, index: Value, size: Dim) -> Value:
        """Zeros of `size` rows, with this value in the row with the number `index`."""
        return self.graph.add("put", [self.id, index.id], {"size": size})

    def shift(self, delay: int, *first: Value) -> Value:
        """The stream `delay` steps before (after, where negative); `first` are its values at steps 1 to `delay`."""
        return self.graph.add("shift", [self.id, *(f.id for f in first)], {"delay": delay})

    def pick(self, step: int) -> Value:
        """The value at step 1, 2, ..., or counted from the end, -1, -2, ...; zero if there is no such step."""
        return self.graph.add("pick", [self.id], {"step": step})

    def place(self, step: int, clock: str | None) -> Value:
        """A stream that is this value at one step and zero at all others."""
        return self.graph.add("place", [self.id], {"step": step, "clock": clock})

    def history(self, rows: int, *before: Value) -> Value:
        """The last `rows` values of a stream as rows, the oldest first; `before` holds those before step 1."""
        return self.graph.add("history", [self.id, *(b.id for b in before)], {"rows": rows})

    def unhistory(self, clock: str | None) -> Value:
        """A stream that ends with the rows of this value and is zero before them."""
        return self.graph.add("unhistory", [self.as_sequence().id], {"clock": clock})

    def opening(self, rows: int) -> Value:
        """The first `rows` values of a stream as rows; zero where there are no such steps."""
        return self.graph.add("opening", [self.id], {"rows": rows})

    def unopening(self, clock: str | None) -> Value:
        """A stream that begins with the rows of this value and is zero after them."""
        return self.graph.add("unopening", [self.as_sequence().id], {"clock": clock})

    def slide(self, by: int, clock: str | None) -> Value:
        """The rows shifted by `by` times the number of steps of each sequence; zero where there is no row."""
        return self.graph.add("slide", [self.as_sequence().id], {"by": by, "clock": clock})

    def if_length(self, length: int, clock: str | None) -> Value:
        """This value for sequences with exactly `length` steps, zero for the others."""
        return self.graph.add("if_length", [self.as_sequence().id], {"length": length, "clock": clock})

    def unless_given(self, name: str) -> Value:
        """This value where the caller has not given the first value `name`, else zero."""
        return self.graph.add("unless_given", [self.id], {"name": name})

    def reverse(self) -> Value:
        """Each sequence in reverse order."""
        return self.graph.add("reverse", [self.id])

    def frames(self) -> Value:
        """All steps of a stream as one value for each sequence; the steps are its first axis."""
        return self.graph.add("frames", [self.id])

    def unframes(self, clock: str | None) -> Value:
        """The stream whose steps are the first axis of this value."""
        return self.graph.add("unframes", [self.id], {"clock": clock})

    def valid(self) -> Value:
        """The same stream with zeros after the end of each sequence."""
        return self.graph.add("valid", [self.id])

    def sum_time(self) -> Value:
        """The sum over the steps of each sequence."""
        return self.graph.add("sum_time", [self.id])

    def sum_batch(self) -> Value:
        """The sum over all sequences."""
        return self.graph.add("sum_batch", [self.id])

    def as_sequence(self) -> Value:
        """A static value as one that is the same for each sequence; any other value as it is."""
        if self.type.kind is not Kind.STATIC:
            return self
        return self.graph.add("spread", [self.id], {"clock": None})

    def spread_like(self, type_: Type) -> Value:
        """This value at the kind of `type_`: repeated for all sequences, and for all steps of its clock."""
        if self.type.kind >= type_.kind:
            return self
        return self.graph.add("spread", [self.id], {"clock": type_.clock})

    def reduced_to(self, kind: Kind) -> Value:
        """The value summed over steps and sequences down to a kind."""
        value = self
        if value.type.kind is Kind.STREAM and kind < Kind.STREAM:
            value = value.sum_time()
        return value.sum_batch() if value.type.kind is Kind.SEQUENCE and kind is Kind.STATIC else value


def constant(graph: Builder, value: float) -> Value:
    """A number."""
    return graph.add("constant", [], {"value": float(value)})


def chosen(mask: Value, value: Value) -> Value:
    """A value where the mask is not zero, else zero. It is chosen, not multiplied: zero times infinity is no number."""
    return mask.where(value, constant(value.graph, 0.0).like(value))


def unless(mask: Value, value: Value) -> Value:
    """A value where the mask is zero, else zero."""
    return mask.where(constant(value.graph, 0.0).like(value), value)
