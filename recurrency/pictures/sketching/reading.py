"""Makes the sketch of a cell: a node for each equation, an edge for each stream that it reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from functools import cached_property
from typing import Any

from recurrency.errors import Span, UsageError
from recurrency.language import syntax
from recurrency.language.elaboration.definitions import Key
from recurrency.language.elaboration.elaborate import unfold
from recurrency.language.elaboration.instance import Instance
from recurrency.language.elaboration.modules import CellDef
from recurrency.language.writing.symbols import Symbols, symbols_of
from recurrency.pictures.sketching.flow import Equation, Flow, Use
from recurrency.pictures.sketching.formula import Formula
from recurrency.pictures.sketching.merge import Group, find_groups, same_readers
from recurrency.pictures.sketching.sketch import Edge, Kind, Line, Loop, Node, Sketch

NEWLINE = "\n"
"""A line break in a label."""
LARGEST = 300
"""Greatest number of nodes."""
LONGEST = 15_000
"""Greatest length of all labels together, in characters of LaTeX: about a page of formulas."""
UNROLLED = 2000
"""Greatest number of unrolled equations; members of a family that are alike become one node."""


def read(definition: CellDef, sizes: Mapping[str, Any]) -> Sketch:
    """The sketch of a cell; `sizes` has the dimensions, functions and cells of its header by name.

    Raises:
        SpecError: the cell has mistakes. UsageError: a size does not fit, or the cell unrolls to more nodes than a
            picture holds.
    """
    return _Reader(unfold(definition, sizes)).sketch()


class _Reader:
    def __init__(self, top: Instance) -> None:
        self.cell, self.flow = top.cell, Flow(top)
        if len(top.defined.equations) > UNROLLED:
            raise self._too_many(f"more than {UNROLLED}")
        self.inputs, self.equations, self.reads = self.flow.inputs, self.flow.equations, self.flow.reads
        module = top.definition.module
        self.scope: Symbols = symbols_of(top.cell, module.functions, {n: d.cell for n, d in module.cells.items()})
        """Used to print names."""

    @cached_property
    def outputs(self) -> list[tuple[str, Key]]:
        """The name of each output, and the key under which its stream is drawn."""
        return [(port.name, self.flow.drawn_as((port.name, ()))) for port in self.cell.outputs]

    def _require_few(self) -> None:
        """Count the nodes of equations before any label is made.

        Raises:
            UsageError: there are too many.
        """
        alone = [key for key, one in self.equations.items() if not any(one.free)]
        if len(alone) > LARGEST or len(nodes := {self.node_of(key) for key in self.equations}) > LARGEST:
            raise self._too_many(str(len(alone) if len(alone) > LARGEST else len(nodes)))

    def _too_many(self, count: str) -> UsageError:
        many = f"{count} equations once its loops are unrolled"
        return UsageError(f"{self.cell.name} has {many}, too many for a picture (at most {LARGEST})")

    # ---------------------------------------------------------------------------------------------- groups and loops

    @cached_property
    def groups(self) -> list[Group]:
        apart = {key for _, key in self.outputs}.union(*self.flow.firsts.values())
        plain = [e for key, e in self.equations.items() if key not in apart and e.use is None]
        return find_groups(plain, self.reads, lambda e, index: self._label(e, {index}))

    @cached_property
    def group_of(self) -> dict[Key, Group]:
        return {member: group for group in self.groups for member in group.members}

    def node_of(self, key: Key) -> str:
        """The id of the node of a stream."""
        group = self.group_of.get(key)
        if group is not None:
            numbers = zip(*(m[1] for m in group.members), strict=True)
            letters = (group.index if len(set(column)) > 1 else str(column[0]) for column in numbers)
            return f"{key[0]}[{', '.join(letters)}]"
        return f"{key[0]}[{', '.join(map(str, key[1]))}]" if key[1] else key[0]

    @cached_property
    def loop_of(self) -> dict[Key, int]:
        return {key: number for number, (loop, _) in enumerate(self.flow.loops) for key in loop}

    # --------------------------------------------------------------------------------------------------------- labels

    @cached_property
    def calls(self) -> frozenset[Span | None]:
        """The places of all calls of cells."""
        return frozenset(e.use.place for e in self.flow.written.values() if e.use is not None)

    def _formula(self, equation: Equation, letters: Set[str] = frozenset()) -> Formula:
        env = {name: number for name, number in equation.env.items() if name not in letters}
        return Formula(self.flow, self.scope, env, self.calls)

    def _label(self, equation: Equation, letters: Set[str] = frozenset()) -> str:
        text = self._formula(equation, letters)(_without_first_states(equation.value))
        if not equation.has_name:
            return text
        name, numbers = equation.key
        members = ",".join(
            f if f is not None and f in letters else str(n) for f, n in zip(equation.free, numbers, strict=True)
        )
        return f"{self.scope.naming.symbol(name, members=members)} = {text}"

    # --------------------------------------------------------------------------------------------------------- sketch

    def sketch(self) -> Sketch:
        self._require_few()
        sketch = Sketch(self.cell.name, self.cell.doc or "")
        for node in self._nodes():
            sketch.nodes.setdefault(node.id, node)
        edges = dict.fromkeys(self._edges())
        edges.update(dict.fromkeys(self._first_states(sketch)))
        inside = self._delays(sketch, edges)
        sketch.edges = list(edges)
        for number, (loop, kind) in enumerate(self.flow.loops):
            members = dict.fromkeys(self.node_of(key) for key in loop)
            sketch.loops.append(Loop((*members, *inside[number]), kind))
        used = {e.source for e in sketch.edges} | {e.target for e in sketch.edges} | {e.source for e in sketch.feedback}
        sketch.nodes = {id: n for id, n in sketch.nodes.items() if id in used or n.kind is not Kind.INPUT}
        if len(sketch.nodes) > LARGEST:
            raise self._too_many(str(len(sketch.nodes)))
        if (length := sum(len(n.label) for n in sketch.nodes.values())) > LONGEST:
            raise UsageError(f"the equations of {self.cell.name} are too long for a picture: {length} characters")
        return sketch

    def _nodes(self) -> Iterator[Node]:
        clocks = self.flow.clocks
        several = len(set(clocks.values())) > 1
        for key, port in self.inputs.items():
            clock = self.scope.naming.symbol(port.clock) if several and port.clock else ""
            over = rf"\;\mathrm{{over}}\;{clock}" if clock else ""
            yield Node(key[0], Kind.INPUT, self.scope.naming.symbol(key[0]) + over, key[0], clocks[key])
        for equation in self.equations.values():
            yield self._equation(equation)
        for name, source in self.outputs:
            yield Node(f"output:{name}", Kind.OUTPUT, self.scope.naming.symbol(name), name, clocks.get(source))

    def _equation(self, equation: Equation) -> Node:
        key = equation.key
        group = self.group_of.get(key)
        label = self._label(equation, {group.index} if group else set())
        if group:
            first, last = group.numbers
            shown = [str(n) for n in range(first, last + 1)]
            shown = shown if len(shown) <= 3 else [shown[0], r"\ldots", shown[-1]]
            label += f"{NEWLINE}{self.scope.naming.symbol(group.index)}={','.join(shown)}"
        kind = Kind.EQUATION if equation.use is None else Kind.CELL
        text = f"{self.node_of(key)} = {' '.join(equation.value.span.text.split())}"
        return Node(self.node_of(key), kind, label, text, self.flow.clocks.get(key), self.flow.is_recurrent(equation))

    def _edges(self) -> Iterator[Edge]:
        for key, used in self.reads.items():
            for use in sorted(used, key=lambda u: (u.key, u.delay)):
                if use.delay == 0:
                    yield Edge(self.node_of(use.key), self.node_of(key))
        for name, source in self.outputs:
            yield Edge(self.node_of(source), f"output:{name}")

    def _first_states(self, sketch: Sketch) -> Iterator[Edge]:
        for key, sources in self.flow.firsts.items():
            equation = self.equations[key]
            value = syntax.unchanged(equation.value)
            assert isinstance(value, syntax.From)
            formula, given = self._formula(equation), value.first
            lines = [f"{self.scope.naming.symbol(k.name, '0')} = {formula(k.value)}" for k in given]
            text = ", ".join(" ".join(k.span.text.split()) for k in given)
            node = Node(f"{self.node_of(key)}:from", Kind.FIRST, NEWLINE.join(lines), text, None)
            sketch.nodes[node.id] = node
            yield from (Edge(self.node_of(s), node.id, Line.DOTTED) for s in sorted(sources))
            yield Edge(node.id, self.node_of(key), Line.DOTTED)

    def _delays(self, sketch: Sketch, edges: dict[Edge, None]) -> dict[int, list[str]]:
        """Add the nodes and edges of delayed streams; returns the ids of those inside each loop, by its number."""
        readers: dict[Use, set[Key]] = defaultdict(set)
        for key, used in self.reads.items():
            for use in sorted(used, key=lambda u: (u.key, u.delay)):
                if use.delay:
                    readers[use].add(key)
        inside: dict[int, list[str]] = defaultdict(list)
        for bus in same_readers({use: frozenset(keys) for use, keys in readers.items()}, self.loop_of):
            node = self._delay(bus)
            sketch.nodes[node.id] = node
            loop = self.loop_of.get(bus[0].key)
            within = loop is not None and any(self.loop_of.get(r) == loop for r in readers[bus[0]])
            if within and loop is not None:
                inside[loop].append(node.id)
            into = [Edge(self.node_of(use.key), node.id, Line.DASHED) for use in bus]
            if within:
                sketch.feedback += dict.fromkeys(into)
            else:
                edges.update(dict.fromkeys(into))
            edges.update(dict.fromkeys(Edge(node.id, self.node_of(r), Line.DASHED) for r in sorted(readers[bus[0]])))
        return inside

    def _delay(self, bus: tuple[Use, ...]) -> Node:
        step = f"t{-bus[0].delay:+d}"
        names = [self.scope.naming.symbol(u.key[0], step, ",".join(map(str, u.key[1]))) for u in bus]
        if len(names) > 4:
            names = [names[0], names[1], r"\ldots", names[-1]]
        first, last = self.node_of(bus[0].key), self.node_of(bus[-1].key)
        text = f"{first}[{step}]" if len(bus) == 1 else f"{first}[{step}] to {last}[{step}]"
        clock = self.flow.clocks.get(bus[0].key)
        return Node(f"{first}[{step}]" + ("…" if len(bus) > 1 else ""), Kind.DELAY, r",\,".join(names), text, clock)


def _without_first_states(value: syntax.Expression) -> syntax.Expression:
    """A use without its `from` clause, which has a node of its own."""
    if isinstance(value, syntax.Changed | syntax.With):
        return replace(value, use=_without_first_states(value.use))
    return value.call if isinstance(value, syntax.From) else value
