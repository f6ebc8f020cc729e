"""Nodes of an ONNX graph as they are written: names, constants, and expressions of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from recurrency.graph.op import Array

from ..names import Names

KINDS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
"""dtype -> the element type of ONNX."""
HUGE = np.iinfo(np.int64).max
"""The end of a slice that goes on to the end."""


class Writer:
    """Writes nodes into the main graph, or into the body of a loop where a node reads a value of the body.

    A node whose inputs are all known outside of the loop is written there, so that it is computed once. Equal nodes
    are written once.
    """

    def __init__(self, dtype: str, taken: Iterable[str] = ()) -> None:
        """`taken` are the names of the inputs and outputs of the graph."""
        self.real, self.kind = np.dtype(dtype), KINDS[dtype]
        self.names = Names(taken)
        self.constants: dict[str, TensorProto] = {}
        self.main: list[NodeProto] = []
        self.body: list[NodeProto] | None = None
        self.inside: set[str] = set()
        """The names that are defined in the body that is being written."""
        self.flags: dict[str, str] = {}
        """Real values that are 0 or 1 -> the same as a Boolean value."""
        self._known: dict[Any, str] = {}
        self._arrays: dict[Any, str] = {}

    def __call__(self, kind: str, *inputs: str | Tensor, wish: str = "", **attributes: Any) -> Tensor:
        """The first output of a node of this kind."""
        names = [str(x) for x in inputs]
        key = (kind, tuple(names), repr(sorted(attributes.items())))
        if key not in self._known:
            self._known[key] = self._written(kind, names, wish or kind.lower(), attributes)
        return Tensor(self, self._known[key])

    def _written(self, kind: str, names: list[str], wish: str, attributes: dict[str, Any]) -> str:
        name = self.names.new(wish)
        node = helper.make_node(kind, names, [name], name=name, **attributes)
        if self.body is not None and self.inside.intersection(names):
            self.body.append(node)
            self.inside.add(name)
        else:
            self.main.append(node)
        return name

    def enter(self, names: Iterable[str]) -> None:
        """Begin the body of a loop, whose inputs have these names."""
        self.body, self.inside = [], set(names)

    def leave(self) -> list[NodeProto]:
        """End the body of a loop; returns its nodes."""
        assert self.body is not None
        nodes, inside = self.body, self.inside
        self.body, self.inside = None, set()
        self._known = {key: name for key, name in self._known.items() if name not in inside}
        return nodes

    def array(self, array: Array, wish: str = "constant") -> Tensor:
        """A constant; equal constants are stored once."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._arrays:
            self._arrays[key] = self.names.new(wish)
            self.constants[self._arrays[key]] = numpy_helper.from_array(array, self._arrays[key])
        return Tensor(self, self._arrays[key])

    def whole(self, *numbers: int) -> Tensor:
        """A list of whole numbers: axes, sizes, indices."""
        return self.array(np.array(numbers, np.int64), "numbers")

    def scalar(self, number: int) -> Tensor:
        """A whole number."""
        return self.array(np.array(number, np.int64), "number")

    def number(self, value: float, rank: int = 0) -> Tensor:
        """A real number; its rank is that of an element."""
        with np.errstate(over="ignore"):
            return self.array(np.full((1,) * rank, value, self.real), "number")

    def joined(self, parts: Sequence[str | Tensor], axis: int) -> Tensor:
        """Values side by side along an axis."""
        return self("Concat", *parts, axis=axis) if len(parts) > 1 else Tensor(self, str(parts[0]))


@dataclass(frozen=True)
class Tensor:
    """A value in an ONNX graph, for expressions: its name, and who writes."""

    writer: Writer
    name: str

    def __str__(self) -> str:
        return self.name

    def _with(self, kind: str, other: Tensor | float, turned: bool = False) -> Tensor:
        right = other if isinstance(other, Tensor) else self.writer.number(other)
        return self.writer(kind, right, self) if turned else self.writer(kind, self, right)

    def __add__(self, other: Tensor | float) -> Tensor:
        return self._with("Add", other)

    def __sub__(self, other: Tensor | float) -> Tensor:
        return self._with("Sub", other)

    def __rsub__(self, other: float) -> Tensor:
        return self._with("Sub", other, turned=True)

    def __mul__(self, other: Tensor | float) -> Tensor:
        return self._with("Mul", other)

    def __truediv__(self, other: Tensor | float) -> Tensor:
        return self._with("Div", other)

    def __rtruediv__(self, other: float) -> Tensor:
        return self._with("Div", other, turned=True)

    def __lt__(self, other: Tensor | float) -> Tensor:
        return self._with("Less", other)

    def __gt__(self, other: Tensor | float) -> Tensor:
        return self._with("Greater", other)

    def __neg__(self) -> Tensor:
        return self.writer("Neg", self)

    def __abs__(self) -> Tensor:
        return self.writer("Abs", self)

    def equals(self, other: Tensor | float) -> Tensor:
        """Where both are equal, as a Boolean value."""
        return self._with("Equal", other)

    def apply(self, kind: str, *others: Tensor, **attributes: Any) -> Tensor:
        """A node of this kind that reads this value first."""
        return self.writer(kind, self, *others, **attributes)

    def where(self, yes: Tensor | float, no: Tensor | float) -> Tensor:
        """One of two real values for each element of this Boolean value."""
        chosen = [v if isinstance(v, Tensor) else self.writer.number(v) for v in (yes, no)]
        return self.writer("Where", self, *chosen)

    def real(self) -> Tensor:
        """A Boolean value as 0 and 1."""
        out = self.counted()
        self.writer.flags.setdefault(out.name, self.name)
        return out

    def counted(self) -> Tensor:
        """Whole numbers as real numbers."""
        return self.writer("Cast", self, to=self.writer.kind)

    def flag(self) -> Tensor:
        """Where a real value is not 0."""
        known = self.writer.flags.get(self.name)
        return Tensor(self.writer, known) if known else self.writer("Cast", self, to=TensorProto.BOOL)

    def rows(self, start: int, stop: int, axis: int) -> Tensor:
        """A part of an axis."""
        w = self.writer
        return w("Slice", self, w.whole(start), w.whole(stop), w.whole(axis))

    def unsqueezed(self, *axes: int) -> Tensor:
        """The same with new axes of size 1, at these places of the result."""
        return self.writer("Unsqueeze", self, self.writer.whole(*sorted(axes))) if axes else self

    def permuted(self, order: Sequence[int]) -> Tensor:
        """The same with its axes in another order."""
        plain = list(order) == list(range(len(order)))
        return self if plain else self.writer("Transpose", self, perm=list(order))

    def summed(self, *axes: int) -> Tensor:
        """The sum over some axes, which are gone."""
        return self.writer("ReduceSum", self, self.writer.whole(*axes), keepdims=0) if axes else self

    def greatest(self, *axes: int, keep: bool = False) -> Tensor:
        """The greatest element along some axes; NaN if there is one, which onnxruntime's `ReduceMax` may ignore."""
        w, places, kept = self.writer, list(axes), int(keep)
        most = w("ReduceMax", self, axes=places, keepdims=kept)
        spoilt = w("ReduceMax", w("IsNaN", self).real(), axes=places, keepdims=kept)
        return (spoilt > 0.0).where(float("nan"), most)
