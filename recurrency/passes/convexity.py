"""The values in which a loss is convex: where the Gauss-Newton matrix separates the network from its loss.

A loss is read from its end. Operations that keep it convex are passed, by the usual rules of composition: a sum of
convex functions is convex, and so is a convex function of an affine one, or an increasing convex function of a convex
one (Boyd and Vandenberghe 2004, section 3.2). The walk stops at the *heads*: predictions that a function of the
language declares, parameters, and every other value whose formula would not keep it convex. The Hessian of the loss in
the heads has no negative eigenvalue then. Factors that depend on no parameter, such as targets and masks, count as not
negative. Kinks, as of `abs` and `relu`, have no second derivative: their operations count as linear.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from recurrency.errors import Span
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.passes.loss_lines import lines
from recurrency.passes.rewriting import made_by, number

CONVEX, AFFINE, CONCAVE = 1, 0, -1
"""How a value must depend on the heads. Minus this number is what its negative must be."""


@dataclass
class Line:
    """A line of the loss: its heads, whether it has a second derivative in them, and whether a part is not convex."""

    span: Span | None
    heads: set[int] = field(default_factory=set)
    curved: bool = False
    bent: bool = False


def loss_heads(graph: Graph, declared: Collection[int]) -> set[int]:
    """The heads of all lines, the `declared` ones included; in a graph as it was elaborated."""
    return set(declared).union(*(line.heads for line in read_lines(graph, declared)))


def obstacle(graph: Graph, declared: Collection[int]) -> str:
    """Why the Gauss-Newton matrix of the loss says little about it ("" where it is a model of its curvature)."""
    found = read_lines(graph, declared)
    for line in found:
        if line.bent and not line.curved:
            return f"{_place(line)} is not convex in what it reads"
    if found and not any(line.curved for line in found):
        return f"{_place(found[0])} has no second derivative in what it reads"
    return ""


def _place(line: Line) -> str:
    if line.span is None:
        return "the loss"
    text = " ".join(line.span.text.removeprefix("loss").split())
    return f"the loss in line {line.span.line}, {text},"


def read_lines(graph: Graph, declared: Collection[int]) -> list[Line]:
    """What there is to know of each line of the loss."""
    moving = _moving(graph)
    return [_Walk(graph, declared, moving).line(id) for ids in lines(graph).values() for id in ids]


def _moving(graph: Graph) -> set[int]:
    """The real values that depend on parameters."""
    users: dict[int, list[int]] = {}
    for id in graph:
        if graph[id].type.index is None and not _stops(graph[id]):
            for arg in graph[id].args:
                users.setdefault(arg, []).append(id)
    later = [id for id in graph.sources("param").values() if graph[id].type.index is None]
    found = set(later)
    while later:
        new = [id for id in users.get(later.pop(), ()) if id not in found]
        found.update(new)
        later += new
    return found


def _stops(node: Node) -> bool:
    """Whether no gradient flows through an operation."""
    traits = node.op.traits
    return Trait.MASK in traits or (Trait.SILENT in traits and not traits & {Trait.CLIPS, Trait.FORGETS})


class _Walk:
    """One walk from a line of the loss to its heads. It keeps no path, so that formulas may be of any depth."""

    def __init__(self, graph: Graph, declared: Collection[int], moving: set[int]) -> None:
        self.graph, self.declared, self.moving = graph, declared, moving
        self.later: list[tuple[int, int]] = []
        self.found = Line(None)

    def line(self, id: int) -> Line:
        """The line whose value is this node."""
        self.found.span = self.graph[id].span
        self.later, seen = [(id, CONVEX)], set[tuple[int, int]]()
        while self.later:
            id, wanted = step = self.later.pop()
            if step not in seen and id in self.moving and Trait.PARAMETER not in self.graph[id].op.traits:
                seen.add(step)
                if id in self.declared or not self._pass(id, self.graph[id], wanted):
                    self.found.heads.add(id)
        return self.found

    def _pass(self, id: int, node: Node, wanted: int) -> bool:
        """Go on to the arguments, if the formula of this value keeps the loss convex."""
        traits = node.op.traits
        if Trait.LINEAR in traits or (Trait.KINKED in traits and Trait.INCREASING in traits):
            self._linear(id, node, wanted)
        elif Trait.KINKED in traits:
            self.later += [(arg, AFFINE) for arg in node.args]
        elif node.op.linear_in:
            return self._scaled(node, wanted)
        elif wanted and wanted == self._bend(id, node):
            self.found.curved = True
            self.later += [(arg, wanted if Trait.INCREASING in traits else AFFINE) for arg in node.args]
        else:
            self.found.bent = True
            return False
        return True

    def _linear(self, id: int, node: Node, wanted: int) -> None:
        falls = {0} if made_by(self.graph, id, "negative") else {1} if made_by(self.graph, id, "subtract") else set()
        self.later += [(arg, -wanted if k in falls else wanted) for k, arg in enumerate(node.args)]

    def _scaled(self, node: Node, wanted: int) -> bool:
        """A product or quotient: of a moving value and a factor that is fixed, or the square of a value."""
        moving = [k for k, arg in enumerate(node.args) if arg in self.moving]
        if len(moving) == 1 and moving[0] in node.op.linear_in:
            (k,) = moving
            self.later.append((node.args[k], wanted * self._sign(node.args[1 - k])))
            return True
        if not _is_square(node):
            self.found.bent |= Trait.MULTIPLIES not in node.op.traits
            return False
        if wanted != CONVEX:
            self.found.bent = True
            return False
        self.found.curved = True
        self.later.append((node.args[0], AFFINE))
        return True

    def _bend(self, id: int, node: Node) -> int:
        """Whether an operation is convex or concave in its arguments; AFFINE where it is neither, or not known."""
        if made_by(self.graph, id, "power"):
            exponent = number(self.graph, node.args[1])
            return CONVEX if exponent is not None and exponent > 0 and exponent % 2 == 0 else AFFINE
        return CONVEX if Trait.CONVEX in node.op.traits else CONCAVE if Trait.CONCAVE in node.op.traits else AFFINE

    def _sign(self, id: int) -> int:
        """The sign of a factor, as far as the formula shows it; data count as positive."""
        node, sign = self.graph[id], 1
        while made_by(self.graph, id, "negative") or Trait.VIEW in node.op.traits:
            sign = -sign if made_by(self.graph, id, "negative") else sign
            id = node.args[0]
            node = self.graph[id]
        value = number(self.graph, id)
        return -sign if value is not None and value < 0 else sign


def _is_square(node: Node) -> bool:
    """Whether this is x * x, or a sum of the squares of x."""
    sides = str(node.attrs.get("spec", ",")).partition("->")[0].split(",")
    return Trait.MULTIPLIES in node.op.traits and node.args[0] == node.args[1] and sides[0] == sides[1]
