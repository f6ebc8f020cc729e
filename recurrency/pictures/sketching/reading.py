"""From the syntax of a cell to the sketch of its picture: one node an equation, one edge a use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from functools import cached_property

import networkx as nx

from recurrency.errors import UsageError
from recurrency.language import syntax
from recurrency.language.writing.latex import Scope, scope_of
from recurrency.pictures.sketching.formula import Formula
from recurrency.pictures.sketching.kinds import kind_of
from recurrency.pictures.sketching.merge import Group, find_groups, same_readers
from recurrency.pictures.sketching.sketch import Edge, Kind, Line, Loop, Node, Sketch
from recurrency.pictures.sketching.static import static
from recurrency.pictures.sketching.unroll import Instance, Key, callee, lift_cells, reference, unroll
from recurrency.pictures.sketching.uses import Use, clocks_of, uses

NEWLINE = "\n"
"""In a label: the line ends here."""
LARGEST = 300
"""More nodes than these are no picture any more."""
LONGEST = 15_000
"""Characters of LaTeX of all labels together; more are more than a page of formulas."""
UNROLLED = 2000
"""More equations than these are not read at all; as many become fewer nodes where members of a family are alike."""


def read(
    cell: syntax.Cell, file: syntax.File, sizes: Mapping[str, int | str], known: Mapping[str, syntax.Cell]
) -> Sketch:
    """The sketch of a cell.

    `sizes` are dimensions, functions and cells by name, `known` cells that `file` does not define.

    Raises:
        UsageError: the cell unrolls to more nodes than a picture holds.
    """
    return _Reader(cell, file, sizes, known).sketch()


class _Reader:
    def __init__(
        self, cell: syntax.Cell, file: syntax.File, sizes: Mapping[str, int | str], known: Mapping[str, syntax.Cell]
    ) -> None:
        self.cell = cell
        self.file = file
        self.known = {**known, **{c.name: c for c in file.cells}}
        self.env: dict[str, int] = {}
        self.bound: dict[str, str] = {}
        for dimension in cell.dimensions:
            self._bind(dimension, sizes.get(dimension.name))

    def _bind(self, dimension: syntax.Dimension, given: int | str | None) -> None:
        default = dimension.default
        if given is None and isinstance(default, syntax.Name) and static(default, self.env) is None:
            given = default.name
        elif given is None and default is not None:
            given = static(default, self.env)
        if isinstance(given, str):
            self.bound[dimension.name] = given
        elif given is not None:
            self.env[dimension.name] = given

    # ------------------------------------------------------------------------------------------ equations, one by one

    @cached_property
    def cell_names(self) -> set[str]:
        named = {n.name for use in self.file.uses for n in use.names}
        found = named | set(self.known)
        found |= {name for name, value in self.bound.items() if value in found or value[:1].isupper()}
        equations = [s for s in self.cell.body if isinstance(s, syntax.Equation)]
        return found | {e.target.name for e in equations if self._is_cell(e.value, found)}

    @staticmethod
    def _is_cell(value: syntax.Expression, names: set[str]) -> bool:
        """`shared = LSTM[H]` makes an instance of a cell, not a stream."""
        named = value.value if isinstance(value, syntax.Subscript) else value
        return isinstance(named, syntax.Name) and named.name in names

    @cached_property
    def instances(self) -> dict[Key, Instance]:
        found: dict[Key, Instance] = {}
        for turn, one in enumerate(unroll(self.cell.body, self.env), 1):
            if turn > UNROLLED:
                raise self._too_many(f"more than {UNROLLED}")
            if not self._is_cell(one.value, self.cell_names):
                found |= {lifted.key: lifted for lifted in lift_cells(one, self.cell_names)}
        return found

    @cached_property
    def inputs(self) -> dict[Key, syntax.Port]:
        return {(port.name, ()): port for port in self.cell.inputs}

    @cached_property
    def outputs(self) -> dict[Key, syntax.Port]:
        return {(port.name, ()): port for port in self.cell.outputs}

    @cached_property
    def aliases(self) -> dict[Key, Key]:
        """Streams that are only another name: `below[1] = x`."""
        found: dict[Key, Key] = {}
        for key, instance in self.instances.items():
            named = reference(instance.value)
            other = named.key(instance.env) if named is not None and named.step is None else None
            if other is not None and (other in self.instances or other in self.inputs):
                found[key] = other
        return found

    def stands_for(self, key: Key) -> Key:
        seen = {key}
        while (other := self.aliases.get(key)) is not None and other not in seen:
            seen.add(other)
            key = other
        return key

    @cached_property
    def equations(self) -> dict[Key, Instance]:
        return {key: instance for key, instance in self.instances.items() if key not in self.aliases}

    @cached_property
    def reads(self) -> dict[Key, frozenset[Use]]:
        streams = {**self.instances, **self.inputs}
        return {
            key: frozenset(Use(self.stands_for(u.key), u.delay) for u in uses(i.value, i.env, streams))
            for key, i in self.equations.items()
        }

    @cached_property
    def firsts(self) -> dict[Key, frozenset[Key]]:
        """The streams from which a use of a cell gets its first states."""
        streams = {**self.instances, **self.inputs}
        return {
            key: frozenset(self.stands_for(u.key) for k in i.value.first for u in uses(k.value, i.env, streams))
            for key, i in self.equations.items()
            if isinstance(i.value, syntax.From)
        }

    def _require_few(self) -> None:
        """Refuse what can't become a picture before anything is drawn: alone the equations are too many nodes.

        Raises:
            UsageError: they are.
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
        wanted = {self.stands_for(key) for key in self.outputs}
        handed = {key for keys in self.firsts.values() for key in keys}
        plain = [i for k, i in self.equations.items() if k not in wanted | handed and self._kind(i) is Kind.EQUATION]
        return find_groups(plain, self.reads, lambda i, index: self._label(i, {index}))

    @cached_property
    def group_of(self) -> dict[Key, Group]:
        return {member: group for group in self.groups for member in group.members}

    def node_of(self, key: Key) -> str:
        """The node in which a stream is drawn."""
        group = self.group_of.get(key)
        if group is not None:
            numbers = zip(*(m[1] for m in group.members), strict=True)
            letters = (group.index if len(set(column)) > 1 else str(column[0]) for column in numbers)
            return f"{key[0]}[{', '.join(letters)}]"
        return f"{key[0]}[{', '.join(map(str, key[1]))}]" if key[1] else key[0]

    @cached_property
    def loops(self) -> list[list[Key]]:
        graph: nx.DiGraph[Key] = nx.DiGraph()
        graph.add_nodes_from(self.equations)
        graph.add_edges_from((use.key, key) for key, used in self.reads.items() for use in used)
        order = {key: n for n, key in enumerate(self.equations)}
        found = [sorted(c, key=order.__getitem__) for c in nx.strongly_connected_components(graph) if c <= order.keys()]
        return sorted((c for c in found if len(c) > 1 or graph.has_edge(c[0], c[0])), key=lambda c: order[c[0]])

    @cached_property
    def loop_of(self) -> dict[Key, int]:
        return {key: number for number, loop in enumerate(self.loops) for key in loop}

    # --------------------------------------------------------------------------------------------------------- labels

    @cached_property
    def scope(self) -> Scope:
        """What the printer knows of the names."""
        return scope_of(self.cell, {fn.name: fn for fn in self.file.functions}, self.known)

    def _kind(self, instance: Instance) -> Kind:
        return Kind.CELL if callee(instance.value, self.cell_names) is not None else Kind.EQUATION

    def _label(self, instance: Instance, letters: Set[str] = frozenset()) -> str:
        env = {name: number for name, number in instance.env.items() if name not in letters}
        formula = Formula(self.scope, env, self.env, self.stands_for, self.bound)
        name, numbers = instance.key
        value = instance.value.call if isinstance(instance.value, syntax.From) else instance.value
        text = formula(value)
        if "#" in name:
            return text
        members = ",".join(
            f if f is not None and f in letters else str(n) for f, n in zip(instance.free, numbers, strict=True)
        )
        return f"{self.scope.naming.symbol(name, members=members)} = {text}"

    @cached_property
    def clocks(self) -> dict[Key, str | None]:
        given: dict[Key, str | None] = {key: port.clock or "t" for key, port in self.inputs.items()}
        return clocks_of(self.instances, given)

    def _recurrent(self, name: str | None) -> bool:
        """Whether a cell, or one inside it, has states."""
        seen, later = set[str](), [name]
        while later:
            name = later.pop() or ""
            cell = self.known.get(self.bound.get(name, name))
            if cell is None or cell.name in seen:
                continue
            if any(isinstance(s, syntax.State) for s in cell.body):
                return True
            seen.add(cell.name)
            later += {callee(i.value, self.known) for e in unroll(cell.body, {}) for i in lift_cells(e, self.known)}
        return False

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
        for number, loop in enumerate(self.loops):
            members = dict.fromkeys(self.node_of(key) for key in loop)
            cells = {k for k in loop if self._kind(self.equations[k]) is Kind.CELL}
            kind = kind_of((self.equations[k] for k in loop), {f.name: f for f in self._functions()}, cells, self.bound)
            sketch.loops.append(Loop((*members, *inside[number]), kind))
        used = {e.source for e in sketch.edges} | {e.target for e in sketch.edges} | {e.source for e in sketch.feedback}
        sketch.nodes = {id: n for id, n in sketch.nodes.items() if id in used or n.kind is not Kind.INPUT}
        if len(sketch.nodes) > LARGEST:
            raise self._too_many(str(len(sketch.nodes)))
        if (length := sum(len(n.label) for n in sketch.nodes.values())) > LONGEST:
            raise UsageError(f"the equations of {self.cell.name} are too long for a picture: {length} characters")
        return sketch

    def _functions(self) -> Iterator[syntax.Fn]:
        yield from self.file.functions
        yield from (s for s in self.cell.body if isinstance(s, syntax.Fn))

    def _nodes(self) -> Iterator[Node]:
        several = len(set(self.clocks.values())) > 1
        for key, port in self.inputs.items():
            clock = self.scope.naming.symbol(port.clock) if several and port.clock else ""
            over = rf"\;\mathrm{{over}}\;{clock}" if clock else ""
            yield Node(key[0], Kind.INPUT, self.scope.naming.symbol(key[0]) + over, key[0], self.clocks[key])
        for key, instance in self.equations.items():
            yield self._equation(key, instance)
        for key in self.outputs:
            source = self.stands_for(key)
            if source in self.equations or source in self.inputs:
                label = self.scope.naming.symbol(key[0])
                yield Node(f"output:{key[0]}", Kind.OUTPUT, label, key[0], self.clocks.get(source))

    def _equation(self, key: Key, instance: Instance) -> Node:
        group = self.group_of.get(key)
        label = self._label(instance, {group.index} if group else set())
        if group:
            first, last = group.numbers
            shown = [str(n) for n in range(first, last + 1)]
            shown = shown if len(shown) <= 3 else [shown[0], r"\ldots", shown[-1]]
            label += f"{NEWLINE}{self.scope.naming.symbol(group.index)}={','.join(shown)}"
        kind = self._kind(instance)
        recurrent = kind is Kind.CELL and self._recurrent(callee(instance.value, self.cell_names))
        text = f"{self.node_of(key)} = {' '.join(instance.value.span.text.split())}"
        return Node(self.node_of(key), kind, label, text, self.clocks.get(key), recurrent)

    def _edges(self) -> Iterator[Edge]:
        for key, used in self.reads.items():
            for use in sorted(used, key=lambda u: (u.key, u.delay)):
                if use.delay == 0:
                    yield Edge(self.node_of(use.key), self.node_of(key))
        for key in self.outputs:
            if (source := self.stands_for(key)) in self.equations or source in self.inputs:
                yield Edge(self.node_of(source), f"output:{key[0]}")

    def _first_states(self, sketch: Sketch) -> Iterator[Edge]:
        for key, sources in self.firsts.items():
            instance = self.equations[key]
            assert isinstance(instance.value, syntax.From)
            formula = Formula(self.scope, instance.env, self.env, self.stands_for, self.bound)
            lines = [f"{self.scope.naming.symbol(k.name, '0')} = {formula(k.value)}" for k in instance.value.first]
            text = ", ".join(" ".join(k.span.text.split()) for k in instance.value.first)
            node = Node(f"{self.node_of(key)}:from", Kind.FIRST, NEWLINE.join(lines), text, None)
            sketch.nodes[node.id] = node
            yield from (Edge(self.node_of(s), node.id, Line.DOTTED) for s in sorted(sources))
            yield Edge(node.id, self.node_of(key), Line.DOTTED)

    def _delays(self, sketch: Sketch, edges: dict[Edge, None]) -> dict[int, list[str]]:
        """Add a node for each delayed use; says which of them belong to which loop."""
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
        clock = self.clocks.get(bus[0].key)
        return Node(f"{first}[{step}]" + ("…" if len(bus) > 1 else ""), Kind.DELAY, r",\,".join(names), text, clock)
