"""The gradient of what a choice leaves out is 0, even where the numbers on the way are infinite or NaN.

`where(m, log(x), 0)` has a value at x = 0, where m is 0. Its gradient there is 0, but the chain rule multiplies this
zero by 1 / x. The *guard* of a value is a mask that is 0 where no result depends on the value: behind a branch of
`where`, `max`, `min` or `relu`, or at steps, rows and symbols that are not picked. Where a partial derivative might not
be finite, the zero is chosen and not multiplied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from recurrency.graph.components import components_in_order, strong
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Fact, Trait
from recurrency.graph.value import Value, chosen, constant


@dataclass(eq=False)
class Guard:
    """A mask that is greater than 0 where something depends on a value. Its nodes are added when it is first used."""

    make: Callable[[], Value]
    made: Value | None = field(default=None, init=False)

    def __call__(self) -> Value:
        """The mask."""
        if self.made is None:
            self.made = self.make()
        return self.made


class Guards:
    """The guards of the nodes in one sweep of differentiation, users first."""

    def __init__(self, graph: Graph, order: list[int]) -> None:
        self.graph = graph
        self.old = frozenset(order)
        self.edges: dict[int, list[Guard | None]] = defaultdict(list)
        self.clean: set[int] = set()
        """Adjoints. What is not finite in them comes from chosen elements."""
        singular = {id for id in order if Trait.SINGULAR in graph[id].op.traits}
        inputs = [id for id in order if Trait.INPUT in graph[id].op.traits]
        self.singular = singular and _below(graph, order, singular, delayed=True)
        self.order = _users_last(graph, order) if self.singular else order
        """The order of the sweep. A guard needs all users, so only delayed uses within a loop stay open."""
        self.risky = self.singular | _below(graph, order, inputs, delayed=False, past=Trait.BOUNDED)

    def of(self, id: int) -> Guard | None:
        """The guard of a node; None unless all its users have one."""
        edges = list(dict.fromkeys(self.edges[id]))
        if not edges or None in edges:
            return None
        found = [edge for edge in edges if edge is not None]
        return found[0] if len(found) == 1 else Guard(lambda: _added([edge() for edge in found]))

    def safe(self, node: Node, guard: Guard | None, id: int) -> tuple[int, ...]:
        """The result and the arguments to be used in the gradient rule: finite where the guard is 0."""
        if guard is None or Trait.MIXES not in node.op.traits:
            return (id, *node.args)
        of_args = [self._carried(node, k, guard) for k in range(len(node.args))]
        args = [self._finite(arg, of_arg) for arg, of_arg in zip(node.args, of_args, strict=True)]
        if Trait.NORMALISES in node.op.traits:
            id = self._finite(id, of_args[0])
        return (id, *args)

    def _finite(self, id: int, guard: Guard) -> int:
        if id not in self.risky:
            return id
        found = chosen(guard(), self.graph.value(id))
        self.clean.add(found.id)
        return found.id

    def cleaned(self, node: Node, guard: Guard | None, part: Value) -> Value:
        """The part of an argument, set to zero where it is guarded and might not be finite."""
        plain = not node.op.elementwise or Trait.CONDITIONAL in node.op.traits
        if guard is None or plain or not self._is_risky(part.id):
            return part
        return chosen(guard(), part)

    def _is_risky(self, id: int) -> bool:
        """Whether a value of this sweep might not be finite."""
        later, seen = [id], {id}
        while later:
            id = later.pop()
            if id in self.old or id in self.clean:
                if id in self.risky and id not in self.clean:
                    return True
                continue
            node = self.graph[id]
            if Trait.SINGULAR in node.op.traits:
                return True
            new = [] if node.delay else [arg for arg in node.args if arg not in seen]
            seen.update(new)
            later += new
        return False

    # ---------------------------------------------------------------------------------------------------- from a user

    def edge(self, node: Node, id: int, position: int, guard: Guard | None) -> Guard | None:
        """The guard that one user gives to an argument."""
        arg = node.args[position]
        if Trait.CONDITIONAL in node.op.traits and position:
            return Guard(lambda: self._chosen(node, position, guard)) if arg in self.risky else None
        if Trait.CHOOSES in node.op.traits and arg in self.singular:
            return Guard(lambda: self._read(node, id, position, guard))
        return None if guard is None else self._carried(node, position, guard)

    def _chosen(self, node: Node, position: int, guard: Guard | None) -> Value:
        condition = self.graph.value(node.args[0])
        inner = self.graph[condition.id]
        if position == 2:
            mask = condition.apply("equal", 0.0)
        else:
            mask = condition if Trait.MASK in inner.op.traits else condition.apply("equal", 0.0).apply("equal", 0.0)
        mask = mask if guard is None else chosen(mask, guard())
        return mask.reduced_to(self.graph[node.args[position]].type.kind)

    def _read(self, node: Node, id: int, position: int, guard: Guard | None) -> Value:
        """The mask of the elements that are read: where the adjoint of 1 is not zero."""
        g = constant(self.graph, 1.0).like(self.graph.value(id)) if guard is None else guard()
        return self._handed_back(node, id, position, g.spread_like(node.type))

    def _handed_back(self, node: Node, id: int, position: int, g: Value) -> Value:
        assert node.op.gradient is not None
        args = [self.graph.value(a) for a in node.args]
        part = node.op.gradient(g, self.graph.value(id), *args, **node.attrs)[position]
        assert part is not None
        return part.reduced_to(args[position].type.kind)

    def _carried(self, node: Node, position: int, guard: Guard) -> Guard:
        return Guard(lambda: self._reduced(node, position, guard()))

    def _reduced(self, node: Node, position: int, mask: Value) -> Value:
        """The mask of an argument, from the mask of the result."""
        type_ = self.graph[node.args[position]].type
        if Trait.CONTRACTS in node.op.traits:
            mask = _of_factor(mask, node, position, self.graph)
        elif Trait.NORMALISES in node.op.traits:
            last = len(type_.shape) - 1
            mask = mask.reduce("sum", (last,)).expand((last,), (type_.shape[last],))
        elif Trait.MIXES in node.op.traits:  # over some axes
            mask = mask.expand(node.attrs["axes"], tuple(type_.shape[a] for a in node.attrs["axes"]))
        elif not node.op.elementwise:  # a linear one, whose rule does not look at its result
            mask = mask.spread_like(node.type) if node.op.group in ("time", "boundary") else mask
            return self._handed_back(node, node.args[0], position, mask)
        return mask.reduced_to(type_.kind)


def _added(masks: list[Value]) -> Value:
    """A mask that is open where at least one of these is."""
    total = masks[0]
    for mask in masks[1:]:
        total = total + mask
    return total


def _of_factor(mask: Value, node: Node, position: int, graph: Graph) -> Value:
    """The elements of a factor that the open elements of a product read."""
    left, out = node.attrs["spec"].split("->")
    letters = left.split(",")[position]
    shape = graph[node.args[position]].type.shape
    gone = tuple(axis for axis, letter in enumerate(out) if letter not in letters)
    mask = mask.reduce("sum", gone) if gone else mask
    kept = "".join(letter for letter in out if letter in letters)
    ordered = "".join(letter for letter in letters if letter in out)
    if kept != ordered:
        mask = mask.transpose(tuple(kept.index(letter) for letter in ordered))
    new = tuple(axis for axis, letter in enumerate(letters) if letter not in out)
    return mask.expand(new, tuple(shape[axis] for axis in new)) if new else mask


def _users_last(graph: Graph, order: list[int]) -> list[int]:
    """The same order, except that a stream comes before its delayed uses too, unless both are in one recurrence."""
    within = frozenset(order)
    if not any(graph[id].delay for id in order):
        return order
    reads = {id: [arg for arg in graph[id].args if arg in within] for id in order}
    place = {id: k for k, id in enumerate(order)}
    return [id for part in components_in_order(strong(reads), reads, place) for id in part]


def _below(graph: Graph, order: list[int], start: Iterable[int], delayed: bool, past: Fact | None = None) -> set[int]:
    """The nodes that depend on some: without `delayed` at the same step, and not through operations with `past`."""
    users: dict[int, list[int]] = defaultdict(list)
    for id in order:
        node = graph[id]
        if past not in node.op.traits:
            for position, arg in enumerate(node.args):
                if delayed or not (node.delay and position == 0):
                    users[arg].append(id)
    found = set(start)
    later = list(found)
    while later:
        new = [user for user in users[later.pop()] if user not in found]
        found.update(new)
        later += new
    return found
