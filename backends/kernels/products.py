"""Which nodes are products of two matrices, and which axes these have."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from recurrency.graph.dimensions import Dim
from recurrency.graph.op import Trait
from recurrency.passes.rewriting import number
from recurrency.program.program import Program

from ..python.products import letter_sizes, lettered
from .arrays import Array, Memory
from .index import clock_size

LEADS = ("", "B", "TB")
"""The letters of the axes of steps and sequences, by kind."""


@dataclass(frozen=True)
class Factor:
    """An operand as a matrix: node, letters in the order of memory, and how many of them form the first axis."""

    node: int
    axes: str
    split: int
    turned: bool
    """Whether it is stored transposed."""


@dataclass(frozen=True)
class MatrixProduct:
    """`out = a @ b`, where `out` has the letters `rows` followed by `columns`; `sizes` has the size of each letter.

    With letters in `batch` it is one product for each of their elements: both factors and the result, whose letters in
    the order of memory are `out`, have these axes besides, and a factor's first axis says nothing.
    """

    a: Factor
    b: Factor
    rows: str
    columns: str
    sizes: dict[str, Dim]
    batch: str = ""
    out: str = ""


def matrix_product(program: Program, id: int, stepped: bool, batched: bool = False) -> MatrixProduct | None:
    """A node as a product of two matrices, or None; `stepped`: within a loop, where it is the product of one step.

    With `batched` it may be one product for each element of some axes, such as heads.
    """
    graph = program.graph
    inner = id
    if id in program.sums:
        inner = program.sums[id]
        if inner in program.places:
            return None
    node = graph[inner]
    if Trait.CONTRACTS not in node.op.traits or any(number(graph, arg) is not None for arg in node.args):
        return None
    a, b, o = lettered(node.attrs["spec"])
    sizes = letter_sizes((a, b), tuple(graph[x].type.shape for x in node.args))
    if not all(isinstance(size, int) for size in sizes.values()):
        return None
    leads = [LEADS[min(program.places[x].kind, 1 if stepped else 2)] for x in node.args]
    whole = LEADS[min(node.type.kind, 1 if stepped else 2)]
    out = LEADS[min(graph[id].type.kind, 1 if stepped else 2)] + o
    letters = (leads[0] + a, leads[1] + b)
    if any(c not in letters[0] or c not in letters[1] for c in set(whole) - set(out)):
        return None
    sizes = {**sizes, "T": str(node.type.clock), "B": "B"}
    found = _one_product(program, node.args, letters, out, sizes, leads)
    return found or (_many_products(program, node.args, letters, out, sizes, leads) if batched else None)


def _one_product(
    program: Program, args: tuple[int, ...], letters: tuple[str, str], out: str, sizes: dict[str, Dim], leads: list[str]
) -> MatrixProduct | None:
    a, b = letters
    if not _is_plain(a, b, out):
        return None
    summed = "".join(c for c in a if c in b)
    rows, columns = "".join(c for c in out if c in a), "".join(c for c in out if c in b)
    if out == columns + rows and out != rows + columns:
        return _one_product(program, args[::-1], (b, a), out, sizes, leads[::-1])
    if out != rows + columns or not (rows and columns and summed) or set(summed) & set(out):
        return None
    first = _factor(program, args[0], a, leads[0], rows, summed)
    second = _factor(program, args[1], b, leads[1], summed, columns)
    if first is None or second is None:
        return None
    return MatrixProduct(first, second, rows, columns, sizes)


def _is_plain(a: str, b: str, out: str) -> bool:
    """Whether no letter stands twice for a value, and each one is summed over both factors or belongs to the result."""
    once = all(len(set(x)) == len(x) for x in (a, b, out))
    return once and not (set(a) ^ set(b)) - set(out) and not set(out) - set(a + b)


def _many_products(
    program: Program, args: tuple[int, ...], letters: tuple[str, str], out: str, sizes: dict[str, Dim], leads: list[str]
) -> MatrixProduct | None:
    """One product for each element along the axes that both factors and the result have; steps are none of these."""
    a, b = letters
    batch = "".join(c for c in out if c in a and c in b)
    if not batch or set(batch) & set("TB") or not _is_plain(a, b, out):
        return None
    rows, columns = ("".join(c for c in out if c in x and c not in batch) for x in (a, b))
    if not columns or set(columns) & set("TB") or not out.endswith(columns):
        turned = rows and not set(rows) & set("TB") and out.endswith(rows)
        return _many_products(program, args[::-1], (b, a), out, sizes, leads[::-1]) if turned else None
    summed = "".join(c for c in a if c in b and c not in batch)
    lead = "".join(c for c in out if c in "TB")
    if not (rows and summed and _is_even(out, lead, rows) and _is_even(out, lead, batch)):
        return None
    first = _strided(program, args[0], a, leads[0], (batch, rows, summed))
    second = _strided(program, args[1], b, leads[1], (batch, summed, columns))
    if first is None or second is None:
        return None
    return MatrixProduct(first, second, rows, columns, sizes, batch, out)


def _strided(program: Program, id: int, letters: str, lead: str, groups: tuple[str, ...]) -> Factor | None:
    """A value whose elements are evenly spaced along each group of letters, or None."""
    stored = _stored(program, id, letters, lead)
    if stored is None or not all(_is_even(stored[0], lead, group) for group in groups):
        return None
    return Factor(id, stored[0], 0, False)


def _is_even(letters: str, lead: str, group: str) -> bool:
    """Whether elements along these letters are evenly spaced in memory: neighbours, or all steps and sequences."""
    return group in letters and (group == lead or not set(group) & set("TB"))


def _stored(program: Program, id: int, letters: str, lead: str) -> tuple[str, bool] | None:
    """The letters of a value in the order of memory, and whether it is cut out of one; None: it is no such view."""
    if program.graph[id].type.index is not None:
        return None
    place = program.places[id]
    views = list(place.views)
    while views and views[0].op == "slice":
        views.pop(0)
    ops = [view.op for view in views]
    sliced = len(ops) < len(place.views) and bool(lead)
    own = letters[len(lead) :]
    if ops == ["transpose"]:
        order = views[0].order
        letters = lead + "".join(own[order.index(k)] for k in range(len(own)))
    elif ops and set(ops) != {"reshape"}:
        return None
    return letters, sliced


def _factor(program: Program, id: int, letters: str, lead: str, rows: str, columns: str) -> Factor | None:
    """A value as a matrix, stored as it is or transposed, or None."""
    stored = _stored(program, id, letters, lead)
    if stored is None:
        return None
    letters, sliced = stored
    for turned, (one, other) in enumerate(((rows, columns), (columns, rows))):
        if letters == one + other and not (sliced and len(one) != len(lead)):
            return Factor(id, letters, len(one), bool(turned))
    return None


class Products:
    """What products of all drivers share: the sizes of matrices, and the arrays of results."""

    batched = False
    """Whether the driver computes a product for each element of some axes."""

    def __init__(self, program: Program, memory: Memory) -> None:
        self.program, self.memory = program, memory

    def size(self, letters: str, sizes: dict[str, Dim]) -> str:
        """The number of elements of some axes, as text."""
        words = [clock_size(str(sizes[c])) if c == "T" else "B" for c in letters if c in "TB"]
        number = prod(size for c in letters if c not in "TB" and isinstance(size := sizes[c], int))
        own = any(c not in "TB" for c in letters)
        return " * ".join([*words, *([str(number)] if own or not words else [])])

    def output(self, id: int) -> Array | None:
        """The array of the result, if a product can be computed into it directly, else None."""
        place = self.program.places[id]
        return None if place.views or place.delay else self.memory.array(place.buffer)
