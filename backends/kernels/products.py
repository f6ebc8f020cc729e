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
    """`out = a @ b`, where `out` has the letters `rows` followed by `columns`; `sizes` has the size of each letter."""

    a: Factor
    b: Factor
    rows: str
    columns: str
    sizes: dict[str, Dim]


def matrix_product(program: Program, id: int, stepped: bool) -> MatrixProduct | None:
    """A node as one product of two matrices, or None; `stepped`: within a loop, where it is the product of one step."""
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
    return _one_product(program, node.args, letters, out, {**sizes, "T": str(node.type.clock), "B": "B"}, leads)


def _one_product(
    program: Program, args: tuple[int, ...], letters: tuple[str, str], out: str, sizes: dict[str, Dim], leads: list[str]
) -> MatrixProduct | None:
    a, b = letters
    if any(len(set(x)) < len(x) for x in (a, b, out)) or (set(a) ^ set(b)) - set(out) or set(out) - set(a + b):
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


def _factor(program: Program, id: int, letters: str, lead: str, rows: str, columns: str) -> Factor | None:
    """A value as a matrix, stored as it is or transposed, or None."""
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
    elif ops and (set(ops) != {"reshape"} or sliced):
        return None
    if program.graph[id].type.index is not None:
        return None
    for turned, (one, other) in enumerate(((rows, columns), (columns, rows))):
        if letters == one + other and not (sliced and len(one) != len(lead)):
            return Factor(id, letters, len(one), bool(turned))
    return None


class Products:
    """What products of all drivers share: the sizes of matrices, and the arrays of results."""

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
