"""Recurrences that are an operator of ONNX: `LSTM`, `GRU` or `RNN` in place of a `Scan`.

The equations of a recurrence are matched with those of the operators (`recurrency/equations/onnx.rnn`), as conversion
matches cells. The match says which rows of which weights are which gate. A cell that differs in anything has no match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from recurrency.equations import ONNX
from recurrency.equations.forms import Forms, Part
from recurrency.equations.matching import Equation, Linear, Match, matched
from recurrency.equations.polynomials import Block, Input, Past, Range, Sum, constant, single
from recurrency.errors import UsageError
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.model.spec import parse
from recurrency.passes.rewriting import number

GREATEST_LOOP = 80
"""Bound on the nodes of a recurrence that is looked at."""


@dataclass(frozen=True)
class Operator:
    """An operator of ONNX, and the cell with its equations; both biases are one input, W's first."""

    kind: str
    cell: str
    gates: int
    options: str = ""
    attributes: tuple[tuple[str, object], ...] = ()


LSTM = Operator("LSTM", "OnnxLSTM", 4)
ONE_STATE = (
    Operator("GRU", "OnnxGRU", 3, attributes=(("linear_before_reset", 1),)),
    Operator("GRU", "OnnxGRUResetBefore", 3, attributes=(("linear_before_reset", 0),)),
    Operator("RNN", "OnnxRNN", 1, attributes=(("activations", ("Tanh",)),)),
    Operator("RNN", "OnnxRNN", 1, ", squash = relu", (("activations", ("Relu",)),)),
)
"""The operators by the number of their states: with two there is `LSTM` alone."""


@dataclass(frozen=True)
class Rows:
    """Rows of a weight of the operator, as a sum of blocks of values of the graph, each times a number."""

    start: int
    stop: int
    pieces: Linear


@dataclass(frozen=True)
class Recognised:
    """A recurrence that is an operator: its input, its states (`h` first), and the rows of each weight."""

    operator: Operator
    x: int
    hidden: int
    states: tuple[int, ...]
    firsts: tuple[int, ...]
    """For each state, a delayed use, which has its first values."""
    weights: Mapping[str, tuple[Rows, ...]]
    finals: tuple[int, ...]
    """The nodes that read the last cell state."""


class Cut(Forms):
    """The equations of one recurrence; what is computed outside is a parameter if it is static, else an input."""

    def __init__(
        self, graph: Graph, inside: frozenset[int], inputs: frozenset[int], turned: Iterable[Part] = ()
    ) -> None:
        super().__init__(graph, turned)
        self.inside, self.inputs = inside, inputs

    def turning(self, turned: Iterable[Part]) -> Forms:
        return Cut(self.graph, self.inside, self.inputs, turned)

    def output(self, name: str) -> Sum:
        return self.whole(int(name))

    def pieces(self, part: Part) -> list[Part]:
        return [part] if self._opaque(part[0]) else super().pieces(part)

    def block(self, id: int, ranges: tuple[Range, ...]) -> tuple[float, Block] | None:
        return (1.0, Block(str(id), ranges)) if self._static(id) else None

    def _static(self, id: int) -> bool:
        return self.graph[id].type.kind is Kind.STATIC and number(self.graph, id) is None

    def _opaque(self, id: int) -> bool:
        return id in self.inputs or self._static(id)

    def _made(self, id: int, rows: Range | None) -> Sum:
        node = self.graph[id]
        value = number(self.graph, id)
        if value is not None:
            return constant(value)
        if id in self.inputs:
            return single(Input(str(id), rows))
        if self._static(id):
            rest = tuple((0, int(str(size))) for size in node.type.shape[1:])
            return single(Block(str(id), () if rows is None else (rows, *rest)))
        if id in self.inside and node.delay:
            return single(Past(node.args[0], rows, node.delay, ()))
        return super()._made(id, rows)


def recognised(graph: Graph, ids: list[int]) -> Recognised | None:
    """The operator that equals a recurrence; None if there is none."""
    delayed = [id for id in ids if graph[id].delay]
    sources = list(dict.fromkeys(graph[id].args[0] for id in delayed))
    inputs, products = _inputs(graph, ids)
    if not _plain(graph, ids, delayed, sources) or len(products) != 1:
        return None
    x = next(iter(products))
    cut = Cut(graph, frozenset(ids), inputs)
    for operator in (LSTM,) if len(sources) == 2 else ONE_STATE:
        for h in sources:
            found = _match(cut, operator, x, h)
            if found is not None:
                return _placed(graph, operator, found, x, [h, *(s for s in sources if s != h)], delayed, ids)
    return None


def _plain(graph: Graph, ids: list[int], delayed: list[int], sources: list[int]) -> bool:
    """Whether a recurrence can be an operator: one or two vectors of one size, each read at the step before."""
    if len(ids) > GREATEST_LOOP or not 1 <= len(sources) <= 2 or any(graph[id].delay != 1 for id in delayed):
        return False
    shapes = {(graph[id].type.shape, graph[id].type.index) for id in (*sources, *delayed)}
    firsts = {(graph[id].args[0], graph[id].args[1:]) for id in delayed}
    odd = any(graph[id].op.traits & {Trait.DRAWS, Trait.CLEANS, Trait.LENGTHS} for id in ids)
    shape, index = next(iter(shapes))
    return len(shapes) == 1 and len(shape) == 1 and index is None and len(firsts) == len(sources) and not odd


def _inputs(graph: Graph, ids: list[int]) -> tuple[frozenset[int], frozenset[int]]:
    """What a recurrence reads from outside, and what of it is multiplied with a matrix.

    Sums, slices and products with a matrix are equations too; all else is an input.
    """
    inside, found, products = set(ids), set[int](), set[int]()
    later = [arg for id in ids for arg in graph[id].args[bool(graph[id].delay) :] if not graph[id].delay]
    seen = set[int]()
    while later:
        id = later.pop()
        node = graph[id]
        if id in inside or id in seen or node.type.kind is Kind.STATIC or number(graph, id) is not None:
            continue
        seen.add(id)
        streams = [arg for arg in node.args if graph[arg].type.kind is not Kind.STATIC]
        if Trait.CONTRACTS in node.op.traits and len(streams) == 1:
            products.add(streams[0])
        elif node.args and (node.op.traits & {Trait.ROWS, Trait.TILES} or _adds(graph, id)):
            later += node.args
        else:
            found.add(id)
    return frozenset(found | products), frozenset(products)


def _adds(graph: Graph, id: int) -> bool:
    """Whether a value is a sum, a difference or a negative of its arguments."""
    node = graph[id]
    return node.op.elementwise and Trait.LINEAR in node.op.traits and not node.op.linear_in


@cache
def _forms(operator: Operator, inputs: int, hidden: int) -> Forms:
    """The equations of an operator."""
    text = ONNX.read_text(encoding="utf-8")
    text += f"\ncell Whole(x: [{inputs}]) -> (h: [{hidden}]) {{ h = {operator.cell}[{hidden}{operator.options}](x) }}"
    return Forms.of(parse(text, "<onnx>", "Whole").graph())


def _match(cut: Cut, operator: Operator, x: int, h: int) -> Match | None:
    sizes = [cut.graph[id].type.shape for id in (x, h)]
    if any(len(size) != 1 or not isinstance(size[0], int) for size in sizes):
        return None
    theirs = _forms(operator, int(str(sizes[0][0])), int(str(sizes[1][0])))
    try:
        found = matched(cut, theirs, (str(h), "h"))
    except (UsageError, RecursionError):  # too much to compare
        return None
    return found if isinstance(found, Match) else None


def _placed(
    graph: Graph, operator: Operator, found: Match, x: int, states: list[int], delayed: list[int], ids: list[int]
) -> Recognised | None:
    """The rows of each weight; None if the recurrence has a term that the operator lacks, or others read it inside."""
    hidden = int(str(graph[states[0]].type.shape[0]))
    streams = [ours for ours, _ in found.pairs if isinstance(ours, tuple)]
    weights = _weights(found.equations)
    finals = _finals(graph, ids, states)
    if weights is None or finals is None or set(streams) != {(id, (0, hidden)) for id in states}:
        return None
    firsts = tuple(next(id for id in delayed if graph[id].args[0] == state) for state in states)
    return Recognised(operator, x, hidden, tuple(states), firsts, weights, finals)


def _weights(equations: Iterable[Equation]) -> dict[str, tuple[Rows, ...]] | None:
    """The rows of each weight of the operator; None if they contradict one another, or a term has no place."""
    found: dict[str, dict[Range, Linear]] = {}
    for equation in equations:
        theirs = [block for _, block in equation.theirs if not block.name.endswith("[0]")]
        odd = any(c != 1.0 for c, _ in equation.theirs) or any(block.transposed for block in theirs)
        if odd or (equation.ours and not theirs):
            return None
        for place, block in enumerate(theirs):
            name, pieces = block.name.split(".")[-1], equation.ours if place == 0 else ()
            if found.setdefault(name, {}).setdefault(block.ranges[0], pieces) != pieces:
                return None
    out = {name: tuple(Rows(*span, pieces) for span, pieces in sorted(rows.items())) for name, rows in found.items()}
    whole = all(a.stop == b.start for rows in out.values() for a, b in pairwise(rows))
    return out if whole else None


def _finals(graph: Graph, ids: list[int], states: list[int]) -> tuple[int, ...] | None:
    """The nodes outside that read the last value of the cell state; None if others read anything inside but `h`."""
    inside, finals = set(ids), []
    if inside.intersection(graph.roots.values()) - {states[0]}:
        return None
    for id in graph.order():
        node = graph[id]
        read = inside.intersection(node.args) - {states[0]} if id not in inside else set()
        if not read:
            continue
        if (
            read != set(states[1:])
            or Trait.FINAL not in node.op.traits
            or node.attrs["slot"]
            or node.args[0] not in read
        ):
            return None
        finals.append(id)
    return tuple(finals)
