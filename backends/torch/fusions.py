"""Groups of operations that PyTorch computes by one function: a table, and when a row of it may be used.

A fused statement computes its inner nodes later than the plan of memory assumes. A row is used only where nothing
overwrites their arguments in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.program import Place, Program, Region

from ..python.dialect import Fused

Pattern: TypeAlias = "str | float | tuple[Pattern, ...]"
"""A letter for any value (equal letters: equal values), a number, or an operation with patterns of its arguments."""

FUSIONS: tuple[tuple[Pattern, str], ...] = (
    (("multiply", "g", ("subtract", 1.0, ("multiply", "y", "y"))), "tanh_backward({g}, {y}, grad_input={out})"),
    (("multiply", "g", ("multiply", "y", ("subtract", 1.0, "y"))), "sigmoid_backward({g}, {y}, grad_input={out})"),
    (("multiply", "y", ("subtract", 1.0, "y")), "sigmoid_backward({one}, {y}, grad_input={out})"),
    (("add", "x", ("multiply", "a", "b")), "addcmul({x}, {a}, {b}, out={out})"),
    (("subtract", "x", ("multiply", "a", "b")), "addcmul({x}, {a}, {b}, value=-1, out={out})"),
    (("add", "x", ("divide", "a", "b")), "addcdiv({x}, {a}, {b}, out={out})"),
    (("subtract", "x", ("divide", "a", "b")), "addcdiv({x}, {a}, {b}, value=-1, out={out})"),
    (("where", ("less", "a", "b"), "x", "y"), "where(lt({a}, {b}), {x}, {y}, out={out})"),
    (("where", ("less_equal", "a", "b"), "x", "y"), "where(le({a}, {b}), {x}, {y}, out={out})"),
    (("where", ("equal", "a", "b"), "x", "y"), "where(eq({a}, {b}), {x}, {y}, out={out})"),
    (("add", "x", "product"), ""),
)
"""The first row that matches is used. `product` is a matrix product, added to `x` by one function of PyTorch."""


@dataclass
class _Match:
    """The values of a pattern's letters, and the nodes within it."""

    letters: dict[str, int] = field(default_factory=dict)
    inner: tuple[int, ...] = ()


def fusions(program: Program) -> dict[int, Fused]:
    """The fused statements of a program: last node -> fusion."""
    finder = _Finder(program)
    for region in program.regions:
        for id in reversed(region.ids):
            finder.look_at(id)
    return finder.found


class _Finder:
    """Finds patterns whose inner values no other node reads."""

    def __init__(self, program: Program) -> None:
        self.program, self.graph = program, program.graph
        self.order = [id for region in program.regions for id in region.ids]
        self.position = {id: k for k, id in enumerate(self.order)}
        self.region = {id: region for region in program.regions for id in region.ids}
        self.uses: dict[int, int] = dict.fromkeys(self.graph.roots.values(), 1 << 30)
        for id in self.graph.order():
            for arg in self.graph[id].args:
                self.uses[arg] = self.uses.get(arg, 0) + 1
        self.found: dict[int, Fused] = {}
        self.inner: set[int] = set()

    def look_at(self, id: int) -> None:
        """Note the first row of the table that matches at a node."""
        if id in self.inner or Trait.VIEW in self.graph[id].op.traits:
            return
        for pattern, template in FUSIONS:
            for match in self._matches(id, pattern, _Match(), outer=True):
                if self._may(id, match):
                    self.found[id] = Fused(match.inner, template, match.letters)
                    self.inner |= set(match.inner)
                    return

    def _matches(self, id: int, pattern: Pattern, match: _Match, outer: bool = False) -> Iterator[_Match]:
        node = self.graph[id]
        if isinstance(pattern, float):
            if number(self.graph, id) == pattern:
                yield match
        elif pattern == "product":
            if Trait.CONTRACTS in node.op.traits and self._only_here(id):
                yield _Match(match.letters, (*match.inner, id))
        elif isinstance(pattern, str):
            if match.letters.setdefault(pattern, id) == id:
                yield match
        elif node.op.name == pattern[0] and (outer or self._only_here(id)):
            inner = match.inner if outer else (*match.inner, id)
            orders = [node.args, node.args[::-1]] if Trait.COMMUTATIVE in node.op.traits else [node.args]
            for args in orders:
                yield from self._all(list(zip(args, pattern[1:], strict=True)), _Match(dict(match.letters), inner))

    def _all(self, pairs: list[tuple[int, Pattern]], match: _Match) -> Iterator[_Match]:
        """All ways to match several nodes with their patterns at once."""
        if not pairs:
            yield match
            return
        (id, pattern), *rest = pairs
        for first in self._matches(id, pattern, _Match(dict(match.letters), match.inner)):
            yield from self._all(rest, first)

    def _only_here(self, id: int) -> bool:
        """Whether a value is computed here and has one reader."""
        return self.uses[id] == 1 and id in self.position and id in self.program.places and id not in self.inner

    # ----------------------------------------------------------------------------------------------------- memory

    def _may(self, last: int, match: _Match) -> bool:
        """Whether no other node overwrites the arguments before the last node does its own write."""
        region, places = self.region[last], self.program.places
        if last not in places or any(self.region[id] is not region for id in match.inner):
            return False
        if any(places[id].kind is not places[last].kind for id in match.inner):
            return False
        start = min(self.position[id] for id in match.inner)
        between = self.order[start + 1 : self.position[last]]
        written = [places[id] for id in between if id in places and id not in match.inner and self._writes(id)]
        read = [places[id] for id in self._read(match) if id in places]
        if any(self._meet(a, b, region) for a in read for b in written):
            return False
        mixes = any(Trait.CONTRACTS in self.graph[id].op.traits for id in match.inner)
        return not any(self._meet(a, places[last], region) and (mixes or a != places[last]) for a in read)

    def _read(self, match: _Match) -> set[int]:
        return {arg for id in match.inner for arg in self.graph[id].args if arg not in match.inner}

    def _writes(self, id: int) -> bool:
        traits = self.graph[id].op.traits
        return Trait.VIEW not in traits or Trait.CLEANS in traits or id in self.program.copies

    def _meet(self, a: Place, b: Place, region: Region) -> bool:
        """Whether two places may share elements at one step."""
        first, second = self.program.buffers[a.buffer], self.program.buffers[b.buffer]
        if first is not second:
            return _memory(first.id, first.same) == _memory(second.id, second.same)
        if region.scans and a.kind is b.kind is Kind.STREAM and a.delay != b.delay:
            return False
        rows = first.type.shape[0] if first.type.shape else 1
        if not isinstance(rows, int):
            return True
        (low, high), (low2, high2) = a.columns(rows), b.columns(rows)
        return low < high2 and low2 < high


def _memory(id: int, same: int | None) -> int:
    return id if same is None else same
