"""Writes matrix products as calls of the functions in `gemm`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from recurrency.graph.cost import count
from recurrency.graph.types import Kind
from recurrency.program.program import Place, Program

from ..kernels.arrays import VECTORS, Array, Memory
from ..kernels.index import clock_size, extent
from ..kernels.products import Factor, MatrixProduct, Products


@dataclass(frozen=True)
class Matrix:
    """A matrix in C: its first element, and the strides of its rows and columns."""

    start: str
    rows: str
    columns: str


MOST_COLUMNS = 4096
"""Products are computed together if they have no more columns: those are packed at a time."""


@dataclass(frozen=True)
class Sum:
    """A product of [m, k] and [k, n] whose `a` has rows along memory; `side` is a `struct rec_side` for the rest."""

    m: str
    k: str
    a: Matrix
    n: str
    side: str

    def joins(self, others: Iterable[Sum | None]) -> bool:
        """Whether it can be computed together with some products: each thread computes some rows of all of them."""
        found = [*others, self]
        if any(other is None or (other.m, other.k, other.a) != (self.m, self.k, self.a) for other in found):
            return False
        return sum(int(other.n) for other in found if other) <= min(int(self.m), MOST_COLUMNS)


class CProducts(Products):
    """Writes products as statements of C. `packed` has the names of packed matrices, by their text."""

    batched = True

    def __init__(self, program: Program, memory: Memory) -> None:
        super().__init__(program, memory)
        self.packed: dict[tuple[str, ...], str] = {}
        self.rooms: dict[str, str] = {}
        """The number of elements of each packed matrix."""
        self.work: list[str] = []
        """The workspaces that products need."""
        self.sums: dict[str, Sum] = {}
        """The products whose `a` is turned, by their statements."""
        self.columns: set[str] = set()
        """The numbers of columns of all products."""
        self.per_row = 0
        """Arithmetic operations of the products of one step and sequence, counted since it was last set."""

    def statements(self, form: MatrixProduct, array: Array, stepped: bool) -> tuple[list[str], str]:
        """The statements before (the loop), and the product itself; `stepped`: of one step, sequences `b0` to `b1`."""
        if form.batch:
            return self.each(form, array, stepped)
        a, b = self.matrix(form.a, form, stepped), self.matrix(form.b, form, stepped)
        columns = self._columns(form)
        k = self.size("".join(c for c in form.a.axes if c not in form.rows), form.sizes)
        out = self.begin(array, Place(0, array.kind), stepped)
        m = self.size(form.rows, form.sizes)
        if stepped:
            rest = self.size(form.rows.replace("B", "", 1), form.sizes)
            m = "(b1 - b0)" if rest == "1" else f"(b1 - b0) * {rest}"
            self.per_row += 2 * prod(int(n) if n.isdigit() else 0 for n in (columns, k, rest))
        fixed = self.program.places[form.b.node].kind is Kind.STATIC
        if fixed and a.columns == "1":
            rows = f"{clock_size(str(form.sizes['T']))} * B" if stepped else m
            before, name = self.pack(b, k, columns, rows)
            part = "t, way, ways" if stepped else "0, id, count"
            sides = f"{a.start}, {a.rows}, {b.start}, {b.rows}, {b.columns}, w->{name}"
            return before, f"rec_multiply_part({rows}, {m}, {columns}, {k}, {sides}, {out}, {columns}, {part});"
        self.work.append(f"rec_product_work_size({m}, {columns}, {k})")
        part = "w->work + (id - way) * w->room, w->room, way, ways" if stepped else "w->work, w->room, id, count"
        sides = f"{a.start}, {a.rows}, {a.columns}, {b.start}, {b.rows}, {b.columns}"
        text = f"rec_product_part({m}, {columns}, {k}, {sides}, {out}, {columns}, {part});"
        if not stepped and all(size.isdigit() for size in (m, columns, b.rows, b.columns)) and a.rows == "1":
            side = f"{{{columns}, {b.start}, {b.rows}, {b.columns}, {out}, {columns}}}"
            self.sums[text] = Sum(m, k, a, columns, side)
        return [], text

    def merged(self, lines: Sequence[str]) -> list[str]:
        """Lines that do not depend on one another, with one statement for products whose `a` is the same."""
        groups: list[list[tuple[str, Sum | None]]] = []
        for line in lines:
            found = self.sums.get(line.partition("  //")[0])
            group = next((group for group in groups if found and found.joins(other for _, other in group)), None)
            if group is None:
                groups.append([(line, found)])
            else:
                group.append((line, found))
        return [self._together([line for line, _ in group], [found for _, found in group if found]) for group in groups]

    def _together(self, lines: Sequence[str], sums: Sequence[Sum]) -> str:
        """One statement for products whose `a` is the same, or the only line."""
        if len(lines) == 1:
            return lines[0]
        m, k, a = sums[0].m, sums[0].k, sums[0].a
        panels = " + ".join(f"rec_packed_size(1, {one.n})" for one in sums)
        self.work.append(f"rec_products_work_size({m}, {panels}, {k})")
        sides = f"(struct rec_side[]){{{', '.join(one.side for one in sums)}}}"
        given = f"{m}, {k}, {a.start}, {a.rows}, {a.columns}, {len(sums)}, {sides}"
        text = f"rec_products_part({given}, w->work, w->room, id, count);"
        return text + "".join(lines[0].partition("  //")[1:])

    def chunk(self, form: MatrixProduct, array: Array) -> tuple[list[str], str]:
        """The same within a loop, for `rows` steps from `t` on; the array holds the steps from `first` on."""
        a, b = self.matrix(form.a, form, True), self.matrix(form.b, form, False)
        columns = self._columns(form)
        k = self.size("".join(c for c in form.a.axes if c not in form.rows), form.sizes)
        rest = self.size(form.rows.replace("TB", "", 1), form.sizes)
        rows = f"{clock_size(str(form.sizes['T']))} * B"
        before, name = self.pack(b, k, columns, rows)
        m = "rows * (b1 - b0)" if rest == "1" else f"rows * (b1 - b0) * {rest}"
        out = f"w->{array.name} + ((t - first) * B + b0) * {inner_elements(array)}"
        sides = f"{a.start}, {a.rows}, {b.start}, {b.rows}, {b.columns}, w->{name}"
        return before, f"rec_multiply_part({rows}, {m}, {columns}, {k}, {sides}, {out}, {columns}, 0, way, ways);"

    def _columns(self, form: MatrixProduct) -> str:
        """The number of columns of a product."""
        found: str = self.size(form.columns, form.sizes)
        self.columns.add(found)
        return found

    def pack(self, b: Matrix, k: str, n: str, rows: str) -> tuple[list[str], str]:
        """The statement that packs a matrix, unless it is packed, and its packed name; `rows` will be multiplied."""
        key = (rows, b.start, b.rows, b.columns, k, n)
        if key in self.packed:
            return [], self.packed[key]
        self.packed[key] = name = self.memory.names.new("packed")
        self.rooms[name] = f"rec_packed_size({k}, {n})"
        sides = f"{b.start}, {b.rows}, {b.columns}, w->{name}"
        return [f"rec_pack_part({rows}, {k}, {n}, {sides}, id, count);"], name

    def each(self, form: MatrixProduct, array: Array, stepped: bool) -> tuple[list[str], str]:
        """The statements of a product for each element along the axes `batch`."""
        times = f"for (long long g = 0; g < {self.size(form.batch, form.sizes)}; ++g) "
        summed = "".join(c for c in form.a.axes if c not in form.rows + form.batch)
        n, k = self._columns(form), self.size(summed, form.sizes)
        m = "(b1 - b0)" if stepped else self.size(form.rows, form.sizes)
        a, a_m, a_k, a_g = self._strides(form, form.a, stepped, (form.rows, summed, form.batch))
        b, b_k, b_n, b_g = self._strides(form, form.b, stepped, (summed, form.columns, form.batch))
        c_m, c_g = (stride(form.out, g, form, inner_elements(array)) for g in (form.rows, form.batch))
        out = f"{self.begin(array, Place(0, array.kind), stepped)} + g * {c_g}"
        sides = f"{b} + g * {b_g}, {b_k}, {b_n}"
        if stepped:
            self.per_row += 2 * prod(int(size) for size in (self.size(form.batch, form.sizes), n, k) if size.isdigit())
        if self.program.places[form.b.node].kind is not Kind.STATIC or a_k != "1":
            self.work.append(f"rec_product_work_size({m}, {n}, {k})")
            part = "w->work + (id - way) * w->room, w->room, way, ways" if stepped else "w->work, w->room, id, count"
            given = f"{m}, {n}, {k}, {a} + g * {a_g}, {a_m}, {a_k}, {sides}"
            return [], f"{times}rec_product_part({given}, {out}, {c_m}, {part});"
        rows = f"{clock_size(str(form.sizes['T']))} * B" if stepped else m
        before, name = self._pack_each(form, times, rows, (k, n), sides)
        part = "t, way, ways" if stepped else "0, id, count"
        packed = f"w->{name} + g * rec_packed_size({k}, {n})"
        given = f"{rows}, {m}, {n}, {k}, {a} + g * {a_g}, {a_m}, {sides}, {packed}"
        return before, f"{times}rec_multiply_part({given}, {out}, {c_m}, {part});"

    def _pack_each(
        self, form: MatrixProduct, times: str, rows: str, size: tuple[str, str], sides: str
    ) -> tuple[list[str], str]:
        """The statement that packs the matrices `sides` of all elements, unless they are packed, and their name."""
        key = (rows, sides, *size)
        if key in self.packed:
            return [], self.packed[key]
        self.packed[key] = name = self.memory.names.new("packed")
        one = f"rec_packed_size({', '.join(size)})"
        self.rooms[name] = f"{self.size(form.batch, form.sizes)} * {one}"
        return [f"{times}rec_pack_part({rows}, {', '.join(size)}, {sides}, w->{name} + g * {one}, id, count);"], name

    def _strides(
        self, form: MatrixProduct, factor: Factor, stepped: bool, groups: tuple[str, ...]
    ) -> tuple[str, str, str, str]:
        """The first element of a factor, and its strides along three groups of letters."""
        place = self.program.places[factor.node]
        array = self.memory.array(place.buffer)
        one, two, three = (stride(factor.axes, group, form, inner_elements(array)) for group in groups)
        return self.begin(array, place, stepped), one, two, three

    def matrix(self, factor: Factor, form: MatrixProduct, stepped: bool) -> Matrix:
        """An operand, with the rows and columns of the product."""
        place = self.program.places[factor.node]
        array = self.memory.array(place.buffer)
        one, other = factor.axes[: factor.split], factor.axes[factor.split :]
        wide = self.size(other, form.sizes)
        if array.home not in VECTORS and place.kind is not Kind.STATIC and len(one) == len(_lead(one)):
            wide = inner_elements(array)
        start = self.begin(array, place, stepped)
        return Matrix(start, "1", wide) if factor.turned else Matrix(start, wide, "1")

    def begin(self, array: Array, place: Place, stepped: bool) -> str:
        """The first element of a value; `stepped`: of step `t` and sequence `b0`."""
        offset, shape = array.offset, array.shape
        for view in place.views:
            if view.op == "slice":
                offset += view.numbers[0] * count(shape[1:])
            shape = view.shape
        parts = [f"w->{array.name}"]
        inner, first = inner_elements(array), array.front - place.delay
        if array.kind is not Kind.STATIC and array.timed:
            if stepped:
                row = f"(t + {first})" if first else "t"
                parts.append(f"({row} * B + b0) * {inner}")
            elif first:
                parts.append(f"{first} * B * {inner}")
        elif array.kind is not Kind.STATIC and stepped:
            parts.append(f"b0 * {inner}")
        if offset:
            parts.append(str(offset))
        return " + ".join(parts)


def stride(letters: str, group: str, form: MatrixProduct, inner: str) -> str:
    """How far apart neighbours along a group of letters are; `inner` elements belong to a sequence at one step."""
    if group[-1] in "TB":
        return inner
    behind = letters[letters.index(group[-1]) + 1 :]
    return str(prod(size for c in behind if isinstance(size := form.sizes[c], int)))


def _lead(letters: str) -> str:
    return "".join(c for c in letters if c in "TB")


def inner_elements(array: Array) -> str:
    """The number of elements of one sequence at one step, as text."""
    if all(isinstance(d, int) for d in array.shape):
        return str(prod(d for d in array.shape if isinstance(d, int)))
    return f"({' * '.join(map(extent, array.shape))})"
