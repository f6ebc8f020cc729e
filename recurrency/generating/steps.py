"""Runs a model step by step on its own output, and carries its states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from recurrency.backend import Call, Runner
from recurrency.errors import UsageError
from recurrency.graph.graph import Graph
from recurrency.graph.roots import FINAL, OUTPUT, READ, Group, in_any
from recurrency.graph.types import Kind
from recurrency.model.model import Model
from recurrency.passes.separate import separate
from recurrency.passes.stepwise import obstacle
from recurrency.training.data.sequences import pad

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


@dataclass(frozen=True)
class Ahead:
    """B sequences so far: the outputs [B, *shape] for the next step, and the states after the last one.

    `given` has whole inputs over other clocks, [S, B], and `read` what was computed of them, [S, B, *shape]; `lengths`
    are their numbers of steps, [B].
    """

    outputs: Mapping[str, Array]
    state: Mapping[str, Array] | None
    given: Mapping[str, Array] = field(default_factory=dict)
    read: Mapping[str, Array] = field(default_factory=dict)
    lengths: Array | None = None

    def take(self, rows: Array) -> Ahead:
        """A selection of the sequences by index; an index may occur several times."""
        state = None if self.state is None else {name: a[rows] for name, a in self.state.items()}
        given, read = ({name: a[:, rows] for name, a in arrays.items()} for arrays in (self.given, self.read))
        lengths = None if self.lengths is None else self.lengths[rows]
        return Ahead({name: a[rows] for name, a in self.outputs.items()}, state, given, read, lengths)


class Writer:
    """A compiled model with its parameters [size], and the one input that it reads and predicts.

    A spec either predicts the next symbol from the current one, or the current one from those before it; the graph
    shows which. Inputs over other clocks are read whole.

    Raises:
        UsageError: the model cannot generate; the message says why.
    """

    def __init__(self, model: Model, params: Array) -> None:
        self.model, self.params = model, params
        self.graph: Graph = model.programs.elaborated.graph
        clocks = {port.clock for port in model.outputs.values() if port.kind is Kind.STREAM}
        if len(clocks) != 1 or any(port.kind is not Kind.STREAM for port in model.outputs.values()):
            raise self._refusal("its outputs are not streams over one clock")
        self.clock = str(*clocks)
        self._built: dict[tuple[str, ...], Runner] = {}
        self._require_causal()
        needed = self._inputs(delayed=True)
        self.sources = [name for name in needed if model.inputs[name].clock != self.clock]
        read = [name for name in needed if name not in self.sources]
        if len(read) != 1:
            raise self._refusal(f"it must read one input over the clock {self.clock}, and reads {_listed(read)}")
        self.name = read[0]
        self.port = model.inputs[self.name]

    def _refusal(self, why: str) -> UsageError:
        return UsageError(f"{self.model.spec.name} can't generate: {why}")

    # ------------------------------------------------------------------------------------------------- what it is

    @cached_property
    def _outputs(self) -> dict[str, int]:
        return {root: id for root, id in self.graph.roots.items() if OUTPUT.has(root)}

    def _inputs(self, delayed: bool) -> list[str]:
        """The inputs that the outputs need; without `delayed`, at the same step."""
        needed = self.graph.needed(self._outputs.values(), delayed)
        found = self.graph.sources("input")
        return [name for name in self.model.inputs if found.get(name) in needed]

    def _require_causal(self) -> None:
        """Refuse a spec whose outputs need later steps of their clock."""
        why = obstacle(self.graph.select(self._outputs), self.clock)
        if why:
            raise self._refusal(why)

    @cached_property
    def reads_before(self) -> bool:
        """Whether the outputs at a step depend on earlier steps only, and so predict the current one."""
        return self.name not in self._inputs(delayed=False)

    @cached_property
    def carried(self) -> frozenset[str]:
        """The states that are carried; those over other clocks start again, since their inputs are read again."""
        starts = self.graph.sources("start")

        def own(id: int) -> bool:
            return any(self.graph[use].type.clock == self.clock for use in self.graph.nx.successors(id))

        return frozenset(name for name, id in starts.items() if own(id))

    # ------------------------------------------------------------------------------------------------- running it

    def begin(self, batch: int, start: Any = None, source: Any = None) -> Ahead:
        """B equal sequences after `start` [T, *shape], or after nothing.

        `source` [S] is the input over the other clock. Without `start`, a model that predicts the next symbol reads one
        step of "no symbol", or of zeros.

        Raises:
            UsageError: a source is missing, or the model has no input for it. ShapeError: an array does not fit.
        """
        return self._begin(batch, start, None if source is None else [np.asarray(source)] * batch)

    def begin_each(self, sources: Sequence[Array]) -> Ahead:
        """A sequence after nothing for each of the sources [S].

        Raises:
            UsageError: the model has no input for a source. ShapeError: one has other symbols.
        """
        return self._begin(len(sources), None, sources)

    def _begin(self, batch: int, start: Any, sources: Sequence[Array] | None) -> Ahead:
        if (sources is not None) != bool(self.sources) or len(self.sources) > 1:
            has = f"reads {_listed(self.sources)} over another clock" if self.sources else "has no other clock"
            raise self._refusal(f"it {has}, but {'no source' if sources is None else 'a source'} is given")
        before = Ahead({}, None) if sources is None else self._sourced(sources)
        if start is not None and len(start):
            return self._read(np.repeat(np.asarray(start)[:, None], batch, 1), before)
        if self.reads_before:
            return replace(before, outputs=self._outputs_of(self._run(self._nothing(batch), before, OUTPUT)))
        return self._read(self._nothing(batch), before)

    def _sourced(self, sources: Sequence[Array]) -> Ahead:
        """What the other sequences read of their sources, computed once for all steps."""
        (name,), lengths = self.sources, np.array([len(source) for source in sources])
        before = Ahead({}, None, {name: pad(sources, np.asarray(sources[0]).dtype)}, {}, lengths)
        encoder = self._halves[0]
        if not encoder.roots:
            return before
        return replace(before, read=self._program(encoder, READ)(self._call(self._nothing(len(sources)), before)))

    def advance(self, ahead: Ahead, chosen: Array) -> Ahead:
        """The sequences after one more step, `chosen` [B, *shape]."""
        return self._read(chosen[None], ahead)

    def _read(self, steps: Array, ahead: Ahead) -> Ahead:
        """The sequences after more steps [T, B, *shape]."""
        if not self.reads_before:
            values = self._run(steps, ahead, OUTPUT, FINAL)
            return replace(ahead, outputs=self._outputs_of(values), state=self._state_of(values))
        after = replace(ahead, state=self._state_of(self._run(steps, ahead, FINAL)))
        return replace(after, outputs=self._outputs_of(self._run(self._nothing(steps.shape[1]), after, OUTPUT)))

    def _outputs_of(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs at the last step."""
        return {name: array[-1] for name, array in OUTPUT.within(values).items()}

    def _state_of(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """The states that are carried."""
        return {name: array for name, array in FINAL.within(values).items() if name in self.carried}

    def _nothing(self, batch: int) -> Array:
        """One step [1, B, *shape] of no symbol, or of zeros."""
        shape = (1, batch, *self.port.shape)
        return np.full(shape, -1) if self.port.index is not None else np.zeros(shape, self.model.real)

    @cached_property
    def _halves(self) -> tuple[Graph, Graph]:
        """The graph of what runs over other clocks, and that of the outputs and carried states that read it."""
        roots = [*map(OUTPUT.of, self.model.outputs), *(FINAL.of(n) for n in self.model.states if n in self.carried)]
        return separate(self.model.programs.graph("forward", ()).select(roots), self.clock)

    def _program(self, graph: Graph, *groups: Group) -> Runner:
        """The program of these roots of one of the halves."""
        roots = [root for root in graph.roots if in_any(root, *groups)]
        if (key := tuple(roots)) not in self._built:
            programs = self.model.programs
            own = graph.select(roots)
            self._built[key] = programs.backend.build(own, programs.layout, programs.dtype, "run", programs.without)
        return self._built[key]

    def _call(self, steps: Array, ahead: Ahead) -> Call:
        """The arguments of the programs for these steps."""
        inputs = {name: self._filled(name, steps, ahead.given) for name in self.model.inputs}
        lengths = None
        if ahead.lengths is not None:
            lengths = {str(self.model.inputs[name].clock): ahead.lengths for name in ahead.given}
        if self.model.batch_first:
            inputs = {name: a.swapaxes(0, 1) for name, a in inputs.items()}
        return self.model.gather(self.params, inputs, ahead.state, lengths)

    def _run(self, steps: Array, ahead: Ahead, *groups: Group) -> dict[str, Array]:
        """The outputs at these steps, the states after them, or both, as roots."""
        call = self._call(steps, ahead)
        if ahead.given:
            return self._program(self._halves[1], *groups)(call.plus(ahead.read))
        return self.model.programs.runner("forward", ())(call)

    def _filled(self, name: str, steps: Array, given: Mapping[str, Array]) -> Array:
        """An input of one call; inputs that only a loss reads are empty."""
        if name == self.name:
            return steps
        if name in given:
            return given[name]
        port = self.model.inputs[name]
        shape = (len(steps), steps.shape[1], *port.shape)
        return np.full(shape, -1) if port.index is not None else np.zeros(shape, self.model.real)


def _listed(names: list[str]) -> str:
    return " and ".join(names) or "none"
