"""Loss lines as means over the steps, or the sequences, that count.

A step whose target is "no symbol" does not count. The targets of a line are the symbols of each `cross_entropy` from
which it is computed element by element. Where the summands of a line have different targets, each becomes a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import add, mul
from typing import TypeAlias

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.roots import SEQUENCE_WEIGHT, WEIGHT
from recurrency.graph.types import Kind
from recurrency.graph.value import Value, constant

Targets: TypeAlias = frozenset[int]
"""The nodes of symbols that are targets."""
Scale: TypeAlias = tuple[tuple[int, int], ...]
"""The nodes between a summand and the value of its line, the lowest first, and which argument of each leads to it."""
NONE: Targets = frozenset()


class Losses:
    """The loss lines of a cell, and of those that it uses."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lines: list[Value] = []
        """The values of the lines; the loss is their sum."""
        self.weights: dict[str, Value] = {}
        """The sums of the weights in each sequence, for lines that have weights, by the name of their root."""
        self.targets: dict[int, Value] = {}
        """The symbols that each cross entropy reads, by its node."""
        self._names: dict[tuple[object, ...], str] = {}

    def add(self, value: Value, weight: Value | None = None) -> None:
        """Add a line: a number averaged over the valid steps of the batch, or over its sequences.

        With a weight for each step it is the sum of the weighted steps divided by the sum of the weights.
        """
        for term, targets in _summands(self.graph, {i: v.id for i, v in self.targets.items()}, value):
            self._add(term, targets, weight)

    def _add(self, value: Value, targets: Targets, weight: Value | None) -> None:
        factors = [w for w in [weight, *map(self._counts, sorted(targets))] if w is not None]
        if factors and value.type.kind is not Kind.STATIC:
            each = reduce(mul, factors).spread_like(value.type)
            total = self._weights(each, (targets, weight and weight.id)).sum_batch()
            if weight is not None or value.id not in self.targets:  # else it is 0 where it does not count
                value = each.where(each * value, 0.0)
            value = value.reduced_to(Kind.STATIC) / total.apply("equal", 0.0).where(1.0, total)
        elif value.type.kind is Kind.STREAM:
            steps = self.graph.add("length", [], {"clock": value.type.clock}).sum_batch().apply("maximum", 1.0)
            value = value.reduced_to(Kind.STATIC) / steps
        elif value.type.kind is Kind.SEQUENCE:
            value = value.sum_batch() / self.graph.add("batch").apply("maximum", 1.0)
        self.lines.append(value)

    def _weights(self, each: Value, what: tuple[object, ...]) -> Value:
        """The sums of some weights in each sequence, as a root; the same weights have one root."""
        kind, clock = each.type.kind, each.type.clock
        group = WEIGHT if kind is Kind.STREAM else SEQUENCE_WEIGHT
        name = self._names.setdefault((*what, kind, clock), group.of(len(self._names)))
        return self.weights.setdefault(name, each.sum_time() if kind is Kind.STREAM else each)

    def _counts(self, symbols: int) -> Value | None:
        """1 where a symbol is, 0 where there is none; None for symbols that are computed from numbers, as by argmax."""
        node = self.graph[symbols]
        if node.args and all(self.graph[arg].type.index is None for arg in node.args):
            return None
        assert node.type.index is not None
        return constant(self.graph, 1.0).to_shape((node.type.index,)).take(self.graph.value(symbols))


def _summands(graph: Graph, targets: Mapping[int, int], value: Value) -> Iterator[tuple[Value, Targets]]:
    """The parts of a line, each with its targets: the line itself, unless its summands have different ones."""
    below = _targets_below(graph, targets, value.id)
    found: dict[Targets, list[tuple[int, Scale]]] = {}
    later: list[tuple[int, Scale]] = [(value.id, ())]
    while later:
        id, scale = later.pop()
        parts = () if id in targets else tuple(_parts(graph, below, id))
        later += [(arg, (*step, *scale)) for arg, step in reversed(parts)]
        if not parts:
            found.setdefault(below[id], []).append((id, scale))
    if len(found) < 2:
        yield value, below[value.id]
        return
    for own, terms in found.items():
        yield reduce(add, (_scaled(graph, *term) for term in terms)), own


def _targets_below(graph: Graph, targets: Mapping[int, int], root: int) -> dict[int, Targets]:
    """The targets from which numbers are computed element by element, for a node and those below it."""
    found: dict[int, Targets] = {id: frozenset([symbols]) for id, symbols in targets.items()}
    later = [root]
    while later:
        node = graph[id := later[-1]]
        inner = node.args if node.op.elementwise and not node.type.shape else ()
        missing = [arg for arg in inner if arg not in found]
        later += missing
        if not missing:
            later.pop()
            found.setdefault(id, NONE.union(*(found[arg] for arg in inner)))
    return found


def _parts(graph: Graph, below: Mapping[int, Targets], id: int) -> Iterator[tuple[int, Scale]]:
    """The arguments that become summands of a node with targets, each with its place; none if it is one summand."""
    node = graph[id]
    moving = [k for k, arg in enumerate(node.args) if below[id] and below[arg]]
    if not node.op.traits & {Trait.LINEAR, Trait.CLIPS} and len(moving) == 1 and moving[0] in node.op.linear_in:
        yield node.args[moving[0]], ((id, moving[0]),)
    elif moving and Trait.LINEAR in node.op.traits and not node.op.linear_in and Trait.CLIPS not in node.op.traits:
        yield from ((arg, ((id, k),)) for k, arg in enumerate(node.args))


def _scaled(graph: Graph, id: int, scale: Scale) -> Value:
    """A summand: each node above it without its other summands."""
    value = graph.value(id)
    for above, place in scale:
        node = graph[above]
        others = [constant(graph, 0.0).id if Trait.LINEAR in node.op.traits else arg for arg in node.args]
        value = graph.add(node.op.name, [*others[:place], value.id, *others[place + 1 :]], dict(node.attrs))
    return value
