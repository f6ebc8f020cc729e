"""Finds the products of a stage that a block can compute for a tile of units, see `tiles`."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from math import prod

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind

from ..kernels.index import At, Ix
from ..kernels.values import Source
from ..names import Names
from .writer import CudaBody


@dataclass
class Group:
    """Products with one operand: the element of it that is the term `k`, and what that is multiplied with.

    For each column there are the weights, the element of them that belongs to the term, and the name of the sum.
    """

    node: int
    at: At
    terms: int
    columns: list[tuple[int, At, str]] = field(default_factory=list)


class SplitBody(CudaBody):
    """A body that gives sums of products a name, which `groups` explains, where a tile can compute them.

    `axes` counts the leading axes of units that an operand depends on: units of one block have the same index there.
    """

    def __init__(self, source: Source, ready: Container[int], names: Names, units: Sequence[Ix]) -> None:
        super().__init__(source, ready, names)
        self.units = [ix.text for ix in units]
        self.groups: dict[object, Group] = {}
        self.axes = 0

    def _written(self, id: int, node: Node, at: At) -> str:
        outermost = len(self.scopes) == 1 and not self._lies(id)
        column = self._column(node, at) if outermost and Trait.CONTRACTS in node.op.traits else None
        return column or super()._written(id, node, at)

    def _column(self, node: Node, at: At) -> str | None:
        """A name for an element of a product, or None if it is no product of weights with one operand."""
        left, out = node.attrs["spec"].split("->")
        sides = list(zip(left.split(","), node.args, strict=True))
        static = [side for side in sides if self.graph[side[1]].type.kind is Kind.STATIC]
        if len(static) != 1 or len(sides) != 2:
            return None
        (own, weights), (letters, operand) = static[0], sides[1 - sides.index(static[0])]
        sizes = {c: size for x, arg in sides for c, size in zip(x, self.graph[arg].type.shape, strict=True)}
        summed = [c for c in letters if c not in out]
        terms = prod(size if isinstance(size := sizes[c], int) else 0 for c in summed)
        once = all(len(set(x)) == len(x) for x in (own, letters))
        if not (terms and once and set(summed) == set(own) - set(out)):
            return None
        where = {**dict(zip(out, at.idx, strict=True)), **_of_term(summed, sizes)}
        there, mine = (at.to(*(where[c] for c in x)) for x in (letters, own))
        if not self._known(there, mine):
            return None
        axes = max((1 + k for k, unit in enumerate(self.units) if unit in _words(there)), default=0)
        self.axes = max(self.axes, axes)
        name: str = self.names.new("total")
        group = self.groups.setdefault((operand, there), Group(operand, there, terms))
        group.columns.append((weights, At(None, None, mine.idx), name))
        return name

    def _known(self, *ats: At) -> bool:
        """Whether elements are chosen by what all threads of a block know before they read anything."""
        return all(w.isdigit() or w in ("t", "b", "k", *self.units) for at in ats for w in _words(at))


def _words(at: At) -> set[str]:
    texts = [*(str(ix) for ix in at.idx), at.t or "", at.b or ""]
    return set(re.findall(r"\w+", " ".join(texts))) - {"0"}


def _of_term(summed: Sequence[str], sizes: dict[str, Dim]) -> dict[str, Ix]:
    """The index of each letter for the term `k`."""
    if len(summed) == 1:
        return {summed[0]: Ix("k", 0, sizes[summed[0]])}
    out, inner = {}, 1
    for place, letter in reversed(list(enumerate(summed))):
        size = sizes[letter]
        divided = f"k / {inner}"
        out[letter] = Ix(f"({divided})" if not place else f"({divided} % {size})", 0, size)
        assert isinstance(size, int)
        inner *= size
    return out
