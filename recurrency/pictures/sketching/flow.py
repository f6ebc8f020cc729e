"""The data flow between the equations of a cell, read from its elaborated graph.

A call of another cell is one entry: nothing inside it is shown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import networkx as nx

from recurrency.errors import Span
from recurrency.graph.types import Kind
from recurrency.language import syntax
from recurrency.language.elaboration.definitions import Env, Key, Written, label
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.scope import Scope
from recurrency.language.syntax import Expression
from recurrency.language.writing.symbols import names_in
from recurrency.passes.recurrence import recurrences

Loop: TypeAlias = tuple[list[Key], str]
"""The equations of a recurrence in the order of the text, and its kind (`recurrency.passes.recurrence`)."""


PAST = re.compile(r"\.\w+\[t-1\]")
"""In the name of a use, what stands for the value behind `with` in which it is called: `y.h[t-1].LSTM`."""


@dataclass(frozen=True)
class Equation:
    """An equation for one turn of the loops around it, or one call of a cell (`use` is then the inlined cell).

    `env` has the numbers of the loop indices. `free[i]` is the loop index that is the i-th index of the left side.
    `y = LSTM(x)` is one entry; a call inside an equation is an entry of its own, whose key `y.LSTM` is also the prefix
    of its parameters.
    """

    key: Key
    value: Expression
    env: Env
    span: Span
    free: tuple[str | None, ...] = ()
    use: Scope | None = None

    @property
    def has_name(self) -> bool:
        """Whether the text gives it a name; a call inside an equation has none."""
        return "." not in self.key[0]


@dataclass(frozen=True)
class Use:
    """`key` is read `delay` steps back; a negative delay reads ahead."""

    key: Key
    delay: int = 0


class Flow:
    """The equations of an elaborated cell and what each of them reads."""

    def __init__(self, top: Scope) -> None:
        self.top, self.graph = top, top.work.graph
        self.starts = set(self.graph.sources("start").values())

    @property
    def inputs(self) -> dict[Key, syntax.Port]:
        """The inputs of the cell."""
        return {(port.name, ()): port for port in self.top.cell.inputs}

    # ---------------------------------------------------------------------------------------------------- equations

    @cached_property
    def calls(self) -> dict[Span, syntax.Call | syntax.From | syntax.Changed | syntax.With]:
        """Every call in the cell and in the functions of its file, by place; with the clauses behind it."""
        roots = (self.top.cell, *self.top.definition.module.functions.values())
        pieces = [piece for root in roots for piece in syntax.walk(root)]
        found: dict[Span, syntax.Call | syntax.From | syntax.Changed | syntax.With] = {}
        for piece in pieces:  # those around others come first
            inner = syntax.unchanged(piece)
            call = inner.call if isinstance(inner, syntax.From) else inner
            if isinstance(call, syntax.Call):
                found.setdefault(call.span, piece)
        return found

    @cached_property
    def written(self) -> dict[Key, Equation]:
        """All equations with their loops unrolled, aliases included; a call comes before the equation around it."""
        uses = defaultdict[str, list[str]](list)
        for name in self.top.uses:
            uses[PAST.sub("", name.rpartition(".")[0])].append(name)  # `y.LSTM` is called in y, `y` is a whole call
        streams = {k: w for k, w in self.top.defined.equations.items() if k in self.top.streams}  # no `f = LSTM[H]`
        return {e.key: e for key, one in streams.items() for e in self._equations(key, one, uses[label(key)])}

    def _equations(self, key: Key, one: Written, calls: list[str]) -> Iterator[Equation]:
        for name in calls:
            use = self.top.uses[name].scope
            assert use.place is not None
            yield Equation((name, ()), self.calls[use.place], one.env, use.place, use=use)
        whole = self.top.uses.get(label(key))
        free = tuple(index.name if isinstance(index, syntax.Name) else None for index in one.statement.target.indices)
        value = self.chosen(one.statement.value, one.env)
        yield Equation(key, value, one.env, one.statement.span, free, whole.scope if whole else None)

    def chosen(self, value: Expression, env: Env) -> Expression:
        """The chosen branch of a conditional; any other expression unchanged."""
        while isinstance(value, syntax.Conditional) and self.knows(value.condition, env):
            value = value.then if Evaluator(self.top, env).truth(value.condition) else value.otherwise
        return value

    def knows(self, expression: Expression, env: Env) -> bool:
        """Whether an expression reads nothing but loop indices and dimensions."""
        return names_in(expression) <= env.keys() | self.top.dimensions.keys()

    @cached_property
    def owner(self) -> dict[int, Key]:
        """The stream that each node of the graph is; among aliases, the one whose equation created the node."""
        streams = self.top.streams
        keys = [key for key in self.written if key in streams]
        keys = [*self.inputs, *sorted(keys, key=lambda key: self._is_name(key, streams[key].now().id))]
        return {streams[key].now().id: key for key in reversed(keys)}

    def _is_name(self, key: Key, id: int) -> tuple[bool, bool]:
        """Sorts the equation that created a node before its aliases."""
        equation, plain = self.written[key], (syntax.Name, syntax.Subscript, syntax.Attribute)
        return self.graph[id].span != equation.span, isinstance(equation.value, plain)

    @cached_property
    def given(self) -> dict[int, Key]:
        """For each unnamed argument of a call, the key of the call."""
        return {id: key for key, use in self._used() for id in ports_of(use) if id not in self.owner}

    @cached_property
    def computed(self) -> dict[int, Key]:
        """For each stream inside a call, the key of the call; the arguments are not included."""
        streams = {key: {s.now().id for i in inner(use) for s in i.streams.values()} for key, use in self._used()}
        return {id: key for key, use in self._used() for id in streams[key] - ports_of(use)}

    def _used(self) -> Iterator[tuple[Key, Scope]]:
        return ((key, e.use) for key, e in self.written.items() if e.use is not None)

    def drawn_as(self, key: Key) -> Key:
        """The key under which a stream is drawn: after `below[1] = x`, `below[1]` is an alias of `x`."""
        equation = self.written.get(key)
        if equation is not None and (equation.use is not None or isinstance(equation.value, syntax.Attribute)):
            return key
        stream = self.top.streams.get(key)
        return key if stream is None else self.owner[stream.now().id]

    @cached_property
    def equations(self) -> dict[Key, Equation]:
        """The equations that are drawn: all except aliases."""
        return {key: e for key, e in self.written.items() if self.drawn_as(key) == key}

    # -------------------------------------------------------------------------------------------------------- edges

    @cached_property
    def reads(self) -> dict[Key, frozenset[Use]]:
        """The streams that each equation reads; initial values of states are not followed."""
        return {key: frozenset(self._reads(equation)) for key, equation in self.equations.items()}

    def _reads(self, equation: Equation) -> Iterator[Use]:
        if equation.use is not None:
            ports = ports_of(equation.use)
            pasts = [past.value for past in equation.use.pasts.values() if past.value is not None]
            return self._walk([(id, 0) for id in (*ports, *(v.id for v in (*equation.use.clauses, *pasts)))], ports)
        id = self.top.streams[equation.key].now().id
        return iter([Use(self.computed[id])]) if id in self.computed else self._walk(self._arguments(id, 0))

    def _arguments(self, id: int, delay: int) -> list[tuple[int, int]]:
        """The arguments of a node, each with its delay; an op delays its first argument only.

        A value that is held goes round in a circle, in which it is no older after each turn.
        """
        node, circle = self.graph[id], self.circles.get(id)
        return [
            (arg, delay + node.delay * (place == 0 and (circle is None or self.circles.get(arg) != circle)))
            for place, arg in enumerate(node.args)
        ]

    @cached_property
    def circles(self) -> dict[int, int]:
        """The nodes that read themselves through nodes that are no streams, each with the number of its circle."""
        inside = [id for id in self.graph if id not in self.owner and id not in self.computed]
        circles: nx.DiGraph[int] = nx.DiGraph()
        circles.add_edges_from((arg, id) for id in inside for arg in self.graph[id].args)
        found = nx.strongly_connected_components(circles)
        return {id: number for number, ids in enumerate(found) if len(ids) > 1 for id in ids}

    def _walk(self, later: list[tuple[int, int]], ports: Set[int] = frozenset()) -> Iterator[Use]:
        """The nearest streams behind nodes, with delays; `ports` are the arguments of the call that reads them."""
        seen = set(later)
        while later:
            id, delay = later.pop()
            key = self.owner.get(id) or self.computed.get(id) or (None if id in ports else self.given.get(id))
            if key is not None:
                yield Use(key, delay)
            elif id not in self.starts:
                new = [one for one in self._arguments(id, delay) if one not in seen]
                seen.update(new)
                later += new

    @cached_property
    def firsts(self) -> dict[Key, frozenset[Key]]:
        """The streams that the `from` clause of a call reads, by the key of the call."""
        found = {}
        for key, use in self._used():
            if use.first:
                starts = [use.streams[name, ()].first_row().id for name in use.first]
                read = [one for start in starts for one in self._arguments(start, 0)]
                found[key] = frozenset(one.key for one in self._walk(read))
        return found

    @cached_property
    def clocks(self) -> dict[Key, str]:
        """The clock of each stream; a value that is the same at all steps is not included."""
        streams = {key: self.top.streams[key] for key in (*self.inputs, *self.written) if key in self.top.streams}
        streams |= {key: use.streams[use.cell.outputs[0].name, ()] for key, use in self._used()}
        types = {key: stream.now().type for key, stream in streams.items()}
        return {key: str(type_.clock) for key, type_ in types.items() if type_.kind is Kind.STREAM}

    # -------------------------------------------------------------------------------------------------------- loops

    @cached_property
    def loops(self) -> list[Loop]:
        """The strongly connected components of the equations, in the order of the text."""
        graph: nx.DiGraph[Key] = nx.DiGraph()
        graph.add_nodes_from(self.equations)
        graph.add_edges_from((use.key, key) for key, used in self.reads.items() for use in used)
        order = {key: n for n, key in enumerate(self.equations)}
        found = [sorted(c, key=order.__getitem__) for c in nx.strongly_connected_components(graph) if c <= order.keys()]
        cycles = sorted((c for c in found if len(c) > 1 or graph.has_edge(c[0], c[0])), key=lambda c: order[c[0]])
        return [(cycle, self._kind(set(cycle))) for cycle in cycles]

    def _kind(self, members: set[Key]) -> str:
        """What all recurrences of the graph that pass through these equations have in common."""
        own = {id for id, key in (*self.owner.items(), *self.computed.items()) if key in members}
        kinds = [loop.kind for loop in recurrences(self.graph) if own.intersection(loop.ids)]
        return ", ".join(w for w in ("diagonal", "affine") if kinds and all(w in kind for kind in kinds)) or "full"

    def is_recurrent(self, equation: Equation) -> bool:
        """Whether an equation calls a cell with a recurrence inside, at any depth."""
        used = inner(equation.use) if equation.use is not None else []
        streams = [stream for i in used for stream in i.streams.values() if stream not in i.pasts]
        shifts = {shift.id for stream in streams for shift in stream.shifts.values()}
        return any(shifts.intersection(loop.ids) for loop in recurrences(self.graph))


def inner(use: Scope) -> list[Scope]:
    """A call of a cell and all calls inside it."""
    found = [use]
    for scope in found:
        found += [used.scope for used in scope.uses.values()]
    return found


def ports_of(use: Scope) -> set[int]:
    """The nodes that a call gets as arguments."""
    return {use.streams[port.name, ()].now().id for port in use.cell.inputs}
