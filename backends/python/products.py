"""How a sum of products of two arrays is computed: as one matrix product, as many, or element by element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from recurrency.graph.dimensions import Dim
from recurrency.program.strides import Axis, evenly, joined

COPYING = ".reshape("
"""Makes a new shape, by a copy if need be: only for arrays that are read at once, not written or kept."""


@dataclass(frozen=True)
class Operand:
    """An array in the source: its text, a letter for each axis, and its strides (None: unknown).

    `fixed`: it is the same at all steps of the loop that is being written.
    """

    text: str
    axes: str
    strides: tuple[Axis, ...] | None = None
    fixed: bool = False

    @property
    def contiguous(self) -> bool:
        """Whether its elements are contiguous."""
        return self.strides is not None and evenly(self.strides)

    def joins(self, *groups: str) -> bool:
        """Whether a view can have one axis for each of these groups of neighbouring letters."""
        if self.strides is None:
            return False
        known = dict(zip(self.axes, self.strides, strict=True))
        return all(joined([known[c] for c in group]) is not None for group in groups)


@dataclass(frozen=True)
class Call:
    """A product as a call of `dot` (of vectors and matrices, with these `axes`), `matmul`, `multiply` or `einsum`."""

    function: str
    a: str
    b: str
    out: str
    spec: str = ""
    axes: tuple[int, int] = (2, 2)
    plus: str = ""
    """What is added to the product, if anything."""
    sizes: tuple[str, ...] = ()
    """The numbers of rows, summed elements and columns of a product of two matrices."""
    fixed: bool = False
    """Whether `b` is the same at all steps of a loop."""
    shape: str = ""
    """The shape of `out` where no view of it is a matrix, so that the product has to be copied there."""

    def named(self, name: Callable[[str], str]) -> Call:
        """The same call after `name` has replaced the text of each operand."""
        plus = name(self.plus) if self.plus else ""
        return replace(self, a=name(self.a), b=name(self.b), out=name(self.out), plus=plus)


@dataclass(frozen=True)
class Product:
    """`out = a * b`, summed over the letters that `out` lacks; `sizes` has the size of each letter, as source."""

    a: Operand
    b: Operand
    out: Operand
    sizes: Mapping[str, str]
    plus: Operand | None = None
    """What is added to the product, if anything."""
    permute: str = "transpose"
    """The method that permutes the axes of an array."""
    view: str = "view({0}, {1})"
    """A view of the array `{0}` in the shape `{1}`."""

    def call(self) -> Call:
        """The cheapest call that computes it."""
        a, b, out = set(self.a.axes), set(self.b.axes), set(self.out.axes)
        repeated = any(len(set(x.axes)) < len(x.axes) for x in (self.a, self.b, self.out))
        if repeated or (a ^ b) - out or out - (a | b):
            return self._einsum()
        if not (a & b) - out:
            return self._elementwise()
        if not a & b & out:
            return self._one_product() or self._einsum()
        if not (a ^ b):
            return self._einsum()
        return self._many_products() or self._einsum()

    def _einsum(self) -> Call:
        spec = f"{self.a.axes},{self.b.axes}->{self.out.axes}"
        return Call("einsum", self.a.text, self.b.text, self.out.text, spec)

    def _elementwise(self) -> Call:
        """Without a sum: each factor gets axes of size 1 for the letters that it lacks."""
        plus = self._spread(self.plus) if self.plus else ""
        return Call("multiply", self._spread(self.a), self._spread(self.b), self.out.text, plus=plus)

    def _spread(self, x: Operand) -> str:
        ordered = "".join(c for c in self.out.axes if c in x.axes)
        text = transposed(x, ordered, self.permute)
        missing = [c not in x.axes for c in self.out.axes]
        first = next((k for k, c in enumerate(self.out.axes) if c in x.axes), len(missing))
        missing = missing[first:]
        if not any(missing):
            return text
        missing = missing[missing.index(True) :]
        return f"{text}[..., {', '.join('None' if gone else ':' for gone in missing)}]"

    def _one_product(self) -> Call | None:
        """A single matrix product, if in each operand the letters that stay are on one side of the summed ones."""
        summed = "".join(c for c in self.a.axes if c in self.b.axes)
        left = "".join(c for c in self.out.axes if c in self.a.axes)
        right = "".join(c for c in self.out.axes if c in self.b.axes)
        if self.out.axes == right + left and right and left:
            return replace(self, a=self.b, b=self.a)._one_product()
        if self.out.axes != left + right:
            return None
        a, b = self._matrix(self.a, left, summed), self._matrix(self.b, summed, right)
        if a is None or b is None:
            return None
        sides = [group for group in (left, right) if group]
        sizes = tuple(" * ".join(self.sizes[c] for c in group) for group in (left, summed, right))
        axes = (1 + bool(left), 1 + bool(right))
        if not self.out.joins(*sides):
            shape = f"({', '.join(self.sizes[c] for c in self.out.axes)})"
            return Call("dot", a, b, self.out.text, "", axes, sizes=sizes, fixed=self.b.fixed, shape=shape)
        out = self._flat(self.out, *sides)
        function = "dot" if self.out.contiguous else "matmul"
        return Call(function, a, b, out, "", axes, self._added(left, right), sizes, self.b.fixed)

    def _matrix(self, x: Operand, rows: str, columns: str) -> str | None:
        """The operand as a matrix (a vector where a side has no letters), transposed if need be; None: it is none."""
        if x.axes == rows + columns:
            return self._flat(x, *(group for group in (rows, columns) if group))
        if x.axes == columns + rows:
            return f"{self._flat(x, columns, rows)}.T"
        return None

    def _added(self, left: str, right: str) -> str:
        """What is added to a matrix product: an array like the result, or a row of it; "" for other shapes."""
        if self.plus is None or not left + right or self.plus.axes not in (left + right, right or left):
            return ""
        sides = (left, right) if self.plus.axes == left + right else (right or left,)
        return self._flat(self.plus, *(side for side in sides if side))

    def _flat(self, x: Operand, *groups: str) -> str:
        if all(len(group) == 1 for group in groups) or not groups:
            return x.text
        sizes = ", ".join(" * ".join(self.sizes[c] for c in group) for group in groups)
        shape = f"({sizes}{',' if len(groups) == 1 else ''})"
        return self.view.format(x.text, shape) if x.joins(*groups) else f"{x.text}{COPYING}{shape})"

    def _many_products(self) -> Call | None:
        """One matrix product for each element along the letters that both operands and the result have."""
        both = "".join(c for c in self.out.axes if c in self.a.axes and c in self.b.axes)
        summed = "".join(c for c in self.a.axes if c in self.b.axes and c not in both)
        left = "".join(c for c in self.a.axes if c not in self.b.axes)
        right = "".join(c for c in self.b.axes if c not in self.a.axes)
        if max(len(left), len(right), len(summed)) > 1:
            return None
        a = transposed(self.a, both + left + summed, self.permute) + ("" if left else "[..., None, :]")
        b = transposed(self.b, both + summed + right, self.permute) + ("" if right else "[..., None]")
        tail = "" if left else "[..., None, :]"
        out = transposed(self.out, both + left + right, self.permute) + (tail if right else "[..., None]")
        return Call("matmul", a, b, out, axes=(0, 0))


def transposed(x: Operand, axes: str, permute: str) -> str:
    """The operand with its axes in this order."""
    if x.axes == axes:
        return x.text
    moved = [k for k, (old, new) in enumerate(zip(x.axes, axes, strict=True)) if old != new]
    if len(moved) == 2:
        return f"{x.text}.swapaxes({moved[0]}, {moved[1]})"
    return f"{x.text}.{permute}({', '.join(str(x.axes.index(c)) for c in axes)})"


def lettered(spec: str) -> tuple[str, str, str]:
    """The letters of both operands and of the result, in lower case: T and B are for steps and sequences."""
    left, out = spec.split("->")
    first, second = left.split(",")
    names = dict.fromkeys(first + second + out)
    letters = dict(zip(names, "abcdefghijklmnopqrsuvwxyz", strict=False))
    a, b, c = ("".join(letters[x] for x in part) for part in (first, second, out))
    return a, b, c


def letter_sizes(spec_letters: tuple[str, str], shapes: tuple[tuple[Dim, ...], ...]) -> dict[str, Dim]:
    """The dimension that each letter stands for."""
    sizes: dict[str, Dim] = {}
    for letters, shape in zip(spec_letters, shapes, strict=True):
        sizes |= dict(zip(letters, shape, strict=True))
    return sizes
