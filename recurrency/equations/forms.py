"""Reads a stream graph as equations: each value is a sum of products of inputs, parameters and earlier steps.

Packed values are split: the rows of `W @ concat(x, h[t-1])` become blocks of W times x and times h[t-1]. So it does not
matter whether a cell has one matrix for all gates or eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from recurrency.equations.polynomials import Block, Call, Input, Past, Range, Sum, Times, collected, constant, single
from recurrency.errors import UsageError
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.roots import OUTPUT
from recurrency.passes import cse, simplify
from recurrency.passes.rewriting import number
from recurrency.program.before import declared

LETTERS = {"ij,j->i": (0, False), "i,ij->j": (1, True)}
"""Products of a matrix and a vector: the position of the matrix, and whether it is transposed."""

Part: TypeAlias = tuple[int, "Range | None"]


class Forms:
    """The equations of one graph; a gate of `turned` is read as `1 - sigmoid(-a)`, which equals `sigmoid(a)`."""

    def __init__(self, graph: Graph, turned: Iterable[Part] = ()) -> None:
        self.graph, self.turned = graph, frozenset(turned)
        self.names: dict[Call, str] = {}
        """The name that the text gives to a function call."""
        self._known: dict[Part, Sum] = {}

    @classmethod
    def of(cls, graph: Graph) -> Forms:
        """The equations of the outputs of an elaborated graph, which is simplified first."""
        outputs = graph.select([root for root in graph.roots if OUTPUT.has(root)])
        return cls(cse.cse(simplify.simplify(outputs)))

    def turning(self, turned: Iterable[Part]) -> Forms:
        """The same equations with these gates turned."""
        return Forms(self.graph, turned)

    def gates(self) -> list[list[Part]]:
        """All values of `sigmoid` that have been visited, in the order of the text.

        Values from one place of the text, in a cell that is used several times, are one gate.
        """
        found: dict[object, list[Part]] = {}
        parts = [part for part in self._known if Trait.LOGISTIC in self.graph[part[0]].op.traits]
        for id, rows in sorted(parts, key=lambda part: (part[0], part[1] or (0, 0))):
            found.setdefault((self.graph[id].span or id, rows), []).append((id, rows))
        return list(found.values())

    def output(self, name: str) -> Sum:
        """The equation of an output."""
        return self.whole(self.graph.roots[OUTPUT.of(name)])

    def whole(self, id: int) -> Sum:
        """All elements of a value."""
        shape = self.graph[id].type.shape
        return self.form((id, (0, whole_size(shape[0])) if shape else None))

    def form(self, part: Part) -> Sum:
        """Some rows of a value (None: a scalar), as a sum."""
        if part not in self._known:
            pieces = self.pieces(part)
            if len(pieces) > 1:
                self._known[part] = single(Call("concat", "", tuple(self.form(p) for p in pieces)))
            elif pieces[0] != part:
                self._known[part] = self.form(pieces[0])
            else:
                self._known[part] = self._made(*part)
        return self._known[part]

    def pieces(self, part: Part) -> list[Part]:
        """The values that these rows are made of, with `slice`, `concat` and the like resolved."""
        id, rows = part
        node = self.graph[id]
        if Trait.SAME in node.op.traits and Trait.FORGETS not in node.op.traits:
            return self.pieces((node.args[0], rows))
        if rows is None or not node.op.traits & {Trait.ROWS, Trait.TILES}:
            return [part]
        if Trait.ROWS in node.op.traits:
            start = whole_size(node.attrs["start"])
            return self.pieces((node.args[0], (rows[0] + start, rows[1] + start)))
        return [piece for p in self._parts(node, rows) for piece in self.pieces(p)]

    def _parts(self, node: Node, rows: Range) -> list[Part]:
        """The rows of each argument of a `concat`."""
        out: list[Part] = []
        start = 0
        for arg in node.args:
            size = whole_size(self.graph[arg].type.shape[0])
            low, high = max(rows[0] - start, 0), min(rows[1] - start, size)
            if low < high:
                out.append((arg, (low, high)))
            start += size
        return out

    def _made(self, id: int, rows: Range | None) -> Sum:
        node = self.graph[id]
        value = number(self.graph, id)
        if value is not None:
            return constant(value)
        form = FORMS.get(node.op.name, _call)(self, id, rows)
        if node.name and len(form.terms) == 1:
            (product,) = form.terms
            if len(product.factors) == 1 and isinstance(product.factors[0], Call):
                self.names.setdefault(product.factors[0], node.name)
        return form

    def block(self, id: int, ranges: tuple[Range, ...]) -> tuple[float, Block] | None:
        """A block of a static value as a number times a block of one parameter; None if it is anything else."""
        node = self.graph[id]
        step = BLOCKS.get(node.op.name)
        return step(self, node, ranges) if step else None


def whole_size(dimension: object) -> int:
    """A dimension as a number.

    Raises:
        UsageError: it is the number of steps of a clock.
    """
    if not isinstance(dimension, int):
        raise UsageError(
            f"the equations read all {dimension} steps of a stream at once, which no layer of another library does"
        )
    return dimension


# ------------------------------------------------------------------------------------------- pieces of parameters


def _block_of_param(forms: Forms, node: Node, ranges: tuple[Range, ...]) -> tuple[float, Block]:
    return 1.0, Block(node.attrs["name"], ranges)


def _block_of_transpose(forms: Forms, node: Node, ranges: tuple[Range, ...]) -> tuple[float, Block] | None:
    found = forms.block(node.args[0], ranges[::-1]) if len(ranges) == 2 else None
    if found is None:
        return None
    factor, block = found
    return factor, Block(block.name, block.ranges, not block.transposed)


def _block_of_parts(forms: Forms, node: Node, ranges: tuple[Range, ...]) -> tuple[float, Block] | None:
    if Trait.ROWS in node.op.traits:
        start = whole_size(node.attrs["start"])
        return forms.block(node.args[0], ((ranges[0][0] + start, ranges[0][1] + start), *ranges[1:]))
    parts = forms._parts(node, ranges[0])
    if len(parts) != 1 or parts[0][1] is None:
        return None
    return forms.block(parts[0][0], (parts[0][1], *ranges[1:]))


def _block_scaled(forms: Forms, node: Node, ranges: tuple[Range, ...]) -> tuple[float, Block] | None:
    values = [number(forms.graph, arg) for arg in node.args]
    others = [arg for arg, value in zip(node.args, values, strict=True) if value is None]
    factor = -1.0 if len(values) == 1 else next((v for v in values if v is not None), None)
    found = forms.block(others[0], ranges) if len(others) == 1 and factor is not None else None
    return None if found is None or factor is None else (factor * found[0], found[1])


BLOCKS: dict[str, Callable[[Forms, Node, tuple[Range, ...]], tuple[float, Block] | None]] = {
    "param": _block_of_param,
    "transpose": _block_of_transpose,
    "slice": _block_of_parts,
    "concat": _block_of_parts,
    "negative": _block_scaled,
    "multiply": _block_scaled,
}

# ------------------------------------------------------------------------------------------- values, op by op


def _input(forms: Forms, id: int, rows: Range | None) -> Sum:
    return single(Input(forms.graph[id].attrs["name"], rows))


def _param(forms: Forms, id: int, rows: Range | None) -> Sum:
    node = forms.graph[id]
    ranges = tuple((0, whole_size(size)) for size in node.type.shape)
    return single(Block(node.attrs["name"], (rows, *ranges[1:]) if rows is not None else ranges))


def _start(forms: Forms, id: int, rows: Range | None) -> Sum:
    """The declared initial value; what a caller passes instead is the same for both cells."""
    args = forms.graph[id].args
    return forms.form((args[0], rows)) if args else constant(0.0)


def _shift(forms: Forms, id: int, rows: Range | None) -> Sum:
    node = forms.graph[id]
    return single(Past(node.args[0], rows, node.delay, declared(forms.graph, node)))


def _args(forms: Forms, id: int, rows: Range | None) -> list[Sum]:
    return [forms.form((arg, rows)) for arg in forms.graph[id].args]


def _add(forms: Forms, id: int, rows: Range | None) -> Sum:
    a, b = _args(forms, id, rows)
    return a + b


def _subtract(forms: Forms, id: int, rows: Range | None) -> Sum:
    a, b = _args(forms, id, rows)
    return a + b.scaled(-1.0)


def _multiply(forms: Forms, id: int, rows: Range | None) -> Sum:
    a, b = _args(forms, id, rows)
    return a * b


def _negative(forms: Forms, id: int, rows: Range | None) -> Sum:
    return _args(forms, id, rows)[0].scaled(-1.0)


def _divide(forms: Forms, id: int, rows: Range | None) -> Sum:
    a, b = _args(forms, id, rows)
    return a.scaled(1.0 / b.number) if b.number else _call(forms, id, rows)


def _maximum(forms: Forms, id: int, rows: Range | None) -> Sum:
    """max(a, 0) is relu(a)."""
    others = [arg for arg in _args(forms, id, rows) if arg.number != 0]
    return single(Call("relu", "", (others[0],))) if len(others) == 1 else _call(forms, id, rows)


def _sigmoid(forms: Forms, id: int, rows: Range | None) -> Sum:
    (arg,) = _args(forms, id, rows)
    if (id, rows) not in forms.turned:
        return single(Call("sigmoid", "", (arg,)))
    return constant(1.0) + single(Call("sigmoid", "", (arg.scaled(-1.0),))).scaled(-1.0)


def _product(forms: Forms, id: int, rows: Range | None) -> Sum:
    """A matrix of parameters times a vector, term by term; any other product is a function call."""
    node = forms.graph[id]
    if node.attrs["spec"] not in LETTERS or rows is None:
        return _call(forms, id, rows)
    place, transposed = LETTERS[node.attrs["spec"]]
    matrix, vector = node.args[place], node.args[1 - place]
    terms, start = [], 0
    for piece in forms.pieces((vector, (0, whole_size(forms.graph[vector].type.shape[0])))):
        assert piece[1] is not None
        columns = (start, start + piece[1][1] - piece[1][0])
        start = columns[1]
        found = forms.block(matrix, (columns, rows) if transposed else (rows, columns))
        if found is None:
            return _call(forms, id, rows)
        block = Block(found[1].name, found[1].ranges, found[1].transposed != transposed)
        terms += [(single(Times(block, product)), found[0] * c) for product, c in forms.form(piece).terms.items()]
    return collected((product, c * factor) for term, factor in terms for product, c in term.terms.items())


def _expand(forms: Forms, id: int, rows: Range | None) -> Sum:
    """A scalar repeated for each element; the number of elements is not part of the form."""
    arg = forms.graph[id].args[0]
    return _call(forms, id, rows) if forms.graph[arg].type.shape else single(Call("expand", "", (forms.whole(arg),)))


def source(node: Node) -> str:
    """The name of the random stream that a draw reads; it is matched with another one like an input."""
    return f"draw {node.attrs['site']}"


def _call(forms: Forms, id: int, rows: Range | None) -> Sum:
    """A function call: of the same rows of each argument if it is element-wise, else of whole arguments."""
    node = forms.graph[id]
    attributes = ", ".join(f"{key}={value}" for key, value in sorted(node.attrs.items()) if key not in ("type", "site"))
    if node.op.elementwise:
        return single(Call(node.op.name, attributes, tuple(_args(forms, id, rows))))
    args = (single(Input(source(node), None)),) if "site" in node.attrs else tuple(map(forms.whole, node.args))
    result = single(Call(node.op.name, attributes, args))
    if rows is None or rows == (0, node.type.shape[0]):
        return result
    return single(Call("slice", f"rows={rows}", (result,)))


FORMS: dict[str, Callable[[Forms, int, Range | None], Sum]] = {
    "input": _input,
    "param": _param,
    "start": _start,
    "shift": _shift,
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "negative": _negative,
    "divide": _divide,
    "maximum": _maximum,
    "sigmoid": _sigmoid,
    "expand": _expand,
    "product": _product,
}
