"""Single nodes of a stream graph as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Mapping

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.roots import INPUT, PARAM, START
from recurrency.graph.types import Kind, Type
from recurrency.passes.rewriting import number

from .choices import unless_empty
from .lower import Lower
from .ops import ELEMENTWISE
from .table import WRITERS
from .time import before, nothing
from .values import Sizes, Val
from .writer import Tensor, Writer


class Nodes(Lower):
    """Writes nodes of a graph, each after its arguments.

    `given` are the tensors of the caller: `param:W`, `input:x`, `start:h`. With `optional` an initial state may be
    empty, and the declared value takes its place.
    """

    def __init__(
        self,
        graph: Graph,
        writer: Writer,
        sizes: Sizes,
        given: Mapping[str, Tensor],
        optional: bool = False,
    ) -> None:
        super().__init__(writer, sizes)
        self.graph, self.given, self.optional = graph, given, optional
        self.values: dict[int, Val] = {}

    def write(self, id: int) -> None:
        """Write one node, after its arguments."""
        self.values[id] = self._value(id, self.graph[id])

    def _value(self, id: int, node: Node) -> Val:
        literal = number(self.graph, id)
        if literal is not None:
            return self.literal(literal, node.type)
        if Trait.NAMED in node.op.traits:
            return self._source(node)
        if self.sizes.single and node.delay:
            firsts = tuple(self.values[a] for a in node.args[1:])
            return before(self, node, firsts, 0) if node.delay > 0 else nothing(self, node)
        args = [self.values[a] for a in node.args]
        if node.op.elementwise:
            return self._elementwise(node, args)
        return WRITERS[node.op.name](self, node, *args)

    def _elementwise(self, node: Node, args: list[Val]) -> Val:
        choice = Trait.CONDITIONAL in node.op.traits
        real = Type(Kind.STATIC) if not choice else node.type
        tensors = [a.tensor if choice and k == 0 else self.like(a, real) for k, a in enumerate(args)]
        found = ELEMENTWISE[node.op.name](*tensors)
        thin = frozenset.intersection(*(a.thin for a in args))
        return Val(found, max(a.lead for a in args), node.type, thin)

    # ------------------------------------------------------------------------------------------------------ sources

    def _source(self, node: Node) -> Val:
        name, lead = node.attrs["name"], self.lead(node.type)
        if Trait.FIRST in node.op.traits:
            return self._start(node)
        group = PARAM if Trait.PARAMETER in node.op.traits else INPUT
        found = Val(self.given[group.of(name)], lead, node.type)
        return self.valid(found, str(node.type.clock)) if node.type.kind is Kind.STREAM else found

    def _start(self, node: Node) -> Val:
        """The caller's value where there is one, else the declared one, else zero."""
        given = self.given.get(START.of(node.attrs["name"]))
        if given is not None and not self.optional:
            return Val(given, 1, node.type)
        declared = self.values[node.args[0]] if node.args else nothing(self, node)
        if given is None:
            return declared
        plain = self.at(declared, 1)
        shape = self.shape([self.sizes.batch, *map(self.sizes.size, node.type.shape)])
        return Val(unless_empty(given, shape, self.like(plain, node.type)), 1, node.type)
