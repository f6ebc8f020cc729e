"""The interpreter: the meaning of a graph, for each node, sequence and step by itself, in float64.

It is slow and obvious. Every backend and every pass is compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from recurrency.graph.cost import whole
from recurrency.graph.draws import draw
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Array, Trait
from recurrency.graph.roots import START
from recurrency.graph.types import Kind, Type

Place: TypeAlias = tuple[int, int, int]
"""Node, sequence and step; -1 where the value does not depend on it."""

SIZES = ("size", "sizes", "shape", "start", "stop")
"""The attributes that hold dimensions; a dimension may be the name of a clock."""


def evaluate(
    graph: Graph,
    given: Mapping[str, Any],
    lengths: Mapping[str, Any] | None = None,
    steps: Mapping[str, int] | None = None,
    training: bool = False,
    seed: int = 0,
    step_offset: Mapping[str, Any] | None = None,
    roots: Iterable[str] | None = None,
) -> dict[str, Array]:
    """The values of the roots: streams [T, B, *shape], sequence values [B, *shape], static ones [*shape].

    `given` maps the names of inputs, parameters and first values to arrays of those shapes; a first value that is not
    there was not handed over. A first value that has the name of an input or parameter is given as `start:name`.
    `lengths` says for each clock how many steps each sequence has ([B]), `steps` how many there is room for (T). Beyond
    the end of a sequence results are zero (index streams: -1). `step_offset` is the number of steps ([B] or one number)
    that lie before the first, for random numbers. Out of training a random value is what its attribute `rest` says.

    Raises:
        KeyError: an input or a parameter has no array.
    """
    run = _Run(graph, given, lengths or {}, steps or {}, training, seed, step_offset or {})
    with np.errstate(all="ignore"):
        return {name: run.assembled(graph.roots[name]) for name in (graph.roots if roots is None else roots)}


class _MissingError(Exception):
    """A value is needed that is not computed yet."""

    def __init__(self, place: Place) -> None:
        self.place = place


class _Run:
    """The given arrays of one evaluation, and the values computed so far."""

    def __init__(
        self,
        graph: Graph,
        given: Mapping[str, Any],
        lengths: Mapping[str, Any],
        steps: Mapping[str, int],
        training: bool,
        seed: int,
        offset: Mapping[str, Any],
    ) -> None:
        self.graph, self.training, self.seed, self.offset = graph, training, seed, offset
        self.given = {name: np.asarray(array) for name, array in given.items()}
        self.sources = {name for op in ("input", "param") for name in graph.sources(op)}
        self.steps = dict(steps)
        self._measure(lengths)
        self.known: dict[Place, Array] = {}

    def _measure(self, lengths: Mapping[str, Any]) -> None:
        """Set the batch size, and steps and lengths that the caller left out, from the arrays of the inputs."""
        batch = max((len(np.atleast_1d(n)) for n in lengths.values()), default=None)
        for name, id in self.graph.sources("input").items():
            type_ = self.graph[id].type
            if name in self.given and type_.kind is not Kind.STATIC:
                array = self.given[name]
                batch = array.shape[type_.kind is Kind.STREAM] if batch is None else batch
                if type_.kind is Kind.STREAM:
                    self.steps.setdefault(str(type_.clock), array.shape[0])
        self.batch = 1 if batch is None else batch
        full = {clock: np.full(self.batch, count) for clock, count in self.steps.items()}
        self.lengths = {**full, **{clock: np.broadcast_to(n, (self.batch,)) for clock, n in lengths.items()}}
        for clock, n in self.lengths.items():
            self.steps.setdefault(clock, int(max(n, default=0)))

    def place(self, id: int, sequence: int, step: int) -> Place:
        """The place of a value, with -1 for what it does not depend on."""
        kind = self.graph[id].type.kind
        if kind is Kind.STREAM:
            return id, sequence, step
        return id, sequence if kind is Kind.SEQUENCE else -1, -1

    def value(self, wanted: Place) -> Array:
        """The value at a place; what it needs is found first, with a stack of our own, for sequences may be long."""
        stack = [wanted]
        while stack:
            place = stack[-1]
            if place not in self.known:
                try:
                    self.known[place] = self._compute(place)
                except _MissingError as error:
                    stack.append(error.place)
                    continue
            stack.pop()
        return self.known[wanted]

    def _compute(self, place: Place) -> Array:
        node = self.graph[place[0]]
        reading = _Reading(self, node, place)
        if node.op.at is not None:
            first = self.graph[node.args[0]].type.clock if node.args else None
            return np.asarray(node.op.at(reading, {"clock": first, "count": len(node.args), **node.attrs}))
        args = [reading.arg(i) for i in range(len(node.args))]
        attrs = {name: reading.sizes(a) if name in SIZES else a for name, a in node.attrs.items() if name != "type"}
        assert node.op.meaning is not None
        return np.asarray(node.op.meaning(*args, **attrs))

    def assembled(self, id: int) -> Array:
        """A value for all sequences and steps, zero (symbols: -1) after the end of a sequence."""
        type_ = self.graph[id].type
        if type_.kind is Kind.STATIC:
            return self.value((id, -1, -1))
        sizes = tuple(self.steps[d] if isinstance(d, str) else whole(d) for d in type_.shape)
        streams = type_.kind is Kind.STREAM
        lead = (self.steps[str(type_.clock)], self.batch) if streams else (self.batch,)
        out = np.zeros((*lead, *sizes)) if type_.index is None else np.full((*lead, *sizes), -1, np.int64)
        for b in range(self.batch):
            for t in range(int(self.lengths[str(type_.clock)][b])) if streams else (-1,):
                value = self.value((id, b, t))
                out[((t, b) if streams else (b,)) + tuple(slice(n) for n in value.shape)] = value
        return out


class _Reading:
    """One place, as an operation sees it; see `recurrency.graph.op.Reading`."""

    def __init__(self, run: _Run, node: Node, place: Place) -> None:
        self.run, self.node = run, node
        _, self.sequence, self.step = place

    def arg(self, position: int, step: int | None = None, sequence: int | None = None) -> Array:
        step = self.step if step is None else step
        place = self.run.place(self.node.args[position], self.sequence if sequence is None else sequence, step)
        if place not in self.run.known:
            raise _MissingError(place)
        return self.run.known[place]

    def sizes(self, dimension: Any) -> Any:
        """A dimension, or a tuple of them, in numbers."""
        if isinstance(dimension, tuple):
            return tuple(map(self.sizes, dimension))
        return self.length(dimension) if isinstance(dimension, str) else dimension

    def zero(self) -> Array:
        shape = self.sizes(self.node.type.shape)
        return np.zeros(shape) if self.node.type.index is None else np.full(shape, -1)

    def length(self, clock: str) -> int:
        return int(self.run.lengths[clock][self.sequence])

    def batch(self) -> int:
        return self.run.batch

    def given(self, name: str) -> Array | None:
        first = Trait.OPTIONAL in self.node.op.traits
        array = self.run.given.get(START.of(name)) if first else None
        if array is None and not (first and name in self.run.sources):
            array = self.run.given.get(name)
        if array is None:
            if not first:
                raise KeyError(f"no array is given for {name}")
            return None
        found = _at(array, self.node.type, self.sequence, self.step)
        return found[tuple(slice(n) for n in self.sizes(self.node.type.shape))]

    def draw(self, site: int, law: str, p: float, per: str) -> Array:
        shape = self.sizes(self.node.type.shape)
        if not (self.run.training or self.node.attrs.get("always")):
            return np.full(shape, float(self.node.attrs.get("rest", 0.0)))
        step = 0
        if per == "step":
            before = np.broadcast_to(self.run.offset.get(str(self.node.type.clock), 0), (self.run.batch,))
            step = self.step + int(before[self.sequence])
        count = int(np.prod(shape, dtype=int))
        return draw(self.run.seed, site, step, max(self.sequence, 0), count, law, p).reshape(shape)


def _at(array: Array, type_: Type, sequence: int, step: int) -> Array:
    """The element of a whole array at a place, as float64 (symbols: integers)."""
    if type_.kind is not Kind.STATIC:
        array = array[step, sequence] if type_.kind is Kind.STREAM else array[sequence]
    return np.asarray(array, np.float64 if type_.index is None else np.int64)
